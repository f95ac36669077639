"""What is learnt before a conversation is heard: background model, speaker space, and where merging stops."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import DataError
from speechgmm.gmm import DiagGMM, fit_gmm
from speechgmm.tasks.diarization.models import Diarizer
from speechgmm.tasks.diarization.spec import DiarizationSpec
from speechgmm.tasks.diarization.windows import window_supervectors
from speechgmm.vectors.speaker_space import SpeakerSpace

LEARNT_FROM = 0.25
"""Of a window: the step between those that the speaker space is learnt from."""

OWN_THRESHOLD = -20.0
"""Log ratio at which merging stops where the recording itself is all there is, in nats (chosen on conversations made of
LibriSpeech, ``docs/results/diarization.md``)."""

OWN_COMPONENTS = 2
OWN_SPEC = DiarizationSpec(n_components=6, n_dims=6, smoothing=0.3, sharpness=1.0)
"""What half a minute can teach: few Gaussians in few directions. More is worse (32 Gaussians: 54 % DER)."""


def train_background(
    speakers: Mapping[str, Sequence[ArrayLike]],
    spec: DiarizationSpec,
    *,
    n_components: int,
    seed: int = 0,
    n_jobs: int = -1,
) -> tuple[DiagGMM, SpeakerSpace]:
    """Background model and speaker space from speakers' recordings, frames (T, D) of speech each.

    ``n_jobs`` workers at once (-1: one for each core) change no byte.

    Raises:
        DataError: Fewer than two speakers with a window each.
        FitError: Too few frames for so many components.
    """
    if len(speakers) < 2:
        raise DataError(f"{len(speakers)} speaker; a speaker space is learnt from two or more, better from fifty")
    pooled = np.concatenate([np.asarray(frames) for each in speakers.values() for frames in each])
    ubm = fit_gmm(pooled, n_components, seed=seed, n_jobs=n_jobs).model
    vectors, labels = [], []
    for name, recordings in speakers.items():
        for frames in recordings:
            if len(np.asarray(frames)) >= spec.block * spec.window:
                found = _sparse_windows(ubm, np.asarray(frames), spec)
                vectors.append(found)
                labels += [name] * len(found)
    if not vectors:
        raise DataError(f"no recording has {spec.block * spec.window} frames of speech, which a window takes")
    return ubm, _space(np.concatenate(vectors), labels, spec)


def own_diarizer(frames: ArrayLike) -> Diarizer:
    """A diarizer from the frames (T, D) of speech of the recording itself, where there is no other.

    The windows that begin within one window's length count as one speaker's, which is wrong where speakers change.
    ``OWN_THRESHOLD`` is no recording's own: give the number of speakers where it is known.

    Raises:
        DataError: Too short to tell speakers apart: fewer than four windows.
    """
    values, how = np.asarray(frames), OWN_SPEC
    least = 4 * how.block * how.window
    if len(values) < least:
        raise DataError(
            f"{len(values)} frames of speech; to learn from the recording itself what tells its speakers apart takes "
            f"{least} at least: give a model, or say that one person speaks (n_speakers 1)",
            arguments=("model", "n_speakers"),
        )
    ubm = fit_gmm(values, OWN_COMPONENTS, seed=0, n_jobs=1).model
    vectors = _sparse_windows(ubm, values, how)
    per_stretch = round(1 / LEARNT_FROM)
    labels = (np.arange(len(vectors)) // per_stretch).tolist()
    return Diarizer(ubm, _space(vectors, labels, how), how, OWN_THRESHOLD)


def learn_threshold(paths: Sequence[Sequence[tuple[float, float]]]) -> tuple[float, float]:
    """The threshold with the least mean error, and that error.

    Args:
        paths: For each conversation the divisions in order: ratio of the next merge (nats), and error.

    Merging stops at the first division whose ratio is at or below the threshold. Of thresholds that are as good, the
    middle of the widest gap between ratios is taken: halfway to the next decision on either side.

    Raises:
        DataError: No conversation.

    >>> learn_threshold([[(9.0, 0.5), (1.0, 0.0), (-np.inf, 0.4)], [(7.0, 0.3), (3.0, 0.1), (-np.inf, 0.5)]])
    (5.0, 0.05)
    """
    if not paths or not all(paths):
        raise DataError("no conversation to learn a threshold from; give one at least")
    ratios = np.unique([ratio for path in paths for ratio, _ in path if np.isfinite(ratio)])
    if not len(ratios):
        return 0.0, float(np.mean([path[-1][1] for path in paths]))
    edges = np.concatenate([[ratios[0] - 2.0], ratios, [ratios[-1] + 2.0]])
    between = (edges[1:] + edges[:-1]) / 2
    errors = np.array([np.mean([_stopped(path, at) for path in paths]) for at in between])
    best = np.flatnonzero(errors <= errors.min() + 1e-12)
    chosen = best[np.argmax(np.diff(edges)[best])]
    return float(between[chosen]), float(errors[chosen])


def _stopped(path: Sequence[tuple[float, float]], threshold: float) -> float:
    return next((error for ratio, error in path if ratio <= threshold), path[-1][1])


def _sparse_windows(ubm: DiagGMM, frames: NDArray[np.floating], spec: DiarizationSpec) -> NDArray[np.float64]:
    """Windows as long as those of the search, a quarter of their length apart."""
    length = spec.block * spec.window
    step = max(1, round(length * LEARNT_FROM))
    found = window_supervectors(ubm, frames, block=step, window=max(1, length // step), relevance=spec.relevance)
    return np.concatenate(list(found))


def _space(vectors: NDArray[np.float64], labels: Sequence[str | int], spec: DiarizationSpec) -> SpeakerSpace:
    return SpeakerSpace.learn(
        vectors, labels, n_dims=spec.n_dims, n_components=spec.n_components, smoothing=spec.smoothing
    )
