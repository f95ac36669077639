"""Whether the cohort that scores are normalised by can do so: large enough, and others than those it judges.

Opens no file.
"""

from collections import defaultdict
from typing import Final

from speechgmm.corpus.listing import listed
from speechgmm.corpus.utterance import Corpus
from speechgmm.errors import DataError
from speechgmm.tasks.classification.spec import ScoringSpec
from speechgmm.tasks.verification.score_norm import BY_MODELS, BY_RECORDINGS

FEWEST_OTHERS: Final = 30
"""Speakers of the split ubm: by fewer, S-norm costs as often as it gains (recipes/presets.md)."""


def can_normalise(corpus: Corpus, group: str | None = None) -> bool:
    """Whether the split ubm is a cohort for S-norm: enough speakers, all known, and others than those it judges."""
    speakers = {(utterance.labels or {}).get(corpus.label) for utterance in corpus.split("ubm")}
    if len(speakers) < FEWEST_OTHERS or not all(speakers):
        return False
    try:
        check_cohort(corpus, ScoringSpec(normalise="s", cohort="ubm"), group)
    except DataError:
        return False
    return True


def check_cohort(corpus: Corpus, spec: ScoringSpec, group: str | None = None) -> None:
    """Refuse a cohort that is too small for the norm, or that holds who is claimed or tested.

    Raises:
        DataError: As said; all who stand on both sides are named.
    """
    norm = spec.normalise
    if norm == "none":
        return
    members = corpus.split(spec.cohort)
    if not members:
        raise DataError(
            f"scoring.normalise: {norm} needs a cohort, and no utterance is in the split {spec.cohort!r}; put "
            "recordings of other speakers there, neither claimed nor tested"
            + (" (column split of the manifest)" if spec.cohort == "cohort" else "")
            + (", or set scoring.cohort: ubm" if spec.cohort == "cohort" and corpus.split("ubm") else "")
        )
    speakers = {utterance.label(corpus.label) for utterance in members}
    least = spec.cohort_top if norm == "as" else 2
    for what, found, needed in (
        (f"values of {corpus.label!r}, which become models", len(speakers), norm in BY_MODELS),
        ("recordings", len(members), norm in BY_RECORDINGS),
    ):
        if needed and found < least:
            instead = f"set scoring.cohort_top to at most {found}" if norm == "as" and found > 1 else "add others"
            raise DataError(
                f"scoring.normalise: {norm} needs a cohort of {least} {what}; the split {spec.cohort!r} has {found}; "
                f"{instead}"
            )
    problems = []
    for column in dict.fromkeys((corpus.label, group or corpus.label)):
        sides: dict[str, dict[str, str]] = defaultdict(dict)
        for utterance in corpus:
            side = "cohort" if utterance.split == spec.cohort else utterance.split
            if side in ("cohort", "train", "dev", "test"):
                sides[utterance.label(column)].setdefault(side, utterance.source or utterance.id)
        problems += [
            f"{column} {name!r}: " + ", ".join(f"{side} ({one})" for side, one in found.items())
            for name, found in sides.items()
            if "cohort" in found and len(found) > 1
        ]
    if problems:
        raise DataError(
            f"{len(problems)} of the cohort (split {spec.cohort!r}) are claimed or tested too, and a score would be "
            f"measured by itself:\n{listed(problems)}\nkeep them on one side"
        )
