"""What other programs can hold of a model: mixtures in one feature space, and what makes decisions of their scores.

Every kind of model file that can be exported says this of itself (``LoadedModel.exported``); every format takes it from
here. What scoring does beyond it is named in ``more``, and no format leaves it out unless it is told to.
"""

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from speechgmm.engine.audio_input import AudioInput
from speechgmm.engine.loaded_model import LoadedModel, load
from speechgmm.errors import ConfigError
from speechgmm.gmm.model import DiagGMM


@dataclass(frozen=True, slots=True, eq=False)
class ExportedModel:
    """A mixture for each class; or one mixture, without a class.

    Raises:
        ConfigError: A mixture whose covariances are not diagonal.
    """

    mixtures: tuple[DiagGMM, ...]  # C, in one feature space
    labels: tuple[str, ...] = ()  # C classes; empty: the one mixture is of none
    log_priors: NDArray[np.float64] | None = None  # (C,), nats
    temperature: float | None = None  # times total log-likelihoods; None: no posteriors of classes
    background: DiagGMM | None = None  # that claims are scored against
    top_components: int | None = None  # of the background model, that score a frame; None: all are summed over
    audio: AudioInput | None = None  # how a recording becomes frames; None: not known
    more: Mapping[str, str] = field(default_factory=dict)  # part of scoring beyond this -> what it is, in words

    def __post_init__(self) -> None:
        every = (*self.mixtures, *(() if self.background is None else (self.background,)))
        if not all(isinstance(mixture, DiagGMM) for mixture in every):
            raise ConfigError(
                "mixtures with covariances other than diagonal ones cannot be exported; train with diagonal covariances"
            )


Exportable = DiagGMM | LoadedModel | str | os.PathLike[str]
"""A mixture, a loaded model, or the path of a model file or of a run's folder."""


def exported(model: Exportable) -> ExportedModel:
    """What other programs can hold of a model.

    Raises:
        ConfigError: Something else, or a model of a task that is not exported.
        ModelFileError: As ``load``.

    >>> exported(DiagGMM([1.0], [[0.0]], [[1.0]])).mixtures
    (DiagGMM(n_components=1, n_features=1),)
    """
    if isinstance(model, DiagGMM):
        return ExportedModel((model,))
    loaded = load(Path(model)) if isinstance(model, str | os.PathLike) else model
    if not isinstance(loaded, LoadedModel):
        raise ConfigError(
            f"a {type(model).__name__} to export; expected a DiagGMM, a model from speechgmm.load, or the path of a "
            "model file: save_models writes one of ClassModels"
        )
    return loaded.exported()


def check_nothing_lost(
    model: ExportedModel, form: str, leave_out: Collection[str], holds: Collection[str] = ()
) -> None:
    """Raise ConfigError for what scoring does and a format cannot hold, unless its name is in ``leave_out``.

    ``holds``: names of what the format can hold.

    >>> check_nothing_lost(ExportedModel((), more={"calibration": "a map to ratios"}), "ONNX", ["calibration"])
    """
    beyond = {name: about for name, about in model.more.items() if name not in holds}
    unknown = [name for name in leave_out if name not in beyond]
    if unknown:
        raise ConfigError(
            f"{unknown[0]!r} to leave out of this model; expected {', '.join(beyond) or 'nothing: all is held'}",
            arguments=("leave_out",),
        )
    lost = {name: about for name, about in beyond.items() if name not in leave_out}
    if lost:
        said = "; ".join(f"{name}: {about}" for name, about in lost.items())
        raise ConfigError(
            f"{form} cannot hold all that this model scores with ({said}). To export the rest, name what to leave out "
            f"(leave_out: {', '.join(lost)}); scores and decisions are then without it",
            arguments=("leave_out",),
        )
