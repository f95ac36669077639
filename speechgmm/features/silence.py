"""Digital silence: frames whose samples are all equal, and whether they are used.

Where they are is measured elsewhere (``measurements``).
"""

from collections.abc import Iterable
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from speechgmm.features.front_end import FrontEnd

Spans: TypeAlias = tuple[tuple[int, int], ...]
"""Stretches of frames [first, stop)."""


def not_silent(silent: Iterable[tuple[int, int]], first: int, stop: int) -> NDArray[np.bool_]:
    """(stop - first,) which of a recording's frames from ``first`` to ``stop`` are not among those that are silent.

    >>> not_silent([(0, 2), (4, 9)], 1, 6)
    array([False,  True,  True, False, False])
    """
    found = np.ones(stop - first, bool)
    for begin, end in silent:
        found[max(0, begin - first) : max(0, end - first)] = False
    return found


def stretches(marked: NDArray[np.bool_]) -> NDArray[np.intp]:
    """First frame and the one after the last, (n, 2), of each stretch of frames that are marked, given which are, (T,).

    >>> stretches(np.array([True, False, True, True])).tolist()
    [[0, 1], [2, 4]]
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], marked, [False]]).astype(np.int8)))
    return edges.reshape(-1, 2)


def left_out_of(speech: NDArray[np.bool_]) -> Spans:
    """The stretches of frames that are no speech, given which are, (T,).

    >>> left_out_of(np.array([False, True, True, False, False]))
    ((0, 1), (3, 5))
    """
    return tuple((int(first), int(stop)) for first, stop in stretches(~speech))


class Silence(Enum):
    """What becomes of digital silence."""

    KEPT = "its frames are used as they are"
    DROPPED = "its frames are left out"
    DROPPED_WITH_EDGES = "its frames are left out, and those beside it that share samples or derivatives with it"

    def left_out(self, silent: Spans, front: "FrontEnd", n_frames: int) -> Spans:
        """The frames [first, stop) of a recording of `n_frames` that are left out, given those that are silent.

        Edges stay where nothing else would be left.

        >>> from speechgmm.features import FeatureSpec, front_end
        >>> front = front_end(FeatureSpec(), 16000)
        >>> Silence.DROPPED_WITH_EDGES.left_out(((0, 50),), front, 99), front.reach
        (((0, 53),), 3)
        """
        if self is Silence.KEPT:
            return ()
        if self is Silence.DROPPED:
            return silent
        reach = front.reach
        wide = tuple((max(0, first - reach), min(n_frames, stop + reach)) for first, stop in silent)
        return wide if not_silent(wide, 0, n_frames).any() else silent
