"""Which frames of a recording are speech, where a file says it (``corpus.vad``): a flag for each, or stretches in s."""

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from speechgmm.corpus import Utterance
from speechgmm.errors import DataError
from speechgmm.features import FrontEnd
from speechgmm.io.feature_store import Stamp, stamp_of
from speechgmm.io.given_frames import read_speech
from speechgmm.io.label_files import FileLabel, format_by_suffix, is_of, read_labels


def speech_marks(utterance: Utterance, plan: FrontEnd, n_frames: int, speed: float = 1.0) -> NDArray[np.bool_]:
    """Which of a recording's frames (n_frames,) are speech, by the file ``utterance.speech``.

    Of a label file every label is speech, whatever its text; of a file of several recordings those that name this one.
    A frame is speech if its middle is. ``speed`` is how much faster the recording was played.

    Raises:
        DataError: The file cannot be read, or has another number of flags than the recording has frames.
    """
    place = utterance.speech
    if place is None:
        return np.ones(n_frames, np.bool_)
    if format_by_suffix(place) is None:
        return read_speech(place, n_frames)
    recording = Path(utterance.recording or utterance.path)
    middles = (plan.first_centre + np.arange(n_frames) * plan.frame_shift) / plan.sample_rate * speed
    found = np.zeros(n_frames, np.bool_)
    try:
        stamp = stamp_of(place)
    except OSError as error:
        raise DataError(
            f"{place}: cannot be read ({error.strerror}); expected a label file of this recording's speech (corpus.vad)"
        ) from None
    for label in _labels(place, stamp):
        if not label.recording or is_of(label, recording):
            first, stop = np.searchsorted(middles, (label.start, label.end))
            found[first:stop] = True
    return found


@lru_cache(maxsize=4)
def _labels(path: Path, stamp: Stamp) -> tuple[FileLabel, ...]:  # noqa: ARG001 (a file that changed is read again)
    return tuple(read_labels(path))
