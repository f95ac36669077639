"""Training of score maps: on trials whose truth is known, and never on those that are judged by them.

Owns how the maps are fitted (logistic regression, PAV), and which trials may train the map of which others. Refuses to
say whether scores are in the same unit as those the map was trained on.
"""

from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import DataError, ShapeError
from speechgmm.evaluation import pav_llrs, rank_trials
from speechgmm.tasks.verification.score_maps import Affine, Pav, as_rows

Floats = NDArray[np.float64]

FEWEST_SPEAKERS: Final = 4
"""A trial has two speakers, and to train on there must be two others: a target and a non-target take that many."""

_RIDGE: Final = 1e-9  # of standardised scores: decides only between systems that say the same
_ERROR: Final = 0.25
"""Trials of the other truth that smoothing adds to those of a kind. Platt 1999 has 1 (Laplace's rule). With 1/4 Cllr is
lower on other speakers, in simulations and in draws of 10 to 20 speakers of LibriSpeech (docs/results/verification.md).
"""

_NEAR_ENOUGH: Final = 1e-13  # nats that a further step would gain


AnyMap = TypeVar("AnyMap", Affine, Pav)


def fit_logistic(scores: ArrayLike, is_target: ArrayLike, p_target: float = 0.5, *, smoothed: bool = False) -> Affine:
    """The affine map of scores (N,), or (N, S) of several systems, by prior-weighted logistic regression.

    Minimises p mean_targets log(1 + exp(-llr - theta)) + (1 - p) mean_nontargets log(1 + exp(llr + theta)), with p the
    prior ``p_target`` for which the ratios are to be good and theta = log(p / (1 - p)) (Brümmer & du Preez 2006,
    Application-independent evaluation of speaker detection; fusion: Brümmer et al. 2007). At p = 0.5 that is Cllr.
    Newton steps, halved until they descend, on standardised scores: scaling or shifting them changes no ratio.

    Where some weights separate all targets from all non-targets, steeper is always better. Then the truth of N trials
    of a kind is smoothed as Platt 1999 (eq. 3) does, as few trials can show no more, and ``separated`` says so. With
    ``smoothed`` it is smoothed in any case: to (N + 1/4) / (N + 1/2), see ``_ERROR``.

    Raises:
        ShapeError: Scores that are not (N,) or (N, S) with one truth each.
        DataError: Only targets or only non-targets, scores that are not finite, a prior outside ]0, 1[.

    >>> rng = np.random.default_rng(0)
    >>> is_target = np.arange(20_000) % 2 == 0
    >>> llrs = rng.normal(np.where(is_target, 2.0, -2.0), 2.0)  # well calibrated: variance is twice the mean
    >>> found = fit_logistic(llrs / 10 + 3, is_target)
    >>> round(found.weights.item()), round(found.offset), found.separated
    (10, -30, False)
    """
    if not 0 < p_target < 1:
        raise DataError(f"p_target {p_target}; expected a probability above 0 and below 1: was it given in percent?")
    rows, truth = _checked(scores, is_target)
    centre, spread = rows.mean(axis=0), rows.std(axis=0)
    spread = np.where(spread > 1e-12 * np.abs(centre), spread, np.inf)  # the same for all: says nothing, weight 0
    columns = np.column_stack([(rows - centre) / spread, np.ones(len(rows))])
    found, separated = _newton(columns, truth, p_target, smoothed=False)
    if separated or smoothed:
        found, _ = _newton(columns, truth, p_target, smoothed=True)
    weights = found[:-1] / spread
    return Affine(weights, float(found[-1] - centre @ weights), separated)


def fit_pav(scores: ArrayLike, is_target: ArrayLike) -> Pav:
    """The increasing map of scores (N,) of least Cllr on these trials, by pool-adjacent-violators.

    A block's ratio is its share of the targets over its share of the non-targets. So that none is infinite, one target
    and one non-target more are placed below all scores and above all (Laplace's rule of succession; FoCal's
    ``opt_loglr`` does so). It has as many parameters as blocks: with few trials prefer :func:`fit_logistic`.

    Raises:
        ShapeError, DataError: As :func:`fit_logistic`; scores of more than one system.

    >>> found = fit_pav([0.0, 1.0, 2.0, 3.0], [False, False, True, True])
    >>> bool((np.diff(found.llrs) >= 0).all()), found.apply([0.0, 3.0]).round(2).tolist()
    (True, [-1.1, 1.1])
    """
    rows, truth = _checked(scores, is_target)
    if rows.shape[1] != 1:
        raise ShapeError(f"scores of {rows.shape[1]} systems; PAV orders one score: fuse them first")
    ends = np.array([-np.inf, -np.inf, np.inf, np.inf])
    trials = rank_trials(np.append(rows[:, 0], ends), np.append(truth, np.array([True, False, True, False])))
    order = trials.order[2:-2]  # without those at the ends
    places, ratios = trials.scores[order], pav_llrs(trials)[order]
    # First and last score of every block; a block of one score has one knot.
    changes = np.flatnonzero(np.diff(ratios)) + 1
    outer = np.sort(np.concatenate([[0], changes, changes - 1, [len(places) - 1]]))
    knots, first = np.unique(places[outer], return_index=True)
    return Pav(knots, ratios[outer][first])


def cross_calibrate(
    scores: ArrayLike,
    is_target: ArrayLike,
    speakers: tuple[ArrayLike, ArrayLike],
    fit: Callable[[Floats, NDArray[np.bool_]], AnyMap],
    n_folds: int,
    seed: int = 0,
) -> tuple[Floats, list[AnyMap]]:
    """Log-likelihood ratios (N,) of trials, each by a map that has met neither of its speakers; and those maps.

    ``speakers`` are numbers (N,) of the model's and of the test's speaker, the same for the same person. They are
    dealt into folds, those with targets first. A trial of a model in fold i and a test in fold j is mapped by what
    ``fit`` makes of the trials whose speakers are both in other folds than i and j: n_folds (n_folds + 1) / 2 maps
    at most. With fewer speakers than folds every speaker is a fold.

    Raises:
        DataError: Fewer than four speakers or folds, or a part without targets or without non-targets.
        ShapeError: As ``fit``.

    >>> rng = np.random.default_rng(0)
    >>> model, test = (side.ravel() for side in np.mgrid[:6, :6])
    >>> llrs, maps = cross_calibrate(rng.normal(model == test), model == test, (model, test), fit_logistic, 10)
    >>> llrs.shape, len(maps)
    ((36,), 21)
    """
    rows, truth = _checked(scores, is_target)
    names, numbers = np.unique(np.stack([np.asarray(side) for side in speakers]), return_inverse=True)
    numbers = numbers.reshape(2, -1)
    if len(names) < FEWEST_SPEAKERS or n_folds < FEWEST_SPEAKERS:
        raise DataError(
            f"{len(names)} speakers in {n_folds} folds to cross-validate a calibration on; a trial's two speakers and "
            f"two others to train on make {FEWEST_SPEAKERS} at least: calibrate on a split of other speakers instead"
        )
    folds = _deal(len(names), np.unique(numbers[:, truth]), n_folds, seed)[numbers]  # (2, N)
    llrs, maps = np.empty(len(rows)), []
    least, most = folds.min(axis=0), folds.max(axis=0)
    for pair in np.unique(least * n_folds + most):
        i, j = divmod(int(pair), n_folds)
        training = ((folds != i) & (folds != j)).all(axis=0)
        kinds = int(truth[training].sum()), int((~truth[training]).sum())
        if not all(kinds):
            raise DataError(
                f"calibration by folds: {kinds[0]} targets and {kinds[1]} non-targets are left to train on where two "
                f"of {folds.max() + 1} folds of speakers are held out; calibrate on more speakers, or another split"
            )
        found = fit(rows[training], truth[training])
        own = (least == i) & (most == j)
        llrs[own] = found.apply(rows[own] if rows.shape[1] > 1 else rows[own, 0])
        maps.append(found)
    return llrs, maps


def cross_fit_logistic(
    scores: ArrayLike,
    is_target: ArrayLike,
    speakers: tuple[ArrayLike, ArrayLike],
    p_target: float = 0.5,
    *,
    n_folds: int = 10,
    seed: int = 0,
) -> tuple[Floats, list[Affine], Affine]:
    """``cross_calibrate`` by ``fit_logistic``: ratios (N,) of the trials, the maps of the folds, and the map of all.

    Where the training trials of some folds are separated, their maps are smoothed, and would be flatter or steeper than
    those of the others for that alone. So all maps are smoothed where one is; ``separated`` says for which that was
    needed.

    Raises:
        DataError, ShapeError: As ``cross_calibrate`` and ``fit_logistic``.

    >>> model, test = (side.ravel() for side in np.mgrid[:6, :6])
    >>> llrs, maps, final = cross_fit_logistic(model == test, model == test, (model, test))
    >>> all(found.separated for found in maps), final.separated, bool((llrs[model == test] > 0).all())
    (True, True, True)
    """
    fit = partial(fit_logistic, p_target=p_target)
    llrs, maps = cross_calibrate(scores, is_target, speakers, fit, n_folds, seed)
    smoothed = any(found.separated for found in maps)
    if smoothed and not all(found.separated for found in maps):
        llrs, maps = cross_calibrate(scores, is_target, speakers, partial(fit, smoothed=True), n_folds, seed)
    return llrs, maps, fit(scores, is_target, smoothed=smoothed)


def _deal(n_speakers: int, with_targets: NDArray[np.intp], n_folds: int, seed: int) -> NDArray[np.intp]:
    """The fold of every speaker, 0 to ``n_folds`` - 1, of sizes as equal as can be among those who have targets."""
    order = np.random.default_rng(seed).permutation(n_speakers)
    order = order[np.argsort(~np.isin(order, with_targets), kind="stable")]
    folds = np.empty(n_speakers, np.intp)
    folds[order] = np.arange(n_speakers) % n_folds
    return folds


def _newton(columns: Floats, truth: NDArray[np.bool_], p_target: float, *, smoothed: bool) -> tuple[Floats, bool]:
    """The coefficients, and whether some on the way there separate the trials, after which there is no minimum."""
    counts = np.where(truth, truth.sum(), (~truth).sum())
    shares = np.where(truth, p_target, 1 - p_target) / counts
    wanted = np.where(truth, 1.0, 0.0)
    if smoothed:
        wanted = np.where(truth, counts + _ERROR, _ERROR) / (counts + 2 * _ERROR)
    theta = np.log(p_target) - np.log1p(-p_target)
    ridge = np.append(np.full(columns.shape[1] - 1, _RIDGE), 0.0)

    def loss(llrs: Floats, weights: Floats) -> float:
        posterior_odds = llrs + theta
        costs = wanted * np.logaddexp(0, -posterior_odds) + (1 - wanted) * np.logaddexp(0, posterior_odds)
        return float(shares @ costs + 0.5 * ridge @ weights**2)

    weights, llrs = np.zeros(columns.shape[1]), np.zeros(len(columns))
    before = loss(llrs, weights)
    for _ in range(200):
        posteriors = 1 / (1 + np.exp(-np.clip(llrs + theta, -700, 700)))
        gradient = columns.T @ (shares * (posteriors - wanted)) + ridge * weights
        curved = columns * (shares * posteriors * (1 - posteriors))[:, None]
        hessian = columns.T @ curved + np.diag(ridge)
        step = -np.linalg.lstsq(hessian, gradient, rcond=1e-14)[0]
        if -gradient @ step < _NEAR_ENOUGH:
            break
        size = 1.0
        while True:
            tried = columns @ (weights + size * step)
            after = loss(tried, weights + size * step)
            if after <= before + 1e-4 * size * (gradient @ step) or size < 1e-9:
                break
            size /= 2
        if after >= before:  # rounding is all that is left
            break
        weights, llrs, before = weights + size * step, tried, after
        least, most = llrs[truth].min(), llrs[~truth].max()
        if not smoothed and least >= most and llrs.max() > llrs.min():
            return weights, True
    return weights, False


def _checked(scores: ArrayLike, is_target: ArrayLike) -> tuple[Floats, NDArray[np.bool_]]:
    rows = as_rows(scores)
    if not np.isfinite(rows).all():
        bad = int(np.flatnonzero(~np.isfinite(rows).all(axis=1))[0])
        raise DataError(f"the score of trial {bad} is {rows[bad].tolist()}; a calibration is trained on finite ones")
    truth = rank_trials(rows[:, 0], is_target).is_target  # refuses one kind alone, and what is no truth
    return rows, truth
