"""What a feature spec refuses by itself: values out of range, and settings that have no effect beside the others."""

import math
from dataclasses import Field, fields
from types import NoneType
from typing import TYPE_CHECKING, Any, Final, get_args

from speechgmm.errors import ConfigError
from speechgmm.features.kinds import are_given, check_kind, uses_energy

if TYPE_CHECKING:  # a spec asks to be checked
    from speechgmm.features.spec import FeatureSpec


VAD_SETTINGS: Final = {
    "energy": ("vad_threshold", "vad_mean_scale", "vad_context", "vad_proportion"),
    "peak": ("vad_range",),
    "gaussians": ("vad_window", "vad_gap"),
    "webrtc": ("vad_aggressiveness",),
    "silero": ("vad_probability",),
    "model": ("vad_model",),
}
"""Value of ``vad`` -> the settings that it reads."""


def check_value(field: Field[Any], value: object, section: str = "features") -> None:
    """Raise `ConfigError` for a value of another type or outside the field's range; the file reader checks it too."""
    name, kinds = f"{section}.{field.name}", get_args(field.type) or (field.type,)
    if value is None and NoneType in kinds:
        return
    choices = [c for kind in kinds for c in (get_args(kind) or (kind,)) if isinstance(c, str)]
    if choices:
        if value not in choices:
            raise ConfigError(f"{name}: {value!r}; expected one of {', '.join(choices)}")
        return
    if str in kinds:
        if not isinstance(value, str):
            raise ConfigError(f"{name}: {value!r}; expected a text")
        return
    if bool in kinds:
        if not isinstance(value, bool):
            raise ConfigError(f"{name}: {value!r}; expected true or false")
        return
    if isinstance(value, bool) or not isinstance(value, int if int in kinds else (int, float)):
        raise ConfigError(f"{name}: {value!r}; expected a {'whole number' if int in kinds else 'number'}")
    bounds, unit = field.metadata, field.metadata.get("json_schema_extra", {}).get("unit", "")
    outside = (
        not math.isfinite(value)
        or ("ge" in bounds and value < bounds["ge"])
        or ("gt" in bounds and value <= bounds["gt"])
        or ("le" in bounds and value > bounds["le"])
        or ("lt" in bounds and value >= bounds["lt"])
    )
    if outside:
        words = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
        limits = " and ".join(f"{words[key]} {bounds[key]}" for key in words if key in bounds) or "a finite number"
        raise ConfigError(f"{name}: {value}; expected {limits} {unit}".rstrip() + f" ({bounds['description']})")


def check_together(spec: "FeatureSpec") -> None:
    """Raise `ConfigError` for settings that the others leave without effect."""
    check_kind(spec)
    if spec.n_dims is not None and not are_given(spec):
        raise ConfigError(
            f"features.n_dims: {spec.n_dims} has no effect on frames that are computed from recordings, whose "
            "dimensions follow from n_ceps, c0 and deltas; leave it out, or set kind: given"
        )
    if not spec.snip_edges and spec.preset != "kaldi":
        raise ConfigError(
            f"features.snip_edges: false with preset {spec.preset}; only the kaldi preset has frames that "
            "overhang the edges: use preset kaldi, or leave snip_edges out"
        )
    if spec.top_db is not None and spec.preset != "librosa":
        raise ConfigError(
            f"features.top_db: {spec.top_db} with preset {spec.preset}; only the librosa preset clips by the "
            "loudest cell of a recording: leave top_db out"
        )
    if spec.use_energy and spec.preset not in ("kaldi", "htk"):
        raise ConfigError(
            f"features.use_energy: true with preset {spec.preset}, which has no log energy; "
            "leave use_energy out (c0 stays), or use preset kaldi or htk"
        )
    if spec.c0 == "drop" and spec.use_energy:
        raise ConfigError(
            "features.use_energy: true with c0: drop, which leaves the energy out again; choose one of the two"
        )
    if spec.c0 == "drop" and spec.n_ceps < 2:
        raise ConfigError("features.c0: drop with n_ceps: 1 leaves no cepstra; raise n_ceps or keep c0")
    if spec.preset == "htk" and (spec.warp_low is None) != (spec.warp_high is None):
        raise ConfigError(
            f"features.warp_low: {spec.warp_low} and warp_high: {spec.warp_high} with preset htk, whose warp has two "
            "knots (WARPLCUTOFF and WARPUCUTOFF); give both, or leave both out for Kaldi's"
        )
    if spec.cmvn_causal and spec.cmvn_min_window > spec.cmvn_window:
        raise ConfigError(
            f"features.cmvn_min_window: {spec.cmvn_min_window} frames with cmvn_window: {spec.cmvn_window}; lower "
            "cmvn_min_window, or raise cmvn_window"
        )
    _check_effects(spec)


def _check_effects(spec: "FeatureSpec") -> None:
    """Refuse settings that belong to another one which is not set."""
    for needs, used, names in (
        ("warp other than 1", spec.warp != 1, ("warp_low", "warp_high")),
        (
            "a log energy (use_energy: true, or vad by energy)",
            uses_energy(spec) or spec.vad in ("energy", "peak", "gaussians"),
            ("raw_energy", "energy_floor"),
        ),
        ("deltas: 1 or 2", spec.deltas > 0, ("delta_method", "delta_window")),
        ("dither", spec.dither > 0, ("dither_seed",)),
        ("cmvn: sliding", spec.cmvn == "sliding", ("cmvn_window", "cmvn_causal")),
        ("cmvn: sliding and cmvn_causal: true", spec.cmvn == "sliding" and spec.cmvn_causal, ("cmvn_min_window",)),
        ("cmvn other than none", spec.cmvn != "none", ("norm_vars",)),
        *((f"vad: {vad}", spec.vad == vad, names) for vad, names in VAD_SETTINGS.items()),
    ):
        for field in fields(spec):
            if not used and field.name in names and getattr(spec, field.name) != field.default:
                raise ConfigError(
                    f"features.{field.name}: {getattr(spec, field.name)} has no effect without {needs}; "
                    "set that as well, or leave this out"
                )
