"""Recognition of words or phones, as the engine runs it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, ClassVar

import numpy as np

from speechgmm.config import Config
from speechgmm.corpus import Corpus, Fold, make_split
from speechgmm.engine.comparison import Compared
from speechgmm.engine.frames import Features
from speechgmm.engine.hints import hints_of_confusions
from speechgmm.engine.job import Job
from speechgmm.engine.labelled_recordings import are_segments
from speechgmm.engine.run_folder import RunFolder
from speechgmm.engine.task import Inputs, Task, sizes_of
from speechgmm.engine.transforms import with_transform
from speechgmm.evaluation import EditCounts, count_edits, edit_rate, label_pairs
from speechgmm.evaluation.resampling import Statistic
from speechgmm.features.silence import Silence
from speechgmm.hmm.recognition_spec import RecognitionSpec
from speechgmm.hmm.spec import HMMSpec
from speechgmm.io.run_files import RunFile
from speechgmm.report.settings import settings_of
from speechgmm.tasks.recognition.alignment_report import alignment_section
from speechgmm.tasks.recognition.codec import RecogniserFile, serialise_recogniser
from speechgmm.tasks.recognition.decoding import Recognised
from speechgmm.tasks.recognition.dictionaries import spelling_of
from speechgmm.tasks.recognition.evaluation import (
    RecognitionEvaluation,
    evaluate_recognition,
    hypotheses_lines,
    hypotheses_table,
    pairs_table,
)
from speechgmm.tasks.recognition.languages import misfits
from speechgmm.tasks.recognition.recognised_tests import recognise_test
from speechgmm.tasks.recognition.report import recognition
from speechgmm.tasks.recognition.training import TrainedRecogniser, train_recognisers
from speechgmm.tasks.recognition.transcript_checks import warn_of_labels
from speechgmm.tasks.recognition.transcripts import are_isolated, transcripts, words_of
from speechgmm.tasks.recognition.unit_tables import tied_states_table, units_table


class Recognition(Task[TrainedRecogniser, Recognised, RecognitionEvaluation]):
    """Which words or phones a recording has, one after another."""

    name: ClassVar[str] = "recognition"
    learns_transform: ClassVar[bool] = True  # its classes are states
    no_enrolment: ClassVar[str | None] = (
        "words and phones are trained together, from transcripts; train again with the new recordings"
    )

    def split(self, corpus: Corpus, config: Config) -> tuple[Corpus, tuple[Fold, ...]]:
        """Labels are transcripts: recordings are divided without regard to them.

        With isolated words each word is a class, whose recordings are divided evenly. A word without training
        recordings is refused, unless ``corpus.on_error: skip`` asks for the test of such words.
        """
        spec = config.corpus
        classes = are_isolated(config) and spec.split.kind != "column" and spec.on_error == "stop"
        return make_split(corpus, spec.split, group=spec.group, seed=config.seed, classes=classes)

    def silence(self, corpus: Corpus) -> Silence:
        """Kept: words are found frame after frame."""
        return Silence.KEPT

    def has_classes(self, job: Job) -> bool:
        """Labels are transcripts, unless each is one unit of a segment."""
        return are_segments(job)

    def trains_each_class(self, config: Config) -> bool:
        """No: a transcript may occur once."""
        return False

    def classes_of(self, config: Config, label: str) -> tuple[str, ...]:
        """The words of a transcript, each once."""
        return tuple(dict.fromkeys(words_of(label, isolated=are_isolated(config))))

    def about(self, job: Job) -> str:
        """How many words or phones."""
        labels = {utterance.label(job.corpus.label) for utterance in job.corpus.split("train")}
        isolated, spelling = are_isolated(job.experiment.config), spelling_of(job)
        words = {word for label in labels for word in words_of(label, isolated=isolated, spelling=spelling)}
        return sizes_of(job, f"{len(words)} words or phones")

    def train(self, job: Job, sets: Sequence[Inputs]) -> list[TrainedRecogniser]:
        """A recogniser of every training set."""
        return train_recognisers(job, [features for (features,) in sets])

    def test(self, job: Job, parts: Mapping[str, tuple[Inputs, TrainedRecogniser]]) -> dict[str, Recognised]:
        """The hypotheses of the test recordings of each part."""
        systems = {
            name: (with_transform(features, trained.audio.transform), trained.recogniser)
            for name, ((features,), trained) in parts.items()
        }
        return recognise_test(job, systems).by_fold(list(parts))

    def pooled(self, tested: Mapping[str, Recognised]) -> Recognised:
        """All folds as one test."""
        return Recognised.pooled(list(tested.values()))

    def evaluate(self, job: Job, tested: Recognised) -> RecognitionEvaluation | None:
        """Error rates of words or phones."""
        if not tested.references:
            job.console.warn("the split 'test' is empty: models were trained, but there are no results")
            return None
        config = job.experiment.config
        return evaluate_recognition(tested, config.section(RecognitionSpec), seed=config.seed)

    def hints(
        self,
        job: Job,
        systems: Mapping[str, tuple[Inputs, TrainedRecogniser]],
        tested: Recognised,
        evaluation: RecognitionEvaluation,
    ) -> Sequence[str]:
        """Labels that are confused, words that are deleted or inserted, and wide intervals."""
        pairs = label_pairs(evaluation.edits)
        substituted = {(said, heard): n for said, heard, n in pairs if said and heard and said != heard}
        found = list(hints_of_confusions(substituted))
        several = not are_isolated(config := job.experiment.config)  # words in a recording
        several = several and config.section(RecognitionSpec).insertion_penalty != "auto"  # which weighs them
        out, added = (evaluation.metrics[name].value for name in ("deletions", "insertions"))
        if max(out, added) >= 0.02 and max(out, added) > 3 * min(out, added) and several:
            more, less, how = ("deleted", "inserted", "lower") if out > added else ("inserted", "deleted", "raise")
            found.append(
                f"{100 * max(out, added):.1f} % of the labels are {more} and {100 * min(out, added):.1f} % {less}: "
                f"{how} recognition.insertion_penalty"
            )
        return [*found, *super().hints(job, systems, tested, evaluation)]

    def tuning_points(self, config: Config, trained: TrainedRecogniser) -> Sequence[dict[str, Any]]:
        """Fewer and more Gaussians and states; where words follow each other, what each costs."""
        spec, penalty = config.section(HMMSpec), config.section(RecognitionSpec).insertion_penalty
        shared = spec.total_components
        n_components = "hmm.n_components" if shared is None else "hmm.total_components"
        n_states, key = "hmm.n_states", "recognition.insertion_penalty"
        n_gaussians = spec.n_components if shared is None else shared
        base: dict[str, Any] = {n_components: n_gaussians, n_states: spec.n_states}
        points = [
            base,
            *(base | {n_components: n} for n in (max(1, n_gaussians // 2), 2 * n_gaussians)),
            *(base | {n_states: n} for n in (max(1, spec.n_states // 2), 2 * spec.n_states)),
        ]
        if are_isolated(config) or penalty == "auto":
            return points
        return [*(point | {key: penalty} for point in points), *(base | {key: penalty + n} for n in (-20, 20, 60))]

    def criterion(self, config: Config, tested: Recognised) -> float:
        """Minus the error rate."""
        return -edit_rate(count_edits(tested.edits(config.section(RecognitionSpec))))(np.ones(len(tested.references)))

    def criterion_name(self, config: Config) -> str:
        """The error rate of words or phones."""
        return "error_rate"

    def sections(self, run: RunFolder, n_audio: int) -> Sequence[Any]:
        """The alignment of the corpus; the confusions of units, and the recordings with most errors."""
        return (alignment_section(run, n_audio), recognition(run))

    def settings(self, run: RunFolder) -> Sequence[tuple[str, str]]:
        """The HMMs, and the language."""
        return [
            ("HMMs", settings_of(run, "hmm", ("n_states", "n_components"))),
            ("Recognition", settings_of(run, "recognition", ("language",))),
        ]

    def next_command(self, model: str, trained: TrainedRecogniser) -> str:
        """Recognise."""
        return f"recognise a recording: speechgmm recognise {model} RECORDING"

    def trained_lines(self, trained: TrainedRecogniser) -> Sequence[str]:
        """How many units and states."""
        units = trained.recogniser.units
        if units.tied is not None:
            return (
                f"HMMs of {len(units.labels)} units, {len(units.emissions)} tied states; each is in tied_states.tsv",
            )
        return (f"HMMs of {len(units.labels)} units, {units.n_states} states; each is in units.tsv",)

    def unusable(self, job: Job, features: Features) -> Sequence[tuple[str, str]]:
        """Recordings too short for what their transcript says; test references that cannot be recognised."""
        warn_of_labels(job, transcripts(job, features, "train"))
        return misfits(job, features)

    def pack(self, job: Job, trained: TrainedRecogniser) -> bytes:
        """The recogniser and how recordings become frames."""
        return serialise_recogniser(RecogniserFile(trained.recogniser, trained.audio, job.corpus.label))

    def model_tables(self, job: Job, trained: TrainedRecogniser) -> Mapping[str, str]:
        """The states of every unit; where states are tied, the contexts of each."""
        units = trained.recogniser.units
        tied = tied_states_table(units)
        tables: dict[str, str] = {RunFile.UNITS: units_table(units)}
        return tables if tied is None else tables | {RunFile.TIED_STATES: tied}

    def tables(self, job: Job, tested: Recognised, evaluation: RecognitionEvaluation | None) -> Mapping[str, str]:
        """References beside hypotheses, and what is confused with what."""
        if evaluation is None:
            return {}
        return {
            RunFile.HYPOTHESES: hypotheses_table(tested, evaluation),
            RunFile.TIMED_HYPOTHESES: hypotheses_lines(tested, job.audio),
            RunFile.PAIRS: pairs_table(evaluation),
        }

    def compared(self, run: RunFolder) -> Compared:
        """Recordings by their errors: whole ones, also where protocol.tsv has segments of them."""
        counts = ("hits", "substitutions", "deletions", "insertions")
        items = run.columns(RunFile.HYPOTHESES, ("id",), ("reference", *counts))
        grouped = "group" in run.heading(RunFile.HYPOTHESES)
        groups = run.columns(RunFile.HYPOTHESES, ("id",), ("group",)) if grouped else {}
        tests = {name: group for (name,), (group,) in groups.items()}
        return Compared("error_rate", items, _error_rate, tests)

    def facts(self, trained: TrainedRecogniser) -> Mapping[str, Any]:
        """How many units, and the insertion penalty where it was chosen."""
        penalty = {} if trained.penalty is None else {"insertion_penalty": asdict(trained.penalty)}
        return {"n_units": len(trained.recogniser.units.labels), **penalty}


def _error_rate(items: Sequence[tuple[str, ...]]) -> Statistic:
    """The error rate of items (reference, hits, substitutions, deletions, insertions)."""
    hits, *errors = np.array([[int(count) for count in counts] for _, *counts in items]).T
    return edit_rate(EditCounts(hits, *errors))


TASK = Recognition()
