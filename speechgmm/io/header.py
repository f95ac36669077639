"""A header as the dataclasses that a configuration is read by: the same types, the same ranges, the same refusals.

What a file says of sizes is believed only after this. Types are exact: no text is a number here, no number a text.
"""

import json
from collections.abc import Hashable
from functools import cache
from typing import Any, TypeVar, cast

Checked = TypeVar("Checked")


def checked(kind: type[Checked], plain: object, place: str = "header") -> Checked:
    """Values of a header as an object of ``kind``, checked by the types and ranges that its fields declare.

    Args:
        kind: A dataclass, or another type that pydantic knows.
        plain: The values as JSON has them.
        place: Name of the header in messages.

    Raises:
        ValueError: A value of another type or out of its range, or a key missing: the first is named.
        SpeechGMMError: Values that the dataclass refuses together.

    >>> from speechgmm.features import FeatureSpec
    >>> checked(FeatureSpec, {"n_mels": 10**18}, "features")
    Traceback (most recent call last):
    ValueError: features.n_mels is 1000000000000000000; expected less than or equal to 512
    """
    from pydantic import ValidationError

    try:
        found: Checked = _adapter(cast(Hashable, kind)).validate_json(json.dumps(plain), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        # pydantic adds the branch of a union to the path.
        path = ".".join(str(part) for part in (place, *first["loc"]) if "[" not in str(part))
        message = first["msg"].removeprefix("Input should be ").removeprefix("a valid ")
        if first["type"] == "missing":
            raise ValueError(f"{path} is missing") from None
        raise ValueError(f"{path} is {short(first['input'])}; expected {message}") from None
    return found


@cache
def _adapter(kind: Any) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def short(value: object) -> str:
    """A value for a message, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."


def strict_json(text: str) -> Any:
    """The values of a JSON text, without the numbers that are none.

    Raises:
        ValueError: Not JSON, nested too deeply, or NaN or an infinity in it.
    """
    try:
        return json.loads(text, parse_constant=_no_number, parse_float=_finite)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number")


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"{short(text)} is beyond all numbers")
    return value
