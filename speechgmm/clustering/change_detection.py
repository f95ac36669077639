"""Where the speaker changes, by the Bayesian information criterion alone: one Gaussian or two for what is in a window.

Needs no model of any kind, and finds less than ``diarization`` does (``docs/results/diarization.md`` has results): a
short turn is too few frames for a Gaussian of full covariance.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import ConfigError, DataError, ShapeError
from speechgmm.parallel import one_blas_thread

Floats = NDArray[np.float64]


@one_blas_thread()
def bic_changes(
    frames: ArrayLike,
    *,
    penalty: float = 1.0,
    step: int = 10,
    minimum: int = 100,
    longest: int = 1000,
) -> NDArray[np.intp]:
    """Find speaker (or sound) changes in frames (T, D) by BIC: the first frame after each change, ascending.

    A window begins at the last change. It grows by ``minimum`` frames until splitting it somewhere improves the BIC;
    when it reaches ``longest`` frames, its older half is dropped (Chen & Gopalakrishnan 1998, section 4.1, with a bound
    on the window). BIC compares one Gaussian of full covariance with two. With n frames in the window and m of them
    before frame t, the gain of two Gaussians is::

        R(t) = n/2 log |S| - m/2 log |S1| - (n - m)/2 log |S2| - penalty/2 (D + D (D + 1) / 2) log n

    R is computed at every ``step``-th frame that has ``minimum`` frames on either side in the window. If R is above 0
    somewhere, ``minimum`` more frames are added to the window, and the change is then where R is greatest. A thousandth
    of the variance of all frames is added to the diagonals of the covariances. Time and memory grow linearly with T.

    Raises:
        ShapeError: Frames that are not (T, D).
        DataError: A value that is NaN or infinite.
        ConfigError: ``minimum`` below 2; ``step`` below 1; ``longest`` below twice ``minimum``; a negative ``penalty``.

    >>> rng = np.random.default_rng(0)
    >>> bic_changes(np.concatenate([rng.normal(size=(300, 2)), rng.normal(3.0, 1.0, size=(300, 2))]))
    array([300])
    """
    values = np.asarray(frames, np.float64)
    if values.ndim != 2:
        raise ShapeError(f"frames of shape {values.shape}; expected (T, D)")
    if not np.isfinite(values).all():
        raise DataError("a frame has a value that is NaN or infinite; expected finite ones: leave such frames out")
    if minimum < 2 or step < 1 or longest < 2 * minimum or not penalty >= 0:
        raise ConfigError(
            f"step {step}, minimum {minimum}, longest {longest}, penalty {penalty:g}; expected a minimum of 2 or more, "
            "a step of 1 or more, a longest window of two minima or more, a penalty of 0 or more"
        )
    n, changes = len(values), []
    if n < 2 * minimum:
        return np.zeros(0, np.intp)
    centred = values - values.mean(axis=0)  # less cancels
    floor = np.diag(1e-3 * centred.var(axis=0) + 1e-12)
    first, stop = 0, 2 * minimum
    while stop <= n:
        at, gain = _best_split(centred[first:stop], penalty, step, minimum, floor)
        if gain > 0:
            # With what comes next in sight, the change is seen where it is and not at the edge of the window.
            at, _ = _best_split(centred[first : min(stop + minimum, n)], penalty, step, minimum, floor)
            first += at
            changes.append(first)
            stop = first + 2 * minimum
        elif stop == n:
            break
        else:
            if stop - first >= longest:
                first = stop - longest // 2
            stop = min(stop + minimum, n)
    return np.array(changes, np.intp)


def _best_split(window: Floats, penalty: float, step: int, minimum: int, floor: Floats) -> tuple[int, float]:
    """Where splitting a window (n, D) gains most, and what."""
    n, n_dims = window.shape
    at = np.arange(minimum, n - minimum + 1, step)
    bounds = np.concatenate([[0], at])
    sums = np.cumsum(np.add.reduceat(window, bounds, axis=0), axis=0)
    pieces = np.split(window, at)
    squares = np.cumsum([piece.T @ piece for piece in pieces], axis=0)
    left, left2, total, total2 = sums[:-1], squares[:-1], sums[-1], squares[-1]
    m = at.astype(np.float64)
    before = _log_determinants(m, left, left2, floor)
    after = _log_determinants(n - m, total - left, total2 - left2, floor)
    whole = _log_determinants(np.array([float(n)]), total[None], total2[None], floor)[0]
    parameters = n_dims + n_dims * (n_dims + 1) / 2
    gains = 0.5 * (n * whole - m * before - (n - m) * after - penalty * parameters * np.log(n))
    best = int(gains.argmax())
    return int(at[best]), float(gains[best])


def _log_determinants(counts: Floats, sums: Floats, squares: Floats, floor: Floats) -> Floats:
    means = sums / counts[:, None]
    covariances = squares / counts[:, None, None] - means[:, :, None] * means[:, None, :] + floor
    found: Floats = np.linalg.slogdet(covariances)[1]
    return found
