"""One score file made of those of several systems: fusion, and calibration of one."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import ConfigError, DataError
from speechgmm.io.score_file import ClassScores, Pair, read_scores
from speechgmm.io.score_forms import scores_path
from speechgmm.io.tables import table
from speechgmm.tasks.verification.score_files import connected, named, negated, reversal, with_truth
from speechgmm.tasks.verification.score_map_training import cross_fit_logistic, fit_logistic
from speechgmm.tasks.verification.score_maps import Affine


@dataclass(frozen=True, slots=True)
class Fused:
    """Ratios of trials from several systems' scores."""

    text: str  # the score file: model, test, llr, and target where known
    map: Affine  # of all training trials
    inputs: tuple[str, ...]  # what each of its weights is for
    n_targets: int  # that it was trained on
    n_nontargets: int
    notes: tuple[str, ...] = ()  # what should be known of the systems
    n_met: int = 0  # trials of the file that are among those of dev: their ratios look better than they are


def fuse_files(
    paths: Sequence[Path],
    dev: Sequence[Path] = (),
    *,
    trials: Path | None = None,
    dev_trials: Path | None = None,
    p_target: float = 0.5,
    quality: bool = False,
    n_folds: int = 10,
    seed: int = 0,
    distance: bool = False,
) -> Fused:
    """One calibrated score file from those of one system or several: their weighted sum, by logistic regression.

    The weights are trained on the same systems' files of other trials (``dev``, in the same order); without them by
    speaker-disjoint folds of the trials themselves. Of a file with scores and ratios the scores are taken. With
    ``quality`` the column cohort_mean of every file that has it takes part too (``score_maps.map_inputs`` says why).
    With ``distance`` the scores of all files are distances, lower for targets, and are negated.

    Raises:
        ConfigError: Not as many dev files as systems; a prior that is none; distances of a file with ratios.
        DataError: Files of unlike trials, files that cannot be read, trials without truth to train on; no
            cohort_mean where it is asked for, or in other files of dev than of the systems.
    """
    if not 0 < p_target < 1:
        raise ConfigError(f"p_target {p_target:g}; expected a probability above 0 and below 1", arguments=("p_target",))
    if dev and len(dev) != len(paths):
        message = f"{len(dev)} dev files for {len(paths)} systems; expected one for each, in the same order"
        raise ConfigError(message, arguments=("dev",))
    if dev_trials is not None and not dev:
        raise ConfigError("dev_trials without dev; give the score files of dev too", arguments=("dev_trials", "dev"))
    pairs, scores, truth, means = _systems(paths, trials, needed=not dev, quality=quality, distance=distance)
    met: set[Pair] = set()
    if dev:
        trained_on, training, known, others = _systems(dev, dev_trials, needed=True, quality=quality, distance=distance)
        met = set(trained_on) & set(pairs)
        if others != means:
            raise DataError(
                f"quality: cohort_mean is in files {_numbered(means)} of the systems and {_numbered(others)} of dev; "
                "expected the same systems in the same order",
                arguments=("quality", "dev"),
            )
    else:
        training, known = scores, truth
    if known is None:
        raise DataError("no trial says whether it is a target; name a list that does (trials)")
    notes = [reversal(path, scores_of, known) for path, scores_of in zip(dev or paths, training.T, strict=False)]
    if dev:
        final = fit_logistic(training, known, p_target)
        llrs = final.apply(scores)
    else:
        speakers = connected(pairs, known)
        llrs, _, final = cross_fit_logistic(scores, known, speakers, p_target, n_folds=n_folds, seed=seed)
    head = ("model", "test", "llr", *(() if truth is None else ("target",)))
    spelt = None if truth is None else np.where(truth, "target", "nontarget")
    rows = (
        (*pair, f"{llr:.6f}", *(() if spelt is None else (spelt[n],)))
        for n, (pair, llr) in enumerate(zip(pairs, llrs, strict=True))
    )
    counts = int(known.sum()), int((~known).sum())
    inputs = (*map(str, paths), *(f"{paths[n]}: cohort_mean" for n in means))
    return Fused(table(head, rows), final, inputs, *counts, tuple(filter(None, notes)), len(met))


def _numbered(places: Sequence[int]) -> str:
    return ", ".join(str(n + 1) for n in places)


def _systems(
    paths: Sequence[Path], trials: Path | None, *, needed: bool, quality: bool, distance: bool
) -> tuple[tuple[Pair, ...], NDArray[np.float64], NDArray[np.bool_] | None, list[int]]:
    """Trials, scores (N, S) of every system in their order, and truth (N,) where it is known or needed.

    With ``quality``, columns of cohort means follow the systems'; last is said which systems they are of.
    """
    pairs: tuple[Pair, ...] = ()
    truth: NDArray[np.bool_] | None = None
    columns: list[NDArray[np.float64]] = []
    means: dict[int, NDArray[np.float64]] = {}
    for number, path in enumerate(paths):
        file = scores_path(path) if path.is_dir() else path
        found = read_scores(file)
        if isinstance(found, ClassScores):
            raise DataError(f"{file}: decisions between classes; only scores of trials are fused")
        if distance:
            found = negated(file, found)
        if needed or trials is not None or found.is_target is not None:
            found, known, _ = with_truth(file, found, trials)
            if truth is None and not columns:
                truth = known
        scores = found.scores if found.scores is not None else found.llrs
        if scores is None:
            raise DataError(f"{file}: neither scores nor ratios in it")
        endless = [found.pairs[n] for n in np.flatnonzero(~np.isfinite(scores))]
        if endless:
            raise DataError(
                f"{file}: {len(endless)} scores are infinite ({named(endless)}), and no weighted sum holds them; was "
                "a log taken of 0? Leave these trials out"
            )
        if not columns:
            pairs = found.pairs
        places = {pair: n for n, pair in enumerate(found.pairs)}
        apart = set(pairs) ^ places.keys()
        if apart:
            raise DataError(
                f"{file} and {paths[0]} hold different trials ({len(apart)} are in one alone: {named(apart)}); fusion "
                "needs the same"
            )
        order = [places[pair] for pair in pairs]
        columns.append(scores[order])
        if quality and found.cohort_means is not None:
            means[number] = found.cohort_means[order]
        if truth is not None and found.is_target is not None and trials is None:
            other = found.is_target[order]
            if (other != truth).any():
                wrong = [pairs[n] for n in np.flatnonzero(other != truth)]
                raise DataError(f"{file} and {paths[0]} do not agree which trials are targets: {named(wrong)}")
    if quality and not means:
        raise DataError(
            "quality: no file has a column cohort_mean; runs with scoring.normalise: t, zt, s or as write it",
            arguments=("quality",),
        )
    return pairs, np.stack([*columns, *means.values()], axis=1), truth, list(means)
