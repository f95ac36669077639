"""The part of a model file that says how claims are scored: the method, and the cohort with its norm.

tensor              shape             what
cohort.weights      (N, K)            and cohort.means, cohort.variances (N, K, D): the cohort's N models
norm.models         (C, 2)            mean and deviation of the cohort's recordings against each class
norm.cohort         (N, 2)            the same against each of the cohort's models (zt)
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from speechgmm.tasks.classification.models import ClassModels, Cohort
from speechgmm.tasks.verification.claim_codec import read_cohort, read_method

Tensors = dict[str, NDArray[np.float64]]


def cohort_part(models: ClassModels) -> tuple[dict[str, Any], Tensors]:
    """What the header says of it, and the tensors; nothing where claims are scored the plain way."""
    header: dict[str, Any] = {} if models.method == "llr" else {"method": models.method}
    tensors: Tensors = {}
    cohort = models.cohort
    if cohort is not None and cohort.norm is not None:
        norm = cohort.norm
        header["cohort"] = {"labels": list(cohort.labels), "norm": norm.kind, "top": norm.top}
        for name in ("weights", "means", "variances") if cohort.models else ():
            tensors[f"cohort.{name}"] = np.stack([getattr(model, name) for model in cohort.models])
        for name, statistics in (("norm.models", norm.by_model), ("norm.cohort", norm.by_cohort_model)):
            if statistics is not None:
                tensors[name] = statistics
    return header, tensors


def read_cohort_part(header: dict[str, Any], tensors: Tensors) -> dict[str, Any]:
    """The inverse of ``cohort_part``: fields of ``ClassModels``."""
    fields: dict[str, Any] = {"method": read_method(header)}
    if "cohort" in header:
        fields["cohort"] = Cohort(*read_cohort(header["cohort"], tensors, len(header["labels"])))
    return fields
