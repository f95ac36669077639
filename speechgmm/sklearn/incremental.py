"""``partial_fit`` of a mixture: rows that come in pieces, each seen once and let go.

Owns where online EM begins and what it leaves in the estimator. Refuses weights, which online EM does not have.
"""

from numbers import Integral, Real
from typing import Any, Self

from numpy.typing import ArrayLike, NDArray
from sklearn.utils.metaestimators import available_if

from speechgmm.gmm.density import log_likelihoods
from speechgmm.gmm.families import COVARIANCES
from speechgmm.gmm.frames import as_source
from speechgmm.gmm.model import DiagGMM
from speechgmm.gmm.online import OnlineEM
from speechgmm.gmm.options import PrecisionChoice
from speechgmm.sklearn.base import (
    Mixture,
    as_value_errors,
    check_choice,
    check_enough,
    check_number,
    check_same_shape,
    generator_of,
    precision_of,
)
from speechgmm.sklearn.starts import INIT_PARAMS, GivenStart, start_of


def _is_diagonal(mixture: Any) -> bool:
    """Raise AttributeError where online EM does not have the covariances."""
    if mixture.covariance_type != "diag":
        raise AttributeError(
            f"partial_fit is for covariance_type 'diag', and this is {mixture.covariance_type!r}; fit all rows at once"
        )
    return True


class IncrementalMixture(Mixture):
    """A mixture that can be fitted to rows in pieces; its start and its parameters are ``GaussianMixture``'s."""

    n_components: int
    covariance_type: str
    reg_covar: float
    init_params: str
    weights_init: ArrayLike | None
    means_init: ArrayLike | None
    precisions_init: ArrayLike | None
    precision: PrecisionChoice
    n_samples_seen_: float
    n_iter_: int
    lower_bounds_: list[float]
    _online: OnlineEM | None  # None, or not there: partial_fit was not called since fit

    @available_if(_is_diagonal)  # type: ignore[untyped-decorator]
    def partial_fit(self, X: ArrayLike, y: object = None) -> Self:
        """Take one step of online EM with more rows (Cappé & Moulines 2009). The rows are not kept.

        The first call makes a start from its rows, by ``init_params``; it needs some hundred rows for each component. A
        call after ``fit`` continues from the fitted mixture. ``tol``, ``max_iter`` and ``n_init`` have no effect.

        Parameters
        ----------
        X : array_like (N, D)
            Any number of rows.
        y : None
            Ignored.

        Returns
        -------
        GaussianMixture
            Itself. ``lower_bound_`` is for the rows of this call; ``n_samples_seen_`` counts all rows so far.

        Raises
        ------
        ValueError
            Rows or parameters that ``fit`` refuses; another number of columns or components than before.

        See Also
        --------
        speechgmm.OnlineEM : The same without scikit-learn.

        Examples
        --------
        >>> import numpy as np
        >>> from speechgmm.sklearn import GaussianMixture
        >>> rng = np.random.default_rng(0)
        >>> mixture = GaussianMixture(2, random_state=0)
        >>> for _ in range(5):
        ...     mixture = mixture.partial_fit(rng.normal(size=(1000, 2)))
        >>> mixture.n_samples_seen_
        5000.0
        """
        self._check_parameters()
        first = "weights_" not in vars(self)
        rows = self._validated(X, reset=first)
        if not first:
            check_same_shape(self.model_, self.n_components, rows.shape[1], "partial_fit")
        with as_value_errors():
            online = self._begun(rows) if first else self._continued(rows)
            model = online.finish()
            self._set_model(model)
            self.lower_bound_ = float(log_likelihoods(model, rows).mean())
        self._online, self.n_samples_seen_ = online, online.n_frames
        self.converged_, self.n_iter_ = False, (0 if first else self.n_iter_) + 1
        self.lower_bounds_ = [*([] if first else self.lower_bounds_), self.lower_bound_]
        return self

    def _begun(self, rows: NDArray[Any]) -> OnlineEM:
        """Online EM from a start; the rows that the start is made of count as seen."""
        check_enough(len(rows), self.n_components)
        given, rng = self._given(rows.shape[1]), generator_of(self.random_state)
        start: Any = start_of(as_source(rows), self.n_components, self.init_params, given, rng, self.reg_covar)
        if given.whole is None:
            return self._online_of(start, float(len(rows)), rows)
        online = self._online_of(start, 0.0, rows)
        online.partial_fit(rows)
        return online

    def _continued(self, rows: NDArray[Any]) -> OnlineEM:
        online: OnlineEM | None = vars(self).get("_online")
        if online is None:
            online = self._online_of(self.model_, self.n_samples_seen_, rows)
        online.partial_fit(rows)
        return online

    def _online_of(self, model: DiagGMM, n_seen: float, rows: NDArray[Any]) -> OnlineEM:
        precision = precision_of(self.precision, rows)
        return OnlineEM(model, floor=self.reg_covar, precision=precision, n_frames=n_seen)

    def _given(self, n_features: int) -> GivenStart:
        shape = (self.n_components, n_features)
        given = (self.weights_init, self.means_init, self.precisions_init)
        return GivenStart.of(*given, shape, self.covariance_type)

    def _check_parameters(self) -> None:
        """Raise ValueError for a parameter out of range."""
        check_choice("covariance_type", self.covariance_type, COVARIANCES)
        for name, kind, least in (
            ("n_components", Integral, 1),
            ("n_init", Integral, 1),
            ("verbose_interval", Integral, 1),
            ("max_iter", Integral, 0),
            ("tol", Real, 0),
            ("reg_covar", Real, 0),
        ):
            check_number(name, getattr(self, name), kind, least)
        check_choice("init_params", self.init_params, INIT_PARAMS)
