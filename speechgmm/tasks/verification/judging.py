"""Recordings against the claim that they are of a class."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from speechgmm.engine.recordings import model_frames
from speechgmm.errors import ConfigError, DataError
from speechgmm.parallel import pmap
from speechgmm.tasks.classification.codec import ModelFile
from speechgmm.tasks.verification.codec import ClaimFile


@dataclass(frozen=True, slots=True)
class Judged:
    """A recording against the claim that it is of a class."""

    score: float  # nats per frame above the background model
    llr: float | None  # calibrated, nats; None where the model has no calibration
    n_frames: int


def judge_recordings(
    model: ModelFile, paths: Sequence[Path], claim: str, *, n_jobs: int = 1
) -> Iterator[tuple[Path, Judged | DataError]]:
    """Each recording with its score for the claim that it is of a class, or with why it could not be scored.

    Raises:
        ConfigError: The model has no front end.
    """
    if model.audio is None:
        raise ConfigError("the model was trained on frames, not recordings: score frames with ClassModels in Python")
    work = partial(_judge, ClaimFile.of(replace(model, models=model.models.only(claim))))
    yield from zip(paths, pmap(work, paths, n_jobs=n_jobs, backend="threads"), strict=True)


def _judge(model: ClaimFile, path: Path) -> Judged | DataError:
    audio = model.audio
    if audio is None:
        raise ConfigError("the model has no front end")
    try:
        frames, speech, _ = model_frames(audio, path)
        chosen = frames[speech]
        scores, llrs = model.judged(chosen)
    except DataError as error:
        return error if str(path) in str(error) else DataError(f"{path}: {error}")
    return Judged(float(scores[0]), None if llrs is None else float(llrs[0]), len(chosen))
