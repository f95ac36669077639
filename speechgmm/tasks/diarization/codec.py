"""The model file of a diarizer: front end, background model, speaker space and threshold, in the usual container.

header              "diarizer": the spec, the threshold, what it was learnt from; of VBx its settings; of the detector
                    of overlap its threshold
ubm.*               the background model
space.mean          (K D,)
space.matrix        (K D, d)
space.between       (d,)
overlap.one.*, overlap.two.*   mixtures of the detector of overlap, where there is one
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from speechgmm import __version__
from speechgmm.engine.audio_input import AudioInput, audio_header, read_audio_input
from speechgmm.io.atomic import write_atomically
from speechgmm.io.container import FORMAT_VERSION, check_kind, packed, read_tensors, stack, tensor, unstack, whole
from speechgmm.io.header import checked
from speechgmm.io.model_card import CardMetric, ModelCard, with_card
from speechgmm.tasks.diarization.models import Diarizer
from speechgmm.tasks.diarization.overlap_detection import OverlapDetector
from speechgmm.tasks.diarization.spec import DiarizationSpec, WindowVbxSpec
from speechgmm.vectors.speaker_space import SpeakerSpace


@dataclass(frozen=True, slots=True)
class LearntFrom:
    """What a diarizer was learnt from."""

    n_background: int  # speakers of the background model and the speaker space
    n_conversations: int  # that the threshold was chosen on
    der: float  # of those, at that threshold: of training, not of a test


@dataclass(frozen=True, slots=True)
class OverlapHeader:
    """What the header says of a detector of overlap."""

    threshold: float  # nats per frame


@dataclass(frozen=True, slots=True)
class DiarizerHeader:
    """What the header says of a diarizer."""

    spec: DiarizationSpec
    threshold: float
    learnt: LearntFrom
    vbx: WindowVbxSpec | None = None  # None: merging
    overlap: OverlapHeader | None = None  # None: no detector


@dataclass(frozen=True, slots=True, eq=False)
class DiarizerFile:
    """What the model file of a diarizer holds."""

    diarizer: Diarizer
    audio: AudioInput
    learnt: LearntFrom


def save_diarizer(content: DiarizerFile, path: Path) -> None:
    """Write a diarizer with its model card; the same content gives the same bytes.

    Raises DataError where the disk does not take it.
    """
    learnt = content.learnt
    card = ModelCard(
        __version__,
        "train-diarizer",
        protocol=f"background of {learnt.n_background} speakers; threshold chosen on {learnt.n_conversations} made "
        "conversations of other speakers",
        metrics={"der": CardMetric(learnt.der, learnt.n_conversations, "fraction", note="of training, not of a test")},
    )
    data = with_card(serialise_diarizer(content), card)
    write_atomically(path, lambda file: file.write(data))


def serialise_diarizer(content: DiarizerFile) -> bytes:
    """The bytes of a diarizer's file; the same content gives the same bytes."""
    about, tensors = audio_header(content.audio)
    found = content.diarizer
    tensors |= stack("ubm.", (found.ubm,))
    tensors |= {f"space.{name}": getattr(found.space, name) for name in ("mean", "matrix", "between")}
    spec = asdict(found.spec)
    if spec["bridge"] is None:  # so that earlier versions read the file
        del spec["bridge"]
    diarizer = {"spec": spec, "threshold": found.threshold, "learnt": asdict(content.learnt)}
    if found.vbx is not None:
        diarizer["vbx"] = asdict(found.vbx)
    if found.overlap is not None:
        diarizer["overlap"] = {"threshold": found.overlap.threshold}
        tensors |= stack("overlap.one.", (found.overlap.one,)) | stack("overlap.two.", (found.overlap.two,))
    header = {"format": FORMAT_VERSION, "diarizer": diarizer, "audio": about}
    return packed(header, tensors)


def read_diarizer(path: Path) -> DiarizerFile:
    """Read and check a diarizer.

    Raises:
        ModelFileError: No such file, truncated, not written by this package, of a newer format; models of another kind.
    """
    tensors, header = read_tensors(path)
    check_kind(path, header, "diarizer")
    with whole(path):
        about = checked(DiarizerHeader, header["diarizer"], "header.diarizer")
        audio = read_audio_input(header["audio"], tensors)
        ubm = unstack("ubm.", tensors, [len(tensor(tensors, "ubm.weights", None))], audio.n_dims)[0]
        matrix = tensor(tensors, "space.matrix", ubm.means.size, None)
        space = SpeakerSpace(
            tensor(tensors, "space.mean", len(matrix)), matrix, tensor(tensors, "space.between", matrix.shape[1])
        )
        if matrix.shape[1] == 0 or (space.between < 0).any():
            raise ValueError("a speaker space without a direction, or with a variance below 0")
        overlap = None if about.overlap is None else _detector(tensors, about.overlap, 2 * ubm.n_features)
        diarizer = Diarizer(ubm, space, about.spec, about.threshold, about.vbx, overlap)
        return DiarizerFile(diarizer, audio, about.learnt)


def _detector(tensors: dict[str, NDArray[np.float64]], header: OverlapHeader, n_dims: int) -> OverlapDetector:
    """The detector of overlap, of cepstra with their deltas."""
    one, two = (
        unstack(f"overlap.{name}.", tensors, [len(tensor(tensors, f"overlap.{name}.weights", None))], n_dims)[0]
        for name in ("one", "two")
    )
    return OverlapDetector(one, two, header.threshold)
