"""What a user may choose about segment models: the ``segments`` section of a configuration."""

from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal, get_args

from speechgmm.errors import ConfigError
from speechgmm.features.spec_checks import check_value
from speechgmm.setting import FORBID_UNKNOWN, setting

StreamName = Literal["frames", "thirds", "vector", "statistics", "duration", "prior"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentSpec:
    """Which scores of a segment are summed and how each is estimated.

    The defaults were looked for on eight speakers of TIMIT; every number of them is worth choosing again, by
    ``cross_validate_segments`` on the training speakers. Raises `ConfigError` for a value out of range.

    >>> SegmentSpec(streams=("frames",)).frame_components
    16
    """

    __pydantic_config__: ClassVar[Any] = FORBID_UNKNOWN

    streams: tuple[StreamName, ...] = setting(
        ("frames", "thirds", "vector", "duration", "prior"),
        "what is summed: a mixture over the frames; one over each third; one over the segment as a vector; statistics: "
        "one over mean, minimum, maximum and standard deviation of the frames, in any order (sounds); a Gaussian on "
        "log duration; the log share of the training segments",
    )
    length_power: float = setting(
        0.9,
        "frames, thirds: a segment's log-likelihood is divided by its number of frames to this power (0 the total, 1 "
        "the mean)",
        ge=0,
        le=1,
    )
    frame_components: float = setting(16, "frames: Gaussians per class, on average", ge=1, le=65536)
    third_components: float = setting(4, "thirds: Gaussians per class and third, on average", ge=1, le=65536)
    vector_components: float = setting(1, "vector, statistics: Gaussians per class, on average", ge=1, le=65536)
    power: float = setting(
        0.25,
        "Gaussians are shared out by the classes' frames or segments to this power; 0: the same for all",
        ge=0,
        le=10,
    )
    min_count: float = setting(
        10, "frames (vector, statistics: segments) that each Gaussian of a class with several must have", gt=0, le=1e9
    )
    third_splice: int = setting(4, "thirds: frames on either side put beside each frame", unit="frames", ge=0, le=100)
    third_dim: int = setting(36, "thirds: dimensions after the LDA, at most", ge=1, le=65536)
    vector_context: float = setting(
        3.0, "vector: length of each of the two stretches before and after a segment", unit="frames", gt=0, le=100
    )
    vector_dim: int = setting(
        38, "vector, statistics: dimensions after the LDA, at most (no more than classes less one)", ge=1, le=65536
    )
    lda_prior: float = setting(
        1000.0,
        "pseudo-frames (vector, statistics: segments) without correlations in the LDA's within-class covariance",
        ge=0,
        le=1e12,
    )
    frame_prior: float = setting(
        20.0,
        "frames, thirds: pseudo-frames of the within-class variance in every Gaussian",
        unit="frames",
        ge=0,
        le=1e12,
    )
    vector_prior: float = setting(
        60.0,
        "vector, statistics: pseudo-segments of the within-class variance in every Gaussian",
        unit="segments",
        ge=0,
        le=1e12,
    )
    variance_floor: float = setting(
        0.02, "least variance of a Gaussian, as a share of all segments', per dimension", gt=0, le=1
    )
    max_iter: int = setting(20, "EM iterations per mixture, at most", ge=1, le=100_000)
    tol: float = setting(1e-4, "EM stops once an iteration gains less", unit="nats per frame", ge=0, le=1e6)
    weight_folds: int = setting(
        3,
        "parts that the training groups (speakers) are divided into to choose the weights of the streams; at most one "
        "for each group",
        ge=2,
        le=1000,
    )

    def __post_init__(self) -> None:
        known = get_args(StreamName)
        if not self.streams or len(set(self.streams)) != len(self.streams) or set(self.streams) - set(known):
            raise ConfigError(f"segments.streams: {self.streams!r}; expected some of {', '.join(known)}, each once")
        if set(self.streams) == {"prior"}:
            raise ConfigError("segments.streams: prior alone looks at no segment; add frames, for example")
        for part in fields(self):
            if part.name != "streams":
                check_value(part, getattr(self, part.name), "segments")
