"""One field of a configuration dataclass: default, meaning, unit and range in one place.

The YAML reader, the JSON Schema and the documentation are all made from these fields. The metadata keys are
those that pydantic reads from a plain dataclass, so the mathematics can declare its settings without importing it.
"""

from dataclasses import Field, field
from typing import Any, Final

FORBID_UNKNOWN: Final[Any] = {"extra": "forbid", "allow_inf_nan": False}
"""Value of a spec's ``__pydantic_config__``: an unknown key is an error, and so is a number that is none."""


def setting(
    default: Any,
    description: str,
    *,
    unit: str | None = None,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
    is_path: bool = False,
) -> Any:
    """A dataclass field with its default, its meaning, its unit and its range.

    ``is_path``: the value is a path, relative to the configuration file.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Spec:
    ...     frame_shift: float = setting(10.0, "time between frames", unit="ms", gt=0)
    >>> Spec().frame_shift
    10.0
    """
    bounds = {name: value for name, value in (("ge", ge), ("gt", gt), ("le", le), ("lt", lt)) if value is not None}
    metadata: dict[str, Any] = {"description": description, **bounds}
    more = {**({} if unit is None else {"unit": unit}), **({"format": "path"} if is_path else {})}
    if more:
        metadata["json_schema_extra"] = more
    return field(default=default, metadata=metadata)


def is_path(one: Field[Any]) -> bool:
    """Whether a setting's value is a path, relative to the configuration file."""
    return bool(one.metadata.get("json_schema_extra", {}).get("format") == "path")
