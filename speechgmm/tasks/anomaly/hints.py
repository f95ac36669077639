"""What limits anomaly detection, and what to do next: each hint is a measurement of the run and a remedy."""

from collections.abc import Iterator
from typing import Final

from speechgmm.engine.hints import FEWEST, WIDE
from speechgmm.evaluation import Metric
from speechgmm.tasks.anomaly.codec import AnomalyFile
from speechgmm.tasks.anomaly.evaluation import AnomalyEvaluation

GOOD: Final = 0.9
"""AUC from which on scores are good, so that few detections are the threshold's doing."""


def hints_of_anomalies(evaluation: AnomalyEvaluation, file: AnomalyFile) -> Iterator[str]:
    """Whether false alarms are more than the threshold was made for, or detections few although scores are good, and
    which class or kind of anomaly is found least.
    """
    metrics, asked = evaluation.metrics, file.spec.false_alarm
    alarms, found, area = (metrics.get(name) for name in ("false_alarm_rate", "detection_rate", "auc"))
    if alarms is not None and alarms.low is not None and alarms.n >= FEWEST and alarms.low > asked:
        yield (
            f"{100 * alarms.value:.0f} % of {alarms.n} normal test recordings are above the threshold, which was made "
            f"for {100 * asked:g} %: they are unlike the normal training recordings (another day, place or load); "
            "train on recordings of such days too"
        )
    if area is not None and found is not None and area.value >= GOOD and found.value < area.value - 2 * WIDE:
        n = min(one.reference.threshold.n for one in file.models.values())
        yield (
            f"the AUC is {100 * area.value:.0f} %, and {100 * found.value:.0f} % of the anomalies are above the "
            f"threshold: it is high (for {100 * asked:g} % false alarms, from {n} normal recordings); a higher "
            "anomaly.false_alarm, or more normal recordings"
        )
    for what, parts in (("anomalies", evaluation.conditions), ("recordings of class", evaluation.kinds)):
        areas = {name: part["auc"] for name, part in parts.items() if "auc" in part}
        yield from _weakest(what, areas)


def _weakest(what: str, areas: dict[str, Metric]) -> Iterator[str]:
    """The kind with the lowest AUC, where it is far below the mean of the others."""
    if len(areas) < 2:
        return
    name = min(areas, key=lambda kind: areas[kind].value)
    lowest = areas[name]
    others = [one.value for kind, one in areas.items() if kind != name]
    mean = sum(others) / len(others)
    if lowest.n >= FEWEST and mean - lowest.value >= WIDE:
        yield (
            f"{what} {name!r} have an AUC of {100 * lowest.value:.0f} %, the others {100 * mean:.0f} % on average: "
            "add a stream that hears them (anomaly.streams: pool top or window for short ones, other features)"
        )
