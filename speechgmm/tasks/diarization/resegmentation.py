"""Which speaker is heard at every moment, given how well each fits: the best path whose turns have a least duration.

A small HMM of its own: a state per speaker, a least number of steps in it, a cost for every change. The passes of
``hmm`` would spell the least duration as that many states each; here it is one sum, and an hour takes a second.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import ConfigError, ShapeError

Floats = NDArray[np.float64]


def best_turns(fits: ArrayLike, *, minimum: int, cost: ArrayLike = 0.0) -> NDArray[np.intp]:
    """The speaker of each of T steps, (T,), by the Viterbi algorithm with a least duration of turns.

    The path maximises the sum of its log-likelihoods minus the costs of its speaker changes, with at least ``minimum``
    steps between changes. Where T is below two times ``minimum``, the speaker with the highest sum has all steps.

    Args:
        fits: (T, C) log-likelihood of each step under each speaker, in nats.
        minimum: Least number of steps between changes of the speaker.
        cost: Cost of a change before each step in nats, 0 or more: (T,), or one number for all steps.

    Raises:
        ShapeError: ``fits`` is not (T, C), or ``cost`` has another length.
        ConfigError: ``minimum`` is below 1, a cost is below 0, or a value is NaN.

    >>> best_turns([[0, 1], [2, 0], [0, 2], [0, 2], [0, 2]], minimum=2, cost=0.5)
    array([0, 0, 1, 1, 1])
    """
    values = np.asarray(fits, np.float64)
    if values.ndim != 2 or not values.size:
        raise ShapeError(f"fits of shape {values.shape}; expected (T, C)")
    costs = np.asarray(cost, np.float64)
    if costs.shape not in ((), (len(values),)):
        raise ShapeError(f"costs of shape {costs.shape}; expected one, or ({len(values)},)")
    if minimum < 1 or not (costs >= 0).all() or np.isnan(values).any():
        raise ConfigError(f"minimum {minimum}; expected 1 or more, costs of 0 or more, and fits that are numbers")
    n, n_speakers = values.shape
    if n_speakers == 1 or n < 2 * minimum:
        return np.full(n, values.sum(axis=0).argmax(), np.intp)
    costs = np.broadcast_to(costs, (n,))
    total = np.concatenate([np.zeros((1, n_speakers)), np.cumsum(values, axis=0)])
    stretch = total[minimum:] - total[:-minimum]  # (n - minimum + 1, C): of the steps from each on
    score = np.empty((n, n_speakers))  # of paths that have been `minimum` steps or more in each speaker
    score[: minimum - 1] = -np.inf
    score[minimum - 1] = stretch[0]
    entered = np.zeros((n, n_speakers), bool)
    best, leader = np.full(n, -np.inf), np.zeros(n, np.intp)
    leader[minimum - 1] = score[minimum - 1].argmax()
    best[minimum - 1] = score[minimum - 1, leader[minimum - 1]]
    for t in range(minimum, n):
        first = t - minimum + 1  # where a turn began that is of the least duration now
        stay = score[t - 1] + values[t]
        enter = stretch[first] + (best[first - 1] - costs[first])
        entered[t] = enter > stay
        score[t] = np.maximum(stay, enter)
        leader[t] = score[t].argmax()
        best[t] = score[t, leader[t]]
    found = np.empty(n, np.intp)
    t, speaker = n - 1, int(leader[n - 1])
    while t >= minimum:
        if entered[t, speaker]:
            first = t - minimum + 1
            found[first : t + 1] = speaker
            t, speaker = first - 1, int(leader[first - 1])
        else:
            found[t] = speaker
            t -= 1
    found[: t + 1] = speaker
    return found
