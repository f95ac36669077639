"""The container of all model files: tensors and one canonical JSON string, in one safetensors file.

Owns what every kind of model file shares: how it is packed, read and refused. What a kind holds is its task's
(``tasks/*/codec.py``). Without times, paths and worker counts: the same training gives the same bytes.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import ModelFileError, SpeechGMMError
from speechgmm.gmm import DiagGMM
from speechgmm.io.model_kinds import ModelKind, kind_of_header, model_kind
from speechgmm.io.run_files import RunFile

FORMAT_VERSION: Final = 1
WITH_POSTERIORS: Final = 2
"""The format of a file with posteriors: versions that read up to 1 would score by plug-in mixtures and say nothing."""

KEY: Final = "speechgmm"


def kind_of(path: Path) -> ModelKind:
    """What a model file holds, by its header alone; a file that cannot be read is its reader's to refuse, and counts as
    the kind without a key of its own.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="numpy") as file:
            return kind_of_header(json.loads((file.metadata() or {}).get(KEY, "{}")))
    except (SafetensorError, OSError, ValueError, TypeError):
        return kind_of_header({})


@contextmanager
def whole(path: Path) -> Iterator[None]:
    """Within it, a part that is missing or out of shape is a ModelFileError that names the file."""
    try:
        yield
    except (KeyError, TypeError, ValueError, IndexError, SpeechGMMError) as error:
        raise ModelFileError(
            f"{path}: a model file with a part missing or out of shape ({error}); train it again"
        ) from None


def packed(header: dict[str, Any], tensors: Mapping[str, NDArray[Any]]) -> bytes:
    """The bytes of a model file; the same content gives the same bytes."""
    from safetensors.numpy import save

    from speechgmm.io.feature_store import canonical

    arrays = {name: np.ascontiguousarray(value) for name, value in tensors.items()}
    data: bytes = save(arrays, metadata={KEY: canonical(header)})
    return data


def check_kind(path: Path, header: dict[str, Any], wanted: str) -> ModelKind:
    """The kind of a file, which is ``wanted`` or extends it; raises ModelFileError for any other."""
    found = kind_of_header(header)
    if wanted not in (found.name, found.extends):
        expected = model_kind(wanted).holds
        raise ModelFileError(f"{path}: {found.holds}, not {expected}; `speechgmm {found.command}` is for it")
    return found


def read_tensors(path: Path) -> tuple[dict[str, NDArray[np.float64]], dict[str, Any]]:
    """The tensors and the header of one of our files. Raises ModelFileError where it is not."""
    from safetensors import SafetensorError, safe_open

    if path.is_dir():
        raise ModelFileError(f"{path}: a folder; the model of a run is {RunFile.MODELS} in it")
    try:
        with safe_open(str(path), framework="numpy") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except FileNotFoundError:
        raise ModelFileError(f"{path}: there is no such model file") from None
    except (SafetensorError, OSError, ValueError) as error:
        size = path.stat().st_size if path.exists() else 0
        raise ModelFileError(
            f"{path}: not a whole model file ({size} bytes; {error}): truncated while it was copied, "
            "or another kind of file"
        ) from None
    if KEY not in metadata:
        raise ModelFileError(f"{path}: a safetensors file, but not one of speechgmm's (no {KEY!r} in its header)")
    try:
        header: dict[str, Any] = json.loads(metadata[KEY])
        newer = int(header["format"]) > WITH_POSTERIORS
    except (ValueError, KeyError, TypeError) as error:
        raise ModelFileError(f"{path}: the header of this model file is damaged ({error}); train it again") from None
    if newer:
        raise ModelFileError(
            f"{path}: model format {header['format']}; this version reads up to {WITH_POSTERIORS}: upgrade speechgmm"
        )
    return tensors, header


def stack(prefix: str, models: tuple[DiagGMM, ...]) -> dict[str, NDArray[np.float64]]:
    """Mixtures as arrays, one after another."""
    names = ("weights", "means", "variances")
    return {f"{prefix}{name}": np.concatenate([getattr(model, name) for model in models]) for name in names}


def unstack(prefix: str, tensors: dict[str, NDArray[np.float64]], sizes: list[int]) -> tuple[DiagGMM, ...]:
    """The inverse of ``stack``; ``sizes`` are the mixtures' numbers of components."""
    ends = np.cumsum(sizes)
    if len(ends) == 0 or ends[-1] != len(tensors[f"{prefix}weights"]):
        raise ValueError(f"{len(tensors[f'{prefix}weights'])} components for n_components {sizes}")
    parts = [np.split(tensors[f"{prefix}{name}"], ends[:-1]) for name in ("weights", "means", "variances")]
    return tuple(DiagGMM(*values) for values in zip(*parts, strict=True))
