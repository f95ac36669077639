"""Who speaks when, drawn: turns as coloured bars above the spectrogram, the reference's above the hypothesis'."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import ArrayLike

from speechgmm.evaluation.diarization import Turn, diarization_errors, speaker_mapping
from speechgmm.plots.canvas import COLOURS, new_axes
from speechgmm.plots.signals import draw_levels, levels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DARK: Final = ("#0072b2", "#882255")
"""Colours that bear white text."""

COLUMNS: Final = 900


def plot_turns(
    samples: ArrayLike,
    sample_rate: int,
    turns: Sequence[Turn],
    *,
    reference: Sequence[Turn] | None = None,
    title: str = "",
) -> "Figure":
    """A recording's spectrogram under its turns; with a reference, that above and where speakers are confused marked.

    A hypothesised speaker has the colour of the one in the reference that it is counted as.

    Args:
        samples: (N,) float.
        sample_rate: Hz.
        turns: What was found.
        reference: Who really spoke.
        title: Of the recording; the metrics are added.

    Raises:
        ShapeError: Samples that are not a vector of at least a window, 32 ms.

    >>> figure = plot_turns(np.sin(np.arange(8000)), 8000, [Turn(0.0, 0.5, "S1")], title="a")
    >>> figure.axes[0].get_title("left")
    'a: 1 speaker'
    """
    from matplotlib.figure import Figure

    values = np.asarray(samples, np.float32)
    level = levels(values, sample_rate, window=0.032, hops=2, n_columns=COLUMNS)[0]
    duration = len(values) / sample_rate
    rows, label = _rows(turns, reference, title)
    figure = Figure(figsize=(10.0, 2.9 + 0.3 * (len(rows) - 1)), layout="constrained", dpi=130)
    bars, picture = figure.subplots(2, 1, sharex=True, height_ratios=[0.55 * len(rows), 2.0])
    _draw(bars, rows, label, duration)
    bars.tick_params(length=0, labelbottom=False)
    draw_levels(picture, level, (0, duration), sample_rate)
    picture.set_xlim(0, duration)
    picture.set_xlabel("time (s)")
    picture.set_ylabel("frequency (kHz)")
    return figure


def plot_turn_rows(turns: Sequence[Turn], reference: Sequence[Turn], *, title: str = "", collar: float = 0.0) -> "Axes":
    """Turns of a reference above those that were found, without the recording, in the colours of ``plot_turns``.

    Args:
        turns: What was found.
        reference: Who really spoke.
        title: Of the recording; the metrics are added.
        collar: Seconds on each side of a boundary of the reference that do not count in these.

    >>> axes = plot_turn_rows([Turn(0.0, 2.0, "S1")], [Turn(0.0, 1.0, "ann"), Turn(1.0, 2.0, "bob")], title="a")
    >>> axes.get_title("left")
    'a: 1 speaker found of 2, DER 50.0 %'
    """
    rows, label = _rows(turns, reference, title, collar)
    bars = new_axes(width=10.0, height=1.7)
    bars.grid(visible=False)
    _draw(bars, rows, label, max(turn.end for turn in (*turns, *reference)))
    bars.set_xlim(0, max(turn.end for turn in (*turns, *reference)))
    bars.set_xlabel("time (s)")
    return bars


Rows = list[tuple[str, Sequence[Turn], dict[str, str], bool]]
"""What stands at the left, turns, colours of speakers, and whether turns have names on them."""


def _rows(turns: Sequence[Turn], reference: Sequence[Turn] | None, title: str, collar: float = 0.0) -> tuple[Rows, str]:
    """The rows of bars, from the top, and the title with metrics."""
    names = _by_first({turn.speaker: turn.start for turn in sorted(turns, reverse=True)})
    count = f"{len(names)} speaker" + ("s" if len(names) != 1 else "")
    if reference is None:
        colours = {name: COLOURS[number % len(COLOURS)] for number, name in enumerate(names)}
        return [("speakers", turns, colours, True)], f"{title}: {count}"
    said = _by_first({turn.speaker: turn.start for turn in sorted(reference, reverse=True)})
    same = speaker_mapping(reference, turns)
    known = {name: COLOURS[number % len(COLOURS)] for number, name in enumerate(said)}
    strangers = [name for name in names if name not in same]
    colours = {name: known[real] for name, real in same.items()}
    colours |= {name: COLOURS[(len(said) + number) % len(COLOURS)] for number, name in enumerate(strangers)}
    errors = diarization_errors(reference, turns, collar=collar)
    label = f"{title}: {count} found of {len(said)}, DER {100 * errors.der:.1f} %"
    return [("reference", reference, known, True), ("hypothesis", turns, colours, False)], label


def _draw(bars: "Axes", rows: Rows, label: str, duration: float) -> None:
    for row, (_, turns, colours, names) in enumerate(rows):
        _bars(bars, len(rows) - 1 - row, turns, colours, names=names, duration=duration)
    bars.set_yticks(range(len(rows)), [what for what, *_ in rows][::-1], fontsize=9)
    bars.set_ylim(-0.5, len(rows) - 0.5)
    bars.spines[["top", "right", "left", "bottom"]].set_visible(False)
    bars.set_title(label.lstrip(": "), fontsize=11, loc="left", parse_math=False)


def _by_first(starts: dict[str, float]) -> list[str]:
    return sorted(starts, key=lambda name: starts[name])


def _bars(
    axes: "Axes", height: int, turns: Sequence[Turn], colours: dict[str, str], *, names: bool, duration: float
) -> None:
    for turn in turns:
        axes.barh(height, turn.end - turn.start, left=turn.start, height=0.72, color=colours[turn.speaker], linewidth=0)
        if names and turn.end - turn.start > 0.012 * duration * max(2, len(turn.speaker)):
            middle = (turn.start + turn.end) / 2
            colour = "white" if colours[turn.speaker] in DARK else "#101010"  # black would turn white on a dark page
            place: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 7.5, "color": colour}
            axes.text(middle, height, turn.speaker, parse_math=False, **place)
