"""The part of a model file that says how its classes were trained: for those that are added or updated."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.engine.recipe import ClassRecipe
from speechgmm.features.augment import CodecName, Copy, NoiseName
from speechgmm.gmm import ModelSpec
from speechgmm.gmm.spec import OF_ADAPTATION, OF_BACKGROUND
from speechgmm.io.container import tensor
from speechgmm.io.header import checked
from speechgmm.io.posterior_part import read_posterior_part
from speechgmm.setting import setting

Tensors = dict[str, NDArray[np.float64]]

SOUND_TENSORS: Final = {"babble": "talker", "recorded": "noise", "room": "response"}
"""Kind of copy -> the name of the tensors of what is heard in it."""


@dataclass(frozen=True, slots=True)
class RecipeHeader:
    """What the header says of a recipe."""

    spec: ModelSpec
    copies: tuple[tuple[Any, ...], ...] = ()
    seed: int = setting(0, "of every random choice", ge=0, le=2**63 - 1)
    n_talkers: int = setting(0, "heard at once in babble", ge=0, le=1000)
    prior: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class CopyHeader:
    """What the header says of an altered copy, with the bounds of ``AugmentSpec`` and ``NoiseSpec``."""

    warp: float = setting(1.0, "factor on the frequency axis", ge=0.5, le=2)
    speed: float = setting(1.0, "times as fast", ge=0.25, le=4)
    noise: NoiseName = "none"
    snr: float | None = setting(None, "of white noise, babble and recorded noise", unit="dB", ge=-30, le=60)
    number: int = setting(0, "of a random channel or a room", ge=0, le=100)
    codec: CodecName | None = None
    band: tuple[float, float] | None = None


def read_recipe(header: dict[str, Any], tensors: Tensors, sizes: Sequence[int], n_dims: int) -> ClassRecipe:
    """How classes of these numbers of components were trained, on frames of so many dimensions.

    Raises:
        KeyError: A part is missing.
        ValueError: A value of the header out of its range, or a tensor that does not fit.
        ConfigError: Settings that cannot hold together.
    """
    values = checked(dict[str, Any], header, "header.recipe")
    spec = checked(dict[str, Any], values.get("spec"), "header.recipe.spec")
    # Settings without effect are in the file with the defaults of the version that wrote it, which may differ today.
    for name in OF_BACKGROUND if spec.get("adapt") == "map" else OF_ADAPTATION:
        spec.pop(name, None)
    said = checked(RecipeHeader, {**values, "spec": spec}, "header.recipe")
    copies = tuple(_copy(values) for values in said.copies)
    floor = tensor(tensors, "floor", n_dims)
    if (floor < 0).any():
        raise ValueError("the tensor 'floor' holds a variance below 0")
    prior = None if said.prior is None else read_posterior_part("prior.", said.prior, tensors)[0]
    if prior is not None and prior.conjugate.means.shape[1] != n_dims:
        raise ValueError(f"a prior of {prior.conjugate.means.shape[1]} dimensions for models of {n_dims}")
    counts: tuple[NDArray[np.float64], ...] = ()
    if "counts" in tensors:
        seen = tensor(tensors, "counts", sum(sizes))
        if (seen < 0).any():
            raise ValueError("the tensor 'counts' holds a number of frames below 0")
        counts = tuple(np.split(seen, np.cumsum(sizes)[:-1]))
    recordings = _recordings(tensors, n_dims)
    sounds = {kind: found for kind, name in SOUND_TENSORS.items() if (found := _sounds(tensors, name))}
    _check_sounds(copies, sounds, said.n_talkers)
    return ClassRecipe(said.spec, floor, said.seed, copies, sounds, said.n_talkers, recordings, prior, counts)


def _copy(values: Sequence[Any]) -> Copy:
    names = ("warp", "speed", "noise", "snr", "number", "codec", "band")
    said = checked(CopyHeader, dict(zip(names, values, strict=False)), "header.recipe.copies")
    needs = {"white": "snr", "babble": "snr", "recorded": "snr", "codec": "codec", "band": "band"}.get(said.noise)
    if needs is not None and getattr(said, needs) is None:
        raise ValueError(f"a copy with {said.noise} and no {needs} in header.recipe.copies")
    return Copy(said.warp, said.speed, said.noise, said.snr, said.number, said.codec, said.band)


def spelt(copy: Copy) -> list[Any]:
    """The values of a copy, as far as they say something."""
    if copy.noise == "none":
        return [copy.warp, copy.speed]
    values = list(astuple(copy))
    return values if copy.codec is not None or copy.band is not None else values[:5]


def sound_tensors(recipe: ClassRecipe) -> dict[str, NDArray[Any]]:
    """What is heard in the copies of a recipe, as 16-bit samples (N,) under the names of their tensors."""
    return {
        f"{SOUND_TENSORS[kind]}.{n}": np.clip(np.rint(samples * 32768), -32768, 32767).astype(np.int16)
        for kind, sounds in recipe.sounds.items()
        for n, samples in enumerate(sounds)
    }


def _sounds(tensors: Tensors, name: str) -> tuple[NDArray[np.float32], ...]:
    names = [f"{name}.{n}" for n in range(sum(one.startswith(f"{name}.") for one in tensors))]
    sounds: list[NDArray[Any]] = [tensors[name] for name in names]
    if any(sound.dtype != np.int16 or sound.ndim != 1 or not len(sound) for sound in sounds):
        raise ValueError(f"a tensor of a {name} that is not int16 samples (N,)")
    return tuple(np.asarray(sound, np.float32) / np.float32(32768) for sound in sounds)


def _check_sounds(copies: Sequence[Copy], sounds: Mapping[str, Sequence[Any]], n_talkers: int) -> None:
    """Refuse copies in which something is to be heard that is not in the file."""
    for kind, name in SOUND_TENSORS.items():
        least = n_talkers if kind == "babble" else 1
        if any(copy.noise == kind for copy in copies) and len(sounds.get(kind, ())) < least:
            raise ValueError(f"copies with {kind}, and {len(sounds.get(kind, ()))} tensors of a {name}")


def _recordings(tensors: Tensors, n_dims: int) -> tuple[NDArray[np.float32], ...]:
    if "recordings" not in tensors:
        return ()
    frames, lengths = tensor(tensors, "recordings", None, n_dims), tensors["recording_lengths"]
    if lengths.dtype != np.int64 or lengths.ndim != 1 or (lengths < 1).any() or lengths.sum() != len(frames):
        raise ValueError(f"lengths of recordings that do not make up their {len(frames)} frames")
    return tuple(np.split(np.asarray(frames, np.float32), np.cumsum(lengths)[:-1]))
