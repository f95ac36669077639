"""Running tasks side by side: the only place that starts threads, that knows joblib, and that limits BLAS's threads.

``pmap`` keeps the order of its tasks, starts nothing for a single worker, and holds BLAS to one thread inside every
task: OpenBLAS threads that spin under joblib cost 20 times the work, and results must not depend on their number.
Products here are of blocks that fit into a cache. Threads of BLAS that share one of those wait for each other longer
than they work, and where the cores are busy, many times longer.
"""

import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from numbers import Integral
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from speechgmm.errors import ConfigError, SpeechGMMError

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

_lock = threading.Lock()
_n_holders = 0  # tasks that hold BLAS to one thread
_limits: list[Any] = []  # theirs; the first knows what was before, those after it of a BLAS that was loaded later
_found: tuple[int, Any] = (0, None)  # modules that were loaded at the last search, and what it found

PYTHON_TURN: Final = threading.Lock()
"""Held by a thread between passes that are compiled. Threads would otherwise hand Python's own lock to and fro at each
operation on an array, which takes longer than to wait for the turn."""
if sys.platform != "win32":  # no process begins with the turn of a thread that it does not have
    os.register_at_fork(
        before=PYTHON_TURN.acquire, after_in_parent=PYTHON_TURN.release, after_in_child=PYTHON_TURN.release
    )


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold every BLAS that is loaded to one thread; also as a decorator.

    numpy and scipy bundle one each: who loads that of scipy meanwhile calls `hold_new_blas`. The limit is the
    process's: of several threads that ask for it, the last to leave lifts it.
    """
    global _n_holders
    with _lock:
        if not _n_holders:
            _limits.append(_controller().limit(limits=1, user_api="blas"))
        _n_holders += 1
    try:
        yield
    finally:
        with _lock:
            _n_holders -= 1
            while _limits and not _n_holders:
                _limits.pop().restore_original_limits()


def hold_new_blas() -> None:
    """Hold a BLAS that was loaded just now to one thread too, for as long as the others are held."""
    with _lock:
        if _n_holders:
            _limits.append(_controller().limit(limits=1, user_api="blas"))


def _controller() -> Any:
    """Every BLAS that is loaded; the search takes milliseconds, and is made again when modules were loaded since."""
    global _found
    if _found[0] != len(sys.modules):
        from threadpoolctl import ThreadpoolController

        _found = (len(sys.modules), ThreadpoolController())
    return _found[1]


def loaded_blas() -> list[str]:
    """The BLAS libraries that are loaded, each with its version and the kernel that it chose, sorted."""
    from threadpoolctl import threadpool_info

    loaded = (one for one in threadpool_info() if one["user_api"] == "blas")
    return sorted(f"{one['internal_api']} {one['version']} {one.get('architecture', '')}".rstrip() for one in loaded)


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


def free_workers(n_jobs: object, n_tasks: int) -> int:
    """The number of workers for a call of the library, which may come from a worker of the caller's own pool.

    A negative number counts the cores that are free. A worker process has one, and so has a thread other than the
    main one: the pool they belong to uses the others. A positive number is taken as it is. There are never more
    workers than ``n_tasks``.

    Raises:
        ConfigError: ``n_jobs`` is 0, or no whole number.

    >>> free_workers(3, n_tasks=8), free_workers(3, n_tasks=2)
    (3, 2)
    """
    if isinstance(n_jobs, bool) or not isinstance(n_jobs, Integral) or n_jobs == 0:
        raise ConfigError(f"n_jobs {n_jobs!r}; expected a whole number of workers, 1 or more, or -1 for one per core")
    if n_tasks < 2 or (n_jobs < 0 and _in_a_pool()):
        return 1
    return min(workers(int(n_jobs)), n_tasks)


def _in_a_pool() -> bool:
    """Whether this is a worker process, or a thread other than the main one."""
    from multiprocessing import parent_process

    return parent_process() is not None or threading.current_thread() is not threading.main_thread()


def in_parcels(items: Sequence[Task], size: int) -> list[tuple[Task, ...]]:
    """Items in their order, ``size`` to a parcel: tasks that do not follow from the number of workers.

    >>> in_parcels([1, 2, 3], 2)
    [(1, 2), (3,)]
    """
    return [tuple(items[first : first + size]) for first in range(0, len(items), size)]


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
                "command again with fewer workers",
                arguments=("n_jobs",),
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
        from concurrent.futures import ThreadPoolExecutor

        pool = ThreadPoolExecutor(workers(n_jobs), thread_name_prefix="speechgmm")
        try:
            yield partial(_in_order, pool, 2 * workers(n_jobs))
        finally:
            pool.shutdown(cancel_futures=True)


def _in_order(
    pool: "ThreadPoolExecutor", ahead: int, function: Callable[[Task], Result], tasks: Iterable[Task]
) -> Iterator[Result]:
    """Results in the order of their tasks, of which ``ahead`` at most are begun before theirs is asked for."""
    begun: deque[Future[Result]] = deque()
    for task in tasks:
        begun.append(pool.submit(function, task))
        if len(begun) > ahead:
            yield begun.popleft().result()
    while begun:
        yield begun.popleft().result()


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
