"""What the demo corpus says: short sentences written for it, in general American English.

Owns the texts and which of them train. They are this project's own, taken from no published list. Every
phone of the inventory occurs in at least two training sentences; the test sentences are shorter, and no
content word of theirs occurs in training, so that a model cannot pass by having heard the words. Refuses
texts in any other language: there is one inventory of phones.

>>> len(TRAINING), len(TEST)
(12, 10)
"""

from typing import Final

TRAINING: Final[tuple[str, ...]] = (
    "My brother fixed the wooden gate before the storm arrived.",
    "Should we measure the length of both yellow ropes again?",
    "A noisy child threw orange peel over the garden wall.",
    "George usually brings fresh fish and cheese to the party.",
    "Put the blue vase beside the clock and light the candle.",
    "He chose a quiet job at the museum near our house.",
    "Five thick books about treasure lie on that table.",
    "Joyce asked whether the young singer would join us for lunch.",
    "Cold wind shook the trees while the dog slept by the fire.",
    "Their vision of the future is rather vague and weird.",
    "Each judge wore a purple coat with leather pockets.",
    "How did Ruth choose such an unusual birthday present?",
)
"""Sentences that train, about two and a half seconds each."""

TEST: Final[tuple[str, ...]] = (
    "Keep those matches dry.",
    "Three foxes jumped the ditch.",
    "Who borrowed my good shoes?",
    "Leave the boy some fudge.",
    "That engine sounds awful.",
    "Just push the green knob twice.",
    "Thirty ships crossed the bay.",
    "A casual hug means a lot.",
    "Bring warm gloves to school.",
    "Your uncle moved south.",
)
"""Sentences that test, one to two seconds each."""
