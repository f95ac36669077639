"""The model file of claims: that of classes, with how claims are scored, normalised, calibrated and decided.

tensor              shape             what
cohort.weights      (N, K)            and cohort.means, cohort.variances (N, K, D): the cohort's N models
norm.models         (C, 2)            mean and standard deviation of the cohort's recordings against each class
norm.cohort         (N, 2)            the same against each of the cohort's models (zt)
within.*            (KD,), (R, KD), (R,)   cosine: mean, directions and gains of what differs within a speaker
plda.*              (M,), (M, d), (d,), (d, d)   plda: centre, lda; mean, psi and transform of the model
enrolled.*          (C,), (C, d)      plda: counts and sums of the vectors that enrolled each class
cohort.enrolled_*   (N,), (N, d)      the same of the cohort's models
calibration.*       (B,)              scores and llrs of the blocks of PAV; an affine map is in the header
"""

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import DataError
from speechgmm.tasks.classification.codec import UNKNOWN, ModelFile
from speechgmm.tasks.verification.claim_codec import read_calibration, read_cohort, read_compensation, read_method
from speechgmm.tasks.verification.models import ClaimModels
from speechgmm.tasks.verification.plda_codec import read_back_end, read_enrolled
from speechgmm.tasks.verification.score_maps import Calibration, Pav

Tensors = dict[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class ClaimFile(ModelFile):
    """What the model file of claims holds."""

    calibration: Calibration | None = None  # None: scores of claims stay scores

    @classmethod
    def of(cls, file: ModelFile) -> "ClaimFile":
        """A file of class models as one of claims, without a calibration where it has none."""
        return file if isinstance(file, cls) else cls(*(getattr(file, field.name) for field in fields(file)))

    @property
    def threshold(self) -> float | None:
        """The ratio from which on the best class is decided, and not unknown."""
        return None if self.calibration is None else self.calibration.threshold

    @property
    def decisions(self) -> tuple[str, ...]:
        """Unknown, where a calibration decides it."""
        return () if self.calibration is None else (UNKNOWN,)

    def fitted(self) -> tuple[str, ...]:
        """The temperature, and the calibration with its threshold."""
        calibrated = ("the calibration of its scores and the threshold of its decisions",)
        return ModelFile.fitted(self) + (() if self.calibration is None else calibrated)

    def more(self) -> tuple[dict[str, Any], Tensors]:
        """The method, the cohort and the calibration."""
        header, tensors = self.models.more()
        if self.calibration is None:
            return header, tensors
        about, arrays = _calibration_header(self.calibration)
        return {**header, "calibration": about}, tensors | arrays

    def llrs(self, frames: NDArray[np.float32]) -> NDArray[np.float64] | None:
        """Calibrated log-likelihood ratios (C,) in nats of frames (T, D); None: there is no calibration.

        Raises:
            DataError: A score that is NaN, by which nothing is decided.
        """
        return None if self.calibration is None else self.judged(frames)[1]

    def judged(self, frames: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        """Scores (C,) of the claims that frames (T, D) are of each class, and their ratios where they are calibrated.

        Raises:
            DataError: One of them is NaN, by which nothing is decided.
        """
        found = self.models.claim_scores([frames])
        scores, llrs = found.scores[:, 0], None
        if self.calibration is not None:
            means = None if found.cohort_means is None else np.broadcast_to(found.cohort_means, scores.shape)
            llrs = self.calibration.llrs(scores, means)
        bad = np.isnan(scores) if llrs is None else np.isnan(scores) | np.isnan(llrs)
        if bad.any():
            label = self.models.labels[int(bad.argmax())]
            raise DataError(f"the score of class {label!r} is NaN, and nothing is decided by it; train the model again")
        return scores, llrs


def model_file(classes: dict[str, Any], rest: dict[str, Any], header: dict[str, Any], tensors: Tensors) -> ClaimFile:
    """A model file of the fields of ``ClassModels`` and ``ModelFile``, with what it holds of claims."""
    calibration = read_calibration(header["calibration"], tensors) if "calibration" in header else None
    cohort = read_cohort(header["cohort"], tensors, len(classes["labels"])) if "cohort" in header else None
    back_end = read_back_end(header, tensors)
    if cohort is not None:
        cohort = replace(cohort, enrolled=read_enrolled(back_end, tensors, "cohort.enrolled_", len(cohort.models)))
    enrolled = read_enrolled(back_end, tensors, "enrolled.", len(classes["labels"]))
    method, compensation = read_method(header), read_compensation(header, tensors)
    scoring: dict[str, Any] = {"method": method, "compensation": compensation, "back_end": back_end}
    models = ClaimModels(**classes, **scoring, cohort=cohort, enrolled=enrolled)
    return ClaimFile(models, **rest, calibration=calibration)


def _calibration_header(calibration: Calibration) -> tuple[dict[str, Any], dict[str, NDArray[np.float64]]]:
    header = {
        "threshold": calibration.threshold,
        "decision": asdict(calibration.decision),
        "by": calibration.by,
        "n_targets": calibration.n_targets,
        "n_nontargets": calibration.n_nontargets,
        "n_frames": list(calibration.n_frames),
        **({} if calibration.quality == "none" else {"quality": calibration.quality}),
    }
    found = calibration.map
    if isinstance(found, Pav):
        return header, {"calibration.scores": found.scores, "calibration.llrs": found.llrs}
    affine = {"weights": found.weights.tolist(), "offset": found.offset, "separated": found.separated}
    return {**header, "affine": affine}, {}
