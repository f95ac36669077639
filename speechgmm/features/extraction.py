"""Samples in, frames out: the only module that puts the pieces together.

Owns the blocked computation. Frames are worked on 64 at a time in float32, so that the work fits in the
processor's second-level cache and its memory is not handed back to the system between short recordings
(blocks of 256 were measured at twice the time). Products of matrices always have 64 rows, filled up at the
end of a recording, because their last bits depend on the number of rows. So a frame depends on its own
samples and its place in its block, never on what follows or on what else is extracted. Two choices give that
up on purpose, ``top_db`` and ``c0: relative``: they look at the whole recording.

What needs more than one recording (global and speaker normalisation) is refused.
"""

import math
from typing import Final

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from speechgmm.errors import ConfigError, DataError, ShapeError
from speechgmm.features.deltas import append_deltas
from speechgmm.features.framing import frame_view
from speechgmm.features.front_end import FrontEnd, front_end
from speechgmm.features.normalise import moments, normalisation
from speechgmm.features.presets import INT16
from speechgmm.features.spec import FeatureSpec
from speechgmm.features.vad import energy_vad, peak_vad

Float32Array = NDArray[np.float32]
BoolArray = NDArray[np.bool_]

FEATURE_VERSION: Final = 1
"""Part of every cache key: raised whenever the same samples and settings give other numbers."""

_BLOCK: Final = 64  # frames
_ROWS: Final = 16  # frames: the stages before the products stop at the next multiple of this
_LOUDEST: Final = 64.0  # no recording in [-1, 1] comes near it, every one in integers does


def extract(spec: FeatureSpec, samples: Float32Array, sample_rate: int) -> Float32Array:
    """Frames (T, D) float32 of one recording, finished: deltas, normalisation and dropped pauses as the spec
    says.

    samples (N,) float in [-1, 1], sample_rate in Hz. Deltas see the whole recording; utterance statistics and
    the result only the frames that the voice activity detection keeps. Raises `ConfigError` where the spec
    needs other recordings or cannot hold at this rate, `DataError` and `ShapeError` for samples that cannot
    be used or where no frame is kept.

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
        if not speech.any():
            raise DataError(
                f"voice activity detection keeps none of the {len(speech)} frames; is the recording silent? "
                "Lower features.vad_threshold, or use vad: peak, which always keeps the loudest"
            )
        frames = frames[speech]
    if spec.cmvn == "utterance":
        frames = normalisation(moments(frames), spec.norm_vars).apply(frames)
    return frames


def raw_features(spec: FeatureSpec, samples: Float32Array, sample_rate: int) -> tuple[Float32Array, BoolArray | None]:
    """All frames of a recording before normalisation, and which of them are speech: what a cache may hold.

    samples (N,) float in [-1, 1], sample_rate in Hz -> frames (T, D) float32 with deltas, and speech (T,) or
    None without voice activity detection. Depends on the spec only through ``spec.without_normalisation()``.
    Raises like `extract`, but for what concerns normalisation.

    >>> frames, speech = raw_features(FeatureSpec(vad="peak"), np.ones(800, dtype=np.float32), 8000)
    >>> frames.shape, speech.shape
    ((8, 13), (8,))
    """
    front = front_end(spec, sample_rate)
    statics, log_energy = static_features(front, samples)
    if spec.deltas:
        statics = append_deltas(statics, spec.deltas, spec.delta_window, front.delta_method)
    match spec.vad:
        case "energy":
            return statics, energy_vad(
                log_energy, spec.vad_threshold, spec.vad_mean_scale, spec.vad_context, spec.vad_proportion
            )
        case "peak":
            return statics, peak_vad(log_energy, spec.vad_range)
        case "none":
            return statics, None


def static_features(front: FrontEnd, samples: Float32Array) -> tuple[Float32Array, Float32Array]:
    """Cepstra of every frame, without deltas, and the frames' log energies.

    samples (N,) float in [-1, 1] at the front end's rate -> (T, front.n_static) float32 and (T,) float32 in
    nats, of 16-bit samples. Raises `DataError` and `ShapeError` for samples that cannot be used.

    >>> cepstra, log_energy = static_features(front_end(FeatureSpec(), 8000), np.ones(800, dtype=np.float32))
    >>> cepstra.shape, log_energy.shape
    ((8, 13), (8,))
    """
    log_mels, log_energy = _log_mels(front, samples)
    n_frames, column, c0 = len(log_energy), front.c0_column, front.spec.c0
    if front.spec.top_db is not None:
        # What fills up the last block is earlier frames or the floor: it is never the loudest.
        loudest = log_mels.max()
        np.maximum(log_mels, loudest - np.float32(front.spec.top_db / front.log_factor), out=log_mels)
    blocks = np.empty((*log_mels.shape[:2], len(front.cepstral)), dtype=np.float32)
    for block, logs in zip(blocks, log_mels, strict=True):
        block[:] = logs @ front.cepstral.T
    cepstra = blocks.reshape(-1, blocks.shape[-1])[:n_frames]
    if c0 == "drop":
        return np.delete(cepstra, column, axis=1), log_energy
    if front.use_energy:
        cepstra[:, column] = log_energy
    if c0 == "relative":
        cepstra[:, column] -= cepstra[:, column].max()
    return cepstra, log_energy


def _log_mels(front: FrontEnd, samples: Float32Array) -> tuple[Float32Array, Float32Array]:
    """Natural logs of mel bands in blocks (B, 64, n_mels), the last one filled up, and of energies, (T,)."""
    samples, n_frames = _checked(front, samples)
    length, width = front.frame_length, front.frame_length + 1
    # A column for the sample before each frame, for pre-emphasis.
    lead = 1 if front.across_frames else 0
    frames = frame_view(samples, length + lead, front.frame_shift, front.first_start - lead, n_frames, front.edges)
    n_blocks = -(-n_frames // _BLOCK)
    rows = min(_BLOCK, -(-n_frames // _ROWS) * _ROWS)
    raw = np.zeros((_BLOCK, width), dtype=np.float32)
    averaging = np.full(length, 1 / length, dtype=np.float32)
    padded = np.zeros((rows, front.n_fft), dtype=front.window.dtype)
    product = np.empty((rows, length), dtype=front.window.dtype)
    spectrum = np.zeros((_BLOCK, front.n_fft // 2 + 1), dtype=np.float32)
    log_mels = np.empty((n_blocks, _BLOCK, len(front.filterbank)), dtype=np.float32)
    log_energy = np.empty(n_frames, dtype=np.float32)
    emphasis = front.window.dtype.type(front.preemphasis) * front.window
    for block in range(n_blocks):
        first = block * _BLOCK
        count = min(_BLOCK, n_frames - first)
        used = -(-count // _ROWS) * _ROWS
        x = raw[:used]
        x[:count, 1 - lead :] = frames[first : first + count]
        own = x[:, 1:]
        if front.remove_mean:
            own -= (raw[:, 1:] @ averaging)[:used, None]
        log_energy[first : first + count] = np.einsum("tn,tn->t", own, own)[:count]
        tapered = np.multiply(own, front.window, out=padded[:used, :length])
        if front.preemphasis:
            if not lead:
                x[:, 0] = x[:, 1]
            tapered -= np.multiply(x[:, :-1], emphasis, out=product[:used])
        transform = scipy.fft.rfft(padded[:used], axis=1)
        np.square(transform.real, out=spectrum[:used], casting="same_kind")
        spectrum[:used] += np.square(transform.imag)
        if front.spectrum == "magnitude":
            np.sqrt(spectrum[:used], out=spectrum[:used])
        mels = np.matmul(spectrum, front.filterbank.T, out=log_mels[block])
        np.maximum(mels, np.float32(front.floor), out=mels)
        np.log(mels, out=mels)
    log_energy *= np.float32(INT16**2)
    np.maximum(log_energy, np.float32(front.energy_floor), out=log_energy)
    return log_mels, np.log(log_energy, out=log_energy)


def _checked(front: FrontEnd, samples: Float32Array) -> tuple[Float32Array, int]:
    """The samples as float32 and the number of their frames; raise where they cannot be used."""
    if samples.ndim != 1:
        raise ShapeError(
            f"samples have shape {samples.shape}; expected one channel, (N,): choose a channel or take their mean"
        )
    if not np.issubdtype(samples.dtype, np.floating):
        raise DataError(
            f"samples are {samples.dtype}; expected floats in [-1, 1]: divide 16-bit samples by {INT16:.0f}"
        )
    n_frames = front.n_frames(samples.size)
    if not n_frames:
        raise DataError(
            f"{samples.size} samples at {front.sample_rate} Hz are too short for one frame of "
            f"{front.frame_length} samples ({front.frame_length * 1000 / front.sample_rate:g} ms); is the "
            "recording empty or cut off?"
        )
    low, high = float(samples.min()), float(samples.max())
    if not math.isfinite(high - low):
        raise DataError(
            f"sample {int(np.flatnonzero(~np.isfinite(samples))[0])} of {samples.size} is not a finite "
            "number; expected floats in [-1, 1]: is the file damaged, or was it divided by zero?"
        )
    if max(high, -low) > _LOUDEST:
        raise DataError(
            f"samples lie between {low:g} and {high:g}; expected [-1, 1]: divide 16-bit samples by {INT16:.0f}"
        )
    return samples.astype(np.float32, copy=False), n_frames
