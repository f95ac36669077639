"""YAML in, one ``Config`` out. A wrong key or value is refused with its line and the nearest key that exists."""

import difflib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError

from speechgmm.config.catalogue import configuration_path, configurations, nearest
from speechgmm.config.experiment import Experiment
from speechgmm.config.keys import known_keys
from speechgmm.config.overrides import apply_overrides, corpus_kind, drop_former_kind
from speechgmm.config.presets import named_of_preset, with_preset
from speechgmm.config.spec import Config
from speechgmm.config.task_settings import asked_by, check_task, sections, whole_config
from speechgmm.config.yaml_text import MOST_CHARACTERS, plain_values
from speechgmm.errors import ConfigError, DataError
from speechgmm.gmm.spec import OF_BACKGROUND
from speechgmm.io.header import short
from speechgmm.io.text_file import read_text_file

MOVED = {("scoring", "p_target"): "decision.prior"}
"""Keys of earlier versions -> where they are now."""

EXPECTED = {
    "string_type": "text; write a number in quotes",
    "dict_type": "pairs of words, such as {ax: ah}",
    "tuple_type": "a list, such as [one, two]",
}
"""Type of pydantic's problem -> what was expected."""


def load_config(
    path: str | os.PathLike[str], overrides: Sequence[str] = (), *, trust_cluster: bool = False
) -> Experiment:
    """Read a configuration file.

    Parameters
    ----------
    path
        The YAML file. If there is no such file: the name of a configuration that comes with the package; relative paths
        in it start from the folder ``configs`` of the current folder.
    overrides
        Changes of the configuration, ``key.path=value`` each; relative paths in them start from the current folder.
    trust_cluster
        Whether the file may name the scheduler of a cluster, which can run any program on this machine.

    Returns
    -------
    Experiment
        The configuration (``config``), its name, and the places of corpus, cache and results.

    Raises
    ------
    ConfigError
        The file is missing or not YAML, or has an unknown key or an invalid value.

    Examples
    --------
    >>> experiment = load_config("birds.yaml", ["model.n_components=16"])
    >>> experiment.name, experiment.config.model.n_components
    ('birds', 16)
    """
    path, folder = _located(Path(path))
    try:
        text = read_text_file(path, "a configuration", most_bytes=4 * MOST_CHARACTERS)
    except DataError as error:
        raise ConfigError(str(error)) from None
    values, lines = plain_values(text, str(path))
    if not isinstance(values, dict):
        raise ConfigError(
            f"{path}: keys and values are expected, such as 'seed: 0'; the file is one {type(values).__name__}"
        )
    parallel = values.get("parallel")
    scheduler_is_trusted = trust_cluster or not isinstance(parallel, dict) or parallel.get("scheduler") is None
    former = corpus_kind(values)
    given = apply_overrides(values, overrides)
    notes = list(drop_former_kind(values, former, given))
    lines |= dict.fromkeys(given, 0)  # not in the file
    scheduler_is_trusted |= any(key in (("parallel",), ("parallel", "scheduler")) for key in given)
    config = make_config(values, str(path), lines)
    notes += _notes(values, config)
    return Experiment(config, path.stem, folder, tuple(notes), scheduler_is_trusted)


def _located(path: Path) -> tuple[Path, Path]:
    """A configuration's file, and the folder that its paths are relative to."""
    if path.exists() and not path.is_dir():
        return path, path.absolute().parent
    if str(path) in configurations():
        return configuration_path(str(path)), Path("configs").absolute()
    if path.is_dir():
        raise ConfigError(f"{path}: a folder; `speechgmm init {path}` writes a configuration for its recordings")
    raise ConfigError(f"{path}: there is no such configuration file; {nearest(path.stem)}")


def make_config(
    values: Mapping[str, Any],
    source: str = "configuration",
    lines: Mapping[tuple[str, ...], int] | None = None,
) -> Config:
    """Make a Config of plain values and check them. A ConfigError names the key, its line and the likely mistake.

    >>> make_config({"corpus": {"kind": "folder", "root": "birds", "split": "fraction"}}).corpus.split
    SplitSpec(kind='fraction', test=0.2, folds=5, column='split', names=None, by=None, disjoint=True)
    """
    try:
        return _made(values, source, lines or {})
    except ConfigError as error:
        more = named_of_preset(values, str(error))
        raise (ConfigError(f"{error}{more}", arguments=error.arguments) if more else error) from None


def _made(values: Mapping[str, Any], source: str, lines: Mapping[tuple[str, ...], int]) -> Config:
    given = ("overrides",) if 0 in lines.values() else ()
    try:
        values = with_preset(values)
    except ConfigError as error:
        raise ConfigError(f"{_place(('task',), source, lines)}: {error}", arguments=given) from None
    corpus = values.get("corpus")
    if isinstance(corpus, dict) and isinstance(corpus.get("split"), str):
        values["corpus"] = {**corpus, "split": {"kind": corpus["split"]}}
    _refuse_booleans(values, whole_config(), source, lines)
    try:
        config: Config = _validator().validate_python(values)
    except ValidationError as error:
        messages = [_explain(dict(problem), source, lines) for problem in error.errors(include_url=False)]
        raise ConfigError("\n".join(_joined(messages)), arguments=given) from None
    try:
        check_task(config)
    except ConfigError as error:
        named = (tuple(word.split(".")) for word in re.findall(r"[a-z_.]+", str(error)))
        path = next((path for path in named if path in lines), ())
        raise ConfigError(f"{_place(path, source, lines)}: {error}", arguments=given) from None
    return config


@cache
def _validator() -> TypeAdapter[Config]:
    return TypeAdapter(whole_config())


def _notes(values: Mapping[str, Any], config: Config) -> Iterator[str]:
    """What the configuration keeps under another key than it was given."""
    given = values.get("model")
    if config.model.adapt != "map" or not isinstance(given, Mapping):
        return
    of_ubm = given.get("ubm") or {}
    for name in OF_BACKGROUND:
        value = given.get(name)
        if value is not None and of_ubm.get(name) is None and getattr(config.model.ubm, name) == value:
            yield (
                f"model.{name}: {value} is read as model.ubm.{name}: with model.adapt: map every class is adapted "
                "from the background model"
            )


def _refuse_booleans(
    values: Mapping[str, Any], spec: Any, source: str, lines: Mapping[tuple[str, ...], int], path: tuple[str, ...] = ()
) -> None:
    """YAML's yes and true are no numbers, though Python would take them for 1."""
    hints = get_type_hints(spec)
    for key, value in values.items():
        inner = (*path, str(key))
        if is_dataclass(hints.get(str(key))) and isinstance(value, Mapping):
            _refuse_booleans(value, hints[str(key)], source, lines, inner)
        elif isinstance(value, bool) and str(key) in hints and "bool" not in str(hints[str(key)]):
            where = f", line {lines[inner]}" if inner in lines else ""
            raise ConfigError(
                f"{source}{where}: {'.'.join(inner)} is {str(value).lower()}; expected a number or a word. YAML reads "
                "yes, no, on and off as true and false: write a word in quotes"
            )


def _place(path: tuple[str, ...], source: str, lines: Mapping[tuple[str, ...], int]) -> str:
    """The file, and the line of a key where it is known."""
    line = next((lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in lines), None)
    if line == 0:
        return "a setting given beside the file"
    return f"{source}, line {line}" if line else source


def _explain(problem: dict[str, Any], source: str, lines: Mapping[tuple[str, ...], int]) -> str:
    """One of pydantic's problems as a sentence with place, key and likely mistake."""
    named = {section: tuple(key.name for key in keys) for section, keys in known_keys().items()}
    # pydantic adds the branch of a union to the path ("literal['mix']", "int"): keep what is a key of ours.
    path: tuple[str, ...] = ()
    for part in (str(part) for part in problem["loc"] if not isinstance(part, int)):
        if path in named and (part in named[path] or problem["type"] == "unexpected_keyword_argument"):
            path = (*path, part)
    where, key = _place(path, source, lines), ".".join(path)
    if problem["type"] == "unexpected_keyword_argument":
        known = named.get(path[:-1], ())
        near = difflib.get_close_matches(path[-1], known, 1, 0.7)
        elsewhere = [".".join((*section, path[-1])) for section, keys in named.items() if path[-1] in keys]
        if path in MOVED:
            hint = f"it is {MOVED[path]!r} now"
        elif near:
            hint = f"did you mean {'.'.join((*path[:-1], near[0]))!r}?"
        elif elsewhere:
            hint = f"it belongs at {elsewhere[0]!r}"
        else:
            hint = f"the keys {'of ' + '.'.join(path[:-1]) if path[:-1] else 'at the top'} are {', '.join(known)}"
        return f"{where}: unknown key {key!r}; {hint}"
    message = problem["msg"].removeprefix("Input should be ").removeprefix("a valid ").partition(", unable to parse")[0]
    if problem["type"] == "dataclass_type":
        message = f"a section with keys of its own: {', '.join(named.get(path, ()))}"
    elif problem["type"] in EXPECTED:
        message = EXPECTED[problem["type"]]
    elif problem["type"] == "literal_error":
        message = _nearest(path, problem["input"], message)
    return f"{where}: {key} is {short(problem['input'])}; expected {message}"


def _joined(messages: Sequence[str]) -> Iterator[str]:
    """The messages, each once; of a key that may have one of several types, the types in one message."""
    expected: dict[str, list[str]] = {}
    for message in dict.fromkeys(messages):
        given, _, what = message.partition("; expected ")
        expected.setdefault(given, []).extend([what] if what else [])
    for given, types in expected.items():
        yield f"{given}; expected {' or '.join(types)}" if types else given


def _nearest(path: tuple[str, ...], given: Any, expected: str) -> str:
    """What was expected instead of a word, and the one that is like it."""
    if path == ("task",) and given in [section.name for section in sections()]:
        return f"{expected}; for this task write {asked_by(given)}"
    near = difflib.get_close_matches(str(given), re.findall(r"'(.*?)'", expected), 1, 0.7)
    return expected + (f"; did you mean {near[0]!r}?" if near else "")
