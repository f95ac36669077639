"""Recordings in, clusters out: each recording is a piece, read and checked as everywhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.clustering import PieceClusters, cluster_pieces
from speechgmm.clustering.methods import Kind, Method, default_threshold
from speechgmm.engine.audio_input import AudioInput, resampling
from speechgmm.engine.background_model import BackgroundModel, read_background_model
from speechgmm.engine.recordings import model_frames
from speechgmm.errors import DataError
from speechgmm.features import FeatureSpec
from speechgmm.gmm import DiagGMM
from speechgmm.io.container import kind_of
from speechgmm.io.samples import AudioSource, source_rate
from speechgmm.parallel import pmap, thread_pool
from speechgmm.tasks.clustering.codec import ClusteringFile, read_clustering
from speechgmm.tasks.clustering.spec import ClusteringSpec
from speechgmm.vectors.within_class import WithinClass

FEATURES: Final = FeatureSpec(preset="kaldi", n_mels=40, n_ceps=25, c0="drop", use_energy=False)
"""Of recordings that come without a model: those of configs/speaker-verification.yaml."""

HIGHEST_RATE: Final = 16000
"""Hz. What lies above is not looked at, as in the models of speech here."""


@dataclass(frozen=True, slots=True, eq=False)
class RecordingClusters:
    """Recordings that belong together."""

    paths: tuple[AudioSource, ...]  # (N,), those that could be used
    found: PieceClusters
    failures: tuple[tuple[AudioSource, DataError], ...]  # those that could not, and why
    audio: AudioInput  # how they became frames
    n_frames: NDArray[np.int64]  # (N,)


def cluster_recordings(
    paths: Sequence[AudioSource],
    *,
    model: BackgroundModel | ClusteringFile | None = None,
    method: Method = "cosine",
    n_clusters: int | None = None,
    threshold: float | None = None,
    kind: Kind = "speakers",
    resample: bool = False,
    seed: int = 0,
    n_jobs: int = 1,
) -> RecordingClusters:
    """Cluster recordings by who or what sounds in them, by the background model of a model, or one trained on them.

    Args:
        paths: Recordings of some seconds, of one speaker or sound each.
        model: From ``read_background``, with a background model; None: one is trained on the recordings. That of a run
            of task: clustering also has the relevance, and what differs within a class.
        method: And the rest: see ``cluster_pieces``.
        n_clusters: How many; None: they are counted.
        threshold: Where merging stops; None: what suits method, kind and background model.
        kind: ``speakers`` or ``sounds``.
        resample: Other rates than the model's; without a model, rates that differ are always resampled.
        seed: Of the background model's training.
        n_jobs: Workers at once.

    Raises:
        DataError: No recording can be used (all are listed); fewer of them than clusters.
    """
    found_in = _background(model)
    audio = found_in.audio or _audio(paths)
    if resample:
        audio = resampling(audio)
    read = list(pmap(partial(_read, audio), paths, n_jobs=n_jobs, backend="threads"))
    pairs = list(zip(paths, read, strict=True))
    used = [(path, frames) for path, frames in pairs if not isinstance(frames, DataError)]
    failures = tuple((path, error) for path, error in pairs if isinstance(error, DataError))
    if not used:
        listed = "\n".join(f"  {error}" for _, error in failures)
        raise DataError(f"none of {len(paths)} recordings can be used, so there is nothing to cluster:\n{listed}")
    own_means = model is not None and audio.features.cmvn in ("none", "global")  # of recordings, in the model
    if own_means and kind == "speakers" and threshold is None and n_clusters is None:
        threshold = default_threshold(method, kind, own_ubm=False, raw=True)
    with thread_pool(n_jobs) as spread:
        found = cluster_pieces(
            [frames for _, frames in used],
            ubm=found_in.ubm,
            method=method,
            n_clusters=n_clusters,
            threshold=threshold,
            kind=kind,
            relevance=None if method == "bic" else found_in.relevance,
            within=found_in.within,
            seed=seed,
            map=spread,
        )
    counts = np.array([len(frames) for _, frames in used], np.int64)
    return RecordingClusters(tuple(path for path, _ in used), found, failures, audio, counts)


def chosen(
    file: BackgroundModel | ClusteringFile | None,
    method: Method | None = None,
    kind: Kind | None = None,
    threshold: float | None = None,
    n_clusters: int | None = None,
) -> tuple[Method, Kind, float | None]:
    """Method, kind and threshold: what is not given is as in the run that left the model, where that was one of
    clustering.
    """
    spec = file.spec if isinstance(file, ClusteringFile) else ClusteringSpec()
    method, kind = method or spec.method, kind or spec.kind
    if n_clusters is None and threshold is None and (method, kind) == (spec.method, spec.kind):
        threshold = spec.threshold
    return method, kind, threshold


@dataclass(frozen=True, slots=True)
class _Background:
    """What clustering takes of a model."""

    ubm: DiagGMM | None = None
    audio: AudioInput | None = None
    relevance: float | None = None
    within: WithinClass | None = None


def _background(model: BackgroundModel | ClusteringFile | None) -> _Background:
    if isinstance(model, ClusteringFile):
        return _Background(model.ubm, model.audio, model.spec.relevance, model.within)
    return _Background() if model is None else _Background(model.mixture, model.audio)


def read_background(path: Path) -> BackgroundModel | ClusteringFile:
    """The background model of a file: of a run of task: clustering, with its settings, or of any other.

    Raises:
        ConfigError: The file has none, or does not say how to make frames.
        ModelFileError: The file cannot be read.
    """
    return read_clustering(path) if kind_of(path).name == "clustering" else read_background_model(path)


def _audio(paths: Sequence[AudioSource]) -> AudioInput:
    """The front end of recordings without a model: at the lowest of their rates, 16 kHz at most."""
    rates = []
    for path in paths:
        try:
            rates.append(source_rate(path))
        except (DataError, OSError):
            continue  # it is named when it is read
    rate = min([HIGHEST_RATE, *rates])
    return AudioInput(FEATURES, rate, resample=any(other != rate for other in rates))


def _read(audio: AudioInput, path: AudioSource) -> NDArray[np.float32] | DataError:
    """The frames that count of a recording, normalised as the model wants them."""
    try:
        frames, speech, _ = model_frames(audio, path)
        return frames[speech]
    except DataError as error:
        return error.about(path)
