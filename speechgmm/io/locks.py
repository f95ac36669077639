"""Locks between processes: on a model file that is changed, and on the cache that runs share."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Final, TextIO

from speechgmm.errors import DataError
from speechgmm.io.atomic import CANNOT_BE_WRITTEN, clear_disk_errors

LOCK: Final = ".lock"
"""The file in the cache's folder that runs hold."""

NO_LOCKS: Final = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
"""What a file system without locks answers."""


@contextmanager
def changing(path: Path) -> Iterator[None]:
    """Hold a file while it is read, changed and written again; whoever wants the same waits.

    The lock is a hidden file beside it, and is gone afterwards.

    Raises:
        DataError: The folder may not be written, or its file system has no locks.
    """
    from filelock import FileLock

    lock = path.with_name(f".{path.name[:200]}.lock")
    held = FileLock(lock)
    with clear_disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            held.acquire()
        except (NotImplementedError, OSError) as error:
            if isinstance(error, OSError) and error.errno not in NO_LOCKS:
                raise
            raise DataError(
                f"{path}: cannot be locked against others that change it ({error}); its file system has no locks: "
                "write the model to a local disk"
            ) from None
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)  # while it is held: who waits for it sees that it is gone, and makes a new one
        held.release()


@contextmanager
def using_cache(folder: Path) -> Iterator[None]:
    """Hold the cache for a run, beside others: it is not cleared meanwhile.

    Where nothing can be written, or nothing locked, the run goes on without.

    Raises:
        DataError: Something had to be written into it and could not: the message says how to name another cache.
    """
    import fcntl

    try:
        held: AbstractContextManager[object] = _held(folder, fcntl.LOCK_SH, lambda: None)
    except OSError:
        held = nullcontext()
    try:
        with held:
            yield
    except DataError as error:
        if str(error).startswith(f"{folder}{os.sep}") and CANNOT_BE_WRITTEN in str(error):
            raise DataError(
                f"{error}. It lies in the cache: `cache` of the configuration or $SPEECHGMM_CACHE names another folder"
            ) from error
        raise


@contextmanager
def clearing_cache(folder: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the cache alone, to clear it, and remove the lock at the end; ``waiting`` is called where a run has it.

    Raises:
        DataError: The folder may not be written, or its file system has no locks.
    """
    import fcntl

    with clear_disk_errors(folder):
        held = _held(folder, fcntl.LOCK_EX, waiting)
    with held:
        yield
        (folder / LOCK).unlink(missing_ok=True)


def _held(folder: Path, kind: int, waiting: Callable[[], None]) -> TextIO:
    import fcntl

    while True:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            file = (folder / LOCK).open("a")
        except FileNotFoundError:
            continue  # the folder was cleared and removed
        try:
            try:
                fcntl.flock(file, kind | fcntl.LOCK_NB)
            except BlockingIOError:
                waiting()
                fcntl.flock(file, kind)
            if os.fstat(file.fileno()).st_nlink:
                return file
        except BaseException:
            file.close()
            raise
        file.close()  # it was removed by whoever held it: others hold a new one
