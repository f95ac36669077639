"""``enrol`` and ``update``: one more class in a model, or more recordings of one that it has."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from speechgmm.errors import ConfigError, counted
from speechgmm.io.run_files import model_file
from speechgmm.io.terminal import tell
from speechgmm.tasks.options import Audio, Model, NewModel, Quiet, Resample

if TYPE_CHECKING:
    from speechgmm.tasks.classification.codec import ModelFile
    from speechgmm.tasks.classification.enrolment import Enrolled
    from speechgmm.tasks.classification.updates import Updated

Report = TypeVar("Report", bound="Enrolled | Updated")


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrol:
    """Add a class to a model. It is trained as the other classes were."""

    model: Model
    audio: Audio
    label: Annotated[str, typer.Option("--label", metavar="NAME", help="name of the new class")]
    out: NewModel = None
    resample: Resample = False

    def run(self) -> None:
        """Write the larger model, and print what the class was made from.

        Raises:
            ConfigError: The class is there already, or the file does not say how classes are trained.
            DataError: A recording cannot be used; nothing is written.
        """
        from speechgmm.engine.audio_input import takes_frames
        from speechgmm.report.text import recordings
        from speechgmm.tasks.classification.enrolment import enrol

        paths: list[Path] = []

        def larger(file: "ModelFile") -> "tuple[ModelFile, Enrolled]":
            paths.extend(recordings(self.audio, given=takes_frames(file)))
            return enrol(file, self.label, paths)

        target, file, report = _changed(self, larger, "enrol")
        if report.warning is not None:
            tell(f"warning: {report.warning}")
        print(
            f"{self.label}: {counted(report.n_frames, 'frame')} of {counted(len(paths), 'recording')}, "
            f"{counted(report.n_components, 'component')}"
        )
        print(f"{target}: {len(file.models.labels)} classes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """Add recordings to a class of a model. They weigh as much as those that it was trained on."""

    model: Model
    audio: Audio
    label: Annotated[str, typer.Option("--label", metavar="NAME", help="the class of the recordings")]
    keep: Annotated[
        float,
        typer.Option(
            "--keep", metavar="SHARE", help="weight of the earlier data of the class (1: keep in full; 0: forget)"
        ),
    ] = 1.0
    worth: Annotated[
        float | None,
        typer.Option(
            "--worth",
            metavar="S",
            help="seconds of speech that the class was trained on; only for a model of an older version, which does "
            "not say it",
        ),
    ] = None
    out: NewModel = None
    in_place: Annotated[
        bool,
        typer.Option("--in-place", help="overwrite MODEL; from the next release on this option is needed to do so"),
    ] = False
    resample: Resample = False
    quiet: Quiet = False

    def run(self) -> None:
        """Write the updated model, and print what no longer fits it.

        Raises:
            ConfigError: No such class, or the file does not say how classes are trained or on how many frames.
            DataError: A recording cannot be used; nothing is written.
        """
        from speechgmm.engine.audio_input import takes_frames
        from speechgmm.report.text import recordings
        from speechgmm.tasks.classification.updates import update_class

        if self.in_place and self.out is not None:
            raise ConfigError("--in-place overwrites the model and --out names another file; give one of them")
        paths: list[Path] = []

        def updated(file: "ModelFile") -> "tuple[ModelFile, Updated]":
            paths.extend(recordings(self.audio, given=takes_frames(file)))
            return update_class(file, self.label, paths, worth=self.worth, keep=self.keep)

        target, file, report = _changed(self, updated, "update")
        weight = "" if self.keep == 1 else f", which have weight {self.keep:g} now"
        print(f"{self.label}: {report.n_frames} frames, added to {report.n_before:.0f} of earlier training{weight}")
        print(f"{target}: {len(file.models.labels)} classes")
        if not report.knows_recordings and not self.quiet:
            tell(
                f"note: the model does not say which recordings class {self.label!r} has counted (an older version "
                "trained it), so a recording that was counted before is not noticed"
            )
        if self.out is None and not self.in_place:
            tell(
                "warning: the model was overwritten; from the next release on this needs --in-place, or --out FILE for "
                "another file"
            )
        if report.stale and not self.quiet:
            tell(
                f"{' and '.join(report.stale)} was fitted before the update and is kept; where this matters, train "
                "again with all recordings"
            )


def _changed(
    command: Enrol | Update, change: "Callable[[ModelFile], tuple[ModelFile, Report]]", what: str
) -> "tuple[str, ModelFile, Report]":
    """Write the changed model of a file, and return where it is; other rates are resampled for this change alone."""
    from speechgmm import __version__
    from speechgmm.io.atomic import write_atomically
    from speechgmm.io.locks import changing
    from speechgmm.io.model_card import read_card, with_card
    from speechgmm.report.text import model_target, shown
    from speechgmm.tasks.classification.codec import read_model_file, serialise

    path = model_file(command.model)
    _refuse_other_kinds(path)
    target = model_target(path, command.out)
    with changing(target):  # from reading to writing: two at once would lose what one has added
        file, card = read_model_file(path), read_card(path)
        asked = file.audio and replace(file.audio, resample=command.resample or file.audio.resample)
        changed, report = change(replace(file, audio=asked))
        said = card and card.changed(f"{what} {command.label!r}: {report.n_frames} frames (speechgmm {__version__})")
        data = with_card(serialise(replace(changed, audio=file.audio)), said)
        write_atomically(target, lambda out_file: out_file.write(data))
    return shown(target.absolute()), changed, report


def _refuse_other_kinds(path: Path) -> None:
    """Raise ModelFileError, with the reason, where the model is of a task whose models nothing can be added to."""
    from speechgmm.errors import ModelFileError
    from speechgmm.io.container import kind_of
    from speechgmm.tasks.classification.codec import read_model_file

    task: Any = kind_of(path).function("task:TASK")
    if task.no_enrolment is not None:
        try:
            read_model_file(path)
        except ModelFileError as error:
            raise ModelFileError(
                f"{error}. enrol and update are not available for task: {task.name}: {task.no_enrolment}"
            ) from None
