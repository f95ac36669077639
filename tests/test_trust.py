"""What a stranger's file may not decide: which cluster runs code here, which sounds a page holds, what is printed."""

import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import hum

from speechgmm import cli
from speechgmm.config import Config, Experiment, ParallelSpec, load_config
from speechgmm.corpus import CorpusSpec, read_corpus
from speechgmm.corpus.readers.manifest import read_manifest
from speechgmm.engine.audio_input import AudioInput
from speechgmm.engine.job import prepare
from speechgmm.errors import ConfigError, DataError
from speechgmm.features import FeatureSpec
from speechgmm.gmm import DiagGMM
from speechgmm.io.terminal import visible
from speechgmm.tasks.classification.codec import save_models
from speechgmm.tasks.classification.models import ClassModels

KEPT = Path(__file__).parent / "kept"

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["speechgmm", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return int(ended.value.code or 0), out, err

    return call


@dataclass
class Port:
    """A port that notes whether anyone connects."""

    listening: socket.socket

    @property
    def address(self) -> str:
        return f"tcp://127.0.0.1:{self.listening.getsockname()[1]}"

    def was_called(self) -> bool:
        self.listening.settimeout(0.2)
        try:
            self.listening.accept()[0].close()
        except TimeoutError:
            return False
        return True


@pytest.fixture
def port() -> Iterator[Port]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield Port(listening)


@pytest.fixture
def strange(config_file: Path, port: Port, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration whose file names a scheduler."""
    monkeypatch.delenv("SPEECHGMM_SCHEDULER", raising=False)
    path = config_file.with_name("strange.yaml")
    parallel = f"parallel: {{backend: dask, scheduler: '{port.address}'}}"
    path.write_text(re.sub(r"parallel: .*", parallel, config_file.read_text()))
    return path


def test_a_configuration_file_alone_makes_nobody_connect_to_a_cluster(
    strange: Path, port: Port, command: Command, tmp_path: Path
) -> None:
    for name in ("run", "extract", "train"):
        status, _, err = command(name, strange, "--out", tmp_path / "out")
        assert status == 2
        assert f"names the cluster {port.address}" in err
        assert "(--scheduler, --trust-cluster, --set)" in err
    with pytest.raises(ConfigError, match="names the cluster"):
        prepare(strange)
    assert not port.was_called()


def test_checking_a_corpus_asks_no_cluster_whoever_named_it(strange: Path, port: Port, command: Command) -> None:
    for more in ((), ("--set", f"parallel.scheduler={port.address}")):
        status, out, _ = command("check", strange, *more)
        assert status == 0
        assert "utterances can be used" in out
    assert not port.was_called()


def test_a_sweep_lets_no_list_name_a_cluster(config_file: Path, port: Port, command: Command, tmp_path: Path) -> None:
    points = tmp_path / "points.yaml"
    point = f"{{parallel.backend: dask, parallel.scheduler: '{port.address}'}}"
    points.write_text(f"- {point}\n- {point}\n")
    status, _, err = command("sweep", config_file, "--list", points, "--out", tmp_path / "out")
    assert status == 2
    assert "parallel changes no result" in err
    points.write_text(f"- {{parallel: {{backend: dask, scheduler: '{port.address}'}}}}\n- {{seed: 1}}\n")
    assert command("sweep", config_file, "--list", points, "--out", tmp_path / "out")[0] == 2
    assert not port.was_called()


def test_a_scheduler_is_the_users_own_word(strange: Path, port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_config(strange, trust_cluster=True).scheduler() == port.address
    assert load_config(strange, ["parallel.scheduler=tcp://mine:1"]).scheduler() == "tcp://mine:1"
    assert load_config(strange, ["parallel.backend=threads", "parallel.scheduler=null"]).scheduler() is None
    own = Config(parallel=ParallelSpec(backend="dask", scheduler="tcp://mine:1"))
    assert Experiment(own, "a", strange.parent).scheduler() == "tcp://mine:1"
    monkeypatch.setenv("SPEECHGMM_SCHEDULER", port.address)
    assert load_config(strange).scheduler() == port.address
    assert load_config(strange, ["parallel.scheduler=null"]).scheduler() == port.address
    monkeypatch.setenv("SPEECHGMM_SCHEDULER", "here")
    with pytest.raises(ConfigError, match=r"parallel.scheduler is 'here'; expected the address"):
        load_config(strange, ["parallel.scheduler=null"]).scheduler()
    monkeypatch.delenv("SPEECHGMM_SCHEDULER")
    with pytest.raises(ConfigError, match=r"parallel.backend: dask, and no scheduler is named"):
        load_config(strange, ["parallel.scheduler=null"]).scheduler()


def test_the_options_reach_the_cluster_that_they_name(
    strange: Path, config_file: Path, port: Port, command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from speechgmm.engine import cluster

    monkeypatch.setattr(cluster, "ANSWER", 0.2)
    for arguments in ((strange, "--trust-cluster"), (config_file, "--scheduler", port.address)):
        status, _, err = command("run", *arguments, "--set", "parallel.n_jobs=-1", "--out", tmp_path / "out")
        assert status == 2
        assert f"no scheduler answers at {port.address}" in err
        assert port.was_called()


@pytest.mark.parametrize(
    "arguments",
    [
        ("inspect", "PIPE.safetensors"),
        ("score", "PIPE", "AUDIO"),
        ("score", "MODEL", "PIPE"),
        ("verify", "PIPE", "AUDIO", "--claim", "a"),
        ("recognise", "PIPE", "AUDIO"),
        ("diarize", "AUDIO", "--model", "PIPE"),
        ("run", "PIPE"),
        ("evaluate", "PIPE"),
        ("align", "MODEL", "--texts", "PIPE.tsv"),
    ],
)
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path, command: Command, arguments: tuple[str, ...]) -> None:
    import os

    places = {"MODEL": KEPT / "class" / "models.safetensors", "AUDIO": tmp_path / "a.wav"}
    if "align" in arguments:
        places["MODEL"] = KEPT / "recognition" / "models.safetensors"
    soundfile.write(tmp_path / "a.wav", hum(0, 140.0), 8000)
    words = [str(places.get(word, tmp_path / word if word.startswith("PIPE") else word)) for word in arguments]
    for word in words:
        if Path(word).name.startswith("PIPE"):
            os.mkfifo(word)
    status, _, err = command(*words)
    assert status in (1, 2)
    assert "a pipe or a device; expected a file" in err or "this is a named pipe, and a file is expected" in err


def test_a_pipe_in_a_corpus_or_a_run_is_refused_and_not_waited_for(tmp_path: Path, command: Command) -> None:
    import os

    shutil.copytree(KEPT / "class", tmp_path / "run")
    (tmp_path / "r").mkdir()
    for name in ("run/metrics.json", "run/scores.tsv", "r/a.TextGrid"):
        (tmp_path / name).unlink(missing_ok=True)
        os.mkfifo(tmp_path / name)
    soundfile.write(tmp_path / "r" / "a.wav", hum(0, 140.0), 8000)
    (tmp_path / "c.yaml").write_text("corpus: {kind: textgrid, root: r, label: phone, sample_rate: 8000}\n")
    for arguments in (("check", "c.yaml"), ("report", "run"), ("inspect", "run")):
        status, out, err = command(arguments[0], *(tmp_path / name for name in arguments[1:]))
        assert status in (1, 2), (arguments, out)
        assert "a pipe or a device; expected a file" in err, arguments


def test_labels_are_printed_with_their_control_characters_as_escapes(tmp_path: Path, command: Command) -> None:
    evil = "\x1b[2J\x1b]0;mine\x07\u202egnp\n\tb  1.0"
    models = ClassModels(
        (evil, "b"),
        tuple(DiagGMM([1.0], np.full((1, 13), m), np.full((1, 13), 9.0)) for m in (0, 1)),
        np.log([0.5, 0.5]),
    )
    save_models(models, tmp_path / "m.safetensors", audio=AudioInput(FeatureSpec(), 8000))
    soundfile.write(tmp_path / "a.wav", hum(0, 140.0), 8000)
    for arguments in (
        ("inspect", "m.safetensors"),
        ("score", "m.safetensors", "a.wav"),
        ("score", "m.safetensors", evil),
    ):
        _, out, err = command(*(tmp_path / word if word[-4:] in (".wav", "sors") else word for word in arguments))
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", out + err)
        assert r"\x1b[2J\x1b]0;mine\x07\u202egnp" in out + err
        assert err or r"gnp\n\tb  1.0" in out
    assert visible("é\t\n日") == "é\t\n日"


@pytest.mark.slow
@pytest.mark.parametrize("arguments", ["inspect tests/kept/class", "schema", "--help"])
def test_a_reader_that_stops_and_an_output_that_is_closed_or_full_end_without_a_traceback(arguments: str) -> None:
    start = f"{sys.executable} -m speechgmm {arguments}"
    for how in ("| true", "| head -1 >/dev/null", ">&-", ">/dev/full"):
        done = subprocess.run(["bash", "-c", f"{start} {how}"], cwd=KEPT.parents[1], capture_output=True, text=True)
        assert "Traceback" not in done.stderr
        assert "Exception ignored" not in done.stderr
        assert done.stderr.count("\n") <= 1


@pytest.mark.parametrize("value", [r'"x\ud800"', r'"\udc00x"', r'"\udcff\ud800"'])
@pytest.mark.parametrize("key", ["word", "path", "other"])
def test_half_a_character_in_json_is_a_bad_row(tmp_path: Path, key: str, value: str) -> None:
    row = {"path": '"a.wav"', "word": '"w"', "other": '"o"', key: value}
    path = tmp_path / "m.jsonl"
    path.write_text("{" + ", ".join(f'"{name}": {text}' for name, text in row.items()) + "}\n")
    with pytest.raises(DataError, match=r"m.jsonl, line 1: a text with half of a pair of surrogates"):
        read_manifest(path, None, "word")


def test_labels_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    path.write_text(r'{"path": "a.wav", "word": "a\n\tb\u2028c é"}' + "\n")
    (item,) = read_corpus(CorpusSpec(kind="manifest", label="word"), path=path, root=None)
    assert item.label("word") == "a b c é"


@pytest.mark.parametrize("value", ["[" * 100_000, "9" * 5000])
def test_a_line_of_json_that_goes_beyond_all_bounds_is_a_bad_row(tmp_path: Path, value: str) -> None:
    path = tmp_path / "m.jsonl"
    path.write_text('{"path": "a.wav", "word": "x"}\n{"path": "b.wav", "word": ' + value + "}\n")
    with pytest.raises(DataError, match=r"m.jsonl, line 2: not JSON that can be read"):
        read_manifest(path, None, "word")
