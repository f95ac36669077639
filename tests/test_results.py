"""The driver that runs every recipe again: what it does with a job that fails or is killed, and what it writes."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from speechgmm.config import config_hash, load_config

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def results() -> Iterator[ModuleType]:
    """The script, as `python recipes/results.py` sees it."""
    sys.path.insert(0, str(ROOT / "recipes"))
    try:
        import results

        yield results
    finally:
        sys.path.remove(str(ROOT / "recipes"))
        for name in ("results", "results_quoted"):
            sys.modules.pop(name, None)


def job(results: ModuleType, name: str, *commands: str):  # type: ignore[no-untyped-def]
    return results.Job(name, f"protocol of {name}", 0.1, commands)


def run_jobs(results: ModuleType, folder: Path, *jobs) -> tuple[bool, str]:  # type: ignore[no-untyped-def]
    place = results.Results(folder, folder, {one.name: one for one in jobs})
    with place.locked():
        whole = results.run_all(place, (), {"left": "no corpus"}, folder / "RESULTS.md")
    return whole, (folder / "RESULTS.md").read_text()


def test_a_job_that_fails_is_marked_and_the_next_one_runs(results, tmp_path, capsys) -> None:  # type: ignore[no-untyped-def]
    """What needs it fails too, the page says so, and nothing of this machine is on the page."""
    bad = job(results, "bad", "python -c 'import sys; print(7); print(sys.argv[0], file=sys.stderr); sys.exit(3)'")
    after = job(results, "after", "python -c 'print(1)' $RESULTS/bad")
    good = job(results, "good", "python -c 'import sys; print(*sys.argv[1:])' $OUT $SPEECHGMM_DATA")
    absent = job(results, "absent", "python -c 1 $SPEECHGMM_DATA/nowhere")
    ended = signal.getsignal(signal.SIGTERM)
    whole, page = run_jobs(results, tmp_path, bad, after, absent, good)
    assert not whole
    assert signal.getsignal(signal.SIGTERM) == ended
    rows = {row.split("](")[0].removeprefix("| ["): row for row in page.splitlines() if row.startswith("| [")}
    assert set(rows) == {"bad", "after", "good"}
    assert "**failed**: exit code 3" in rows["bad"]
    assert "**failed**: needs bad" in rows["after"]
    assert "printed below" in rows["good"]
    assert "- absent: nowhere is not in $SPEECHGMM_DATA" in page
    assert "- left: no corpus" in page
    assert "\n$SPEECHGMM_DATA/good $SPEECHGMM_DATA\n" in page  # the two are one here
    assert str(tmp_path) not in page
    assert "failed: bad, after" in capsys.readouterr().out
    assert "-c" in (tmp_path / "bad.log").read_text()


@pytest.mark.slow
def test_what_is_done_is_not_run_again_until_its_command_changes(results, tmp_path) -> None:  # type: ignore[no-untyped-def]
    count = f'python -c \'open("{tmp_path}/count", "a").write("x")\''
    once, failing = job(results, "once", count), job(results, "failing", f"{count} $OUT", "python -c 'exit(1)'")
    run_jobs(results, tmp_path, once, failing)
    run_jobs(results, tmp_path, once, failing)
    assert (tmp_path / "count").read_text() == "xxx"  # once, and twice the one that fails
    whole, _ = run_jobs(results, tmp_path, job(results, "once", f"{count} $OUT"))
    assert whole
    assert (tmp_path / "count").read_text() == "xxxx"


def test_a_job_during_which_the_package_changes_is_not_kept(results, tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    codes = iter(["before", "after"])
    monkeypatch.setattr(results, "package_digest", lambda: next(codes))
    with pytest.raises(SystemExit, match="the package changed while quick ran"):
        run_jobs(results, tmp_path, job(results, "quick", "python -c 1"))
    assert not (tmp_path / "quick.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_no_job_outlives_its_driver_unseen(results, tmp_path, how) -> None:  # type: ignore[no-untyped-def]
    """Ended, the driver ends its job; killed, it leaves one behind, which keeps the next driver out. Neither leaves a
    record, so that the job is run again."""
    (tmp_path / "sleeper.py").write_text(
        "import os, time, pathlib\n"
        "pathlib.Path(__file__).with_name('id').write_text(f'{os.getpid()}\\n')\ntime.sleep(60)"
    )
    (tmp_path / "driver.py").write_text(
        "from pathlib import Path\nfrom results import Job, Results, run_all\nfolder = Path(__file__).parent\n"
        "job = Job('long', 'protocol', 1, ('python $SPEECHGMM_DATA/sleeper.py',))\n"
        "place = Results(folder, folder, {'long': job})\n"
        "with place.locked():\n    run_all(place, (), {}, folder / 'RESULTS.md')\n"
    )
    path = os.pathsep.join([str(ROOT), str(ROOT / "recipes")])
    driver = subprocess.Popen([sys.executable, tmp_path / "driver.py"], env={**os.environ, "PYTHONPATH": path})
    name = tmp_path / "id"
    until(lambda: name.exists() and name.read_text().endswith("\n"))
    sleeper = int(name.read_text())
    driver.send_signal(how)
    driver.wait()
    if how == signal.SIGKILL:
        assert alive(sleeper)
        with pytest.raises(SystemExit, match="is at work here"), results.Results(tmp_path, tmp_path, {}).locked():
            pass
        os.kill(sleeper, signal.SIGKILL)
    until(lambda: not alive(sleeper))
    assert not (tmp_path / "long.json").exists()
    with results.Results(tmp_path, tmp_path, {}).locked():
        pass


def until(true: Callable[[], bool]) -> None:
    for _ in range(600):
        if true():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come to that in 30 s")


def alive(process: int) -> bool:
    """Whether it runs: a zombie, which nobody waits for, does not."""
    state = Path(f"/proc/{process}/stat")
    return state.exists() and state.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def test_a_row_has_the_metrics_with_intervals_in_percent_and_the_hash_of_the_run(results, tmp_path) -> None:  # type: ignore[no-untyped-def]
    metrics = {
        "accuracy": {"value": 0.95, "n": 120, "unit": "fraction", "low": 0.8952, "high": 0.97686},
        "balanced_accuracy": {"value": 0.9, "n": 120, "unit": "fraction"},
        "cllr": {"value": 0.2345678, "n": 9, "unit": "bits", "low": 0.1, "high": 1.5, "n_groups": 6},
        "config_hash": "0123456789abcdef",
    }
    (tmp_path / "metrics.json").write_text(json.dumps(metrics))
    found = results.metrics_of(tmp_path)
    record = results.Record("f", "c0de", "machine", "2026-01-01", 90.0, 150.0, "", "", *found)
    one = results.Job("some", "a | b", 1, ("speechgmm run configs/demo-phones.yaml --out $OUT",))
    assert results.row(one, record) == (
        "| [some](#some-printed) | `demo-phones` 0123456789abcdef | a / b | "
        "accuracy 95.00 % (89.52 to 97.69; n = 120); cllr 0.2346 (0.1000 to 1.5000; n = 9, 6 groups) | "
        "1.5 (2.5) | c0de |"
    )


PAGE = """
| configuration | hash | protocol | result | 95 % interval |
|---|---|---|---|---|
| `fine` | 00 | by 2.5 s, 9.9 tests | 95.0 % | 89.5 to 97.7 |
| `wrong` | 00 | x | 12.3 % | |
| the same | | x | 114 of 120, .931 | |
| `stranger` | | x | 77.7 | |

These were measured before, and not
run again.

| configuration | result |
|---|---|
| `wrong` | 55.5 |

## By a recipe
`python recipes/some.py` makes:

| | AUC |
|---|---|
| clicks | .879 |
| tones | .8 |
"""


def test_the_check_lists_rows_whose_results_are_not_among_those_of_what_they_name(results, tmp_path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "README.md").write_text(PAGE)
    files = {"fine": ["configs/fine.yaml"], "w": ["configs/wrong.yaml"], "s": ["recipes/some.py"]}
    page = (
        "| [fine](#fine-printed) | accuracy 95.00 % (89.52 to 97.69) |\n| [w](#w-printed) | 12.40 |\n"
        "| [s](#s-printed) | |\n\n### w, printed\n```\n$ command\nAUC 0.9312, 0.95\n```\n"
        "### s, printed\n```\n0.8791 0.7\n```\n"
    )
    assert list(results.missing(tmp_path, page, files)) == [
        "README.md:5: wrong: 12.3",
        "README.md:22: some.py: .8",
    ]
    assert list(results.missing(tmp_path, page.replace("12.40", "12.34").replace("0.7", "0.75"), files)) == []
    assert "README.md:21: some.py (not run): .879" in list(results.missing(tmp_path, "", files))


def test_pages_quote_nothing_that_the_last_run_did_not_give(results) -> None:  # type: ignore[no-untyped-def]
    """What `python recipes/results.py --check` lists; tables that call themselves older are left out."""
    jobs, _ = results.read_jobs()
    files = {name: job.files for name, job in jobs.items()}
    assert list(results.missing(ROOT, results.RESULTS.read_text(), files)) == []


def test_every_configuration_and_recipe_is_run_or_left_out_for_a_reason(results) -> None:  # type: ignore[no-untyped-def]
    jobs, left_out = results.read_jobs()
    used = {Path(file).name.removesuffix(".yaml") for one in jobs.values() for file in one.files}
    there = {path.stem for path in (ROOT / "configs").glob("*.yaml")}
    there |= {path.name for path in (ROOT / "recipes").glob("*.py")} - {"results.py", "results_quoted.py"}
    assert used | set(left_out) == there
    assert not used & set(left_out)
    order = list(jobs)
    assert all(order.index(name) < order.index(one.name) for one in jobs.values() for name in one.after)


def test_hashes_in_tables_are_those_of_the_configurations() -> None:
    """Of each row that is about a configuration as it stands."""
    rows = re.findall(
        r"^\| `([\w-]+)` \| ([0-9a-f]{16}) \|", (ROOT / "recipes" / "README.md").read_text(), re.MULTILINE
    )
    assert len(rows) > 10
    found = {name: config_hash(load_config(ROOT / "configs" / f"{name}.yaml").config) for name, _ in rows}
    assert dict(rows) == found
