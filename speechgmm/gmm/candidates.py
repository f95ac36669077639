"""Numbers of components that are tried, as far as the frames allow them."""

from collections.abc import Sequence
from typing import Final

from speechgmm.errors import ConfigError, FitError
from speechgmm.gmm.component_count import FRAMES_PER_COMPONENT, components_for

LADDER: Final = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
"""Candidates, unless others are named: powers of two, and one in between."""

FRAMES_EACH: Final = 10
"""Frames per component that a candidate needs; full covariances need more, as ``frames_each`` says. It is less than
``FRAMES_PER_COMPONENT``, since the criterion, which has a price for every parameter, decides about the rest."""


def candidate_frames(each: int) -> int:
    """Frames per component that a candidate needs where a number without a criterion needs ``each``.

    >>> candidate_frames(FRAMES_PER_COMPONENT)
    10
    """
    return round(FRAMES_EACH * each / FRAMES_PER_COMPONENT)


def allowed(n_frames: int, candidates: Sequence[int] | None = None, each: int = FRAMES_EACH) -> list[int]:
    """The candidates that so many frames allow, ascending; one component is always among those that nobody named.

    ``each`` component of those that nobody named has so many frames.

    Raises:
        ConfigError: None named, or one below 1.
        FitError: Fewer frames than the least of the candidates.

    >>> allowed(65), allowed(65, [64, 8, 128]), allowed(9)
    ([1, 2, 3, 4, 6], [8, 64], [1])
    """
    if candidates is None:
        return [size for size in LADDER if size == 1 or size * each <= n_frames]
    sizes = sorted(set(candidates))
    if not sizes or sizes[0] < 1:
        raise ConfigError(f"candidates {list(candidates)}; expected numbers of components, 1 or more")
    if sizes[0] > n_frames:
        raise FitError(
            f"{n_frames} frames for {sizes[0]} components, the least of the candidates; give it more frames "
            f"(more audio), or name a candidate of at most {components_for(max(1, n_frames))}, one for each "
            f"{FRAMES_PER_COMPONENT} frames"
        )
    return [size for size in sizes if size <= n_frames]
