"""Recognising recordings, and what recognition and alignment print."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from speechgmm.errors import ConfigError, DataError
from speechgmm.io.run_files import model_file
from speechgmm.io.terminal import tell
from speechgmm.tasks.options import Audio, Jobs, LabelsForm, LabelsOut, Model, Quiet, Resample

if TYPE_CHECKING:
    from speechgmm.io.samples import AudioSource
    from speechgmm.io.timed_labels import TimedLabel
    from speechgmm.tasks.output import LabelOutput
    from speechgmm.tasks.recognition.codec import RecogniserFile
    from speechgmm.tasks.recognition.decoding import RecognisedRecording

    Heard = Iterable[tuple[AudioSource, RecognisedRecording | DataError]]

PRINTED = ("text", "jsonl")
"""Formats that are printed here, the default first; the others are those of label files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecognitionCommand:
    """The options that recognition and alignment share, and how their results are printed."""

    form: LabelsForm = None
    out: LabelsOut = None
    resample: Resample = False
    quiet: Quiet = False
    speakers: Annotated[
        str | None,
        typer.Option(
            "--speaker",
            metavar="WHO",
            help="whose the recordings are, for a model that adapts to speakers or normalises by speaker: the name of "
            "one speaker of them all, folder (each folder has one speaker), a table with the columns path and speaker, "
            "or a regular expression whose parentheses match the speaker in a path; default: each recording by itself. "
            "align --train: folder (the default), the depth of a folder below CORPUS, or an expression",
        ),
    ] = None

    def read_model(self, model: Path) -> "RecogniserFile":
        """The model, which resamples where that is asked for. Raises ModelFileError."""
        from speechgmm.engine.audio_input import with_resampling
        from speechgmm.tasks.recognition.codec import read_recogniser

        file = read_recogniser(model_file(model))
        return with_resampling(file) if self.resample else file

    def speakers_of(self, file: "RecogniserFile", paths: Sequence[Path]) -> list[str] | None:
        """The speaker of each recording; None: nobody says."""
        from speechgmm.tasks.recognition.speakers import check_uses_speakers, speakers_of, unnamed_speakers

        if self.speakers is not None:
            check_uses_speakers(file.recogniser, file.audio)
            return speakers_of(self.speakers, paths)
        note = unnamed_speakers(file)
        if note and len(paths) > 1 and not self.quiet:
            tell(f"{note} (--speaker names one speaker of them all, or says whose each is)")
        return None

    def print_results(
        self,
        file: "RecogniserFile",
        paths: Sequence[Path],
        heard: "Heard",
        *,
        aligned: bool,
        allow_misfit: bool = False,
    ) -> int:
        """Print or write what was found in each recording; returns how many failed."""
        from speechgmm.tasks.output import LabelOutput
        from speechgmm.tasks.recognition.speakers import little_speech

        output = LabelOutput(self.form, self.out, paths, printed=PRINTED, quiet=self.quiet)
        n_failed, speech = self._print_each(paths, heard, output, aligned=aligned, allow_misfit=allow_misfit)
        note = little_speech(file, speech)
        if note and not self.quiet:
            tell(note)
        return n_failed

    def _print_each(
        self, paths: Sequence[Path], heard: "Heard", output: "LabelOutput", *, aligned: bool, allow_misfit: bool
    ) -> tuple[int, list[float]]:
        """How many failed, and how much speech of its speaker (s) each other was adapted to."""
        from speechgmm.io.timed_labels import LabelledRecording
        from speechgmm.tasks.output import Results

        results = Results(heard, len(paths), "aligning" if aligned else "recognising", quiet=self.quiet)
        speech: list[float] = []
        for path, found in results:
            speech += [] if found.speech is None else [found.speech]
            try:
                if not (found.fits or allow_misfit):
                    raise DataError(_misfit(found) + "? Nothing is written; --allow-misfit writes it all the same")
                if output.is_of_files:
                    output.add(LabelledRecording(path, found.duration, found.tiers))
                else:
                    output.add_text(path, _text(found, output.form, many=len(paths) > 1, aligned=aligned))
            except DataError as error:  # of this recording; the others are printed all the same
                results.failed(error)
            else:
                if not found.fits:
                    tell(f"warning: {_misfit(found)}? These times mean little")
        output.finish()
        return results.n_failed, speech


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognise(RecognitionCommand):
    """Recognise the words (or phones) of new recordings."""

    model: Model
    audio: Audio
    jobs: Jobs = 1
    top: Annotated[
        int,
        typer.Option(
            "--top",
            metavar="N",
            min=1,
            max=1000,
            help="number of hypotheses, each with its distance from the best in nats; for text, jsonl",
        ),
    ] = 1

    def run(self) -> int:
        """Print the words of each recording as it is ready, ``top`` hypotheses; returns how many recordings failed.

        Raises:
            ConfigError: No recording; what cannot be one output, see `LabelOutput`; several hypotheses in a format that
                holds one.
            ModelFileError: The model cannot be read, or is no recogniser.
        """
        from speechgmm.engine.audio_input import takes_frames
        from speechgmm.report.text import recordings
        from speechgmm.tasks.recognition.decoding import CONFIDENCE_SCALE, recognise_recordings

        if self.top > 1 and (self.out is not None or self.form not in (None, "text", "table", "jsonl")):
            raise ConfigError(
                f"--top {self.top} is for --format text and jsonl; a label file holds one hypothesis for a recording"
            )
        file = self.read_model(self.model)
        paths = recordings(self.audio, given=takes_frames(file))
        heard = recognise_recordings(
            file,
            paths,
            speakers=self.speakers_of(file, paths),
            confidence_scale=CONFIDENCE_SCALE,
            top=self.top,
            n_jobs=self.jobs or 1,
        )
        return self.print_results(file, paths, heard, aligned=False)


def _misfit(found: "RecognisedRecording") -> str:
    """What is said of a recording that its text does not fit."""
    return (
        f"{found.path}: the text does not fit: its units explain the recording worse than any sound of the model does, "
        f"or its words worse than silence ({found.fit:.2f} nats per frame, below 0); is it what is said there"
    )


def _text(found: "RecognisedRecording", form: str, *, many: bool, aligned: bool) -> str:
    """What is printed of a recording."""
    from speechgmm.io.timed_labels import json_line

    first = next(iter(found.tiers.values()))
    if form == "jsonl":
        best = [{"words": " ".join(labels), "log_likelihood": round(score, 3)} for labels, score in found.best]
        more = {**({"best": best} if best else {}), **({} if found.fit is None else {"fit": round(found.fit, 3)})}
        return json_line(str(found.path), found.tiers, found.duration, more)
    if not aligned:
        if found.best:  # what each is below the best, in nats
            rows = (f"  {score - found.best[0][1]:9.2f}  {' '.join(labels)}\n" for labels, score in found.best)
            return f"{found.path}\n" + "".join(rows)
        said = " ".join(one.label for one in first)
        return f"{found.path}\t{said}\n" if many else f"{said}\n"
    head = f"{found.path}\n" if many else ""
    finest = list(found.tiers.values())[-1]  # units, where they are others than the words
    width = max(len(one.label) for one in finest)
    rows = (f"{one.start:8.3f} {one.end:8.3f}  {_with_scores(one, width)}\n" for one in finest)
    return head + "".join(rows)


def _with_scores(one: "TimedLabel", width: int) -> str:
    """A label, and its scores where it has them."""
    if one.scores is None:
        return one.label
    scores = one.scores
    return (
        f"{one.label:{width}}  gop {scores.gop:7.2f}  posterior {scores.posterior:.2f}  duration "
        f"{scores.duration_z:+.1f} sd  start {scores.start_low:.3f} to {scores.start_high:.3f}"
    )
