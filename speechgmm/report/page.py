"""The page: one self-contained file, from what a run left in its folder.

It asks the network for nothing and says so to the browser (Content-Security-Policy); it is well-formed XML as well as
HTML, and runs no script.
"""

from collections.abc import Callable
from dataclasses import replace
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from speechgmm.config import ReportSpec
from speechgmm.engine.run_folder import RunFolder, read_run
from speechgmm.errors import ConfigError
from speechgmm.io.atomic import write_text
from speechgmm.io.run_files import RunFile
from speechgmm.plots.canvas import printable

NEEDED: Final = ("matplotlib", "jinja2")


def missing_extra() -> str:
    """What is not installed for a report, or ``""``."""
    return " and ".join(name for name in NEEDED if find_spec(name) is None)


def write_report(
    folder: Path,
    path: Path | None = None,
    *,
    audio: int | None = None,
    audio_root: Path | None = None,
    is_own: bool = False,
    progress: Callable[[int, int], None] = lambda *_: None,
    say: Callable[[str], object] = lambda _: None,
) -> Path:
    """Make the report of a run anew from its folder and return where it is.

    Args:
        folder: The run's folder.
        path: The file to write; default: ``report.html`` in the folder.
        audio: How many of the worst errors are to be heard in it; default: as the run's configuration says
            (``report.audio``); 0: it holds nobody's voice.
        audio_root: The folder of the run's recordings, below which alone audio is read; default: the one that the run
            names, if that lies below the current folder. The files of a run that somebody else made could name any.
        is_own: Whether the run was made just now, so that its recordings are read wherever they lie.
        progress: Called with how many parts of the page are made, and of how many.
        say: Called with a message for each thing that is too large for the page, which leaves it out.

    Raises:
        ConfigError: Not a run's folder, or the extra ``report`` is not installed.
        DataError: A file of the run cannot be read, or the report cannot be written.
    """
    if missing := missing_extra():
        raise ConfigError(f"a report needs {missing}, not installed here; pip install 'speechgmm[report]'")
    path = path or folder / RunFile.REPORT
    write_text(path, render(replace(read_run(folder), audio_root=audio_root, is_own=is_own), audio, progress, say))
    return path


def render(
    run: RunFolder,
    audio: int | None = None,
    progress: Callable[[int, int], None] = lambda *_: None,
    say: Callable[[str], object] = lambda _: None,
) -> str:
    """The page as text; ``audio``, ``progress`` and ``say`` as in :func:`write_report`."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    from speechgmm.report.sections import metrics_of, sections, with_bounds

    heard = run.config.get("report", {}).get("audio", ReportSpec().audio) if audio is None else audio
    parts = sections(run, heard, progress)
    for what in (what for section in parts for what in section.left_out):
        say(f"report.html leaves out {what}; the tables in the folder of the run are whole")
    environment = Environment(
        loader=PackageLoader("speechgmm.report", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    text = environment.get_template("page.html.jinja").render(
        run=run,
        headline=[(name, *with_bounds(metric)) for name, metric in metrics_of(run)],
        sections=parts,
        style=(files("speechgmm.report") / "page.css").read_text(encoding="utf-8"),
    )
    return printable(text)
