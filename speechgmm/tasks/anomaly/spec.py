"""The ``anomaly`` section of a configuration."""

from dataclasses import dataclass
from typing import Final, Literal

from speechgmm.errors import ConfigError
from speechgmm.features.spec import FeatureSpec
from speechgmm.setting import FORBID_UNKNOWN, setting

Pool = Literal["mean", "top", "window"]
Side = Literal["unlikely", "likely", "both"]
Combine = Literal["max", "mean"]
Method = Literal["likelihood", "mahalanobis", "neighbours"]

OF_METHOD: Final[dict[str, Method]] = {
    "n_components": "likelihood",
    "n_neighbours": "neighbours",
    "n_vectors": "neighbours",
}
"""Keys of a stream that one method alone reads."""

UNITS: Final[dict[Method, str]] = {
    "likelihood": "nats per frame",
    "mahalanobis": "Mahalanobis distance, in standard deviations",
    "neighbours": "distance to the nearest normal vectors, in standard deviations of each dimension",
}
"""The unit of a stream's score."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSpec:
    """One way to score a recording: its features, the cost of a frame, and how the costs of all frames become a score.

    >>> StreamSpec(pool="top", share=0.01).pool
    'top'
    """

    __pydantic_config__ = FORBID_UNKNOWN

    name: str = setting("frames", "what the stream is called in tables and pictures")
    features: FeatureSpec | None = setting(None, "its front end; default: the section features")
    method: Method = setting(
        "likelihood",
        "the cost of a frame. likelihood: its negative log-likelihood under a mixture of normal frames; mahalanobis: "
        "its Mahalanobis distance to one Gaussian with a full covariance; neighbours: its mean distance to the nearest "
        "normal vectors, in standard deviations of each dimension",
    )
    n_components: int | None = setting(None, "components of its mixtures; default: model.n_components", ge=1, le=65536)
    n_neighbours: int = setting(5, "neighbours: how many of the nearest vectors count", ge=1, le=10_000)
    n_vectors: int = setting(
        5000,
        "neighbours: normal vectors that the model keeps, at most, drawn at random; more take longer to compare with",
        ge=1,
        le=1_000_000,
    )
    pool: Pool = setting(
        "mean",
        "costs of frames become the score by their mean (for what goes on all the time), by "
        "the mean of the worst share of frames (top: clicks), or by the worst mean over a stretch (window: faults of "
        "some tenths of a second)",
    )
    share: float = setting(0.05, "top: share of the frames that count", gt=0, le=1)
    window: float = setting(0.3, "window: length of the stretch", unit="s", gt=0, le=3600)
    relative: bool = setting(
        False,
        "less the recording's own median frame, so that an unknown voice or channel is no anomaly; for faults that are "
        "short beside the recording",
    )
    side: Side = setting(
        "unlikely",
        "which frames are anomalous: those less likely than normal ones, likelier ones (hum and smooth noise are "
        "likelier than speech under its model), or both",
    )

    def __post_init__(self) -> None:
        """Refuse what would have no effect."""
        defaults = {name: field.default for name, field in type(self).__dataclass_fields__.items()}
        for key, method in OF_METHOD.items():
            if self.method != method and getattr(self, key) != defaults[key]:
                raise ConfigError(
                    f"anomaly.streams: {key} is for method: {method}; this stream has method: {self.method}: leave it "
                    "out"
                )
        if self.n_neighbours > self.n_vectors:
            raise ConfigError(
                f"anomaly.streams: n_neighbours is {self.n_neighbours} and n_vectors {self.n_vectors}; expected "
                "no more neighbours than vectors"
            )
        for key, pool in (("share", "top"), ("window", "window")):
            if self.pool != pool and getattr(self, key) != defaults[key]:
                raise ConfigError(
                    f"anomaly.streams: {key} is for pool: {pool}; this stream has pool: {self.pool}: leave it out"
                )
        if self.pool == "mean" and self.relative:
            raise ConfigError(
                "anomaly.streams: relative with pool: mean takes the recording's level off itself and leaves next to "
                "nothing; leave it out, or take pool: top or window"
            )

    @property
    def sides(self) -> tuple[str, ...]:
        """The values that the stream has: one for each side."""
        return ("unlikely", "likely") if self.side == "both" else (self.side,)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnomalySpec:
    """What counts as normal, how a recording is scored, and from where on it is anomalous."""

    __pydantic_config__ = FORBID_UNKNOWN

    condition: str = setting("condition", "the column that says whether a recording is normal")
    normal: str = setting(
        "normal", "its value for normal recordings; every other value is a kind of anomaly, for tests alone"
    )
    domain: str = setting(
        "domain",
        "the column of domains, such as source and target; where test recordings have it, the AUC of each domain is "
        "given too",
    )
    models: Literal["label", "one"] = setting(
        "label", "label: a model for each value of corpus.label (a machine); one: one for all"
    )
    streams: tuple[StreamSpec, ...] = setting(
        (StreamSpec(),), "ways to score a recording; combine makes one score of them"
    )
    combine: Combine = setting(
        "max",
        "scores of several streams, in standard deviations of normal recordings, become one: the largest or the mean",
    )
    false_alarm: float = setting(
        0.05, "share of normal recordings that may be called anomalous: the threshold is made for it", gt=0, lt=1
    )
    folds: int = setting(
        5,
        "parts of the normal recordings that are left out in turn, for scores of recordings not trained on",
        ge=2,
        le=1000,
    )
    when: float = setting(
        0.3, "length of the stretch that is named as the most anomalous of a recording", unit="s", gt=0, le=3600
    )

    def __post_init__(self) -> None:
        """Refuse streams that could not be told apart."""
        if not self.streams:
            raise ConfigError("anomaly.streams is empty; expected one stream at least, or leave it out")
        names = [stream.name for stream in self.streams]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ConfigError(f"anomaly.streams: two are named {twice!r}; give each its own name")
        if self.combine != "max" and self.n_values == 1:
            raise ConfigError("anomaly.combine has no effect on one stream of one side; leave it out")

    @property
    def n_values(self) -> int:
        """Values of a recording: one for each side of each stream."""
        return sum(len(stream.sides) for stream in self.streams)

    @property
    def unit(self) -> str:
        """The unit of scores."""
        if self.n_values > 1:
            return "standard deviations of normal recordings"
        return UNITS[self.streams[0].method]
