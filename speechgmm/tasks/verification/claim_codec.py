"""The parts of a model file that say how claims are scored and decided, read: cohort, norm and calibration."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speechgmm.gmm import DiagGMM
from speechgmm.io.container import tensor
from speechgmm.io.header import checked
from speechgmm.setting import setting
from speechgmm.tasks.classification.spec import DecisionSpec
from speechgmm.tasks.verification.models import Cohort, Method
from speechgmm.tasks.verification.score_maps import Affine, Calibration, Pav, ScoreMap
from speechgmm.tasks.verification.score_norm import BY_MODELS, BY_RECORDINGS, Kind, ScoreNorm
from speechgmm.tasks.verification.spec import Quality
from speechgmm.vectors.cosine_scoring import Compensation
from speechgmm.vectors.within_class import WithinClass

Tensors = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class MethodHeader:
    """What the header says of scoring."""

    method: Method = "llr"
    relevance: float | None = setting(None, "of the adaptation of a test: cosine", gt=0, le=1e12)


@dataclass(frozen=True, slots=True)
class CohortHeader:
    """What the header says of a cohort."""

    labels: tuple[str, ...]
    norm: Kind
    top: int | None = setting(None, "of the cohort, that count", ge=2)


@dataclass(frozen=True, slots=True)
class AffineHeader:
    """What the header says of an affine map."""

    weights: tuple[float, ...]
    offset: float
    separated: bool


@dataclass(frozen=True, slots=True)
class CalibrationHeader:
    """What the header says of a calibration."""

    threshold: float
    decision: DecisionSpec
    by: str
    n_targets: int
    n_nontargets: int
    n_frames: tuple[int, int]
    quality: Quality = "none"
    affine: AffineHeader | None = None


def read_method(header: dict[str, Any]) -> Method:
    """How claims are scored. Raises ValueError for a method that there is not."""
    return checked(MethodHeader, header).method


def read_compensation(header: dict[str, Any], tensors: Tensors) -> Compensation | None:
    """How recordings become points; None: claims are not scored by cosines.

    Raises:
        KeyError: A tensor is missing.
        ValueError: A tensor that does not fit, gains outside of 0 to 1.
    """
    said = checked(MethodHeader, header)
    if said.relevance is None:
        return None
    if "within.mean" not in tensors:
        return Compensation(said.relevance)
    gains = tensor(tensors, "within.gains", None)
    mean = tensor(tensors, "within.mean", None)
    if (gains < 0).any() or (gains > 1).any():
        raise ValueError("the tensor 'within.gains' holds a factor that is not from 0 to 1")
    return Compensation(
        said.relevance, WithinClass(mean, tensor(tensors, "within.directions", len(gains), len(mean)), gains)
    )


def read_cohort(header: dict[str, Any], tensors: Tensors, n_classes: int) -> Cohort:
    """A cohort, for so many classes.

    Raises:
        KeyError: A tensor is missing.
        ValueError: A value of the header out of its range, or a tensor that does not fit.
    """
    said = checked(CohortHeader, header, "header.cohort")
    n = len(said.labels)
    models: tuple[DiagGMM, ...] = ()
    if n:
        weights = tensor(tensors, "cohort.weights", n, None)
        shape = (n, weights.shape[1], None)
        parts = (weights, *(tensor(tensors, f"cohort.{name}", *shape) for name in ("means", "variances")))
        models = tuple(DiagGMM(*values) for values in zip(*parts, strict=True))
    if said.norm in BY_MODELS and n < max(2, said.top or 2):
        raise ValueError(f"a norm {said.norm!r} by {n} models of a cohort; expected {max(2, said.top or 2)} or more")
    by_model = _statistics(tensors, "norm.models", n_classes) if said.norm in BY_RECORDINGS else None
    by_cohort = _statistics(tensors, "norm.cohort", n) if said.norm == "zt" else None
    return Cohort(said.labels, models, ScoreNorm(said.norm, said.top, by_model, by_cohort))


def _statistics(tensors: Tensors, name: str, n: int) -> NDArray[np.float64]:
    found = tensor(tensors, name, n, 2)
    if (found[:, 1] <= 0).any():
        raise ValueError(f"the tensor {name!r} holds a standard deviation that is not above 0")
    return found


def read_calibration(header: dict[str, Any], tensors: Tensors) -> Calibration:
    """The calibration of a model file.

    Raises:
        KeyError: A tensor is missing.
        ValueError: A value of the header out of its range, or a tensor that does not fit.
    """
    said = checked(CalibrationHeader, header, "header.calibration")
    found: ScoreMap
    if said.affine is not None:
        n_inputs = 1 if said.quality == "none" else 2
        if len(said.affine.weights) != n_inputs:
            raise ValueError(f"{len(said.affine.weights)} weights in header.calibration.affine; expected {n_inputs}")
        found = Affine(np.array(said.affine.weights), said.affine.offset, said.affine.separated)
    else:
        scores = tensor(tensors, "calibration.scores", None)
        found = Pav(scores, tensor(tensors, "calibration.llrs", len(scores)))
        if said.quality != "none" or not len(scores) or (np.diff(scores) < 0).any() or (np.diff(found.llrs) < 0).any():
            raise ValueError("a calibration whose blocks do not rise")
    shortest, longest = said.n_frames
    if min(said.n_targets, said.n_nontargets, shortest) < 0 or longest < shortest:
        raise ValueError("numbers of trials or frames in header.calibration that are below 0 or out of order")
    return Calibration(
        found,
        said.threshold,
        said.decision,
        said.by,
        said.n_targets,
        said.n_nontargets,
        said.n_frames,
        said.quality,
    )
