"""What differs within a speaker, learnt from the background before claims are scored by cosines."""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.engine.frames import Features, Piece
from speechgmm.engine.job import Job
from speechgmm.errors import DataError
from speechgmm.gmm.model import DiagGMM
from speechgmm.tasks.classification.scoring import SCORED_AT_ONCE
from speechgmm.tasks.classification.spec import ScoringSpec
from speechgmm.vectors.cosine_scoring import Compensation, CosineStack
from speechgmm.vectors.within_class import WithinClass

MOST_LEARNT_FROM: Final = 1000
"""Recordings: each is a direction of thousands of dimensions in the model file, and more change angles little."""


def learn_compensation(job: Job, features: Features, ubm: DiagGMM | None) -> Compensation:
    """How recordings become points: the adaptation's relevance, and what differs within a speaker of the background.

    Raises:
        DataError: No speaker of the background has two recordings.
    """
    config = job.experiment.config
    spec, relevance = config.section(ScoringSpec), config.model.relevance
    plain = Compensation(relevance)
    if ubm is None or spec.compensation == "none":
        return plain
    speakers, pieces, split = _background(job, features)
    stack = CosineStack.of(ubm, [ubm], plain)
    parcels = [pieces[n : n + SCORED_AT_ONCE] for n in range(0, len(pieces), SCORED_AT_ONCE)]
    parts = job.console.track(job.map(partial(_points, stack), parcels), len(parcels), "supervectors of the background")
    points = np.concatenate(list(parts))
    if spec.compensation == "nap":
        within = WithinClass.without(points, speakers, spec.compensation_directions)
    else:
        within = WithinClass.learn(points, speakers, spec.smoothing)
    job.console.say(
        f"scoring.compensation: {spec.compensation}, from {len(pieces)} recordings of {len(set(speakers))} speakers "
        f"({split})"
    )
    return Compensation(relevance, within)


def _points(stack: CosineStack, pieces: Sequence[Piece]) -> NDArray[np.float64]:
    return stack.points([piece.load() for piece in pieces])


def _background(job: Job, features: Features) -> tuple[list[str], list[Piece], str]:
    """Speakers and frames of recordings by speakers who have several, and the splits that they are of."""
    label = features.corpus.label
    for splits in (("ubm", "cohort"), ("train",)):
        known = [
            (name, piece)
            for split in splits
            for utterance, piece in features.of_split(split)
            if (name := (utterance.labels or {}).get(label))
        ]
        counts = Counter(name for name, _ in known)
        known = [(name, piece) for name, piece in known if counts[name] > 1]
        if known:
            break
    else:
        raise DataError(
            f"scoring.compensation: {job.experiment.config.section(ScoringSpec).compensation} learns how recordings of "
            f"one {label} differ, and none in the splits ubm, cohort and train has two; add recordings, best of "
            "several days, or set scoring.compensation: none"
        )
    if len(known) > MOST_LEARNT_FROM:
        rng = np.random.default_rng(job.experiment.config.seed)
        drawn = np.sort(rng.choice(len(known), MOST_LEARNT_FROM, replace=False))
        known = [known[n] for n in drawn.tolist()]
    return [name for name, _ in known], [piece for _, piece in known], " and ".join(splits)
