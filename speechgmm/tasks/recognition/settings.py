"""What recognition adds to a configuration, and what it refuses."""

from speechgmm.config import Config, Section, TaskSettings
from speechgmm.errors import ConfigError
from speechgmm.hmm.recognition_spec import RecognitionSpec
from speechgmm.hmm.spec import HMMSpec


def check(config: Config) -> None:
    """Every frame has its place in time; raise ConfigError for what does not fit that."""
    if config.chooses_frames:
        raise ConfigError(
            f"{config.frame_choice}; recognition takes whole recordings, in which every frame counts: take a kind such "
            "as mfcc, vad: none, and leave corpus.vad out; for pauses there is recognition.silence"
        )
    if config.section(HMMSpec).adapt == "sat" and config.corpus.group is None:
        raise ConfigError(
            "hmm.adapt: sat trains on the speakers of corpus.group, which is not set; name the column of the speakers, "
            "or take hmm.adapt: fmllr"
        )
    transform = config.features.transform
    if transform.kind == "lda" and not transform.mllt:
        raise ConfigError(
            "features.transform.kind: lda alone makes recognition worse: it leaves the dimensions of each state "
            "correlated, and their covariances are diagonal; set features.transform.mllt: true as well"
        )
    if transform.kind == "pca":
        raise ConfigError("features.transform.kind: pca is not available for recognition; take lda with mllt, or mllt")
    hmm, recognition = config.section(HMMSpec), config.section(RecognitionSpec)
    if hmm.context == "triphone" and recognition.dictionary is None:
        raise ConfigError(
            "hmm.context: triphone is of phones in words, and there is no recognition.dictionary: every label is a "
            "unit, whose neighbours are those of another word; give a dictionary, or leave context: none"
        )
    if hmm.total_components is not None and hmm.context == "none" and transform.kind == "none":
        raise ConfigError(
            f"hmm.total_components is {hmm.total_components}, and states share a number of Gaussians with hmm.context: "
            "triphone or a features.transform alone; set one of them, or give hmm.n_components"
        )


SETTINGS = TaskSettings(
    sections=(
        Section("hmm", HMMSpec, "recognition: the hidden Markov model of every unit; used instead of model"),
        Section("recognition", RecognitionSpec, "recognition: transcripts, pronunciations, language"),
    ),
    reads=("features.transform",),
    check=check,
)
