"""What limits a clustering, and what to do next: each hint is a measurement of the run and a remedy."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

import numpy as np

from speechgmm.engine.hints import FEWEST, MUCH
from speechgmm.errors import counted
from speechgmm.tasks.clustering.evaluation import Clustered, ClusteringEvaluation
from speechgmm.tasks.clustering.spec import ClusteringSpec

OFF: Final = 1.25
"""Clusters for each class from which on, or classes for each cluster, their number is worth a line."""

SHORTER: Final = 0.7
"""Share of the others' length below which recordings are short."""


def hints_of_clusters(tested: Clustered, evaluation: ClusteringEvaluation, spec: ClusteringSpec) -> Iterator[str]:
    """Whether there are too many clusters or too few, and whether recordings alone in a cluster are the short ones."""
    n_clusters, n_classes = evaluation.n_clusters, evaluation.n_classes
    shares = ", ".join(f"{name} {100 * evaluation.metrics[name].value:.0f} %" for name in ("purity", "coverage"))
    found = f"{counted(n_clusters, 'cluster')} for {counted(n_classes, 'class')} ({shares})"
    stop = {part.found.threshold for part in tested.parts if part.found.threshold is not None}
    if spec.n_clusters is None and stop:
        at = f"clustering.threshold ({', '.join(f'{value:g}' for value in sorted(stop))})"
        if n_clusters > OFF * n_classes:
            yield f"{found}: classes are divided; a higher {at}, or longer recordings"
        elif n_classes > OFF * n_clusters:
            yield f"{found}: classes are merged; a lower {at}"
    alone, others = list[int](), list[int]()
    for part in tested.parts:
        sizes, of_class = Counter(part.found.labels.tolist()), Counter(part.true)
        for label, name, n in zip(part.found.labels.tolist(), part.true, part.n_frames, strict=True):
            if of_class[name] > 1:
                (alone if sizes[label] == 1 else others).append(n)
    total = len(alone) + len(others)
    if len(alone) < max(FEWEST, MUCH * total / 2) or not others:
        return
    short, usual = float(np.median(alone)), float(np.median(others))
    if short < SHORTER * usual:
        yield (
            f"{len(alone)} of {total} recordings are alone in a cluster, with a median of {short:.0f} frames against "
            f"{usual:.0f} of the others: they are too short; leave them out, or cluster longer recordings"
        )
