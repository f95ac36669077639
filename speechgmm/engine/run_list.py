"""The runs in a folder: their results, and the settings that tell them apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speechgmm.config import NOT_IN_THE_RESULT, default_config, flat, other_than, to_plain
from speechgmm.engine.run_folder import RunFolder
from speechgmm.errors import ConfigError, SpeechGMMError, first_few
from speechgmm.evaluation import Metric
from speechgmm.io.run_files import FOLDS, RunFile


@dataclass(frozen=True, slots=True)
class ListedRun:
    """A run among others."""

    folder: Path
    task: str
    metric_name: str  # the first of its metrics; "": nothing was tested
    metric: Metric | None
    settings: Mapping[str, Any]  # key -> value, of keys that differ between the runs of its task; defaults are not in
    problem: str = ""  # why its files cannot be read

    def entries(self) -> dict[str, Any]:
        """Plain values, one for each column of a table."""
        found = self.metric
        return {
            "run": str(self.folder),
            "task": self.task,
            "metric": self.metric_name,
            "value": found and found.value,
            "low": found and found.low,
            "high": found and found.high,
            "settings": self.problem or ", ".join(f"{key}={value}" for key, value in self.settings.items()),
        }


def list_runs(folder: Path) -> tuple[ListedRun, ...]:
    """Every run in a folder or below it, by name.

    Raises:
        ConfigError: There is no such folder, or no run in it.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder}: there is no such folder; name the one that your runs lie in")
    found = [path.parent for path in sorted(folder.rglob(RunFile.CONFIG.value)) if path.parent.parent.name != FOLDS]
    if not found:
        sweeps = [path.parent.name for path in sorted(folder.rglob(RunFile.SWEEP.value))]
        also = f"; sweeps have their table in {RunFile.SWEEP.value} ({first_few(sweeps, 3)})" if sweeps else ""
        raise ConfigError(
            f"{folder}: no run in it (a folder with config.yaml); name the one that your runs lie in{also}"
        )
    read = [(path, *_read(path)) for path in found]
    settings = [dict(flat(other_than(to_plain(default_config()), config))) for _, _, config, _ in read]
    names = ["" if problem else run.task.name for _, run, _, problem in read]
    alike: dict[str, list[Mapping[str, Any]]] = {}  # the settings of the runs of each task
    for name, own in zip(names, settings, strict=True):
        alike.setdefault(name, []).append(own)
    apart = {name: _differing(found) for name, found in alike.items()}
    return tuple(
        _listed(path, run, {key: own[key] for key in apart[name] if key in own}, problem)
        for (path, run, _, problem), own, name in zip(read, settings, names, strict=True)
    )


def _differing(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Keys whose values are not the same in all."""
    keys = dict.fromkeys(key for own in settings for key in own)
    return [key for key in keys if len({str(own.get(key)) for own in settings}) > 1]


def _read(path: Path) -> tuple[RunFolder, Mapping[str, Any], str]:
    """The run, its settings, and why it cannot be read."""
    run = RunFolder(path)
    try:
        _ = run.metrics, run.task
        return run, {key: value for key, value in run.config.items() if key not in NOT_IN_THE_RESULT}, ""
    except SpeechGMMError as error:
        return run, {}, str(error)


def _listed(path: Path, run: RunFolder, settings: Mapping[str, Any], problem: str) -> ListedRun:
    if problem:
        return ListedRun(path, "", "", None, {}, problem)
    name, metric = next(iter(run.results.items()), ("", None))
    return ListedRun(path, run.task.name, name, metric, settings)
