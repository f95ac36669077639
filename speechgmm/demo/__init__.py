"""The demo corpus: twelve synthetic voices, spoken on the spot, so that a first run needs no download.

Owns the voices, the sentences, the phone inventory and the folder they are written to. Refuses to stand
for human speech: a result on it proves that the chain works and nothing more. Needs the extra ``demo``,
and only to build: eSpeak NG is GPL-3.0, so its wheel is never a dependency of the package and is loaded
at run time alone.

>>> [voice.name for voice in VOICES][:4], len(PHONES)
(['adam', 'alicia', 'antonio', 'belinda'], 39)
"""

from speechgmm.demo.build import build_corpus, speak_recording
from speechgmm.demo.phones import PHONES
from speechgmm.demo.voices import VOICES, Voice

__all__ = ["PHONES", "VOICES", "Voice", "build_corpus", "speak_recording"]
