"""Linear maps of frames learnt from training, and the splicing of neighbours that goes before them.

Owns splicing, the moments that add, and linear discriminant analysis and whitening read off them. Refuses to know
what the classes are and where the frames lie.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import ConfigError, DataError, FitError, ShapeError
from speechgmm.features.transform_spec import TransformSpec as TransformSpec

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]


def splice(frames: NDArray[np.floating], context: int) -> NDArray[np.floating]:
    """Join each frame with its `context` neighbours on either side; at the edges the first or last frame is repeated.

    Frames (T, D) of one recording become (T, (2 context + 1) D), with the earliest neighbour first, in the precision
    of the frames. Raises `ShapeError` unless ``frames`` is a matrix, and `ConfigError` for a negative context.

    >>> splice(np.array([[1.0], [2.0], [3.0]]), 1).tolist()
    [[1.0, 1.0, 2.0], [1.0, 2.0, 3.0], [2.0, 3.0, 3.0]]
    """
    if frames.ndim != 2:
        raise ShapeError(f"frames have shape {frames.shape}; expected (T, D)")
    if context < 0:
        raise ConfigError(f"a context of {context} frames; expected 0 or more")
    if context == 0 or not len(frames):
        return np.tile(frames, (1, 2 * context + 1))
    padded = np.concatenate([frames[:1].repeat(context, axis=0), frames, frames[-1:].repeat(context, axis=0)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * context + 1, axis=0)  # (T, D, 2c + 1)
    return windows.transpose(0, 2, 1).reshape(len(frames), -1)


@dataclass(frozen=True, slots=True, eq=False)
class ClassMoments:
    """Frame counts and means of C classes and their pooled within-class scatter, in float64.

    The sum of two ``ClassMoments`` has the moments of the frames of both. The scatter is about the mean of each class,
    so that an offset of any size costs no precision (Chan, Golub & LeVeque 1983, eq. 1.5b).

    >>> a = class_moments(np.array([[1.0], [3.0], [7.0]]), [0, 0, 1], 2)
    >>> both = a + class_moments(np.array([[5.0]]), [0], 2)
    >>> both.counts.tolist(), both.means.ravel().tolist(), both.within.tolist()
    ([3.0, 1.0], [3.0, 7.0], [[8.0]])
    """

    counts: Float64Array  # (C,) frames
    means: Float64Array  # (C, D); 0 for a class without frames
    within: Float64Array  # (D, D) sum over all frames of (x - mean of its class)(x - mean of its class)'

    def __add__(self, other: "ClassMoments") -> "ClassMoments":
        if self.means.shape != other.means.shape:
            raise ShapeError(
                f"class moments of shape {self.means.shape} and {other.means.shape} (classes, dimensions) cannot be "
                "pooled; were the features or the classes two different ones?"
            )
        counts = self.counts + other.counts
        share = np.divide(other.counts, counts, out=np.zeros_like(counts), where=counts > 0)
        step = other.means - self.means
        between = (step * (self.counts * share)[:, None]).T @ step
        return ClassMoments(counts, self.means + step * share[:, None], self.within + other.within + between)


def class_moments(frames: NDArray[np.floating], classes: ArrayLike, n_classes: int) -> ClassMoments:
    """Count, mean and scatter of frames (N, D), class by class; ``classes`` (N,) are numbers from 0 to `n_classes` - 1.

    Raises `ShapeError` unless there is one class per frame, and `DataError` for a class out of range or a value that
    is not finite.

    >>> class_moments(np.array([[1.0], [3.0]]), [2, 2], 3).counts.tolist()
    [0.0, 0.0, 2.0]
    """
    numbers = np.asarray(classes)
    if frames.ndim != 2 or numbers.shape != (len(frames),):
        raise ShapeError(
            f"frames of shape {frames.shape} and classes of shape {numbers.shape}; expected (N, D) and (N,)"
        )
    if numbers.size and not (
        np.issubdtype(numbers.dtype, np.integer) and 0 <= numbers.min() <= numbers.max() < n_classes
    ):
        raise DataError(f"classes are {numbers.min()} to {numbers.max()}; expected whole numbers below {n_classes}")
    numbers = numbers.astype(np.intp)
    counts = np.bincount(numbers, minlength=n_classes).astype(np.float64)
    present = np.flatnonzero(counts)
    means = np.zeros((n_classes, frames.shape[1]))
    order = np.argsort(numbers, kind="stable")
    values = frames[order].astype(np.float64)
    if not np.isfinite(values).all():
        d = int(np.flatnonzero(~np.isfinite(values).all(axis=0))[0])
        raise DataError(
            f"dimension {d} of the frames has NaN or infinity; expected finite ones: is a recording damaged?"
        )
    if len(present):
        starts = np.cumsum(counts[present]).astype(np.intp) - counts[present].astype(np.intp)
        means[present] = np.add.reduceat(values, starts, axis=0) / counts[present, None]
        values -= means[numbers[order]]
    return ClassMoments(counts, means, values.T @ values)


@dataclass(frozen=True, slots=True, eq=False)
class LinearTransform:
    """The map x -> matrix x + offset. Raises `ShapeError` unless ``offset`` has a value for each row of ``matrix``."""

    matrix: Float64Array  # (D', D)
    offset: Float64Array  # (D',)

    def __post_init__(self) -> None:
        if self.matrix.ndim != 2 or self.offset.shape != self.matrix.shape[:1]:
            raise ShapeError(
                f"a matrix of shape {self.matrix.shape} and an offset of shape {self.offset.shape}; expected "
                "(D', D) and (D',)"
            )

    def then(self, other: "LinearTransform") -> "LinearTransform":
        """The map x -> other(self(x)).

        >>> double, shift = LinearTransform(np.eye(1) * 2, np.zeros(1)), LinearTransform(np.eye(1), np.ones(1))
        >>> double.then(shift).apply(np.array([[3.0]])), shift.then(double).apply(np.array([[3.0]]))
        (array([[7.]], dtype=float32), array([[8.]], dtype=float32))
        """
        return LinearTransform(other.matrix @ self.matrix, other.matrix @ self.offset + other.offset)

    def apply(self, frames: NDArray[np.floating]) -> Float32Array:
        """Frames (T, D) after the map: (T, D') float32.

        Raises `ShapeError` where D is not the number of columns of ``matrix``.

        >>> LinearTransform(np.array([[1.0, -1.0]]), np.array([0.5])).apply(np.array([[3.0, 1.0]])).tolist()
        [[2.5]]
        """
        if frames.ndim != 2 or frames.shape[1] != self.matrix.shape[1]:
            raise ShapeError(
                f"frames have shape {frames.shape}; this transform is for (T, {self.matrix.shape[1]}): were the "
                "features made with other settings, or spliced with another context?"
            )
        # In float64: an offset that is large beside the standard deviations must not cost the image its digits.
        image: Float32Array = (frames.astype(np.float64) @ self.matrix.T + self.offset).astype(np.float32)
        return image


def lda(moments: ClassMoments, dim: int, prior_count: float | None = None) -> LinearTransform:
    """Linear discriminant analysis: the map to the `dim` directions that separate the classes best.

    After the map the pooled within-class covariance is the unit matrix, and the mean of all frames is zero. The rows
    of the matrix are the leading eigenvectors of the between-class scatter after whitening by the within-class
    covariance (Fisher 1936; Fukunaga 1990, 10.2). They equal those of scikit-learn's
    ``LinearDiscriminantAnalysis(solver="eigen")`` up to sign and scale. The largest entry of each row is positive.

    For small data, the within-class covariance is (W + prior_count diag(W) / N) / (N + prior_count), with scatter W
    of N frames: its mode given `prior_count` pseudo-frames without correlations. The default, None, is one
    pseudo-frame per dimension. With 0, no invertible linear map of the frames changes the discriminants; with more, no
    scaling and no shift of single dimensions changes them.

    Raises `ConfigError` where `dim` exceeds the number of dimensions, or the number of classes with frames less one,
    and for a negative `prior_count`; `FitError` where the within-class covariance is singular.

    >>> frames = np.array([[0.0, 5.0], [0.2, 9.0], [0.0, 9.0], [0.2, 5.0], [1.0, 7.0]])
    >>> lda(class_moments(frames, [0, 0, 0, 0, 1], 2), dim=1, prior_count=0).matrix.round(2)
    array([[11.18,  0.  ]])
    """
    counts, n_dims = moments.counts, moments.means.shape[1]
    n_classes, total = int(np.count_nonzero(counts)), float(counts.sum())
    most = most_directions(moments)
    if not 1 <= dim <= most:
        raise ConfigError(
            f"an LDA to {dim} dimensions of frames of {n_dims} in {n_classes} classes; expected 1 to {most}: there are "
            "no more than dimensions, and than classes less one"
        )
    pseudo = float(n_dims) if prior_count is None else prior_count
    if not (np.isfinite(pseudo) and pseudo >= 0):
        raise ConfigError(f"prior_count {pseudo:g}; expected a number of frames, 0 or more")
    variances = np.diag(moments.within) / total
    flat = np.flatnonzero(~varying(moments))
    if len(flat):
        raise FitError(
            f"dimension {flat[0]} does not vary within any class, so an LDA would divide by 0; drop the dimension, or "
            "give more than one frame per class"
        )
    # In units of each dimension's standard deviation, so that the eigenvalues can be compared with rounding.
    deviations = np.sqrt(variances)
    within = moments.within / total / np.outer(deviations, deviations)
    within = (total * within + pseudo * np.eye(n_dims)) / (total + pseudo)
    values, vectors = np.linalg.eigh(within)
    if values[0] <= n_dims * np.finfo(np.float64).eps * values[-1]:
        raise FitError(
            f"{total:.0f} frames of {n_dims} dimensions have a singular within-class covariance; give more audio, drop "
            "dimensions that follow from others, or set prior_count above 0"
        )
    whitening = (vectors / np.sqrt(values)) @ vectors.T / deviations  # (D, D), of x - mean
    mean = counts @ moments.means / total
    centred = (moments.means - mean) @ whitening.T * np.sqrt(counts / total)[:, None]
    # The right singular vectors of (C, D) are the eigenvectors of the between-class scatter, without squaring it.
    directions = np.linalg.svd(centred, full_matrices=False)[2][:dim]
    matrix = directions @ whitening
    matrix *= np.sign(matrix[np.arange(dim), np.abs(matrix).argmax(axis=1)])[:, None]
    return LinearTransform(matrix, -matrix @ mean)


def varying(moments: ClassMoments) -> NDArray[np.bool_]:
    """(D,) whether a dimension varies within any class.

    A standard deviation below a millionth of the mean is float32 rounding, as for normalisation.

    >>> varying(class_moments(np.array([[1.0, 2.0], [3.0, 2.0]]), [0, 0], 1)).tolist()
    [True, False]
    """
    variances = np.diag(moments.within) / max(float(moments.counts.sum()), 1.0)
    return np.asarray(variances > 1e-12 * np.square(moments.means).max(axis=0))


def most_directions(moments: ClassMoments) -> int:
    """How many directions an LDA of these moments can have: the dimensions, or the classes with frames less one.

    >>> most_directions(class_moments(np.eye(5), [0, 0, 1, 1, 3], 4))
    2
    """
    return min(int(moments.means.shape[1]), int(np.count_nonzero(moments.counts)) - 1)


def whitening(moments: ClassMoments, dim: int) -> LinearTransform:
    """The `dim` directions of most variance, uncorrelated, each scaled to variance 1 about a mean of 0.

    Principal components of all frames, whatever their classes (Hotelling 1933; scikit-learn's ``PCA(whiten=True)`` up
    to sign and its divisor N - 1). A mixture of diagonal covariances in these directions sees correlations of the
    frames that it could not see in their own dimensions. A row's largest entry is positive.

    Raises `ConfigError` for more directions than dimensions, `FitError` where that many do not vary.

    >>> frames = np.array([[0.0, 0.0], [2.0, 2.0], [0.0, 1.0], [2.0, 1.0]])
    >>> found = whitening(class_moments(frames, [0, 0, 0, 0], 1), dim=2)
    >>> np.cov(found.apply(frames).T, bias=True).round(6) + 0.0
    array([[1., 0.],
           [0., 1.]])
    """
    total = float(moments.counts.sum())
    n_dims = moments.means.shape[1]
    if not 1 <= dim <= n_dims:
        raise ConfigError(
            f"features.transform.dim is {dim} for frames of {n_dims} dimensions (with those spliced); expected 1 to "
            f"{n_dims}"
        )
    mean = moments.counts @ moments.means / total
    offsets = (moments.means - mean) * np.sqrt(moments.counts)[:, None]
    values, vectors = np.linalg.eigh((moments.within + offsets.T @ offsets) / total)
    values, directions = values[::-1][:dim], vectors.T[::-1][:dim]
    # Below this share of the largest a variance is rounding: float32 frames have 2**-24 of their standard deviation.
    flat = int((values <= 1e-11 * values[0]).sum())
    if flat or not values[0] > 0:
        raise FitError(
            f"{flat or dim} of {dim} directions do not vary in {total:.0f} frames; set features.transform.dim to at "
            f"most {max(dim - flat, 1)}, or drop dimensions that follow from others"
        )
    matrix = directions / np.sqrt(values)[:, None]
    matrix *= np.sign(matrix[np.arange(dim), np.abs(matrix).argmax(axis=1)])[:, None]
    return LinearTransform(matrix, -matrix @ mean)
