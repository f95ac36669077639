"""What workers of a cluster must have in common with this machine: versions, and storage that all of them see.

Knows nothing of dask: ``cluster.py`` runs these functions on the workers.
"""

import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from typing import Any

from speechgmm import __version__
from speechgmm.errors import ConfigError, DataError
from speechgmm.io.atomic import write_text
from speechgmm.parallel import loaded_blas

OnAll = Callable[..., Mapping[str, Any]]
"""Runs a function with arguments on every worker: address -> result, or the exception that it ended with."""


def check_versions(here: Mapping[str, str], there: Mapping[str, Any]) -> list[str]:
    """How the versions of workers differ from ours, in sentences; ``here`` and ``there`` by ``about_here``.

    Raises:
        ConfigError: A worker that cannot run this package, or has another version of it.
    """
    for worker, found in there.items():
        if isinstance(found, Exception):
            raise ConfigError(
                f"worker {worker} cannot run this package ({type(found).__name__}: {found}); install speechgmm "
                f"{here['speechgmm']} in the environment that `dask worker` runs in"
            )
        if found["speechgmm"] != here["speechgmm"]:
            raise ConfigError(
                f"worker {worker} has speechgmm {found['speechgmm']}, and this is {here['speechgmm']}: they would "
                "train other models; install the same one there, and start the worker again"
            )
    names = [name for name in here if any(found[name] != here[name] for found in there.values())]
    if not names:
        return []
    differences = ", ".join(
        f"{name} {'/'.join(sorted({found[name] for found in there.values()}))} there and {here[name]} here"
        for name in names
    )
    return [f"workers differ from this machine ({differences}): models may differ from others in their last digits"]


def check_storage(on_all: OnAll, folder: Path, recordings: Sequence[Path]) -> None:
    """Refuse workers that do not share the cache ``folder`` with us, or cannot read the recordings.

    Raises:
        DataError: As said, or the cache may not be written here.
    """
    token = folder / f".seen-{secrets.token_hex(8)}"
    write_text(token, token.name)
    try:
        blind = [worker for worker, seen in on_all(_sees_token, str(token)).items() if seen is not True]
    finally:
        token.unlink()
    if blind:
        raise DataError(
            f"worker {blind[0]} cannot read and write {folder}, the cache that all workers share; set `cache` to a "
            "folder on storage that every machine mounts under the same path"
        )
    sizes = {str(path): path.stat().st_size for path in recordings if path.exists()}
    for worker, missing in on_all(_missing, sizes).items():
        if missing:
            raise DataError(
                f"worker {worker} cannot read {missing}; recordings must lie on storage that every machine mounts "
                "under the same path (corpus.root)"
            )


@cache
def about_here() -> dict[str, str]:
    """Versions that decide the bytes of a model, in this process.

    >>> about_here()["speechgmm"].startswith(__version__)
    True
    """
    import platform

    import scipy.linalg.blas  # noqa: F401

    sources = blake2b(digest_size=4)
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        sources.update(path.read_bytes())
    return {
        "speechgmm": f"{__version__} (sources {sources.hexdigest()})",
        "Python": platform.python_version(),
        **{name: version(name) for name in ("numpy", "scipy", "numba")},
        "BLAS": ", ".join(dict.fromkeys(loaded_blas())),
    }


def _sees_token(path: str) -> bool:
    try:
        return Path(path).read_text() == Path(path).name and os.access(Path(path).parent, os.W_OK)
    except OSError:
        return False


def _missing(sizes: Mapping[str, int]) -> str:
    """The first of these files that is not here, or not as large."""
    for name, size in sizes.items():
        try:
            if Path(name).stat().st_size == size:
                continue
        except OSError:
            pass
        return name
    return ""
