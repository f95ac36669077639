"""Training curves: what EM gained with every iteration."""

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from speechgmm.errors import DataError
from speechgmm.plots.canvas import FAINT, NONTARGET, TARGET, finished, new_axes, plain_text
from speechgmm.plots.sources import Run, labelled_traces

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CURVES_WITH_NAMES: Final = 8
"""Training curves up to which each has a colour and a name."""


MOST_CURVES: Final = 500
"""Curves that are drawn; of more every second, third, ... in the order of what they gained."""


def training_curves(
    fits: Run | Mapping[str, Any] | Sequence[float] | Any,
    *,
    gain: bool = True,
    title: str = "",
    ax: "Axes | None" = None,
    save: "str | PathLike[str] | None" = None,
) -> "Axes":
    """The rise of the objective of EM with every iteration, a line for each class.

    Parameters
    ----------
    fits : run, Fit, sequence of float, or mapping from labels to Fit or sequence
        Fits, or the values of the objective as ``Fit.trace`` has them: before each iteration and at the end, in nats
        per frame.
    gain : bool
        True: draw the gain since the start of training. False: draw the objective itself; it differs more between
        classes than it rises in training.
    title : str, optional
        Text above the axes.
    ax : Axes, optional
        Where to draw; default: a new figure.
    save : str or Path, optional
        A file to write: .png, .svg or .pdf.

    Returns
    -------
    Axes
        A line for each class. With more than 8 classes, only three lines have a name: those of the least, the median
        and the largest gain. With more than 500 classes, only every second, third, ... class is drawn.

    Raises
    ------
    DataError
        Nothing was trained.

    Examples
    --------
    >>> from speechgmm import plots
    >>> ax = plots.training_curves({"yes": [-80.5, -79.0, -78.8], "no": [-81.0, -80.2]})
    >>> [round(float(line.get_ydata()[-1]), 1) for line in ax.lines]
    [1.7, 0.8]
    """
    found = {label: np.asarray(trace, float) for label, trace in labelled_traces(fits).items() if len(trace)}
    if not found:
        raise DataError("no training curve: nothing was trained")
    from matplotlib.ticker import MaxNLocator

    axes = new_axes(ax, title=title)
    curves = {label: trace - trace[0] for label, trace in found.items()}
    last = sorted(curves, key=lambda label: float(curves[label][-1]))
    curves = curves if gain else found
    if len(curves) <= CURVES_WITH_NAMES:
        for number, (label, curve) in enumerate(curves.items()):
            axes.plot(curve, marker="os^Dv<>p"[number], markersize=3.5, linewidth=1.2, label=plain_text(label))
    else:
        marked = {last[0]: ("least", NONTARGET, "--"), last[len(last) // 2]: ("median", "black", "-")}
        marked[last[-1]] = ("most", TARGET, "-.")
        for label in last[:: -(-len(last) // MOST_CURVES)]:
            if label not in marked:
                axes.plot(curves[label], color=FAINT, alpha=0.4, linewidth=0.7)
        for label, (what, color, style) in marked.items():
            name = f"{what}: {plain_text(label)}"
            axes.plot(curves[label], color=color, linestyle=style, linewidth=1.6, label=name)
    axes.set_xlabel("iteration")
    axes.set_ylabel(f"{'gain since the start' if gain else 'objective'} (nats per frame)")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if any(curves):
        axes.legend(frameon=False, fontsize=9)
    return finished(axes, save)
