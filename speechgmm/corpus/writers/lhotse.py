"""Manifests of lhotse (RecordingSet, SupervisionSet, CutSet as JSON lines), written without lhotse, which needs torch.

    recordings.jsonl.gz supervisions.jsonl.gz cuts.jsonl.gz    with a split: recordings_train.jsonl.gz and so on

Source of the fields: lhotse's classes Recording, SupervisionSegment, MonoCut and MultiCut.
"""

import gzip
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

from speechgmm.corpus.utterance import Corpus, Utterance
from speechgmm.errors import DataError
from speechgmm.io.atomic import write_atomically
from speechgmm.io.decoders import exact_header

OF_LHOTSE: Final = ("text", "speaker", "gender", "language")
"""Columns that are fields of a supervision; the others are in its ``custom``."""


class ManifestRecording(NamedTuple):
    """A recording as manifests have it."""

    plain: Mapping[str, Any]  # as the manifest has it
    duration: float  # s


Recordings = Mapping[Path, ManifestRecording]


def read_recordings(corpus: Corpus) -> tuple[Recordings, dict[Path, DataError]]:
    """The recordings of a corpus for `write_lhotse`, and why others cannot be read."""
    recordings, problems = dict[Path, ManifestRecording](), dict[Path, DataError]()
    for path in corpus.paths():
        try:
            recordings[path] = _recording(path, corpus.root)
        except DataError as error:
            problems[path] = error
    return recordings, problems


def write_lhotse(folder: Path, corpus: Corpus, recordings: Recordings, channel: str | int = "mix") -> list[Path]:
    """Write recordings, supervisions and cuts (one for each utterance), for each split.

    Parameters
    ----------
    folder
        Where to.
    corpus
        The utterances. The labels ``text``, ``speaker``, ``gender`` and ``language`` are fields of a supervision; the
        others are in its ``custom``.
    recordings
        Of all utterances, see `read_recordings`.
    channel
        ``mix``: supervisions are of all channels; or the number of one.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    DataError
        The disk refuses.
    """
    written = []
    for split in dict.fromkeys(one.split for one in corpus):
        utterances = corpus.split(split)
        supervisions = {one.id: _supervision(one, recordings[one.path], channel) for one in utterances}
        cuts = (_cut(supervisions[one.id], recordings[one.path]) for one in utterances)
        for name, rows in (
            ("recordings", (recordings[path].plain for path in dict.fromkeys(one.path for one in utterances))),
            ("supervisions", supervisions.values()),
            ("cuts", cuts),
        ):
            written.append(folder / f"{name}{'_' if split else ''}{split}.jsonl.gz")
            _write(written[-1], rows)
    return written


def _recording(path: Path, root: Path) -> ManifestRecording:
    n_samples, rate, n_channels = exact_header(path)
    below = path.relative_to(root) if path.is_relative_to(root) else path
    channels = [*range(n_channels)]
    plain = {
        "id": below.as_posix(),
        "sources": [{"type": "file", "channels": channels, "source": str(path.absolute())}],
        "sampling_rate": rate,
        "num_samples": n_samples,
        "duration": n_samples / rate,
        "channel_ids": channels,
    }
    return ManifestRecording(plain, n_samples / rate)


def _supervision(utterance: Utterance, recording: ManifestRecording, channel: str | int) -> dict[str, Any]:
    start = utterance.start or 0.0
    end = recording.duration if utterance.end is None else min(utterance.end, recording.duration)
    channels = recording.plain["channel_ids"] if channel == "mix" else [channel]
    labels = {column: value for column, value in (utterance.labels or {}).items() if value}
    custom = {column: value for column, value in labels.items() if column not in OF_LHOTSE}
    return {
        "id": utterance.id,
        "recording_id": recording.plain["id"],
        "start": start,
        "duration": round(end - start, 8),
        "channel": channels[0] if len(channels) == 1 else channels,
        **{column: labels[column] for column in OF_LHOTSE if column in labels},
        **({"custom": custom} if custom else {}),
    }


def _cut(supervision: Mapping[str, Any], recording: ManifestRecording) -> dict[str, Any]:
    """The cut that an utterance is; times of its supervision count from its beginning."""
    return {
        "id": supervision["id"],
        "start": supervision["start"],
        "duration": supervision["duration"],
        "channel": supervision["channel"],
        "supervisions": [{**supervision, "start": 0.0}],
        "recording": recording.plain,
        "type": "MultiCut" if isinstance(supervision["channel"], list) else "MonoCut",
    }


def _write(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    def write(file: BinaryIO) -> None:
        with gzip.GzipFile(fileobj=file, mode="wb", mtime=0) as packed:  # the same bytes for the same corpus
            for row in rows:
                packed.write((json.dumps(row, ensure_ascii=False) + "\n").encode("utf-8", "surrogateescape"))

    write_atomically(path, write)
