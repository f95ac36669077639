"""What a file of class models holds, for a person."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from speechgmm.errors import counted
from speechgmm.features import front_end
from speechgmm.gmm.component_count import DEFAULT_COMPONENTS, FRAMES_PER_COMPONENT
from speechgmm.gmm.criteria import NAMES
from speechgmm.report.text import aligned
from speechgmm.tasks.classification.codec import ModelFile, read_model_file
from speechgmm.tasks.classification.models import ClassModels

CLASSES_SHOWN = 30


def describe(path: Path) -> Iterator[str]:
    """How the models were made, how they score, and a row for each class."""
    return lines_about(path, read_model_file(path), ())


def lines_about(path: Path, file: ModelFile, more: Iterable[str]) -> Iterator[str]:
    """How the models were made, how they score (and ``more`` of it), and a row for each class."""
    models = file.models
    sizes = [len(model.weights) for model in models.models]
    n_dims = models.models[0].means.shape[1]
    spread = str(sizes[0]) if len(set(sizes)) == 1 else f"{min(sizes)} to {max(sizes)}"
    yield f"{path}: {counted(len(models.labels), 'class')} ({file.label}), {spread} components each, {n_dims} features"
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
    yield (
        "posteriors: none (no temperature was fitted)"
        if models.temperature is None
        else f"posteriors: total log-likelihoods times {models.temperature:.4g}, fitted by cross-validation"
    )
    yield from more
    if file.audio is not None:
        plan = front_end(file.audio.features, file.audio.sample_rate)
        about = ", ".join(f"{key} {value}" for key, value in plan.describe().items())
        yield f"input: {file.audio.describe_source()}"
        yield f"features: {about}"
    yield from _classes(models)


def _classes(models: ClassModels) -> Iterator[str]:
    """A row for each class."""
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
