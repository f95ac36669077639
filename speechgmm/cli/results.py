"""Results as text on standard output."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from speechgmm.engine.runs import Result
    from speechgmm.engine.sweeps import Sweep

from speechgmm.report.text import aligned, duration, figure, shown

CLASSES_SHOWN = 12
IN_USE_SHOWN = 30


def print_result(result: "Result") -> None:
    """Figures, the classes that fare worst, and where the files are."""
    metrics, evaluation = result.metrics, result.evaluation
    kinds = (
        f"{metrics['n_units']} units"
        if "n_units" in metrics
        else f"{metrics['n_classes']} class{'es' * (metrics['n_classes'] != 1)}"
    )
    print(f"\n{kinds}, {metrics['n_train']} training and {metrics['n_test']} test utterances")
    figures_of_all = [figure(name, metric) for name, metric in _figures(metrics)]
    if figures_of_all:  # models of what is normal may be trained without a test
        print("\n".join(aligned(figures_of_all)))
    for key, what in (("conditions", "anomaly"), ("classes", "class")):
        parts = {name: own for name, own in metrics.get(key, {}).items() if "auc" in own}
        if parts:
            lines = [
                (name, figure("auc", own["auc"])[1], figure("rate", own["detection_rate"])[1])
                for name, own in parts.items()
            ]
            print("\n" + "\n".join(aligned([(what, "AUC", "found"), *lines[:CLASSES_SHOWN]])))
            if len(lines) > CLASSES_SHOWN:
                print(f"  ... and {len(lines) - CLASSES_SHOWN} more in metrics.json")
    if "folds" in metrics:
        figures = {fold: next(_figures(own)) for fold, own in metrics["folds"].items()}
        rows = [(fold, figure(*own)[1], f"n = {own[1]['n']}", "") for fold, own in figures.items()]
        print()
        print("\n".join(aligned([("fold", next(iter(figures.values()))[0], "", ""), *rows])))
    worst = getattr(evaluation, "worst", None)
    if worst is not None:
        rows = [(label, f"{right} of {n}", f"{100 * right / n:.1f} %", mistake) for label, right, n, mistake in worst()]
        title = "class" if len(rows) <= CLASSES_SHOWN else f"class (worst {CLASSES_SHOWN} of {len(rows)})"
        print()
        print("\n".join(aligned([(title, "right", "", "most often taken for"), *rows[:CLASSES_SHOWN]])))
    if (line := _in_use(result)) is not None:
        print(f"\n{line}")
    print(f"\nresults: {shown(result.folder)}")
    model = shown(result.folder / "models.safetensors")
    if metrics["task"] == "verification":
        print(f"judge a claim: speechgmm verify {model} --claim LABEL RECORDING")
    elif metrics["task"] == "recognition":
        print(f"recognise a recording: speechgmm recognise {model} RECORDING")
    else:
        print(f"score a recording: speechgmm score {model} RECORDING")


def _in_use(result: "Result") -> str | None:
    """How many components every class uses, where training chose them."""
    from speechgmm.tasks.classification.models import ClassModels

    models = getattr(result.trained, "models", None)
    if not isinstance(models, ClassModels) or models.bayesian is None:
        return None
    used = [f"{label} {known.n_in_use}" for label, known in zip(models.labels, models.bayesian, strict=True)]
    more = f" ... and {len(used) - IN_USE_SHOWN} more classes" if len(used) > IN_USE_SHOWN else ""
    sizes = sorted({known.n_components for known in models.bayesian})
    return f"components in use, of {' and '.join(map(str, sizes))}: {', '.join(used[:IN_USE_SHOWN])}{more}"


def _figures(metrics: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Metrics among the entries of ``metrics.json``."""
    return ((name, value) for name, value in metrics.items() if isinstance(value, dict) and "value" in value)


def print_sweep(result: "Sweep") -> None:
    """The grid with inner and test figures, and the figure of what was chosen."""
    from speechgmm.engine.sweeps import sweep_table

    rows = [line.split("\t") for line in sweep_table(result).splitlines()]
    print("\n" + "\n".join(aligned(rows)))
    print("\nchosen by the inner figure alone; on the test that gives")
    if result.evaluation is not None:
        print("\n".join(aligned([figure(name, metric) for name, metric in result.evaluation.metrics.items()])))
    print(f"\nresults: {shown(result.folder)}")


def print_features(result: "Result") -> None:
    """What was extracted."""
    features = result.features
    n_frames = sum(piece.stop - piece.first for piece in features.pieces)
    print(f"{len(features.corpus)} utterances, {duration(sum(features.durations))}, {n_frames} frames")
    if features.rejected:
        print(f"{len(features.rejected)} left out: {shown(result.folder / 'rejected.tsv')}")
    if features.pieces:
        print(f"features: {features.pieces[0].store.folder}")


def print_models(result: "Result") -> None:
    """How each class was trained."""
    from speechgmm.tasks.recognition.training import TrainedRecogniser
    from speechgmm.tasks.segments.training import TrainedSegments

    if result.trained is None:
        return
    model = shown(result.folder / "models.safetensors")
    if isinstance(result.trained, TrainedRecogniser):
        units = result.trained.recogniser.units
        print(f"HMMs of {len(units.labels)} units, {units.n_states} states; each is in units.tsv\n\nmodels: {model}")
        return
    if isinstance(result.trained, TrainedSegments):
        weights = ", ".join(f"{weight:.3f}" for weight in result.trained.models.weights)
        print(f"segment models of {len(result.trained.models.labels)} classes; weights of their streams: {weights}")
        print(f"\nmodels: {model}")
        return
    rows = [
        (
            report.label,
            str(report.n_frames),
            str(report.n_components),
            str(report.iterations),
            f"{report.objective:.3f}",
            *(() if report.posterior is None else (str(report.posterior.n_in_use),)),
            "" if report.converged else "(still gaining when stopped)",
            report.why,
        )
        for report in result.trained.reports
    ]
    head = ("class", "frames", "components", "iterations", "nats per frame")
    in_use = () if result.trained.reports[0].posterior is None else ("in use",)
    print("\n".join(aligned([(*head, *in_use, "", ""), *rows])))
    print(f"\nmodels: {shown(result.folder / 'models.safetensors')}")
