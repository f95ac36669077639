"""Segments that end after their recording: cut where it is little, refused where it is more."""

from dataclasses import replace
from typing import Final

from speechgmm.corpus.utterance import Utterance
from speechgmm.errors import DataError

MOST_OVERSHOOT: Final = 0.5
"""A segment that ends less than so many seconds after its recording is cut (Kaldi's ``extract-segments``)."""

_ROUNDED: Final = 0.005
"""Seconds that times in tables are off by rounding: nothing is said of them."""


def within_recording(utterance: Utterance, duration: float, unknown: float = 0.0) -> tuple[Utterance, float]:
    """An utterance that ends within its recording.

    Parameters
    ----------
    utterance
        The recording, or a segment of it.
    duration
        Of the recording, in s.
    unknown
        How much longer it may be, in s: of frames that were given, by less than one frame.

    Returns
    -------
    tuple of Utterance and float
        The utterance, its end cut where it lies up to `MOST_OVERSHOOT` after the recording; and by how many seconds
        it was cut, 0 where it was not.

    Raises
    ------
    DataError
        It begins at the end of the recording or later, or ends `MOST_OVERSHOOT` after it or later.

    Examples
    --------
    >>> from pathlib import Path
    >>> segment, overshoot = within_recording(Utterance("a", Path("a.wav"), 0.5, 2.25), 2.0)
    >>> segment.end, overshoot
    (2.0, 0.25)
    """
    start, end = utterance.start or 0.0, utterance.end
    overshoot = 0.0 if end is None else end - duration
    if start < duration and overshoot <= unknown + _ROUNDED:
        return utterance, 0.0
    if start < duration and overshoot < MOST_OVERSHOOT:
        return replace(utterance, end=duration), overshoot
    past = f"begins at {start:g} s" if start >= duration else f"ends at {end:g} s"
    length = f"{utterance.path.name} ({duration:.3f} s)"
    raise DataError(
        f"{utterance.source or utterance.id}: {past}, past the end of {length}; give times in seconds within it (an "
        f"end is cut where it is less than {MOST_OVERSHOOT:g} s after it)"
    )
