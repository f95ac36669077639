"""Kinds of feature, a module each, and their table.

A new kind is one module here, which ends in a `FeatureKind` named ``KIND``, and one line of the table. Owns what the
extraction asks of a kind. Loads a kind when it is asked for.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from importlib import import_module
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import ConfigError

if TYPE_CHECKING:  # a front end and a spec ask for their kind
    from speechgmm.features.filterbanks import Bank
    from speechgmm.features.front_end import FrontEnd
    from speechgmm.features.spec import FeatureSpec

KINDS: Final = {
    "mfcc": "cepstra of bands equally wide in mel",
    "lfcc": "cepstra of bands equally wide in Hz",
    "fbank": "log energies of the bands",
    "plp": "cepstra of an all-pole model of compressed bands (perceptual linear prediction)",
    "sdc": "shifted delta cepstra: differences of cepstra at several later times",
    "spectrogram": "log powers of the Fourier bins",
    "f0": "the log of the pitch, of voiced frames alone",
    "given": "numbers that another program computed, read from files",
}
"""Kind -> what a frame holds; the module has the kind's name."""

OF_KINDS: Final = {
    "log": ("fbank", "spectrogram"),
    **dict.fromkeys(("lpc_order", "compression", "cepstral_scale"), ("plp", "sdc")),
    **dict.fromkeys(("sdc_of", "sdc_spread", "sdc_shift", "sdc_blocks", "sdc_statics"), ("sdc",)),
}
"""Setting that only some kinds read -> these kinds."""

CEPSTRAL: Final = ("n_ceps", "lifter", "c0")
"""Settings that kinds without cepstra ignore."""


class Statics(NamedTuple):
    """What a kind makes of a recording of T frames, before deltas."""

    frames: NDArray[np.float32]
    """(T, n_static)."""

    log_energy: NDArray[np.float32] | None
    """(T,) in nats, of 16-bit samples: what voice activity detection looks at; None: the kind has no use for it."""

    kept: NDArray[np.bool_] | None = None
    """(T,), which frames hold a value; None: all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureKind:
    """How one kind of feature is computed."""

    compute: "Callable[[FrontEnd, Iterable[NDArray[np.float32]]], Statics]"
    """Of a front end and of checked samples (N,), in stretches one after another; raises ConfigError where frames are
    not computed from samples."""

    n_static: "Callable[[FrontEnd], int]"
    """Dimensions of a frame before deltas."""

    bank: "Bank | None" = None
    """The filterbank; None: the preset's."""

    bands: bool = True
    """Whether there is a filterbank; False: what a kind sees are the Fourier bins."""

    cosine: bool = False
    """Whether frames are cosine transforms of log bands, so that a front end holds their matrix."""

    use_energy: bool | None = None
    """The default of the setting; None: the preset's."""

    reads: tuple[str, ...] | None = None
    """Settings that have an effect, beside the kind; None: all but ``ignores`` and those of other kinds."""

    ignores: tuple[str, ...] = ()
    """Settings that have no effect."""

    reach: "Callable[[FeatureSpec], int]" = lambda _: 0
    """Frames on either side that a frame is computed from, at most."""

    keeps: str | None = None
    """What a frame must be to hold a value, such as voiced; None: every frame holds one."""

    clock: int | None = None
    """Of frames that are read from files: the rate in Hz of the clock that their times are counted by. None: frames are
    computed from samples, and their times are counted in these."""

    plan: "Callable[[FeatureSpec], FrontEnd] | None" = None
    """Makes the front end of frames that are read from files."""

    check: "Callable[[FeatureSpec], object]" = lambda _: None
    """Raises ConfigError for settings that do not go with this kind."""


def are_given(spec: "FeatureSpec") -> bool:
    """Whether the frames of a spec are read from files, and not computed from samples.

    >>> from speechgmm.features import FeatureSpec
    >>> are_given(FeatureSpec(kind="given")), are_given(FeatureSpec())
    (True, False)
    """
    return feature_kind(spec).clock is not None


def settings_of_given(kind: object) -> tuple[str, ...] | None:
    """Settings that have an effect on frames of a kind that is read from files; None: it is no such kind.

    >>> "cmvn" in settings_of_given("given"), settings_of_given("mfcc"), settings_of_given(None)
    (True, None, None)
    """
    if not isinstance(kind, str) or not KINDS.get(kind) or kind_named(kind).clock is None:
        return None
    return kind_named(kind).reads


def kind_name(spec: "FeatureSpec") -> str:
    """The kind of a spec: its own, or the preset's."""
    from speechgmm.features.presets import PRESETS

    return spec.kind or PRESETS[spec.preset].kind


def feature_kind(spec: "FeatureSpec") -> FeatureKind:
    """How the frames of a spec are computed.

    >>> from speechgmm.features import FeatureSpec
    >>> feature_kind(FeatureSpec(kind="f0")).keeps
    'voiced'
    """
    return kind_named(kind_name(spec))


def kind_named(name: str) -> FeatureKind:
    """How the frames of a kind of `KINDS` are computed.

    >>> kind_named("f0").keeps
    'voiced'
    """
    found: FeatureKind = import_module(f"{__name__}.{name}").KIND
    return found


def reads(spec: "FeatureSpec", setting: str) -> bool:
    """Whether a setting has an effect with the kind of a spec.

    >>> from speechgmm.features import FeatureSpec
    >>> reads(FeatureSpec(kind="fbank"), "warp"), reads(FeatureSpec(kind="spectrogram"), "warp")
    (True, False)
    """
    kind, name = feature_kind(spec), kind_name(spec)
    if kind.reads is not None:
        return setting in kind.reads
    return setting not in kind.ignores and name in OF_KINDS.get(setting, (name,))


def check_kind(spec: "FeatureSpec") -> None:
    """Refuse settings that have no effect with the kind, and what the kind itself refuses.

    Raises:
        ConfigError: The message names the setting.
    """
    kind = feature_kind(spec)
    name = kind_name(spec)
    for field in fields(spec):
        if field.name == "kind" or getattr(spec, field.name) == field.default:
            continue
        if not reads(spec, field.name):
            raise ConfigError(
                f"features.{field.name}: {getattr(spec, field.name)} has no effect with kind {name}, whose frames "
                f"hold {KINDS[name]}; leave it out"
            )
    kind.check(spec)


def uses_energy(spec: "FeatureSpec") -> bool:
    """Whether frames hold their log energy: as the spec says, else by the default of the kind, else of the preset."""
    from speechgmm.features.presets import PRESETS

    if spec.use_energy is not None:
        return spec.use_energy
    default = feature_kind(spec).use_energy
    return PRESETS[spec.preset].use_energy if default is None else default
