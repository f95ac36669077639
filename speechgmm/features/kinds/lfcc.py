"""Cepstra of bands equally wide in Hz."""

from speechgmm.features.filterbanks import linear_bank
from speechgmm.features.kinds import FeatureKind
from speechgmm.features.kinds.mfcc import cepstra, n_cepstra

KIND = FeatureKind(compute=cepstra, n_static=n_cepstra, bank=linear_bank, cosine=True)
