"""What is done to a recording on its way into an altered copy: noise is added; it goes through a channel, or a room.

Owns the arithmetic, stretch by stretch, so that an hour takes no more memory than a second. Who is heard in the babble,
and from which seed, is the caller's choice.

The ratio of speech to noise is that of their energies over the whole recording, pauses and all: it needs no decision
about what speech is, and anyone can measure it again.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import DataError

Float32Array = NDArray[np.float32]
Noise = Callable[[int], Float32Array]
"""The next so many samples, (n,)."""

TAPS: Final = 129
"""Of a random channel: 8 ms at 16 kHz, shorter than a frame."""

_BAND_TAPS: Final = 256  # for each 8 kHz of the rate: an edge is about 100 Hz wide
_KNOTS: Final = 8  # of a channel's gain, evenly spaced in mel from 0 Hz to half the rate
_DEPTH: Final = 10.0  # dB: the gain at a knot is uniform within this of 0


def white(rng: np.random.Generator) -> Noise:
    """Gaussian noise of power 1, the same wherever it is cut.

    >>> noise = white(np.random.default_rng(0))
    >>> bool((np.concatenate([noise(3), noise(2)]) == white(np.random.default_rng(0))(5)).all())
    True
    """
    return lambda n: rng.standard_normal(n, dtype=np.float32)


def babble(talkers: Sequence[Float32Array], rng: np.random.Generator) -> Noise:
    """The sum of talkers (N,) who are equally loud, each from a random place in their recording, and round again.

    Raises DataError for a talker of whom nothing is heard.

    >>> noise = babble([np.ones(3, np.float32), -2 * np.ones(5, np.float32)], np.random.default_rng(0))
    >>> noise(4).tolist()
    [0.0, 0.0, 0.0, 0.0]
    """
    powers = [float(np.mean(np.square(talker, dtype=np.float64))) if len(talker) else 0.0 for talker in talkers]
    if not all(powers):
        raise DataError(
            f"talker {powers.index(0.0)} of {len(powers)} in babble has no sound: the recording begins with silence; "
            "leave it out"
        )
    level = [(talker / np.sqrt(power)).astype(np.float32) for talker, power in zip(talkers, powers, strict=True)]
    places = [int(rng.integers(len(talker))) for talker in talkers]

    def following(n: int) -> Float32Array:
        total = np.zeros(n, np.float32)
        for k, talker in enumerate(level):
            total += talker.take(np.arange(places[k], places[k] + n), mode="wrap")
            places[k] = (places[k] + n) % len(talker)
        return total

    return following


def added(pieces: Iterable[Float32Array], noise: Noise, gain: float) -> Iterator[Float32Array]:
    """The samples with ``gain`` times the noise added, stretch by stretch."""
    for piece in pieces:
        yield piece + np.float32(gain) * noise(len(piece))


def gain_for(pieces: Iterable[Float32Array], noise: Noise, snr: float) -> float:
    """What the noise must be multiplied by for the energies of samples and noise to be ``snr`` dB apart.

    Goes through all the samples; start both from the beginning again for `added`. Raises DataError for silence, which
    has no ratio to noise.

    >>> ones = [np.ones(4, np.float32)]
    >>> gain_for(ones, lambda n: np.full(n, 2, np.float32), 20)
    0.05
    """
    signal = other = 0.0
    for piece in pieces:
        signal += float(np.sum(np.square(piece, dtype=np.float64)))
        other += float(np.sum(np.square(noise(len(piece)), dtype=np.float64)))
    if signal == 0 or other == 0:
        raise DataError("silence has no ratio to noise; expected samples other than zero on both sides")
    return float(np.sqrt(signal / other * 10 ** (-snr / 10)))


def random_channel(rng: np.random.Generator, sample_rate: int) -> NDArray[np.float64]:
    """Impulse response (TAPS,) of a channel with a random smooth gain, within 10 dB of 1 and of linear phase.

    The gain in dB is uniform at 8 places evenly spaced in mel, with straight lines between.

    >>> random_channel(np.random.default_rng(0), 16000).shape
    (129,)
    """
    frequencies = np.linspace(0, sample_rate / 2, 513)
    mel = np.log1p(frequencies / 700)
    gains = np.interp(mel, np.linspace(0, mel[-1], _KNOTS), rng.uniform(-_DEPTH, _DEPTH, _KNOTS))
    response = np.roll(np.fft.irfft(10 ** (gains / 20)), TAPS // 2)[:TAPS]
    found: NDArray[np.float64] = response * np.hanning(TAPS + 2)[1:-1]
    return found


def band_pass(low: float, high: float, sample_rate: int) -> NDArray[np.float64]:
    """Impulse response (n,) that lets through what is between two frequencies in Hz, of linear phase.

    n is 257 at 8 kHz, and grows with the rate. The gain is 1/2 at the edges; a ``high`` above half the rate is no edge,
    and neither is a ``low`` of 0.

    Raises:
        DataError: Nothing of the band is below half the rate, or it is everything there is.

    >>> response = band_pass(300, 3400, 16000)
    >>> gains = np.abs(np.fft.rfft(response, 16000))
    >>> [round(float(gains[hz]), 2) for hz in (50, 1000, 3400, 5000)]
    [0.0, 1.0, 0.5, 0.0]
    """
    from scipy.signal import firwin

    half = sample_rate / 2
    edges = [edge for edge in (low, high) if 0 < edge < half]
    if low >= half or not edges:
        what = "all" if low < half else "nothing"
        raise DataError(
            f"a band of {low:g} to {high:g} Hz is {what} of what recordings of {sample_rate} Hz hold, which ends at "
            f"{half:g} Hz; change augment.noise.bands"
        )
    n_taps = _BAND_TAPS * max(1, sample_rate // 8000) + 1
    found: NDArray[np.float64] = firwin(n_taps, edges, pass_zero=low <= 0, fs=sample_rate)
    return found


def impulse_response(samples: Float32Array) -> NDArray[np.float64]:
    """A recorded impulse response (N,) from its loudest sample on, the direct sound, with energy 1: (M,).

    Raises DataError for silence.

    >>> impulse_response(np.array([0, 0.1, 3, 4], np.float32)).tolist()
    [1.0]
    """
    response = samples[int(np.argmax(np.abs(samples))) :].astype(np.float64) if len(samples) else samples
    energy = float(response @ response)
    if energy == 0:
        raise DataError("an impulse response whose samples are all zero; leave the recording out")
    found: NDArray[np.float64] = response / np.sqrt(energy)
    return found


def reverberated(pieces: Iterable[Float32Array], response: NDArray[np.float64]) -> Iterator[Float32Array]:
    """The samples as a room with this impulse response (M,) sends them back, as many as there were.

    >>> echo = np.array([1.0, 0.0, 0.5])
    >>> [piece.tolist() for piece in reverberated([np.ones(2, np.float32), np.ones(2, np.float32)], echo)]
    [[1.0, 1.0], [1.5, 1.5]]
    """
    from scipy.signal import oaconvolve

    rest = np.zeros(len(response) - 1)  # what still sounds after the samples that are out
    for piece in pieces:
        if not len(piece):
            continue
        out = oaconvolve(piece.astype(np.float64), response)
        out[: len(rest)] += rest
        rest = out[len(piece) :]
        yield out[: len(piece)].astype(np.float32)


def filtered(pieces: Iterable[Float32Array], response: NDArray[np.float64]) -> Iterator[Float32Array]:
    """The samples through a channel, as many as there were and none later than before: its delay is taken off.

    response (n,), n odd, symmetric.

    >>> half = np.array([0.0, 0.5, 0.0])
    >>> [piece.tolist() for piece in filtered([np.ones(2, np.float32), np.ones(1, np.float32)], half)]
    [[0.5], [0.5], [0.5]]
    """
    from scipy.signal import lfilter

    delay = len(response) // 2
    state, skip = np.zeros(len(response) - 1), delay
    tail = np.zeros(delay, np.float32)
    for part in (piece for source in (pieces, (tail,)) for piece in source):
        out, state = lfilter(response, np.ones(1), part.astype(np.float64), zi=state)
        kept = out[min(skip, len(out)) :]
        skip -= len(out) - len(kept)
        if len(kept):
            yield kept.astype(np.float32)
