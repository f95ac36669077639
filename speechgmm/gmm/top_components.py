"""Fast scoring of adapted mixtures: a few components per frame, chosen by the background model.

A mixture adapted by MAP keeps the order of its background model's components, and where one of these is far from a
frame, so is the adapted one. So the C best components of the background model are looked up for each frame, and
likelihoods are summed over these alone, the background model's own too, so that both sides of a ratio leave out the
same (Reynolds, Quatieri & Dunn 2000, on fast scoring; C = 5 there). Refuses mixtures of another size.

Frames are taken component by component: those that chose a component go through one product with that component of
all mixtures. For each frame by itself the parameters would have to be copied together, which takes longer than scoring
everything.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import ShapeError
from speechgmm.gmm.layout import Block, Precision
from speechgmm.gmm.likelihoods import Space, check_dimensions, frame_blocks, log_sums, precision_for
from speechgmm.gmm.model import DiagGMM

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class TopStack:
    """A background model and M mixtures adapted from it, laid out by component."""

    background: Block  # (K, 2D+1)
    factors: Block  # (K, 1+M, 2D+1), the background model's first
    top: int  # components per frame, 1 to K
    space: Space

    @classmethod
    def of(cls, ubm: DiagGMM, models: Sequence[DiagGMM], top: int, *, precision: Precision | None = None) -> "TopStack":
        """Lay out mixtures for scoring; ``precision`` None: ``precision_for`` chooses it.

        Raises:
            ShapeError: ``top`` is not 1 to K; a mixture has another K or D than the background model.

        >>> ubm, ann = (DiagGMM([0.5, 0.5], [[mean], [9.0]], np.ones((2, 1))) for mean in (0.0, 1.0))
        >>> TopStack.of(ubm, [ann], top=1).log_likelihoods([[1.0]]).round(4)
        array([[-2.1121],
               [-1.6121]])
        """
        if not isinstance(top, int) or isinstance(top, bool) or not 1 <= top <= ubm.n_components:
            raise ShapeError(
                f"top_components {top!r} for a background model of {ubm.n_components}; expected 1 to {ubm.n_components}"
            )
        for model in models:
            if model.means.shape != ubm.means.shape:
                raise ShapeError(
                    f"a mixture of {model.n_components} components in {model.n_features} dimensions and a background "
                    f"model of {ubm.n_components} in {ubm.n_features}; expected the same: its top components serve "
                    "mixtures that were adapted from it"
                )
        space = Space.of([*models, ubm])
        every = [space.factors(model.log_linear(space.centre)) for model in (ubm, *models)]
        chosen = np.dtype(precision or precision_for(np.concatenate(every)))
        factors = np.stack([part.astype(chosen) for part in every], axis=1)
        return cls(np.ascontiguousarray(factors[:, 0]), factors, top, space)

    def log_likelihoods(self, frames: ArrayLike) -> Floats:
        """Log p(x) of every frame (T, D) over its top components: (1+M, T) float64, the background model's first.

        Raises:
            ShapeError: Frames that are not (T, D), with D as in the mixtures.
        """
        values = check_dimensions(frames, len(self.space.centre))
        result = np.empty((self.factors.shape[1], len(values)))
        for part in frame_blocks(len(values), len(self.background)):
            # What overflows ends as NaN or infinity in that frame's score, where it cannot be overlooked.
            with np.errstate(over="ignore", invalid="ignore"):
                result[:, part] = self._block(self.space.columns(values[part], self.factors.dtype))
        return result

    def _block(self, columns: Block) -> Floats:
        chosen = _largest(self.background @ columns, self.top)
        frames = np.nonzero(chosen)[1]  # those of the first component, in order, then those of the next
        rows = np.ascontiguousarray(columns.T)[frames]
        scores = np.empty((len(rows), self.factors.shape[1]), columns.dtype)
        ends = np.cumsum(chosen.sum(axis=1))
        start = 0
        for factors, end in zip(self.factors, ends.tolist(), strict=True):
            if end > start:
                np.dot(rows[start:end], factors.T, out=scores[start:end])
            start = end
        by_frame = scores[np.argsort(frames, kind="stable")].reshape(columns.shape[1], self.top, -1)
        found = np.empty((columns.shape[1], self.factors.shape[1]))
        log_sums(by_frame, out=found)
        return found.T


def _largest(scores: Block, count: int) -> NDArray[np.bool_]:
    """Which are the ``count`` largest of each column of (K, T).

    >>> _largest(np.array([[1.0, 5.0], [3.0, 5.0], [2.0, 5.0]]), 2).sum(axis=0)
    array([2, 2])
    """
    last = len(scores) - count
    rows = np.ascontiguousarray(scores.T)
    chosen: NDArray[np.bool_] = scores >= np.partition(rows, last, axis=1)[:, last]
    if (chosen.sum(axis=0) != count).any():  # equal scores, or NaN: any will do
        chosen = np.zeros(scores.shape, bool)
        np.put_along_axis(chosen, np.argpartition(scores, last, axis=0)[last:], True, axis=0)
    return chosen
