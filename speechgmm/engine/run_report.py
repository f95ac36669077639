"""The last of a run: what its report needs and no other stage writes, the picture of confusions, and the report.

The report is made from the files of the run's folder alone, so that ``speechgmm report`` makes the same one later.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from speechgmm.engine.frames import Features
from speechgmm.engine.job import Job
from speechgmm.engine.task import Evaluation, report_page
from speechgmm.io.atomic import write_text
from speechgmm.io.feature_store import digest
from speechgmm.io.run_files import RunFile
from speechgmm.io.tables import table

PICTURES: Final = (RunFile.REPORT, RunFile.CONFUSION_PICTURE)

WITH_TIMES: Final = (RunFile.ENVIRONMENT, RunFile.METRICS)

NOT_HASHED: Final = (*PICTURES, *WITH_TIMES, RunFile.LOG, RunFile.REPORT_STAMP)
"""Files that the report does not show, and those that are hashed without their times."""

NOT_SHOWN: Final = ("seconds", "start", "end", "git_commit", "git_changed", "host", "command", "blas")
"""Entries that differ from run to run, and are not in the report but for the times."""

CODE: Final = (".py", ".jinja", ".css")


def data_table(job: Job, features: Features) -> str:
    """``data.tsv``: utterances, seconds and frames (before the VAD's choice) of every class in every split.

    Transcripts are no classes, and are one row. With folds every utterance is trained on and tested, and the split is
    ``all``.
    """
    label = features.corpus.label
    spoken = not job.task.has_classes(job)
    sums: dict[tuple[str, str], list[float]] = {}
    for utterance, piece, duration in zip(features.corpus, features.pieces, features.durations, strict=True):
        background = utterance.split == "ubm"  # whose utterances need no label
        name = (utterance.labels or {}).get(label, "") if background else utterance.label(label)
        name = "(transcripts)" if spoken else name
        split = "all" if job.folds and not background else utterance.split
        counts = sums.setdefault((name, split), [0, 0.0, 0])
        for number, value in enumerate((1, duration, piece.n_rows)):
            counts[number] += value
    rows = ((*key, int(n), f"{seconds:.3f}", int(frames)) for key, (n, seconds, frames) in sorted(sums.items()))
    return table(("class", "split", "utterances", "seconds", "frames"), rows)


def report(folder: Path, job: Job, evaluation: Evaluation | None) -> None:
    """Draw, and write ``report.html``, unless both are there already and would show the same.

    Where what draws them is not installed, say so.
    """
    page, stamp = report_page(), folder / RunFile.REPORT_STAMP
    missing = page.missing_extra()
    if missing:
        job.console.say(f"no report.html: {missing} not installed (pip install 'speechgmm[report]')")
    with job.console.stage("report"):
        shown = _shown(folder)
        if stamp.exists() and stamp.read_text(errors="replace") == _stamp(folder, shown, missing):
            return
        left_out: list[str] = []
        with job.console.bar("drawing the report") as progress:
            if evaluation is not None:
                job.task.draw(job, folder, evaluation)
            if not missing:
                page.write_report(folder, is_own=True, progress=progress, say=left_out.append)
        for what in left_out:
            job.console.say(what)
        write_text(stamp, _stamp(folder, shown, missing))


def _shown(folder: Path) -> str:
    """A hash of all that decides the report: files of the run but for times and commit, and the code that draws it."""
    entries = [json.loads((folder / name).read_bytes()) for name in WITH_TIMES]
    plain = json.dumps([{k: v for k, v in one.items() if k not in NOT_SHOWN} for one in entries])
    code = sorted(path for path in Path(__file__).parents[1].rglob("*") if path.suffix in CODE)
    return digest(plain, *_parts([*(folder / name for name in RunFile if name not in NOT_HASHED), *code]))


def _stamp(folder: Path, shown: str, missing: str) -> str:
    """What stands in the stamp of a report: a hash of what decides it, and of its own bytes."""
    return digest(shown, missing, *_parts(folder / name for name in PICTURES))


def _parts(paths: Iterable[Path]) -> Iterator[str | bytes]:
    """Name and bytes of every file that is there."""
    for path in paths:
        if path.is_file():
            yield from (path.name, path.read_bytes())
