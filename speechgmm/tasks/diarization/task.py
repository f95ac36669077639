"""Diarization as the engine runs it: a diarizer from training speakers, tested on those it never heard."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from speechgmm.config import Config
from speechgmm.corpus import Corpus, Fold, make_split
from speechgmm.engine.comparison import Compared
from speechgmm.engine.frames import Features
from speechgmm.engine.job import Job
from speechgmm.engine.run_folder import RunFolder
from speechgmm.engine.task import Inputs, Task, sizes_of
from speechgmm.errors import DataError, first_few
from speechgmm.evaluation.diarization import Turn, pooled_der
from speechgmm.evaluation.resampling import Statistic, ratio
from speechgmm.io.label_files.uem import regions_of
from speechgmm.io.rttm import read_rttm
from speechgmm.io.run_files import RunFile
from speechgmm.report.settings import settings_of
from speechgmm.tasks.diarization.codec import DiarizerFile, serialise_diarizer
from speechgmm.tasks.diarization.command import NEXT_COMMAND
from speechgmm.tasks.diarization.conversation_plans import LEAST
from speechgmm.tasks.diarization.description import about_training
from speechgmm.tasks.diarization.evaluation import (
    PARTS,
    DiarizationEvaluation,
    DiarizedItem,
    conversation_items,
    diarize_items,
    evaluate_diarization,
    recordings_table,
    turns_table,
)
from speechgmm.tasks.diarization.hints import hints_of_diarization
from speechgmm.tasks.diarization.report import turns
from speechgmm.tasks.diarization.run_training import train_in_run
from speechgmm.tasks.diarization.spec import DiarizerSpec


@dataclass(frozen=True, slots=True)
class DiarizedTest:
    """The test recordings with their turns, fold after fold."""

    items: tuple[DiarizedItem, ...]


class Diarization(Task[DiarizerFile, DiarizedTest, DiarizationEvaluation]):
    """Who speaks when, among speakers that nobody has named."""

    name: ClassVar[str] = "diarization"
    no_enrolment: ClassVar[str | None] = (
        "speakers have no names that a recording could be added to; train again with more speakers"
    )

    def split(self, corpus: Corpus, config: Config) -> tuple[Corpus, tuple[Fold, ...]]:
        """No speaker is on two sides.

        Raises:
            DataError: One is, though no group is.
        """
        spec = config.corpus
        divided, folds = make_split(corpus, spec.split, group=spec.group, seed=config.seed, classes=False)
        for where, one in ((None, divided), *((fold.name, fold.apply(divided)) for fold in folds)):
            _refuse_shared_speakers(one, "" if where is None else f"fold {where}: ")
        return divided, folds

    def trains_each_class(self, config: Config) -> bool:
        """No: whoever is tested was never heard."""
        return False

    def about(self, job: Job) -> str:
        """How many speakers."""
        speakers = {utterance.label(job.corpus.label) for utterance in job.corpus.split("train")}
        return sizes_of(job, f"diarization, {len(speakers)} training speakers")

    def extract(self, job: Job) -> Inputs:
        """The features of all recordings.

        Raises:
            DataError: A test recording that is not in the references, or a part of one.
        """
        references, seen = _references(job), set[str]()
        for utterance in job.corpus.split("test") if references else ():
            where = utterance.source or utterance.id
            if utterance.path.stem in seen:
                raise DataError(
                    f"{where}: several test recordings are called {utterance.path.stem!r}, and an RTTM names them "
                    "without folders and endings: rename them"
                )
            seen.add(utterance.path.stem)
            if utterance.path.stem not in references:
                raise DataError(
                    f"{where}: diarization.references has no turn of {utterance.path.stem!r}; it has "
                    f"{first_few(sorted(references), 5)}: expected is the file's name without its ending"
                )
            if utterance.start is not None or utterance.end is not None:
                raise DataError(f"{where}: a part of a recording; turns are compared in whole recordings, one row each")
        _regions(job, dict.fromkeys(seen))
        inputs = super().extract(job)
        (features,) = inputs
        lengths = zip(features.corpus, features.durations, strict=True)
        _regions(job, {one.path.stem: seconds for one, seconds in lengths if one.path.stem in seen})
        return inputs

    def train(self, job: Job, sets: Sequence[Inputs]) -> list[DiarizerFile]:
        """The diarizer of every training set."""
        with job.console.stage("train"):
            return [train_in_run(job, features) for (features,) in sets]

    def test(self, job: Job, parts: Mapping[str, tuple[Inputs, DiarizerFile]]) -> dict[str, DiarizedTest]:
        """The turns of each part's test recordings."""
        references, collar = _references(job), job.experiment.config.section(DiarizerSpec).collar
        tested = {}
        with job.console.stage("score"):
            for name, ((features,), file) in parts.items():
                items = conversation_items(job, name, features, references)
                regions = _regions(job, {item.name: None for item in items})
                items = [replace(item, regions=regions.get(item.name)) for item in items]
                tested[name] = DiarizedTest(diarize_items(job, name, items, file, collar))
        return tested

    def pooled(self, tested: Mapping[str, DiarizedTest]) -> DiarizedTest:
        """The recordings of all folds."""
        return DiarizedTest(tuple(item for one in tested.values() for item in one.items))

    def evaluate(self, job: Job, tested: DiarizedTest) -> DiarizationEvaluation | None:
        """DER with its parts, JER and the number of speakers."""
        if not tested.items:
            job.console.warn("the split 'test' is empty: the diarizer was trained and not tested")
            return None
        return evaluate_diarization(tested.items, seed=job.experiment.config.seed)

    def hints(
        self,
        job: Job,
        systems: Mapping[str, tuple[Inputs, DiarizerFile]],
        tested: DiarizedTest,
        evaluation: DiarizationEvaluation,
    ) -> Sequence[str]:
        """What the error is made of, wrong numbers of speakers, a test unlike the training, and wide intervals."""
        learnt = float(np.mean([trained.learnt.der for _, trained in systems.values()]))
        found = hints_of_diarization(tested.items, evaluation, learnt)
        return [*found, *super().hints(job, systems, tested, evaluation)]

    def tuning_points(self, config: Config, trained: DiarizerFile) -> Sequence[dict[str, Any]]:
        """The size of the background model, the directions that are kept, and what overlapping windows count."""
        spec = config.section(DiarizerSpec)
        size, dims, independence = (
            f"diarization.{name}" for name in ("n_components", "search.n_dims", "search.independence")
        )
        if spec.method == "vbx":
            fa, fb = "diarization.vbx.fa", "diarization.vbx.fb"
            vbx = {fa: spec.vbx.fa, fb: spec.vbx.fb}
            return [
                vbx,
                *(vbx | {fa: factor * spec.vbx.fa} for factor in (0.5, 2)),
                *(vbx | {fb: factor * spec.vbx.fb} for factor in (0.5, 2)),
            ]
        base = {size: spec.n_components, dims: spec.search.n_dims, independence: spec.search.independence}
        return [
            base,
            *(base | {size: max(2, round(factor * spec.n_components))} for factor in (0.5, 2)),
            *(base | {dims: max(1, round(factor * spec.search.n_dims))} for factor in (0.5, 2)),
            *(base | {independence: factor * spec.search.independence} for factor in (0.5, 2)),
        ]

    def criterion(self, config: Config, tested: DiarizedTest) -> float:
        """Minus the diarization error rate."""
        return -pooled_der([one.errors for one in tested.items])(np.ones(len(tested.items)))

    def criterion_name(self, config: Config) -> str:
        """The diarization error rate."""
        return "der"

    def pack(self, job: Job, trained: DiarizerFile) -> bytes:
        """The diarizer, as ``speechgmm diarize`` takes it."""
        return serialise_diarizer(trained)

    def tables(self, job: Job, tested: DiarizedTest, evaluation: DiarizationEvaluation | None) -> Mapping[str, str]:
        """Errors of every recording, and the turns of both sides."""
        if evaluation is None:
            return {}
        return {
            RunFile.RECORDINGS: recordings_table(tested.items),
            RunFile.REFERENCES: turns_table(tested.items, "reference"),
            RunFile.TURNS: turns_table(tested.items, "hypothesis"),
        }

    def compared(self, run: RunFolder) -> Compared:
        """Recordings, by their errors; two runs make the same conversations of the same split and seed."""
        items = run.columns(RunFile.RECORDINGS, ("id",), ("speech", *PARTS))
        return Compared("der", items, _error_rate, {})

    def facts(self, trained: DiarizerFile) -> Mapping[str, Any]:
        """What the diarizer was learnt from; ``training_der`` is that of the conversations it was learnt from."""
        return {
            "n_background": trained.learnt.n_background,
            "n_conversations": trained.learnt.n_conversations,
            "training_der": trained.learnt.der,
            "threshold": trained.diarizer.threshold,
        }

    def next_command(self, model: str, trained: DiarizerFile) -> str:
        """Diarize."""
        return f"{NEXT_COMMAND} {model}"

    def trained_lines(self, trained: DiarizerFile) -> Sequence[str]:
        """What the diarizer was learnt from."""
        return (about_training(trained),)

    def unusable(self, job: Job, features: Features) -> Sequence[tuple[str, str]]:
        """Nothing more; speakers with little speech are warned of."""
        lengths: dict[str, float] = {}
        for utterance, duration in zip(features.corpus, features.durations, strict=True):
            name = utterance.label(features.corpus.label)
            lengths[name] = lengths.get(name, 0.0) + duration
        short = sorted(name for name, length in lengths.items() if length < LEAST)
        if short:
            job.console.warn(
                f"{len(short)} of {len(lengths)} speakers have less than {LEAST:g} s and talk in no conversation: "
                f"{first_few(short, 10)}"
            )
        return ()

    def sections(self, run: RunFolder, n_audio: int) -> Sequence[Any]:
        """Recordings and their turns."""
        return (turns(run),)

    def settings(self, run: RunFolder) -> Sequence[tuple[str, str]]:
        """The diarizer."""
        return [("Diarizer", settings_of(run, "diarization", ("n_components", "conversations")))]

    def resampled_by(self, corpus: Mapping[str, Any]) -> str | None:
        """Recordings: made conversations share no speaker."""
        return None


def _references(job: Job) -> dict[str, list[Turn]]:
    """The turns that are known; none where conversations are made."""
    name = job.experiment.config.section(DiarizerSpec).references
    return {} if name is None else read_rttm(job.experiment.beside(name))


def _regions(job: Job, lengths: Mapping[str, float | None]) -> dict[str, tuple[tuple[float, float], ...]]:
    """Recording -> the stretches of it that count; empty where all do. Raises as `regions_of`.

    ``lengths``: recording -> s; None: not known yet.
    """
    name = job.experiment.config.section(DiarizerSpec).uem
    path = None if name is None else job.experiment.beside(name)
    return {} if path is None else {name: regions_of(path, name, duration=s) for name, s in lengths.items()}


def _refuse_shared_speakers(corpus: Corpus, where: str) -> None:
    tested = {utterance.label(corpus.label) for utterance in corpus.split("test")}
    shared = sorted(tested & {utterance.label(corpus.label) for utterance in corpus.split("train")})
    if shared:
        raise DataError(
            f"{where}{len(shared)} speakers ({corpus.label}) are trained on and tested: "
            f"{first_few(shared, 10)}; set corpus.group to {corpus.label}, or mend the split"
        )


def _error_rate(items: Sequence[tuple[str, ...]]) -> Statistic:
    """The DER of recordings (speech, and the parts of what is wrong, in s)."""
    speech, *wrong = np.array(items, np.float64).T
    return ratio(np.sum(wrong, axis=0), speech)


TASK = Diarization()
