"""The last of a run: what its report needs and no other stage writes, the picture of confusions, and the report.

The report is made from the files of the run's folder alone, so that ``speechgmm report`` makes the same one later.
"""

from pathlib import Path

from speechgmm.engine.frames import Features
from speechgmm.engine.job import Job
from speechgmm.engine.task import Evaluation, report_page
from speechgmm.io.tables import table


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
    """Draw, and write ``report.html``; where what draws them is not installed, say so."""
    if evaluation is not None:
        job.task.draw(job, folder, evaluation)
    page = report_page()
    if missing := page.missing_extra():
        job.console.say(f"no report.html: {missing} not installed (pip install 'speechgmm[report]')")
        return
    with job.console.stage("report"):
        page.write_report(folder, is_own=True)
