"""Back-off models of other programs in the ARPA format: unigrams and bigrams of words.

    \\data\\
    ngram 1=4
    ngram 2=1

    \\1-grams:
    -0.6 <s> -0.3            log10 P(word), the word, log10 of its back-off weight (none: 0)
    -0.5 </s>
    -0.4 yes -0.1
    -0.7 no

    \\2-grams:
    -0.2 <s> yes             log10 P(yes | <s>)
    \\end\\

A pair that is not listed has P(w | v) = backoff(v) P(w) (Katz 1987). ``<s>`` begins a sentence, ``</s>`` ends it;
``<unk>`` stands for words that the model does not have, which cannot be recognised. -99 and less is log10 of 0.

Owns the reading and the network. Refuses higher orders: a bigram read from a longer model is another model.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf, isnan, log
from re import fullmatch
from typing import Final, NoReturn

from speechgmm.errors import DataError, counted, first_few
from speechgmm.hmm.network import Network

BEGIN, END, UNKNOWN = "<s>", "</s>", "<unk>"
ZERO: Final = -99.0
"""log10 of what cannot be, as the format writes it."""

ROUNDING: Final = 1e-4
"""log10 that a probability may be above 1: files have four digits and more."""


@dataclass(frozen=True, slots=True)
class BackoffModel:
    """A unigram or bigram language model with back-off; log probabilities and back-off weights are in nats.

    The keys include ``<s>`` and ``</s>`` where the file has them.

    >>> model = parse_arpa("\\\\data\\\\\\nngram 1=2\\n\\\\1-grams:\\n-0.30103 yes\\n-0.30103 no\\n\\\\end\\\\")
    >>> model.words, round(model.log_probability(["yes", "no"]), 3)
    (('no', 'yes'), -1.386)
    """

    order: int
    log_unigram: Mapping[str, float]
    log_backoff: Mapping[str, float]  # of words whose weight is not 0
    log_bigram: Mapping[tuple[str, str], float]

    @property
    def words(self) -> tuple[str, ...]:
        """All words, sorted, without the beginning, the end and the unknown word."""
        return tuple(sorted(self.log_unigram.keys() - {BEGIN, END, UNKNOWN}))

    def log_next(self, before: str, word: str) -> float:
        """Log P(word | before) in nats. In a model without ``</s>``, a sentence may end after any word: 0 nats."""
        if (before, word) in self.log_bigram:
            return self.log_bigram[before, word]
        if word == END and END not in self.log_unigram:
            return 0.0
        return self.log_backoff.get(before, 0.0) + self.log_unigram[word]

    def log_probability(self, sentence: Sequence[str]) -> float:
        """The log probability of a sentence and its end, in nats. Raises KeyError for a word not in the model."""
        return sum(self.log_next(before, word) for before, word in pairwise((BEGIN, *sentence, END)))


def parse_arpa(text: str) -> BackoffModel:
    """Read a language model in the ARPA format.

    Parameters
    ----------
    text
        The text of the whole file. All lines before ``\\data\\`` are comments.

    Raises
    ------
    DataError
        The text is not in the ARPA format (the line is named), or the model has an order above 2.

    Examples
    --------
    >>> parse_arpa("\\\\data\\\\\\nngram 1=1\\n\\\\1-grams:\\n0 yes\\n\\\\end\\\\").log_unigram
    {'yes': 0.0}
    """
    lines = enumerate((line.strip() for line in text.split("\n")), 1)
    if not any(line == "\\data\\" for _, line in lines):
        raise DataError("no line \\data\\; expected a language model in the ARPA format")
    declared: dict[int, int] = {}
    entries: dict[int, dict[tuple[str, ...], tuple[float, float]]] = defaultdict(dict)
    order = 0
    for number, line in lines:
        if line == "\\end\\":
            break
        if line.startswith("ngram ") and not order:
            _declare(number, line, declared)
        elif line.startswith("\\"):
            order = _section(number, line, declared)
        elif line:
            if not order:
                _refuse(number, f"{line!r}; expected ngram N=COUNT, or \\1-grams:")
            words, *weights = _entry(number, line, order)
            if words in entries[order]:
                _refuse(number, f"{' '.join(words)!r} is there twice; expected each once")
            strange = [word for word in words if order > 1 and (word,) not in entries[1]]
            if strange:
                _refuse(number, f"{strange[0]!r} is not among the unigrams; expected a unigram of each word")
            entries[order][words] = (weights[0], weights[1])
    else:
        raise DataError("no line \\end\\; the file is cut off: make it again, or copy it whole")
    for n, count in sorted(declared.items()):
        if len(entries[n]) != count:
            raise DataError(f"ngram {n}={count}, and there are {len(entries[n])} of them; the file is not whole")
    return _model(entries)


def backoff_network(model: BackoffModel, words: Collection[str]) -> Network:
    """The model as a network over ``words``, the words that can be pronounced; other words are left out.

    Every sentence has at least one word. The best path of a sentence has exactly the log probability of the model.
    For this, a history has an arc for every word where one of its listed pairs is less probable than backing off.

    Raises
    ------
    DataError
        None of the words is in the model.

    Examples
    --------
    >>> model = parse_arpa("\\\\data\\\\\\nngram 1=2\\n\\\\1-grams:\\n-0.30103 yes\\n-0.30103 no\\n\\\\end\\\\")
    >>> backoff_network(model, ["no", "maybe"]).arcs
    ((0, 'no', 0, -0.69...), (1, 'no', 0, -0.69...))
    """
    possible = frozenset(words)
    known = [word for word in model.words if word in possible]
    if not known:
        raise DataError(
            f"none of {counted(len(model.words), 'word')} of the language model ({first_few(model.words, 5)}) is among "
            f"those that can be recognised ({first_few(sorted(possible), 5)}); is it of another language or case?"
        )
    pairs: dict[str, dict[str, float]] = defaultdict(dict)
    before_any, after_any = {BEGIN, *known}, {END, *known}
    for (before, word), weight in model.log_bigram.items():
        if before in before_any and word in after_any:
            pairs[before][word] = weight
    # Every history that says more than the unigrams has a state; from the state 0 any word follows by its unigram.
    histories = [one for one in known if one in pairs or model.log_backoff.get(one)]
    states = {history: n for n, history in enumerate((BEGIN, *histories), 1)}
    if END not in model.log_unigram:
        pairs = defaultdict(dict, {one: {END: 0.0, **pairs[one]} for one in states})
    arcs: list[tuple[int, str | None, int, float]] = []
    arcs += [(0, word, states.get(word, 0), model.log_unigram[word]) for word in known]
    arcs += [(1, word, states.get(word, 0), model.log_next(BEGIN, word)) for word in known]
    finals = {0: model.log_next("", END)}
    for history in histories:
        state, followers, backoff = states[history], pairs[history], model.log_backoff.get(history, 0.0)
        through = {word: backoff + (finals[0] if word == END else model.log_unigram[word]) for word in followers}
        if any(weight < through[word] for word, weight in followers.items()):
            followers = {word: model.log_next(history, word) for word in (*known, END)}
        else:
            arcs.append((state, None, 0, backoff))
        arcs += [(state, word, states.get(word, 0), weight) for word, weight in followers.items() if word != END]
        finals |= {state: followers[END]} if END in followers else {}
    possible_arcs = tuple(arc for arc in arcs if arc[3] > -inf)
    ends = {state: weight for state, weight in finals.items() if weight > -inf}
    if not ends:
        raise DataError(f"no sentence can end: {END} has probability 0 after every word; expected one above 0")
    return Network(len(states) + 1, possible_arcs, 1, ends)


def _declare(number: int, line: str, declared: dict[int, int]) -> None:
    """Take a line ``ngram N=COUNT``."""
    match = fullmatch(r"ngram\s+(\d+)\s*=\s*(\d+)", line)
    if match is None:
        _refuse(number, f"{line!r}; expected ngram N=COUNT")
    n, count = int(match[1]), int(match[2])
    if n > 2 and count:
        _refuse(
            number,
            f"a model of {n}-grams; models up to bigrams are read. Make one of order 2 (lmplz -o 2, ngram-count "
            "-order 2): what a longer model says of pairs is meant for backing off alone",
        )
    declared[n] = count


def _section(number: int, line: str, declared: Mapping[int, int]) -> int:
    """The order of the entries that follow a line such as ``\\1-grams:``."""
    match = fullmatch(r"\\(\d+)-grams:", line)
    if match is None or int(match[1]) not in declared:
        _refuse(number, f"{line}; expected \\N-grams: for an N that is declared above, or \\end\\")
    return int(match[1])


def _entry(number: int, line: str, order: int) -> tuple[tuple[str, ...], float, float]:
    """The words of an entry, its log probability and its back-off weight, in nats."""
    probability, *rest = line.split()
    if len(rest) not in (order, order + 1):
        _refuse(number, f"{line!r}; expected a log10 probability, {counted(order, 'word')}, perhaps a back-off weight")
    words = tuple(word.lower() if word.lower() in (BEGIN, END, UNKNOWN) else word for word in rest[:order])
    log_probability = _nats(number, probability)
    if log_probability > ROUNDING * log(10):
        _refuse(number, f"{probability} as the log10 of a probability; expected 0 at most")
    return words, min(log_probability, 0.0), _nats(number, rest[order]) if len(rest) > order else 0.0


def _nats(number: int, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        _refuse(number, f"{text!r}; expected a number, the log10 of a probability or of a back-off weight")
    if isnan(value) or value == inf:
        _refuse(number, f"{text!r}; expected a number below infinity")
    return -inf if value <= ZERO else value * log(10)


def _refuse(number: int, why: str) -> NoReturn:
    raise DataError(f"line {number}: {why}")


def _model(entries: Mapping[int, Mapping[tuple[str, ...], tuple[float, float]]]) -> BackoffModel:
    if not entries.get(1):
        raise DataError("no unigram; expected each word with its probability below \\1-grams:")
    unigrams = {word: weights for (word,), weights in entries[1].items()}
    likely = sorted((one for one in unigrams.items() if one[0] != BEGIN), key=lambda one: -one[1][0])
    for before, (_, backoff) in unigrams.items():
        best = next(((p, word) for word, (p, _) in likely if (before, word) not in entries.get(2, {})), None)
        if best is not None and backoff + best[0] > ROUNDING * log(10):
            raise DataError(
                f"the back-off weight of {before!r} gives {best[1]!r} after it a probability of "
                f"10^{(backoff + best[0]) / log(10):g}; expected 1 at most: is the file damaged?"
            )
    return BackoffModel(
        2 if entries.get(2) else 1,
        {word: log_probability for word, (log_probability, _) in unigrams.items()},
        {word: backoff for word, (_, backoff) in unigrams.items() if backoff},
        {(before, word): log_probability for (before, word), (log_probability, _) in entries.get(2, {}).items()},
    )
