"""From what eSpeak NG calls its phonemes to the 39 phones of the demo corpus, in ARPAbet names.

Owns the folding. Stress is dropped. Schwa counts as ``ah``, a syllabic l as ``l``, the flap of *party* as
``d`` (too few for another class, and voiced), and a vowel coloured by a following r as the vowel it
starts from. Pauses and the glide that only links two vowels (``;``) are no phones. Refuses a name that is
not in the table: an inventory that grows unnoticed would give a class with no training data.
"""

from typing import Final

from speechgmm.errors import DataError

_MNEMONICS: Final[dict[str, str]] = {
    "aa": "0 A: A@ A",
    "ae": "a aa",
    "ah": "V @ @2 @5 a#",
    "ao": "O: O2 O O@ o@",
    "aw": "aU aU@",
    "ay": "aI aI@ aI3",
    "b": "b",
    "ch": "tS",
    "d": "d t#",
    "dh": "D",
    "eh": "E e@",
    "er": "3 3:",
    "ey": "eI",
    "f": "f",
    "g": "g",
    "hh": "h",
    "ih": "I I# I2",
    "iy": "i i: i@ i@3",
    "jh": "dZ",
    "k": "k",
    "l": "l @L",
    "m": "m",
    "n": "n",
    "ng": "N",
    "ow": "oU",
    "oy": "OI",
    "p": "p",
    "r": "r r-",
    "s": "s",
    "sh": "S",
    "t": "t t2",
    "th": "T",
    "uh": "U U@",
    "uw": "u:",
    "v": "v",
    "w": "w",
    "y": "j",
    "z": "z",
    "zh": "Z",
}
_PHONE_OF: Final[dict[str, str]] = {
    mnemonic: phone for phone, mnemonics in _MNEMONICS.items() for mnemonic in mnemonics.split()
}
_STRESS: Final[str] = "',%="

PHONES: Final[tuple[str, ...]] = tuple(_MNEMONICS)
"""The inventory: 39 phones in ARPAbet names, sorted."""


def fold(mnemonic: str) -> str | None:
    """Name the phone that an eSpeak NG phoneme counts as, or None for a pause.

    Args:
        mnemonic: eSpeak NG's own ASCII name of the phoneme, stress marks included.

    Raises:
        DataError: The name is not in the table; the sentence uses a sound the inventory has not got.

    Example:
        >>> fold("'aI@"), fold("@2"), fold("_:")
        ('ay', 'ah', None)
    """
    if mnemonic.startswith("_") or mnemonic == ";":
        return None
    plain = mnemonic.lstrip(_STRESS)
    if plain not in _PHONE_OF:
        raise DataError(
            f"eSpeak NG spoke the phoneme {mnemonic!r}, which the demo corpus has no phone for; "
            "choose another word, or add it to the table in speechgmm.demo.phones"
        )
    return _PHONE_OF[plain]
