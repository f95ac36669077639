"""The section of the page about labels that the recordings contradict."""

from typing import Final

from speechgmm.engine.run_folder import RunFolder
from speechgmm.io.run_files import RunFile
from speechgmm.report.parts import Section, Table

ABOUT: Final = (
    "Sessions or recordings of one label that score as different speakers, and labels that score as one voice. "
    "Closeness is in standard deviations of the scores between different speakers. Listen to a recording of each "
    "group: a wrong label costs more than any setting gains."
)


def doubtful_labels_of(run: RunFolder) -> Section | None:
    """The rows of ``audit.tsv``; None: there are none."""
    rows = run.rows(RunFile.AUDIT)
    if not rows:
        return None
    columns = {
        "kind": "why",
        "labels": "labels",
        "parts": "groups of parts",
        "closeness": "closeness (z)",
        "expected": "expected (z)",
        "nearest": "nearest other label (z)",
        "listen": "listen to",
    }
    cells = [[row[name] for name in columns] for row in rows]
    table = Table.of(f"Labels that may be wrong ({len(rows)})", tuple(columns.values()), cells, text=len(columns))
    return Section("audit", "Labels that may be wrong", (ABOUT,), (table,))
