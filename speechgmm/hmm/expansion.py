"""From words to the graph of their units: pronunciations, optional silence, epsilons removed.

Owns what silence between words means and what a network must accept. Refuses to read dictionaries and grammars.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from speechgmm.errors import ConfigError, DataError, counted, first_few
from speechgmm.hmm.graph import Graph, Links, assemble
from speechgmm.hmm.hmm import Units
from speechgmm.hmm.network import Lexicon, LogWeights, Network, reached

Closure = dict[int, float]
"""State -> log weight of all ways to it that say nothing."""


def linear(
    units: Units,
    words: Sequence[str],
    lexicon: Lexicon | None = None,
    *,
    log_weights: LogWeights | None = None,
    silence: str | None = None,
    silence_probability: float = 0.5,
) -> Graph:
    """The graph of one sequence of words in all their pronunciations, for training and for alignment.

    Without a lexicon, the words are units. The unit ``silence`` may occur before, between and after the words, each
    time with ``silence_probability``. Raises the errors of `expand`.

    >>> from speechgmm.hmm.hmm import HMM, left_to_right
    >>> from speechgmm.gmm import DiagGMM
    >>> units = Units(("a", "sil"), (HMM((DiagGMM([1.0], [[0.0]], [[1.0]]),), left_to_right(1)),) * 2)
    >>> linear(units, ["a", "a"]).n_nodes, linear(units, ["a", "a"], silence="sil").n_nodes
    (2, 5)
    """
    if not words:
        raise DataError("a transcript without a word; expected at least one, or the unit for silence as a word")
    arcs = tuple((n, word, n + 1, 0.0) for n, word in enumerate(words))
    network = Network(len(words) + 1, arcs, 0, {len(words): 0.0})
    known = {word: ((word,),) for word in words} if lexicon is None else lexicon
    return expand(
        network, known, units, log_weights=log_weights, silence=silence, silence_probability=silence_probability
    )


@dataclass(frozen=True, slots=True)
class _Chain:
    """A word of the network as the units of one pronunciation."""

    units: tuple[int, ...]
    word: int  # its number; -1: silence
    source: int  # state
    target: int  # state
    log_weight: float


def expand(
    network: Network,
    lexicon: Lexicon,
    units: Units,
    *,
    log_weights: LogWeights | None = None,
    silence: str | None = None,
    silence_probability: float = 0.5,
    scale: float = 1.0,
    insertion_penalty: float = 0.0,
) -> Graph:
    """The search graph of all word sequences that a network accepts.

    Every arc with a word becomes one chain of units for each pronunciation. The pronunciations of a word that
    ``log_weights`` does not list have equal weights. The log weights of the network and of pronunciations are
    multiplied by ``scale``, and each word costs ``insertion_penalty`` nats. The unit ``silence`` is used as in
    `linear`. Any two words that may follow each other are joined by an arc, so that a loop over W words has W² arcs.

    Raises:
        DataError: Words have no pronunciation, or pronunciations use unknown units (all are named); a pronunciation is
            empty, or a word has another number of weights than of pronunciations; the network accepts nothing, or has
            a cycle without words.
        ConfigError: ``silence_probability`` is not between 0 and 1.

    >>> from speechgmm.hmm.hmm import HMM, left_to_right
    >>> from speechgmm.gmm import DiagGMM
    >>> units = Units(("a", "b"), (HMM((DiagGMM([1.0], [[0.0]], [[1.0]]),), left_to_right(1)),) * 2)
    >>> either = Network(2, ((0, "x", 1, 0.0), (0, "y", 1, 0.0), (1, None, 0, 0.0)), 0, {1: 0.0})
    >>> expand(either, {"x": (("a",), ("b",)), "y": (("a", "b"),)}, units).n_nodes
    4
    """
    if not 0 < silence_probability < 1:
        raise ConfigError(f"silence_probability {silence_probability:g}; expected a probability between 0 and 1")
    possible = [arc for arc in network.arcs if arc[3] > -np.inf]
    said = [(a, word, b, scale * weight - insertion_penalty) for a, word, b, weight in possible if word is not None]
    silent = [(a, b, scale * weight) for a, word, b, weight in possible if word is None]
    finals = {state: scale * weight for state, weight in network.finals.items() if weight > -np.inf}
    pronunciations = _pronunciations({word for _, word, _, _ in said}, lexicon, log_weights or {}, units, silence)
    spoken: list[tuple[int, str | None, int, float]] = list(said)
    if silence is not None:
        spoken, silent, finals = _with_silence(network, said, silent, finals, silence_probability)
        pronunciations[None] = {(units.number(silence),): 0.0}
    closures = _closures(silent, {network.start, *finals, *(state for a, _, b, _ in spoken for state in (a, b))})
    numbers: dict[str | None, int] = {None: -1, **{word: n for n, word in enumerate(network.words)}}
    chains = [
        _Chain(pronunciation, numbers[word], a, b, weight + scale * log_weight)
        for a, word, b, weight in spoken
        for pronunciation, log_weight in pronunciations[word].items()
    ]
    kept = _useful(network.start, chains, closures, finals)
    if not any(chain.word >= 0 for chain in kept):
        raise DataError(
            f"a network of {network.n_states} states and {len(network.arcs)} arcs that accepts no word; no way with a "
            "word leads from its start to a final state"
        )
    leaving = defaultdict(list)
    for n, chain in enumerate(kept):
        leaving[chain.source].append(n)
    entering = np.array([chain.log_weight for chain in kept])
    after = {state: _onward(closures[state], leaving, entering) for state in {chain.target for chain in kept}}
    ends = {state: _log_sum([w + finals[t] for t, w in closures[state].items() if t in finals]) for state in after}
    follow = [after[chain.target] for chain in kept]
    log_start = np.full(len(kept), -np.inf)
    first, first_weights = _onward(closures[network.start], leaving, entering)
    log_start[first] = first_weights
    links = Links(
        np.repeat(np.arange(len(kept)), [len(part[0]) for part in follow]),
        np.concatenate([part[0] for part in follow]),
        np.concatenate([part[1] for part in follow]),
    )
    return assemble(
        units,
        [chain.units for chain in kept],
        [chain.word for chain in kept],
        links,
        log_start,
        [ends[chain.target] for chain in kept],
        kind=2,
        word_labels=network.words,
    )


def _pronunciations(
    words: Collection[str], lexicon: Lexicon, log_weights: LogWeights, units: Units, silence: str | None
) -> dict[str | None, dict[tuple[int, ...], float]]:
    """Of every word, as numbers of units, with their log weights."""
    missing = sorted(word for word in words if not lexicon.get(word))
    if missing:
        raise DataError(
            f"no pronunciation of {counted(len(missing), 'word')}: {', '.join(missing)}; add them to the dictionary, "
            "and look for another spelling (case, hyphens)"
        )
    numbers = {label: n for n, label in enumerate(units.labels)}
    used = {unit for word in words for pronunciation in lexicon[word] for unit in pronunciation}
    unknown = sorted({*used, *([] if silence is None else [silence])} - numbers.keys())
    if unknown:
        raise DataError(
            f"units that were never trained: {', '.join(unknown)}; there are {first_few(units.labels, 12)}; is the "
            "dictionary of another set of phones?"
        )
    empty = sorted(word for word in words if not all(lexicon[word]))
    if empty:
        raise DataError(f"a pronunciation without a unit: of {', '.join(empty)}; expected at least one unit")
    unfitting = sorted(word for word in words if word in log_weights and len(log_weights[word]) != len(lexicon[word]))
    if unfitting:
        raise DataError(
            f"another number of weights than of pronunciations of {', '.join(unfitting)}; expected a weight for each"
        )
    found: dict[str | None, dict[tuple[int, ...], float]] = {}
    for word in words:
        ways = lexicon[word]
        spelt = [tuple(numbers[unit] for unit in way) for way in ways]
        # Twice the same pronunciation would count twice.
        found[word] = dict(zip(spelt, log_weights.get(word, (0.0,) * len(ways)), strict=True))
    return found


def _with_silence(
    network: Network,
    said: list[tuple[int, str, int, float]],
    silent: list[tuple[int, int, float]],
    finals: Mapping[int, float],
    probability: float,
) -> tuple[list[tuple[int, str | None, int, float]], list[tuple[int, int, float]], dict[int, float]]:
    """Silence at the start and wherever a word ends: such a state is split into one before silence and one after.

    What comes to it by an epsilon comes to the second, so that two silences never follow each other.
    """
    states = sorted({network.start, *(b for _, _, b, _ in said)})
    second = {state: network.n_states + n for n, state in enumerate(states)}
    spoken: list[tuple[int, str | None, int, float]] = [(second.get(a, a), word, b, w) for a, word, b, w in said]
    spoken += [(state, None, second[state], float(np.log(probability))) for state in states]
    without = [(second.get(a, a), second.get(b, b), w) for a, b, w in silent]
    without += [(state, second[state], float(np.log1p(-probability))) for state in states]
    return spoken, without, {second.get(state, state): weight for state, weight in finals.items()}


def _closures(silent: list[tuple[int, int, float]], states: Collection[int]) -> dict[int, Closure]:
    """Of every state: where one gets without a word, itself included, the weights of several ways summed."""
    arcs = defaultdict(list)
    for a, b, weight in silent:
        arcs[a].append((b, weight))
    found: dict[int, Closure] = {}
    for root in states:
        # Depth first without recursion: a state is finished after all that it leads to.
        path = [(root, iter(arcs[root]))] if root not in found else []
        on_path = {root}
        while path:
            state, rest = path[-1]
            following = next(((b, w) for b, w in rest if b not in found), None)
            if following is None:
                path.pop()
                on_path.discard(state)
                found[state] = _summed(state, arcs[state], found)
            elif following[0] in on_path:
                raise DataError(
                    f"a cycle through state {following[0]} of a network that says nothing; a repetition (* or +) of "
                    "what may be empty?"
                )
            else:
                path.append((following[0], iter(arcs[following[0]])))
                on_path.add(following[0])
    return found


def _summed(state: int, arcs: list[tuple[int, float]], found: Mapping[int, Closure]) -> Closure:
    ways = defaultdict(list, {state: [0.0]})
    for b, weight in arcs:
        for target, further in found[b].items():
            ways[target].append(weight + further)
    return {target: _log_sum(weights) for target, weights in ways.items()}


def _log_sum(values: Sequence[float]) -> float:
    if len(values) == 1:
        return values[0]
    return float(np.logaddexp.reduce(values)) if values else -np.inf


def _onward(
    closure: Closure, leaving: Mapping[int, list[int]], log_weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The chains that may begin after a closure, and their log weights."""
    parts = [(leaving[state], weight) for state, weight in closure.items() if state in leaving]
    chains = np.array([n for part, _ in parts for n in part], dtype=np.intp)
    before = np.repeat([weight for _, weight in parts], [len(part) for part, _ in parts])
    return chains, before + log_weights[chains]


def _useful(
    start: int, chains: Sequence[_Chain], closures: Mapping[int, Closure], finals: Mapping[int, float]
) -> list[_Chain]:
    """Chains on a way from the start to a final state."""
    forward, backward = defaultdict(set), defaultdict(set)
    for a, closure in closures.items():
        for b in closure:
            forward[a].add(b)
            backward[b].add(a)
    for chain in chains:
        forward[chain.source].add(chain.target)
        backward[chain.target].add(chain.source)
    ahead, behind = reached([start], forward), reached(finals, backward)
    return [chain for chain in chains if chain.source in ahead and chain.target in behind]
