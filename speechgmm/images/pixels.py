"""Pixels as frames: colour, texture and position of each, in strips of rows.

Owns what is measured of a pixel. Colour is CIE L*a*b* (distances as the eye sees them; scikit-image computes it, extra
``image``); texture the logarithm of how much lightness varies around it, at a few scales; position its column and row
in shares of the longer side. Refuses files and colour spaces: an image is sRGB, (H, W, 3), from 0 to 1.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import ConfigError, ShapeError
from speechgmm.setting import FORBID_UNKNOWN, setting

Pixels = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class PixelSpec:
    """Weights of the features of a pixel: colour, texture and position.

    A mixture adapts to any scale of its features. A weight therefore acts only through the floor of the variances,
    which is the same for all features (``SegmentationSpec``): a feature with a small weight cannot separate components
    that lie close together. A feature with weight 0 is left out.

    Raises:
        ConfigError: A weight or a scale out of range, or all weights 0.

    >>> PixelSpec(position=0).parts
    ((1.0, 3), (0.5, 2))
    """

    __pydantic_config__: ClassVar[Any] = FORBID_UNKNOWN

    colour: float = setting(1.0, "weight of the colour, in units of its standard deviation over the image", ge=0)
    texture: float = setting(0.5, "weight of the local variation of lightness, likewise", ge=0)
    position: float = setting(0.3, "weight of where the pixel is, likewise", ge=0)
    scales: tuple[float, ...] = setting(
        (2.0, 6.0), "standard deviations of the windows that texture is seen in", unit="pixels"
    )

    def __post_init__(self) -> None:
        weights = (self.colour, self.texture, self.position)
        if not all(np.isfinite(weight) and weight >= 0 for weight in weights) or not any(weights):
            raise ConfigError(
                f"weights of colour {self.colour:g}, texture {self.texture:g} and position {self.position:g}; expected "
                "0 or more each, and one of them above 0"
            )
        if not self.scales or not all(0.3 <= scale <= 100 for scale in self.scales):
            raise ConfigError(f"texture at scales {self.scales}; expected one or more of 0.3 to 100 pixels")

    @property
    def parts(self) -> tuple[tuple[float, int], ...]:
        """Weight and number of features of colour, texture and position, where the weight is not 0."""
        every = ((self.colour, 3), (self.texture, len(self.scales)), (self.position, 2))
        return tuple((weight, count) for weight, count in every if weight > 0)

    @property
    def n_features(self) -> int:
        """D."""
        return sum(count for _, count in self.parts)


def pixel_features(image: ArrayLike, spec: PixelSpec, rows: slice = slice(None)) -> Pixels:
    """The features (n_rows, W, D) of the pixels in ``rows`` of an sRGB image (H, W, 3) with values from 0 to 1.

    For each pixel, in this order: its colour in CIE L*a*b* (3 features); for each of ``spec.scales`` log(1 + s), where
    s is the standard deviation of the lightness L within a Gaussian window of that width around the pixel; its column
    and its row, both divided by the longer side of the image. A group whose weight in ``spec`` is 0 is left out; other
    weights are not applied here. The features of a row are the same whichever other rows are asked for.

    Raises:
        ShapeError: An image that is not (H, W, 3), or has values outside 0 to 1.
        ConfigError: scikit-image is not installed.

    >>> pixel_features(np.full((4, 6, 3), 0.5), PixelSpec(), slice(0, 2)).shape[:2]
    (2, 6)
    """
    values = np.asarray(image)
    if values.ndim != 3 or values.shape[2] != 3 or values.size == 0:
        raise ShapeError(f"an image of shape {values.shape}; expected (height, width, 3): red, green and blue")
    height, width = values.shape[:2]
    first, last, _ = rows.indices(height)
    # What texture sees above and below.
    margin = int(4 * max(spec.scales)) + 1 if spec.texture else 0
    top, bottom = max(0, first - margin), min(height, last + margin)
    strip = values[top:bottom].astype(np.float32)
    if not np.isfinite(strip).all() or strip.min() < 0 or strip.max() > 1:
        raise ShapeError("an image with values that are not from 0 to 1; divide bytes by 255")
    lab = _lab(strip)
    inside = slice(first - top, last - top)
    found = np.empty((last - first, width, spec.n_features), np.float32)
    column = 0
    if spec.colour:
        found[:, :, :3] = lab[inside]
        column = 3
    if spec.texture:
        for scale in spec.scales:
            found[:, :, column] = np.log1p(_deviation(lab[:, :, 0], scale))[inside]
            column += 1
    if spec.position:
        longer = np.float32(max(height, width))
        found[:, :, column] = np.arange(width) / longer
        found[:, :, column + 1] = np.arange(first, last)[:, None] / longer
    return found


def _deviation(values: Pixels, scale: float) -> NDArray[np.float64]:
    """The standard deviation of values (H, W) within a Gaussian window around each; float64, since squares cancel."""
    from scipy.ndimage import gaussian_filter

    exact = values.astype(np.float64)
    mean = gaussian_filter(exact, scale, mode="nearest", truncate=4.0)
    square = gaussian_filter(exact**2, scale, mode="nearest", truncate=4.0)
    deviation: NDArray[np.float64] = np.sqrt(np.maximum(square - mean**2, 0))
    return deviation


def _lab(image: Pixels) -> Pixels:
    try:
        from skimage.color import rgb2lab
    except ImportError:
        raise ConfigError(
            "colours are computed by scikit-image, which is not installed: pip install 'speechgmm[image]'"
        ) from None
    lab: Pixels = rgb2lab(image).astype(np.float32)
    return lab
