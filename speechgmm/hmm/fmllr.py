"""Feature-space maximum likelihood linear regression (fMLLR, constrained MLLR): a speaker's frames moved to the model.

One transform x -> A x + b for all frames of a speaker makes them as probable as can be under Gaussians that stay as
they are. Source: M. J. F. Gales (1998), "Maximum likelihood linear transformations for HMM-based speech recognition",
Computer Speech and Language 12, 75-98: constrained transforms of means and variances. Owns the statistics, which add,
and the estimate, row by row. Refuses to know states, speakers and files.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import DataError, FitError, ShapeError
from speechgmm.features.transforms import LinearTransform
from speechgmm.gmm.model import DiagGMM

Floats = NDArray[np.float64]

SWEEPS: Final = 20
"""Over all rows; what the last of them gains is below rounding for frames that are normalised."""

_BLOCK: Final = 1024  # frames whose products are held at a time


@dataclass(frozen=True, slots=True, eq=False)
class FMLLRStats:
    """What a transform is estimated from; adding two pools their frames.

    xi is [x, 1], the frame with a 1; the variance and the mean are those of the Gaussian that the frame belongs to.

    Raises:
        ShapeError: Arrays that do not fit together.

    >>> one = fmllr_statistics([[2.0]], [[1.0]], [[0.5]])
    >>> both = one + one
    >>> both.count, both.quadratic.tolist(), both.linear.tolist()
    (2.0, [[[8.0, 4.0], [4.0, 2.0]]], [[2.0, 1.0]])
    """

    count: float  # frames
    quadratic: Floats  # (D, D+1, D+1) sum of xi xi' / variance, for each dimension of the model
    linear: Floats  # (D, D+1) sum of xi mean / variance, for each dimension of the model

    def __post_init__(self) -> None:
        n_dims = len(self.linear)
        if self.linear.shape != (n_dims, n_dims + 1) or self.quadratic.shape != (n_dims, n_dims + 1, n_dims + 1):
            raise ShapeError(
                f"statistics of shapes {self.quadratic.shape} and {self.linear.shape}; expected (D, D+1, D+1) and "
                "(D, D+1)"
            )

    def __add__(self, other: "FMLLRStats") -> "FMLLRStats":
        if self.linear.shape != other.linear.shape:
            raise ShapeError(
                f"statistics of {len(self.linear)} and of {len(other.linear)} dimensions cannot be added; were the "
                "frames made with other settings?"
            )
        return FMLLRStats(self.count + other.count, self.quadratic + other.quadratic, self.linear + other.linear)

    def worth(self, n_frames: float) -> "FMLLRStats":
        """The same average frame, counted so many times.

        Raises:
            DataError: There are no frames to take the average of.

        >>> fmllr_statistics([[2.0]], [[1.0]], [[0.5]]).worth(10).linear.tolist()
        [[10.0, 5.0]]
        """
        if not self.count > 0:
            raise DataError("statistics of no frames have no average; expected those of at least one frame")
        share = n_frames / self.count
        return FMLLRStats(n_frames, share * self.quadratic, share * self.linear)

    def objective(self, transform: LinearTransform) -> float:
        """Expected log-likelihood of the transformed frames, log |det A| for each included.

        In nats over all frames, up to a term that no transform changes.

        >>> stats = fmllr_statistics([[2.0]], [[1.0]], [[0.5]])
        >>> stats.objective(LinearTransform(np.array([[0.5]]), np.array([0.0])))  # log 0.5 + 0.5 x 1 - 1 / 2
        -0.6931471805599453
        """
        rows = np.column_stack([transform.matrix, transform.offset])
        sign, log_det = np.linalg.slogdet(transform.matrix)
        if sign == 0:
            return -np.inf
        spread = np.einsum("di,dij,dj->", rows, self.quadratic, rows)
        return float(self.count * log_det + (rows * self.linear).sum() - spread / 2)


def fmllr_statistics(frames: ArrayLike, inverse_variances: ArrayLike, linear: ArrayLike) -> FMLLRStats:
    """The statistics of frames (T, D), before any transform.

    Parameters
    ----------
    frames
        (T, D) what the transform is applied to.
    inverse_variances, linear
        (T, D) 1 / variance and mean / variance of each frame's Gaussian; of several, the mean under their posteriors
        (`StateStack.expected_gaussians`).

    Raises
    ------
    ShapeError
        Arrays of different shapes.

    Examples
    --------
    >>> fmllr_statistics(np.ones((3, 2)), np.ones((3, 2)), np.zeros((3, 2))).count
    3.0
    """
    values, precisions, targets = (np.asarray(array, dtype=np.float64) for array in (frames, inverse_variances, linear))
    if values.ndim != 2 or not values.shape == precisions.shape == targets.shape:
        raise ShapeError(
            f"frames of shape {values.shape} with inverse variances of {precisions.shape} and linear terms of "
            f"{targets.shape}; expected (T, D) each"
        )
    n_frames, n_dims = values.shape
    extended = np.column_stack([values, np.ones(n_frames)])
    above, beside = np.triu_indices(n_dims + 1)
    packed = np.zeros((n_dims, len(above)))  # symmetric matrices: one half of each
    for first in range(0, n_frames, _BLOCK):
        block = slice(first, first + _BLOCK)
        packed += precisions[block].T @ (extended[block][:, above] * extended[block][:, beside])
    quadratic = np.empty((n_dims, n_dims + 1, n_dims + 1))
    quadratic[:, above, beside] = packed
    quadratic[:, beside, above] = packed
    return FMLLRStats(float(n_frames), quadratic, targets.T @ extended)


def expected_statistics(models: Sequence[DiagGMM]) -> FMLLRStats:
    """The statistics of the average frame that mixtures themselves produce, each of them equally often.

    They are the prior of a speaker: no transform makes such frames more probable than the identity does, since a
    density explains its own samples best (Gibbs' inequality).

    >>> average = expected_statistics([DiagGMM([1.0], [[mean]], [[2.0]]) for mean in (-1.0, 3.0)])
    >>> average.count, average.quadratic.tolist(), average.linear.tolist()
    (1.0, [[[3.5, 0.5], [0.5, 0.5]]], [[2.5, 0.5]])
    >>> found = estimate_fmllr(average)
    >>> found.matrix.round(9).tolist(), abs(found.offset.round(9)).tolist()
    ([[1.0]], [0.0])
    """
    shares = np.concatenate([model.weights for model in models])[:, None] / len(models)
    means = np.concatenate([model.means for model in models])
    variances = np.concatenate([model.variances for model in models])
    at_means = fmllr_statistics(means, shares / variances, shares * means / variances)
    quadratic = at_means.quadratic.copy()
    inner = np.arange(means.shape[1])
    quadratic[:, inner, inner] += (shares / variances).T @ variances
    return FMLLRStats(1.0, quadratic, at_means.linear)


def estimate_fmllr(stats: FMLLRStats, *, start: LinearTransform | None = None, sweeps: int = SWEEPS) -> LinearTransform:
    """The transform that makes the frames of these statistics most probable.

    Parameters
    ----------
    stats
        Of a speaker; with few frames, a prior's added (``stats + expected_statistics(models).worth(500)``).
    start
        Where the sweeps over the rows begin; default: the identity. No sweep lowers ``stats.objective``.
    sweeps
        Over all rows, 0 or more.

    Raises
    ------
    FitError
        Statistics that do not decide every row: fewer frames than dimensions, or dimensions that do not vary.

    Examples
    --------
    >>> frames = np.array([[0.0], [2.0]])  # of Gaussians at 1 and 5, variance 1
    >>> found = estimate_fmllr(fmllr_statistics(frames, np.ones((2, 1)), [[1.0], [5.0]]))
    >>> found.matrix.round(3).tolist(), found.offset.round(3).tolist()  # 2 x + 1, and log |det A| widens
    ([[2.414]], [0.586])
    """
    n_dims = len(stats.linear)
    try:
        factors = np.linalg.cholesky(stats.quadratic)
        inverses = np.linalg.inv(factors)
    except np.linalg.LinAlgError:
        raise FitError(
            f"{stats.count:.0f} frames do not decide a transform of {n_dims} dimensions; give more frames, or add the "
            "expected statistics of the model as a prior"
        ) from None
    inverses = inverses.transpose(0, 2, 1) @ inverses  # (D, D+1, D+1), of the quadratic terms
    targets = np.einsum("dij,dj->di", inverses, stats.linear)
    rows = np.eye(n_dims, n_dims + 1)
    if start is not None:
        rows = np.column_stack([start.matrix, start.offset])
    for _ in range(sweeps):
        for d in range(n_dims):
            rows[d] = _best_row(rows, d, stats, inverses[d], targets[d])
    return LinearTransform(rows[:, :-1].copy(), rows[:, -1].copy())


def _best_row(rows: Floats, d: int, stats: FMLLRStats, inverse: Floats, target: Floats) -> Floats:
    """Row d while the others stay: of the two roots of Gales's quadratic equation the one that the objective prefers.

    Cofactors of the row are the column of the inverse times the determinant, which scales them alone.
    """
    unit = np.zeros(len(rows))
    unit[d] = 1.0
    cofactors = np.append(np.linalg.solve(rows[:, :-1], unit), 0.0)
    along = inverse @ cofactors
    square, cross = float(cofactors @ along), float(cofactors @ target)
    root = np.sqrt(cross**2 + 4 * square * stats.count)
    steps = np.array([-cross - root, -cross + root]) / (2 * square)
    gains = stats.count * np.log(np.abs(steps * square + cross)) - steps**2 * square / 2
    found: Floats = steps[int(gains.argmax())] * along + target
    return found
