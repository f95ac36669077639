"""Verification as the engine runs it: claims against a background model, normalised and calibrated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

from speechgmm.config import Config
from speechgmm.corpus import Corpus, Fold, make_split
from speechgmm.engine.comparison import Compared, compared_trials
from speechgmm.engine.frames import Features
from speechgmm.engine.hints import hints_of_interval
from speechgmm.engine.job import Job
from speechgmm.engine.label_audit import LabelAudit, audit_labels
from speechgmm.engine.run_folder import RunFolder
from speechgmm.engine.task import Inputs, Settled
from speechgmm.errors import ConfigError
from speechgmm.evaluation import eer, rank_trials
from speechgmm.gmm import DiagGMM
from speechgmm.io.run_files import RunFile
from speechgmm.report.label_audit import doubtful_labels_of
from speechgmm.report.settings import mixtures_of, settings_of
from speechgmm.tasks.classification.codec import UNKNOWN, serialise
from speechgmm.tasks.classification.spec import DecisionSpec, ScoringSpec
from speechgmm.tasks.classification.task import MixtureTask
from speechgmm.tasks.classification.training import Others, Trained
from speechgmm.tasks.verification.calibration import by_folds, calibrate, calibrated_metrics
from speechgmm.tasks.verification.codec import ClaimFile
from speechgmm.tasks.verification.cohort import CohortTraining
from speechgmm.tasks.verification.cohort_check import can_normalise, check_cohort
from speechgmm.tasks.verification.evaluation import TrialEvaluation, evaluate_trials, hints_of_models
from speechgmm.tasks.verification.score_map_training import FEWEST_SPEAKERS
from speechgmm.tasks.verification.score_maps import Calibration
from speechgmm.tasks.verification.spec import CalibrationSpec
from speechgmm.tasks.verification.trial_choice import about_sessions, check_sessions
from speechgmm.tasks.verification.trials import ScoredTrials, score_trials, trials_table


@dataclass(frozen=True, slots=True)
class Calibrated(Trained):
    """Models with the map from their scores to likelihood ratios."""

    calibration: Calibration | None = None


class Verification(MixtureTask):
    """Whether a recording is by the speaker who is claimed."""

    name: ClassVar[str] = "verification"
    answers_for_unvoiced: ClassVar[bool] = True  # a score of 0: neither for the claim nor against it
    others: ClassVar[Others] = CohortTraining()

    def first_settings(self, corpus: Corpus, group: str | None = None) -> Mapping[str, Any]:
        """S-norm by the speakers of the split ubm; no calibration of so few that its folds cannot keep them apart."""
        settings: dict[str, Any] = {}
        if can_normalise(corpus, group):
            settings["scoring"] = {"normalise": "s", "cohort": "ubm"}
        speakers = {one.label(corpus.label) for one in corpus.split("train") or corpus.utterances}
        if len(speakers) < FEWEST_SPEAKERS:
            settings["calibration"] = {"method": "none"}
        return settings

    def split(self, corpus: Corpus, config: Config) -> tuple[Corpus, tuple[Fold, ...]]:
        """Unknown speakers may be tested: they are impostors.

        Raises:
            ConfigError: A class has the name of what is like no class.
            DataError: The cohort cannot be normalised by; an utterance without a session, where sessions are asked for.
        """
        spec = config.corpus
        corpus, folds = make_split(corpus, spec.split, group=spec.group, seed=config.seed, strangers=True)
        check_cohort(corpus, config.section(ScoringSpec), spec.group)
        if spec.session is not None:
            check_sessions(corpus, spec.session)
        if config.section(CalibrationSpec).method != "none":
            _check_unknown(corpus)
        return corpus, folds

    def check_sweep(self, configs: Sequence[Config]) -> None:
        """Points are chosen by the EER of their scores, which no calibration changes."""
        if len({(config.section(CalibrationSpec), config.section(DecisionSpec)) for config in configs}) > 1:
            raise ConfigError(
                "calibration and decision cannot be swept: points are chosen by the EER of their scores, which "
                "neither changes; set them for all points alike"
            )
        if configs[0].section(CalibrationSpec).by == "dev":
            raise ConfigError(
                "calibration.by: dev in a sweep, which chooses by the split dev; set calibration.by: folds"
            )

    def test(self, job: Job, parts: Mapping[str, tuple[Inputs, Trained]]) -> dict[str, ScoredTrials]:
        """Every trial scored by the models of its test's part."""
        return score_trials(job, {name: (features, trained.models) for name, ((features,), trained) in parts.items()})

    def pooled(self, tested: Mapping[str, ScoredTrials]) -> ScoredTrials:
        """The trials of all folds as one table."""
        return ScoredTrials.pooled(list(tested.values()))

    def unusable(self, job: Job, features: Features) -> Sequence[tuple[str, str]]:
        """None beside those of every task; says who has several sessions, and which labels may be wrong."""
        if session := job.experiment.config.corpus.session:
            job.console.say(about_sessions(features.corpus, session))
        self._audit(job, features)
        return ()

    def audit(self, job: Job, inputs: Inputs, trained: Trained) -> Mapping[str, str]:
        """Labels whose recordings are of different speakers, or are one voice."""
        (features,) = inputs
        return {RunFile.AUDIT: self._audit(job, features, trained.models.ubm).table()}

    def _audit(self, job: Job, features: Features, ubm: DiagGMM | None = None) -> LabelAudit:
        found = audit_labels(job, features, ubm)
        for note in found.notes:
            job.console.say(f"audit of labels: {note}")
        if message := found.message(features.corpus.label):
            job.console.warn(message)
        return found

    def sections(self, run: RunFolder, n_audio: int) -> Sequence[Any]:
        """Labels that may be wrong."""
        return (doubtful_labels_of(run),)

    def settles(self, job: Job) -> bool:
        """A calibration is learnt from trials."""
        return job.experiment.config.section(CalibrationSpec).method != "none"

    def settle(
        self, job: Job, inputs: Inputs, whole: Trained, folds: Mapping[str, Trained], tested: Mapping[str, ScoredTrials]
    ) -> Settled[Trained, ScoredTrials]:
        """The map from scores to likelihood ratios, and the trials with their ratios."""
        (features,) = inputs
        scored, calibration = calibrate(job, self.pooled(tested), features, whole.models)
        known = {field.name: getattr(whole, field.name) for field in fields(whole)}
        return Settled(Calibrated(**known, calibration=calibration), folds, scored)

    def of_several_models(self, job: Job, tested: ScoredTrials) -> ScoredTrials:
        """The trials with likelihood ratios by folds, since their models have different calibrations."""
        if not self.settles(job):
            return tested
        config = job.experiment.config
        spec = config.section(CalibrationSpec)
        return replace(tested, llrs=by_folds(tested, spec, config.seed)[0], llrs_rank=spec.takes_more)

    def settings(self, run: RunFolder) -> Sequence[tuple[str, str]]:
        """The mixtures, and how claims are scored, calibrated and decided."""
        return [
            *mixtures_of(run),
            ("Scores", settings_of(run, "scoring", ("method", "normalise"))),
            ("Calibration", settings_of(run, "calibration", ("method",))),
            ("Decision", settings_of(run, "decision", ("prior", "cost_miss", "cost_false_alarm"))),
        ]

    def resampled_by(self, corpus: Mapping[str, Any]) -> str | None:
        """Claims are of somebody: where no group says of whom, they are resampled by the class."""
        label, group = corpus.get("label"), corpus.get("group")
        return f"{group}; by {label} where one has several" if group and group != label else label

    def next_command(self, model: str, trained: Trained) -> str:
        """Verify."""
        from speechgmm.tasks.verification.command import example

        return f"judge a claim: {example(model)}"

    def pack(self, job: Job, trained: Trained) -> bytes:
        """The models of all speakers, how they were trained, and their calibration."""
        calibration = trained.calibration if isinstance(trained, Calibrated) else None
        return serialise(ClaimFile(trained.models, trained.audio, job.corpus.label, trained.recipe, calibration))

    def evaluate(self, job: Job, tested: ScoredTrials) -> TrialEvaluation:
        """EER, minDCF and Cllr with intervals."""
        config = job.experiment.config
        evaluation = evaluate_trials(tested, config.section(DecisionSpec), seed=config.seed)
        calibrated = calibrated_metrics(tested, config.section(DecisionSpec), seed=config.seed)
        return replace(evaluation, metrics={**evaluation.metrics, **calibrated})

    def more_metrics(self, evaluation: TrialEvaluation) -> Mapping[str, Any]:
        """Metrics of the scores before calibration, and of tests of the sessions that enrolled and of others."""
        more = {"before_calibration": evaluation.before_calibration, "sessions": evaluation.sessions}
        return {name: found for name, found in more.items() if found}

    def hints(
        self, job: Job, systems: Mapping[str, tuple[Inputs, Trained]], tested: ScoredTrials, evaluation: TrialEvaluation
    ) -> Sequence[str]:
        """Models that have many of the errors at the EER's threshold, and wide intervals."""
        corpus = job.experiment.config.corpus
        wide = hints_of_interval(evaluation.metrics, corpus.group or corpus.label, folds=bool(job.folds))
        return [*hints_of_models(tested), *wide]

    def criterion(self, config: Config, tested: ScoredTrials) -> float:
        """Minus the EER of the claims, as ``evaluate`` has it."""
        return -eer(rank_trials(tested.ranking, tested.is_target))

    def criterion_name(self, config: Config) -> str:
        """The equal error rate."""
        return "eer"

    def without_trial_table(self, job: Job) -> Job:
        """Inside the training part every model meets every recording."""
        config = replace(job.experiment.config, trials=None)
        return replace(job, experiment=replace(job.experiment, config=config))

    def compared(self, run: RunFolder) -> Compared:
        """Trials, by their EER."""
        return compared_trials(run, ("model", "test"))

    def tables(self, job: Job, tested: ScoredTrials, evaluation: TrialEvaluation | None) -> Mapping[str, str]:
        """The trials with their scores."""
        return {RunFile.SCORES: trials_table(tested)}


def _check_unknown(corpus: Corpus) -> None:
    """Refuse a class with the name of what is like no class."""
    if any(utterance.label(corpus.label) == UNKNOWN for utterance in corpus.split("train")):
        raise ConfigError(
            f"a class of {corpus.label!r} is named {UNKNOWN!r}, which is what a calibrated model says of a recording "
            "like none of its classes; give it another name, or leave it out of training: unknown speakers need "
            "no model"
        )


TASK = Verification()
