"""A metric as a value: what came out, of how many items, and within what bounds.

Owns what ``metrics.json`` says of one metric. Refuses to compute any.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final, TypeAlias

from speechgmm.evaluation.equal_error import EER_NAMES
from speechgmm.evaluation.intervals import Interval

_ABBREVIATIONS: Final = {name: name.upper() for name in ("auc", "ari", "nmi", "der", "jer")} | {
    "pauc": "pAUC",
    "min_dcf": "minDCF",
    "act_dcf": "actDCF",
    "cllr": "Cllr",
    "cllr_min": "Cllr_min",
    **EER_NAMES,
}


@dataclass(frozen=True, slots=True, eq=False)
class Metric(Mapping[str, Any]):
    """A metric of a test, with its sample size, unit and interval.

    It is also a mapping with the keys of ``metrics.json``; a field that is None or empty has no key.

    >>> accuracy = Metric(0.9, 20, "fraction").within(Interval(0.7, 0.97, 5, "bootstrap", "only 5 groups"))
    >>> accuracy.interval, accuracy.n_groups, accuracy["low"]
    ('bootstrap over groups', 5, 0.7)
    >>> Metric.of(dict(accuracy)) == accuracy
    True
    """

    value: float
    n: int  # items
    unit: str  # fraction, bits, ...
    low: float | None = None  # in ``unit``; None together with high
    high: float | None = None
    interval: str | None = None  # how it was made; None: nobody asked for one
    n_groups: int | None = None  # that it rests on; None: items were taken as independent
    note: str = ""  # what a reader should know of the bounds
    more: Mapping[str, Any] = field(default_factory=dict)  # p_target, threshold, target, ...: what it was computed for

    @classmethod
    def of(cls, entries: Mapping[str, Any]) -> "Metric":
        """The metric that ``metrics.json`` has. Raises KeyError where value, n or unit is not there."""
        known = {name: entries[name] for name in ("value", "n", "unit")}
        known |= {name: entries[name] for name in _BOUNDS if name in entries}
        return cls(**known, more={name: value for name, value in entries.items() if name not in known})

    def within(self, found: Interval) -> "Metric":
        """The same with an interval by resampling groups."""
        method = f"{found.method} over groups"
        return replace(self, low=found.low, high=found.high, interval=method, n_groups=found.n_groups, note=found.note)

    def by_items(self, items: str = "items") -> "Metric":
        """The same where each group is one item, so that nobody takes the number of groups for that of speakers."""
        note = self.note.replace("groups", items).replace("group", items.removesuffix("s"))
        method = None if self.interval is None else self.interval.replace("groups", f"{items} as independent")
        return replace(self, interval=method, n_groups=None, note=note)

    def _entries(self) -> dict[str, Any]:
        bounds = {name: value for name in _BOUNDS if (value := getattr(self, name)) not in (None, "")}
        # A rate at a threshold names it before its interval.
        parts = (self.more, bounds) if next(iter(self.more), None) == "threshold" else (bounds, self.more)
        return {"value": self.value, "n": self.n, "unit": self.unit, **parts[0], **parts[1]}

    def __getitem__(self, key: str) -> Any:
        return self._entries()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries())

    def __len__(self) -> int:
        return len(self._entries())


_BOUNDS = tuple(entry.name for entry in fields(Metric) if entry.name not in ("value", "n", "unit", "more"))

Metrics: TypeAlias = Mapping[str, Metric]
"""Name of a metric, as in ``metrics.json`` -> the metric."""


def notes_of(metrics: Metrics) -> dict[str, list[str]]:
    """Each note once -> the names of the metrics that it is about."""
    notes: dict[str, list[str]] = {}
    for name, metric in metrics.items():
        if metric.note:
            notes.setdefault(metric.note, []).append(name)
    return notes


def shown_name(name: str, metric: Metric | None = None) -> str:
    """The name of a metric as a person reads it, with the prior that ``metric`` was computed for.

    >>> shown_name("min_dcf"), shown_name("balanced_accuracy")
    ('minDCF', 'balanced accuracy')
    """
    prior = f" (prior {metric.more['p_target']:g})" if metric is not None and "p_target" in metric.more else ""
    return _ABBREVIATIONS.get(name, name.replace("_", " ")) + prior
