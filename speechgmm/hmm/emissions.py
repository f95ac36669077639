"""All states' mixtures laid out side by side: log-likelihoods of frames, and the statistics of frames by state.

Owns the layout, its precision and the way back from scaled frames: nothing outside knows of scaling or float32.
Refuses to know graphs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.compiler import Engine
from speechgmm.errors import ShapeError
from speechgmm.gmm.kernels import LOG2_E
from speechgmm.gmm.layout import Block, Precision, padded
from speechgmm.gmm.likelihoods import Space, check_dimensions, precision_for
from speechgmm.gmm.model import DiagGMM
from speechgmm.gmm.stats import GMMStats
from speechgmm.hmm.compiled_emissions import accumulating, scoring

Floats = NDArray[np.float64]

LEAST_SHARE: Final = 1e-12
"""A posterior of a state below it adds nothing to that state's statistics that its other frames leave to be seen."""


@dataclass(frozen=True, slots=True, eq=False)
class StateStack:
    """The mixtures of S states with M components in all, as one matrix that multiplies rows [z, z², 1, 0...] of frames.

    The matrix products are small. Code that scores many utterances should limit BLAS to one thread
    (``parallel.one_blas_thread``), as training does.
    """

    factors: Block  # (M, P), for log2 p(k, x)
    offsets: NDArray[np.intp]  # (S+1,) where each state's components begin
    space: Space

    @classmethod
    def of(
        cls, models: Sequence[DiagGMM], *, space: Space | None = None, precision: Precision | None = None
    ) -> "StateStack":
        """The stack of mixtures that have the same dimension. ``precision`` None: float32 where that is safe.

        >>> stack = StateStack.of([DiagGMM([1.0], [[mean]], [[1.0]]) for mean in (0.0, 1.0)])
        >>> stack.log_likelihoods(stack.rows([[0.0], [1.0]])).round(4)
        array([[-0.9189, -1.4189],
               [-1.4189, -0.9189]])
        """
        where = Space.of(models) if space is None else space
        factors = np.concatenate([where.factors(model.log_linear(where.centre)) for model in models])
        chosen = precision or precision_for(factors)
        wide = np.zeros((len(factors), padded(factors.shape[1])))
        wide[:, : factors.shape[1]] = LOG2_E * factors
        offsets = np.concatenate([[0], np.cumsum([model.n_components for model in models])])
        return cls(wide.astype(chosen), offsets, where)

    @property
    def n_states(self) -> int:
        """The number of states, S."""
        return len(self.offsets) - 1

    def rows(self, frames: ArrayLike) -> Block:
        """Frames (T, D) centred, scaled and packed as rows [z, z², 1, 0...], (T, P), as the other methods take them.

        Raises:
            ShapeError: The frames have another dimension than the mixtures.
        """
        n_features = len(self.space.centre)
        values = check_dimensions(frames, n_features)
        found = np.zeros((len(values), self.factors.shape[1]), self.factors.dtype)
        z = (values - self.space.centre) / self.space.scale
        found[:, :n_features] = z
        found[:, n_features : 2 * n_features] = z**2
        found[:, 2 * n_features] = 1
        return found

    def log_likelihoods(
        self, rows: Block, states: NDArray[np.intp] | None = None, *, engine: Engine = "numba"
    ) -> Floats:
        """Log-likelihoods (T, S) of frames under all states, in nats; with ``states``, those of others are -inf."""
        found = np.full((len(rows), self.n_states), -np.inf)
        used = np.arange(self.n_states) if states is None else np.unique(states)
        sizes = np.diff(self.offsets)[used]
        factors = self.factors
        if len(used) < self.n_states:
            factors = np.concatenate([factors[self.offsets[s] : self.offsets[s + 1]] for s in used])
        score = _score_numpy if engine == "numpy" else scoring()
        score(factors, np.concatenate([[0], np.cumsum(sizes)]), used, rows, found)
        return found

    def accumulate(self, rows: Block, gamma: Floats, *, engine: Engine = "numba") -> GMMStats:
        """Statistics of all M components, state after state; ``gamma`` (T, S) are the state posteriors of the frames.

        The statistics are about ``space.centre``. Their log-likelihood is 0: only `forward_backward` or `viterbi` gives
        that of an utterance.

        Raises:
            ShapeError: ``gamma`` does not have the shape (frames, states).

        >>> stack = StateStack.of([DiagGMM([1.0], [[mean]], [[1.0]]) for mean in (0.0, 1.0)])
        >>> stats = stack.accumulate(stack.rows([[3.0], [5.0]]), np.array([[1.0, 0.0], [0.5, 0.5]]))
        >>> stats.about(0).sums.round(9)
        array([[5.5],
               [2.5]])
        """
        moments = np.zeros(self.factors.shape)
        self.add_moments(rows, gamma, moments, engine=engine)
        return self.statistics(moments, 0.0, len(rows))

    def add_moments(self, rows: Block, gamma: Floats, moments: Floats, *, engine: Engine = "numba") -> None:
        """Add the moments of scaled frames to ``moments`` (M, P); ``gamma`` (T, S) are the state posteriors.

        Raises:
            ShapeError: ``gamma`` does not have the shape (frames, states).
        """
        if gamma.shape != (len(rows), self.n_states):
            raise ShapeError(
                f"posteriors of shape {gamma.shape} for {len(rows)} frames and {self.n_states} states; expected (T, S)"
            )
        states, frames = np.nonzero(gamma.T > LEAST_SHARE)
        self._add(rows, states, frames, gamma[frames, states], moments, engine)

    def add_assigned(self, rows: Block, states: ArrayLike, moments: Floats, *, engine: Engine = "numba") -> float:
        """Add the moments of frames to ``moments`` (M, P); ``states`` (T,) has the number of the state of each frame.

        Returns the log-likelihood of the frames in these states, in nats. Raises ShapeError unless every frame has a
        state.

        >>> stack = StateStack.of([DiagGMM([1.0], [[mean]], [[1.0]]) for mean in (0.0, 1.0)])
        >>> rows, moments = stack.rows([[0.0], [1.0], [1.0]]), np.zeros(stack.factors.shape)
        >>> round(stack.add_assigned(rows, [0, 1, 1], moments), 4), stack.statistics(moments, 0.0, 3).counts
        (-2.7568, array([1., 2.]))
        """
        numbers = np.asarray(states, dtype=np.intp)
        if numbers.shape != (len(rows),):
            raise ShapeError(f"states of shape {numbers.shape} for {len(rows)} frames; expected a state for each frame")
        order = np.argsort(numbers, kind="stable")
        return self._add(rows, numbers[order], order, np.ones(len(rows)), moments, engine)

    def _add(
        self, rows: Block, states: Any, frames: NDArray[np.intp], shares: Floats, moments: Floats, engine: Engine
    ) -> float:
        """Add the moments of ``frames`` of ``rows``, listed by ascending state; returns their log-likelihood."""
        begins = np.searchsorted(states, np.arange(self.n_states + 1))
        add = _accumulate_numpy if engine == "numpy" else accumulating()
        weights: Any = shares.astype(rows.dtype)
        found: Any = add(self.factors, self.offsets, rows, begins, frames, weights, moments)
        return log(2) * float(found)

    def expected_gaussians(self, rows: Block, states: NDArray[np.integer]) -> tuple[Floats, Floats]:
        """The posterior mean of 1 / variance and of mean / variance over the Gaussians of each frame's state.

        ``states`` (T,) has the number of the state of each frame. Both results are (T, D), in the units of the frames
        before `rows` scales them.

        >>> stack = StateStack.of([DiagGMM([1.0], [[mean]], [[2.0]]) for mean in (0.0, 3.0)])
        >>> [part.ravel().round(6).tolist() for part in stack.expected_gaussians(stack.rows([[1.0], [9.0]]), [0, 1])]
        [[0.5, 0.5], [0.0, 1.5]]
        """
        n_features = len(self.space.centre)
        found = np.empty((len(rows), 2 * n_features))
        for state in np.unique(states):
            mine = np.equal(states, state)
            factors = self.factors[self.offsets[state] : self.offsets[state + 1]]
            scores = rows[mine] @ factors.T
            shares = np.exp2(scores - scores.max(axis=1, keepdims=True)).astype(np.float64)
            found[mine] = shares / shares.sum(axis=1, keepdims=True) @ factors[:, : 2 * n_features]
        linear, quadratic = np.split(found / LOG2_E, 2, axis=1)
        inverse_variances = -2 * quadratic / self.space.scale**2
        return inverse_variances, linear / self.space.scale + self.space.centre * inverse_variances

    def statistics(self, moments: Floats, log_likelihood: float, n_frames: float) -> GMMStats:
        """The statistics of all M components from the ``moments`` (M, P) that `add_moments` has added up."""
        return GMMStats.of_scaled(moments, self.space.centre, self.space.scale, log_likelihood, float(n_frames))


def _score_numpy(factors: Block, offsets: Any, states: Any, rows: Block, found: Floats) -> None:
    scores = factors @ rows.T
    for number, state in enumerate(states):
        part = scores[offsets[number] : offsets[number + 1]]
        peaks = part.max(axis=0)
        found[:, state] = log(2) * (peaks + np.log2(np.exp2(part - peaks).sum(axis=0).astype(np.float64)))


def _accumulate_numpy(
    factors: Block, offsets: Any, rows: Block, begins: Any, frames: Any, shares: Block, moments: Floats
) -> float:
    log2_likelihood = 0.0
    for state in range(len(offsets) - 1):
        mine = slice(begins[state], begins[state + 1])
        components = slice(offsets[state], offsets[state + 1])
        chosen = rows[frames[mine]]
        if not len(chosen):
            continue
        scores = factors[components] @ chosen.T
        peaks = scores.max(axis=0)
        posteriors = np.exp2(scores - peaks)
        totals = posteriors.sum(axis=0)
        log2_likelihood += float(shares[mine] @ (peaks + np.log2(totals)))
        posteriors *= shares[mine] / totals
        moments[components] += posteriors @ chosen
    return log2_likelihood
