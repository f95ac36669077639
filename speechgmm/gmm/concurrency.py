"""How many threads or processes estimate a mixture.

Owns the amounts of work from which threads and processes save time. Their number changes the time of a fit and no byte
of its result. ``speechgmm.parallel`` starts them.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import ceil
from typing import Final

import numpy as np

from speechgmm.errors import ConfigError
from speechgmm.gmm.component_count import components_for
from speechgmm.gmm.frames import FrameSource, Mapper
from speechgmm.gmm.layout import BATCH, padded
from speechgmm.parallel import Backend, free_workers, thread_pool

ALL_CORES: Final = -1
"""The default of ``n_jobs``: one thread per core."""

WORTH_THREADS: Final = 100_000_000
"""Frames times components times columns: about 5 ms of one pass on one core.

In shorter passes, the threads wait for each other's Python as long as they compute.
"""

WORTH_PROCESSES: Final = 16_000_000_000
"""Frames times components times columns times passes in all: some 4 s of EM. The start of processes takes about one."""

USUAL_PASSES: Final = 40
"""What a fit by maximum likelihood takes until it converges, roughly."""


def work_of(n_frames: int, n_features: int, n_components: object) -> int:
    """The cost of one pass over the frames: frames times components times columns of the layout.

    ``n_components`` None is as many as the frames can estimate. If it is no number, the cost is 0, and the fit raises
    the error.

    >>> work_of(1000, 39, 8), work_of(1000, 39, "eight")
    (640000, 0)
    """
    count = components_for(max(1, n_frames)) if n_components is None else n_components
    if not isinstance(count, (int, np.integer)):
        return 0
    return n_frames * int(count) * padded(2 * n_features + 1)


@contextmanager
def batch_mapper(n_jobs: int, map: Mapper | None, source: FrameSource, n_components: int | None) -> Iterator[Mapper]:
    """The ``map`` over batches of frames for one fit: the caller's, else one over as many threads as are worth it.

    ``n_components`` None is as many as the frames can estimate.

    Raises:
        ConfigError: ``n_jobs`` is 0 or no whole number, or stands beside a ``map``.

    >>> with batch_mapper(-1, None, FrameSource.of([np.zeros((9, 2))], [9], 2), 4) as chosen:
    ...     chosen is map
    True
    """
    worth = work_of(len(source), source.n_features, n_components) >= WORTH_THREADS
    n_threads = asked_workers(n_jobs, map, n_tasks=ceil(len(source) / BATCH) if worth else 1)
    if map is not None:
        yield map
        return
    with thread_pool(n_threads) as spread:
        yield spread


def asked_workers(n_jobs: int, map: Mapper | None, n_tasks: int) -> int:
    """The number of workers that ``n_jobs`` asks for, at most ``n_tasks``; 1 beside a ``map``, which has its own.

    Raises:
        ConfigError: ``n_jobs`` is 0 or no whole number, or stands beside a ``map``.
    """
    if map is None:
        return free_workers(n_jobs, n_tasks)
    if n_jobs != ALL_CORES:
        raise ConfigError(f"n_jobs {n_jobs!r} beside map, which spreads the work itself; leave out one or the other")
    return 1


def suited_backend(products: Sequence[int], max_iter: int, n_jobs: int) -> Backend:
    """Processes where there are several small mixtures for each worker, and enough work to be worth starting them.

    ``products`` is the ``work_of`` each mixture, for at most ``max_iter`` iterations. Between passes of some hundred
    microseconds, threads wait for each other's Python. In long passes they do not, and share the frames.

    >>> suited_backend([10**8] * 6, 50, n_jobs=3), suited_backend([10**8] * 5, 50, n_jobs=3)
    ('processes', 'threads')
    """
    several = n_jobs > 1 and len(products) >= 2 * n_jobs
    small = sum(products) <= WORTH_THREADS * len(products)
    enough = sum(products) * (min(max_iter, USUAL_PASSES) + 1) > WORTH_PROCESSES
    return "processes" if several and small and enough else "threads"
