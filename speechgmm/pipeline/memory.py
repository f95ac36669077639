"""The budget for frames in memory: how many mixtures may train at once, and what each may hold.

It decides where frames are kept and how many workers are busy, never how frames are cut or summed: no byte of a model
hangs on it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from speechgmm.errors import ConfigError
from speechgmm.gmm import bytes_per_frame, subsample_size, working_bytes
from speechgmm.pipeline.job import Job


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


def divide_among_classes(job: Job, needs: Sequence[Need]) -> tuple[int, list[int]]:
    """How many mixtures may train at once, and bytes that each may hold beside what it needs to read.

    Raises:
        ConfigError: The budget is too small for one.
    """
    largest = max(needs, key=lambda need: need.reading + need.starting)
    least = largest.reading + largest.starting
    wanted = min(job.n_jobs, len(needs))
    at_once = min(wanted, job.memory // least)
    if not at_once:
        raise _too_little(job, largest, least)
    if at_once < wanted:
        job.console.say(f"parallel.memory: {at_once} of {wanted} workers train at once; more would need more of it")
    return at_once, [job.memory // at_once - need.reading for need in needs]


def divide_among_batches(job: Job, need: Need) -> tuple[int, int]:
    """How many workers may pass over the frames of one mixture at once, and bytes that it may hold.

    Raises:
        ConfigError: The budget is too small for one worker.
    """
    at_once = min(job.n_jobs, (job.memory - need.starting) // need.reading)
    if at_once < 1:
        raise _too_little(job, need, need.reading + need.starting)
    if at_once < job.n_jobs:
        job.console.say(f"parallel.memory: {at_once} of {job.n_jobs} workers read at once; more would need more of it")
    return at_once, job.memory - at_once * need.reading


def _too_little(job: Job, need: Need, least: int) -> ConfigError:
    what = f", of which its start is estimated on {subsample_size(need.n_components)}" if need.n_components else ""
    given = job.experiment.config.parallel.memory
    return ConfigError(
        f"parallel.memory is {given}, too little to train {need.label!r} even by reading its {need.n_frames} frames of "
        f"{need.n_features} dimensions bit by bit{what}; give it {-(-least // 10**6)}MB at least"
    )
