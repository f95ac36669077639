"""Samples in, frames out: the only module that puts the pieces together.

A recording comes as one array or as any number of stretches, one after another, and gives the same frames either
way; of stretches no more than two blocks of frames is held (`speechgmm.features.log_mels`), so that what hours of
recording take is their frames. A frame depends on its own samples and its place in its block. Two choices give that
up on purpose, ``top_db`` and ``c0: relative``: they look at the whole recording.

What needs more than one recording (global and speaker normalisation) is refused.
"""

import math
from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import ConfigError, DataError, ShapeError
from speechgmm.features.dither import dithered
from speechgmm.features.dynamics import with_dynamics
from speechgmm.features.front_end import FrontEnd, front_end
from speechgmm.features.kinds import Statics, feature_kind
from speechgmm.features.listeners import Detector, Hearing, listener
from speechgmm.features.normalise import moments, normalisation
from speechgmm.features.pitch import PitchColumns
from speechgmm.features.presets import INT16
from speechgmm.features.spec import FeatureSpec
from speechgmm.features.vad import energy_vad, gaussian_vad, peak_vad

Float32Array = NDArray[np.float32]
BoolArray = NDArray[np.bool_]
Samples = Float32Array | Iterable[Float32Array]
"""A recording, (N,), or stretches of it, one after another."""

FEATURE_VERSION: Final = 3
"""Part of every cache key: raised whenever the same samples and settings give other numbers."""

_LOUDEST: Final = 64.0  # no recording in [-1, 1] comes near it, every one in integers does


def extract(spec: FeatureSpec, samples: Float32Array, sample_rate: int) -> Float32Array:
    """The features of one recording as a model takes them: frames (T, D) float32.

    ``samples`` (N,) are floats in [-1, 1], and ``sample_rate`` is in Hz. Deltas are computed over the whole
    recording. Then the frames that the voice activity detection rejects are dropped, and ``cmvn: utterance``
    normalises the frames that remain.

    Raises `ConfigError` where the spec needs other recordings (``cmvn: global`` or ``speaker``, a transform) or
    does not suit the sample rate, `ShapeError` for samples that are not one channel, and `DataError` for other
    samples that cannot be used and where no frame is kept.

    >>> tone = 0.1 * np.sin(np.arange(16000, dtype=np.float32))
    >>> extract(FeatureSpec(deltas=2, cmvn="utterance"), tone, 16000).shape
    (98, 39)
    """
    if spec.transform.kind != "none":
        raise ConfigError(
            f"features.transform: {spec.transform.kind} is learnt from a training split, and this is one recording; "
            "leave it out, or apply a LinearTransform of your own"
        )
    if spec.cmvn in ("global", "speaker"):
        raise ConfigError(
            f"features.cmvn: {spec.cmvn} needs the statistics of other recordings, and this is one; use "
            "cmvn: utterance, or pool moments(frames) over the recordings of raw_features and apply "
            "normalisation(...)"
        )
    frames, speech = raw_features(spec, samples, sample_rate)
    if speech is not None:
        if not speech.any() and (keeps := feature_kind(spec).keeps):
            raise DataError(f"none of the {len(speech)} frames is {keeps}; is somebody speaking in the recording?")
        if not speech.any():
            raise DataError(
                f"voice activity detection keeps none of the {len(speech)} frames; is the recording silent? "
                "Lower features.vad_threshold, or use vad: peak, which always keeps the loudest"
            )
        frames = frames[speech]
    if spec.cmvn == "utterance":
        frames = normalisation(moments(frames), spec.norm_vars).apply(frames)
    return frames


def raw_features(
    spec: FeatureSpec, samples: Samples, sample_rate: int, first_sample: int = 0, detector: Detector | None = None
) -> tuple[Float32Array, BoolArray | None]:
    """All frames of a recording before pooled normalisation, and which of them are speech: what a cache may hold.

    ``samples`` (N,) are floats in [-1, 1], or an iterable of consecutive stretches of them; ``sample_rate`` is in Hz.
    Returns the frames (T, D) float32, with deltas and with sliding normalisation where the spec asks for it, and a
    mask (T,) of the frames that are speech. For pitch (``kind: f0``) the mask marks the voiced frames. It is None
    where the spec keeps all frames.

    `first_sample` is the number of the first sample within the recording: dither is drawn by the numbers of the
    samples. `detector` is the trained speech detector that ``vad: model`` needs. The result depends on the spec only
    through ``spec.without_normalisation()``. Raises the errors of `extract` for samples and sample rates.

    >>> frames, speech = raw_features(FeatureSpec(vad="peak"), np.ones(800, dtype=np.float32), 8000)
    >>> frames.shape, speech.shape
    ((8, 13), (8,))
    >>> halves = (np.ones(400, dtype=np.float32) for _ in range(2))
    >>> bool((raw_features(FeatureSpec(), halves, 8000)[0] == frames).all())
    True
    """
    front = front_end(spec, sample_rate)
    heard = listener(spec, sample_rate, detector)
    frames, log_energy, kept = _statics(front, samples, first_sample, heard)
    frames = with_dynamics(spec, frames, front.delta_method)
    if heard is not None:
        return frames, heard.speech(front, len(frames))
    if log_energy is None:
        return frames, kept
    match spec.vad:
        case "energy":
            return frames, energy_vad(
                log_energy, spec.vad_threshold, spec.vad_mean_scale, spec.vad_context, spec.vad_proportion
            )
        case "peak":
            return frames, peak_vad(log_energy, spec.vad_range)
        case "gaussians":
            return frames, gaussian_vad(log_energy, spec.vad_window, spec.vad_gap)
        case _:
            return frames, kept


def static_features(front: FrontEnd, samples: Samples) -> tuple[Float32Array, Float32Array]:
    """The features of every frame without deltas, (T, front.n_static) float32, and the frames' log energies, (T,).

    ``samples`` (N,) are floats in [-1, 1] at the sample rate of the front end, or an iterable of consecutive
    stretches of them. A log energy is the natural logarithm of the energy that the frame has in 16-bit samples
    (-32768 to 32767). Raises `DataError` and `ShapeError` for samples that cannot be used, and `ConfigError` for a
    kind of features that computes no log energies.

    >>> cepstra, log_energy = static_features(front_end(FeatureSpec(), 8000), np.ones(800, dtype=np.float32))
    >>> cepstra.shape, log_energy.shape
    ((8, 13), (8,))
    """
    statics = _statics(front, samples)
    if statics.log_energy is None:
        raise ConfigError(f"features.kind: {front.spec.kind} has no log energies; raw_features has its frames")
    return statics.frames, statics.log_energy


def _statics(front: FrontEnd, samples: Samples, first_sample: int = 0, heard: Hearing | None = None) -> Statics:
    """What the kind makes of a recording, with the columns that other settings add; a detector hears the samples."""
    spec, pieces = front.spec, _checked(front, samples)
    if spec.dither:
        pieces = dithered(pieces, spec.dither, spec.dither_seed, first_sample)
    if heard is not None:
        pieces = heard.through(pieces)
    compute = feature_kind(spec).compute
    if not spec.pitch:
        return compute(front, pieces)
    passing = PitchColumns(front, pieces)
    statics = compute(front, passing)
    return statics._replace(frames=np.hstack([statics.frames, passing.columns()]))


def _checked(front: FrontEnd, samples: Samples) -> Iterator[Float32Array]:
    """The samples in stretches, as float32; raise where they cannot be used."""
    n_samples = 0
    for piece in (samples,) if isinstance(samples, np.ndarray) else samples:
        if piece.ndim != 1:
            raise ShapeError(
                f"samples have shape {piece.shape}; expected one channel, (N,): choose a channel or take their mean"
            )
        if not np.issubdtype(piece.dtype, np.floating):
            raise DataError(
                f"samples are {piece.dtype}; expected floats in [-1, 1]: divide 16-bit samples by {INT16:.0f}"
            )
        if piece.size:
            _check_range(piece, n_samples)
        n_samples += piece.size
        yield piece.astype(np.float32, copy=False)
    if not front.n_frames(n_samples):
        raise DataError(
            f"{n_samples} samples at {front.sample_rate} Hz are too short for one frame of "
            f"{front.frame_length} samples ({front.frame_length * 1000 / front.sample_rate:g} ms); is the "
            "recording empty or cut off?"
        )


def _check_range(piece: Float32Array, first: int) -> None:
    """Refuse samples that are not finite or far from [-1, 1]; ``first`` is the number of the first one."""
    low, high = float(piece.min()), float(piece.max())
    if not math.isfinite(high - low):
        raise DataError(
            f"sample {first + int(np.flatnonzero(~np.isfinite(piece))[0])} is not a finite number; expected floats "
            "in [-1, 1]: is the file damaged, or was it divided by zero?"
        )
    if max(high, -low) > _LOUDEST:
        raise DataError(
            f"samples lie between {low:g} and {high:g}; expected [-1, 1]: divide 16-bit samples by {INT16:.0f}"
        )
