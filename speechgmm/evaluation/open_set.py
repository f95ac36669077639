"""Identification in the open set: who of those enrolled is it, or none of them.

Conventions
    A test is of a member (one whose model is there) or of an unknown speaker. It has the score of the best model; it is
    accepted, as that model's, where that score >= threshold, and is "unknown" otherwise.

Metrics
    identified          members' tests that are accepted as who they are (fraction): detection-and-identification rate
    mistaken            members' tests that are accepted as another (fraction)
    rejected            members' tests that are rejected as unknown (fraction); the three make 1
    false_alarm         unknown speakers' tests that are accepted as anybody (fraction)

Source: Phillips, Grother & Micheals 2011, Evaluation methods in face recognition (Handbook of Face Recognition,
chapter 21); ISO/IEC 19795-1 has 1 - identified as FNIR and false_alarm as FPIR.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import DataError, ShapeError
from speechgmm.evaluation.resampling import OfSums, ratio

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class OpenSet:
    """Tests of recordings against all models: for each test, what the open-set metrics need.

    Raises:
        ShapeError: Arrays that are not all (N,), one value per test.
        DataError: An unknown speaker whose best model is marked as right; a score that is NaN.
    """

    best: Floats  # (N,) score of the best model
    is_right: NDArray[np.bool_]  # (N,) whether the best model is the speaker's own; False for unknown speakers
    is_member: NDArray[np.bool_]  # (N,) whether the speaker has a model

    def __post_init__(self) -> None:
        if not self.best.ndim == 1 or not self.best.shape == self.is_right.shape == self.is_member.shape:
            raise ShapeError(
                f"best scores {self.best.shape}, right {self.is_right.shape} and member {self.is_member.shape}; "
                "expected one of each per test, (N,)"
            )
        if (self.is_right & ~self.is_member).any():
            raise DataError("an unknown speaker is marked as identified; expected is_right False without a model")
        if np.isnan(self.best).any():
            raise DataError(f"{int(np.isnan(self.best).sum())} best scores are NaN; was the recording empty?")


@dataclass(frozen=True, slots=True)
class OpenSetRates:
    """Rates at one threshold (fractions); NaN without tests of members, or without tests of unknown speakers."""

    identified: float  # of the members' tests
    mistaken: float  # of the members' tests
    rejected: float  # of the members' tests
    false_alarm: float  # of the unknown speakers' tests


@dataclass(frozen=True, slots=True)
class OpenSetCurve:
    """Rates at every threshold, from 'accept all' to 'accept none'."""

    thresholds: Floats  # (P,) accept where the best score >= threshold; the last is infinite
    identified: Floats  # (P,) fraction of the members' tests, falling; NaN without any
    false_alarm: Floats  # (P,) fraction of the unknown speakers' tests, falling; NaN without any


def rank_models(scores: ArrayLike, own: ArrayLike) -> OpenSet:
    """The best score of each test, whether the right model has it, and whether the speaker has a model at all.

    ``scores`` (N, C) are those of N tests under C models. ``own`` (N,) is the number of the speaker's model in each
    test; -1: the speaker has none. Among equal scores the first model is the best.

    Raises:
        ShapeError: Scores that are not (N, C); ``own`` that is not (N,).
        DataError: A number in ``own`` that no model has; a score that is NaN.

    >>> rank_models([[1.0, 3.0], [2.0, 0.0]], [1, -1])
    OpenSet(best=array([3., 2.]), is_right=array([ True, False]), is_member=array([ True, False]))
    """
    table, numbers = np.asarray(scores, dtype=np.float64), np.asarray(own)
    if table.ndim != 2 or numbers.shape != table.shape[:1] or not np.issubdtype(numbers.dtype, np.integer):
        raise ShapeError(f"scores {table.shape} and own models {numbers.shape}; expected (N, C) and integers (N,)")
    if len(numbers) and not -1 <= numbers.min() <= numbers.max() < table.shape[1]:
        raise DataError(f"own models {numbers.min()} to {numbers.max()}; expected -1 to {table.shape[1] - 1}")
    return OpenSet(table.max(axis=1), table.argmax(axis=1) == numbers, numbers >= 0)


def open_set_rates(tests: OpenSet, threshold: float, weights: ArrayLike | None = None) -> OpenSetRates:
    """The rates when best scores >= ``threshold`` are accepted; ``weights`` (N,): how many tests each one stands for.

    Raises:
        ShapeError: Weights that are not (N,).
        DataError: A threshold that is NaN.

    >>> open_set_rates(rank_models([[1.0, 3.0], [2.0, 0.0], [4.0, 5.0]], [1, 1, -1]), threshold=2.5)
    OpenSetRates(identified=0.5, mistaken=0.0, rejected=0.5, false_alarm=1.0)
    """
    counts = np.ones(len(tests.best)) if weights is None else np.asarray(weights, dtype=np.float64)
    found = open_set_sums(tests, threshold)
    identified, mistaken = found["identified"](counts), found["mistaken"](counts)
    rejected = float("nan") if np.isnan(identified) else max(0.0, 1 - identified - mistaken)
    return OpenSetRates(identified, mistaken, rejected, found["false_alarm"](counts))


def open_set_sums(tests: OpenSet, threshold: float) -> dict[str, OfSums]:
    """``identified``, ``mistaken`` and ``false_alarm`` at a threshold as statistics of weighted sums, for intervals.

    Raises:
        DataError: A threshold that is NaN.

    >>> open_set_sums(rank_models([[1.0, 3.0], [2.0, 0.0]], [1, 1]), 2.5)["identified"](np.ones(2))
    0.5
    """
    if np.isnan(threshold):
        raise DataError("a threshold that is NaN; expected a score from which on tests are accepted")
    accepted = tests.best >= threshold
    return {
        "identified": ratio(accepted & tests.is_right, tests.is_member),
        "mistaken": ratio(accepted & tests.is_member & ~tests.is_right, tests.is_member),
        "false_alarm": ratio(accepted & ~tests.is_member, ~tests.is_member),
    }


def open_set_curve(tests: OpenSet, weights: ArrayLike | None = None) -> OpenSetCurve:
    """The rates at every threshold: the thresholds are the distinct best scores, and infinity.

    >>> curve = open_set_curve(rank_models([[1.0, 3.0], [2.0, 0.0], [4.0, 5.0]], [1, 1, -1]))
    >>> curve.thresholds.tolist(), curve.identified.tolist(), curve.false_alarm.tolist()
    ([2.0, 3.0, 5.0, inf], [0.5, 0.5, 0.0, 0.0], [1.0, 1.0, 1.0, 0.0])
    """
    counts = np.ones(len(tests.best)) if weights is None else np.asarray(weights, dtype=np.float64)
    thresholds = np.append(np.unique(tests.best), np.inf)

    def shares(hits: NDArray[np.bool_], of: NDArray[np.bool_]) -> Floats:
        place = np.searchsorted(thresholds, tests.best)
        sums = np.bincount(place, weights=counts * hits, minlength=len(thresholds))
        with np.errstate(invalid="ignore", divide="ignore"):
            found: Floats = sums[::-1].cumsum()[::-1] / (counts * of).sum()
        return found

    return OpenSetCurve(thresholds, shares(tests.is_right, tests.is_member), shares(~tests.is_member, ~tests.is_member))
