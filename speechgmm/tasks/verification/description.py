"""What a file of class models holds, for a person: with the calibration of claims, where there is one."""

from collections.abc import Iterator
from pathlib import Path

from speechgmm.tasks.classification import description
from speechgmm.tasks.classification.codec import ModelFile, read_model_file
from speechgmm.tasks.verification.score_maps import Affine
from speechgmm.tasks.verification.text import stakes


def describe(path: Path) -> Iterator[str]:
    """How the models were made, how they score, and a row for each class."""
    file = read_model_file(path)
    yield from description.describe(path, file, _calibrated(file))


def _calibrated(file: ModelFile) -> Iterator[str]:
    if file.calibration is not None:
        found = file.calibration
        kind = "affine" if isinstance(found.map, Affine) else "PAV"
        kind += " in the score and the cohort's mean score" if found.quality == "cohort" else ""
        yield (
            f"scores of claims: calibrated ({kind}, by {found.by}, {found.n_targets} targets and {found.n_nontargets} "
            f"nontargets); accepted from {found.threshold:.3f} nats on: {stakes(found.decision)}"
        )
