"""The model file: everything that scoring a new recording needs, in one safetensors file.

Parameters are tensors; labels, the feature spec and the rest are **one** canonical JSON string under the metadata key
``speechgmm``. Without times, paths and worker counts: the same training gives the same bytes. Files of verification
hold more (``tasks/verification/codec.py``), and are read here as well.

    tensor              shape             what
    weights             (sum of K,)       float64, one class after another (n_components in the header)
    means, variances    (sum of K, D)     float64
    covariances         (sum of K, D, D)  in place of variances; one for each class where they are tied; format 3
    log_priors          (C,)              float64
    posterior.*, prior.*                  of variational Bayes (see ``posterior_part``); format 2
    ubm.*                                 the universal background model, where there is one
    normalisation.*     (D,)              shift and scale, where cmvn is global
    transform.*                           matrix and offset, where features are transformed
    floor               (D,)              least variances, for classes that are added later
    counts              (sum of K,)       frames of each component, for classes that are updated later
    seen                (N,)              uint64, recordings of each class; seen_lengths counts them, -1: not known
    recordings          (T, D)            float32 frames of the cohort; recording_lengths (N,) says how many each has
    talker.*, noise.*, response.*  (N,)   int16 samples of what is heard in copies, for the same
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from speechgmm import __version__
from speechgmm.engine.audio_input import AudioInput, audio_header, read_audio_input
from speechgmm.engine.recipe import ClassRecipe
from speechgmm.features import FrontEnd
from speechgmm.features.silence import Silence
from speechgmm.io.atomic import write_atomically
from speechgmm.io.container import (
    FORMAT_VERSION,
    WITH_POSTERIORS,
    check_kind,
    format_of,
    packed,
    read_tensors,
    stack,
    tensor,
    unstack,
    unstack_all,
    whole,
)
from speechgmm.io.header import checked
from speechgmm.io.model_card import LABELS_NAMED, ModelCard, with_card
from speechgmm.io.posterior_part import posterior_part, read_posterior_part
from speechgmm.setting import setting
from speechgmm.tasks.classification.models import ClassModels
from speechgmm.tasks.classification.recipe_codec import read_recipe, settings_with_effect, sound_tensors, spelt

UNKNOWN: Final = "unknown"
"""What a recording is decided to be that is like none of the classes."""


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """The frames of a recording, and the windows of it that are scored by themselves."""

    frames: NDArray[np.float32]  # (T, D)
    speech: NDArray[np.bool_]  # (T,) which of them count
    windows: tuple[tuple[float, float], ...]  # start and end in seconds
    is_whole: bool  # the one window is the whole recording


@dataclass(frozen=True, slots=True, eq=False)
class WindowScores:
    """A window against all classes."""

    n_frames: int  # 0: no speech
    scores: NDArray[np.float64]  # (C,) mean log-likelihoods in nats per frame, or log posteriors; NaN without frames
    posteriors: NDArray[np.float64] | None  # (C,); None where the model has no temperature, or without frames
    llrs: NDArray[np.float64] | None = None  # (C,) calibrated, nats; None where the model has no calibration


@dataclass(frozen=True, slots=True)
class ModelFile:
    """What a model file holds."""

    models: ClassModels
    audio: AudioInput | None = None  # None: trained on frames alone
    label: str = "label"  # the column that the classes are values of
    recipe: ClassRecipe | None = None  # None: no class can be added

    @property
    def of_segments(self) -> bool:
        """Whether it scores segments, and no recordings as a whole."""
        return False

    @property
    def answers_for_unvoiced(self) -> bool:
        """Whether a recording without a voiced frame has an answer (it says nothing), and is no error."""
        return self.models.ubm is not None

    @property
    def has_posteriors_alone(self) -> bool:
        """Whether its scores are log posteriors, and not log-likelihoods."""
        return False

    @property
    def silence(self) -> Silence:
        """What becomes of digital silence: it is left out."""
        return Silence.DROPPED

    @property
    def decisions(self) -> tuple[str, ...]:
        """Names that decisions have beside the classes', which no class may have."""
        return ()

    def fitted(self) -> tuple[str, ...]:
        """What was fitted to the models as they are, in words: it no longer fits when they change."""
        return () if self.models.temperature is None else ("the temperature of its posteriors",)

    def more(self) -> tuple[dict[str, Any], dict[str, NDArray[np.float64]]]:
        """What the file holds beside classes and how they were trained: entries of its header, and tensors."""
        return self.models.more()

    def window_scores(self, plan: FrontEnd, recorded: Recorded) -> Iterator[WindowScores]:
        """The scores of each window by its frames that are speech; ``plan`` made the frames."""
        models, frames = self.models, recorded.frames
        for start, end in recorded.windows:
            first, stop = (0, len(frames)) if recorded.is_whole else plan.frame_range(start, end, len(frames))
            chosen = frames[first:stop][recorded.speech[first:stop]]
            if len(chosen) == 0:  # the VAD left nothing of the window
                yield WindowScores(0, np.full(len(models.labels), np.nan), None)
                continue
            means = models.mean_log_likelihoods(chosen)
            posteriors = None if models.temperature is None else models.posteriors(means, len(chosen))
            yield WindowScores(len(chosen), means, posteriors, self.llrs(chosen))

    def llrs(self, frames: NDArray[np.float32]) -> NDArray[np.float64] | None:
        """Calibrated log-likelihood ratios (C,) in nats of frames (T, D); None: the file has no calibration."""
        return None

    @property
    def threshold(self) -> float | None:
        """The calibrated log-likelihood ratio in nats from which on the best class is decided; None: it always is."""
        return None


@dataclass(frozen=True, slots=True)
class ClassesHeader:
    """What the header says of classes."""

    labels: tuple[str, ...]
    n_components: tuple[int, ...]
    label: str
    temperature: float | None = setting(None, "times total log-likelihoods", ge=0)
    top_components: int | None = setting(None, "of the background model, that score a frame", ge=1, le=65536)


def save_models(
    models: ClassModels,
    path: str | Path,
    *,
    audio: AudioInput | None = None,
    label: str = "label",
    card: ModelCard | None = None,
) -> None:
    """Write class models to a file.

    ``audio`` describes the front end, if known; ``card`` is a model card (`load(path).card`).

    >>> from speechgmm import DiagGMM
    >>> model = DiagGMM([1.0], [[0.0]], [[1.0]])
    >>> save_models(ClassModels(("noise",), (model,), np.zeros(1)), "noise.safetensors")
    >>> load_models("noise.safetensors").labels
    ('noise',)

    Raises
    ------
    DataError
        The disk is full, or the folder is not writable.
    """
    card = card or ModelCard(__version__, "save_models", label=label, labels=models.labels[:LABELS_NAMED])
    data = with_card(serialise(ModelFile(models, audio, label)), card)
    write_atomically(Path(path), lambda file: file.write(data))


def load_models(path: str | Path) -> ClassModels:
    """Read the class models of a file. Raises ModelFileError unless the file is a whole model file of a known format.

    >>> from speechgmm import DiagGMM
    >>> models = ClassModels(("noise",), (DiagGMM([1.0], [[0.0]], [[1.0]]),), np.zeros(1))
    >>> save_models(models, "noise.safetensors")
    >>> load_models("noise.safetensors").mean_log_likelihoods([[0.0], [1.0]])
    array([-1.16893853])
    """
    return read_model_file(path).models


def serialise(content: ModelFile) -> bytes:
    """The bytes of a model file; the same content gives the same bytes."""
    models, audio = content.models, content.audio
    tensors = stack("", models.models) | {"log_priors": models.log_priors}
    header: dict[str, Any] = {
        "format": format_of(models.models, FORMAT_VERSION if models.bayesian is None else WITH_POSTERIORS),
        "label": content.label,
        "labels": list(models.labels),
        "n_components": [len(model.weights) for model in models.models],
        "temperature": models.temperature,
    }
    if models.top_components is not None:
        header["top_components"] = models.top_components
    if models.ubm is not None:
        tensors |= stack("ubm.", (models.ubm,))
    if models.bayesian is not None:
        header["posteriors"], arrays = posterior_part("posterior.", models.bayesian)
        tensors |= arrays
    if audio is not None:
        header["audio"], arrays = audio_header(audio)
        tensors |= arrays
    if content.recipe is not None:
        header["recipe"] = {
            "spec": settings_with_effect(content.recipe.spec),
            "seed": content.recipe.seed,
            "copies": [spelt(copy) for copy in content.recipe.copies],
        }
        tensors["floor"] = content.recipe.floor
        if content.recipe.counts:
            tensors["counts"] = np.concatenate(content.recipe.counts)
        if content.recipe.seen:
            known = [content.recipe.seen.get(label) for label in models.labels]
            tensors["seen"] = np.array([number for numbers in known for number in sorted(numbers or ())], np.uint64)
            tensors["seen_lengths"] = np.array([-1 if numbers is None else len(numbers) for numbers in known], np.int64)
        if content.recipe.n_talkers:
            header["recipe"]["n_talkers"] = content.recipe.n_talkers
        if content.recipe.prior is not None:
            header["recipe"]["prior"], arrays = posterior_part("prior.", (content.recipe.prior,))
            tensors |= arrays
        if content.recipe.recordings:
            tensors["recordings"] = np.concatenate(content.recipe.recordings)
            tensors["recording_lengths"] = np.array([len(frames) for frames in content.recipe.recordings], np.int64)
        tensors |= sound_tensors(content.recipe)
    entries, arrays = content.more()
    return packed(header | entries, tensors | arrays)


def read_model_file(path: str | Path) -> ModelFile:
    """Read and check a model file. Raises ModelFileError for a missing or truncated file, or one of a newer format.

    >>> from speechgmm import DiagGMM
    >>> models = ClassModels(("noise",), (DiagGMM([1.0], [[0.0]], [[1.0]]),), np.zeros(1))
    >>> save_models(models, "noise.safetensors", label="sound")
    >>> file = read_model_file("noise.safetensors")
    >>> file.label, file.models.labels
    ('sound', ('noise',))
    """
    path = Path(path)
    tensors, header = read_tensors(path)
    kind = check_kind(path, header, "classes")
    with whole(path):
        said = checked(ClassesHeader, header)
        audio = read_audio_input(header["audio"], tensors) if "audio" in header else None
        models = unstack_all("", tensors, said.n_components, None if audio is None else audio.n_dims)
        n_dims = models[0].n_features
        ubm = None
        if "ubm.weights" in tensors:
            ubm = unstack("ubm.", tensors, [len(tensor(tensors, "ubm.weights", None))], n_dims)[0]
        posteriors = header.get("posteriors")
        classes = {
            "labels": said.labels,
            "models": models,
            "log_priors": tensor(tensors, "log_priors", len(said.labels), finite=False),
            "temperature": said.temperature,
            "ubm": ubm,
            "top_components": said.top_components,
            "bayesian": None if posteriors is None else read_posterior_part("posterior.", posteriors, tensors),
        }
        recipe = read_recipe(header["recipe"], tensors, said.n_components, n_dims) if "recipe" in header else None
        if recipe is not None and "seen" in tensors:
            recipe = replace(recipe, seen=_seen(tensors, said.labels))
        rest = {"audio": audio, "label": said.label, "recipe": recipe}
        file: ModelFile = kind.function("codec:model_file")(classes, rest, header, tensors)
    return file


def model_file(
    classes: dict[str, Any], rest: dict[str, Any], _header: dict[str, Any], _tensors: dict[str, NDArray[np.float64]]
) -> ModelFile:
    """A model file of the fields of ``ClassModels`` and its own; a kind that extends this one has the same function."""
    return ModelFile(ClassModels(**classes), **rest)


def _seen(tensors: dict[str, NDArray[Any]], labels: Sequence[str]) -> dict[str, frozenset[int]]:
    """Class -> the recordings that it has counted, where they are known."""
    seen, lengths = tensors["seen"], tensors["seen_lengths"]
    are_numbers = lengths.dtype == np.int64 and seen.dtype == np.uint64 and seen.ndim == 1
    if not are_numbers or lengths.shape != (len(labels),):
        raise ValueError("tensors of the recordings seen that are not (N,) whole numbers, or not for each class")
    stops = np.cumsum(np.maximum(lengths, 0))
    if stops[-1] != len(seen):
        raise ValueError(f"{len(seen)} recordings seen by classes of {lengths.tolist()}")
    parts = zip(labels, lengths, np.split(seen, stops[:-1]), strict=True)
    return {label: frozenset(part.tolist()) for label, n, part in parts if n >= 0}
