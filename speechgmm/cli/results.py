"""Results as text on standard output."""

from typing import TYPE_CHECKING

from speechgmm.engine.run_folder import RunFolder
from speechgmm.errors import counted
from speechgmm.io.run_files import RunFile

if TYPE_CHECKING:
    from speechgmm.engine.runs import RunResult
    from speechgmm.engine.sweep_results import Sweep

from speechgmm.report.text import duration, metric_cells, print_table, shown, side_by_side

CLASSES_SHOWN = 12


def print_result(result: "RunResult") -> None:
    """Metrics, the classes with the lowest recall, and where the files are."""
    run, evaluation = RunFolder(result.folder), result.evaluation
    metrics = run.metrics
    kinds = ""
    for name, kind in (("n_units", "unit"), ("n_classes", "class")):
        if name in metrics and not kinds:
            kinds = f"{counted(metrics[name], kind)}, "
    print(f"\n{kinds}{metrics['n_train']} training and {metrics['n_test']} test utterances")
    # There are none of anomaly-detection models that were trained without a test.
    print_table([metric_cells(name, metric) for name, metric in run.results.items()], head=False)
    if before := metrics.get("before_calibration"):
        both = [
            (*metric_cells(name, own)[:2], metric_cells(name, run.results[name])[1]) for name, own in before.items()
        ]
        print()
        print_table([("", "before calibration", "after"), *both])
    if len(sessions := metrics.get("sessions", {})) > 1:
        print()
        print_table([("tests of the", *(kind.replace("_", " ") for kind in sessions)), *side_by_side(sessions)])
    for key, what in (("conditions", "anomaly"), ("classes", "class")):
        parts = {name: own for name, own in metrics.get(key, {}).items() if "auc" in own}
        if parts:
            lines = [
                (name, metric_cells("auc", own["auc"])[1], metric_cells("rate", own["detection_rate"])[1])
                for name, own in parts.items()
            ]
            print()
            print_table([(what, "AUC", "detected"), *lines[:CLASSES_SHOWN]])
            if len(lines) > CLASSES_SHOWN:
                print(f"  ... and {len(lines) - CLASSES_SHOWN} more in {RunFile.METRICS}")
    if "folds" in metrics:
        by_fold = {fold: next(iter(own.items())) for fold, own in metrics["folds"].items()}
        rows = [(fold, metric_cells(*own)[1], f"n = {own[1].n}", "") for fold, own in by_fold.items()]
        print()
        print_table([("fold", next(iter(by_fold.values()))[0], "", ""), *rows])
    worst = getattr(evaluation, "worst", None)
    if worst is not None:
        rows = [(label, f"{right} of {n}", f"{100 * right / n:.1f} %", mistake) for label, right, n, mistake in worst()]
        title = "class" if len(rows) <= CLASSES_SHOWN else f"class (worst {CLASSES_SHOWN} of {len(rows)})"
        print()
        print_table([(title, "correct", "", "most often confused with"), *rows[:CLASSES_SHOWN]])
    for line in result.task.trained_notes(result.trained):
        print(f"\n{line}")
    if hints := metrics.get("hints"):
        print("\nwhat limits this result, and what to do next")
        print("\n".join(f"  - {hint}" for hint in hints))
    print(f"\nresults: {shown(result.folder)}")
    model = shown(result.folder / RunFile.MODELS)
    print(result.task.next_command(model, result.trained))


def print_sweep(result: "Sweep", command: str) -> None:
    """The grid with results on inner folds and on the test, and the metrics of what was chosen."""
    from speechgmm.engine.sweep_results import sweep_table

    rows = [line.split("\t") for line in sweep_table(result).splitlines()]
    print()
    print_table(rows)
    print("\nchosen by the results on inner folds (or the split dev) alone; on the test the chosen settings give")
    if result.evaluation is not None:
        print_table([metric_cells(name, metric) for name, metric in result.evaluation.metrics.items()], head=False)
    print(f"\nresults: {shown(result.folder)}")
    print(f"train what was chosen: {command}")


def print_features(result: "RunResult") -> None:
    """What was extracted."""
    features = result.features
    n_frames = sum(piece.stop - piece.first for piece in features.pieces)
    print(f"{counted(len(features.corpus), 'utterance')}, {duration(sum(features.durations))}, {n_frames} frames")
    if features.rejected:
        print(f"{len(features.rejected)} left out: {shown(result.folder / RunFile.REJECTED)}")
    if features.pieces:
        print(f"features: {features.pieces[0].store.folder}")


def print_models(result: "RunResult") -> None:
    """How the models were trained."""
    if result.trained is None:
        return
    print("\n".join(result.task.trained_lines(result.trained)))
    print(f"\nmodels: {shown(result.folder / RunFile.MODELS)}")
