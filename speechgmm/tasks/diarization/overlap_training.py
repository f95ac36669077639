"""Training of a detector of overlap on made conversations, and whether it is worth having."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.engine.audio_input import AudioInput
from speechgmm.evaluation.diarization import diarization_errors
from speechgmm.tasks.diarization.codec import DiarizerFile
from speechgmm.tasks.diarization.conversations import Conversation
from speechgmm.tasks.diarization.models import Diarizer
from speechgmm.tasks.diarization.overlap import overlap_regions, with_second_speakers
from speechgmm.tasks.diarization.overlap_detection import OverlapDetector, train_mixtures
from speechgmm.tasks.diarization.recordings import frame_times, heard, in_seconds, speaker_windows, speakers_in
from speechgmm.tasks.diarization.turn_statistics import TurnStatistics

THRESHOLDS: Final = tuple(np.arange(0.75, 3.01, 0.25).tolist())
"""Nats per frame that are tried."""

CONVERSATIONS: Final = 40
"""Conversations of the background speakers that the mixtures are learnt from."""

OverlapFrames = tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_]]
"""Frames (T, D), which are speech (T,), and in which two speak (T,)."""


def with_more_overlap(statistics: TurnStatistics) -> TurnStatistics:
    """Statistics with more and longer overlaps, so that few conversations hold enough to learn from.

    >>> from speechgmm.tasks.diarization.turn_statistics import PUBLISHED
    >>> more = with_more_overlap(PUBLISHED)
    >>> more.inserted > PUBLISHED.inserted, max(more.offsets) < max(PUBLISHED.offsets)
    (True, True)
    """
    return replace(
        statistics,
        inserted=max(0.45, statistics.inserted),
        inserts=tuple(2 * length for length in statistics.inserts),
        offsets=tuple(offset - 0.6 for offset in statistics.offsets),
    )


def overlap_heard(audio: AudioInput, made: Conversation) -> OverlapFrames:
    """A conversation as the mixtures see it."""
    frames, speech = heard(audio, made.samples)
    times, overlapped = frame_times(audio, len(frames)), np.zeros(len(frames), bool)
    for start, end in overlap_regions(made.turns):
        overlapped |= (times >= start) & (times < end)
    return frames, speech, overlapped


def ders_by_threshold(diarizer: Diarizer, audio: AudioInput, made: Conversation) -> list[float]:
    """The DER of a conversation without overlap, and with that of the detector at each of ``THRESHOLDS``."""
    detector = diarizer.overlap
    assert detector is not None, "the mixtures are trained first"
    frames, speech = heard(audio, made.samples)
    if not speech.any():
        return [diarization_errors(made.turns, ()).der] * (1 + len(THRESHOLDS))
    _, labels = speakers_in(diarizer, frames, speech)
    turns, times = in_seconds(labels, speech, audio, diarizer.spec), frame_times(audio, len(frames))
    windows, ratios = speaker_windows(diarizer, frames, speech, labels, times), detector.ratios(frames, speech)
    found = [turns] + [
        with_second_speakers(turns, detector.regions(ratios, speech, times, threshold), windows)
        for threshold in THRESHOLDS
    ]
    return [diarization_errors(made.turns, one).der for one in found]


def with_overlap_detector(
    file: DiarizerFile,
    recordings: Sequence[OverlapFrames],
    ders: Callable[[Diarizer], Iterable[Sequence[float]]],
    *,
    seed: int = 0,
    n_jobs: int = 1,
) -> DiarizerFile:
    """The diarizer with a detector of overlap, if that clearly lowers the DER of held-out conversations.

    Else it is unchanged.

    Parameters
    ----------
    file
        The diarizer.
    recordings
        Conversations of the background speakers (`overlap_heard`).
    ders
        Of a diarizer with a detector, `ders_by_threshold` of each development conversation.
    seed, n_jobs
        Of the training of the mixtures.

    Raises
    ------
    DataError
        Too little overlap to learn from.
    """
    one, two = train_mixtures(recordings, seed=seed, n_jobs=n_jobs)
    diarizer = replace(file.diarizer, overlap=OverlapDetector(one, two, 0.0))
    tried = np.array(list(ders(diarizer)), np.float64)
    best = worthwhile_threshold(tried)
    if best is None:
        return file
    learnt = replace(file.learnt, der=float(tried[:, 1 + best].mean()))
    detector = OverlapDetector(one, two, THRESHOLDS[best])
    return replace(file, diarizer=replace(file.diarizer, overlap=detector), learnt=learnt)


def worthwhile_threshold(ders: ArrayLike) -> int | None:
    """The number of the best threshold; None where none clearly lowers the mean DER of held-out conversations.

    Parameters
    ----------
    ders
        (N, 1 + C) DER of N conversations without overlap, and with each of C thresholds. Each half of the
        conversations is held out: the threshold is chosen on the other half. A gain is clear if it is more than two
        standard errors.

    Examples
    --------
    >>> worthwhile_threshold([[0.3, 0.2, 0.4], [0.4, 0.3, 0.5]])
    0
    >>> worthwhile_threshold([[0.3, 0.2, 0.5], [0.3, 0.5, 0.2]]) is None
    True
    """
    values = np.asarray(ders, np.float64)
    half = np.arange(len(values)) % 2 == 0
    if not half.any() or half.all():
        return None
    held_out = np.empty(len(values))
    for part in (half, ~half):
        held_out[part] = values[part, 1 + int(values[~part, 1:].mean(axis=0).argmin())]
    gains = values[:, 0] - held_out
    if gains.mean() <= 2 * gains.std(ddof=1) / len(gains) ** 0.5:
        return None
    return int(values[:, 1:].mean(axis=0).argmin())
