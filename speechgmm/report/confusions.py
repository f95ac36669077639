"""Decisions between classes on the page: the confusion matrix, the pairs most confused, and every class."""

from dataclasses import replace
from typing import Any, Final

import numpy as np

from speechgmm.engine.run_folder import RunFolder
from speechgmm.io.run_files import RunFile
from speechgmm.plots import confusion_matrix
from speechgmm.plots.confusion import COUNTS_UP_TO, DRAWN_UP_TO, usual_order
from speechgmm.report.parts import Picture, Section, Table, percent

PAIRS: Final = 20
"""Confusions that are listed."""

ALL_COUNTS_UP_TO: Final = 120
"""Classes up to which the page holds the whole table of counts: it grows by their square."""

WIDE_FROM: Final = 24
"""Classes from which on a confusion matrix scrolls on a small screen."""


def confusions(run: RunFolder) -> Section | None:
    """The confusion matrix, the pairs most confused, and every class."""
    if run.confusion is None:
        return None
    labels, counts = run.confusion
    n, items = len(labels), counts.sum(axis=1)
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    places = np.flatnonzero(wrong)
    order = places[np.argsort(-wrong.flat[places], kind="stable")[:PAIRS]]
    pairs = [
        (labels[true], labels[predicted], int(wrong[true, predicted]), percent(wrong[true, predicted] / items[true]))
        for true, predicted in (divmod(int(place), n) for place in order)
    ]
    caption = f"Most confused pairs ({len(pairs)})" if pairs else "Most confused pairs: none"
    head = ("true class", "confused with", "items", "share of the true class (%)")
    most = Table.of(caption, head, pairs, text=2, folded=n <= COUNTS_UP_TO)
    if n <= ALL_COUNTS_UP_TO:
        corner = ("true \\ predicted", *labels)
        full = Table.of(
            "All counts: true class in rows, predicted class in columns", corner, zip(labels, *counts.T, strict=True)
        )
    else:
        full = replace(most, caption=f"{caption}; all counts are in {RunFile.CONFUSION}", folded=True)
    tables = (most, _per_class(run, wrong, labels))
    if n > DRAWN_UP_TO:
        left_out = f"the picture of the confusion matrix, of {n} classes; it is drawn of up to {DRAWN_UP_TO}"
        return Section("classes", "Confusion matrix", (), tables, left_out=(left_out,))
    order_of_classes = usual_order(labels)
    picture = Picture.of(
        confusion_matrix(counts, labels, order=order_of_classes, title=run.name),
        "confusion",
        alt=f"Confusion matrix of {n} classes; {np.trace(counts)} of {counts.sum()} items are on the diagonal. "
        "The counts are in the table below it.",
        caption="Rows are the true classes, columns the predicted; the darker, the larger the share of the row."
        + (" Lines stand between phone classes." if order_of_classes == "phone" else ""),
        table=full,
        wide=n >= WIDE_FROM,
    )
    return Section("classes", "Confusion matrix", (), tables, (picture,))


def _per_class(run: RunFolder, wrong: Any, labels: tuple[str, ...]) -> Table:
    number = {label: n for n, label in enumerate(labels)}
    rows = []
    for row in run.per_class:
        mistaken = wrong[number[row["class"]]]
        most = f"{labels[mistaken.argmax()]} ({mistaken.max()})" if mistaken.any() else ""
        shares = (percent(float(row[name] or "nan")) for name in ("recall", "precision"))
        rows.append((row["class"], row["items"], row["right"], *shares, most))
    rows.sort(key=lambda row: float("inf") if row[3] == "–" else float(row[3]))
    head = ("class", "items", "correct", "recall (%)", "precision (%)", "most often confused with (items)")
    caption = "Recall and precision of every class, the lowest recall first"
    return Table(caption, head, tuple(rows), frozenset((1, 2, 3, 4)), folded=len(rows) > 12)
