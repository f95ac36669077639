"""Intervals for metrics: how far they may be from what unseen speakers would give.

Items of one speaker are alike, so the speakers are what was sampled: ``interval`` draws them again. ``wilson_interval``
takes test items as independent, and a metric for unseen speakers is less certain than it says.

``interval`` takes from the resamples only their bias and standard deviation, and puts Student's t with (groups - 1)
degrees of freedom around the value, on a scale where the value has no bounds. Measured
(``docs/reference/metrics.md`` has the table that ``benchmarks/interval_coverage.py`` made): the percentile interval and
BCa are too narrow and off centre with few groups, all the more for EER, minDCF and Cllr_min, which pick their best
threshold on the test items and look better than they are; bootstrap-t fails with groups of unlike sizes, whose own
standard errors are too rough to divide by.
"""

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import DataError
from speechgmm.evaluation.resampling import Groups, Statistic, as_groups, draw, evaluate

Floats = NDArray[np.float64]
Scale = Literal["logit", "log", "identity"]

FEW_GROUPS: Final = 20  # below it, the spread between groups is itself a guess
_MOST_WITHOUT_VALUE: Final = 0.1  # of the resamples; more, and the rest are not what was drawn
_NO_SPREAD: Final = 1e-12  # standard deviation over resamples that is rounding


@dataclass(frozen=True, slots=True)
class Interval:
    """Bounds of a metric, or the reason why there are none."""

    low: float | None  # in the metric's unit; None together with high
    high: float | None
    n_groups: int  # groups the interval rests on; of a trial's two sides, that which has fewer
    method: str  # "bootstrap", "clopper-pearson" or "none"
    note: str  # a sentence for the reader (few groups, a bound in place of an interval, why none), or ""


@dataclass(frozen=True, slots=True)
class Difference:
    """A metric of one run minus the same metric of another run on the same items."""

    value: float
    low: float | None  # None together with high
    high: float | None
    n_groups: int
    share_above: float  # share of resamples in which the difference is above 0; those where it is 0 count half
    note: str  # as in Interval


def wilson_interval(successes: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """The score interval (fractions) for a proportion of ``n`` independent items (Wilson 1927).

    Raises:
        DataError: No items, or more successes than items.

    >>> low, high = wilson_interval(299, 300)
    >>> round(low, 4), round(high, 4)
    (0.9814, 0.9994)
    """
    if n < 1 or not 0 <= successes <= n:
        raise DataError(f"{successes} of {n} items; a proportion of at least one item is expected")
    z = NormalDist().inv_cdf(0.5 + level / 2)
    share = successes / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return max(0.0, centre - half), min(1.0, centre + half)


def interval(
    statistic: Statistic,
    groups: ArrayLike | tuple[ArrayLike, ArrayLike],
    *,
    n_resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
    scale: Scale = "logit",
) -> Interval:
    """The bootstrap interval of ``statistic`` over the population from which the groups (speakers) were drawn.

    ``statistic`` gives the metric under weights (N,) of the items; with all weights 1 it gives the metric's value. A
    statistic of sums (:class:`OfSums`) is evaluated for all resamples at once. ``groups``: integers (N,); for trials a
    tuple of two such arrays, enrolled and tested speaker, with the same number for the same person. ``scale``: "logit"
    for values from 0 to 1, "log" for positive values, "identity" for others.

    With b and s the bias and standard deviation over resamples, G groups and h the scale, the bounds are
    h(value) - b h'(value) -+ t(G - 1) sqrt(G / (G - 1)) s h'(value), widened to hold the value where b is large.
    The root makes s**2 unbiased for a mean; t allows for s being an estimate from G values. (Bias and standard error by
    the bootstrap: Efron & Tibshirani 1993, chapters 6 and 10.)

    On the logit scale, a value that is the same in every resample, or is 0 or 1, gets the bounds of Clopper & Pearson
    (1934) for G items. Were a share theta of the speakers always right and the others always wrong, G right ones would
    have probability theta**G; no other distribution with the same mean makes G right ones likelier. These bounds are
    wide on purpose. There are no bounds (None) from one group, for a constant value on another scale, for a value that
    is not finite, or where over a tenth of the resamples have no value. ``note`` gives the reason.

    Raises:
        ShapeError: Groups that are not integer vectors of one length.
        DataError: No items; a level outside ]0, 1[; fewer than 50 resamples; a value outside the range of the scale; a
            statistic that raises DataError with all weights 1.

    >>> from speechgmm.evaluation.resampling import ratio
    >>> right, speaker = [1, 1, 1, 0, 1, 1, 0, 0], [0, 0, 1, 1, 2, 2, 3, 3]
    >>> result = interval(ratio(right, np.ones(8)), speaker)
    >>> result.low < 5 / 8 < result.high, result.n_groups, result.method
    (True, 4, 'bootstrap')
    """
    known = _known_groups(groups, n_resamples, level)
    value = statistic(np.ones(len(known.first)))  # its own error, not a missing value, where it has none
    _check_scale(value, scale)
    why = _why_none(value, known)
    if why:
        return _no_interval(known, why)
    return _around(value, evaluate(statistic, known, draw(known.n, n_resamples, seed)), known, level, scale)


def compare(
    first: Statistic,
    second: Statistic,
    groups: ArrayLike | tuple[ArrayLike, ArrayLike],
    *,
    n_resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Difference:
    """``first`` minus ``second``, two metrics of the same items, by a paired bootstrap: both see the same resamples.

    What makes an item or a speaker hard for both systems cancels. Two systems can therefore differ significantly while
    their intervals overlap. The interval of the difference is that of :func:`interval` on the identity scale. If the
    two metrics agree in every resample, there is no interval.

    Raises:
        ShapeError: Groups that are not integer vectors of one length.
        DataError: No items; a level outside ]0, 1[; fewer than 50 resamples; a metric that raises DataError with all
            weights 1.

    >>> from speechgmm.evaluation.resampling import ratio
    >>> speaker = [0, 0, 1, 1, 2, 2, 3, 3]
    >>> a, b = ratio([1, 1, 1, 0, 1, 1, 1, 0], np.ones(8)), ratio([1, 0, 1, 0, 0, 1, 1, 0], np.ones(8))
    >>> compare(a, b, speaker).value
    0.25
    """
    known = _known_groups(groups, n_resamples, level)
    whole, drawn = np.ones(len(known.first)), draw(known.n, n_resamples, seed)
    value = first(whole) - second(whole)
    why = _why_none(value, known)
    if why:
        share = np.nan if np.isnan(value) else (np.sign(value) + 1) / 2
        return Difference(value, None, None, known.n_least, float(share), why)
    values = evaluate(first, known, drawn) - evaluate(second, known, drawn)
    there = values[~np.isnan(values)]
    share = float(((there > 0) + 0.5 * (there == 0)).mean()) if len(there) else np.nan
    found = _around(value, values, known, level, "identity")
    return Difference(value, found.low, found.high, found.n_groups, share, found.note)


def _why_none(value: float, groups: Groups) -> str:
    """Why no resample could help, or ""."""
    if not np.isfinite(value):
        return f"the value is {value}: no interval"
    return "one group says nothing about others: no interval" if groups.n_least < 2 else ""


def _around(value: float, values: Floats, groups: Groups, level: float, scale: Scale) -> Interval:
    there = values[~np.isnan(values)]
    missing = len(values) - len(there)
    if missing > _MOST_WITHOUT_VALUE * len(values):
        return _no_interval(
            groups, f"{missing} of {len(values)} resamples have no value: no interval from so few groups"
        )
    notes = []
    if missing:
        notes.append(f"{missing} of {len(values)} resamples have no value and were left out")
    if groups.n_least < FEW_GROUPS:
        notes.append(f"only {groups.n_least} groups: take the interval as rough, {FEW_GROUPS} or more make it firm")
    spread = float(np.std(there))
    at_end = (scale == "logit" and value in (0.0, 1.0)) or (scale == "log" and value == 0.0)
    if spread <= _NO_SPREAD * max(1.0, abs(value)) or at_end:
        if scale != "logit":
            return _no_interval(groups, "the same value in every resample, or 0 on the log scale: no interval")
        low, high = _clopper_pearson(value, groups.n_least, level)
        # A value at its end may still vary over resamples (a minDCF of 1): those are not left outside.
        outer = np.quantile(there, [0.5 - level / 2, 0.5 + level / 2])
        notes.append("no spread to go by: the bounds hold even if groups are right or wrong as a whole")
        low, high = min(low, float(outer[0])), max(high, float(outer[1]))
        return Interval(low, high, groups.n_least, "clopper-pearson", "; ".join(notes))
    low, high = _student(value, float(np.mean(there)) - value, spread, groups.n_least, level, scale)
    return Interval(low, high, groups.n_least, "bootstrap", "; ".join(notes))


def _student(value: float, bias: float, spread: float, n: int, level: float, scale: Scale) -> tuple[float, float]:
    from scipy.special import expit, logit, stdtrit  # slow to import

    half = float(stdtrit(n - 1, 0.5 + level / 2)) * sqrt(n / (n - 1)) * spread
    steps = np.array([-half, half]) - bias
    if scale == "identity":
        bounds = value + steps
    elif scale == "log":
        with np.errstate(over="ignore"):  # two groups can leave the upper bound anywhere
            bounds = value * np.exp(steps / value)
    else:
        bounds = expit(logit(value) + steps / (value * (1 - value)))
    # Where the bias is larger than the half width, the value itself is the bound.
    return min(value, float(bounds[0])), max(value, float(bounds[1]))


def _clopper_pearson(share: float, n: int, level: float) -> tuple[float, float]:
    """Bounds of a proportion from n items, share n of them successes (not necessarily whole)."""
    from scipy.special import betaincinv  # slow to import

    tail, hits = 0.5 - level / 2, share * n
    low = float(betaincinv(hits, n - hits + 1, tail)) if share > 0 else 0.0
    high = float(betaincinv(hits + 1, n - hits, 1 - tail)) if share < 1 else 1.0
    return low, high


def _known_groups(groups: ArrayLike | tuple[ArrayLike, ArrayLike], n_resamples: int, level: float) -> Groups:
    if not 0 < level < 1:
        raise DataError(f"level {level}; expected a probability above 0 and below 1: was it given in percent?")
    if n_resamples < 50:
        raise DataError(f"{n_resamples} resamples; expected at least 50, and 1000 for stable bounds")
    return as_groups(groups)


def _check_scale(value: float, scale: Scale) -> None:
    if scale not in ("logit", "log", "identity"):
        raise DataError(f"scale {scale!r}; expected logit, log or identity")
    if (scale == "logit" and (value < 0 or value > 1)) or (scale == "log" and value < 0):
        raise DataError(f"a value of {value} on the {scale} scale; logit is for 0 to 1, log for positive values")


def _no_interval(groups: Groups, why: str) -> Interval:
    return Interval(None, None, groups.n_least, "none", why)
