"""The training stage: the background model where one is asked for, one mixture per class, and the temperature.

A class model is kept in the cache as soon as it is trained, under a hash of everything that decides it (frames,
settings, floor, background model, seed, label): a run that was stopped goes on, and one that changes a single class
trains that class alone.
"""

import contextlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speechgmm.corpus import Utterance
from speechgmm.corpus.splits import assign_folds
from speechgmm.errors import FitError, ModelFileError
from speechgmm.features import Moments
from speechgmm.gmm import BATCH, DiagGMM, Fit, FrameSource, Mapper, ModelSpec, adapt_map, class_rng, fit_gmm, warm_up
from speechgmm.gmm.fit import LEAST_IN_FLOAT32
from speechgmm.gmm.spec import OWN_RELEVANCE
from speechgmm.io.atomic import write_atomically, write_text
from speechgmm.io.feature_store import canonical, digest
from speechgmm.io.model_file import AudioInput, ClassRecipe
from speechgmm.parallel import Backend, thread_pool
from speechgmm.pipeline.cohort import cohort_members, with_cohort
from speechgmm.pipeline.frames import Features, Piece, open_frames, pooled_moments
from speechgmm.pipeline.job import Job
from speechgmm.pipeline.memory import Need, divide_among_batches, divide_among_classes
from speechgmm.pipeline.noising import kept_talkers
from speechgmm.pipeline.scoring import Scores, log_likelihood_table, score
from speechgmm.scoring import ClassModels, fit_temperature

TRAINING_VERSION = 2
"""Part of every key in the model cache: raised when the same settings begin to give another model."""


BACKGROUND = "(background model)"

WORTH_PROCESSES = 5_000_000
"""Frames times components in all: about a second of EM on one core, which is what starting workers takes."""

PASSES_BEFORE_EM = 3
"""Over all frames: for the mean, for the variance, and for the frames that the start is estimated on."""


@dataclass(frozen=True, slots=True)
class ClassReport:
    """How one mixture was trained."""

    label: str
    n_frames: int
    n_components: int
    iterations: int
    objective: float  # nats per frame, of the model returned
    converged: bool
    precision: str
    dead: tuple[int, ...]  # components without frames
    trace: tuple[float, ...]  # nats per frame, before each iteration and at the end


@dataclass(frozen=True, slots=True)
class Trained:
    """Class models, ready to score and to save, with the story of each."""

    models: ClassModels
    audio: AudioInput
    reports: tuple[ClassReport, ...]
    ubm_report: ClassReport | None
    recipe: ClassRecipe

    def tempered(self, temperature: float) -> "Trained":
        """The same models with a temperature."""
        return replace(self, models=replace(self.models, temperature=temperature))


@dataclass(frozen=True, slots=True)
class _Task:
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

    def path(self) -> Path:
        """Where the mixture is kept once it is trained."""
        return self.folder / f"{_key(self)}.safetensors"

    def need(self) -> Need:
        """What training it takes at the least."""
        n_components = self.spec.n_components if self.ubm is None else 0
        return Need(self.label, sum(piece.n_rows for piece in self.pieces), len(self.floor), n_components)


def train(job: Job, features: Features) -> Trained:
    """Train every class of the split ``train``, and fit the temperature by cross-validation within it.

    Raises:
        FitError: A class with too few frames for its components (all are listed), or a feature that is constant.
        DataError: The disk is full.
    """
    with job.console.stage("train"):
        (plan,) = _plans(job, [features])
        (trained,) = _train_plans(job, [plan], "training classes")
        _say_what_is_odd(job, trained.reports)
        # A claim is judged by its score, not by a posterior over classes.
        if job.experiment.config.scoring.temperature_folds and job.experiment.config.task == "classification":
            temperature = _temperature(job, features, plan.common, trained.models)
            trained = replace(trained, models=replace(trained.models, temperature=temperature))
    return trained


def train_folds(job: Job, whole: Features, folds: Sequence[Features]) -> tuple[Trained, list[Trained]]:
    """Train the classes on everything and, beside it, on the training part of every fold; all in one pool.

    The models have no temperature yet: ``score_folds`` has it from the folds' scores.

    Raises:
        FitError: As ``train``.
        DataError: The disk is full.
    """
    with job.console.stage("train"):
        trained = _train_plans(job, _plans(job, [whole, *folds]), f"training classes of {len(folds)} folds and of all")
        _say_what_is_odd(job, trained[0].reports)
    return trained[0], trained[1:]


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to be trained on one training set."""

    features: Features
    members: Mapping[str, Sequence[Piece]]  # class -> its training pieces
    common: _Task  # settings and floor, the same for all classes


def _train_plans(job: Job, plans: Sequence[_Plan], what: str) -> list[Trained]:
    """Class models of each plan: one task per plan and class, in one pool."""
    backgrounds = [
        _train_ubm(job, plan.features, plan.common) if job.experiment.config.model.adapt == "map" else (None, None)
        for plan in plans
    ]
    config = job.experiment.config
    cohorts = [cohort_members(plan.features, config.scoring, config.corpus.group) for plan in plans]
    tasks = [
        replace(plan.common, label=label, pieces=tuple(pieces), ubm=ubm)
        for plan, (ubm, _), cohort in zip(plans, backgrounds, cohorts, strict=True)
        for label, pieces in (*plan.members.items(), *cohort.items())
    ]
    # Nested folds leave out the same recordings in several ways: what is the same is trained once.
    keys = [_key(task) for task in tasks]
    once = dict(zip(keys, tasks, strict=True))
    by_key = dict(zip(once, _train_classes(job, list(once.values()), what), strict=True))
    results = iter([by_key[key] for key in keys])
    trained = []
    for plan, (ubm, ubm_report), cohort in zip(plans, backgrounds, cohorts, strict=True):
        fits = [next(results) for _ in plan.members]
        others = {label: next(results)[0] for label in cohort}
        models = ClassModels(
            labels=tuple(plan.members),
            models=tuple(model for model, _ in fits),
            log_priors=_log_priors(config.scoring.priors, plan.members),
            temperature=None,
            ubm=ubm,
            top_components=config.scoring.top_components,
            method=config.scoring.method,
        )
        models = with_cohort(job, plan.features, models, others)
        copies = config.augment.copies()
        talkers = kept_talkers(job, plan.features.corpus, plan.features.keys())
        n_talkers = config.augment.noise.talkers if talkers else 0
        recipe = ClassRecipe(plan.common.spec, plan.common.floor, plan.common.seed, copies, talkers, n_talkers)
        reports = tuple(report for _, report in fits)
        trained.append(Trained(models, plan.features.audio, reports, ubm_report, recipe))
    return trained


def _train_classes(job: Job, tasks: Sequence[_Task], what: str) -> list[tuple[DiagGMM, ClassReport]]:
    """One mixture per task, as many at once as workers and memory allow."""
    if not tasks:
        return []
    n_jobs = 1 if job.cluster else job.n_jobs  # a worker's share is its own
    at_once, shares = divide_among_classes([task.need() for task in tasks], job.memory, n_jobs)
    if job.cluster is None and at_once < min(job.n_jobs, len(tasks)):
        job.console.say(f"parallel.memory: {at_once} of {job.n_jobs} workers train at once; more would need more of it")
    shared = [replace(task, memory=share) for task, share in zip(tasks, shares, strict=True)]
    missing = [task.need() for task in tasks if not task.path().exists()]
    suited = _suited(missing, n_jobs)
    if missing and job.cluster is None:
        _warm_up(job)
    return list(job.console.track(job.map(train_class, shared, auto=suited, at_most=at_once), len(tasks), what))


def _warm_up(job: Job) -> None:
    """Compile what EM runs on, which a person should not wait for without a word; workers find it compiled."""
    with job.console.patience("compiling the arithmetic of EM: some seconds, once on this machine"):
        model = job.experiment.config.model
        exact = model.precision == "float64" or (model.precision == "auto" and model.variance_floor < LEAST_IN_FLOAT32)
        warm_up("float64" if exact else "float32")


def _suited(needs: Sequence[Need], n_jobs: int) -> Backend:
    """Processes where there are several small mixtures for each worker, and enough work to be worth starting them.

    Between passes of some hundred microseconds, threads wait for each other's Python.
    """
    work = sum(need.n_frames * need.n_components for need in needs)
    return "processes" if len(needs) >= 2 * n_jobs and work > WORTH_PROCESSES else "threads"


def _by_label(features: Features) -> dict[str, list[Piece]]:
    """Training pieces of every class; classes in the order of their names."""
    members: dict[str, list[Piece]] = {}
    for utterance, pieces in features.training():
        members.setdefault(utterance.label(features.corpus.label), []).extend(pieces)
    return {label: members[label] for label in sorted(members, key=natural_order)}


def natural_order(label: str) -> tuple[tuple[int, str], ...]:
    """A sorting key that puts 2 before 10."""
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", label) if part)


def _plans(job: Job, sets: Sequence[Features]) -> list[_Plan]:
    """Members of every class and what they share, for each training set."""
    members = [_by_label(features) for features in sets]
    tasks = [tuple(pieces) for classes in members for pieces in classes.values()]
    parts = iter(list(job.console.track(job.map(pooled_moments, tasks), len(tasks), "measuring the training split")))
    return [
        _Plan(features, classes, _common(job, classes, [next(parts) for _ in classes]))
        for features, classes in zip(sets, members, strict=True)
    ]


def _common(job: Job, members: Mapping[str, Sequence[Piece]], parts: Sequence[Moments]) -> _Task:
    """What all classes share: settings, and the floor from the whole training split."""
    config = job.experiment.config
    if config.model.adapt == "none":
        few = [
            f"  class {label!r}: {part.count} frames for {config.model.n_components} components"
            for label, part in zip(members, parts, strict=True)
            if part.count < config.model.n_components
        ]
        if few:
            most = min(part.count for part in parts)
            raise FitError(
                f"{len(few)} of {len(members)} classes have too few frames:\n" + "\n".join(few[:20]) + "\n"
                f"give them more audio, or set model.n_components to at most {most}"
            )
    total: Moments = parts[0]
    for part in parts[1:]:
        total = total + part
    variance = total.scatter / total.count
    # Below this share of the mean a deviation is float32 rounding: the dimension has one value.
    constant = np.flatnonzero(np.sqrt(variance) <= 1e-6 * np.maximum(1, np.abs(total.means)))
    if len(constant):
        raise FitError(
            f"feature dimensions {', '.join(map(str, constant[:10]))} have one value in all {total.count} "
            "training frames: nothing to model there; is every recording the same, or is cmvn: utterance used on "
            "recordings of one frame?"
        )
    return _Task(
        label="",
        pieces=(),
        spec=config.model,
        floor=config.model.variance_floor * variance,
        seed=config.seed,
        ubm=None,
        folder=job.cache / "models",
    )


def _train_ubm(job: Job, features: Features, common: _Task) -> tuple[DiagGMM, ClassReport]:
    """The universal background model: from the split ``ubm`` where there is one, else from all training frames."""
    model = job.experiment.config.model
    chosen = tuple(piece for _, pieces in _background(features) for piece in pieces)
    spec = ModelSpec(
        n_components=model.ubm.n_components,
        max_iter=model.ubm.max_iter,
        init=model.init,
        tol=model.tol,
        variance_floor=model.variance_floor,
        dead_components=model.dead_components,
        precision=model.precision,
        e_step=model.e_step,
        overrelaxed=model.overrelaxed,
    )
    task = replace(common, label=BACKGROUND, spec=spec, pieces=chosen, balance=_balance(job, features))
    job.console.say(f"background model: {spec.n_components} components on {len(chosen)} utterances")
    at_once, memory = divide_among_batches(task.need(), job.memory, 1 if job.cluster else job.n_jobs)
    if job.cluster is not None:
        memory = 0  # workers read what they sum, and none holds the frames of all
        if (n_batches := -(-task.need().n_frames // BATCH)) < job.n_jobs:
            job.console.say(f"{n_batches} batches of frames for {job.n_jobs} threads of the cluster: some stay idle")
    elif at_once < job.n_jobs:
        job.console.say(f"parallel.memory: {at_once} of {job.n_jobs} workers read at once; more would need more of it")
    if job.cluster is None and not task.path().exists():
        _warm_up(job)
    with (
        job.console.bar("training the background model: passes over its frames") as advance,
        contextlib.nullcontext(job.cluster.repeatedly()) if job.cluster else thread_pool(at_once) as on,
    ):
        passes = 0

        def spread(function: Callable[[Any], Any], tasks: Iterable[Any]) -> Iterator[Any]:
            nonlocal passes
            passes += 1
            advance(passes, PASSES_BEFORE_EM + spec.max_iter + 1)
            return on(function, tasks)

        return train_class(replace(task, memory=memory), map=spread)


def _background(features: Features) -> list[tuple[Utterance, tuple[Piece, ...]]]:
    """What the background model is trained on: the split ``ubm`` where there is one, else all training utterances."""
    return features.training("ubm") or features.training()


def _balance(job: Job, features: Features) -> tuple[str, ...]:
    """The value of each of the background's pieces in the column ``model.ubm.balance``; empty where it names none."""
    column = job.experiment.config.model.ubm.balance
    if column is None:
        return ()
    values = tuple(utterance.label(column) for utterance, pieces in _background(features) for _ in pieces)
    if len(set(values)) < 2:
        job.console.warn(f"model.ubm.balance: all background utterances have {values[0]!r} in {column!r}")
    return values


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


def train_class(task: _Task, *, map: Mapper = map) -> tuple[DiagGMM, ClassReport]:
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
    recipe = ClassRecipe(task.spec, task.floor, task.seed)
    try:
        weights = frame_weights([piece.count() for piece in task.pieces], task.balance) if task.balance else None
        fit = fit_class(recipe, task.label, frames, task.ubm, weights=weights, memory=memory, map=map)
    except FitError as error:
        text = str(error)
        if task.label == BACKGROUND:
            text = text.replace("model.n_components", "model.ubm.n_components")
        raise FitError(f"{'' if task.label == BACKGROUND else 'class '}{task.label!r}: {text}") from None
    report = ClassReport(
        label=task.label,
        n_frames=len(frames),
        n_components=len(fit.model.weights),
        iterations=len(fit.trace) - 1,
        objective=fit.trace[-1],
        converged=fit.converged,
        precision=fit.precision,
        dead=tuple(fit.dead),
        trace=tuple(fit.trace),
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
    memory: int | None = None,
    map: Mapper = map,
) -> Fit:
    """Fit one class to its frames (T, D): from nothing, or from the background model where there is one.

    ``weights`` (T,) count frames; None: each once.
    """
    spec = recipe.spec
    if ubm is not None:
        return adapt_map(
            ubm,
            frames,
            spec.relevance,
            parameters=spec.adapt_parameters,
            weights=weights,
            weight_relevance=spec.weight_relevance,
            mean_relevance=spec.mean_relevance,
            variance_relevance=spec.variance_relevance,
            max_iter=spec.adapt_max_iter,
            tol=spec.tol,
            floor=recipe.floor,
            precision=spec.precision,
            memory=memory,
            map=map,
        )
    return fit_gmm(
        frames,
        spec.n_components,
        seed=class_rng(recipe.seed, label),
        weights=weights,
        init=spec.init,
        max_iter=spec.max_iter,
        tol=spec.tol,
        floor=recipe.floor,
        dead_components=spec.dead_components,
        precision=spec.precision,
        e_step=spec.e_step,
        overrelaxed=spec.overrelaxed,
        memory=memory,
        map=map,
    )


def _key(task: _Task) -> str:
    """A hash of all that decides a mixture."""
    settings = asdict(task.spec)
    if task.ubm is None:  # what only adaptation reads does not change a mixture trained from nothing
        for name in ("adapt", "relevance", "adapt_parameters", "adapt_max_iter", "ubm"):
            settings.pop(name)
    else:  # the background model itself is in the key, however it was balanced
        settings["ubm"].pop("balance")
    for name in OWN_RELEVANCE:  # what is not asked for is not in the key, so that it outlives the setting
        if settings[name] is None:
            settings.pop(name)
    normalisations = {id(piece.normalisation): piece.normalisation for piece in task.pieces if piece.normalisation}
    names = {known: digest(value.shift.tobytes(), value.scale.tobytes()) for known, value in normalisations.items()}
    pieces = [
        (
            piece.store.folder.name,
            piece.key,
            piece.first,
            piece.stop,
            names.get(id(piece.normalisation), ""),
            piece.context,
        )
        for piece in task.pieces
    ]
    arrays = [task.floor]
    transform = next((piece.transform for piece in task.pieces), None)  # one for all
    if transform is not None:
        arrays += [transform.matrix, transform.offset]
    if task.ubm is not None:
        arrays += [task.ubm.weights, task.ubm.means, task.ubm.variances]
    about = canonical(
        [TRAINING_VERSION, settings, task.seed, task.label, pieces, *([task.balance] * bool(task.balance))]
    )
    return digest(about, *(array.tobytes() for array in arrays))


def _save(path: Path, model: DiagGMM, report: ClassReport) -> None:
    from safetensors.numpy import save

    tensors = {"weights": model.weights, "means": model.means, "variances": model.variances}
    data = save(tensors, metadata={"report": json.dumps(asdict(report))})
    write_atomically(path, lambda file: file.write(data))


def _load(path: Path) -> tuple[DiagGMM, ClassReport]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="numpy") as file:
            report = json.loads(file.metadata()["report"])
            model = DiagGMM(*(file.get_tensor(name) for name in ("weights", "means", "variances")))
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ModelFileError(f"{path}: damaged ({error})") from None
    return model, ClassReport(**{**report, "dead": tuple(report["dead"]), "trace": tuple(report["trace"])})


def _log_priors(kind: str, members: Mapping[str, Sequence[Piece]]) -> NDArray[np.float64]:
    """(C,) log class priors."""
    counts = (
        np.ones(len(members)) if kind == "uniform" else np.array([len(pieces) for pieces in members.values()], float)
    )
    log_priors: NDArray[np.float64] = np.log(counts / counts.sum())
    return log_priors


def _temperature(job: Job, features: Features, common: _Task, models: ClassModels) -> float | None:
    """The temperature, fitted on training utterances scored by models that have not seen their recordings.

    What all classes share (floor, background model, normalisation, transform) is that of the whole training split.

    None, with a warning, where a class would lose all its recordings or too many frames.
    """
    config = job.experiment.config
    n_folds = config.scoring.temperature_folds
    corpus = features.corpus
    training = features.training()
    folds = assign_folds(
        corpus,
        [utterance for utterance, _ in training],
        n_folds,
        group=config.corpus.group if config.corpus.split.disjoint else None,
        seed=config.seed,
    )
    common = replace(common, ubm=models.ubm)
    tasks: list[_Task] = []
    for fold in range(n_folds):
        rest: dict[str, list[Piece]] = {label: [] for label in models.labels}
        for (utterance, pieces), number in zip(training, folds, strict=True):
            if number != fold:
                rest[utterance.label(corpus.label)].extend(pieces)
        tasks += [replace(common, label=label, pieces=tuple(left)) for label, left in rest.items()]
    if any(not task.pieces for task in tasks):
        job.console.warn(
            f"no posteriors, margins only: a class has too few {'groups' if config.corpus.group else 'recordings'} "
            f"to be left out in {n_folds} parts (scoring.temperature_folds)"
        )
        return None
    decided_by: list[str | bytes] = [*(_key(task) for task in tasks), models.log_priors.tobytes()]
    if models.top_components is not None:
        decided_by.append(f"top {models.top_components}")
    path = common.folder / f"{digest(*decided_by)}.json"
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return float(json.loads(path.read_text())["temperature"])
    try:
        results = _train_classes(job, tasks, "cross-validating")
    except FitError as error:
        job.console.warn(f"no posteriors, margins only: in cross-validation, {error}")
        return None
    totals = np.empty((len(training), len(models.labels)))
    for fold in job.console.track(range(n_folds), n_folds, "scoring the parts left out"):
        chosen = [n for n, number in enumerate(folds) if number == fold]
        trained = tuple(model for model, _ in results[fold * len(models.labels) : (fold + 1) * len(models.labels)])
        means, n_frames = log_likelihood_table(
            job, replace(models, models=trained), [training[n][1][0] for n in chosen], None
        )
        totals[chosen] = means * n_frames[:, None]
    numbers = {label: number for number, label in enumerate(models.labels)}
    true = np.array([numbers[utterance.label(corpus.label)] for utterance, _ in training])
    temperature = fit_temperature(totals, true, models.log_priors)
    write_text(path, json.dumps({"temperature": temperature}))
    return temperature


def score_folds(
    job: Job, parts: Mapping[str, Features], models: Mapping[str, Trained], what: str | None
) -> tuple[dict[str, Scores], dict[str, Trained], float | None]:
    """Score the test part of every fold and decide; also the folds' models with their temperature, and that of all.

    The temperature of a fold is fitted on the scores of the others, so that no score tempers itself; with one part, or
    where the configuration asks for none, there is none.
    """
    tested = job.console.track(parts.items(), len(parts), what)
    scores = {name: score(job, part, models[name].models, None) for name, part in tested}
    if len(parts) < 2 or not job.experiment.config.scoring.temperature_folds:
        return scores, dict(models), None
    names = list(parts)
    numbers = {label: number for number, label in enumerate(scores[names[0]].labels)}
    totals = {name: part.mean_log_likelihoods * part.n_frames[:, None] for name, part in scores.items()}
    true = {name: np.array([numbers[label] for label in part.true]) for name, part in scores.items()}
    log_priors = models[names[0]].models.log_priors

    def fit(chosen: Sequence[str]) -> float:
        rows, truth = ([found[name] for name in chosen] for found in (totals, true))
        return fit_temperature(np.concatenate(rows), np.concatenate(truth), log_priors)

    tempered = {name: models[name].tempered(fit([other for other in names if other != name])) for name in names}
    return {name: part.decided(tempered[name].models) for name, part in scores.items()}, tempered, fit(names)


def _say_what_is_odd(job: Job, reports: Iterable[ClassReport]) -> None:
    for report in reports:
        if report.dead:
            job.console.warn(
                f"class {report.label!r}: components {', '.join(map(str, report.dead))} of {report.n_components} "
                f"had no frames ({report.n_frames} in all); fewer components would do"
            )
