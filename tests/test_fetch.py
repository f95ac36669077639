import contextlib
import io
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechgmm import cli
from speechgmm.corpus.fetch import FSDD, Source, fetch, git_blob_id, git_tree_id, unpack
from speechgmm.errors import ConfigError, DataError

FILES = {"recordings/0_a_0.wav": b"RIFF" + bytes(range(256)) * 40, "recordings/1_b_7.wav": b"one", "README.md": b"hi"}


def archive(files: dict[str, bytes], top: str = "corpus-0123abcd/") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        for name, data in files.items():
            packed.writestr(top + name, data)
    return out.getvalue()


@dataclass
class Server:
    """One archive on loopback; counts how often it is asked."""

    data: bytes
    url: str = ""
    n_asked: int = 0
    stop_after: int | None = None  # bytes sent of the next answer, then the connection is closed
    tells_length: bool = True
    status: int = 200


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server(archive(FILES))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.n_asked += 1
            if state.status != 200:
                self.send_error(state.status)
                return
            self.send_response(200)
            if state.tells_length:
                self.send_header("Content-Length", str(len(state.data)))
            self.end_headers()
            stop, state.stop_after = state.stop_after, None
            with contextlib.suppress(ConnectionError):
                self.wfile.write(state.data[:stop])

        def log_message(self, *_: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    state.url = f"http://127.0.0.1:{http.server_port}/archive.zip"
    try:
        yield state
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


@pytest.fixture
def source(server: Server, tmp_path: Path) -> Source:
    for name, data in FILES.items():
        (tmp_path / "packed" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "packed" / name).write_bytes(data)
    tree = git_tree_id(tmp_path / "packed" / "recordings")
    return Source("small", server.url, "0123abcd" * 5, "recordings", tree, "", 100_000, "none")


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_corpus_is_downloaded_checked_and_put_in_place(source: Source, server: Server, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    assert fetch(source, tmp_path / "to", progress=lambda done, total: seen.append((done, total)))
    assert left(tmp_path / "to") == ["recordings"]
    for name, data in FILES.items():
        if name != "README.md":
            assert (tmp_path / "to" / name).read_bytes() == data
    assert seen[-1] == (len(server.data), len(server.data))


def test_what_is_there_and_whole_is_not_downloaded_again(source: Source, server: Server, tmp_path: Path) -> None:
    fetch(source, tmp_path / "to")
    assert not fetch(source, tmp_path / "to")
    assert server.n_asked == 1


def test_a_truncated_archive_of_unknown_length_is_named(source: Source, server: Server, tmp_path: Path) -> None:
    server.tells_length, server.stop_after = False, 5000
    with pytest.raises(DataError, match=r"not a whole zip archive .* cut short"):
        fetch(source, tmp_path / "to")
    assert left(tmp_path / "to") == []


def test_other_content_is_refused_and_nothing_stays(source: Source, server: Server, tmp_path: Path) -> None:
    server.data = archive(FILES | {"recordings/1_b_7.wav": b"two"})
    with pytest.raises(
        DataError, match=rf"is not that of small at commit 0123abcd \(git tree \w+, expected {source.tree}"
    ):
        fetch(source, tmp_path / "to")
    assert left(tmp_path / "to") == []
    server.data = archive({"README.md": b"hi"})
    with pytest.raises(DataError, match="git tree no such folder"):
        fetch(source, tmp_path / "to")


def test_other_recordings_in_the_way_are_left_as_they_are(source: Source, server: Server, tmp_path: Path) -> None:
    (tmp_path / "to" / "recordings").mkdir(parents=True)
    (tmp_path / "to" / "recordings" / "mine.wav").write_bytes(b"mine")
    with pytest.raises(DataError, match=r"is there, but is not small.*nothing was changed"):
        fetch(source, tmp_path / "to")
    assert (tmp_path / "to" / "recordings" / "mine.wav").read_bytes() == b"mine"
    assert server.n_asked == 0


def test_only_what_was_verified_comes_in(source: Source, server: Server, tmp_path: Path) -> None:
    planted = {".bashrc": b"run me", ".ssh/authorized_keys": b"me", "README.md": b"other", "recordings.txt": b"no"}
    server.data = archive(FILES | planted)
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / "README.md").write_bytes(b"my notes")
    assert fetch(source, tmp_path / "to")
    assert left(tmp_path / "to") == ["README.md", "recordings"]
    assert (tmp_path / "to" / "README.md").read_bytes() == b"my notes"
    server.data = archive(FILES | {"recordings/.netrc": b"more"})
    with pytest.raises(DataError, match="is not that of small"):
        fetch(source, tmp_path / "other")
    assert left(tmp_path / "other") == []


def test_a_download_that_broke_off_leaves_nothing_and_the_next_call_is_clean(
    source: Source, server: Server, tmp_path: Path
) -> None:
    for kept in (0, 1, 700, 10_000):
        server.stop_after = kept
        with pytest.raises(DataError, match=r"broke off after \d+ bytes .*; try again"):
            fetch(source, tmp_path / "to")
        assert left(tmp_path / "to") == []
    (tmp_path / "to" / ".small-0123abcd.new").mkdir()  # of a process that was killed
    assert fetch(source, tmp_path / "to")
    assert left(tmp_path / "to") == ["recordings"]


@pytest.mark.parametrize("tells_length", [True, False])
def test_more_bytes_than_the_archive_can_have_are_not_taken(
    source: Source, server: Server, tmp_path: Path, tells_length: bool
) -> None:
    server.data, server.tells_length = bytes(50_000_000), tells_length
    seen: list[int] = []
    with pytest.raises(DataError, match=rf"sends more than {source.most_bytes} bytes"):
        fetch(source, tmp_path / "to", progress=lambda done, total: seen.append(done))
    assert max(seen, default=0) <= source.most_bytes
    assert left(tmp_path / "to") == []


def test_no_network_a_refusal_and_a_wrong_address_are_told_apart(
    source: Source, server: Server, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"no-such-host.invalid cannot be reached"):
        fetch(source, tmp_path / "to", url="http://no-such-host.invalid/a.zip")
    server.status = 404
    with pytest.raises(DataError, match="the server answers 404"):
        fetch(source, tmp_path / "to")
    for url in ("file:///etc/passwd", "archive.zip", "https://"):
        with pytest.raises(ConfigError, match="expected a URL that begins with"):
            fetch(source, tmp_path / "to", url=url)


LINK = zipfile.ZipInfo("top/link")
LINK.external_attr = 0o120777 << 16


@pytest.mark.parametrize(
    "name", ["../out.wav", "top/../../out.wav", "/out.wav", "top\\..\\..\\out.wav", "C:/out.wav", LINK]
)
def test_nothing_is_written_outside_the_folder(tmp_path: Path, name: str | zipfile.ZipInfo) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr("top/good.wav", b"good")
        packed.writestr(name, b"/etc")
    with pytest.raises(DataError, match="would be written outside its folder"):
        unpack(tmp_path / "a.zip", "x", tmp_path / "to", most_bytes=1000)
    assert left(tmp_path) == ["a.zip"]


@given(st.lists(st.text("./\\ab:", min_size=1, max_size=6), min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_any_names_stay_inside_or_are_refused(tmp_path_factory: pytest.TempPathFactory, names: list[str]) -> None:
    folder = tmp_path_factory.mktemp("zip")
    with zipfile.ZipFile(folder / "a.zip", "w") as packed:
        for name in dict.fromkeys(names):
            packed.writestr(name, b"x")
    before = left(folder.parent)
    with contextlib.suppress(DataError):
        unpack(folder / "a.zip", "x", folder / "to", most_bytes=1000)
    assert set(left(folder)) <= {"a.zip", "to"}
    assert left(folder.parent) == before


def test_an_archive_that_unpacks_to_too_much_or_has_many_tops_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(archive({"x/y": bytes(2000)}))
    with pytest.raises(DataError, match="unpack to 2000 bytes, where at most 1999"):
        unpack(tmp_path / "a.zip", "x", tmp_path / "to", most_bytes=1999)
    (tmp_path / "b.zip").write_bytes(archive({"one/x": b"", "two/x": b""}, top=""))
    with pytest.raises(DataError, match="one folder is expected at its top"):
        unpack(tmp_path / "b.zip", "x", tmp_path / "to", most_bytes=1)


def test_damage_inside_an_archive_is_found(tmp_path: Path) -> None:
    data = bytearray(archive({"x/y": b"speech" * 100}))
    data[60] ^= 1
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(DataError, match="not a whole zip archive"):
        unpack(tmp_path / "a.zip", "x", tmp_path / "to", most_bytes=1000)


@pytest.mark.skipif(shutil.which("git") is None, reason="git is the oracle")
def test_tree_ids_are_those_of_git(tmp_path: Path) -> None:
    # "a.b" sorts before folder "a" and file "a0" after it: git compares a folder's name with a slash behind it.
    for name in ("a.b", "a/x.wav", "a0", "b/c/d", "é.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode() * 3)
    (tmp_path / "empty").mkdir()
    (tmp_path / "b" / "c" / "d").chmod(0o755)
    found = git_tree_id(tmp_path, "d")

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=tmp_path, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    git("init", "-q")
    git("-c", "core.autocrlf=false", "-c", "core.excludesFile=", "add", ".")
    assert found == git("write-tree")
    assert git_blob_id((tmp_path / "a.b").read_bytes()) == git("hash-object", "--no-filters", "a.b")


def test_a_link_has_no_tree_id(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/passwd")
    with pytest.raises(DataError, match="neither a file nor a folder"):
        git_tree_id(tmp_path)


def test_the_pinned_tree_is_that_of_the_real_recordings(shared: Path) -> None:
    assert git_tree_id(shared / "data" / "fsdd" / "recordings", FSDD.executable) == FSDD.tree


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["speechgmm", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return int(ended.value.code or 0), out, err

    return run


@pytest.mark.slow
def test_the_command_fetches_the_real_recordings_from_a_mirror_to_where_a_configuration_looks(
    command: Callable[..., tuple[int, str, str]],
    server: Server,
    shared: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recordings = shared / "data" / "fsdd" / "recordings"
    server.data = archive({f"recordings/{path.name}": path.read_bytes() for path in recordings.iterdir()})
    monkeypatch.setenv("SPEECHGMM_DATA", str(tmp_path / "data"))
    status, out, err = command("fetch", "fsdd", "--url", server.url)
    assert status == 0
    assert out == (f"{tmp_path / 'data' / 'fsdd'}: fsdd at commit 26eb9aaf (CC BY-SA 4.0), fetched and checked\n")
    assert "downloading fsdd (kB)" in err
    assert "there already, and whole" in command("fetch", "fsdd", "--url", server.url)[1]


def test_the_command_refuses_what_it_does_not_know_and_content_that_is_not_pinned(
    command: Callable[..., tuple[int, str, str]], server: Server, tmp_path: Path
) -> None:
    status, _, err = command("fetch", "timit", "--to", tmp_path / "to")
    assert status == 2
    assert "'timit' is no corpus that can be fetched; expected fsdd" in err
    status, out, err = command("fetch", "fsdd", "--to", tmp_path / "to", "--url", server.url)
    assert (status, out) == (1, "")
    assert f"expected {FSDD.tree}" in err


def test_fetch_needs_no_heavy_module() -> None:
    code = (
        "import sys, speechgmm.corpus.fetch; heavy = {'numpy', 'scipy', 'soundfile', 'pydantic', 'typer', 'rich'}; "
        "print(sorted((heavy | {'pooch', 'requests'}) & {*sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_source_is_pinned_by_commit_and_tree() -> None:
    assert FSDD.commit in FSDD.url
    assert len(FSDD.commit) == len(FSDD.tree) == 40
