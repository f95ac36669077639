from .agglomerative import Clustering, check_distances, in_order, link, merge
from .bic import GaussianStats, delta_bic
from .supervectors import (
    RELEVANCE,
    WithinClass,
    cosine_distances,
    cross_likelihood_ratios,
    mean_offsets,
    piece_statistics,
    supervectors,
    unit_length,
)

__all__ = [
    "RELEVANCE",
    "Clustering",
    "GaussianStats",
    "WithinClass",
    "check_distances",
    "cosine_distances",
    "cross_likelihood_ratios",
    "delta_bic",
    "in_order",
    "link",
    "mean_offsets",
    "merge",
    "piece_statistics",
    "supervectors",
    "unit_length",
]
