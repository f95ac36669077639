"""Where EM starts from, by scikit-learn's names: ``init_params``, ``means_init`` and the like.

Owns the starts that the package itself has no use for: random posteriors, and seeds of k-means++ without k-means.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.gmm.frames import CHUNK, FrameSource, Mapper, moments
from speechgmm.gmm.full_model import AnyGMM
from speechgmm.gmm.init import initial_model, subsample_size
from speechgmm.gmm.kmeans import LEAST, greedy_seeds
from speechgmm.gmm.model import DiagGMM
from speechgmm.gmm.options import Start
from speechgmm.gmm.prior import ConjugatePrior
from speechgmm.gmm.stats import GMMStats
from speechgmm.sklearn.covariances import covariance_shape, covariances_of, model_of

Floats = NDArray[np.float64]

OF_PACKAGE: Final[dict[str, Start]] = {"kmeans": "kmeans++", "random_from_data": "random", "split": "split"}
"""``init_params`` -> the package's name of the same start."""

INIT_PARAMS: Final = (*OF_PACKAGE, "k-means++", "random")


@dataclass(frozen=True, slots=True, eq=False)
class GivenStart:
    """What the user gives of a start; None: it is estimated from the rows."""

    weights: Floats | None  # (K,)
    means: Floats | None  # (K, D)
    covariances: Floats | None  # in scikit-learn's shape
    covariance_type: str = "diag"

    @classmethod
    def of(
        cls,
        weights: ArrayLike | None,
        means: ArrayLike | None,
        precisions: ArrayLike | None,
        shape: tuple[int, int],
        covariance_type: str = "diag",
    ) -> "GivenStart":
        """From ``weights_init``, ``means_init`` and ``precisions_init``, for a mixture of shape (K, D).

        Raises:
            ValueError: The message names the parameter.

        >>> GivenStart.of(None, None, [[4.0]], (1, 1)).covariances
        array([[0.25]])
        """
        shares = _checked("weights_init", weights, shape[:1])
        if shares is not None and ((shares < 0).any() or abs(shares.sum() - 1) > 1e-6):
            raise ValueError(f"weights_init has sum {shares.sum():g}, least {shares.min():g}; expected sum 1, least 0")
        sharpness = _checked("precisions_init", precisions, covariance_shape(covariance_type, *shape))
        spread = None if sharpness is None else covariances_of(sharpness, covariance_type)
        return cls(shares, _checked("means_init", means, shape), spread, covariance_type)

    @property
    def whole(self) -> AnyGMM | None:
        """The mixture, if all of it is given, so that rows have nothing to say."""
        if self.weights is None or self.means is None or self.covariances is None:
            return None
        return model_of(self.weights, self.means, self.covariances, self.covariance_type)

    def over(self, model: DiagGMM) -> AnyGMM:
        """The mixture with what is given in its place."""
        weights = model.weights if self.weights is None else self.weights
        means = model.means if self.means is None else self.means
        if self.covariances is None:
            return DiagGMM(weights, means, model.variances)
        return model_of(weights, means, self.covariances, self.covariance_type)


NOTHING_GIVEN: Final = GivenStart(None, None, None)


def _checked(name: str, value: ArrayLike | None, shape: tuple[int, ...]) -> Floats | None:
    if value is None:
        return None
    try:
        found = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name} is {value!r}; expected numbers of shape {shape}") from None
    if found.shape != shape:
        raise ValueError(f"{name} has shape {found.shape}; expected {shape}")
    if not np.isfinite(found).all():
        raise ValueError(f"{name} has a value that is NaN or infinite; expected finite numbers")
    return found


def start_of(
    source: FrameSource,
    n_components: int,
    init_params: str,
    given: GivenStart,
    rng: np.random.Generator,
    floor: ArrayLike,
    *,
    map: Mapper = map,
) -> AnyGMM:
    """A mixture to start EM from, with variances unless covariances are given; nothing is drawn where means are given.

    With means and without the rest, the components are equally heavy and as wide as the rows together.

    Raises:
        FitError: Fewer distinct rows than components.
    """
    if (whole := given.whole) is not None:
        return whole
    if given.means is not None:
        _, variance = moments(source, map=map)
        return given.over(_wide(given.means, np.maximum(variance, floor)))
    if init_params == "random":
        model = _random_posteriors(source, n_components, rng, floor)
    elif init_params == "k-means++":
        model = _seeds(source, n_components, rng, floor, map)
    else:
        method = OF_PACKAGE[init_params]
        model = initial_model(source, n_components, method=method, rng=rng, floor=floor, n_init=1, map=map)
    return given.over(model)


def _wide(means: NDArray[Any], variance: Floats) -> DiagGMM:
    n_components = len(means)
    return DiagGMM(np.full(n_components, 1 / n_components), means, np.tile(variance, (n_components, 1)))


def _seeds(source: FrameSource, n_components: int, rng: np.random.Generator, floor: ArrayLike, map: Mapper) -> DiagGMM:
    """Means are seeds of k-means++; the components are equally heavy and as wide as the rows together."""
    mean, variance = moments(source, map=map)
    chosen = np.sort(rng.permutation(len(source))[: subsample_size(n_components)])
    rows = source.rows(chosen, map=map).astype(np.float64)
    weights = np.ones(len(rows)) if source.weights is None else source.weights[chosen]
    points = (rows - mean) / np.where(variance > 0, np.sqrt(variance), 1.0)
    return _wide(rows[greedy_seeds(points, weights, n_components, rng)], np.maximum(variance, floor))


def _random_posteriors(source: FrameSource, n_components: int, rng: np.random.Generator, floor: ArrayLike) -> DiagGMM:
    """Every row is shared out among the components at random: they all lie near the mean, and differ little."""
    mean, variance = moments(source)
    shape = (n_components, source.n_features)
    counts, sums, squares = np.zeros(n_components), np.zeros(shape), np.zeros(shape)
    for stretch in source.stretches(CHUNK):
        rows, shares = stretch.load() - mean, rng.random((stretch.take, n_components))
        shares *= (stretch.shares() / shares.sum(axis=1))[:, None]
        counts += shares.sum(axis=0)
        sums += shares.T @ rows
        squares += shares.T @ rows**2
    stats = GMMStats(counts, sums, squares, 0.0, float(counts.sum()), mean)
    before = _wide(np.tile(mean, (n_components, 1)), np.where(variance > 0, variance, 1.0))
    return (ConjugatePrior.flat(*shape) + stats).mode(before, floor=np.maximum(LEAST * variance, floor))
