"""Aligning recordings to what is said in them, by a model or by one that is trained on them."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from speechgmm.errors import ConfigError, counted, first_few
from speechgmm.io.terminal import tell
from speechgmm.tasks.options import JobsOfRun, Overrides
from speechgmm.tasks.recognition.command import RecognitionCommand

if TYPE_CHECKING:
    from speechgmm.tasks.recognition.texts import TextWords

TRAINING = "Training"
"""A group of options."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Align(RecognitionCommand):
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
    scores: Annotated[
        bool,
        typer.Option(
            "--scores",
            help="how well each word and phone fits, and the 95 % interval of each boundary: further columns, or tiers "
            "of a TextGrid",
        ),
    ] = False
    allow_misfit: Annotated[
        bool,
        typer.Option(
            "--allow-misfit",
            help="write labels also where the text does not fit the recording, which is an error otherwise",
        ),
    ] = False
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

        A recording that its text does not fit (`with_fit`: below 0) has failed, unless ``allow_misfit``.

        Raises:
            ConfigError: Neither recordings with a text nor a table of texts, or both; otherwise as for recognition.
            DataError: A table that cannot be read; words without a pronunciation (all are named).
        """
        from speechgmm.tasks.recognition.decoding import align_recordings
        from speechgmm.tasks.recognition.texts import TextWords

        if self.train is not None:
            return self._align_corpus(self.train)
        self._check_without_corpus()
        if self.model is None:
            raise ConfigError("no model is given; expected MODEL and AUDIO, or a corpus to train on (--train)")
        file = self.read_model(self.model)
        words = TextWords.of(file, self.dictionary)
        said = self._said(words)
        file, speakers = words.known_to(said), self.speakers_of(file, list(said))
        heard = align_recordings(file, said, speakers=speakers, scores=self.scores, n_jobs=self.jobs or 1)
        return self.print_results(file, list(said), heard, aligned=True, allow_misfit=self.allow_misfit)

    def _align_corpus(self, corpus: Path) -> int:
        """Train on a corpus, align it, and print where the results are; returns how many utterances failed."""
        from speechgmm.engine.console import Console
        from speechgmm.report.text import duration, shown
        from speechgmm.tasks.recognition.alignment_files import ALIGNED, LabelFiles
        from speechgmm.tasks.recognition.alignment_settings import AlignmentChoices, alignment_experiment
        from speechgmm.tasks.recognition.corpus_alignment import align_corpus

        if self.audio or self.text is not None or self.texts is not None:
            raise ConfigError("--train aligns the recordings of its corpus; leave out AUDIO, --text and --texts")
        choices = AlignmentChoices(
            model=self.model,
            dictionary=self.dictionary,
            graphemes=self.graphemes,
            skip=self.skip_unknown,
            resample=self.resample,
            speaker=self.speakers,
            frame_shift=self.frame_shift,
            overrides=self.overrides or (),
            n_jobs=self.jobs,
        )
        labels = LabelFiles(str(self.form or "textgrid"), self.scores, self.allow_misfit)
        console = Console(quiet=self.quiet)
        found = align_corpus(alignment_experiment(corpus, choices), output=self.out, labels=labels, console=console)
        if found.misfits:
            what = "their labels are written" if self.allow_misfit else "no labels are written (--allow-misfit)"
            kind = "warning" if self.allow_misfit else "error"
            tell(
                f"{kind}: {counted(len(found.misfits), 'utterance is', 'utterances are')} explained worse by the text "
                f"than by any sound of the model or by silence: {first_few(found.misfits, 10)}; {what}. Is the text "
                "that of another recording, or much shorter than the recording?"
            )
        folder, n_utterances = shown(found.folder), counted(found.n_utterances, "utterance")
        print(
            f"{n_utterances} of {counted(found.n_recordings, 'recording')}, {duration(found.seconds)}: "
            f"{folder}/{ALIGNED}\nworst first: {folder}/utterances.tsv, {folder}/outliers.tsv\n"
            f"next: align a new recording: speechgmm align {folder} RECORDING --text WORDS"
        )
        return len(found.failed) + (0 if self.allow_misfit else len(found.misfits))

    def _check_without_corpus(self) -> None:
        """Refuse options of training."""
        given = {
            "--graphemes": self.graphemes,
            "--skip-unknown": self.skip_unknown,
            "--frame-shift": self.frame_shift is not None,
            "--set": bool(self.overrides),
        }
        if named := [name for name, there in given.items() if there]:
            raise ConfigError(f"{', '.join(named)}: for training; expected --train CORPUS beside")

    def _said(self, words: "TextWords") -> dict[Path, list[str]]:
        """Recording -> the words that are said in it."""
        from speechgmm.engine.audio_input import takes_frames
        from speechgmm.report.text import recordings

        given = (bool(self.audio), self.text is not None, self.texts is not None)
        if given not in ((True, True, False), (False, False, True)):
            names = [name for name, there in zip(("AUDIO", "--text", "--texts"), given, strict=True) if there]
            raise ConfigError(
                f"{' and '.join(names) or 'nothing to align'} after MODEL; expected AUDIO with --text WORDS, or "
                "--texts FILE alone, a table of path and text"
            )
        if self.texts is not None:
            said = _texts(self.texts, words)
        else:
            said = dict.fromkeys(
                recordings(self.audio or [], given=takes_frames(words.file)), words.words(self.text or "")
            )
        empty = [path for path, words in said.items() if not words]
        if empty:
            where = "--text" if self.texts is None else f"{self.texts}: {empty[0].name}"
            raise ConfigError(f"{where}: no word; expected the words that are said in the recordings")
        return said


def _texts(table: Path, words: "TextWords") -> dict[Path, list[str]]:
    """What is said in each recording of a table, by the column of the training (perhaps "phone"), or else ``text``."""
    from speechgmm.corpus.readers.manifest import read_manifest, table_rows

    if not table.exists():
        raise ConfigError(f"{table}: there is no such table; expected one with the columns path and text")
    trained = words.file.label
    label = trained if any(trained in row for _, row in table_rows(table)) else "text"
    said: dict[Path, list[str]] = {}
    for utterance in read_manifest(table, None, label):
        if utterance.path in said or utterance.start is not None or utterance.end is not None:
            raise ConfigError(
                f"{utterance.source or table}: a row for a part of a recording; align takes whole recordings, one row "
                "each: cut them into files first"
            )
        said[utterance.path] = words.words(utterance.label(label))
    return said
