"""The model file of a diarizer: front end, background model, speaker space and threshold, in the usual container.

header              "diarizer": the spec, the threshold, what it was learnt from; of VBx its settings
ubm.*               the background model
space.mean          (K D,)
space.matrix        (K D, d)
space.between       (d,)
"""

from dataclasses import asdict, dataclass
from pathlib import Path

from speechgmm.engine.audio_input import AudioInput, audio_header, read_audio_input
from speechgmm.io.atomic import write_atomically
from speechgmm.io.container import FORMAT_VERSION, check_kind, packed, read_tensors, stack, tensor, unstack, whole
from speechgmm.io.header import checked
from speechgmm.tasks.diarization.models import Diarizer
from speechgmm.tasks.diarization.spec import DiarizationSpec, WindowVbxSpec
from speechgmm.vectors.speaker_space import SpeakerSpace


@dataclass(frozen=True, slots=True)
class LearntFrom:
    """What a diarizer was learnt from."""

    n_background: int  # speakers of the background model and the speaker space
    n_conversations: int  # that the threshold was chosen on
    der: float  # of those, at that threshold: of training, not of a test


@dataclass(frozen=True, slots=True)
class DiarizerHeader:
    """What the header says of a diarizer."""

    spec: DiarizationSpec
    threshold: float
    learnt: LearntFrom
    vbx: WindowVbxSpec | None = None  # None: merging


@dataclass(frozen=True, slots=True, eq=False)
class DiarizerFile:
    """What the model file of a diarizer holds."""

    diarizer: Diarizer
    audio: AudioInput
    learnt: LearntFrom


def save_diarizer(content: DiarizerFile, path: Path) -> None:
    """Write a diarizer; the same content gives the same bytes. Raises DataError where the disk does not take it."""
    data = serialise_diarizer(content)
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
        return DiarizerFile(Diarizer(ubm, space, about.spec, about.threshold, about.vbx), audio, about.learnt)
