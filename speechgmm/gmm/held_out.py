"""Frames that are held out from training, so that a model is judged by what it has not seen.

Owns which frames are held out together. Refuses to know what they are of.
"""

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import FitError, ShapeError
from speechgmm.gmm.density import log_likelihoods
from speechgmm.gmm.frames import CHUNK, FrameSource
from speechgmm.gmm.full_model import FullGMM
from speechgmm.gmm.model import DiagGMM

FOLDS: Final = 4
"""Parts of the frames, each held out once."""

BLOCK: Final = 100
"""Frames that follow each other and are held out together where nothing else says what belongs together."""


def held_out_parts(n_frames: int, groups: ArrayLike | None = None, n_parts: int = FOLDS) -> list[NDArray[np.bool_]]:
    """Which of N frames are held out in each of ``n_parts`` parts: whole groups, or blocks of neighbours.

    The largest group goes to the part with the fewest frames, then the next. Fewer groups make fewer parts.

    Raises:
        ShapeError: Groups that are not one per frame.
        FitError: Fewer than two frames.

    >>> [np.flatnonzero(part).tolist() for part in held_out_parts(5, ["a", "b", "a", "c", "c"], 2)]
    [[0, 1, 2], [3, 4]]
    """
    if n_frames < 2:
        raise FitError(f"{n_frames} frames, of which none can be held out; expected two at least")
    members = np.arange(n_frames)
    if groups is not None:
        names = np.asarray(groups)
        if names.shape != (n_frames,):
            raise ShapeError(f"groups of shape {names.shape} for {n_frames} frames; expected one each")
        members = np.unique(names, return_inverse=True)[1]
    if groups is None or members.max() == 0:
        members = np.arange(n_frames) // max(1, min(BLOCK, n_frames // (2 * n_parts)))
    counts = np.bincount(members)
    n_parts = min(n_parts, len(counts))
    part_of, filled = np.empty(len(counts), np.intp), np.zeros(n_parts)
    for group in np.argsort(-counts, kind="stable"):
        part_of[group] = filled.argmin()
        filled[part_of[group]] += counts[group]
    return [part_of[members] == part for part in range(n_parts)]


def taken(source: FrameSource, mask: NDArray[np.bool_]) -> FrameSource:
    """Some frames of a source, by reference."""
    edges = np.flatnonzero(np.diff(mask, prepend=False, append=False))
    runs = [source.stretch(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]
    return FrameSource.of(runs, [run.take for run in runs], source.n_features)


def total_log_likelihood(model: DiagGMM | FullGMM, source: FrameSource) -> float:
    """Log-likelihood of all frames, nats."""
    density = model if isinstance(model, FullGMM) else model.log_linear()
    return sum(float(log_likelihoods(density, part.load()).sum()) for part in source.stretches(CHUNK))
