"""Enrolment: one more class in a model, trained as its others were."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from speechgmm.engine.audio_input import AudioInput
from speechgmm.engine.mixture_fit import fit_class
from speechgmm.engine.noisy_copies import Noising
from speechgmm.engine.raw_recordings import key_of
from speechgmm.engine.recipe import ClassRecipe, recording_number
from speechgmm.engine.recordings import frames_of
from speechgmm.errors import ConfigError, DataError, FitError
from speechgmm.features import moments, normalisation
from speechgmm.features.augment import Copy
from speechgmm.gmm import Choice, Fit
from speechgmm.gmm.component_count import FRAMES_PER_COMPONENT, is_too_few
from speechgmm.parallel import one_blas_thread
from speechgmm.tasks.classification.codec import ModelFile
from speechgmm.tasks.classification.models import ClassModels


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What the new class was made from."""

    n_frames: int
    n_components: int
    warning: str | None = None  # where the frames are few for the components


def enrol(file: ModelFile, label: str, paths: Sequence[Path]) -> tuple[ModelFile, Enrolled]:
    """A model with one more class from recordings: by MAP from its background model, or by EM where it has none.

    With ``cmvn: speaker`` the recordings are one speaker's. The temperature stays as it is; a uniform prior stays
    uniform, another gives the new class the mean of the others' share.

    Raises:
        ConfigError: The class is there already or has the name of what is no class, the file does not say how its
            classes were trained, or it lacks the frames of the cohort that its scores are normalised by.
        DataError: Recordings that cannot be used (all are listed).
        FitError: Too few frames.
    """
    models, audio, recipe = file.models, file.audio, file.recipe
    if audio is None or recipe is None:
        raise ConfigError("the model does not say how its classes were trained; train it again to enrol into it")
    if label in models.labels:
        raise ConfigError(f"label {label}: the model has this class already; choose another name", arguments=("label",))
    if label in file.decisions:
        raise ConfigError(
            f"label {label}: that is what this model says of a recording that is like none of its classes; choose "
            "another name",
            arguments=("label",),
        )
    if models.bayesian is not None and recipe.prior is None:
        raise ConfigError(
            f"label {label}: every class of this model was trained with its own prior (model.prior_from), and "
            "a new one has none; train a model with the class and use that as the prior"
        )
    check_recordings(
        models, recipe, label, "train again with the new class or a smaller cohort, or with scoring.normalise: t"
    )
    parts = speech_as_trained(audio, recipe, paths, "enrolled")
    frames = np.concatenate(parts)
    try:
        with one_blas_thread():
            groups = np.repeat(np.arange(len(parts)) % len(paths), [len(part) for part in parts])
            choice = fit_class(recipe, label, frames, models.ubm, groups=groups)
        fit = choice.fit if isinstance(choice, Choice) else choice
    except FitError as error:
        raise FitError(f"class {label!r}: {error}") from None
    posterior = None if isinstance(fit, Fit) else fit.posterior
    # Altered copies follow the recordings, and are no further recordings.
    larger = models.with_class(label, fit.model, posterior, recipe.recordings, parts[: len(paths)])
    if recipe.counts and isinstance(fit, Fit):
        recipe = replace(recipe, counts=(*recipe.counts, fit.counts))
    seen = {**recipe.seen, label: frozenset(recording_number(key_of(audio, path)) for path in paths)}
    recipe = replace(recipe, seen=seen)
    n_components = fit.model.n_components
    warning = None
    if isinstance(recipe.spec.n_components, int) and models.ubm is None and is_too_few(len(frames), n_components):
        warning = _warning(label, len(frames), n_components) if models.bayesian is None else None
    return replace(file, models=larger, recipe=recipe), Enrolled(len(frames), n_components, warning)


def _warning(label: str, n_frames: int, n_components: int) -> str:
    return (
        f"class {label!r}: {n_frames} frames for {n_components} components, fewer than {FRAMES_PER_COMPONENT} each. "
        "Components of so few frames fit these and not new ones, and the class is recognised less often: enrol more "
        "recordings, or train the model without n_components or with model.adapt: map"
    )


def check_recordings(models: ClassModels, recipe: ClassRecipe, label: str, remedy: str) -> None:
    """Refuse models whose norm measures every class on a cohort's recordings, and whose file lacks their frames.

    Raises:
        ConfigError: As said.
    """
    norm = models.norm_by_recordings
    if norm is not None and not recipe.recordings:
        raise ConfigError(
            f"label {label}: the model normalises scores ({norm}) by what recordings of a cohort score against "
            f"each class, and their frames are not in the file (too many, or written by an older version); {remedy}"
        )


def speech_as_trained(
    audio: AudioInput, recipe: ClassRecipe, paths: Sequence[Path], what: str
) -> list[NDArray[np.float32]]:
    """The speech of recordings as the classes of a model were trained on it: the same front end, VAD and normalisation,
    and the same altered copies after the recordings themselves; (T, D) each.

    Raises:
        ConfigError: A recording that is named twice.
        DataError: Recordings that cannot be used (all are listed); two that are copies of each other. The message says
            that nothing was ``what``, such as "enrolled".
    """
    known = [path.resolve() for path in paths]
    twice = next((path for path, one in zip(paths, known, strict=True) if known.count(one) > 1), None)
    if twice is not None:
        raise ConfigError(f"{twice}: named more than once, and it would count as often; name every recording once")
    parts: list[NDArray[np.float32]] = []
    for copy in (Copy(), *recipe.copies):  # the recordings themselves, then copies as the others had
        features = replace(audio.features, warp=audio.features.warp * copy.warp)
        noising = None
        if copy.noise != "none":
            at_once = recipe.n_talkers if copy.noise == "babble" else 1
            noising = Noising(copy, recipe.seed, at_once, sounds=recipe.sounds.get(copy.noise, ()))
        version = replace(audio, features=features)
        read, problems = [], []
        for path in paths:
            try:
                frames, speech, _ = frames_of(version, path, copy.speed, noising, unvoiced=recipe.spec.adapt == "map")
                read.append((frames, speech))
            except DataError as error:
                problems.append(str(error))
        if problems:
            listed = "\n".join(f"  {problem}" for problem in problems)
            raise DataError(
                f"{len(problems)} of {len(paths)} recordings cannot be used, and nothing was {what}:\n{listed}"
            )
        parts += _normalised(version, read)
    _refuse_copies(audio, paths)
    return parts


def _refuse_copies(audio: AudioInput, paths: Sequence[Path]) -> None:
    first: dict[str, Path] = {}
    for path in paths:
        other = first.setdefault(key_of(audio, path), path)
        if other != path:
            raise DataError(f"{other} and {path} are the same, byte for byte, and would count twice; leave one out")


def _normalised(
    audio: AudioInput, recordings: Sequence[tuple[NDArray[np.float32], NDArray[np.bool_]]]
) -> list[NDArray[np.float32]]:
    """The speech of each recording, normalised and transformed as in training."""
    how = audio.normalisation
    if audio.features.cmvn == "speaker":
        pooled = moments(np.concatenate([frames[speech] for frames, speech in recordings]))
        how = normalisation(pooled, audio.features.norm_vars)
    parts = []
    for frames, speech in recordings:
        own = how
        if audio.features.cmvn == "utterance":
            own = normalisation(moments(frames[speech]), audio.features.norm_vars)
        parts.append(audio.transformed(frames if own is None else own.apply(frames))[speech])
    return parts
