"""One mixture to train: what decides it, its estimation, and where it is kept.

A mixture is kept in the cache as soon as it is trained, under a hash of everything that decides it: a run that was
stopped goes on, and one that changes a single class trains that class alone.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.engine.class_report import ClassReport
from speechgmm.engine.class_sizes import most_components
from speechgmm.engine.frames import Piece, open_frames
from speechgmm.engine.memory import Need
from speechgmm.engine.mixture_codec import pack_mixture, unpack_mixture
from speechgmm.engine.model_cache import ModelCache, frames_key, model_key
from speechgmm.engine.recipe import ClassRecipe
from speechgmm.errors import ConfigError, FitError, ModelFileError
from speechgmm.gmm import (
    AnyGMM,
    BayesianGMM,
    Choice,
    DiagGMM,
    Fit,
    FrameSource,
    Mapper,
    ModelSpec,
    VariationalFit,
    class_rng,
    fit_variational,
)
from speechgmm.gmm.adaptation import adapt_mixture
from speechgmm.gmm.component_count import DEFAULT_COMPONENTS, FRAMES_PER_COMPONENT
from speechgmm.gmm.fit import fit_mixture
from speechgmm.gmm.frames import as_source
from speechgmm.gmm.options import EMOptions
from speechgmm.gmm.prior import ConjugatePrior
from speechgmm.gmm.selection import SizeSearch, choose_size
from speechgmm.io.posterior_part import posterior_part
from speechgmm.logger import LOGGER

TRAINING_VERSION = 4
"""Part of every key in the model cache: raised when the same settings begin to give another model."""

NOT_IN_KEY: Final[Mapping[type, tuple[str, ...]]] = {ModelSpec: ("ubm", "prior_from")}
"""Settings that are not in the key: the background model itself is, and the prior, however they were made."""

BACKGROUND = "(background model)"

SHARED_OPTIONS = {one.name for one in fields(EMOptions)} & {one.name for one in fields(ModelSpec)} - {"estimator"}
"""Settings that are options of maximum likelihood under the same name."""


@dataclass(frozen=True, slots=True)
class MixtureTask:
    """One mixture to train."""

    label: str
    pieces: tuple[Piece, ...]
    spec: ModelSpec
    floor: NDArray[np.float64]  # (D,) absolute variances
    seed: int
    ubm: DiagGMM | None
    folder: Path  # of the cache
    memory: int = 0  # bytes that frames and their batches may stay in; changes no byte of the model
    balance: tuple[str, ...] = ()  # the value of each piece that is to weigh as much as others; empty: none is
    prior: BayesianGMM | None = None  # variational

    def key(self) -> str:
        """A hash of all that decides a mixture; see `model_key`."""
        data: list[Any] = [self.label, self.seed, frames_key(self.pieces), self.balance]
        if self.spec.n_components is None:  # the frames decide, which are in the key, and this rule
            data.append((DEFAULT_COMPONENTS, FRAMES_PER_COMPONENT))
        if self.spec.n_components == "auto" and self.spec.choose.criterion == "held_out":
            data.append([_group(piece) for piece in self.pieces])
        arrays = [self.floor]
        if self.ubm is not None:
            arrays += [self.ubm.weights, self.ubm.means, self.ubm.variances]
        if self.prior is not None:
            header, tensors = posterior_part("", (self.prior,))
            data.append(header)
            arrays += tensors.values()
        return model_key("mixture", TRAINING_VERSION, self.spec, without=NOT_IN_KEY, data=data, arrays=arrays)

    def need(self) -> Need:
        """What training it takes at the least."""
        n_frames = sum(piece.n_rows for piece in self.pieces)
        n_components = 0 if self.ubm is not None else most_components(self.spec, max(1, n_frames), len(self.floor))
        if self.prior is not None:
            n_components = self.prior.n_components
        return Need(self.label, n_frames, len(self.floor), n_components)


def train_class(task: MixtureTask, *, map: Mapper = map) -> tuple[AnyGMM, ClassReport]:
    """Train one mixture, or take it from the cache where the same has been trained before; ``map`` runs over batches.

    Raises:
        FitError: The mixture cannot be estimated; the message begins with the class.
    """
    cache, key = ModelCache(task.folder), task.key()
    with suppress(ModelFileError):  # of which `kept_or_trained` has warned
        if (found := cache.read(key, unpack_mixture)) is not None:
            return found
    frames, memory = open_frames(task.pieces, task.memory, map=map)
    recipe = ClassRecipe(task.spec, task.floor, task.seed, prior=task.prior)
    try:
        weights = frame_weights([piece.count() for piece in task.pieces], task.balance) if task.balance else None
        groups = frame_groups(task.pieces) if task.spec.choose.criterion == "held_out" else None
        choice = fit_class(recipe, task.label, frames, task.ubm, weights=weights, groups=groups, memory=memory, map=map)
    except FitError as error:
        setting = "model.ubm.n_components" if task.label == BACKGROUND else "model.n_components"
        text = str(error).replace("set n_components", f"set {setting}")
        raise FitError(f"{'' if task.label == BACKGROUND else 'class '}{task.label!r}: {text}") from None
    fit, chosen = (choice.fit, choice) if isinstance(choice, Choice) else (choice, None)
    report = ClassReport(
        label=task.label,
        n_frames=len(frames),
        n_components=len(fit.model.weights),
        iterations=len(fit.trace) - 1,
        objective=fit.trace[-1],
        converged=fit.converged,
        precision=fit.precision,
        dead=tuple(fit.dead) if isinstance(fit, Fit) else (),  # components out of use are what was asked for
        trace=tuple(fit.trace),
        counts=tuple(fit.counts.tolist()) if isinstance(fit, Fit) else (),
        why="" if chosen is None else chosen.why,
        candidates=() if chosen is None else chosen.candidates,
        posterior=None if isinstance(fit, Fit) else fit.posterior,
        notes=fit.notes if isinstance(fit, Fit) else (),
    )
    cache.write(key, pack_mixture(fit.model, report))
    LOGGER.debug(
        "%s: %d components on %d frames, %d iterations, %.4f nats per frame%s",
        *(task.label, report.n_components, report.n_frames, report.iterations, report.objective),
        "" if report.converged else ", not converged",
    )
    return fit.model, report


def fit_class(
    recipe: ClassRecipe,
    label: str,
    frames: NDArray[np.float32] | FrameSource,
    ubm: DiagGMM | None,
    *,
    weights: NDArray[np.float64] | None = None,
    groups: NDArray[np.intp] | None = None,
    memory: int | None = None,
    map: Mapper = map,
) -> Fit[Any] | VariationalFit | Choice:
    """Fit one class to its frames (T, D): from nothing, or from the background model where there is one.

    No frames leave the background model as it is. ``weights`` (T,) count frames; None: each once. ``groups`` (T,) are
    held out together where the number of components is chosen by held-out frames. Where it is chosen, the choice is
    returned.
    """
    if ubm is not None and not len(frames):
        return _unadapted(ubm)
    spec = recipe.spec
    shared = {name: getattr(spec, name) for name in SHARED_OPTIONS}
    if spec.estimator != "variational":  # which takes the rest; EMOptions refuses what it does not know
        shared["estimator"] = spec.estimator
    options = EMOptions(**shared, floor=recipe.floor, memory=memory)
    source = as_source(frames, weights)
    if ubm is not None:
        prior = ConjugatePrior.around(
            ubm,
            spec.relevance,
            spec.weight_relevance,
            mean_relevance=spec.mean_relevance,
            variance_relevance=spec.variance_relevance,
        )
        options = replace(options, max_iter=spec.adapt_max_iter)
        return adapt_mixture(ubm, source, prior, options, parameters=spec.adapt_parameters, map=map)
    rng = class_rng(recipe.seed, label)
    if spec.n_components == "auto":
        return choose_size(source, SizeSearch(**asdict(spec.choose), groups=groups), options, seed=rng, map=map)
    if spec.estimator == "variational":
        if recipe.prior is None:
            raise ConfigError(f"class {label!r} has no prior, and model.estimator: variational starts from one")
        return fit_variational(
            source,
            prior=recipe.prior,
            seed=rng,
            init=spec.init,
            max_iter=spec.variational_max_iter,
            tol=spec.tol,
            precision=spec.precision,
            memory=memory,
            map=map,
        )
    return fit_mixture(source, most_components(spec, len(source), source.n_features), options, seed=rng, map=map)


def _unadapted(ubm: DiagGMM) -> Fit[DiagGMM]:
    """The background model, as what no frame adapted."""
    return Fit(
        model=ubm,
        trace=(0.0,),
        converged=True,
        fell=(),
        precision="float64",
        dead=(),
        resplit=(),
        floored=0,
        n_frames=0.0,
        counts=np.zeros(len(ubm.weights)),
    )


def frame_groups(pieces: Sequence[Piece]) -> NDArray[np.intp]:
    """(N,) what each frame is held out with, numbered: its group where the class has several, else its recording."""
    several = len({piece.group for piece in pieces}) > 1
    names = [_group(piece) if several else piece.key for piece in pieces]
    # Names would take more memory than frames.
    numbers = np.unique(names, return_inverse=True)[1]
    return np.repeat(numbers, [piece.count() for piece in pieces])


def _group(piece: Piece) -> str:
    return piece.group or piece.key


def frame_weights(counts: Sequence[int], values: Sequence[str]) -> NDArray[np.float64]:
    """What each frame counts so that all values weigh the same: (N,), N in all.

    >>> frame_weights([1, 2, 1], ["f", "m", "m"])
    array([2.        , 0.66666667, 0.66666667, 0.66666667])
    """
    totals = dict.fromkeys(values, 0)
    for count, value in zip(counts, values, strict=True):
        totals[value] += count
    there = sum(total > 0 for total in totals.values())
    shares = [sum(counts) / (there * totals[value]) if totals[value] else 0.0 for value in values]
    return np.repeat(shares, counts)
