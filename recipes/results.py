"""Every result again: run what results.yaml lists, keep what is printed, and write RESULTS.md.

    python recipes/results.py --list                             # the jobs, their state, and how long all takes
    SPEECHGMM_DATA=PLACE python recipes/results.py               # all that is not done yet
    SPEECHGMM_DATA=PLACE python recipes/results.py timit-phones  # some jobs
    python recipes/results.py --check                            # results that pages quote and RESULTS.md lacks

Each job is a process of its own, one at a time: run them where nothing else runs. A job whose corpus is not there is
skipped, one that fails is marked, and the next begins; the exit code is 1 if one failed. Jobs that are done are not run
again, unless the code of the package, the recipe, the configuration or the command has changed; so a run that was
stopped goes on. All jobs share one cache, which is new when the code is.
"""

import fcntl
import json
import os
import platform
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from string import Template
from typing import Annotated, Any, TextIO

import typer
import yaml
from results_quoted import called, missing

import speechgmm
from speechgmm.engine.environment import cpu_name, git_commit
from speechgmm.io.atomic import write_text
from speechgmm.io.run_files import RunFile

ROOT = Path(__file__).resolve().parents[1]
JOBS, RESULTS = ROOT / "recipes" / "results.yaml", ROOT / "recipes" / "RESULTS.md"
PACKAGES = ("numpy", "scipy", "numba", "scikit-learn")
BUSY = 0.5  # load average
SPARE_MINUTES = 30  # a job may take so many and ten times its estimate; then it is ended

HEAD = """# The results of the last run

Written by `python recipes/results.py`, and not by hand; [README.md](README.md) says what each result means, what was
tuned on what, and what it does not show. Brackets: 95 % intervals, as the run gives them. Minutes are those of the
clock and, in brackets, of the processor; features that an earlier job left in the cache are not computed again. Rows
with the same code were made by the same package.

{machines}

| job | configuration | protocol | result | minutes | code |
|---|---|---|---|---|---|
"""


@dataclass(frozen=True)
class Job:
    """What is run under a name, and what it is about."""

    name: str
    protocol: str
    minutes: float
    commands: tuple[str, ...]
    of: tuple[str, ...] = ()

    @cached_property
    def data(self) -> tuple[str, ...]:
        """Folders of the place of corpora that the commands read."""
        return tuple(dict.fromkeys(re.findall(r"\$SPEECHGMM_DATA/([\w.-]+)", " ".join(self.commands))))

    @cached_property
    def after(self) -> tuple[str, ...]:
        """Jobs whose folders the commands read."""
        return tuple(dict.fromkeys(re.findall(r"\$RESULTS/([\w-]+)", " ".join(self.commands))))

    @cached_property
    def files(self) -> tuple[str, ...]:
        """Recipes and configurations that the commands use, relative to the repository."""
        named = re.findall(r"(?:recipes/\w+\.py|configs/[\w-]+\.yaml)", " ".join(self.commands))
        return tuple(dict.fromkeys([*named, *(f"configs/{name}.yaml" for name in self.of)]))


@dataclass(frozen=True)
class Record:
    """What a job gave."""

    fingerprint: str
    code: str
    machine: str
    started: str
    seconds: float
    cpu_seconds: float
    printed: str
    failed: str = ""
    config_hash: str = ""
    metrics: Mapping[str, str] = field(default_factory=dict)


def read_jobs(path: Path = JOBS) -> tuple[dict[str, Job], dict[str, str]]:
    """The jobs by name, and what no job runs with the reason."""
    found = yaml.safe_load(path.read_text())
    jobs = {
        name: Job(
            name,
            about["protocol"],
            about["minutes"],
            (about["run"],) if isinstance(about["run"], str) else tuple(about["run"]),
            tuple(about.get("of", ())),
        )
        for name, about in found["jobs"].items()
    }
    return jobs, found["left_out"]


class Results:
    """The folder in which jobs are run, with a record of each."""

    def __init__(self, folder: Path, data: Path, jobs: Mapping[str, Job]) -> None:
        self.folder, self.data, self.jobs = folder.absolute(), data.absolute(), jobs
        self.lock: TextIO | None = None
        self.code = package_digest()

    def fingerprint(self, job: Job) -> str:
        """It differs where code, configuration, command or a job before it differs."""
        before = [self.fingerprint(self.jobs[name]) for name in job.after]
        return digest(self.code, *before, *job.commands, *((ROOT / path).read_bytes() for path in job.files))

    def record(self, job: Job) -> Record | None:
        """What the job gave when it was run last, be the code as it is or not."""
        path = self.folder / f"{job.name}.json"
        return Record(**json.loads(path.read_text())) if path.exists() else None

    def done(self, job: Job) -> bool:
        """Whether it was run without an error, by the code as it is."""
        record = self.record(job)
        return record is not None and not record.failed and record.fingerprint == self.fingerprint(job)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else, and no job that a killed process left behind, works in the folder meanwhile."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as self.lock:
            try:
                fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                sys.exit(f"{self.folder}: another process, or a job that it began, is at work here; wait until it ends")
            before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that a job in work is ended, too
            try:
                for stale in self.folder.glob("cache-*"):
                    if stale != self.cache:
                        shutil.rmtree(stale)
                yield
            finally:
                signal.signal(signal.SIGTERM, before)

    @property
    def cache(self) -> Path:
        """The cache of all jobs that the code as it is runs."""
        return self.folder / f"cache-{self.code[:8]}"

    def absent(self, job: Job) -> str:
        """The first corpus that is not there; else an empty text."""
        return next((name for name in job.data if not (self.data / name).exists()), "")

    def run(self, job: Job, load: float = 0.0) -> Record:
        """Run the commands of a job in their order, until one fails, and keep what they gave."""
        out = self.folder / job.name
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        (self.folder / f"{job.name}.json").unlink(missing_ok=True)
        started, clock, cpu = datetime.now(UTC).isoformat(timespec="seconds"), time.perf_counter(), cpu_seconds()
        printed, failed = "", next((f"needs {name}" for name in job.after if not self.done(self.jobs[name])), "")
        with (self.folder / f"{job.name}.log").open("w") as log:
            for command in () if failed else job.commands:
                text, failed = self.call(command, out, log, 60 * (10 * job.minutes + SPARE_MINUTES))
                printed += f"$ {command}\n{text}"
                if failed:
                    break
        if package_digest() != self.code:
            sys.exit(f"the package changed while {job.name} ran, which is not kept: run the same command again")
        clock, cpu = time.perf_counter() - clock, cpu_seconds() - cpu
        found = metrics_of(out)
        made = (self.fingerprint(job), self.code[:8], machine(load), started)
        record = Record(*made, clock, cpu, self.neutral(printed), failed, *found)
        write_text(self.folder / f"{job.name}.json", json.dumps(asdict(record), indent=1))
        return record

    def call(self, command: str, out: Path, log: TextIO, seconds: float) -> tuple[str, str]:
        """What a command prints, and how it failed; what it says besides goes to the log."""
        places = {"SPEECHGMM_DATA": str(self.data), "OUT": str(out), "RESULTS": str(self.folder)}
        words = [Template(word).substitute(places) for word in shlex.split(command)]
        program = {"python": [sys.executable], "speechgmm": [sys.executable, "-m", "speechgmm"]}[words[0]]
        with subprocess.Popen(
            [*program, *words[1:]],
            cwd=ROOT,
            env={**os.environ, "SPEECHGMM_DATA": str(self.data), "SPEECHGMM_CACHE": str(self.cache)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
            pass_fds=[self.lock.fileno()] if self.lock else [],  # held by the job too, should this process be killed
        ) as process:
            try:
                text, _ = process.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                return "", f"ended after {seconds / 60:.0f} minutes"
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
        return text, f"exit code {process.returncode}" if process.returncode else ""

    def neutral(self, text: str) -> str:
        """A text without the places of this machine."""
        places = {self.folder: "$RESULTS", self.data: "$SPEECHGMM_DATA", ROOT: ".", Path.home(): "~"}
        for place, name in places.items():
            text = text.replace(str(place), name)
        return text


def digest(*parts: str | bytes) -> str:
    """Sixteen hex digits of texts."""
    found = blake2b(digest_size=8)
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        found.update(len(data).to_bytes(8, "big") + data)
    return found.hexdigest()


def package_digest() -> str:
    """Of the code of the package as it is now."""
    return digest(*(path.read_bytes() for path in sorted((ROOT / "speechgmm").rglob("*.py"))))


def cpu_seconds() -> float:
    """Processor time of all processes that ended so far, and of those that they waited for."""
    used = getrusage(RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def metrics_of(folder: Path) -> tuple[str, dict[str, str]]:
    """Hash of the configuration of the run in a job's folder, and its metrics that have an interval, as text."""
    paths = [path for path in (folder / RunFile.METRICS, folder / "run" / RunFile.METRICS) if path.exists()]
    if not paths:
        return "", {}
    found: Mapping[str, Any] = json.loads(paths[0].read_text())
    return found.get("config_hash", ""), {
        name: shown(one) for name, one in found.items() if isinstance(one, dict) and one.get("low") is not None
    }


def shown(metric: Mapping[str, Any]) -> str:
    """A metric with its interval and its sample size: shares in percent, all else as it is.

    >>> shown({"value": 0.5, "low": 0.25, "high": 0.751, "n": 8, "unit": "fraction", "n_groups": 4})
    '50.00 % (25.00 to 75.10; n = 8, 4 groups)'
    """
    percent = metric["unit"] == "fraction"
    numbers = [metric[key] for key in ("value", "low", "high")]
    value, low, high = (f"{100 * number:.2f}" if percent else f"{number:.4f}" for number in numbers)
    groups = f", {metric['n_groups']} groups" if metric.get("n_groups") else ""
    return f"{value}{' %' if percent else ''} ({low} to {high}; n = {metric['n']}{groups})"


def row(job: Job, record: Record) -> str:
    """A job's line of the table."""
    about = ", ".join(f"`{called(path)}`" for path in job.files)
    hashed = f" {record.config_hash}" if record.config_hash else ""
    if record.failed:
        result = f"**failed**: {record.failed}"
    else:
        result = "; ".join(f"{name} {text}" for name, text in record.metrics.items()) or "printed below"
    minutes = f"{record.seconds / 60:.1f} ({record.cpu_seconds / 60:.1f})"
    cells = (f"[{job.name}](#{job.name}-printed)", about + hashed, job.protocol, result, minutes, record.code)
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def page(results: Results, left_out: Mapping[str, str]) -> str:
    """RESULTS.md: a row for each job that was run, what was not run and why, and what each job printed."""
    records = {name: results.record(job) for name, job in results.jobs.items()}
    ran = {name: record for name, record in records.items() if record is not None}
    lines = [row(results.jobs[name], record) for name, record in ran.items()]
    reasons = {
        name: f"{where} is not in $SPEECHGMM_DATA" if (where := results.absent(job)) else "not run yet"
        for name, job in results.jobs.items()
        if name not in ran
    } | dict(left_out)
    not_run = [f"- {name}: {reason}" for name, reason in reasons.items()]
    printed = [f"### {name}, printed\n```\n{record.printed.rstrip()}\n```\n" for name, record in ran.items()]
    machines = Counter(record.machine for record in ran.values())
    head = HEAD.format(machines="\n".join(f"- {text}: {n} jobs" for text, n in machines.items()))
    return "\n".join([head + "\n".join(lines), "\n## Not run\n", *not_run, "\n## Printed\n", *printed])


def machine(load: float) -> str:
    """Where and with what a job is run, and whether other programs were at work when the driver began."""
    commit, _ = git_commit(ROOT)
    code = ["git", "-C", str(ROOT), "diff", "--quiet", "HEAD", "--", "speechgmm", "configs"]
    changed = ", changed since" if commit and subprocess.run(code, check=False).returncode else ""
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    versions = f"speechgmm {speechgmm.__version__}, {versions}"
    return (
        f"{cpu_name()}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}, {versions}"
        f"{f'; commit {commit[:12]}{changed}' if commit else ''}"
        f"{f'; not idle: load {load:.0f} at the beginning' if load > BUSY else ''}"
    )


def listed(results: Results) -> Iterator[str]:
    """A line for each job, and how long what is not done will take."""
    left = 0.0
    for job in results.jobs.values():
        record, where = results.record(job), results.absent(job)
        if results.done(job) and record:
            state, minutes = "done", record.seconds / 60
        elif where:
            state, minutes = f"skipped: {where} is not in {results.data}", job.minutes
        else:
            state = f"failed: {record.failed}" if record and record.failed else "code changed" if record else "to do"
            minutes, left = job.minutes, left + job.minutes
        yield f"{job.name:<34} {minutes:6.1f} min  {state}"
    whole = sum(job.minutes for job in results.jobs.values())
    yield f"{len(results.jobs)} jobs, all of them about {whole / 60:.1f} hours on two idle cores; left {left / 60:.1f}"


def chosen(jobs: Mapping[str, Job], names: Sequence[str]) -> list[Job]:
    """The jobs of these names and those that they need, in their order; all where there are no names."""
    if unknown := sorted(set(names) - set(jobs)):
        raise typer.BadParameter(f"there is no job {', '.join(unknown)}; --list shows all")
    wanted = set(names or jobs)
    for job in reversed(list(jobs.values())):
        wanted |= set(job.after) if job.name in wanted else set()
    return [job for job in jobs.values() if job.name in wanted]


def run_all(results: Results, names: Sequence[str], left_out: Mapping[str, str], to: Path = RESULTS) -> bool:
    """Run what is not done, write the page after each job, and say whether none failed."""
    failures, load = [], os.getloadavg()[0]
    if load > BUSY:
        print(f"load {load:.1f}: other programs are at work here, and times will be too long", file=sys.stderr)
    for job in chosen(results.jobs, names):
        if where := results.absent(job):
            print(f"{job.name}: skipped, {where} is not in {results.data}", flush=True)
        elif not results.done(job):
            print(f"{job.name}: about {job.minutes:g} minutes ...", end=" ", flush=True)
            record = results.run(job, load)
            print(f"{record.seconds / 60:.1f}; {record.failed or 'done'}", flush=True)
            failures += [job.name] if record.failed else []
            write_text(to, page(results, left_out))
    if failures:
        print(f"failed: {', '.join(failures)}; what they said is in {results.folder}/NAME.log")
    return not failures


def main(
    names: Annotated[list[str] | None, typer.Argument(help="jobs of results.yaml; default: all")] = None,
    out: Annotated[Path, typer.Option(help="folder of the jobs, their logs and the cache")] = Path("runs/results"),
    show: Annotated[bool, typer.Option("--list", help="list the jobs, run nothing")] = False,
    check: Annotated[bool, typer.Option(help="list results that pages quote and RESULTS.md lacks")] = False,
) -> None:
    """Run the jobs of results.yaml and write RESULTS.md."""
    jobs, left_out = read_jobs()
    results = Results(out, Path(os.environ.get("SPEECHGMM_DATA", "data")), jobs)
    if show:
        print("\n".join(listed(results)))
    elif check and not RESULTS.exists():
        sys.exit(f"{RESULTS} is not there yet: run the jobs first")
    elif check:
        lines = list(missing(ROOT, RESULTS.read_text(), {job.name: job.files for job in jobs.values()}))
        print("\n".join([*lines, f"{len(lines)} rows quote results that RESULTS.md does not have"]))
        sys.exit(bool(lines))
    else:
        if (found := Path(speechgmm.__file__).parents[1]) != ROOT:
            sys.exit(f"the package is imported from {found}, not from this checkout: results would be of other code")
        with results.locked():
            sys.exit(not run_all(results, names or (), left_out))


if __name__ == "__main__":
    typer.run(main)
