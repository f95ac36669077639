"""MLLT for classes of mixtures: the frames' transform turned so that diagonal covariances fit every class best.

Owns its rounds over the classes of a training split, and how the result is kept. The estimate is ``features.mllt``'s.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.engine.frames import Piece, open_frames
from speechgmm.engine.job import Job
from speechgmm.engine.model_cache import ModelCache, frames_key, kept_or_trained, model_key
from speechgmm.errors import FitError
from speechgmm.features.mllt import Scatters, estimate_mllt, full_view
from speechgmm.features.transforms import ClassMoments, LinearTransform, TransformSpec
from speechgmm.gmm import fit_gmm
from speechgmm.gmm.component_count import components_for
from speechgmm.gmm.fit import class_rng
from speechgmm.gmm.full_e_step import accumulate_full, row_batches
from speechgmm.gmm.full_stats import FullStats
from speechgmm.io.container import FORMAT_VERSION, packed, read_tensors, tensor

Floats = NDArray[np.float64]

MLLT_VERSION: Final = 1
"""Part of every key in the model cache: raised when the same settings begin to give another transform."""

SIZES: Final = (2, 4, 8)
"""Gaussians of a class in each round, at most; more have too few frames each for full covariances."""

MAX_ITER: Final = 20
"""Iterations of EM for each mixture: it is left again."""


@dataclass(frozen=True, slots=True)
class _Class:
    """The frames of one class in the space of the round before."""

    label: str
    pieces: tuple[Piece, ...]
    size: int  # Gaussians at most
    seed: int
    memory: int  # bytes for frames


def turned(
    job: Job, members: Mapping[str, Sequence[Piece]], start: LinearTransform, moments: ClassMoments
) -> LinearTransform:
    """The transform after MLLT over the components of a mixture for each class.

    ``members`` are the training pieces of each class without a transform, and ``moments`` those of their frames as
    ``start`` takes them. It is kept in the cache of models.

    Raises:
        FitError: Frames that no mixture can be fitted to; the message names the class.
    """
    spec, seed = job.audio.features.transform, job.experiment.config.seed
    data = [seed, [(label, frames_key(members[label])) for label in sorted(members)]]
    key = model_key("mllt", MLLT_VERSION, spec, data=data)

    def train(_: Sequence[None]) -> list[LinearTransform]:
        found = _rounds(job, members, start, spec, _spread(moments))
        arrays = {"matrix": found.matrix, "offset": found.offset}
        ModelCache(job.cache / "models").write(key, packed({"format": FORMAT_VERSION}, arrays))
        return [found]

    return next(kept_or_trained(job, [key], [None], _unpack, train))


def _unpack(path: Path, data: bytes) -> LinearTransform:
    tensors, _ = read_tensors(path, data)
    matrix = tensor(tensors, "matrix", None, None)
    return LinearTransform(matrix, tensor(tensors, "offset", len(matrix)))


def _spread(moments: ClassMoments) -> Floats:
    """The covariance (D, D) of all frames."""
    counts, total = moments.counts, moments.counts.sum()
    offsets = (moments.means - counts @ moments.means / total) * np.sqrt(counts)[:, None]
    spread: Floats = (moments.within + offsets.T @ offsets) / total
    return spread


def _rounds(
    job: Job, members: Mapping[str, Sequence[Piece]], start: LinearTransform, spec: TransformSpec, spread: Floats
) -> LinearTransform:
    found, memory = start, job.memory // job.n_jobs
    for number, size in enumerate(SIZES, start=1):
        place = partial(replace, transform=found, context=spec.splice)
        seed = job.experiment.config.seed
        tasks = [
            _Class(label, tuple(place(piece) for piece in members[label]), size, seed, memory)
            for label in sorted(members)
        ]
        what = f"learning the transform, round {number} of {len(SIZES)}"
        parts = list(job.console.track(job.map(_scatter, tasks), len(tasks), what))
        # As many frames as dimensions speak for no correlation, as in LDA.
        variance = np.diag(found.matrix @ spread @ found.matrix.T)
        found = estimate_mllt(Scatters.of(parts, variance, float(len(variance)))).after(found)
    return found


def _scatter(task: _Class) -> FullStats:
    """The full statistics of the components of a class."""
    source, memory = open_frames(task.pieces, task.memory)
    try:
        fit = fit_gmm(
            source,
            components_for(len(source), task.size),
            seed=class_rng(task.seed, task.label),
            max_iter=MAX_ITER,
            memory=memory,
            n_jobs=1,
        )
    except FitError as error:
        raise FitError(f"class {task.label!r}: {error}") from error
    density = full_view(fit.model).whitened()
    first, *others = row_batches(source, fit.model.centre())
    total = accumulate_full(density, first)
    for batch in others:
        total = total + accumulate_full(density, batch)
    return total
