from .mean_field import Smoothed, free_energy, neighbour_weights, smooth
from .pixels import PixelSpec, pixel_features
from .segmentation import PixelSpace, Segmentation, SegmentationSpec, entropy, painted, segment

__all__ = [
    "PixelSpace",
    "PixelSpec",
    "Segmentation",
    "SegmentationSpec",
    "Smoothed",
    "entropy",
    "free_energy",
    "neighbour_weights",
    "painted",
    "pixel_features",
    "segment",
    "smooth",
]
