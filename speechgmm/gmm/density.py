"""The density of frames under one mixture, their posteriors and most probable components, and samples of the mixture.

For frames of any kind, be it speech, pixels or measurements: all that they need is an array and a mixture. Frames go
through in blocks, so that memory beside the result does not grow with them. float64 throughout: a frame far out keeps
its digits. Refuses to estimate, and frames that are NaN or infinite: neither is likely or not.

scikit-learn's names for the same: ``score_samples`` (``log_likelihoods``), ``predict_proba`` (``posteriors``),
``predict`` (``assign``) and ``sample``.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from speechgmm.errors import ConfigError, FitError
from speechgmm.gmm.frames import as_numbers
from speechgmm.gmm.full_model import FullGMM
from speechgmm.gmm.likelihoods import Space, check_dimensions, frame_blocks, log_sums
from speechgmm.gmm.model import DiagGMM, LogLinear
from speechgmm.keywords import own_keywords

Floats = NDArray[np.float64]
Density = DiagGMM | FullGMM | LogLinear


def log_likelihoods(model: Density, frames: ArrayLike) -> Floats:
    """Log density log p(x) of every frame (T, D) in nats: (T,) float64.

    A log density depends on the units of the frames, and may be above 0: for frames in millimetres it is D log 10 nats
    lower than for the same frames in centimetres. Compare it only between frames of the same features.

    >>> log_likelihoods(DiagGMM([1.0], [[0.0]], [[1.0]]), [[0.0], [1.0]]).round(4)
    array([-0.9189, -1.4189])

    Raises
    ------
    ShapeError
        Frames that are not (T, D), with D as in the mixture; values that are no numbers.
    FitError
        A frame that is NaN or infinite, or so far out that float64 cannot hold its distance squared.
    """
    found = np.empty(len(check_dimensions(as_numbers(frames), _shape(model)[1])))
    for part, scores in _scores(model, frames):
        log_sums(scores[None], out=found[None, part])
    return found


def posteriors(model: Density, frames: ArrayLike, *, dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """The posterior probability (T, K) of every component given every frame (T, D); rows sum to one.

    The posteriors are computed in float64 and returned as ``dtype``: for a million frames and six components, float32
    takes 24 MB. The errors are those of ``log_likelihoods``.

    >>> two = DiagGMM([0.5, 0.5], [[0.0], [4.0]], [[1.0], [1.0]])
    >>> posteriors(two, [[0.0], [2.0]]).round(4)
    array([[9.997e-01, 3.000e-04],
           [5.000e-01, 5.000e-01]], dtype=float32)
    """
    n_components, n_features = _shape(model)
    found = np.empty((len(check_dimensions(as_numbers(frames), n_features)), n_components), dtype)
    for part, scores in _scores(model, frames):
        scores -= scores.max(axis=0)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=0)
        found[part] = scores.T
    return found


def assign(model: Density, frames: ArrayLike) -> NDArray[np.intp]:
    """The number (T,) of the most probable component of every frame (T, D); the first of equally probable ones.

    The errors are those of ``log_likelihoods``.

    >>> assign(DiagGMM([0.5, 0.5], [[0.0], [4.0]], [[1.0], [1.0]]), [[1.0], [3.0]])
    array([0, 1])
    """
    found = np.empty(len(check_dimensions(as_numbers(frames), _shape(model)[1])), np.intp)
    for part, scores in _scores(model, frames):
        found[part] = scores.argmax(axis=0)
    return found


@own_keywords
def sample(
    model: DiagGMM | FullGMM, n_frames: int, *, seed: int | np.random.Generator = 0
) -> tuple[Floats, NDArray[np.intp]]:
    """Frames (n_frames, D) drawn from the mixture, in random order, and the component (n_frames,) of each.

    >>> frames, components = sample(DiagGMM([0.0, 1.0], [[0.0], [50.0]], [[1.0], [1.0]]), 3)
    >>> frames.shape, components
    ((3, 1), array([1, 1, 1]))

    Raises
    ------
    ConfigError
        A number of frames that is negative, or not a whole number.
    """
    if not isinstance(n_frames, (int, np.integer)) or n_frames < 0:
        raise ConfigError(f"{n_frames!r} frames to draw; expected a whole number, 0 or more")
    rng = np.random.default_rng(seed)
    components = rng.choice(model.n_components, size=n_frames, p=model.weights / model.weights.sum())
    noise = rng.standard_normal((n_frames, model.n_features))
    return model.means[components] + model.spread(noise, components), components


def _shape(model: Density) -> tuple[int, int]:
    """Components and dimensions, (K, D)."""
    n_components, n_features = (model.linear if isinstance(model, LogLinear) else model.means).shape
    return n_components, n_features


def _scorer(model: Density) -> Callable[[NDArray[Any]], Floats]:
    """What gives log p(k, x) (K, T) of frames (T, D)."""
    if isinstance(model, FullGMM):
        whitened = model.whitened()
        return lambda frames: whitened.scores(frames - whitened.reference)
    if isinstance(model, DiagGMM):
        space = Space.of([model])
        log_linear = model.log_linear(space.centre)
    else:
        space, log_linear = Space(model.reference, np.ones(model.linear.shape[1])), model
    factors = space.factors(log_linear)
    return lambda frames: np.asarray(factors @ space.columns(frames, factors.dtype))


def _scores(model: Density, frames: ArrayLike) -> Iterator[tuple[slice, Floats]]:
    """Log p(k, x) (K, block) for blocks of frames, with where they lie."""
    scorer, values = _scorer(model), as_numbers(frames)
    for part in frame_blocks(len(values), _shape(model)[0]):
        with np.errstate(over="ignore", invalid="ignore"):
            scores = scorer(values[part])
        if not np.isfinite(scores).all():
            t = part.start + int(np.flatnonzero(~np.isfinite(scores).all(axis=0))[0])
            row = values[t]
            wrong = np.flatnonzero(~np.isfinite(row))
            what = f"{row[wrong[0]]} in dimension {wrong[0]}" if len(wrong) else "too far out for its distance squared"
            raise FitError(f"frame {t} is {what}; expected finite numbers, in the units that the mixture was fitted in")
        yield part, scores
