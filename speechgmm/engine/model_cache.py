"""The one cache of trained models: under a hash of all that decides a model, behind a checksum.

    CACHE/models/KEY.model     a line with a checksum, then the bytes of the model, or of another result of training

Mixtures (of classes, backgrounds, cohorts, normal recordings), segment models, units of recognisers and temperatures
are kept alike. A key holds every setting of the specs that training reads; what cannot change the result is named, so
that a setting that is forgotten trains a model once more and never brings back another's.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from speechgmm.corpus.listing import listed
from speechgmm.engine.frames import Piece
from speechgmm.engine.job import Job
from speechgmm.errors import ModelFileError, SpeechGMMError
from speechgmm.features import Normalisation
from speechgmm.features.transforms import LinearTransform
from speechgmm.io.atomic import write_atomically
from speechgmm.io.checksums import sealed, unsealed
from speechgmm.io.feature_store import FeatureStore, canonical, digest
from speechgmm.logger import LOGGER

Model = TypeVar("Model")
Work = TypeVar("Work")

CACHE_VERSION: Final = 1
"""Part of every key: raised when what is kept is laid out in another way."""

SUFFIX: Final = ".model"

NOT_OF_FRAMES: Final = ("shard", "offset", "n_frames", "with_speech", "group")
"""Fields of a `Piece` that do not change its frames: where they lie, what store and recording say, whose they are."""


def model_key(
    what: str,
    version: int,
    *specs: Any,
    without: Mapping[type, Collection[str]] = MappingProxyType({}),
    data: Sequence[Any] = (),
    arrays: Iterable[NDArray[Any]] = (),
) -> str:
    """A hash of all that decides a model.

    Parameters
    ----------
    what, version
        Which kind of model, and a number that is raised when the same settings begin to give another one.
    *specs
        Frozen dataclasses of settings; each counts with all its fields, and with those of the specs in it.
    without
        By type of spec: fields that cannot change the result, or that ``data`` or ``arrays`` say better.
    data
        Plain values: frames (`frames_key`), labels, seed.
    arrays
        Arrays of numbers that training starts from.

    Raises
    ------
    ValueError
        ``without`` names what is no field of the specs.
    """
    settings = []
    for spec in specs:
        left_out = set(without.get(type(spec), ()))
        if unknown := left_out - {field.name for field in fields(spec)}:
            raise ValueError(f"no settings of {type(spec).__name__}: {', '.join(sorted(unknown))}")
        named = {name: value for name, value in asdict(spec).items() if name not in left_out}
        settings.append([type(spec).__name__, named])
    text = canonical([CACHE_VERSION, what, version, settings, list(data)])
    return digest(text, *(part for array in arrays for part in (str(array.shape), array.tobytes())))


def frames_key(pieces: Iterable[Piece]) -> list[list[Any]]:
    """What decides the frames of pieces, as plain values: a list for each field that does."""
    pieces = list(pieces)
    columns = []
    for name in (field.name for field in fields(Piece) if field.name not in NOT_OF_FRAMES):
        column = [getattr(piece, name) for piece in pieces]
        if not isinstance(next(iter(column), None), str | int):
            known = {id(value): value for value in column}  # many pieces share one store, one normalisation
            spelt = {key: _spelt(value) for key, value in known.items()}
            column = [spelt[id(value)] for value in column]
        columns.append(column)
    return columns


def _spelt(value: Any) -> Any:
    if isinstance(value, FeatureStore):
        return value.folder.name
    if isinstance(value, Normalisation | LinearTransform):
        return digest(*(np.asarray(getattr(value, field.name)).tobytes() for field in fields(value)))
    return value


@dataclass(frozen=True, slots=True)
class ModelCache:
    """The folder of models that are kept."""

    folder: Path

    def path(self, key: str) -> Path:
        """Where a model is kept once it is trained."""
        return self.folder / f"{key}{SUFFIX}"

    def write(self, key: str, data: bytes) -> None:
        """Keep the bytes of a model. Raises DataError where the disk does not take them."""
        # Many small models would wait for the disk; one that a power cut damaged is found by its checksum.
        write_atomically(self.path(key), lambda file: file.write(sealed(data)), synced=False)

    def read(self, key: str, unpack: Callable[[Path, bytes], Model]) -> Model | None:
        """A model, which ``unpack`` makes of its bytes (the path is for its messages); None where it is not kept.

        Raises:
            ModelFileError: It is damaged, or no model: a parameter is NaN, or a variance negative.
        """
        path = self.path(key)
        try:
            return unpack(path, unsealed(path.read_bytes()))
        except FileNotFoundError:
            return None
        except (OSError, KeyError, TypeError, ValueError, SpeechGMMError) as error:
            reason = str(error).removeprefix(f"{path}: ")
            raise ModelFileError(f"{path}: {reason}") from None


def kept_or_trained(
    job: Job,
    keys: Sequence[str],
    work: Sequence[Work],
    unpack: Callable[[Path, bytes], Model],
    train: Callable[[Sequence[Work]], Iterable[Model]],
) -> Iterator[Model]:
    """The models of several tasks, in order: from the cache, and the others by ``train``, all at once.

    A warning names models in the cache that are damaged, which are trained again.
    """
    cache = ModelCache(job.cache / "models")
    kept: dict[str, Model] = {}
    damaged = []
    for key in dict.fromkeys(keys):
        try:
            found = cache.read(key, unpack)
        except ModelFileError as error:
            damaged.append(str(error))
            continue
        if found is not None:
            kept[key] = found
    if damaged:
        job.console.warn(f"damaged in the cache of models, and trained again:\n{listed(damaged)}")
    missing = [task for key, task in zip(keys, work, strict=True) if key not in kept]
    LOGGER.debug("%d of %d models are in the cache", len(keys) - len(missing), len(keys))
    trained = iter(train(missing) if missing else ())
    for key in keys:
        yield kept[key] if key in kept else next(trained)
