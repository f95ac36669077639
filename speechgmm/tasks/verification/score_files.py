"""Metrics of any score file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.engine.run_folder import groups_of_scores, run_of_scores
from speechgmm.engine.run_scores import holds_scores_to_evaluate, llrs_rank
from speechgmm.errors import ConfigError, DataError, counted, first_few
from speechgmm.evaluation import Metric, auc, error_rates, rank_trials
from speechgmm.evaluation.metric import Metrics
from speechgmm.io.run_files import RunFile
from speechgmm.io.score_file import ClassScores, Pair, TrialScores, read_scores, read_truth
from speechgmm.io.score_forms import scores_path
from speechgmm.io.tables import windows_path
from speechgmm.moved import from_new_place
from speechgmm.tasks.classification.evaluation import Sides, detection_metrics, evaluate
from speechgmm.tasks.classification.scoring import Scores
from speechgmm.tasks.classification.spec import DecisionSpec
from speechgmm.tasks.verification.calibration import ratio_metrics

_LISTED: Final = 5  # trials that are named
_MOVED: Final = dict.fromkeys(("Fused", "fuse_files"), "speechgmm.tasks.verification.fusion")


@dataclass(frozen=True, slots=True)
class FileFigures:
    """What a score file is worth."""

    metrics: Metrics
    about: str  # what was counted, in a sentence
    notes: tuple[str, ...]  # what should be known of the metrics


def evaluate_file(
    path: Path,
    trials: Path | None = None,
    decision: DecisionSpec | None = None,
    *,
    are_llrs: bool = False,
    threshold: float | None = None,
    seed: int = 0,
    distance: bool = False,
) -> FileFigures:
    """The metrics of a score file.

    EER, minDCF and Cllr_min are of the column ``score`` where there is one, else of ``llr``; of a run whose ratios take
    more than the score they are of ``llr``. Cllr and actDCF need ratios: scores are not taken for such unless
    ``are_llrs`` says that they are. Speakers, whom intervals go by, are those of the run that the file lies in;
    elsewhere all names that targets connect are one speaker.

    Args:
        path: The file, or the folder of a run.
        trials: A list that says which trials are targets; scores of others do not count.
        decision: Prior and costs; default: those of the run that the file lies in, else of a configuration that names
            none.
        are_llrs: The scores are natural-log likelihood ratios.
        threshold: Also miss and false alarm rate where ratios (scores, where there are none) are accepted from this on.
        seed: Of the resampling.
        distance: The scores are distances, lower for targets: they are negated.

    Raises:
        ConfigError: An option that does not go with such a file; a run of another task, or one that was not tested.
        DataError: A file that cannot be read; trials without a score or without truth; only targets or non-targets.
    """
    _check_run(path)
    if path.is_dir() and scores_path(path).exists():
        path = scores_path(path)
    given, decision = decision, decision or stakes_of_run(path)
    found = read_scores(path)
    if isinstance(found, ClassScores):
        alone = trials is not None or are_llrs or threshold is not None or distance
        if alone or (given is not None and found.target is None):
            raise ConfigError(
                f"{path} holds decisions between classes, which have no trials, thresholds, distances or priors; leave "
                "these options out"
            )
        return _classified(path, found, decision, seed)
    chosen, is_target, unused = with_truth(path, negated(path, found) if distance else found, trials)
    notes = [f"{unused} scores are of trials that {trials} does not name, and do not count"] if unused else []
    llrs = chosen.llrs
    if are_llrs and llrs is not None and chosen.scores is not None:
        message = f"{path} has a column llr of its own; are_llrs is for files that have scores alone"
        raise ConfigError(message, arguments=("are_llrs",))
    if are_llrs and llrs is None:
        llrs = chosen.scores
    run = run_of_scores(path)
    ordered = chosen.scores if llrs is None or (run is None or not llrs_rank(run)) else llrs
    ordered = llrs if ordered is None else ordered
    if ordered is None:
        raise DataError(f"{path}: neither scores nor ratios in it; expected a column score or llr")
    if is_target.all() or not is_target.any():
        kind, missing = ("target", "non-targets") if is_target.all() else ("non-target", "targets")
        raise DataError(
            f"{trials or path}: {len(is_target)} {kind} trials and no {missing}; error rates need both: is the list "
            "whole, and are target and nontarget spelt as meant?"
        )
    notes += [note for note in (reversal(path, ordered, is_target),) if note]
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
            metrics[name] = Metric(value, int(n), "fraction", more={"threshold": threshold})
    about = f"{int(is_target.sum())} targets, {int((~is_target).sum())} non-targets; {how}"
    return FileFigures(metrics, about, tuple(notes))


def _check_run(path: Path) -> None:
    """Refuse the folder or ``scores.tsv`` of a run that decides neither classes nor trials."""
    run = run_of_scores(path)
    if run is not None and not holds_scores_to_evaluate(run):
        raise ConfigError(
            f"{path}: a run of {run.task.name} without scores of classes or trials; expected a score file, or a run of "
            f"classification or verification that was tested. The run's own metrics are in its {RunFile.METRICS}"
        )


def negated(path: Path, found: TrialScores) -> TrialScores:
    """Distances as scores, higher for targets.

    Raises:
        ConfigError: The file has a column llr, and a ratio is no distance.
    """
    if found.llrs is not None or found.scores is None:
        message = f"{path} has a column llr, and log-likelihood ratios are no distances"
        raise ConfigError(message, arguments=("distance",))
    means = None if found.cohort_means is None else -found.cohort_means
    return replace(found, scores=-found.scores, cohort_means=means)


def reversal(path: Path, scores: NDArray[np.float64], is_target: NDArray[np.bool_]) -> str:
    """What to say where targets score lower than non-targets; empty where they do not."""
    area = auc(rank_trials(scores, is_target))
    if area >= 0.5:
        return ""
    return (
        f"{path}: targets score lower than non-targets (area under the ROC {area:.3f}, below 0.5): are the scores "
        "distances? Then negate them (distance); or are targets and non-targets exchanged?"
    )


def with_truth(
    path: Path, found: TrialScores, trials: Path | None, *, lenient: bool = False
) -> tuple[TrialScores, NDArray[np.bool_], int]:
    """The scores of the trials that count, their truth, and how many others there are.

    With ``lenient`` trials of the list that have no score do not count.

    Raises:
        DataError: Neither the file nor a list says which trials are targets; the two do not agree; a trial of the list
            without a score; a list that cannot be read.
    """
    if trials is None:
        if found.is_target is None:
            raise DataError(
                f"{path} does not say which trials are targets; name a list that does (trials: model, test, "
                "target; or Kaldi's three columns, or VoxCeleb's)",
                arguments=("trials",),
            )
        return found, found.is_target, 0
    truth = read_truth(trials)
    if not any(model for model, _ in found.pairs):
        truth = _by_test(trials, truth)
    places = {pair: n for n, pair in enumerate(found.pairs)}
    missing = [pair for pair in truth if pair not in places]
    if lenient:
        truth = {pair: said for pair, said in truth.items() if pair in places}
    elif missing:
        raise DataError(
            f"{len(missing)} of {len(truth)} trials in {trials} have no score in {path}: {named(missing)}; are models "
            f"and tests spelt alike, and in this order?{windows_path(missing[0][1])}"
        )
    if found.is_target is not None:
        wrong = [pair for pair, said in truth.items() if bool(found.is_target[places[pair]]) != said]
        if wrong:
            raise DataError(f"{path} and {trials} do not agree which trials are targets: {named(wrong)}")
    rows = [places[pair] for pair in truth]
    known = np.fromiter(truth.values(), bool, len(truth))
    return replace(found.chosen(rows), is_target=known), known, len(found.pairs) - len(truth)


def _by_test(path: Path, truth: Mapping[Pair, bool]) -> dict[Pair, bool]:
    """Truth of trials whose scores name a test alone."""
    tests: dict[Pair, bool] = {}
    for (_, test), is_target in truth.items():
        if tests.setdefault(("", test), is_target) != is_target:
            raise DataError(
                f"{path}: {test!r} is target in one trial and nontarget in another, and the scores name a test alone; "
                "expected scores with a model and a test"
            )
    return tests


def named(pairs: Sequence[Pair] | set[Pair]) -> str:
    """The first trials of some, by model and test."""
    return first_few([f"{model} {test}" for model, test in sorted(pairs)], _LISTED)


def _speakers(path: Path, pairs: Sequence[Pair], is_target: NDArray[np.bool_]) -> tuple[Sides, str]:
    """Speakers of models and tests as numbers, and where they are from."""
    known = groups_of_scores(path, owners=True)
    if known is not None:
        tests, owners = known
        names = [owners.get(model, model) for model, _ in pairs] + [tests.get(test, test) for _, test in pairs]
        first, second = np.unique(np.array(names), return_inverse=True)[1].reshape(2, -1)
        return (first, second), "intervals by the speakers of the run (corpus.group)"
    if not any(model for model, _ in pairs):
        return connected(pairs, is_target), "intervals by tests, for no models are named"
    return connected(pairs, is_target), "intervals by speakers, as far as targets show who is the same"


def stakes_of_run(path: Path) -> DecisionSpec:
    """Prior and costs that a run was judged at, given its folder or ``scores.tsv``; of any other file the defaults."""
    run = run_of_scores(path)
    try:
        return DecisionSpec() if run is None else DecisionSpec(**run.config["decision"])
    except (DataError, KeyError, ValueError, TypeError):
        return DecisionSpec()


def connected(pairs: Sequence[Pair], is_target: NDArray[np.bool_]) -> Sides:
    """Speakers of models and of tests as numbers: all models and tests that target trials connect are one speaker.

    Where no model is named, each test is by itself. Numbered by their names, so that the order of the rows changes no
    interval.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    pairs = [(model, test) if model else (f"model of {test}", test) for model, test in pairs]
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
    groups = groups_of_scores(path, owners=False)
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
        raise DataError(f"{path}: a header and no rows; expected a row for each item")
    return FileFigures(
        evaluation.metrics, f"{counted(len(found.ids), 'item')}, {counted(len(found.labels), 'class')}", ()
    )


def __getattr__(name: str) -> Any:
    return from_new_place(__name__, name, _MOVED)
