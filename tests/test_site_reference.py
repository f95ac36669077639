"""The reference has every public name, and every public name has an example that runs."""

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Any, get_args

import pytest

import speechgmm
from speechgmm import errors
from speechgmm.cli.app import COMMANDS
from speechgmm.config.keys import known_keys
from speechgmm.io.run_files import RunFile

DOCS = Path(__file__).parents[1] / "docs"
sys.path.insert(0, str(DOCS / "_ext"))
from generated import PACKAGES, commands_page, configuration_page, package_page, public_names  # noqa: E402


def top_names() -> list[str]:
    return [name for name in speechgmm.__all__ if not inspect.ismodule(getattr(speechgmm, name))]


def packages() -> Iterator[ModuleType]:
    yield from (import_module(f"speechgmm.{name}") for name in PACKAGES)


def examples_of(value: Any) -> str:
    """The lines of code in its docstring, and for a class in those of its methods; doctest runs them all."""
    members = [one for _, one in inspect.getmembers(value)] if inspect.isclass(value) else []
    own = [one for one in members if (getattr(one, "__module__", "") or "").startswith("speechgmm")]
    docs = [inspect.getdoc(one) or "" for one in (value, *own)]
    return "\n".join(line for doc in docs for line in doc.splitlines() if line.lstrip().startswith((">>>", "...")))


def returned_by(function: Any) -> Iterator[type]:
    """The classes that a function returns, alone or in a container."""
    try:
        hint = inspect.signature(function, eval_str=True).return_annotation
    except (NameError, TypeError, ValueError):
        return
    yield from (one for one in (hint, *get_args(hint)) if isinstance(one, type))


def callables() -> dict[str, Any]:
    found = {f"speechgmm.{name}": getattr(speechgmm, name) for name in top_names()}
    for package in packages():
        found |= {f"{package.__name__}.{name}": getattr(package, name) for name in package.__all__}
    return {name: value for name, value in found.items() if inspect.isclass(value) or inspect.isfunction(value)}


def test_every_name_at_the_top_stands_once_in_the_reference() -> None:
    page = (DOCS / "reference" / "python.md").read_text()
    listed = re.findall(r"^   (\w+)$", page, flags=re.MULTILINE)
    classes = {name: value for name, value in vars(errors).items() if inspect.isclass(value)}
    warned = [name for name, value in classes.items() if value.__module__ == errors.__name__]
    assert sorted(listed) == sorted({*top_names(), *warned} - {"__version__"})


@pytest.mark.slow
def test_every_package_with_public_names_is_in_the_reference() -> None:
    with_names = {
        one.name
        for one in iter_modules(speechgmm.__path__)
        if one.name != "__main__" and hasattr(import_module(f"speechgmm.{one.name}"), "__all__")
    }
    assert set(PACKAGES) == with_names - {"cli"}
    for package in PACKAGES:
        page = "\n".join(package_page(package))
        assert [
            name for name in public_names(package) if not re.search(rf"^ *(.. py:data:: )?{name}$", page, re.MULTILINE)
        ] == []


def test_every_public_name_has_an_example_that_runs() -> None:
    """Its own; that of a function which returns it; or, of a class, that of another public name which makes one."""
    found = {name: (value, examples_of(value)) for name, value in callables().items()}
    code = "\n".join(example for _, example in found.values())
    shown = {
        one for value, example in found.values() if example and inspect.isfunction(value) for one in returned_by(value)
    }
    missing = [
        name
        for name, (value, example) in found.items()
        if not example
        and "Deprecated" not in (inspect.getdoc(value) or "")
        and value not in shown
        and not (inspect.isclass(value) and re.search(rf"\b{value.__name__}[(.]", code))
    ]
    assert not missing, f"{len(missing)} public names without an example: {', '.join(missing)}"


def test_every_command_and_every_key_is_in_the_reference() -> None:
    page = "\n".join(commands_page())
    assert re.findall(r"^### (.+)$", page, re.MULTILINE) == list(COMMANDS)
    keys = known_keys()
    sections = {".".join(path) for path in keys}
    leaves = {".".join((*path, key.name)) for path, found in keys.items() for key in found} - sections
    assert set(re.findall(r"\{confval\} (\S+)", "\n".join(configuration_page()))) == leaves


def messages() -> Iterator[str]:
    """Every text of the package but docstrings, with a zero byte for what is filled in."""
    for path in Path(speechgmm.__file__).parent.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                yield "".join(str(part.value) if isinstance(part, ast.Constant) else "\0" for part in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
                yield node.value


@pytest.mark.slow
def test_every_message_of_the_page_is_one_of_the_package() -> None:
    listed = re.findall(r"^`([^`]+)`$", (DOCS / "reference" / "messages.md").read_text(), re.MULTILINE)
    said = list(messages())
    patterns = [(one, re.compile(".*\0.*".join(map(re.escape, one.split("…"))), re.DOTALL)) for one in listed]
    assert [one for one, pattern in patterns if not any(map(pattern.search, said))] == []
    assert len(listed) >= 25


def test_every_file_of_a_run_is_in_the_reference() -> None:
    page = (DOCS / "reference" / "files.md").read_text()
    assert [one.value for one in RunFile if f"`{one.value}`" not in page] == []
