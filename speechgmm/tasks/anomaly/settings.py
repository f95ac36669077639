"""What anomaly detection adds to a configuration, and what it refuses."""

from dataclasses import fields

from speechgmm.config import Config, Section, TaskSettings
from speechgmm.errors import ConfigError
from speechgmm.features.kinds import are_given, kind_name
from speechgmm.features.spec import FeatureSpec
from speechgmm.gmm import ModelSpec
from speechgmm.tasks.anomaly.spec import AnomalySpec, Method


def check(config: Config) -> None:
    """Models of normal recordings stand alone, and every frame has its place in time."""
    if config.model.adapt != "none":
        raise ConfigError(
            "model.adapt is not available for task: anomaly, whose models are not adapted from a background model; "
            "leave it out"
        )
    if config.model.estimator == "variational":
        raise ConfigError(
            "model.estimator: variational is not available for task: anomaly, which scores by a mixture and not by the "
            "predictive density; take em or gradient"
        )
    streams = config.section(AnomalySpec).streams
    _check_model(config.model, {stream.method for stream in streams})
    if all(stream.features is not None for stream in streams) and config.features != FeatureSpec():
        raise ConfigError("features has no effect: every one of anomaly.streams has its own features; leave it out")
    for stream in streams:
        features = stream.features or config.features
        if are_given(features) != are_given(config.features):
            raise ConfigError(
                f"anomaly, stream {stream.name!r}: features.kind is {kind_name(features)}, and that of the "
                f"configuration {kind_name(config.features)}; a corpus has recordings or given frames, for all streams "
                "alike: set features.kind of both to given, or of neither"
            )
        if config.chooses_frames or features.marks_speech or features.cmvn == "speaker":
            raise ConfigError(
                f"anomaly, stream {stream.name!r}: features.kind: {kind_name(features)}, features.vad: {features.vad}, "
                f"corpus.vad: {config.corpus.vad or 'null'}, features.cmvn: {features.cmvn}; recordings are scored "
                "whole, and not by speaker: take a kind such as mfcc, vad: none, cmvn: utterance, global or none, and "
                "leave corpus.vad out"
            )
        if features.transform.kind in ("lda", "mllt"):
            raise ConfigError(
                f"anomaly, stream {stream.name!r}: features.transform.kind: {features.transform.kind} learns from "
                "classes, of which there are none; take pca"
            )


def _check_model(model: ModelSpec, methods: set[Method]) -> None:
    """Refuse settings of mixtures where no stream has any, or a Gaussian alone."""
    if "likelihood" in methods:
        return
    read = {"variance_floor"} if "mahalanobis" in methods else set()
    for field in fields(model):
        if field.name not in read and getattr(model, field.name) != field.default:
            raise ConfigError(
                f"model.{field.name} has no effect with method: {' and '.join(sorted(methods))} in anomaly.streams "
                "(mahalanobis is one Gaussian with a full covariance, neighbours has no mixture); leave it out"
            )


SETTINGS = TaskSettings(
    sections=(Section("anomaly", AnomalySpec, "anomaly: what is normal, scores, and the threshold"),),
    reads=("model", "features.transform", "parallel.memory"),
    check=check,
)
