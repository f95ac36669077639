"""RTTM as a label file: a turn is a label, whose text is the speaker."""

from collections.abc import Sequence
from pathlib import Path

from speechgmm.evaluation.diarization import Turn
from speechgmm.io.label_files.reading import FileLabel, Tier
from speechgmm.io.rttm import read_rttm, rttm
from speechgmm.io.timed_labels import LabelledRecording, checked_labels


def read(path: Path) -> list[Tier]:
    """The turns of all recordings, as one tier without a name. Raises and warns as `speechgmm.io.rttm.read_rttm`."""
    labels = [
        FileLabel(turn.speaker, turn.start, turn.end, speaker=turn.speaker, recording=recording)
        for recording, turns in read_rttm(path).items()
        for turn in turns
    ]
    return [Tier("", sorted(labels, key=lambda one: (one.start, one.end)))]


def write(recordings: Sequence[LabelledRecording]) -> str:
    """The first tier of each recording, every label as a speaker. Raises as `speechgmm.io.rttm.rttm`."""
    return "".join(
        rttm(
            one.stem,
            [Turn(label.start, label.end, label.label) for label in checked_labels(str(one.path), one.first_tier)],
        )
        for one in recordings
    )
