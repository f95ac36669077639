"""Pages of the reference that are made from the code: commands, the configuration, the public names of each package.

``conf.py`` writes them before Sphinx reads the pages. They are not kept in the repository.
"""

import ast
import enum
import inspect
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any, get_args, get_type_hints

from pydantic import TypeAdapter

import speechgmm
from speechgmm.cli.app import COMMANDS, fields_of, loaded_command
from speechgmm.config.keys import known_keys
from speechgmm.config.task_settings import readers, section_type, whole_config
from speechgmm.task_table import entries

PACKAGES = (
    "plots",
    "sklearn",
    "gmm",
    "features",
    "evaluation",
    "hmm",
    "vectors",
    "clustering",
    "images",
    "corpus",
    "config",
    "engine",
    "demo",
)
"""Packages of ``speechgmm`` whose names are public, in the order of the reference."""

Lines = Iterator[str]


# ---------------------------------------------------------------- Python


def public_names(package: str) -> list[str]:
    """The public names of a package of ``speechgmm``, without those that ``speechgmm`` itself has."""
    module = import_module(f"speechgmm.{package}")
    top = {id(getattr(speechgmm, name)) for name in speechgmm.__all__}
    return [name for name in sorted(module.__all__) if id(getattr(module, name)) not in top]


def packages_page() -> Lines:
    """Every public name of every package, as tables whose rows lead to a page for each name."""
    yield "# Packages"
    yield ""
    yield "The names of `speechgmm` itself are on [their own page](python.md). These are what they are built from."
    for package in PACKAGES:
        module = import_module(f"speechgmm.{package}")
        about = (inspect.getdoc(module) or "").split("\n\n")[0]
        yield from ("", f"## speechgmm.{package}", "", "```{eval-rst}", f".. currentmodule:: speechgmm.{package}", "")
        yield from (about, "", ".. autosummary::", "   :toctree: api", "   :nosignatures:", "")
        names = public_names(package)
        yield from (f"   {name}" for name in names if callable(getattr(module, name)))
        for name in names:
            value = getattr(module, name)
            if not callable(value):
                yield from ("", f".. py:data:: {name}", f"   :value: {_shortened(value)}", "")
                yield from (f"   {line}" for line in _about_constant(module, name))
        yield "```"


def _shortened(value: object) -> str:
    shown = f"{{{', '.join(map(repr, value))}}}" if isinstance(value, dict) else repr(value)
    return shown if len(shown) <= 100 else f"{shown[:97]}..."


def _about_constant(package: ModuleType, name: str) -> list[str]:
    """What stands below a constant in the module of the package that has it."""
    for path in sorted(Path(package.__path__[0]).glob("*.py")):
        for statement, below in pairwise(ast.parse(path.read_text(encoding="utf-8")).body):
            targets = [getattr(statement, "target", None), *getattr(statement, "targets", ())]
            about = getattr(getattr(below, "value", None), "value", None)
            if isinstance(about, str) and name in (getattr(one, "id", None) for one in targets):
                return inspect.cleandoc(about).splitlines()
    return []


# ---------------------------------------------------------------- commands


def commands_page() -> Lines:
    """Every command with its arguments and options, as ``speechgmm COMMAND --help`` has them."""
    yield "# Commands"
    yield ""
    yield "`speechgmm COMMAND --help` prints the same. Exit status: 0 done; 1 the work failed, or a recording did; 2"
    yield "the command line, the configuration or a model file is wrong; 130 interrupted."
    for name in COMMANDS:
        command = loaded_command(name)
        arguments = [one for one in command.params if not one.opts[0].startswith("-")]
        options = [one for one in command.params if one.opts[0].startswith("-")]
        usage = " ".join(["speechgmm", name, *(["[OPTIONS]"] if options else []), *map(_place, arguments)])
        yield from (
            "",
            f"## {name}",
            "",
            "\n\n".join(map(_plain, inspect.cleandoc(command.help or "").split("\n\n"))),
            "",
            "```sh",
            usage,
            "```",
            "",
        )
        yield from (f"```{{program}} speechgmm {name}", "```")
        choices = _choices_of(name)
        for one in (*arguments, *options):
            yield from _parameter(one, choices.get(one.name, ()))


def _place(argument: Any) -> str:
    return str(argument.metavar or argument.name.upper())


def _choices_of(command: str) -> Mapping[str, Sequence[str]]:
    """Option -> the values that it may have, for those that have a list of them."""
    module, place = COMMANDS[command].split(":")
    found = {}
    for name, field in fields_of(getattr(import_module(f"speechgmm.{module}"), place)).items():
        kinds = [one for one in _types_within(field.annotation) if issubclass(one, enum.Enum)]
        if kinds:
            found[name] = [str(member.value) for member in kinds[0]]
    return found


def _types_within(hint: Any) -> Iterator[type]:
    if isinstance(hint, type) and not get_args(hint):
        yield hint
    for inner in get_args(hint):
        yield from _types_within(inner)


def _parameter(one: Any, choices: Sequence[str]) -> Lines:
    is_flag = getattr(one, "is_flag", False)
    value = "" if is_flag else f" {'|'.join(choices) or one.metavar or 'VALUE'}"
    names = [_place(one)] if not one.opts[0].startswith("-") else [f"{opt}{value}" for opt in one.opts]
    yield from ("", f"````{{option}} {', '.join([*names, *one.secondary_opts])}", "", _plain(one.help or ""))
    if one.default not in (None, False, (), []) and not callable(one.default):
        default = getattr(one.default, "value", one.default)
        yield from ("", f"Default: `{default}`.")
    yield "````"


# ---------------------------------------------------------------- configuration


def configuration_page() -> Lines:
    """Every key of a configuration: type, default, range, meaning, and the tasks that read it."""
    yield "# Configuration"
    yield ""
    yield "Every key, with its type, default and meaning. A key that is left out has its default. `null` as a default"
    yield "means that the value follows from another key. `speechgmm schema --template` prints the same as YAML,"
    yield "`speechgmm schema` as JSON Schema for editors. `--set KEY=VALUE` of a command sets one key."
    yield ""
    yield "Keys without a line *Read by* are read by every task."
    types = _section_types()
    for path, keys in known_keys().items():
        hints = TypeAdapter(types[path]).json_schema()["properties"]
        if path:
            yield from ("", f"{'#' * min(1 + len(path), 4)} {'.'.join(path)}", "", _meaning(types, path))
        else:
            yield from ("", "## Keys at the top")
        for key in keys:
            if (*path, key.name) not in types:
                yield from _key((*path, key.name), hints[key.name], key)


def _section_types() -> Mapping[tuple[str, ...], Any]:
    """Path of every section -> its dataclass."""
    found: dict[tuple[str, ...], Any] = {(): whole_config()}
    for path, keys in known_keys().items():
        hints = get_type_hints(found[path])
        for key in keys:
            inner = section_type(hints[key.name])
            if inner is not None:
                found[*path, key.name] = inner
    return found


def _meaning(types: Mapping[tuple[str, ...], Any], path: tuple[str, ...]) -> str:
    field = types[path[:-1]].__dataclass_fields__[path[-1]]
    meaning = _sentence(field.metadata.get("description", "") or inspect.getdoc(types[path]) or "")
    is_list = isinstance(field.default, tuple)
    return f"{meaning}{' A list of sections.' if is_list else ''}{_readers(path)}"


def _key(path: tuple[str, ...], hint: Mapping[str, Any], field: Any) -> Lines:
    default = f"; default `{_yaml(hint['default'])}`" if "default" in hint else ""
    yield from ("", f"````{{confval}} {'.'.join(path)}", "", f"*{_type(hint)}*{default}", "")
    yield from (f"{_sentence(field.metadata.get('description', ''))}{_readers(path)}", "````")


def _plain(text: str) -> str:
    """A text that is no Markdown, as Markdown."""
    parts = re.split(r"(`[^`]*`)", " ".join(text.split()))  # code stays as it is
    return "".join(one if one[:1] == "`" else re.sub(r"([*_\[\]<\\])", r"\\\1", one) for one in parts)


def _sentence(text: str) -> str:
    """A meaning with its full stop."""
    return f"{_plain(text).rstrip('.')}." if text else ""


def _readers(path: tuple[str, ...]) -> str:
    named = readers(".".join(path))
    return f" *Read by: {', '.join(named)}.*" if set(named) != set(entries()) else ""


def _yaml(value: Any) -> str:
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)


def _type(hint: Mapping[str, Any]) -> str:
    """A JSON Schema's type in words: ``integer >= 1 | null``."""
    if "anyOf" in hint:
        return " | ".join(dict.fromkeys(map(_type, hint["anyOf"])))
    if "enum" in hint:
        return " | ".join(map(str, hint["enum"]))
    if "const" in hint:
        return str(hint["const"])
    if hint.get("type") == "array":
        return f"list of {_type(hint['items'])}" if "items" in hint else "list"
    if hint.get("type") == "object":
        inner = hint.get("additionalProperties")
        return f"mapping of {_type(inner)}" if isinstance(inner, dict) else "mapping"
    kind = {"integer": "integer", "number": "number", "string": "text", "boolean": "true | false", "null": "null"}
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    bounds = [f"{sign} {hint[name]}" for name, sign in signs.items() if name in hint]
    words = "path" if hint.get("format") == "path" else kind.get(str(hint.get("type")), "any")
    return " ".join([words, *bounds]) + (f" ({hint['unit']})" if "unit" in hint else "")


# ---------------------------------------------------------------- all


def write_pages(docs: Path) -> None:
    """Write the pages; a page that has not changed keeps its time, so that Sphinx does not read it again."""
    pages = {"packages": packages_page, "commands": commands_page, "configuration": configuration_page}
    for name, page in pages.items():
        path, text = docs / "reference" / f"{name}.md", "\n".join(page()) + "\n"
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
