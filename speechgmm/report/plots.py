"""Plots, one function each; they return a matplotlib figure and save nothing (extra ``report`` or ``plot``)."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import ShapeError
from speechgmm.io.atomic import write_atomically
from speechgmm.report.canvas import FAINT, NONTARGET, TARGET, new_axes, printable
from speechgmm.report.detection_plots import plot_calibration, plot_det, plot_scores, plot_tippett

if TYPE_CHECKING:
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

__all__ = [
    "plot_calibration",
    "plot_confusion",
    "plot_det",
    "plot_scores",
    "plot_spectrogram",
    "plot_tippett",
    "plot_training",
    "save_figure",
]

COUNTS_UP_TO: Final = 16
"""Classes up to which the cells hold their counts."""

NAMES_UP_TO: Final = 120
"""Classes up to which each has its name at the axes; of more, every second, third, ... has."""

CURVES_WITH_NAMES: Final = 8
"""Training curves up to which each has a colour and a name of its own."""

SPECTROGRAM_COLUMNS: Final = 260
SPECTROGRAM_LEVELS: Final = 32
SPECTROGRAM_RANGE: Final = 60.0
"""dB below the loudest that are told apart."""


def plot_confusion(
    confusion: NDArray[np.int64], labels: Sequence[str], *, title: str = "", headline: str = ""
) -> "Figure":
    """The confusion matrix, true classes in rows, as shares of each row.

    Args:
        confusion: (C, C) counts of test items.
        labels: The C class names.
        title: What was run.
        headline: What stands beside it; default: the share of the diagonal.

    >>> plot_confusion(np.array([[9, 1], [0, 5]]), ["yes", "no"]).axes[0].get_title("left")
    '93.3 % of 15 correct'
    """
    from matplotlib.figure import Figure

    n = len(labels)
    totals = confusion.sum(axis=1, keepdims=True)
    shares = 100 * confusion / np.maximum(totals, 1)
    side = min(12.0, max(4.2, 0.22 * n + 2.8))
    figure = Figure(figsize=(side + 1.0, side), layout="constrained", dpi=130)
    axes = figure.add_subplot()
    image = axes.imshow(shares, cmap=_blues(), vmin=0, vmax=100, aspect="equal", interpolation="none")
    size = max(3.0, min(10.0, 0.7 * 72 * side / (n + 4)))  # points: a row has about 0.85 of this for its name
    named = range(0, n, -(-n // NAMES_UP_TO) or 1)
    names = [printable(labels[number]) for number in named]
    axes.set_xticks(named, names, rotation=90 if n > 6 else 0, fontsize=size, parse_math=False)
    axes.set_yticks(named, names, fontsize=size, parse_math=False)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    right = 100 * np.trace(confusion) / max(1, confusion.sum())
    headline = headline or f"{right:.1f} % of {confusion.sum()} correct"
    axes.set_title(printable(f"{title}: {headline}".lstrip(": ")), fontsize=11, loc="left", parse_math=False)
    if n <= COUNTS_UP_TO:
        for row, column in np.argwhere(confusion > 0):
            dark = shares[row, column] > 80
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
    axes.grid(which="minor", color=FAINT, alpha=0.2, linewidth=0.5)
    axes.tick_params(which="minor", length=0)
    figure.colorbar(image, ax=axes, label="share of the true class (%)", fraction=0.04, pad=0.02, shrink=0.7)
    return figure


def _blues() -> "Colormap":
    """From nothing to a blue that bears white numbers: nothing is the page, be it light or dark."""
    from matplotlib.colors import LinearSegmentedColormap

    shares = np.linspace(0, 1, 64)
    # Small shares rise fast: what is confused now and then must be seen on a dark page too.
    return LinearSegmentedColormap.from_list("blues", [(0.11, 0.42, 0.75, share**0.6) for share in shares])


def plot_training(traces: Mapping[str, Sequence[float]], *, title: str = "") -> "Figure":
    """What EM gained since its start, for every class.

    Args:
        traces: Class -> its objective (nats per frame) before each iteration and at the end, as ``Fit.trace``.
        title: What was trained.

    >>> plot_training({"yes": [-80.5, -79.0, -78.8], "no": [-81.0, -80.2]}).axes[0].get_xlabel()
    'iteration'
    """
    from matplotlib.ticker import MaxNLocator

    figure, axes = new_axes(title=title)
    gains = {label: np.asarray(trace, float) - trace[0] for label, trace in traces.items() if len(trace)}
    if len(gains) <= CURVES_WITH_NAMES:
        for number, (label, gain) in enumerate(gains.items()):
            axes.plot(gain, marker="os^Dv<>p"[number], markersize=3.5, linewidth=1.2, label=plain_text(label))
    else:
        last = sorted(gains, key=lambda label: float(gains[label][-1]))
        marked = {last[0]: ("least", NONTARGET, "--"), last[len(last) // 2]: ("median", "black", "-")}
        marked[last[-1]] = ("most", TARGET, "-.")
        for label, gain in gains.items():
            if label not in marked:
                axes.plot(gain, color=FAINT, alpha=0.4, linewidth=0.7)
        for label, (what, color, style) in marked.items():
            name = f"{what}: {plain_text(label)}"
            axes.plot(gains[label], color=color, linestyle=style, linewidth=1.6, label=name)
    axes.set_xlabel("iteration")
    axes.set_ylabel("gain since the start (nats per frame)")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if gains:
        axes.legend(frameon=False, fontsize=9)
    return figure


def plain_text(label: str, most: int = 28) -> str:
    """A label for a legend: printable, not taken for mathematics, not hidden for its underscore, not too long.

    >>> plain_text("_a$b")
    ' _a\\\\$b'
    """
    label = printable(label)
    short = label if len(label) <= most else label[: most - 1] + "…"
    return (" " if short.startswith("_") else "") + short.replace("$", r"\$")


def plot_spectrogram(
    samples: ArrayLike, sample_rate: int, *, start: float = 0.0, segment: tuple[float, float] | None = None
) -> "Figure":
    """Level over time and frequency, from Hann windows of 16 ms: from black, 60 dB below the loudest, to bright.

    Args:
        samples: (N,) float.
        sample_rate: Hz.
        start: Time of the first sample in s, for the axis.
        segment: Begin and end (s) of the part that is meant, marked by lines.

    Raises:
        ShapeError: Samples that are not a vector, or fewer than a window of them.

    >>> plot_spectrogram(np.sin(np.arange(8000)), 8000).axes[0].get_ylabel()
    'frequency (kHz)'
    """
    level, stop = levels(samples, sample_rate, start)

    from matplotlib import colormaps

    # Margins that suit every spectrogram: laying each out anew takes longer than drawing it.
    figure, axes = new_axes(height=1.9, margins=(0.1, 0.24, 0.96, 0.96))
    axes.grid(visible=False)
    axes.imshow(
        level.T,
        origin="lower",
        aspect="auto",
        interpolation="none",
        cmap=colormaps["magma"].resampled(SPECTROGRAM_LEVELS),
        vmin=-SPECTROGRAM_RANGE,
        vmax=0,
        extent=(start, stop, 0, sample_rate / 2000),
    )
    for edge in segment or ():
        axes.axvline(edge, color="white", linewidth=1.2, linestyle="--")
    axes.set_xlabel("time (s)")
    axes.set_ylabel("frequency (kHz)")
    return figure


def levels(
    samples: ArrayLike,
    sample_rate: int,
    start: float = 0.0,
    *,
    window: float = 0.016,
    hops: int = 4,
    n_columns: int = SPECTROGRAM_COLUMNS,
) -> tuple[NDArray[np.float64], float]:
    """Levels (columns, bins) in dB below the loudest, and the time (s) where the last window ends.

    Hann windows of about ``window`` seconds begin ``hops`` times a window's length; of long samples at most
    ``n_columns`` do, evenly spread.

    Raises:
        ShapeError: Samples that are not a vector, or fewer than a window of them.
    """
    values = np.asarray(samples, np.float64)
    length = 1 << max(5, round(np.log2(window * sample_rate)))
    if values.ndim != 1 or len(values) < length:
        raise ShapeError(f"samples {values.shape}; expected a vector of at least {length} of them, one window")
    hop = max(length // hops, -(-(len(values) - length) // n_columns))
    windows = np.lib.stride_tricks.sliding_window_view(values, length)[::hop]
    power = np.abs(np.fft.rfft(windows * np.hanning(length), axis=1)) ** 2  # (columns, bins)
    level = 10 * np.log10(np.maximum(power, 1e-12 * max(float(power.max()), 1e-30)))
    level = np.maximum(level - level.max(), -SPECTROGRAM_RANGE)
    return level, start + ((len(windows) - 1) * hop + length) / sample_rate


def save_figure(figure: "Figure", path: Path) -> None:
    """Write a figure as PNG, whole or not at all, the same bytes for the same figure."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    write_atomically(path, lambda file: file.write(buffer.getvalue()))
