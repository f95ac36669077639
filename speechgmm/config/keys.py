"""The keys that a configuration may have."""

from dataclasses import Field, fields
from functools import cache
from typing import Any, get_type_hints

from speechgmm.config.task_settings import section_type, whole_config
from speechgmm.setting import is_path


def known_keys(spec: Any = None) -> dict[tuple[str, ...], tuple[Field[Any], ...]]:
    """Path of every section -> its keys."""
    spec = whole_config() if spec is None else spec
    hints = get_type_hints(spec)
    found: dict[tuple[str, ...], tuple[Field[Any], ...]] = {(): fields(spec)}
    for field in fields(spec):
        inner = section_type(hints[field.name])
        if inner is not None:
            found.update({(field.name, *path): keys for path, keys in known_keys(inner).items()})
    return found


@cache
def path_keys() -> frozenset[tuple[str, ...]]:
    """Keys whose values are paths: given on the command line, they are relative to where you stand."""
    return frozenset((*section, key.name) for section, keys in known_keys().items() for key in keys if is_path(key))
