"""Figures of any score file, and one score file made of several: fusion."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.config import plain_values
from speechgmm.engine.comparison import run_groups
from speechgmm.errors import ConfigError, DataError
from speechgmm.evaluation import error_rates, rank_trials
from speechgmm.io.score_file import ClassScores, Pair, TrialScores, read_scores, read_truth
from speechgmm.io.tables import table
from speechgmm.tasks.classification.evaluation import Sides, detection_metrics, evaluate
from speechgmm.tasks.classification.scoring import Scores
from speechgmm.tasks.verification.calibration import ratio_metrics
from speechgmm.tasks.verification.score_map_training import cross_calibrate, fit_logistic
from speechgmm.tasks.verification.score_maps import Affine
from speechgmm.tasks.verification.spec import DecisionSpec

_LISTED: Final = 5  # trials that are named


@dataclass(frozen=True, slots=True)
class FileFigures:
    """What a score file is worth."""

    metrics: dict[str, dict[str, Any]]  # name -> value, low, high, n, unit
    about: str  # what was counted, in a sentence
    notes: tuple[str, ...]  # what should be known of the figures


def evaluate_file(
    path: Path,
    trials: Path | None = None,
    decision: DecisionSpec | None = None,
    *,
    are_llrs: bool = False,
    threshold: float | None = None,
    seed: int = 0,
) -> FileFigures:
    """The figures of a score file.

    They are of the column ``llr`` where there is one, else of ``score``, but for Cllr and actDCF, which need ratios:
    scores are not taken for such unless ``are_llrs`` says that they are. Speakers, whom intervals go by, are
    those of the run that the file lies in; elsewhere all names that targets connect are one speaker.

    Args:
        path: The file, or the folder of a run.
        trials: A list that says which trials are targets; scores of others do not count.
        decision: Prior and costs; default: those of the run that the file lies in, else of a configuration that names
            none.
        are_llrs: The scores are natural-log likelihood ratios.
        threshold: Also miss and false alarm rate where ratios (scores, where there are none) are accepted from this on.
        seed: Of the resampling.

    Raises:
        ConfigError: An option that does not go with such a file.
        DataError: A file that cannot be read; trials without a score or without truth; only targets or nontargets.
    """
    if path.is_dir() and (path / "scores.tsv").exists():
        path = path / "scores.tsv"
    given, decision = decision, decision or stakes_of_run(path)
    found = read_scores(path)
    if isinstance(found, ClassScores):
        if trials is not None or are_llrs or threshold is not None or (given is not None and found.target is None):
            raise ConfigError(f"{path} holds decisions between classes: there are no trials, thresholds or priors")
        return _classified(path, found, decision, seed)
    chosen, is_target, unused = _with_truth(path, found, trials)
    notes = [f"{unused} scores are of trials that {trials} does not name, and do not count"] if unused else []
    llrs = chosen.llrs
    if are_llrs and llrs is not None and chosen.scores is not None:
        message = f"{path} has a column llr of its own; are_llrs is for files that have scores alone"
        raise ConfigError(message, arguments=("are_llrs",))
    if are_llrs and llrs is None:
        llrs = chosen.scores
    ordered = chosen.scores if llrs is None else llrs
    if ordered is None:
        raise DataError(f"{path}: neither scores nor ratios in it")
    if is_target.all() or not is_target.any():
        kind, missing = ("target", "nontargets") if is_target.all() else ("nontarget", "targets")
        raise DataError(
            f"{trials or path}: {len(is_target)} {kind} trials and no {missing}; error rates need both: is the list "
            "whole, and are target and nontarget spelt as meant?"
        )
    sides, how = _speakers(path, chosen.pairs, is_target)
    metrics = detection_metrics(ordered, is_target, sides, decision, seed=seed)
    if llrs is not None:
        metrics |= ratio_metrics(llrs, is_target, sides, decision, seed=seed)
    else:
        notes.append(
            "no cllr and no actual DCF: log-likelihood ratios are needed (a column llr; are_llrs where scores are such)"
        )
    if threshold is not None:
        rates = error_rates(rank_trials(ordered if llrs is None else llrs, is_target), threshold)
        for name, value, n in (
            ("miss", rates.miss, is_target.sum()),
            ("false_alarm", rates.false_alarm, (~is_target).sum()),
        ):
            metrics[name] = {"value": value, "n": int(n), "unit": "fraction", "threshold": threshold}
    about = f"{int(is_target.sum())} targets, {int((~is_target).sum())} nontargets; {how}"
    return FileFigures(metrics, about, tuple(notes))


@dataclass(frozen=True, slots=True)
class Fused:
    """Ratios of trials from several systems' scores."""

    text: str  # the score file: model, test, llr, and target where known
    map: Affine  # of all training trials
    inputs: tuple[str, ...]  # what each of its weights is for
    n_targets: int  # that it was trained on
    n_nontargets: int
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
) -> Fused:
    """One calibrated score file from those of one system or several: their weighted sum, by logistic regression.

    The weights are trained on the same systems' files of other trials (``dev``, in the same order); without them by
    speaker-disjoint folds of the trials themselves. Of a file with scores and ratios the scores are taken. With
    ``quality`` the column cohort_mean of every file that has it takes part too (``score_maps.map_inputs`` says why).

    Raises:
        ConfigError: Not as many dev files as systems.
        DataError: Files of unlike trials, files that cannot be read, trials without truth to train on; no
            cohort_mean where it is asked for, or in other files of dev than of the systems.
    """
    if dev and len(dev) != len(paths):
        message = f"{len(dev)} dev files for {len(paths)} systems; expected one for each, in the same order"
        raise ConfigError(message, arguments=("dev",))
    if dev_trials is not None and not dev:
        raise ConfigError("dev_trials goes with dev", arguments=("dev_trials", "dev"))
    pairs, scores, truth, means = _systems(paths, trials, needed=not dev, quality=quality)
    met: set[Pair] = set()
    if dev:
        trained_on, training, known, others = _systems(dev, dev_trials, needed=True, quality=quality)
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
        raise DataError("fusion needs trials whose truth is known")
    fit = partial(fit_logistic, p_target=p_target)
    final = fit(training, known)
    if dev:
        llrs = final.apply(scores)
    else:
        llrs, _ = cross_calibrate(scores, known, _connected(pairs, known), fit, n_folds, seed)
    head = ("model", "test", "llr", *(() if truth is None else ("target",)))
    spelt = None if truth is None else np.where(truth, "target", "nontarget")
    rows = (
        (*pair, f"{llr:.6f}", *(() if spelt is None else (spelt[n],)))
        for n, (pair, llr) in enumerate(zip(pairs, llrs, strict=True))
    )
    inputs = (*map(str, paths), *(f"{paths[n]}: cohort_mean" for n in means))
    return Fused(table(head, rows), final, inputs, int(known.sum()), int((~known).sum()), len(met))


def _numbered(places: Sequence[int]) -> str:
    return ", ".join(str(n + 1) for n in places)


def _systems(
    paths: Sequence[Path], trials: Path | None, *, needed: bool, quality: bool
) -> tuple[tuple[Pair, ...], NDArray[np.float64], NDArray[np.bool_] | None, list[int]]:
    """Trials, scores (N, S) of every system in their order, and truth (N,) where it is known or needed.

    With ``quality``, columns of cohort means follow the systems'; last is said which systems they are of.
    """
    pairs: tuple[Pair, ...] = ()
    truth: NDArray[np.bool_] | None = None
    columns: list[NDArray[np.float64]] = []
    means: dict[int, NDArray[np.float64]] = {}
    for number, path in enumerate(paths):
        file = path / "scores.tsv" if path.is_dir() else path
        found = read_scores(file)
        if isinstance(found, ClassScores):
            raise DataError(f"{file}: decisions between classes; only scores of trials are fused")
        if needed or trials is not None or found.is_target is not None:
            found, known, _ = _with_truth(file, found, trials)
            if truth is None and not columns:
                truth = known
        scores = found.scores if found.scores is not None else found.llrs
        if scores is None:
            raise DataError(f"{file}: neither scores nor ratios in it")
        endless = [found.pairs[n] for n in np.flatnonzero(~np.isfinite(scores))]
        if endless:
            raise DataError(
                f"{file}: {len(endless)} scores are infinite ({_named(endless)}), and no weighted sum holds them; was "
                "a log taken of 0? Leave these trials out"
            )
        if not columns:
            pairs = found.pairs
        places = {pair: n for n, pair in enumerate(found.pairs)}
        apart = set(pairs) ^ places.keys()
        if apart:
            raise DataError(
                f"{file} and {paths[0]} hold different trials ({len(apart)} are in one alone: {_named(apart)}); fusion "
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
                raise DataError(f"{file} and {paths[0]} do not agree which trials are targets: {_named(wrong)}")
    if quality and not means:
        raise DataError(
            "quality: no file has a column cohort_mean; runs with scoring.normalise: t, zt, s or as write it",
            arguments=("quality",),
        )
    return pairs, np.stack([*columns, *means.values()], axis=1), truth, list(means)


def _with_truth(path: Path, found: TrialScores, trials: Path | None) -> tuple[TrialScores, NDArray[np.bool_], int]:
    """The scores of the trials that count, their truth, and how many others there are."""
    if trials is None:
        if found.is_target is None:
            raise DataError(
                f"{path} does not say which trials are targets; name a list that does (trials: model, test, "
                "target; or Kaldi's three columns)",
                arguments=("trials",),
            )
        return found, found.is_target, 0
    truth = read_truth(trials)
    places = {pair: n for n, pair in enumerate(found.pairs)}
    missing = [pair for pair in truth if pair not in places]
    if missing:
        raise DataError(
            f"{len(missing)} of {len(truth)} trials in {trials} have no score in {path}: {_named(missing)}; are models "
            "and tests spelt alike, and in this order?"
        )
    if found.is_target is not None:
        wrong = [pair for pair, said in truth.items() if bool(found.is_target[places[pair]]) != said]
        if wrong:
            raise DataError(f"{path} and {trials} do not agree which trials are targets: {_named(wrong)}")
    rows = np.array([places[pair] for pair in truth])
    chosen = TrialScores(
        tuple(truth),
        None if found.scores is None else found.scores[rows],
        None if found.llrs is None else found.llrs[rows],
        np.fromiter(truth.values(), bool, len(truth)),
        None if found.cohort_means is None else found.cohort_means[rows],
    )
    return chosen, np.fromiter(truth.values(), bool, len(truth)), len(found.pairs) - len(truth)


def _named(pairs: Sequence[Pair] | set[Pair]) -> str:
    some = ", ".join(f"{model} {test}" for model, test in sorted(pairs)[:_LISTED])
    return some + (" ..." if len(pairs) > _LISTED else "")


def _speakers(path: Path, pairs: Sequence[Pair], is_target: NDArray[np.bool_]) -> tuple[Sides, str]:
    """Speakers of models and tests as numbers, and where they are from."""
    known = run_groups(path.parent, owners=True) if path.name == "scores.tsv" else None
    if known is not None:
        tests, owners = known
        names = [owners.get(model, model) for model, _ in pairs] + [tests.get(test, test) for _, test in pairs]
        first, second = np.unique(np.array(names), return_inverse=True)[1].reshape(2, -1)
        return (first, second), "intervals by the speakers of the run (corpus.group)"
    return _connected(pairs, is_target), "intervals by speakers, as far as targets show who is the same"


def stakes_of_run(path: Path) -> DecisionSpec:
    """Prior and costs that a run was judged at, given its folder or ``scores.tsv``; of any other file the defaults."""
    folder = path.parent if path.name == "scores.tsv" else path
    try:
        config, _ = plain_values((folder / "config.yaml").read_text(encoding="utf-8"), "config.yaml")
        return DecisionSpec(**config["decision"])
    except (OSError, KeyError, ValueError, TypeError, ConfigError):
        return DecisionSpec()


def _connected(pairs: Sequence[Pair], is_target: NDArray[np.bool_]) -> Sides:
    """Speakers of models and of tests as numbers: all models and tests that target trials connect are one speaker.

    Numbered by their names, so that the order of the rows changes no interval.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    models = {name: n for n, name in enumerate(sorted({model for model, _ in pairs}))}
    tests = {name: n + len(models) for n, name in enumerate(sorted({test for _, test in pairs}))}
    first = np.array([models[model] for model, _ in pairs], np.intp)
    second = np.array([tests[test] for _, test in pairs], np.intp)
    n_nodes = len(models) + len(tests)
    edges = coo_array((np.ones(int(is_target.sum())), (first[is_target], second[is_target])), (n_nodes, n_nodes))
    _, speaker = connected_components(edges, directed=False)
    return speaker[first].astype(np.intp), speaker[second].astype(np.intp)


def _classified(path: Path, found: ClassScores, decision: DecisionSpec, seed: int) -> FileFigures:
    """Accuracy and the rest, with the groups of the run that the file lies in; those of detecting a target, if any."""
    known: Mapping[str, str] = {}
    groups = run_groups(path.parent, owners=False) if path.name == "scores.tsv" else None
    if groups is not None:
        known = groups[0]
    scores = Scores(
        found.ids,
        found.true,
        found.predicted,
        found.labels,
        found.n_frames,
        found.scores,
        tuple(known.get(name, name) for name in found.ids) if known else (),
        found.folds,
    )
    evaluation = evaluate(scores, seed=seed, target=found.target, decision=decision)
    if evaluation is None:
        raise DataError(f"{path}: a header and no rows")
    return FileFigures(evaluation.metrics, f"{len(found.ids)} items, {len(found.labels)} classes", ())
