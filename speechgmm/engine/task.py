"""What the engine knows of a task.

A task is a folder of ``speechgmm/tasks``. Its ``task.py`` holds one object of a class derived from ``Task``, and one
line of ``speechgmm/tasks/__init__.py`` puts it into the table of tasks (``task_table.py``). Whatever runs an experiment
asks the table. Owns the protocol and its defaults. Refuses to know any task.

Three types belong to a task: what it trains, what its test gives, and what is evaluated. The engine hands them on.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeAlias, TypeVar

from speechgmm.errors import ConfigError, counted
from speechgmm.features.silence import Silence
from speechgmm.task_table import entries, name_of, report_module

if TYPE_CHECKING:  # a recording is scored without them
    from speechgmm.config import Config
    from speechgmm.corpus import Corpus, Fold
    from speechgmm.engine.comparison import Compared
    from speechgmm.engine.frames import Features
    from speechgmm.engine.job import Job
    from speechgmm.engine.run_folder import RunFolder
    from speechgmm.evaluation.metric import Metrics
    from speechgmm.io.score_table import ClassTable

Inputs: TypeAlias = "tuple[Features, ...]"
"""What a task trains on and tests: one set of features, or one for each of its streams."""


class Evaluation(Protocol):
    """The result of a test, as ``metrics.json`` has it."""

    @property
    def metrics(self) -> Metrics:
        """Of all test items."""

    @property
    def folds(self) -> Mapping[str, Metrics]:
        """Fold -> its own metrics; empty: there are none."""


Trained = TypeVar("Trained")
Tested = TypeVar("Tested")
Evaluated = TypeVar("Evaluated", bound=Evaluation)


@dataclass(frozen=True, slots=True)
class Settled(Generic[Trained, Tested]):
    """Models that have learnt from test results (a temperature, a calibration), and these results."""

    whole: Trained
    folds: Mapping[str, Trained]
    tested: Tested


class Task(ABC, Generic[Trained, Tested, Evaluated]):
    """One task: the steps of a run from a corpus to a folder of results, where they differ between tasks.

    The order of a run: ``split``, ``extract``, ``train``, ``test``, ``settle``, ``evaluate``, ``tables``.
    """

    name: ClassVar[str]
    no_sweep: ClassVar[str | None] = None  # why points of a sweep cannot be compared; None: they can

    no_enrolment: ClassVar[str | None] = None
    """Why ``enrol`` and ``update`` cannot change a model of this task, and what to do; None: they can."""

    score_unit: ClassVar[str] = "nats per frame"
    """Unit of scores in ``scores.tsv`` that do not name their own."""

    answers_for_silence: ClassVar[bool] = False  # whether a silent test recording has a score, and is not left out
    answers_for_unvoiced: ClassVar[bool] = False  # the same of one without a voiced frame
    least_classes: ClassVar[int] = 2  # that training needs
    learns_transform: ClassVar[bool] = False  # whether ``train`` itself learns ``features.transform``

    def split(self, corpus: Corpus, config: Config) -> tuple[Corpus, tuple[Fold, ...]]:
        """The corpus in training and test, and the folds of a cross-validation."""
        from speechgmm.corpus import make_split

        spec = config.corpus
        return make_split(corpus, spec.split, group=spec.group, seed=config.seed)

    def first_settings(self, corpus: Corpus, group: str | None = None) -> Mapping[str, Any]:
        """Settings for a corpus that nobody has described yet, whose split keeps values of column ``group`` together.

        Raises:
            DataError: The corpus lacks what this task needs.
        """
        return {}

    def silence(self, corpus: Corpus) -> Silence:
        """What becomes of digital silence; where recordings are taken frame after frame, it must be kept."""
        return Silence.DROPPED

    def has_classes(self, job: Job) -> bool:
        """Whether the labels of the corpus are classes, each with recordings of its own (and no transcripts)."""
        return True

    def trains_each_class(self, config: Config) -> bool:
        """Whether every class needs training recordings of its own."""
        return True

    def classes_of(self, config: Config, label: str) -> tuple[str, ...]:
        """The classes that ``check`` counts an utterance of this label for; none where they are not known before."""
        return (label,) if self.trains_each_class(config) else ()

    def about(self, job: Job) -> str:
        """What is trained and tested, in a line."""
        corpus = job.corpus
        labels = {utterance.label(corpus.label) for utterance in corpus.split("train")}
        return sizes_of(job, counted(len(labels), "class"))

    def extract(self, job: Job) -> Inputs:
        """The features of all recordings."""
        from speechgmm.engine.extraction import extract

        return (extract(job),)

    @abstractmethod
    def train(self, job: Job, sets: Sequence[Inputs]) -> list[Trained]:
        """Models of every training set, in one pool: of everything and, where there are folds, of each."""

    @abstractmethod
    def test(self, job: Job, parts: Mapping[str, tuple[Inputs, Trained]]) -> dict[str, Tested]:
        """The test results of each fold by its models; without folds there is one part, named ""."""

    def pooled(self, tested: Mapping[str, Tested]) -> Tested:
        """The test results of several parts as one. Raises ConfigError where the task has no folds."""
        if len(tested) > 1:
            raise ConfigError(f"corpus.split: folds are not available for task: {self.name}; use column or fraction")
        return next(iter(tested.values()))

    def settles(self, job: Job) -> bool:
        """Whether models learn from test results before they are saved."""
        return False

    def settle(
        self, job: Job, inputs: Inputs, whole: Trained, folds: Mapping[str, Trained], tested: Mapping[str, Tested]
    ) -> Settled[Trained, Tested]:
        """The models with what they learn from test results, and the results pooled; ``inputs`` are everything."""
        return Settled(whole, folds, self.pooled(tested))

    def of_several_models(self, job: Job, tested: Tested) -> Tested:
        """Pooled test results of models with different settings, as a sweep chooses them, ready to be evaluated."""
        return tested

    @abstractmethod
    def evaluate(self, job: Job, tested: Tested) -> Evaluated | None:
        """Metrics with intervals; None, with a warning, if nothing was tested."""

    def criterion(self, config: Config, tested: Tested) -> float:
        """A sweep's criterion, higher is better: a metric, or minus an error rate. Without it ``no_sweep`` says why."""
        raise NotImplementedError

    def criterion_name(self, config: Config) -> str:
        """The metric of ``criterion``: accuracy, eer, error_rate, ..."""
        raise NotImplementedError

    def check_sweep(self, configs: Sequence[Config]) -> None:
        """Refuse settings that a sweep of this task cannot choose between, or cannot use.

        Raises:
            ConfigError: The points of the sweep have such settings.
        """

    def without_trial_table(self, job: Job) -> Job:
        """The job for inner folds, where a table about the test has no meaning."""
        return job

    @abstractmethod
    def pack(self, job: Job, trained: Trained) -> bytes:
        """The model file."""

    def model_tables(self, job: Job, trained: Trained) -> Mapping[str, str]:
        """Tables beside a model file, by file name: how the models were trained."""
        return {}

    @abstractmethod
    def tables(self, job: Job, tested: Tested, evaluation: Evaluated | None) -> Mapping[str, str | ClassTable]:
        """Tables of the test, by file name; scores that begin with ``model`` and ``test`` are read as trials, those
        with ``true`` and ``predicted`` as decisions between classes (`ClassTable`).
        """

    def audit(self, job: Job, inputs: Inputs, trained: Trained) -> Mapping[str, str]:
        """Tables about the corpus, by file name: labels that the recordings contradict; may warn."""
        return {}

    def compared(self, run: RunFolder) -> Compared:
        """The test items of a run of this task, for a paired comparison with another run's.

        Raises:
            ConfigError: Runs of this task are not compared.
        """
        raise ConfigError(
            f"{run.folder}: compare is not available for task: {self.name}; metrics.json has intervals of each run"
        )

    def facts(self, trained: Trained) -> Mapping[str, Any]:
        """What ``metrics.json`` says of the models."""
        return {}

    def hints(
        self, job: Job, systems: Mapping[str, tuple[Inputs, Trained]], tested: Tested, evaluation: Evaluated
    ) -> Sequence[str]:
        """What limits the results and what to do next, the most important first: each measured in this run."""
        from speechgmm.engine.hints import hints_of_interval

        return list(hints_of_interval(evaluation.metrics, job.experiment.config.corpus.group, folds=bool(job.folds)))

    def tuning_points(self, config: Config, trained: Trained) -> Sequence[dict[str, Any]]:
        """Settings worth trying after a run, those of the configuration first; invalid ones are left out."""
        return ()

    def more_metrics(self, evaluation: Evaluated) -> Mapping[str, Any]:
        """What ``metrics.json`` holds beside the metrics of all and of folds."""
        return {}

    def next_command(self, model: str, trained: Trained) -> str:
        """The command that uses the model file next, for the end of a run."""
        return f"score a recording: speechgmm score {model} RECORDING"

    def trained_lines(self, trained: Trained) -> Sequence[str]:
        """How the models were trained, for a person."""
        return ()

    def trained_notes(self, trained: Trained) -> Sequence[str]:
        """What a person should know of the models beside the metrics."""
        return ()

    def unusable(self, job: Job, features: Features) -> Sequence[tuple[str, str]]:
        """Utterances that this task cannot use, and why, beside what holds for every corpus; may warn."""
        return ()

    def sections(self, run: RunFolder, n_audio: int) -> Sequence[Any]:
        """Sections of the page (``report.parts.Section``) that this task alone has; None among them is left out."""
        return ()

    def settings(self, run: RunFolder) -> Sequence[tuple[str, str]]:
        """What was set of the models, for the page: name and value."""
        return ()

    def resampled_by(self, corpus: Mapping[str, Any]) -> str | None:
        """The column that intervals go by; None: items are taken as independent."""
        return corpus.get("group")

    def draw(self, job: Job, folder: Path, evaluation: Evaluated) -> None:
        """Pictures beside the report."""


AnyTask = Task[Any, Any, Any]


def sizes_of(job: Job, what: str) -> str:
    """``what`` with the name of the experiment and the sizes of its parts."""
    from speechgmm.corpus import SPLITS

    corpus, name = job.corpus, job.experiment.name
    if job.folds:
        sizes = f"{counted(len(corpus), 'utterance')}, {counted(len(job.folds), 'fold')}"
        return f"{name}: {what} ({corpus.label}), {sizes}"
    sizes = ", ".join(f"{len(corpus.split(part))} {part}" for part in SPLITS if corpus.split(part))
    return f"{name}: {what} ({corpus.label}), utterances: {sizes}"


def report_page() -> ModuleType:
    """The module that makes the page of a run, which the engine does not know."""
    return import_module(report_module())


def task_named(name: str) -> AnyTask:
    """The task of that name.

    Raises:
        ConfigError: There is none.
    """
    if name not in entries():
        raise ConfigError(f"task is {name!r}; expected one of {', '.join(entries())}")
    task: AnyTask = entries()[name].load("task", "TASK")
    return task


def task_of(config: Config) -> AnyTask:
    """The task that a configuration asks for."""
    from speechgmm.config.task_settings import name_of_task

    return task_named(name_of_task(config))


def task_of_run(config: Mapping[str, Any]) -> AnyTask:
    """The task that a run's ``config.yaml`` asks for."""
    return task_named(name_of(str(config.get("task", "classification")), lambda section: bool(config.get(section))))
