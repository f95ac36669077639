"""Likelihood ratios in words, as forensic reports say them. Owns the words alone; the number belongs beside them."""

from typing import Final

import numpy as np

from speechgmm.errors import DataError

_FROM: Final = (2.0, 10.0, 100.0, 1000.0, 10_000.0, 1_000_000.0)
_WORDS: Final = ("weak", "moderate", "moderately strong", "strong", "very strong", "extremely strong")


def in_words(llr: float) -> str:
    """A natural-log likelihood ratio (nats) in the words of ENFSI's verbal scale.

    The scale is the example in ENFSI Guideline for Evaluative Reporting in Forensic Science (2015): likelihood ratios
    from 2, 10, 100, 1000, 10 000 and 1 000 000 on are weak, moderate, moderately strong, strong, very strong and
    extremely strong support. The reciprocal of a ratio below 1 is support for the alternative. The scale has no words
    for ratios between 1 and 2; this function calls them no support.

    Raises:
        DataError: A ratio that is NaN.

    >>> in_words(np.log(150)), in_words(-np.log(20)), in_words(0.3)
    ('moderately strong support', 'moderate support for the alternative', 'no support either way')
    """
    if np.isnan(llr):
        raise DataError("a likelihood ratio that is NaN has no words; was a recording empty?")
    # In logarithms: so a ratio of exactly 10 does not round below it, and a large one does not overflow.
    place = int(np.searchsorted(np.log(_FROM), abs(llr) + 1e-9, side="right"))
    if place == 0:
        return "no support either way"
    return f"{_WORDS[place - 1]} support{'' if llr > 0 else ' for the alternative'}"
