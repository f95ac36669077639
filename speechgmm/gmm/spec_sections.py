"""The sections ``ubm`` and ``choose`` within the ``model`` section of a configuration."""

from dataclasses import dataclass
from typing import Literal

from speechgmm.errors import ConfigError
from speechgmm.gmm.component_count import DEFAULT_UBM_COMPONENTS, FRAMES_PER_COMPONENT
from speechgmm.gmm.options import MAX_ITER
from speechgmm.setting import FORBID_UNKNOWN, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class UbmSpec:
    """The universal background model that MAP adaptation starts from.

    It has the settings of the classes where this section has none.
    """

    __pydantic_config__ = FORBID_UNKNOWN

    n_components: int | None = setting(
        None,
        f"Gaussians of the background model; default: {DEFAULT_UBM_COMPONENTS}, and of few frames one for each "
        f"{FRAMES_PER_COMPONENT} of them",
        ge=1,
        le=65536,
    )
    max_iter: int = setting(MAX_ITER, "EM iterations over all background frames, at most", ge=0, le=100_000)
    balance: str | None = setting(
        None,
        "a column, such as sex, whose values are to weigh the same in the background model, however much speech "
        "of each there is; default: every frame counts once",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChooseSpec:
    """How the number of components of every class is chosen, with ``n_components: auto``."""

    __pydantic_config__ = FORBID_UNKNOWN

    criterion: Literal["bic", "aic", "held_out", "occupancy"] = setting(
        "bic",
        "likelihood less a price for every parameter (bic, aic); likelihood of recordings, or groups, that were held "
        "out; or occupancy: the largest candidate, less the components that hold fewer than min_frames",
    )
    candidates: tuple[int, ...] | None = setting(
        None,
        "numbers of components to try, from small to large until two in a row are no better; default: 1, 2, 3, 4, 6, "
        "8, 12, ... 256, as far as a class has 10 frames for each",
    )
    n_starts: int = setting(3, "fits of every candidate, of which the likeliest counts", ge=1, le=1000)
    min_frames: float = setting(100.0, "occupancy: what a component holds at the least", unit="frames", ge=1, le=1e9)

    def __post_init__(self) -> None:
        """Refuse what would have no effect, and candidates that are none."""
        if self.candidates is not None and (not self.candidates or min(self.candidates) < 1):
            raise ConfigError(
                f"model.choose.candidates is {list(self.candidates)}; expected numbers of components, 1 or more"
            )
        if self.criterion != "occupancy" and self.min_frames != 100.0:
            raise ConfigError(
                f"model.choose.min_frames has no effect with model.choose.criterion: {self.criterion}; set occupancy"
            )
