"""What a report says of trials: DET, scores, Tippett and calibration, each with its numbers."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from speechgmm.engine.run_folder import RunFolder
from speechgmm.evaluation import Trials, cllr, cllr_min, pav_blocks, roc
from speechgmm.report.detection_plots import (
    NATS_PER_LOG10,
    RATIO,
    plot_calibration,
    plot_det,
    plot_scores,
    plot_tippett,
    score_histogram,
    tippett,
)
from speechgmm.report.operating_points import Application, OperatingPoint, bayes_point, operating_points
from speechgmm.report.parts import Picture, Section, Table, percent

RATES: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5)
"""False alarm rates at which the DET's table is read."""

ROWS: Final = 21
"""Of the table of a Tippett plot."""


def applications(run: RunFolder) -> tuple[Application, ...]:
    """The priors and costs that the run was judged at: of its configuration, and of any metric that names its own."""
    scoring = run.config.get("decision") or run.config.get("scoring", {})
    costs = float(scoring.get("cost_miss", 1)), float(scoring.get("cost_false_alarm", 1))
    found = [Application(float(scoring.get("prior", scoring.get("p_target", 0.01))), *costs)]
    for about in (metric.more for metric in run.results.values() if "p_target" in metric.more):
        own = about.get("cost_miss", costs[0]), about.get("cost_false_alarm", costs[1])
        found.append(Application(float(about["p_target"]), float(own[0]), float(own[1])))
    return tuple(dict.fromkeys(found))


def detection(run: RunFolder) -> Section | None:
    """The section of a verification run; None where it has no trials of known truth."""
    if run.claims is None:
        return None
    trials, calibrated, wanted = run.claims.trials, run.claims.calibrated, applications(run)
    unit = f"score ({run.claims.unit})"
    points = operating_points(trials, wanted)
    ratios = calibrated is not None
    pictures = [_det(trials, points, wanted, unit), _scores(trials, points, unit)]
    pictures.append(_tippett(calibrated or trials, RATIO if ratios else unit))
    text = [f"{int(trials.is_target.sum())} target and {int((~trials.is_target).sum())} nontarget trials."]
    tables = [_points("Operating points, chosen on these trials", unit, points)]
    if calibrated is None:
        text.append("The scores are not calibrated: they rank trials, and are no likelihood ratios.")
    else:
        least, cost = cllr_min(calibrated), cllr(calibrated)
        text.append(
            f"The column llr is calibrated: of its Cllr of {cost:.3f} bits, {least:.3f} would be left after the best "
            f"increasing map of these ratios (PAV), and {cost - least:.3f} are lost to calibration."
        )
        if abs(least - cllr_min(trials)) > 5e-4:
            text.append("Cllr_min among the results is of the scores, which maps by folds put into another order.")
        fixed = tuple(bayes_point(calibrated, application) for application in wanted)
        tables.append(
            _points("Operating points that prior and costs set, by the calibrated ratio", "score (nats)", fixed)
        )
        pictures.append(_calibration(calibrated))
    return Section("detection", "Targets and nontargets", tuple(text), tuple(tables), tuple(pictures))


def _points(caption: str, unit: str, points: Sequence[OperatingPoint]) -> Table:
    rows = [(p.name, f"{p.threshold:.4f}", percent(p.miss, 2), percent(p.false_alarm, 2)) for p in points]
    head = ("operating point", unit.replace("score", "threshold"), "miss (%)", "false alarm (%)")
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
        plot_det(trials, applications=wanted),
        "det",
        alt=f"DET curve of miss against false alarm rate. {marked}.",
        caption="DET: both errors over all thresholds, on normal deviate scales; nearer the corner is better. Dotted: "
        "where they are equal.",
        table=Table.of("The curve in numbers", head, rows, text=0),
    )


def _scores(trials: Trials, points: tuple[OperatingPoint, ...], unit: str) -> Picture:
    edges, shares = score_histogram(trials)
    rows = [
        (f"{low:.3f}", f"{high:.3f}", percent(target, 2), percent(nontarget, 2))
        for low, high, target, nontarget in zip(edges, edges[1:], *shares, strict=False)
    ]
    head = (f"{unit}, from", "to", "targets (%)", "nontargets (%)")
    medians = [float(np.median(trials.scores[kind])) for kind in (trials.is_target, ~trials.is_target)]
    return Picture.of(
        plot_scores(trials, thresholds=[(point.name, point.threshold) for point in points], unit=unit),
        "scores",
        alt=f"Histograms of the scores; the median of targets is {medians[0]:.3f}, of nontargets {medians[1]:.3f}.",
        caption="Scores of targets and nontargets, each as shares of their own number, with the thresholds above.",
        table=Table.of("The histogram in numbers", head, rows, text=0),
    )


def _tippett(trials: Trials, unit: str) -> Picture:
    x, shares = tippett(trials, ROWS)
    scale = NATS_PER_LOG10 if unit == RATIO else 1
    rows = [
        (f"{value / scale:.3f}", percent(target, 2), percent(nontarget, 2))
        for value, target, nontarget in zip(x, *shares, strict=True)
    ]
    head = (unit, "targets with as much or more (%)", "nontargets with as much or more (%)")
    at_zero = [percent(float((trials.scores[kind] >= 0).mean())) for kind in (trials.is_target, ~trials.is_target)]
    return Picture.of(
        plot_tippett(trials, calibrated=unit == RATIO, unit=unit),
        "tippett",
        alt=f"Tippett plot: {at_zero[0]} % of targets and {at_zero[1]} % of nontargets have 0 or more.",
        caption="Tippett plot: the share of either kind that has a score or a higher one.",
        table=Table.of("The curves in numbers", head, rows, text=0),
    )


def _calibration(trials: Trials) -> Picture:
    bounds, found = pav_blocks(trials)
    rows = [
        (*(f"{value / NATS_PER_LOG10:.3f}" for value in ends), f"{ratio / NATS_PER_LOG10:.3f}")
        for ends, ratio in zip(bounds, found, strict=True)
    ]
    head = (f"{RATIO}, from", "to", "borne out")
    return Picture.of(
        plot_calibration(trials),
        "calibration",
        alt=f"Calibration plot: Cllr {cllr(trials):.3f} bits, Cllr_min {cllr_min(trials):.3f} bits.",
        caption="Calibration: what the ratios claim against what the best increasing map of these trials (PAV) makes "
        "of them. On the dotted line they mean what they say; above it they claim too little, below it too much.",
        table=Table.of(f"The {len(rows)} blocks of PAV", head, rows, text=0),
    )
