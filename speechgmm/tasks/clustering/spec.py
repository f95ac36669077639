"""The ``clustering`` section of a configuration."""

from dataclasses import dataclass
from typing import Final, Literal

from speechgmm.clustering.methods import Choice, Kind, Method, check_choice
from speechgmm.errors import ConfigError
from speechgmm.setting import FORBID_UNKNOWN, setting

UNSURE: Final = 0.05
"""A silhouette below this: the recording is as near to another cluster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusteringSpec:
    """How recordings become clusters, and what is learnt before.

    >>> ClusteringSpec(kind="sounds").choice.kind
    'sounds'
    """

    __pydantic_config__ = FORBID_UNKNOWN

    kind: Kind = setting(
        "speakers",
        "speakers: each recording's mean, which depends on the microphone, is subtracted; sounds: it is kept, "
        "and the weights of the components count too",
    )
    method: Method = setting(
        "cosine",
        "cosine: distances of supervectors, average linkage; spectral: the same distances, scikit-learn's spectral "
        "clustering; ratio: merging by cross-likelihood ratios; bic: merging by the BIC of full Gaussians",
    )
    n_clusters: int | None = setting(None, "number of clusters; default: estimated", ge=1)
    threshold: float | None = setting(
        None,
        "where merging stops: a cosine distance, minus a ratio in nats per frame, or a BIC in nats; default: the "
        "method's own, chosen on LibriSpeech",
    )
    relevance: float | None = setting(
        None,
        "what the background model is worth in each component of a recording; default: 4, ratio: 16",
        unit="frames",
        gt=0,
    )
    background: Literal["corpus", "own"] = setting(
        "corpus",
        "corpus: the background model (model.ubm) is trained on the split ubm, else on train; own: on the recordings "
        "that are clustered, 2 to 64 Gaussians by their frames",
    )
    within: bool = setting(
        False,
        "cosine and spectral: directions in which recordings of one class of the split train differ count for less "
        "(within-class covariance normalisation)",
    )

    def __post_init__(self) -> None:
        """Refuse what would have no effect."""
        check_choice(self.method, self.kind, self.n_clusters, self.threshold, self.relevance, None)
        if self.within and self.method in ("ratio", "bic"):
            raise ConfigError(
                f"clustering.within is for clustering.method: cosine and spectral; {self.method} has no points to "
                "normalise: leave it out"
            )
        if self.within and self.background == "own":
            raise ConfigError(
                "clustering.within learns from the split train under its background model; with clustering.background: "
                "own there is none: leave one of the two out"
            )

    @property
    def choice(self) -> Choice:
        """What clustering takes."""
        return Choice(self.method, self.n_clusters, self.threshold, self.kind, self.relevance)
