"""What a user may choose about features, with the unit and the meaning of each choice.

Owns the settings; which of them are refused is in `spec_checks`. What they come to in samples at one sampling rate is
`speechgmm.features.front_end`'s business.
"""

from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from speechgmm.features.kinds import KINDS, feature_kind
from speechgmm.features.spec_checks import check_together, check_value
from speechgmm.features.transforms import TransformSpec
from speechgmm.setting import FORBID_UNKNOWN, setting

PresetName = Literal["kaldi", "htk", "slaney", "librosa", "asvspoof"]
if TYPE_CHECKING:  # the table of kinds is read at run time
    KindName = str
else:
    KindName = Literal[tuple(KINDS)]
WindowName = Literal["povey", "hamming", "hann", "blackman", "sine", "rectangular"]
SpectrumName = Literal["power", "magnitude"]
DeltaMethod = Literal["kaldi", "htk"]
VadName = Literal["none", "energy", "peak", "gaussians", "webrtc", "silero", "model"]

_OF_PRESET: Final = "; default: the preset's"


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureSpec:
    """Settings of the features: how a recording becomes frames. ``None`` stands for the value of the preset.

    Raises `ConfigError` for a value out of range, and for a setting that has no effect with the other
    settings, such as `vad_threshold` without ``vad="energy"``.

    >>> FeatureSpec(preset="kaldi", deltas=2).n_ceps
    13
    >>> FeatureSpec(preset="htk", snip_edges=False)
    Traceback (most recent call last):
    ...
    speechgmm.errors.ConfigError: features.snip_edges: false with preset htk; only the kaldi preset has frames
    that overhang the edges: use preset kaldi, or leave snip_edges out
    """

    __pydantic_config__: ClassVar[Any] = FORBID_UNKNOWN

    preset: PresetName = setting(
        "kaldi",
        "whose front end is reproduced: compute-mfcc-feats, HCopy, Auditory Toolbox, librosa.feature.mfcc, the LFCC "
        "baseline of ASVspoof 2021",
    )
    kind: KindName | None = setting(
        None,
        f"what a frame holds: {'; '.join(f'{kind}: {holds}' for kind, holds in KINDS.items())}; default: lfcc with "
        "preset asvspoof, else mfcc",
    )
    n_dims: int | None = setting(
        None, "given: dimensions of a frame as it is read; default: those of the first recording", ge=1, le=1_000_000
    )
    n_ceps: int = setting(13, "cepstra per frame, the zeroth (or the log energy in its place) included", ge=1, le=512)
    frame_length: float | None = setting(
        None,
        "length of a frame: 25, 25, 16 ms; librosa: n_fft samples; asvspoof 30 ms" + _OF_PRESET,
        unit="ms",
        gt=0,
        le=1000,
    )
    frame_shift: float | None = setting(
        None, "time between frames: 10 ms; librosa: 512 samples; asvspoof 15 ms" + _OF_PRESET, unit="ms", gt=0, le=1000
    )
    n_fft: int | None = setting(
        None,
        "even length of the Fourier transform: next power of two, slaney twice that, librosa 2048, asvspoof 1024"
        + _OF_PRESET,
        unit="samples",
        ge=4,
        le=65536,
    )
    n_mels: int | None = setting(None, "bands, mel or linear: 23, 26, 40, 128, 70" + _OF_PRESET, ge=1, le=512)
    low_frequency: float | None = setting(
        None, "lower edge of the first band: 20, 0, 133.33, 0, 0 Hz" + _OF_PRESET, unit="Hz", ge=0, le=400000
    )
    high_frequency: float | None = setting(
        None,
        "upper edge of the last band: half the sampling rate; slaney 6853.84 Hz, asvspoof 4000 Hz" + _OF_PRESET,
        unit="Hz",
        gt=0,
        le=400000,
    )
    warp: float = setting(
        1.0,
        "factor on the frequency axis, as by a vocal tract that much shorter (Kaldi's VTLN); for altered copies of "
        "training recordings",
        ge=0.5,
        le=2,
    )
    warp_low: float | None = setting(
        None,
        "warp: lower knot of the warped axis, Kaldi's vtln-low (100 Hz), with preset htk WARPLCUTOFF",
        unit="Hz",
        gt=0,
        le=400000,
    )
    warp_high: float | None = setting(
        None,
        "warp: upper knot, Kaldi's vtln-high (500 Hz below half the sampling rate), with preset htk WARPUCUTOFF",
        unit="Hz",
        gt=0,
        le=400000,
    )
    dither: float = setting(
        0.0,
        "standard deviation of Gaussian noise that is added to samples, in steps of 16 bits, as in Kaldi",
        ge=0,
        le=32768,
    )
    dither_seed: int = setting(0, "seed of the dither noise, which is then the same in every run", ge=0, le=2**63 - 1)
    remove_mean: bool | None = setting(
        None, "subtract the mean of a frame's samples first: kaldi true, others false" + _OF_PRESET
    )
    preemphasis: float | None = setting(
        None, "a of x[t] - a x[t - 1], 0 for none: 0.97; librosa and asvspoof 0" + _OF_PRESET, ge=0, lt=1
    )
    window: WindowName | None = setting(None, "taper of a frame: povey, hamming, hamming, hann, hamming" + _OF_PRESET)
    spectrum: SpectrumName | None = setting(
        None, "what the bands sum: power, magnitude, magnitude, power, power" + _OF_PRESET
    )
    lifter: float | None = setting(None, "cepstral lifter, 0 for none: 22, 22, 0, 0, 0" + _OF_PRESET, ge=0, le=1000)
    lpc_order: int = setting(12, "plp: poles of the model", ge=1, le=100)
    compression: float | None = setting(
        None, "plp: exponent on the bands, Kaldi's compress-factor: 1/3, htk 0.33" + _OF_PRESET, gt=0, le=1
    )
    cepstral_scale: float = setting(1.0, "plp: factor on the cepstra, not on a log energy", gt=0, le=1000)
    sdc_of: Literal["mfcc", "lfcc", "plp"] | None = setting(
        None, "sdc: kind of the cepstra, n_ceps of them (N); default: the preset's"
    )
    sdc_spread: int = setting(1, "sdc: frames before and after that a difference is of (d)", unit="frames", ge=1, le=50)
    sdc_shift: int = setting(3, "sdc: time between differences (P)", unit="frames", ge=1, le=50)
    sdc_blocks: int = setting(7, "sdc: differences in a frame (k)", ge=1, le=50)
    sdc_statics: bool = setting(True, "sdc: the cepstra themselves come first")
    use_energy: bool | None = setting(
        None,
        "log energy of the frame in place of c0 or of bin 0, in fbank one more dimension; kaldi and htk only: kaldi "
        "true, htk false; fbank false" + _OF_PRESET,
    )
    raw_energy: bool = setting(True, "take the log energy before pre-emphasis and window; false: after them")
    energy_floor: float | None = setting(
        None, "least energy of a frame, of 16-bit samples: 1.2e-7; htk 1" + _OF_PRESET, gt=0, le=1e15
    )
    log: bool = setting(True, "fbank and spectrogram: the logarithm of the energies; false: the energies")
    snip_edges: bool = setting(True, "kaldi only: only frames that lie within the recording; false: reflect its edges")
    top_db: float | None = setting(
        None,
        "librosa only: clip this far below the loudest cell of the recording (default: not)",
        unit="dB",
        ge=0,
        le=1000,
    )
    c0: Literal["absolute", "relative", "drop"] = setting(
        "absolute", "c0 or log energy: as it is, minus the recording's maximum, or left out"
    )
    pitch: bool = setting(
        False,
        "append the log of the pitch in Hz (60 to 400) and the voicing (-1 to 1) of each frame, by librosa's YIN, "
        "which takes much longer than cepstra",
    )
    deltas: int = setting(0, "orders of time derivatives appended to the cepstra", ge=0, le=2)
    delta_method: DeltaMethod | None = setting(
        None, "second order as one long filter (kaldi) or as the same filter twice (htk)" + _OF_PRESET
    )
    delta_window: int = setting(2, "frames on either side in the regression of a delta", unit="frames", ge=1, le=100)
    cmvn: Literal["none", "global", "utterance", "speaker", "sliding"] = setting(
        "none", "over what the mean of each dimension is made 0; sliding: a window around each frame"
    )
    norm_vars: bool = setting(True, "cmvn also makes the variance of each dimension 1")
    cmvn_window: int = setting(
        600, "cmvn sliding: frames of the window, as in Kaldi's apply-cmvn-sliding", unit="frames", ge=1, le=10**6
    )
    cmvn_causal: bool = setting(
        False, "cmvn sliding: the window ends with its frame, so that streams can have it; false: it is centred on it"
    )
    cmvn_min_window: int = setting(
        100, "cmvn_causal: the first frames share the window of this many", unit="frames", ge=1, le=10**6
    )
    vad: VadName = setting(
        "none",
        "frames kept: all; energy: Kaldi's compute-vad rule; peak: those within vad_range of the loudest; gaussians: "
        "those of the louder of two Gaussians, fitted to the energies of the recording; webrtc, silero: those "
        "that these detectors call speech (extras); model: those that the speech detector of vad_model calls speech",
    )
    vad_model: str | None = setting(
        None,
        "vad model: a model file with a speech detector, such as a diarizer, relative to the configuration file",
        is_path=True,
    )
    vad_threshold: float = setting(
        5.0, "vad energy: constant term of the threshold on the log energy", unit="nats", ge=-1000, le=1000
    )
    vad_mean_scale: float = setting(0.5, "vad energy: factor of the mean log energy in the threshold", ge=0, le=1000)
    vad_context: int = setting(0, "vad energy: frames on either side that vote", unit="frames", ge=0, le=1000)
    vad_proportion: float = setting(0.6, "vad energy: share of the votes that makes speech", gt=0, lt=1)
    vad_range: float = setting(
        5.0, "vad peak: how far below the loudest frame of the recording is still speech", unit="nats", gt=0, le=1000
    )
    vad_window: int = setting(
        10, "vad gaussians: frames on either side that an energy is averaged over", unit="frames", ge=0, le=1000
    )
    vad_gap: float = setting(
        3.0, "vad gaussians: means that are closer are no pauses and speech; all is kept", unit="nats", ge=0, le=100
    )
    vad_aggressiveness: int = setting(2, "vad webrtc: aggressiveness; higher: fewer frames count as speech", ge=0, le=3)
    vad_probability: float = setting(0.5, "vad silero: from what probability on it is speech", gt=0, lt=1)

    transform: TransformSpec = setting(TransformSpec(), "what is done to frames last, learnt from the training split")

    def __post_init__(self) -> None:
        for field in fields(self):
            if field.name != "transform":
                check_value(field, getattr(self, field.name))
        check_together(self)

    @property
    def marks_speech(self) -> bool:
        """Whether frames are dropped: those that the VAD rejects or, for pitch, those that are unvoiced."""
        return self.vad != "none" or feature_kind(self).keeps is not None

    @property
    def pools_moments(self) -> bool:
        """Whether frames are normalised after extraction, by a mean and a variance pooled over their recordings."""
        return self.cmvn in ("global", "utterance", "speaker")

    def without_normalisation(self) -> "FeatureSpec":
        """The spec without pooled normalisation and without transform: what a feature cache may use as a key.

        >>> FeatureSpec(cmvn="speaker", norm_vars=False).without_normalisation() == FeatureSpec()
        True
        """
        return _without_normalisation(self)


@lru_cache(maxsize=64)
def _without_normalisation(spec: FeatureSpec) -> FeatureSpec:
    """Asked for with every recording: to make a spec and to check it takes 0.1 ms."""
    plain = replace(spec, transform=TransformSpec())
    return replace(plain, cmvn="none", norm_vars=True) if spec.pools_moments else plain
