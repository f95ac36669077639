"""The command line's own: its application, what ends a command, and the options that several commands share."""

import io
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

from speechgmm.errors import ConfigError, ModelFileError, SpeechGMMError
from speechgmm.io.terminal import visible, visible_output

Function = TypeVar("Function", bound=Callable[..., Any])

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


def _warn(message: Warning | str, *_: object, **__: object) -> None:
    """A warning of the library, without the line of code that it comes from."""
    print(f"warning: {message}", file=sys.stderr)


class _Commands(TyperGroup):
    """Commands whose errors end in one paragraph and a status, not in a traceback (``--debug`` shows it)."""

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
                raise
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


class _Application(typer.Typer):
    def command(self, *args: Any, **kwargs: Any) -> Callable[[Function], Function]:
        return super().command(*args, cls=_Command, **kwargs)


app = _Application(
    name="speechgmm",
    cls=_Commands,
    help="Gaussian mixtures for speech: from a folder of recordings to class models, decisions and figures.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


Resample = Annotated[
    bool, typer.Option("--resample", help="resample other rates even if the model's configuration does not")
]
Jobs = Annotated[int | None, typer.Option("--jobs", metavar="N", help="workers; -1: one per CPU core")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="warnings and results only")]
Debug = Annotated[bool, typer.Option("--debug", help="show the traceback of an error; of every command")]


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
