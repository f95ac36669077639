"""Shifted delta cepstra N-d-P-k (Torres-Carrasquillo et al. 2002): what cepstra do over the next fifth of a second.

Frame t holds c(t + iP + d) - c(t + iP - d) for i = 0 ... k - 1, where c are N cepstra of any kind.
"""

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from speechgmm.features.front_end import FrontEnd, front_end
from speechgmm.features.kinds import FeatureKind, Statics, feature_kind
from speechgmm.features.spec import FeatureSpec

Float32Array = NDArray[np.float32]


def shifted_deltas(front: FrontEnd, samples: Iterable[Float32Array]) -> Statics:
    """Shifted deltas of the cepstra of every frame, behind the cepstra themselves with ``sdc_statics``.

    >>> from speechgmm.features import FeatureSpec
    >>> shifted_deltas(front_end(FeatureSpec(kind="sdc", n_ceps=7), 8000), [np.ones(8000, np.float32)]).frames.shape
    (98, 56)
    """
    spec, of_cepstra = front.spec, _of_cepstra(front)
    cepstra, log_energy, kept = feature_kind(of_cepstra.spec).compute(of_cepstra, samples)
    frames = stacked_deltas(cepstra, spec.sdc_spread, spec.sdc_shift, spec.sdc_blocks)
    if spec.sdc_statics:
        frames = np.concatenate([cepstra, frames], axis=1)
    return Statics(frames, log_energy, kept)


def stacked_deltas(cepstra: Float32Array, spread: int, shift: int, n_blocks: int) -> Float32Array:
    """Shifted deltas of cepstra (T, N): (T, N * n_blocks), the block nearest in time first; edges are replicated.

    >>> stacked_deltas(np.arange(6, dtype=np.float32)[:, None] ** 2, spread=1, shift=2, n_blocks=2).tolist()
    [[1.0, 8.0], [4.0, 12.0], [8.0, 16.0], [12.0, 9.0], [16.0, 0.0], [9.0, 0.0]]
    """
    n_frames = len(cepstra)
    after = spread + (n_blocks - 1) * shift
    padded = np.concatenate([cepstra[:1].repeat(spread, axis=0), cepstra, cepstra[-1:].repeat(after, axis=0)])
    steps = padded[2 * spread :] - padded[: -2 * spread]
    return np.concatenate([steps[n * shift : n * shift + n_frames] for n in range(n_blocks)], axis=1)


def _of_cepstra(front: FrontEnd) -> FrontEnd:
    """The front end of the cepstra."""
    return front_end(_spec_of_cepstra(front.spec), front.sample_rate)


@lru_cache(maxsize=64)
def _spec_of_cepstra(spec: FeatureSpec) -> FeatureSpec:
    plain = FeatureSpec()
    own = {name: getattr(plain, name) for name in ("sdc_of", "sdc_spread", "sdc_shift", "sdc_blocks", "sdc_statics")}
    return replace(spec, kind=spec.sdc_of, **own)


def _n_static(front: FrontEnd) -> int:
    spec, of_cepstra = front.spec, _of_cepstra(front)
    n_cepstra = feature_kind(of_cepstra.spec).n_static(of_cepstra)
    return n_cepstra * (spec.sdc_blocks + spec.sdc_statics)


KIND = FeatureKind(
    compute=shifted_deltas,
    n_static=_n_static,
    reach=lambda spec: spec.sdc_spread + (spec.sdc_blocks - 1) * spec.sdc_shift,
    check=_spec_of_cepstra,
)
