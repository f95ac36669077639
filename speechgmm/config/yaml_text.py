"""YAML as plain values (mappings with text as keys, lists, text, numbers, true and false, null), and each key's line.

Owns what is refused of a text that a stranger may have written: a key given twice, deep nesting, aliases that unfold to
more than a configuration can be, numbers and tags that YAML cannot read. Knows no key of the configuration.
"""

from collections.abc import Iterator
from typing import Any, Final

import yaml

from speechgmm.errors import ConfigError
from speechgmm.io.text_file import HALF, is_text

Path = tuple[str, ...]

MOST_CHARACTERS: Final = 1_000_000
MOST_VALUES: Final = 20_000
"""Of a text with its aliases unfolded: a nest of aliases a kilobyte long can stand for more than memory holds."""
DEEPEST: Final = 30
"""Sections within each other."""
MOST_DIGITS: Final = 19
"""Of a whole number: what 64 bits hold."""

KINDS: Final = {
    "int": f"a whole number of at most {MOST_DIGITS} digits",
    "float": "a number",
    "bool": "true or false",
    "str": "text (it holds a zero byte)",
}


class _Loader(yaml.SafeLoader):
    """YAML's plain values; dates are text, and a key is the text that stands there (``on``, ``1``)."""

    depth = n_values = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self.depth += 1
        self.n_values += 1
        if self.depth > DEEPEST or self.n_values > MOST_VALUES:
            much = f"{DEEPEST} levels of nesting" if self.depth > DEEPEST else f"{MOST_VALUES} values"
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.constructor.ConstructorError(None, None, f"more than {much}", mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, TypeError, AttributeError, OverflowError, IndexError, KeyError):
            kind = node.tag.removeprefix("tag:yaml.org,2002:")
            problem = f"{_short(node.value)} cannot be read as {KINDS.get(kind, kind)}"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark) from None

    def construct_yaml_int(self, node: Any) -> int:
        if len(str(node.value)) > MOST_DIGITS + 5:  # sign, 0x and separators
            raise ValueError
        value = super().construct_yaml_int(node)
        if abs(value) >= 10**MOST_DIGITS:
            raise ValueError
        return value

    def construct_yaml_str(self, node: Any) -> Any:
        if "\0" in node.value:  # no file has such a name
            raise ValueError
        if not is_text(str(node.value)):
            raise yaml.constructor.ConstructorError(None, None, f"a text with {HALF}", node.start_mark)
        return super().construct_yaml_str(node)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:  # noqa: ARG002
        self.flatten_mapping(node)
        return {key.value: self.construct_object(value, deep=True) for key, value in node.value}


_Loader.yaml_constructors = {
    f"tag:yaml.org,2002:{kind}": getattr(_Loader, f"construct_yaml_{kind}")
    for kind in ("null", "bool", "int", "float", "seq", "map", "str")
} | {None: yaml.SafeLoader.construct_undefined}
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in known if not tag.endswith(":timestamp")]
    for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def plain_values(text: str, source: str) -> tuple[Any, dict[Path, int]]:
    """The values of a YAML text, and the line of every key.

    Args:
        text: The text.
        source: The name of the text, for messages.

    Returns:
        The values (an empty text is an empty mapping), and the line of every key, by its path.

    Raises:
        ConfigError: The text is not YAML (the line is named), is too large or nested too deeply, or has a number or a
            tag that cannot be read.

    >>> plain_values("corpus:\\n  label: 2020-01-31\\nseed: 3", "a.yaml")
    ({'corpus': {'label': '2020-01-31'}, 'seed': 3}, {('corpus',): 1, ('corpus', 'label'): 2, ('seed',): 3})
    """
    if len(text) > MOST_CHARACTERS:
        raise ConfigError(f"{source}: {len(text)} characters; expected a configuration of at most {MOST_CHARACTERS}")
    loader = None
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return {}, {}
        _check_size(node, {}, set())
        lines = dict(_lines(node, ()))
        return loader.construct_document(node), lines
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError(
            f"{source}, line {line}: the character {chr(error.character)!a}, which no YAML text may hold"
            if isinstance(error.character, int)
            else f"{source}, line {line}: not YAML: {error.reason}"
        ) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        ours = "" if isinstance(error, yaml.constructor.ConstructorError) else "not YAML: "
        raise ConfigError(f"{source}{where}: {ours}{getattr(error, 'problem', None) or error}") from None
    except RecursionError:
        raise ConfigError(f"{source}: not YAML that can be read: nested too deeply") from None
    finally:
        if loader is not None:
            loader.dispose()


def _check_size(node: Any, known: dict[int, int], above: set[int]) -> int:
    """Values in a node with its aliases unfolded. Raises a YAMLError where they are too many, or it holds itself."""
    if id(node) in above:
        raise yaml.constructor.ConstructorError(None, None, "an alias within what it stands for", node.start_mark)
    if id(node) not in known:
        above.add(id(node))
        inner: list[Any] = []
        if isinstance(node, yaml.MappingNode):
            inner = [part for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            inner = node.value
        known[id(node)] = 1 + sum(_check_size(part, known, above) for part in inner)
        above.remove(id(node))
    if known[id(node)] > MOST_VALUES:
        raise yaml.constructor.ConstructorError(
            None, None, f"more than {MOST_VALUES} values, with aliases unfolded", node.start_mark
        )
    return known[id(node)]


def _lines(node: Any, prefix: Path) -> Iterator[tuple[Path, int]]:
    """(key path, line number) of every key; a key given twice is an error, which YAML itself lets pass."""
    if not isinstance(node, yaml.MappingNode):
        return
    seen: dict[str, int] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise yaml.constructor.ConstructorError(
                None, None, "a key is a word, not a list or a section", key.start_mark
            )
        if key.value in seen:
            raise yaml.constructor.ConstructorError(
                None, None, f"{key.value!r} is already set in line {seen[key.value]}", key.start_mark
            )
        seen[key.value] = line
        yield (*prefix, key.value), line
        yield from _lines(value, (*prefix, key.value))


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else "a list or a section"
    return repr(text if len(text) <= 40 else f"{text[:40]}...")
