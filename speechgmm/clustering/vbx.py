"""VBx: a Bayesian HMM whose states are speakers, over a sequence of vectors (x-vectors, supervectors).

    p(x_t | speaker s) = N(x_t; y_s, I),   p(y_s) = N(0, diag(between)),   a change of speakers before x_t with
    probability 1 - loop_probability, to speaker s with probability weight_s

Vectors are projected so that they have the covariance I within a speaker (`Plda.project`, `SpeakerSpace.apply`).
Variational Bayes alternates between the speakers' vectors y_s, the path, and the weights. Speakers that are not needed
lose their weight, so that a start with too many of them finds their number. With a loop probability of 0 the HMM is a
mixture, and the order of vectors does not count. Source: Landini, Profant, Diez & Burget 2022, Bayesian HMM clustering
of x-vector sequences (VBx) in speaker diarization (Computer Speech & Language 71); equations are numbered as there.
Owns the clustering and its start. Refuses to know times.
"""

from dataclasses import dataclass
from math import exp, log
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.clustering.agglomerative import in_order, link
from speechgmm.clustering.speaker_chain import speaker_posteriors
from speechgmm.errors import DataError, ShapeError
from speechgmm.setting import FORBID_UNKNOWN, setting
from speechgmm.vectors.within_class import cosine_distances

Floats = NDArray[np.float64]
Labels = NDArray[np.intp]

START_THRESHOLD: Final = -0.015
"""Added to the similarity at which the first clustering stops, by the authors."""

_LEAST_WEIGHT: Final = 1e-7
"""Speakers with less are none."""

_TOLERANCE: Final = 1e-6
"""Nats: a smaller growth of the bound ends the iterations, as in the authors' program."""

_CALIBRATIONS: Final = 20
"""Iterations of EM for the threshold, as in the authors' program."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VbxSpec:
    """The settings of VBx. The defaults are those of the authors for x-vectors at intervals of 0.24 s."""

    __pydantic_config__ = FORBID_UNKNOWN

    fa: float = setting(0.3, "Fa: weight of the vectors' fit; below 1, because neighbours share frames", gt=0, le=1e6)
    fb: float = setting(17.0, "Fb: weight of the speakers' prior; a higher value gives fewer speakers", gt=0, le=1e6)
    loop_probability: float = setting(
        0.99,
        "probability that the next vector has the same speaker without a draw; 0: the order does not count",
        ge=0,
        lt=1,
    )
    smoothing: float = setting(5.0, "log odds of the first clustering's speakers", unit="nats", gt=0, le=1000)
    max_iter: int = setting(40, "iterations at most", ge=1, le=10_000)


@dataclass(frozen=True, slots=True, eq=False)
class VbxClustering:
    """The speaker posteriors of each vector, and the bound during training."""

    posteriors: Floats  # (N, S) probability of each speaker; rows sum to 1
    weights: Floats  # (S,) of the speakers
    elbo: Floats  # (iterations,) lower bound of the log evidence, nats; it never falls

    @property
    def labels(self) -> Labels:
        """(N,) the most probable speaker of each vector, numbered in the order of their first vectors."""
        return in_order(self.posteriors.argmax(axis=1))

    @property
    def n_speakers(self) -> int:
        """How many speakers have a vector."""
        return len(np.unique(self.posteriors.argmax(axis=1)))


def vbx(points: ArrayLike, between: ArrayLike, start: ArrayLike, spec: VbxSpec | None = None) -> VbxClustering:
    """Cluster a sequence of speaker vectors by variational Bayes (VBx).

    Parameters
    ----------
    points
        (N, D) vectors in the order of time, in a space where the within-speaker covariance is I.
    between
        (D,) between-speaker variances along the axes, 0 or more.
    start
        (N,) speakers of a first clustering, numbered from 0. It should have more speakers than the recording
        (`similar_vectors`).
    spec
        Settings; None: the defaults.

    Returns
    -------
    VbxClustering
        Speakers in the order of ``start``; speakers whose weight vanishes are left out.

    Raises
    ------
    ShapeError
        Vectors that are not (N, D); another number of variances than D, or of labels than N.
    DataError
        A value that is NaN or infinite, a negative variance or label.

    Notes
    -----
    Landini et al. 2022: speakers by eqs. 16 and 17, the path by eqs. 19 and 23, weights by eq. 24, the bound by eq. 25.

    Examples
    --------
    >>> points = np.repeat([[4.0], [-4.0]], 5, axis=0)
    >>> vbx(points, [9.0], np.arange(10) // 2, VbxSpec(fa=1.0, fb=1.0)).labels
    array([0, 0, 0, 0, 0, 1, 1, 1, 1, 1])
    """
    spec = spec or VbxSpec()
    x, variances, labels = _checked(points, between, start)
    n_speakers = int(labels.max()) + 1
    # The softmax of one-hot labels times the smoothing.
    gamma = np.ones((len(x), n_speakers))
    gamma[np.arange(len(x)), labels] = exp(min(spec.smoothing, 700.0))
    gamma /= gamma.sum(axis=1, keepdims=True)
    weights = np.full(n_speakers, 1 / n_speakers)
    rho = x * np.sqrt(variances)
    alone = -0.5 * ((x**2).sum(axis=1, keepdims=True) + x.shape[1] * log(2 * np.pi))
    bounds: list[float] = []
    for _ in range(spec.max_iter):
        precisions = 1 + spec.fa / spec.fb * gamma.sum(axis=0)[:, None] * variances  # eq. 17
        centres = spec.fa / spec.fb * (gamma.T @ rho) / precisions  # eq. 16
        fits = spec.fa * (rho @ centres.T - 0.5 * (1 / precisions + centres**2) @ variances + alone)  # eq. 23
        gamma, entries, evidence = speaker_posteriors(fits, weights, spec.loop_probability)
        prior = 0.5 * float((1 - np.log(precisions) - 1 / precisions - centres**2).sum())
        bounds.append(evidence + spec.fb * prior)  # eq. 25
        weights = entries / entries.sum()  # eq. 24
        if len(bounds) > 1 and bounds[-1] - bounds[-2] < _TOLERANCE:
            break
    kept = weights > _LEAST_WEIGHT
    kept[gamma.argmax(axis=1)] = True
    posteriors = gamma[:, kept] / gamma[:, kept].sum(axis=1, keepdims=True)
    return VbxClustering(posteriors, weights[kept] / weights[kept].sum(), np.array(bounds))


def similar_vectors(vectors: ArrayLike, threshold: float = START_THRESHOLD) -> Labels:
    """A first clustering (N,) for `vbx`: average linkage of cosine similarities, with a threshold per recording.

    Parameters
    ----------
    vectors
        (N, D) vectors in the order of time.
    threshold
        Added to the similarity that `two_gaussian_threshold` finds in the recording: the one at which a pair of vectors
        is equally probably of one speaker or of two. A lower value gives fewer speakers.

    Raises
    ------
    ShapeError, DataError
        Vectors that are not (N, D), or with a value that is NaN or infinite.

    Examples
    --------
    >>> similar_vectors([[1.0, 0.1], [1.0, 0.0], [0.0, 1.0], [0.1, 1.0]], 0.0)
    array([0, 0, 1, 1])
    """
    distances = cosine_distances(vectors)
    stop = two_gaussian_threshold(1 - distances.ravel()) + threshold
    return link(distances, threshold=1 - stop).labels


def two_gaussian_threshold(scores: ArrayLike) -> float:
    """The score at which two Gaussians with the same variance, fitted to scores (N,) by EM, are equally probable.

    EM starts with the two means one standard deviation below and above the mean of the scores, as in the VBx authors'
    function ``twoGMMcalib_lin``.

    >>> round(two_gaussian_threshold([0.0, 0.1, 0.9, 1.0]), 3)
    0.5
    """
    values = np.asarray(scores, np.float64)
    variance, middle = float(values.var()), float(values.mean())
    means = np.array([middle - variance**0.5, middle + variance**0.5])
    if not variance > 1e-12:
        return middle
    weights, threshold, squares = np.array([0.5, 0.5]), middle, float((values**2).mean())
    for _ in range(_CALIBRATIONS):
        slope = (means[1] - means[0]) / variance
        threshold = (means.sum() / 2) - (np.log(weights[1]) - np.log(weights[0])) / slope
        upper = 1 / (1 + np.exp(np.clip(-slope * (values - threshold), -700, 700)))
        share = float(upper.mean())
        weights = np.array([1 - share, share])
        high = float((upper * values).mean())
        means = np.array([middle - high, high]) / weights
        variance = squares - float(weights @ means**2)
        if not (variance > 1e-12 and weights.min() > 0):
            return float(threshold)
    slope = (means[1] - means[0]) / variance
    return float(means.sum() / 2 - (np.log(weights[1]) - np.log(weights[0])) / slope)


def _checked(points: ArrayLike, between: ArrayLike, start: ArrayLike) -> tuple[Floats, Floats, Labels]:
    x, variances, labels = np.asarray(points, np.float64), np.asarray(between, np.float64), np.asarray(start)
    if x.ndim != 2 or not x.size or variances.shape != (x.shape[1],) or labels.shape != (len(x),):
        raise ShapeError(
            f"vectors of shape {x.shape}, variances {variances.shape} and labels {labels.shape}; expected (N, D), (D,) "
            "and (N,)"
        )
    if not (np.isfinite(x).all() and np.isfinite(variances).all()):
        raise DataError("a vector or variance that is NaN or infinite; expected finite ones")
    if (variances < 0).any():
        raise DataError(f"a variance of {variances.min():g} between speakers; expected 0 or more")
    if labels.dtype.kind not in "iu" or labels.min() < 0:
        raise DataError("labels of the first clustering that are not whole numbers from 0")
    return x, variances, labels.astype(np.intp)
