"""One score file made of those of several systems: fusion, and calibration of one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from speechgmm.errors import ConfigError, DataError
from speechgmm.io.tables import table
from speechgmm.tasks.verification.score_files import connected, reversal
from speechgmm.tasks.verification.score_map_training import cross_fit_logistic, fit_logistic
from speechgmm.tasks.verification.score_maps import Affine
from speechgmm.tasks.verification.systems import Systems, read_systems


@dataclass(frozen=True, slots=True)
class Fused:
    """Ratios of trials from several systems' scores."""

    text: str  # the score file: model, test, the score of one system alone, llr, and target where known
    map: Affine  # of all training trials
    inputs: tuple[str, ...]  # what each of its weights is for
    n_targets: int  # that it was trained on
    n_nontargets: int
    notes: tuple[str, ...] = ()  # what should be known of the systems
    n_met: int = 0  # trials of the file that are among those of dev: their ratios look better than they are
    left_out: Mapping[str, tuple[int, int]] = field(default_factory=dict)  # file -> trials not in all, and all of it


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
    With ``distance`` the scores of all files are distances, lower for targets, and are negated. ``fuse_systems`` takes
    files that do not hold the same trials.

    Raises:
        ConfigError: Not as many dev files as systems; a prior that is none; distances of a file with ratios.
        DataError: Files of unlike trials, files that cannot be read, trials without truth to train on; no
            cohort_mean where it is asked for, or in other files of dev than of the systems.
    """
    if dev_trials is not None and not dev:
        raise ConfigError("dev_trials without dev; give the score files of dev too", arguments=("dev_trials", "dev"))
    _check_counts(len(paths), len(dev))
    systems = read_systems(paths, trials, needed=not dev, distance=distance)
    others = read_systems(dev, dev_trials, distance=distance) if dev else None
    return fuse_systems(systems, others, p_target=p_target, quality=quality, n_folds=n_folds, seed=seed)


def fuse_systems(
    systems: Systems,
    dev: Systems | None = None,
    *,
    p_target: float = 0.5,
    quality: bool = False,
    n_folds: int = 10,
    seed: int = 0,
) -> Fused:
    """``fuse_files`` of files that were read.

    Raises:
        ConfigError, DataError: As ``fuse_files``.
    """
    if not 0 < p_target < 1:
        raise ConfigError(f"p_target {p_target:g}; expected a probability above 0 and below 1", arguments=("p_target",))
    _check_counts(len(systems.paths), 0 if dev is None else len(dev.paths))
    pairs, truth = systems.pairs, systems.is_target
    scores, means = systems.inputs(quality=quality)
    training, others = (scores, means) if dev is None else dev.inputs(quality=quality)
    if others != means:
        raise DataError(
            f"quality: cohort_mean is in files {_numbered(means)} of the systems and {_numbered(others)} of dev; "
            "expected the same systems in the same order",
            arguments=("quality", "dev"),
        )
    known = truth if dev is None else dev.is_target
    if known is None:
        raise DataError("no trial says whether it is a target; name a list that does (trials)")
    trained_on = systems if dev is None else dev
    notes = [reversal(path, column, known) for path, column in zip(trained_on.paths, training.T, strict=False)]
    if dev is not None:
        final = fit_logistic(training, known, p_target)
        llrs = final.apply(scores)
    else:
        speakers = connected(pairs, known)
        llrs, _, final = cross_fit_logistic(scores, known, speakers, p_target, n_folds=n_folds, seed=seed)
    # One map of one score orders trials as the score does; those of folds do not, see `evaluate_file`.
    columns = {"score": scores[:, 0]} if scores.shape[1] == 1 else {}
    columns["llr"] = llrs
    spelt = () if truth is None else (np.where(truth, "target", "nontarget"),)
    cells = ([f"{value:.6f}" for value in column] for column in columns.values())
    head = ("model", "test", *columns, *(() if truth is None else ("target",)))
    rows = ((*pair, *row) for pair, *row in zip(pairs, *cells, *spelt, strict=True))
    counts = int(known.sum()), int((~known).sum())
    inputs = (*map(str, systems.paths), *(f"{systems.paths[n]}: cohort_mean" for n in means))
    n_met = 0 if dev is None else len(set(dev.pairs) & set(pairs))
    left_out = {**systems.left_out, **(dev.left_out if dev is not None else {})}
    return Fused(table(head, rows), final, inputs, *counts, tuple(filter(None, notes)), n_met, left_out)


def _check_counts(n_systems: int, n_dev: int) -> None:
    """As many files of dev as systems, or none."""
    if n_dev not in (0, n_systems):
        message = f"{n_dev} dev files for {n_systems} systems; expected one for each, in the same order"
        raise ConfigError(message, arguments=("dev",))


def _numbered(places: Sequence[int]) -> str:
    return ", ".join(str(n + 1) for n in places)
