"""Frames of a recording as a view: where they start, how many there are, what lies beyond the edges.

Owns the count and the padding, no window and no scaling. Nothing is copied where no frame overhangs an edge.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Float32Array = NDArray[np.float32]
Edges = Literal["snip", "reflect", "zeros"]
"""``snip``: frames lie within the recording. ``reflect``: overhanging frames see it mirrored, the edge sample
repeated (Kaldi without snip-edges). ``zeros``: they see silence (librosa's centred frames)."""


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


def frame_view(
    samples: Float32Array, width: int, frame_shift: int, first_start: int, n_frames: int, edges: Edges
) -> Float32Array:
    """`n_frames` rows of `width` samples, `frame_shift` apart, the first from sample `first_start` (may be
    negative).

    samples (N,); returns a read-only (n_frames, width) view of them, or of a padded copy where a row
    overhangs.

    >>> frame_view(np.arange(6, dtype=np.float32), 3, 2, 0, 2, "snip")
    array([[0., 1., 2.], [2., 3., 4.]], dtype=float32)
    >>> frame_view(np.arange(1, 4, dtype=np.float32), 3, 1, -2, 1, "reflect")
    array([[2., 1., 1.]], dtype=float32)
    """
    before = max(0, -first_start)
    after = max(0, first_start + (n_frames - 1) * frame_shift + width - samples.size)
    if before or after:
        samples = np.pad(samples, (before, after), mode="symmetric" if edges == "reflect" else "constant")
    windows = np.lib.stride_tricks.sliding_window_view(samples, width)
    return windows[first_start + before :: frame_shift][:n_frames]
