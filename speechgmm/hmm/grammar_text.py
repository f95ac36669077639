"""The text of a grammar as rules: tokens, and a parser by recursive descent. What they mean: ``grammar``.

rule     = ["public"] "<" name ">" "=" choice ";"
choice   = option {"|" option}          option = ["/" weight "/"] item {item}
item     = (word | "<" name ">" | "(" choice ")" | "[" choice "]") {"*" | "+"}
"""

import re
from dataclasses import dataclass
from math import isfinite
from typing import Final

from speechgmm.errors import DataError

DEEPEST: Final = 50
"""Brackets within each other."""


@dataclass(frozen=True, slots=True)
class Word:
    """One word, as the dictionary has it."""

    text: str


@dataclass(frozen=True, slots=True)
class Empty:
    """Nothing is said: ``<NULL>``."""


@dataclass(frozen=True, slots=True)
class Never:
    """Cannot be said: ``<VOID>``."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What another rule says."""

    name: str
    place: str  # "line 3, column 7"


@dataclass(frozen=True, slots=True)
class Sequence:
    """One after the other."""

    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several, each with its weight; at least one weight is above 0."""

    options: tuple[tuple[float, "Node"], ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """Any number of times, ``least`` (0 or 1) at least."""

    part: "Node"
    least: int


Node = Word | Empty | Never | Reference | Sequence | Choice | Repeat

_TOKEN: Final = re.compile(
    r"(?P<space>\s+|//[^\n]*|/\*.*?\*/)"
    r"|(?P<weight>/[^/*\s][^/\n]*/)"
    r"|<(?P<rule>[^<>\s]+)>"
    r'|"(?P<quoted>(?:[^"\\\n]|\\.)+)"'
    r"|(?P<sign>[;=|*+()\[\]])"
    r"|(?P<word>[^\s;=|*+<>()\[\]{}/\"]+)",
    re.DOTALL,
)
_HEADER: Final = re.compile(r"\s*#JSGF[^;\n]*;")
_UNKNOWN: Final = {
    "{": "tags are not part of this subset; leave them out",
    '"': "a quotation mark that is not closed on its line",
    "<": "a rule's name stands in angle brackets and has no spaces: <digit>",
    ">": "a rule's name stands in angle brackets: <digit>",
    "/": "a comment or a weight that is not closed; a weight is a number between two: /0.5/",
}
_LIKE_WORDS: Final = ("word", "quoted", "rule")
_CLOSING: Final = {"(": ")", "[": "]"}


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # weight, rule, quoted, sign, word, or end: the end of the text
    text: str
    offset: int


def read_rules(text: str) -> tuple[dict[str, Node], tuple[str, ...]]:
    """The rules by name, and the names of those that may be said.

    Raises:
        DataError: The text is no such grammar, with line and column.

    >>> read_rules("<a> = b;")
    ({'a': Word(text='b')}, ('a',))
    """
    return _Reader(text.removeprefix("\ufeff")).rules()


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = self._split()
        self.n = 0  # of the token that is next
        self.references: list[Reference] = []

    def rules(self) -> tuple[dict[str, Node], tuple[str, ...]]:
        if self._next_is_word("grammar"):
            self._take()
            self._expect("word", "the grammar's name")
            self._expect(";", "; after the grammar's name")
        found: dict[str, Node] = {}
        public: list[str] = []
        while self._now.kind != "end":
            is_public = self._next_is_word("public")
            if is_public:
                self._take()
            elif self._next_is_word("import"):
                raise self._error(self._now, "imports are not part of this subset; copy the rules")
            head = self._expect("rule", "a rule: <name> = ...;")
            if head.text in found:
                raise self._error(head, f"a second rule <{head.text}>; join the two with |")
            if head.text in ("NULL", "VOID"):
                raise self._error(head, f"<{head.text}> has its meaning already: give the rule another name")
            self._expect("=", f"= after <{head.text}>")
            found[head.text] = self._choice(0)
            self._expect(";", f"; at the end of rule <{head.text}>")
            if is_public:
                public.append(head.text)
        if not found:
            raise DataError("a grammar without a rule; expected is at least <name> = words;")
        unknown = [one for one in self.references if one.name not in found]
        if unknown:
            have = ", ".join(f"<{name}>" for name in found)
            raise DataError(
                "; ".join(f"{one.place}: there is no rule <{one.name}>" for one in unknown) + f"; the rules are {have}"
            )
        return found, tuple(public) or (next(iter(found)),)

    def _choice(self, depth: int) -> Node:
        if depth > DEEPEST:
            raise self._error(self._now, f"more than {DEEPEST} brackets within each other")
        options: list[tuple[float | None, Node]] = []
        first = self._now
        while True:
            weight = self._weight()
            options.append((weight, self._sequence(depth)))
            if not self._next_is("|"):
                break
            self._take()
        given = [weight for weight, _ in options if weight is not None]
        if given and len(given) < len(options):
            raise self._error(first, f"{len(given)} of {len(options)} alternatives have a weight; give all or none one")
        if given and not any(given):
            raise self._error(first, "every alternative has the weight 0")
        if len(options) == 1:
            return options[0][1]
        return Choice(tuple((1.0 if weight is None else weight, node) for weight, node in options))

    def _sequence(self, depth: int) -> Node:
        parts: list[Node] = []
        while self._now.kind in _LIKE_WORDS or self._next_is("(") or self._next_is("["):
            parts.append(self._item(depth))
        if not parts:
            raise self._error(
                self._now, f"a word, a rule or a bracket is expected, not {self._shown()}; <NULL> says nothing"
            )
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def _item(self, depth: int) -> Node:
        token = self._take()
        node: Node
        if token.kind == "rule":
            node = self._reference(token)
        elif token.kind == "sign":
            node = self._choice(depth + 1)
            self._expect(_CLOSING[token.text], f"{_CLOSING[token.text]} for the {token.text} of {self._place(token)}")
            if token.text == "[":
                node = Choice(((1.0, node), (1.0, Empty())))
        else:
            node = Word(token.text)
        while self._next_is("*") or self._next_is("+"):
            least = int(self._take().text == "+")
            # A repetition repeated says no more than one.
            node = Repeat(node.part, min(least, node.least)) if isinstance(node, Repeat) else Repeat(node, least)
        return node

    def _reference(self, token: _Token) -> Node:
        if token.text == "NULL":
            return Empty()
        if token.text == "VOID":
            return Never()
        self.references.append(Reference(token.text, self._place(token)))
        return self.references[-1]

    def _weight(self) -> float | None:
        if self._now.kind != "weight":
            return None
        token = self._take()
        try:
            value = float(token.text[1:-1])
        except ValueError:
            value = -1.0
        if not (value >= 0 and isfinite(value)):
            raise self._error(token, f"{token.text} is no weight; expected is a number from 0 on between slashes")
        return value

    # -- tokens --------------------------------------------------------------------------------------------------------

    def _split(self) -> list[_Token]:
        header = _HEADER.match(self.text)
        offset = header.end() if header else 0
        tokens: list[_Token] = []
        while offset < len(self.text):
            match = _TOKEN.match(self.text, offset)
            if not match:
                raise self._error(_Token("", "", offset), _UNKNOWN.get(self.text[offset], "this cannot stand here"))
            kind = str(match.lastgroup)
            text = match[kind]
            if kind == "quoted":
                text = re.sub(r"\\(.)", r"\1", text)
            if kind != "space":
                tokens.append(_Token(kind, text, offset))
            offset = match.end()
        tokens.append(_Token("end", "", len(self.text)))
        return tokens

    @property
    def _now(self) -> _Token:
        return self.tokens[self.n]

    def _take(self) -> _Token:
        self.n += 1
        return self.tokens[self.n - 1]

    def _next_is(self, sign: str) -> bool:
        return self._now.kind == "sign" and self._now.text == sign

    def _next_is_word(self, word: str) -> bool:
        return self._now.kind == "word" and self._now.text == word

    def _expect(self, what: str, said: str) -> _Token:
        if self._now.kind != what and not self._next_is(what):
            raise self._error(self._now, f"{said} is expected, not {self._shown()}")
        return self._take()

    def _shown(self) -> str:
        return "the end of the text" if self._now.kind == "end" else repr(self._now.text)

    def _place(self, token: _Token) -> str:
        before = self.text[: token.offset]
        return f"line {before.count(chr(10)) + 1}, column {token.offset - before.rfind(chr(10))}"

    def _error(self, token: _Token, message: str) -> DataError:
        return DataError(f"{self._place(token)}: {message}")
