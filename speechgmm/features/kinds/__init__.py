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
    "f0": "the log of the pitch, of voiced frames alone",
    "given": "numbers that another program computed, read from files",
}
"""Kind -> what a frame holds; the module has the kind's name."""


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

    reads: tuple[str, ...] | None = None
    """Settings that have an effect, beside the kind; None: all."""

    keeps: str | None = None
    """What a frame must be to hold a value, such as voiced; None: every frame holds one."""

    clock: int | None = None
    """Of frames that are read from files: the rate in Hz of the clock that their times are counted by. None: frames are
    computed from samples, and their times are counted in these."""

    plan: "Callable[[FeatureSpec], FrontEnd] | None" = None
    """Makes the front end of frames that are read from files."""

    check: "Callable[[FeatureSpec], None]" = lambda _: None
    """Raises ConfigError for settings that do not go with this kind."""


def are_given(spec: "FeatureSpec") -> bool:
    """Whether the frames of a spec are read from files, and not computed from samples.

    >>> from speechgmm.features import FeatureSpec
    >>> are_given(FeatureSpec(kind="given")), are_given(FeatureSpec())
    (True, False)
    """
    return feature_kind(spec).clock is not None


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
    found: FeatureKind = import_module(f"{__name__}.{kind_name(spec)}").KIND
    return found


def check_kind(spec: "FeatureSpec") -> None:
    """Refuse settings that have no effect with the kind, and what the kind itself refuses.

    Raises:
        ConfigError: The message names the setting.
    """
    kind = feature_kind(spec)
    for field in fields(spec) if kind.reads is not None else ():
        if field.name not in ("kind", *(kind.reads or ())) and getattr(spec, field.name) != field.default:
            raise ConfigError(
                f"features.{field.name}: {getattr(spec, field.name)} has no effect with kind {spec.kind}, whose frames "
                f"hold {KINDS[kind_name(spec)]}; leave it out"
            )
    kind.check(spec)
