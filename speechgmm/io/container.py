"""The container of all model files: tensors and one canonical JSON string, in one safetensors file.

Owns what every kind of model file shares: how it is packed, read and refused. What a kind holds is its task's
(``tasks/*/codec.py``). Without times, paths and worker counts: the same training gives the same bytes.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import DataError, ModelFileError, SpeechGMMError
from speechgmm.gmm import AnyGMM, DiagGMM, FullGMM
from speechgmm.io.header import checked, short, strict_json
from speechgmm.io.model_kinds import ModelKind, kind_of_header, model_kind
from speechgmm.io.run_files import RunFile
from speechgmm.io.text_file import check_regular

FORMAT_VERSION: Final = 1
WITH_POSTERIORS: Final = 2
"""The format of a file with posteriors: versions that read up to 1 would score by plug-in mixtures and say nothing."""

WITH_COVARIANCES: Final = 3
"""The format of a file of mixtures with full or tied covariances, or of normal vectors, which versions that read up to
2 do not know."""

KEY: Final = "speechgmm"


def kind_of(path: Path) -> ModelKind:
    """What a model file holds, by its header alone; a file that cannot be read is its reader's to refuse, and counts as
    the kind without a key of its own.
    """
    from safetensors import SafetensorError, safe_open

    try:
        check_regular(path)
        with safe_open(str(path), framework="numpy") as file:
            return kind_of_header(strict_json((file.metadata() or {}).get(KEY, "{}")))
    except (SafetensorError, OSError, ValueError, TypeError, DataError):
        return kind_of_header({})


@contextmanager
def whole(path: Path) -> Iterator[None]:
    """Within it, a part that is missing or out of shape is a ModelFileError that names the file."""
    try:
        yield
    except KeyError as error:
        raise ModelFileError(f"{path}: a model file without its part {error}; train it again") from None
    except (TypeError, ValueError, IndexError, ArithmeticError, SpeechGMMError) as error:
        raise ModelFileError(f"{path}: a damaged model file ({error}); train it again") from None


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


def read_tensors(path: Path, data: bytes | None = None) -> tuple[dict[str, NDArray[np.float64]], dict[str, Any]]:
    """The tensors and the header of one of our files. Raises ModelFileError where it is not.

    ``data`` are its bytes, where they are not the whole file; ``path`` is for messages then.
    """
    from safetensors import SafetensorError, safe_open
    from safetensors.numpy import load

    if path.is_dir():
        raise ModelFileError(f"{path}: a folder; the model of a run is {RunFile.MODELS} in it")
    try:
        if data is not None:
            tensors = load(data)
            n_bytes = int.from_bytes(data[:8], "little")
            metadata = json.loads(data[8 : 8 + n_bytes]).get("__metadata__") or {}
        else:
            check_regular(path)
            with safe_open(str(path), framework="numpy") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except FileNotFoundError:
        raise ModelFileError(
            f"{path}: there is no such model file; `speechgmm run` writes models.safetensors into the folder of a run"
        ) from None
    except DataError as error:
        raise ModelFileError(str(error)) from None
    except (SafetensorError, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        size = path.stat().st_size if path.exists() else 0
        raise ModelFileError(
            f"{path}: not a whole model file ({size} bytes; {error}): truncated while it was copied, "
            "or another kind of file"
        ) from None
    if KEY not in metadata:
        raise ModelFileError(f"{path}: a safetensors file, but not one of speechgmm's (no {KEY!r} in its header)")
    try:
        header = checked(dict[str, Any], strict_json(metadata[KEY]))
        newer = checked(int, header.get("format"), "format") > WITH_COVARIANCES
    except ValueError as error:
        raise ModelFileError(f"{path}: the header of this model file is damaged ({error}); train it again") from None
    if newer:
        raise ModelFileError(
            f"{path}: model format {header['format']}; this version reads up to {WITH_COVARIANCES}: upgrade speechgmm"
        )
    for name, array in tensors.items():
        if array.dtype.kind == "f" and np.isnan(array).any():
            raise ModelFileError(f"{path}: the tensor {name!r} holds NaN; train the model again")
    return tensors, header


def tensor(tensors: Mapping[str, NDArray[Any]], name: str, *shape: int | None, finite: bool = True) -> NDArray[Any]:
    """A tensor of real numbers, of this shape (None: any length).

    Raises:
        KeyError: There is none of this name.
        ValueError: It has another shape or type, or a value that is infinite where ``finite``.
    """
    array = tensors[name]
    if array.dtype not in (np.float64, np.float32):
        raise ValueError(f"the tensor {name!r} is of {array.dtype}; expected float64")
    if array.ndim != len(shape) or any(n not in (None, m) for n, m in zip(shape, array.shape, strict=True)):
        expected = ", ".join("any" if n is None else str(n) for n in shape)
        raise ValueError(f"the tensor {name!r} has the shape {array.shape}; expected ({expected})")
    if finite and not np.isfinite(array).all():
        raise ValueError(f"the tensor {name!r} holds a value that is infinite")
    return array


def stack(prefix: str, models: Sequence[AnyGMM]) -> dict[str, NDArray[np.float64]]:
    """Mixtures as arrays, one after another; of a tied one its covariance comes once."""
    spread = "covariances" if any(isinstance(model, FullGMM) for model in models) else "variances"
    names = ("weights", "means", spread)
    return {f"{prefix}{name}": np.concatenate([getattr(model, name) for model in models]) for name in names}


def format_of(models: Sequence[AnyGMM], least: int = FORMAT_VERSION) -> int:
    """The format of a file with these mixtures, ``least`` or a newer one."""
    return WITH_COVARIANCES if any(isinstance(model, FullGMM) for model in models) else least


def unstack_all(
    prefix: str, tensors: dict[str, NDArray[np.float64]], sizes: Sequence[int], n_dims: int | None = None
) -> tuple[AnyGMM, ...]:
    """The inverse of ``stack`` for mixtures of either form; see ``unstack``."""
    if f"{prefix}covariances" not in tensors:
        return unstack(prefix, tensors, sizes, n_dims)
    weights, means = _parts_of(prefix, tensors, sizes, n_dims)
    covariances = tensor(tensors, f"{prefix}covariances", None, means.shape[1], means.shape[1])
    counts = [1 if len(covariances) < sum(sizes) else size for size in sizes]  # tied, or each component's own
    if len(covariances) != sum(counts):
        raise ValueError(f"{len(covariances)} covariances; expected {sum(sizes)}, or one for each of {len(sizes)}")
    parts = [np.split(array, np.cumsum(sizes)[:-1]) for array in (weights, means)]
    own = np.split(covariances, np.cumsum(counts)[:-1])
    return tuple(FullGMM(*values) for values in zip(*parts, own, strict=True))


def unstack(
    prefix: str, tensors: dict[str, NDArray[np.float64]], sizes: Sequence[int], n_dims: int | None = None
) -> tuple[DiagGMM, ...]:
    """The inverse of ``stack`` for diagonal mixtures; ``sizes`` are their numbers of components, ``n_dims`` the
    dimensions of their frames.
    """
    weights, means = _parts_of(prefix, tensors, sizes, n_dims)
    variances = tensor(tensors, f"{prefix}variances", *means.shape)
    parts = [np.split(array, np.cumsum(sizes)[:-1]) for array in (weights, means, variances)]
    return tuple(DiagGMM(*values) for values in zip(*parts, strict=True))


def _parts_of(
    prefix: str, tensors: dict[str, NDArray[np.float64]], sizes: Sequence[int], n_dims: int | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if not sizes or min(sizes) < 1:
        raise ValueError(f"mixtures of {short(list(sizes))} components; expected at least one, of at least one each")
    total = sum(sizes)
    return tensor(tensors, f"{prefix}weights", total), tensor(tensors, f"{prefix}means", total, n_dims)
