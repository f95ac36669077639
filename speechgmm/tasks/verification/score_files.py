"""Metrics of any score file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml
from numpy.typing import NDArray

from speechgmm.engine.comparison import run_groups
from speechgmm.errors import ConfigError, DataError
from speechgmm.evaluation import error_rates, rank_trials
from speechgmm.io.score_file import ClassScores, Pair, TrialScores, read_scores, read_truth
from speechgmm.tasks.classification.evaluation import Sides, detection_metrics, evaluate
from speechgmm.tasks.classification.scoring import Scores
from speechgmm.tasks.classification.spec import DecisionSpec
from speechgmm.tasks.verification.calibration import ratio_metrics

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
    chosen, is_target, unused = with_truth(path, found, trials)
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


def with_truth(path: Path, found: TrialScores, trials: Path | None) -> tuple[TrialScores, NDArray[np.bool_], int]:
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
            f"{len(missing)} of {len(truth)} trials in {trials} have no score in {path}: {named(missing)}; are models "
            "and tests spelt alike, and in this order?"
        )
    if found.is_target is not None:
        wrong = [pair for pair, said in truth.items() if bool(found.is_target[places[pair]]) != said]
        if wrong:
            raise DataError(f"{path} and {trials} do not agree which trials are targets: {named(wrong)}")
    rows = np.array([places[pair] for pair in truth])
    chosen = TrialScores(
        tuple(truth),
        None if found.scores is None else found.scores[rows],
        None if found.llrs is None else found.llrs[rows],
        np.fromiter(truth.values(), bool, len(truth)),
        None if found.cohort_means is None else found.cohort_means[rows],
    )
    return chosen, np.fromiter(truth.values(), bool, len(truth)), len(found.pairs) - len(truth)


def named(pairs: Sequence[Pair] | set[Pair]) -> str:
    """The first of some trials, for a message."""
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
    return connected(pairs, is_target), "intervals by speakers, as far as targets show who is the same"


def stakes_of_run(path: Path) -> DecisionSpec:
    """Prior and costs that a run was judged at, given its folder or ``scores.tsv``; of any other file the defaults."""
    folder = path.parent if path.name == "scores.tsv" else path
    try:
        config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
        return DecisionSpec(**config["decision"])
    except (OSError, KeyError, ValueError, TypeError, yaml.YAMLError):
        return DecisionSpec()


def connected(pairs: Sequence[Pair], is_target: NDArray[np.bool_]) -> Sides:
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
