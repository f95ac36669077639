"""What the file of a diarizer holds, for a person."""

from collections.abc import Iterator
from pathlib import Path

from speechgmm.clustering.vbx import VbxSpec
from speechgmm.tasks.diarization.codec import DiarizerFile, read_diarizer


def describe(path: Path) -> Iterator[str]:
    """The background model, and when merging stops or the settings of VBx."""
    file = read_diarizer(path)
    found, learnt = file.diarizer, file.learnt
    yield f"{path}: a diarizer, for recordings at {file.audio.sample_rate} Hz"
    yield f"background model of {found.ubm.n_components} Gaussians of {found.ubm.n_features} features"
    yield f"from {learnt.n_background} speakers, who differ in {len(found.space.between)} directions"
    if (detector := file.audio.detector) is not None:
        sizes = detector.speech.n_components, detector.other.n_components
        yield f"a speech detector of {sizes[0]} Gaussians of speech and {sizes[1]} of what is none"
    if found.vbx is None:
        yield f"merging stops at {found.threshold:.2f} nats, learnt from {learnt.n_conversations} conversations"
    else:
        yield f"speakers are found by {_in_words(found.vbx)}, tried on {learnt.n_conversations} conversations"
    if found.overlap is not None:
        yield f"detector of overlap: two mixtures of {found.overlap.one.n_components} Gaussians each"


def about_training(file: DiarizerFile) -> str:
    """What a diarizer was learnt from, and with which error, in a line."""
    learnt, vbx = file.learnt, file.diarizer.vbx
    found = (
        f"threshold {file.diarizer.threshold:.2f} nats, learnt from" if vbx is None else f"{_in_words(vbx)}, tried on"
    )
    return (
        f"background: {learnt.n_background} speakers; {found} {learnt.n_conversations} conversations of others, with a "
        f"DER of {100 * learnt.der:.1f} % (on training data, not on a test)"
    )


def _in_words(spec: VbxSpec) -> str:
    return f"VBx with Fa {spec.fa:g}, Fb {spec.fb:g}, loop probability {spec.loop_probability:g}"
