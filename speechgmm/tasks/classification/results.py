"""What class models and segment models return of a recording, a window or a segment."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from speechgmm.engine.results import Result

if TYPE_CHECKING:
    from speechgmm.tasks.classification.scoring import Scored, Scorer


@dataclass(frozen=True, slots=True)
class ClassificationResult(Result):
    """The scores of a recording, or of a window or segment of it, for all classes, and the decision.

    The classes are sorted by score, the best first.

    >>> scores = {"log_likelihoods": (-40.1, -47.5), "posteriors": (0.9, 0.1), "llrs": None, "threshold": None}
    >>> found = ClassificationResult("a.wav", 0.0, 1.0, 98, ("owl", "wren"), **scores, decision="owl")
    >>> found.to_dict()["posteriors"], [row["label"] for row in found.rows()]
    ([0.9, 0.1], ['owl', 'wren'])
    """

    recording: str
    start: float  # s
    end: float  # s
    n_frames: int  # that were scored; 0: a window without speech
    labels: tuple[str, ...]  # (C,) the classes, the best first
    log_likelihoods: tuple[float, ...] | None  # (C,) nats per frame; None: no speech, or a model of segments
    posteriors: tuple[float, ...] | None  # (C,); None: the model has no temperature, or there is no speech
    llrs: tuple[float, ...] | None  # (C,) calibrated log-likelihood ratios, nats; None: the model has no calibration
    threshold: float | None  # nats, of the best ratio, below which the decision is "unknown"; None: no calibration
    decision: str | None  # a label, or "unknown"; None: there is no speech

    @classmethod
    def of(cls, model: "Scorer", item: "Scored") -> "ClassificationResult":
        """The result of a scored window, by the model that scored it."""
        order = item.ranked()
        has_likelihoods = item.n_frames > 0 and not model.has_posteriors_alone
        return cls(
            recording=str(item.path),
            start=item.start,
            end=item.end,
            n_frames=item.n_frames,
            labels=tuple(model.models.labels[n] for n in order),
            log_likelihoods=tuple(item.mean_log_likelihoods[order].tolist()) if has_likelihoods else None,
            posteriors=None if item.posteriors is None else tuple(item.posteriors[order].tolist()),
            llrs=None if item.llrs is None else tuple(item.llrs[order].tolist()),
            threshold=model.threshold,
            decision=item.decision(model) if item.n_frames else None,
        )

    def rows(self) -> list[dict[str, Any]]:
        """A row for each class, the best first."""
        return [
            {
                "recording": self.recording,
                "start": self.start,
                "end": self.end,
                "n_frames": self.n_frames,
                "rank": n + 1,
                "label": label,
                "log_likelihood": None if self.log_likelihoods is None else self.log_likelihoods[n],
                "posterior": None if self.posteriors is None else self.posteriors[n],
                "llr": None if self.llrs is None else self.llrs[n],
                "decision": self.decision,
            }
            for n, label in enumerate(self.labels)
        ]


@dataclass(frozen=True, slots=True)
class SegmentResults(Result):
    """The segments or windows of one recording, in their order: a sequence of `ClassificationResult`.

    >>> scores = {"log_likelihoods": None, "posteriors": (1.0,), "llrs": None, "threshold": None}
    >>> found = ClassificationResult("a.wav", 0.2, 0.5, 30, ("ah",), **scores, decision="ah")
    >>> [(one.start, one.decision) for one in SegmentResults("a.wav", (found,))]
    [(0.2, 'ah')]
    """

    recording: str
    items: tuple[ClassificationResult, ...]

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[ClassificationResult]:
        return iter(self.items)

    def __getitem__(self, n: int) -> ClassificationResult:
        return self.items[n]

    def rows(self) -> list[dict[str, Any]]:
        """The rows of all of them."""
        return [row for item in self.items for row in item.rows()]
