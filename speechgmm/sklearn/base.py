"""What the mixtures of this package share: checks of input, and what a fitted mixture says of rows.

Owns the way from scikit-learn's conventions to the package's own: rows are frames, ``random_state`` is a generator,
an error of the package is a ValueError. Refuses to estimate: each mixture has its own ``fit``.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from speechgmm.errors import SpeechGMMError
from speechgmm.gmm.density import assign, log_likelihoods, posteriors, sample
from speechgmm.gmm.full_model import AnyGMM
from speechgmm.gmm.model import DiagGMM, LogLinear
from speechgmm.gmm.options import LEAST_IN_FLOAT32, PrecisionChoice
from speechgmm.sklearn.covariances import arrays_of, model_of

Floats = NDArray[np.float64]
FLOATS: Final = (np.float64, np.float32)
"""Types of rows that are taken as they are; others become float64."""


@contextmanager
def as_value_errors() -> Iterator[None]:
    """Raise the package's own errors as ValueError, which is what scikit-learn's users expect.

    >>> from speechgmm.errors import FitError
    >>> with as_value_errors():
    ...     raise FitError("no frames")
    Traceback (most recent call last):
    ValueError: no frames
    """
    try:
        yield
    except SpeechGMMError as error:
        raise ValueError(with_parameter(str(error))) from error


def with_parameter(message: str) -> str:
    """A message of the package, with the name that estimators have for the floor of variances.

    >>> with_parameter("lower the floor")
    'lower the floor; in this estimator reg_covar is the floor'
    """
    return f"{message}; in this estimator reg_covar is the floor" if "floor" in message else message


def generator_of(random_state: Any) -> np.random.Generator:
    """The generator of a ``random_state``: of a number s that of ``fit_gmm(seed=s)``, else one that it draws.

    >>> generator_of(3).integers(100) == np.random.default_rng(3).integers(100)
    np.True_
    """
    if isinstance(random_state, Integral):
        return np.random.default_rng(int(random_state))
    return np.random.default_rng(check_random_state(random_state).randint(np.iinfo(np.int32).max))


def check_number(name: str, value: object, kind: type, least: float) -> None:
    """Raise ValueError for a parameter that is no number of this kind, or is below ``least``.

    >>> check_number("max_iter", -1, Integral, 0)
    Traceback (most recent call last):
    ValueError: max_iter is -1; expected a whole number, 0 or more
    """
    if isinstance(value, bool) or not isinstance(value, kind) or not value >= least:  # type: ignore[operator]
        what = "a whole number" if kind is Integral else "a number"
        raise ValueError(f"{name} is {value!r}; expected {what}, {least} or more")


def check_above_zero(name: str, value: object) -> None:
    """Raise ValueError for a parameter that is no finite number above 0.

    >>> check_above_zero("temperature", 0)
    Traceback (most recent call last):
    ValueError: temperature is 0; expected a number above 0
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not 0 < value < np.inf:
        raise ValueError(f"{name} is {value!r}; expected a number above 0")


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Raise ValueError for a parameter that is none of the choices."""
    if value not in choices:
        raise ValueError(f"{name} is {value!r}; expected one of {', '.join(choices)}")


def check_covariance_type(value: object) -> None:
    """Raise ValueError for covariances that the package does not have."""
    if value != "diag":
        raise ValueError(
            f"covariance_type is {value!r}; this estimator has diagonal covariances only: leave it out or set 'diag', "
            "or use GaussianMixture"
        )


def check_enough(n_rows: int, n_components: int) -> None:
    """Raise ValueError for fewer rows than components."""
    if n_rows < n_components:
        raise ValueError(
            f"{n_rows} rows for n_components = {n_components}; expected at least as many rows: give more, or take "
            "fewer components"
        )


def check_same_shape(fitted: AnyGMM, n_components: int, n_features: int, method: str) -> None:
    """Raise ValueError where ``method`` cannot go on from a fitted mixture: its components or columns are others."""
    if fitted.means.shape != (n_components, n_features):
        raise ValueError(
            f"{method} goes on from the fitted mixture of {fitted.n_components} components and {fitted.n_features} "
            f"columns, and n_components is {n_components} and there are {n_features} columns; fit a clone() instead"
        )


def checked_weights(sample_weight: ArrayLike | None, n_rows: int) -> Floats | None:
    """What each row counts, (N,) float64; None: each once.

    Raises:
        ValueError: No numbers, another shape, NaN.
    """
    if sample_weight is None:
        return None
    if np.asarray(sample_weight).ndim == 0:
        raise ValueError(f"sample_weight is {sample_weight!r}; expected ({n_rows},), one number for each row")
    weights: Floats = check_array(sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight")
    if weights.shape != (n_rows,):
        raise ValueError(f"sample_weight has shape {weights.shape}; expected ({n_rows},), one number for each row")
    if not weights.any():
        raise ValueError(f"sample_weight is zero for all {n_rows} rows; expected some above")
    return weights


def precision_of(precision: PrecisionChoice, rows: NDArray[Any]) -> PrecisionChoice:
    """The precision for these rows: "auto" is never less than theirs.

    >>> precision_of("auto", np.zeros((2, 1))), precision_of("auto", np.zeros((2, 1), np.float32))
    ('float64', 'auto')
    """
    return "float64" if precision == "auto" and rows.dtype == np.float64 else precision


def is_narrow(model: DiagGMM) -> bool:
    """Whether float32 would lose digits of a component, whose variance is a small share of the mixture's.

    >>> [is_narrow(DiagGMM([0.5, 0.5], [[0.0], [mean]], [[1.0], [1.0]])) for mean in (9.0, 90.0)]
    [False, True]
    """
    return bool((model.variances < LEAST_IN_FLOAT32 * model.overall_variance()).any())


class Mixture(DensityMixin, BaseEstimator):
    """A fitted mixture of Gaussians; the derived classes estimate it."""

    _least_rows: ClassVar[int] = 2  # that a fit needs
    covariance_type: str = "diag"
    random_state: Any
    weights_: Floats
    means_: Floats
    covariances_: Floats

    @property
    def model_(self) -> Any:
        """The mixture as the package's own ``DiagGMM``, or ``FullGMM`` with full and tied covariances.

        Raises:
            NotFittedError: Before ``fit``.
        """
        check_is_fitted(self)
        return model_of(self.weights_, self.means_, self.covariances_, self.covariance_type)

    def _set_model(self, model: AnyGMM) -> None:
        self.weights_, self.means_ = model.weights.copy(), model.means.copy()
        self.covariances_, self.precisions_, self.precisions_cholesky_ = arrays_of(model, self.covariance_type)

    def _validated(self, X: ArrayLike, *, reset: bool = False) -> NDArray[Any]:
        """Rows (N, D) in float32 or float64, finite. Raises ValueError, and TypeError for a sparse matrix."""
        if not reset:
            check_is_fitted(self)
        least = self._least_rows if reset else 1
        rows: NDArray[Any] = validate_data(self, X, dtype=list(FLOATS), reset=reset, ensure_min_samples=least)
        return rows

    def _components(self) -> AnyGMM | LogLinear:
        """What gives each row its component."""
        model: AnyGMM = self.model_
        return model

    def _log_likelihoods(self, rows: NDArray[Any]) -> Floats:
        """Log density (N,) of checked rows."""
        return log_likelihoods(self.model_, rows)

    def score_samples(self, X: ArrayLike) -> Floats:
        """Log density of every row.

        Parameters
        ----------
        X : array_like (N, D)
            Rows of finite numbers.

        Returns
        -------
        ndarray (N,)
            Log densities in nats.
        """
        rows = self._validated(X)
        with as_value_errors():
            return self._log_likelihoods(rows)

    def score(self, X: ArrayLike, y: object = None) -> float:
        """Mean log density of the rows (N, D), in nats per row; ``y`` is ignored."""
        return float(self.score_samples(X).mean())

    def predict_proba(self, X: ArrayLike) -> Floats:
        """Posterior probabilities (N, K) of the components, given rows (N, D)."""
        rows = self._validated(X)
        with as_value_errors():
            return posteriors(self._components(), rows, dtype=np.float64)

    def predict(self, X: ArrayLike) -> NDArray[np.intp]:
        """Number (N,) of the most probable component of every row (N, D)."""
        rows = self._validated(X)
        with as_value_errors():
            return assign(self._components(), rows)

    def sample(self, n_samples: int = 1) -> tuple[Floats, NDArray[np.intp]]:
        """Draw rows from the fitted mixture.

        Parameters
        ----------
        n_samples : int, default 1
            How many rows.

        Returns
        -------
        X : ndarray (n_samples, D)
            The rows, in random order. With a whole number as ``random_state``, each call gives the same rows.
        y : ndarray (n_samples,)
            The number of the component that each row was drawn from.

        Raises
        ------
        ValueError
            A number of rows below 1.
        """
        model = self.model_
        check_number("n_samples", n_samples, Integral, 1)
        return sample(model, int(n_samples), seed=generator_of(self.random_state))
