"""Metrics of anomaly detection: how well scores tell what is anomalous, and what the threshold does."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from speechgmm.engine.frames import Features
from speechgmm.engine.job import Job
from speechgmm.errors import DataError, first_few
from speechgmm.evaluation import Metric, auc, interval, pauc, rank_trials, ratio
from speechgmm.evaluation.metric import Metrics
from speechgmm.evaluation.resampling import Statistic
from speechgmm.evaluation.roc_area import MAX_FALSE_ALARM
from speechgmm.io.tables import table
from speechgmm.parallel import in_parcels
from speechgmm.tasks.anomaly.codec import AnomalyFile
from speechgmm.tasks.anomaly.domains import domain_metrics
from speechgmm.tasks.anomaly.scoring import AnomalyScore, about, compared, silence_found, values_of_pieces
from speechgmm.tasks.anomaly.training import NAMED, SCORED_AT_ONCE, kind_of

Floats = NDArray[np.float64]

CURVES_KEPT = 8
"""Recordings whose curves a run keeps: those with the highest scores."""


@dataclass(frozen=True, slots=True)
class AnomalyScores:
    """The test recordings, each with its anomaly score."""

    ids: tuple[str, ...]
    kinds: tuple[str, ...]  # of normal recordings, that each is compared with
    conditions: tuple[str, ...]  # normal, or what else
    groups: tuple[str, ...]
    found: tuple[AnomalyScore, ...]
    domains: tuple[str, ...] = ()  # such as source and target; "": not said. Empty: nobody says one

    @property
    def scores(self) -> Floats:
        """Of all, (N,)."""
        return np.array([one.score for one in self.found])


@dataclass(frozen=True, slots=True)
class AnomalyEvaluation:
    """Metrics of an anomaly run."""

    metrics: Metrics
    folds: Mapping[str, Metrics]  # empty: there are none
    kinds: Mapping[str, Metrics]  # of each kind of normal recordings; empty where there is one
    conditions: Mapping[str, Metrics]  # of each kind of anomaly against all normal recordings; empty where there is one
    domains: Mapping[str, Metrics] = field(default_factory=dict)  # of each domain's normal recordings against anomalies


def score_anomalies(job: Job, streams: Sequence[Features], file: AnomalyFile) -> AnomalyScores:
    """Score the split ``test``. Raises DataError, with the recording, where a score would be NaN or infinite."""
    spec, label, group = file.spec, file.label, job.experiment.config.corpus.group
    heard = [utterance for utterance, _ in streams[0].of_split("test")]
    tests = [*heard, *streams[0].silent]
    own = [[piece for _, piece in features.of_split("test")] for features in streams]
    kinds = [kind_of(utterance, spec, label) for utterance in tests]
    found: dict[int, AnomalyScore] = {}
    with job.console.stage("score"):
        parcels = []
        for kind in file.models:
            places = [n for n, name in enumerate(kinds[: len(heard)]) if name == kind]
            parcels += [(kind, parcel) for parcel in in_parcels(places, SCORED_AT_ONCE)]
        tasks = [
            (file.models[kind].normal, {tests[n].id: tuple(pieces[n] for pieces in own) for n in places})
            for kind, places in parcels
        ]
        done = job.console.track(
            job.map(partial(values_of_pieces, file.audio, spec), tasks), len(tasks), "scoring the test split"
        )
        for (kind, parcel), values in zip(parcels, done, strict=True):
            for n, one in zip(parcel, values, strict=True):
                with about(tests[n].id):
                    found[n] = compared(one, file.models[kind], spec)
        found |= {n: silence_found(file.models[kinds[n]], spec) for n in range(len(heard), len(tests))}
    if streams[0].silent:
        names = first_few([one.id for one in streams[0].silent], NAMED)
        job.console.warn(
            f"{len(streams[0].silent)} of {len(tests)} test recordings are digital silence throughout, and count as "
            f"more anomalous than any other (score inf): {names}"
        )
    domains = tuple((utterance.labels or {}).get(spec.domain, "") for utterance in tests)
    return AnomalyScores(
        tuple(utterance.id for utterance in tests),
        tuple(kinds),
        tuple(utterance.label(spec.condition) for utterance in tests),
        tuple(utterance.label(group) for utterance in tests) if group else (),
        tuple(found[n] for n in range(len(tests))),
        domains if any(domains) else (),
    )


def evaluate_anomalies(scores: AnomalyScores, normal: str, *, seed: int = 0) -> AnomalyEvaluation | None:
    """AUC and partial AUC with intervals, and the rates at the threshold; None where nothing was tested.

    With several kinds of normal recordings the areas are the mean of each kind's own (as in DCASE's task 2), since
    scores of different models are not measured alike. Rates are of all recordings. Intervals are over groups
    (``corpus.group``), else over recordings taken as independent.
    """
    if not scores.ids:
        return None
    every = np.arange(len(scores.ids))
    kinds, conditions = np.array(scores.kinds), np.array(scores.conditions)
    anomalies = list(dict.fromkeys(name for name in scores.conditions if name != normal))
    names = list(dict.fromkeys(scores.kinds))
    groups = np.unique(scores.groups or every, return_inverse=True)[1]

    def bounded(statistic: Statistic, is_anomalous: NDArray[np.bool_], chosen: NDArray[np.intp]) -> Metric:
        return area_metric(statistic, is_anomalous, _numbered(groups[chosen]), bool(scores.groups), seed)

    domains, together = domain_metrics(scores, normal, bounded)
    return AnomalyEvaluation(
        {**_metrics(scores, normal, every, seed), **together},
        {},
        {} if len(names) < 2 else {name: _metrics(scores, normal, every[kinds == name], seed) for name in names},
        {}
        if len(anomalies) < 2
        else {
            name: _metrics(scores, normal, every[(conditions == name) | (conditions == normal)], seed)
            for name in sorted(anomalies)
        },
        domains,
    )


def _metrics(scores: AnomalyScores, normal: str, chosen: NDArray[np.intp], seed: int) -> dict[str, Metric]:
    """Metrics of some of the test recordings; those that they cannot give are not there."""
    values = scores.scores[chosen]
    is_anomalous = np.array([scores.conditions[n] != normal for n in chosen])
    called = np.array([scores.found[n].anomalous for n in chosen])
    kinds = np.array([scores.kinds[n] for n in chosen])
    groups = np.unique([scores.groups[n] for n in chosen] if scores.groups else chosen, return_inverse=True)[1]
    metrics: dict[str, Metric] = {}
    named = bool(scores.groups)
    parts = [np.flatnonzero(kinds == name) for name in dict.fromkeys(kinds)]
    if all(is_anomalous[part].any() and not is_anomalous[part].all() for part in parts):
        for name, area in (("auc", auc), ("pauc", pauc)):
            statistic: Statistic = _mean_area(area, values, is_anomalous, parts)
            metrics[name] = area_metric(statistic, is_anomalous, groups, named, seed)
        metrics["pauc"] = replace(metrics["pauc"], more={"max_false_alarm": MAX_FALSE_ALARM})
    for name, chosen_kind in (("detection_rate", is_anomalous), ("false_alarm_rate", ~is_anomalous)):
        if chosen_kind.any():
            right = called[chosen_kind]
            share = ratio(right.astype(float), np.ones(len(right)))
            # The groups of these recordings alone: the others say nothing of the rate, however many there are.
            own = _numbered(groups[chosen_kind])
            metrics[name] = _bounded(Metric(float(right.mean()), len(right), "fraction"), share, own, named, seed)
    return metrics


def area_metric(
    statistic: Statistic, is_anomalous: NDArray[np.bool_], groups: NDArray[np.intp], named: bool, seed: int
) -> Metric:
    """An area of recordings, or a mean of several, with its interval; ``named``: groups are no single recordings."""
    value = statistic(np.ones(len(is_anomalous)))
    metric = Metric(value, len(is_anomalous), "fraction")
    if value in (0.0, 1.0):  # no spread to go by: as many items as of the rarer side, the other adds nothing
        rarer = min((groups[is_anomalous], groups[~is_anomalous]), key=lambda side: len(np.unique(side)))
        statistic, groups = ratio(np.full(len(rarer), value), np.ones(len(rarer))), _numbered(rarer)
    return _bounded(metric, statistic, groups, named, seed)


def _numbered(groups: NDArray[np.intp]) -> NDArray[np.intp]:
    """The same groups, numbered from 0 without a gap."""
    return np.unique(groups, return_inverse=True)[1]


def _mean_area(
    area: Callable[..., float], values: Floats, is_anomalous: NDArray[np.bool_], parts: Sequence[NDArray[np.intp]]
) -> Callable[[Floats], float]:
    """The mean of an area over parts of the recordings, under weights of all; raises DataError where one has none."""
    ranked = [rank_trials(values[part], is_anomalous[part]) for part in parts]

    def statistic(weights: Floats) -> float:
        return float(np.mean([area(trials, weights[part]) for trials, part in zip(ranked, parts, strict=True)]))

    return statistic


def area_of_items(items: Sequence[tuple[str, ...]], normal: str) -> Statistic:
    """The AUC of recordings (condition, class, score), the mean of each class's own; the metric of the run.

    Raises:
        DataError: No recordings; a class without a normal or without an anomalous one.
    """
    if not items:
        raise DataError("no AUC to compare: nothing was tested")
    conditions, kinds, scores = (np.array(column) for column in zip(*items, strict=True))
    is_anomalous, parts = conditions != normal, [np.flatnonzero(kinds == name) for name in dict.fromkeys(kinds)]
    for part in parts:
        if is_anomalous[part].all() or not is_anomalous[part].any():
            raise DataError(
                f"no AUC to compare: the test recordings of {str(kinds[part[0]])!r} are all "
                f"{'anomalous' if is_anomalous[part].any() else 'normal'}, and it needs both"
            )
    return _mean_area(auc, scores.astype(np.float64), is_anomalous, parts)


def _bounded(metric: Metric, statistic: Statistic, groups: NDArray[np.intp], named: bool, seed: int) -> Metric:
    """The metric with its interval; without one where a part has no recording of either kind under the weights."""
    try:
        found = metric.within(interval(statistic, groups, seed=seed))
    except DataError:
        return metric
    return found if named else found.by_items("recordings")


def anomaly_table(scores: AnomalyScores, file: AnomalyFile) -> str:
    """``scores.tsv``: the score of every test recording, the threshold, the decision and when it is highest."""
    columns = [
        stream.name if len(stream.sides) == 1 else f"{stream.name} ({side})"
        for stream in file.spec.streams
        for side in stream.sides
    ]
    head = ("id", "class", "condition", "score", "threshold", "decision", "p_value", "start", "end", "n_frames")
    rows = (
        (
            name,
            kind,
            condition,
            f"{one.score:.6f}",
            f"{one.threshold:.6f}",
            one.decision(file),
            f"{one.p_value:.6f}",
            f"{one.start:.3f}",
            f"{one.end:.3f}",
            one.n_frames,
            *(f"{value:.6f}" for value in one.values),
        )
        for name, kind, condition, one in zip(scores.ids, scores.kinds, scores.conditions, scores.found, strict=True)
    )
    return table((*head, *columns), rows)


def thresholds_table(file: AnomalyFile) -> str:
    """``thresholds.tsv``: from where on recordings of each kind are anomalous, and how sure that is."""
    head = ("class", "n", "false_alarm", "threshold", "low", "high", "rate_low", "rate_high", "median")

    def shown(value: float | None) -> str:
        return "" if value is None else f"{value:.6f}"

    rows = (
        (
            kind,
            one.n,
            f"{one.false_alarm:g}",
            *map(shown, (one.value, one.low, one.high, one.rate_low, one.rate_high)),
            shown(float(np.median(model.reference.scores))),
        )
        for kind, model in file.models.items()
        for one in [model.reference.threshold]
    )
    return table(head, rows)


def normal_table(file: AnomalyFile) -> str:
    """``normal.tsv``: scores of the normal training recordings, each under models that were not trained on it."""
    rows = ((kind, f"{score:.6f}") for kind, model in file.models.items() for score in model.reference.scores)
    return table(("class", "score"), rows)


def curves_of_worst(scores: AnomalyScores) -> Mapping[str, AnomalyScore]:
    """The recordings with the highest scores over their thresholds, the highest first."""
    heard = [n for n, one in enumerate(scores.found) if not one.silent]
    order = sorted(heard, key=lambda n: scores.found[n].threshold - scores.found[n].score)
    return {scores.ids[n]: scores.found[n] for n in order[:CURVES_KEPT]}


def curves_table(found: Mapping[str, AnomalyScore]) -> str:
    """``curves.tsv``: when recordings are anomalous: time (s) and anomaly score, one row per value."""
    rows = (
        (name, f"{time:.3f}", f"{value:.4f}")
        for name, one in found.items()
        for time, value in zip(one.grid, one.curve, strict=True)
    )
    return table(("id", "time", "anomaly_score"), rows)
