"""A feature spec at one sampling rate: every length in samples, every matrix built, once.

Owns what a spec refuses at a rate, and the map between seconds and frames. Reads no sample.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import ConfigError, DataError
from speechgmm.features.cepstra import cosine_transform, lifter_weights, taper
from speechgmm.features.framing import Edges, count_frames
from speechgmm.features.kinds import FeatureKind, feature_kind, uses_energy
from speechgmm.features.listeners import check_listener
from speechgmm.features.presets import PRESETS, Preset
from speechgmm.features.resolve import band, lengths, value_or
from speechgmm.features.spec import DeltaMethod, FeatureSpec, SpectrumName

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]
F = TypeVar("F", bound=np.floating[Any])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FrontEnd:
    """All settings and tables that turn samples at one sample rate into frames. Only `front_end` makes one."""

    spec: FeatureSpec
    sample_rate: int  # Hz
    frame_length: int  # samples, N
    frame_shift: int  # samples
    n_fft: int  # samples
    first_start: int  # sample at which frame 0 begins; negative where it overhangs
    edges: Edges
    remove_mean: bool
    preemphasis: float
    across_frames: bool  # pre-emphasis of a frame's first sample uses the sample before it
    window: NDArray[np.floating]  # (N,) taper x scale of the samples, in the transform's precision
    spectrum: SpectrumName
    filterbank: Float32Array  # (n_mels, n_fft // 2 + 1); no row: the Fourier bins are looked at
    floor: float  # of a band
    log_factor: float  # the preset's logarithm over the natural one
    # In float64: c0 is large, and what float32 leaves of it in the other rows would exceed their rounding.
    cepstral: Float64Array  # (n_ceps, n_mels) DCT x lifter x log_factor, rows in the order of the output; else no row
    energy_floor: float
    use_energy: bool
    c0_last: bool  # c0 or the log energy comes last, as in HTK
    delta_method: DeltaMethod
    low_frequency: float  # Hz
    high_frequency: float  # Hz

    @property
    def n_static(self) -> int:
        """Dimensions of a frame before deltas."""
        return feature_kind(self.spec).n_static(self) + 2 * self.spec.pitch

    @property
    def c0_column(self) -> int:
        """The column of the cepstra that holds c0, or the log energy in its place."""
        return self.spec.n_ceps - 1 if self.c0_last else 0

    @property
    def n_dims(self) -> int:
        """Dimensions of a frame with its deltas, D."""
        return self.n_static * (1 + self.spec.deltas)

    @property
    def first_centre(self) -> float:
        """Time of the middle of frame 0 in samples."""
        return self.first_start + self.frame_length / 2

    @property
    def reach(self) -> int:
        """How many frames on either side may depend on samples that a frame depends on, directly or by deltas.

        >>> front_end(FeatureSpec(deltas=2), 16000).reach
        7
        """
        return (self.frame_length - 1) // self.frame_shift + 1 + self.context

    @property
    def context(self) -> int:
        """How many neighbouring frames on either side a frame is computed from, for its deltas for example.

        >>> front_end(FeatureSpec(deltas=2), 16000).context
        4
        """
        return self.spec.deltas * self.spec.delta_window + feature_kind(self.spec).reach(self.spec)

    def n_frames(self, n_samples: int) -> int:
        """The number of frames in a recording of `n_samples`; 0 where the recording is shorter than a frame."""
        return count_frames(n_samples, self.frame_length, self.frame_shift, self.edges)

    def frame_range(self, start: float, end: float, n_frames: int) -> tuple[int, int]:
        """The frames (first, stop) of a recording of `n_frames` whose centres lie in [start, end) seconds.

        Two segments that share a boundary therefore share no frame, and no frame between them is lost. A segment
        that holds no centre (shorter than a frame shift, or at an edge of the recording) gets the frame nearest to
        its middle, which the neighbouring segment may hold as well. Raises `DataError` for a segment that is empty
        or begins after the end of the recording.

        >>> front_end(FeatureSpec(), 16000).frame_range(0.1, 0.2, 98)
        (9, 19)
        """
        if not (0 <= start < end < math.inf):
            raise DataError(
                f"a segment from {start} to {end} s; expected 0 <= start < end: are the two swapped, or in samples?"
            )
        past_end = self.first_start + (n_frames - 1) * self.frame_shift + self.frame_length + self.frame_shift
        if n_frames < 1 or start * self.sample_rate >= past_end:
            raise DataError(
                f"a segment from {start} s, but the recording has {max(n_frames, 0)} frames and ends before "
                f"{max(past_end, 0) / self.sample_rate:.3f} s; are the times in another unit or of another "
                "file?"
            )
        # A thousandth of a sample: times written as decimals must not fall on the wrong side of a centre.
        first, stop = (
            min(
                max(math.ceil((round(time * self.sample_rate, 3) - self.first_centre) / self.frame_shift), 0),
                n_frames,
            )
            for time in (start, end)
        )
        if first < stop:
            return first, stop
        middle = (start + end) / 2 * self.sample_rate
        nearest = math.floor((middle - self.first_centre) / self.frame_shift + 0.5)
        nearest = min(max(nearest, 0), n_frames - 1)
        return nearest, nearest + 1

    def positions(self, start: float, end: float | None, n_frames: int) -> tuple[float, float]:
        """Times in s as positions in frames, with fractions: frame t covers t to t + 1, and its centre is t + 1/2.

        `end` None is the end of the recording. A segment before the first centre or after the last one is not empty
        either: it keeps a small part of the first or last frame.

        >>> front_end(FeatureSpec(), 16000).positions(0.1, 0.2, 98)
        (9.25, 19.25)
        """

        def position(seconds: float) -> float:
            return (seconds * self.sample_rate - self.first_centre) / self.frame_shift + 0.5

        first = min(position(start), n_frames - 0.01)
        return first, max(float(n_frames) if end is None else position(end), first + 0.01, 0.01)

    def time(self, position: float, n_frames: int) -> float:
        """The time in s of a position in frames, the inverse of `positions`.

        Position 0 or less is time 0; position `n_frames` or more is the end of the last frame.

        >>> front_end(FeatureSpec(), 16000).time(9.25, 98)
        0.1
        """
        samples = (position - 0.5) * self.frame_shift + self.first_centre
        if position >= n_frames:  # what the last frame covers
            samples = self.first_start + (n_frames - 1) * self.frame_shift + self.frame_length
        return 0.0 if position <= 0 else max(samples, 0.0) / self.sample_rate

    def describe(self) -> dict[str, str | int | float | bool | None]:
        """The settings with the values of the preset filled in, as plain values, for the header of a model file.

        >>> front_end(FeatureSpec(), 8000).describe()["frame_length_samples"]
        200
        """
        from speechgmm.features.description import description

        return description(self)


@lru_cache(maxsize=64, typed=True)  # typed: 16000.0 must not pass as a cached 16000
def front_end(spec: FeatureSpec, sample_rate: int) -> FrontEnd:
    """The front end of a spec at a sample rate in Hz. The same spec and rate give the same object.

    Raises `ConfigError` where the spec does not suit the sample rate; the message says why, and what to set.

    >>> built = front_end(FeatureSpec(deltas=2), 16000)
    >>> built.frame_length, built.frame_shift, built.n_fft, built.n_dims
    (400, 160, 512, 39)
    >>> front_end(FeatureSpec(preset="slaney"), 8000)
    Traceback (most recent call last):
    ...
    speechgmm.errors.ConfigError: features.high_frequency: 6853.84 Hz (preset slaney) at a sampling rate of
    8000 Hz, which holds nothing above 4000 Hz; set high_frequency to at most 4000, ...
    """
    preset, kind = PRESETS[spec.preset], feature_kind(spec)
    if kind.plan is not None:
        return kind.plan(spec)
    if isinstance(sample_rate, bool) or not isinstance(sample_rate, int | np.integer) or sample_rate < 1:
        raise ConfigError(f"a sampling rate of {sample_rate!r}; expected a positive whole number of Hz")
    check_listener(spec.vad, int(sample_rate))
    length, shift, n_fft = lengths(spec, preset, sample_rate)
    n_mels = value_or(spec.n_mels, preset.n_mels)
    low, high = band(spec, preset, sample_rate)
    edges: Edges = preset.edges if spec.snip_edges else "reflect"
    # Kaldi centres frame 0 on half a shift; librosa centres the transform on sample 0 and the window in it.
    overhang = {"snip": 0, "reflect": shift // 2 - length // 2, "zeros": (n_fft - length) // 2 - n_fft // 2}[edges]
    window = preset.scale * taper(spec.window or preset.window, length, periodic=preset.periodic)
    return FrontEnd(
        spec=spec,
        sample_rate=int(sample_rate),
        frame_length=length,
        frame_shift=shift,
        n_fft=n_fft,
        first_start=overhang,
        edges=edges,
        remove_mean=value_or(spec.remove_mean, preset.remove_mean),
        preemphasis=value_or(spec.preemphasis, preset.preemphasis),
        across_frames=preset.across_frames,
        window=_frozen(window, preset.transform_dtype),
        spectrum=spec.spectrum or preset.spectrum,
        filterbank=_frozen(_bank(kind, spec, n_mels, n_fft, sample_rate, low, high), np.float32),
        floor=preset.floor,
        log_factor=preset.log_factor,
        cepstral=_frozen(_cosine_rows(spec, preset, n_mels) if kind.cosine else np.empty((0, n_mels)), np.float64),
        energy_floor=value_or(spec.energy_floor, preset.energy_floor),
        use_energy=spec.c0 != "drop" and uses_energy(spec),
        c0_last=preset.c0_last,
        delta_method=spec.delta_method or preset.delta_method,
        low_frequency=low,
        high_frequency=high,
    )


def _bank(
    kind: FeatureKind, spec: FeatureSpec, n_mels: int, n_fft: int, sample_rate: int, low: float, high: float
) -> Float64Array:
    """The filterbank, (n_mels, n_fft // 2 + 1); no row where the kind has none."""
    if not kind.bands:
        return np.empty((0, n_fft // 2 + 1))
    bank = kind.bank or PRESETS[spec.preset].bank
    return bank(n_mels, n_fft, sample_rate, low, high, spec.warp, (spec.warp_low, spec.warp_high))


def _cosine_rows(spec: FeatureSpec, preset: Preset, n_mels: int) -> Float64Array:
    """The cosine transform with lifter and logarithm of the preset, (n_ceps, n_mels)."""
    if spec.n_ceps > n_mels:
        raise ConfigError(
            f"features.n_ceps: {spec.n_ceps} cepstra of {n_mels} bands; lower n_ceps to at most "
            f"{n_mels}, or raise n_mels"
        )
    rows = cosine_transform(spec.n_ceps, n_mels)
    rows *= preset.log_factor
    rows[0] *= preset.cepstral_gain
    lifter = value_or(spec.lifter, preset.lifter)
    rows *= lifter_weights(lifter, spec.n_ceps, first_order=preset.first_liftered)[:, None]
    return np.roll(rows, -1, axis=0) if preset.c0_last else rows


def _frozen(array: Float64Array, dtype: type[F]) -> NDArray[F]:
    """Copy that nobody can write to: it is shared by all who ask for this front end.

    Stored by columns: what is multiplied by is the transpose, and that is contiguous then.
    """
    out = np.array(array, dtype=dtype, order="F")
    out.setflags(write=False)
    return out
