"""Anomaly detection under domain shift: the AUC of each domain, and their harmonic mean.

Models are trained on normal recordings of a source domain, and few or none of a target domain (another load, place or
microphone). Normal recordings of a domain are compared with all anomalies, as in DCASE's task 2 since 2022 (Dohi et al.
2022, Description and discussion on DCASE 2022 challenge task 2): the threshold is one, whatever domain a recording is
of. There the harmonic mean is over the partial AUC too.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from speechgmm.evaluation import auc, rank_trials
from speechgmm.evaluation.metric import Metric, Metrics
from speechgmm.evaluation.resampling import Statistic

if TYPE_CHECKING:
    from speechgmm.tasks.anomaly.evaluation import AnomalyScores

Floats = NDArray[np.float64]
Bounded = Callable[[Statistic, NDArray[np.bool_], NDArray[np.intp]], Metric]

OF_ALL = "auc_domains"
"""The harmonic mean of the AUC of each class and domain."""


def domain_metrics(
    scores: "AnomalyScores", normal: str, bounded: Bounded
) -> tuple[dict[str, Metrics], dict[str, Metric]]:
    """The AUC of each domain, and the harmonic mean over classes and domains; empty where there are no two domains.

    Of a domain it is the mean over the classes. A class that has no normal recording of a domain, or no anomaly, has no
    AUC, and then there is none of the domain. ``bounded`` makes a metric with its interval from a statistic, given
    which recordings are anomalous, and their numbers among all.
    """
    is_normal = np.array([name == normal for name in scores.conditions])
    kinds, domains = np.array(scores.kinds), np.array(scores.domains)
    if not scores.domains or is_normal.all():
        return {}, {}
    names = [str(name) for name in np.unique(domains[is_normal]) if name]
    if len(names) < 2:
        return {}, {}
    parts = {
        name: [(kinds == kind) & (~is_normal | (domains == name)) for kind in dict.fromkeys(scores.kinds)]
        for name in names
    }
    whole = [part for own in parts.values() for part in own]
    if not all(is_normal[part].any() and not is_normal[part].all() for part in whole):
        return {}, {}

    def metric(own: Sequence[NDArray[np.bool_]], mean: Callable[[Floats], float]) -> Metric:
        chosen = np.flatnonzero(np.any(own, axis=0))
        ranked = [(part[chosen], rank_trials(scores.scores[part], ~is_normal[part])) for part in own]

        def statistic(weights: Floats) -> float:
            return mean(np.array([auc(trials, weights[part]) for part, trials in ranked]))

        return bounded(statistic, ~is_normal[chosen], chosen)

    found: dict[str, Metrics] = {
        name: {"auc": metric(own, lambda areas: float(areas.mean()))} for name, own in parts.items()
    }
    return found, {OF_ALL: metric(whole, harmonic_mean)}


def harmonic_mean(values: Floats) -> float:
    """The harmonic mean of values (N,) from 0 on; 0 where one of them is.

    >>> harmonic_mean(np.array([1.0, 0.5])), harmonic_mean(np.array([1.0, 0.0]))
    (0.6666666666666666, 0.0)
    """
    return float(len(values) / np.sum(1 / values)) if (values > 0).all() else 0.0
