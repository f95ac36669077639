"""Whether a model is one of what is normal: then ``score`` looks for anomalies."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from speechgmm.errors import ConfigError
from speechgmm.io.container import kind_of


def score_if_anomaly_model(
    model: Path,
    audio: Sequence[Path],
    *,
    label: str | None,
    curve: Path | None,
    refused: Mapping[str, object],
    form: str,
    resample: bool,
    jobs: int,
    quiet: bool,
) -> int | None:
    """As `find_and_print` where the model is one of what is normal, else None: another's to score.

    Raises:
        ConfigError: Options that the model has no use for (``refused``: their values, None where not given).
    """
    path = model / "models.safetensors" if model.is_dir() else model
    if kind_of(path) != "anomaly":
        given = [name for name, value in (("--label", label), ("--curve", curve)) if value is not None]
        if given:
            raise ConfigError(f"{', '.join(given)}: for a model of what is normal (task: anomaly); {path} is none")
        return None
    given = [name for name, value in refused.items() if value is not None]
    if given:
        raise ConfigError(
            f"{', '.join(given)}: of no use for a model of what is normal, which looks at whole recordings"
        )
    from speechgmm.tasks.anomaly.command import find_and_print  # and what it needs, which other models do not

    return find_and_print(path, audio, label=label, form=form, curve=curve, resample=resample, jobs=jobs, quiet=quiet)
