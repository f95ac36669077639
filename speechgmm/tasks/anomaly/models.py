"""From costs of frames to how anomalous a recording is, where, and from what score on it is called anomalous.

Owns the pooling of frames, the comparison with normal recordings and the threshold. Knows no files and no features.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import DataError, ShapeError
from speechgmm.tasks.anomaly.costs import NormalModel
from speechgmm.tasks.anomaly.spec import AnomalySpec, Combine, StreamSpec

Floats = NDArray[np.float64]

CURVE_STEP: Final = 0.01
"""Seconds from one value of the curve to the next."""

CURVE_WINDOW: Final = 0.05
"""Seconds over which the curve takes the mean of frames."""

FAR_OUT: Final = 5.0
"""Spreads above the median from which on a score stands far out."""

LEVEL: Final = 0.95
"""Of intervals."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """From where on a recording is called anomalous, and how sure that is."""

    value: float  # a score above it is anomalous
    low: float | None  # 95 % interval of the quantile that it estimates; None: the scores are too few for a bound
    high: float | None
    false_alarm: float  # rate asked for
    rate_low: float  # 95 % interval of the false alarm rate that this very threshold has on new normal recordings
    rate_high: float
    n: int  # normal recordings that it was made from

    def __post_init__(self) -> None:
        """Refuse a threshold that nothing could be above or below."""
        if not math.isfinite(self.value):
            raise DataError(f"a threshold of {self.value:g}; expected a finite score: train the model again")


@dataclass(frozen=True, slots=True, eq=False)
class NormalReference:
    """What normal recordings look like that a model was not trained on: the measure of others."""

    centres: Floats  # (F,) mean of each value over them, but for those far out
    scales: Floats  # (F,) its standard deviation
    scores: Floats  # (n,) the scores of all, ascending
    curve_centres: Floats  # (S,) mean of each stream's curve over all their times
    curve_scales: Floats  # (S,) median over them of how far their curve's highest value lies from it
    threshold: Threshold


@dataclass(frozen=True, slots=True, eq=False)
class AnomalyModel:
    """One kind of normal recordings: what each stream compares frames with, and the measure of recordings."""

    normal: tuple[NormalModel, ...]
    reference: NormalReference

    def p_value(self, score: float) -> float:
        """Share of normal recordings that would score so high, at most: (1 + those that do) / (1 + all).

        It is valid whatever the scores' distribution, if the recording is one of the same kind (Vovk et al. 2005).
        Raises DataError for a score that is NaN.
        """
        if math.isnan(score):
            raise DataError("an anomaly score that is NaN has no p-value; expected a number")
        known = self.reference.scores
        return float((1 + len(known) - np.searchsorted(known, score, side="left")) / (1 + len(known)))


def side_values(costs: ArrayLike, stream: StreamSpec, frame_shift: float) -> Floats:
    """How anomalous a recording's frames are in all, one value for each side of the stream.

    Args:
        costs: (T,) of frames, by the stream's method.
        stream: How they are pooled.
        frame_shift: Seconds from one frame to the next.

    Raises:
        ShapeError: Costs that are not a vector with an element at least.
        DataError: A cost that is NaN or infinite: no score, and so no decision, comes of it.

    >>> side_values([1.0, 1.0, 5.0, 1.0], StreamSpec(pool="top", share=0.25, relative=True), 0.01)
    array([4.])
    >>> side_values([1.0, 1.0, 5.0, 1.0], StreamSpec(pool="window", window=0.02, side="both"), 0.01)
    array([ 3., -1.])
    """
    values = _vector(costs)
    if stream.relative:
        values = values - np.median(values)
    return np.array([_pool(values if side == "unlikely" else -values, stream, frame_shift) for side in stream.sides])


def _pool(values: Floats, stream: StreamSpec, frame_shift: float) -> float:
    if stream.pool == "mean":
        return float(values.mean())
    if stream.pool == "top":
        n = max(1, round(stream.share * len(values)))
        return float(np.partition(values, len(values) - n)[len(values) - n :].mean())
    return float(window_means(values, round(stream.window / frame_shift)).max())


def window_means(values: Floats, n: int) -> Floats:
    """Means over each n neighbours, (T - n + 1,); over all where there are no n.

    >>> window_means(np.array([1.0, 3.0, 5.0]), 2)
    array([2., 4.])
    """
    n = min(max(1, n), len(values))
    means: Floats = np.lib.stride_tricks.sliding_window_view(values, n).mean(axis=-1)
    return means


def _vector(costs: ArrayLike) -> Floats:
    """Costs or scores (N,). Raises ShapeError or DataError where a number is missing."""
    values = np.asarray(costs, np.float64)
    if values.ndim != 1 or not len(values):
        raise ShapeError(f"costs or scores of shape {values.shape}; expected (N,), with one value at least")
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise DataError(
            f"{len(bad)} of {len(values)} values are NaN or infinite, the first at index {bad[0]}; expected finite "
            "numbers: is a frame out of range?"
        )
    return values


def score_of(found: ArrayLike, centres: Floats, scales: Floats, combine: Combine) -> Floats:
    """Scores (...) from values (..., F): the value itself where there is one, else in deviations and combined.

    >>> score_of([[3.0, 0.0]], np.zeros(2), np.array([2.0, 1.0]), "max")
    array([1.5])
    """
    values = np.asarray(found, np.float64)
    if values.shape[-1] == 1:
        return np.asarray(values[..., 0])
    deviations = (values - centres) / scales
    return np.asarray(deviations.max(axis=-1) if combine == "max" else deviations.mean(axis=-1))


def threshold_of(scores: ArrayLike, false_alarm: float) -> Threshold:
    """The score that at most ``false_alarm`` of new normal recordings exceed, from those of n normal ones.

    It is the k-th lowest of the n, k = ceil((n + 1) (1 - false_alarm)): if the new recording is one of the same kind,
    the probability that it exceeds it is at most ``false_alarm``, over the draw of both (Vovk et al. 2005; Wilks
    1941). The rate of this very threshold is Beta(n + 1 - k, k) distributed; the quantile's interval is that of order
    statistics (David & Nagaraja 2003, 7.1).

    Raises:
        DataError: Too few scores for the rate: k would be above n; a score that is NaN or infinite.

    >>> found = threshold_of(np.arange(99.0), 0.05)
    >>> found.value, round(found.rate_low, 3), round(found.rate_high, 3)
    (94.0, 0.017, 0.1)
    """
    from scipy.special import bdtr, betaincinv  # slow to import

    values = np.sort(_vector(scores))
    n = len(values)
    k = math.ceil(round((n + 1) * (1 - false_alarm), 9))
    if k > n:
        raise DataError(
            f"{n} normal recordings cannot give a threshold for a false alarm rate of {false_alarm:g}; that needs "
            f"{math.ceil(round(1 / false_alarm - 1, 9))} at least: take more of them, or set anomaly.false_alarm to "
            f"{math.ceil(1000 / (n + 1)) / 1000:g} or more"
        )
    tail = (1 - LEVEL) / 2
    below = bdtr(np.arange(n + 1), n, 1 - false_alarm)  # P(at most j of n lie below the quantile)
    first = int(np.searchsorted(below, tail, side="right"))  # order statistic from 1; 0: none
    last = int(np.searchsorted(below, 1 - tail)) + 1
    return Threshold(
        value=float(values[k - 1]),
        low=float(values[first - 1]) if first >= 1 else None,
        high=float(values[last - 1]) if last <= n else None,
        false_alarm=false_alarm,
        rate_low=float(betaincinv(n + 1 - k, k, tail)),
        rate_high=float(betaincinv(n + 1 - k, k, 1 - tail)),
        n=n,
    )


def far_out(scores: ArrayLike) -> NDArray[np.intp]:
    """Places of scores that stand far above the rest, the farthest first; they may not be normal at all.

    Far is more than ``FAR_OUT`` spreads above the median, a spread being the larger of 1.4826 times the median absolute
    deviation and the upper tenth's distance from the median over 1.2816, both of which are the standard deviation of a
    normal distribution; the second keeps a long but smooth tail from being called far out.

    >>> far_out([1.0, 2.0, 3.0, 2.5, 1.5, 40.0, 2.2, 1.8, 2.1, 1.9, 2.4]).tolist()
    [5]
    """
    values = _vector(scores)
    median = float(np.median(values))
    spread = max(
        1.4826 * float(np.median(np.abs(values - median))), (float(np.quantile(values, 0.9)) - median) / 1.2816
    )
    order = np.argsort(-values, kind="stable")
    return np.asarray(order[values[order] > median + FAR_OUT * max(spread, 1e-12)])


def smoothed(costs: ArrayLike, stream: StreamSpec, times: Floats, grid: Floats) -> Floats:
    """One stream's curve at the times of ``grid`` (s): costs of frames, whose centres are ``times``, locally averaged.

    In the unit of the costs, less the median frame where the stream is relative.
    """
    values = _vector(costs)
    if stream.relative:
        values = values - np.median(values)
    if len(values) == 1:
        return np.full(len(grid), values[0])
    n = min(len(values), max(1, round(CURVE_WINDOW / (times[1] - times[0]))))
    means = window_means(values, n)
    return np.interp(grid, (times[: len(means)] + times[n - 1 :]) / 2, means)


def curve_of(parts: Sequence[Floats], streams: Sequence[StreamSpec], reference: NormalReference) -> Floats:
    """The curve (T,) of several streams' curves: the largest of them.

    It is 0 at what is usual, and 1 where a normal recording in the middle of all has its highest value.
    """
    measures = zip(parts, streams, reference.curve_centres, reference.curve_scales, strict=True)
    found = [_towards(part - centre, stream) / scale for part, stream, centre, scale in measures]
    highest: Floats = np.max(found, axis=0)
    return highest


def _towards(values: Floats, stream: StreamSpec) -> Floats:
    """Values of a curve about its mean, turned so that what the stream looks for is high."""
    return np.abs(values) if stream.side == "both" else values if stream.side == "unlikely" else -values


def highest_stretch(curve: Floats, grid: Floats, length: float) -> tuple[float, float]:
    """Begin and end (s) of the stretch of ``length`` s over which the curve is highest; all where it is shorter.

    >>> grid = np.arange(0.005, 1, 0.01)
    >>> highest_stretch(np.where((grid > 0.4) & (grid < 0.5), 1.0, 0.0), grid, 0.1)
    (0.4, 0.5)
    """
    n = min(len(curve), max(1, round(length / CURVE_STEP)))
    first = int(window_means(curve, n).argmax())
    return (
        round(max(0.0, float(grid[first]) - CURVE_STEP / 2), 6),
        round(float(grid[first + n - 1]) + CURVE_STEP / 2, 6),
    )


def grid_of(duration: float) -> Floats:
    """Times (s) of a curve over a recording of ``duration`` s.

    >>> grid_of(0.03)
    array([0.005, 0.015, 0.025])
    """
    times: Floats = (np.arange(max(1, math.floor(duration / CURVE_STEP + 1e-6)), dtype=np.float64) + 0.5) * CURVE_STEP
    return times


def reference_of(found: ArrayLike, curves: Sequence[Sequence[Floats]], spec: AnomalySpec) -> NormalReference:
    """The measure that normal recordings give; its centres and scales without values that lie far out.

    Args:
        found: (n, F) their values, under models that were not trained on them.
        curves: For each stream the curves of all of them, as ``smoothed`` gives them.
        spec: The settings.

    Raises:
        DataError: Too few of them for the false alarm rate; values that are all the same.
    """
    values = np.asarray(found, np.float64)
    near = [np.delete(column, far_out(column)) for column in values.T]
    centres, scales = np.array([own.mean() for own in near]), np.array([own.std() for own in near])
    if not (np.isfinite(scales).all() and (scales > 0).all()):
        raise DataError(
            f"the scores of {len(values)} normal recordings are all the same, or not finite; expected recordings that "
            "differ: is the same sound there many times?"
        )
    middles = [float(np.concatenate(list(own)).mean()) for own in curves]
    heights = [
        float(np.median([_towards(curve - middle, stream).max() for curve in own]))
        for own, middle, stream in zip(curves, middles, spec.streams, strict=True)
    ]
    scores = np.sort(score_of(values, centres, scales, spec.combine))
    return NormalReference(
        centres,
        scales,
        scores,
        np.array(middles),
        np.maximum(heights, 1e-12),
        threshold_of(scores, spec.false_alarm),
    )
