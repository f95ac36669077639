"""How many components a class of a run gets, and whether it has frames enough: what is refused, and what is said first.

Owns the messages. The rule itself is ``gmm.component_count``'s.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from speechgmm.corpus.splits import FEW_ITEMS
from speechgmm.engine.console import Console
from speechgmm.engine.frames import Piece
from speechgmm.engine.job import Job
from speechgmm.errors import ConfigError, FitError
from speechgmm.gmm import ModelSpec
from speechgmm.gmm.candidates import allowed, candidate_frames
from speechgmm.gmm.component_count import (
    DEFAULT_COMPONENTS,
    DEFAULT_UBM_COMPONENTS,
    FRAMES_PER_COMPONENT,
    components_for,
    few_frames,
    frames_each,
    is_too_few,
    smallest,
)

KEY: Final = "model.n_components"
UBM_KEY: Final = "model.ubm.n_components"

LISTED: Final = 20
"""Classes that an error lists."""


def most_components(spec: ModelSpec, n_frames: int, n_features: int) -> int:
    """The largest number of components that a class of so many frames can get.

    It is the number asked for, or as many as the frames can estimate. With a criterion (``auto``) or variational Bayes
    the class may end with fewer.

    >>> most_components(ModelSpec(n_components="auto"), 1000, 39), most_components(ModelSpec(), 1000, 39)
    (96, 32)
    >>> most_components(ModelSpec(), 205, 39), most_components(ModelSpec(n_components=16), 205, 39)
    (8, 16)
    >>> most_components(ModelSpec(covariance="full"), 1000, 39)
    3
    """
    each = frames_each(spec.covariance, n_features)
    if spec.n_components == "auto":
        return max(allowed(n_frames, spec.choose.candidates, candidate_frames(each)))
    if spec.n_components is not None:
        return spec.n_components
    return DEFAULT_COMPONENTS if spec.estimator == "variational" else components_for(n_frames, each=each)


def of_size(spec: ModelSpec, n_frames: int, n_features: int) -> ModelSpec:
    """The settings with the number of components that a class of so many frames gets, where none was asked for.

    >>> of_size(ModelSpec(), 205, 39).n_components, of_size(ModelSpec(n_components=16), 205, 39).n_components
    (8, 16)
    """
    if spec.n_components is not None:
        return spec
    return replace(spec, n_components=most_components(spec, n_frames, n_features))


def refuse_too_few(spec: ModelSpec, counts: Mapping[str, int], n_features: int, key: str = KEY) -> None:
    """Refuse classes with fewer frames (class -> frames) than the components that were asked for under ``key``.

    Raises:
        FitError: The classes, with their frames.
    """
    least, what = 1, ""
    if isinstance(spec.n_components, int) or spec.estimator == "variational":
        least = DEFAULT_COMPONENTS if spec.n_components in (None, "auto") else int(spec.n_components)
        what = f"for {least} components"
    elif spec.choose.candidates is not None:
        least = min(spec.choose.candidates)
        what = f"for {least} components, the least of model.choose.candidates"
    few = {label: count for label, count in counts.items() if count < least}
    if not few:
        return
    each = frames_each(spec.covariance, n_features)
    most = components_for(max(1, min(few.values())), each=each)
    instead = f"set {key} to at most {most}, one for each {each} frames"
    if spec.n_components == "auto":
        instead = f"name a candidate of at most {most}"
    elif spec.n_components is not None and spec.estimator != "variational":
        instead += ", or leave it out"
    listed = [f"  class {label!r}: {count} frames {what}" for label, count in few.items()]
    raise FitError(
        f"{len(few)} of {len(counts)} classes have too few frames:\n" + "\n".join(listed[:LISTED]) + "\n"
        f"give them more audio, {instead}, or leave classes of few items out or merge them ({FEW_ITEMS})"
    )


def warn_of_few(
    console: Console,
    spec: ModelSpec,
    sets: Sequence[Mapping[str, int]],
    n_features: int,
    key: str = KEY,
    *,
    adaptable: bool = True,
) -> None:
    """Say once which classes have few frames for their components, and what that means.

    ``sets`` are frames of each class (class -> frames): of everything, then of each fold's training part, which is
    looked at where everything is enough. ``adaptable``: whether ``model.adapt: map`` is a way out.
    """
    if spec.estimator == "variational":  # leaves out what the frames do not bear
        return
    adapt = "model.adapt: map" if adaptable and spec.covariance == "diag" else None
    each = frames_each(spec.covariance, n_features)
    for number, counts in enumerate(sets):
        if isinstance(spec.n_components, str):
            text = _one_component(counts, candidate_frames(each)) if spec.choose.candidates is None else None
        else:
            text = few_frames(counts, spec.n_components, key=key, adapt=adapt, each=each)
        if text is not None:
            console.warn(f"{'in the training part of a fold, ' if number else ''}{text}")
            return


def _one_component(counts: Mapping[str, int], each: int) -> str | None:
    """What there is to say of classes with too few frames to choose by, with ``n_components: auto``."""
    few = {label: count for label, count in counts.items() if count < 2 * each}
    if not few:
        return None
    return (
        f"{len(few)} of {len(counts)} classes have too few frames to choose a number of components by ({KEY}: auto), "
        f"which takes {2 * each}, and get one component: {smallest(few)}. They are told from others by their "
        f"mean and variance alone: give these classes more audio, or leave them out or merge them ({FEW_ITEMS})"
    )


def background_components(job: Job, pieces: Iterable[Piece], top: int | None) -> int:
    """Components of the background model that is trained on these pieces, with a warning where their frames are few.

    ``top``: how many of them score a frame (``scoring.top_components``); None: all.

    Raises:
        ConfigError: Fewer than ``scoring.top_components``.
    """
    config = job.experiment.config
    asked = config.model.ubm.n_components
    most = DEFAULT_UBM_COMPONENTS if asked is None else asked
    n_frames = _count(pieces, most * FRAMES_PER_COMPONENT)
    if asked is not None and is_too_few(n_frames, asked):
        job.console.warn(
            f"{UBM_KEY} is {asked}, and the background model has {n_frames} frames, fewer than {FRAMES_PER_COMPONENT} "
            f"for each component. Such components fit these frames and not new ones: give it more audio, leave "
            f"{UBM_KEY} out, or set it to at most {components_for(max(1, n_frames), DEFAULT_UBM_COMPONENTS)}"
        )
    if asked is not None or n_frames >= most * FRAMES_PER_COMPONENT:
        return most
    shared = components_for(max(1, n_frames), most)
    if top is not None and top > shared:
        raise ConfigError(
            f"scoring.top_components is {top}, and the background model gets {shared} components, one for each "
            f"{FRAMES_PER_COMPONENT} of its {n_frames} frames; set it to at most {shared}, or set {UBM_KEY}"
        )
    job.console.warn(
        f"the background model has {n_frames} frames, too few for {most} components, and gets one for each "
        f"{FRAMES_PER_COMPONENT} frames, {shared}, as do all classes adapted from it. They are told apart less surely: "
        f"give it more audio (the split ubm, or training recordings); {UBM_KEY} sets another number"
    )
    return shared


def _count(pieces: Iterable[Piece], enough: int) -> int:
    """Frames of the pieces; counted no further than to ``enough``, as counting speech reads the features."""
    total = 0
    for piece in pieces:
        if total >= enough:
            break
        total += piece.count()
    return total
