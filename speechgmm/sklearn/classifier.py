"""``GMMClassifier``: one mixture per class, for rows and for sequences of rows."""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.metrics import accuracy_score
from sklearn.utils import check_array
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted, validate_data

from speechgmm.gmm.full_e_step import FullStack
from speechgmm.gmm.full_model import FullGMM
from speechgmm.gmm.likelihoods import Stack
from speechgmm.gmm.model import DiagGMM
from speechgmm.gmm.predictive import PredictiveStack
from speechgmm.sklearn.adapted import MAPAdaptedGMM
from speechgmm.sklearn.base import FLOATS, Mixture, as_value_errors, check_above_zero, checked_weights, generator_of
from speechgmm.sklearn.bayesian import BayesianGaussianMixture
from speechgmm.sklearn.mixture import GaussianMixture
from speechgmm.sklearn.sequences import Sequences

Floats = NDArray[np.float64]


@dataclass(eq=False, repr=False)
class GMMClassifier(ClassifierMixin, BaseEstimator):
    """A classifier with one mixture per class.

    It predicts, for each row or sequence, the class with the highest log-likelihood plus log prior.

    Parameters
    ----------
    estimator : mixture, optional
        The estimator that is cloned and fitted for each class: a ``GaussianMixture`` (the default, with one component),
        a ``BayesianGaussianMixture``, a ``MAPAdaptedGMM``, or another estimator with ``fit`` and ``score_samples``. If
        ``background`` of a ``MAPAdaptedGMM`` is a number, one background model is trained on the rows of all classes.
    priors : array_like (C,), optional
        Prior probabilities of the classes, in sorted order; default: the classes' shares of the rows, or of the
        sequences.
    temperature : float, default 1
        Factor on the log-likelihood before the log prior is added. The rows of a recording are not independent, so its
        posteriors are overconfident; a factor below 1 makes them less so. With equal priors the factor changes no
        decision.
    random_state : int, RandomState or None
        Seed of the random draws of all mixtures. Default: the ``random_state`` of the estimator.
    n_jobs : int, optional
        Number of classes that are fitted in parallel, as in scikit-learn.

    Attributes
    ----------
    classes_ : ndarray (C,)
        The labels.
    mixtures_ : list of C estimators
        The fitted mixtures.
    class_prior_ : ndarray (C,)
        The prior probabilities of the classes.
    n_features_in_, feature_names_in_
        Number of columns in ``fit``, and their names if all are strings.

    Notes
    -----
    Every method takes rows in one of three ways:

    - an array (N, D): each row is a sample, with its label in ``y`` (N,);
    - an array (N, D) with ``groups`` (N,): the rows of a group are one sequence, with one label; results are one for
      each group, in the order of ``np.unique(groups)``;
    - a list of arrays (T, D): each is one sequence, with its label in ``y`` (S,). This way goes through
      cross-validation, whose splits then keep sequences whole.

    The log-likelihood of a sequence is the sum over its rows.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = [rng.normal(mean, size=(20, 3)) for mean in (0, 0, 0.5, 0.5)]
    >>> y = ["low", "low", "high", "high"]
    >>> GMMClassifier(GaussianMixture(2, random_state=0, max_iter=500)).fit(X, y).predict([X[0], X[3]])
    array(['low', 'high'], dtype='<U4')
    """

    estimator: Any = None
    _: KW_ONLY
    priors: ArrayLike | None = None
    temperature: float = 1.0
    random_state: Any = None
    n_jobs: int | None = None

    def fit(
        self, X: Any, y: ArrayLike, groups: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Fit a mixture to the rows of each class.

        Parameters
        ----------
        X : array_like (N, D) or list of array_like (T, D)
            Rows, or sequences of rows.
        y : array_like (N,), or (S,) of a list
            Labels.
        groups : array_like (N,), optional
            The sequence of each row: the priors then count sequences.
        sample_weight : array_like (N,), or (S,) of a list, optional
            How many rows each one counts as; for a list, one number for all rows of each sequence. Default: 1.

        Returns
        -------
        GMMClassifier
            Itself.

        Raises
        ------
        ValueError
            Rows or parameters that cannot be used; a class with too few rows for its mixture (the message names it); a
            group with two labels.
        TypeError
            A sparse matrix.
        """
        if y is None:
            raise ValueError("GMMClassifier requires y to be passed, but the target y is None")
        self._check_parameters()
        sequences = Sequences.of(X, groups)
        labels = sequences.to_rows(y, "y")
        rows, labels = validate_data(self, sequences.rows, labels, dtype=list(FLOATS))
        check_classification_targets(labels)
        weights = checked_weights(sequences.to_rows(sample_weight, "sample_weight"), len(rows))
        self._set_priors(sequences, labels, weights)
        template = self._template(rows, weights)
        self.mixtures_ = Parallel(n_jobs=self.n_jobs)(
            delayed(_fitted)(
                template, label, rows[labels == label], None if weights is None else weights[labels == label]
            )
            for label in self.classes_
        )
        return self

    def _set_priors(self, sequences: Sequences, labels: NDArray[Any], weights: Floats | None) -> None:
        of_sequences = sequences.labels(labels)
        shares = sequences.means(np.ones(len(labels)) if weights is None else weights)
        if (shares < 0).any():
            raise ValueError(f"sample_weight has the value {shares.min():g}; expected 0 or more")
        counted = shares > 0  # a class without weight is none
        self.classes_, numbers = np.unique(of_sequences[counted], return_inverse=True)
        counts = np.bincount(numbers, shares[counted])
        self.class_prior_ = counts / counts.sum()
        if self.priors is not None:
            priors: Floats = check_array(self.priors, ensure_2d=False, dtype=np.float64, input_name="priors")
            if priors.shape != counts.shape or (priors < 0).any() or abs(priors.sum() - 1) > 1e-6:
                raise ValueError(f"priors is {self.priors!r}; expected {len(counts)} numbers, 0 or more, with sum 1")
            self.class_prior_ = priors

    def _template(self, rows: NDArray[Any], weights: Floats | None) -> Any:
        """What is cloned for each class; with the background model that they share."""
        template = GaussianMixture() if self.estimator is None else self.estimator
        if isinstance(template, type) or not callable(getattr(template, "score_samples", None)):
            raise ValueError(f"estimator is {template!r}; expected a mixture, or an estimator with score_samples")
        template = clone(template)
        if self.random_state is not None:
            seed = int(generator_of(self.random_state).integers(np.iinfo(np.int32).max))
            names = [name for name in template.get_params() if name.rpartition("__")[2] == "random_state"]
            template.set_params(**dict.fromkeys(names, seed))
        if isinstance(template, MAPAdaptedGMM) and isinstance(template.background, Integral):
            template.set_params(background=template.background_model(rows, weights))
        return template

    def joint_log_likelihoods(self, X: Any, groups: ArrayLike | None = None) -> Floats:
        """Temperature times the log-likelihood of each row or sequence under each class, plus log prior: (S, C) nats.

        Raises:
            ValueError: Rows that cannot be used, or that have no finite log-likelihood under any class.
        """
        check_is_fitted(self)
        sequences = Sequences.of(X, groups)
        rows = validate_data(self, sequences.rows, dtype=list(FLOATS), reset=False)
        with as_value_errors():
            scores = sequences.sums(self._scorer(), rows, len(self.classes_))
        lost = np.flatnonzero(np.isnan(scores).any(axis=1) | np.isneginf(scores).all(axis=1))
        if len(lost):
            what = f"row {lost[0]}" if sequences.owners is None else f"sequence {lost[0]}"
            raise ValueError(
                f"{what} has no finite log-likelihood under any class; expected rows in the units that the "
                "classes were fitted in"
            )
        with np.errstate(divide="ignore"):
            joint: Floats = self.temperature * scores + np.log(self.class_prior_)
        return joint

    def _scorer(self) -> Callable[[NDArray[Any]], Floats]:
        """Log density (C, n) of rows (n, D) under each class, in nats."""
        mixtures = self.mixtures_
        if all(isinstance(mixture, BayesianGaussianMixture) for mixture in mixtures):
            return PredictiveStack.of([mixture.posterior_ for mixture in mixtures]).log_likelihoods
        if all(isinstance(mixture, Mixture) for mixture in mixtures):
            models = [mixture.model_ for mixture in mixtures]
            if all(isinstance(model, DiagGMM) for model in models):
                return Stack.of(models, precision="float64").log_likelihoods
            if all(isinstance(model, FullGMM) for model in models):
                return FullStack.of(models).log_likelihoods
        return lambda rows: np.stack([mixture.score_samples(rows) for mixture in mixtures])

    def decision_function(self, X: Any, groups: ArrayLike | None = None) -> Floats:
        """``joint_log_likelihoods`` (S, C), nats; for two classes that of the second minus that of the first, (S,)."""
        joint = self.joint_log_likelihoods(X, groups)
        return joint[:, 1] - joint[:, 0] if len(self.classes_) == 2 else joint

    def predict_log_proba(self, X: Any, groups: ArrayLike | None = None) -> Floats:
        """Log posteriors (S, C) of the classes, in nats."""
        joint = self.joint_log_likelihoods(X, groups)
        joint -= joint.max(axis=1, keepdims=True)
        found: Floats = joint - np.log(np.exp(joint).sum(axis=1, keepdims=True))
        return found

    def predict_proba(self, X: Any, groups: ArrayLike | None = None) -> Floats:
        """Posteriors (S, C) of the classes; rows sum to one."""
        found: Floats = np.exp(self.predict_log_proba(X, groups))
        return found

    def predict(self, X: Any, groups: ArrayLike | None = None) -> NDArray[Any]:
        """The label (S,) of the class with the highest posterior, for each row or sequence."""
        best = self.joint_log_likelihoods(X, groups).argmax(axis=1)
        found: NDArray[Any] = self.classes_[best]
        return found

    def score(
        self, X: Any, y: ArrayLike, groups: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> float:
        """Accuracy: the share of rows or sequences predicted correctly. ``y`` and ``sample_weight`` as in ``fit``."""
        predicted = self.predict(X, groups)
        sequences = Sequences.of(X, groups)
        labels = sequences.labels(np.asarray(sequences.to_rows(y, "y")))
        weights = sequences.to_rows(sample_weight, "sample_weight")
        shares = None if weights is None else sequences.means(np.asarray(weights, np.float64))
        return float(accuracy_score(labels, predicted, sample_weight=shares))

    def _check_parameters(self) -> None:
        check_above_zero("temperature", self.temperature)


def _fitted(template: Any, label: object, rows: NDArray[Any], weights: Floats | None) -> Any:
    mixture = clone(template)
    try:
        return mixture.fit(rows) if weights is None else mixture.fit(rows, sample_weight=weights)
    except ValueError as error:
        raise ValueError(f"class {label}: {error}") from error
