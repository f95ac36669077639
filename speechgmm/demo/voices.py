"""Who speaks in the demo corpus: twelve eSpeak NG voice variants, all reading general American English.

Owns the choice of voices and how fast and how high each speaks. One accent only, so that there is one
inventory of phones. Refuses whispering, croaking and robot variants, and those that differ from these by
little but the name.

>>> len(VOICES), len({voice.name for voice in VOICES})
(12, 12)
>>> VOICES[0].variant
'en-us+adam'
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Voice:
    """One speaker of the demo corpus: an eSpeak NG variant and its manner of speaking.

    >>> VOICES[0].name
    'adam'
    """

    name: str  # the variant's name in lower case: the speaker label, and the name of the folder
    variant: str  # what eSpeak NG calls the voice: language+variant
    rate: int  # words a minute, 80 to 450
    pitch: int  # 0 to 100; 50 is the variant's own
    pitch_range: int  # 0 (monotone) to 100; 50 is the variant's own
    description: str  # one line, for people


VOICES: Final[tuple[Voice, ...]] = (
    Voice("adam", "en-us+adam", 172, 50, 45, "man, even: the Klatt synthesiser, buzzier than the rest"),
    Voice("alicia", "en-us+Alicia", 178, 50, 50, "woman, high and thin, widely spaced formants"),
    Voice("antonio", "en-us+antonio", 182, 48, 60, "man, dark: loud below 1200 Hz, dull above"),
    Voice("belinda", "en-us+belinda", 176, 50, 40, "woman, high first formant and weak upper ones"),
    Voice("f2", "en-us+f2", 184, 45, 55, "woman, middle pitch, breathy, with crisp consonants"),
    Voice("f3", "en-us+f3", 170, 56, 60, "woman, lively pitch, bright second formant"),
    Voice("gene", "en-us+Gene", 186, 52, 50, "man, light: lowered first formant, soft consonants"),
    Voice("m1", "en-us+m1", 168, 46, 45, "older man, low and slightly rough"),
    Voice("m2", "en-us+m2", 180, 55, 50, "man, front vowels raised, a little echo"),
    Voice("m8", "en-us+m8", 174, 42, 40, "old man, very low, strongly damped above 600 Hz"),
    Voice("max", "en-us+max", 190, 58, 55, "man, fast, weak upper formants"),
    Voice("steph", "en-us+steph", 180, 50, 50, "woman, even pitch, damped above 600 Hz"),
)
"""The speakers, by name."""
