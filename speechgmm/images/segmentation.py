"""An image into regions: a mixture of its pixels, a posterior for each, and neighbours that agree.

Owns the order of these steps and the space that pixels are compared in. Large images are fitted on a sample of their
pixels and gone through in strips, so that features of all of them are never held at once. Refuses files.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import ConfigError, DataError, FitError
from speechgmm.gmm import DiagGMM, Fit, VariationalFit, fit_variational, posteriors
from speechgmm.gmm.fit import fit_mixture
from speechgmm.gmm.frames import as_source
from speechgmm.gmm.options import EMOptions
from speechgmm.images.mean_field import Smoothed, smooth
from speechgmm.images.pixels import Pixels, PixelSpec, pixel_features
from speechgmm.setting import FORBID_UNKNOWN, setting

Estimator = Literal["em", "variational"]

_STRIP: Final = 2**18
"""Pixels that go through at a time."""

_INVISIBLE: Final = 0.05
"""A standard deviation of L, a or b that nobody sees: that of a and b in greys is 0.01, as their white is rounded."""


@dataclass(frozen=True, slots=True)
class SegmentationSpec:
    """The settings of the segmentation of an image into regions.

    Raises:
        ConfigError: A value out of range.

    >>> SegmentationSpec(n_components=4, strength=2.0).estimator
    'em'
    """

    __pydantic_config__: ClassVar[Any] = FORBID_UNKNOWN

    n_components: int = setting(6, "components of the mixture: kinds of region", ge=1)
    estimator: Estimator = setting("em", "em, or variational: as many of the components as the pixels need")
    max_iter: int = setting(50, "iterations, at most", ge=0)
    floor: float = setting(0.01, "least variance, where a feature of weight 1 has 1 over the image", gt=0)
    fit_pixels: int = setting(1_000_000, "pixels that the mixture is fitted to; drawn where there are more", ge=1)
    strength: float = setting(1.0, "what a neighbour that is sure adds to its component's log odds", unit="nats", ge=0)
    neighbours: int = setting(8, "of a pixel: 4 or 8")
    contrast: bool = setting(True, "neighbours count less where the colour changes between them")
    seed: int = setting(0, "of the sample and of the start", ge=0)

    def __post_init__(self) -> None:
        if self.n_components < 1 or self.max_iter < 0:
            raise ConfigError(
                f"{self.n_components} components and {self.max_iter} iterations; expected 1 and 0 or more"
            )
        if self.fit_pixels < self.n_components:
            raise ConfigError(f"{self.fit_pixels} pixels to fit {self.n_components} components to; expected more")
        if self.estimator not in ("em", "variational"):
            raise ConfigError(f"estimator {self.estimator!r}; expected em or variational")
        if self.neighbours not in (4, 8):
            raise ConfigError(f"{self.neighbours} neighbours; expected 4 or 8")
        if not self.floor > 0:
            raise ConfigError(f"floor {self.floor:g}; expected above 0: flat regions would shrink to a point")


@dataclass(frozen=True, slots=True, eq=False)
class PixelSpace:
    """The scaling of pixel features: they are centred, divided by a standard deviation and multiplied by a weight.

    The features of a part (colour, texture, position) share one weight.

    >>> spec = PixelSpec(position=0)
    >>> space = PixelSpace.of(np.random.default_rng(0).random((50, spec.n_features)).astype(np.float32), spec)
    >>> len(space.used) == spec.n_features
    True
    """

    spec: PixelSpec
    used: NDArray[np.intp]  # (D,) of the features: those that are not the same everywhere
    centre: NDArray[np.float64]  # (D,)
    scale: NDArray[np.float64]  # (D,), above 0

    @classmethod
    def of(cls, features: Pixels, spec: PixelSpec) -> "PixelSpace":
        """Compute the scaling from the features of a sample of N pixels.

        L, a and b are divided by one standard deviation; so are all scales of texture, and column and row.

        Raises:
            FitError: All features are the same everywhere.
        """
        mean = features.mean(axis=0, dtype=np.float64)
        variance = features.var(axis=0, dtype=np.float64)
        least = np.full(len(mean), 1e-9)
        least[: 3 if spec.colour else 0] = _INVISIBLE**2
        used = np.flatnonzero(variance > least)
        if not len(used):
            raise FitError("all pixels are alike in what is measured of them; there is nothing to tell apart")
        unit = np.ones(len(mean))
        column = 0
        for weight, count in spec.parts:
            part = variance[column : column + count]
            part = part[np.isin(np.arange(column, column + count), used)]
            if len(part):
                unit[column : column + count] = weight / np.sqrt(part.mean())
            column += count
        return cls(spec, used, mean[used], unit[used])

    def frames(self, image: ArrayLike, rows: slice = slice(None)) -> Pixels:
        """Pixels of these rows as frames (n, D), float32."""
        features = pixel_features(image, self.spec, rows)
        return self.standard(features.reshape(-1, features.shape[2]))

    def standard(self, features: Pixels) -> Pixels:
        """Features (n, all) as frames (n, D), float32."""
        frames: Pixels = ((features[:, self.used] - self.centre) * self.scale).astype(np.float32)
        return frames


@dataclass(frozen=True, slots=True, eq=False)
class Segmentation:
    """The result of the segmentation of an image."""

    posteriors: NDArray[np.float32]  # (H, W, K), smoothed
    uncertainty: NDArray[np.float32]  # (H, W), entropy of the mixture's own posteriors (mean field makes all look sure)
    fit: Fit | VariationalFit
    mixture: DiagGMM  # that the posteriors are of: the fit's, its variances at the floor or above
    space: PixelSpace
    smoothed: Smoothed | None  # how the smoothing went; None: strength 0
    n_fitted: int  # pixels that the mixture was fitted to

    @property
    def labels(self) -> NDArray[np.intp]:
        """(H, W), the most probable component of every pixel."""
        labels: NDArray[np.intp] = self.posteriors.argmax(axis=2)
        return labels


def segment(image: ArrayLike, pixels: PixelSpec | None = None, spec: SegmentationSpec | None = None) -> Segmentation:
    """Segment an image (H, W, 3), sRGB from 0 to 1: the pixels of each component of a mixture are a region.

    With six components and 8 neighbours, the memory beside the image is some 130 bytes per pixel (for four copies of
    the float32 posteriors, and the weights of the neighbours). The fit takes 200 bytes more for each pixel that the
    mixture is fitted to (400 by variational Bayes, in float64).

    Raises:
        ShapeError: An image that is not (H, W, 3), or has values outside 0 to 1.
        DataError: An image of one colour; fewer distinct pixels (colours and places) than components.
        ConfigError: scikit-image is not installed.

    >>> image = np.random.default_rng(0).random((20, 30, 3))
    >>> image[:, 15:] *= 0.2
    >>> found = segment(image, PixelSpec(position=0), SegmentationSpec(n_components=2))
    >>> found.labels.shape, bool(found.labels[10, 2] != found.labels[10, 28])
    ((20, 30), True)
    """
    values = np.asarray(image)
    features_of, how = pixels or PixelSpec(), spec or SegmentationSpec()
    if values.ndim == 3 and values.size and (values == values[:1, :1]).all():
        raise DataError(
            f"an image of one colour ({', '.join(f'{value:.2g}' for value in values[0, 0])}): there is nothing to tell "
            "apart; is it an empty page, or a mask whose classes are all 0?"
        )
    sample = _sample(values, features_of, how)
    space = PixelSpace.of(sample, features_of)
    frames = space.standard(sample)
    try:
        fit = _fitted(frames, how)
    except FitError as error:
        raise DataError(f"the image has too few different pixels: {error}") from None
    plain = fit.model
    # Variational Bayes has no floor; a weight would not count without one.
    mixture = DiagGMM(plain.weights, plain.means, np.maximum(plain.variances, how.floor))
    height, width = values.shape[:2]
    maps = np.empty((height, width, how.n_components), np.float32)
    uncertainty = np.empty((height, width), np.float32)
    for rows in strips(height, width):
        maps[rows] = posteriors(mixture, space.frames(values, rows)).reshape(-1, width, how.n_components)
        uncertainty[rows] = entropy(maps[rows])
    if how.strength == 0:
        return Segmentation(maps, uncertainty, fit, mixture, space, None, len(frames))
    smoothed = smooth(maps, strength=how.strength, neighbours=how.neighbours, image=values if how.contrast else None)
    return Segmentation(smoothed.posteriors, uncertainty, fit, mixture, space, smoothed, len(frames))


def _fitted(frames: Pixels, how: SegmentationSpec) -> Fit | VariationalFit:
    if how.estimator == "variational":
        return fit_variational(frames, how.n_components, seed=how.seed, max_iter=how.max_iter)
    # Flat regions lie on the floor, and few pixels are what was asked for: nothing to warn of.
    options = EMOptions(max_iter=how.max_iter, floor=how.floor)
    return fit_mixture(as_source(frames), how.n_components, options, seed=how.seed)


def entropy(maps: ArrayLike) -> NDArray[np.float32]:
    """Entropy of posteriors (..., K) divided by log K: 0 where one component is certain, 1 where all are equal.

    >>> entropy([[1.0, 0.0], [0.5, 0.5]])
    array([0., 1.], dtype=float32)
    """
    values = np.asarray(maps, dtype=np.float32)
    if values.shape[-1] < 2:
        return np.zeros(values.shape[:-1], np.float32)
    nats = -(values * np.log(np.maximum(values, np.float32(1e-30)))).sum(axis=-1)
    shares: NDArray[np.float32] = np.abs(nats / np.float32(np.log(values.shape[-1])))
    return shares


def painted(labels: NDArray[np.intp], image: Pixels) -> Pixels:
    """An image (H, W, 3) in which every region of ``labels`` (H, W) has the mean colour of its pixels.

    >>> painted(np.array([[0, 0, 1]]), np.array([[[0.0], [1.0], [0.25]]])).ravel()
    array([0.5 , 0.5 , 0.25], dtype=float32)
    """
    flat, pixels = labels.ravel(), image.reshape(-1, image.shape[2])
    counts = np.maximum(1, np.bincount(flat))
    means = np.stack([np.bincount(flat, channel) / counts for channel in pixels.T], axis=1)
    colours: Pixels = means[labels].astype(np.float32)
    return colours


def strips(height: int, width: int) -> list[slice]:
    """Rows of an image, some at a time.

    >>> strips(3, 2**17)
    [slice(0, 2, None), slice(2, 3, None)]
    """
    step = max(1, _STRIP // width)
    return [slice(top, min(top + step, height)) for top in range(0, height, step)]


def _sample(values: NDArray[Any], pixels: PixelSpec, how: SegmentationSpec) -> Pixels:
    """Features of the pixels that are fitted to, (n, all): every one, or as many as asked for, in the image's order."""
    if values.ndim != 3:
        return pixel_features(values, pixels)  # which says what is wrong
    height, width = values.shape[:2]
    total = height * width
    chosen = np.arange(total)
    if total > how.fit_pixels:
        chosen = np.sort(np.random.default_rng(how.seed).choice(total, how.fit_pixels, replace=False))
    parts = []
    for rows in strips(height, width):
        features = pixel_features(values, pixels, rows).reshape(-1, pixels.n_features)
        low, high = np.searchsorted(chosen, [rows.start * width, rows.stop * width])
        parts.append(features[chosen[low:high] - rows.start * width])
    return np.concatenate(parts)
