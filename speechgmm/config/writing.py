"""A ``Config`` out again: as YAML, as a hash, as what differs, as JSON Schema, and as a commented template."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields, is_dataclass, replace
from hashlib import blake2b
from typing import Any, get_type_hints

import yaml
from pydantic import TypeAdapter

from speechgmm.config.keys import path_keys
from speechgmm.config.spec import Config
from speechgmm.config.task_settings import default_config, section_type, unread_sections, whole_config

LAST = ("model_card", "report", "parallel", "cache", "seed", "output")
"""Keys that are written after the sections of tasks."""

NOT_IN_THE_RESULT = ("defaults", "parallel", "cache", "output", "report", "tables", "model_card")
"""Keys that cannot change a result (the settings of a preset are in the sections): they do not count when a result
folder is matched to its configuration."""


def to_plain(spec: Any) -> Any:
    """A settings object as dictionaries, lists and scalars, which YAML and JSON can hold.

    >>> to_plain(default_config())["model"]["relevance"]
    16.0
    """
    plain = json.loads(json.dumps(asdict(spec)))
    return {name: plain[name] for name in _in_order(spec)}


def _in_order(spec: Any) -> list[str]:
    """Names of the fields, those of the machine last in a whole configuration."""
    names = [field.name for field in fields(spec)]
    last = LAST if isinstance(spec, Config) else ()
    return [*(name for name in names if name not in last), *last]


def to_yaml(config: Config) -> str:
    """The whole configuration, every key with its value, as YAML that ``load_config`` reads back.

    >>> to_yaml(default_config()).splitlines()[0]
    'task: classification'
    """
    text: str = yaml.safe_dump(to_plain(config), sort_keys=False, allow_unicode=True, width=110)
    return text


def config_hash(config: Config) -> str:
    """A hash of 16 hex digits; two configurations that ask for the same result have the same hash.

    The keys of ``NOT_IN_THE_RESULT`` and the folder of the recordings (``corpus.root``) are left out, so that the hash
    is the same on every machine. Keys with their default value are left out too, so that the hash stays the same when
    later versions add keys. Two versions with different defaults may therefore give the same hash; `settings_hash`
    distinguishes them.

    >>> from speechgmm.config import make_config
    >>> config_hash(make_config({"parallel": {"n_jobs": 1}})) == config_hash(make_config({}))
    True
    """
    return _digest(other_than(to_plain(default_config()), _of_the_result(_with_defaults_as_written(config))))


def settings_hash(config: Config) -> str:
    """A hash of 16 hex digits over the values of all keys, defaults included.

    Unlike `config_hash`, it changes where a default differs between two versions, and where a later version has a new
    key that the task reads. The sections of other tasks are left out.

    >>> from speechgmm.config import make_config
    >>> settings_hash(make_config({"seed": 0})) == settings_hash(make_config({}))
    True
    """
    unread = unread_sections(config)
    return _digest(_as_floats({key: value for key, value in _of_the_result(config).items() if key not in unread}))


def told_settings(config: Config) -> dict[str, str]:
    """The settings that differ from the defaults, as a model card shows them. Names of files are left out.

    >>> from speechgmm.config import make_config
    >>> told_settings(make_config({"model": {"n_components": 8}, "corpus": {"root": "birds"}}))
    {'model.n_components': '8'}
    """
    plain = other_than(to_plain(default_config()), _of_the_result(_with_defaults_as_written(config)))
    not_told = {"task", *(".".join(path) for path in path_keys())}
    told = {key: json.dumps(value, ensure_ascii=False) for key, value in flat(plain) if key not in not_told}
    return {key: text for key, text in told.items() if "/" not in text and "\\" not in text}


def flat(plain: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The nested values as pairs of a key with dots and a value.

    >>> dict(flat({"seed": 1, "model": {"init": "random"}}))
    {'seed': 1, 'model.init': 'random'}
    """
    for key, value in plain.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _with_defaults_as_written(spec: Any) -> Any:
    """The same spec, whose values have the type of the default that they equal: 16 that was read back as 16.0 is 16."""
    values = {field.name: (getattr(spec, field.name), field.default) for field in fields(spec)}
    written = {
        name: _with_defaults_as_written(value) if is_dataclass(value) else default
        for name, (value, default) in values.items()
        if is_dataclass(value) or value == default
    }
    return replace(spec, **written)


def _as_floats(value: Any) -> Any:
    """Whole numbers as floats too: a default that is written 1000 is read back as 1000.0."""
    if isinstance(value, Mapping):
        return {key: _as_floats(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_as_floats(inner) for inner in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _of_the_result(config: Config) -> dict[str, Any]:
    """The plain settings that can change a result, on whatever machine."""
    plain = {key: value for key, value in to_plain(config).items() if key not in NOT_IN_THE_RESULT}
    plain["corpus"].pop("root")
    return plain


def _digest(plain: Mapping[str, Any]) -> str:
    return blake2b(json.dumps(plain, sort_keys=True).encode(), digest_size=8).hexdigest()


def other_than(defaults: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The nested values that differ from the defaults.

    >>> other_than({"seed": 0, "model": {"init": "split", "tol": 0.1}}, {"seed": 0, "model": {"init": "random"}})
    {'model': {'init': 'random'}}
    """
    found = {}
    for key, value in values.items():
        default = defaults.get(key)
        if isinstance(value, Mapping) and isinstance(default, Mapping):
            if inner := other_than(default, value):
                found[key] = inner
        elif value != default:
            found[key] = value
    return found


def differences(here: Mapping[str, Any], there: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """The keys with different values in two plain configurations, as ``model.max_iter: 20 there, 200 here``.

    >>> list(differences({"model": {"max_iter": 200}}, {"model": {"max_iter": 20}}))
    ['model.max_iter: 20 there, 200 here']
    """
    for key in dict.fromkeys((*here, *there)):
        if not prefix and key in NOT_IN_THE_RESULT:
            continue
        a, b = here.get(key), there.get(key)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            yield from differences(a, b, f"{prefix}{key}.")
        elif a != b:
            yield f"{prefix}{key}: {b!r} there, {a!r} here"


def json_schema() -> dict[str, Any]:
    """The JSON Schema of the configuration, for editors that complete and check YAML.

    >>> json_schema()["properties"]["seed"]["default"]
    0
    """
    schema = TypeAdapter(whole_config()).json_schema()
    split = schema["$defs"]["CorpusSpec"]["properties"]["split"]
    kinds = schema["$defs"]["SplitSpec"]["properties"]["kind"]["enum"]
    reference = {"$ref": split.pop("$ref")}
    split["anyOf"] = [reference, {"type": "string", "enum": kinds}]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "speechgmm configuration",
        **schema,
    }


def template() -> str:
    """The text of a configuration file with every key, its default, meaning, unit and choices.

    >>> "task: classification" in template().splitlines()
    True
    """
    head = (
        "# Every key there is, with its default. Keep what you change and delete the rest: what is absent has its\n"
        "# default. null: follows from another key, which the comment names. `speechgmm schema` has it for editors.\n"
    )
    return head + "\n".join(_commented(default_config(), 0)) + "\n"


def _commented(spec: Any, depth: int) -> Iterator[str]:
    import textwrap

    hints, types = TypeAdapter(type(spec)).json_schema()["properties"], get_type_hints(type(spec))
    pad = "  " * depth
    for field in (type(spec).__dataclass_fields__[name] for name in _in_order(spec)):
        value = getattr(spec, field.name)
        about = field.metadata.get("description", "")
        hint = hints[field.name]
        if unit := hint.get("unit"):
            about += f" [{unit}]"
        if isinstance(value, tuple):
            hint = hint["items"]
        if choices := _choices(hint):
            about += f" ({' | '.join(choices)})"
        yield from (f"{pad}# {line}" for line in textwrap.wrap(about, 100 - len(pad)))
        if is_dataclass(value):
            yield f"{pad}{field.name}:"
            yield from _commented(value, depth + 1)
        else:
            yield f"{pad}{field.name}: {_scalar(value)}"
        optional = section_type(types[field.name])
        if value is None and isinstance(spec, Config) and optional is not None:
            yield from (f"#   {line}" for line in _commented(optional(), 0))
        if isinstance(value, tuple) and value and is_dataclass(value[0]):
            yield from (f"{pad}#   {line}" for line in _commented(value[0], 0))


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return str(yaml.safe_dump(value).splitlines()[0])
    if isinstance(value, tuple):
        return json.dumps([asdict(one) if is_dataclass(one) and not isinstance(one, type) else one for one in value])
    return json.dumps(value)


def _choices(hint: Mapping[str, Any]) -> list[str]:
    options = [
        option
        for part in (hint, *hint.get("anyOf", ()))
        for option in (*part.get("enum", ()), *([part["const"]] if "const" in part else ()))
    ]
    return [str(option) for option in dict.fromkeys(options)]
