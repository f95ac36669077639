"""What a report says of diarization: every recording with its errors, and the turns of the worst."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from speechgmm.engine.run_folder import RunFolder
from speechgmm.engine.run_scores import Row
from speechgmm.evaluation.diarization import Turn
from speechgmm.io.rttm import read_rttm
from speechgmm.io.run_files import RunFile
from speechgmm.report.parts import Picture, Section, Table, percent
from speechgmm.tasks.diarization.evaluation import PARTS
from speechgmm.tasks.diarization.plots import plot_turn_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LISTED: Final = 40
DRAWN: Final = 4
"""Recordings whose turns are drawn, those with the highest error rates."""


def turns(run: RunFolder) -> Section | None:
    """The test recordings and their turns; None where nothing was tested."""
    rows = sorted(run.rows(RunFile.RECORDINGS), key=lambda row: -float(row["der"]))
    if not rows:
        return None
    spec = run.config["diarization"]
    made = spec["references"] is None or all("conversation-" in row["id"] for row in rows)
    natural = spec.get("turns") == "natural"
    overlap = "Turns and overlaps follow statistics of conversations." if natural else "No speech overlaps."
    text = [
        "Conversations are made of recordings of one speaker each. Every speaker keeps the microphone of the "
        f"recording, so that real conversations are harder. {overlap} No speaker is in two conversations."
        if made
        else f"Turns are compared with {spec['references']}."
    ]
    if spec.get("uem"):
        text.append(f"Only the stretches in {spec['uem']} count.")
    if spec["collar"]:
        text.append(f"Within {spec['collar']:g} s of a boundary of the reference nothing counts.")
    off = [int(row["n_found"]) - int(row["n_speakers"]) for row in rows]
    text.append(
        f"The number of speakers is right in {off.count(0)} of {len(off)} recordings; "
        f"too many are found in {sum(n > 0 for n in off)}, too few in {sum(n < 0 for n in off)}."
    )
    return Section(
        "turns", "Speaker turns", tuple(text), (_listed(rows),), tuple(_pictures(run, rows[:DRAWN], spec["collar"]))
    )


def _listed(rows: Sequence[Row]) -> Table:
    shown = [
        (
            row["id"],
            row["n_speakers"],
            row["n_found"],
            f"{float(row['speech']):.1f}",
            percent(float(row["der"])),
            *(
                percent(float(row[part]) / float(row["speech"]) if float(row["speech"]) else float("nan"))
                for part in PARTS
            ),
            percent(float(row["jer"])),
        )
        for row in rows[:LISTED]
    ]
    head = (
        *("recording", "speakers", "found", "speech (s)", "DER (%)"),
        *("missed (%)", "false alarm (%)", "confused (%)", "JER (%)"),
    )
    which = f"The {len(shown)} of {len(rows)} recordings with most errors" if len(rows) > LISTED else "All recordings"
    return Table.of(f"{which}, the worst first", head, shown, folded=False)


def _pictures(run: RunFolder, rows: Sequence[Row], collar: float) -> Sequence[Picture]:
    """The turns of some recordings, of the reference above those that were found."""
    paths = [run.folder / name for name in (RunFile.REFERENCES, RunFile.TURNS)]
    if not all(path.exists() for path in paths):
        return []
    said, heard = (read_rttm(path) for path in paths)
    found = []
    for number, row in enumerate(rows):
        name = row["id"]
        if name not in said or name not in heard:
            continue
        axes = plot_turn_rows(heard[name], said[name], title=name, collar=collar)
        found.append(_picture(name, said[name], heard[name], axes, f"turns{number}"))
    return found


def _picture(name: str, said: Sequence[Turn], heard: Sequence[Turn], axes: "Axes", place: str) -> Picture:
    cells = [
        (f"{one.start:.2f} to {one.end:.2f}", side, one.speaker)
        for side, turns in (("reference", said), ("hypothesis", heard))
        for one in turns
    ]
    return Picture.of(
        axes,
        place,
        alt=f"Turns of {name}: reference above, hypothesis below; they are in the table.",
        caption=f"{name}: a hypothesised speaker has the colour of the reference speaker it is mapped to.",
        table=Table.of("Turns (s)", ("time", "side", "speaker"), cells, text=3),
        wide=True,
    )
