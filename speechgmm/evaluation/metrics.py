"""Metrics of classification.

Conventions
    A confusion matrix has the true class in its rows and the decision in its columns; its entries count test items.
    Weights count an item as so many: a metric under weights is that of the items repeated, which is what resampling
    needs. Every metric of a confusion matrix has them through ``count_decisions``.

Metrics
    accuracy            share of items decided rightly (fraction)
    top_n_accuracy      share of items whose true class is among the n of highest score (fraction)
    recalls             share of each true class's items decided rightly (fraction; NaN for a class without items)
    precisions          share of each decision that was right (fraction; NaN for a class never decided)
    balanced_accuracy   mean of the recalls of the classes that have items (fraction)
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import DataError, ShapeError, first_few

Floats = NDArray[np.float64]
Counts = NDArray[np.int64] | NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PerClass:
    """Counts, recall and precision of each class."""

    items: Floats  # (C,) of this class
    decisions: Floats  # (C,) for this class
    right: Floats  # (C,) both
    recall: Floats  # (C,) right / items; NaN without items
    precision: Floats  # (C,) right / decisions; NaN without decisions


def confusion_matrix(true: Sequence[str], predicted: Sequence[str], labels: Sequence[str]) -> NDArray[np.int64]:
    """Counts (C, C) of items of class ``labels[i]`` that were decided to be ``labels[j]``.

    Raises:
        ShapeError: Another number of decisions than of items.
        DataError: A class that is not among the labels.

    >>> confusion_matrix(["a", "a", "b"], ["a", "b", "b"], ["a", "b"]).tolist()
    [[1, 1], [0, 1]]
    """
    if len(true) != len(predicted):
        raise ShapeError(f"{len(true)} true labels and {len(predicted)} decisions; one decision per item is expected")
    number = {label: n for n, label in enumerate(labels)}
    unknown = sorted({label for label in (*true, *predicted) if label not in number})
    if unknown:
        raise DataError(
            f"labels {first_few(unknown, 5)} are not among the {len(number)} classes; was the class trained?"
        )
    counts = np.zeros((len(labels), len(labels)), np.int64)
    np.add.at(counts, ([number[label] for label in true], [number[label] for label in predicted]), 1)
    return counts


def count_decisions(
    true_indices: ArrayLike, predicted_indices: ArrayLike, n_classes: int, weights: ArrayLike | None = None
) -> Floats:
    """The confusion matrix (C, C) of class indices (N,), 0 to C - 1.

    ``weights`` (N,): how many items each one stands for; default 1.

    Raises:
        ShapeError: Vectors of different lengths, indices that are not integers or not below ``n_classes``.
        DataError: A weight that is negative, infinite or NaN.

    >>> count_decisions([0, 0, 1], [0, 1, 1], 2, weights=[2, 0, 3]).tolist()
    [[2.0, 0.0], [0.0, 3.0]]
    """
    true, predicted = _indices(true_indices, n_classes), _indices(predicted_indices, n_classes)
    if true.shape != predicted.shape:
        raise ShapeError(f"{len(true)} true classes and {len(predicted)} decisions; one decision per item is expected")
    counts = _item_weights(weights, len(true))
    cells: Floats = np.bincount(true * n_classes + predicted, counts, n_classes**2).astype(np.float64)
    return cells.reshape(n_classes, n_classes)


def accuracy(confusion: Counts) -> float:
    """Share of items decided rightly. Raises DataError where there is no item.

    >>> accuracy(np.array([[1, 1], [0, 2]]))
    0.75
    """
    _refuse_no_items(confusion, "accuracy")
    return float(np.trace(confusion) / confusion.sum())


def recalls(confusion: Counts) -> Floats:
    """Share of each true class's items (C,) decided rightly; NaN where a class has none.

    >>> recalls(np.array([[1, 1], [0, 2]])).tolist()
    [0.5, 1.0]
    """
    return _shares(np.diag(confusion), confusion.sum(axis=1))


def precisions(confusion: Counts) -> Floats:
    """Share of the decisions for each class (C,) that were right; NaN where a class was never decided.

    >>> [round(share, 3) for share in precisions(np.array([[1, 1], [0, 2]])).tolist()]
    [1.0, 0.667]
    """
    return _shares(np.diag(confusion), confusion.sum(axis=0))


def per_class(confusion: Counts) -> PerClass:
    """Items, decisions, recall and precision of every class, for a table.

    >>> per_class(np.array([[1, 1], [0, 2]])).decisions.tolist()
    [1.0, 3.0]
    """
    counts = np.asarray(confusion, dtype=np.float64)
    return PerClass(counts.sum(axis=1), counts.sum(axis=0), np.diag(counts), recalls(counts), precisions(counts))


def balanced_accuracy(confusion: Counts) -> float:
    """Mean recall of the classes that have items: the accuracy if each class had equally many items.

    >>> balanced_accuracy(np.array([[1, 1], [0, 2]]))
    0.75
    """
    _refuse_no_items(confusion, "balanced accuracy")
    return float(np.nanmean(recalls(confusion)))


def top_n_right(scores: ArrayLike, true_indices: ArrayLike, n: int) -> NDArray[np.bool_]:
    """Whether the true class (N,) of each item is among the ``n`` classes with the item's highest scores (N, C).

    Among equal scores the first class ranks first, as in ``argmax``: with n = 1 this is whether the decision was right.

    Raises:
        ShapeError: Scores that are not (N, C); indices that do not fit the scores; n outside 1 to C.
        DataError: A score that is NaN.

    >>> top_n_right([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0]], [1, 2], n=2).tolist()
    [True, False]
    """
    table = np.asarray(scores, dtype=np.float64)
    if table.ndim != 2:
        raise ShapeError(f"scores of shape {table.shape}; expected one row per item and one column per class, (N, C)")
    n_classes = table.shape[1]
    true = _indices(true_indices, n_classes)
    if len(true) != len(table):
        raise ShapeError(f"{len(table)} rows of scores and {len(true)} true classes; expected one class per item")
    if not 1 <= n <= n_classes:
        raise ShapeError(f"top {n} of {n_classes} classes; expected 1 to {n_classes}")
    if np.isnan(table).any():
        raise DataError(f"the scores of item {np.isnan(table).any(axis=1).argmax()} have a NaN; was it empty?")
    own = table[np.arange(len(table)), true][:, None]
    earlier = np.arange(n_classes) < true[:, None]
    ahead: NDArray[np.intp] = ((table > own) | ((table == own) & earlier)).sum(axis=1)
    return ahead < n


def top_n_accuracy(scores: ArrayLike, true_indices: ArrayLike, n: int, weights: ArrayLike | None = None) -> float:
    """Share of items (fraction) whose true class is among the ``n`` classes with the item's highest scores (N, C).

    For an interval take ``ratio(top_n_right(...), ones)``, which does not rank again. ``weights`` (N,): how many items
    each one stands for; default 1.

    Raises:
        ShapeError: Scores, indices or ``n`` that :func:`top_n_right` refuses; weights that are not (N,).
        DataError: A score that is NaN; no items; a weight that is negative, infinite or NaN.

    >>> top_n_accuracy([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0]], [1, 2], n=2)
    0.5
    """
    right = top_n_right(scores, true_indices, n)
    counts = _item_weights(weights, len(right))
    _refuse_no_items(counts, "top-n accuracy")
    return float(counts[right].sum() / counts.sum())


def _refuse_no_items(counts: Counts, metric: str) -> None:
    if counts.sum() == 0:
        raise DataError(f"no item was tested, so that {metric} has no value; was the test split empty?")


def _shares(parts: ArrayLike, totals: ArrayLike) -> Floats:
    above, below = np.asarray(parts, dtype=np.float64), np.asarray(totals, dtype=np.float64)
    shares: Floats = np.divide(above, below, out=np.full(len(below), np.nan), where=below > 0)
    return shares


def _indices(indices: ArrayLike, n_classes: int) -> NDArray[np.intp]:
    numbers = np.asarray(indices)
    if numbers.ndim != 1 or not (np.issubdtype(numbers.dtype, np.integer) or not numbers.size):
        raise ShapeError(
            f"class indices {numbers.shape} of type {numbers.dtype}; expected integers (N,): are they labels?"
        )
    if numbers.size and not 0 <= numbers.min() <= numbers.max() < n_classes:
        raise ShapeError(f"class indices from {numbers.min()} to {numbers.max()}; expected 0 to {n_classes - 1}")
    return numbers.astype(np.intp)


def _item_weights(weights: ArrayLike | None, n: int) -> Floats:
    counts = np.ones(n) if weights is None else np.asarray(weights, dtype=np.float64)
    if counts.shape != (n,):
        raise ShapeError(f"weights {counts.shape} for {n} items; expected one per item, (N,)")
    if not ((counts >= 0) & (counts < np.inf)).all():
        raise DataError("a weight that is negative, infinite or NaN; an item counts as 0 or more")
    return counts
