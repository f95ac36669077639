"""What a report says of clusters: the map and the distances, every cluster, and recordings that stand between two."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np

from speechgmm.engine.run_folder import RunFolder
from speechgmm.engine.run_scores import Row
from speechgmm.errors import first_few
from speechgmm.io.run_files import RunFile
from speechgmm.report.parts import Picture, Section, Table, percent
from speechgmm.tasks.clustering.plots import plot_clusters
from speechgmm.tasks.clustering.spec import UNSURE

LISTED: Final = 30


def clusters(run: RunFolder) -> Section | None:
    """The clusters of the test recordings; None where nothing was clustered."""
    rows = run.rows(RunFile.CLUSTERS)
    if not rows:
        return None
    label = run.config["corpus"]["label"]
    metrics = run.metrics
    n_folds = len({row.get("fold", "") for row in rows})
    text = [
        f"Clusters: {metrics['n_clusters']}; classes ({label}): {metrics['n_classes']}"
        + (f", in {n_folds} folds that are clustered one by one." if n_folds > 1 else "."),
        f"NMI alone misleads: every recording by itself would have {percent(metrics['nmi_alone'])} %. ARI is 0 for "
        "chance and for every recording by itself.",
    ]
    sizes = Counter(map(_key, rows))
    doubtful = sorted((row for row in rows if _sureness(row) < UNSURE and sizes[_key(row)] > 1), key=_sureness)
    tables = [_each(rows, label)]
    if doubtful:
        listed = [(row["id"], row["true"], row["cluster"], row["silhouette"]) for row in doubtful[:LISTED]]
        caption = f"Recordings that might as well be in another cluster ({len(listed)} of {len(doubtful)})"
        tables.append(Table.of(caption, ("recording", label, "cluster", "silhouette"), listed, text=3))
    picture = _picture(run, rows)
    return Section("clusters", "Clusters", tuple(text), tuple(tables), (picture,) if picture else ())


def _sureness(row: Row) -> float:
    return float(row["silhouette"])


def _key(row: Row) -> tuple[str, int]:
    """The cluster of a recording: each fold has its own."""
    return row.get("fold", ""), int(row["cluster"])


def _each(rows: Sequence[Row], label: str) -> Table:
    """Every cluster, with the classes of its recordings."""
    members: dict[tuple[str, int], list[Row]] = {}
    for row in rows:
        members.setdefault(_key(row), []).append(row)
    cells = []
    for (fold, number), own in sorted(members.items(), key=lambda one: (one[0][0], -len(one[1]), one[0][1])):
        classes = Counter(row["true"] for row in own).most_common()
        listed = first_few([f"{name} ({n})" for name, n in classes], 5)
        name = f"{fold}: {number}" if fold else str(number)
        sure = f"{np.mean([_sureness(row) for row in own]):.2f}" if len(own) > 1 else "–"
        cells.append((name, listed, len(own), percent(classes[0][1] / len(own)), sure))
    head = ("cluster", f"{label} (recordings)", "recordings", "largest class (%)", "silhouette")
    return Table.of(f"Every cluster ({len(cells)})", head, cells, text=2, folded=len(cells) > LISTED)


def _picture(run: RunFolder, rows: Sequence[Row]) -> Picture | None:
    """The map and the distances of one fold; None where there is one recording, or the table is missing."""
    if not run.has(RunFile.DISTANCES):
        return None
    _, cells = run.table(RunFile.DISTANCES)
    if len(cells) < 2:
        return None
    by_name = {(row.get("fold", ""), row["id"]): row for row in rows}
    own = [by_name[fold, name] for name, fold, *_ in cells]
    distances = np.array([row[2:] for row in cells], np.float64)
    fold, n = cells[0][1], len(cells)
    figure = plot_clusters(
        distances, np.array([int(row["cluster"]) for row in own]), names=[row["true"] for row in own]
    )
    where = f" of fold {fold}" if fold else ""
    return Picture.of(
        figure.axes[0],
        "clusters",
        alt=f"Map of {n} recordings{where} by cluster, and their distances; clusters.tsv has the clusters.",
        caption=f"{n} recordings{where} with the names of their true classes: left, a plane that keeps their "
        "distances as far as it can; right, the distances, dark where two are alike. Colours are clusters.",
        table=None,
        wide=True,
    )
