"""What diarization adds to a configuration, and what it refuses."""

from speechgmm.config import Config, Section, TaskSettings
from speechgmm.errors import ConfigError
from speechgmm.features.augment import AugmentSpec
from speechgmm.tasks.diarization.spec import DiarizerSpec, WindowVbxSpec


def check(config: Config) -> None:
    """Speakers are kept apart, and frames of speech have a time; raise ConfigError for what does not fit that."""
    features, corpus, spec = config.features, config.corpus, config.section(DiarizerSpec)
    if features.kind == "f0" or features.vad == "none" or features.cmvn != "none":
        raise ConfigError(
            "task: diarization takes cepstra of speech as they are, since the microphone helps to tell speakers apart; "
            "set features.kind mfcc or lfcc, features.vad: energy and features.cmvn: none, as configs/diarization.yaml "
            "does"
        )
    if corpus.group is None or not corpus.split.disjoint:
        raise ConfigError(
            "task: diarization tests speakers who were never heard in training; set corpus.group to the column of the "
            "speakers (corpus.group: speaker), and leave corpus.split.disjoint at true"
        )
    if spec.references is not None and corpus.split.kind != "column":
        raise ConfigError(
            f"diarization.references is for corpus.split: column, where the recordings in it are the split test; the "
            f"split is {corpus.split.kind}: set column, or leave the references out to test on made conversations"
        )
    if spec.vbx != WindowVbxSpec() and spec.method != "vbx":
        raise ConfigError("diarization.vbx has settings, and diarization.method is merging; set method: vbx")
    if spec.turns_from is not None and spec.turns != "natural":
        raise ConfigError(
            "diarization.turns_from gives statistics, and diarization.turns is uniform; set turns: natural"
        )
    if spec.overlap == "detect" and spec.turns != "natural":
        raise ConfigError(
            "diarization.overlap: detect learns from overlap, and turns: uniform has none; set turns: natural"
        )
    if spec.uem is not None and spec.references is None:
        raise ConfigError(
            "diarization.uem names stretches of the recordings in diarization.references, and there are none; set both"
        )
    if config.augment != AugmentSpec():
        raise ConfigError("augment is not available for task: diarization, which learns from recordings as they are")


SETTINGS = TaskSettings(
    sections=(Section("diarization", DiarizerSpec, "diarization: how a diarizer is trained and tested"),),
    check=check,
)
