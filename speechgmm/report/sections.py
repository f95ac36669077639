"""What a report says, section by section, from what a run left."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np
import yaml

from speechgmm.config import NOT_IN_THE_RESULT, Config, other_than, to_plain
from speechgmm.engine.run_folder import RunFolder
from speechgmm.evaluation import EER_NAMES
from speechgmm.gmm.component_count import DEFAULT_COMPONENTS
from speechgmm.report import mistakes
from speechgmm.report.component_choice import choice
from speechgmm.report.operating_points import operating_points
from speechgmm.report.parts import Picture, Section, Table, percent, seconds
from speechgmm.report.plots import COUNTS_UP_TO, CURVES_WITH_NAMES, plot_confusion, plot_training
from speechgmm.tasks.anomaly.report import anomalies, oddest
from speechgmm.tasks.recognition.report import recognition
from speechgmm.tasks.verification.report import detection

PAIRS: Final = 20
"""Confusions that are listed."""

ALL_COUNTS_UP_TO: Final = 120
"""Classes up to which the page holds the whole table of counts: it grows by their square."""

WIDE_FROM: Final = 24
"""Classes from which on a confusion matrix scrolls on a small screen."""


def sections(run: RunFolder, n_audio: int) -> list[Section]:
    """All sections, in order; what the run left nothing for is not among them.

    Args:
        run: The run.
        n_audio: How many of the worst errors are to be heard.
    """
    threshold = None
    if run.claims is not None:
        threshold = operating_points(run.claims.trials)[0].threshold
    found = [
        results(run),
        classification(run),
        recognition(run),
        detection(run),
        anomalies(run),
        oddest(run, n_audio),
        mistakes.section(run, n_audio, threshold),
        training(run),
        choice(run),
        data(run),
        protocol(run),
    ]
    return [section for section in found if section is not None]


def figures(run: RunFolder) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The metrics among the entries of ``metrics.json``, with names for a person."""
    names = EER_NAMES | {"min_dcf": "minDCF", "act_dcf": "actDCF", "cllr": "Cllr", "cllr_min": "Cllr_min"}
    names |= {"auc": "AUC", "pauc": "pAUC"}
    for name, metric in run.metrics.items():
        if isinstance(metric, dict) and "value" in metric:
            yield names.get(name, name.replace("_", " ")), metric


def shown(metric: Mapping[str, Any], key: str = "value") -> str:
    """A figure, or a bound of it, with its unit."""
    value = metric.get(key)
    if value is None:
        return "–"
    if metric.get("unit") == "fraction":
        return f"{percent(value)} %"
    return f"{value:.3f}" + (" bits" if metric.get("unit") == "bits" else "")


def results(run: RunFolder) -> Section:
    """Every figure with its interval, and those of each fold."""
    rows, known = [], list(figures(run))
    notes: dict[str, list[str]] = {}
    for name, metric in known:
        about = name + (f" (prior {metric['p_target']:g})" if "p_target" in metric else "")
        by = metric.get("interval", "none")
        by += f" ({metric['n_groups']})" if "n_groups" in metric else ""
        rows.append((about, shown(metric), shown(metric, "low"), shown(metric, "high"), str(metric["n"]), by))
        if "note" in metric:
            notes.setdefault(metric["note"], []).append(name)
    if not rows:
        return Section("results", "Results", ("The run has no figures: it was not tested, or not to its end.",))
    text = [f"{', '.join(names)}: {note}." for note, names in notes.items()]
    strangers = run.metrics.get("open_set_false_alarm")
    if strangers is not None:
        text.append(
            f"Open set: a test is accepted as the best model's from {strangers['threshold']:.3f} nats on and is "
            f"unknown below; strangers are {strangers['strangers']}."
        )
    head = ("figure", "value", "low", "high", "items", "how the interval was made (groups)")
    caption = "Figures of the test, with 95 % intervals"
    table = Table(caption, head, tuple(rows), frozenset((1, 2, 3, 4)), folded=False)
    tables = [table]
    folds = run.metrics.get("folds", {})
    if folds:
        own = [(fold, next(iter(found.items()))) for fold, found in folds.items()]
        each = [(fold, shown(metric), metric["n"]) for fold, (_, metric) in own]
        tables.append(Table.of(f"Each fold by itself ({len(each)})", ("fold", own[0][1][0], "items"), each))
    return Section("results", "Results", tuple(text), tuple(tables))


def classification(run: RunFolder) -> Section | None:
    """The confusion matrix, the pairs most confused, and every class."""
    if run.confusion is None:
        return None
    labels, counts = run.confusion
    n, items = len(labels), counts.sum(axis=1)
    wrong = counts - np.diag(np.diag(counts))
    order = [divmod(int(place), n) for place in np.argsort(-wrong, axis=None, kind="stable")[:PAIRS]]
    pairs = [
        (labels[true], labels[taken], int(wrong[true, taken]), percent(wrong[true, taken] / items[true]))
        for true, taken in order
        if wrong[true, taken]
    ]
    caption = f"The most frequent confusions ({len(pairs)})" if pairs else "Confusions: none"
    head = ("true class", "taken for", "items", "share of the true class (%)")
    most = Table.of(caption, head, pairs, text=2, folded=n <= COUNTS_UP_TO)
    if n <= ALL_COUNTS_UP_TO:
        corner = ("true \\ decided", *labels)
        full = Table.of(
            "All counts: true class in rows, decision in columns", corner, zip(labels, *counts.T, strict=True)
        )
    else:
        full = replace(most, caption=f"{caption}; all counts are in confusion.tsv", folded=True)
    picture = Picture.of(
        plot_confusion(counts, labels, title=run.name),
        "confusion",
        alt=f"Confusion matrix of {n} classes; {np.trace(counts)} of {counts.sum()} items are on the diagonal. "
        "The counts are in the table below it.",
        caption="Rows are the true classes, columns the decisions; the darker, the larger the share of the row.",
        table=full,
        wide=n >= WIDE_FROM,
    )
    return Section("classes", "Which class is taken for which", (), (most, _per_class(run, wrong, labels)), (picture,))


def _per_class(run: RunFolder, wrong: Any, labels: tuple[str, ...]) -> Table:
    number = {label: n for n, label in enumerate(labels)}
    rows = []
    for row in run.per_class:
        mistaken = wrong[number[row["class"]]]
        most = f"{labels[mistaken.argmax()]} ({mistaken.max()})" if mistaken.any() else ""
        shares = (percent(float(row[name] or "nan")) for name in ("recall", "precision"))
        rows.append((row["class"], row["items"], row["right"], *shares, most))
    rows.sort(key=lambda row: float("inf") if row[3] == "–" else float(row[3]))
    head = ("class", "items", "right", "recall (%)", "precision (%)", "most often taken for (items)")
    return Table("Every class, the worst first", head, tuple(rows), frozenset((1, 2, 3, 4)), folded=len(rows) > 12)


def training(run: RunFolder) -> Section | None:
    """What training gained for every class."""
    if not run.classes:
        return None
    traces = {row["class"]: json.loads(row["trace"]) for row in run.classes}
    longest = max(len(trace) for trace in traces.values())
    columns = {
        "class": "class",
        "n_frames": "frames",
        "n_components": "components",
        "n_in_use": "in use",
        "iterations": "iterations",
        "objective": "nats per frame at the end",
        "converged": "converged",
    }
    names = [name for name in columns if name in run.classes[0]]
    rows = [tuple(row[name] for name in names) for row in run.classes]
    head = tuple(columns[name] for name in names)
    summary = Table("How each class was trained", head, tuple(rows), frozenset(range(1, len(names) - 1)))
    values = [
        (label, *(f"{value:.4f}" for value in trace), *[""] * (longest - len(trace))) for label, trace in traces.items()
    ]
    numbers = Table.of(
        "The objective (nats per frame) before each iteration and at the end",
        ("class", *map(str, range(longest))),
        values,
    )
    n_open = sum(row["converged"] == "false" for row in run.classes)
    caption = "Gain of the objective over its value at the start."
    if len(traces) > CURVES_WITH_NAMES:
        caption += " Grey: the other classes."
    picture = Picture.of(
        plot_training(traces),
        "training",
        alt=f"Training curves of {len(traces)} mixtures over at most {longest - 1} iterations; numbers in the table.",
        caption=caption,
        table=numbers,
    )
    text = f"{n_open} of {len(traces)} used up their iterations while one still gained more than model.tol"
    text += " (with adapt: map a single one is usual)." if run.config.get("model", {}).get("adapt") == "map" else "."
    if not n_open:
        text = "All converged: their last iteration gained less than model.tol."
    return Section("training", "Training", (text,), (summary,), (picture,))


def data(run: RunFolder) -> Section:
    """Durations and frames of every class, and what was left out."""
    text: list[str] = []
    tables = []
    if run.data:
        rows = [(row["class"], row["split"], row["utterances"], row["seconds"], row["frames"]) for row in run.data]
        total = sum(float(row["seconds"]) for row in run.data)
        n_utterances = sum(int(row["utterances"]) for row in run.data)
        text.append(f"{n_utterances} utterances, {seconds(total)} in all.")
        head = ("class", "split", "utterances", "duration (s)", "frames")
        tables.append(Table.of("Utterances, duration and frames of every class", head, rows, text=2))
    else:
        text.append("The run left no data.tsv: run it again with this version for durations and frames.")
    if run.rejected:
        text.append(f"{len(run.rejected)} utterances could not be used and were left out.")
        rejected = [(row["id"], row["reason"]) for row in run.rejected]
        tables.append(Table.of("What was left out, and why", ("utterance", "reason"), rejected, text=2))
    else:
        text.append("Nothing was left out.")
    return Section("data", "Data", tuple(text), tuple(tables))


def about(run: RunFolder) -> list[tuple[str, str]]:
    """What was run and on what, as (name, value)."""
    corpus, metrics, environment = run.config.get("corpus", {}), run.metrics, run.environment
    split = corpus.get("split", {})
    divided = split.get("kind", "")
    divided += f" by {split['by']}" if split.get("by") else ""
    divided += f", {len(metrics['folds'])} folds" if metrics.get("folds") else ""
    # Claims are of somebody: without a group they are resampled by whom they are of.
    group = corpus.get("group") or (corpus.get("label") if run.task == "verification" else None)
    rows = [
        ("Task", f"{run.task} of {corpus.get('label', '?')}"),
        ("Corpus", f"{corpus.get('kind', '?')}, {corpus.get('sample_rate', '?')} Hz"),
        ("Division", divided),
        ("Intervals by", group or "items, taken as independent"),
        ("Features", _setting(run, "features", ("kind", "preset"))),
        *_models(run),
    ]
    if run.task == "verification":
        rows += [
            ("Scores", _setting(run, "scoring", ("method", "normalise"))),
            ("Calibration", _setting(run, "calibration", ("method",))),
            ("Decision", _setting(run, "decision", ("prior", "cost_miss", "cost_false_alarm"))),
        ]
    rows.append(_counted(run))
    if "n_train" in metrics:
        rows.append(("Utterances", f"{metrics['n_train']} trained on, {metrics['n_test']} tested"))
    if metrics.get("n_rejected"):
        rows.append(("Left out", str(metrics["n_rejected"])))
    if "seconds" in metrics:
        rows.append(("Time", ", ".join(f"{stage} {seconds(value)}" for stage, value in metrics["seconds"].items())))
    if environment:
        rows.append(("speechgmm", environment["packages"]["speechgmm"]))
        rows.append(("Configuration hash", environment["config_hash"]))
        if "settings_hash" in environment:  # folders of earlier versions have none
            rows.append(("Settings hash (defaults included)", environment["settings_hash"]))
        rows.append(("Data hash", environment["data_hash"]))
    return rows


def _counted(run: RunFolder) -> tuple[str, str]:
    """How many models there are of what."""
    if "n_units" in run.metrics:
        return "Units", str(run.metrics["n_units"])
    trained = len([row for row in run.classes if not row["class"].startswith("(")])
    return "Classes", str(run.metrics.get("n_classes", trained))


def _models(run: RunFolder) -> list[tuple[str, str]]:
    """The models in a line or two."""
    if run.task == "recognition":
        return [
            ("HMMs", _setting(run, "hmm", ("n_states", "n_components"))),
            ("Recognition", _setting(run, "recognition", ("language",))),
        ]
    if run.task == "anomaly":
        streams = run.config["anomaly"]["streams"]
        asked = run.config["model"]["n_components"] or f"up to {DEFAULT_COMPONENTS}"
        each = [f"{one['name']}: {one['n_components'] or asked} components, {one['pool']}" for one in streams]
        return [("Streams", "; ".join(each))]
    if run.config.get("segments"):
        return [("Models", _setting(run, "segments", ()))]
    # Adapted models have the components of the background model, whatever n_components says.
    adapted = (run.config.get("model") or {}).get("adapt") == "map"
    said = _setting(run, "model", ("adapt", "ubm") if adapted else ("n_components",))
    # Where nobody said how many components there are, frames did.
    sizes = sorted({int(row["n_components"]) for row in run.classes if row["class"].startswith("(") == adapted})
    if sizes and "n_components" not in said:
        said += f"; {sizes[0]} components" if len(sizes) == 1 else f"; {sizes[0]} to {sizes[-1]} components"
    return [("Models", said)]


def _setting(run: RunFolder, name: str, always: tuple[str, ...]) -> str:
    """A section of the configuration in a line: these keys, and what differs from the defaults."""
    given, default = run.config.get(name) or {}, to_plain(Config()).get(name) or {}
    asked = {**{key: given[key] for key in always if given.get(key) is not None}, **other_than(default, given)}
    found = []
    for key, value in asked.items():
        if isinstance(value, dict):
            found.append(f"{key} ({', '.join(f'{k} {v}' for k, v in value.items() if v is not None)})")
        else:
            found.append(f"{key} {' + '.join(map(str, value)) if isinstance(value, list) else value}")
    return ", ".join(found) or "defaults"


def protocol(run: RunFolder) -> Section:
    """The configuration, what it ran with, and how to run it again."""
    changed = {k: v for k, v in other_than(to_plain(Config()), run.config).items() if k not in NOT_IN_THE_RESULT}
    versions = [(name, version) for name, version in run.environment.get("packages", {}).items()]
    if run.environment:
        versions += [("python", run.environment["python"]), ("machine", run.environment["machine"])]
    again = f"speechgmm run {run.folder.name}/config.yaml --out NEW-FOLDER\nspeechgmm report {run.folder.name}"
    code = (
        ("What differs from the defaults", yaml.safe_dump(changed, sort_keys=False, allow_unicode=True)),
        ("The whole configuration", yaml.safe_dump(dict(run.config), sort_keys=False, allow_unicode=True)),
        ("Run it again, or make this page anew (from the folder that holds the run's)", again),
    )
    text = (
        "protocol.tsv in the run's folder names every utterance and the part it played, so that another toolkit can do "
        "the same experiment; the same data hash says that the recordings, labels and parts are the same.",
    )
    tables = (Table.of("Versions", ("package", "version"), versions, text=2),) if versions else ()
    return Section("again", "Configuration and how to run it again", text, tables, code=code)
