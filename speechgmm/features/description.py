"""The resolved settings of a front end as plain values: those that its kind reads."""

from typing import TYPE_CHECKING

from speechgmm.features.kinds import OF_KINDS, are_given, feature_kind, kind_name
from speechgmm.features.presets import PRESETS
from speechgmm.features.resolve import value_or
from speechgmm.features.spec_checks import VAD_SETTINGS

if TYPE_CHECKING:  # a front end asks for its description
    from speechgmm.features.front_end import FrontEnd

Plain = dict[str, str | int | float | bool | None]

_SLIDING = ("cmvn_window", "cmvn_causal", "cmvn_min_window")


def description(front: "FrontEnd") -> Plain:
    """What `FrontEnd.describe` returns.

    >>> from speechgmm.features import FeatureSpec, front_end
    >>> [name for name in description(front_end(FeatureSpec(kind="plp"), 8000)) if name.startswith("lpc")]
    ['lpc_order']
    """
    spec, preset, kind = front.spec, PRESETS[front.spec.preset], feature_kind(front.spec)
    if are_given(spec):
        return {
            "kind": kind_name(spec),
            "given_dims": spec.n_dims,
            "frame_length_ms": 1000 * front.frame_length / front.sample_rate,
            "frame_shift_ms": 1000 * front.frame_shift / front.sample_rate,
            **_dynamics(front),
        }
    vad = {name: getattr(spec, name) for name in VAD_SETTINGS.get(spec.vad, ())}
    bands: Plain = {
        "n_mels": len(front.filterbank),
        "low_frequency_hz": front.low_frequency,
        "high_frequency_hz": front.high_frequency,
        "warp": spec.warp,
    }
    cepstra: Plain = {
        "n_ceps": spec.n_ceps,
        "lifter": value_or(spec.lifter, preset.lifter),
        "zeroth": "dropped" if spec.c0 == "drop" else "log energy" if front.use_energy else "c0",
        "zeroth_level": spec.c0,
    }
    own = {name: getattr(spec, name) for name, kinds in OF_KINDS.items() if kind_name(spec) in kinds}
    return {
        "kind": kind_name(spec),
        "preset": spec.preset,
        "sample_rate_hz": front.sample_rate,
        "frame_length_samples": front.frame_length,
        "frame_shift_samples": front.frame_shift,
        "n_fft_samples": front.n_fft,
        "edges": front.edges,
        "dither": spec.dither,
        "remove_mean": front.remove_mean,
        "window": spec.window or preset.window,
        "preemphasis": front.preemphasis,
        "spectrum": front.spectrum,
        **(bands if kind.bands else {}),
        **(cepstra if "n_ceps" not in kind.ignores else {"log_energy": front.use_energy}),
        **own,
        "top_db": spec.top_db,
        "pitch": spec.pitch,
        **_dynamics(front),
        "vad": spec.vad,
        **vad,
    }


def _dynamics(front: "FrontEnd") -> Plain:
    """What is done to frames of every kind."""
    spec = front.spec
    return {
        "deltas": spec.deltas,
        "delta_method": front.delta_method,
        "delta_window_frames": spec.delta_window,
        "cmvn": spec.cmvn,
        "norm_vars": spec.norm_vars,
        **{name: getattr(spec, name) for name in _SLIDING if spec.cmvn == "sliding"},
        "n_dims": front.n_dims,
    }
