"""The five front ends that are reproduced, as tables of what their original programs do.

Owns the originals' constants and nothing that computes. Times are in milliseconds where they scale with the
sampling rate, in samples where the original counts samples.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from speechgmm.features.filterbanks import Bank, htk_bank, kaldi_bank, linear_bank, slaney_bank
from speechgmm.features.framing import Edges
from speechgmm.features.spec import DeltaMethod, KindName, PresetName, SpectrumName, WindowName

INT16: Final = 32768.0
"""Samples in [-1, 1] times this are those of a 16-bit recording, as Kaldi and HTK read it."""
_EPSILON: Final = float(np.finfo(np.float32).eps)  # Kaldi's floor


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """What one of the original programs does."""

    frame_length: float | None  # ms; None: n_fft samples
    frame_shift: float | None  # ms; None: 512 samples
    n_fft: int | None  # samples; None: fft_factor x the next power of two
    fft_factor: int = 1
    kind: KindName
    bank: Bank
    n_mels: int
    low: float  # Hz
    high: float | None  # Hz; None: half the rate
    preemphasis: float
    across_frames: bool  # pre-emphasis sees the sample before the frame; else the frame's own first sample, twice
    remove_mean: bool
    window: WindowName
    periodic: bool
    spectrum: SpectrumName
    transform_dtype: type[np.float32] | type[np.float64]  # librosa transforms in double precision
    scale: float  # of the samples
    floor: float  # of a mel band
    energy_floor: float
    log_factor: float  # times the natural logarithm
    cepstral_gain: float  # of c0 over the orthonormal transform
    lifter: float
    first_liftered: int  # n of the first cepstrum in the lifter's sine
    c0_last: bool
    use_energy: bool
    edges: Edges
    delta_method: DeltaMethod


PRESETS: Final[dict[PresetName, Preset]] = {
    "kaldi": Preset(
        frame_length=25, frame_shift=10, n_fft=None, kind="mfcc", bank=kaldi_bank, n_mels=23, low=20, high=None,
        preemphasis=0.97, across_frames=False, remove_mean=True, window="povey", periodic=False,
        spectrum="power", transform_dtype=np.float32, scale=INT16, floor=_EPSILON, energy_floor=_EPSILON,
        log_factor=1, cepstral_gain=1, lifter=22, first_liftered=0, c0_last=False, use_energy=True,
        edges="snip", delta_method="kaldi",
    ),
    # HTK's transform has sqrt(2 / n_mels) for c0 too. Its energy of digital silence is -1e10; here it is 0,
    # which is also that of the quietest frame that is not silent.
    "htk": Preset(
        frame_length=25, frame_shift=10, n_fft=None, kind="mfcc", bank=htk_bank, n_mels=26, low=0, high=None,
        preemphasis=0.97, across_frames=False, remove_mean=False, window="hamming", periodic=False,
        spectrum="magnitude", transform_dtype=np.float32, scale=INT16, floor=1, energy_floor=1,
        log_factor=1, cepstral_gain=math.sqrt(2), lifter=22, first_liftered=0, c0_last=True,
        use_energy=False, edges="snip", delta_method="htk",
    ),
    "slaney": Preset(
        frame_length=16, frame_shift=10, n_fft=None, fft_factor=2, kind="mfcc", bank=slaney_bank, n_mels=40,
        low=400 / 3, high=6853.84, preemphasis=0.97, across_frames=True, remove_mean=False, window="hamming",
        periodic=True, spectrum="magnitude", transform_dtype=np.float32, scale=INT16, floor=_EPSILON,
        energy_floor=_EPSILON, log_factor=1 / math.log(10), cepstral_gain=1, lifter=0, first_liftered=0,
        c0_last=False, use_energy=False, edges="snip", delta_method="kaldi",
    ),
    "librosa": Preset(
        frame_length=None, frame_shift=None, n_fft=2048, kind="mfcc", bank=slaney_bank, n_mels=128, low=0, high=None,
        preemphasis=0, across_frames=True, remove_mean=False, window="hann", periodic=True,
        spectrum="power", transform_dtype=np.float64, scale=1, floor=1e-10, energy_floor=_EPSILON,
        log_factor=10 / math.log(10), cepstral_gain=1, lifter=0, first_liftered=1, c0_last=False,
        use_energy=False, edges="zeros", delta_method="kaldi",
    ),
    # Its log10(x + 2^-52) is log10(max(x, 2^-52)) here: they differ in digital silence alone, by less than log10(2).
    "asvspoof": Preset(
        frame_length=30, frame_shift=15, n_fft=1024, kind="lfcc", bank=linear_bank, n_mels=70, low=0, high=4000,
        preemphasis=0, across_frames=True, remove_mean=False, window="hamming", periodic=False,
        spectrum="power", transform_dtype=np.float64, scale=1, floor=2.0**-52, energy_floor=_EPSILON,
        log_factor=1 / math.log(10), cepstral_gain=1, lifter=0, first_liftered=0, c0_last=False,
        use_energy=False, edges="snip", delta_method="htk",
    ),
}  # fmt: skip
