"""Models of every task in a folder ``runs``, for pages and tests that load them; and a call of two speakers."""

import shutil
from functools import cache
from pathlib import Path

import numpy as np
from conftest import hum

import speechgmm as sg
from speechgmm.engine.audio_input import AudioInput
from speechgmm.features import FeatureSpec
from speechgmm.tasks.clustering.codec import ClusteringFile, serialise_clustering
from speechgmm.tasks.clustering.spec import ClusteringSpec
from speechgmm.tasks.diarization.codec import DiarizerFile, LearntFrom, serialise_diarizer
from speechgmm.tasks.diarization.models import Diarizer
from speechgmm.tasks.diarization.recordings import FRONT_END
from speechgmm.tasks.diarization.spec import DiarizationSpec
from speechgmm.vectors.speaker_space import SpeakerSpace

KEPT = Path(__file__).parent / "kept"
RATE = 8000

RUNS = {
    "words": "class",
    "speakers": "verify-norm",
    "recogniser": "recognition",
    "phones": "segments",
    "machines": "anomaly",
}
"""Folder of a run -> the kept run whose model it holds."""


def write_runs(folder: Path) -> None:
    """A folder for a model of each task."""
    for name in (*RUNS, "calls", "pitches"):
        (folder / name).mkdir(parents=True)
    for name, kept in RUNS.items():
        shutil.copy(KEPT / kept / "models.safetensors", folder / name)
    (folder / "calls" / "models.safetensors").write_bytes(diarizer())
    (folder / "pitches" / "models.safetensors").write_bytes(background())


def call() -> np.ndarray:
    """Two speakers, one after the other, with a pause between them."""
    fade = np.linspace(0.1, 1, RATE * 2, dtype=np.float32)
    return np.concatenate([hum(0, 110.0, 2.0) * fade, np.zeros(400, np.float32), hum(1, 300.0, 2.0) * fade])


@cache
def diarizer() -> bytes:
    """A diarizer whose background model is that of two hums, and whose space has four of its directions."""
    frames = np.concatenate([sg.extract(FRONT_END, hum(n, pitch, 3.0), RATE) for n, pitch in ((0, 110.0), (1, 300.0))])
    ubm = sg.fit_gmm(frames, 2, seed=0, n_jobs=1).model
    space = SpeakerSpace(np.zeros(ubm.means.size), np.eye(ubm.means.size)[:, :4], np.ones(4))
    found = Diarizer(ubm, space, DiarizationSpec(), 0.0)
    return serialise_diarizer(DiarizerFile(found, AudioInput(FRONT_END, RATE), LearntFrom(2, 3, 0.5)))


@cache
def background() -> bytes:
    """The model of a run of clustering, with a background model of four hums."""
    spec = FeatureSpec(n_ceps=8, n_mels=20)
    frames = np.concatenate([sg.extract(spec, hum(n, 110.0 + 60 * n, 1.0), RATE) for n in range(4)])
    ubm = sg.fit_gmm(frames, 4, seed=0, n_jobs=1).model
    return serialise_clustering(ClusteringFile(ubm, AudioInput(spec, RATE), ClusteringSpec(kind="sounds"), "pitch"))
