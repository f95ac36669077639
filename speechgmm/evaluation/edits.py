"""Errors of recognised sequences: deletions, insertions and substitutions of words or phones.

Conventions
    A reference and a hypothesis are sequences of labels. They are aligned with the fewest errors (Levenshtein 1966);
    among the alignments that have so few, one with the fewest substitutions, hence the most hits. Error rates are those
    of Kaldi's compute-wer and of jiwer. NIST's sclite weighs a substitution 4 and a deletion or insertion 3: it chooses
    the same alignments, except where an error more saves over three substitutions.
    An item is an utterance; metrics are pooled over items before they are divided, and have weights like all others.

Metrics
    edit_rate        (substitutions + deletions + insertions) / labels of the references: WER of words, PER of phones
                     (fraction; above 1 with many insertions)
    sentence_rate    share of utterances with an error: SER (fraction)
    within           share of boundaries that are at most so far from the reference's (fraction)
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import DataError, ShapeError
from speechgmm.evaluation.intervals import Interval, interval
from speechgmm.evaluation.resampling import OfSums, ratio

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Edits:
    """The alignment of a reference with a hypothesis."""

    pairs: tuple[tuple[str | None, str | None], ...]  # (reference, None: inserted; hypothesis, None: deleted)

    @property
    def hits(self) -> int:
        """Labels recognised."""
        return sum(reference == hypothesis for reference, hypothesis in self.pairs)

    @property
    def substitutions(self) -> int:
        """Labels recognised as another label."""
        return sum(None not in pair and pair[0] != pair[1] for pair in self.pairs)

    @property
    def deletions(self) -> int:
        """Labels of the reference without a counterpart in the hypothesis."""
        return sum(hypothesis is None for _, hypothesis in self.pairs)

    @property
    def insertions(self) -> int:
        """Labels of the hypothesis without a counterpart in the reference."""
        return sum(reference is None for reference, _ in self.pairs)


@dataclass(frozen=True, slots=True)
class EditCounts:
    """Counts of hits and errors in N utterances, from which every error rate follows."""

    hits: Integers  # (N,)
    substitutions: Integers  # (N,)
    deletions: Integers  # (N,)
    insertions: Integers  # (N,)

    @property
    def errors(self) -> Integers:
        """(N,) of all three kinds."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def labels(self) -> Integers:
        """(N,) labels of the reference."""
        return self.hits + self.substitutions + self.deletions


def align_labels(reference: Sequence[str], hypothesis: Sequence[str]) -> Edits:
    """The alignment of two sequences with the fewest errors, and among these the fewest substitutions.

    Either sequence may be empty. Of several equally good alignments, the one with the latest deletions and insertions
    is returned. Time and memory grow with the product of the two lengths: 4 bytes per pair of labels (8 from some
    30,000 labels on).

    >>> align_labels("the cat sat".split(), "a cat sat down".split()).pairs
    (('the', 'a'), ('cat', 'cat'), ('sat', 'sat'), (None, 'down'))
    """
    number: dict[str, int] = {}
    expected, recognised = (
        np.array([number.setdefault(label, len(number)) for label in labels], np.int64)
        for labels in (reference, hypothesis)
    )
    rows, columns = len(expected), len(recognised)
    # One error more costs more than all substitutions that the alignment could have: least errors first.
    error = min(rows, columns) + 1
    kind = np.int32 if (error + 1) * (rows + columns + 1) < 2**31 else np.int64
    slope = error * np.arange(columns + 1, dtype=kind)
    costs = np.empty((rows + 1, columns + 1), kind)
    costs[0] = slope
    for row in range(rows):
        best = costs[row] + kind(error)  # deleted
        changed = np.where(recognised == expected[row], kind(0), kind(error + 1))
        np.minimum(best[1:], costs[row, :-1] + changed, out=best[1:])
        costs[row + 1] = np.minimum.accumulate(best - slope) + slope  # inserted, any number in a row
    pairs: list[tuple[str | None, str | None]] = []
    row, column = rows, columns
    while row or column:
        here = costs[row, column]
        if column and here == costs[row, column - 1] + error:
            column -= 1
            pairs.append((None, hypothesis[column]))
        elif row and here == costs[row - 1, column] + error:
            row -= 1
            pairs.append((reference[row], None))
        else:
            row, column = row - 1, column - 1
            pairs.append((reference[row], hypothesis[column]))
    return Edits(tuple(reversed(pairs)))


def count_edits(alignments: Iterable[Edits]) -> EditCounts:
    """The counts of hits, substitutions, deletions and insertions of each utterance, in the order given.

    >>> counts = count_edits([align_labels("abc", "abd"), align_labels("ab", "a")])
    >>> counts.substitutions.tolist(), counts.deletions.tolist(), counts.labels.tolist()
    ([1, 0], [0, 1], [3, 2])
    """
    rows = [(one.hits, one.substitutions, one.deletions, one.insertions) for one in alignments]
    table = np.array(rows, np.int64).reshape(-1, 4)
    return EditCounts(*table.T)


def edit_rate(counts: EditCounts) -> OfSums:
    """WER or PER (fraction) as a statistic under weights (N,) of the utterances; NaN if no reference has a label.

    >>> edit_rate(count_edits([align_labels("abc", "abd"), align_labels("ab", "a")]))(np.ones(2))
    0.4
    """
    return ratio(counts.errors, counts.labels)


def sentence_rate(counts: EditCounts) -> OfSums:
    """Sentence error rate (fraction) as a statistic under weights (N,) of the utterances.

    >>> sentence_rate(count_edits([align_labels("abc", "abd"), align_labels("ab", "ab")]))(np.ones(2))
    0.5
    """
    return ratio(counts.errors > 0, np.ones(len(counts.errors)))


def rate_interval(rate: OfSums, groups: ArrayLike, *, level: float = 0.95, seed: int = 0) -> Interval:
    """The interval of :func:`edit_rate` or :func:`sentence_rate` over ``groups`` (N,), the speakers of the utterances.

    It is computed on the logit scale, or on the log scale where the rate is above 1.

    Raises:
        ShapeError: Groups that are not integers (N,).
        DataError: No utterances; a level outside ]0, 1[; references without a label.

    >>> right, wrong = align_labels("abc", "abc"), align_labels("abc", "abd")
    >>> found = rate_interval(edit_rate(count_edits([right, wrong, right, right])), [0, 0, 1, 2])
    >>> found.low < 1 / 12 < found.high
    True
    """
    value = rate(np.ones(len(rate.columns)))
    if not np.isfinite(value):
        raise DataError("no label in any reference; an error rate has no value")
    return interval(rate, groups, level=level, seed=seed, scale="log" if value > 1 else "logit")


def confusions(alignments: Iterable[Edits]) -> list[tuple[str | None, str | None, int]]:
    """Every error as (reference, hypothesis, count), the most frequent first.

    An insertion has None as its reference, a deletion None as its hypothesis.

    >>> confusions([align_labels("abc", "abd"), align_labels("ac", "ad"), align_labels("a", "ab")])
    [('c', 'd', 2), (None, 'b', 1)]
    """
    found = Counter(pair for one in alignments for pair in one.pairs if pair[0] != pair[1])
    return [(*pair, n) for pair, n in sorted(found.items(), key=lambda one: (-one[1], _order(one[0])))]


def label_pairs(alignments: Iterable[Edits]) -> list[tuple[str | None, str | None, int]]:
    """All pairs as (reference, hypothesis, count): first the errors as in :func:`confusions`, then the right labels.

    >>> label_pairs([align_labels("abc", "abd"), align_labels("ac", "ad")])
    [('c', 'd', 2), ('a', 'a', 2), ('b', 'b', 1)]
    """
    edits = list(alignments)
    right = Counter(pair[0] for one in edits for pair in one.pairs if pair[0] == pair[1] and pair[0] is not None)
    return [
        *confusions(edits),
        *((label, label, n) for label, n in sorted(right.items(), key=lambda one: (-one[1], one[0]))),
    ]


def boundary_errors(
    reference: Sequence[tuple[str, float, float]], hypothesis: Sequence[tuple[str, float, float]]
) -> NDArray[np.float64]:
    """Distances (N - 1,) in s of the boundaries of a forced alignment of N segments from those of the reference.

    A boundary is the time where one segment ends and the next begins. The beginning of the first and the end of the
    last segment do not count. :func:`within` gives the share of the boundaries within a tolerance.

    Args:
        reference: (label, start, end) of each segment, in s and in order.
        hypothesis: The same labels with other times.

    Raises:
        DataError: The labels differ, or times do not ascend.

    >>> boundary_errors([("a", 0, 0.1), ("b", 0.1, 0.2)], [("a", 0, 0.125), ("b", 0.125, 0.2)]).round(3).tolist()
    [0.025]
    """
    labels = [[segment[0] for segment in side] for side in (reference, hypothesis)]
    if labels[0] != labels[1]:
        place = next((n for n, (a, b) in enumerate(zip(*labels, strict=False)) if a != b), min(map(len, labels)))
        shown = [repr(side[place]) if place < len(side) else "no more" for side in labels]
        raise DataError(
            f"segment {place + 1} is {shown[0]} in the reference and {shown[1]} in the alignment; boundaries can be "
            "compared where both have the same labels: was the alignment made from another transcript?"
        )
    starts = [np.array([segment[1] for segment in side], np.float64) for side in (reference, hypothesis)]
    for side, times in zip(("reference", "alignment"), starts, strict=True):
        if not (np.diff(times) >= 0).all():
            raise DataError(f"segments of the {side} are not in the order of their times; sort them")
    return np.abs(starts[1] - starts[0])[1:]


def within(errors: ArrayLike, tolerance: float) -> OfSums:
    """Share (fraction) of the ``errors`` (N,), in s, that are at most ``tolerance`` s, under weights (N,).

    Raises:
        ShapeError: Errors that are not (N,).
        DataError: A tolerance that is not positive.

    >>> within([0.005, 0.010, 0.025], 0.010)(np.ones(3))
    0.6666666666666666
    """
    distances = np.asarray(errors, dtype=np.float64)
    if distances.ndim != 1:
        raise ShapeError(f"boundary errors of shape {distances.shape}; expected one per boundary, (N,)")
    if not tolerance > 0:
        raise DataError(f"a tolerance of {tolerance} s; expected seconds above 0, such as 0.020")
    # Times are read from decimals: what is 10 ms apart on paper is within 10 ms.
    return ratio(distances <= tolerance + 1e-9, np.ones(len(distances)))


def _order(pair: tuple[str | None, str | None]) -> tuple[str, str]:
    return pair[0] or "", pair[1] or ""
