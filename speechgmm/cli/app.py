"""The application: how a command is made of a value with options, and what ends it."""

import errno
import io
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, Final, Protocol, get_type_hints

import typer
from typer.core import TyperCommand, TyperGroup

from speechgmm.cli.messages import Messages
from speechgmm.errors import ConfigError, ModelFileError, SpeechGMMError
from speechgmm.io.terminal import tell, visible, visible_output

GROUPS: Final[Mapping[str, Mapping[str, str]]] = {
    "Start": {
        "demo": "cli.file_commands:Demo",
        "init": "cli.file_commands:Init",
        "configs": "cli.file_commands:Configs",
        "fetch": "cli.file_commands:Fetch",
        "check": "cli.experiment_commands:Check",
        "audit": "cli.audit_command:Audit",
    },
    "Train and test": {
        "run": "cli.experiment_commands:Run",
        "extract": "cli.experiment_commands:Extract",
        "train": "cli.experiment_commands:Train",
        "sweep": "cli.experiment_commands:Sweep",
        "train-diarizer": "tasks.diarization.train_command:TrainDiarizer",
    },
    "New recordings": {
        "score": "cli.score_command:score",
        "verify": "tasks.verification.command:Verify",
        "recognise": "tasks.recognition.command:Recognise",
        "align": "tasks.recognition.alignment_command:Align",
        "cluster": "tasks.clustering.command:Cluster",
        "diarize": "tasks.diarization.command:Diarize",
        "vad": "cli.vad_command:Vad",
    },
    "Look at results": {
        "inspect": "cli.file_commands:Inspect",
        "runs": "cli.experiment_commands:Runs",
        "compare": "cli.experiment_commands:Compare",
        "report": "cli.experiment_commands:Report",
        "evaluate": "cli.score_files:Evaluate",
        "fuse": "cli.score_files:Fuse",
    },
    "Other programs": {
        "export-corpus": "cli.data_export_commands:ExportCorpus",
        "export-scores": "cli.data_export_commands:ExportScores",
        "export-model": "cli.export_command:Export",
        "import-model": "tasks.classification.import_command:Import",
    },
    "Maintain": {
        "enrol": "tasks.classification.change_command:Enrol",
        "update": "tasks.classification.change_command:Update",
        "cache": "cli.file_commands:Cache",
        "schema": "cli.file_commands:Schema",
    },
}
"""Group in the help -> name of a command -> its class, a value of whose fields are its options. A command is loaded
when it is asked for, so that none waits for the others."""

COMMANDS: Final = {name: place for group in GROUPS.values() for name, place in group.items()}

OPTIONS = {
    "output": ("out",),
    "n_jobs": ("jobs",),
    "overrides": ("set", "grid"),
    "points": ("grid", "list"),
    "are_llrs": ("llr",),
}
"""Python arguments -> the command line's names of them, where these differ."""


def options_of(arguments: Sequence[str], params: Sequence[Any]) -> list[str]:
    """The options of a command with these parameters that stand for Python arguments which an error speaks of.

    >>> import click
    >>> options_of(["output", "seed"], [click.Option(["--out"]), click.Option(["--keep"])])
    ['--out']
    """
    there = {option for param in params for option in param.opts}
    wanted = [f"--{name.replace('_', '-')}" for given in arguments for name in OPTIONS.get(given, (given,))]
    return [option for option in dict.fromkeys(wanted) if option in there]


SHOWN_OF_A_PATH: Final = 60
"""Characters of a path that is too long that its error shows."""


class Command(Protocol):
    """A command with its options."""

    def run(self) -> int | None:
        """Do the work; returns how many recordings failed."""


def _warn(message: Warning | str, *_: object, **__: object) -> None:
    """A warning of the library, without the line of code that it comes from."""
    tell(f"warning: {message}")


class _PlainHelp:
    """Help that shows words for values (``N``, ``FILE``, ``table|tsv``) and no types of Python's."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The options and arguments, with what help shows of each."""
        params: list[Any] = super().get_params(ctx)  # type: ignore[misc]  # of a command of typer
        for param in params:
            if param.param_type_name == "argument":
                param.display_type_rich = _nothing
            elif param.is_flag:
                param.metavar = ""
            elif param.metavar is None and (shown := getattr(param, "display_type_rich", None)):  # not in older typer
                param.metavar = shown(ctx).strip("<>")
        return params


def _nothing(ctx: Any) -> None:
    """No type."""


class _Commands(_PlainHelp, TyperGroup):
    """Commands whose errors end in one paragraph and a status, not in a traceback (``--debug`` shows it)."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands: dict[str, Any] = dict.fromkeys(COMMANDS)  # None: not loaded yet

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name in self.commands and self.commands[cmd_name] is None:
            self.commands[cmd_name] = loaded_command(cmd_name)
        return super().get_command(ctx, cmd_name)

    def invoke(self, ctx: Any) -> Any:
        # A file name that is not UTF-8, or a label that the terminal cannot show, must not end the work.
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        try:
            with warnings.catch_warnings():
                warnings.showwarning = _warn
                result = super().invoke(ctx)
            sys.stdout.flush()
            return result
        except KeyboardInterrupt:
            print("interrupted; what was finished is kept: the same command goes on from there", file=sys.stderr)
            raise typer.Exit(130) from None
        except (SpeechGMMError, MemoryError) as error:
            if "--debug" in sys.argv:
                traceback.print_exc()
            text = "out of memory; fewer workers (--jobs) need less"
            if isinstance(error, SpeechGMMError):
                command = self.get_command(ctx, ctx.invoked_subcommand or "")
                options = options_of(error.arguments, command.params if command else ())
                text = f"{error} ({', '.join(options)})" if options else str(error)
            print(f"error: {visible(text)}", file=sys.stderr)
            raise typer.Exit(2 if isinstance(error, ConfigError | ModelFileError) else 1) from None
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            if "--debug" in sys.argv:
                traceback.print_exc()
            print(f"error: {visible(_too_long(str(error.filename)))}", file=sys.stderr)
            raise typer.Exit(2) from None


def _too_long(name: str) -> str:
    return (
        f"{name[:SHOWN_OF_A_PATH]}...: a path of {len(name)} characters, and no file has one so long; expected names "
        "of at most 255 bytes, and about 4000 with all folders. Is a text given where a file is expected?"
    )


class _Command(_PlainHelp, TyperCommand):
    """A command that prints control characters as escapes: labels, names and texts are those of files."""

    def invoke(self, ctx: Any) -> Any:
        with visible_output():
            return super().invoke(ctx)


app = typer.Typer(
    name="speechgmm",
    cls=_Commands,
    help="Gaussian mixtures for speech: from a folder of recordings to class models, decisions and metrics.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def loaded_command(name: str) -> Any:
    """A command of the table as click has it: an option for each field of its class, and those about messages."""
    module, place = COMMANDS[name].split(":")
    made = getattr(import_module(f"speechgmm.{module}"), place)
    of_messages = fields_of(Messages)

    def run(**given: Any) -> None:
        messages = Messages(**{name: given.pop(name) for name in of_messages})
        with messages.handled(given):
            _refuse_zero_bytes(given)
            command: Command = made(**given)
            failed = command.run()
        if failed:
            raise typer.Exit(1)

    shown = [*fields_of(made).values(), *of_messages.values()]
    run.__signature__ = Signature(shown)  # type: ignore[attr-defined]
    run.__annotations__ = {field.name: field.annotation for field in shown}
    run.__doc__ = made.__doc__
    single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    panel = next(title for title, commands in GROUPS.items() if name in commands)
    single.command(name, cls=_Command, rich_help_panel=panel)(run)
    return typer.main.get_command(single)


def _refuse_zero_bytes(given: Mapping[str, Any]) -> None:
    """Refuse a zero byte in what names a file or anything else: the system would raise an error that names nothing.

    Raises:
        ConfigError: There is one.
    """
    for name, value in given.items():
        for one in value if isinstance(value, list | tuple) else (value,):
            if isinstance(one, str | Path) and "\0" in str(one):
                raise ConfigError(f"{str(one)[:SHOWN_OF_A_PATH]!r} has a zero byte in it", arguments=(name,))


def fields_of(made: Callable[..., Any]) -> dict[str, Parameter]:
    """The options of a class of commands: name -> parameter with its annotation and default."""
    hints = get_type_hints(made, include_extras=True)
    return {name: field.replace(annotation=hints[name]) for name, field in signature(made).parameters.items()}


def _version(shown: bool) -> None:
    if shown:
        from speechgmm import __version__

        print(f"speechgmm {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, metavar="", help="print the version and leave"),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", metavar="", help="print the traceback of an error")] = False,
) -> None:
    pass


def main() -> None:
    """Run a command. Whoever reads its output may stop (``| head``), or have closed it: then it ends without a word."""
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # it searches all packages for them: 30 ms
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed before the start
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115
    try:
        app()
    except OSError as error:
        if "--debug" in sys.argv:
            raise
        print(f"error: {visible(str(error))}", file=sys.stderr)
        # What is left in the buffer cannot be written either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
