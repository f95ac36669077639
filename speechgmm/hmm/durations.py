"""How long a unit, or a chain of units, lasts by its transitions: a discrete phase-type distribution.

Owns its moments and its distribution function. Refuses to know frames.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from speechgmm.errors import ShapeError

Floats = NDArray[np.float64]

MOST_STANDARD_DEVIATIONS = 8.0
"""Of `duration_z`: a duration of probability 0 is infinitely far, and no table holds infinity."""


def chained(transitions: Sequence[Floats]) -> Floats:
    """The transitions (S, S+1) of units one after another as those of one unit.

    Parameters
    ----------
    transitions
        Of each unit, (S, S+1): to each state, and out of the unit; entered in its first state.

    Raises
    ------
    ShapeError
        No unit.

    Examples
    --------
    >>> chained([np.array([[0.5, 0.5]]), np.array([[0.25, 0.75]])])
    array([[0.5 , 0.5 , 0.  ],
           [0.  , 0.25, 0.75]])
    """
    if not transitions:
        raise ShapeError("a chain without a unit; expected the transitions of at least one")
    sizes = [len(rows) for rows in transitions]
    found, first = np.zeros((sum(sizes), sum(sizes) + 1)), 0
    for rows, size in zip(transitions, sizes, strict=True):
        found[first : first + size, first : first + size + 1] = rows  # leaving one enters the next in its first state
        first += size
    return found


def expected_duration(transitions: Floats) -> float:
    """The mean number of frames that a unit (S, S+1) lasts.

    Examples
    --------
    >>> expected_duration(np.array([[0.75, 0.25]]))
    4.0
    """
    inner = transitions[:, :-1]
    return float(np.linalg.solve(np.eye(len(inner)) - inner, np.ones(len(inner)))[0])


def duration_z(transitions: Floats, n_frames: int) -> float:
    """How far a duration is from what the transitions (S, S+1) expect, in standard deviations of a normal.

    Durations are skewed, so that the distance to the mean says little. This is the normal quantile of
    P(D < n) + P(D = n) / 2: 0 is the median, about 2.3 per cent of durations lie below -2 and as many above 2,
    whatever the shape of the distribution.

    Parameters
    ----------
    transitions
        Of the unit, or of a chain of units (`chained`).
    n_frames
        The duration, 1 or more.

    Returns
    -------
    float
        From -8 to 8.

    Notes
    -----
    D is of phase type: P(D > n) is the first row's sum of A to the power n, A the transitions within the unit
    (Neuts 1981, Matrix-Geometric Solutions in Stochastic Models, chapter 2).

    Examples
    --------
    >>> geometric = np.array([[0.9, 0.1]])
    >>> [round(duration_z(geometric, n), 2) for n in (1, 7, 30)]
    [-1.64, -0.01, 1.7]
    """
    inner = transitions[:, :-1]
    before = np.linalg.matrix_power(inner, n_frames - 1)[0]
    longer_by_one = float(before.sum())  # P(D > n - 1)
    longer = float((before @ inner).sum())  # P(D > n)
    z = float(-ndtri(np.clip((longer_by_one + longer) / 2, 0, 1)))
    return min(max(z, -MOST_STANDARD_DEVIATIONS), MOST_STANDARD_DEVIATIONS)
