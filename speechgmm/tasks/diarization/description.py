"""What the file of a diarizer holds, for a person."""

from collections.abc import Iterator
from pathlib import Path

from speechgmm.tasks.diarization.codec import read_diarizer


def describe(path: Path) -> Iterator[str]:
    """The background model, and when merging stops."""
    file = read_diarizer(path)
    found, learnt = file.diarizer, file.learnt
    yield f"{path}: a diarizer, for recordings at {file.audio.sample_rate} Hz"
    yield f"background model of {found.ubm.n_components} Gaussians of {found.ubm.n_features} features"
    yield f"from {learnt.n_background} speakers, who differ in {len(found.space.between)} directions"
    if (detector := file.audio.detector) is not None:
        sizes = detector.speech.n_components, detector.other.n_components
        yield f"a speech detector of {sizes[0]} Gaussians of speech and {sizes[1]} of what is none"
    yield f"merging stops at {found.threshold:.2f} nats, learnt from {learnt.n_conversations} conversations"
    if found.overlap is not None:
        yield f"detector of overlap: two mixtures of {found.overlap.one.n_components} Gaussians each"
