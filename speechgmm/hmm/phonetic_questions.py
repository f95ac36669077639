"""Questions for decision trees: sets of units that sound alike, found by merging units whose frames are alike.

Owns the merging, which is agglomerative clustering by loss of likelihood (Povey et al. 2011, Kaldi, make them from the
data likewise, by a tree from above). Refuses to read files.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from speechgmm.errors import DataError, counted, first_few
from speechgmm.hmm.context_statistics import Floats, gaussian_log_likelihood
from speechgmm.hmm.tied_states import BOUNDARY

Sets = tuple[frozenset[int], ...]


def clustered_questions(tables: Floats, floor: Floats) -> Sets:
    """Sets of units: each alone, each merge of two sets up to but one, and the edge of a word.

    Parameters
    ----------
    tables
        (U, N, 1 + 2D) statistics of N states of every unit; states without frames say nothing.
    floor
        (D,) least variances.

    Two sets are merged whose common Gaussians, one for each state, lose least likelihood; of equals the first.

    >>> at = lambda mean: [[10.0, 10 * mean, 10 * mean**2 + 10]]
    >>> [sorted(units) for units in clustered_questions(np.array([at(0.0), at(9.0), at(1.0)]), np.array([0.01]))]
    [[-1], [0], [1], [2], [0, 2]]
    """
    clusters = [(frozenset({unit}), table) for unit, table in enumerate(np.asarray(tables, dtype=np.float64))]
    found = [frozenset({BOUNDARY}), *(units for units, _ in clusters)]
    costs = [_likelihood(table, floor) for _, table in clusters]
    losses: dict[tuple[frozenset[int], frozenset[int]], float] = {}
    while len(clusters) > 2:
        best = (np.inf, 0, 0)
        for first in range(len(clusters)):
            for second in range(first + 1, len(clusters)):
                pair = clusters[first][0], clusters[second][0]
                if pair not in losses:
                    together = _likelihood(clusters[first][1] + clusters[second][1], floor)
                    losses[pair] = costs[first] + costs[second] - together
                best = min(best, (losses[pair], first, second))
        _, first, second = best
        merged = clusters[first][0] | clusters[second][0], clusters[first][1] + clusters[second][1]
        clusters = [*clusters[:first], merged, *clusters[first + 1 : second], *clusters[second + 1 :]]
        costs = [*costs[:first], _likelihood(merged[1], floor), *costs[first + 1 : second], *costs[second + 1 :]]
        found.append(merged[0])
    return tuple(found)


def _likelihood(table: Floats, floor: Floats) -> float:
    return float(gaussian_log_likelihood(table, floor).sum())


def given_questions(lines: Iterable[Sequence[str]], labels: Sequence[str]) -> Sets:
    """Sets of units from their labels, as a person wrote them, with the edge of a word as a set of its own.

    Raises:
        DataError: A label that is no unit: all are named; a question without a unit, or none at all.

    >>> [sorted(units) for units in given_questions([("B", "P"), ("AA",)], ["AA", "B", "P"])]
    [[-1], [1, 2], [0]]
    """
    numbers = {label: number for number, label in enumerate(labels)}
    asked = [tuple(line) for line in lines]
    unknown = sorted({label for line in asked for label in line} - numbers.keys())
    if unknown:
        raise DataError(
            f"questions about {counted(len(unknown), 'unit')} that there are not: {first_few(unknown, 10)}; expected "
            f"phones of the dictionary, such as {', '.join(labels[:5])}"
        )
    if not asked or not all(asked):
        raise DataError("questions without a unit, or no question; expected the phones of one question on each line")
    return (frozenset({BOUNDARY}), *dict.fromkeys(frozenset(numbers[label] for label in line) for line in asked))
