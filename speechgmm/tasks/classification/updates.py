"""Updating: more recordings of a class in a model that is in use."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from speechgmm.engine.audio_input import AudioInput
from speechgmm.engine.raw_recordings import key_of
from speechgmm.engine.recipe import ClassRecipe, recording_number
from speechgmm.errors import ConfigError, DataError, FitError, first_few
from speechgmm.features import front_end
from speechgmm.gmm import update
from speechgmm.gmm.full_model import only_diagonal
from speechgmm.tasks.classification.codec import ModelFile
from speechgmm.tasks.classification.enrolment import check_recordings, speech_as_trained

LISTED = 5
"""Recordings that an error names."""

PASSES = 5
"""Over the new frames, of a class that was trained from nothing; more move it less than another recording does."""


@dataclass(frozen=True, slots=True)
class Updated:
    """What a class was updated by."""

    n_frames: int  # new
    n_before: float  # frames that it had seen
    n_components: int
    stale: tuple[str, ...]  # what was fitted to the models as they were, in words
    knows_recordings: bool = True  # whether the model says which recordings the class had counted


def update_class(
    file: ModelFile, label: str, paths: Sequence[Path], *, worth: float | None = None, keep: float = 1.0
) -> tuple[ModelFile, Updated]:
    """A model with one class updated by more recordings of it, which count as much as those it was trained on.

    A class that was adapted is adapted again from the same background model, by its old frames and the new. Of others,
    the old frames keep the components they were given. The recordings go through what the training's went through, and
    altered copies are made as the others had.

    Args:
        file: The model.
        label: The class.
        paths: Recordings of it that it has not seen. With ``cmvn: speaker`` they are one speaker's.
        worth: Seconds of speech that the class was trained on, where the model does not say it.
        keep: Weight of the earlier data of the class, from 0 (forget) to 1 (keep in full).

    Raises:
        ConfigError: No such class; the file does not say how its classes were trained, or what they have seen; or it
            says so and ``worth`` does as well; or it lacks the frames of the cohort that its scores are
            normalised by.
        DataError: Recordings that cannot be used (all are listed), or that the class has counted already.
        FitError: As `speechgmm.gmm.update`.
    """
    models, audio, recipe = file.models, file.audio, file.recipe
    if label not in models.labels:
        message = f"label {label}: no such class; the model has {first_few(models.labels, 10)} (enrol adds one)"
        raise ConfigError(message, arguments=("label",))
    if audio is None or recipe is None:
        raise ConfigError("the model does not say how its classes were trained; train it again to update it")
    if models.bayesian is not None:
        raise ConfigError(
            "the model has posteriors over mixtures (model.estimator: variational), which are updated by a training "
            "on the new recordings with the model as model.prior_from"
        )
    check_recordings(models, recipe, label, "train again, with a smaller cohort or scoring.normalise: t")
    if not 0 <= keep <= 1:
        message = f"keep {keep:g}; expected a share of what the class has seen, from 0 to 1"
        raise ConfigError(message, arguments=("keep",))
    number = models.labels.index(label)
    (model,) = only_diagonal([models.models[number]], "an update")
    before = _seen(file, number, worth)
    parts = speech_as_trained(audio, recipe, paths, "updated")
    seen = _with_new(audio, recipe, label, paths, keep)
    frames = np.concatenate(parts)
    spec = recipe.spec
    if not len(frames):  # none is voiced
        report = Updated(0, float(np.sum(before)), model.n_components, (), label in recipe.seen or keep == 0)
        return replace(file, recipe=replace(recipe, seen=seen)), report
    try:
        fit = update(
            model,
            frames,
            before,
            keep=keep,
            ubm=models.ubm,
            relevance=spec.relevance,
            parameters=spec.adapt_parameters,
            weight_relevance=spec.weight_relevance,
            mean_relevance=spec.mean_relevance,
            variance_relevance=spec.variance_relevance,
            max_iter=PASSES if models.ubm is None else max(1, spec.adapt_max_iter),
            tol=spec.tol,
            floor=recipe.floor,
            precision=spec.precision,
        )
    except FitError as error:
        raise FitError(f"class {label!r}: {error}") from None
    counts = tuple(fit.counts if n == number else known for n, known in enumerate(recipe.counts))
    updated = models.with_model(number, fit.model, recipe.recordings, parts[: len(paths)], keep)
    knows = label in recipe.seen or keep == 0
    report = Updated(len(frames), float(np.sum(before)), fit.model.n_components, file.fitted(), knows)
    return replace(file, models=updated, recipe=replace(recipe, counts=counts, seen=seen)), report


def _with_new(
    audio: AudioInput, recipe: ClassRecipe, label: str, paths: Sequence[Path], keep: float
) -> dict[str, frozenset[int]]:
    """The recordings that each class has counted, with new ones of a class; what is forgotten (``keep`` 0) is not.

    Raises:
        DataError: A class has counted some of them already.
    """
    before = recipe.seen.get(label) if keep > 0 else frozenset()
    if before is None:  # an older version trained the class: which recordings it has counted is not known
        return dict(recipe.seen)
    numbers = {path: recording_number(key_of(audio, path)) for path in paths}
    again = [path for path, number in numbers.items() if number in before]
    if again:
        raise DataError(
            f"{len(again)} of {len(paths)} recordings were counted by class {label!r} already, and would count twice: "
            f"{first_few(again, LISTED)}; expected are new recordings: leave these out"
        )
    return {**recipe.seen, label: before | frozenset(numbers.values())}


def _seen(file: ModelFile, number: int, worth: float | None) -> NDArray[np.float64] | float:
    """Frames that spoke for each component of a class, or in all."""
    label = file.models.labels[number]
    if file.recipe is not None and file.recipe.counts:
        if worth is not None:
            total = file.recipe.counts[number].sum()
            raise ConfigError(
                f"worth {worth:g}: the model says itself what {label!r} has seen ({total:.0f} frames); leave it out, "
                "or let these frames count less by keep",
                arguments=("worth", "keep"),
            )
        return file.recipe.counts[number]
    if worth is None or file.audio is None:
        raise ConfigError(
            f"the model does not say how much {label!r} has seen (an older version wrote it); say with worth how "
            "many seconds of speech its training was, or train it again",
            arguments=("worth",),
        )
    if not (np.isfinite(worth) and worth > 0):
        raise ConfigError(f"worth {worth:g}; expected seconds of speech, above 0", arguments=("worth",))
    plan = front_end(file.audio.features, file.audio.sample_rate)
    return worth * file.audio.sample_rate / plan.frame_shift
