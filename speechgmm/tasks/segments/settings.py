"""What segment models add to a configuration, and what they refuse."""

from speechgmm.config import Config, Section, TaskSettings
from speechgmm.errors import ConfigError
from speechgmm.tasks.classification.settings import check_decision
from speechgmm.tasks.segments.spec import SegmentSpec


def check(config: Config) -> None:
    """Raise ConfigError for what cannot be asked for together."""
    if config.chooses_frames:
        raise ConfigError(
            f"{config.frame_choice}; expected settings by which every frame of a recording counts, because segments "
            "have their places in time: take a kind such as mfcc, vad: none, and leave corpus.vad out"
        )
    check_decision(config)


SETTINGS = TaskSettings(
    sections=(
        Section(
            "segments",
            SegmentSpec,
            "classification of segments with known boundaries (phones) by several models of a segment, combined; takes "
            "the place of model; {} for its defaults",
            optional=True,
        ),
    ),
    reads=("corpus.target", "decision"),
    check=check,
)
