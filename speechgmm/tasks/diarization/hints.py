"""What limits a diarization, and what to do next: each hint is a measurement of the run and a remedy."""

from collections.abc import Iterator, Sequence
from typing import Final

from speechgmm.engine.hints import FEWEST, WIDE
from speechgmm.tasks.diarization.evaluation import PARTS, DiarizationEvaluation, DiarizedItem

MOST_OF: Final = 0.6
"""Share of the error from which one of its parts is worth a line."""

SOME: Final = 0.05
"""Diarization error rate below which nothing is said of its parts."""

OFTEN: Final = 0.3
"""Share of the recordings from which a wrong number of speakers is worth a line."""

REMEDIES: Final = {
    "miss": "speech is classified as pauses: lower the threshold of features.vad; or speakers talk at once, of whom "
    "one is found: set diarization.overlap: detect, or give regions of overlap to diarize",
    "false_alarm": "pauses are classified as speech: raise the threshold of features.vad, or cut the noise",
    "confusion": "speakers are confused with each other: train on more speakers, or on recordings like the test's",
}
"""Part of the error -> what it means, and what to do."""


def hints_of_diarization(
    items: Sequence[DiarizedItem], evaluation: DiarizationEvaluation, training_der: float
) -> Iterator[str]:
    """Which part of the error is most of it, whether speakers are too many or too few, and whether the test is harder.

    ``training_der``: of the conversations of training speakers that the threshold was learnt from.
    """
    values = {name: evaluation.metrics[name].value for name in ("der", *PARTS)}
    der = values["der"]
    part = max(PARTS, key=lambda name: values[name])
    if der >= SOME and values[part] >= MOST_OF * der:
        said = f"{part.replace('_', ' ')} is {100 * values[part] / der:.0f} % of the error"
        yield f"{said} ({100 * values[part]:.1f} of {100 * der:.1f} % of the speech): {REMEDIES[part]}"
    many = sum(one.n_found > one.n_speakers for one in items)
    few = sum(one.n_found < one.n_speakers for one in items)
    if max(many, few) >= OFTEN * len(items) and len(items) >= FEWEST // 2 and max(many, few) > 2 * min(many, few):
        what, less = ("many", few) if many > few else ("few", many)
        other = "few" if what == "many" else "many"
        yield (
            f"too {what} speakers are found in {max(many, few)} of {len(items)} recordings, too {other} in {less}: "
            "where merging stops is learnt from conversations of training speakers (diarization.conversations); train "
            "on more speakers, recorded as those of the test are"
        )
    if der - training_der >= WIDE:
        yield (
            f"the error is {100 * der:.0f} % in the test and {100 * training_der:.0f} % in the conversations of "
            "training speakers: the test is unlike them (channel, noise, length of turns); train on recordings like it"
        )
