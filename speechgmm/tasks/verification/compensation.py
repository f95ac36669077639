"""What differs within a speaker, learnt from the background before claims are scored by cosines."""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.corpus.utterance import Utterance
from speechgmm.engine.frames import Features, Piece
from speechgmm.engine.job import Job
from speechgmm.errors import DataError, counted, first_few
from speechgmm.gmm.model import DiagGMM
from speechgmm.parallel import in_parcels
from speechgmm.tasks.classification.scoring import SCORED_AT_ONCE
from speechgmm.tasks.classification.spec import ScoringSpec
from speechgmm.tasks.verification.trial_choice import about_learnt
from speechgmm.vectors.cosine_scoring import ZEROS, Compensation, CosineStack
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
    known, split = several_each(job, features, MOST_LEARNT_FROM)
    if not known:
        raise DataError(
            f"scoring.compensation: {spec.compensation} learns how recordings of one {features.corpus.label} differ, "
            "and none in the splits ubm, cohort and train has two; add recordings, best of several days, or set "
            "scoring.compensation: none"
        )
    speakers = [utterance.label(features.corpus.label) for utterance, _ in known]
    pieces = [piece for _, piece in known]
    points = over_pieces(job, CosineStack.of(ubm, [ubm], plain).points, pieces, "supervectors of the background")
    if spec.compensation == "nap":
        within = WithinClass.without(points, speakers, spec.compensation_directions)
    else:
        within = WithinClass.learn(points, speakers, spec.smoothing)
    job.console.say(
        f"scoring.compensation: {spec.compensation}, from {len(pieces)} recordings of {len(set(speakers))} speakers "
        f"({split})"
    )
    if note := about_learnt(features.corpus, [utterance for utterance, _ in known], config.corpus.session):
        job.console.warn(f"scoring.compensation: {spec.compensation}: {note}")
    return Compensation(relevance, within)


def several_each(job: Job, features: Features, most: int) -> tuple[list[tuple[Utterance, Piece]], str]:
    """Recordings by speakers who have several, ``most`` at most, and the splits that they are of; none: nobody has.

    Of the splits ubm and cohort, where somebody in them has several, else of train.
    """
    label = features.corpus.label
    for splits in (("ubm", "cohort"), ("train",)):
        known = [
            (utterance, piece)
            for split in splits
            for utterance, piece in features.of_split(split)
            if (utterance.labels or {}).get(label)
        ]
        counts = Counter(utterance.label(label) for utterance, _ in known)
        known = [(utterance, piece) for utterance, piece in known if counts[utterance.label(label)] > 1]
        if known:
            break
    session = job.experiment.config.corpus.session
    if session is not None and known:
        pairs = {(utterance.label(label), utterance.label(session)) for utterance, _ in known}
        if len(pairs) == len({name for name, _ in pairs}):
            job.console.warn(
                f"corpus.session: every {label} of {' and '.join(splits)} has one {session}, so that what changes from "
                "one to another is not learnt; add recordings of other sessions there"
            )
    if len(known) > most:
        rng = np.random.default_rng(job.experiment.config.seed)
        drawn = np.sort(rng.choice(len(known), most, replace=False))
        known = [known[n] for n in drawn.tolist()]
    return known, " and ".join(splits)


def refuse_zeros(job: Job, features: Features) -> None:
    """Raise DataError for recordings of any split that are vectors of zeros; the first are named."""
    flags = over_pieces(job, _are_zero, features.pieces, "reading vectors")
    empty = [utterance.id for utterance, is_zero in zip(features.corpus, flags.tolist(), strict=True) if is_zero]
    if empty:
        raise DataError(f"{counted(len(empty), 'recording is', 'recordings are')} {ZEROS}: {first_few(empty, 10)}")


def _are_zero(recordings: Sequence[NDArray[np.float32]]) -> NDArray[np.float64]:
    return np.array([not frames.any() for frames in recordings], float)


def over_pieces(
    job: Job,
    compute: Callable[[Sequence[NDArray[np.float32]]], NDArray[np.float64]],
    pieces: Sequence[Piece],
    what: str,
    *,
    axis: int = 0,
) -> NDArray[np.float64]:
    """What ``compute`` makes of the frames of N pieces, along ``axis``; ``what`` it does is for the console."""
    parcels = in_parcels(pieces, SCORED_AT_ONCE)
    parts = job.console.track(job.map(partial(_over_parcel, compute), parcels), len(parcels), what)
    return np.concatenate(list(parts), axis=axis)


def _over_parcel(
    compute: Callable[[Sequence[NDArray[np.float32]]], NDArray[np.float64]], pieces: Sequence[Piece]
) -> NDArray[np.float64]:
    return compute([piece.load() for piece in pieces])
