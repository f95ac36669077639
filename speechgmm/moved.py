"""Names that have moved or changed: still there as before, with a DeprecationWarning that names the new one."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any
from warnings import warn


def from_new_place(module: str, name: str, places: Mapping[str, str]) -> Any:
    """A name that was in ``module``, from its new place, for the ``__getattr__`` of that module.

    A place is a module, or ``module:name`` where the name has changed.

    Raises:
        AttributeError: It has never been there.

    >>> from_new_place("speechgmm.decoding", "nothing", {})
    Traceback (most recent call last):
    AttributeError: module 'speechgmm.decoding' has no attribute 'nothing'
    """
    if name not in places:
        raise AttributeError(f"module {module!r} has no attribute {name!r}")
    place, _, new = places[name].partition(":")
    warn(f"{module}.{name} is {place}.{new or name} now", DeprecationWarning, stacklevel=3)
    return getattr(import_module(place), new or name)
