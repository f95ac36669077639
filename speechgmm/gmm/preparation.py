"""From frames and options to what EM begins with: a start, its floor, and the frames as batches.

Owns the checks of a start, the floor, the choice of precision and of the E-step. Refuses to run EM.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import ConfigError, ShapeError
from speechgmm.gmm.active import BLOCK, arranged
from speechgmm.gmm.component_count import components_for, frames_each
from speechgmm.gmm.families import FAMILIES
from speechgmm.gmm.fit_notes import n_counted
from speechgmm.gmm.frames import FrameSource, Mapper, moments_and_peaks
from speechgmm.gmm.full_e_step import row_batches
from speechgmm.gmm.full_model import FullGMM
from speechgmm.gmm.init import initial_model, within_variance
from speechgmm.gmm.kmeans import LEAST
from speechgmm.gmm.layout import Precision, batches, block_size, hold
from speechgmm.gmm.model import DiagGMM
from speechgmm.gmm.options import EMOptions, checked_floor, resolve_precision

Floats = NDArray[np.float64]
SPARSE_FROM: Final = 512
"""Components from which on a sparse E-step is faster than a dense one, by 1.3 times and more."""


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """What EM begins with."""

    start: Any  # a mixture of the form that the options ask for
    prior: Any  # the flat one
    batches: Sequence[Any]  # of the form that the mixture needs
    floor: Floats  # (D,)
    sparse: bool  # the E-step
    variance: Floats  # (D,) of all frames
    peaks: Floats  # (D,), see ``moments_and_peaks``


def prepared(
    source: FrameSource,
    n_components: int | None,
    options: EMOptions,
    *,
    seed: int | np.random.Generator = 0,
    start: DiagGMM | FullGMM | None = None,
    map: Mapper = map,
) -> Prepared:
    """The start, the floor and the batches of a fit.

    Raises:
        ShapeError, FitError, ConfigError: As ``fit_gmm``.

    >>> from speechgmm.gmm.frames import as_source
    >>> prepared(as_source([[0.0], [1.0], [2.0]]), 1, EMOptions(covariance="full")).start
    FullGMM(n_components=1, n_features=1)
    """
    family = FAMILIES[options.covariance]
    count = _count(n_components, source, options)
    mean, variance, peaks = moments_and_peaks(source, map=map)
    least = checked_floor(options.floor, len(source), mean, variance)
    if start is None:
        rng = _generator(seed)
        start = initial_model(source, count, method=options.init, rng=rng, floor=least, n_init=options.n_init, map=map)
    else:
        _check_start(start, (count, source.n_features), options)
    begin = family.start(start)
    if options.floor is None:
        least = options.variance_floor * np.clip(within_variance(begin), LEAST * variance, variance)
    least = family.floor(least)
    sparse = False
    references: Sequence[Any] = row_batches(source, mean)
    if family.is_diagonal:
        sparse = options.e_step == "sparse" or (
            options.e_step == "auto" and count >= SPARSE_FROM and options.max_iter > 2
        )
        sparse = sparse and source.weights is None and options.estimator == "em"
        size = BLOCK if sparse else block_size(len(source), source.n_features, count)
        # The scale decides the accuracy in float32: a standard deviation, of the floor where frames do not vary.
        scale = np.sqrt(np.where(variance > 0, variance, least))
        references = batches(source, mean, scale, _precision(options, least, begin, variance), size)
    if sparse:
        references = arranged(references, begin, map=map)
    held = hold(references, options.memory, map=map)
    return Prepared(begin, family.prior(begin), held, least, sparse, variance, peaks)


def _check_start(start: object, shape: tuple[int, int], options: EMOptions) -> None:
    forms = DiagGMM if FAMILIES[options.covariance].is_diagonal else DiagGMM | FullGMM
    if not isinstance(start, forms):
        expected = "a DiagGMM" if forms is DiagGMM else "a DiagGMM or a FullGMM"
        raise ConfigError(f"start {start!r}; expected {expected}, or None; init says how a start is made")
    if start.means.shape != shape:
        raise ShapeError(
            f"a start of shape {start.means.shape} for {shape[0]} components of {shape[1]} dimensions; expected {shape}"
        )
    if options.n_init not in (None, 1):
        raise ConfigError(f"n_init {options.n_init} beside a start, where it has no effect; leave out one or the other")


def _precision(options: EMOptions, floor: Floats, start: DiagGMM, variance: Floats) -> Precision:
    if options.estimator == "gradient" and options.precision == "auto":
        return "float64"
    varied = variance > 0
    narrowest = np.maximum(floor, start.variances.min(axis=0))[varied] / variance[varied]
    # Without a floor nothing holds a component that is wide at the start.
    return resolve_precision(options.precision, float(narrowest.min(initial=1.0)) if floor[varied].all() else 0.0)


def _count(n_components: int | None, source: FrameSource, options: EMOptions) -> int:
    each = frames_each(options.covariance, source.n_features)
    count = components_for(n_counted(source), each=each) if n_components is None else n_components
    if not isinstance(count, (int, np.integer)) or isinstance(count, bool):
        raise ConfigError(f"n_components {count!r}; expected a whole number, 1 or more")
    if count < 1:
        raise ConfigError(f"{count} components; expected at least 1")
    return count


def _generator(seed: int | np.random.Generator) -> np.random.Generator:
    try:
        return np.random.default_rng(seed)
    except (TypeError, ValueError):
        raise ConfigError(f"seed {seed!r}; expected a whole number, 0 or more, or a numpy Generator") from None
