"""The text of a starter configuration: every key with what it means, in plain words."""

import json
import math
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import yaml

from speechgmm.config.presets import Preset

MEANINGS: Final = {
    "kind": "how the recordings are found",
    "root": "the folder that they lie in",
    "path": "the table, or the data directory",
    "label": "the column that is to be told: its values are the classes",
    "folder": "what names of files say: what the parentheses match is the column group",
    "textgrid": "the tier whose intervals are the items",
    "label_files": "the format, and the tier whose labels are the items",
    "group": "its values never stand in training and in the test at once, and intervals go by it",
    "split": "what is tested",
    "sample_rate": "Hz, that all recordings have or are resampled to",
    "resample": "whether recordings of other rates are resampled",
}
"""Key of the section corpus -> what it means."""


def configuration(
    settings: Mapping[str, Any], preset: Preset, facts: Iterable[tuple[str, str]], better: Iterable[str]
) -> str:
    """The configuration as YAML, with what was found and why it was chosen as comments."""
    return "\n".join(_lines(settings, preset, facts, better)) + "\n"


def _lines(
    settings: Mapping[str, Any], preset: Preset, facts: Iterable[tuple[str, str]], better: Iterable[str]
) -> Iterator[str]:
    for name, value in facts:
        yield from _comment(f"{name}: {value}", "  ")
    for wish in better:
        yield from _comment(f"To do better: {wish}.", "  ")
    yield "#"
    yield "# Every key there is: speechgmm schema --template"
    yield f"defaults: {preset.name}"
    yield from _comment(f"The preset for {preset.about}. It sets what follows; write a key below to set it otherwise.")
    for key, reason in preset.lines():
        yield from _comment(f"  {key} -- {reason}", "      ")
    for name, value in settings.items():
        if name == "corpus":
            yield "corpus:"
            yield from (f"  {_pair(key, inner)}" for key, inner in value.items())
        elif name != "defaults":
            yield yaml.safe_dump({name: value}, sort_keys=False).rstrip()


def _pair(key: str, value: Any) -> str:
    text = f"{key}: {flow(value)}"
    return f"{text}  # {MEANINGS[key]}" if key in MEANINGS else text


def flow(value: Any) -> str:
    """A value on one line; a name that is not UTF-8 in escapes, since the file is."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {flow(inner)}" for key, inner in value.items()) + "}"
    if (
        isinstance(value, str)
        and re.fullmatch(r"[a-z][a-z_-]*", value)
        and value not in ("true", "false", "yes", "no", "null", "on", "off")
    ):
        return value
    if isinstance(value, str):
        return str(yaml.safe_dump(value, default_style='"', allow_unicode=True, width=math.inf)).rstrip("\n")
    return json.dumps(value)


def _comment(text: str, indent: str = "") -> Iterator[str]:
    safe = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
    for number, line in enumerate(textwrap.wrap(safe, 110, drop_whitespace=True, break_long_words=False)):
        yield f"# {indent if number else ''}{line}"
