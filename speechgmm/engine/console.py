"""What a person sees while work goes on: stages, progress, warnings; on standard error and in the run's log.

Every message is also a record of the logger ``speechgmm``. Results go to standard output and are none of this module's
business.
"""

import itertools
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from speechgmm.io.terminal import log_message, terminal

Item = TypeVar("Item")


@dataclass(slots=True)
class Console:
    """Says things to a person: prints them to standard error, and passes them to the logger ``speechgmm``.

    An application that shows the records of that logger itself takes ``Console(printing=False)``.

    >>> Console(printing=False).warn("nobody but the logger hears of it")
    """

    quiet: bool = False  # print warnings only
    printing: bool = True  # False: print nothing
    log: Path | None = None
    seconds: dict[str, float] = field(default_factory=dict)  # stage -> time taken
    warned: set[str] = field(default_factory=set)

    def say(self, text: str) -> None:
        """A line about what is being done."""
        self.record(text)
        log_message("info", text)
        if self.printing and not self.quiet:
            print(text, file=sys.stderr, flush=True)

    def warn(self, text: str) -> None:
        """Something that a person should know, though the work goes on; said once, also of every point of a sweep."""
        if text in self.warned:
            return
        self.warned.add(text)
        self.record(f"warning: {text}")
        log_message("warning", text)
        if self.printing:
            print(f"warning: {text}", file=sys.stderr, flush=True)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure a stage; the time is in ``seconds`` afterwards."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            seconds = time.perf_counter() - begun
            self.seconds[name] = self.seconds.get(name, 0.0) + seconds
            log_message("debug", f"stage {name}: {seconds:.2f} s")

    def say_times(self, total: float) -> None:
        """A line of where ``total`` seconds went: the stages that took more than one."""
        stages = ", ".join(f"{name} {taken:.1f} s" for name, taken in self.seconds.items() if taken > 1)
        self.say(f"took {total:.1f} s{f': {stages}' if stages else ''}")

    @contextmanager
    def patience(self, text: str, seconds: float = 1.5) -> Iterator[None]:
        """Say what takes so long, where it takes longer than this."""
        timer = threading.Timer(seconds, self.say, [text])
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    @contextmanager
    def bar(self, what: str | None) -> Iterator[Callable[[int, int], None]]:
        """A progress bar with the time left; the work calls what it is given with (done, total).

        Without a terminal there is no bar, but one line at the end; without a name, nothing.
        """
        begun = time.perf_counter()
        n_done = 0
        if what and self.printing and not self.quiet and sys.stderr.isatty():
            from rich.console import Console as Terminal
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
            )
            with Progress(*columns, console=Terminal(file=terminal(sys.stderr)), transient=True) as progress:
                task = progress.add_task(what, total=None)

                def advance(done: int, out_of: int) -> None:
                    nonlocal n_done
                    n_done = done
                    progress.update(task, completed=done, total=out_of)

                yield advance
        else:

            def count(done: int, out_of: int) -> None:  # noqa: ARG001 (the bar's signature)
                nonlocal n_done
                n_done = done

            yield count
        if n_done and what:
            self.say(f"{what}: {n_done} in {time.perf_counter() - begun:.1f} s")

    def track(self, items: Iterable[Item], total: int, what: str | None) -> Iterator[Item]:
        """Pass items through with a bar."""
        with self.bar(what) as advance:
            for done, item in enumerate(items, 1):
                yield item
                advance(done, total)

    @contextmanager
    def counted(
        self, on: Callable[..., Iterator[Any]], total: int, what: str
    ) -> Iterator[Callable[..., Iterator[Any]]]:
        """A ``map`` that does what ``on`` does and counts its calls, ``total`` at most, with a bar."""
        with self.bar(what) as advance:
            calls = itertools.count(1)

            def spread(function: Callable[..., Any], tasks: Iterable[Any]) -> Iterator[Any]:
                advance(next(calls), total)
                return on(function, tasks)

            yield spread

    def record(self, text: str) -> None:
        """Write a line to the log, where there is one."""
        if self.log is not None:
            try:
                with self.log.open("a", encoding="utf-8", errors="surrogateescape") as file:
                    file.write(f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S%z} {text}\n")
            except OSError as error:
                self.log = None
                print(f"warning: the log cannot be written: {error}", file=sys.stderr)
