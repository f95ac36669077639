"""Anomaly detection as the engine runs it: models of normal recordings, a threshold, and what lies beyond it."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Final

from speechgmm.config import Config
from speechgmm.corpus import Corpus, Fold, SplitSpec
from speechgmm.engine.class_report import classes_table
from speechgmm.engine.comparison import Compared
from speechgmm.engine.hints import hints_of_interval
from speechgmm.engine.job import Job
from speechgmm.engine.run_folder import RunFolder
from speechgmm.engine.task import Inputs, Task
from speechgmm.errors import DataError, counted, first_few
from speechgmm.features.silence import Silence
from speechgmm.io.run_files import RunFile
from speechgmm.report.text import reports_lines
from speechgmm.tasks.anomaly.codec import AnomalyFile, serialise_anomaly
from speechgmm.tasks.anomaly.evaluation import (
    AnomalyEvaluation,
    AnomalyScores,
    anomaly_table,
    area_of_items,
    curves_of_worst,
    curves_table,
    evaluate_anomalies,
    normal_table,
    score_anomalies,
    thresholds_table,
)
from speechgmm.tasks.anomaly.hints import hints_of_anomalies
from speechgmm.tasks.anomaly.report import anomalies, most_anomalous, streams_of
from speechgmm.tasks.anomaly.scoring import about
from speechgmm.tasks.anomaly.spec import AnomalySpec
from speechgmm.tasks.anomaly.split import divide_normal
from speechgmm.tasks.anomaly.training import TrainedAnomaly, extract_streams, train_anomaly

NORMAL_NAMES: Final = ("normal", "ok", "good", "healthy")
"""Classes that are called so are of normal recordings."""


@dataclass(frozen=True, slots=True)
class Tested:
    """Scores of the test recordings, and the models that they are compared with."""

    scores: AnomalyScores
    file: AnomalyFile


FEW_NORMAL: Final = 20
"""Normal recordings of a model below which many components learn these recordings, and not what they share."""

COMPONENTS_OF_FEW: Final = 2
"""Components of a model of so few; chosen by leaving classes of sounds and words out (recipes/presets.md)."""


def _of_few(n_normal: int, corpus: Corpus, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """The sections of a configuration for so many normal recordings of the smallest model, with what is ``chosen``.

    Few of them cannot give a threshold for the default of ``anomaly.false_alarm``, nor estimate many components.
    """
    n_training = n_normal if corpus.split("train") else int((1 - SplitSpec().test) * n_normal)
    least = math.ceil(1000 / (n_training + 1)) / 1000
    alarm = {"false_alarm": least} if AnomalySpec().false_alarm < least < 1 else {}
    found: dict[str, Any] = {"model": {"n_components": COMPONENTS_OF_FEW}} if n_training < FEW_NORMAL else {}
    return {**({"anomaly": {**chosen, **alarm}} if chosen or alarm else {}), **found}


class Anomaly(Task[TrainedAnomaly, Tested, AnomalyEvaluation]):
    """Whether a recording is unlike normal ones."""

    name: ClassVar[str] = "anomaly"
    no_enrolment: ClassVar[str | None] = (
        "a threshold is set by normal recordings that were left out of training; train again with the new recordings"
    )
    no_sweep: ClassVar[str | None] = (
        "normal recordings alone cannot choose what finds anomalies; run each setting on recordings that the test "
        "does not have, and compare these runs"
    )
    answers_for_silence: ClassVar[bool] = True  # the most anomalous recording there is
    least_classes: ClassVar[int] = 1  # normal recordings of one machine are enough

    def silence(self, corpus: Corpus) -> Silence:
        """Kept: it may be what is anomalous."""
        return Silence.KEPT

    def first_settings(self, corpus: Corpus, group: str | None = None) -> Mapping[str, Any]:
        """Which recordings are normal, where the classes themselves say so."""
        spec = AnomalySpec()
        if corpus.label != spec.condition and all(spec.condition in (one.labels or {}) for one in corpus):
            training = [one for one in corpus.split("train") or corpus if one.label(spec.condition) == spec.normal]
            counts = Counter(one.label(corpus.label) for one in training)
            return _of_few(min(counts.values(), default=0), corpus, {})
        names = {one.label(corpus.label) for one in corpus}
        normal = sorted(name for name in names if name.lower() in NORMAL_NAMES)
        if len(normal) != 1:
            some = first_few(sorted(names), 10)
            raise DataError(
                f"{corpus.root}: the classes are {some}; expected is one of normal recordings, called "
                f"{', '.join(NORMAL_NAMES)}: rename it, or write a manifest with a column {spec.condition!r} that says "
                "which recordings are normal"
            )
        training = [one for one in corpus.split("train") or corpus if one.label(corpus.label) == normal[0]]
        found = {"condition": corpus.label, "normal": normal[0], "models": "one"}
        return _of_few(len(training), corpus, found)

    def split(self, corpus: Corpus, config: Config) -> tuple[Corpus, tuple[Fold, ...]]:
        """Anomalous recordings are never trained on."""
        wanted, spec = config.section(AnomalySpec), config.corpus
        divided = divide_normal(
            corpus,
            spec.split,
            condition=wanted.condition,
            normal=wanted.normal,
            own_models=wanted.models == "label",
            group=spec.group,
            seed=config.seed,
        )
        return divided, ()

    def trains_each_class(self, config: Config) -> bool:
        """One model may be of all machines."""
        return config.section(AnomalySpec).models != "one"

    def about(self, job: Job) -> str:
        """How many models, and of how many recordings."""
        corpus = job.corpus
        what = "all normal recordings as one"
        if job.experiment.config.section(AnomalySpec).models == "label":
            labels = {utterance.label(corpus.label) for utterance in corpus.split("train")}
            what = f"normal recordings of {counted(len(labels), 'class')} ({corpus.label})"
        n_train, n_test = len(corpus.split("train")), len(corpus.split("test"))
        return f"{job.experiment.name}: {what}, utterances: {n_train} train, {n_test} test"

    def extract(self, job: Job) -> Inputs:
        """The features of each stream."""
        return tuple(extract_streams(job))

    def train(self, job: Job, sets: Sequence[Inputs]) -> list[TrainedAnomaly]:
        """Models of normal recordings, and their threshold."""
        return [train_anomaly(job, streams) for streams in sets]

    def test(self, job: Job, parts: Mapping[str, tuple[Inputs, TrainedAnomaly]]) -> dict[str, Tested]:
        """Scores of the test recordings."""
        return {
            name: Tested(score_anomalies(job, streams, trained.file), trained.file)
            for name, (streams, trained) in parts.items()
        }

    def pooled(self, tested: Mapping[str, Tested]) -> Tested:
        """There is one part: anomaly detection has no folds."""
        (found,) = tested.values()
        return found

    def evaluate(self, job: Job, tested: Tested) -> AnomalyEvaluation | None:
        """Areas under the curve, and rates at the threshold."""
        config = job.experiment.config
        evaluation = evaluate_anomalies(tested.scores, config.section(AnomalySpec).normal, seed=config.seed)
        if evaluation is None:
            job.console.warn("the split 'test' is empty: models were trained, but there are no results")
        elif "auc" not in evaluation.metrics:
            job.console.warn("no AUC: it needs normal and anomalous recordings of every class in the test")
        return evaluation

    def hints(
        self,
        job: Job,
        systems: Mapping[str, tuple[Inputs, TrainedAnomaly]],
        tested: Tested,
        evaluation: AnomalyEvaluation,
    ) -> Sequence[str]:
        """Rates that the threshold was not made for, what is found least, and wide intervals."""
        wide = hints_of_interval(evaluation.metrics, job.experiment.config.corpus.group, folds=True)
        return [*hints_of_anomalies(evaluation, tested.file), *wide]

    def criterion_name(self, config: Config) -> str:
        """Area under the ROC curve."""
        return "auc"

    def pack(self, job: Job, trained: TrainedAnomaly) -> bytes:
        """The models of normal recordings, with their thresholds."""
        return serialise_anomaly(trained.file)

    def model_tables(self, job: Job, trained: TrainedAnomaly) -> Mapping[str, str]:
        """How the models were trained, their thresholds, and scores of normal recordings."""
        return {
            RunFile.CLASSES: classes_table(trained.reports),
            RunFile.THRESHOLDS: thresholds_table(trained.file),
            RunFile.NORMAL: normal_table(trained.file),
        }

    def tables(self, job: Job, tested: Tested, evaluation: AnomalyEvaluation | None) -> Mapping[str, str]:
        """Scores, and the curves of the most anomalous recordings."""
        return {
            RunFile.SCORES: anomaly_table(tested.scores, tested.file),
            RunFile.CURVES: curves_table(curves_of_worst(tested.scores)),
        }

    def compared(self, run: RunFolder) -> Compared:
        """Recordings, by the AUC of their scores."""
        items = run.columns(RunFile.SCORES, ("id",), ("condition", "class", "score"))
        area = partial(area_of_items, normal=str(run.config["anomaly"]["normal"]))
        with about(str(run.folder)):
            area(list(items.values()))  # what has no AUC is refused here, where the run is known
        return Compared("auc", items, area, run.groups()[0])

    def sections(self, run: RunFolder, n_audio: int) -> Sequence[Any]:
        """Scores of normal and anomalous recordings, and the most anomalous ones."""
        return (anomalies(run), most_anomalous(run, n_audio))

    def settings(self, run: RunFolder) -> Sequence[tuple[str, str]]:
        """The streams."""
        return streams_of(run)

    def trained_lines(self, trained: TrainedAnomaly) -> Sequence[str]:
        """A row for each mixture."""
        return reports_lines(trained.reports) if trained.reports else ()

    def facts(self, trained: TrainedAnomaly) -> Mapping[str, Any]:
        """How many models."""
        return {"n_classes": len(trained.file.models)}

    def more_metrics(self, evaluation: AnomalyEvaluation) -> Mapping[str, Any]:
        """Metrics of each class, and of each kind of anomaly, where there are several."""
        parts = {"classes": evaluation.kinds, "conditions": evaluation.conditions, "domains": evaluation.domains}
        return {name: found for name, found in parts.items() if found}


TASK = Anomaly()
