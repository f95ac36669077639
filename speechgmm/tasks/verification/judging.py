"""Recordings against the claim that they are of a class."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from numbers import Real
from pathlib import Path

from speechgmm.engine.audio_input import AudioInput
from speechgmm.engine.recordings import model_frames
from speechgmm.errors import ConfigError, DataError, check_type, first_few
from speechgmm.io.samples import AudioSource
from speechgmm.parallel import pmap
from speechgmm.tasks.classification.codec import ModelFile
from speechgmm.tasks.verification.codec import ClaimFile


def claimable(model: ModelFile, path: Path, claim: str, threshold: float | None) -> tuple[ClaimFile, float]:
    """The model with which a claim can be judged, and the threshold: the one given, else the model's.

    Raises:
        ConfigError: The claim is not a class of the model, it has no background model, or the threshold is no number.
    """
    file = ClaimFile.of(model)
    if file.models.ubm is None:
        raise ConfigError(f"{path} has no background model to judge a claim by; train with model.adapt: map")
    if claim not in file.models.labels:
        known = first_few(file.models.labels, 10)
        raise ConfigError(f"claim {claim}: no such class; the model has {known} (enrol adds one)", arguments=("claim",))
    if threshold is None:
        return file, 0.0 if file.threshold is None else file.threshold
    check_type("threshold", threshold, Real, "a number")
    if math.isnan(threshold):
        raise ConfigError("threshold nan: nothing is above or below it; expected a number", arguments=("threshold",))
    return file, threshold


@dataclass(frozen=True, slots=True)
class Judged:
    """A recording against the claim that it is of a class."""

    score: float  # in the unit of the model's scores of claims; 0 where no frame is voiced
    llr: float | None  # calibrated, nats; None where the model has no calibration
    n_frames: int

    def is_accepted(self, threshold: float) -> bool:
        """Whether the ratio, or the score where there is none, is at the threshold or above it."""
        return (self.score if self.llr is None else self.llr) >= threshold

    def decision(self, threshold: float) -> str:
        """Accept or reject."""
        return "accept" if self.is_accepted(threshold) else "reject"


def judge_recordings(
    model: ModelFile, paths: Sequence[AudioSource], claim: str, *, n_jobs: int = 1
) -> Iterator[tuple[AudioSource, Judged | DataError]]:
    """Each recording with its score for the claim that it is of a class, or with why it could not be scored.

    Raises:
        ConfigError: The model has no front end.
    """
    if model.audio is None:
        raise ConfigError("the model was trained on frames, not recordings: score frames with ClassModels in Python")
    work = partial(_judge, ClaimFile.of(replace(model, models=model.models.only(claim))), model.audio)
    yield from zip(paths, pmap(work, paths, n_jobs=n_jobs, backend="threads"), strict=True)


def _judge(model: ClaimFile, audio: AudioInput, path: AudioSource) -> Judged | DataError:
    try:
        frames, speech, _ = model_frames(audio, path, unvoiced=True)
        chosen = frames[speech]
        scores, llrs = model.judged(chosen)
    except DataError as error:
        return error.about(path)
    return Judged(float(scores[0]), None if llrs is None else float(llrs[0]), len(chosen))
