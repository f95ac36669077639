"""Results as text on standard output."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from speechgmm.console import Console
from speechgmm.errors import ConfigError, DataError
from speechgmm.io.audio import CLIPPED_SHARE
from speechgmm.io.tables import cell
from speechgmm.scoring.decision_spec import UNKNOWN

if TYPE_CHECKING:
    from speechgmm.pipeline.running import Result
    from speechgmm.pipeline.sweeping import Sweep
    from speechgmm.scoring.decision_spec import DecisionSpec
    from speechgmm.scoring.score_maps import Calibration

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
    from speechgmm.scoring import ClassModels

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


def figure(name: str, metric: dict[str, Any]) -> tuple[str, str, str]:
    """Name, value and interval of a metric, for a person."""
    from speechgmm.evaluation import EER_NAMES  # the other commands wait for less

    def number(value: float) -> str:
        return f"{100 * value:.1f} %" if metric["unit"] == "fraction" else f"{value:.3f}"

    interval = ""
    if "low" in metric:
        by = f"{metric['n_groups']} groups" if "n_groups" in metric else "items as independent"
        interval = f"95 % interval {number(metric['low'])} to {number(metric['high'])} ({by})"
    stated = f" (prior {metric['p_target']:g})" if "p_target" in metric else ""
    return EER_NAMES.get(name, name.replace("_", " ")) + stated, number(metric["value"]), interval


def print_sweep(result: "Sweep") -> None:
    """The grid with inner and test figures, and the figure of what was chosen."""
    from speechgmm.pipeline.sweeping import sweep_table

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
    from speechgmm.pipeline.hmm_training import TrainedRecogniser
    from speechgmm.pipeline.segments import TrainedSegments

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


def score_and_print(
    model: Path,
    audio: Sequence[Path],
    *,
    form: str = "table",
    top: int = 3,
    window: float | None = None,
    hop: float | None = None,
    speaker: str | None = None,
    resample: bool = False,
    jobs: int = 1,
    quiet: bool = False,
) -> int:
    """Score recordings and print ranked classes as they are ready; returns how many recordings failed.

    Raises:
        ConfigError: No recording is named.
        ModelFileError: The model cannot be read.
    """
    from speechgmm.io.model_file import ModelFile
    from speechgmm.io.segment_file import read_any_model
    from speechgmm.pipeline.scoring import Scored, score_recordings

    file = read_any_model(model / "models.safetensors" if model.is_dir() else model)
    if resample and file.audio:
        file = replace(file, audio=replace(file.audio, resample=True))
    paths = recordings(audio)
    cmvn = file.audio.features.cmvn if file.audio else "none"
    if not quiet:
        if cmvn == "speaker":
            whose = (
                f"all are of speaker {speaker!r}" if speaker else "each recording is a speaker of its own (--speaker)"
            )
            print(f"normalisation by speaker: {whose}", file=sys.stderr)
        if not isinstance(file, ModelFile):
            print("a model of segments: each recording or window is taken as one segment", file=sys.stderr)
        elif file.calibration is not None:
            least = f"{file.calibration.threshold:.3f} nats: {stakes(file.calibration.decision)}"
            print(f"calibrated log-likelihood ratios; unknown where the best is below {least}", file=sys.stderr)
        elif file.models.temperature is None:
            print("the model has no temperature: no posteriors, margins only", file=sys.stderr)
    if speaker and cmvn != "speaker":
        raise ConfigError(f"--speaker is for a model with cmvn: speaker; this one has cmvn: {cmvn}")
    labels, classes = file.models.labels, isinstance(file, ModelFile)
    calibration = file.calibration if isinstance(file, ModelFile) else None
    failures = strange = 0

    def rows() -> Iterator[dict[str, object]]:
        nonlocal failures, strange
        scored = score_recordings(file, paths, window=window, hop=hop, speaker=speaker, n_jobs=jobs)
        # Where the results do not pass before one's eyes, a bar does.
        hidden = len(paths) > 1 and not sys.stdout.isatty() and sys.stderr.isatty()
        for path, results in Console(quiet=quiet).track(scored, len(paths), "scoring" if hidden else None):
            if isinstance(results, DataError):
                failures += 1
                print(f"error: {results}", file=sys.stderr)
                continue
            if results and results[0].clipped >= CLIPPED_SHARE:
                print(f"warning: {path}: {100 * results[0].clipped:.1f} % of samples are clipped", file=sys.stderr)
            silent = sum(item.n_frames == 0 for item in results)
            if silent:
                print(f"{path}: {silent} of {len(results)} windows hold no speech and are left out", file=sys.stderr)
            for item in results:
                if item.n_frames:
                    strange += calibration is not None and calibration.strange(item.n_frames)
                    yield from _ranks(path, item, labels, top)

    def _ranks(path: Path, item: Scored, labels: Sequence[str], top: int) -> Iterator[dict[str, object]]:
        decision: dict[str, object] = {}
        if item.llrs is not None and calibration is not None:
            known = item.llrs.max() >= calibration.threshold
            decision = {"decision": labels[item.ranked()[0]] if known else UNKNOWN}
        for rank, number in enumerate(item.ranked()[:top], 1):
            yield {
                "file": str(path),
                "start": round(item.start, 3),
                "end": round(item.end, 3),
                "n_frames": item.n_frames,
                "rank": rank,
                "label": labels[number],
                # Segment models have posteriors alone.
                "mean_log_likelihood": round(float(item.mean_log_likelihoods[number]), 6) if classes else None,
                "posterior": None if item.posteriors is None else round(float(item.posteriors[number]), 6),
                "margin": round(item.margin(number), 6),
                **({} if item.llrs is None else {"llr": round(float(item.llrs[number]), 6)}),
                **decision,
            }

    _print_rows(rows(), form, windowed=window is not None, label=file.label, calibrated=calibration is not None)
    if strange and calibration is not None:
        print(of_strange_length(strange, calibration), file=sys.stderr)
    return failures


def _print_rows(
    rows: Iterable[dict[str, object]], form: str, *, windowed: bool, label: str, calibrated: bool = False
) -> None:
    if form == "jsonl":
        for row in rows:
            print(json.dumps(row, ensure_ascii=False))
        return
    if form == "tsv":
        names = ["file", "start", "end", "n_frames", "rank", "label", "mean_log_likelihood", "posterior", "margin"]
        names += ["llr", "decision"] if calibrated else []
        print("\t".join(names))
        for row in rows:
            print("\t".join("" if row[name] is None else cell(row[name]) for name in names))
        return
    before: object = None
    for row in rows:
        if row["file"] != before:
            print(f"{'' if before is None else chr(10)}{row['file']}")
            head = f"{'start':>8}{'end':>8}  " if windowed else "  "
            third = f"{'ratio':>11}" if calibrated else f"{'posterior':>11}"
            units = "nats per frame (ratio: nats)" if calibrated else "nats per frame"
            print(f"{head}{'rank':>4}  {label:<16}{'log-likelihood':>15}{third}{'margin':>9}   {units}")
            before = row["file"]
        times = f"{row['start']:>8.2f}{row['end']:>8.2f}  " if windowed else "  "
        third = f"{row['llr']:.3f}" if calibrated else "" if row["posterior"] is None else f"{row['posterior']:.3f}"
        likelihood = "" if row["mean_log_likelihood"] is None else f"{row['mean_log_likelihood']:.3f}"
        decision = f"   {row['decision']}" if calibrated and row["rank"] == 1 else ""
        values = f"{likelihood:>15}{third:>11}{row['margin']:>9.3f}{decision}"
        print(f"{times}{row['rank']:>4}  {row['label']:<16}{values}")


def stakes(decision: "DecisionSpec") -> str:
    """Prior and costs in words."""
    return (
        f"prior {decision.prior:g}, cost of a miss {decision.cost_miss:g}, of a false alarm "
        f"{decision.cost_false_alarm:g}"
    )


def of_strange_length(count: int, calibration: "Calibration") -> str:
    """A warning of recordings that the calibration cannot know."""
    shortest, longest = calibration.n_frames
    return (
        f"warning: {count} ratios are of recordings far shorter or longer than those of the calibration ({shortest} to "
        f"{longest} frames): take them as rough"
    )


def recordings(given: Sequence[Path]) -> list[Path]:
    """The recordings named, and those in folders named, in order."""
    paths: list[Path] = []
    for path in given:
        if path.is_dir():
            from speechgmm.corpus.folder import audio_files

            found = audio_files(path)
            if not found:
                raise DataError(f"{path}: no recordings in this folder")
            paths += found
        else:
            paths.append(path)
    return paths


def model_target(path: Path, out: Path | None) -> Path:
    """Where a changed model goes: ``out``, or the file that it came from.

    Raises:
        ConfigError: That is a run's own, which the run would train anew, and whose figures are of the model as it is.
    """
    target = out or path
    if target.name == "models.safetensors" and (target.parent / "config.yaml").exists():
        raise ConfigError(
            f"{target} belongs to a run, which would train it anew; say with --out where the new model goes"
        )
    return target


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows with their columns lined up: numbers to the right, words to the left."""
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    right = [all(row[n][:1].isdigit() or row[n][:1] in ("-", "") for row in rows[1:]) for n in range(len(widths))]
    for row in rows:
        cells = (cell.rjust(w) if r else cell.ljust(w) for cell, w, r in zip(row, widths, right, strict=True))
        yield ("  " + "  ".join(cells)).rstrip()


def duration(seconds: float) -> str:
    """A length of time for a person: 4.2 s, 3 min 20 s, 2 h 5 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def shown(path: Path) -> str:
    """A path relative to where the user stands, if it lies below."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
