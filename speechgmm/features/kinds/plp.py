"""Perceptual linear prediction (Hermansky 1990) on mel bands, as HTK's PLP and Kaldi's compute-plp-feats compute it.

Bands are weighted by loudness and compressed; an all-pole model is fitted to them, whose cepstra are the frames.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import ConfigError
from speechgmm.features.bands import of_bands, with_energy
from speechgmm.features.cepstra import lifter_weights
from speechgmm.features.compiled import loops_after
from speechgmm.features.filterbanks import mel_edges, mel_to_hz
from speechgmm.features.front_end import FrontEnd
from speechgmm.features.kinds import FeatureKind, Statics
from speechgmm.features.kinds.mfcc import n_cepstra
from speechgmm.features.presets import PRESETS
from speechgmm.features.resolve import value_or
from speechgmm.features.spec import FeatureSpec

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]

COMPRESSION: Final = {"kaldi": 1 / 3, "htk": 0.33}
"""The default exponent of each preset that has perceptual linear prediction."""

_ROWS: Final = 16  # frames: the recursion goes over a multiple of them, so that how many there are changes no bit


class _Constants(NamedTuple):
    log_loudness: Float32Array  # (n_mels,) times the compression
    cosines: Float64Array  # (lpc_order + 1, n_mels): from compressed bands to autocorrelations
    weights: Float64Array  # (n_ceps, 1) lifter and scale


def linear_prediction(front: FrontEnd, samples: Iterable[Float32Array]) -> Statics:
    """Cepstra of the all-pole model of every frame; the zeroth is the log gain of the model, or the log energy.

    >>> from speechgmm.features import FeatureSpec, front_end
    >>> linear_prediction(front_end(FeatureSpec(kind="plp"), 16000), [np.ones(16000, np.float32)]).frames.shape
    (98, 13)
    """
    fixed, compression = _constants(front), np.float32(_compression(front.spec))

    def autocorrelations(logs: Float32Array) -> Float64Array:
        compressed = logs * compression
        compressed += fixed.log_loudness
        lags: Float64Array = np.exp(compressed, out=compressed) @ fixed.cosines.T
        return lags

    found, log_energy = of_bands(front, samples, autocorrelations)
    cepstra = _cepstra(found, front.spec.n_ceps)
    cepstra *= fixed.weights
    rows = np.roll(cepstra, -1, axis=0) if front.c0_last else cepstra
    return Statics(with_energy(front, rows.T[: len(found)].astype(np.float32, order="C"), log_energy), log_energy)


def equal_loudness(frequency: Float64Array) -> Float64Array:
    """How much a frequency in Hz counts at equal sound pressure (Hermansky 1990, eq. 4, as HTK and Kaldi have it).

    >>> equal_loudness(np.array([100.0, 1000.0, 4000.0])).round(4).tolist()
    [0.0005, 0.1709, 0.6676]
    """
    square = frequency**2
    return (square / (square + 1.6e5)) ** 2 * (square + 1.44e6) / (square + 9.61e6)


@lru_cache(maxsize=16)
def _constants(front: FrontEnd) -> _Constants:
    spec, n_mels = front.spec, len(front.filterbank)
    knots = (spec.warp_low, spec.warp_high)
    edges = mel_edges(
        n_mels, front.sample_rate, front.low_frequency, front.high_frequency, spec.warp, knots, htk=spec.preset == "htk"
    )
    loudness = _compression(spec) * np.log(equal_loudness(mel_to_hz(edges[1:-1])))
    # The first and the last band are there twice, at the ends of the spectrum, whose inverse transform this is.
    order, band = np.arange(spec.lpc_order + 1)[:, None], np.arange(n_mels + 2)
    cosines = np.cos(np.pi / (n_mels + 1) * order * band) / (n_mels + 1)
    cosines[:, [0, -1]] /= 2
    cosines[:, 1] += cosines[:, 0]
    cosines[:, -2] += cosines[:, -1]
    weights = lifter_weights(value_or(spec.lifter, PRESETS[spec.preset].lifter), spec.n_ceps, first_order=0)
    return _Constants(loudness.astype(np.float32), cosines[:, 1:-1].copy(), (weights * spec.cepstral_scale)[:, None])


def _cepstra(autocorrelations: Float64Array, n_ceps: int) -> Float64Array:
    """Cepstra of all-pole models by their autocorrelations (T, order + 1): (n_ceps, at least T), c0 the log gain.

    Levinson and Durbin's recursion, then that from predictors to cepstra (the HTK Book, eqs. 5.8 and 5.9); a frame is
    a column.
    """
    n_frames, n_lags = autocorrelations.shape
    lags = np.zeros((n_lags, -(-n_frames // _ROWS) * _ROWS))
    lags[0] = 1
    lags[:, :n_frames] = autocorrelations.T
    cepstra = np.empty((n_ceps, lags.shape[1]))
    loops = loops_after(0)
    if loops:
        loops.cepstra(lags, cepstra)
    else:
        _cepstra_by_numpy(lags, cepstra)
    np.log(cepstra[0], out=cepstra[0])
    return cepstra


def _cepstra_by_numpy(lags: Float64Array, cepstra: Float64Array) -> None:
    """What the compiled loop does, the same operations in the same order."""
    predictors = np.zeros_like(lags)  # a_0 = 1, a_1, ... of sum a_n x[t - n]
    predictors[0] = 1
    negative_error = -lags[0]
    for n in range(1, len(lags)):
        correlation = np.add.reduce(predictors[:n] * lags[n:0:-1], axis=0)
        reflection = correlation / negative_error
        predictors[1 : n + 1] += reflection * predictors[n - 1 :: -1]
        correlation *= reflection
        negative_error -= correlation
    np.negative(negative_error, out=cepstra[0])
    orders = np.arange(1.0, len(cepstra))[:, None]
    weighted = np.multiply(predictors[1 : len(cepstra)], -orders, out=cepstra[1:])  # -n a_n, which becomes n c_n
    for n in range(1, len(weighted)):
        weighted[n] -= np.add.reduce(weighted[:n] * predictors[n:0:-1], axis=0)
    weighted /= orders


def _compression(spec: FeatureSpec) -> float:
    return value_or(spec.compression, COMPRESSION[spec.preset])


def _check(spec: FeatureSpec) -> None:
    if spec.preset not in COMPRESSION:
        raise ConfigError(
            f"features.kind: plp with preset {spec.preset}, whose program has no linear prediction; use preset kaldi "
            "or htk"
        )
    n_mels = value_or(spec.n_mels, PRESETS[spec.preset].n_mels)
    if spec.lpc_order > n_mels:
        raise ConfigError(
            f"features.lpc_order: {spec.lpc_order} poles of {n_mels} bands; lower lpc_order to at most {n_mels}, or "
            "raise n_mels"
        )
    if spec.n_ceps > spec.lpc_order + 1:
        raise ConfigError(
            f"features.n_ceps: {spec.n_ceps} with lpc_order: {spec.lpc_order}, which gives {spec.lpc_order + 1} "
            "cepstra, the zeroth included; lower n_ceps or raise lpc_order"
        )


KIND = FeatureKind(compute=linear_prediction, n_static=n_cepstra, check=_check)
