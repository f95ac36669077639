"""Frames of a recording: where they start, how many there are, what lies beyond the edges.

Owns the count, the padding and the way through a recording of any length in bounded memory; no window, no scaling.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

Float32Array = NDArray[np.float32]
Edges = Literal["snip", "reflect", "zeros"]
"""``snip``: frames lie within the recording. ``reflect``: overhanging frames see it mirrored, the edge sample
repeated (Kaldi without snip-edges). ``zeros``: they see silence (librosa's centred frames)."""

FrameCount = Callable[[int], int]
"""Frames of a recording by the number of its samples."""

BLOCK: Final = 160
"""Frames that are worked on at once: few enough for the second-level cache, enough for numpy's calls to be cheap."""


def count_frames(n_samples: int, frame_length: int, frame_shift: int, edges: Edges) -> int:
    """Number of frames in a recording; 0 where it is too short for one. All lengths in samples.

    >>> count_frames(16000, 400, 160, "snip"), count_frames(16000, 400, 160, "reflect")
    (98, 100)
    """
    if edges == "snip":
        return 0 if n_samples < frame_length else 1 + (n_samples - frame_length) // frame_shift
    if edges == "reflect":
        return (n_samples + frame_shift // 2) // frame_shift
    return 0 if n_samples < 1 else 1 + n_samples // frame_shift


def runs(
    pieces: Iterable[Float32Array],
    width: int,
    frame_shift: int,
    first_start: int,
    edges: Edges,
    count: FrameCount,
    held: Float32Array,
) -> Iterator[tuple[Float32Array, int]]:
    """Stretches of a recording that hold `BLOCK` frames each, the last one fewer, and the number of their frames.

    `pieces` are the samples, one stretch (N,) after another, cut anywhere. Frames are `width` samples long and
    `frame_shift` samples apart. The first frame of the recording starts at sample `first_start` (may be negative), and
    the first frame of a stretch at its first sample. `count` gives the number of frames for a number of samples.
    `held` (BLOCK * frame_shift + width,) is the buffer of the stretches; each is valid until the next is asked for.

    >>> halves = [np.array([1, 2], dtype=np.float32), np.array([3, 4], dtype=np.float32)]
    >>> held = np.empty(2 * BLOCK + 3, dtype=np.float32)
    >>> [(run.tolist(), n) for run, n in runs(halves, 3, 2, -1, "reflect", lambda n: n // 2, held)]
    [([1.0, 1.0, 2.0, 3.0, 4.0], 2)]
    """
    step = BLOCK * frame_shift
    before, skip = max(0, -first_start), max(0, first_start)
    held[:before] = 0
    mirrored = before if edges == "reflect" else 0  # samples at the beginning that are still to be filled in
    filled, n_samples, n_done = before, 0, 0
    for piece in pieces:
        n_samples += piece.size
        at = min(skip, piece.size)
        skip -= at
        while at < piece.size:
            taken = min(held.size - filled, piece.size - at)
            held[filled : filled + taken] = piece[at : at + taken]
            filled, at = filled + taken, at + taken
            if filled == held.size:
                if mirrored:
                    held[:mirrored] = held[mirrored : 2 * mirrored][::-1]
                    mirrored = 0
                yield held[: step - frame_shift + width], BLOCK
                n_done += BLOCK
                held[:width] = held[step:]
                filled = width  # more than the next stretch needs: it suffices to be mirrored at the end
    n_left = count(n_samples) - n_done
    after = max(0, (n_left - 1) * frame_shift + width - filled)
    if n_left > 0 and (mirrored or after):
        mode: Literal["symmetric", "constant"] = "symmetric" if edges == "reflect" else "constant"
        held = np.pad(held[mirrored:filled], (mirrored, after), mode=mode)
    for n in range(0, n_left, BLOCK):
        n_frames = min(BLOCK, n_left - n)
        yield held[n * frame_shift :][: (n_frames - 1) * frame_shift + width], n_frames
