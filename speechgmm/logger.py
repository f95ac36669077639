"""The logger ``speechgmm``: every message of the package is a record of it. Who shows them attaches a handler.

The package itself attaches a ``NullHandler`` alone. A worker process has no handlers; its records travel back with the
results of its tasks and are handled here.
"""

import logging
import os
import platform
import threading
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Final, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")
Place = tuple[str, int]
"""Machine and process."""

LOGGER: Final = logging.getLogger("speechgmm")
LOGGER.addHandler(logging.NullHandler())


class _Collector(logging.Handler):
    """The records of one thread, as text, so that they can be pickled."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self.records: list[logging.LogRecord] = []
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record of this thread."""
        if record.thread == self._thread:
            record.msg, record.args, record.exc_info = record.getMessage(), None, None
            self.records.append(record)


def returning_records(
    function: Callable[[Task], Result],
) -> Callable[[Task], tuple[Result, list[logging.LogRecord]]]:
    """A function for tasks of other processes, which returns their records beside its result.

    >>> returning_records(abs)(-1)  # in this process records are handled as they come
    (1, [])
    """
    return partial(_with_records, function, _here(), LOGGER.getEffectiveLevel())


def handled_here(found: Iterable[tuple[Result, list[logging.LogRecord]]]) -> Iterator[Result]:
    """The results of tasks; the records beside them are handled in this process, in the order of the tasks."""
    for result, records in found:
        for record in records:
            LOGGER.handle(record)
        yield result


def _with_records(
    function: Callable[[Task], Result], home: Place, level: int, task: Task
) -> tuple[Result, list[logging.LogRecord]]:
    if _here() == home:
        return function(task), []
    collector = _Collector(level)
    LOGGER.setLevel(level)
    LOGGER.addHandler(collector)
    try:
        return function(task), collector.records
    finally:
        LOGGER.removeHandler(collector)


def _here() -> Place:
    return platform.node(), os.getpid()
