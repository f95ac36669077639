"""Small grammars of what may be said, in a subset of JSGF (JSpeech Grammar Format, W3C note of 5 June 2000).

    #JSGF V1.0;                                    the header and
    grammar lights;                                the name may be left out
    public <command> = [please] <switch> ;         what may be said: the public rules, or else the first
    <switch> = /3/ turn on | /2/ turn off          a weight before each alternative, or before none
             | /1/ dial <digit>+ ;                 * any number of times, + at least once
    <digit> = one | two | "twenty one" ;           comments are // to the end of the line, or /* such */

Wherever a grammar leaves a choice, the ways to go on have probabilities that sum to 1: alternatives by their weights,
equal ones without; what is in brackets is said or not; after each repetition comes another or none.

Refused, by name and with line and column: rules that contain themselves (``*`` and ``+`` say it), tags in braces,
imports, rules of other grammars.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf, log
from typing import Final

from speechgmm.errors import DataError
from speechgmm.hmm.epsilons import break_epsilon_cycles, trim
from speechgmm.hmm.grammar_text import Choice, Empty, Never, Node, Reference, Repeat, Sequence, Word, read_rules
from speechgmm.hmm.network import Network

MOST_ARCS: Final = 1_000_000
"""Rules are written out wherever they are used: a few lines can stand for more than any memory holds."""

DEEPEST: Final = 150
"""Rules, groups and repetitions within each other."""

_START, _END = 0, 1


def parse_grammar(text: str) -> Network:
    """Read a grammar, as a network of its sentences with log probabilities in nats.

    Raises:
        DataError: The text is not a grammar (line and column are named), a rule is used but not defined or contains
            itself, or the grammar accepts no sentence with a word.

    >>> network = parse_grammar("<answer> = yes | [oh] no;")
    >>> sorted(vocabulary(network))
    ['no', 'oh', 'yes']
    >>> parse_grammar("<answer> = yes | <no>;")
    Traceback (most recent call last):
    speechgmm.errors.DataError: line 1, column 18: there is no rule <no>; the rules are <answer>
    """
    rules, spoken = read_rules(text)
    builder = _Builder(rules, [], 2)
    for name in spoken:
        builder.build(rules[name], _START, _END, log(1 / len(spoken)), (name,), 0)
    network = trim(break_epsilon_cycles(Network(builder.n_states, tuple(builder.arcs), _START, {_END: 0.0})))
    if not vocabulary(network):
        raise DataError("the grammar accepts nothing but silence: there is no word in any of its sentences; add one")
    return network


def word_loop(words: Iterable[str]) -> Network:
    """The network of all sequences of one or more of the words, without weights.

    The decoder sets the cost of inserting a word.

    Raises:
        DataError: ``words`` is empty.

    >>> word_loop(["one", "two"]).arcs
    ((0, 'one', 1, 0.0), (0, 'two', 1, 0.0), (1, None, 0, 0.0))
    """
    once = word_choice(words)
    return Network(2, (*once.arcs, (1, None, 0, 0.0)), 0, {1: 0.0})


def word_choice(words: Iterable[str]) -> Network:
    """The network of single words without weights, for isolated words.

    Raises:
        DataError: ``words`` is empty.

    >>> word_choice(["one", "two"]).finals
    {1: 0.0}
    """
    unique = tuple(dict.fromkeys(words))
    if not unique:
        raise DataError("no word to recognise; was the training split empty?")
    return Network(2, tuple((0, word, 1, 0.0) for word in unique), 0, {1: 0.0})


def vocabulary(network: Network) -> frozenset[str]:
    """All words of a network.

    >>> sorted(vocabulary(word_choice(["one", "two"])))
    ['one', 'two']
    """
    return frozenset(network.words)


@dataclass(slots=True)
class _Builder:
    """Adds states and arcs so that a part of the grammar leads from one state to another (Thompson 1968)."""

    rules: dict[str, Node]
    arcs: list[tuple[int, str | None, int, float]]
    n_states: int

    def build(self, node: Node, start: int, end: int, weight: float, inside: tuple[str, ...], depth: int) -> None:
        """``weight`` is on every way from ``start`` to ``end``; ``inside`` are the rules that ``node`` is part of."""
        if depth > DEEPEST:
            raise DataError(f"rule <{inside[-1]}>: rules and groups within each other more than {DEEPEST} deep")
        if weight == -inf:
            return
        match node:
            case Word(text):
                self._arc(start, text, end, weight)
            case Empty():
                self._arc(start, None, end, weight)
            case Never():
                pass
            case Sequence(parts):
                for n, part in enumerate(parts):
                    after = end if n == len(parts) - 1 else self._state()
                    self.build(part, start, after, weight if n == 0 else 0.0, inside, depth + 1)
                    start = after
            case Choice(options):
                total = sum(share for share, _ in options)
                for share, option in options:
                    chance = log(share / total) if share else -inf
                    self.build(option, start, end, weight + chance, inside, depth + 1)
            case Repeat(part, least):
                again, after = self._state(), self._state()
                if not least:
                    self._arc(start, None, end, weight + log(0.5))
                    weight += log(0.5)
                self._arc(start, None, again, weight)
                self.build(part, again, after, 0.0, inside, depth + 1)
                self._arc(after, None, again, log(0.5))
                self._arc(after, None, end, log(0.5))
            case Reference(name, place):
                if name in inside:
                    circle = " in ".join(f"<{one}>" for one in (name, *reversed(inside[inside.index(name) :])))
                    raise DataError(
                        f"{place}: rule <{name}> contains itself ({circle}); this subset has no recursion: say it "
                        "with * or +"
                    )
                self.build(self.rules[name], start, end, weight, (*inside, name), depth + 1)

    def _state(self) -> int:
        self.n_states += 1
        return self.n_states - 1

    def _arc(self, start: int, word: str | None, end: int, weight: float) -> None:
        self.arcs.append((start, word, end, weight))
        if len(self.arcs) > MOST_ARCS:
            raise DataError(
                f"the grammar has more than {MOST_ARCS} words when its rules are written out wherever they are used; "
                "let fewer rules use each other, or recognise with a bigram"
            )
