import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import hum

from speechgmm import cli
from speechgmm.cli.app import COMMANDS, loaded_command
from speechgmm.errors import SpeechGMMError
from speechgmm.parallel import pmap


class Command:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.monkeypatch, self.capsys = monkeypatch, capsys

    def __call__(self, *arguments: object) -> tuple[int, str, str]:
        self.monkeypatch.setattr(sys, "argv", ["speechgmm", *map(str, arguments)])
        self.capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = self.capsys.readouterr()
        assert "Traceback" not in err
        return int(ended.value.code or 0), out, err


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(monkeypatch, capsys)


@pytest.mark.slow
def test_run_prints_figures_to_standard_output_and_the_rest_to_standard_error(
    command: Command, config_file: Path
) -> None:
    status, out, err = command("run", config_file)
    assert status == 0
    assert "accuracy" in out
    assert "models.safetensors" in out
    assert "extracting features" in err
    status, out, err = command("run", config_file, "--quiet", "--jobs", 2)
    assert (status, err) == (0, "")


def test_debug_adds_a_traceback_and_changes_no_exit_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "empty.tsv").write_text("")
    for path, expected in ((tmp_path / "missing.yaml", 2), (tmp_path / "empty.tsv", 1)):
        arguments = ["check" if expected == 2 else "evaluate", str(path)]
        texts = []
        for debug in ([], ["--debug"]):
            monkeypatch.setattr(sys, "argv", ["speechgmm", *debug, *arguments])
            with pytest.raises(SystemExit) as ended:
                cli.main()
            assert ended.value.code == expected
            texts.append(capsys.readouterr().err)
        assert "Traceback" not in texts[0]
        assert texts[1].startswith("Traceback")
        assert texts[1].endswith(texts[0])


def test_extract_and_train_are_the_first_stages(command: Command, config_file: Path) -> None:
    status, out, _ = command("extract", config_file)
    assert (status, out.splitlines()[0]) == (0, "24 utterances, 14.4 s, 1392 frames")
    status, out, err = command("train", config_file)
    assert status == 0
    assert "in the cache" in err
    assert (config_file.parent / "run" / "models.safetensors").exists()
    assert not (config_file.parent / "run" / "metrics.json").exists()


@pytest.mark.slow
def test_score_agrees_with_the_run_in_every_format(command: Command, config_file: Path) -> None:
    command("run", config_file)
    rows = [line.split("\t") for line in (config_file.parent / "run" / "scores.tsv").read_text().splitlines()]
    path = config_file.parent / "hums" / f"{rows[1][0]}.wav"
    status, out, _ = command("score", config_file.parent / "run", path, "--format", "jsonl", "--top", 9)
    assert status == 0
    found = {item["label"]: item for item in map(json.loads, out.splitlines())}
    for label, value in zip(rows[0][4:], rows[1][4:], strict=True):
        assert found[label]["mean_log_likelihood"] == pytest.approx(float(value), abs=1e-5)
    assert sum(item["posterior"] for item in found.values()) == pytest.approx(1, abs=1e-5)
    status, tsv, _ = command("score", config_file.parent / "run" / "models.safetensors", path, "--format", "tsv")
    assert [line.split("\t")[5] for line in tsv.splitlines()[1:]] == [item["label"] for item in found.values()]
    status, text, _ = command("score", config_file.parent / "run", config_file.parent / "hums" / "low")
    assert status == 0
    assert text.splitlines()[1].split()[:2] == ["rank", "pitch"]  # the column that the classes are values of
    assert text.count("hums/low/") == 8


@pytest.mark.slow
def test_score_names_a_bad_recording_scores_the_others_and_ends_in_1(command: Command, config_file: Path) -> None:
    command("run", config_file)
    good = config_file.parent / "hums" / "low" / "0.wav"
    (config_file.parent / "bad.wav").write_bytes(b"nonsense")
    status, out, err = command(
        "score", config_file.parent / "run", config_file.parent / "bad.wav", good, "--format", "tsv"
    )
    assert status == 1
    assert "error: " in err
    assert "bad.wav: not audio that can be decoded" in err
    assert len(out.splitlines()) == 4


@pytest.mark.slow
def test_score_takes_other_rates_and_channels_where_the_configuration_allows_it(
    command: Command, config_file: Path
) -> None:
    stereo = np.column_stack([hum(7, 110.0, rate=44100)] * 2)
    soundfile.write(config_file.parent / "new.flac", stereo, 44100)
    command("run", config_file)
    status, _, err = command("score", config_file.parent / "run", config_file.parent / "new.flac")
    assert status == 1
    assert "sample rate 44100 Hz, not 8000 Hz" in err
    status, out, _ = command("score", config_file.parent / "run", config_file.parent / "new.flac", "--resample")
    assert status == 0
    out_folder = config_file.parent / "resampling"
    command("run", config_file, "--set", "corpus.resample=true", "--out", out_folder)
    status, out, _ = command("score", out_folder, config_file.parent / "new.flac", "--format", "tsv", "--top", 1)
    assert (status, out.splitlines()[1].split("\t")[5]) == (0, "low")


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["run", "none.yaml"], 2, "error: none.yaml: there is no such configuration file"),
        (["run", "hums.yaml", "--set", "model.n_component=3"], 2, "did you mean 'model.n_components'?"),
        (["run", "hums.yaml", "--jobs", "0"], 2, "parallel.n_jobs is 0"),
        (["run", "hums.yaml", "--job", "2"], 2, "No such option"),
        (["run", "hums.yaml", "--set", "corpus.root=nowhere"], 1, "there is no such folder (corpus.root)"),
        (["run", "hums.yaml", "--set", "model.n_components=5000"], 1, "too few frames"),
        (["run", "hums.yaml", "--set", "features.preset=slaney"], 2, "6853.84 Hz"),
        (["transcribe", "x"], 2, "No such command"),
        (["score", "none.safetensors", "a.wav"], 2, "there is no such model file"),
        (["inspect", "hums"], 2, "neither a run's folder"),
        (["init", "nowhere"], 1, "there is no such folder"),
        (["run", "hums.yaml", "--out", "hums.yaml"], 2, "a file; the results need a folder (--out)"),
        (
            ["run", "hums.yaml", "--set", "seed"],
            2,
            "seed: expected key.path=value, such as model.n_compo",
        ),
        (["sweep", "hums.yaml", "--grid", "seed"], 2, "such as model.n_components=8,16,32 (--grid, --list)"),
        (
            ["sweep", "hums.yaml", "--grid", "seeds=1,2"],
            2,
            "unknown key 'seeds'; did you mean 'seed'? (--set, --grid)",
        ),
    ],
)
def test_a_mistake_ends_in_one_clear_message_and_the_right_status(
    command: Command,
    config_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    status: int,
    message: str,
) -> None:
    monkeypatch.chdir(config_file.parent)
    found, out, err = command(*arguments)
    assert found == status
    assert message in err
    assert out == ""


@pytest.mark.slow
def test_init_writes_a_configuration_that_runs(
    command: Command, corpus_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(corpus_folder.parent)
    monkeypatch.setenv("SPEECHGMM_CACHE", str(corpus_folder.parent / "cache"))
    soundfile.write(corpus_folder / "low" / "9.wav", hum(9, 110.0, rate=16000), 16000)
    status, out, _ = command("init", "hums", "--task", "speaker")
    assert (status, out.splitlines()[0]) == (0, "hums.yaml")
    assert re.search(r"rates +24 at 8000 Hz, 1 at 16000 Hz", out)
    assert "sample_rate: 8000" in Path("hums.yaml").read_text()
    assert "resample: true" in Path("hums.yaml").read_text()
    status, out, _ = command("run", "hums.yaml")
    assert (status, "accuracy" in out) == (0, True)
    status, _, err = command("init", "hums")
    assert (status, "is there already" in err) == (2, True)


@pytest.mark.slow
def test_inspect_describes_models_runs_and_features(command: Command, config_file: Path) -> None:
    command("run", config_file)
    folder = config_file.parent / "run"
    for what, expected in (
        (folder, "accuracy: "),
        (folder / "models.safetensors", "3 classes (pitch), 4 components each, 26 features"),
        (next((config_file.parent / "cache" / "features").iterdir()), "features of 24 recordings, 14.4 s"),
        (next((config_file.parent / "cache" / "features").rglob("*.npy")), "rows of 26 columns"),
    ):
        status, out, _ = command("inspect", what)
        assert status == 0
        assert expected in out


@pytest.mark.slow
def test_the_cache_is_shown_and_cleared_and_nothing_else_is_removed(command: Command, config_file: Path) -> None:
    command("run", config_file)
    cache = config_file.parent / "cache"
    for mine in ("mine.txt", "models/mine.pt", "models/mine.safetensors", "features/mine/spec.txt"):
        (cache / mine).parent.mkdir(exist_ok=True)
        (cache / mine).write_text("keep")
    status, out, _ = command("cache", "--folder", cache)
    assert (status, "24 recordings" in out) == (0, True)
    status, _, _ = command("cache", "--folder", cache, "--clear")
    left = sorted(path.relative_to(cache).as_posix() for path in cache.rglob("*") if path.is_file())
    assert left == ["features/mine/spec.txt", "mine.txt", "models/mine.pt", "models/mine.safetensors"]


def test_the_schema_is_json_and_the_template_yaml(command: Command) -> None:
    _, out, _ = command("schema")
    assert json.loads(out)["properties"]["corpus"]
    _, out, _ = command("schema", "--template")
    assert "n_components: null" in out


def spawned(config: Path, folder: Path) -> "subprocess.Popen[str]":
    # A session of its own, so that a kill reaches the workers too, as that of a machine does.
    return subprocess.Popen(
        [sys.executable, "-m", "speechgmm", "run", str(config), "--out", str(folder), "--jobs", "2"],
        start_new_session=True,
        # Tests that run in the background of a shell inherit that interrupts are ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_a_run_killed_at_random_points_goes_on_and_ends_with_the_same_models(config_file: Path) -> None:
    reference = config_file.parent / "reference"
    begun = time.monotonic()
    process = spawned(config_file, reference)
    process.communicate(timeout=120)
    assert process.returncode == 0
    length = time.monotonic() - begun

    config = config_file.with_name("killed.yaml")
    config.write_text(config_file.read_text().replace("cache: cache", "cache: killed-cache"))
    folder = config_file.parent / "killed"
    rng = random.Random(0)
    for _ in range(5):
        process = spawned(config, folder)
        time.sleep(rng.uniform(0.3, 1.0) * length)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    process = spawned(config, folder)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    for name in ("models.safetensors", "scores.tsv"):
        assert (folder / name).read_bytes() == (reference / name).read_bytes()


@pytest.mark.slow
def test_an_interrupt_says_that_work_is_kept(config_file: Path) -> None:
    process = spawned(config_file, config_file.parent / "interrupted")
    assert process.stderr is not None
    process.stderr.readline()  # the first line: the work has begun
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted; what was finished is kept" in err
    assert "Traceback" not in err


@pytest.mark.slow
def test_a_killed_worker_is_explained() -> None:
    with pytest.raises(SpeechGMMError, match="a worker process was killed"):
        list(pmap(_die, range(4), n_jobs=2, backend="processes"))


def _die(_: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


# What takes long to load and is not needed to score a recording. pydantic is missing here: newer typer reads its
# arguments by it.
SLOW = {
    *("librosa", "numba", "sklearn", "joblib", "matplotlib", "rich", "yaml", "soxr"),
    *("scipy.signal", "scipy.stats", "scipy.optimize", "scipy.linalg", "scipy.sparse"),
    *("speechgmm.config", "speechgmm.corpus", "speechgmm.evaluation", "speechgmm.tasks.classification.training"),
    *("speechgmm.gmm.em", "speechgmm.gmm.kernels", "speechgmm.tasks.segments.models"),
}
LOADED = """
import sys
from speechgmm import cli
sys.argv = ["speechgmm", *sys.argv[1:]]
try:
    cli.main()
except SystemExit as ended:
    status = ended.code
print(status, *sorted(sys.modules), file=sys.stderr)
"""


def loaded_by(*arguments: object) -> set[str]:
    """The modules in memory when a command has ended well."""
    command = [sys.executable, "-c", LOADED, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    status, *modules = done.stderr.splitlines()[-1].split()
    assert status == "0", done.stderr
    return set(modules)


@pytest.mark.slow
def test_help_waits_for_no_library_but_those_that_print_it() -> None:
    for arguments in (["--help"], ["score", "--help"], ["--version"]):
        own = {name for name in loaded_by(*arguments) if name.startswith("speechgmm.")}
        beside = {name for name in own if not re.search(r"\.cli(\.\w+)?$|\.tasks(\.\w+(\.\w*command)?)?$", name)}
        modules = ("errors", "io", "io.model_kinds", "io.run_files", "io.terminal", "moved", "task_table")
        assert beside <= {f"speechgmm.{name}" for name in modules}
        assert not loaded_by(*arguments) & (SLOW | {"numpy", "scipy", "soundfile"}) - {"rich"}


@pytest.mark.slow
def test_scoring_and_judging_a_recording_wait_for_nothing_that_they_do_not_need(
    config_file: Path, command: Command
) -> None:
    recording = config_file.parent / "hums" / "low" / "0.wav"
    command("run", config_file)
    slow = SLOW | {"scipy"}  # of it, only the compiled Fourier transform
    assert not loaded_by("score", config_file.parent / "run", recording) & slow
    adapted = config_file.parent / "adapted"
    command("run", config_file, "--set", "model={adapt: map, ubm: {n_components: 4}}", "--out", adapted)
    assert not loaded_by("verify", adapted, recording, "--claim", "low") & slow


def test_every_command_has_help_and_options_that_commands_share_are_declared_once() -> None:
    helps: dict[str, set[str]] = {}
    for name in COMMANDS:
        loaded = loaded_command(name)
        assert loaded.help, name
        for param in loaded.params:
            helps.setdefault(param.name, set()).add(param.help)
    for shared in ("config", "overrides", "jobs", "quiet"):
        assert len(helps[shared]) == 1, (shared, helps[shared])


def test_the_options_of_score_are_those_of_all_kinds_of_models() -> None:
    names = {param.name for param in loaded_command("score").params}
    assert names >= {"model", "audio", "form", "top", "window", "hop", "speaker", "label", "curve", "resample", "jobs"}


@pytest.mark.slow
def test_score_names_the_kind_of_model_that_an_option_is_for(config_file: Path, command: Command) -> None:
    command("run", config_file)
    status, _, err = command("score", config_file.parent / "run", config_file.parent / "hums", "--label", "low")
    assert status == 2
    assert "--label is for an anomaly-detection model" in err
    assert "holds models of classes; leave it out" in err
