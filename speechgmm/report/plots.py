"""Plots, one function each; they return a matplotlib figure and save nothing (extra ``plot``)."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from speechgmm.io.atomic import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COUNTS_UP_TO = 16
"""Classes up to which the cells hold their counts."""


def plot_confusion(confusion: NDArray[np.int64], labels: Sequence[str], *, title: str = "") -> "Figure":
    """The confusion matrix, true classes in rows, as shares of each row.

    Args:
        confusion: (C, C) counts of test items.
        labels: The C class names.
        title: What was run.
    """
    from matplotlib.figure import Figure

    n = len(labels)
    totals = confusion.sum(axis=1, keepdims=True)
    shares = 100 * confusion / np.maximum(totals, 1)
    side = min(12.0, max(4.2, 0.22 * n + 2.8))
    figure = Figure(figsize=(side + 1.0, side), layout="constrained", dpi=130)
    axes = figure.add_subplot()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=100, aspect="equal")
    size = max(4.0, min(10.0, 190 / max(n, 1) + 2.0))
    axes.set_xticks(range(n), labels, rotation=90 if n > 6 else 0, fontsize=size, parse_math=False)
    axes.set_yticks(range(n), labels, fontsize=size, parse_math=False)
    axes.set_xlabel("decided")
    axes.set_ylabel("true")
    right = 100 * np.trace(confusion) / max(1, confusion.sum())
    axes.set_title(f"{title}: {right:.1f} % of {confusion.sum()} right".lstrip(": "), fontsize=11, parse_math=False)
    if n <= COUNTS_UP_TO:
        for row, column in np.argwhere(confusion > 0):
            dark = shares[row, column] > 55
            axes.text(
                column,
                row,
                str(confusion[row, column]),
                ha="center",
                va="center",
                fontsize=size,
                color="white" if dark else "black",
            )
    axes.set_xticks(np.arange(-0.5, n), minor=True)
    axes.set_yticks(np.arange(-0.5, n), minor=True)
    axes.grid(which="minor", color="0.9", linewidth=0.5)
    axes.tick_params(which="minor", length=0)
    figure.colorbar(image, ax=axes, label="share of the true class (%)", shrink=0.85)
    return figure


def save_figure(figure: "Figure", path: Path) -> None:
    """Write a figure as PNG, whole or not at all, the same bytes for the same figure."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    write_atomically(path, lambda file: file.write(buffer.getvalue()))
