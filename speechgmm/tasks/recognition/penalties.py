"""The insertion penalty, chosen on training utterances that a second recogniser was not trained on.

Owns which utterances are held out, which penalties are tried and which is taken. Refuses to look at the test.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.engine.job import Job
from speechgmm.errors import DataError, counted
from speechgmm.evaluation import align_labels
from speechgmm.hmm import Decoder, Lexicon, Recogniser, alignment, viterbi
from speechgmm.hmm.recognition_spec import RecognitionSpec
from speechgmm.parallel import one_blas_thread
from speechgmm.tasks.recognition.decoding import counted_labels
from speechgmm.tasks.recognition.recognised_tests import parcels_of
from speechgmm.tasks.recognition.transcripts import Transcript

SHARE: Final = 5
"""One of so many groups is held out, or one of so many utterances where there is one group."""

MOST: Final = 200
"""Held-out utterances that are recognised: their error rate has a standard error of a percent or two."""

LADDER: Final = (-20.0, -10.0, 0.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0)
"""Penalties that are tried first, in nats; then some around the best."""

BETWEEN: Final = 5
"""Penalties that are tried around the best."""

Counts = NDArray[np.int64]
System = tuple[Recogniser, Sequence[Transcript]]
"""A recogniser, and utterances that it was not trained on."""


@dataclass(frozen=True, slots=True)
class PenaltyChoice:
    """A penalty, and what it was chosen by."""

    penalty: float  # nats
    error_rate: float  # of the held-out utterances, at this penalty
    without: float  # at a penalty of 0
    n_utterances: int
    n_groups: int


def chooses_penalty(spec: RecognitionSpec) -> bool:
    """Whether a penalty is to be chosen; where each recording has one word, all penalties do the same."""
    return spec.insertion_penalty == "auto" and spec.language != "word"


def with_penalty(recogniser: Recogniser, choice: PenaltyChoice | None) -> Recogniser:
    """The recogniser with a penalty that was chosen, if one was."""
    return recogniser if choice is None else replace(recogniser, insertion_penalty=choice.penalty)


def hold_out(said: Sequence[Transcript], lexicon: Lexicon) -> tuple[tuple[Transcript, ...], tuple[Transcript, ...]]:
    """The utterances that a recogniser is trained on to choose the penalty, and those that it is chosen on.

    Whole groups (speakers) are held out, single utterances where there is one group. Every unit stays in training. None
    is held out where that cannot be.
    """
    groups = {one.group for one in said}
    for of_group in (True, False) if len(groups) > 1 else (False,):
        names = [one.group if of_group else one.id for one in said]
        if chosen := _chosen(said, names, lexicon):
            kept = tuple(one for one, name in zip(said, names, strict=True) if name not in chosen)
            tests = [one for one, name in zip(said, names, strict=True) if name in chosen and not one.copy]
            return kept, tuple(tests[n * len(tests) // min(MOST, len(tests))] for n in range(min(MOST, len(tests))))
    return tuple(said), ()  # nothing to choose by


def _chosen(said: Sequence[Transcript], names: Sequence[str], lexicon: Lexicon) -> set[str]:
    """Names of utterances, one of so many, without which every unit is still in some utterance."""
    units = [{unit for word in one.words for way in lexicon[word] for unit in way} for one in said]
    left = Counter(unit for part in units for unit in part)
    by_name: dict[str, Counter[str]] = {}
    for name, part in zip(names, units, strict=True):
        by_name.setdefault(name, Counter()).update(part)
    order = sorted(by_name)
    chosen: set[str] = set()
    for name in (name for first in range(SHARE) for name in order[first::SHARE]):
        if len(chosen) == max(1, len(order) // SHARE):
            break
        if all(left[unit] > count for unit, count in by_name[name].items()):
            left -= by_name[name]
            chosen.add(name)
    return chosen


def choose_penalties(job: Job, systems: Sequence[System]) -> list[PenaltyChoice | None]:
    """The penalty of each recogniser with few errors on its held-out utterances (`best_penalty`); None: there are none.

    First come the penalties of `LADDER`, then some around the best of them. A recogniser that adapts to speakers is
    adapted with the penalty that is best without: the best one moves with adaptation.
    """
    ladder = [LADDER for _ in systems]
    if any(recogniser.adaptation is not None for recogniser, _ in systems):
        plain = [(replace(recogniser, adaptation=None), tests) for recogniser, tests in systems]
        first = [best_penalty(errors) for errors in _errors_at(job, plain, ladder)]
        systems = [
            (replace(recogniser, insertion_penalty=penalty), tests)
            for (recogniser, tests), penalty in zip(systems, first, strict=True)
        ]
    errors = _errors_at(job, systems, ladder)
    finer = _errors_at(job, systems, [_between(one) for one in errors])
    choices = [_choice({**one, **more}, tests) for one, more, (_, tests) in zip(errors, finer, systems, strict=True)]
    if choices:
        _tell(job, choices)
    return choices


def _errors_at(job: Job, systems: Sequence[System], grids: Sequence[Sequence[float]]) -> list[dict[float, int]]:
    """The errors of each system at each of its penalties."""
    spec = job.experiment.config.section(RecognitionSpec)
    tasks, owners = [], []
    for owner, ((recogniser, tests), grid) in enumerate(zip(systems, grids, strict=True)):
        parcels = parcels_of(tests, recogniser)
        tasks += [(recogniser, [tests[n] for n in parcel], grid, spec) for parcel in parcels]
        owners += [owner] * len(parcels)
    counts = [np.zeros(len(grid), np.int64) for grid in grids]
    with job.console.bar("choosing the insertion penalty") as advance:
        for done, (owner, errors) in enumerate(zip(owners, job.map(_errors, tasks), strict=True), 1):
            counts[owner] += errors
            advance(done, len(tasks))
    return [dict(zip(grid, errors.tolist(), strict=True)) for grid, errors in zip(grids, counts, strict=True)]


def _tell(job: Job, choices: Sequence[PenaltyChoice | None]) -> None:
    """Say which penalty was chosen, and by what."""
    first = choices[0]
    if first is None:
        job.console.warn(
            "the insertion penalty is 0: no training utterance can be held out to choose it, because each has a unit "
            "that no other has; set recognition.insertion_penalty, or give more recordings"
        )
        return
    folds = [f"{choice.penalty:g}" if choice else "0" for choice in choices[1:]]
    job.console.say(
        f"insertion penalty: {first.penalty:g} nats, chosen on {counted(first.n_utterances, 'training utterance')} of "
        f"{counted(first.n_groups, 'group')} by a recogniser of the others: error rate {100 * first.error_rate:.1f} % "
        f"({100 * first.without:.1f} % at 0)" + (f"; of the folds: {', '.join(folds)}" if folds else "")
    )


def best_penalty(errors: Mapping[float, int]) -> float:
    """0 where it is as good as the best penalty, else the middle of those that are, see `plateau`.

    >>> best_penalty({0.0: 30, 10.0: 18, 20.0: 11, 30.0: 10, 40.0: 9, 50.0: 13})
    30.0
    >>> best_penalty({-10.0: 9, 0.0: 6, 10.0: 4, 20.0: 8})
    0.0
    """
    low, high = plateau(errors)
    target = 0.0 if low <= 0 <= high else (low + high) / 2
    return min(sorted(errors), key=lambda penalty: abs(penalty - target))


def plateau(errors: Mapping[float, int]) -> tuple[float, float]:
    """The least and the greatest penalty around the best whose errors are within one standard error of the best.

    The standard error of n errors is sqrt(n): smaller differences are noise. Of several best ones, that nearest to 0
    counts.

    >>> plateau({0.0: 30, 10.0: 18, 20.0: 11, 30.0: 10, 40.0: 9, 50.0: 13})
    (20.0, 40.0)
    """
    order = sorted(errors)
    best = min(order, key=lambda penalty: (errors[penalty], abs(penalty)))
    good = [errors[penalty] <= errors[best] + sqrt(errors[best]) for penalty in order]
    first = last = order.index(best)
    while first > 0 and good[first - 1]:
        first -= 1
    while last < len(order) - 1 and good[last + 1]:
        last += 1
    return order[first], order[last]


def _between(errors: Mapping[float, int]) -> list[float]:
    """More penalties, evenly between those below and above the plateau."""
    low, high = plateau(errors)
    below = max((penalty for penalty in errors if penalty < low), default=low)
    above = min((penalty for penalty in errors if penalty > high), default=high)
    steps = np.linspace(below, above, BETWEEN + 2)[1:-1].round(1).tolist()
    return [penalty for penalty in steps if penalty not in errors]


def _choice(errors: Mapping[float, int], tests: Sequence[Transcript]) -> PenaltyChoice | None:
    if not tests:
        return None
    penalty, n_words = best_penalty(errors), sum(len(one.words) for one in tests)
    groups = {one.group for one in tests}
    return PenaltyChoice(penalty, errors[penalty] / n_words, errors[0.0] / n_words, len(tests), len(groups))


@one_blas_thread()
def _errors(task: tuple[Recogniser, Sequence[Transcript], Sequence[float], RecognitionSpec]) -> Counts:
    """(P,) errors of some utterances at each penalty; the emissions of each are computed once."""
    recogniser, tests, penalties, spec = task
    graphs = [replace(recogniser, insertion_penalty=penalty).graph() for penalty in penalties]
    decoder, adapter = Decoder.of(recogniser), recogniser.adapter()
    frames = [one.piece.load() for one in tests]
    if adapter is not None:
        speaker = adapter.transform([(one, decoder.graph) for one in frames])
        frames = [speaker.transform.apply(one) for one in frames]
    found = np.zeros(len(penalties), np.int64)
    for one, values in zip(tests, frames, strict=True):
        emissions = decoder.stack.log_likelihoods(decoder.stack.rows(values))
        said = counted_labels(one.words, spec)
        for n, graph in enumerate(graphs):
            try:
                heard = alignment(graph, viterbi(graph, emissions, beam=recogniser.beam), emissions).labels
            except DataError:  # too short, or no path is left in the beam
                heard = ()
            edits = align_labels(said, counted_labels(heard, spec))
            found[n] += edits.substitutions + edits.deletions + edits.insertions
    return found
