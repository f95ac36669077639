"""Where two speak in recordings, read from label files of any format."""

from collections.abc import Sequence
from pathlib import Path

from speechgmm.errors import DataError, first_few
from speechgmm.evaluation.diarization import Turn
from speechgmm.io.label_files import is_of, read_tiers
from speechgmm.tasks.diarization.overlap import joined_turns, overlap_regions


def read_overlap(path: Path, recordings: Sequence[str]) -> dict[str, list[tuple[float, float]]]:
    """Where two speak in recordings, by a label file: recording -> regions, none where it has no label of a recording.

    Labels of several speakers are turns: two speak where those of two speakers overlap. The speaker is a label's own,
    as in an RTTM, else the name of its tier, where there are several, else its text. Where all are of one speaker, each
    label is a region.

    Parameters
    ----------
    path
        Any label file that `speechgmm.io.label_files.read_labels` reads.
    recordings
        Names without folders and endings.

    Raises
    ------
    ConfigError, DataError
        As `read_labels`; the file has labels of other recordings alone.
    """
    turns: dict[str, list[Turn]] = {name: [] for name in recordings}
    others: dict[str, None] = {}
    tiers = read_tiers(path)
    for tier in tiers:
        for label in tier.labels:
            names = [name for name in recordings if not label.recording or is_of(label, Path(name))]
            for name in names:
                speaker = label.speaker or (tier.name if len(tiers) > 1 else label.label)
                turns[name].append(Turn(label.start, label.end, speaker))
            if not names:
                others[label.recording] = None
    speakers = {turn.speaker for own in turns.values() for turn in own}
    if not speakers:
        raise DataError(
            f"{path}: no label of {first_few(list(recordings), 3)}; it has labels of {first_few(list(others), 5)}: "
            "expected are the names of the recordings"
        )
    if len(speakers) > 1:
        return {name: overlap_regions(own) for name, own in turns.items()}
    return {name: [(one.start, one.end) for one in joined_turns(own)] for name, own in turns.items()}
