from .agglomerative import Clustering, check_distances, check_number, in_order, link, merge
from .bic import GaussianStats, delta_bic
from .change_detection import bic_changes
from .conversations import Conversation, make_conversation
from .diarization import Diarizer, Division, choose, divisions, turns_of
from .diarization_spec import DiarizationSpec
from .pieces import METHODS, PieceClusters, cluster_pieces
from .plane import plane, stress
from .resegmentation import best_turns
from .speaker_space import Evidence, SpeakerSpace, same_speaker_ratios
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
from .windows import n_blocks, window_supervectors

__all__ = [
    "METHODS",
    "RELEVANCE",
    "Clustering",
    "Conversation",
    "DiarizationSpec",
    "Diarizer",
    "Division",
    "Evidence",
    "GaussianStats",
    "PieceClusters",
    "SpeakerSpace",
    "WithinClass",
    "affinities",
    "best_turns",
    "bic_changes",
    "check_distances",
    "check_number",
    "choose",
    "cluster_pieces",
    "cosine_distances",
    "cross_likelihood_ratios",
    "cross_likelihood_ratios_of",
    "delta_bic",
    "divisions",
    "in_order",
    "link",
    "make_conversation",
    "mean_offsets",
    "merge",
    "n_blocks",
    "number_by_eigengap",
    "piece_statistics",
    "plane",
    "same_speaker_ratios",
    "spectral",
    "stress",
    "supervectors",
    "turns_of",
    "unit_length",
    "weight_offsets",
    "window_supervectors",
]
