"""``score``: the options of all kinds of model files together, and the command of the kind that is given."""

from inspect import Parameter, Signature
from pathlib import Path
from typing import Any

from speechgmm.cli.app import Command, fields_of
from speechgmm.errors import ConfigError
from speechgmm.io.model_kinds import ModelKind, model_kinds
from speechgmm.io.run_files import model_file


def score(model: Path, **given: Any) -> Command:
    """Score new recordings against a model: ranked classes with log-likelihood per frame, posterior and margin.

    A calibrated verification model adds log-likelihood ratios, and decides for "unknown" below its threshold. An
    anomaly-detection model gives anomaly scores, whether a recording is anomalous, and when. A segment model scores
    the segments that --segments lists.
    """
    from speechgmm.io.container import kind_of

    kind = kind_of(model_file(model))
    fields, options = _options(kind if kind in _kinds() else _kinds()[0]), {"model": model}
    for name, value in given.items():
        if name in fields:
            options[name] = value
        elif value != _ALL[name].default:
            others = " or ".join(dict.fromkeys(one.holds for one in _kinds() if name in _options(one)))
            raise ConfigError(f"--{name} is for {others}, and {model} holds {kind.holds}; leave it out")
    command: Command = _made(kind if kind in _kinds() else _kinds()[0])(**options)
    return command


def _kinds() -> list[ModelKind]:
    """The kinds of model files that are scored with; the first refuses files of the others."""
    return [kind for kind in model_kinds() if kind.command == "score"]


def _made(kind: ModelKind) -> Any:
    return kind.function("command:Score")


def _options(kind: ModelKind) -> dict[str, Parameter]:
    return fields_of(_made(kind))


_ALL: dict[str, Parameter] = {name: field for kind in reversed(_kinds()) for name, field in _options(kind).items()}
score.__signature__ = Signature(list(_ALL.values()))  # type: ignore[attr-defined]
score.__annotations__ = {name: field.annotation for name, field in _ALL.items()}
