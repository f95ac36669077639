"""Rows that belong together: a list of arrays, or an array with the group of each row.

Owns which rows are of which sequence, and sums over them. Plain rows are sequences of one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_array

from speechgmm.gmm.frames import CHUNK

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Sequences:
    """Rows, and the sequence of each.

    >>> two = Sequences.of([np.zeros((2, 1)), np.ones((3, 1))])
    >>> two.n_sequences, two.sums(lambda rows: rows.T, two.rows, 1)
    (2, array([[0.],
           [3.]]))
    """

    rows: Any  # (N, D), not yet checked
    owners: NDArray[np.intp] | None  # (N,) number of the sequence; None: every row is one
    is_list: bool  # of arrays: labels and weights are of sequences, else of rows

    @classmethod
    def of(cls, X: Any, groups: ArrayLike | None = None) -> "Sequences":
        """Rows (N, D), with or without groups (N,), or a list of arrays (T, D). Groups count in sorted order.

        Raises:
            ValueError: Groups that are not one for each row, or stand beside a list of arrays; an array in the list
                that is not (T, D), or has another D, or no rows.
        """
        if is_list_of_arrays(X):
            if groups is not None:
                raise ValueError("groups beside a list of arrays, each of which is a group; leave out one of the two")
            parts = [_part(number, part) for number, part in enumerate(X)]
            widths = sorted({part.shape[1] for part in parts})
            if len(widths) > 1:
                raise ValueError(f"sequences of {' and '.join(map(str, widths))} columns; expected the same in all")
            return cls(np.concatenate(parts), np.repeat(np.arange(len(parts)), [len(part) for part in parts]), True)
        if groups is None:
            return cls(X, None, False)
        names = check_array(groups, ensure_2d=False, dtype=None, input_name="groups")
        n_rows = np.shape(X)[0]
        if names.shape != (n_rows,):
            raise ValueError(f"groups has shape {names.shape}; expected ({n_rows},), one for each row")
        _, owners = np.unique(names, return_inverse=True)
        return cls(X, owners, False)

    @property
    def n_sequences(self) -> int:
        """How many there are."""
        return int(np.shape(self.rows)[0]) if self.owners is None else int(self.owners.max()) + 1

    def to_rows(self, values: Any, name: str) -> Any:
        """Labels or weights (N,), of the rows, from those that are given: of the rows, or of a list's arrays.

        Raises:
            ValueError: Not as many as arrays in the list.
        """
        if values is None or not self.is_list or self.owners is None:
            return values
        given = np.asarray(values)
        if given.shape != (self.n_sequences,):
            raise ValueError(
                f"{name} has shape {given.shape}; expected ({self.n_sequences},), one for each array in the list"
            )
        return given[self.owners]

    def sums(self, score: Callable[[NDArray[Any]], Floats], rows: NDArray[Any], n_classes: int) -> Floats:
        """Scores (C, n) of the checked rows, some at a time, summed over each sequence: (S, C)."""
        found = np.zeros((len(rows) if self.owners is None else self.n_sequences, n_classes))
        for first in range(0, len(rows), CHUNK):
            part = slice(first, first + CHUNK)
            scores = score(rows[part])
            if self.owners is None:
                found[part] = scores.T
            else:
                for number, row in enumerate(scores):
                    found[:, number] += np.bincount(self.owners[part], row, self.n_sequences)
        return found

    def means(self, values: Floats) -> Floats:
        """The mean (S,) of values (N,) over each sequence."""
        if self.owners is None:
            return values
        found: Floats = np.bincount(self.owners, values) / np.bincount(self.owners)
        return found

    def labels(self, labels: NDArray[Any]) -> NDArray[Any]:
        """The label (S,) of each sequence, from those (N,) of its rows.

        Raises:
            ValueError: Rows of one group with different labels.
        """
        if self.owners is None:
            return labels
        _, first = np.unique(self.owners, return_index=True)
        found: NDArray[Any] = labels[first]
        mixed = np.flatnonzero(found[self.owners] != labels)
        if len(mixed):
            n = int(mixed[0])
            raise ValueError(
                f"row {n} has label {labels[n]}, and the first row of its group {found[self.owners[n]]}; expected "
                "one label for each group"
            )
        return found


def is_list_of_arrays(X: object) -> bool:
    """Whether it is a list, a tuple or an array of objects whose entries are arrays of rows.

    >>> is_list_of_arrays([np.zeros((2, 1))]), is_list_of_arrays([[0.0], [1.0]])
    (True, False)
    """
    entries: Sequence[Any]
    if isinstance(X, (list, tuple)):
        entries = X
    elif getattr(X, "dtype", None) == np.dtype(object) and getattr(X, "ndim", 0) == 1:
        entries = list(X)  # type: ignore[call-overload]
    else:
        return False
    return len(entries) > 0 and getattr(entries[0], "ndim", 0) == 2


def _part(number: int, part: Any) -> NDArray[Any]:
    values = np.asarray(part)
    if values.ndim != 2 or not len(values):
        raise ValueError(f"sequence {number} has shape {values.shape}; expected (T, D), at least one row")
    return values
