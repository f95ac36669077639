"""What a file or folder holds, for a person; and the cache."""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from speechgmm.config import cache_folder
from speechgmm.engine.model_cache import SUFFIX
from speechgmm.engine.model_card_text import card_lines
from speechgmm.engine.run_folder import RunFolder
from speechgmm.errors import ConfigError, DataError, counted
from speechgmm.io.container import kind_of
from speechgmm.io.feature_store import SPEC, FeatureStore
from speechgmm.io.frame_files import FrameSource, frames_shape
from speechgmm.io.locks import clearing_cache
from speechgmm.io.model_card import read_card
from speechgmm.io.run_files import RunFile, is_run
from speechgmm.io.terminal import tell
from speechgmm.report.text import aligned, duration

CLASSES_SHOWN = 30

FRAMES_LOOKED_AT = 100_000
"""Of a file of frames: the first, for means and ranges."""


def inspect(path: Path) -> str:
    """Describe a model file, a run's folder or a folder of features.

    Raises:
        ConfigError: It is none of these.
        DataError: A file of the run, or frames, that cannot be read.
        ModelFileError: A model that cannot be read.
    """
    if path.is_dir() and (path / SPEC).exists():
        return "\n".join(_features(path))
    if is_run(path):
        run = RunFolder(path)
        with run.reading():
            return "\n".join(_run(run))
    if path.is_file() and path.suffix == ".npy":
        return _frames(path)
    if path.is_file() and path.suffix != ".safetensors":
        raise ConfigError(
            f"{path}: a file of another kind; "
            "give a model file (.safetensors), the folder of a run, or a folder of features"
        )
    if path.is_dir():
        raise ConfigError(
            f"{path}: neither a run's folder (config.yaml) nor a folder of features (spec.json); "
            "give one of these, or a model file"
        )
    return "\n".join(_described(path))


def _described(path: Path) -> Iterator[str]:
    """A model file of any kind."""
    yield from kind_of(path).function("description:describe")(path)
    yield ""
    yield from card_lines(read_card(path))


def _run(run: RunFolder) -> Iterator[str]:
    about = run.environment
    yield f"{run.folder}: run of {about.get('config', '?')}, configuration {about.get('config_hash', '?')}"
    if about:
        yield "with " + ", ".join(f"{name} {version}" for name, version in about["packages"].items())
    for name, metric in run.results.items():
        interval = "" if metric.low is None else f"  (95 %: {metric.low:.4f} to {metric.high:.4f})"
        yield f"{name}: {metric.value:.4f}, n = {metric.n}{interval}"
    if run.metrics:
        yield "seconds: " + ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in run.metrics["seconds"].items())
    else:
        yield f"not finished: there is no {RunFile.METRICS} yet"
    if run.has(RunFile.MODELS):
        yield ""
        yield from _described(run.folder / RunFile.MODELS)
    if run.classes and "why" in run.classes[0]:  # why each class has as many components, where that was chosen
        yield ""
        rows = [(row["class"], row["n_components"], row["why"]) for row in run.classes[:CLASSES_SHOWN]]
        yield from aligned([("class", "components", "why"), *rows])


def _features(path: Path) -> Iterator[str]:
    entries = FeatureStore(path).entries()
    total = sum(entry.duration for entry in entries)
    n_frames = sum(entry.n_frames for entry in entries)
    yield f"{path}: features of {counted(len(entries), 'recording')}, {duration(total)}, {n_frames} frames"
    about = _spec(path)
    yield f"made from {_source(about)}"
    yield ", ".join(f"{key} {value}" for key, value in about["features"].items())


def _frames(path: Path) -> str:
    n_frames, n_dims = frames_shape(FrameSource(path))
    rows = np.load(path, mmap_mode="r", allow_pickle=False)
    block = np.asarray(rows[:FRAMES_LOOKED_AT], np.float64).reshape(-1, n_dims)
    table: list[tuple[str, ...]] = [("column", "mean", "standard deviation", "least", "greatest")]
    for n, column in enumerate(block.T):
        table.append((str(n), *(f"{value:.3f}" for value in (column.mean(), column.std(), column.min(), column.max()))))
    return "\n".join((f"{path}: {n_frames} rows of {n_dims} columns, {rows.dtype}", *aligned(table)))


def describe_cache(folder: Path | None) -> str:
    """What the cache holds and how large it is."""
    cache = cache_folder(folder.absolute() if folder else None)
    lines = [f"cache: {cache}"]
    for spec in sorted((cache / "features").glob(f"*/{SPEC}")):
        store = spec.parent
        entries = FeatureStore(store).entries()
        about = _spec(store)
        lines.append(
            f"  features/{store.name}: {len(entries)} recordings, {_size(store)}, "
            f"{about['features'].get('preset', 'frames')}, {_source(about)}"
        )
    models = cache / "models"
    lines.append(f"  models: {len(list(models.glob(f'*{SUFFIX}')))} trained models, {_size(models)}")
    total = sum(path.stat().st_size for path in _cached(cache)) / 1e6
    lines.append(f"  in all {total:.1f} MB; `speechgmm cache --clear` removes it")
    return "\n".join(lines)


def clear_cache(folder: Path | None) -> str:
    """Remove the cached features and models, and nothing else that may lie in the folder; waits for runs that use it.

    Raises:
        DataError: The folder may not be written, or its file system has no locks.
    """
    cache = cache_folder(folder.absolute() if folder else None)
    freed = 0
    if cache.is_dir():
        with clearing_cache(cache, lambda: tell(f"waiting for a run that uses {cache}")):
            for path in _cached(cache):
                freed += path.stat().st_size
                path.unlink(missing_ok=True)
            for part in (*(cache / "features").glob("*"), cache / "features", cache / "models"):
                if part.is_dir() and not any(part.iterdir()):
                    part.rmdir()
        with suppress(OSError):  # other files are in it, or a run begins
            cache.rmdir()
    return f"removed {freed / 1e6:.1f} MB of features and models from {cache}"


def _cached(cache: Path) -> list[Path]:
    """Files that the cache has written, by their names; those of earlier versions too."""
    stores = [spec.parent for spec in (cache / "features").glob(f"*/{SPEC}") if _is_hex(spec.parent.name, 16)]
    found = [
        path
        for store in stores
        for path in store.iterdir()
        if path.name == SPEC or (path.suffix in (".npy", ".json") and _is_hex(path.stem, 20))
    ]
    models = [path for path in (cache / "models").glob("*") if path.suffix in (SUFFIX, ".safetensors", ".json")]
    found += [path for path in models if _is_hex(path.stem, 32)]
    return found + [path for where in (*stores, cache / "models") for path in where.glob(".*.tmp")]


def _spec(store: Path) -> dict[str, Any]:
    """What the features of a store are. Raises DataError where the file that says so is damaged."""
    try:
        about: dict[str, Any] = json.loads((store / SPEC).read_text(encoding="utf-8"))
        if {"features", "sample_rate", "channel"} <= about.keys() and isinstance(about["features"], dict):
            return about
    except (ValueError, AttributeError):
        pass
    raise DataError(f"{store / SPEC}: damaged; a run that uses these features writes it again, or remove the folder")


def _source(about: Mapping[str, Any]) -> str:
    """What features of a store were made from."""
    if "given_dims" in about["features"]:
        return f"frames of {about['features']['given_dims']} dimensions that another program computed"
    return f"{about['sample_rate']} Hz, channel {about['channel']}"


def _is_hex(name: str, length: int) -> bool:
    return len(name) == length and set(name) <= set("0123456789abcdef")


def _size(folder: Path) -> str:
    return f"{sum(path.stat().st_size for path in folder.rglob('*') if path.is_file()) / 1e6:.1f} MB"
