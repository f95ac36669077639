"""What a file of segment models holds, for a person."""

from collections.abc import Iterator
from pathlib import Path

from speechgmm.errors import counted
from speechgmm.tasks.segments.codec import read_segment_models


def describe(path: Path) -> Iterator[str]:
    """Classes, streams and their weights."""
    file = read_segment_models(path)
    labels = file.models.labels
    of = "whole recordings" if file.whole else "segments"
    yield f"{path}: segment models of {counted(len(labels), 'class')} ({file.label}), of {of}: {', '.join(labels)}"
    for stream, weight in zip(file.models.streams, file.models.weights, strict=True):
        yield f"  {type(stream).__name__}, weight {weight:.3f}"
