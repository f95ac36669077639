"""Models of what is normal: trained on normal recordings alone, and measured on those left out in turn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from speechgmm.corpus import Corpus, Utterance
from speechgmm.corpus.splits import assign_folds
from speechgmm.engine.class_report import ClassReport
from speechgmm.engine.class_sizes import KEY, of_size, warn_of_few
from speechgmm.engine.extraction import extract
from speechgmm.engine.frames import Features, Piece, open_frames, pooled_moments
from speechgmm.engine.job import Job
from speechgmm.engine.mixtures import train_mixtures
from speechgmm.engine.run_folder import RunFolder
from speechgmm.engine.shared_settings import common_task, natural_order, variance_of
from speechgmm.errors import DataError, first_few
from speechgmm.features import Moments
from speechgmm.gmm import ModelSpec, class_rng
from speechgmm.parallel import in_parcels
from speechgmm.tasks.anomaly.codec import AnomalyFile
from speechgmm.tasks.anomaly.costs import NormalModel
from speechgmm.tasks.anomaly.models import AnomalyModel, NormalReference, far_out, reference_of, score_of
from speechgmm.tasks.anomaly.neighbours import NormalVectors, drawn_vectors
from speechgmm.tasks.anomaly.scoring import StreamValues, values_of_pieces
from speechgmm.tasks.anomaly.spec import AnomalySpec, StreamSpec

SCORED_AT_ONCE = 16
"""Recordings in a task."""

STREAM_KEY = "n_components in anomaly.streams"
"""Where a stream's own number of components is set."""

ALL = "all"
"""The one kind of normal recordings where there is one model for all."""

NAMED = 10
"""Recordings that a warning names."""


@dataclass(frozen=True, slots=True)
class TrainedAnomaly:
    """Models of what is normal, and how each mixture was trained."""

    file: AnomalyFile
    reports: tuple[ClassReport, ...]  # of the streams that have mixtures


def kind_of(utterance: Utterance, spec: AnomalySpec, label: str) -> str:
    """Which kind of normal recordings an utterance is compared with."""
    return ALL if spec.models == "one" else utterance.label(label)


def stream_jobs(job: Job) -> list[Job]:
    """The same job for each stream, with the stream's features and mixture."""
    config = job.experiment.config
    found = []
    for stream in config.section(AnomalySpec).streams:
        plain = replace(stream, features=None, n_components=None)
        model = replace(config.model, n_components=stream.n_components or config.model.n_components)
        if stream.method != "likelihood":  # one Gaussian, or no mixture at all
            model = ModelSpec(n_components=1, covariance="full", variance_floor=config.model.variance_floor)
        anomaly = replace(config.section(AnomalySpec), streams=(plain,), combine="max")
        own = replace(config, features=stream.features or config.features, model=model).with_section(anomaly)
        found.append(replace(job, experiment=replace(job.experiment, config=own)))
    return found


def extract_streams(job: Job) -> list[Features]:
    """Features of each stream, of the same utterances: those that all streams can use.

    Raises:
        DataError: As ``extract``.
    """
    streams = [extract(one) for one in stream_jobs(job)]
    rejected = dict(pair for features in streams for pair in features.rejected)
    if job.output is not None and rejected:
        RunFolder(job.output).put_rejected(rejected.items())
    silent = {utterance.id: utterance for features in streams for utterance in features.silent}
    out = rejected.keys() | silent.keys()
    kept = [features.where(lambda utterance: utterance.id not in out) for features in streams]
    whole = tuple(silent.values())
    return [replace(features, rejected=tuple(rejected.items()), silent=whole) for features in kept]


def train_anomaly(job: Job, streams: Sequence[Features]) -> TrainedAnomaly:
    """Train a model for each kind of normal recordings and stream, and measure them on recordings left out.

    Recordings (or groups) are left out in ``anomaly.folds`` parts; normalisation, transform and variance floor are
    those of all normal training recordings. Warns of recordings that stand far out: are they normal?

    Raises:
        FitError: Too few frames for the components.
        DataError: Too few recordings to be left out, or for the false alarm rate.
    """
    spec, label = job.experiment.config.section(AnomalySpec), streams[0].corpus.label
    training = [utterance for utterance, _ in streams[0].training()]
    kinds = [kind_of(utterance, spec, label) for utterance in training]
    names = sorted(set(kinds), key=natural_order)
    audio = tuple(features.audio for features in streams)
    with job.console.stage("train"):
        folds = _folds(job, streams[0].corpus, training, kinds)
        trained = [
            _train_stream(one, features, stream, _Kinds(names, kinds, folds))
            for one, features, stream in zip(stream_jobs(job), streams, spec.streams, strict=True)
        ]
        normal = {place: tuple(found[place][0] for found in trained) for place in trained[0]}
        tasks = [
            (normal[name, fold], _Places(training, streams, some))
            for name, fold in normal
            if fold is not None
            for some in in_parcels(
                [n for n, kind in enumerate(kinds) if kind == name and folds[n] == fold], SCORED_AT_ONCE
            )
        ]
        values: dict[int, StreamValues] = {}
        done = job.map(partial(values_of_pieces, audio, spec), [(own, places.pieces()) for own, places in tasks])
        tracked = job.console.track(done, len(tasks), "scoring the parts left out")
        for (_, places), found in zip(tasks, tracked, strict=True):
            values |= dict(zip(places.places, found, strict=True))
        models = {}
        for name in names:
            own = [n for n, kind in enumerate(kinds) if kind == name]
            reference = _reference(job, name, [training[n].id for n in own], [values[n] for n in own])
            models[name] = AnomalyModel(normal[name, None], reference)
    reports = tuple(
        replace(report, label=f"{name}, {stream.name}" if len(spec.streams) > 1 else name)
        for stream, found in zip(spec.streams, trained, strict=True)
        for name in names
        for report in [found[name, None][1]]
        if report is not None
    )
    return TrainedAnomaly(AnomalyFile(models, audio, spec, label), reports)


@dataclass(frozen=True, slots=True)
class _Places:
    """Some of the training recordings, by their numbers."""

    training: Sequence[Utterance]
    streams: Sequence[Features]
    places: Sequence[int]

    def pieces(self) -> dict[str, tuple[Piece, ...]]:
        """The pieces of each by its name, one for every stream."""
        own = [[pieces[0] for _, pieces in features.training()] for features in self.streams]
        return {self.training[place].id: tuple(pieces[place] for pieces in own) for place in self.places}


def _reference(job: Job, name: str, ids: Sequence[str], values: Sequence[StreamValues]) -> NormalReference:
    """The measure that recordings of one kind give; with warnings of those far out, and of too few."""
    spec = job.experiment.config.section(AnomalySpec)
    found = np.stack([one.values for one in values])
    curves = [[one.curves[number] for one in values] for number in range(len(spec.streams))]
    about = "" if name == ALL else f"{name!r}: "
    try:
        reference = reference_of(found, curves, spec)
    except DataError as error:
        raise DataError(f"{about}{error}") from None
    if reference.threshold.high is None:
        job.console.warn(
            f"{about}{len(ids)} normal recordings are few for a false alarm rate of {spec.false_alarm:g}: the "
            "interval of the threshold has no upper end"
        )
    scores = score_of(found, reference.centres, reference.scales, spec.combine)
    places = far_out(scores)
    if len(places):
        listed = first_few([f"{ids[place]} ({scores[place]:.2f})" for place in places], NAMED)
        job.console.warn(
            f"{about}{len(places)} of {len(ids)} normal training recordings stand far out (median score "
            f"{np.median(scores):.2f}): {listed}. Listen to them: if they hold anomalies, these are learnt as normal "
            "and the threshold is too high; then take them out and run again"
        )
    return reference


@dataclass(frozen=True, slots=True)
class _Kinds:
    """The kinds of normal recordings, and which kind and part each training recording is of."""

    names: Sequence[str]
    kinds: Sequence[str]
    folds: Sequence[int]

    def places(self) -> list[tuple[str, int | None]]:
        """Every kind on everything (None), and without each of its parts."""
        parts = {
            name: {fold for fold, kind in zip(self.folds, self.kinds, strict=True) if kind == name}
            for name in self.names
        }
        return [(name, without) for name in self.names for without in (None, *sorted(parts[name]))]

    def chosen(self, pieces: Sequence[tuple[Piece, ...]], name: str, without: int | None) -> tuple[Piece, ...]:
        """The pieces of one kind's recordings, but for those of a part."""
        every = zip(pieces, self.kinds, self.folds, strict=True)
        return tuple(piece for own, kind, fold in every if kind == name and fold != without for piece in own)


def _train_stream(
    job: Job, features: Features, stream: StreamSpec, kinds: _Kinds
) -> dict[tuple[str, int | None], tuple[NormalModel, ClassReport | None]]:
    """One stream's models: of every kind on everything (None), and without each part."""
    pieces = [own for _, own in features.grouped(job.experiment.config.corpus.group).training()]
    names, places = kinds.names, kinds.places()
    parts = {place: kinds.chosen(pieces, *place) for place in places}
    tasks = [parts[name, None] for name in names]
    measured = list(job.console.track(job.map(pooled_moments, tasks), len(tasks), "measuring the training split"))
    if stream.method == "neighbours":
        return _draw_vectors(job, stream, parts, dict(zip(names, measured, strict=True)))
    key = KEY if stream.n_components is None else STREAM_KEY
    counts = {name: part.count for name, part in zip(names, measured, strict=True)}
    common = common_task(job, counts, measured, key=key)
    n_features = len(common.floor)
    warn_of_few(job.console, common.spec, [counts], n_features, key, adaptable=False)
    # Without a part a mixture has as many components as with it: what is measured is the model that is kept.
    sized = {name: replace(common, spec=of_size(common.spec, counts[name], n_features)) for name in names}
    mixtures = [replace(sized[place[0]], label=place[0], pieces=own) for place, own in parts.items()]
    found = train_mixtures(job, mixtures, "training on normal recordings, and without each part of them")
    return dict(zip(places, found, strict=True))


def _draw_vectors(
    job: Job,
    stream: StreamSpec,
    parts: Mapping[tuple[str, int | None], tuple[Piece, ...]],
    measured: Mapping[str, Moments],
) -> dict[tuple[str, int | None], tuple[NormalModel, ClassReport | None]]:
    """Normal vectors of every kind, and without each part, in the standard deviations of all of the kind's frames."""
    scales = {name: np.sqrt(variance_of(job, [own], f"normal training ({name})")[1]) for name, own in measured.items()}
    tasks = [(scales[name], name, own) for (name, _), own in parts.items()]
    done = job.map(partial(_vectors_of, job.experiment.config.seed, stream.n_vectors), tasks)
    drawn = list(job.console.track(done, len(tasks), "drawing vectors of normal recordings"))
    for (name, without), vectors in zip(parts, drawn, strict=True):
        if len(vectors) < stream.n_neighbours:
            part = "" if without is None else "without the recordings of a part (anomaly.folds), "
            raise DataError(
                f"{'' if name == ALL else f'{name!r}: '}{part}{len(vectors)} normal vectors for n_neighbours: "
                f"{stream.n_neighbours} (anomaly.streams); set it lower, or give more normal recordings"
            )
    kept = sum(len(own) for own, (_, without) in zip(drawn, parts, strict=True) if without is None)
    there = sum(own.count for own in measured.values())
    job.console.say(f"stream {stream.name}: {kept} of {there} frames of normal recordings are kept as vectors")
    return {place: (own, None) for place, own in zip(parts, drawn, strict=True)}


def _vectors_of(seed: int, n_vectors: int, task: tuple[NDArray[np.float64], str, tuple[Piece, ...]]) -> NormalVectors:
    scales, name, pieces = task
    source, _ = open_frames(pieces, 0)  # of which only what is drawn is kept
    return drawn_vectors(source, n_vectors, scales, class_rng(seed, name))


def _folds(job: Job, corpus: Corpus, training: Sequence[Utterance], kinds: Sequence[str]) -> list[int]:
    """The part that each training recording is left out with. Raises DataError where a kind has but one part."""
    config = job.experiment.config
    spec = config.section(AnomalySpec)
    group = config.corpus.group if config.corpus.split.disjoint else None
    own = spec.models == "label"
    folds = assign_folds(corpus, training, spec.folds, group=group, seed=config.seed, classes=own)
    for name in dict.fromkeys(kinds):
        if len({fold for fold, kind in zip(folds, kinds, strict=True) if kind == name}) < 2:
            raise DataError(
                f"{'' if name == ALL else f'{corpus.label} {name!r}: '}all normal training recordings are one "
                f"{config.corpus.group if group else 'recording'}; scores of recordings not trained on need two at "
                f"least, and a threshold for a false alarm rate of {spec.false_alarm:g} many more"
            )
    return folds
