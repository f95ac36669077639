"""What a user may choose about transforms of frames: the ``features.transform`` section of a configuration."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from speechgmm.errors import ConfigError
from speechgmm.setting import FORBID_UNKNOWN, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformSpec:
    """The ``features.transform`` section: a linear transform of frames after deltas and normalisation.

    Raises `ConfigError` for a value out of range, and for settings that its ``kind`` does not use.

    >>> TransformSpec(kind="lda", mllt=True, dim=40, splice=4).dim
    40
    """

    __pydantic_config__: ClassVar[Any] = FORBID_UNKNOWN

    kind: Literal["none", "lda", "mllt", "pca"] = setting(
        "none",
        "none; lda: the directions that tell the classes of the training split apart best (recognition: the states); "
        "mllt: as many dimensions as there are, turned so that diagonal covariances fit best; pca: the directions of "
        "most variance in the training split, uncorrelated and of variance 1 (for task: anomaly)",
    )
    mllt: bool = setting(
        False, "lda: true: its directions are turned so that diagonal covariances fit best; recognition needs it"
    )
    dim: int = setting(
        38, "lda, pca: dimensions kept, at most (lda: there are no more than classes less one)", ge=1, le=65536
    )
    splice: int = setting(
        0, "lda, pca: frames on either side that are put beside each frame", unit="frames", ge=0, le=100
    )

    def __post_init__(self) -> None:
        if self.kind not in ("none", "lda", "mllt", "pca"):
            raise ConfigError(f"features.transform.kind: {self.kind!r}; expected none, lda, mllt or pca")
        for name, least in (("dim", 1), ("splice", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ConfigError(f"features.transform.{name}: {value!r}; expected a whole number, {least} or more")
        if self.kind in ("none", "mllt") and (self.dim, self.splice) != (38, 0):
            raise ConfigError(
                "features.transform: dim and splice have no effect without kind: lda or pca; set that as well, or "
                "leave them out"
            )
        if self.mllt and self.kind != "lda":
            raise ConfigError(
                f"features.transform.mllt has no effect with kind: {self.kind}; it turns the directions of kind: lda "
                "(kind: mllt turns the frames as they are)"
            )

    @property
    def turns(self) -> bool:
        """Whether the transform contains an MLLT, which is estimated from mixtures."""
        return self.mllt or self.kind == "mllt"
