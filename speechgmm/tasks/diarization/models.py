"""Who speaks when: one speaker for each frame of speech, for every number of speakers that the search went through.

    windows of 1 s -> speaker space -> merging to more clusters than needed -> resegmentation
    -> [merge the two clusters that most probably are one speaker -> resegmentation] until one is left

The sequence of results is the whole answer; where to stop is a number of speakers, or a threshold on the ratio of the
merge that would come next (``choose``), learnt from conversations whose turns are known (``learn_threshold``).
Owns the search. Overlapping speech gets one speaker. Nothing here is as large as frames times frames.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.clustering.agglomerative import in_order, merge
from speechgmm.clustering.vbx import VbxSpec
from speechgmm.errors import ConfigError, DataError
from speechgmm.evaluation.diarization import Turn
from speechgmm.gmm import DiagGMM
from speechgmm.tasks.diarization.overlap import speaker_name
from speechgmm.tasks.diarization.overlap_detection import OverlapDetector
from speechgmm.tasks.diarization.resegmentation import best_turns
from speechgmm.tasks.diarization.spec import DiarizationSpec
from speechgmm.tasks.diarization.windows import n_blocks, window_supervectors
from speechgmm.vectors.speaker_space import Evidence, SpeakerSpace, same_speaker_ratios

Floats = NDArray[np.float64]
Labels = NDArray[np.intp]

_AT_ONCE: Final = 120
"""Pieces that are merged at once: of hours, every two minutes are merged on their own first."""


@dataclass(frozen=True, slots=True, eq=False)
class Diarizer:
    """A trained diarizer: background model, speaker space, threshold, and settings."""

    ubm: DiagGMM
    space: SpeakerSpace
    spec: DiarizationSpec
    threshold: float  # of the log ratio in nats: merges above it are made
    vbx: VbxSpec | None = None  # speakers are found by VBx with these settings; None: by merging
    overlap: OverlapDetector | None = None  # None: each moment has one speaker


@dataclass(frozen=True, slots=True, eq=False)
class Division:
    """A division of the frames of speech of a recording among speakers."""

    labels: Labels  # (T,) of the frames of speech, speakers numbered in the order of their first turns
    next_ratio: float  # log ratio of the merge that would come next, nats; -inf for one speaker

    @property
    def n_speakers(self) -> int:
        """The number of speakers."""
        return int(self.labels.max()) + 1


@dataclass(frozen=True, slots=True, eq=False)
class _Cluster:
    """Windows taken for one speaker's; two add."""

    count: float  # of independent windows
    total: Floats  # (d,) their sum
    between: Floats  # (d,) of the space
    most: float  # windows that it counts as at most where it is decided to stop

    def __add__(self, other: "_Cluster") -> "_Cluster":
        return _Cluster(self.count + other.count, self.total + other.total, self.between, self.most)

    @property
    def evidence(self) -> Evidence:
        """What its windows say of its speaker."""
        return Evidence(self.count, self.total, self.between)

    @property
    def bounded(self) -> Evidence:
        """The same, were the variance of its mean about the speaker's 1 / count + 1 / most.

        Windows of a cluster that was found are alike by selection, and ratios would grow without end with the length of
        a recording: a threshold learnt from short ones would split the speakers of long ones.
        """
        share = self.most / (self.count + self.most)
        return Evidence(self.count * share, self.total * share, self.between)


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """A recording as the search sees it."""

    points: Floats  # (B, d), of the window around each block
    whole: NDArray[np.bool_]  # (B,) whether a whole window lies around the block
    costs: Floats  # (B,) of a change before each block
    pauses: NDArray[np.intp]  # frames of speech before which there is a pause
    window: int  # blocks
    n_frames: int  # of speech


def divisions(
    diarizer: Diarizer, frames: ArrayLike, speech: ArrayLike, *, n_speakers: int | None = None
) -> list[Division]:
    """Divide a recording among many speakers, then among fewer and fewer by merging two of them, down to one.

    Args:
        diarizer: The trained diarizer.
        frames: (T, D) frames of the whole recording.
        speech: (T,) booleans, True for frames of speech.
        n_speakers: The number of speakers, where it is known. One division then has this number, unless the recording
            has fewer turns of the least duration.

    Raises:
        DataError: No frame is speech.
        ShapeError: The frames do not fit the model.
    """
    spec = diarizer.spec
    heard = windows_heard(diarizer, frames, speech)
    least = n_speakers or 1
    labels = merged_pieces(diarizer, heard, spec.first if n_speakers is None else max(spec.first, 2 * n_speakers))
    labels = _resegmented(diarizer, heard, labels, least)
    found = []
    while True:
        clusters = _clusters(diarizer, heard, labels)
        one, other, ratio = _nearest(clusters)
        found.append(Division(frame_labels(heard, labels, spec.block), ratio))
        if len(clusters) == 1:
            return found
        joined = np.where(labels == other, one, labels)
        labels = _resegmented(diarizer, heard, in_order(joined), min(least, len(clusters) - 1))


def choose(found: Sequence[Division], *, threshold: float | None = None, n_speakers: int | None = None) -> Division:
    """Choose one of several divisions: the first with a ``next_ratio`` of at most ``threshold`` (nats), or the one with
    ``n_speakers``.

    Raises:
        DataError: No division has this number of speakers.
        ConfigError: Neither ``threshold`` nor ``n_speakers`` is given, or both are.

    >>> two = Division(np.array([0, 1]), 3.0)
    >>> one = Division(np.array([0, 0]), -np.inf)
    >>> choose([two, one], threshold=5.0).n_speakers, choose([two, one], threshold=1.0).n_speakers
    (2, 1)
    """
    if (threshold is None) == (n_speakers is None):
        raise ConfigError("merging stops at a threshold or at a number of speakers; give one of the two")
    if threshold is not None:
        return next(one for one in found if one.next_ratio <= threshold or one.n_speakers == 1)
    exact = [one for one in found if one.n_speakers == n_speakers]
    if not exact:
        raise DataError(
            f"{n_speakers} speakers are asked for, and the search found {found[0].n_speakers} at most; the recording "
            "is too short for so many turns of the least duration, or fewer people speak"
        )
    return exact[-1]


def turns_of(labels: ArrayLike, speech: ArrayLike, *, shift: float, offset: float, bridge: float = 0.0) -> list[Turn]:
    """Turns with times in s, from the speaker ``labels`` (n,) of the n frames that ``speech`` (T,) marks as speech.

    Frame t covers the time from ``offset + t shift`` to ``offset + (t + 1) shift``, in s. A pause longer than
    ``bridge`` ends a turn. Speakers are called S1, S2, ...

    >>> turns_of([0, 0, 1], [True, True, False, True], shift=0.01, offset=0.0)
    [Turn(start=0.0, end=0.02, speaker='S1'), Turn(start=0.03, end=0.04, speaker='S2')]
    """
    where = np.asarray(speech, bool)
    every = np.full(len(where), -1)
    every[where] = np.asarray(labels)
    bounds = [0, *(np.flatnonzero(np.diff(every)) + 1).tolist(), len(every)]
    found: list[Turn] = []
    for first, stop in pairwise(bounds):
        if stop == first or every[first] < 0:
            continue
        name = speaker_name(int(every[first]))
        start, end = round(offset + first * shift, 6), round(offset + stop * shift, 6)
        if found and found[-1].speaker == name and start - found[-1].end <= bridge:
            found[-1] = Turn(found[-1].start, end, name)
        else:
            found.append(Turn(start, end, name))
    return found


def windows_heard(diarizer: Diarizer, frames: ArrayLike, speech: ArrayLike) -> Heard:
    """The windows of a recording, of those of its frames (T, D) that are speech (T,). Raises as ``divisions``."""
    where = np.asarray(speech, bool)
    if not where.any():
        raise DataError(f"none of the {len(where)} frames is speech; is the recording silent, or its level very low?")
    spec = diarizer.spec
    values = np.asarray(frames)[where]
    n = n_blocks(len(values), spec.block)
    stretches = window_supervectors(
        diarizer.ubm, values, block=spec.block, window=spec.window, relevance=spec.relevance
    )
    points = np.concatenate([diarizer.space.apply(rows) for rows in stretches])
    window = n - len(points) + 1
    # The window around block t begins half its length before; at the ends the first and the last one serve.
    starts = np.arange(n) - window // 2
    inside = (starts >= 0) & (starts < len(points))
    at = np.flatnonzero(where)
    paused = np.diff(at, prepend=at[0] - 1) > 1
    near = np.concatenate([[0], np.cumsum(paused)])
    first = np.arange(n) * spec.block
    half = max(1, spec.block // 2)
    beside = near[np.minimum(first + half, len(at))] > near[np.maximum(first - half, 0)]
    costs = np.where(beside, spec.pause_cost, spec.cost)
    return Heard(points[np.clip(starts, 0, len(points) - 1)], inside, costs, np.flatnonzero(paused), window, len(at))


def _clusters(diarizer: Diarizer, heard: Heard, labels: Labels) -> list[_Cluster]:
    """What is known of each cluster: the mean of the windows that lie within it, for as long as it speaks."""
    n, spec = len(labels), diarizer.spec
    change = np.concatenate([[0], np.cumsum(np.diff(labels) != 0)])
    first = np.maximum(np.arange(n) - heard.window // 2, 0)
    last = np.minimum(first + heard.window, n) - 1
    pure = heard.whole & (change[first] == change[last])
    found = []
    for number in range(int(labels.max()) + 1):
        own = labels == number
        rows = own & pure if (own & pure).any() else own
        # Windows overlap: per window's length there is one, and it is not wholly independent of its neighbours.
        count = spec.independence * max(1.0, own.sum() / spec.window)
        total = heard.points[rows].mean(axis=0) * count
        found.append(_Cluster(count, total, diarizer.space.between, spec.most))
    return found


def merged_pieces(diarizer: Diarizer, heard: Heard, n_clusters: int) -> Labels:
    """Pieces of a least turn each, merged to ``n_clusters``; of long recordings stretch by stretch first."""
    n, minimum = len(heard.points), diarizer.spec.minimum
    labels = np.minimum(np.arange(n) // minimum, max(0, n // minimum - 1))
    n = int(labels.max()) + 1
    while n > n_clusters:
        clusters = _clusters(diarizer, heard, labels)
        at_once = max(_AT_ONCE, 2 * n_clusters)  # fewer clusters than pieces are left of every stretch
        stretches = n // at_once if n > 2 * at_once else 1
        bounds = np.linspace(0, n, stretches + 1).astype(int)
        joined, total = np.empty(n, np.intp), 0
        for first, stop in pairwise(bounds.tolist()):
            left = n_clusters if stretches == 1 else max(n_clusters, (stop - first) // 4)
            found = merge(clusters[first:stop], _distances, n_clusters=min(left, stop - first))
            joined[first:stop] = found.labels + total
            total += found.n_clusters
        labels, n = in_order(joined[labels]), total
    return labels


def _distances(one: _Cluster, others: Sequence[_Cluster]) -> Floats:
    return -same_speaker_ratios(one.evidence, [other.evidence for other in others])


def _resegmented(diarizer: Diarizer, heard: Heard, labels: Labels, least: int) -> Labels:
    """Labels on the best path, again and again; never of fewer speakers than ``least``."""
    spec = diarizer.spec
    for _ in range(spec.passes):
        clusters = _clusters(diarizer, heard, labels)
        if len(clusters) == 1:
            return labels
        densities = np.stack([one.evidence.predictive(heard.points) for one in clusters], axis=1)
        # Windows of neighbouring blocks share frames: each counts for its own block.
        fits = densities * (spec.sharpness / spec.window)
        found = in_order(best_turns(fits, minimum=spec.minimum, cost=heard.costs))
        if found.max() + 1 < least:
            return labels
        labels = found
    return labels


def _nearest(clusters: Sequence[_Cluster]) -> tuple[int, int, float]:
    """The pair that most probably is one speaker, and its log ratio."""
    best = (0, 0, -np.inf)
    for number, one in enumerate(clusters[:-1]):
        ratios = same_speaker_ratios(one.bounded, [other.bounded for other in clusters[number + 1 :]])
        if ratios.max() > best[2]:
            best = (number, number + 1 + int(ratios.argmax()), float(ratios.max()))
    return best


def frame_labels(heard: Heard, labels: Labels, block: int) -> Labels:
    """Labels of blocks as labels of frames of speech (n,), numbered in their order; turns begin at pauses nearby."""
    every = labels[np.minimum(np.arange(heard.n_frames) // block, len(labels) - 1)]  # the last block is longer
    return in_order(_at_pauses(every, heard.pauses, block))


def _at_pauses(labels: Labels, pauses: NDArray[np.intp], reach: int) -> Labels:
    """Changes of labels (T,) moved to the nearest pause within ``reach`` frames: blocks end elsewhere."""
    changes = np.flatnonzero(np.diff(labels)) + 1
    if not len(changes) or not len(pauses):
        return labels
    after = np.clip(np.searchsorted(pauses, changes), 0, len(pauses) - 1)
    before = np.maximum(after - 1, 0)
    nearest = np.where(
        np.abs(pauses[before] - changes) <= np.abs(pauses[after] - changes), pauses[before], pauses[after]
    )
    moved = np.where(np.abs(nearest - changes) <= reach, nearest, changes)
    bounds = np.concatenate([[0], np.maximum.accumulate(moved), [len(labels)]])
    return np.repeat(labels[np.concatenate([[0], changes])], np.diff(bounds))
