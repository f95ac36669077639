from .agglomerative import Clustering, check_distances, check_number, in_order, link, merge
from .bic import GaussianStats, delta_bic
from .change_detection import bic_changes
from .methods import METHODS, PieceClusters
from .pieces import cluster_pieces
from .plane import plane, stress
from .speaker_chain import speaker_posteriors
from .spectral import affinities, number_by_eigengap, spectral
from .vbx import VbxClustering, VbxSpec, similar_vectors, two_gaussian_threshold, vbx

__all__ = [
    "METHODS",
    "Clustering",
    "GaussianStats",
    "PieceClusters",
    "VbxClustering",
    "VbxSpec",
    "affinities",
    "bic_changes",
    "check_distances",
    "check_number",
    "cluster_pieces",
    "delta_bic",
    "in_order",
    "link",
    "merge",
    "number_by_eigengap",
    "plane",
    "similar_vectors",
    "speaker_posteriors",
    "spectral",
    "stress",
    "two_gaussian_threshold",
    "vbx",
]
