"""A model that is ready for new recordings: ``speechgmm.load``, and what the models of all tasks share.

A task's ``interface.py`` has ``load(path)``, which returns one object of a class derived from `LoadedModel`, with the
methods that the task allows. They go through the functions that the task's commands go through. Refuses to know any
task: the table of kinds of model files says where the interface is.
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from speechgmm.engine.audio_input import AudioInput, takes_frames
from speechgmm.engine.audio_sources import audio_sources
from speechgmm.errors import ConfigError, DataError, MethodError, check_type
from speechgmm.features.front_end import front_end
from speechgmm.features.kinds import kind_name
from speechgmm.io.container import kind_of
from speechgmm.io.run_files import model_file
from speechgmm.io.samples import AudioSource

if TYPE_CHECKING:
    from speechgmm.engine.exported_model import ExportedModel
    from speechgmm.io.model_card import ModelCard

METHODS: Final = (
    *("score", "classify", "classify_windows", "verify", "recognise", "align", "anomaly", "diarize", "cluster"),
    "stream",
)
"""What loaded models do, each as its task allows."""

OnError = Literal["raise", "return"]
Work = Callable[[Sequence[AudioSource]], Iterator[tuple[AudioSource, Any]]]
"""Recordings -> each with what was found, or with the DataError that says why not."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class LoadedModel(ABC):
    """A model with the methods of its task; made by `load`.

    Safe to use from several threads at once: nothing in it changes, and results do not depend on other calls.
    """

    path: Path  # of the model file
    task: str
    file: Any  # what the model file holds

    why_not: ClassVar[dict[str, str]] = {}
    """Method that this task has only with some models -> what to do for it."""

    @property
    def methods(self) -> tuple[str, ...]:
        """Names of the methods that the model has."""
        return tuple(name for name in METHODS if name in dir(type(self)))

    @property
    def card(self) -> "ModelCard | None":
        """The model card: data, protocol, metrics, intended use; None: an older version wrote the model file."""
        from speechgmm.io.model_card import read_card

        return read_card(self.path)

    @property
    @abstractmethod
    def audio(self) -> AudioInput | None:
        """How a recording becomes frames; None: the model was trained on frames."""

    @abstractmethod
    def about(self) -> str:
        """What the model tells apart, in words."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, words or units that the model tells apart."""
        return ()

    @property
    def sample_rate(self) -> int | None:
        """Sampling rate of recordings in Hz; None: the model takes frames."""
        return None if self.audio is None or self.audio.is_given else self.audio.sample_rate

    def exported(self) -> "ExportedModel":
        """The part of the model that other programs can hold. Raises ConfigError for a model without an export."""
        raise ConfigError(
            f"{self.path}: a model of task {self.task} is not exported; expected models of classes, with a background "
            "model or without (task: classification or verification)"
        )

    def __repr__(self) -> str:
        parts = [self.about()]
        if self.audio is not None:
            parts.append(f"{kind_name(self.audio.features)} of {self.audio.n_dims} dimensions")
            other = "resamples" if self.audio.resample else "no other rate"
            parts += [] if self.audio.is_given else [f"{self.audio.sample_rate} Hz ({other})"]
        return f"<{self.task} model: {', '.join(parts)}, {self.path}>"

    def __getattr__(self, name: str) -> Any:
        if name not in METHODS:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        hint = f"; {self.why_not[name]}" if name in self.why_not else ""
        raise MethodError(
            f"{self.path}: a model of task {self.task} has no {name}(); it has {', '.join(self.methods)}{hint}"
        )

    def _sources(self, audio: Any, sample_rate: int | None) -> tuple[list[AudioSource | DataError], bool]:
        """The recordings that are meant, of samples or of given frames, and whether it is one by itself."""
        return audio_sources(audio, sample_rate, given=takes_frames(self))

    def _each(self, audio: Any, sample_rate: int | None, work: Work, on_error: OnError = "raise") -> Any:
        """The result of one recording, or a list of those of several."""
        check_on_error(on_error)
        sources, is_one = self._sources(audio, sample_rate)
        done = work([source for source in sources if not isinstance(source, DataError)])
        results = []
        for source in sources:
            found = source if isinstance(source, DataError) else next(done)[1]
            if isinstance(found, DataError) and on_error == "raise":
                raise found
            results.append(found)
        return results[0] if is_one else results


def check_on_error(on_error: object) -> None:
    """Raise ConfigError for what is no way to handle the errors of recordings."""
    if on_error not in ("raise", "return"):
        raise ConfigError(f"on_error is {on_error!r}; expected 'raise' or 'return'", arguments=("on_error",))


def load(path: "str | os.PathLike[str]", *, resample: bool = False) -> LoadedModel:
    """Load a model of any task for new recordings.

    Parameters
    ----------
    path
        The folder of a run, or its model file (``models.safetensors``).
    resample
        Resample recordings of another sampling rate, even if the configuration of the model does not
        (``corpus.resample``).

    Returns
    -------
    LoadedModel
        A model whose ``methods`` depend on its task: ``score`` (every task but clustering), ``classify``, ``verify``,
        ``recognise``, ``align``, ``anomaly``, ``diarize``, ``cluster``, ``stream``. The first argument of each method
        is a path, a numpy array of samples with ``sample_rate``, or a folder or list of recordings, for which the
        method returns a list of results in order. A model with ``features.kind: given`` takes frames (T, D) or files of
        frames instead. The model is safe to use from several threads at once.

    Raises
    ------
    ConfigError
        Something other than a path.
    ModelFileError
        The file does not exist, or is no model file that this version reads.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import speechgmm as sg
    >>> from speechgmm.engine.audio_input import AudioInput
    >>> noise = np.random.default_rng(0).normal(scale=0.1, size=16000)
    >>> sounds = {"low": (noise[1:] + noise[:-1]) / 2, "high": (noise[1:] - noise[:-1]) / 2}
    >>> spec = sg.FeatureSpec()
    >>> frames = {name: sg.extract(spec, sound, 8000) for name, sound in sounds.items()}
    >>> models = sg.train_classes(frames, n_components=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     sg.save_models(models, f"{folder}/models.safetensors", audio=AudioInput(spec, 8000), label="kind")
    ...     model = sg.load(folder)
    >>> model.score(sounds["high"], 8000).decision
    'high'
    >>> [found.decision for found in model.score([sounds["low"], sounds["high"]], 8000)]
    ['low', 'high']
    """
    check_type("path", path, (str, os.PathLike), "the folder of a run, or its model file")
    file = model_file(Path(path))
    model: LoadedModel = kind_of(file).function("interface:load")(file, resample=resample)
    if model.audio is not None:
        front_end(model.audio.features, model.audio.sample_rate)  # built once, before the first recording
    return model
