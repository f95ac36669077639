"""Training of a PLDA by expectation maximisation: maximum likelihood, and as Kaldi does it.

Owns the statistics of speakers and the steps. Refuses files.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import ConfigError, DataError, ShapeError
from speechgmm.vectors.plda import Plda
from speechgmm.vectors.within_class import speaker_means

Floats = NDArray[np.float64]
Estimation = Literal["em", "kaldi"]

KALDI_ITERATIONS: Final = 10
"""Of ``ivector-compute-plda``, unless it is told otherwise."""

_SPANNED: Final = 1e-10
"""Of the largest variance within speakers: a smaller one is rounding, and cannot be divided by."""


@dataclass(frozen=True, slots=True, eq=False)
class PldaFit:
    """A trained PLDA model, and the log-likelihood during training."""

    model: Plda
    trace: tuple[float, ...]  # log-likelihood in nats per vector, before the first iteration and after each


def train_plda(
    vectors: ArrayLike,
    labels: Sequence[Hashable],
    estimation: Estimation = "em",
    *,
    max_iter: int = 200,
    tol: float = 1e-6,
) -> PldaFit:
    """Train a two-covariance PLDA model by expectation maximisation.

    Parameters
    ----------
    vectors
        (N, D) vectors; some speakers must have several.
    labels
        N speakers, one for each vector.
    estimation
        ``em``: maximum likelihood of mean and covariances. EM starts from the moments, and ends when the log-likelihood
        rises by less than ``tol``. ``kaldi``: as Kaldi's ``ivector-compute-plda``: the mean is the mean of the
        speakers' means throughout, and the covariances get ten iterations from identity matrices.
    max_iter
        ``em``: iterations at most.
    tol
        ``em``: least rise of the log-likelihood, in nats per vector.

    Returns
    -------
    PldaFit
        The model, with psi in descending order, and the log-likelihood after each iteration, which never falls.

    Raises
    ------
    ShapeError
        Vectors that are not (N, D); another number of labels than N.
    DataError
        A value that is NaN or infinite; fewer than two speakers; one vector for each speaker; a within-speaker
        covariance that cannot be inverted, because vectors differ within speakers in fewer than D directions.
    ConfigError
        An unknown ``estimation``.

    Notes
    -----
    The steps are those of Ioffe 2006 and Kaldi's ``PldaEstimator``. Each step is computed in the space of the iteration
    before, where W = I and B is diagonal, so that no matrix is inverted for each speaker.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> speakers = np.repeat(np.arange(500), 8)
    >>> vectors = 3 * rng.normal(size=(500, 1))[speakers] + rng.normal(size=(4000, 1))
    >>> model = train_plda(vectors, speakers.tolist()).model
    >>> model.between.round(1), model.within.round(1)
    (array([[9.2]]), array([[1.]]))
    """
    if estimation not in ("em", "kaldi"):
        raise ConfigError(f"estimation {estimation!r}; expected em or kaldi")
    data = _Speakers.of(vectors, labels)
    is_ml = estimation == "em"
    if is_ml:
        mean = data.counts @ data.means / data.n_vectors
        within = data.scatter / (data.n_vectors - len(data.counts))
        between = _floored(np.atleast_2d(np.cov(data.means.T)) - within * (1 / data.counts).mean(), within)
    else:
        mean = data.means.mean(axis=0)
        within = between = np.eye(len(data.scatter))
    model = _diagonalised(mean, within, between)
    trace = [_log_likelihood(model, data)]
    for _ in range(max_iter if is_ml else KALDI_ITERATIONS):
        model = _iteration(model, data, moves_mean=is_ml)
        trace.append(_log_likelihood(model, data))
        if is_ml and trace[-1] - trace[-2] < tol:
            break
    return PldaFit(model, tuple(trace))


@dataclass(frozen=True, slots=True, eq=False)
class _Speakers:
    """What training needs of vectors: statistics of S speakers, in an order that the labels' order does not change."""

    counts: Floats  # (S,)
    means: Floats  # (S, D)
    scatter: Floats  # (D, D) of vectors about their speaker's mean

    @property
    def n_vectors(self) -> float:
        return float(self.counts.sum())

    @classmethod
    def of(cls, vectors: ArrayLike, labels: Sequence[Hashable]) -> "_Speakers":
        points = np.asarray(vectors, np.float64)
        if points.ndim != 2 or points.size == 0 or len(labels) != len(points):
            raise ShapeError(f"vectors of shape {points.shape} with {len(labels)} labels; expected (N, D), one each")
        if not np.isfinite(points).all():
            row = int(np.argwhere(~np.isfinite(points))[0][0])
            raise DataError(f"vector {row} has a value that is NaN or infinite; expected finite ones")
        numbers, counts, means = speaker_means(points, labels)
        n_speakers, n_dims = len(counts), points.shape[1]
        if n_speakers < 2:
            raise DataError(f"{n_speakers} speaker; how speakers differ is learnt from two or more")
        if counts.max() < 2:
            raise DataError(
                f"{len(points)} vectors of {n_speakers} speakers, one each: how vectors of one speaker differ is "
                f"learnt from several of the same; give two or more of some speakers, and {n_dims} more vectors than "
                "speakers at least"
            )
        deviations = points - means[numbers]
        scatter = deviations.T @ deviations
        variances = np.linalg.eigvalsh(scatter)
        spanned = int((variances > _SPANNED * max(variances[-1], 1e-300)).sum()) if variances[-1] > 0 else 0
        if spanned < n_dims:
            raise DataError(
                f"{len(points)} vectors of {n_speakers} speakers differ within speakers in {spanned} directions, and "
                f"have {n_dims} dimensions; reduce them to {max(1, spanned)} or fewer (LDA), or give {n_dims} more "
                "vectors than speakers"
            )
        return cls(counts.astype(np.float64), means, scatter)


def _floored(between: Floats, within: Floats) -> Floats:
    """A covariance between speakers that is none below 0: what moments say of few speakers may be."""
    turned = _whitening(within)
    variances, axes = np.linalg.eigh(turned @ between @ turned.T)
    back = np.linalg.inv(turned) @ axes
    # EM would never leave a variance of 0.
    return np.asarray((back * np.maximum(variances, 1e-3)) @ back.T)


def _whitening(within: Floats) -> Floats:
    return np.asarray(np.linalg.inv(np.linalg.cholesky(within)))


def _diagonalised(mean: Floats, within: Floats, between: Floats) -> Plda:
    """The model of these covariances (Kaldi, ``PldaEstimator::GetOutput``); each axis has its largest entry above 0."""
    whitening = _whitening(within)
    psi, turn = np.linalg.eigh(whitening @ between @ whitening.T)
    order = np.argsort(psi, kind="stable")[::-1]
    transform = turn[:, order].T @ whitening
    # Which way an axis points is nobody's choice: the same file anywhere.
    transform *= np.sign(transform[np.arange(len(psi)), np.abs(transform).argmax(axis=1)])[:, None]
    return Plda(mean, transform, np.maximum(psi[order], 0.0))


def _iteration(model: Plda, data: _Speakers, *, moves_mean: bool) -> Plda:
    """One step of EM: posteriors of the speakers' means, and the covariances that fit them best."""
    counts, psi = data.counts[:, None], model.psi
    means = model.project(data.means)
    variances = psi / (1 + counts * psi)  # (S, D), of the posterior of each speaker's mean
    found = counts * variances * means
    left = means - found
    # Within and between at their best, in the space where they were I and diag(psi).
    within = model.transform @ data.scatter @ model.transform.T + (counts * left).T @ left
    within += np.diag((counts * variances).sum(axis=0))
    moved = found.mean(axis=0) if moves_mean else np.zeros(model.n_dims)
    between = (found - moved).T @ (found - moved) + np.diag(variances.sum(axis=0))
    step = _diagonalised(moved, within / data.n_vectors, between / len(counts))
    mean = model.mean + np.linalg.solve(model.transform, moved)
    transform = step.transform @ model.transform
    transform *= np.sign(transform[np.arange(len(psi)), np.abs(transform).argmax(axis=1)])[:, None]
    return Plda(mean, transform, step.psi)


def _log_likelihood(model: Plda, data: _Speakers) -> float:
    """Ln p of all vectors, nats per vector."""
    counts = data.counts[:, None]
    means = model.project(data.means)
    grown = 1 + counts * model.psi
    squares = np.trace(model.transform @ data.scatter @ model.transform.T)
    squares += (counts * means**2 / grown + np.log(grown)).sum()
    per_vector = np.linalg.slogdet(model.transform)[1] - 0.5 * model.n_dims * np.log(2 * np.pi)
    return float(per_vector - 0.5 * squares / data.n_vectors)
