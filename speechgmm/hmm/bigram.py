"""Bigrams over labels (phones, words): how probable each is after the one before it, with a beginning and an end.

Smoothing is interpolated Witten-Bell (Witten & Bell 1991; as in Chen & Goodman 1999, section 2.4): after a history v
that was followed by T(v) different labels in its c(v) occurrences,

    P(w | v) = (c(v, w) + T(v) P(w)) / (c(v) + T(v)),        P(w) = (c(w) + T / U) / (N + T)

where c(w) counts the N labels and ends that were predicted, T of the U possible ones among them. A label that never
occurs has its share of T / U; what follows it is as probable as anywhere. Kneser-Ney is better
for words by the hundred thousand, but takes its discount from how many pairs occur once and twice, and among 40 phones
there may be none.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import DataError, counted, first_few
from speechgmm.hmm.network import Network

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Bigram:
    """A bigram of U labels in natural logarithms. A sequence has at least one label.

    The probabilities of the first label, ``exp(log_start)``, sum to 1. For each label, the probabilities of the next
    label, a row of ``exp(log_next)``, and of the end, ``exp(log_end)``, sum to 1 together. A pair v, w that did not
    occur in training has log probability ``log_backoff[v] + log_unigram[w]``.
    """

    labels: tuple[str, ...]  # (U,)
    log_start: Floats  # (U,) of each label at the beginning
    log_next: Floats  # (U, U) of label w (column) after label v (row)
    log_end: Floats  # (U,) of the end after each label
    log_backoff: Floats  # (U,) weight of the unigram after each label
    log_unigram: Floats  # (U + 1,) of each label whatever is before it, and of the end

    def log_probability(self, sequence: Sequence[str]) -> float:
        """The log probability of a whole sequence, beginning and end included, in nats.

        Raises:
            DataError: The sequence is empty, or has a label that the bigram does not know.
        """
        number = {label: n for n, label in enumerate(self.labels)}
        places = _places([sequence], number)[0]
        inner = float(self.log_next[places[:-1], places[1:]].sum())
        return float(self.log_start[places[0]]) + inner + float(self.log_end[places[-1]])


def estimate_bigram(sequences: Iterable[Sequence[str]], labels: Sequence[str] | None = None) -> Bigram:
    """Estimate a bigram from training sequences, with interpolated Witten-Bell smoothing.

    Args:
        sequences: The labels of each utterance, in order.
        labels: All labels of the bigram, in the order of its arrays; they may include labels that do not occur. None:
            the labels that occur, sorted.

    Raises:
        DataError: There is no sequence, one is empty, or a label occurs that is not among ``labels`` (all are named).

    >>> bigram = estimate_bigram([["a", "b"], ["a", "b", "b"]])
    >>> bigram.labels, np.exp(bigram.log_next).round(3).tolist()
    (('a', 'b'), [[0.1, 0.8], [0.12, 0.36]])
    >>> float((np.exp(bigram.log_next).sum(axis=1) + np.exp(bigram.log_end)).round(12).min())
    1.0
    """
    told = list(sequences)
    if not told:
        raise DataError("no sequence to estimate a bigram from; was the training split empty?")
    known = tuple(sorted({label for sequence in told for label in sequence}) if labels is None else labels)
    if len(set(known)) != len(known):
        raise DataError(
            f"labels {sorted({one for one in known if known.count(one) > 1})} are given twice for a bigram; "
            "give each once"
        )
    places = _places(told, {label: n for n, label in enumerate(known)})
    n = len(known)
    # Rows: the label before, the last row the beginning; columns: the label, the last column the end.
    before = np.concatenate([np.concatenate([[n], one]) for one in places])
    after = np.concatenate([np.concatenate([one, [n]]) for one in places])
    counts = np.zeros((n + 1, n + 1))
    np.add.at(counts, (before, after), 1)
    unigram = _witten_bell(counts.sum(axis=0), np.full(n + 1, 1 / (n + 1)))
    rows = np.array([_witten_bell(row, unigram) for row in counts[:n]])
    # An utterance has a label at least: the beginning is never followed by the end.
    first = _witten_bell(counts[n, :n], unigram[:n] / unigram[:n].sum())
    types, totals = (counts[:n] > 0).sum(axis=1), counts[:n].sum(axis=1)
    backoff = np.where(types > 0, types / np.maximum(totals + types, 1), 1.0)
    return Bigram(known, np.log(first), np.log(rows[:, :n]), np.log(rows[:, n]), np.log(backoff), np.log(unigram))


def perplexity(bigram: Bigram, sequences: Iterable[Sequence[str]]) -> float:
    """The perplexity of the bigram on sequences: exp of minus the mean log probability (nats) per label.

    The end of each sequence counts as a label.

    Raises:
        DataError: There is no sequence, one is empty, or has a label that the bigram does not know.

    >>> bigram = estimate_bigram([["a", "b"], ["a", "b", "b"]])
    >>> round(perplexity(bigram, [["a", "b"]]), 2)
    1.44
    """
    told = list(sequences)
    if not told:
        raise DataError("no sequence to measure perplexity on; was the split empty?")
    total = sum(bigram.log_probability(sequence) for sequence in told)
    return float(np.exp(-total / sum(len(sequence) + 1 for sequence in told)))


def bigram_network(bigram: Bigram) -> Network:
    """The bigram as a network: one state for each previous label, and a back-off state.

    A pair that occurred in training has an arc of its own. Other pairs pass the back-off state, with the weights
    ``log_backoff`` and ``log_unigram``. The best path of a sentence has exactly the log probability of the bigram. The
    sum over all its paths is larger, since a pair with an arc of its own can also pass the back-off state.

    >>> network = bigram_network(estimate_bigram([["a", "b"], ["a", "b", "b"]]))
    >>> network.n_states, [(p, word, q) for p, word, q, _ in network.arcs if p == 1]
    (4, [(1, 'b', 2), (1, None, 3)])
    """
    n = len(bigram.labels)
    start, any_label = 0, n + 1
    through = bigram.log_backoff[:, None] + bigram.log_unigram[:n]
    occurred = bigram.log_next > through + 1e-9
    arcs: list[tuple[int, str | None, int, float]] = []

    def say(source: int, label: int, log_probability: float) -> None:
        arcs.append((source, bigram.labels[label], label + 1, float(log_probability)))

    for label, log_probability in enumerate(bigram.log_start):
        say(start, label, log_probability)
    for before in range(n):
        for label in np.nonzero(occurred[before])[0].tolist():
            say(before + 1, label, bigram.log_next[before, label])
        if not occurred[before].all():
            arcs.append((before + 1, None, any_label, float(bigram.log_backoff[before])))
    if not occurred.all():
        for label in range(n):
            say(any_label, label, bigram.log_unigram[label])
    finals = {label + 1: float(bigram.log_end[label]) for label in range(n)}
    return Network(n + 1 if occurred.all() else n + 2, tuple(arcs), start, finals)


def _witten_bell(counts: Floats, lower: Floats) -> Floats:
    types = np.count_nonzero(counts)
    if not types:  # nothing is known of this history
        return lower
    smoothed: Floats = (counts + types * lower) / (counts.sum() + types)
    return smoothed


def _places(sequences: Sequence[Sequence[str]], number: dict[str, int]) -> list[NDArray[np.intp]]:
    unknown = sorted({label for sequence in sequences for label in sequence if label not in number})
    if unknown:
        raise DataError(
            f"{counted(len(unknown), 'label is', 'labels are')} not among the bigram's {len(number)}: "
            f"{first_few(list(map(repr, unknown)), 10)}; expected only labels of the bigram"
        )
    empty = [n for n, sequence in enumerate(sequences) if not len(sequence)]
    if empty:
        raise DataError(
            f"{counted(len(empty), 'sequence is', 'sequences are')} empty, the first is number {empty[0]}; expected "
            "one label at least in each"
        )
    return [np.array([number[label] for label in sequence], np.intp) for sequence in sequences]
