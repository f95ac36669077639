"""``score`` for class models: the ranked classes of recordings."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from speechgmm.errors import ConfigError, DataError
from speechgmm.io.run_files import model_file
from speechgmm.io.terminal import tell
from speechgmm.tasks.options import STANDARD_INPUT, ScoreOptions

if TYPE_CHECKING:
    from speechgmm.io.samples import AudioSource
    from speechgmm.io.timed_labels import LabelledRecording
    from speechgmm.tasks.classification.scoring import Scored
    from speechgmm.tasks.output import LabelOutput, Results

Row = Mapping[str, Any]

PRINTED = ("table", "tsv", "jsonl")
"""Formats of rows for each of the best classes, which are printed; the others are those of label files."""

CLASSES = "Class models"
"""A group of options."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score(ScoreOptions):
    """Ranked classes of recordings, with log-likelihood per frame, posterior and margin."""

    top: Annotated[
        int,
        typer.Option(
            "--top", metavar="N", min=1, rich_help_panel=CLASSES, help="number of classes to print for each recording"
        ),
    ] = 3
    window: Annotated[
        float | None, typer.Option(metavar="S", rich_help_panel=CLASSES, help="score windows of S seconds")
    ] = None
    hop: Annotated[
        float | None,
        typer.Option(
            metavar="S", rich_help_panel=CLASSES, help="seconds from one window to the next; default: --window"
        ),
    ] = None
    speaker: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            rich_help_panel=CLASSES,
            help="all recordings are of this speaker; for a model with cmvn: speaker",
        ),
    ] = None

    live: Annotated[
        bool,
        typer.Option(
            "--live",
            rich_help_panel=STANDARD_INPUT,
            help="with --raw: print the classes of each window as it ends (--window, default: 1 s), then of the whole",
        ),
    ] = False

    def run(self) -> int:
        """Print the ranked classes of each recording as it is ready; returns how many recordings failed.

        Raises:
            ConfigError: No recording is named; ``live`` for files, or with features that need the whole recording; a
                speaker where the model does not normalise by speaker.
            ModelFileError: The model cannot be read.
        """
        from speechgmm.engine.audio_input import takes_frames, with_resampling
        from speechgmm.tasks.classification.scoring import score_recordings
        from speechgmm.tasks.output import LabelOutput, Results, print_rows
        from speechgmm.tasks.standard_input import sources_of

        file = self.read(model_file(self.model))
        if self.resample:
            file = with_resampling(file)
        lengths: list[int] = []
        if self.live:
            output = LabelOutput(self.form, None, [], printed=PRINTED)
            if self.out is not None or output.is_of_files:
                raise ConfigError("--live prints rows as windows end; label files hold whole recordings: leave it out")
            self._say_about(file)
            rows = self._live_rows(file, lengths)
            print_rows(rows, output.form, self.columns(file), partial(self.lines, file), flush=True)
            n_failed = 0
        else:
            sources = sources_of(self.audio, self.raw, self.rate, given=takes_frames(file))
            self._say_about(file)
            found = score_recordings(
                file, sources, window=self.window, hop=self.hop, speaker=self.speaker, n_jobs=self.jobs or 1
            )
            output = LabelOutput(self.form, self.out, sources, printed=PRINTED, rows=True, quiet=self.quiet)
            if output.form == "textgrid" and self.hop is not None and self.hop < (self.window or 0):
                raise ConfigError(
                    f"--hop {self.hop:g} is below --window {self.window:g}: windows overlap, and labels in a TextGrid "
                    "must not; leave out --hop, or take --format csv"
                )
            results = Results(found, len(sources), "scoring", quiet=self.quiet)
            self.show(file, results, output, lengths)
            n_failed = results.n_failed
        for line in self.afterwards(file, lengths):
            tell(line)
        return n_failed

    def show(self, file: Any, results: "Results[list[Scored]]", output: "LabelOutput", lengths: list[int]) -> None:
        """Print the rows of each recording, or write the best class of each window with its times."""
        from speechgmm.tasks.output import print_rows

        if not output.is_of_files:
            rows = self._rows(file, results, lengths)
            print_rows(rows, output.form, self.columns(file), partial(self.lines, file))
            return
        for path, items in results:
            try:
                output.add(self._labelled(file, path, items, lengths))
            except DataError as error:  # of this recording; the others are written all the same
                results.failed(error)
        output.finish()

    def _labelled(
        self, file: Any, path: "AudioSource", items: "list[Scored]", lengths: list[int]
    ) -> "LabelledRecording":
        from speechgmm.io.timed_labels import LabelledRecording, TimedLabel

        labels = []
        for item in with_speech(path, items):
            lengths.append(item.n_frames)
            best = None if item.posteriors is None else float(item.posteriors[item.ranked()[0]])
            labels.append(TimedLabel(item.decision(file), item.start, item.end, best))
        return LabelledRecording(path, items[0].duration or items[-1].end, {file.label: labels})

    def _say_about(self, file: Any) -> None:
        cmvn = file.audio.features.cmvn if file.audio else "none"
        for line in () if self.quiet else (*self._about_speaker(cmvn), *self.about(file)):
            tell(line)

    def _live_rows(self, file: Any, lengths: list[int]) -> Iterator[dict[str, Any]]:
        """Rows of each window of standard input as it ends, and then of the whole."""
        from speechgmm.tasks.classification.scoring import score_recordings
        from speechgmm.tasks.classification.stream import WindowStream
        from speechgmm.tasks.standard_input import NAME, check_raw, raw_pieces

        if not check_raw(self.audio, self.raw, self.rate) or self.rate is None:
            raise ConfigError("--live is for standard input: speechgmm score MODEL - --raw s16le --rate 16000 --live")
        stream = WindowStream(file, self.rate, self.window or 1.0, self.hop, NAME)
        for samples in raw_pieces(str(self.raw)):
            for item in stream.push(samples):
                if item.n_frames:
                    lengths.append(item.n_frames)
                    yield from self.ranks(file, item)
        for source, items in score_recordings(file, [stream.whole()]):
            if isinstance(items, DataError):
                raise items
            yield from self._rows(file, [(source, items)], lengths)

    def _rows(
        self, file: Any, results: "Iterable[tuple[AudioSource, list[Scored]]]", lengths: list[int]
    ) -> Iterator[dict[str, Any]]:
        for path, items in results:
            for item in with_speech(path, items):
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
        return self.window is not None or self.live

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
            third, after = self.third(row)
            width = 11 if third else 0  # no column without values
            if row["file"] != before:
                yield f"{'' if before is None else chr(10)}{row['file']}"
                head = f"{'start':>8}{'end':>8}  " if windowed else "  "
                heading, units = self.third_heading(file)
                heading = heading[:width].rjust(width)
                likelihood = f"{'log-likelihood':>15}" if "mean_log_likelihood" in row else ""
                yield f"{head}{'rank':>4}  {file.label:<16}{likelihood}{heading}{'margin':>9}   {units}"
                before = row["file"]
            times = f"{row['start']:>8.2f}{row['end']:>8.2f}  " if windowed else "  "
            likelihood = f"{row['mean_log_likelihood']:>15.3f}" if "mean_log_likelihood" in row else ""
            values = f"{likelihood}{third:>{width}}{row['margin']:>9.3f}{after}"
            yield f"{times}{row['rank']:>4}  {row['label']:<16}{values}"

    def third_heading(self, file: Any) -> tuple[str, str]:
        """The heading of the column after log-likelihoods, and the units of all."""
        return "posterior", "nats per frame"

    def third(self, row: Row) -> tuple[str, str]:
        """The value in the column after log-likelihoods, and what stands after the row."""
        return "" if row["posterior"] is None else f"{row['posterior']:.3f}", ""


def with_speech(path: "AudioSource", items: "list[Scored]") -> "Iterator[Scored]":
    """The windows of a recording that hold speech; warnings about the others and about clipping are printed."""
    from speechgmm.io.audio import CLIPPED_SHARE

    if items and items[0].clipped >= CLIPPED_SHARE:
        tell(f"warning: {path}: {100 * items[0].clipped:.1f} % of samples are clipped")
    silent = sum(item.n_frames == 0 for item in items)
    if silent:
        tell(f"{path}: {silent} of {len(items)} windows hold no speech and are left out")
    yield from (item for item in items if item.n_frames)
