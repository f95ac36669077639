"""What all mixtures of a training set share: settings, least variances and prior, from the training split."""

import re
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from speechgmm.engine.class_sizes import KEY, refuse_too_few
from speechgmm.engine.job import Job
from speechgmm.engine.mixture_fit import MixtureTask
from speechgmm.errors import FitError, counted, first_few
from speechgmm.features import Moments
from speechgmm.gmm import BayesianGMM, ModelSpec
from speechgmm.gmm.component_count import DEFAULT_COMPONENTS


def shared_prior(spec: ModelSpec, mean: NDArray[np.float64], variance: NDArray[np.float64]) -> BayesianGMM | None:
    """The prior of all classes, from the training split's mean and variance; None where none is asked for."""
    if spec.estimator != "variational" or spec.prior_from is not None or spec.n_components == "auto":
        return None
    return BayesianGMM.around(
        mean,
        variance,
        DEFAULT_COMPONENTS if spec.n_components is None else spec.n_components,
        weight_prior=spec.weight_prior,
        concentration=spec.concentration,
        mean_frames=spec.mean_frames,
        variance_frames=spec.variance_frames,
        variance_share=spec.variance_share,
    )


def natural_order(label: str) -> tuple[tuple[int, str], ...]:
    """A sorting key that puts 2 before 10."""
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", label) if part)


def common_task(
    job: Job,
    counts: Mapping[str, int],
    parts: Sequence[Moments],
    background: Sequence[Moments] = (),
    key: str = KEY,
) -> MixtureTask:
    """What all classes share: settings, and the floor.

    The floor is a share of the variance of the frames that the training begins with: those of the background model
    where it has recordings of its own (``background``), else those of the whole training split. A background model and
    a class adapted from it are therefore the same whoever else is enrolled. ``counts`` are the frames of each class,
    and ``key`` is where their number of components is set.
    """
    config = job.experiment.config
    if config.model.adapt == "none" and config.model.prior_from is None:
        refuse_too_few(config.model, counts, len(parts[0].means), key)
    total, variance = variance_of(job, parts, "training")
    begun_with = variance_of(job, background, "background")[1] if background else variance
    return MixtureTask(
        label="",
        pieces=(),
        spec=config.model,
        floor=config.model.variance_floor * begun_with,
        seed=config.seed,
        ubm=None,
        folder=job.cache / "models",
        prior=shared_prior(config.model, total.means, variance),
    )


def variance_of(job: Job, parts: Sequence[Moments], what: str) -> tuple[Moments, NDArray[np.float64]]:
    """The moments of all parts together, and the variance (D,).

    A network's vectors may have dead dimensions. They get the mean variance of the others, in every model alike, so
    that they tell no class from another. Raises FitError where no dimension varies, or one of frames computed here.
    """
    total: Moments = parts[0]
    for part in parts[1:]:
        total = total + part
    if not total.count:
        raise FitError(f"the {what} recordings have no frames; expected some in which somebody speaks with voice")
    variance = total.scatter / total.count
    # Below this share of the mean a deviation is float32 rounding: the dimension has one value.
    constant = np.flatnonzero(np.sqrt(variance) <= 1e-6 * np.maximum(1, np.abs(total.means)))
    if not len(constant):
        return total, variance
    said = (
        f"{counted(len(constant), 'feature dimension has', 'feature dimensions have')} one value in all {total.count} "
        f"{what} frames ({first_few(constant.tolist(), 10)})"
    )
    if not job.audio.is_given or len(constant) == len(variance):
        raise FitError(
            f"{said}: nothing to model there; is every recording the same, or is cmvn: utterance used on recordings of "
            "one frame?"
        )
    job.console.warn(f"{said}; they tell no class from another")
    variance[constant] = np.delete(variance, constant).mean()
    return total, variance
