"""Recordings to frames with numpy alone: the first half of the scorer in one file (see ``scorer``).

The same numbers as ``features/`` to float32 rounding, of whole recordings and the slow way: a test compares the two.
Owns what it refuses. Imports nothing of speechgmm.
"""

import math
import wave
from pathlib import Path
from typing import Any

import numpy as np

Array = Any  # of numpy
Spec = dict[str, Any]  # settings of features: name -> value

KALDI: Spec = {
    "kind": "mfcc", "frame_length": 25, "frame_shift": 10, "n_fft": None, "fft_factor": 1, "n_mels": 23,
    "low_frequency": 20, "high_frequency": None, "preemphasis": 0.97, "across_frames": False, "remove_mean": True,
    "window": "povey", "periodic": False, "spectrum": "power", "scale": 32768, "floor": 2.0**-23,
    "energy_floor": 2.0**-23, "log_factor": 1, "c0_gain": 1, "lifter": 22, "first_liftered": 0, "c0_last": False,
    "use_energy": True, "edges": "snip", "delta_method": "kaldi", "bank": "kaldi",
}  # fmt: skip
PRESETS: dict[str, Spec] = {
    "kaldi": KALDI,
    "htk": {
        **KALDI, "bank": "htk", "n_mels": 26, "low_frequency": 0, "remove_mean": False, "window": "hamming",
        "spectrum": "magnitude", "floor": 1, "energy_floor": 1, "c0_gain": math.sqrt(2), "c0_last": True,
        "use_energy": False, "delta_method": "htk",
    },
    "slaney": {
        **KALDI, "bank": "slaney", "frame_length": 16, "fft_factor": 2, "n_mels": 40, "low_frequency": 400 / 3,
        "high_frequency": 6853.84, "across_frames": True, "remove_mean": False, "window": "hamming", "periodic": True,
        "spectrum": "magnitude", "log_factor": 1 / math.log(10), "lifter": 0, "use_energy": False,
    },
    "librosa": {
        **KALDI, "bank": "slaney", "frame_length": None, "frame_shift": None, "n_fft": 2048, "n_mels": 128,
        "low_frequency": 0, "preemphasis": 0, "across_frames": True, "remove_mean": False, "window": "hann",
        "periodic": True, "scale": 1, "floor": 1e-10, "log_factor": 10 / math.log(10), "lifter": 0,
        "first_liftered": 1, "use_energy": False, "edges": "zeros",
    },
    "asvspoof": {
        **KALDI, "kind": "lfcc", "bank": "linear", "frame_length": 30, "frame_shift": 15, "n_fft": 1024, "n_mels": 70,
        "low_frequency": 0, "high_frequency": 4000, "preemphasis": 0, "across_frames": True, "remove_mean": False,
        "window": "hamming", "scale": 1, "floor": 2.0**-52, "log_factor": 1 / math.log(10), "lifter": 0,
        "use_energy": False, "delta_method": "htk",
    },
}  # fmt: skip
SETTINGS = (
    *("preset", "n_ceps", "snip_edges", "top_db", "c0", "deltas", "delta_window", "cmvn", "norm_vars", "transform"),
    *("vad", "vad_threshold", "vad_mean_scale", "vad_context", "vad_proportion", "vad_range", "raw_energy"),
    # Of kinds, detectors and a sliding cmvn that are refused, of warp and of dither:
    *("n_dims", "log", "warp_low", "warp_high", "vad_window", "vad_gap", "vad_aggressiveness", "vad_probability"),
    *("lpc_order", "compression", "cepstral_scale", "sdc_of", "sdc_spread", "sdc_shift", "sdc_blocks", "sdc_statics"),
    *("dither_seed", "cmvn_window", "cmvn_causal", "cmvn_min_window"),
)
NEUTRAL = {"warp": 1, "dither": 0, "pitch": False}
CHOICES = {
    "preset": tuple(PRESETS),
    "kind": ("mfcc", "lfcc"),
    "vad": ("none", "energy", "peak"),
    "cmvn": ("none", "utterance", "speaker", "global"),
    "window": ("povey", "hamming", "hann", "blackman", "sine", "rectangular"),
}
AT_ONCE = 1024  # frames


class ScorerError(ValueError):
    """Raised for a model or a recording that this scorer cannot use."""


class FrontEnd:
    """The front end: it turns samples into frames."""

    def __init__(self, spec: Spec, rate: int) -> None:
        preset = PRESETS.get(spec["preset"], {})
        mine = {name: preset[name] if spec.get(name) is None else spec[name] for name in preset}
        strange = [name for name in spec if name not in (*SETTINGS, *preset) and spec[name] is not None]
        odd = [name for name in strange if spec[name] != NEUTRAL.get(name)]
        odd += [name for name, values in CHOICES.items() if mine.get(name, spec.get(name)) not in values]
        if odd:
            expected = " or ".join(CHOICES.get(odd[0], ("its default",)))
            raise ScorerError(
                f"features.{odd[0]}: {spec.get(odd[0])}, which this scorer does not compute; expected "
                f"{expected}: train with that, or score with speechgmm"
            )
        self.spec = spec = {**spec, **mine}
        self.shift = 512 if spec["frame_shift"] is None else whole(rate, spec["frame_shift"])
        self.length = length = spec["n_fft"] if spec["frame_length"] is None else whole(rate, spec["frame_length"])
        self.n_fft = spec["n_fft"] or spec["fft_factor"] * max(4, 1 << (length - 1).bit_length())
        self.edges = spec["edges"] if spec["snip_edges"] else "reflect"
        starts = {
            "snip": 0,
            "reflect": self.shift // 2 - length // 2,
            "zeros": (self.n_fft - length) // 2 - self.n_fft // 2,
        }
        self.start = starts[self.edges]
        phase = 2 * np.pi * np.arange(length) / (length if spec["periodic"] else length - 1)
        hann = np.maximum(0.5 - 0.5 * np.cos(phase), 0)
        windows = {"hamming": 0.54 - 0.46 * np.cos(phase), "hann": hann, "povey": hann**0.85}
        windows["blackman"] = 0.42 - 0.5 * np.cos(phase) + 0.08 * np.cos(2 * phase)
        windows |= {"sine": np.sin(phase / 2), "rectangular": np.ones(length)}
        self.window = spec["scale"] * windows[spec["window"]]
        self.bank = filterbank(spec, self.n_fft, rate)
        n_ceps, n_mels = spec["n_ceps"], len(self.bank)
        rows = np.sqrt(2 / n_mels) * np.cos(np.pi * np.arange(n_ceps)[:, None] * (np.arange(n_mels) + 0.5) / n_mels)
        rows[0] *= spec["c0_gain"] / np.sqrt(2)
        if spec["lifter"]:
            order = np.arange(n_ceps) + spec["first_liftered"]
            rows *= (1 + spec["lifter"] / 2 * np.sin(np.pi * order / spec["lifter"]))[:, None]
        self.cepstral = spec["log_factor"] * (np.roll(rows, -1, axis=0) if spec["c0_last"] else rows)

    def frames(self, samples: Array) -> tuple[Array, Array]:
        """All frames (T, D) of samples (N,) before normalisation, and which of them (T,) are speech."""
        spec, n = self.spec, len(samples)
        counts = {"snip": 1 + (n - self.length) // self.shift if n >= self.length else 0,
                  "reflect": (n + self.shift // 2) // self.shift, "zeros": 1 + n // self.shift}  # fmt: skip
        n_frames = counts[self.edges]
        if n_frames < 1:
            raise ScorerError(f"{n} samples are too short for one frame of {self.length}")
        lead = max(0, -self.start) + 1  # one more, for pre-emphasis
        behind = max(0, self.start + (n_frames - 1) * self.shift + self.length - n)
        mode: Any = "symmetric" if self.edges == "reflect" else "constant"
        padded = np.pad(samples.astype(np.float64), (lead, behind), mode=mode)[lead + self.start - 1 :]
        parts = []
        for first in range(0, n_frames, AT_ONCE):
            at = np.arange(first, min(first + AT_ONCE, n_frames))[:, None] * self.shift + np.arange(self.length + 1)
            parts.append(self.log_bands(padded[at]))
        logs, energy = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        if spec["top_db"] is not None:
            logs = np.maximum(logs, logs.max() - spec["top_db"] / spec["log_factor"])
        log_energy = np.log(np.maximum(energy * 32768.0**2, spec["energy_floor"])).astype(np.float32)
        cepstra, column = (logs @ self.cepstral.T).astype(np.float32), -1 if spec["c0_last"] else 0
        if spec["c0"] == "drop":
            cepstra = np.delete(cepstra, column, axis=1)
        elif spec["use_energy"]:
            cepstra[:, column] = log_energy
        if spec["c0"] == "relative":
            cepstra[:, column] -= cepstra[:, column].max()
        frames = with_deltas(cepstra, spec["deltas"], spec["delta_window"], spec["delta_method"])
        speech = voiced(log_energy, spec) & ~self.silent(samples, n_frames)
        if not speech.any():
            raise ScorerError(f"nothing of its {n_frames} frames is speech; is the recording silent?")
        return frames, speech

    def log_bands(self, block: Array) -> tuple[Array, Array]:
        """Logarithms of bands of frames (T, N), each behind the sample before it, and the frames' energies."""
        spec, before, frames = self.spec, block[:, :-1], block[:, 1:]
        if spec["remove_mean"]:
            means = frames.mean(axis=1, keepdims=True)
            frames, before = frames - means, before - means
        energy = np.square(frames).sum(axis=1)
        if spec["preemphasis"]:
            first = before[:, :1] if spec["across_frames"] else frames[:, :1]
            frames = frames - spec["preemphasis"] * np.concatenate([first, frames[:, :-1]], axis=1)
        tapered = frames * self.window
        if not spec.get("raw_energy", True):
            energy = np.square(tapered / spec["scale"]).sum(axis=1)
        power = np.square(np.abs(np.fft.rfft(tapered, self.n_fft)))
        bands = (np.sqrt(power) if spec["spectrum"] == "magnitude" else power) @ self.bank.T
        return np.log(np.maximum(bands, spec["floor"])), energy

    def silent(self, samples: Array, n_frames: int) -> Array:
        """Which frames lie in digital silence: runs of equal samples as long as a frame."""
        ends = np.concatenate([[0], np.flatnonzero(np.diff(samples)) + 1, [len(samples)]])
        found = np.zeros(n_frames, bool)
        for k in np.flatnonzero(np.diff(ends) >= self.length):
            first = 0 if ends[k] == 0 else max(0, -((self.start - int(ends[k])) // self.shift))
            stop = (int(ends[k + 1]) - self.length - self.start) // self.shift + 1
            found[first : n_frames if ends[k + 1] == len(samples) else max(stop, 0)] = True
        return found


def filterbank(spec: Spec, n_fft: int, rate: int) -> Array:
    """Bands (n_mels, n_fft // 2 + 1) as the preset lays them."""
    low, high = spec["low_frequency"], spec["high_frequency"] or rate / 2
    kind = "linear" if spec["kind"] == "lfcc" else spec["bank"]
    at = np.arange(n_fft // 2 + 1) * (rate / n_fft)
    n = spec["n_mels"] + 2
    if kind in ("kaldi", "htk"):
        edges, at = np.linspace(mel(low), mel(high), n), mel(at)
    elif kind == "linear":
        edges = np.linspace(low, high, n)
    else:
        log = np.log(6.4) / 27  # the Auditory Toolbox: linear to 1 kHz, logarithmic above
        ends = [3 * f / 200 if f < 1000 else 15 + np.log(f / 1000) / log for f in (low, high)]
        mels = np.linspace(ends[0], ends[1], n)
        edges = np.where(mels < 15, mels * 200 / 3, 1000 * np.exp((np.maximum(mels, 15) - 15) * log))
    left, centre, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    bank = np.maximum(0.0, np.minimum((at - left) / (centre - left), (right - at) / (right - centre)))
    if kind in ("kaldi", "htk"):
        bank[:, -1] = 0
    if kind == "htk":
        bank[:, : max(int(low * n_fft / rate + 2.5), 2) - 1] = 0
        bank[:, min(int(high * n_fft / rate + 0.5), n_fft // 2) :] = 0
    return bank * 2 / (right - left) if kind == "slaney" else bank


def mel(hz: Any) -> Any:
    """Mel of a frequency in Hz."""
    return 1127 * np.log1p(np.asarray(hz) / 700)


def whole(rate: int, time: float) -> int:
    """Samples in a time in ms."""
    return int(round(rate * time / 1000, 6))


def with_deltas(frames: Array, order: int, window: int, method: str) -> Array:
    """Frames (T, D) followed by their derivatives."""
    parts, offsets = [frames], np.arange(-window, window + 1)
    wide = np.pad(frames.astype(np.float64), ((order * window,) * 2, (0, 0)), mode="edge")
    for k in range(1, order + 1):
        if method == "htk":
            wide = np.pad(parts[-1].astype(np.float64), ((window, window), (0, 0)), mode="edge")
        rows = len(wide) - 2 * window
        slopes = [d * wide[window + d : window + d + rows] for d in offsets]
        wide = np.sum(slopes, axis=0) / np.sum(offsets**2)
        rest = 0 if method == "htk" else (order - k) * window
        parts.append(wide[rest : len(wide) - rest].astype(np.float32))
    return np.concatenate(parts, axis=1)


def voiced(log_energy: Array, spec: Spec) -> Array:
    """Which frames (T,) voice activity detection keeps."""
    if spec["vad"] == "peak":
        return log_energy > log_energy.max() - spec["vad_range"]
    if spec["vad"] == "none":
        return np.ones(len(log_energy), bool)
    votes = log_energy > spec["vad_threshold"] + spec["vad_mean_scale"] * log_energy.mean(dtype=np.float64)
    before, at = np.concatenate([[0], np.cumsum(votes)]), np.arange(len(votes))
    first, stop = np.maximum(at - spec["vad_context"], 0), np.minimum(at + spec["vad_context"] + 1, len(votes))
    return before[stop] - before[first] >= spec["vad_proportion"] * (stop - first)


def moments(frames: Array, norm_vars: bool) -> tuple[Array, Array]:
    """Shift and scale (D,) that give frames (T, D) mean 0 and, with ``norm_vars``, variance 1."""
    mean, deviation = frames.mean(axis=0), frames.std(axis=0)
    varies = norm_vars & (deviation > 1e-6 * np.maximum(1, np.abs(mean)))
    return mean, np.where(varies, 1 / np.where(varies, deviation, 1), 1.0)


def read_wave(path: str | Path) -> tuple[Array, int]:
    """Samples (N, channels) in [-1, 1) of a WAV file of whole numbers, and its rate in Hz."""
    try:
        with wave.open(str(path), "rb") as file:
            width, n_channels, rate = file.getsampwidth(), file.getnchannels(), file.getframerate()
            data, promised = file.readframes(file.getnframes()), file.getnframes()
    except (wave.Error, EOFError) as error:
        raise ScorerError(f"{path}: not a WAV file of whole numbers ({error}); convert it to 16-bit PCM") from None
    if len(data) != promised * width * n_channels:
        raise ScorerError(f"{path}: truncated: {len(data) // (width * n_channels)} of {promised} samples are there")
    if width == 3:
        values = np.pad(np.frombuffer(data, np.uint8).reshape(-1, 3), ((0, 0), (1, 0))).copy().view("<i4")[:, 0]
    else:
        values = np.frombuffer(data, {1: "u1", 2: "<i2", 4: "<i4"}[width])
    scaled = (values - 128.0) / 128 if width == 1 else values / (32768.0 if width == 2 else 2.0**31)
    return scaled.astype(np.float32).reshape(-1, n_channels), rate


def one_channel(name: str, samples: Array, channel: str | int) -> Array:
    """The channel (N,) of samples that the model takes; raises where they cannot be used."""
    if samples.dtype == np.int16:
        samples = samples / np.float32(32768)
    if not samples.size or samples.ndim > 2:
        raise ScorerError(f"{name}: samples of shape {samples.shape}; expected (N,) or (N, channels)")
    samples = samples.astype(np.float32).reshape(len(samples), -1)
    if channel != "mix" and channel >= samples.shape[1]:
        raise ScorerError(f"{name}: {samples.shape[1]} channels, and the model takes channel {channel}")
    found = samples.mean(axis=1, dtype=np.float32) if channel == "mix" else samples[:, channel]
    if not np.isfinite(found).all() or np.abs(found).max(initial=0) > 64 or not found.any():
        raise ScorerError(f"{name}: samples that are all zero, NaN or far beyond [-1, 1]")
    return found
