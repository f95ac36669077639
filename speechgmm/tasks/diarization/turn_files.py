"""Statistics of turns by what was asked for."""

from pathlib import Path

from speechgmm.errors import DataError
from speechgmm.io.rttm import read_rttm
from speechgmm.tasks.diarization.turn_statistics import PUBLISHED, TurnStatistics, turn_statistics


def statistics_of(turns: str, path: Path | None) -> TurnStatistics | None:
    """The statistics of made conversations.

    Parameters
    ----------
    turns
        ``natural``, or ``uniform``, for which there are none.
    path
        An RTTM in which they are measured; None: they are `PUBLISHED`.

    Raises
    ------
    DataError
        The RTTM cannot be read, or the speaker changes in none of its recordings.

    Examples
    --------
    >>> statistics_of("natural", None) is PUBLISHED, statistics_of("uniform", None)
    (True, None)
    """
    if turns != "natural":
        return None
    if path is None:
        return PUBLISHED
    recordings = read_rttm(path)
    try:
        return turn_statistics(recordings)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
