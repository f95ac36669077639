"""Many mixtures at once, or the one large one behind them: how training is spread over workers and memory."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from speechgmm.corpus import Utterance
from speechgmm.engine.class_report import ClassReport
from speechgmm.engine.class_sizes import background_components
from speechgmm.engine.frames import Features, Piece
from speechgmm.engine.job import Job
from speechgmm.engine.memory import Need, divide_among_batches, divide_among_classes
from speechgmm.engine.mixture_codec import unpack_mixture
from speechgmm.engine.mixture_fit import BACKGROUND, MixtureTask, train_class
from speechgmm.engine.model_cache import kept_or_trained
from speechgmm.errors import counted
from speechgmm.gmm import BATCH, AnyGMM, DiagGMM, ModelSpec, warm_up
from speechgmm.gmm.full_model import only_diagonal
from speechgmm.gmm.options import LEAST_IN_FLOAT32
from speechgmm.parallel import Backend

WORTH_PROCESSES = 5_000_000
"""Frames times components in all: about a second of EM on one core, which is what starting workers takes."""

PASSES_BEFORE_EM = 3
"""Over all frames: for the mean, for the variance, and for the frames that the start is estimated on."""


def train_mixtures(job: Job, tasks: Sequence[MixtureTask], what: str) -> list[tuple[AnyGMM, ClassReport]]:
    """One mixture per task, as many at once as workers and memory allow."""
    if not tasks:
        return []
    n_jobs = 1 if job.cluster else job.n_jobs  # a worker's share is its own
    at_once, shares = divide_among_classes([task.need() for task in tasks], job.memory, n_jobs)
    if job.cluster is None and at_once < min(job.n_jobs, len(tasks)):
        job.console.say(f"parallel.memory: {at_once} of {job.n_jobs} workers train at once; more would need more of it")
    shared = [replace(task, memory=share) for task, share in zip(tasks, shares, strict=True)]

    def train(missing: Sequence[MixtureTask]) -> Iterator[tuple[AnyGMM, ClassReport]]:
        if job.cluster is None:
            warm_up_em(job)
        return job.map(train_class, missing, auto=_suited([t.need() for t in missing], n_jobs), at_most=at_once)

    found = kept_or_trained(job, [task.key() for task in shared], shared, unpack_mixture, train)
    return list(job.console.track(found, len(tasks), what))


def warm_up_em(job: Job) -> None:
    """Compile what EM runs on; workers find it compiled."""
    model = job.experiment.config.model
    small = model.variance_floor < LEAST_IN_FLOAT32 or model.estimator != "em"
    exact = model.precision == "float64" or (model.precision == "auto" and small)
    warm_up("float64" if exact else "float32")


def _suited(needs: Sequence[Need], n_jobs: int) -> Backend:
    """Processes where there are several small mixtures for each worker, and enough work to be worth starting them.

    Between passes of some hundred microseconds, threads wait for each other's Python.
    """
    work = sum(need.n_frames * need.n_components for need in needs)
    return "processes" if len(needs) >= 2 * n_jobs and work > WORTH_PROCESSES else "threads"


def train_ubm(
    job: Job, features: Features, common: MixtureTask, top_components: int | None = None
) -> tuple[DiagGMM, ClassReport]:
    """The universal background model: from the split ``ubm`` where there is one, else from all training frames.

    ``top_components``: how many of its components score a frame, which it must have; None: all that it has.
    """
    model = job.experiment.config.model
    chosen = tuple(piece for _, pieces in background_utterances(features) for piece in pieces)
    spec = ModelSpec(
        n_components=background_components(job, chosen, top_components),
        max_iter=model.ubm.max_iter,
        init=model.init,
        n_init=model.n_init,
        tol=model.tol,
        variance_floor=model.variance_floor,
        dead_components=model.dead_components,
        precision=model.precision,
        e_step=model.e_step,
        overrelaxed=model.overrelaxed,
    )
    task = replace(common, label=BACKGROUND, spec=spec, pieces=chosen, balance=_balance(job, features))
    job.console.say(f"background model: {spec.n_components} components on {counted(len(chosen), 'utterance')}")
    at_once, memory = divide_among_batches(task.need(), job.memory, 1 if job.cluster else job.n_jobs)
    if job.cluster is not None:
        memory = 0  # workers read what they sum, and none holds the frames of all
        if (n_batches := -(-task.need().n_frames // BATCH)) < job.n_jobs:
            job.console.say(f"{n_batches} batches of frames for {job.n_jobs} threads of the cluster: some stay idle")
    elif at_once < job.n_jobs:
        job.console.say(f"parallel.memory: {at_once} of {job.n_jobs} workers read at once; more would need more of it")

    def train(missing: Sequence[MixtureTask]) -> list[tuple[AnyGMM, ClassReport]]:
        if job.cluster is None:
            warm_up_em(job)
        n_passes = PASSES_BEFORE_EM + spec.max_iter + 1
        what = "training the background model: passes over its frames"
        with job.passes(at_once) as on, job.console.counted(on, n_passes, what) as spread:
            return [train_class(replace(one, memory=memory), map=spread) for one in missing]

    found, report = next(kept_or_trained(job, [task.key()], [task], unpack_mixture, train))
    (ubm,) = only_diagonal([found], "a background model")
    return ubm, report


def background_utterances(features: Features) -> list[tuple[Utterance, tuple[Piece, ...]]]:
    """What the background model is trained on: the split ``ubm`` where there is one, else all training utterances."""
    return features.training("ubm") or features.training()


def _balance(job: Job, features: Features) -> tuple[str, ...]:
    """The value of each of the background's pieces in the column ``model.ubm.balance``; empty where it names none."""
    column = job.experiment.config.model.ubm.balance
    if column is None:
        return ()
    values = tuple(utterance.label(column) for utterance, pieces in background_utterances(features) for _ in pieces)
    if len(set(values)) < 2:
        job.console.warn(f"model.ubm.balance: all background utterances have {values[0]!r} in {column!r}")
    return values
