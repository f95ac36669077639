"""What the methods of a loaded model return: frozen values that become plain JSON types, or a table of pandas.

Owns the conversion. What a result holds is its task's (``tasks/*/results.py``).
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

from speechgmm.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd


class Result(ABC):
    """The base of every result: a frozen dataclass of the recording's name, times, scores and decision."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """Field -> its value in plain JSON types: numbers, texts, lists, dicts and None (also for NaN and infinity)."""
        plain: dict[str, Any] = _plain(self)
        return plain

    @abstractmethod
    def rows(self) -> list[dict[str, Any]]:
        """The rows of ``to_frame``, column -> value."""

    def to_frame(self) -> "pd.DataFrame":
        """The result as a table of pandas; ``pandas.concat`` joins those of several recordings.

        Raises
        ------
        ConfigError
            pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError:
            raise ConfigError(
                "to_frame() makes a table of pandas, which is not installed: pip install pandas, or use to_dict()"
            ) from None
        return pd.DataFrame(self.rows())


def _plain(value: Any) -> Any:
    """A value in JSON's types."""
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(one) for one in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
