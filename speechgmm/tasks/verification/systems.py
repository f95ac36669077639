"""Score files of several systems on the same trials, for fusion."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import DataError
from speechgmm.io.score_file import ClassScores, Pair, TrialScores, read_scores
from speechgmm.io.score_forms import scores_path
from speechgmm.tasks.verification.score_files import named, negated, with_truth


@dataclass(frozen=True, slots=True)
class Systems:
    """The scores of S systems on the same N trials, in the same order."""

    paths: tuple[Path, ...]  # S, as they were named
    found: tuple[TrialScores, ...]  # S, each with scores
    left_out: Mapping[str, tuple[int, int]] = field(default_factory=dict)  # file -> trials not in all, and all of it

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """The trials, by model and test."""
        return self.found[0].pairs

    @property
    def is_target(self) -> NDArray[np.bool_] | None:
        """(N,), as the first file or a list of trials says; None: neither does."""
        return self.found[0].is_target

    def inputs(self, *, quality: bool) -> tuple[NDArray[np.float64], list[int]]:
        """Scores (N, S); with ``quality`` columns of cohort means follow, and the list says of which systems they are.

        Raises:
            DataError: No system has the means of a cohort.
        """
        columns = [found.scores for found in self.found if found.scores is not None]
        means = {n: found.cohort_means for n, found in enumerate(self.found) if found.cohort_means is not None}
        if quality and not means:
            raise DataError(
                "quality: no file has a column cohort_mean; runs with scoring.normalise: t, zt, s or as write it",
                arguments=("quality",),
            )
        return np.stack([*columns, *(means.values() if quality else ())], axis=1), list(means) if quality else []


def read_systems(
    paths: Sequence[Path],
    trials: Path | None = None,
    *,
    needed: bool = True,
    distance: bool = False,
    shared: bool = False,
) -> Systems:
    """The score files, or runs, of systems on the same trials.

    Args:
        paths: One for each system.
        trials: A list that says which trials are targets; scores of others do not count.
        needed: Whether files that do not say which trials are targets are refused.
        distance: The scores are distances, lower for targets: they are negated.
        shared: Trials that are not in the files of all systems are left out; ``left_out`` has their number.

    Raises:
        ConfigError: Distances of a file with ratios.
        DataError: Files of unlike trials, without ``shared``; files that share none, or do not agree which are targets,
            or cannot be read.
    """
    read = [_trials(file, trials, needed=needed, distance=distance, shared=shared) for file in paths]
    left_out: dict[str, tuple[int, int]] = {}
    if shared:
        read = _shared(read, left_out)
    base, first = read[0]
    same = []
    for file, found in read:
        places = {pair: n for n, pair in enumerate(found.pairs)}
        apart = set(first.pairs) ^ places.keys()
        if apart:
            raise DataError(
                f"{file} and {base} hold different trials ({len(apart)} are in one alone: {named(apart)}); fusion "
                "needs the same. Leave out what not all have (shared), or test all systems on the same recordings",
                arguments=("shared",),
            )
        found = found.chosen([places[pair] for pair in first.pairs])
        if first.is_target is not None and found.is_target is not None and trials is None:
            wrong = [first.pairs[n] for n in np.flatnonzero(found.is_target ^ first.is_target)]
            if wrong:
                raise DataError(f"{file} and {base} do not agree which trials are targets: {named(wrong)}")
        same.append(found)
    return Systems(tuple(paths), tuple(same), left_out)


def _trials(path: Path, trials: Path | None, *, needed: bool, distance: bool, shared: bool) -> tuple[Path, TrialScores]:
    """The trials of one system that count, with their truth where it is known or needed."""
    file = scores_path(path) if path.is_dir() else path
    found = read_scores(file)
    if isinstance(found, ClassScores):
        raise DataError(f"{file}: decisions between classes; expected scores of trials, which alone are fused")
    if distance:
        found = negated(file, found)
    if needed or trials is not None or found.is_target is not None:
        found, known, _ = with_truth(file, found, trials, lenient=shared)
        found = replace(found, is_target=known)
    scores = found.scores if found.scores is not None else found.llrs
    if scores is None:
        raise DataError(f"{file}: neither scores nor ratios in it; expected a column score or llr")
    endless = [found.pairs[n] for n in np.flatnonzero(~np.isfinite(scores))]
    if endless:
        raise DataError(
            f"{file}: {len(endless)} scores are infinite ({named(endless)}), and no weighted sum holds them; was "
            "a log taken of 0? Leave these trials out"
        )
    return file, replace(found, scores=scores)


def _shared(
    systems: Sequence[tuple[Path, TrialScores]], left_out: dict[str, tuple[int, int]]
) -> list[tuple[Path, TrialScores]]:
    """The trials that all systems have; ``left_out`` gets the numbers of the others.

    Raises:
        DataError: There is none.
    """
    common = set.intersection(*(set(found.pairs) for _, found in systems))
    if not common:
        raise DataError(
            f"no trial is in all of {', '.join(str(file) for file, _ in systems)}; are models and tests spelt alike?"
        )
    kept = []
    for file, found in systems:
        rows = [n for n, pair in enumerate(found.pairs) if pair in common]
        left_out[str(file)] = len(found.pairs) - len(rows), len(found.pairs)
        kept.append((file, found.chosen(rows)))
    return kept
