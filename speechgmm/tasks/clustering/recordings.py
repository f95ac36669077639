"""Recordings in, clusters out: each recording is a piece, read and checked as everywhere."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.clustering import PieceClusters, cluster_pieces
from speechgmm.clustering.pieces import RAW_THRESHOLDS, Kind, Method
from speechgmm.engine.audio_input import AudioInput
from speechgmm.engine.background_model import BackgroundModel
from speechgmm.engine.recordings import model_frames
from speechgmm.errors import DataError
from speechgmm.features import FeatureSpec
from speechgmm.io.audio import native_rate
from speechgmm.parallel import pmap, thread_pool

FEATURES: Final = FeatureSpec(preset="kaldi", n_mels=40, n_ceps=25, c0="drop", use_energy=False)
"""Of recordings that come without a model: those of configs/speaker-verification.yaml."""

HIGHEST_RATE: Final = 16000
"""Hz. What lies above is not looked at, as in the models of speech here."""


@dataclass(frozen=True, slots=True, eq=False)
class RecordingClusters:
    """Recordings that belong together."""

    paths: tuple[Path, ...]  # (N,), those that could be used
    found: PieceClusters
    failures: tuple[tuple[Path, DataError], ...]  # those that could not, and why
    audio: AudioInput  # how they became frames
    n_frames: NDArray[np.int64]  # (N,)


def cluster_recordings(
    paths: Sequence[Path],
    *,
    model: BackgroundModel | None = None,
    method: Method = "cosine",
    n_clusters: int | None = None,
    threshold: float | None = None,
    kind: Kind = "speakers",
    resample: bool = False,
    seed: int = 0,
    n_jobs: int = 1,
) -> RecordingClusters:
    """Cluster recordings by who or what sounds in them, with the background model of a model, or one of their own.

    Args:
        paths: Recordings of some seconds, of one speaker or sound each.
        model: From ``read_background_model``; None: one is trained on the recordings.
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
    audio = _audio(paths) if model is None else model.audio
    if resample:
        audio = replace(audio, resample=True)
    read = list(pmap(partial(_read, audio), paths, n_jobs=n_jobs, backend="threads"))
    pairs = list(zip(paths, read, strict=True))
    used = [(path, frames) for path, frames in pairs if not isinstance(frames, DataError)]
    failures = tuple((path, error) for path, error in pairs if isinstance(error, DataError))
    if not used:
        listed = "\n".join(f"  {error}" for _, error in failures)
        raise DataError(f"none of {len(paths)} recordings can be used, so there is nothing to cluster:\n{listed}")
    own_means = model is not None and audio.features.cmvn in ("none", "global")  # of recordings, in the model
    if own_means and kind == "speakers" and threshold is None and n_clusters is None:
        threshold = RAW_THRESHOLDS[method]
    with thread_pool(n_jobs) as spread:
        found = cluster_pieces(
            [frames for _, frames in used],
            ubm=None if model is None else model.mixture,
            method=method,
            n_clusters=n_clusters,
            threshold=threshold,
            kind=kind,
            seed=seed,
            map=spread,
        )
    counts = np.array([len(frames) for _, frames in used], np.int64)
    return RecordingClusters(tuple(path for path, _ in used), found, failures, audio, counts)


def _audio(paths: Sequence[Path]) -> AudioInput:
    """The front end of recordings without a model: at the lowest of their rates, 16 kHz at most."""
    rates = []
    for path in paths:
        try:
            rates.append(native_rate(path))
        except (DataError, OSError):
            continue  # it is named when it is read
    rate = min([HIGHEST_RATE, *rates])
    return AudioInput(FEATURES, rate, resample=any(other != rate for other in rates))


def _read(audio: AudioInput, path: Path) -> NDArray[np.float32] | DataError:
    """The frames that count of a recording, normalised as the model wants them."""
    try:
        frames, speech, _ = model_frames(audio, path)
        return frames[speech]
    except DataError as error:
        return error if str(path) in str(error) else DataError(f"{path}: {error}")
