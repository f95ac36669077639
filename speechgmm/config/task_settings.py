"""What each task adds to a configuration: the table of its sections, of the shared keys that it reads, and its checks.

A task's ``settings.py`` holds one `TaskSettings`, which is loaded when a configuration is read. Owns the whole
``Config`` that is made from them, and refuses keys that only other tasks read. Knows no task itself.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass, make_dataclass
from functools import cache
from typing import Any, Literal, get_args

from speechgmm.config.spec import Config
from speechgmm.errors import ConfigError
from speechgmm.setting import FORBID_UNKNOWN, setting
from speechgmm.task_table import entries, name_of


@dataclass(frozen=True, slots=True)
class Section:
    """A section that a task adds at the top of a configuration.

    >>> Section("calibration", dict, "how scores become likelihood ratios").optional
    False
    """

    name: str
    spec: type[Any]
    meaning: str
    optional: bool = False  # left out, it is None, and a task is asked for by having it


@dataclass(frozen=True, slots=True)
class TaskSettings:
    """The sections that one task adds to a configuration, and the shared keys that it reads.

    >>> [section.name for section in settings_of("verification").sections]
    ['calibration', 'decision']
    """

    sections: tuple[Section, ...] = ()
    reads: tuple[str, ...] = ()
    """Sections and keys (``scoring.priors``) that not every task reads, and this one does, beside its own sections; of
    a section of its own, these keys alone where some are named."""

    check: Callable[[Any], None] = lambda _: None
    """Raises ConfigError for what cannot be asked for together."""


@cache
def settings_of(name: str) -> TaskSettings:
    """What the task of that name adds to a configuration."""
    found: TaskSettings = entries()[name].load("settings", "SETTINGS")
    return found


def name_of_task(config: Config) -> str:
    """Name of the task that a configuration asks for."""
    return name_of(config.task, lambda section: getattr(config, section) is not None)


def _names() -> list[str]:
    """Values that the key ``task`` may have."""
    return list(dict.fromkeys(entry.task for entry in entries().values()))


def asked_by(name: str) -> str:
    """How a configuration asks for a task: ``task: classification with a section segments``."""
    return entries()[name].asked_by()


def section_type(hint: Any) -> type[Any] | None:
    """The dataclass of a key's type that is a section, may be one, or is a list of such; None: it is none."""
    options = (hint, *get_args(hint))
    return next((option for option in options if isinstance(option, type) and is_dataclass(option)), None)


@cache
def whole_config() -> type[Config]:
    """``Config`` with the sections of all tasks as fields, each None or at its defaults where it is left out."""
    names: Any = tuple(_names())
    about = "; ".join(f"{name}: {entry.answers}" for name, entry in entries().items() if entry.section is None)
    task = setting("classification", f"question about a recording: {about}")
    added: list[tuple[str, Any, Any]] = [("task", Literal[names], task)]
    for section in sections():
        kind = section.spec | None if section.optional else section.spec
        added.append((section.name, kind, setting(None if section.optional else section.spec(), section.meaning)))
    namespace = {"__pydantic_config__": FORBID_UNKNOWN}
    made = make_dataclass(
        "WholeConfig", added, bases=(Config,), namespace=namespace, frozen=True, slots=True, kw_only=True
    )
    made.__module__ = __name__
    made.__doc__ = "A whole experiment: what all tasks share, and the sections of every task."
    return made


def default_config() -> Config:
    """The configuration in which every key has its default.

    >>> default_config().seed
    0
    """
    return whole_config()()


def __getattr__(name: str) -> Any:
    """The class of `whole_config` by its name, so that another process can read a pickled configuration."""
    if name == "WholeConfig":
        return whole_config()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def sections() -> Iterator[Section]:
    """The sections of all tasks, in the order of the table."""
    for name in entries():
        yield from settings_of(name).sections


def unread_sections(config: Config) -> set[str]:
    """Sections of tasks that the task of this configuration does not read."""
    read = _read_by(name_of_task(config))
    return {one.name for one in sections() if not any(key.split(".")[0] == one.name for key in read)}


def check_task(config: Config) -> None:
    """Refuse settings that the configuration's task does not read, and what the task itself refuses.

    Raises:
        ConfigError: The message begins with the key.
    """
    name = name_of_task(config)
    for key in _set_keys(config, default_config()):
        reading = readers(key)
        if name not in reading:
            owners = dict.fromkeys(entries()[owner].asked_by() for owner in reading)
            own = ", ".join(section.name for section in settings_of(name).sections)
            hint = f", whose own sections are {own}" if own else ""
            *others, last = owners
            shown = f"{', '.join(others)} or {last}" if others else last
            raise ConfigError(f"{key} is for {shown}; this configuration has {entries()[name].asked_by()}{hint}")
    settings_of(name).check(config)


def readers(key: str) -> tuple[str, ...]:
    """Names of the tasks that read a key or section; all of them where no task claims it as its own.

    >>> readers("calibration.method"), len(readers("features")) == len(entries())
    (('verification',), True)
    """
    read = {name: _read_by(name) for name in entries()}
    claimed = [name for name, keys in read.items() if any(_is_of(key, one) for one in keys)]
    return tuple(claimed or read)


def _read_by(name: str) -> tuple[str, ...]:
    """Sections and keys that a task reads: a section of its own whole, unless it names the keys in it."""
    found = settings_of(name)
    named = {key.split(".")[0] for key in found.reads}
    return (*(section.name for section in found.sections if section.name not in named), *found.reads)


def _is_of(key: str, prefix: str) -> bool:
    """Whether a key is that section or key, or inside it."""
    return key == prefix or key.startswith(f"{prefix}.")


def _set_keys(spec: Any, default: Any, prefix: str = "") -> Iterator[str]:
    """Paths of values that differ from the defaults."""
    for one in fields(spec):
        value, other, key = getattr(spec, one.name), getattr(default, one.name), f"{prefix}{one.name}"
        if is_dataclass(value) and type(value) is type(other):
            yield from _set_keys(value, other, f"{key}.")
        elif value != other:
            yield key
