"""The part of a model file that holds posteriors over mixtures, where models were estimated by variational Bayes.

tensor                        shape             what
posterior.weight_counts       (sum of K,)       and mean_counts, variance_counts, counts (frames seen), see BayesianGMM
posterior.means, .scatter     (sum of K, D)
prior.*                       as above, of one  the prior of every class, for classes that are added later
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speechgmm.gmm import BayesianGMM, ConjugatePrior
from speechgmm.io.container import tensor
from speechgmm.io.header import checked, short

Tensors = dict[str, NDArray[np.float64]]

OF_CONJUGATE = ("weight_counts", "mean_counts", "variance_counts", "means", "scatter")


@dataclass(frozen=True, slots=True)
class PosteriorHeader:
    """What the header says of posteriors."""

    n_components: tuple[int, ...]
    process: tuple[float | None, ...]  # concentration of each; None: the weights are Dirichlet


def posterior_part(prefix: str, posteriors: Sequence[BayesianGMM]) -> tuple[dict[str, Any], Tensors]:
    """What the header says of posteriors, and their tensors, one after another."""
    tensors = {
        f"{prefix}{name}": np.concatenate([getattr(known.conjugate, name) for known in posteriors])
        for name in OF_CONJUGATE
    }
    tensors[f"{prefix}counts"] = np.concatenate([known.counts for known in posteriors])
    header = {
        "n_components": [known.n_components for known in posteriors],
        "process": [known.process for known in posteriors],
    }
    return header, tensors


def read_posterior_part(prefix: str, header: dict[str, Any], tensors: Tensors) -> tuple[BayesianGMM, ...]:
    """The inverse of ``posterior_part``."""
    said = checked(PosteriorHeader, header, f"header.{prefix}".rstrip("."))
    sizes = said.n_components
    if not sizes or min(sizes) < 1 or len(said.process) != len(sizes):
        raise ValueError(f"{len(said.process)} processes for posteriors of {short(sizes)} components")
    counts = tensor(tensors, f"{prefix}counts", sum(sizes))
    if (counts < 0).any():
        raise ValueError(f"the tensor '{prefix}counts' holds a number of frames below 0")
    ends = np.cumsum(sizes)[:-1]
    rows = [tensor(tensors, f"{prefix}{name}", sum(sizes)) for name in OF_CONJUGATE[:3]]
    rows += [tensor(tensors, f"{prefix}{name}", sum(sizes), None) for name in OF_CONJUGATE[3:]]
    columns = [np.split(array, ends) for array in rows]
    return tuple(
        BayesianGMM(ConjugatePrior(*values), process, seen)
        for *values, process, seen in zip(*columns, said.process, np.split(counts, ends), strict=True)
    )
