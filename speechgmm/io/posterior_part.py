"""The part of a model file that holds posteriors over mixtures, where models were estimated by variational Bayes.

tensor                        shape             what
posterior.weight_counts       (sum of K,)       and mean_counts, variance_counts, counts (frames seen), see BayesianGMM
posterior.means, .scatter     (sum of K, D)
prior.*                       as above, of one  the prior of every class, for classes that are added later
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speechgmm.gmm import BayesianGMM, ConjugatePrior

Tensors = dict[str, NDArray[np.float64]]

OF_CONJUGATE = ("weight_counts", "mean_counts", "variance_counts", "means", "scatter")


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
    sizes = [int(size) for size in header["n_components"]]
    counts = tensors[f"{prefix}counts"]
    if not sizes or sum(sizes) != len(counts) or len(header["process"]) != len(sizes):
        raise ValueError(f"{len(counts)} components of posteriors for n_components {sizes}")
    ends = np.cumsum(sizes)[:-1]
    columns = [np.split(tensors[f"{prefix}{name}"], ends) for name in OF_CONJUGATE]
    return tuple(
        BayesianGMM(ConjugatePrior(*values), process, seen)
        for *values, process, seen in zip(*columns, header["process"], np.split(counts, ends), strict=True)
    )
