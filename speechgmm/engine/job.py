"""From a configuration to a job: the corpus with its splits, and what every stage needs to know."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from speechgmm.config import Config, Experiment, load_config
from speechgmm.corpus import Corpus, Fold, read_corpus
from speechgmm.corpus.given_frames import with_frames, with_speech
from speechgmm.corpus.listing import listed
from speechgmm.engine.audio_input import AudioInput
from speechgmm.engine.cluster import Cluster, connect
from speechgmm.engine.console import Console
from speechgmm.engine.speech_detectors import read_detector
from speechgmm.engine.task import AnyTask, task_of
from speechgmm.errors import ConfigError, DataError, first_few
from speechgmm.features.kinds import are_given, feature_kind
from speechgmm.io.given_frames import place_shape, source_at
from speechgmm.io.score_forms import pyarrow
from speechgmm.logger import handled_here, returning_records
from speechgmm.parallel import Backend, pmap, thread_pool, workers

Work = TypeVar("Work")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Job:
    """A configuration with its corpus, its task, and the threads, processes or cluster that the work runs on."""

    experiment: Experiment
    task: AnyTask
    corpus: Corpus
    console: Console
    folds: tuple[Fold, ...] = ()  # of a cross-validation; then the corpus is all in training
    output: Path | None = None  # the run's folder, where there is one
    cluster: Cluster | None = None  # where tasks run, if not here
    verify_audio: bool = False  # hash recordings though nothing says that they have changed
    given_dims: int | None = None  # dimensions of frames that are read from files

    @property
    def audio(self) -> AudioInput:
        """How a recording becomes frames. The normalisation is not set; it is known only after extraction."""
        config = self.experiment.config
        features, rate = config.features, feature_kind(config.features).clock or config.corpus.rate()
        if are_given(features):
            features = replace(features, n_dims=self.given_dims)
        detector = None
        if features.vad_model is not None:
            detector = read_detector(self.experiment.beside(features.vad_model))
            features = replace(features, vad_model=None)  # the detector itself goes with the frames
        in_files = config.corpus.vad is not None
        source = (features, rate, config.corpus.channel, config.corpus.resample)
        return AudioInput(*source, vad_in_files=in_files, detector=detector)

    @property
    def cache(self) -> Path:
        """The folder of features and class models that all runs share."""
        return self.experiment.cache()

    @property
    def n_jobs(self) -> int:
        """Number of parallel workers, here or on the cluster."""
        return self.n_threads_here if self.cluster is None else self.cluster.n_threads

    @property
    def n_threads_here(self) -> int:
        """Threads for work that stays on this machine, also where tasks run on a cluster."""
        return workers(self.experiment.config.parallel.n_jobs)

    @property
    def memory(self) -> int:
        """Bytes of frames that training may hold in memory: on this machine, or in each task on a cluster."""
        budget = self.experiment.config.parallel.memory_bytes()
        return budget if self.cluster is None else budget // self.cluster.threads_per_worker

    def map(
        self,
        function: Callable[[Work], Result],
        tasks: Iterable[Work],
        *,
        auto: Backend = "threads",
        at_most: int | None = None,
    ) -> Iterator[Result]:
        """The results of ``function`` for ``tasks``, in order, computed on the configured back end.

        ``auto`` is the back end where the configuration says ``auto``. ``at_most`` limits the number of tasks that run
        at the same time on this machine, for tasks that need much memory.
        """
        chosen = self.experiment.config.parallel.backend
        if self.cluster is not None or chosen == "dask":
            if self.cluster is None:
                raise ConfigError("parallel.backend: dask, and a job without a connection; make it with prepare()")
            return handled_here(self.cluster.map(returning_records(function), tasks))
        n_jobs = self.n_jobs if at_most is None else min(self.n_jobs, at_most)
        backend = auto if chosen == "auto" else chosen
        return handled_here(pmap(returning_records(function), tasks, n_jobs=n_jobs, backend=backend))

    def passes(self, n_threads: int | None = None) -> AbstractContextManager[Callable[..., Iterator[Any]]]:
        """A function like the built-in ``map``, for repeated passes over the same short tasks.

        It runs on the cluster or on ``n_threads`` of this machine; default: all threads that the job may use.
        """
        if self.cluster is not None:
            return nullcontext(self.cluster.repeatedly())
        return thread_pool(self.n_threads_here if n_threads is None else n_threads)


def prepare(config: str | Path | Experiment, overrides: Sequence[str] = (), *, console: Console | None = None) -> Job:
    """Read a configuration and its corpus, and split the corpus: the `Job` that the other stages of a run work on.

    Raises:
        ConfigError: The configuration is invalid; or its file alone names the scheduler of a Dask cluster
            (``parallel.scheduler``), and `load_config` was not called with ``trust_cluster=True``; or none answers.
        DataError: The corpus is missing or invalid, or a machine of the Dask cluster cannot read its recordings.

    >>> job = prepare("birds.yaml")
    >>> len(job.corpus.split("train")), len(job.corpus.split("test"))
    (24, 6)
    """
    experiment = config if isinstance(config, Experiment) else load_config(config, overrides)
    console = console or Console()
    scheduler = experiment.scheduler()
    if experiment.config.tables.scores == "parquet":
        pyarrow()  # refused before hours of training, not after them
    for note in experiment.notes:
        console.say(note)
    spec = experiment.corpus_spec()
    generated = "generating speech" if spec.kind == "espeak" else None
    with console.stage("prepare"), console.bar(generated) as progress:
        places = {"path": experiment.corpus_path(), "root": experiment.corpus_root()}
        corpus = read_corpus(spec, **places, given=are_given(experiment.config.features), progress=progress)
        for note in corpus.notes:
            console.warn(note)
        task = task_of(experiment.config)
        corpus, folds = task.split(corpus, experiment.config)
        if are_given(experiment.config.features):  # the split is that of the recordings
            corpus = with_frames(corpus, spec.features, spec.vad, skip=spec.on_error == "skip")
            for note in corpus.notes:
                console.warn(note)
        elif spec.vad is not None:
            corpus = with_speech(corpus, spec.vad, skip=spec.on_error == "skip")
        _check_target(corpus, spec.target)
    cluster = _cluster(scheduler, experiment, corpus, console)
    given_dims = _given_dims(experiment.config, corpus) if are_given(experiment.config.features) else None
    return Job(experiment, task, corpus, console, folds, cluster=cluster, given_dims=given_dims)


def _given_dims(config: Config, corpus: Corpus) -> int:
    """Dimensions of given frames: what the configuration says, or the first recording that can be read."""
    timed = next((one for one in corpus if one.start is not None or one.end is not None), None)
    if timed is not None and config.features.frame_shift is None:
        raise ConfigError(
            f"{timed.source or timed.id} has a start or an end in seconds, and nobody says how far apart the given "
            "frames are; set features.frame_shift, in ms"
        )
    if config.features.n_dims is not None:
        return config.features.n_dims
    reasons = []
    for path in corpus.paths():
        try:
            return place_shape(path)[1]
        except DataError as error:
            reasons.append(str(error))
    raise DataError(f"none of the {len(reasons)} recordings has frames that can be read:\n{listed(reasons)}")


def _check_target(corpus: Corpus, target: str | None) -> None:
    """Refuse a class to detect that is not one of two."""
    classes = sorted({utterance.label(corpus.label) for utterance in corpus.split("train")})
    if target is not None and (target not in classes or len(classes) != 2):
        some = first_few(classes, 5)
        raise ConfigError(
            f"corpus.target is {target!r}, and the {len(classes)} classes of {corpus.label!r} are {some}; expected is "
            "one of two classes: is corpus.label the column you mean?"
        )


def _cluster(address: str | None, experiment: Experiment, corpus: Corpus, console: Console) -> Cluster | None:
    """The cluster that is asked for, once its workers can do the work."""
    if address is None:
        return None
    cluster = connect(address)
    paths = corpus.paths()
    if are_given(experiment.config.features):
        paths = tuple(source_at(path).path for path in paths)
    for text in cluster.check(experiment.cache(), [paths[0], paths[-1]] if paths else []):
        console.warn(text)
    console.say(f"cluster {address}: {len(cluster.workers)} workers, {cluster.n_threads} threads")
    return cluster
