"""What variational Bayes knows of a class before it has seen a frame: from settings, or from a model trained before."""

from collections.abc import Iterable
from dataclasses import fields

from speechgmm.engine.audio_input import AudioInput
from speechgmm.engine.job import Job
from speechgmm.errors import ConfigError, first_few
from speechgmm.gmm import BayesianGMM
from speechgmm.io.run_files import model_file
from speechgmm.tasks.classification.codec import read_model_file


def learnt_priors(job: Job, audio: AudioInput, labels: Iterable[str]) -> dict[str, BayesianGMM]:
    """The posteriors of these classes in the model ``model.prior_from``; none where that is not set.

    Raises:
        ConfigError: A model without posteriors, of another front end, label or size, or without one of the classes.
        ModelFileError: The file cannot be read.
    """
    spec = job.experiment.config.model
    if spec.prior_from is None:
        return {}
    path = model_file(job.experiment.beside(spec.prior_from))
    file = read_model_file(path)
    where = f"model.prior_from: {path}"
    if file.models.bayesian is None:
        raise ConfigError(
            f"{where} has no posteriors, it was not trained with model.estimator: variational; train it so, or adapt "
            "from a background model (model.adapt: map)"
        )
    _check_front_end(where, file.audio, audio)
    known = dict(zip(file.models.labels, file.models.bayesian, strict=True))
    wanted = list(labels)
    missing = [label for label in wanted if label not in known]
    if missing or file.label != job.corpus.label:
        raise ConfigError(
            f"{where} is of {len(known)} classes ({file.label}) and lacks {first_few(missing, 10) or 'none'} of those "
            f"({job.corpus.label}) to be trained; a prior is the posterior of the same class"
        )
    asked = spec.n_components
    sizes = sorted({posterior.n_components for posterior in known.values()})
    if asked is not None and sizes != [asked]:
        raise ConfigError(
            f"{where} has {' and '.join(map(str, sizes))} components, and model.n_components is {asked}; leave that "
            "out: a posterior has as many components as its prior"
        )
    unused = [label for label in known if label not in wanted]
    if unused:
        job.console.warn(
            f"{where}: {len(unused)} of its classes have no training recordings here: {first_few(unused, 10)}"
        )
    return {label: known[label] for label in wanted}


def _check_front_end(where: str, theirs: AudioInput | None, ours: AudioInput) -> None:
    if theirs is None:
        raise ConfigError(f"{where} was trained on frames and does not say how they were made; train it with `run`")
    if theirs.normalisation is not None or theirs.transform is not None or ours.transform is not None:
        raise ConfigError(
            f"{where}: its frames were normalised or transformed by what was learnt from its own recordings (cmvn: "
            "global, features.transform), and those of this training are by others; use cmvn: none or utterance, and "
            "no transform"
        )
    pairs: list[tuple[str, object, object]]
    pairs = [(field.name, theirs.features, ours.features) for field in fields(ours.features)]
    pairs += [(name, theirs, ours) for name in ("sample_rate", "channel")]
    other = [
        f"{name}: {getattr(one, name)}, here {getattr(another, name)}"
        for name, one, another in pairs
        if getattr(one, name) != getattr(another, name)
    ]
    if other:
        raise ConfigError(
            f"{where} was trained on other features ({'; '.join(other)}); a posterior says something of frames that "
            "are made in the same way alone"
        )
