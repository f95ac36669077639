"""The units that training goes on from: those of a recogniser that was trained before, with its frames."""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from speechgmm.config.writing import differences
from speechgmm.engine.audio_input import AudioInput
from speechgmm.engine.job import Job
from speechgmm.errors import ConfigError, DataError, counted, first_few
from speechgmm.hmm import HMMSpec, Units
from speechgmm.hmm.recognition_spec import RecognitionSpec
from speechgmm.io.feature_store import digest
from speechgmm.io.run_files import model_file
from speechgmm.tasks.recognition.codec import RecogniserFile, read_recogniser


@dataclass(frozen=True, slots=True)
class StartModel:
    """A recogniser that training goes on from, and a hash of its file."""

    file: RecogniserFile
    key: str

    @property
    def units(self) -> Units:
        """Its units."""
        return self.file.recogniser.units

    @property
    def topology(self) -> dict[str, NDArray[np.float64]]:
        """The transitions of each unit."""
        return {label: hmm.transitions for label, hmm in zip(self.units.labels, self.units.hmms, strict=True)}


def start_model(job: Job, audio: AudioInput, used: Collection[str]) -> StartModel | None:
    """The model of ``recognition.start_model``; None: training begins without one.

    Args:
        job: The run.
        audio: How its recordings become frames.
        used: The units of its transcripts, and its silence.

    Raises:
        ConfigError: The model was trained on other frames.
        DataError: Units of the transcripts that the model does not have.
        ModelFileError: The model cannot be read, or is no recogniser.
    """
    spec = job.experiment.config.section(RecognitionSpec)
    if spec.start_model is None:
        return None
    path = model_file(job.experiment.beside(spec.start_model))
    found = read_start_model(path, path.stat().st_mtime_ns if path.exists() else 0)
    other = found.file.audio
    if other.transform is not None:
        raise ConfigError(
            f"recognition.start_model: {path} has a transform of its frames, which is learnt anew with all units; name "
            "a model without features.transform"
        )
    if job.experiment.config.section(HMMSpec).context != "none" or audio.features.transform.kind != "none":
        raise ConfigError(
            "recognition.start_model goes on from units as they are, and hmm.context and features.transform make "
            "others; leave these out"
        )
    if (other.features, other.sample_rate) != (audio.features, audio.sample_rate):
        here, there = (
            {"features": asdict(one.features), "corpus.sample_rate": one.sample_rate} for one in (audio, other)
        )
        raise ConfigError(
            f"recognition.start_model: {path} was trained on other frames "
            f"({'; '.join(differences(here, there))}); set these keys as it has them"
        )
    unknown = sorted(set(used) - set(found.units.labels))
    if unknown:
        raise DataError(
            f"{path}: no model of {counted(len(unknown), 'unit')} of the transcripts: {first_few(unknown, 20)}; it has "
            f"{first_few(found.units.labels, 20)}: is the dictionary of another set of phones?"
        )
    return found


@lru_cache(maxsize=2)
def read_start_model(path: Path, changed: int) -> StartModel:  # noqa: ARG001
    """A recogniser's file, read once for all training sets. Raises ModelFileError as `read_recogniser`."""
    return StartModel(read_recogniser(path), digest(path.read_bytes()))
