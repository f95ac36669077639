from .agglomerative import Clustering, check_distances, check_number, in_order, link, merge
from .bic import GaussianStats, delta_bic
from .pieces import METHODS, PieceClusters, cluster_pieces
from .plane import plane, stress
from .spectral import affinities, number_by_eigengap, spectral
from .supervectors import (
    RELEVANCE,
    WithinClass,
    cosine_distances,
    cross_likelihood_ratios,
    cross_likelihood_ratios_of,
    mean_offsets,
    piece_statistics,
    supervectors,
    unit_length,
    weight_offsets,
)

__all__ = [
    "METHODS",
    "RELEVANCE",
    "Clustering",
    "GaussianStats",
    "PieceClusters",
    "WithinClass",
    "affinities",
    "check_distances",
    "check_number",
    "cluster_pieces",
    "cosine_distances",
    "cross_likelihood_ratios",
    "cross_likelihood_ratios_of",
    "delta_bic",
    "in_order",
    "link",
    "mean_offsets",
    "merge",
    "number_by_eigengap",
    "piece_statistics",
    "plane",
    "spectral",
    "stress",
    "supervectors",
    "unit_length",
    "weight_offsets",
]
