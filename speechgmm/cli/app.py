"""The application: how a command is made of a value with options, and what ends it."""

import io
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, Final, Protocol, get_type_hints

import typer
from typer.core import TyperCommand, TyperGroup

from speechgmm.errors import ConfigError, ModelFileError, SpeechGMMError
from speechgmm.io.terminal import visible, visible_output

COMMANDS: Final = {
    "run": "cli.experiment_commands:Run",
    "extract": "cli.experiment_commands:Extract",
    "train": "cli.experiment_commands:Train",
    "sweep": "cli.experiment_commands:Sweep",
    "compare": "cli.experiment_commands:Compare",
    "runs": "cli.experiment_commands:Runs",
    "report": "cli.experiment_commands:Report",
    "check": "cli.experiment_commands:Check",
    "evaluate": "cli.score_files:Evaluate",
    "fuse": "cli.score_files:Fuse",
    "score": "cli.score_command:score",
    "verify": "tasks.verification.command:Verify",
    "enrol": "tasks.classification.change_command:Enrol",
    "update": "tasks.classification.change_command:Update",
    "recognise": "tasks.recognition.command:Recognise",
    "align": "tasks.recognition.command:Align",
    "cluster": "tasks.clustering.command:Cluster",
    "diarize": "tasks.diarization.command:Diarize",
    "train-diarizer": "tasks.diarization.command:TrainDiarizer",
    "inspect": "cli.file_commands:Inspect",
    "init": "cli.file_commands:Init",
    "fetch": "cli.file_commands:Fetch",
    "demo": "cli.file_commands:Demo",
    "schema": "cli.file_commands:Schema",
    "cache": "cli.file_commands:Cache",
}
"""Name of a command, in the order of the help -> its class, a value of whose fields are its options. A command is
loaded when it is asked for, so that none waits for the others."""

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


class Command(Protocol):
    """A command with its options."""

    def run(self) -> int | None:
        """Do the work; returns how many recordings failed."""


def _warn(message: Warning | str, *_: object, **__: object) -> None:
    """A warning of the library, without the line of code that it comes from."""
    print(f"warning: {message}", file=sys.stderr)


class _Commands(TyperGroup):
    """Commands whose errors end in one paragraph and a status, not in a traceback (``--debug`` shows it)."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands: dict[str, Any] = dict.fromkeys(COMMANDS)  # None: not loaded yet

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name in self.commands and self.commands[cmd_name] is None:
            self.commands[cmd_name] = loaded_command(cmd_name)
        return super().get_command(ctx, cmd_name)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        # Read off the command line below, for every command.
        return super().parse_args(ctx, [argument for argument in args if argument != "--debug"])

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


class _Command(TyperCommand):
    """A command that prints control characters as escapes: labels, names and texts are those of files."""

    def invoke(self, ctx: Any) -> Any:
        with visible_output():
            return super().invoke(ctx)


app = typer.Typer(
    name="speechgmm",
    cls=_Commands,
    help="Gaussian mixtures for speech: from a folder of recordings to class models, decisions and metrics.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


Debug = Annotated[bool, typer.Option("--debug", help="show the traceback of an error; of every command")]


def loaded_command(name: str) -> Any:
    """A command of the table as click has it, with an option for each field of its class."""
    module, place = COMMANDS[name].split(":")
    made = getattr(import_module(f"speechgmm.{module}"), place)

    def run(**given: Any) -> None:
        command: Command = made(**given)
        if command.run():
            raise typer.Exit(1)

    shown = list(fields_of(made).values())
    run.__signature__ = Signature(shown)  # type: ignore[attr-defined]
    run.__annotations__ = {field.name: field.annotation for field in shown}
    run.__doc__ = made.__doc__
    single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    single.command(name, cls=_Command)(run)
    return typer.main.get_command(single)


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
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version and leave")
    ] = False,
    debug: Debug = False,
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
