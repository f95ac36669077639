"""Phones by manner of articulation, of ARPAbet (TIMIT's and CMUdict's symbols) and of the IPA."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

PHONE_CLASSES: Final[Mapping[str, Sequence[str]]] = {
    name: symbols.split()
    for name, symbols in {
        "vowels": "iy ih ix eh ey ae ax axh axr er ah aa ao uw ux uh ow aw ay oy "
        "i ɪ ɨ ʏ e ø ɘ ə ɛ œ ɜ ɝ ɚ ɞ æ a ɶ ɐ ɑ ɒ ʌ ɔ ɤ o ʊ ɯ u ʉ",
        "approximants and liquids": "y w r l el j ɹ ɻ ɾ ɺ ʋ ɰ ɥ ʎ ɭ ɫ ʟ ʀ",
        "nasals": "m em n en nx ng eng ɱ ɲ ɳ ŋ ɴ",
        "fricatives": "f v th dh s z sh zh hh hv ɸ β θ ð ʃ ʒ ʂ ʐ ç ʝ x ɣ χ ʁ ħ ʕ h ɦ ɬ ɮ ɕ ʑ",
        "affricates": "ch jh ts dz pf tʃ dʒ tɕ dʑ tʂ dʐ",
        "stops": "p b t d dx k g q ʔ ʈ ɖ c ɟ ɢ",
        "closures and silence": "bcl dcl gcl pcl tcl kcl cl vcl epi h# pau sil sp spn –",
    }.items()
}
"""Class -> its symbols (Ladefoged & Johnson 2010; TIMIT's phoncode.doc)."""

_MARKS: Final = re.compile("[\u0300-\u036f\u02b0-\u02ff0-9_-]")


def phone_place(phone: str, *, ipa: bool = False) -> tuple[int, int] | None:
    """Number of a phone's class, and its place in it; None: it is not known. Case, stress and length do not count.

    Args:
        phone: A symbol of ARPAbet or of the IPA.
        ipa: Whether ``y``, a glide in ARPAbet, is the vowel of the IPA.

    >>> phone_place("AA1"), phone_place("aː"), phone_place("hello"), phone_place("y"), phone_place("y", ipa=True)
    ((0, 11), (0, 35), None, (1, 0), (0, 0))
    """
    plain = _MARKS.sub("", phone.lower())
    if plain == "y" and ipa:
        return 0, 0
    for number, symbols in enumerate(PHONE_CLASSES.values()):
        if plain in symbols:
            return number, symbols.index(plain)
    return None
