"""What a file or folder holds, for a person; and the cache."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from speechgmm.config import cache_folder
from speechgmm.errors import ConfigError
from speechgmm.features import front_end
from speechgmm.gmm.component_count import DEFAULT_COMPONENTS, FRAMES_PER_COMPONENT
from speechgmm.gmm.selection import NAMES
from speechgmm.hmm import Bigram, Network
from speechgmm.io.container import kind_of
from speechgmm.io.feature_store import FeatureStore
from speechgmm.report.text import aligned, duration
from speechgmm.tasks.anomaly.codec import AnomalyFile, read_anomaly_file
from speechgmm.tasks.classification.codec import ModelFile
from speechgmm.tasks.recognition.codec import RecogniserFile, read_recogniser
from speechgmm.tasks.segments.codec import SegmentFile, read_any_model
from speechgmm.tasks.verification.score_maps import Affine
from speechgmm.tasks.verification.text import stakes

CLASSES_SHOWN = 30


def inspect(path: Path) -> str:
    """Describe a model file, a run's folder or a folder of features.

    Raises:
        ConfigError: It is none of these.
        ModelFileError: A model that cannot be read.
    """
    if path.is_dir() and (path / "spec.json").exists():
        return "\n".join(_features(path))
    if path.is_dir() and (path / "config.yaml").exists():
        return "\n".join(_run(path))
    if path.is_file() and path.suffix == ".npy":
        return _shard(path)
    if path.is_file() and path.suffix != ".safetensors":
        raise ConfigError(f"{path}: inspect describes a model file, a run's folder or features; this is a file to read")
    if path.is_dir():
        raise ConfigError(f"{path}: neither a run's folder (config.yaml) nor a folder of features (spec.json)")
    return "\n".join(_described(path))


def _described(path: Path) -> Iterator[str]:
    """A model file of any kind."""
    kind = kind_of(path)
    if kind == "recogniser":
        yield from _recogniser(path, read_recogniser(path))
    elif kind == "anomaly":
        yield from _anomaly(path, read_anomaly_file(path))
    elif kind == "diarizer":
        yield from _diarizer(path)
    else:
        yield from _model(path, read_any_model(path))


def _anomaly(path: Path, file: AnomalyFile) -> Iterator[str]:
    spec = file.spec
    about = file.label if spec.models == "label" else "all in one"
    yield f"{path}: what is normal of {len(file.models)} classes ({about})"
    for number, (stream, audio) in enumerate(zip(spec.streams, file.audio, strict=True)):
        plan = front_end(audio.features, audio.sample_rate)
        mixture = next(iter(file.models.values())).mixtures[number]
        how = {
            "mean": "mean",
            "top": f"worst {100 * stream.share:g} % of frames",
            "window": f"worst {stream.window:g} s",
        }
        yield (
            f"stream {stream.name}: {1000 * plan.frame_length / plan.sample_rate:g} ms windows every "
            f"{1000 * plan.frame_shift / plan.sample_rate:g} ms at {audio.sample_rate} Hz, {mixture.n_components} "
            f"components of {mixture.n_features} features; {how[stream.pool]}, {', '.join(stream.sides)}"
            f"{', less the median frame' if stream.relative else ''}"
        )
    rows: list[tuple[str, ...]] = [("class", "normal recordings", "threshold", "95 % interval", "false alarms (95 %)")]
    for label, model in list(file.models.items())[:CLASSES_SHOWN]:
        one = model.reference.threshold
        ends = ("–" if end is None else f"{end:.3f}" for end in (one.low, one.high))
        rates = f"{100 * one.rate_low:.1f} to {100 * one.rate_high:.1f} %"
        rows.append((label, str(one.n), f"{one.value:.3f}", " to ".join(ends), rates))
    yield ""
    yield from aligned(rows)
    if len(file.models) > CLASSES_SHOWN:
        yield f"  ... and {len(file.models) - CLASSES_SHOWN} more"


def _diarizer(path: Path) -> Iterator[str]:
    from speechgmm.tasks.diarization.codec import read_diarizer

    file = read_diarizer(path)
    found, learnt = file.diarizer, file.learnt
    yield f"{path}: a diarizer, for recordings at {file.audio.sample_rate} Hz"
    yield f"background model of {found.ubm.n_components} Gaussians of {found.ubm.n_features} features"
    yield f"from {learnt.n_background} speakers, who differ in {len(found.space.between)} directions"
    yield f"merging stops at {found.threshold:.2f} nats, learnt from {learnt.n_conversations} conversations"


def _recogniser(path: Path, file: RecogniserFile) -> Iterator[str]:
    found = file.recogniser
    units, models = found.units, found.units.emissions
    n_components, n_dims = sum(model.n_components for model in models), models[0].n_features
    yield f"{path}: a recogniser of {len(units.labels)} units ({file.label}): {', '.join(units.labels[:CLASSES_SHOWN])}"
    yield f"{units.n_states} states, {n_components} Gaussians of {n_dims} features"
    yield f"{len(found.lexicon)} words; {_language(found.language)}"
    if found.silence is not None:
        yield f"{found.silence!r} may stand between words, with probability {found.silence_probability:g}"


def _language(language: Bigram | Network) -> str:
    if isinstance(language, Bigram):
        return f"a bigram over {len(language.labels)} of them"
    return f"a network of {language.n_states} states and {len(language.arcs)} arcs over {len(language.words)} of them"


def _model(path: Path, file: ModelFile | SegmentFile) -> Iterator[str]:
    if isinstance(file, SegmentFile):
        labels = file.models.labels
        yield f"{path}: segment models of {len(labels)} classes ({file.label}): {', '.join(labels)}"
        for stream, weight in zip(file.models.streams, file.models.weights, strict=True):
            yield f"  {type(stream).__name__}, weight {weight:.3f}"
        return
    models = file.models
    sizes = [len(model.weights) for model in models.models]
    n_dims = models.models[0].means.shape[1]
    spread = str(sizes[0]) if len(set(sizes)) == 1 else f"{min(sizes)} to {max(sizes)}"
    yield f"{path}: {len(models.labels)} classes ({file.label}), {spread} components each, {n_dims} features"
    yield f"parameters: {sum(sizes) * (2 * n_dims + 1)} numbers, {path.stat().st_size / 1e6:.2f} MB"
    adapted_or_bayesian = models.ubm is not None or models.bayesian is not None
    if file.recipe is not None and file.recipe.spec.n_components == "auto":
        yield f"how many components: chosen for each class by {NAMES[file.recipe.spec.choose.criterion]}"
    elif file.recipe is not None and file.recipe.spec.n_components is None and not adapted_or_bayesian:
        yield f"how many components: {DEFAULT_COMPONENTS}, or one for each {FRAMES_PER_COMPONENT} frames of a class"
    if models.bayesian is not None:
        kind = "Dirichlet" if models.bayesian[0].process is None else "Dirichlet process"
        yield f"posteriors over mixtures (variational Bayes, {kind}): scored by their predictive density"
    if models.ubm is not None:
        yield f"adapted from a background model of {len(models.ubm.weights)} components"
    if models.top_components is not None:
        yield f"scored by its {models.top_components} best components of each frame"
    if models.method == "linear":
        yield "claims are scored to first order in the means (linear)"
    if models.cohort is not None and models.cohort.norm is not None:
        norm = models.cohort.norm.kind
        yield f"claims are normalised ({norm}) by a cohort; {len(models.cohort.labels)} models of it are here"
    yield (
        "posteriors: none (no temperature was fitted)"
        if models.temperature is None
        else f"posteriors: total log-likelihoods times {models.temperature:.4g}, fitted by cross-validation"
    )
    if file.calibration is not None:
        found = file.calibration
        kind = "affine" if isinstance(found.map, Affine) else "PAV"
        kind += " in the score and the cohort's mean score" if found.quality == "cohort" else ""
        yield (
            f"scores of claims: calibrated ({kind}, by {found.by}, {found.n_targets} targets and {found.n_nontargets} "
            f"nontargets); accepted from {found.threshold:.3f} nats on: {stakes(found.decision)}"
        )
    if file.audio is not None:
        plan = front_end(file.audio.features, file.audio.sample_rate)
        about = ", ".join(f"{key} {value}" for key, value in plan.describe().items())
        other = "other rates are resampled" if file.audio.resample else "other rates are refused"
        yield f"input: {file.audio.sample_rate} Hz ({other}), channel {file.audio.channel}"
        yield f"features: {about}"
    known = models.bayesian
    in_use: tuple[str, ...] = () if known is None else ("in use", "frames seen")
    rows: list[tuple[str, ...]] = [("class", "components", *in_use, "effective", "heaviest weight", "prior")]
    each = zip(models.labels, models.models, models.log_priors, known or [None] * len(models.labels), strict=True)
    for label, model, prior, posterior in list(each)[:CLASSES_SHOWN]:
        used = () if posterior is None else (str(posterior.n_in_use), f"{posterior.counts.sum():.0f}")
        weights = model.weights[model.weights > 0]
        effective = float(np.exp(-(weights * np.log(weights)).sum()))
        rows.append(
            (
                label,
                str(len(model.weights)),
                *used,
                f"{effective:.1f}",
                f"{weights.max():.3f}",
                f"{np.exp(prior):.3f}",
            )
        )
    yield ""
    yield from aligned(rows)
    if len(models.labels) > CLASSES_SHOWN:
        yield f"  ... and {len(models.labels) - CLASSES_SHOWN} more"


def _run(path: Path) -> Iterator[str]:
    environment = json.loads((path / "environment.json").read_text()) if (path / "environment.json").exists() else {}
    yield f"{path}: run of {environment.get('config', '?')}, configuration {environment.get('config_hash', '?')}"
    if environment:
        yield "with " + ", ".join(f"{name} {version}" for name, version in environment["packages"].items())
    if (path / "metrics.json").exists():
        metrics = json.loads((path / "metrics.json").read_text())
        for name, metric in metrics.items():
            if isinstance(metric, dict) and "value" in metric:
                interval = f"  (95 %: {metric['low']:.4f} to {metric['high']:.4f})" if "low" in metric else ""
                yield f"{name}: {metric['value']:.4f}, n = {metric['n']}{interval}"
        yield "seconds: " + ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in metrics["seconds"].items())
    else:
        yield "not finished: there is no metrics.json yet"
    if (path / "models.safetensors").exists():
        yield ""
        yield from _described(path / "models.safetensors")
    if (path / "classes.tsv").exists():
        yield from _choices(path / "classes.tsv")


def _choices(path: Path) -> Iterator[str]:
    """Why each class has as many components, where that was chosen."""
    head, *rows = (line.split("\t") for line in path.read_text(encoding="utf-8").split("\n") if line)
    if "why" not in head:
        return
    yield ""
    found = [dict(zip(head, row, strict=True)) for row in rows]
    yield from aligned(
        [
            ("class", "components", "why"),
            *((row["class"], row["n_components"], row["why"]) for row in found[:CLASSES_SHOWN]),
        ]
    )


def _features(path: Path) -> Iterator[str]:
    entries = FeatureStore(path).entries()
    total = sum(entry.duration for entry in entries)
    yield f"{path}: features of {len(entries)} recordings, {duration(total)}, {sum(e.n_frames for e in entries)} frames"
    about = json.loads((path / "spec.json").read_text())
    yield f"made from {about['sample_rate']} Hz, channel {about['channel']}"
    yield ", ".join(f"{key} {value}" for key, value in about["features"].items())


def _shard(path: Path) -> str:
    rows = np.load(path, mmap_mode="r", allow_pickle=False)
    block = np.asarray(rows[:100_000], np.float64)
    lines = [f"{path}: {rows.shape[0]} rows of {rows.shape[1]} columns, {rows.dtype}"]
    table: list[tuple[str, ...]] = [("column", "mean", "deviation", "least", "greatest")]
    for n, column in enumerate(block.T):
        table.append((str(n), *(f"{value:.3f}" for value in (column.mean(), column.std(), column.min(), column.max()))))
    return "\n".join((*lines, *aligned(table)))


def describe_cache(folder: Path | None) -> str:
    """What the cache holds and how large it is."""
    cache = cache_folder(folder.absolute() if folder else None)
    lines = [f"cache: {cache}"]
    for spec in sorted((cache / "features").glob("*/spec.json")):
        store = spec.parent
        entries = FeatureStore(store).entries()
        about = json.loads(spec.read_text())
        lines.append(
            f"  features/{store.name}: {len(entries)} recordings, {_size(store)}, "
            f"{about['features'].get('preset', '?')} at {about['sample_rate']} Hz"
        )
    models = cache / "models"
    lines.append(f"  models: {len(list(models.glob('*.safetensors')))} mixtures, {_size(models)}")
    total = sum(path.stat().st_size for path in _cached(cache)) / 1e6
    lines.append(f"  in all {total:.1f} MB; `speechgmm cache --clear` removes it")
    return "\n".join(lines)


def clear_cache(folder: Path | None) -> str:
    """Remove the cached features and class models, and nothing else that may lie in the folder."""
    cache = cache_folder(folder.absolute() if folder else None)
    freed = 0
    for path in _cached(cache):
        freed += path.stat().st_size
        path.unlink(missing_ok=True)
    for part in (*(cache / "features").glob("*"), cache / "features", cache / "models", cache):
        if part.is_dir() and not any(part.iterdir()):
            part.rmdir()
    return f"removed {freed / 1e6:.1f} MB of features and models from {cache}"


def _cached(cache: Path) -> list[Path]:
    """Files that the cache has written, by their names."""
    stores = [spec.parent for spec in (cache / "features").glob("*/spec.json") if _is_hex(spec.parent.name, 16)]
    found = [
        path
        for store in stores
        for path in store.iterdir()
        if path.name == "spec.json" or (path.suffix in (".npy", ".json") and _is_hex(path.stem, 20))
    ]
    models = [path for path in (cache / "models").glob("*") if path.suffix in (".safetensors", ".json")]
    found += [path for path in models if _is_hex(path.stem, 32)]
    return found + [path for where in (*stores, cache / "models") for path in where.glob(".*.tmp")]


def _is_hex(name: str, length: int) -> bool:
    return len(name) == length and set(name) <= set("0123456789abcdef")


def _size(folder: Path) -> str:
    return f"{sum(path.stat().st_size for path in folder.rglob('*') if path.is_file()) / 1e6:.1f} MB"
