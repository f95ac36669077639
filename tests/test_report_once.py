"""The report of a run is made once: a run that is repeated draws again only what would show something else."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import soundfile
from conftest import hum

from speechgmm.engine import run_report, runs
from speechgmm.engine.console import Console
from speechgmm.engine.runs import RunResult, run
from speechgmm.report.page import write_report

DRAWN = ("report.html", "confusion.png")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    for number, (name, pitch) in enumerate({"low": 110.0, "high": 220.0}.items()):
        (tmp_path / "hums" / name).mkdir(parents=True)
        for n in range(6):
            samples = hum(100 * number + n, pitch * (1 + 0.02 * n), seconds=0.5)
            soundfile.write(tmp_path / "hums" / name / f"{n}.wav", samples, 8000)
    (tmp_path / "hums.yaml").write_text(
        "corpus: {kind: folder, root: hums, label: sound, sample_rate: 8000, split: fraction}\n"
        "model: {n_components: 2, max_iter: 5}\ncache: cache\nparallel: {n_jobs: 1}\n"
    )
    repeated(tmp_path / "hums.yaml")
    return tmp_path / "hums.yaml"


def repeated(config: Path, *overrides: str) -> RunResult:
    return run(config, overrides, output=config.parent / "run", console=Console(quiet=True))


def state(config: Path) -> dict[str, tuple[int, bytes]]:
    files = (config.parent / "run" / name for name in DRAWN)
    return {file.name: (file.stat().st_mtime_ns, file.read_bytes()) for file in files}


@pytest.mark.slow
def test_a_run_with_nothing_changed_leaves_the_bytes_and_the_time_of_its_report(config: Path) -> None:
    before = state(config)
    result = repeated(config)
    assert state(config) == before
    assert set(result.metrics["seconds"]) == {"prepare", "extract", "train", "score", "evaluate", "report"}


@pytest.mark.slow
def test_a_run_with_nothing_changed_loads_nothing_that_draws(config: Path) -> None:
    program = (
        "import sys; from speechgmm.engine.runs import run; "
        f"run({str(config)!r}, output={str(config.parent / 'run')!r}); "
        "print({'matplotlib', 'jinja2'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.slow
@pytest.mark.parametrize("name", DRAWN)
def test_what_was_deleted_or_changed_by_hand_is_drawn_again(config: Path, name: str) -> None:
    before = {file: data for file, (_, data) in state(config).items()}
    path = config.parent / "run" / name
    path.unlink()
    repeated(config)
    path.write_bytes(b"changed")
    repeated(config)
    assert state(config)[name][1][:20] == before[name][:20]


@pytest.mark.slow
def test_other_results_are_drawn_and_the_page_is_the_one_that_the_folder_gives(config: Path) -> None:
    before = state(config)["report.html"]
    soundfile.write(config.parent / "hums" / "low" / "0.wav", hum(7, 231.0, seconds=0.5), 8000)
    folder = repeated(config).folder
    assert state(config)["report.html"] != before
    again = write_report(folder, config.parent / "again.html", audio_root=config.parent / "hums")
    assert state(config)["report.html"][1] == again.read_bytes()


@pytest.mark.slow
def test_a_metric_that_changed_alone_is_drawn(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, made = state(config)["report.html"], runs._metrics

    def other(*given: Any) -> dict[str, Any]:
        found = made(*given)
        return {**found, "accuracy": replace(found["accuracy"], value=0.123)}

    monkeypatch.setattr(runs, "_metrics", other)
    repeated(config)
    after = state(config)["report.html"]
    assert after != before
    assert b"12.3 %" in after[1]


@pytest.mark.slow
def test_a_setting_of_the_report_draws_it_anew(config: Path) -> None:
    before = state(config)["report.html"]
    repeated(config, "report.audio=0")
    assert state(config)["report.html"][1] != before[1]


@pytest.mark.slow
def test_other_code_draws_anew(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = state(config)["report.html"][0]
    monkeypatch.setattr(run_report, "CODE", (".css",))
    repeated(config)
    assert state(config)["report.html"][0] > before


@pytest.mark.slow
def test_a_run_that_was_killed_before_its_stamp_draws_anew(config: Path) -> None:
    before = state(config)["report.html"][0]
    (config.parent / "run" / ".report").unlink()
    repeated(config)
    assert state(config)["report.html"][0] > before
    (config.parent / "run" / ".report").write_bytes(b"\xff\x00")
    repeated(config)


def test_a_run_ends_with_where_its_time_went(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console()
    console.seconds.update(prepare=0.2, train=61.04, report=1.51)
    console.say_times(63.0)
    assert capsys.readouterr().err == "took 63.0 s: train 61.0 s, report 1.5 s\n"


@pytest.mark.slow
def test_the_last_line_of_a_run_is_its_time(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(config, output=config.parent / "new", console=Console())
    *_, drawing, took = capsys.readouterr().err.splitlines()
    assert drawing.startswith("drawing the report: 8 in ")
    assert took.startswith("took ")
