"""One mixture per class, and the scores of frames under all of them.

Owns what a set of class models must satisfy, and what posteriors, decisions and raw scores of claims are made of.
Refuses files. Verification derives models with a cohort from these (``tasks/verification/models.py``).
"""

from collections import Counter
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import DataError, ShapeError, first_few
from speechgmm.gmm.bayesian import BayesianGMM
from speechgmm.gmm.full_model import AnyGMM, only_diagonal
from speechgmm.gmm.likelihoods import Space, Stack, frame_means
from speechgmm.gmm.model import DiagGMM
from speechgmm.gmm.predictive import PredictiveStack
from speechgmm.gmm.stacks import AnyStack, stack_of
from speechgmm.gmm.top_components import TopStack
from speechgmm.moved import from_new_place
from speechgmm.tasks.classification.claim_scores import ClaimScores as ClaimScores

Floats = NDArray[np.float64]
Recordings = Sequence[ArrayLike]  # frames (T, D) of each
_MOVED = dict.fromkeys(("ClaimModels", "Cohort", "Method"), "speechgmm.tasks.verification.models")


@dataclass(frozen=True, slots=True, eq=False)
class ClassModels:
    """One mixture per class, in one feature space.

    Class posteriors are softmax(``temperature`` * log-likelihood + ``log_priors``) (see ``fit_temperature``).
    With ``bayesian``, posteriors over the parameters of each mixture, frames are scored by their predictive densities.

    >>> low, high = (DiagGMM(np.ones(1), np.array([[mean]]), np.ones((1, 1))) for mean in (0.0, 9.0))
    >>> ClassModels(("low", "high"), (low, high), np.log([0.5, 0.5])).classify([[8.0], [7.5]])
    'high'

    Raises
    ------
    DataError
        No classes, or a label twice; ``top_components`` without ``ubm``; ``bayesian`` together with ``ubm``.
    ShapeError
        The numbers of labels, models and priors differ; models have different dimensions; priors do not sum to one;
        the temperature is negative or not finite; the background model has fewer than ``top_components``.
    """

    labels: tuple[str, ...]  # C names, all different
    models: tuple[AnyGMM, ...]  # C mixtures, of any size each, with covariances of one form
    log_priors: Floats  # (C,), nats
    temperature: float | None = None  # times total log-likelihood; 0: scores say nothing
    ubm: DiagGMM | None = None  # the background model they were adapted from
    top_components: int | None = None  # of the background model, that score a frame; None: all are summed over
    bayesian: tuple[BayesianGMM, ...] | None = None  # C, over the mixtures of each class; None: these are points
    # The classes, then other models; with top_components, the background model before them.
    _stack: AnyStack = field(init=False, repr=False)
    _background: Stack | None = field(init=False, repr=False)  # where it is not in the stack

    def __new__(cls, *_: Any, **settings: Any) -> Self:
        """With a ``method`` or ``cohort``, which were settings of this class: the models of claims, which have them."""
        if cls is ClassModels and not settings.keys().isdisjoint(("method", "cohort")):
            cls = from_new_place(__name__, "ClaimModels", _MOVED)
        return object.__new__(cls)

    def __post_init__(self) -> None:
        labels, models = tuple(self.labels), tuple(self.models)
        if not labels:
            raise DataError("class models without a class; expected at least one")
        twice = sorted(label for label, count in Counter(labels).items() if count > 1)
        if twice:
            raise DataError(f"label {twice[0]!r} is there twice; expected every class once")
        log_priors = np.array(self.log_priors, dtype=np.float64)
        log_priors.flags.writeable = False
        if len(models) != len(labels) or log_priors.shape != (len(labels),):
            raise ShapeError(
                f"{len(labels)} labels, {len(models)} models and priors of shape {log_priors.shape}; "
                "expected as many of each"
            )
        every = (*models, *self._others())
        space = every if self.ubm is None else (*every, self.ubm)
        sizes = sorted({model.n_features for model in space})
        if len(sizes) > 1:
            raise ShapeError(f"models of {' and '.join(map(str, sizes))} dimensions; expected one feature space")
        if not abs(np.exp(log_priors).sum() - 1) < 1e-6:
            raise ShapeError(f"class priors that sum to {np.exp(log_priors).sum():g}; expected 1 (their logarithms)")
        if self.temperature is not None and not 0 <= self.temperature < np.inf:
            raise ShapeError(f"temperature {self.temperature:g}; expected a finite factor, 0 or more")
        stack: AnyStack
        background = None
        if self.bayesian is not None:
            _check_posteriors(self.bayesian, models, self.ubm)
        if self.top_components is not None:
            if self.ubm is None:
                raise DataError("top_components for models without a background model; leave it out, or use adapt: map")
            stack = TopStack.of(self.ubm, only_diagonal(every, "top_components"), self.top_components)
        elif self.bayesian is not None:
            stack = PredictiveStack.of(self.bayesian)
        else:
            around = None if self.ubm is None else Space.of(only_diagonal(space, "models beside a background model"))
            stack = stack_of(every, space=around)
            background = None if self.ubm is None else Stack.of([self.ubm], space=around)
        derived = {"labels": labels, "models": models, "log_priors": log_priors}
        for name, value in (derived | {"_stack": stack, "_background": background}).items():
            object.__setattr__(self, name, value)

    def _others(self) -> tuple[DiagGMM, ...]:
        """Models that are scored after the classes."""
        return ()

    def more(self) -> tuple[dict[str, Any], dict[str, Floats]]:
        """What a model file contains in addition to the classes: entries of the header, and tensors."""
        return {}, {}

    def suited_to(self, n_frames: int) -> Self:
        """The same models; compiled loops score the frames where this is faster for ``n_frames`` in total.

        Give the frames of all workers together, not of one: compiled loops and numpy differ by rounding errors.
        """
        suited = copy(self)
        if isinstance(self._stack, Stack):
            object.__setattr__(suited, "_stack", self._stack.suited_to(n_frames))
        return suited

    def mean_log_likelihoods(self, frames: ArrayLike) -> Floats:
        """Mean log-likelihood of frames (T, D) under every class: (C,) nats per frame.

        Raises
        ------
        ShapeError
            The frames are not (T, D) with the D of the models.
        DataError
            There are no frames, or a value is NaN or infinite.
        """
        means = frame_means(self._stack.log_likelihoods(frames))
        return (means if self.top_components is None else means[1:])[: len(self.labels)]

    def mean_log_likelihood_ratios(self, frames: ArrayLike) -> Floats:
        """Mean log-likelihood under every class minus that under the background model, (C,) nats per frame.

        The ratios are not calibrated (Reynolds et al. 2000, eq. 5). With ``top_components``, the likelihoods of the
        class and of the background model are summed over the same components.

        >>> ubm, ann = (DiagGMM(np.ones(1), np.array([[mean]]), np.ones((1, 1))) for mean in (0.0, 2.0))
        >>> ClassModels(("ann",), (ann,), np.zeros(1), ubm=ubm).mean_log_likelihood_ratios([[2.0], [2.0]])
        array([2.])

        Raises
        ------
        DataError
            There is no background model, or the frames are refused by ``mean_log_likelihoods``.
        """
        return self._ratios(frames)[: len(self.labels)]

    def raw_scores(self, recordings: Sequence[ArrayLike]) -> Floats:
        """Scores (C, N) in nats per frame of N recordings, frames (T, D) each, against the claim of each class.

        Raises the errors of ``mean_log_likelihood_ratios``.
        """
        return np.stack([self._ratios(frames) for frames in recordings], axis=1)

    def claim_scores(self, recordings: Sequence[ArrayLike]) -> ClaimScores:
        """The ``raw_scores`` of recordings, frames (T, D) each, as scores of claims without normalisation."""
        raw = self.raw_scores(recordings)
        return ClaimScores(raw, raw, None)

    def _ratios(self, frames: ArrayLike) -> Floats:
        """(C+K,) nats per frame: of the classes, then of the other models."""
        if self.ubm is None:
            raise DataError("these models have no background model to score a claim against; train with adapt: map")
        means, background = frame_means(self._stack.log_likelihoods(frames)), self._background
        return means[1:] - means[0] if background is None else means - frame_means(background.log_likelihoods(frames))

    def only(self, label: str) -> Self:
        """The models with the class ``label`` only; `DataError` where there is no such class."""
        if label not in self.labels:
            raise DataError(f"no class {label!r}; the models are of {first_few(self.labels, 10)}")
        number = self.labels.index(label)
        bayesian = None if self.bayesian is None else (self.bayesian[number],)
        models = (self.models[number],)
        return replace(
            self, labels=(label,), models=models, log_priors=np.zeros(1), bayesian=bayesian, **self._only(number)
        )

    def _only(self, number: int) -> dict[str, Any]:
        """Further fields, for one of the classes by itself."""
        return {}

    @property
    def norm_by_recordings(self) -> str | None:
        """The score normalisation, if it needs recordings of a cohort for every class; None: it needs none."""
        return None

    def with_class(
        self, label: str, model: AnyGMM, posterior: BayesianGMM | None, recordings: Recordings, parts: Recordings = ()
    ) -> Self:
        """The models with one more class; ``posterior`` is needed where the other classes have one.

        The prior of the new class is the mean of the other priors. ``recordings`` are the frames (T, D) of cohort
        recordings, where ``norm_by_recordings`` needs them; ``parts`` are the frames of recordings of the new class.
        """
        priors = np.exp(self.log_priors)
        priors = np.append(priors, priors.mean())
        return replace(
            self,
            labels=(*self.labels, label),
            models=(*self.models, model),
            log_priors=np.log(priors / priors.sum()),
            bayesian=self.bayesian if posterior is None else (*(self.bayesian or ()), posterior),
            **self._measured(None, model, recordings, parts),
        )

    def with_model(
        self, number: int, model: AnyGMM, recordings: Recordings, parts: Recordings = (), keep: float = 1.0
    ) -> Self:
        """The models with another model for class ``number``; ``recordings`` and ``parts``: see ``with_class``.

        ``keep`` is the weight of the earlier data of the class, from 0 to 1.
        """
        models = tuple(model if n == number else one for n, one in enumerate(self.models))
        return replace(self, models=models, **self._measured(number, model, recordings, parts, keep))

    def _measured(
        self, number: int | None, model: AnyGMM, recordings: Recordings, parts: Recordings, keep: float = 1.0
    ) -> dict[str, Any]:
        """Further fields, measured anew for the model of class ``number``; None: of one more class."""
        return {}

    def winner(self, mean_log_likelihoods: ArrayLike, n_frames: int) -> int:
        """The number of the predicted class, from mean log-likelihoods (C,) in nats per frame over ``n_frames``.

        With a temperature, the class with the highest posterior is predicted, so that priors count; without one, the
        class with the highest likelihood. The likelihood decides between classes with equal posteriors.

        Raises
        ------
        ShapeError
            There is not one value per class, or ``n_frames`` is below 1.
        DataError
            A value is NaN.
        """
        means = self._checked_means(mean_log_likelihoods, n_frames)
        if self.temperature is None:
            return int(means.argmax())
        scores = self.temperature * n_frames * means + self.log_priors
        return int(np.where(scores == scores.max(), means, -np.inf).argmax())

    def classify(self, frames: ArrayLike) -> str:
        """The predicted label of frames (T, D), by ``winner``. Raises the errors of ``mean_log_likelihoods``."""
        return self.labels[self.winner(self.mean_log_likelihoods(frames), len(np.asarray(frames)))]

    def posteriors(self, mean_log_likelihoods: ArrayLike, n_frames: int) -> Floats:
        """Class posteriors (C,) of a recording, from its mean log-likelihoods (C,) in nats per frame over ``n_frames``.

        They are softmax(beta * n_frames * mean_log_likelihoods + log_priors), where beta is the ``temperature``. Frames
        are not independent: without beta nearly every posterior would be 0 or 1.

        >>> low, high = (DiagGMM(np.ones(1), np.array([[mean]]), np.ones((1, 1))) for mean in (0.0, 9.0))
        >>> models = ClassModels(("low", "high"), (low, high), np.log([0.5, 0.5]), temperature=0.1)
        >>> models.posteriors([-1.0, -2.0], n_frames=10).round(3)
        array([0.731, 0.269])

        Raises
        ------
        DataError
            The models have no temperature, or a value is NaN.
        ShapeError
            There is not one value per class, or ``n_frames`` is below 1.
        """
        if self.temperature is None:
            raise DataError("these models have no temperature, so they give no posteriors; fit one in training")
        means = self._checked_means(mean_log_likelihoods, n_frames)
        scores = self.temperature * n_frames * means + self.log_priors
        shares = np.exp(scores - scores.max())
        return np.asarray(shares / shares.sum())

    def _checked_means(self, mean_log_likelihoods: ArrayLike, n_frames: int) -> Floats:
        means = np.asarray(mean_log_likelihoods, dtype=np.float64)
        if means.shape != (len(self.labels),) or n_frames < 1:
            expected = f"expected ({len(self.labels)},) over at least one"
            raise ShapeError(f"log-likelihoods of shape {means.shape} over {n_frames} frames; {expected}")
        if np.isnan(means).any():
            raise DataError("a log-likelihood that is NaN; expected numbers, since NaN decides nothing")
        return means


def _check_posteriors(posteriors: Sequence[BayesianGMM], models: Sequence[AnyGMM], ubm: DiagGMM | None) -> None:
    """Raise where posteriors are not those of the models, or would be scored against what has none."""
    if ubm is not None:
        raise DataError("posteriors over mixtures beside a background model; leave out one of the two")
    shapes = [posterior.conjugate.means.shape for posterior in posteriors]
    if shapes != [model.means.shape for model in models]:
        raise ShapeError(f"posteriors of shapes {shapes}; expected those of the models, one for each")


def __getattr__(name: str) -> Any:
    return from_new_place(__name__, name, _MOVED)
