"""What the model file of clustering holds, for a person."""

from collections.abc import Iterator
from pathlib import Path

from speechgmm.tasks.clustering.codec import read_clustering


def describe(path: Path) -> Iterator[str]:
    """The background model, and how recordings are clustered under it."""
    file = read_clustering(path)
    yield f"{path}: a background model for clustering; recordings: {file.audio.describe_source()}"
    yield f"{file.ubm.n_components} Gaussians of {file.ubm.n_features} features"
    learnt = "" if file.within is None else f", normalised within classes in {len(file.within.gains)} directions"
    yield f"recordings are clustered by {file.spec.method}, as {file.spec.kind}{learnt}"
