"""The budget for frames in memory: how many mixtures may train at once, and what each may hold.

It decides where frames are kept and how many workers are busy. It never decides how frames are cut or summed, and
changes no byte of a model.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from speechgmm.errors import ConfigError
from speechgmm.gmm import bytes_per_frame, subsample_size, working_bytes


@dataclass(frozen=True, slots=True)
class Need:
    """What training a mixture takes at the least, however little is held."""

    label: str
    n_frames: int
    n_features: int
    n_components: int  # 0: it starts from another mixture

    @property
    def reading(self) -> int:
        """Bytes for a worker that reads some frames and lays them out."""
        return working_bytes(self.n_features, self.n_frames)

    @property
    def starting(self) -> int:
        """Bytes for the frames that the start is estimated on, which are let go before EM."""
        if not self.n_components:
            return 0
        n_frames = min(self.n_frames, subsample_size(self.n_components))
        return int(n_frames * bytes_per_frame(self.n_features))


def divide_among_classes(needs: Sequence[Need], memory: int, n_jobs: int) -> tuple[int, list[int]]:
    """How many mixtures may train at once within ``memory`` bytes, and bytes that each may hold beside what it reads.

    Raises:
        ConfigError: The budget is too small for one.

    >>> divide_among_classes([Need("a", 10_000, 10, 4), Need("b", 50_000, 10, 4)], 24_000_000, n_jobs=2)
    (1, [21600000, 12000000])
    """
    largest = max(needs, key=lambda need: need.reading + need.starting)
    at_once = min(n_jobs, len(needs), memory // (largest.reading + largest.starting))
    if not at_once:
        raise _too_little(largest, memory)
    return at_once, [memory // at_once - need.reading for need in needs]


def divide_among_batches(need: Need, memory: int, n_jobs: int) -> tuple[int, int]:
    """How many workers may pass over the frames of one mixture at once, and bytes that it may hold.

    Raises:
        ConfigError: The budget is too small for one worker.

    >>> divide_among_batches(Need("a", 10**6, 10, 4), 50_000_000, n_jobs=2)
    (2, 18542720)
    """
    at_once = min(n_jobs, (memory - need.starting) // need.reading)
    if at_once < 1:
        raise _too_little(need, memory)
    return at_once, memory - at_once * need.reading


def _too_little(need: Need, memory: int) -> ConfigError:
    what = f", of which its start is estimated on {subsample_size(need.n_components)}" if need.n_components else ""
    return ConfigError(
        f"parallel.memory is {memory / 1e6:g}MB, too little to train {need.label!r} even by reading its "
        f"{need.n_frames} frames of {need.n_features} dimensions bit by bit{what}; give it "
        f"{-(-(need.reading + need.starting) // 10**6)}MB at least"
    )
