"""The benchmarks are not timed here; but they must start, on one thread, and know their goals."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture
def benchmarks(monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """``goals`` and ``run``, as `make bench` sees them."""
    monkeypatch.syspath_prepend(str(FOLDER))
    import goals
    import run

    yield goals, run
    for name in ("goals", "run"):
        del sys.modules[name]


@pytest.mark.slow
def test_the_benchmarks_import_with_their_folder_first_on_the_path_and_multiply_on_one_thread() -> None:
    """As `make bench` runs them: a file there that is named like a library would take its place. And by themselves,
    where no variable of the environment holds BLAS to one thread."""
    ours = ", ".join(path.stem for path in FOLDER.glob("*.py"))
    code = (
        f"import numba, sklearn, librosa.feature, {ours}; from threadpoolctl import threadpool_info; "
        "print({one['num_threads'] for one in threadpool_info() if one['user_api'] == 'blas'})"
    )
    limits = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    free = {name: value for name, value in os.environ.items() if name not in limits}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=FOLDER, env=free, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "{1}\n"


def test_every_benchmark_of_speed_limits_blas_by_itself(benchmarks) -> None:  # type: ignore[no-untyped-def]
    _, run = benchmarks
    for name in run.SPEED | run.QUALITY:
        text = (FOLDER / f"{name}.py").read_text()
        assert "timing" in text or "threadpool_limits" in text, name


def test_every_goal_is_measured_by_a_benchmark_that_is_run(benchmarks) -> None:  # type: ignore[no-untyped-def]
    goals, run = benchmarks
    text = "".join((FOLDER / f"{name}.py").read_text() for name in run.SPEED)
    judged = set(re.findall(r'judge\(\s*f?"([^"]+)"', text))
    judged = judged - {"e_step_{n_components}"} | {f"e_step_{k}" for k in (512, 64, 2048)}
    assert judged == set(goals.GOALS)


def test_a_goal_says_what_was_measured_and_whether_floor_and_aim_are_met(benchmarks, capsys) -> None:  # type: ignore[no-untyped-def]
    goals, _ = benchmarks
    more, less = goals.Goal("speed", "x", 2, 4), goals.Goal("time", "s", 2, 1, less=True)
    assert [more.verdict(value) for value in (1.9, 2, 3.9, 4)] == ["missed", "floor met", "floor met", "aim met"]
    assert [less.verdict(value) for value in (2.1, 2, 1.1, 1)] == ["missed", "floor met", "floor met", "aim met"]
    assert goals.Goal("", "", 2).verdict(99) == "floor met"
    goals.judge("folder", 0.95)
    line = capsys.readouterr().out
    assert line.startswith(goals.MARK)
    assert line.split()[-1] == "missed"
    assert "0.95 ms" in line
    for goal in goals.GOALS.values():
        assert goal.aim is None or (goal.aim < goal.floor) == goal.less


def test_a_full_run_is_complete_in_results(benchmarks, tmp_path, monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    goals, run = benchmarks
    (tmp_path / "quick.py").write_text(
        f"import sys; sys.path.insert(0, {str(FOLDER)!r}); from goals import judge; "
        "print('a table'); judge('folder', 0.7)"
    )
    monkeypatch.setattr(run, "FOLDER", tmp_path)
    monkeypatch.setattr(run, "SPEED", {"quick": ()})
    monkeypatch.setattr(run, "ABOUT", ("-c", "print('a machine')"))
    monkeypatch.delenv(run.MODE, raising=False)
    monkeypatch.setattr(sys, "argv", ["run.py", "--save"])
    run.main()
    text = (tmp_path / "RESULTS.md").read_text()
    line = goals.GOALS["folder"].line(0.7)
    assert capsys.readouterr().out.count(line) == 2
    assert (text.count(line), text.count("a machine"), text.count("a table"), text.count("quick 0 s")) == (2, 2, 1, 1)
    assert text.index(line) < text.index("a table")
