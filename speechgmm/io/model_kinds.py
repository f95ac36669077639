"""The kinds of model files, and where the functions of their tasks that work on them are.

``tasks/__init__.py`` puts every kind into the table, a line each; the functions are loaded when they are asked for.
Knows no kind itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class ModelKind:
    """One kind of model file."""

    name: str
    package: str  # of its task
    holds: str  # in words, as in "a recogniser"
    command: str  # that applies such a model to recordings
    keys: tuple[str, ...]  # of the header, any of which such a file has; empty: it has none of any other kind
    extends: str | None  # the kind that it adds something to

    def function(self, place: str) -> Callable[..., Any]:
        """A function of the task, named ``module:function`` within its package."""
        module, name = place.split(":")
        found: Callable[..., Any] = getattr(import_module(f"{self.package}.{module}"), name)
        return found


_KINDS: Final[dict[str, ModelKind]] = {}


def register_kind(
    name: str,
    package: str,
    holds: str,
    command: str,
    *,
    keys: tuple[str, ...] | None = None,
    extends: str | None = None,
) -> None:
    """Put a kind of model file into the table.

    Its task's package has ``description.py`` with ``describe``, ``interface.py`` with ``load`` (the model in Python),
    ``command.py`` with ``Score`` where that is the command for it and, where it ``extends`` a kind, ``codec.py`` with
    ``model_file``, as that kind's has it.
    ``keys``: of the header, by which a file is known; default: the kind's name.
    """
    _KINDS[name] = ModelKind(name, package, holds, command, (name,) if keys is None else keys, extends)


def model_kinds() -> list[ModelKind]:
    """All kinds, in the order of the table."""
    import_module("speechgmm.tasks")  # fills the table; by name, since nothing here knows a task
    return list(_KINDS.values())


def model_kind(name: str) -> ModelKind:
    """The kind of that name."""
    return next(kind for kind in model_kinds() if kind.name == name)


def kind_of_header(header: Mapping[str, Any]) -> ModelKind:
    """The kind of the model file with this header."""
    plain = next(kind for kind in model_kinds() if not kind.keys)
    return next((kind for kind in model_kinds() if any(key in header for key in kind.keys)), plain)
