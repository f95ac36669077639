"""What a file of claims holds, for a person: class models, how claims are scored, and their calibration."""

from collections.abc import Iterator
from pathlib import Path

from speechgmm.tasks.classification.codec import read_model_file
from speechgmm.tasks.classification.description import lines_about
from speechgmm.tasks.verification.codec import ClaimFile
from speechgmm.tasks.verification.models import ClaimModels
from speechgmm.tasks.verification.score_maps import Affine
from speechgmm.tasks.verification.text import stakes


def describe(path: Path) -> Iterator[str]:
    """How the models were made, how they score, and a row for each class."""
    file = ClaimFile.of(read_model_file(path))
    return lines_about(path, file, _claims(file))


def _claims(file: ClaimFile) -> Iterator[str]:
    models = file.models
    if isinstance(models, ClaimModels):
        if models.method == "linear":
            yield "claims are scored to first order in the means (linear)"
        if models.compensation is not None:
            within = models.compensation.within
            yield f"claims are scored by cosines of supervectors (relevance {models.compensation.relevance:g})"
            if within is not None:
                yield f"{len(within.gains)} directions in which recordings of a speaker differ count for less"
        if models.back_end is not None:
            plda = models.back_end.plda
            made = "" if models.back_end.lda is None else f" (projected from {len(models.back_end.centre)})"
            yield f"claims are scored by PLDA of vectors of {plda.n_dims} dimensions{made}"
        if models.cohort is not None and models.cohort.norm is not None:
            norm = models.cohort.norm.kind
            yield f"claims are normalised ({norm}) by a cohort; the file holds {len(models.cohort.labels)} models of it"
    if file.calibration is not None:
        found = file.calibration
        kind = "affine" if isinstance(found.map, Affine) else "PAV"
        kind += " in the score and the cohort's mean score" if found.quality == "cohort" else ""
        yield (
            f"scores of claims: calibrated ({kind}, by {found.by}, {found.n_targets} targets and {found.n_nontargets} "
            f"non-targets); accepted from {found.threshold:.3f} nats on: {stakes(found.decision)}"
        )
