"""Tasks on a Dask cluster that someone started: the only place that knows dask and distributed.

Owns the connection, the checks before work is sent, and a map that keeps order. A worker that dies costs time: its
tasks, and what was sent for them, are computed again elsewhere. Refuses to start workers: batch systems and containers
do that better.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeVar

from speechgmm.engine.cluster_workers import about_here, check_storage, check_versions
from speechgmm.errors import ConfigError, SpeechGMMError
from speechgmm.parallel import one_blas_thread

Task = TypeVar("Task")
Result = TypeVar("Result")

ANSWER: Final = 10.0
"""Seconds to wait for a scheduler."""

FIRST_WORKER: Final = 30.0
"""Seconds to wait for the first worker, which has more to import than a scheduler."""

PATIENCE: Final = 120.0
"""Seconds to wait for a new worker once all are gone."""

PARCEL: Final = 8
"""Short tasks that travel together, at most."""

AT_ONCE: Final = 4
"""Tasks sent ahead, per thread of the cluster: enough to keep it busy, few enough to hold the results of."""


class Cluster:
    """A connection to a scheduler; ``map`` is like the builtin."""

    def __init__(self, address: str) -> None:
        """Connect; raises as ``connect``."""
        from distributed import Client

        self.address = address
        found: list[Any] = []

        def connect() -> None:
            try:
                found.append(Client(address, timeout=ANSWER, set_as_default=False))
            except (OSError, ValueError, TypeError) as error:
                found.append(error)

        # Who accepts the connection and says nothing (a port of the dashboard, a tunnel to nowhere) is waited for by
        # nobody: Dask's own limit is for the connection alone.
        waiting = threading.Thread(target=connect, daemon=True)
        waiting.start()
        waiting.join(ANSWER + 2)
        if not found or isinstance(found[0], Exception):
            reason = (
                f"({found[0] or type(found[0]).__name__})" if found else "(the port is open: is it the dashboard's?)"
            )
            raise ConfigError(
                f"parallel.scheduler: no scheduler answers at {address} within {ANSWER:g} s {reason}; start one with "
                "`dask scheduler`, which prints its address, or mend the address"
            )
        self._client = found[0]

    @property
    def alive(self) -> bool:
        """Whether the connection stands."""
        return bool(self._client.status == "running")

    @property
    def workers(self) -> dict[str, int]:
        """Address of every worker -> its threads."""
        return dict(self._client.nthreads())

    @property
    def n_threads(self) -> int:
        """Tasks that can run at once."""
        return max(1, sum(self.workers.values()))

    @property
    def threads_per_worker(self) -> int:
        """Tasks that can run at once in one process, which share its memory."""
        return max([1, *self.workers.values()])

    def close(self) -> None:
        """Let go of the scheduler; it and its workers go on."""
        self._client.close()

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """Results of a function over tasks, in their order, with BLAS held to one thread in each.

        Function and tasks are pickled; the function, which may carry a model, is sent once. An exception in a task is
        raised here.

        Raises:
            SpeechGMMError: The cluster is gone, or a task has ended every worker that took it.
        """
        common = self._send(function)
        left = iter(tasks)
        running = deque(self._start(common, task) for task in islice(left, AT_ONCE * self.n_threads))
        try:
            while running:
                result = self._wait(running.popleft())
                running.extend(self._start(common, task) for task in islice(left, 1))
                yield result
        finally:
            for future in running:
                future.cancel()

    def repeatedly(self) -> Callable[[Callable[[Task], Result], Iterable[Task]], Iterator[Result]]:
        """A ``map`` for passes over the same short tasks again and again: a sequence of them is sent once, in parcels.

        Parcels save messages; results still come one by one, so that nobody sums in another order.
        """
        sent: list[Any] = []  # the sequence, and its parcels as they were sent

        def spread(function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
            if not sent or sent[0] is not tasks:
                each = list(tasks)
                size = max(1, min(PARCEL, len(each) // (AT_ONCE * self.n_threads)))
                parcels = [each[n : n + size] for n in range(0, len(each), size)]
                sent[:] = [tasks, [self._send(parcel) for parcel in parcels]]
            for results in self.map(partial(_each, function), sent[1]):
                yield from results

        return spread

    def _send(self, value: object) -> Any:
        """Something that tasks have in common, as a task of its own: should its worker die, it is made again."""
        return self._client.submit(_same, value, pure=False)

    def _start(self, common: Any, task: object) -> Any:
        return self._client.submit(_run, common, task, pure=False)

    def _wait(self, future: Any) -> Any:
        from distributed.client import FutureCancelledError
        from distributed.comm import CommClosedError
        from distributed.scheduler import KilledWorker

        alone: float | None = None
        broken: float | None = None
        try:
            while True:
                try:
                    return future.result(timeout=2)
                except CommClosedError:
                    # A connection broke; whether the scheduler is gone with it, the client learns a moment later.
                    broken = broken or time.monotonic()
                    if not self.alive or time.monotonic() > broken + PATIENCE:
                        raise
                    time.sleep(0.2)
                except TimeoutError:
                    if future.status == "error":
                        raise  # the task's own; "lost": its worker died with the result, which is being made again
                    alone = None if self.alive and self.workers else alone or time.monotonic()
                    if alone is not None and time.monotonic() > alone + PATIENCE:
                        raise SpeechGMMError(
                            f"no worker has been left at {self.address} for {PATIENCE:g} s; what was finished is kept: "
                            "start workers and run the same command again"
                        ) from None
        except KilledWorker as error:
            raise SpeechGMMError(
                f"a task ended several workers one after another, most likely for want of memory ({error}); what was "
                "finished is kept: give the workers more memory or fewer threads each, or lower parallel.memory, and "
                "run the same command again"
            ) from None
        except (FutureCancelledError, OSError) as error:
            if self.alive and isinstance(error, OSError) and not isinstance(error, CommClosedError):
                raise  # the task's own
            raise SpeechGMMError(
                f"the scheduler at {self.address} is gone; what was finished is kept: run the same command again once "
                "it is back"
            ) from None

    def check(self, folder: Path, recordings: Sequence[Path]) -> list[str]:
        """How the workers differ from this machine, in sentences.

        Args:
            folder: The cache, which all workers must read and write.
            recordings: Some that all workers must be able to read.

        Raises:
            ConfigError: No worker, or workers with another version of this package.
            DataError: Storage that a worker cannot see.
        """
        until = time.monotonic() + FIRST_WORKER
        while not self.workers:
            if time.monotonic() > until:
                raise ConfigError(
                    f"parallel.scheduler: {self.address} has no workers after {FIRST_WORKER:g} s; start some with "
                    f"`dask worker {self.address}`, or wait until the batch system has started them"
                )
            time.sleep(0.2)
        differences = check_versions(about_here(), self._on_all(about_here))
        check_storage(self._on_all, folder, recordings)
        return differences

    def _on_all(self, function: Callable[..., Any], *arguments: object) -> dict[str, Any]:
        found: Mapping[str, Any] = self._client.run(function, *arguments, on_error="return")
        return dict(found)


_connections: dict[str, Cluster] = {}


def connect(address: str) -> Cluster:
    """The cluster of a scheduler; a connection that stands is used again.

    Raises:
        ConfigError: distributed is not installed, or no scheduler answers at the address.
    """
    if find_spec("distributed") is None:
        raise ConfigError(
            "parallel.backend: dask needs the package distributed, which is not installed: pip install "
            "'speechgmm[cluster]', here and where the workers run"
        )
    if address not in _connections or not _connections[address].alive:
        _connections[address] = Cluster(address)
    return _connections[address]


def _same(value: object) -> object:
    return value


def _each(function: Callable[[Task], Result], parcel: Sequence[Task]) -> list[Result]:
    return [function(task) for task in parcel]


_held: list[Any] = []


def _run(function: Callable[[Task], Result], task: Task) -> Result:
    """A task in a worker, which holds BLAS to one thread from the first one on: to look for every BLAS takes as long as
    some tasks do.
    """
    if not _held:
        _held.append(one_blas_thread())
        _held[0].__enter__()
    return function(task)
