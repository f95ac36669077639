"""Intervals for figures.

The one here takes test items as independent. Items of one speaker are not, so that a figure about unseen speakers is
less certain than it says.
"""

from math import sqrt
from statistics import NormalDist

from speechgmm.errors import DataError


def wilson_interval(successes: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """The score interval for a proportion (Wilson 1927), for ``n`` independent items.

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
