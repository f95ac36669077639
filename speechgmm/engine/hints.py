"""What limits the results of a run, and what to do next: each hint is a measurement of this run and a remedy.

Owns the hints that hold for every task. Tasks add theirs by ``Task.hints``; the first ``MOST`` are said.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from speechgmm.evaluation import FEW_GROUPS
from speechgmm.evaluation.metric import Metrics

MOST: Final = 3
"""Hints that a run gives."""

WIDE: Final = 0.1
"""Width of an interval from which it limits what can be said."""

MUCH: Final = 0.25
"""Share of all errors from which one pair of labels is worth a line."""

FEWEST: Final = 8
"""Errors, or items, from which their shares mean something."""


def hints_of_interval(metrics: Metrics, group: str | None, *, folds: bool = False) -> Iterator[str]:
    """Whether the interval of the first metric is wide, and whether groups or items are too few.

    Parameters
    ----------
    metrics
        Results of the run.
    group
        Column of the corpus that recordings are grouped by; None: intervals go by items or recordings.
    folds
        Folds would test no more items: each is tested already, or the task has none.
    """
    name, metric = next(iter(metrics.items()), ("", None))
    if metric is None or metric.unit != "fraction" or metric.low is None or metric.high is None:
        return
    width = metric.high - metric.low
    if width < WIDE:
        return
    about = f"the interval of {name.replace('_', ' ')} is {100 * width:.0f} points wide"
    if metric.n_groups is None or group is None:
        more = "test more recordings" + ("" if folds else ", or all of them by folds (corpus.split)")
        yield f"{about}: {metric.n} test items are few; {more}"
    elif metric.n_groups < FEW_GROUPS:
        yield (
            f"{about}: {metric.n_groups} groups (column {group!r}) are few; test recordings of more groups: more "
            "recordings of the same groups do not help"
        )


def hints_of_confusions(pairs: Mapping[tuple[str, str], int]) -> Iterator[str]:
    """Whether many of the errors, (reference, hypothesis) -> number, are between two labels, or of one label."""
    total = sum(pairs.values())
    if total < FEWEST:
        return
    between: dict[tuple[str, str], int] = {}
    of: dict[str, int] = {}
    for (one, other), count in pairs.items():
        first, second = sorted((one, other))
        between[first, second] = between.get((first, second), 0) + count
        of[one] = of.get(one, 0) + count
    labels = {label for pair in pairs for label in pair}
    (one, other), most = max(between.items(), key=lambda item: item[1])
    if most >= MUCH * total and len(labels) > 2:
        yield (
            f"{100 * most / total:.0f} % of the {total} errors are between {one!r} and {other!r}: give both more "
            "training recordings, check their labels, or make them one class (corpus.labels.merge)"
        )
        return
    label, wrong = max(of.items(), key=lambda item: item[1])
    if wrong >= MUCH * total and len(of) > 2:
        yield (
            f"{100 * wrong / total:.0f} % of the {total} errors are items of {label!r}: give it more training "
            "recordings, and check its labels"
        )


def hints_of_training(trained: float, tested: float, n: int, smaller: str, larger: str) -> Iterator[str]:
    """Whether models fit their training items better than the test's, or fit neither.

    Parameters
    ----------
    trained, tested
        Shares of training items and of test items that are decided rightly.
    n
        How many training items.
    smaller, larger
        What makes the models smaller, and larger.
    """
    if n < FEWEST:
        return
    said = f"{100 * trained:.0f} % of {n} training items are right and {100 * tested:.0f} % of the test's"
    if trained - tested >= WIDE:
        yield f"{said}: the models fit what they saw; more and more varied training recordings, or {smaller}"
    elif trained < 1 - WIDE and abs(trained - tested) < WIDE / 2:
        yield f"{said}: the models are too coarse; {larger}, or features that tell more (deltas, n_ceps)"


def first_hints(hints: Sequence[str]) -> list[str]:
    """The hints that are said, each once."""
    return list(dict.fromkeys(hints))[:MOST]
