"""Who speaks when: how far a hypothesis is from a reference.

Conventions
    Turns of both sides may overlap; names of speakers mean nothing, so that hypothesised speakers are first mapped to
    those of the reference, one to one, by the most common time (linear assignment). Between two boundaries of either
    side nothing changes; with r speakers of the reference, h of the hypothesis and c of both under the mapping, such a
    stretch adds max(0, r - h) of its duration to the miss, max(0, h - r) to the false alarm and min(r, h) - c to the
    confusion. Turns of one speaker that overlap each other are that speaker speaking once, not twice.
    All time counts, from the first boundary of either side to the last, or within the regions that a UEM file lists;
    speakers are mapped by the time in these. (md-eval without a UEM file ends with the reference, and counts no false
    alarm before or after it.)

    A collar is time around every boundary of the reference that does not count. There are two conventions:

    ``nist`` (default)
        md-eval.pl's, which evaluations and papers use. The collar is removed on *each side* of a boundary: 0.25 removes
        half a second. Speakers are mapped first, by all time; the collar, and overlap where it is left out, are removed
        after that.
    ``pyannote``
        pyannote.metrics' (Bredin 2017). The collar is the *whole width*, half on either side: 0.5 removes half a
        second. It is removed first, with the overlap, and speakers are mapped by the time that remains.

    Without a collar, and with overlap counted, the two are one. Tests compare with both programs.

Metrics
    der     (miss + false alarm + confusion) / speech of the reference, overlapping speech counted for each speaker
            (fraction; above 1 where much is put in)
    jer     1 - Jaccard index of a reference's speaker and its counterpart, averaged over the speakers of the reference;
            one without a counterpart counts 1 (fraction)
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import ConfigError, DataError
from speechgmm.evaluation.intervals import Interval, interval
from speechgmm.evaluation.resampling import OfSums, ratio

Floats = NDArray[np.float64]
Convention = Literal["nist", "pyannote"]


@dataclass(frozen=True, slots=True, order=True)
class Turn:
    """A speaker's speech from ``start`` to ``end``.

    >>> sorted([Turn(2.5, 4.0, "anna"), Turn(0.0, 2.4, "ben")])[0].speaker
    'ben'
    """

    start: float  # s from the beginning of the recording
    end: float  # s, above start
    speaker: str


@dataclass(frozen=True, slots=True)
class DiarizationErrors:
    """Errors in seconds of the hypothesis of one recording, or of several recordings added up."""

    speech: float  # s of the reference, each speaker's own
    miss: float  # s
    false_alarm: float  # s
    confusion: float  # s
    n_speakers: int  # of the reference
    jaccard_errors: float  # summed over them

    @property
    def der(self) -> float:
        """Diarization error rate; NaN where the reference is silent."""
        wrong = self.miss + self.false_alarm + self.confusion
        return wrong / self.speech if self.speech else float("nan")

    @property
    def jer(self) -> float:
        """Jaccard error rate; NaN where the reference is silent."""
        return self.jaccard_errors / self.n_speakers if self.n_speakers else float("nan")

    def __add__(self, other: "DiarizationErrors") -> "DiarizationErrors":
        """Both recordings together."""
        return DiarizationErrors(
            self.speech + other.speech,
            self.miss + other.miss,
            self.false_alarm + other.false_alarm,
            self.confusion + other.confusion,
            self.n_speakers + other.n_speakers,
            self.jaccard_errors + other.jaccard_errors,
        )


def diarization_errors(
    reference: Sequence[Turn],
    hypothesis: Sequence[Turn],
    *,
    collar: float = 0.0,
    skip_overlap: bool = False,
    convention: Convention = "nist",
    regions: Sequence[tuple[float, float]] | None = None,
) -> DiarizationErrors:
    """Compare the turns of one recording; either side may be empty.

    Args:
        reference: Who spoke when.
        hypothesis: Who speaks when according to the diarizer.
        collar: Seconds around each boundary of the reference that do not count: on either side of the boundary
            (``nist``), or both sides together (``pyannote``).
        skip_overlap: Leave out the time in which several speakers of the reference speak at once.
        convention: The meaning of ``collar``. It also says whether speakers are mapped before the collars are removed
            (``nist``) or afterwards (``pyannote``).
        regions: (start, end) in s of the regions that count, as in a UEM file; None: everything.

    Raises:
        ConfigError: A convention that is not known.
        DataError: A turn that ends before it starts or has a time that is no number; a negative collar; a region that
            ends before it starts.

    >>> said = [Turn(0, 4, "ann"), Turn(4, 6, "bob")]
    >>> heard = [Turn(0, 5, "1"), Turn(5, 7, "2")]
    >>> errors = diarization_errors(said, heard)
    >>> errors.miss, errors.false_alarm, errors.confusion, errors.der
    (0.0, 1.0, 1.0, 0.3333333333333333)
    >>> diarization_errors(said, heard, collar=0.25) == diarization_errors(
    ...     said, heard, collar=0.5, convention="pyannote"
    ... )
    True
    """
    if not (np.isfinite(collar) and collar >= 0):
        raise DataError(f"collar {collar:g} s; expected 0 or more")
    if convention not in ("nist", "pyannote"):
        raise ConfigError(f"convention {convention!r}; expected 'nist' or 'pyannote'")
    check_turns(reference)
    check_turns(hypothesis)
    for start, end in regions or ():
        if not start < end:
            raise DataError(f"a region from {start:g} to {end:g} s; expected is a start and a later end")
    side = collar if convention == "nist" else collar / 2
    around = [(time - side, time + side) for turn in reference for time in (turn.start, turn.end)]
    bounds = {time for turn in (*reference, *hypothesis) for time in (turn.start, turn.end)}
    edges = np.array(sorted(bounds.union(*around, *(regions or ()))), np.float64)
    said, heard = _presence(reference, edges), _presence(hypothesis, edges)
    durations = np.diff(edges)
    if regions is not None:
        durations = np.where(_near(np.array(regions).reshape(-1, 2), edges), durations, 0.0)
    everything = durations
    if collar:
        durations = np.where(_near(np.array(around).reshape(-1, 2), edges), 0.0, durations)
    if skip_overlap:
        durations = np.where(said.sum(axis=0) > 1, 0.0, durations)
    common = (said * durations) @ heard.T  # s of each pair of speakers that count
    mapped_by = common if convention == "pyannote" else (said * everything) @ heard.T
    rows, columns = _assigned(mapped_by)
    n_said, n_heard = said.sum(axis=0), heard.sum(axis=0)
    of_said, of_heard = said @ durations, heard @ durations
    right = common[rows, columns]
    either = of_said[rows] + of_heard[columns] - right
    jaccard = right[either > 0] / either[either > 0]  # of those who have a counterpart
    n_speakers = int((of_said > 0).sum())
    return DiarizationErrors(
        speech=float(n_said @ durations),
        miss=float(np.maximum(n_said - n_heard, 0) @ durations),
        false_alarm=float(np.maximum(n_heard - n_said, 0) @ durations),
        confusion=max(0.0, float(np.minimum(n_said, n_heard) @ durations) - float(right.sum())),
        n_speakers=n_speakers,
        jaccard_errors=float(n_speakers - jaccard.sum()),
    )


def speaker_mapping(reference: Sequence[Turn], hypothesis: Sequence[Turn]) -> dict[str, str]:
    """For each speaker of the hypothesis, the speaker of the reference that it is mapped to.

    A speaker of the hypothesis without a counterpart in the reference has no entry.

    >>> speaker_mapping([Turn(0, 4, "ann")], [Turn(0, 1, "1"), Turn(1, 4, "2")])
    {'2': 'ann'}
    """
    edges = np.array(sorted({time for turn in (*reference, *hypothesis) for time in (turn.start, turn.end)}))
    names = [_speakers(side) for side in (reference, hypothesis)]
    common = (_presence(reference, edges) * np.diff(edges)) @ _presence(hypothesis, edges).T
    rows, columns = _assigned(common)
    return {names[1][column]: names[0][row] for row, column in zip(rows, columns, strict=True)}


def pooled_der(errors: Iterable[DiarizationErrors]) -> OfSums:
    """The pooled DER (fraction) of N recordings, as a statistic under weights (N,) of the recordings.

    >>> one, other = (diarization_errors([Turn(0, s, "a")], [Turn(0, 1, "1")]) for s in (1, 3))
    >>> pooled_der([one, other])(np.ones(2))
    0.5
    """
    each = list(errors)
    return ratio([one.miss + one.false_alarm + one.confusion for one in each], [one.speech for one in each])


def der_interval(errors: Iterable[DiarizationErrors], *, seed: int = 0) -> Interval:
    """The interval of `pooled_der` over recordings.

    On the logit scale, and on the log scale where a recording has a DER above 1, or none because its reference is
    silent: then the pooled rate has no upper bound.

    Raises:
        DataError: As `interval`; the reference is silent in all recordings.

    >>> said = [Turn(0, 10, "ann")]
    >>> found = der_interval([diarization_errors(said, [Turn(0, s, "1")]) for s in (8, 9, 60)])
    >>> found.low < 53 / 30 < found.high
    True
    """
    every = list(errors)
    if not any(one.speech for one in every):
        raise DataError("no speech of a reference counts, so that there is no error rate")
    pooled = pooled_der(every)
    recordings, ones = np.arange(len(every)), np.ones(len(every))
    if all(one.der <= 1 for one in every) or not pooled(ones):
        return interval(pooled, recordings, seed=seed)

    def rate(weights: Floats) -> float:
        """NaN where all recordings that are drawn are silent."""
        with np.errstate(divide="ignore", invalid="ignore"):
            value = pooled(weights)
        return value if np.isfinite(value) else float("nan")

    return interval(rate, recordings, seed=seed, scale="log")


def check_turns(turns: Iterable[Turn]) -> None:
    """Refuse turns that cannot be: raises DataError for the first."""
    for turn in turns:
        if not (np.isfinite(turn.start) and np.isfinite(turn.end) and turn.start < turn.end):
            raise DataError(
                f"{turn.speaker!r} speaks from {turn.start:g} to {turn.end:g} s; expected is a start and a later end"
            )


def _speakers(turns: Sequence[Turn]) -> list[str]:
    """Speakers in the order of their turns: of mappings that are equally good, names must not decide."""
    own: dict[str, list[tuple[float, float]]] = {}
    for turn in turns:
        own.setdefault(turn.speaker, []).append((turn.start, turn.end))
    return sorted(own, key=lambda name: sorted(own[name]))


def _presence(turns: Sequence[Turn], edges: Floats) -> Floats:
    """(S, I) 1 where a speaker, in the order of `_speakers`, speaks in the stretch between two edges, else 0."""
    names = _speakers(turns)
    numbers = {name: number for number, name in enumerate(names)}
    steps = np.zeros((len(names), max(1, len(edges))))
    rows = np.array([numbers[turn.speaker] for turn in turns], np.intp)
    for times, step in (([turn.start for turn in turns], 1), ([turn.end for turn in turns], -1)):
        cells = rows * steps.shape[1] + np.searchsorted(edges, times)
        np.add.at(steps.reshape(-1), cells, step)
    return (np.cumsum(steps, axis=1)[:, :-1] > 0).astype(np.float64)


def _near(collars: Floats, edges: Floats) -> NDArray[np.bool_]:
    """(I,) the stretches between edges that lie in a collar (n, 2)."""
    steps = np.zeros(len(edges))
    np.add.at(steps, np.searchsorted(edges, collars[:, 0]), 1)
    np.add.at(steps, np.searchsorted(edges, collars[:, 1]), -1)
    return np.cumsum(steps)[:-1] > 0


def _assigned(common: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs (rows, columns) one to one with the largest sum; without those who have no time in common."""
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(common, maximize=True)
    there = common[rows, columns] > 0
    return rows[there], columns[there]
