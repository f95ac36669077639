"""What recognition adds to a configuration, and what it refuses."""

from speechgmm.config import Config, Section, TaskSettings
from speechgmm.errors import ConfigError
from speechgmm.hmm.recognition_spec import RecognitionSpec
from speechgmm.hmm.spec import HMMSpec


def check(config: Config) -> None:
    """Every frame has its place in time; raise ConfigError for what does not fit that."""
    if config.chooses_frames:
        raise ConfigError(
            "recognition takes whole recordings: kind mfcc or lfcc and vad: none (features); for pauses there is "
            "recognition.silence"
        )
    transform = config.features.transform
    if transform.kind == "lda" and not transform.mllt:
        raise ConfigError(
            "features.transform.kind: lda alone makes recognition worse: it leaves the dimensions of each state "
            "correlated, and their covariances are diagonal; set features.transform.mllt: true as well"
        )
    if transform.kind == "pca":
        raise ConfigError("features.transform.kind: pca is not there for recognition; take lda with mllt, or mllt")


SETTINGS = TaskSettings(
    sections=(
        Section("hmm", HMMSpec, "recognition: the hidden Markov model of every unit; takes the place of model"),
        Section("recognition", RecognitionSpec, "recognition: transcripts, pronunciations, language"),
    ),
    reads=("features.transform",),
    check=check,
)
