"""``diarize``: who speaks when in recordings."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from speechgmm.errors import ConfigError, DataError
from speechgmm.io.run_files import model_file
from speechgmm.io.terminal import tell
from speechgmm.tasks.diarization.method_command import (
    ChosenMethod,
    Dims,
    Fa,
    Fb,
    LoopProbability,
    Overlap,
    PldaFile,
    Segments,
    TransformFile,
    check_method,
    given_vectors,
    overlap_of,
    with_method,
)
from speechgmm.tasks.diarization.reference_command import ReferenceComparisons, read_reference
from speechgmm.tasks.options import Audio, Jobs, LabelsForm, LabelsOut, Quiet

if TYPE_CHECKING:
    from speechgmm.evaluation.diarization import Turn
    from speechgmm.io.samples import AudioSource
    from speechgmm.io.timed_labels import LabelledRecording
    from speechgmm.tasks.diarization.recordings import Diarized
    from speechgmm.tasks.output import LabelOutput, Results

NEXT_COMMAND = "who speaks when: speechgmm diarize RECORDING --model"
"""What a run of diarization ends with, before its model."""

PRINTED = ("table", "jsonl")
"""Formats that are printed here; the others are those of label files."""


REFERENCE = "Reference"
"""A group of options."""


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
    method: ChosenMethod = None
    fa: Fa = None
    fb: Fb = None
    loop_probability: LoopProbability = None
    overlap: Overlap = None
    segments: Segments = None
    plda: PldaFile = None
    transform: TransformFile = None
    dims: Dims = None
    form: LabelsForm = None
    out: LabelsOut = None
    picture: Annotated[
        bool, typer.Option("--picture", help="with --out DIR: also plot each recording with its turns")
    ] = False
    reference: Annotated[
        Path | None,
        typer.Option(
            "--reference",
            metavar="FILE",
            rich_help_panel=REFERENCE,
            help="an RTTM with the true turns: prints DER, JER and the numbers of speakers",
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
    skip_overlap: Annotated[
        bool,
        typer.Option(
            "--skip-overlap",
            rich_help_panel=REFERENCE,
            help="leave out where several speakers of the reference speak at once (as md-eval -1)",
        ),
    ] = False
    uem: Annotated[
        Path | None,
        typer.Option(
            "--uem",
            metavar="FILE",
            rich_help_panel=REFERENCE,
            help="a UEM with the stretches of each recording that count; default: all",
        ),
    ] = None
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
        from speechgmm.tasks.output import LabelOutput, Results

        self._check_options()
        given = None if self.segments is None else given_vectors(self)
        paths = recordings(self.audio) if given is None else [Path(one.name) for one in given.recordings]
        output = LabelOutput(self.form, self.out, paths, printed=PRINTED, default="rttm", quiet=self.quiet)
        self._check_names(paths, output)
        said = read_reference(self.reference)
        found = self._diarized(paths) if given is None else given.diarized()
        return self._print(Results(found, len(paths), "diarizing", quiet=self.quiet), output, said)

    def _diarized(self, paths: Sequence[Path]) -> "Iterator[tuple[AudioSource, Diarized | DataError]]":
        """Of recordings."""
        from speechgmm.tasks.diarization.codec import read_diarizer
        from speechgmm.tasks.diarization.recordings import diarize_recordings

        file = None if self.model is None else read_diarizer(model_file(self.model))
        if file is None and not self.quiet:
            hint = "; check the number of speakers, or give it by --n-speakers" if self.n_speakers is None else ""
            tell(f"no --model: each recording is learnt from itself, which is less accurate{hint}")
        if file is not None:
            file = with_method(file, self)
        return diarize_recordings(
            file,
            paths,
            n_speakers=self.n_speakers,
            overlap=overlap_of(self, [path.stem for path in paths]),
            resample=self.resample,
            n_jobs=self.jobs or 1,
        )

    def _print(self, results: "Results[Diarized]", output: "LabelOutput", said: "dict[str, list[Turn]]") -> int:
        comment = ";; " if output.form == "rttm" and self.out is None else ""  # begins a line that is no turn
        compared = ReferenceComparisons(self.reference, said, self.collar, self.skip_overlap, self.uem)
        for path, result in results:
            if not result.turns and not self.quiet:
                tell(f"{path}: nobody speaks")
            try:
                found = compared.compare(path, result)
                if output.is_of_files:
                    output.add(_labelled(result, output.form))
                else:
                    output.add_text(path, _text(result, output.form))
                if self.picture:
                    self._draw(path, result, said)
            except DataError as error:  # of this recording; the others are printed all the same
                results.failed(error)
                continue
            if found is not None:
                print(f"{comment}{path.stem}: {compared.line(found)}", flush=True)
        output.finish()
        if len(compared.done) > 1:
            print(f"{comment}all {len(compared.done)}: {compared.summary()}")
        return results.n_failed

    def _draw(self, path: "AudioSource", result: "Diarized", said: "dict[str, list[Turn]]") -> None:
        from speechgmm.report.text import shown
        from speechgmm.tasks.diarization.recordings import picture_of

        folder = self.out or Path()
        drawn = picture_of(path, result, said.get(path.stem), folder / f"{path.stem}.png")
        if not self.quiet:
            print(shown(drawn))

    def _check_options(self) -> None:
        """Refuse options that do not go together."""
        from speechgmm.io.label_files import format_by_suffix

        check_method(self)
        is_folder = self.out is not None and format_by_suffix(self.out) is None
        if self.picture and not is_folder:
            raise ConfigError("--picture draws into a folder: name it with --out DIR")
        for name, given in (("--collar", self.collar), ("--uem", self.uem), ("--skip-overlap", self.skip_overlap)):
            if given and self.reference is None:
                raise ConfigError(f"{name} is for metrics: name what to compare with by --reference FILE")
        if self.reference is not None and self.out is None and self.form not in (None, "rttm", "text", "table"):
            raise ConfigError(
                f"--reference prints metrics, which cannot stand within {self.form}: name the file or folder for the "
                "labels with --out"
            )
        if self.out is not None and self.reference is not None and self.out.absolute() == self.reference.absolute():
            raise ConfigError(f"--out {self.out} is the reference; name another file or folder")

    def _check_names(self, paths: Sequence[Path], output: "LabelOutput") -> None:
        """Refuse recordings whose names are not those of a reference, or cannot stand in the output."""
        stems = [path.stem for path in paths]
        if self.reference is not None and len(set(stems)) < len(stems):
            twice = next(stem for stem in stems if stems.count(stem) > 1)
            raise ConfigError(
                f"several recordings are called {twice!r}; a reference names them without folders and endings"
            )
        spaced = next((stem for stem in stems if len(stem.split()) > 1), None)
        if output.form in ("rttm", "ctm") and spaced is not None:
            raise ConfigError(
                f"a recording is called {spaced!r}, and spaces separate the columns of {output.form}: rename it, or "
                "take --format textgrid or csv"
            )


def _labelled(result: "Diarized", form: str) -> "LabelledRecording":
    """The turns as labels: in TextGrids, where labels of one tier do not overlap, as a tier for each speaker."""
    from speechgmm.io.timed_labels import LabelledRecording, TimedLabel

    if form != "textgrid":
        turns = [TimedLabel(one.speaker, one.start, one.end) for one in result.turns]
        return LabelledRecording(result.path, result.duration, {"speakers": turns})
    turns = [TimedLabel(one.speaker, one.start, min(one.end, result.duration)) for one in result.turns]
    names = sorted({turn.label for turn in turns}, key=lambda name: (len(name), name))
    tiers = {name: [turn for turn in turns if turn.label == name] for name in names}
    return LabelledRecording(result.path, result.duration, tiers)


def _text(result: "Diarized", form: str) -> str:
    """The turns for a person, or as JSON Lines."""
    from speechgmm.io.timed_labels import json_line

    if form == "jsonl":
        return json_line(str(result.path), _labelled(result, form).tiers, result.duration)
    rows = "".join(f"{one.start:9.2f} {one.end:9.2f}  {one.speaker}\n" for one in result.turns)
    speakers = "speaker" if result.n_speakers == 1 else "speakers"
    return f"{result.path}: {result.n_speakers} {speakers}\n{rows}"
