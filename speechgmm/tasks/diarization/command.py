"""``diarize``: who speaks when in recordings."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from speechgmm.errors import ConfigError, DataError
from speechgmm.io.run_files import model_file
from speechgmm.io.terminal import tell
from speechgmm.tasks.options import Audio, Jobs, Quiet

if TYPE_CHECKING:
    from speechgmm.evaluation.diarization import DiarizationErrors, Turn
    from speechgmm.io.samples import AudioSource
    from speechgmm.tasks.diarization.recordings import Diarized
    from speechgmm.tasks.output import Results

GOES_ON = "who speaks when: speechgmm diarize RECORDING --model"
"""What a run of diarization ends with, before its model."""

SUFFIXES = {"rttm": ".rttm", "textgrid": ".TextGrid", "table": ".txt"}


REFERENCE = "Reference"
"""A group of options."""


class TurnsFormat(StrEnum):
    """How turns of speakers are printed."""

    rttm = "rttm"
    textgrid = "textgrid"
    table = "table"


@dataclass(frozen=True, slots=True, kw_only=True)
class Diarize:
    """Find who speaks when: the turns of unknown speakers; their number is estimated or given."""

    audio: Audio
    model: Annotated[
        Path | None,
        typer.Option(
            "--model",
            metavar="MODEL",
            help="a diarizer (train-diarizer), or the folder of a run of task: diarization; default: none, which is "
            "less accurate",
        ),
    ] = None
    n_speakers: Annotated[
        int | None, typer.Option("--n-speakers", metavar="N", min=1, help="number of speakers; default: estimated")
    ] = None
    form: Annotated[TurnsFormat, typer.Option("--format", help="format of the output")] = TurnsFormat.rttm
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="folder for one file of each recording; default: standard output"),
    ] = None
    picture: Annotated[bool, typer.Option("--picture", help="with --out: also plot each recording with its turns")] = (
        False
    )
    reference: Annotated[
        Path | None,
        typer.Option(
            "--reference",
            metavar="FILE",
            rich_help_panel=REFERENCE,
            help="an RTTM with the true turns: prints DER and JER",
        ),
    ] = None
    collar: Annotated[
        float,
        typer.Option(
            metavar="S",
            min=0,
            rich_help_panel=REFERENCE,
            help="seconds on each side of a reference boundary that do not count (as md-eval -c)",
        ),
    ] = 0.0
    resample: Annotated[
        bool,
        typer.Option(
            "--resample",
            help="resample recordings of other sample rates than the model's; without a model this is always done",
        ),
    ] = False
    jobs: Jobs = 1
    quiet: Quiet = False

    def run(self) -> int:
        """Print who speaks when in each recording, or write a file for each; returns how many recordings failed.

        Raises:
            ConfigError: No recording; what cannot go together; recordings that would share a file.
            ModelFileError: The model cannot be read, or is no diarizer.
            DataError: A reference that cannot be read.
        """
        from speechgmm.report.text import recordings
        from speechgmm.tasks.diarization.codec import read_diarizer
        from speechgmm.tasks.diarization.recordings import diarize_recordings
        from speechgmm.tasks.output import Results

        paths = recordings(self.audio)
        self._check_options(paths)
        self._check_names(paths)
        said = _reference(self.reference)
        file = None if self.model is None else read_diarizer(model_file(self.model))
        if file is None and not self.quiet:
            hint = "; check the number of speakers, or give it by --n-speakers" if self.n_speakers is None else ""
            tell(f"no --model: each recording is learnt from itself, which is less accurate{hint}")
        found = diarize_recordings(
            file, paths, n_speakers=self.n_speakers, resample=self.resample, n_jobs=self.jobs or 1
        )
        return self._print(Results(found, len(paths), "diarizing", quiet=self.quiet), said)

    def _print(self, results: "Results[Diarized]", said: "dict[str, list[Turn]]") -> int:
        every = []
        for path, result in results:
            try:
                errors = _judged(path, result, said, self.reference, self.collar)
                text = self._written(path, result, said)
            except DataError as error:  # of this recording; the others are printed all the same
                results.failed(error)
                continue
            if errors is not None:
                every.append(errors)
                text += f"{self._comment}{path.stem}: {_metrics(errors, self.collar)}\n"
            print(text, end="", flush=True)
        if len(every) > 1:
            print(f"{self._comment}all {len(every)}: {_metrics(sum(every[1:], every[0]), self.collar)}")
        return results.n_failed

    @property
    def _comment(self) -> str:
        """What begins a line that is no turn."""
        return ";; " if self.form == "rttm" and self.out is None else ""

    def _written(self, path: "AudioSource", result: "Diarized", said: "dict[str, list[Turn]]") -> str:
        """The turns of a recording, or the names of the files that they were written to."""
        from speechgmm.io.atomic import write_text
        from speechgmm.report.text import shown
        from speechgmm.tasks.diarization.recordings import picture_of

        text = _text(result, self.form)
        if self.out is None:
            return text
        target = self.out / f"{path.stem}{SUFFIXES[self.form]}"
        write_text(target, text)
        if not self.picture:
            return f"{shown(target)}\n"
        drawn = picture_of(path, result, said.get(path.stem), self.out / f"{path.stem}.png")
        return f"{shown(target)}\n{shown(drawn)}\n"

    def _check_options(self, paths: Sequence[Path]) -> None:
        """Refuse options that do not go together."""
        if self.form == "textgrid" and self.out is None and (len(paths) > 1 or self.reference is not None):
            raise ConfigError("a TextGrid holds one recording and no metrics: name the folder for files with --out DIR")
        if self.picture and self.out is None:
            raise ConfigError("--picture draws into a folder: name it with --out DIR")
        if self.collar and self.reference is None:
            raise ConfigError("--collar is for metrics: name what to compare with by --reference FILE")
        if self.out is not None and self.out.is_file():
            raise ConfigError(f"--out {self.out}: a file; a file for each recording needs a folder")

    def _check_names(self, paths: Sequence[Path]) -> None:
        """Refuse recordings that would share a file or a name in the output."""
        stems = [path.stem for path in paths]
        by_name = self.form == "rttm" or self.out is not None or self.reference is not None
        if by_name and len(set(stems)) < len(stems):
            twice = next(stem for stem in stems if stems.count(stem) > 1)
            raise ConfigError(
                f"several recordings are called {twice!r}; files and RTTMs name them without folders and endings"
            )
        spaced = next((stem for stem in stems if len(stem.split()) > 1), None)
        if self.form == "rttm" and spaced is not None:
            raise ConfigError(
                f"a recording is called {spaced!r}, and spaces separate the columns of an RTTM: rename it, or take "
                "--format textgrid or table"
            )


def _reference(path: Path | None) -> "dict[str, list[Turn]]":
    """The turns of a reference, of each recording; what was left out of it is printed."""
    from speechgmm.io.rttm import read_rttm

    if path is None:
        return {}
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always")
        turns = read_rttm(path)
    for note in notes:
        tell(f"note: {note.message}")
    return turns


def _judged(
    path: "AudioSource", result: "Diarized", said: "dict[str, list[Turn]]", reference: Path | None, collar: float
) -> "DiarizationErrors | None":
    from speechgmm.evaluation.diarization import diarization_errors

    if reference is None:
        return None
    if path.stem not in said:
        known = ", ".join(sorted(said)[:5])
        raise DataError(
            f"{path}: {reference} has no turn of {path.stem!r}; it has {known}: expected is the file's name"
        )
    return diarization_errors(said[path.stem], result.turns, collar=collar)


def _metrics(errors: "DiarizationErrors", collar: float) -> str:
    if not errors.speech:
        return "nothing to compare: within --collar of the reference's boundaries, nothing counts"
    parts = ((errors.miss, "missed"), (errors.false_alarm, "false alarm"), (errors.confusion, "confused"))
    shares = ", ".join(f"{100 * seconds / errors.speech:.1f} {what}" for seconds, what in parts)
    scored = f", without {collar:g} s on each side of the reference's boundaries" if collar else ""
    return f"DER {100 * errors.der:.1f} % ({shares}), JER {100 * errors.jer:.1f} %{scored}"


def _text(result: "Diarized", form: str) -> str:
    from speechgmm.io.rttm import rttm
    from speechgmm.io.timed_labels import TimedLabel, textgrid

    if form == "rttm":
        return rttm(result.path.stem, result.turns)
    if form == "textgrid":
        tiers = {
            name: [
                TimedLabel(name, one.start, min(one.end, result.duration))
                for one in result.turns
                if one.speaker == name
            ]
            for name in sorted({turn.speaker for turn in result.turns}, key=lambda name: (len(name), name))
        }
        return textgrid(tiers, result.duration, recording=str(result.path))
    rows = "".join(f"{one.start:9.2f} {one.end:9.2f}  {one.speaker}\n" for one in result.turns)
    speakers = "speaker" if result.n_speakers == 1 else "speakers"
    return f"{result.path}: {result.n_speakers} {speakers}\n{rows}"
