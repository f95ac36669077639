"""One mixture to train: what decides it, its estimation, and where it is kept.

A mixture is kept in the cache as soon as it is trained, under a hash of everything that decides it (frames, settings,
floor, background model, seed, label): a run that was stopped goes on, and one that changes a single class trains that
class alone.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from speechgmm.engine.class_report import ClassReport
from speechgmm.engine.class_sizes import most_components
from speechgmm.engine.frames import Piece, open_frames
from speechgmm.engine.memory import Need
from speechgmm.engine.recipe import ClassRecipe
from speechgmm.errors import ConfigError, FitError, ModelFileError
from speechgmm.gmm import (
    BayesianGMM,
    Candidate,
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
from speechgmm.gmm.spec import NOT_OF, OF_PRIOR, OWN_RELEVANCE
from speechgmm.io.atomic import write_atomically
from speechgmm.io.feature_store import canonical, digest
from speechgmm.io.posterior_part import posterior_part, read_posterior_part

TRAINING_VERSION = 4
"""Part of every key in the model cache: raised when the same settings begin to give another model."""

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

    def path(self) -> Path:
        """Where the mixture is kept once it is trained."""
        return self.folder / f"{self.key()}.safetensors"

    def key(self) -> str:
        """A hash of all that decides a mixture."""
        settings = asdict(self.spec)
        if self.ubm is None:  # what only adaptation reads does not change a mixture trained from nothing
            for name in ("adapt", "relevance", "adapt_parameters", "adapt_max_iter", "ubm"):
                settings.pop(name)
            if self.spec.n_components is None:  # the frames decide, which are in the key, and this rule
                settings["n_components"] = (DEFAULT_COMPONENTS, FRAMES_PER_COMPONENT)
        else:  # the background model itself is in the key, however it was made
            settings.pop("ubm")
        if self.spec.n_components != "auto":
            settings.pop("choose")
        elif self.spec.choose.criterion == "held_out":
            settings["groups"] = [_group(piece) for piece in self.pieces]
        for name in OWN_RELEVANCE:  # what is not asked for is not in the key, so that it outlives the setting
            if settings[name] is None:
                settings.pop(name)
        for name in ("estimator",) if self.spec.estimator == "em" else ():
            settings.pop(name)
        for name in (*NOT_OF[self.spec.estimator], *OF_PRIOR, "prior_from"):  # of these the prior itself is in the key
            settings.pop(name, None)
        normalisations = {id(piece.normalisation): piece.normalisation for piece in self.pieces if piece.normalisation}
        names = {known: digest(value.shift.tobytes(), value.scale.tobytes()) for known, value in normalisations.items()}
        pieces = [
            (
                piece.store.folder.name,
                piece.key,
                piece.first,
                piece.stop,
                names.get(id(piece.normalisation), ""),
                piece.context,
                *([piece.silent] * bool(piece.silent)),
            )
            for piece in self.pieces
        ]
        arrays = [self.floor]
        transform = next((piece.transform for piece in self.pieces), None)  # one for all
        if transform is not None:
            arrays += [transform.matrix, transform.offset]
        if self.ubm is not None:
            arrays += [self.ubm.weights, self.ubm.means, self.ubm.variances]
        known: list[dict[str, object]] = []
        if self.prior is not None:
            header, tensors = posterior_part("", (self.prior,))
            known.append(header)
            arrays += tensors.values()
        about = canonical(
            [TRAINING_VERSION, settings, self.seed, self.label, pieces, *([self.balance] * bool(self.balance)), *known]
        )
        return digest(about, *(array.tobytes() for array in arrays))

    def need(self) -> Need:
        """What training it takes at the least."""
        n_frames = sum(piece.n_rows for piece in self.pieces)
        n_components = 0 if self.ubm is not None else most_components(self.spec, max(1, n_frames))
        if self.prior is not None:
            n_components = self.prior.n_components
        return Need(self.label, n_frames, len(self.floor), n_components)


def train_class(task: MixtureTask, *, map: Mapper = map) -> tuple[DiagGMM, ClassReport]:
    """Train one mixture, or take it from the cache where the same has been trained before; ``map`` runs over batches.

    Raises:
        FitError: The mixture cannot be estimated; the message begins with the class.
    """
    path = task.path()
    try:
        return _load(path)
    except (FileNotFoundError, ModelFileError):
        pass
    frames, memory = open_frames(task.pieces, task.memory, map=map)
    recipe = ClassRecipe(task.spec, task.floor, task.seed, prior=task.prior)
    try:
        weights = frame_weights([piece.count() for piece in task.pieces], task.balance) if task.balance else None
        groups = frame_groups(task.pieces) if task.spec.choose.criterion == "held_out" else None
        choice = fit_class(recipe, task.label, frames, task.ubm, weights=weights, groups=groups, memory=memory, map=map)
    except FitError as error:
        key = "model.ubm.n_components" if task.label == BACKGROUND else "model.n_components"
        text = str(error).replace("set n_components", f"set {key}")
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
    _save(path, fit.model, report)
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
) -> Fit | VariationalFit | Choice:
    """Fit one class to its frames (T, D): from nothing, or from the background model where there is one.

    ``weights`` (T,) count frames; None: each once. ``groups`` (T,) are held out together where the number of components
    is chosen by held-out frames. Where it is chosen, the choice is returned.
    """
    spec = recipe.spec
    shared = {name: getattr(spec, name) for name in SHARED_OPTIONS}
    if spec.estimator == "gradient":
        shared["estimator"] = "gradient"
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
    return fit_mixture(source, most_components(spec, len(source)), options, seed=rng, map=map)


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


def _save(path: Path, model: DiagGMM, report: ClassReport) -> None:
    from safetensors.numpy import save

    tensors = {"weights": model.weights, "means": model.means, "variances": model.variances}
    about = asdict(replace(report, posterior=None))
    if report.posterior is not None:
        about["posterior"], arrays = posterior_part("posterior.", (report.posterior,))
        tensors |= arrays
    data = save(tensors, metadata={"report": json.dumps(about)})
    write_atomically(path, lambda file: file.write(data))


def _load(path: Path) -> tuple[DiagGMM, ClassReport]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="numpy") as file:
            report = json.loads(file.metadata()["report"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        model = DiagGMM(*(tensors[name] for name in ("weights", "means", "variances")))
        if report.get("posterior") is not None:
            report["posterior"] = read_posterior_part("posterior.", report["posterior"], tensors)[0]
        report["candidates"] = [Candidate(**candidate) for candidate in report["candidates"]]
        lists = {name: tuple(value) for name, value in report.items() if isinstance(value, list)}
        return model, ClassReport(**{**report, **lists})
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ModelFileError(f"{path}: damaged ({error})") from None
