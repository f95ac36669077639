"""The model file of clustering: front end, background model and what differs within a class, in the usual container.

header              "clustering": the settings, and the column that the classes of the test were values of
ubm.*               the background model
within.*            mean (M,), directions (R, M), gains (R,): where clustering.within was asked for
"""

from dataclasses import asdict, dataclass
from pathlib import Path

from speechgmm.engine.audio_input import AudioInput, audio_header, read_audio_input
from speechgmm.gmm import DiagGMM
from speechgmm.io.container import FORMAT_VERSION, check_kind, packed, read_tensors, stack, unstack, whole
from speechgmm.tasks.clustering.spec import ClusteringSpec
from speechgmm.vectors.within_class import WithinClass


@dataclass(frozen=True, slots=True, eq=False)
class ClusteringFile:
    """What the model file of clustering holds."""

    ubm: DiagGMM
    audio: AudioInput
    spec: ClusteringSpec
    label: str  # the column of the true classes
    within: WithinClass | None = None


def serialise_clustering(content: ClusteringFile) -> bytes:
    """The bytes of a model file; the same content gives the same bytes."""
    about, tensors = audio_header(content.audio)
    tensors |= stack("ubm.", (content.ubm,))
    if content.within is not None:
        tensors |= {f"within.{name}": getattr(content.within, name) for name in ("mean", "directions", "gains")}
    header = {
        "format": FORMAT_VERSION,
        "clustering": {"spec": asdict(content.spec), "label": content.label},
        "audio": about,
    }
    return packed(header, tensors)


def read_clustering(path: Path) -> ClusteringFile:
    """Read and check a model file of clustering.

    Raises:
        ModelFileError: No such file, truncated, not written by this package, of a newer format; models of another kind.
    """
    tensors, header = read_tensors(path)
    check_kind(path, header, "clustering")
    with whole(path):
        within = None
        if "within.mean" in tensors:
            within = WithinClass(tensors["within.mean"], tensors["within.directions"], tensors["within.gains"])
        return ClusteringFile(
            unstack("ubm.", tensors, [len(tensors["ubm.weights"])])[0],
            read_audio_input(header["audio"], tensors),
            ClusteringSpec(**header["clustering"]["spec"]),
            str(header["clustering"]["label"]),
            within,
        )
