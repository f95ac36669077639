"""``score`` for class models: the ranked classes of recordings."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from speechgmm.errors import ConfigError
from speechgmm.io.run_files import model_file
from speechgmm.tasks.options import ScoreOptions

if TYPE_CHECKING:
    from speechgmm.tasks.classification.scoring import Scored

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Score(ScoreOptions):
    """Ranked classes of recordings, with log-likelihood per frame, posterior and margin."""

    top: Annotated[int, typer.Option("--top", metavar="N", min=1, help="classes to print per recording")] = 3
    window: Annotated[float | None, typer.Option(metavar="S", help="score windows of S seconds")] = None
    hop: Annotated[
        float | None, typer.Option(metavar="S", help="seconds from one window to the next; default: --window")
    ] = None
    speaker: Annotated[
        str | None, typer.Option(metavar="NAME", help="with cmvn: speaker: the recordings are all of one speaker")
    ] = None

    def run(self) -> int:
        """Print the ranked classes of each recording as it is ready; returns how many recordings failed.

        Raises:
            ConfigError: No recording is named, or a speaker where the model does not normalise by speaker.
            ModelFileError: The model cannot be read.
        """
        from speechgmm.report.text import recordings
        from speechgmm.tasks.classification.scoring import score_recordings
        from speechgmm.tasks.output import Results, print_rows

        file = self.read(model_file(self.model))
        if self.resample and file.audio:
            file = replace(file, audio=replace(file.audio, resample=True))
        paths = recordings(self.audio)
        cmvn = file.audio.features.cmvn if file.audio else "none"
        if not self.quiet:
            for line in (*self._about_speaker(cmvn), *self.about(file)):
                print(line, file=sys.stderr)
        if self.speaker and cmvn != "speaker":
            raise ConfigError(f"--speaker is for a model with cmvn: speaker; this one has cmvn: {cmvn}")
        found = score_recordings(
            file, paths, window=self.window, hop=self.hop, speaker=self.speaker, n_jobs=self.jobs or 1
        )
        results = Results(found, len(paths), "scoring", quiet=self.quiet)
        lengths: list[int] = []
        print_rows(self._rows(file, results, lengths), self.form, self.columns(file), partial(self.lines, file))
        for line in self.afterwards(file, lengths):
            print(line, file=sys.stderr)
        return results.n_failed

    def _rows(
        self, file: Any, results: "Iterable[tuple[Path, list[Scored]]]", lengths: list[int]
    ) -> Iterator[dict[str, Any]]:
        for path, items in results:
            for item in _with_speech(path, items):
                lengths.append(item.n_frames)
                yield from self.ranks(file, item)

    def _about_speaker(self, cmvn: str) -> Iterator[str]:
        if cmvn == "speaker":
            whose = f"all are of speaker {self.speaker!r}"
            alone = "each recording counts as a speaker by itself (--speaker names one speaker of them all)"
            yield f"normalisation by speaker: {whose if self.speaker else alone}"

    def read(self, path: Path) -> Any:
        """The model file."""
        from speechgmm.tasks.classification.codec import read_model_file

        return read_model_file(path)

    @property
    def shows_times(self) -> bool:
        """Whether rows for a person begin with times."""
        return self.window is not None

    def about(self, file: Any) -> Iterable[str]:
        """What a person should know of the scores."""
        if file.models.temperature is None:
            yield "the model has no temperature: margins are printed, but no posteriors"

    def columns(self, file: Any) -> tuple[str, ...]:
        """Columns of a table with tabs."""
        return ("file", "start", "end", "n_frames", "rank", "label", "mean_log_likelihood", "posterior", "margin")

    def afterwards(self, file: Any, lengths: list[int]) -> Iterable[str]:
        """What a person should know of the scores, given the numbers of frames that were scored."""
        return ()

    def ranks(self, file: Any, item: "Scored") -> Iterator[dict[str, Any]]:
        """A row for each of the best classes of a window."""
        for rank, number in enumerate(item.ranked()[: self.top], 1):
            yield {
                "file": str(item.path),
                "start": round(item.start, 3),
                "end": round(item.end, 3),
                "n_frames": item.n_frames,
                "rank": rank,
                "label": file.models.labels[number],
                "mean_log_likelihood": round(float(item.mean_log_likelihoods[number]), 6),
                "posterior": None if item.posteriors is None else round(float(item.posteriors[number]), 6),
                "margin": round(item.margin(number), 6),
            }

    def lines(self, file: Any, rows: Iterable[Row]) -> Iterator[str]:
        """The rows for a person, under the name of each recording."""
        before: object = None
        windowed = self.shows_times
        for row in rows:
            if row["file"] != before:
                yield f"{'' if before is None else chr(10)}{row['file']}"
                head = f"{'start':>8}{'end':>8}  " if windowed else "  "
                third, units = self.third_heading(file)
                likelihood = f"{'log-likelihood':>15}" if "mean_log_likelihood" in row else ""
                yield f"{head}{'rank':>4}  {file.label:<16}{likelihood}{third:>11}{'margin':>9}   {units}"
                before = row["file"]
            times = f"{row['start']:>8.2f}{row['end']:>8.2f}  " if windowed else "  "
            likelihood = f"{row['mean_log_likelihood']:>15.3f}" if "mean_log_likelihood" in row else ""
            third, after = self.third(row)
            values = f"{likelihood}{third:>11}{row['margin']:>9.3f}{after}"
            yield f"{times}{row['rank']:>4}  {row['label']:<16}{values}"

    def third_heading(self, file: Any) -> tuple[str, str]:
        """The heading of the column after log-likelihoods, and the units of all."""
        return "posterior", "nats per frame"

    def third(self, row: Row) -> tuple[str, str]:
        """The value in the column after log-likelihoods, and what stands after the row."""
        return "" if row["posterior"] is None else f"{row['posterior']:.3f}", ""


def _with_speech(path: Path, items: "list[Scored]") -> "Iterator[Scored]":
    """The windows of a recording that hold speech; warnings about the others and about clipping are printed."""
    from speechgmm.io.audio import CLIPPED_SHARE

    if items and items[0].clipped >= CLIPPED_SHARE:
        print(f"warning: {path}: {100 * items[0].clipped:.1f} % of samples are clipped", file=sys.stderr)
    silent = sum(item.n_frames == 0 for item in items)
    if silent:
        print(f"{path}: {silent} of {len(items)} windows hold no speech and are left out", file=sys.stderr)
    yield from (item for item in items if item.n_frames)
