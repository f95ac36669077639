"""Overlapping speech: where two speak, the second-best speaker speaks as well.

The turns are those of a diarization that gives each moment one speaker. Of each part of a turn where two speak, the
other speaker whose windows fit best is the second (Landini et al. 2021, Analysis of the BUT diarization system for
VoxConverse challenge, ICASSP, take the second most probable speaker of VBx). Owns the choice of the second speaker.
Refuses to know files.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import DataError
from speechgmm.evaluation.diarization import Turn
from speechgmm.vectors.speaker_space import Evidence

Floats = NDArray[np.float64]
Regions = Sequence[tuple[float, float]]
"""Starts and ends in s."""


@dataclass(frozen=True, slots=True, eq=False)
class SpeakerWindows:
    """Windows of a recording, and whose each is."""

    points: Floats  # (N, D), with covariance I within a speaker
    between: Floats  # (D,) variances of speakers' means
    centres: Floats  # (N,) s, ascending
    labels: NDArray[np.intp]  # (N,) numbers of speakers
    independence: float  # what a window counts as evidence; 1: windows are independent

    def fits(self, regions: Regions) -> dict[int, Floats]:
        """Log densities (N,) of all windows under each speaker, who is learnt from windows outside the regions.

        A speaker who has no other windows is learnt from those within.
        """
        alone = np.ones(len(self.centres), bool)
        for start, end in regions:
            alone &= (self.centres < start) | (self.centres >= end)
        found = {}
        for number in np.unique(self.labels).tolist():
            own = self.labels == number
            rows = own & alone if (own & alone).any() else own
            count = self.independence * own.sum()
            evidence = Evidence(count, self.points[rows].mean(axis=0) * count, self.between)
            found[number] = evidence.predictive(self.points)
        return found


def checked_regions(regions: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Regions in the order of their starts.

    Raises
    ------
    DataError
        A region that ends before it starts, or with a time that is no number.

    Examples
    --------
    >>> checked_regions([(3, 4), (1, 2)])
    [(1.0, 2.0), (3.0, 4.0)]
    """
    found = sorted((float(start), float(end)) for start, end in regions)
    for start, end in found:
        if not (np.isfinite(end) and start < end):
            raise DataError(f"a region of overlap from {start:g} to {end:g} s; expected a start and a later end")
    return found


def speaker_name(number: int) -> str:
    """What a speaker is called, by the number of their label from 0.

    >>> speaker_name(0)
    'S1'
    """
    return f"S{number + 1}"


def with_second_speakers(turns: Sequence[Turn], regions: Regions, windows: SpeakerWindows) -> list[Turn]:
    """Turns, and those of the second speaker where two speak; sorted, those of one speaker that meet joined.

    Parameters
    ----------
    turns
        One speaker at each moment, called as `speaker_name` calls the numbers of the windows.
    regions
        Start and end in s of where two speak. Parts of them outside the turns give nobody.
    windows
        Windows of the recording.

    Examples
    --------
    >>> points = np.array([[3.0, 0], [3, 0], [0, 3], [0, 3], [-3, 0], [3, 2]])
    >>> labels = np.array([0, 0, 1, 1, 2, 0])
    >>> windows = SpeakerWindows(points, np.full(2, 9.0), np.arange(6) + 0.5, labels, 1.0)
    >>> with_second_speakers([Turn(5, 6, "S1")], [(5.25, 6)], windows)
    [Turn(start=5, end=6, speaker='S1'), Turn(start=5.25, end=6, speaker='S2')]
    """
    fits = windows.fits(regions)
    if len(fits) < 2:
        return list(turns)
    found = list(turns)
    for start, end in regions:
        for turn in turns:
            first, last = max(start, turn.start), min(end, turn.end)
            if first >= last:
                continue
            rows = slice(*np.searchsorted(windows.centres, [first, last]))
            if rows.start == rows.stop:  # shorter than the step between windows
                nearest = int(np.abs(windows.centres - (first + last) / 2).argmin())
                rows = slice(nearest, nearest + 1)
            others = {number: fit[rows].sum() for number, fit in fits.items() if speaker_name(number) != turn.speaker}
            found.append(Turn(first, last, speaker_name(max(others, key=others.__getitem__))))
    return joined_turns(found)


def joined_turns(turns: Iterable[Turn]) -> list[Turn]:
    """Turns in the order of their starts; those of one speaker that overlap or meet are one.

    >>> joined_turns([Turn(1, 2, "S1"), Turn(0, 1, "S1"), Turn(0, 3, "S2")])
    [Turn(start=0, end=2, speaker='S1'), Turn(start=0, end=3, speaker='S2')]
    """
    last: dict[str, int] = {}
    found: list[Turn] = []
    for turn in sorted(turns):
        n = last.get(turn.speaker)
        if n is not None and turn.start <= found[n].end:
            found[n] = Turn(found[n].start, max(found[n].end, turn.end), turn.speaker)
        else:
            last[turn.speaker] = len(found)
            found.append(turn)
    return found


def overlap_regions(turns: Iterable[Turn]) -> list[tuple[float, float]]:
    """Where two or more of the speakers of turns speak.

    >>> overlap_regions([Turn(0, 4, "ann"), Turn(3, 6, "bob"), Turn(5.5, 7, "eve")])
    [(3, 4), (5.5, 6)]
    """
    steps = sorted((time, step) for one in joined_turns(turns) for time, step in ((one.start, 1), (one.end, -1)))
    found, count, since = list[tuple[float, float]](), 0, 0.0
    for time, step in steps:
        if count == 1 and step == 1:
            since = time
        elif count == 2 and step == -1:
            found.append((since, time))
        count += step
    return found
