from .plda import Plda
from .plda_estimation import PldaFit, train_plda
from .speaker_space import Evidence, SpeakerSpace, same_speaker_ratios
from .supervectors import (
    RELEVANCE,
    cross_likelihood_ratios,
    cross_likelihood_ratios_of,
    mean_offsets,
    piece_statistics,
    supervectors,
    weight_offsets,
)
from .within_class import WithinClass, cosine_distances, unit_length

__all__ = [
    "RELEVANCE",
    "Evidence",
    "Plda",
    "PldaFit",
    "SpeakerSpace",
    "WithinClass",
    "cosine_distances",
    "cross_likelihood_ratios",
    "cross_likelihood_ratios_of",
    "mean_offsets",
    "piece_statistics",
    "same_speaker_ratios",
    "supervectors",
    "train_plda",
    "unit_length",
    "weight_offsets",
]
