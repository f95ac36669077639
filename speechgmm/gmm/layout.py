"""Frames laid out for the E-step: [x, x², 1], centred and scaled, padded, in blocks of equal shape.

Owns centring, scaling, precision and block boundaries, all of which follow from the data, D and K alone.
Refuses to know a mixture.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from math import ceil
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import ShapeError
from speechgmm.gmm.frames import CHUNK, Frames, FrameSource, Mapper, Stretch, as_source, check_finite, moments

Floats = NDArray[np.float64]
Block = NDArray[np.float32] | NDArray[np.float64]
Precision = Literal["float32", "float64"]

_PAD: Final = 16  # columns: one 64-byte line of float32
_CELLS: Final = 2**18  # of a (K, B) block: 1 MiB of float32, which stays in the L2 cache
_SMALL: Final = 10**6  # K B P of a product that OpenBLAS computes without copying its factors, with AVX-512
_LINE: Final = 64  # bytes
BATCH: Final = 8192  # frames per batch, the unit of parallel work


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Frames ready for the E-step: blocks of z = (x - centre) / scale and z², once by rows and once by columns.

    A short block is filled up with zero rows of weight zero, so that every product has the same shape.
    """

    rows: Block  # (blocks, B, P), [z, z², 1, 0...]: for the statistics
    columns: Block  # (blocks, P, B), the same transposed: for the scores
    weights: Block  # (blocks, B)
    centre: Floats  # (D,)
    scale: Floats  # (D,)
    n_frames: float  # sum of the frames' weights

    @property
    def precision(self) -> Precision:
        """What the products are computed in."""
        return "float32" if self.rows.dtype == np.float32 else "float64"

    def load(self) -> "Batch":
        """The batch itself: it is in memory."""
        return self


def block_size(n_frames: int, n_features: int, n_components: int) -> int:
    """Frames per block, such that the work on a block stays in cache and all blocks are nearly equal.

    With few components the blocks are so small that BLAS computes their products in place, at 1.1 to 1.3 times the
    speed. The size depends only on N, D and K, and never on the number of workers, because the rounding of float32
    products depends on their shape.

    >>> block_size(100_000, 39, 512), block_size(100_000, 39, 64), block_size(5000, 39, 16), block_size(3, 39, 16)
    (512, 192, 512, 16)
    """
    small = _SMALL // (n_components * padded(2 * n_features + 1)) // _PAD * _PAD
    most = min(512, small if small >= 6 * _PAD else max(256, _CELLS // n_components))
    n_blocks = ceil(n_frames / most)
    return padded(ceil(n_frames / n_blocks))


def padded(size: int) -> int:
    """The number of columns, or of frames in a block, that ``size`` of them are laid out in.

    >>> padded(79)
    80
    """
    return _PAD * ceil(size / _PAD)


def prepare(
    frames: ArrayLike,
    *,
    centre: ArrayLike | None = None,
    scale: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    precision: Precision = "float32",
    block: int | None = None,
) -> tuple[Batch, ...]:
    """Frames (N, D), standardised and packed for ``accumulate``: a tuple of batches of about 8,000 frames.

    ``centre`` (D,) is subtracted from the frames, which are then divided by ``scale`` (D,). They default to the mean
    and the standard deviation of the frames (1 where that is 0). Statistics from these batches refer to the centre.
    With ``precision`` "float32" the choice of centre and scale decides the accuracy. ``weights`` (N,): how many frames
    each one counts as; default 1. Each batch is split into blocks of ``block`` frames, which are processed in one
    matrix product; default: the size that suits a mixture of 512 components.

    Raises:
        ShapeError: Frames, weights, centre or scale that do not fit together; a scale or a block that is not positive.
        FitError: No frames; a negative weight, or no weight above 0; a value that is NaN or infinite.

    >>> [batch.n_frames for batch in prepare(np.zeros((5, 2)))]
    [5.0]
    """
    source = as_source(frames, weights)
    n_features = source.n_features
    if centre is None or scale is None:
        mean, variance = moments(source)
        centre = mean if centre is None else centre
        scale = np.where(variance > 0, np.sqrt(variance), 1.0) if scale is None else scale
    middle, width = np.asarray(centre, dtype=np.float64), np.asarray(scale, dtype=np.float64)
    if middle.shape != (n_features,) or width.shape != (n_features,) or not (width > 0).all():
        raise ShapeError(f"centre {middle.shape} and scale {width.shape}; expected ({n_features},) and a scale above 0")
    size = block_size(len(source), n_features, 512) if block is None else block
    if size < 1:
        raise ShapeError(f"blocks of {size} frames; expected at least one")
    check_finite(source)
    return tuple(batch.load() for batch in batches(source, middle, width, precision, size))


@dataclass(frozen=True, slots=True, eq=False)
class BatchReference:
    """A batch that is read and laid out each time it is used; small enough to be sent to whoever uses it."""

    frames: Stretch
    centre: Floats  # (D,)
    scale: Floats  # (D,)
    precision: Precision
    block: int  # frames
    order: NDArray[np.uint16] | None = None  # (N,), in which the frames are laid out; None: as they come

    def load(self) -> Batch:
        """The batch; the same bytes each time."""
        frames, shares = self.frames.load(), self.frames.shares()
        if self.order is not None:
            frames, shares = frames[self.order], shares[self.order]
        return _batch(frames, shares, self.centre, self.scale, self.block, np.dtype(self.precision))


def batches(
    source: FrameSource, centre: Floats, scale: Floats, precision: Precision, block: int
) -> tuple[BatchReference, ...]:
    """All frames in nearly equal batches of 8,000 at most; where they are cut follows from N and the block alone.

    >>> source = as_source(np.zeros((40_000, 1)))
    >>> [batch.frames.take for batch in batches(source, np.zeros(1), np.ones(1), "float32", 1000)]
    [8000, 8000, 8000, 8000, 8000]
    """
    step = block * ceil(ceil(len(source) / block) / ceil(len(source) / BATCH))
    return tuple(BatchReference(part, centre, scale, precision, block) for part in source.stretches(step))


def hold(
    references: Sequence[BatchReference], memory: int | None, *, map: Mapper = map
) -> tuple[Batch | BatchReference, ...]:
    """The same batches, the first of them laid out to stay: as many as fit into ``memory`` bytes; None: all.

    ``map`` runs over the batches that stay, and must keep order.

    >>> references = batches(as_source(np.zeros((40_000, 1))), np.zeros(1), np.ones(1), "float32", 1000)
    >>> [{type(batch).__name__ for batch in hold(references, memory)} for memory in (None, 0)]
    [{'Batch'}, {'BatchReference'}]
    """
    if memory is not None and memory <= 0:
        return tuple(references)
    first = references[0].load()
    size = _n_bytes(first)  # none is larger
    n_held = len(references) if memory is None else min(memory // size, len(references))
    if n_held < 2:
        return (*((first,) if n_held else ()), *references[n_held:])
    # One allocation for all: between them, what is used on the way would leave holes as large as a third of them.
    room = np.empty(n_held * size, np.uint8)
    places = [room[n * size : (n + 1) * size] for n in range(n_held)]
    held = [_moved(first, places[0])]
    del first
    held.extend(map(_placed, zip(references[1:n_held], places[1:], strict=True)))
    return (*held, *references[n_held:])


def bytes_per_frame(n_features: int) -> float:
    """Memory of one frame in bytes: its float32 values and its place in a ``Batch``.

    >>> bytes_per_frame(39) > 39 * 4
    True
    """
    n_frames = 1024
    reference = batches(
        as_source(np.zeros((n_frames, n_features))), np.zeros(n_features), np.ones(n_features), "float32", n_frames
    )
    return 4 * n_features + _n_bytes(reference[0].load()) / n_frames


def working_bytes(n_features: int, n_frames: int = CHUNK) -> int:
    """Approximate memory in bytes that one worker needs while it reads and prepares ``n_frames`` frames.

    >>> working_bytes(39) // 1_000_000
    61
    """
    # float32 as read, float64 as computed with, and as much again that the allocator keeps when they are let go
    return min(n_frames, CHUNK) * n_features * 24


def _arrays(batch: Batch) -> dict[str, NDArray[Any]]:
    """A batch's arrays that grow with its frames, by the name of the field."""
    found = {field.name: getattr(batch, field.name) for field in fields(batch)}
    return {name: value for name, value in found.items() if isinstance(value, np.ndarray) and value.ndim > 1}


def _n_bytes(batch: Batch) -> int:
    """Bytes of a batch's arrays, each in whole cache lines."""
    return sum(_LINE * ceil(array.nbytes / _LINE) for array in _arrays(batch).values())


def _placed(task: tuple[BatchReference, NDArray[np.uint8]]) -> Batch:
    reference, room = task
    return _moved(reference.load(), room)


def _moved(batch: Batch, room: NDArray[np.uint8]) -> Batch:
    """The batch with its arrays in the memory given."""
    moved: dict[str, NDArray[Any]] = {}
    offset = 0
    for name, array in _arrays(batch).items():
        place = room[offset : offset + array.nbytes].view(array.dtype).reshape(array.shape)
        place[...] = array
        moved[name] = place
        offset += _LINE * ceil(array.nbytes / _LINE)
    return replace(batch, **moved)  # type: ignore[arg-type]  # the fields' own names


def _batch(frames: Frames, weights: Floats, centre: Floats, scale: Floats, size: int, dtype: np.dtype[Any]) -> Batch:
    n_frames, n_features = frames.shape
    n_blocks, width = ceil(n_frames / size), padded(2 * n_features + 1)
    rows = np.zeros((n_blocks, size, width), dtype)
    columns = np.empty((n_blocks, width, size), dtype)
    shares = np.zeros(n_blocks * size, dtype)
    shares[:n_frames] = weights
    for block, (row, column) in enumerate(zip(rows, columns, strict=True)):  # a block at a time stays in cache
        standard = (frames[block * size : (block + 1) * size] - centre) / scale
        used = row[: len(standard)]
        used[:, :n_features] = standard
        standard *= standard
        used[:, n_features : 2 * n_features] = standard
        used[:, 2 * n_features] = 1
        column[...] = row.T
    return Batch(rows, columns, shares.reshape(n_blocks, size), centre, scale, float(weights.sum()))
