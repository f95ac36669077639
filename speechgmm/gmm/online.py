"""EM for frames that come in a stream: each is seen once and let go.

Owns the stepwise update of the statistics (Cappé & Moulines 2009; Liang & Klein 2009). Refuses to keep frames beyond
the one batch that is being filled, so that memory does not grow with the stream.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import ConfigError, FitError, ShapeError
from speechgmm.gmm.frames import Frames, check_frames, moments
from speechgmm.gmm.init import initial_model, within_variance
from speechgmm.gmm.kernels import accumulate
from speechgmm.gmm.layout import block_size, prepare
from speechgmm.gmm.model import DiagGMM
from speechgmm.gmm.options import VARIANCE_FLOOR, PrecisionChoice, Start, absolute_floor, resolve_precision
from speechgmm.gmm.prior import ConjugatePrior
from speechgmm.gmm.stats import GMMStats
from speechgmm.gmm.updating import statistics_of
from speechgmm.parallel import one_blas_thread

Floats = NDArray[np.float64]

STEP: Final = 1000
"""Frames per step: their statistics are a rough mean of all frames', and a step costs little more than its frames."""

EXPONENT: Final = 0.7


@dataclass(slots=True, eq=False)
class OnlineEM:
    """A mixture that follows a stream of frames.

    Every ``batch`` frames make a step. With s the running mean of the statistics per frame, and s(batch) the mean
    statistics per frame of the batch under the current model, a step is

        s <- (1 - g) s + g s(batch),   g = (t + 1)^-exponent,   t = batches seen before

    The new model is the mode of ``prior`` + n s, where n is the number of frames seen so far (Cappé & Moulines 2009; in
    mini-batches: Liang & Klein 2009). Exponents above 0.5 and up to 1 converge. A smaller exponent forgets the start
    sooner; with 1 every frame counts the same. The likelihood may fall from one step to the next.

    The model does not depend on how the stream is cut into pieces. Frames that do not fill a batch wait for the next
    piece, or for ``finish``. An object holds the model, its statistics and less than one batch of frames.

    >>> rng = np.random.default_rng(0)
    >>> online = OnlineEM.begin(rng.normal(size=(200, 2)), 2, batch=100)
    >>> for _ in range(10):
    ...     online.partial_fit(rng.normal(size=(50, 2)))
    >>> online.model, online.n_frames
    (DiagGMM(n_components=2, n_features=2), 700.0)

    Raises
    ------
    ConfigError
        An exponent that is not above 0.5 and at most 1; a ``batch`` below 1.
    ShapeError
        A prior or a floor of another shape.
    """

    model: DiagGMM
    exponent: float = EXPONENT
    batch: int = STEP  # frames per step
    floor: ArrayLike = 0.0  # (D,) or a number: least variances, in squared units of the frames
    prior: ConjugatePrior | None = None  # None: flat, maximum likelihood
    precision: PrecisionChoice = "auto"
    n_frames: float = 0.0  # seen so far, those of the start included
    _stats: GMMStats = field(init=False, repr=False)  # of an average frame
    _rest: list[Frames] = field(init=False, repr=False, default_factory=list)  # fewer than a batch

    def __post_init__(self) -> None:
        if not 0.5 < self.exponent <= 1:
            raise ConfigError(f"exponent {self.exponent:g}; expected above 0.5, and at most 1")
        if self.batch < 1 or not self.n_frames >= 0:
            raise ConfigError(
                f"batches of {self.batch} frames after {self.n_frames:g}; expected at least 1, after 0 or more"
            )
        self.floor = absolute_floor(self.floor, self.model.n_features)
        if self.prior is None:
            self.prior = ConjugatePrior.flat(*self.model.means.shape)
        if self.prior.means.shape != self.model.means.shape:
            raise ShapeError(
                f"a prior of shape {self.prior.means.shape} for a model of shape {self.model.means.shape}; expected "
                "the same (K, D)"
            )
        self._stats = statistics_of(self.model, self.model.weights)

    @classmethod
    def begin(
        cls,
        frames: ArrayLike,
        n_components: int,
        *,
        seed: int | np.random.Generator = 0,
        init: Start = "kmeans++",
        variance_floor: float = VARIANCE_FLOOR,
        exponent: float = EXPONENT,
        batch: int = STEP,
        prior: ConjugatePrior | None = None,
        precision: PrecisionChoice = "auto",
    ) -> "OnlineEM":
        """Make the first model by ``init`` from the first frames (N, D) of a stream.

        These frames count as seen. Variances are held above ``variance_floor`` times the variance within the components
        of the start. A few hundred frames per component, representative of the stream, make a good start.

        Raises
        ------
        ShapeError, FitError, ConfigError
            Frames or options that ``fit_gmm`` or the class refuses.
        """
        values = check_frames(frames)
        _, variance = moments(values)
        if not variance.all():
            constant = int(np.argmin(variance))
            raise FitError(
                f"dimension {constant} is the same in the first {len(values)} frames; begin with more frames"
            )
        start = initial_model(
            values,
            n_components,
            method=init,
            rng=np.random.default_rng(seed),
            n_init=None,
        )
        floor = variance_floor * np.minimum(variance, within_variance(start))
        return cls(start, exponent, batch, floor, prior, precision, n_frames=float(len(values)))

    def partial_fit(self, frames: ArrayLike) -> None:
        """Take in more frames (n, D), any number of them, and make a step for every full batch.

        Raises
        ------
        ShapeError
            Frames of another dimension.
        FitError
            NaN; a component that shrank to a point, with a floor of 0.
        """
        values = np.asarray(frames)
        if not len(values):
            return
        values = check_frames(values)
        if values.shape[1] != self.model.n_features:
            raise ShapeError(
                f"frames of {values.shape[1]} dimensions for a model of {self.model.n_features}; "
                "were they made with the same features?"
            )
        joined = np.concatenate([*self._rest, values]) if self._rest else values
        full = len(joined) // self.batch * self.batch
        for first in range(0, full, self.batch):
            self._step(joined[first : first + self.batch])
        self._rest = [joined[full:].copy()] if full < len(joined) else []

    def finish(self) -> DiagGMM:
        """Make a last, smaller step with the frames that do not fill a batch, and return the model after it."""
        if self._rest:
            (rest,) = self._rest
            self._rest = []
            self._step(rest)
        return self.model

    @one_blas_thread()
    def _step(self, frames: Frames) -> None:
        model = self.model
        overall = model.overall_variance()
        batches = prepare(
            frames,
            centre=model.centre(),
            scale=np.sqrt(overall),
            precision=resolve_precision(self.precision, float((model.variances / overall).min())),
            block=block_size(self.batch, model.n_features, model.n_components),
        )
        density = model.log_linear()
        found = accumulate(density, batches[0])
        for more in batches[1:]:
            found = found + accumulate(density, more)
        share = len(frames) / self.batch
        gain = share * (self.n_frames / self.batch + share) ** -self.exponent
        self._stats = self._stats.scaled(1 - gain) + found.scaled(gain / len(frames))
        self.n_frames += len(frames)
        if self.prior is not None:
            self.model = (self.prior + self._stats.scaled(self.n_frames)).mode(model, floor=self.floor)
