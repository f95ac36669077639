"""Diarizing the test recordings of a run, error rates with intervals, and the tables of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from speechgmm.corpus import Utterance
from speechgmm.engine.frames import Features
from speechgmm.engine.job import Job
from speechgmm.errors import DataError, first_few
from speechgmm.evaluation import Metric, rate_interval
from speechgmm.evaluation.diarization import DiarizationErrors, Turn, der_interval, diarization_errors, pooled_der
from speechgmm.evaluation.metric import Metrics
from speechgmm.evaluation.resampling import OfSums, ratio
from speechgmm.io.audio import Pieces
from speechgmm.io.rttm import rttm
from speechgmm.io.tables import table
from speechgmm.tasks.diarization.codec import DiarizerFile
from speechgmm.tasks.diarization.conversation_plans import LEAST, ConversationPlan, separate_plans, stretches_of
from speechgmm.tasks.diarization.recordings import heard, turns_in
from speechgmm.tasks.diarization.run_training import statistics_in

PARTS: Final = ("miss", "false_alarm", "confusion")
"""What a DER is made of, in seconds."""


@dataclass(frozen=True, slots=True)
class ConversationItem:
    """A recording to be diarized: made of others, or one whose turns are known."""

    name: str
    plan: ConversationPlan | None = None
    path: Path | None = None
    reference: tuple[Turn, ...] = ()  # of a recording
    regions: tuple[tuple[float, float], ...] | None = None  # s, that count; None: all


@dataclass(frozen=True, slots=True)
class DiarizedItem:
    """A test recording with its turns."""

    name: str
    fold: str
    reference: tuple[Turn, ...]
    hypothesis: tuple[Turn, ...]
    errors: DiarizationErrors

    @property
    def n_found(self) -> int:
        """Speakers of the hypothesis."""
        return len({turn.speaker for turn in self.hypothesis})

    @property
    def n_speakers(self) -> int:
        """Speakers of the reference."""
        return len({turn.speaker for turn in self.reference})


@dataclass(frozen=True, slots=True)
class DiarizationEvaluation:
    """Metrics of a diarization run."""

    metrics: Metrics
    folds: Mapping[str, Metrics]
    n_speakers: int  # of the references, recording by recording


def conversation_items(
    job: Job, fold: str, features: Features, references: Mapping[str, Sequence[Turn]]
) -> list[ConversationItem]:
    """The recordings to test on: those of the split ``test`` that have a reference, else conversations made of them.

    Raises:
        DataError: Some recordings have a reference and others do not; fewer than two speakers to make a conversation.
    """
    tests = features.of_split("test")
    durations = dict(zip((one.id for one in features.corpus), features.durations, strict=True))
    known = [utterance for utterance, _ in tests if utterance.path.stem in references]
    if known:
        if len(known) < len(tests):
            without = next(utterance for utterance, _ in tests if utterance.path.stem not in references)
            raise DataError(
                f"{without.source or without.id}: diarization.references has no turn of {without.path.stem!r}, and of "
                f"{len(known)} other test recordings it has; give all of them a reference, or take those out"
            )
        return [
            ConversationItem(one.path.stem, path=one.path, reference=tuple(references[one.path.stem])) for one in known
        ]
    by_speaker: dict[str, list[Utterance]] = {}
    for utterance, _ in tests:
        by_speaker.setdefault(utterance.label(features.corpus.label), []).append(utterance)
    lengths = {name: sum(durations[one.id] for one in own) for name, own in by_speaker.items()}
    talkers = {name: stretches_of(by_speaker[name]) for name in sorted(by_speaker) if lengths[name] >= LEAST}
    if len(talkers) < len(by_speaker):
        short = sorted(by_speaker.keys() - talkers.keys())
        job.console.warn(
            f"{len(short)} of {len(by_speaker)} test speakers have less than {LEAST:g} s and talk in no conversation: "
            f"{first_few(short, 10)}"
        )
    if tests and len(talkers) < 2:
        raise DataError(
            f"{f'fold {fold}: ' if fold else ''}{len(talkers)} test speaker with {LEAST:g} s of recordings; a "
            "conversation is made of two or more: test more speakers, or give recordings with diarization.references"
        )
    plans = separate_plans(talkers, statistics=statistics_in(job), seed=job.experiment.config.seed)
    prefix = f"{_spelt(fold)}-" if fold else ""
    return [ConversationItem(f"{prefix}conversation-{number}", plan) for number, plan in enumerate(plans, 1)]


def diarize_items(
    job: Job, fold: str, items: Sequence[ConversationItem], file: DiarizerFile, collar: float
) -> tuple[DiarizedItem, ...]:
    """Turns and errors of each recording, in order. Raises DataError where nobody speaks in one."""
    done = job.map(partial(_diarized, file, fold, collar), items)
    return tuple(job.console.track(done, len(items), "diarizing"))


def _diarized(file: DiarizerFile, fold: str, collar: float, item: ConversationItem) -> DiarizedItem:
    audio = file.audio
    try:
        if item.plan is not None:
            made = item.plan.make(audio)
            reference, samples = made.turns, made.samples
            frames, speech = heard(audio, samples)
        else:
            assert item.path is not None
            reference = item.reference
            recording = Pieces(item.path, sample_rate=audio.sample_rate, resample=audio.resample, channel=audio.channel)
            frames, speech = heard(audio, recording)
        hypothesis = tuple(turns_in(file.diarizer, audio, frames, speech))
    except DataError as error:
        raise DataError(f"{item.name}: {error}") from None
    errors = diarization_errors(reference, hypothesis, collar=collar, regions=item.regions)
    return DiarizedItem(item.name, fold, tuple(reference), hypothesis, errors)


def evaluate_diarization(found: Sequence[DiarizedItem], *, seed: int) -> DiarizationEvaluation:
    """DER with its parts, JER, and how often the number of speakers is right; intervals over recordings."""
    folds = {
        fold: _metrics([one for one in found if one.fold == fold], None)
        for fold in dict.fromkeys(one.fold for one in found)
        if fold
    }
    return DiarizationEvaluation(_metrics(found, seed), folds, sum(one.n_speakers for one in found))


def _metrics(found: Sequence[DiarizedItem], seed: int | None) -> Metrics:
    errors = [one.errors for one in found]
    speech = [one.speech for one in errors]
    if not sum(speech):
        raise DataError("no speech of a reference counts, so that there is no error rate; is the collar too wide?")
    rates: dict[str, OfSums] = {"der": pooled_der(errors)}
    rates |= {name: ratio([getattr(one, name) for one in errors], speech) for name in PARTS}
    rates["jer"] = ratio([one.jaccard_errors for one in errors], [one.n_speakers for one in errors])
    rates["speakers_right"] = ratio([one.n_found == one.n_speakers for one in found], np.ones(len(found)))
    metrics: dict[str, Metric] = {}
    for name, rate in rates.items():
        metrics[name] = Metric(rate(np.ones(len(found))), len(found), "fraction")
        if seed is not None:  # recordings that are made share no speaker
            alone = np.arange(len(found))
            bounds = der_interval(errors, seed=seed) if name == "der" else rate_interval(rate, alone, seed=seed)
            metrics[name] = metrics[name].within(bounds).by_items("recordings")
    return metrics


def recordings_table(found: Sequence[DiarizedItem]) -> str:
    """``recordings.tsv``: the seconds that are wrong in each test recording, and how many speakers were found."""
    fold = any(one.fold for one in found)
    head = ("id", *(("fold",) if fold else ()), "n_speakers", "n_found", "speech", *PARTS, "der", "jer")
    rows = (
        (
            one.name,
            *((one.fold,) if fold else ()),
            one.n_speakers,
            one.n_found,
            *(f"{getattr(one.errors, name):.6f}" for name in ("speech", *PARTS)),
            f"{one.errors.der:.6f}",
            f"{one.errors.jer:.6f}",
        )
        for one in found
    )
    return table(head, rows)


def turns_table(found: Sequence[DiarizedItem], side: str) -> str:
    """An RTTM of all recordings; ``side``: reference or hypothesis. Spaces in names are spelt %20."""
    lines = []
    for one in found:
        turns = [Turn(turn.start, turn.end, _spelt(turn.speaker)) for turn in getattr(one, side)]
        lines.append(rttm(one.name, turns))
    return "".join(lines)


def _spelt(name: str) -> str:
    """A name without spaces, which separate the columns of an RTTM."""
    return "".join(f"%{ord(letter):02X}" if letter.isspace() or letter == "%" else letter for letter in name)
