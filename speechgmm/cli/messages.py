"""The options about messages that every command takes, and the handlers of the package's logger that they ask for."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from speechgmm.errors import ConfigError, SpeechGMMError
from speechgmm.tasks.options import MESSAGES

if TYPE_CHECKING:
    import logging

FORMAT = "%(asctime)s %(levelname)s process %(process)d: %(message)s"
"""Of a line in a log file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Messages:
    """What a command says beside its results, and where."""

    verbose: Annotated[
        bool,
        typer.Option(
            "--verbose",
            "-v",
            rich_help_panel=MESSAGES,
            help="also print details: the time of each stage, and what each worker has finished",
        ),
    ] = False
    log_file: Annotated[
        Path | None,
        typer.Option(
            "--log-file",
            metavar="FILE",
            rich_help_panel=MESSAGES,
            help="append all messages and details to this file, with date, level and process",
        ),
    ] = None
    debug: Annotated[
        bool, typer.Option("--debug", rich_help_panel=MESSAGES, help="print the traceback of an error")
    ] = False

    @contextmanager
    def handled(self, options: Mapping[str, Any]) -> Iterator[None]:
        """Within it messages go where these options say; ``options`` are the command's own.

        Raises:
            ConfigError: ``verbose`` together with ``quiet``, or a log file that cannot be written.
        """
        if not self.verbose and self.log_file is None:
            yield
            return
        if self.verbose and options.get("quiet"):
            raise ConfigError("--verbose asks for more messages and --quiet for fewer; give one of them")
        from speechgmm.logger import LOGGER

        handlers = list(self._handlers())
        level = LOGGER.level
        LOGGER.setLevel("DEBUG")
        for handler in handlers:
            LOGGER.addHandler(handler)
        try:
            yield
        except SpeechGMMError as error:
            LOGGER.error("%s", error)
            raise
        finally:
            LOGGER.setLevel(level)
            for handler in handlers:
                LOGGER.removeHandler(handler)
                handler.close()

    def _handlers(self) -> "Iterator[logging.Handler]":
        import logging

        if self.verbose:
            yield _details()
        if self.log_file is not None:
            try:
                handler = logging.FileHandler(self.log_file, encoding="utf-8", errors="backslashreplace")
            except OSError as error:
                raise ConfigError(
                    f"--log-file {self.log_file}: it cannot be written ({error.strerror}); name a file in a folder "
                    "that exists and may be written"
                ) from None
            handler.setFormatter(logging.Formatter(FORMAT))
            yield handler


def _details() -> "logging.Handler":
    """A handler that prints details; other messages the console prints itself."""
    import logging
    import sys

    class Details(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            """Print to the standard error of this moment, which a progress bar may have replaced."""
            if record.levelno == logging.DEBUG:
                print(self.format(record), file=sys.stderr, flush=True)

    return Details()
