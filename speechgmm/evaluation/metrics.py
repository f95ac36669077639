"""Metrics of classification.

Conventions
    A confusion matrix has the true class in its rows and the decision in its columns; its entries count test items.

Metrics
    accuracy            share of items decided rightly (fraction)
    recalls             the same within each true class (fraction; NaN for a class without items)
    balanced_accuracy   mean of the recalls of the classes that have items (fraction)
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import DataError, ShapeError


def confusion_matrix(true: Sequence[str], predicted: Sequence[str], labels: Sequence[str]) -> NDArray[np.int64]:
    """Counts (C, C) of items of class ``labels[i]`` that were decided to be ``labels[j]``.

    Raises:
        ShapeError: As many decisions as items are needed.
        DataError: A class that is not among the labels.

    >>> confusion_matrix(["a", "a", "b"], ["a", "b", "b"], ["a", "b"]).tolist()
    [[1, 1], [0, 1]]
    """
    if len(true) != len(predicted):
        raise ShapeError(f"{len(true)} true labels and {len(predicted)} decisions; one decision per item is expected")
    number = {label: n for n, label in enumerate(labels)}
    strangers = sorted({label for label in (*true, *predicted) if label not in number})
    if strangers:
        raise DataError(
            f"labels {', '.join(strangers[:5])} are not among the {len(number)} classes; was the class trained?"
        )
    counts = np.zeros((len(labels), len(labels)), np.int64)
    np.add.at(counts, ([number[label] for label in true], [number[label] for label in predicted]), 1)
    return counts


def accuracy(confusion: NDArray[np.int64]) -> float:
    """Share of items decided rightly. Raises DataError where there is no item.

    >>> accuracy(np.array([[1, 1], [0, 2]]))
    0.75
    """
    if confusion.sum() == 0:
        raise DataError("no item was tested; accuracy has no value")
    return float(np.trace(confusion) / confusion.sum())


def recalls(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Share of each true class's items (C,) decided rightly; NaN where a class has none.

    >>> recalls(np.array([[1, 1], [0, 2]])).tolist()
    [0.5, 1.0]
    """
    totals = confusion.sum(axis=1)
    shares: NDArray[np.float64] = np.where(totals > 0, np.diag(confusion) / np.maximum(totals, 1), np.nan)
    return shares


def balanced_accuracy(confusion: NDArray[np.int64]) -> float:
    """Mean recall of the classes that have items: what accuracy would be if each had as many.

    >>> balanced_accuracy(np.array([[1, 1], [0, 2]]))
    0.75
    """
    if confusion.sum() == 0:
        raise DataError("no item was tested; balanced accuracy has no value")
    return float(np.nanmean(recalls(confusion)))
