"""Frames that another program computed: they are read from files, and go on from there as all frames do.

Owns what is refused of such frames, and how their times are counted. Where they are read is another matter
(``io/given_frames.py``).
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import ConfigError, DataError
from speechgmm.features.dynamics import with_dynamics
from speechgmm.features.front_end import FrontEnd
from speechgmm.features.kinds import FeatureKind, Statics
from speechgmm.features.resolve import value_or
from speechgmm.features.spec import FeatureSpec

CLOCK: Final = 768_000
"""Ticks per second: a multiple of the usual sampling rates, fine enough for hours of frames 23.22 ms apart."""

FRAME_LENGTH: Final = 25.0  # ms
FRAME_SHIFT: Final = 10.0  # ms


def given_features(spec: FeatureSpec, frames: NDArray[np.float32], name: str) -> NDArray[np.float32]:
    """Frames of a recording as they were given, with the deltas and the sliding normalisation that the spec asks for.

    Parameters
    ----------
    spec
        Of kind ``given``, with its number of dimensions.
    frames
        (T, D) float32.
    name
        What messages call the recording.

    Returns
    -------
    NDArray
        (T, D (1 + deltas)) float32.

    Raises
    ------
    DataError
        No frames, another number of dimensions than the spec's, or a number that is not finite.

    Examples
    --------
    >>> spec = FeatureSpec(kind="given", n_dims=2, deltas=1)
    >>> given_features(spec, np.ones((5, 2), np.float32), "one").shape
    (5, 4)
    >>> given_features(spec, np.ones((5, 3), np.float32), "one")
    Traceback (most recent call last):
    speechgmm.errors.DataError: one: frames of 3 dimensions; expected 2, as the other recordings have
    """
    if not len(frames):
        raise DataError(f"{name}: no frames; expected one at least")
    if frames.shape[1] != spec.n_dims:
        raise DataError(
            f"{name}: frames of {frames.shape[1]} dimensions; expected {spec.n_dims}, as the other recordings have"
        )
    finite = np.isfinite(frames)
    if not finite.all():
        frame, dimension = (int(number) for number in np.argwhere(~finite)[0])
        raise DataError(
            f"{name}: {np.count_nonzero(~finite.all(axis=1))} of its {len(frames)} frames are not finite; the first is "
            f"frame {frame}, dimension {dimension} ({frames[frame, dimension]}): compute these frames again"
        )
    return with_dynamics(spec, frames, given_plan(spec).delta_method)


def given_plan(spec: FeatureSpec) -> FrontEnd:
    """When frames lie, of a spec of kind ``given``: the first is centred on half of ``frame_length``."""
    none = np.empty((0, 0))
    return FrontEnd(
        spec=spec,
        sample_rate=CLOCK,
        frame_length=max(1, round(value_or(spec.frame_length, FRAME_LENGTH) * CLOCK / 1000)),
        frame_shift=max(1, round(value_or(spec.frame_shift, FRAME_SHIFT) * CLOCK / 1000)),
        n_fft=0,
        first_start=0,
        edges="snip",
        remove_mean=False,
        preemphasis=0.0,
        across_frames=False,
        window=none.ravel(),
        spectrum="power",
        filterbank=none.astype(np.float32),
        floor=0.0,
        log_factor=1.0,
        cepstral=none,
        energy_floor=0.0,
        use_energy=False,
        c0_last=False,
        delta_method=spec.delta_method or "kaldi",
        low_frequency=0.0,
        high_frequency=CLOCK / 2,
    )


def _not_computed(*_: object) -> Statics:
    raise ConfigError(
        "features.kind: given, and frames are asked for of samples; give the frames that the other program computes of "
        "them, or train a model with features.kind: mfcc"
    )


def _n_dims(front: FrontEnd) -> int:
    if front.spec.n_dims is None:
        raise ConfigError("features.n_dims: it is not known how many dimensions the given frames have; set it")
    return front.spec.n_dims


KIND = FeatureKind(
    compute=_not_computed,
    n_static=_n_dims,
    reads=(
        *("n_dims", "frame_length", "frame_shift", "deltas", "delta_method", "delta_window", "cmvn", "norm_vars"),
        *("cmvn_window", "cmvn_causal", "cmvn_min_window", "transform"),
    ),
    clock=CLOCK,
    plan=given_plan,
)
