"""What a report says of trials: DET, scores, Tippett and reliability, each with its numbers.

What tells how well trials are told apart is of the scores; of a calibrated run, what tells how good the likelihood
ratios are is of these (Tippett, reliability, Cllr, actDCF). Where ratios take more than the score, all is of them.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from speechgmm.engine.run_folder import RunFolder
from speechgmm.engine.run_scores import Claims
from speechgmm.evaluation import (
    Application,
    OperatingPoint,
    Trials,
    bayes_point,
    cllr,
    cllr_min,
    detection_summary,
    operating_points,
    pav_blocks,
    roc,
)
from speechgmm.evaluation.metric import shown_name
from speechgmm.plots import det, reliability, score_histogram, tippett
from speechgmm.plots.detection import NATS_PER_LOG10, RATIO, histogram_shares, tippett_shares
from speechgmm.plots.sources import applications_of
from speechgmm.report.parts import Picture, Section, Table, percent, shown

RATES: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5)
"""False alarm rates at which the DET's table is read."""

ROWS: Final = 21
"""Of the table of a Tippett plot."""

_CALIBRATED: Final = (
    "The scores are calibrated. Cllr, actDCF, the Tippett plot and the reliability plot are of the log-likelihood "
    "ratios. "
)
_SCORES_RANK: Final = (
    "EER, minDCF, Cllr_min and the DET are of the scores: the map of the model file orders trials as the scores do. "
    "(Calibration by folds has several maps, and their ratios pooled are in another order.)"
)
_RATIOS_RANK: Final = (
    "So are EER, minDCF, Cllr_min and the DET, for the map takes more than the score (calibration.quality)."
)


def detection(run: RunFolder) -> Section | None:
    """The section of a verification run; None where it has no trials of known truth."""
    claims = run.claims
    if claims is None:
        return None
    trials, unit, wanted = claims.judged, claims.judged_unit, applications_of(run)
    points = operating_points(trials, wanted)
    text = [f"{int(trials.is_target.sum())} target and {int((~trials.is_target).sum())} non-target trials."]
    pictures = [_det(trials, points, wanted, unit), _scores(trials, points, unit)]
    if claims.calibrated is None:
        text.append("The scores are not calibrated: they rank trials, and are no likelihood ratios.")
        tables = [_points("Operating points", claims.unit, points)]
        pictures.append(_tippett(trials, unit))
    else:
        text.append(_CALIBRATED + (_RATIOS_RANK if claims.llrs_rank else _SCORES_RANK))
        fixed = tuple(bayes_point(claims.calibrated, application) for application in wanted)
        tables = [
            _before_and_after(claims, claims.calibrated, wanted[0]),
            _points("Operating points", "nats" if claims.llrs_rank else claims.unit, points),
            _points("Decisions by ratio", "nats", fixed),
        ]
        pictures += [_tippett(claims.calibrated, RATIO), _reliability(claims.calibrated)]
    return Section("detection", "Detection error trade-off", tuple(text), tuple(tables), tuple(pictures))


def _before_and_after(claims: Claims, calibrated: Trials, application: Application) -> Table:
    """Metrics of the scores, and those of the run."""
    before, after = (detection_summary(trials, application) for trials in (claims.trials, claims.judged))
    after |= {"cllr": replace(after["cllr"], value=cllr(calibrated))}
    rows = [
        (shown_name(name, metric), *(shown(kind[name].value, metric.unit) for kind in (before, after)))
        for name, metric in before.items()
    ]
    head = ("metric", "before", "after")
    return Table.of("Before and after calibration", head, rows, folded=False)


def _points(caption: str, unit: str, points: Sequence[OperatingPoint]) -> Table:
    rows = [(p.name, f"{p.threshold:.4f}", percent(p.miss, 2), percent(p.false_alarm, 2)) for p in points]
    head = ("operating point", f"threshold ({unit})", "miss (%)", "false alarm (%)")
    return Table.of(caption, head, rows, folded=False)


def _det(trials: Trials, points: tuple[OperatingPoint, ...], wanted: tuple[Application, ...], unit: str) -> Picture:
    curve = roc(trials)
    # False alarms fall from left to right: the first point that has no more than asked for misses least.
    places = [int(np.argmax(curve.false_alarm <= rate)) for rate in RATES]
    rows = [
        (percent(rate), percent(curve.false_alarm[n], 2), percent(curve.miss[n], 2), f"{curve.thresholds[n]:.4f}")
        for rate, n in zip(RATES, places, strict=True)
    ]
    head = ("false alarm, at most (%)", "false alarm (%)", "miss (%)", unit)
    marked = "; ".join(f"{p.name}: miss {percent(p.miss)} %, false alarm {percent(p.false_alarm)} %" for p in points)
    return Picture.of(
        det(trials, applications=wanted),
        "det",
        title="DET",
        alt=f"DET curve of miss against false alarm rate. {marked}.",
        caption="Both errors over all thresholds, on normal deviate (probit) axes; nearer the lower left is better. "
        "Dotted: where they are equal.",
        table=Table.of("The curve in numbers", head, rows, text=0),
    )


def _scores(trials: Trials, points: tuple[OperatingPoint, ...], unit: str) -> Picture:
    edges, shares = histogram_shares(trials)
    rows = [
        (f"{low:.3f}", f"{high:.3f}", percent(target, 2), percent(nontarget, 2))
        for low, high, target, nontarget in zip(edges, edges[1:], *shares, strict=False)
    ]
    head = (f"{unit}, from", "to", "targets (%)", "non-targets (%)")
    medians = [float(np.median(trials.scores[kind])) for kind in (trials.is_target, ~trials.is_target)]
    return Picture.of(
        score_histogram(trials, thresholds=[(point.name, point.threshold) for point in points], unit=unit),
        "scores",
        title="Score histograms",
        alt=f"Histograms of the scores; the median of targets is {medians[0]:.3f}, of non-targets {medians[1]:.3f}.",
        caption="Targets and non-targets, each as shares of their own number; lines are thresholds.",
        table=Table.of("The histogram in numbers", head, rows, text=0),
    )


def _tippett(trials: Trials, unit: str) -> Picture:
    x, shares = tippett_shares(trials, ROWS)
    scale = NATS_PER_LOG10 if unit == RATIO else 1
    rows = [
        (f"{value / scale:.3f}", percent(target, 2), percent(nontarget, 2))
        for value, target, nontarget in zip(x, *shares, strict=True)
    ]
    head = (unit, "targets with as much or more (%)", "non-targets with as much or more (%)")
    at_zero = [percent(float((trials.scores[kind] >= 0).mean())) for kind in (trials.is_target, ~trials.is_target)]
    return Picture.of(
        tippett(trials, calibrated=unit == RATIO, unit=unit),
        "tippett",
        title="Tippett plot",
        alt=f"Tippett plot: {at_zero[0]} % of targets and {at_zero[1]} % of non-targets have 0 or more.",
        caption="The share of targets, and of non-targets, with at least this value.",
        table=Table.of("The curves in numbers", head, rows, text=0),
    )


def _reliability(trials: Trials) -> Picture:
    bounds, found = pav_blocks(trials)
    rows = [
        (*(f"{value / NATS_PER_LOG10:.3f}" for value in ends), f"{ratio / NATS_PER_LOG10:.3f}")
        for ends, ratio in zip(bounds, found, strict=True)
    ]
    head = (f"{RATIO}, from", "to", "borne out")
    return Picture.of(
        reliability(trials),
        "calibration",
        title="Reliability (PAV)",
        alt=f"Reliability plot: Cllr {cllr(trials):.3f} bits, Cllr_min {cllr_min(trials):.3f} bits.",
        caption="Claimed ratios against those that the best increasing map of these trials (PAV) gives. On the dotted "
        "line ratios are calibrated; below it they are overconfident for the target, above it too low.",
        table=Table.of(f"The {len(rows)} blocks of PAV", head, rows, text=0),
    )
