"""Class models with a background model in Python: they judge claims too."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speechgmm.engine.loaded_model import OnError
from speechgmm.engine.results import Result
from speechgmm.errors import DataError
from speechgmm.io.container import kind_of
from speechgmm.io.samples import AudioSource
from speechgmm.parallel import free_workers
from speechgmm.tasks.classification import interface
from speechgmm.tasks.classification.codec import ModelFile
from speechgmm.tasks.verification.codec import ClaimFile
from speechgmm.tasks.verification.judging import claimable, judge_recordings
from speechgmm.tasks.verification.models import ClaimModels


@dataclass(frozen=True, slots=True)
class VerificationResult(Result):
    """The score of, and the decision on, the claim that a recording is of a class.

    >>> VerificationResult("a.wav", "ann", 0.7, 3.2, 2.0, "accept", 180).accepted
    True
    """

    recording: str
    claim: str
    score: float  # nats per frame, a cosine, or nats (plda); normalised: standard deviations of the cohort's scores
    llr: float | None  # calibrated log-likelihood ratio, nats; None: the model has no calibration
    threshold: float  # of the ratio, or of the score where there is none
    decision: str  # accept or reject
    n_frames: int

    @property
    def accepted(self) -> bool:
        """Whether the claim is accepted."""
        return self.decision == "accept"

    def rows(self) -> list[dict[str, Any]]:
        """One row."""
        return [self.to_dict()]


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class ClaimModel(interface.ClassModel):
    """Models of classes with a background model. Safe to use from several threads at once."""

    def verify(
        self,
        audio: Any,
        sample_rate: int | None = None,
        *,
        claim: str,
        threshold: float | None = None,
        n_jobs: int = 1,
        on_error: OnError = "raise",
    ) -> Any:
        """Accept or reject the claim that a recording is of a class.

        Parameters
        ----------
        audio, sample_rate, n_jobs, on_error
            As for ``classify``.
        claim
            The class that the recording is claimed to be of.
        threshold
            Least log-likelihood ratio (nats) to accept, or least score for a model that is not calibrated. None: the
            threshold of the model, from its prior and costs, or 0.

        Returns
        -------
        VerificationResult, or a list of them

        Raises
        ------
        ConfigError
            A claim that is no class of the model; a threshold that is no number; otherwise as for ``classify``.
        DataError
            A recording cannot be used, see ``on_error``.
        """
        file, least = claimable(self.file, self.path, claim, threshold)

        def work(sources: Sequence[AudioSource]) -> Iterator[tuple[AudioSource, Any]]:
            for source, found in judge_recordings(file, sources, claim, n_jobs=free_workers(n_jobs, len(sources))):
                if isinstance(found, DataError):
                    yield source, found
                    continue
                decision = found.decision(least)
                values = (found.score, found.llr, least, decision, found.n_frames)
                yield source, VerificationResult(str(source), claim, *values)

        return self._each(audio, sample_rate, work, on_error)

    def beyond_mixtures(self) -> dict[str, str]:
        """What scoring does beside summing over the mixtures, and how claims are scored and decided."""
        found = interface.ClassModel.beyond_mixtures(self)
        models = self.file.models
        if self.file.calibration is not None:
            found["calibration"] = "a map of scores of claims to log-likelihood ratios, and the threshold of unknown"
        if isinstance(models, ClaimModels) and models.method != "llr":
            how = {"linear": "linearly in the means", "cosine": "by cosines of supervectors", "plda": "by PLDA"}[
                models.method
            ]
            found[f"{models.method}-scoring"] = f"claims are scored {how}"
        if isinstance(models, ClaimModels) and models.cohort is not None:
            found["score-norm"] = "scores of claims are normalised by a cohort"
        return found


def of_file(path: Path, file: ModelFile) -> ClaimModel:
    """A model file that was read."""
    is_of_claims = kind_of(path).extends is not None
    return ClaimModel(path, "verification" if is_of_claims else "classification", ClaimFile.of(file))


def load(path: Path, *, resample: bool = False) -> interface.ClassModel:
    """The models of a file of claims."""
    return interface.load(path, resample=resample)
