"""Presets: settings for a purpose, which ``defaults: NAME`` at the top of a configuration asks for.

A preset is a YAML file of ``presets/``: what it is for (``about``), its settings, a reason for each, and what a corpus
for it looks like (``data``). Owns their reading, and what wins where a configuration sets the same key. Holds nothing
that depends on the data, such as the sampling rate.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, get_args, get_type_hints

import yaml

from speechgmm.config.spec import Config
from speechgmm.config.task_settings import section_type, whole_config
from speechgmm.errors import ConfigError
from speechgmm.features.kinds import settings_of_given


@dataclass(frozen=True, slots=True)
class Preset:
    """Settings for a purpose, each with its reason."""

    name: str
    about: str  # what is decided, in a few words
    settings: Mapping[str, Any]  # as a configuration has them
    reasons: Mapping[str, str]  # path of a key or section, such as ``features.deltas`` -> why it is set so
    columns: tuple[str, ...]  # of a corpus, that hold the classes by their names; the first names them where none does
    groups: tuple[str, ...]  # of a corpus, that say by their names what belongs together
    within_classes: bool  # groups divide a class, as sessions do a speaker; else each has several classes
    class_names: frozenset[str] = frozenset()  # words in names of classes that speak for this purpose
    class_pattern: str = "(?!)"  # a regular expression of such names
    folders: str = ""  # what the classes are called where they are folders; default: the first of columns
    most_seconds: float = 0.0  # a median length of recordings up to which this purpose is likely

    def lines(self) -> Iterator[tuple[str, str]]:
        """Each key with a reason, as ``model.adapt: map``, and the reason."""
        for path, reason in self.reasons.items():
            value: Any = self.settings
            for part in path.split("."):
                value = value[part]
            shown = yaml.safe_dump(value, default_flow_style=True, width=10**6).removesuffix("...\n").strip()
            yield f"{path}: {shown}", reason


def preset_names() -> tuple[str, ...]:
    """Names that the key ``defaults`` may have.

    >>> "speaker" in preset_names()
    True
    """
    names: tuple[str, ...] = get_args(get_args(get_type_hints(Config)["defaults"])[0])
    return names


@cache
def preset(name: str) -> Preset:
    """The preset of that name.

    Raises:
        ConfigError: There is no such preset.

    >>> preset("speaker").settings["model"]["adapt"]
    'map'
    """
    if name not in preset_names():
        raise ConfigError(f"defaults is {name!r}; expected one of {', '.join(preset_names())}")
    text = (files("speechgmm.config") / "presets" / f"{name}.yaml").read_text(encoding="utf-8")
    found = yaml.safe_load(text)
    data = found["data"]
    return Preset(
        name,
        found["about"],
        MappingProxyType(found["settings"]),
        MappingProxyType(found["reasons"]),
        tuple(data["columns"]),
        tuple(data["groups"]),
        data["within_classes"],
        frozenset(data.get("class_names", ())),
        data.get("class_pattern", "(?!)"),
        data.get("folders", data["columns"][0]),
        data.get("most_seconds", 0.0),
    )


def with_preset(values: Mapping[str, Any]) -> dict[str, Any]:
    """Plain values with those of the preset that ``defaults`` names beneath them; without one, the values.

    What the values set wins, key by key; a list, or a key below a section's key, is taken whole. A section or key that
    is null there is left out of the preset, and so are keys that have no effect on given frames.

    Raises:
        ConfigError: The values ask for another task than the preset is for.

    >>> with_preset({"defaults": "speaker", "model": {"relevance": 4}})["model"]["adapt"]
    'map'
    """
    name = values.get("defaults")
    if not isinstance(name, str) or name not in preset_names():
        return dict(values)  # what it is instead is refused where all values are
    settings = _of_use(preset(name).settings, values)
    for key, value in settings.items():
        if not isinstance(value, Mapping) and values.get(key, value) != value:
            raise ConfigError(
                f"{key} is {values[key]!r}, and defaults: {name} sets {value!r}; leave out one of the two"
            )
    return _merged(settings, values, whole_config())


def _of_use(settings: Mapping[str, Any], values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Settings of a preset without those that frames have no use for, where the values say that frames are given."""
    features = values.get("features")
    kind = features.get("kind") if isinstance(features, Mapping) else None
    reads = settings_of_given(kind)
    if reads is None:
        return settings
    read = {key: value for key, value in settings.get("features", {}).items() if key in reads}
    return {**{key: value for key, value in settings.items() if key != "augment"}, "features": read}


def sets_key(name: object, path: Sequence[str]) -> bool:
    """Whether the preset of that name, if it is one, sets a key or section.

    >>> sets_key("speaker", ["model", "adapt"]), sets_key("speaker", ["hmm"]), sets_key(None, ["model"])
    (True, False, False)
    """
    if not isinstance(name, str) or name not in preset_names():
        return False
    found: Any = preset(name).settings
    for part in path:
        if not isinstance(found, Mapping) or part not in found:
            return False
        found = found[part]
    return True


def named_of_preset(values: Mapping[str, Any], message: str) -> str:
    """What to add to an error that names keys which the preset set and the values did not; empty where it names none.

    >>> named_of_preset({"defaults": "speaker"}, "no effect with model.adapt: map")
    ' (defaults: speaker sets model.adapt: map; write model.adapt to set it otherwise)'
    """
    name = values.get("defaults")
    if not isinstance(name, str) or name not in preset_names():
        return ""
    for key, _ in preset(name).lines():
        path = key.partition(":")[0]
        given: Any = values
        for part in path.split("."):
            given = given.get(part) if isinstance(given, Mapping) else None
        if re.search(rf"{re.escape(path)}\b", message) and given is None:
            return f" (defaults: {name} sets {key}; write {path} to set it otherwise)"
    return ""


def _merged(below: Mapping[str, Any], above: Mapping[str, Any], spec: Any) -> dict[str, Any]:
    """Two sections of a kind in one; ``above`` wins."""
    merged, hints = dict(below), get_type_hints(spec)
    for key, value in above.items():
        section = section_type(hints.get(key))
        if value is None and key in below:
            del merged[key]
        elif section is not None and isinstance(value, Mapping) and isinstance(below.get(key), Mapping):
            merged[key] = _merged(below[key], value, section)
        else:
            merged[key] = value
    return merged
