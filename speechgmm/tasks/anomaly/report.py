"""What a report says of anomalies: scores and threshold, the ROC, and the most anomalous recordings over time."""

import math
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.engine.run_folder import RunFolder
from speechgmm.engine.run_scores import Row
from speechgmm.errors import DataError, first_few
from speechgmm.evaluation import auc, rank_trials
from speechgmm.gmm.component_count import DEFAULT_COMPONENTS
from speechgmm.io.run_files import RunFile
from speechgmm.report.mistakes import LONGEST, data_uri, holds_frames, read_clip
from speechgmm.report.parts import Clip, Picture, Section, Table, percent
from speechgmm.tasks.anomaly.plots import IN_LEGEND, plot_anomaly_curve, plot_anomaly_scores, plot_roc

LISTED: Final = 30

MEANING: Final = (
    "A score is the cost of a recording's frames by the method of the stream (negative log-likelihood under a mixture "
    "of normal frames, Mahalanobis distance, or distance to the nearest normal vectors), pooled as anomaly.streams "
    "says. Several scores of a recording are combined in standard deviations of normal recordings."
)


def anomalies(run: RunFolder) -> Section | None:
    """Scores, thresholds and ROC; None for runs of other tasks."""
    if not run.scores:
        return None
    normal = str(run.config["anomaly"]["normal"])
    run, undecided = _decided(run)
    kinds = list(dict.fromkeys(row["condition"] for row in run.scores if row["condition"] != normal))
    text = [MEANING, *_thresholds_text(run)]
    if undecided:
        listed = first_few(undecided, LISTED)
        text.append(f"{len(undecided)} recordings have a score that is NaN. Nothing is decided of them: {listed}.")
    silent = [row["id"] for row in run.scores if math.isinf(float(row["score"]))]
    if silent:
        listed = first_few(silent, LISTED)
        text.append(f"{len(silent)} recordings are digital silence, and count as the most anomalous: {listed}.")
    if not run.scores:
        return Section("anomalies", "Anomaly scores and ROC", tuple(text))
    tables = [_threshold_table(run), *_areas(run)]
    pictures = [_spread(run, normal, kinds)]
    if kinds and any(row["condition"] == normal for row in run.scores):
        pictures.append(_roc(run, normal, kinds))
    return Section("anomalies", "Anomaly scores and ROC", tuple(text), tuple(tables), tuple(pictures))


def most_anomalous(run: RunFolder, n_audio: int) -> Section | None:
    """The recordings with the highest scores, the first ``n_audio`` to be heard, with their scores over time."""
    run = _decided(run)[0]
    if not run.scores:
        return None
    order = sorted(run.scores, key=lambda row: float(row["threshold"]) - float(row["score"]))
    rows = [
        (
            row["id"],
            row["condition"],
            row["decision"],
            *(f"{float(row[n]):.3f}" for n in ("score", "p_value")),
            _when(row),
        )
        for row in order[:LISTED]
    ]
    head = ("recording", "condition", "decision", "score", "p", "most anomalous stretch (s)")
    tables = [Table.of(f"The {len(rows)} test recordings with the highest scores", head, rows, text=3)]
    normal = str(run.config["anomaly"]["normal"])
    wrong = [row for row in run.scores if (row["condition"] == normal) != (row["decision"] == normal)]
    if wrong:
        wrong.sort(key=lambda row: -abs(float(row["score"]) - float(row["threshold"])))
        worst = [
            (
                row["id"],
                row["condition"],
                row["decision"],
                f"{float(row['score']):.3f}",
                f"{float(row['threshold']):.3f}",
                _when(row),
            )
            for row in wrong[:LISTED]
        ]
        tables.append(
            Table.of(
                f"Wrong decisions, the farthest from the threshold first ({len(worst)} of {len(wrong)})",
                ("recording", "condition", "decision", "score", "threshold", "most anomalous stretch (s)"),
                worst,
                text=3,
            )
        )
    curves = _curves(run)
    clips = tuple(
        _clip(run, row, curves[row["id"]], f"anomalous{number}")
        for number, row in enumerate(row for row in order if row["id"] in curves and not holds_frames(run, row["id"]))
        if number < n_audio
    )
    text = (
        "The most anomalous recordings are shown with their anomaly score over time; 1 is the highest that normal "
        "recordings usually reach. "
    )
    text += (
        f"This page holds {len(clips)} of them, at most {LONGEST:g} s each around the most anomalous stretch: "
        "whoever gets the page gets these voices too."
        if clips
        else "No audio is held in this page."
    )
    return Section("anomalous", "The most anomalous recordings", (text,), tuple(tables), clips=clips)


def _decided(run: RunFolder) -> tuple[RunFolder, list[str]]:
    """The run with the recordings whose score is a number alone, and the names of the others (of earlier versions)."""
    undecided = [row["id"] for row in run.scores if math.isnan(float(row["score"]))]
    kept = tuple(row for row in run.scores if not math.isnan(float(row["score"])))
    return (replace(run, scores=kept) if undecided else run), undecided


def _when(row: Row) -> str:
    return f"{float(row['start']):.2f} to {float(row['end']):.2f}"


def _thresholds_text(run: RunFolder) -> list[str]:
    thresholds = run.rows(RunFile.THRESHOLDS)
    if not thresholds:
        return []
    rate = 100 * float(thresholds[0]["false_alarm"])
    return [
        f"Thresholds are made for {rate:g} % false alarms, by normal recordings left out of training; the table says "
        "within what bounds the rate of each lies, as far as their number tells (95 %)."
    ]


def _threshold_table(run: RunFolder) -> Table:
    rows = [
        (
            row["class"],
            row["n"],
            f"{float(row['threshold']):.3f}",
            (row["low"] and f"{float(row['low']):.3f}") or "–",
            (row["high"] and f"{float(row['high']):.3f}") or "–",
            f"{100 * float(row['rate_low']):.1f} to {100 * float(row['rate_high']):.1f}",
        )
        for row in run.rows(RunFile.THRESHOLDS)
    ]
    head = ("normal", "recordings", "threshold", "low", "high", "false alarms (%)")
    return Table.of("Thresholds", head, rows, folded=len(rows) > 12)


def _areas(run: RunFolder) -> list[Table]:
    """AUC, partial AUC and rates of each class, and of each kind of anomaly."""
    found = []
    for key, what in (("conditions", "kind of anomaly"), ("classes", "class"), ("domains", "domain")):
        parts = run.metrics.get(key, {})
        if not parts:
            continue
        names = ("auc", "pauc", "detection_rate", "false_alarm_rate")
        rows = []
        for name, metrics in parts.items():
            cells = []
            for metric in map(metrics.get, names):
                value = "–" if metric is None else percent(metric.value)
                if metric is not None and metric.low is not None:
                    value += f" ({percent(metric.low)} to {percent(metric.high)})"
                cells.append(value)
            rows.append((name, *cells))
        head = (what, "AUC (%)", "pAUC to 10 % (%)", "detected (%)", "false alarms (%)")
        found.append(Table.of(f"Each {what}, with 95 % intervals", head, rows, folded=len(rows) > 12))
    return found


def _measured(run: RunFolder) -> tuple[dict[str, list[float]], float | None, str]:
    """Scores by condition; beyond one class less each class's threshold; the threshold, and what the axis says."""
    one = len({row["class"] for row in run.scores}) == 1
    by_kind: dict[str, list[float]] = {}
    for row in run.scores:
        value = float(row["score"]) - (0.0 if one else float(row["threshold"]))
        by_kind.setdefault(row["condition"], []).append(value)
    threshold = float(run.scores[0]["threshold"]) if one else 0.0
    return by_kind, threshold, "score" if one else "score less the threshold of its class"


def _spread(run: RunFolder, normal: str, kinds: list[str]) -> Picture:
    by_kind, threshold, unit = _measured(run)
    held_out: dict[str, list[float]] = {}
    own = {row["class"]: float(row["threshold"]) for row in run.rows(RunFile.THRESHOLDS)}
    normal_rows = run.rows(RunFile.NORMAL)
    if normal_rows and own:
        less = {name: 0.0 if len(own) == 1 else value for name, value in own.items()}
        held_out = {"normal, left out": [float(row["score"]) - less[row["class"]] for row in normal_rows]}
    heard = {name: [value for value in values if math.isfinite(value)] for name, values in by_kind.items()}
    ordered = {name: heard[name] for name in (normal, *kinds) if heard.get(name)}
    shown = {**held_out, **{("normal, test" if name == normal else name): found for name, found in ordered.items()}}
    rows = [
        (name, len(found), *(f"{value:.3f}" for value in np.quantile(found, (0, 0.1, 0.5, 0.9, 1))))
        for name, found in shown.items()
    ]
    head = ("recordings", "number", "lowest", "10 %", "median", "90 %", "highest")
    return Picture.of(
        plot_anomaly_scores(shown, threshold, unit=unit),
        "spread",
        title="Score distributions",
        alt=f"Distribution of scores of {len(shown)} kinds of recordings; quantiles are in the table below it.",
        caption="The point is the median, the bar the middle half, the line nine in ten of the recordings; right of "
        "the dotted line they are called anomalous.",
        table=Table.of("Quantiles of the scores", head, rows),
    )


def _roc(run: RunFolder, normal: str, kinds: list[str]) -> Picture:
    by_kind, threshold, _ = _measured(run)
    curves = {}
    for name in kinds:
        scores = [*by_kind[name], *by_kind[normal]]
        curves[name] = rank_trials(scores, np.arange(len(scores)) < len(by_kind[name]))
    alarms = float(np.mean(np.array(by_kind[normal]) > threshold))
    marked = [(alarms, float(np.mean(np.array(by_kind[name]) > threshold))) for name in kinds]
    rows = [
        (name, f"{auc(trials):.3f}", percent(found), percent(alarms))
        for (name, trials), (_, found) in zip(curves.items(), marked, strict=True)
    ]
    return Picture.of(
        plot_roc(curves, marked=marked),
        "roc",
        title="ROC",
        alt=f"Receiver operating characteristic of {len(kinds)} kinds of anomalies; numbers are in the table below it.",
        caption="Points are the thresholds that the run chose. Scores of several classes are pooled here, each less "
        "its class's threshold; the metrics above are means over classes.",
        table=Table.of("What the curves hold", ("anomaly", "AUC, pooled", "detected (%)", "false alarms (%)"), rows),
        wide=len(kinds) > IN_LEGEND,
    )


def _curves(run: RunFolder) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Recording -> times (s) and values of its curve."""
    found: dict[str, list[tuple[str, str]]] = {}
    for row in run.rows(RunFile.CURVES):
        value = row["anomaly_score"] if "anomaly_score" in row else row["oddity"]  # of earlier versions
        found.setdefault(row["id"], []).append((row["time"], value))
    columns = {name: np.array(pairs, np.float64).T for name, pairs in found.items()}
    return {name: (times, values) for name, (times, values) in columns.items()}


def _clip(run: RunFolder, row: Row, curve: tuple[NDArray[np.float64], NDArray[np.float64]], name: str) -> Clip:
    """One recording around its most anomalous stretch."""
    start, end = float(row["start"]), float(row["end"])
    about = (
        ("condition", row["condition"]),
        ("score", f"{float(row['score']):.3f}"),
        ("most anomalous", f"{_when(row)} s"),
    )
    title = f"{row['id']}: {row['decision']}"
    from_ = max(0.0, (start + end - LONGEST) / 2)
    try:
        path = run.path_of(row["id"])
        first = float(run.places[row["id"]]["start"] or 0)
        samples, rate = read_clip(
            path, first + from_, first + from_ + LONGEST, run.config["corpus"].get("channel", "mix")
        )
        figure = plot_anomaly_curve(samples, rate, *curve, start=from_, stretch=(start, end))
    except DataError as error:
        return Clip(title, about, missing=str(error))
    alt = f"Spectrogram of {row['id']} and under it the anomaly score over time; most from {_when(row)} s"
    return Clip(
        title, about, Picture.of(figure.axes[0], name, alt=alt, caption="", table=None), data_uri(samples, rate)
    )


def streams_of(run: RunFolder) -> list[tuple[str, str]]:
    """The streams of anomaly detection in a line."""
    streams = run.config["anomaly"]["streams"]
    asked = run.config["model"]["n_components"] or f"up to {DEFAULT_COMPONENTS}"
    each = []
    for one in streams:
        compared = {
            "likelihood": f"{one['n_components'] or asked} components",
            "mahalanobis": "Mahalanobis distance",
            "neighbours": f"{one.get('n_neighbours')} nearest of {one.get('n_vectors')} vectors",
        }[one.get("method", "likelihood")]  # runs of earlier versions name no method
        each.append(f"{one['name']}: {compared}, {one['pool']}")
    return [("Streams", "; ".join(each))]
