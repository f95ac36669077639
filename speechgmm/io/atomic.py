"""Writing a file so that it is either whole or not there, and a folder so that one process does."""

import errno
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from speechgmm.errors import ConfigError, DataError

LEFT_OVER_AFTER: Final = 86_400
"""Seconds after which a temporary file is taken to be of a process that was killed."""

CANNOT_BE_WRITTEN: Final = "cannot be written"
"""What the message of a place says that may not be written."""


@contextmanager
def clear_disk_errors(path: Path) -> Iterator[None]:
    """Turn a full disk or a folder that may not be written into a DataError that names it."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, None):
            raise DataError(
                f"{path}: the disk is full ({reason}); what was finished before is kept: free some space "
                "(`speechgmm cache` shows what the cache holds) and run the same command again"
            ) from error
        if error.errno == errno.ENOENT:
            raise DataError(f"{path}: its folder was removed while it was written ({reason})") from error
        raise DataError(
            f"{path}: {CANNOT_BE_WRITTEN} ({reason}); choose another place, or change its permissions"
        ) from error


def write_atomically(path: Path, write: Callable[[BinaryIO], object], *, synced: bool = True) -> None:
    """Call ``write`` on a temporary file beside ``path`` and rename it when it is whole.

    ``synced``: wait until the disk has it. A kill leaves the file whole or not there in any case; without it, a machine
    that loses its power may leave an empty one, so that it is for files with a checksum that can be made again.

    Raises:
        DataError: The disk is full or the folder may not be written.
    """
    # Process numbers alone are not enough: threads, and containers that share a disk, have the same.
    temporary = path.with_name(f".{path.name[:200]}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    with clear_disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                write(file)
                file.flush()
                if synced:
                    os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8, whole or not at all; file names that are not UTF-8 keep their bytes."""
    write_atomically(path, lambda file: file.write(text.encode("utf-8", "surrogateescape")))


def remove_leftovers(folder: Path) -> None:
    """Remove temporary files of processes that were killed while they wrote, a day ago or earlier."""
    for path in folder.glob(".*.tmp"):
        try:
            if time.time() - path.stat().st_mtime > LEFT_OVER_AFTER:
                path.unlink(missing_ok=True)
        except OSError:
            continue  # somebody else removed it


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Hold a folder, made if need be, for this process alone.

    Raises:
        ConfigError: Another process holds it.
        DataError: It cannot be written.
    """
    import fcntl

    with clear_disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("w")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                yield  # a file system without locks
                return
            raise ConfigError(
                f"{folder}: another run is writing here; wait for it, or choose another folder", arguments=("output",)
            ) from None
        yield
