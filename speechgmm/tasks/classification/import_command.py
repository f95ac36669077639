"""``import-model``: mixtures of Kaldi become models of classes."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from speechgmm.errors import ConfigError, DataError

if TYPE_CHECKING:
    from speechgmm.engine.audio_input import AudioInput
    from speechgmm.gmm import DiagGMM

PICKLES = (".pkl", ".pickle", ".joblib")


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """Make a model file of mixtures that Kaldi trained: final.mdl, or a DiagGmm for each class."""

    files: Annotated[
        list[Path],
        typer.Argument(
            help="one AmDiagGmm or final.mdl, whose pdfs become classes; or a DiagGmm for each class", metavar="KALDI"
        ),
    ]
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="the model file to write")]
    labels: Annotated[
        Path | None,
        typer.Option(
            "--labels",
            metavar="FILE",
            help="names of the classes, one a line, in order; default: pdf-0, pdf-1, ..., or the names of the files",
        ),
    ] = None
    background: Annotated[
        Path | None,
        typer.Option("--background", metavar="KALDI", help="the background model of claims, a DiagGmm (final.dubm)"),
    ] = None
    features: Annotated[
        Path | None,
        typer.Option(
            "--features",
            metavar="CONFIG",
            help="a configuration whose features and sample rate the mixtures were trained with; without it the model "
            "scores frames alone, in Python",
        ),
    ] = None

    def run(self) -> None:
        """Write the model file, and print what it holds.

        Raises:
            ConfigError: Features that depend on training data, or of another number of dimensions than the mixtures.
            DataError: A file cannot be read; labels that are not one for each class, each once.
        """
        import numpy as np

        from speechgmm import __version__
        from speechgmm.io.model_card import LABELS_NAMED, ModelCard
        from speechgmm.tasks.classification.codec import save_models
        from speechgmm.tasks.classification.models import ClassModels

        labels, mixtures = self._classes()
        ubm = None
        if self.background is not None:
            found = _read(self.background)
            if len(found) != 1:
                raise DataError(f"{self.background}: {len(found)} mixtures; expected one background model, a DiagGmm")
            ubm = found[0]
        models = ClassModels(labels, mixtures, np.full(len(labels), -np.log(len(labels))), ubm=ubm)
        audio = None if self.features is None else _audio(self.features, mixtures[0].n_features)
        card = ModelCard(__version__, "import-model, from mixtures of Kaldi", labels=labels[:LABELS_NAMED])
        save_models(models, self.out, audio=audio, card=card)
        n_components = sum(mixture.n_components for mixture in mixtures)
        print(f"{self.out}: {len(labels)} classes, {n_components} components, {mixtures[0].n_features} dimensions")

    def _classes(self) -> "tuple[tuple[str, ...], tuple[DiagGMM, ...]]":
        """The classes and their mixtures."""
        found = [_read(path) for path in self.files]
        if len(found) > 1 and max(map(len, found)) > 1:
            path = next(path for path, mixtures in zip(self.files, found, strict=True) if len(mixtures) > 1)
            raise DataError(f"{path}: an AmDiagGmm beside other files; expected one AmDiagGmm, or files of one mixture")
        mixtures = tuple(mixture for several in found for mixture in several)
        if self.labels is None:
            is_am = len(mixtures) > len(self.files)
            return tuple(f"pdf-{n}" if is_am else self.files[n].stem for n in range(len(mixtures))), mixtures
        from speechgmm.io.text_file import read_text_file

        lines = read_text_file(self.labels, "a list of labels").splitlines()
        labels = tuple(line.strip() for line in lines if line.strip())
        if len(labels) != len(mixtures):
            raise DataError(f"{self.labels}: {len(labels)} labels of {len(mixtures)} mixtures; expected one for each")
        return labels, mixtures


def _read(path: Path) -> "tuple[DiagGMM, ...]":
    from speechgmm.io.kaldi_models import read_kaldi_models

    if path.suffix in PICKLES:
        raise DataError(
            f"{path}: a pickle, which runs code of whoever wrote it when it is opened. Where you trust it, open it "
            "yourself, convert it by speechgmm.sklearn.from_sklearn, and write it by speechgmm.save_models"
        )
    return read_kaldi_models(path)


def _audio(config: Path, n_dims: int) -> "AudioInput":
    """How recordings become frames, by a configuration."""
    from speechgmm.config import load_config
    from speechgmm.engine.audio_input import AudioInput
    from speechgmm.features.kinds import are_given, feature_kind

    settings = load_config(config).config
    spec = settings.features
    if spec.cmvn == "global" or spec.transform.kind != "none":
        raise ConfigError(
            f"{config}: features.cmvn: {spec.cmvn}, features.transform.kind: {spec.transform.kind}; expected features "
            "that need no training data (cmvn: none, utterance or speaker; transform.kind: none)"
        )
    corpus, rate = settings.corpus, feature_kind(spec).clock or settings.corpus.rate()
    if are_given(spec):
        spec = replace(spec, n_dims=spec.n_dims or n_dims // (1 + spec.deltas))
    audio = AudioInput(spec, rate, corpus.channel, corpus.resample)
    if audio.n_dims != n_dims:
        raise ConfigError(
            f"{config}: features of {audio.n_dims} dimensions, and the mixtures have {n_dims}; expected the features "
            "that the mixtures were trained with"
        )
    return audio
