"""The part of a model file that PLDA scoring needs, read: back end, and vectors that enrolled."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import DataError, ShapeError
from speechgmm.io.container import tensor
from speechgmm.io.header import checked
from speechgmm.setting import setting
from speechgmm.vectors.plda import Plda
from speechgmm.vectors.plda_scoring import Enrolled, PldaBackEnd

Floats = NDArray[np.float64]
Tensors = Mapping[str, Floats]


@dataclass(frozen=True, slots=True)
class PldaHeader:
    """What the header says of PLDA."""

    relevance: float = setting(16.0, "of supervectors", gt=0, le=1e12)
    length_norm: bool = True


def read_back_end(header: dict[str, Any], tensors: Tensors) -> PldaBackEnd | None:
    """How vectors are compared; None: claims are not scored by PLDA.

    Raises:
        KeyError: A tensor is missing.
        ValueError: A value of the header out of its range, or a tensor that does not fit.
    """
    if "plda" not in header:
        return None
    said = checked(PldaHeader, header["plda"], "header.plda")
    mean = tensor(tensors, "plda.mean", None)
    n = len(mean)
    centre = tensor(tensors, "plda.centre", None)
    lda = tensor(tensors, "plda.lda", len(centre), n) if "plda.lda" in tensors else None
    try:
        plda = Plda(mean, tensor(tensors, "plda.transform", n, n), tensor(tensors, "plda.psi", n))
        return PldaBackEnd(said.relevance, centre, lda, said.length_norm, plda)
    except (DataError, ShapeError) as error:
        raise ValueError(str(error)) from None


def read_enrolled(back_end: PldaBackEnd | None, tensors: Tensors, prefix: str, n: int) -> Enrolled | None:
    """The vectors of ``n`` speakers; None: claims are not scored by PLDA, or there are no speakers.

    Raises:
        KeyError: A tensor is missing.
        ValueError: A tensor that does not fit; a count that is not above 0.
    """
    if back_end is None or n == 0:
        return None
    counts = tensor(tensors, f"{prefix}counts", n)
    if not (counts > 0).all():
        raise ValueError(f"the tensor {prefix + 'counts'!r} holds a count that is not above 0")
    return Enrolled(counts, tensor(tensors, f"{prefix}sums", n, back_end.plda.n_dims))
