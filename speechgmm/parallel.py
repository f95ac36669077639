"""Running tasks side by side: the only place that knows joblib.

``pmap`` keeps the order of its tasks, starts nothing for a single worker, and holds BLAS to one thread inside every
task: OpenBLAS threads that spin under joblib cost 20 times the work, and results must not depend on their number.
"""

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from typing import Any, Literal, TypeVar

from speechgmm.blas import one_blas_thread
from speechgmm.errors import ConfigError, SpeechGMMError

Task = TypeVar("Task")
Result = TypeVar("Result")
Backend = Literal["threads", "processes"]


def cpu_count() -> int:
    """Cores this process may use."""
    import joblib

    count: int = joblib.cpu_count()
    return count


def workers(n_jobs: int) -> int:
    """The number of workers that ``n_jobs`` asks for; -1: one per core, -2: one less.

    Raises:
        ConfigError: ``n_jobs`` is 0.
    """
    if n_jobs == 0:
        raise ConfigError("parallel.n_jobs is 0; give the number of workers, or -1 for one per core")
    return n_jobs if n_jobs > 0 else max(1, cpu_count() + 1 + n_jobs)


def pmap(
    function: Callable[[Task], Result],
    tasks: Sequence[Task] | Iterable[Task],
    *,
    n_jobs: int,
    backend: Backend,
) -> Iterator[Result]:
    """Results of ``function`` over tasks, in their order, as they are ready.

    With processes, function and tasks are pickled: tasks carry references (path, first row, last row), not arrays.
    An exception in a task is raised here.
    """
    tasks = list(tasks)
    count = min(workers(n_jobs), max(1, len(tasks)))
    if count == 1 or backend == "threads":
        with thread_pool(count) as spread:
            yield from spread(function, tasks)
        return
    from concurrent.futures.process import BrokenProcessPool

    import joblib

    work = partial(_in_worker, os.getpid(), function)
    with one_blas_thread(), joblib.parallel_config(backend="loky", inner_max_num_threads=1):
        run = joblib.Parallel(n_jobs=count, return_as="generator", batch_size=1, pre_dispatch="2*n_jobs")
        try:
            yield from run(joblib.delayed(work)(task) for task in tasks)
        except BrokenProcessPool:
            raise SpeechGMMError(
                "a worker process was killed, most likely for want of memory; what was finished is kept: run the same "
                "command again with fewer workers (--jobs)"
            ) from None


@contextmanager
def thread_pool(n_jobs: int) -> Iterator[Callable[..., Iterator[Any]]]:
    """A ``map`` over threads that are started once, for passes over short tasks again and again.

    Results come in order, and no more than a few tasks are begun before theirs is asked for.
    """
    with one_blas_thread():
        if workers(n_jobs) == 1:
            yield map
            return
        import joblib

        options = {"backend": "threading", "return_as": "generator", "batch_size": 1, "pre_dispatch": "2*n_jobs"}
        with joblib.Parallel(n_jobs=workers(n_jobs), **options) as run:

            def spread(function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
                return iter(run(joblib.delayed(function)(task) for task in tasks))

            yield spread


def _in_worker(parent: int, function: Callable[[Task], Result], task: Task) -> Result:
    """Run a task in a worker that ends with the process that started it, which may be killed without a word."""
    _leave_with(parent)
    return function(task)


@cache
def _leave_with(parent: int) -> None:
    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
