"""Downloading a public corpus: within bounds, unpacked with care, and moved in only where it is the pinned git tree.

A zip that a forge packs on demand has no hash that stays; the git tree of the files in it has one. So the id of
the extracted folder is what is checked, whatever mirror the archive came from. What else is in the archive stays there.
pooch downloads.
"""

import hashlib
import os
import re
import shutil
import stat
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Final
from urllib.parse import urlsplit

from speechgmm.errors import ConfigError, DataError
from speechgmm.io.atomic import clear_disk_errors

TIMEOUT: Final = 60.0  # s without a byte

Progress = Callable[[int, int], None]
"""Called with (bytes there, bytes in all); the second is 0 as long as the server has not said."""


@dataclass(frozen=True, slots=True)
class Source:
    """A corpus to download: a zip archive with one folder at its top, and the git tree that is taken from it."""

    name: str  # as the command and corpus.kind call it
    url: str
    commit: str  # for people: which state of the repository the archive is
    folder: str  # the folder of the archive that is checked and taken
    tree: str  # its git tree id, 40 hex digits
    executable: str  # regular expression: the files that the tree has as executable; "" for none
    most_bytes: int  # of the archive, and of the folder unpacked: what claims more is not what it says
    licence: str


FSDD: Final = Source(
    name="fsdd",
    url="https://github.com/Jakobovski/free-spoken-digit-dataset/archive/26eb9aaf76e81b692f806f9140c2d2777410d7a1.zip",
    commit="26eb9aaf76e81b692f806f9140c2d2777410d7a1",
    folder="recordings",
    tree="d04322e322a9f937f6f4f7c8546693755184df5b",
    executable=r"\d_(nicolas|theo)_\d+\.wav",  # committed so by accident, but a tree id counts it
    most_bytes=50_000_000,
    licence="CC BY-SA 4.0",
)

SOURCES: Final = {source.name: source for source in (FSDD,)}


def git_blob_id(data: bytes) -> str:
    """The id that git gives a file's content: SHA-1 of its length and its bytes.

    >>> git_blob_id(b"")
    'e69de29bb2d1d6434b8b29ae775ad8c2e48c5391'
    """
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def git_tree_id(folder: Path, executable: str = "") -> str:
    """The id of the tree that git would make of a folder; empty folders do not count.

    What is executable is an argument, not read from the disk: archives and file systems without such a bit lose it, and
    the id has to say whether names and contents are those that were pinned.

    Args:
        folder: The folder, with all that is below it.
        executable: Regular expression for the names of files of mode 100755; the others have 100644.

    Raises:
        DataError: There is a link or another thing in it that is neither a file nor a folder.
    """
    entries: list[tuple[bytes, bytes]] = []  # (key to sort by, entry)
    for path in folder.iterdir():
        name = os.fsencode(path.name)
        mode = path.lstat().st_mode
        if stat.S_ISDIR(mode):
            if any(inner.is_file() for inner in path.rglob("*")):
                # git sorts a folder as though its name ended in a slash.
                entries.append((name + b"/", b"40000 " + name + b"\0" + bytes.fromhex(git_tree_id(path, executable))))
        elif stat.S_ISREG(mode):
            mode_in_git = b"100755 " if re.fullmatch(executable, path.name) else b"100644 "
            entries.append((name, mode_in_git + name + b"\0" + bytes.fromhex(git_blob_id(path.read_bytes()))))
        else:
            raise DataError(f"{path}: neither a file nor a folder; a link has no place in a downloaded corpus")
    body = b"".join(entry for _, entry in sorted(entries))
    return hashlib.sha1(b"tree %d\0" % len(body) + body, usedforsecurity=False).hexdigest()


def fetch(source: Source, to: Path, *, url: str | None = None, progress: Progress | None = None) -> bool:
    """Download a corpus into a folder, unless it is there already: then ``to / source.folder`` is the pinned tree.

    Nothing else comes into the folder, and nothing that is there is changed.

    Args:
        source: What to download.
        to: The folder that gets the checked folder of the archive.
        url: A mirror of the archive; checked all the same.
        progress: Called as bytes arrive.

    Returns:
        True: downloaded; False: it was there already, and is whole.

    Raises:
        ConfigError: The URL is none that can be fetched.
        DataError: No network, too large, a broken or a wrong archive, other files in the way.
    """
    url = url or source.url
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc:
        raise ConfigError(f"{url!r}: expected a URL that begins with https:// or http://")
    goal = to / source.folder
    if goal.exists():
        found = _tree_found(goal, source)
        if found == source.tree:
            return False
        raise DataError(
            f"{goal} is there, but is not {source.name} at commit {source.commit[:8]} (git tree {found}, expected "
            f"{source.tree}); nothing was changed. Move it away, or choose another folder",
            arguments=("to",),
        )
    work = to / f".{source.name}-{source.commit[:8]}.new"
    with clear_disk_errors(to):
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        try:
            download(url, work / "archive.zip", source.most_bytes, progress)
            folder = unpack(work / "archive.zip", source.folder, work / "unpacked", most_bytes=source.most_bytes)
            found = _tree_found(folder, source)
            if found != source.tree:
                raise DataError(
                    f"{url}: its {source.folder}/ is not that of {source.name} at commit {source.commit[:8]} "
                    f"(git tree {found}, expected {source.tree}); the download was thrown away. A mirror with other "
                    "content, or damage on the way: try again, or from the usual URL",
                    arguments=("url",),
                )
            folder.rename(goal)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return True


class _Sink:
    """A file that takes so many bytes and no more, and pooch's progress bar in one."""

    def __init__(self, file: IO[bytes], url: str, most_bytes: int, progress: Progress | None) -> None:
        self.file, self.url, self.most_bytes, self.progress = file, url, most_bytes, progress
        self.done = self.total = 0

    def write(self, data: bytes) -> None:
        self.done += len(data)
        if max(self.done, self.total) > self.most_bytes:
            raise DataError(
                f"{self.url}: sends more than {self.most_bytes} bytes, which is not the archive that is expected; the "
                "download was thrown away",
                arguments=("url",),
            )
        self.file.write(data)
        if self.progress:
            self.progress(self.done, self.total)

    def flush(self) -> None:
        pass

    def update(self, n: int) -> None:
        """What pooch counts; ``write`` counts what is written."""

    reset = close = flush


def download(url: str, to: Path, most_bytes: int, progress: Progress | None = None) -> None:
    """Download into a file, at most so many bytes.

    Raises:
        DataError: The server cannot be reached or refuses, the connection broke off, or there are more bytes.
    """
    import pooch
    import requests

    # Not compressed on the way: the archive is, and its length is then the number of bytes to come.
    headers = {"User-Agent": "speechgmm", "Accept-Encoding": "identity"}
    with to.open("wb") as file:
        sink = _Sink(file, url, most_bytes, progress)
        try:
            pooch.HTTPDownloader(progressbar=sink, headers=headers, timeout=TIMEOUT)(url, sink, None)
        except requests.HTTPError as error:
            raise DataError(
                f"{url}: the server answers {str(error).partition(' for url')[0]}; is the address right?",
                arguments=("url",),
            ) from None
        except requests.exceptions.ChunkedEncodingError as error:
            raise DataError(f"{url}: the download broke off after {sink.done} bytes ({error}); try again") from None
        except requests.RequestException as error:
            raise DataError(
                f"{url}: {urlsplit(url).hostname} cannot be reached ({type(error).__name__}); is there a network, and "
                "a proxy that has to be named in https_proxy? A mirror may be named instead",
                arguments=("url",),
            ) from None


def unpack(archive: Path, folder: str, to: Path, *, most_bytes: int) -> Path:
    """Extract one folder, just below the top, of a zip archive with one folder at its top; returns what was extracted.

    Nothing is written outside ``to``: absolute names, ``..``, drives, backslashes, links and sizes beyond
    ``most_bytes`` are refused before the first file is written, wherever in the archive they are.

    Raises:
        DataError: Not a zip archive, a damaged one, or one with such names.
    """
    try:
        with zipfile.ZipFile(archive) as file:
            names = {member: _safe_name(member) for member in file.infolist()}
            tops = {name.parts[0] for name in names.values()}
            if len(tops) != 1:
                raise DataError(f"{archive}: one folder is expected at its top, not {sorted(tops)[:5]}")
            wanted = {m: name for m, name in names.items() if name.parts[1:2] == (folder,) and not m.is_dir()}
            size = sum(member.file_size for member in wanted)
            if size > most_bytes:
                raise DataError(f"{archive}: it would unpack to {size} bytes, where at most {most_bytes} are expected")
            for member, name in wanted.items():
                path = to.joinpath(*name.parts[1:])
                path.parent.mkdir(parents=True, exist_ok=True)
                with file.open(member) as packed, path.open("xb") as unpacked:
                    shutil.copyfileobj(packed, unpacked)  # ends at file_size: zipfile reads no further, checks the CRC
    except (
        *(zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, RuntimeError, ValueError, UnicodeError),
        *(FileExistsError, NotADirectoryError, IsADirectoryError),
    ) as error:
        raise DataError(
            f"{archive.name}: not a whole zip archive ({error}): the download was cut short, or a page that is no "
            "archive came in its place; it was thrown away, so the same command starts anew"
        ) from None
    return to / folder


def _safe_name(member: zipfile.ZipInfo) -> PurePosixPath:
    path = PurePosixPath(member.filename)
    kind = stat.S_IFMT(member.external_attr >> 16)
    bad = not path.parts or path.is_absolute() or ".." in path.parts or "\\" in member.filename or ":" in path.parts[0]
    if bad or kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise DataError(
            f"the archive holds {member.filename!r}, which would be written outside its folder; it is refused"
        )
    return path


def _tree_found(folder: Path, source: Source) -> str:
    return git_tree_id(folder, source.executable) if folder.is_dir() else "no such folder"
