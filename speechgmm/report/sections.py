"""What a report says, section by section, from what a run left."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeAlias

import yaml

from speechgmm.config import NOT_IN_THE_RESULT, default_config, other_than, to_plain
from speechgmm.engine.run_folder import RunFolder
from speechgmm.errors import counted
from speechgmm.evaluation import Metric, operating_points
from speechgmm.evaluation.metric import notes_of, shown_name
from speechgmm.io.run_files import RunFile
from speechgmm.plots import training_curves
from speechgmm.plots.sources import traces_of
from speechgmm.plots.training import CURVES_WITH_NAMES
from speechgmm.report import mistakes
from speechgmm.report.component_choice import choice
from speechgmm.report.confusions import confusions
from speechgmm.report.detection_sections import detection
from speechgmm.report.parts import Picture, Section, Table, shown
from speechgmm.report.settings import settings_of
from speechgmm.report.text import duration, side_by_side

Progress: TypeAlias = Callable[[int, int], None]
"""Takes how much is done, and of how much."""

FOLDED_FROM: Final = 12
"""Rows above which a table is folded away."""


def sections(run: RunFolder, n_audio: int, progress: Progress = lambda *_: None) -> list[Section]:
    """All sections, in order; what the run left nothing for is not among them.

    Args:
        run: The run.
        n_audio: How many of the worst errors are to be heard.
        progress: Called after each part with how many are made, and of how many.
    """
    threshold = None
    if run.claims is not None:
        threshold = operating_points(run.claims.judged)[0].threshold
    parts: tuple[Callable[[], Sequence[Section | None]], ...] = (
        lambda: [results(run), Section("about", "Experiment", facts=tuple(about(run)))],
        lambda: [confusions(run)],
        lambda: run.task.sections(run, n_audio),
        lambda: [detection(run)],
        lambda: [mistakes.section(run, n_audio, threshold)],
        lambda: [training(run)],
        lambda: [choice(run)],
        lambda: [data(run), protocol(run)],
    )
    found: list[Section | None] = []
    for done, part in enumerate(parts, 1):
        found += part()
        progress(done, len(parts))
    return [section.short() for section in found if section is not None]


def metrics_of(run: RunFolder) -> Iterator[tuple[str, Metric]]:
    """The metrics of the test, with names for a person."""
    return ((shown_name(name), metric) for name, metric in run.results.items())


def with_bounds(metric: Metric) -> tuple[str, str, str]:
    """Value, low and high, each with its unit."""
    value, low, high = (shown(number, metric.unit) for number in (metric.value, metric.low, metric.high))
    return value, low, high


def results(run: RunFolder) -> Section | None:
    """Every metric with its interval, and those of each fold; None of a corpus that was aligned, and not tested."""
    rows = []
    for name, metric in run.results.items():
        by = "none" if metric.low is None else str(metric.interval)
        by += f" ({metric.n_groups})" if metric.low is not None and metric.n_groups is not None else ""
        rows.append((shown_name(name, metric), *with_bounds(metric), str(metric.n), by))
    if not rows and run.has(RunFile.PHONES):
        return None
    if not rows:
        return Section(
            "results", "Results", ("The run has no results: it was not tested, or the test was not finished.",)
        )
    text = [f"{', '.join(names)}: {note}." for note, names in notes_of(dict(metrics_of(run))).items()]
    hints = tuple(f"{hint}." for hint in run.metrics.get("hints", ()))
    strangers = run.results.get("open_set_false_alarm")
    if strangers is not None:
        text.append(
            "Open set: a test item is assigned to the model with the highest ratio if that is at least "
            f"{strangers.more['threshold']:.3f} nats, else it is unknown. "
            f"Unknown speakers: {strangers.more['strangers']}."
        )
    head = ("metric", "value", "low", "high", "items", "how the interval was made (groups)")
    caption = "Metrics of the test, with 95 % intervals"
    table = Table(caption, head, tuple(rows), frozenset((1, 2, 3, 4)), folded=False)
    tables = [table]
    if len(sessions := run.metrics.get("sessions", {})) > 1:
        columns = ("metric", *(f"tests of the {kind.replace('_', ' ')}" for kind in sessions))
        caption = "By the session of the test: whether it enrolled the speaker too, with 95 % intervals"
        tables.append(Table.of(caption, columns, side_by_side(sessions), folded=False))
    folds = run.metrics.get("folds", {})
    if folds:
        own = [(fold, next(iter(found.items()))) for fold, found in folds.items()]
        each = [(fold, shown(metric.value, metric.unit), metric.n) for fold, (_, metric) in own]
        tables.append(Table.of(f"Results of each fold ({len(each)})", ("fold", own[0][1][0], "items"), each))
    return Section("results", "Results", tuple(text), tuple(tables), hints=hints)


def training(run: RunFolder) -> Section | None:
    """What training gained for every class."""
    if not run.classes:
        return None
    traces = traces_of(run)
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
    numeric = frozenset(range(1, len(names) - 1))
    summary = Table("How each class was trained", head, tuple(rows), numeric, folded=len(rows) > FOLDED_FROM)
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
        training_curves(traces),
        "training",
        alt=f"Training curves of {len(traces)} mixtures over at most {longest - 1} iterations; numbers in the table.",
        caption=caption,
        table=numbers,
    )
    text = f"{n_open} of {len(traces)} mixtures stopped at max_iter while an iteration still gained more than model.tol"
    text += " (with adapt: map one iteration is usual)." if run.config.get("model", {}).get("adapt") == "map" else "."
    if not n_open:
        text = "All mixtures converged: their last iteration gained less than model.tol."
    return Section("training", "Training", (text,), (summary,), (picture,))


def data(run: RunFolder) -> Section:
    """Durations and frames of every class, and what was left out."""
    text: list[str] = []
    tables = []
    if run.data:
        rows = [(row["class"], row["split"], row["utterances"], row["seconds"], row["frames"]) for row in run.data]
        total = sum(float(row["seconds"]) for row in run.data)
        n_utterances = sum(int(row["utterances"]) for row in run.data)
        text.append(f"{counted(n_utterances, 'utterance')}, {duration(total)} in all.")
        head = ("class", "split", "utterances", "duration (s)", "frames")
        tables.append(
            Table.of(
                "Utterances, duration and frames of every class", head, rows, text=2, folded=len(rows) > FOLDED_FROM
            )
        )
    else:
        text.append("The run left no data.tsv: run it again with this version for durations and frames.")
    if run.rejected:
        text.append(f"{counted(len(run.rejected), 'utterance')} could not be used.")
        rejected = [(row["id"], row["reason"]) for row in run.rejected]
        tables.append(Table.of("What was left out, and why", ("utterance", "reason"), rejected, text=2))
    else:
        text.append("Nothing was left out.")
    return Section("data", "Data", tuple(text), tuple(tables))


def about(run: RunFolder) -> list[tuple[str, str]]:
    """What was run and on what, as (name, value)."""
    corpus, metrics, environment = run.config.get("corpus", {}), run.metrics, run.environment
    split, rate = corpus.get("split", {}), corpus.get("sample_rate", "?")
    divided = split.get("kind", "")
    divided += f" by {split['by']}" if split.get("by") else ""
    divided += f", {counted(len(metrics['folds']), 'fold')}" if metrics.get("folds") else ""
    rows = [
        ("Task", f"{run.task.name} of {corpus.get('label', '?')}"),
        ("Corpus", f"{corpus.get('kind', '?')}, {'given frames' if rate is None else f'{rate} Hz'}"),
        ("Split", divided),
        ("Intervals by", run.task.resampled_by(corpus) or "items, taken as independent"),
        ("Features", settings_of(run, "features", ("kind", "preset"))),
        *run.task.settings(run),
    ]
    rows += _counted(run)
    if "n_train" in metrics:
        rows.append(("Utterances", f"{metrics['n_train']} trained on, {metrics['n_test']} tested"))
    if metrics.get("n_rejected"):
        rows.append(("Left out", str(metrics["n_rejected"])))
    if "seconds" in metrics:
        # A page cannot say what it took to make it.
        stages = [f"{name} {duration(value)}" for name, value in metrics["seconds"].items() if name != "report"]
        rows.append(("Time", ", ".join(stages)))
    if environment:
        rows.append(("speechgmm", environment["packages"]["speechgmm"]))
        rows.append(("Configuration hash", environment["config_hash"]))
        if "settings_hash" in environment:  # folders of earlier versions have none
            rows.append(("Settings hash (defaults included)", environment["settings_hash"]))
        rows.append(("Data hash", environment["data_hash"]))
    return rows


def _counted(run: RunFolder) -> list[tuple[str, str]]:
    """How many models there are of what; empty: there are none."""
    if "n_units" in run.metrics:
        return [("Units", str(run.metrics["n_units"]))]
    trained = len([row for row in run.classes if not row["class"].startswith("(")])
    n_classes = run.metrics.get("n_classes", trained)
    return [("Classes", str(n_classes))] if n_classes else []


def protocol(run: RunFolder) -> Section:
    """The configuration, what it ran with, and how to run it again."""
    changed = {
        k: v for k, v in other_than(to_plain(default_config()), run.config).items() if k not in NOT_IN_THE_RESULT
    }
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
    return Section("again", "Configuration", text, tables, code=code)
