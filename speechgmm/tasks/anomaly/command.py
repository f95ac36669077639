"""New recordings against a model of what is normal: how odd they are, and when."""

import json
import sys
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from speechgmm.engine.console import Console
from speechgmm.errors import ConfigError, DataError
from speechgmm.io.atomic import write_text
from speechgmm.io.tables import cell, table
from speechgmm.report.text import aligned, recordings, shown
from speechgmm.tasks.anomaly.codec import AnomalyFile, read_anomaly_file
from speechgmm.tasks.anomaly.scoring import Found, find_anomalies, with_resampling

COLUMNS = ("file", "class", "score", "threshold", "decision", "p_value", "start", "end")


def find_and_print(
    model: Path,
    audio: Sequence[Path],
    *,
    label: str | None,
    form: str,
    curve: Path | None,
    resample: bool,
    jobs: int,
    quiet: bool,
) -> int:
    """Print how odd each recording is as it is ready; returns how many failed.

    With ``curve``, a table and, where matplotlib is installed, a picture of each recording are written to that folder.

    Raises:
        ConfigError: No recording; no ``label`` where there are models of several kinds; two recordings of one name with
            ``curve``.
        ModelFileError: The model cannot be read.
    """
    file = read_anomaly_file(model / "models.safetensors" if model.is_dir() else model)
    file = with_resampling(file) if resample else file
    kind, paths = _kind(file, label), recordings(audio)
    if curve is not None and len({path.stem for path in paths}) < len(paths):
        raise ConfigError(f"--curve: recordings of one name in several folders would share a file in {curve}")
    if not quiet:
        print(_about(file, kind), file=sys.stderr)
    failures = 0

    def rows() -> Iterator[dict[str, object]]:
        nonlocal failures
        hidden = len(paths) > 1 and not sys.stdout.isatty() and sys.stderr.isatty()
        found = find_anomalies(file, paths, kind, n_jobs=jobs)
        for path, one in Console(quiet=quiet).track(found, len(paths), "scoring" if hidden else None):
            if isinstance(one, DataError):
                failures += 1
                print(f"error: {one}", file=sys.stderr)
                continue
            if curve is not None:
                _write_curve(curve, path, one, file, quiet)
            yield {
                "file": str(path),
                "class": kind,
                "score": round(one.score, 6),
                "threshold": round(one.threshold, 6),
                "decision": "anomalous" if one.anomalous else file.spec.normal,
                "p_value": round(one.p_value, 6),
                "start": round(one.start, 3),
                "end": round(one.end, 3),
            }

    _print_rows(rows(), form)
    return failures


def _kind(file: AnomalyFile, label: str | None) -> str:
    """The kind of normal recordings that is meant."""
    names = list(file.models)
    listed = f"{', '.join(names[:20])}{', ...' if len(names) > 20 else ''}"
    if label is None and len(names) > 1:
        raise ConfigError(
            f"a model of {len(names)} kinds of normal recordings ({file.label}): {listed}; say with --label which of "
            "them the recordings are to be compared with"
        )
    if label is not None and label not in names:
        raise ConfigError(f"--label {label}: the model knows {listed} ({file.label})")
    return label or names[0]


def _about(file: AnomalyFile, kind: str) -> str:
    """What the threshold is worth."""
    one = file.models[kind].reference.threshold
    unit = "nats per frame" if file.spec.n_figures == 1 else "deviations of normal recordings"
    return (
        f"scores in {unit}; anomalous above {one.value:.3f}, made for {100 * one.false_alarm:g} % false alarms by "
        f"{one.n} normal recordings (95 %: {100 * one.rate_low:.1f} to {100 * one.rate_high:.1f} %)"
    )


def _print_rows(rows: Iterator[dict[str, object]], form: str) -> None:
    if form == "jsonl":
        for row in rows:
            print(json.dumps(row, ensure_ascii=False))
    elif form == "tsv":
        print("\t".join(COLUMNS))
        for row in rows:
            print("\t".join(cell(row[name]) for name in COLUMNS))
    else:
        lines = [
            (
                str(row["file"]),
                f"{row['score']:.3f}",
                f"{row['threshold']:.3f}",
                str(row["decision"]),
                f"{row['p_value']:.3f}",
                f"{row['start']:.2f} to {row['end']:.2f}",
            )
            for row in rows
        ]
        if lines:
            head = ("recording", "score", "threshold", "decision", "p", "oddest (s)")
            print("\n".join(aligned([head, *lines])))


def _write_curve(folder: Path, path: Path, one: Found, file: AnomalyFile, quiet: bool) -> None:
    """The curve as a table, and under the spectrogram as a picture where matplotlib is installed."""
    rows = ((f"{time:.3f}", f"{value:.4f}") for time, value in zip(one.grid, one.curve, strict=True))
    target = folder / f"{path.stem}.tsv"
    write_text(target, table(("time", "oddity"), rows))
    drawn = ""
    if find_spec("matplotlib") is not None:
        from speechgmm.report.mistakes import read_clip
        from speechgmm.report.plots import save_figure
        from speechgmm.tasks.anomaly.plots import plot_anomaly_curve

        samples, rate = read_clip(path, 0.0, float(one.grid[-1]) + 1, file.audio[0].channel)
        decision = "anomalous" if one.anomalous else file.spec.normal
        title = f"{path.name}: {decision}, score {one.score:.2f}, threshold {one.threshold:.2f}"
        figure = plot_anomaly_curve(samples, rate, one.grid, one.curve, stretch=(one.start, one.end), title=title)
        save_figure(figure, folder / f"{path.stem}.png")
        drawn = f" and {path.stem}.png"
    if not quiet:
        print(f"curve: {shown(target)}{drawn}", file=sys.stderr)
