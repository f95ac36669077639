"""The table of tasks: names, and the packages that hold them. Nothing here is loaded until it is asked for.

``speechgmm/tasks/__init__.py`` fills it, a line for each task. A task's package holds ``task.py`` with ``TASK`` (the
steps of a run; see ``engine/task.py``) and ``settings.py`` with ``SETTINGS`` (its part of a configuration; see
``config/task_settings.py``). Refuses to know any task itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

from speechgmm.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Entry:
    """A task, and how a configuration asks for it."""

    package: str
    answers: str  # the question that the task answers about a recording
    task: str  # value of the key ``task``
    section: str | None  # the section that must be there, where the task has no value of its own

    def asked_by(self) -> str:
        """``task: classification with a section segments``."""
        return f"task: {self.task}" + (f" with a section {self.section}" if self.section else "")

    def load(self, module: str, name: str) -> Any:
        """An object of the task's package."""
        return getattr(import_module(f"{self.package}.{module}"), name)


_ENTRIES: Final[dict[str, Entry]] = {}

_NAMES: Final[dict[str, dict[str | None, str]]] = {}
"""Value of the key ``task`` -> section that must be there, or None -> name of the task."""

_REPORT: Final[list[str]] = []  # the module, once it is named


def register(name: str, package: str, answers: str, *, task: str | None = None, section: str | None = None) -> None:
    """Put a task into the table; ``answers``: the question that it answers about a recording, as in "which class it
    belongs to".

    ``task`` and ``section``: the configuration asks for it by that value of ``task`` and by having that section, where
    it has no value of its own.
    """
    _ENTRIES[name] = Entry(package, answers, task or name, section)
    _NAMES.setdefault(task or name, {})[section] = name


def register_report(module: str) -> None:
    """Name the module that makes the page of a run, by ``missing_extra`` and ``write_report``."""
    _REPORT[:] = [module]


def entries() -> Mapping[str, Entry]:
    """Name of every task -> its entry."""
    _fill()
    return _ENTRIES


def name_of(task: str, has_section: Callable[[str], bool]) -> str:
    """Name of the task that a configuration asks for, by its ``task`` and by the sections that it has.

    Raises:
        ConfigError: There is no such task.
    """
    _fill()
    names = _NAMES.get(task, {})
    for section, name in names.items():
        if section is not None and has_section(section):
            return name
    if None not in names:
        raise ConfigError(f"task is {task!r}; expected one of {', '.join(_NAMES)}")
    return names[None]


def report_module() -> str:
    """The module that makes the page of a run."""
    _fill()
    return _REPORT[0]


def _fill() -> None:
    import_module("speechgmm.tasks")  # by name: whoever reads the table knows no task
