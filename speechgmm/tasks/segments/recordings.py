"""Segments of a new recording against segment models."""

import warnings
from collections.abc import Sequence

from speechgmm.corpus import Utterance
from speechgmm.corpus.segment_ends import MOST_OVERSHOOT, within_recording
from speechgmm.engine.recordings import model_frames
from speechgmm.errors import DataError, RecordingWarning
from speechgmm.io.samples import AudioSource
from speechgmm.tasks.classification.codec import Recorded
from speechgmm.tasks.classification.scoring import Scored, scored_windows
from speechgmm.tasks.segments.codec import SegmentFile


def score_segments_of_recording(model: SegmentFile, path: AudioSource, segments: Sequence[Utterance]) -> list[Scored]:
    """Log posteriors of segments whose times are known, in their order.

    Parameters
    ----------
    model
        From ``read_segment_models``.
    path
        The recording.
    segments
        Its segments, with start and end in s; None is its beginning, and its end.

    Returns
    -------
    list of Scored
        ``mean_log_likelihoods`` are log posteriors in nats.

    Raises
    ------
    DataError
        The recording cannot be used, or a segment is not within it (all are listed).

    Warns
    -----
    RecordingWarning
        A segment ends less than 0.5 s after the recording, and is cut.
    """
    frames, speech, recording = model_frames(model.audio, path, silence=model.silence)
    times, problems, cut = [], [], 0
    for segment in segments:
        try:
            inside, overshoot = within_recording(segment, recording.duration)
        except DataError as error:
            problems.append(str(error))
            continue
        cut += overshoot > 0
        times.append((inside.start or 0.0, recording.duration if inside.end is None else inside.end))
    if problems:
        raise DataError(
            f"{path}: {len(problems)} of {len(segments)} segments cannot be used: {'; '.join(problems[:5])}"
        )
    if cut:
        many = f"{cut} segments end" if cut > 1 else "1 segment ends"
        text = f"{path}: {many} after the recording, by less than {MOST_OVERSHOOT:g} s: cut at its end"
        warnings.warn(text, RecordingWarning, stacklevel=2)
    return scored_windows(model, model.audio, path, Recorded(frames, speech, tuple(times), False), recording)
