"""What clustering adds to a configuration, and what it refuses."""

from speechgmm.config import Config, ParallelSpec, Section, TaskSettings
from speechgmm.errors import ConfigError
from speechgmm.gmm.spec import OF_ADAPTATION, ModelSpec
from speechgmm.tasks.clustering.spec import ClusteringSpec


def check(config: Config) -> None:
    """The background model is trained on one of two parts of the corpus, and needs the settings of that part alone."""
    model, spec = config.model, config.section(ClusteringSpec)
    if spec.background == "corpus" and model.adapt != "map":
        raise ConfigError(
            f"model.adapt is {model.adapt}, and task: clustering measures recordings by a background model; set "
            "model.adapt: map (and model.ubm) to train it on the corpus, or clustering.background: own to train it on "
            "the recordings that are clustered"
        )
    if spec.background == "own" and model != ModelSpec():
        raise ConfigError(
            "model has no effect with clustering.background: own, whose background model has 2 to 64 Gaussians by its "
            "frames; leave it out, or set clustering.background: corpus"
        )
    default = ModelSpec()
    for name in OF_ADAPTATION:
        if name != "ubm" and getattr(model, name) != getattr(default, name):
            raise ConfigError(
                f"model.{name} has no effect with task: clustering, which adapts no classes; for recordings there is "
                "clustering.relevance"
            )
    features = config.features
    if spec.background == "own" and (features.cmvn == "global" or features.transform.kind != "none"):
        raise ConfigError(
            "features.cmvn: global and features.transform are learnt from a training part, and with "
            "clustering.background: own there is none; set features.cmvn: utterance or none, and leave "
            "features.transform out"
        )
    if spec.background == "own" and config.parallel.memory != ParallelSpec().memory:
        raise ConfigError(
            "parallel.memory has no effect with clustering.background: own, which trains from frames in memory; leave "
            "it out, or set clustering.background: corpus"
        )


SETTINGS = TaskSettings(
    sections=(Section("clustering", ClusteringSpec, "clustering: how recordings become clusters, and by what"),),
    reads=("model", "features.transform", "parallel.memory"),
    check=check,
)
