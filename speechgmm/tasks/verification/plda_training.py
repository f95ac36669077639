"""The PLDA of a verification run: learnt from the background or read from a file, and who is enrolled by what."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.engine.frames import Features, Piece
from speechgmm.engine.job import Job
from speechgmm.errors import DataError, counted
from speechgmm.gmm.model import DiagGMM
from speechgmm.io.kaldi_plda import read_kaldi_plda
from speechgmm.tasks.classification.spec import ScoringSpec
from speechgmm.tasks.verification.compensation import over_pieces, several_each
from speechgmm.tasks.verification.trial_choice import about_learnt
from speechgmm.vectors.plda_estimation import train_plda
from speechgmm.vectors.plda_scoring import Enrolled, PldaBackEnd, Vectors, prepared
from speechgmm.vectors.speaker_space import SpeakerSpace

Floats = NDArray[np.float64]

MOST_VALUES: Final = 50_000_000
"""Of the vectors that a PLDA is learnt from: 400 MB."""


def learn_back_end(job: Job, features: Features, ubm: DiagGMM) -> PldaBackEnd:
    """How vectors are prepared (centre, LDA, length), and the PLDA that compares them.

    Raises:
        DataError: No speaker of the background has two recordings; too few speakers or recordings for the dimensions;
            vectors of zeros; a file that is no PLDA, or of another dimension.
    """
    spec, relevance = job.experiment.config.section(ScoringSpec), job.experiment.config.model.relevance
    vectors = Vectors.under(ubm, relevance)
    if spec.plda_file is not None:
        return _of_file(job, features, vectors, spec.plda_file)
    label = features.corpus.label
    known, splits = several_each(job, features, max(1000, MOST_VALUES // ubm.means.size))
    if not known:
        raise DataError(
            f"scoring.method: plda learns how vectors of one {label} differ, and nobody in the splits ubm, cohort and "
            "train has two; add recordings, best of several days, or set scoring.plda to a plda file of Kaldi"
        )
    speakers = [utterance.label(label) for utterance, _ in known]
    points = over_pieces(job, vectors.of, [piece for _, piece in known], "vectors of the background")
    centre, lda = points.mean(axis=0), _varying(points)
    n_speakers = len(set(speakers))
    if spec.lda_dims is not None:
        if spec.lda_dims >= n_speakers or spec.lda_dims > points.shape[1]:
            most = min(n_speakers - 1, points.shape[1])
            raise DataError(
                f"scoring.lda_dims is {spec.lda_dims}, and vectors of {points.shape[1]} dimensions of {n_speakers} "
                f"speakers ({splits}) have at most {counted(most, 'direction')} in which speakers differ; set it to "
                f"{most} or less"
            )
        share = spec.lda_smoothing / (1 - spec.lda_smoothing)  # beside the covariance itself, which stays whole there
        space = SpeakerSpace.learn(
            points, speakers, n_dims=spec.lda_dims, n_components=min(points.shape), smoothing=share
        )
        lda = space.matrix
    try:
        fit = train_plda(
            prepared(points, centre, lda, spec.length_norm), speakers, "kaldi" if spec.plda == "kaldi" else "em"
        )
    except DataError as error:
        raise DataError(f"scoring.method: plda ({splits}): {error}; scoring.lda_dims sets an LDA") from None
    job.console.say(
        f"scoring.method: plda, from {len(points)} recordings of {n_speakers} speakers ({splits}); "
        f"{points.shape[1]} dimensions{'' if lda is None else f', {lda.shape[1]} in the PLDA'}; log-likelihood "
        f"{fit.trace[-1]:.3f} nats a vector after {len(fit.trace) - 1} iterations ({spec.plda})"
    )
    session = job.experiment.config.corpus.session
    if note := about_learnt(features.corpus, [utterance for utterance, _ in known], session):
        job.console.warn(f"scoring.method: plda: {note}")
    return PldaBackEnd(relevance, centre, lda, spec.length_norm, fit.model)


def _of_file(job: Job, features: Features, vectors: Vectors, name: str) -> PldaBackEnd:
    """The PLDA of a file; the centre is the mean of the background, whose speakers need not be known."""
    config = job.experiment.config
    path = job.experiment.beside(name)
    if not path.exists():
        raise DataError(
            f"scoring.plda: {name}: there is no such file ({path}); expected em, kaldi, or the path of a plda file of "
            "Kaldi, relative to the configuration file"
        )
    plda = read_kaldi_plda(path)
    background = [one for split in ("ubm", "cohort") for one in features.of_split(split)]
    pieces = [piece for _, piece in background or features.of_split("train")]
    points = over_pieces(job, vectors.of, pieces, "vectors of the background")
    if plda.n_dims != points.shape[1]:
        raise DataError(
            f"scoring.plda: {name} is a PLDA of {plda.n_dims} dimensions, and the vectors have {points.shape[1]}; give "
            "vectors of its dimension: project them as for its training (Kaldi: transform-vec), or train a PLDA here"
        )
    return PldaBackEnd(config.model.relevance, points.mean(axis=0), None, config.section(ScoringSpec).length_norm, plda)


def enrol_vectors(
    job: Job, features: Features, ubm: DiagGMM, back_end: PldaBackEnd, labels: Sequence[str], split: str
) -> Enrolled | None:
    """The vectors by which speakers are enrolled in a split: their recordings without altered copies.

    None: there are no speakers.
    """
    members: dict[str, list[Piece]] = {label: [] for label in labels}
    for utterance, piece in features.of_split(split):
        if utterance.label(features.corpus.label) in members:
            members[utterance.label(features.corpus.label)].append(piece)
    if not members:
        return None
    every = [one for own in members.values() for one in own]
    points = back_end.apply(over_pieces(job, Vectors.under(ubm, back_end.relevance).of, every, "vectors that enrol"))
    return Enrolled.of(np.split(points, np.cumsum([len(own) for own in members.values()])[:-1]))


def _varying(points: Floats) -> Floats | None:
    """(M, d) that keeps the dimensions in which vectors (N, M) differ; None: they differ in all.

    >>> _varying(np.array([[1.0, 0.0], [2.0, 0.0]])).tolist()
    [[1.0], [0.0]]
    """
    # Below this share of the mean a standard deviation is float32 rounding.
    varies = points.std(axis=0) > 1e-6 * np.maximum(1, np.abs(points.mean(axis=0)))
    return None if varies.all() else np.eye(points.shape[1])[:, varies]
