"""``score`` for anomaly-detection models: the anomaly score of recordings, and when it is highest."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from speechgmm.errors import ConfigError, DataError
from speechgmm.io.run_files import model_file
from speechgmm.io.terminal import tell
from speechgmm.tasks.options import ScoreOptions

if TYPE_CHECKING:
    from speechgmm.io.samples import AudioSource
    from speechgmm.tasks.anomaly.codec import AnomalyFile
    from speechgmm.tasks.anomaly.scoring import AnomalyScore

PRINTED = ("table", "tsv", "jsonl")
"""Formats of rows, which are printed; the others are those of label files."""

ANOMALIES = "Anomaly-detection models"
"""A group of options."""

COLUMNS = ("file", "class", "score", "threshold", "decision", "p_value", "start", "end", "silent")


@dataclass(frozen=True, slots=True, kw_only=True)
class Score(ScoreOptions):
    """The anomaly score of whole recordings, whether they are anomalous, and when the score is highest."""

    label: Annotated[
        str | None,
        typer.Option(metavar="NAME", rich_help_panel=ANOMALIES, help="the class of normal recordings to compare with"),
    ] = None
    curve: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            rich_help_panel=ANOMALIES,
            help="folder for the anomaly score over time: a table and a plot of each recording",
        ),
    ] = None

    def run(self) -> int:
        """Print the anomaly score of each recording as it is ready; returns how many recordings failed.

        With ``curve``, a table and, where matplotlib is installed, a picture of each recording are written there.

        Raises:
            ConfigError: No recording; no ``label`` where there are models of several classes; two recordings of one
                name with ``curve``.
            ModelFileError: The model cannot be read.
        """
        from speechgmm.engine.audio_input import takes_frames, with_resampling
        from speechgmm.tasks.anomaly.codec import read_anomaly_file
        from speechgmm.tasks.anomaly.label_tiers import labelled
        from speechgmm.tasks.anomaly.scoring import class_of, find_anomalies
        from speechgmm.tasks.output import LabelOutput, Results, print_rows
        from speechgmm.tasks.standard_input import sources_of

        file = read_anomaly_file(model_file(self.model))
        file = with_resampling(file) if self.resample else file
        kind, paths = class_of(file, self.label), sources_of(self.audio, self.raw, self.rate, given=takes_frames(file))
        if self.curve is not None and len({path.stem for path in paths}) < len(paths):
            raise ConfigError(f"--curve: recordings of one name in several folders would share a file in {self.curve}")
        output = LabelOutput(self.form, self.out, paths, printed=PRINTED, rows=True, quiet=self.quiet)
        if not self.quiet:
            tell(_about(file, kind))
        found = find_anomalies(file, paths, kind, n_jobs=self.jobs or 1)
        results = Results(found, len(paths), "scoring", quiet=self.quiet)
        if not output.is_of_files:
            print_rows(self._rows(file, kind, results), output.form, COLUMNS, _lines)
            return results.n_failed
        for path, one in results:
            try:
                if self.curve is not None and not one.silent:
                    _write_curve(self.curve, path, one, file, self.quiet)
                output.add(labelled(path, one, one.decision(file)))
            except DataError as error:  # of this recording; the others are written all the same
                results.failed(error)
        output.finish()
        return results.n_failed

    def _rows(
        self, file: "AnomalyFile", kind: str, results: "Iterable[tuple[AudioSource, AnomalyScore]]"
    ) -> Iterator[dict[str, object]]:
        for path, one in results:
            if self.curve is not None and not one.silent:
                _write_curve(self.curve, path, one, file, self.quiet)
            yield {
                "file": str(path),
                "class": kind,
                "score": round(one.score, 6),
                "threshold": round(one.threshold, 6),
                "decision": one.decision(file),
                "p_value": round(one.p_value, 6),
                "start": round(one.start, 3),
                "end": round(one.end, 3),
                "silent": one.silent,
            }


def _about(file: "AnomalyFile", kind: str) -> str:
    """The unit of the scores, and the false-alarm rate of the threshold."""
    one = file.models[kind].reference.threshold
    return (
        f"scores in {file.spec.unit}; anomalous above {one.value:.3f}, made for {100 * one.false_alarm:g} % false "
        f"alarms by {one.n} normal recordings (95 %: {100 * one.rate_low:.1f} to {100 * one.rate_high:.1f} %)"
    )


def _lines(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The rows for a person."""
    from speechgmm.report.text import aligned

    lines = [
        (
            str(row["file"]),
            f"{row['score']:.3f}",
            f"{row['threshold']:.3f}",
            str(row["decision"]),
            f"{row['p_value']:.3f}",
            "digital silence" if row["silent"] else f"{row['start']:.2f} to {row['end']:.2f}",
        )
        for row in rows
    ]
    if lines:
        head = ("recording", "score", "threshold", "decision", "p", "highest (s)")
        yield from aligned([head, *lines])


def _write_curve(folder: Path, path: "AudioSource", one: "AnomalyScore", file: "AnomalyFile", quiet: bool) -> None:
    """The curve as a table, and under the spectrogram as a picture where matplotlib is installed."""
    from speechgmm.engine.audio_input import takes_frames
    from speechgmm.io.atomic import write_text
    from speechgmm.io.tables import table
    from speechgmm.report.text import shown

    rows = ((f"{time:.3f}", f"{value:.4f}") for time, value in zip(one.grid, one.curve, strict=True))
    target = folder / f"{path.stem}.tsv"
    write_text(target, table(("time", "anomaly_score"), rows))
    drawn = ""
    if find_spec("matplotlib") is not None and not takes_frames(file):  # which nobody can see as sound
        from speechgmm.plots import save_figure
        from speechgmm.report.mistakes import read_clip
        from speechgmm.tasks.anomaly.plots import plot_anomaly_curve

        samples, rate = read_clip(path, 0.0, float(one.grid[-1]) + 1, file.audio[0].channel)
        decision = one.decision(file)
        title = f"{path.name}: {decision}, score {one.score:.2f}, threshold {one.threshold:.2f}"
        figure = plot_anomaly_curve(samples, rate, one.grid, one.curve, stretch=(one.start, one.end), title=title)
        save_figure(figure, folder / f"{path.stem}.png")
        drawn = f" and {path.stem}.png"
    if not quiet:
        tell(f"curve: {shown(target)}{drawn}")
