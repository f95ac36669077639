"""Downloading a public corpus: resumed where it stopped, unpacked with care, checked against a pinned git tree.

A zip that a forge packs on demand has no hash of its own that stays; the git tree of the files in it has. So the id of
the extracted folder is what is checked, whatever mirror the archive came from.
"""

import hashlib
import http.client
import os
import re
import shutil
import stat
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import urlsplit

from speechgmm.errors import ConfigError, DataError
from speechgmm.io.atomic import clear_disk_errors

BLOCK: Final = 1 << 18  # bytes read at once
TIMEOUT: Final = 60.0  # s without a byte

Progress = Callable[[int, int], None]
"""Called with (bytes there, bytes in all); the second is 0 as long as the server has not said."""


@dataclass(frozen=True, slots=True)
class Source:
    """A corpus to download: a zip archive with one folder at its top, and the git tree that it has to hold."""

    name: str  # as the command and corpus.kind call it
    url: str
    commit: str  # for people: which state of the repository the archive is
    folder: str  # the folder of the archive that is checked
    tree: str  # its git tree id, 40 hex digits
    executable: str  # regular expression: the files that the tree has as executable; "" for none
    most_bytes: int  # unpacked, at most: an archive that claims more is not what it says
    licence: str


FSDD: Final = Source(
    name="fsdd",
    url="https://github.com/Jakobovski/free-spoken-digit-dataset/archive/26eb9aaf76e81b692f806f9140c2d2777410d7a1.zip",
    commit="26eb9aaf76e81b692f806f9140c2d2777410d7a1",
    folder="recordings",
    tree="d04322e322a9f937f6f4f7c8546693755184df5b",
    executable=r"\d_(nicolas|theo)_\d+\.wav",  # committed so by accident, but a tree id counts it
    most_bytes=200_000_000,
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

    What came before a break stays in a ``.part`` file, and the next call goes on from there.

    Args:
        source: What to download.
        to: The folder that gets the archive's content.
        url: A mirror of the archive; checked all the same.
        progress: Called as bytes arrive.

    Returns:
        True: downloaded; False: it was there already, and is whole.

    Raises:
        ConfigError: The URL is none that can be fetched.
        DataError: No network, a broken or a wrong archive, other files in the way.
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
    part = to / f".{source.name}-{source.commit[:8]}.zip.part"
    unpacked = to / f".{source.name}-{source.commit[:8]}.unpacked"
    with clear_disk_errors(to):
        to.mkdir(parents=True, exist_ok=True)
        download(url, part, progress=progress)
        shutil.rmtree(unpacked, ignore_errors=True)
        try:
            top = unpack(part, unpacked, most_bytes=source.most_bytes)
            found = _tree_found(top / source.folder, source)
            if found != source.tree:
                raise DataError(
                    f"{url}: its {source.folder}/ is not that of {source.name} at commit {source.commit[:8]} "
                    f"(git tree {found}, expected {source.tree}); the download was thrown away. A mirror with other "
                    "content, or damage on the way: try again, or from the usual URL",
                    arguments=("url",),
                )
            _move_in(top, to, last=source.folder)
            part.unlink()
        except DataError:
            part.unlink()  # kept, a wrong archive would be "resumed" for ever
            raise
        finally:
            shutil.rmtree(unpacked, ignore_errors=True)
    return True


def download(url: str, part: Path, *, progress: Progress | None = None) -> None:
    """Download into a file, going on from what is there (HTTP Range, RFC 9110, section 14).

    A server that sends the whole instead of the rest is taken at its word: the file begins anew.

    Raises:
        DataError: The server cannot be reached or refuses; the connection broke off. What came is kept.
    """
    there = part.stat().st_size if part.exists() else 0
    # Unpacked transfer: with a content coding, offsets would count something else.
    headers = {"User-Agent": "speechgmm", "Accept-Encoding": "identity"}
    if there:
        headers["Range"] = f"bytes={there}-"
    request = urllib.request.Request(url, headers=headers)
    with _clear_network_errors(url, part):
        try:
            response = urllib.request.urlopen(request, timeout=TIMEOUT)
        except urllib.error.HTTPError as error:
            with error:
                size = error.headers.get("Content-Range", "").rpartition("/")[2]
            if error.code != 416 or not there:  # 416: the range begins at or after the end
                raise
            if size == str(there):
                return  # it was whole: the last call was stopped between download and unpacking
            part.unlink()
            download(url, part, progress=progress)
            return
        with response:
            begun = there if response.status == 206 else 0
            if begun and response.headers.get("Content-Range", "").split("-")[0] != f"bytes {begun}":
                raise DataError(
                    f"{url}: asked for the bytes from {begun} on, got {response.headers.get('Content-Range')!r}; "
                    f"remove {part} and start anew"
                )
            length = response.headers.get("Content-Length")
            total = begun + int(length) if length and length.isdecimal() else 0
            done = begun
            with part.open("ab" if begun else "wb") as file:
                while block := response.read(BLOCK):
                    file.write(block)
                    done += len(block)
                    if progress:
                        progress(done, total)
    if done < total:
        raise _broken_off(url, part, f"{total - done} of {total} bytes are missing")


def unpack(archive: Path, to: Path, *, most_bytes: int) -> Path:
    """Extract a zip archive with one folder at its top; returns that folder.

    Nothing is written outside ``to``: absolute names, ``..``, drives, backslashes, links and sizes beyond
    ``most_bytes`` are refused before the first file is written.

    Raises:
        DataError: Not a zip archive, a damaged one, or one with such names.
    """
    try:
        with zipfile.ZipFile(archive) as file:
            members = file.infolist()
            tops = {_safe_name(member).parts[0] for member in members}
            size = sum(member.file_size for member in members)
            if size > most_bytes:
                raise DataError(f"{archive}: it would unpack to {size} bytes, where at most {most_bytes} are expected")
            if len(tops) != 1:
                raise DataError(f"{archive}: one folder is expected at its top, not {sorted(tops)[:5]}")
            for member in members:
                path = to.joinpath(*_safe_name(member).parts)
                if member.is_dir():
                    path.mkdir(parents=True, exist_ok=True)
                    continue
                path.parent.mkdir(parents=True, exist_ok=True)
                with file.open(member) as packed, path.open("xb") as unpacked:
                    shutil.copyfileobj(packed, unpacked)  # ends at file_size: zipfile reads no further, checks the CRC
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, RuntimeError, FileExistsError) as error:
        raise DataError(
            f"{archive.name}: not a whole zip archive ({error}): the download was cut short, or a page that is no "
            "archive came in its place; it was thrown away, so the same command starts anew"
        ) from None
    return to / tops.pop()


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


def _move_in(top: Path, to: Path, *, last: str) -> None:
    """Move an archive's content into place, the checked folder last: where that is, all is. Files there are kept."""
    for path in sorted(top.iterdir(), key=lambda path: path.name == last):
        if not (to / path.name).exists():
            path.rename(to / path.name)


@contextmanager
def _clear_network_errors(url: str, part: Path) -> Iterator[None]:
    try:
        yield
    except urllib.error.HTTPError as error:
        raise DataError(
            f"{url}: the server answers {error.code} {error.reason}; is the address right?", arguments=("url",)
        ) from None
    except urllib.error.URLError as error:
        raise DataError(
            f"{url}: {urlsplit(url).hostname} cannot be reached ({error.reason}); is there a network, and a proxy that "
            "has to be named in https_proxy? A mirror may be named instead",
            arguments=("url",),
        ) from None
    except (http.client.HTTPException, ConnectionError, TimeoutError) as error:
        raise _broken_off(url, part, str(error) or type(error).__name__) from None


def _broken_off(url: str, part: Path, why: str) -> DataError:
    kept = part.stat().st_size if part.exists() else 0
    return DataError(
        f"{url}: the download broke off ({why}); {kept} bytes are kept: the same command goes on from there"
    )
