"""From samples to frames: cepstra, as Kaldi, HTK, the Auditory Toolbox and librosa compute them, and other features.

Owns the features of one recording and the moments that normalise many. Reads no file and knows no corpus; samples are
in [-1, 1], one channel, at the rate that the caller gives.
"""

from speechgmm.features.extraction import FEATURE_VERSION, extract, raw_features, static_features
from speechgmm.features.front_end import FrontEnd, front_end
from speechgmm.features.normalise import Moments, Normalisation, moments, normalisation
from speechgmm.features.spec import FeatureSpec
from speechgmm.features.transforms import ClassMoments, LinearTransform, TransformSpec, class_moments, lda, splice

__all__ = [
    "FEATURE_VERSION",
    "ClassMoments",
    "FeatureSpec",
    "FrontEnd",
    "LinearTransform",
    "Moments",
    "Normalisation",
    "TransformSpec",
    "class_moments",
    "extract",
    "front_end",
    "lda",
    "moments",
    "normalisation",
    "raw_features",
    "splice",
    "static_features",
]
