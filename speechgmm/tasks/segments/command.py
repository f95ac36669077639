"""``score`` for segment models: recordings, windows, or segments whose times a table or TextGrids hold, each as one.

Whole recordings are scored by models that were trained on such.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from speechgmm.errors import ConfigError, DataError
from speechgmm.io.run_files import model_file
from speechgmm.io.terminal import tell
from speechgmm.tasks.classification import command

if TYPE_CHECKING:
    from speechgmm.tasks.classification.scoring import Scored
    from speechgmm.tasks.segments.codec import SegmentFile

NEXT_COMMAND = "score segments of a recording: speechgmm score MODEL RECORDING --segments TABLE_OR_TEXTGRID"


@dataclass(frozen=True, slots=True, kw_only=True)
class Score(command.Score):
    """Ranked classes of segments or recordings, with posterior and margin."""

    segments: Annotated[
        Path | None,
        typer.Option(
            "--segments",
            metavar="TABLE",
            rich_help_panel="Segment models",
            help="begin and end of segments: .tsv, .csv or .jsonl (path, start, end in s), a label file (TextGrid, "
            "ELAN, Audacity, Raven, CTM, RTTM), or a folder of label files",
        ),
    ] = None

    def run(self) -> int:
        """Print the ranked classes of segments, windows or recordings; returns how many recordings failed.

        Raises:
            ConfigError: Segments and windows; neither, for a model of segments; no recording.
            DataError: The table or a TextGrid cannot be read, or names a recording that could be several.
            ModelFileError: The model cannot be read.
        """
        from speechgmm.engine.audio_input import takes_frames, with_resampling
        from speechgmm.report.text import recordings
        from speechgmm.tasks.output import LabelOutput, Results

        if self.segments is None:
            return command.Score.run(self)
        options = ("window", "hop", "speaker", "raw", "rate", "live")
        given = [f"--{name}" for name in options if getattr(self, name) not in (None, False)]
        if given:
            raise ConfigError(
                f"{', '.join(given)}: of no use beside --segments, which says where each segment is; leave it out"
            )
        file = self.read(model_file(self.model))
        if file.audio.features.cmvn == "speaker" and not self.quiet:
            tell("normalisation by speaker: each recording counts as a speaker by itself")
        if self.resample:
            file = with_resampling(file)
        paths = recordings(self.audio, given=takes_frames(file))
        output = LabelOutput(self.form, self.out, paths, printed=command.PRINTED, rows=True, quiet=self.quiet)
        results = Results(self._scored(file, self.segments, paths), 1, "scoring", quiet=self.quiet)
        self.show(file, results, output, [])
        return results.n_failed

    def _scored(
        self, file: "SegmentFile", segments: Path, paths: Sequence[Path]
    ) -> "Iterator[tuple[Path, list[Scored] | DataError]]":
        """The segments of each recording, or why they could not be scored."""
        from speechgmm.tasks.segments.recordings import score_segments_of_recording
        from speechgmm.tasks.segments.segment_times import segments_of

        for path, utterances in segments_of(segments, paths, file.label).items():
            try:
                if not utterances:
                    raise DataError(f"{path}: {segments} has no segment of it")
                yield path, score_segments_of_recording(file, path, utterances)
            except DataError as error:
                yield path, error

    @property
    def shows_times(self) -> bool:
        """Whether rows for a person begin with times."""
        return self.segments is not None or self.window is not None

    def read(self, path: Path) -> Any:
        """The model file."""
        from speechgmm.tasks.segments.codec import read_segment_models

        file = read_segment_models(path)
        if self.live and file.of_segments:
            raise ConfigError("--live is for models of whole recordings; a segment is scored with what follows it")
        return file

    def about(self, file: Any) -> Iterable[str]:
        """What a person should know of the scores."""
        if self.window is not None and not file.whole:
            yield "a model of segments: each window is scored as one segment"

    def third_heading(self, file: Any) -> tuple[str, str]:
        """The heading of the column after log-likelihoods, and the unit of margins, which are of log posteriors."""
        return "posterior", "nats"

    def columns(self, file: Any) -> tuple[str, ...]:
        """Columns of a table with tabs: segment models have posteriors, and no log-likelihoods."""
        return tuple(name for name in command.Score.columns(self, file) if name != "mean_log_likelihood")

    def ranks(self, file: Any, item: "Scored") -> Iterator[dict[str, Any]]:
        """A row for each of the best classes of a segment."""
        for row in command.Score.ranks(self, file, item):
            del row["mean_log_likelihood"]
            yield row
