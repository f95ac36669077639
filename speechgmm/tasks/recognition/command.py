"""Recognising recordings, and aligning them to what is said in them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from speechgmm.errors import ConfigError, DataError
from speechgmm.io.run_files import model_file
from speechgmm.io.terminal import tell
from speechgmm.tasks.options import Audio, Jobs, JobsOfRun, LabelsForm, LabelsOut, Model, Overrides, Quiet, Resample

if TYPE_CHECKING:
    from speechgmm.io.samples import AudioSource
    from speechgmm.tasks.output import LabelOutput
    from speechgmm.tasks.recognition.codec import RecogniserFile
    from speechgmm.tasks.recognition.decoding import HeardRecording

    Heard = Iterable[tuple[AudioSource, HeardRecording | DataError]]

TRAINING = "Training"
"""A group of options."""

PRINTED = ("text", "jsonl")
"""Formats that are printed here, the default first; the others are those of label files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Recognised:
    """The options that recognition and alignment share, and how their results are printed."""

    form: LabelsForm = None
    out: LabelsOut = None
    resample: Resample = False
    quiet: Quiet = False

    def _file(self, model: Path) -> "RecogniserFile":
        from speechgmm.engine.audio_input import with_resampling
        from speechgmm.tasks.recognition.codec import read_recogniser

        file = read_recogniser(model_file(model))
        return with_resampling(file) if self.resample else file

    def _print(self, file: "RecogniserFile", paths: Sequence[Path], heard: "Heard", *, aligned: bool) -> int:
        from speechgmm.tasks.output import LabelOutput

        if file.audio.features.cmvn == "speaker" and not self.quiet:
            tell("normalisation by speaker: each recording counts as a speaker by itself")
        output = LabelOutput(self.form, self.out, paths, printed=PRINTED, quiet=self.quiet)
        return self._print_each(paths, heard, output, aligned=aligned)

    def _print_each(self, paths: Sequence[Path], heard: "Heard", output: "LabelOutput", *, aligned: bool) -> int:
        from speechgmm.io.timed_labels import LabelledRecording
        from speechgmm.tasks.output import Results

        results = Results(heard, len(paths), "aligning" if aligned else "recognising", quiet=self.quiet)
        for path, found in results:
            try:
                if output.is_of_files:
                    output.add(LabelledRecording(path, found.duration, found.tiers))
                else:
                    output.add_text(path, _text(found, output.form, many=len(paths) > 1, aligned=aligned))
            except DataError as error:  # of this recording; the others are printed all the same
                results.failed(error)
            else:
                if found.fit is not None and found.fit < 0:
                    tell(
                        f"warning: {path}: the text does not fit: its units explain the recording worse than any sound "
                        f"of the model does ({found.fit:.2f} nats per frame, below 0), so that these times mean "
                        "little; is it what is said in this recording?"
                    )
        output.finish()
        return results.n_failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognise(_Recognised):
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
        file = self._file(self.model)
        paths = recordings(self.audio, given=takes_frames(file))
        heard = recognise_recordings(
            file, paths, confidence_scale=CONFIDENCE_SCALE, top=self.top, n_jobs=self.jobs or 1
        )
        return self._print(file, paths, heard, aligned=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Align(_Recognised):
    """Find when the words of a text are spoken: forced alignment; with --train of a whole corpus, without a model."""

    model: Annotated[
        Path | None,
        typer.Argument(
            help="a model file, or the folder of a run; with --train, what training goes on from", metavar="MODEL"
        ),
    ] = None
    audio: Annotated[
        list[Path] | None, typer.Argument(help="recordings, or folders of recordings", metavar="AUDIO")
    ] = None
    text: Annotated[
        str | None, typer.Option("--text", metavar="WORDS", help="the words that are spoken in each of the recordings")
    ] = None
    texts: Annotated[
        Path | None,
        typer.Option(
            "--texts",
            metavar="FILE",
            help="a manifest with the recordings and the words of each, instead of AUDIO and --text",
        ),
    ] = None
    dictionary: Annotated[
        Path | None,
        typer.Option(
            "--dictionary",
            metavar="FILE",
            help="a pronunciation dictionary: with --train of all words, else of words that the model does not have",
        ),
    ] = None
    train: Annotated[
        Path | None,
        typer.Option(
            "--train",
            metavar="CORPUS",
            rich_help_panel=TRAINING,
            help="train on this corpus and align all of it: a folder of recordings with transcripts beside them (.lab, "
            ".txt, .TextGrid), a table (path, text, speaker), or a configuration",
        ),
    ] = None
    graphemes: Annotated[
        bool,
        typer.Option(
            "--graphemes", rich_help_panel=TRAINING, help="letters are the units, and no dictionary is needed"
        ),
    ] = False
    skip_unknown: Annotated[
        bool,
        typer.Option(
            "--skip-unknown",
            rich_help_panel=TRAINING,
            help="leave out recordings with words outside the dictionary, and others that cannot be used",
        ),
    ] = False
    speaker: Annotated[
        str | None,
        typer.Option(
            "--speaker",
            metavar="N|REGEX",
            rich_help_panel=TRAINING,
            help="who speaks: the N-th folder below CORPUS, or what the parentheses of a regular expression match in a "
            "path; default: the folder that a recording lies in",
        ),
    ] = None
    frame_shift: Annotated[
        float | None,
        typer.Option(
            "--frame-shift", metavar="MS", rich_help_panel=TRAINING, help="time from frame to frame; default: 10"
        ),
    ] = None
    overrides: Overrides = None
    jobs: JobsOfRun = None

    def run(self) -> int:
        """Print when each word of a text is said, of one text or of one for each recording; returns how many failed.

        Raises:
            ConfigError: Neither recordings with a text nor a table of texts, or both; otherwise as for recognition.
            DataError: A table that cannot be read; words without a pronunciation (all are named).
        """
        from speechgmm.tasks.recognition.decoding import align_recordings, lexicon_for

        if self.train is not None:
            return self._align_corpus(self.train)
        if self.model is None:
            raise ConfigError("no model is given; expected MODEL and AUDIO, or a corpus to train on (--train)")
        file = self._file(self.model)
        said = self._said(file)
        heard = align_recordings(file, said, lexicon_for(file, self.dictionary, said), n_jobs=self.jobs or 1)
        return self._print(file, list(said), heard, aligned=True)

    def _align_corpus(self, corpus: Path) -> int:
        """Train on a corpus, align it, and print where the results are; returns how many utterances failed."""
        from speechgmm.tasks.recognition.alignment_command import align_and_print
        from speechgmm.tasks.recognition.alignment_settings import AlignmentChoices

        if self.audio or self.text is not None or self.texts is not None:
            raise ConfigError("--train aligns the recordings of its corpus; leave out AUDIO, --text and --texts")
        choices = AlignmentChoices(
            model=self.model,
            dictionary=self.dictionary,
            graphemes=self.graphemes,
            skip=self.skip_unknown,
            speaker=self.speaker,
            frame_shift=self.frame_shift,
            overrides=self.overrides or (),
            n_jobs=self.jobs,
        )
        return align_and_print(corpus, choices, out=self.out, form=self.form, quiet=self.quiet)

    def _said(self, file: "RecogniserFile") -> dict[Path, list[str]]:
        """Recording -> the words that are said in it."""
        from speechgmm.engine.audio_input import takes_frames
        from speechgmm.report.text import recordings
        from speechgmm.tasks.recognition.transcripts import words_in

        if (self.texts is None) == (self.text is None) or bool(self.audio) == (self.texts is not None):
            raise ConfigError(
                "align takes recordings with --text WORDS, or --texts FILE alone, a table of path and text"
            )
        if self.texts is not None:
            said = _texts(self.texts, file)
        else:
            said = dict.fromkeys(
                recordings(self.audio or [], given=takes_frames(file)),
                words_in(self.text or "", file.recogniser.lexicon),
            )
        empty = [path for path, words in said.items() if not words]
        if empty:
            where = "--text" if self.texts is None else f"{self.texts}: {empty[0].name}"
            raise ConfigError(f"{where}: no word; expected the words that are said in the recordings")
        return said


def _texts(table: Path, file: "RecogniserFile") -> dict[Path, list[str]]:
    """What is said in each recording of a manifest, by the column that the model was trained on."""
    from speechgmm.corpus.readers.manifest import read_manifest
    from speechgmm.tasks.recognition.transcripts import words_in

    label = file.label
    said: dict[Path, list[str]] = {}
    for utterance in read_manifest(table, None, label):
        if utterance.path in said or utterance.start is not None or utterance.end is not None:
            raise ConfigError(
                f"{utterance.source or table}: a row for a part of a recording; align takes whole recordings, one row "
                "each: cut them into files first"
            )
        said[utterance.path] = words_in(utterance.label(label), file.recogniser.lexicon)
    return said


def _text(found: "HeardRecording", form: str, *, many: bool, aligned: bool) -> str:
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
    rows = (f"{one.start:8.3f} {one.end:8.3f}  {one.label}\n" for one in finest)
    return head + "".join(rows)
