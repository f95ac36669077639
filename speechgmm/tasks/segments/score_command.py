"""``score --segments``: the segments of recordings, whose times a table or TextGrids say, against segment models."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from speechgmm.errors import ConfigError, DataError
from speechgmm.report.text import recordings


def score_if_segments_given(
    model: Path,
    audio: Sequence[Path],
    segments: Path | None,
    *,
    form: str,
    top: int,
    resample: bool,
    refused: Mapping[str, object],
) -> int | None:
    """Score segments and print ranked classes; returns how many recordings failed, None where no segments are given.

    Raises:
        ConfigError: The model is none of segments; options that it has no use for (``refused``: their values, None
            where not given).
        DataError: The table or a TextGrid cannot be read, or names a recording that could be several.
        ModelFileError: The model cannot be read.
    """
    if segments is None:
        return None
    from speechgmm.tasks.classification.command import print_rows, ranks
    from speechgmm.tasks.segments.codec import SegmentFile, read_any_model
    from speechgmm.tasks.segments.recordings import score_segments_of_recording
    from speechgmm.tasks.segments.segment_times import segments_of

    file = read_any_model(model / "models.safetensors" if model.is_dir() else model)
    if not isinstance(file, SegmentFile):
        raise ConfigError(
            f"--segments: for a model of segments; {model} scores recordings: leave it out, or --window S"
        )
    given = [name for name, value in refused.items() if value is not None]
    if given:
        raise ConfigError(f"{', '.join(given)}: of no use beside --segments, which says where each segment is")
    if file.audio.features.cmvn == "speaker":
        print("normalisation by speaker: each recording is a speaker of its own", file=sys.stderr)
    if resample:
        file = replace(file, audio=replace(file.audio, resample=True))
    failures = 0

    def rows() -> Iterator[dict[str, object]]:
        nonlocal failures
        for path, utterances in segments_of(segments, recordings(audio), file.label).items():
            try:
                if not utterances:
                    raise DataError(f"{path}: {segments} has no segment of it")
                for item in score_segments_of_recording(file, path, utterances):
                    yield from ranks(item, file.models.labels, top, has_likelihoods=False, more={})
            except DataError as error:
                failures += 1
                print(f"error: {error}", file=sys.stderr)

    print_rows(rows(), form, windowed=True, label=file.label)
    return failures
