"""Settings given beside a configuration file: ``key.path=value``; null takes a key or a section out of it."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from speechgmm.config.keys import known_keys, path_keys
from speechgmm.config.presets import sets_key
from speechgmm.config.yaml_text import plain_values
from speechgmm.corpus.spec import COLUMN, belongs_to_kind
from speechgmm.errors import ConfigError


def apply_overrides(values: dict[str, Any], overrides: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Put settings into the values of a configuration file, in their order; returns the paths of their keys.

    Raises:
        ConfigError: One is no ``key.path=value``.
    """
    return tuple(_apply(values, override) for override in overrides)


def as_override(key: str, value: Any) -> str:
    """``key.path=value`` as `apply_overrides` reads it.

    >>> as_override("model.n_components", 8)
    'model.n_components=8'
    """
    return f"{key}={json.dumps(value)}"


def corpus_kind(values: Mapping[str, Any]) -> str:
    """The kind of corpus that the values of a configuration name, or the default."""
    corpus = values.get("corpus")
    return str(corpus.get("kind", "manifest")) if isinstance(corpus, dict) else "manifest"


def drop_former_kind(values: dict[str, Any], former: str, given: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Take out of ``corpus`` what belongs to the kind that the file has, where ``given`` settings name another kind.

    What is given beside the file stays. Yields a note of what was taken out.
    """
    corpus = values.get("corpus")
    if ("corpus", "kind") not in given or not isinstance(corpus, dict) or corpus_kind(values) == former:
        return
    kept = {path[1] for path in given if path[0] == "corpus" and len(path) > 1}
    dropped = [key for key in corpus if key not in kept and belongs_to_kind(key, former)]
    for key in dropped:
        del corpus[key]
    if dropped:
        yield (
            f"corpus.kind is {corpus_kind(values)}, not {former} as in the file, whose "
            f"{', '.join(f'corpus.{key}' for key in dropped)} {'is' if len(dropped) == 1 else 'are'} left out"
        )


def _apply(values: dict[str, Any], override: str) -> tuple[str, ...]:
    """Put one ``key.path=value`` into the values; returns the path of the key."""
    key, separator, text = override.partition("=")
    parts = key.strip().split(".")
    if not separator or not all(parts):
        message = f"{override}: expected key.path=value, such as model.n_components=64"
        raise ConfigError(message, arguments=("overrides",))
    try:
        value = plain_values(text, key)[0] if text.strip() else None
    except ConfigError:
        value = text
    if isinstance(value, str) and tuple(parts) in path_keys() and not value.startswith(COLUMN):
        value = str(Path(os.path.expandvars(value)).expanduser().absolute())
    inner = values
    for part in parts[:-1]:
        below = inner.get(part)
        if isinstance(below, str) and parts[:-1] == ["corpus", "split"]:
            below = {"kind": below}
        inner[part] = dict(below) if isinstance(below, dict) else {}
        inner = inner[part]
    # A key that is not known stays, so that it is refused; all that are go back to their defaults.
    if value is None and sets_key(values.get("defaults"), parts):
        inner[parts[-1]] = None  # which takes the preset's away
    elif value is None and (parts[-1] in inner or _is_known(parts)):
        inner.pop(parts[-1], None)
    else:
        inner[parts[-1]] = value
    return tuple(parts)


def _is_known(parts: Sequence[str]) -> bool:
    return any(key.name == parts[-1] for key in known_keys().get(tuple(parts[:-1]), ()))
