"""What a report says of numbers of components that were chosen: the criterion of every candidate, drawn and listed."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from speechgmm.engine.run_folder import RunFolder
from speechgmm.gmm.criteria import NAMES
from speechgmm.plots.canvas import FAINT, new_axes, plain_text
from speechgmm.plots.training import CURVES_WITH_NAMES
from speechgmm.report.parts import Picture, Section, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKERS: Final = "os^Dv<>p"

WITHIN: Final = 1.0
"""Nats per frame below the best that are shown."""


def plot_choice(
    values: Mapping[str, Sequence[tuple[int, float]]],
    chosen: Mapping[str, int],
    *,
    criterion: str = "bic",
    title: str = "",
) -> "Axes":
    """The criterion of every candidate below the best of its class, and which was chosen.

    Args:
        values: Class -> (number of components, criterion in nats per frame) of each candidate.
        chosen: Class -> the number that it was given.
        criterion: What was counted: bic, aic, held_out or occupancy (frames of the component that holds the fewest).
        title: What was trained.

    >>> plot_choice({"yes": [(1, -9.0), (2, -8.5), (3, -8.6)]}, {"yes": 2}).get_xlabel()
    'components'
    """
    axes = new_axes(title=title)
    occupancy = criterion == "occupancy"
    named = len(values) <= CURVES_WITH_NAMES
    sizes: set[int] = set()
    for number, (label, points) in enumerate(values.items()):
        found = sorted(points)
        x = np.array([size for size, _ in found])
        y = np.array([value for _, value in found])
        sizes.update(x.tolist())
        top = 0.0 if occupancy else y.max()
        style = {"label": plain_text(label)} if named else {"color": FAINT, "alpha": 0.6}
        (line,) = axes.plot(
            x, y - top, marker=MARKERS[number % len(MARKERS)] if named else None, markersize=3.5, linewidth=1.2, **style
        )
        here = x == chosen[label]
        axes.plot(x[here], (y - top)[here], "o", markersize=9, fillstyle="none", color=line.get_color())
    axes.set_xscale("log", base=2)
    shown = [size for size in sorted(sizes) if size & (size - 1) == 0] or sorted(sizes)
    axes.set_xticks(shown, [str(size) for size in shown])
    axes.minorticks_off()
    axes.set_xlabel("components")
    if occupancy:
        axes.set_yscale("log")
        axes.set_ylabel("frames of the lightest component")
    else:
        axes.set_ylim(-WITHIN, 0.05 * WITHIN)
        axes.set_ylabel(f"{NAMES[criterion]}\nbelow the class's best (nats per frame)")
    if named and values:
        axes.legend(frameon=False, fontsize=9)
    return axes


def choice(run: RunFolder) -> Section | None:
    """How many components each class was given, and why; None where their number was set."""
    rows = [row for row in run.classes if row.get("candidates", "[]") != "[]"]
    if not rows:
        return None
    criterion = ((run.config.get("model") or {}).get("choose") or {}).get("criterion", "bic")
    found: dict[str, list[dict[str, float]]] = {row["class"]: json.loads(row["candidates"]) for row in rows}
    chosen = {row["class"]: int(row["n_components"]) for row in rows}
    summary = Table(
        "How many components each class was given, and why",
        ("class", "frames", "components", "why"),
        tuple((row["class"], row["n_frames"], row["n_components"], row["why"]) for row in rows),
        frozenset((1, 2)),
        folded=len(rows) > 12,
    )
    picture = Picture.of(
        plot_choice(
            {label: [(int(one["n_components"]), one["value"]) for one in found[label]] for label in found},
            chosen,
            criterion=criterion,
        ),
        "choice",
        alt=f"The criterion of every candidate for {len(rows)} classes; numbers in the table.",
        caption="A circle is what was chosen. Candidates far below the best lie outside of the picture.",
        table=_candidates(found, criterion),
    )
    text = [
        f"Chosen for each class from its own training frames by {NAMES[criterion]} (model.n_components: auto). What is "
        "best for the density of a class is not always what tells it apart best from others: a sweep over numbers "
        "asks that."
    ]
    if criterion in ("bic", "aic"):
        text.append(
            "It takes every frame for new evidence, and neighbouring frames are alike: other recordings or speakers "
            "may not bear out so many components. choose.criterion: held_out asks them."
        )
    return Section("choice", "Number of components", tuple(text), (summary,), (picture,))


def _candidates(found: Mapping[str, Sequence[Mapping[str, float]]], criterion: str) -> Table:
    """A row for each candidate of each class."""
    unit = "frames of the lightest component" if criterion == "occupancy" else "criterion (nats per frame)"
    return Table.of(
        "Every candidate: the fit's log-likelihood, its parameters, and the criterion",
        (
            "class",
            "components",
            "log-likelihood (nats per frame)",
            "parameters",
            unit,
            "dead",
            "variances at the floor",
        ),
        [
            (
                label,
                int(one["n_components"]),
                f"{one['log_likelihood']:.4f}",
                int(one["n_parameters"]),
                f"{one['value']:.4f}",
                int(one["dead"]),
                int(one["floored"]),
            )
            for label, candidates in found.items()
            for one in candidates
        ],
    )
