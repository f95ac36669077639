"""Classification as the engine runs it: one mixture for each class, decisions by posterior.

Owns the order of steps, and what segment models share with mixtures: scores of classes, their metrics, tables and
picture.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np

from speechgmm.config import Config
from speechgmm.engine.class_report import classes_table
from speechgmm.engine.comparison import Compared, compared_trials
from speechgmm.engine.console import Console
from speechgmm.engine.frames import Features, as_test
from speechgmm.engine.hints import hints_of_confusions, hints_of_training
from speechgmm.engine.job import Job
from speechgmm.engine.run_folder import RunFolder
from speechgmm.engine.task import Inputs, Settled, Task
from speechgmm.errors import ConfigError, counted
from speechgmm.evaluation import eer, rank_trials, ratio
from speechgmm.evaluation.resampling import Statistic
from speechgmm.io.run_files import RunFile
from speechgmm.io.score_table import ClassTable
from speechgmm.report.settings import mixtures_of
from speechgmm.report.text import reports_lines
from speechgmm.tasks.classification.codec import ModelFile, serialise
from speechgmm.tasks.classification.evaluation import (
    Evaluation,
    confusion_table,
    detection_scores,
    evaluate,
    per_class_table,
    scores_table,
)
from speechgmm.tasks.classification.scoring import Scores, score
from speechgmm.tasks.classification.spec import DecisionSpec, ScoringSpec
from speechgmm.tasks.classification.training import Others, Trained, score_folds, temperature_of, train, train_folds

IN_USE_SHOWN = 30
"""Classes of which it is said how many components they use."""

MOST_NAMED = 20
"""Classes that a warning names."""

TRAINING_SAMPLE = 200
"""Training items that are scored to see how well the models fit what they were trained on."""

Models = TypeVar("Models")


@dataclass(frozen=True, slots=True)
class Tested:
    """Scores of test items, and the models that made them where these learnt their temperature from other folds."""

    scores: Scores
    tempered: Trained | None = None


class ClassTask(Task[Models, Tested, Evaluation]):
    """What every task with scores of classes shares."""

    def pooled(self, tested: Mapping[str, Tested]) -> Tested:
        """All folds as one test."""
        if list(tested) == [""]:
            return tested[""]
        return Tested(Scores.pooled({name: part.scores for name, part in tested.items()}))

    def evaluate(self, job: Job, tested: Tested) -> Evaluation | None:
        """Accuracy and its like, or the error rates of detecting ``corpus.target``."""
        config, scores = job.experiment.config, tested.scores
        evaluation = evaluate(
            scores,
            seed=config.seed,
            target=config.corpus.target,
            decision=config.section(DecisionSpec),
            by_frames=job.corpus.has_labels_in_time(),
        )
        if evaluation is None:
            job.console.warn("the split 'test' is empty: models were trained, but there are no results")
            return None
        untested = [label for label in scores.labels if label not in set(scores.true)]
        if untested:
            job.console.warn(
                f"{counted(len(untested), 'class has', 'classes have')} no test item, and no part in the metrics: "
                f"{', '.join(untested[:MOST_NAMED])}"
            )
        return evaluation

    def criterion(self, config: Config, tested: Tested) -> float:
        """Accuracy, or minus the EER of the class that is to be detected."""
        scores, target = tested.scores, config.corpus.target
        if target is not None:
            return -eer(rank_trials(detection_scores(scores, target), [label == target for label in scores.true]))
        return float(np.mean([one == other for one, other in zip(scores.true, scores.predicted, strict=True)]))

    def criterion_name(self, config: Config) -> str:
        """Accuracy, or eer."""
        return "accuracy" if config.corpus.target is None else "eer"

    def hints(
        self, job: Job, systems: Mapping[str, tuple[Inputs, Models]], tested: Tested, evaluation: Evaluation
    ) -> Sequence[str]:
        """Classes that are confused, models that fit their training better than the test, and wide intervals."""
        labels, confusion = evaluation.labels, evaluation.confusion
        places = zip(*np.nonzero(confusion), strict=True)
        errors = {(labels[i], labels[j]): int(confusion[i, j]) for i, j in places if i != j}
        found = list(hints_of_confusions(errors))
        (features, *_), trained = next(iter(systems.values()))
        sample = as_test(features, TRAINING_SAMPLE)
        scores = self.training_scores(replace(job, console=Console(quiet=True)), sample, trained)
        if len(scores.ids):
            right = float(np.mean(np.array(scores.true) == np.array(scores.predicted)))
            tested_right = float(np.trace(confusion) / confusion.sum())
            found += hints_of_training(right, tested_right, len(scores.ids), *self.sizes(job.experiment.config))
        return [*found, *super().hints(job, systems, tested, evaluation)]

    @abstractmethod
    def training_scores(self, job: Job, sample: Features, trained: Models) -> Scores:
        """Scores of training items, which are the split ``test`` of ``sample``."""

    def sizes(self, config: Config) -> tuple[str, str]:
        """Settings that make the models smaller, and larger."""
        if config.model.adapt == "map":
            return "fewer components (model.ubm.n_components)", "more components (model.ubm.n_components)"
        return "fewer components (model.n_components)", "more components (model.n_components)"

    def check_sweep(self, configs: Sequence[Config]) -> None:
        """Class priors need a temperature, which is fitted to the scores of folds."""
        splits = {config.corpus.split.kind for config in configs}
        priors = {config.section(ScoringSpec).priors for config in configs}
        if len(priors) > 1 and not splits <= {"kfold", "leave-one-out"}:
            raise ConfigError(
                "scoring.priors can be swept with folds only: a single split has no scores to fit the temperature on"
            )
        if "train" in priors and splits & {"column", "fraction"}:
            raise ConfigError("a sweep without folds decides by likelihood; leave scoring.priors out of it")
        if len({config.section(DecisionSpec) for config in configs}) > 1:
            raise ConfigError("decision cannot be swept: points are compared by their EER, which no decision changes")

    def tables(self, job: Job, tested: Tested, evaluation: Evaluation | None) -> Mapping[str, str | ClassTable]:
        """Scores, and what is confused with what."""
        found: dict[str, str | ClassTable] = {
            RunFile.SCORES: scores_table(tested.scores, job.experiment.config.corpus.target)
        }
        if evaluation is not None:
            found |= {RunFile.CONFUSION: confusion_table(evaluation), RunFile.PER_CLASS: per_class_table(evaluation)}
        return found

    def compared(self, run: RunFolder) -> Compared:
        """Decisions by accuracy, or scores of the class to be detected by their EER."""
        if run.config["corpus"].get("target") is not None:
            return compared_trials(run, ("id",))
        items = run.columns(RunFile.SCORES, ("id",), ("true", "predicted"))
        return Compared("accuracy", items, _accuracy, run.groups()[0])

    def draw(self, job: Job, folder: Path, evaluation: Evaluation) -> None:
        """The confusion matrix."""
        if find_spec("matplotlib") is None:
            return
        from speechgmm.plots import confusion_matrix
        from speechgmm.plots.confusion import DRAWN_UP_TO, usual_order

        if len(evaluation.labels) > DRAWN_UP_TO:
            (folder / RunFile.CONFUSION_PICTURE).unlink(missing_ok=True)
            return
        confusion_matrix(
            evaluation.confusion,
            evaluation.labels,
            order=usual_order(evaluation.labels),
            title=job.experiment.name,
            save=folder / RunFile.CONFUSION_PICTURE,
        )


def _accuracy(items: Sequence[tuple[str, ...]]) -> Statistic:
    """The share of items (true class, predicted class) that are right."""
    return ratio([true == predicted for true, predicted in items], np.ones(len(items)))


class MixtureTask(Task[Trained, Any, Any]):
    """What every task with one mixture for each class shares: training and the model file."""

    others: ClassVar[Others] = Others()
    """Who gets a model beside the classes."""

    def train(self, job: Job, sets: Sequence[Inputs]) -> list[Trained]:
        """One mixture for each class of every training set."""
        (whole,), *folds = sets
        if not folds:
            return [train(job, whole, self.others)]
        first, rest = train_folds(job, whole, [features for (features,) in folds], self.others)
        return [first, *rest]

    def pack(self, job: Job, trained: Trained) -> bytes:
        """The class models, and how they were trained."""
        return serialise(ModelFile(trained.models, trained.audio, job.corpus.label, trained.recipe))

    def model_tables(self, job: Job, trained: Trained) -> Mapping[str, str]:
        """How each class was trained."""
        background = (trained.ubm_report,) if trained.ubm_report else ()
        return {RunFile.CLASSES: classes_table((*background, *trained.reports))}

    def settings(self, run: RunFolder) -> Sequence[tuple[str, str]]:
        """The mixtures."""
        return mixtures_of(run)

    def trained_lines(self, trained: Trained) -> Sequence[str]:
        """A row for each class."""
        return reports_lines(trained.reports)

    def trained_notes(self, trained: Trained) -> Sequence[str]:
        """How many components every class uses, where training chose them."""
        models = trained.models
        if models.bayesian is None:
            return ()
        used = [f"{label} {known.n_in_use}" for label, known in zip(models.labels, models.bayesian, strict=True)]
        more = f" ... and {len(used) - IN_USE_SHOWN} more classes" if len(used) > IN_USE_SHOWN else ""
        sizes = sorted({known.n_components for known in models.bayesian})
        listed = ", ".join(used[:IN_USE_SHOWN])
        return (f"components in use, of {' and '.join(map(str, sizes))}: {listed}{more}",)

    def tuning_points(self, config: Config, trained: Trained) -> Sequence[dict[str, Any]]:
        """Fewer and more components; adaptation from a background model, and how far it goes."""
        model, more = config.model, list[tuple[str, Any]]()
        if model.adapt == "map":
            n = trained.ubm_report.n_components if trained.ubm_report else model.ubm.n_components or 1
            key, more = "model.ubm.n_components", [("model.relevance", model.relevance * f) for f in (0.5, 2)]
        else:
            n = int(np.median([one.n_components for one in trained.models.models]))
            key, more = "model.n_components", [("model.adapt", "map")]
        return [{key: n}, {key: max(1, n // 2)}, {key: 2 * n}, *({key: n, name: value} for name, value in more)]

    def facts(self, trained: Trained) -> Mapping[str, Any]:
        """How many classes, and their temperature."""
        return {"n_classes": len(trained.models.labels), "temperature": trained.models.temperature}


class Classification(MixtureTask, ClassTask[Trained]):
    """Which class a recording is of."""

    name: ClassVar[str] = "classification"

    def training_scores(self, job: Job, sample: Features, trained: Trained) -> Scores:
        """Scores by the mixtures."""
        return score(job, sample, trained.models)

    def test(self, job: Job, parts: Mapping[str, tuple[Inputs, Trained]]) -> dict[str, Tested]:
        """Scores of each part; a fold's models get their temperature from the scores of the others."""
        if list(parts) == [""]:
            ((features,), trained) = parts[""]
            return {"": Tested(score(job, features, trained.models))}
        features_of = {name: features for name, ((features,), _) in parts.items()}
        models = {name: trained for name, (_, trained) in parts.items()}
        what = "scoring the folds" if job.folds else None
        scores, tempered = score_folds(job, features_of, models, what)
        return {name: Tested(found, tempered[name]) for name, found in scores.items()}

    def settles(self, job: Job) -> bool:
        """Folds give each other their temperature."""
        return bool(job.folds)

    def settle(
        self, job: Job, inputs: Inputs, whole: Trained, folds: Mapping[str, Trained], tested: Mapping[str, Tested]
    ) -> Settled[Trained, Tested]:
        """The models of folds with their temperature, and those of everything with that of all scores."""
        if folds:
            temperature = temperature_of(job, {name: part.scores for name, part in tested.items()}, whole.models)
            whole = whole if temperature is None else whole.tempered(temperature)
            folds = {name: tested[name].tempered or trained for name, trained in folds.items()}
        return Settled(whole, folds, self.pooled(tested))


TASK = Classification()
