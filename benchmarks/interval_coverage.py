"""How often do intervals of 95 % hold the true value? Speakers are drawn from worlds whose true value is known.

Each world has speakers of unlike difficulty. ``speechgmm`` is :func:`speechgmm.evaluation.interval`; percentile, BCa
(Efron 1987) and bootstrap-t on the same scale, written out here, are what was tried beside it. Per cell: coverage in
percent and the median width. The last world counts a speaker's target trials m_e**2 times in place of m_e.

    python benchmarks/interval_coverage.py [--worlds 1000] [--jobs 2] [--only NAME]
"""

import argparse
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import norm

from speechgmm.evaluation import (
    Trials,
    act_dcf,
    act_dcf_sums,
    cllr,
    cllr_min,
    cllr_sums,
    compare,
    eer,
    interval,
    min_dcf,
    rank_trials,
    ratio,
)
from speechgmm.evaluation.intervals import Scale
from speechgmm.evaluation.resampling import Groups, Statistic, as_groups, draw, evaluate

Floats = NDArray[np.float64]
Bounds = tuple[float, float]

LEVEL = 0.95
N_GROUPS = (6, 20, 50)
METHODS = ("percentile", "BCa", "bootstrap-t", "speechgmm")


@dataclass(frozen=True)
class Test:
    """One test set: a figure of it, and the groups of its items."""

    statistic: Statistic
    groups: tuple[NDArray[np.intp], ...]
    against: Statistic | None = None  # the other system, for differences


@dataclass(frozen=True)
class World:
    """Where test sets come from, and the figure of all of it."""

    sample: Callable[[np.random.Generator, int], Test]
    truth: float | dict[int, float]  # of every number of groups, where it hangs on that
    scale: Scale
    n_resamples: int
    squares: bool = False  # a speaker's target trials weigh m_e**2


# -- classification: a speaker's items are right with a probability of his own -----------------------------------------


def speakers(rng: np.random.Generator, n: int, mean: float, sd: float, unlike: float) -> tuple[Floats, Floats]:
    """The right decision's log odds per item and the speaker per item; about 30 items each."""
    sizes = np.maximum(1, np.round(30 * rng.lognormal(0, unlike, n))).astype(int)
    return np.repeat(mean + sd * rng.standard_normal(n), sizes), np.repeat(np.arange(n), sizes)


def classification(rng: np.random.Generator, n: int, *, mean: float, sd: float, unlike: float) -> Test:
    odds, speaker = speakers(rng, n, mean, sd, unlike)
    return Test(ratio(rng.random(len(odds)) < expit(odds), np.ones(len(odds))), (speaker,))


def two_systems(rng: np.random.Generator, n: int) -> Test:
    """Two classifiers that find the same speakers and items hard."""
    odds, speaker = speakers(rng, n, 2.0, 1.0, 0.0)
    luck, own = rng.random(len(odds)), np.repeat(0.5 + 0.5 * rng.standard_normal(n), 30)
    ones = np.ones(len(odds))
    return Test(ratio(luck < expit(odds), ones), (speaker,), ratio(luck < expit(odds - own), ones))


def mean_right(mean: float, sd: float) -> float:
    grid = np.linspace(-8, 8, 20001)
    density = norm.pdf(grid)
    return float((density * expit(mean + sd * grid)).sum() / density.sum())


# -- verification: all speakers against all; enrolment, test and the pair's likeness vary -----------------------------

SEPARATION = 3.0


def trials(rng: np.random.Generator, n: int, n_own: int = 4) -> tuple[Trials, tuple[NDArray[np.intp], ...]]:
    own, enrolled, tested = rng.normal(0, 0.6, n), rng.normal(0, 0.5, n), rng.normal(0, 0.5, n)
    enrol, test = (side[~np.eye(n, dtype=bool)] for side in np.indices((n, n)))
    enrol = np.concatenate([np.repeat(np.arange(n), n_own), enrol])
    test = np.concatenate([np.repeat(np.arange(n), n_own), test])
    same = enrol == test
    scores = enrolled[enrol] + tested[test] + rng.standard_normal(len(enrol)) + same * (SEPARATION + own[enrol])
    return rank_trials(scores, same), (enrol, test)


def all_trials() -> Trials:
    """The population: so many speakers that none meets another twice."""
    rng = np.random.default_rng(0)
    same = np.arange(4_000_000) % 2 == 0
    spread = np.sqrt(1 + 2 * 0.5**2 + np.where(same, 0.6**2, 0))
    return rank_trials(spread * rng.standard_normal(len(same)) + same * SEPARATION, same)


def nist(trials: Trials, weights: Floats | None = None) -> float:
    return min_dcf(trials, 0.05, weights=weights)


def verification(rng: np.random.Generator, n: int, *, metric: Callable[[Trials, Floats | None], float] | None) -> Test:
    ranked, groups = trials(rng, n)
    return Test(cllr_sums(ranked) if metric is None else partial(metric, ranked), groups)


PRIOR = 0.05
SLOPE, MIDDLE = 1.9, 1.5  # scores to log-likelihood ratios, nearly


def as_ratios(trials: Trials) -> Trials:
    return rank_trials(SLOPE * (trials.scores - MIDDLE), trials.is_target)


def actual_cost(rng: np.random.Generator, n: int) -> Test:
    ranked, groups = trials(rng, n)
    return Test(act_dcf_sums(as_ratios(ranked), PRIOR), groups)


# -- identification in the open set: four tests of each of n speakers, all of whom have models -------------------------


def open_set(rng: np.random.Generator, n: int, *, strangers: bool, same: bool = False, n_own: int = 4) -> Test:
    """Members' tests accepted as who they are; or the same without the own model, accepted as anybody.

    ``same``: the models are the same in all test sets, and only the tests' speakers are others.
    """
    own, enrolled, tested = rng.normal(0, 0.6, n), rng.normal(0, 0.5, n), rng.normal(0, 0.5, n)
    if same:
        enrolled = 0.5 * norm.ppf((rng.permutation(n) + 0.5) / n)
    speaker = np.repeat(np.arange(n), n_own)
    scores = enrolled + tested[speaker, None] + rng.standard_normal((len(speaker), n))
    is_own = speaker[:, None] == np.arange(n)
    scores += is_own * (SEPARATION + own[speaker, None])
    if strangers:
        scores = np.where(is_own, -np.inf, scores)
    accepted = scores.max(axis=1) >= MIDDLE - logit(PRIOR) / SLOPE
    hits = accepted & (strangers | (scores.argmax(axis=1) == speaker))
    return Test(ratio(hits, np.ones(len(hits))), (speaker,))


def open_set_world(*, strangers: bool, same: bool = False) -> World:
    """The true value is the mean over many test sets with as many models."""
    sample = partial(open_set, strangers=strangers, same=same)
    rng = np.random.default_rng(1)

    def mean(n: int) -> float:
        tests = (sample(rng, n) for _ in range(100_000 // n))
        return float(np.mean([test.statistic(np.ones(4 * n)) for test in tests]))

    return World(sample, {n: mean(n) for n in N_GROUPS}, "logit", 1000)


def worlds(only: str | None) -> dict[str, World]:
    def accuracies(mean: float, sd: float, unlike: float) -> World:
        # Sizes are drawn apart from difficulty, so that they do not move the true value.
        return World(partial(classification, mean=mean, sd=sd, unlike=unlike), mean_right(mean, sd), "logit", 1000)

    population = all_trials()
    found = {
        "accuracy .85": accuracies(2.0, 1.0, 0.0),
        "accuracy .97": accuracies(4.0, 1.0, 0.0),
        "accuracy .85, unlike sizes": accuracies(2.0, 1.0, 0.7),
        "accuracy .93, some speakers fail": accuracies(4.0, 2.0, 0.0),
        "difference of accuracies": World(
            two_systems, mean_right(2.0, 1.0) - mean_right(1.5, np.sqrt(1.25)), "identity", 1000
        ),
        "EER": World(partial(verification, metric=eer), eer(population), "logit", 200),
        "minDCF, p .05": World(partial(verification, metric=nist), nist(population), "logit", 200),
        "Cllr": World(partial(verification, metric=None), cllr(population), "log", 200),
        "Cllr_min": World(partial(verification, metric=cllr_min), cllr_min(population), "logit", 200),
        "actDCF, p .05": World(actual_cost, act_dcf(as_ratios(population), PRIOR), "log", 1000),
        "open set, identified": open_set_world(strangers=False),
        "open set, false alarm": open_set_world(strangers=True),
        "open set, false alarm, the same models": open_set_world(strangers=True, same=True),
        "EER, targets m**2": World(partial(verification, metric=eer), eer(population), "logit", 200, squares=True),
    }
    return {name: world for name, world in found.items() if only is None or only in name}


# -- intervals that were tried -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SquaredGroups:
    """Groups under which a trial of a speaker against himself weighs m_e**2."""

    first: NDArray[np.intp]
    second: NDArray[np.intp]
    n: int

    def weights(self, multiplicities: Floats) -> Floats:
        """As :meth:`Groups.weights`, but for that."""
        return multiplicities[..., self.first] * multiplicities[..., self.second]


def bounds(world: World, number: int, n: int) -> tuple[dict[str, Bounds], str]:
    """Every method's interval on one test set, and the method that speechgmm chose."""
    test = world.sample(np.random.default_rng((number, n)), n)
    groups: Groups = as_groups(test.groups if len(test.groups) > 1 else test.groups[0])
    if world.squares:
        groups = SquaredGroups(groups.first, groups.second, groups.n)  # type: ignore[assignment]
    drawn = draw(n, world.n_resamples, number)

    def values(multiplicities: Floats) -> Floats:
        found = evaluate(test.statistic, groups, multiplicities)
        return found if test.against is None else found - evaluate(test.against, groups, multiplicities)

    value, resampled = values(np.ones((1, n)))[0], values(drawn)
    left_out = values(1.0 - np.eye(n))  # each group in turn is missing
    there = ~np.isnan(resampled)
    drawn, resampled = drawn[there], resampled[there]
    tails = np.array([0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    found = {"percentile": np.quantile(resampled, tails)}
    with np.errstate(all="ignore"):
        found["BCa"] = np.quantile(resampled, corrected(value, resampled, left_out, tails))
        found["bootstrap-t"] = studentised(value, resampled, left_out, drawn, tails, world.scale)
    if world.squares:
        from speechgmm.evaluation.intervals import _student

        found["speechgmm"] = np.array(
            _student(value, float(resampled.mean() - value), float(resampled.std()), n, LEVEL, world.scale)
        )
        method = "bootstrap"
    else:
        sides = test.groups if len(test.groups) > 1 else test.groups[0]
        settings = {"n_resamples": world.n_resamples, "level": LEVEL, "seed": number}
        if test.against is None:
            ours = interval(test.statistic, sides, scale=world.scale, **settings)
            method = ours.method
        else:
            ours = compare(test.statistic, test.against, sides, **settings)
            method = "bootstrap" if ours.low is not None else "none"
        found["speechgmm"] = np.array([ours.low, ours.high], dtype=np.float64)
    return {name: (float(low), float(high)) for name, (low, high) in found.items()}, method


def corrected(value: float, resampled: Floats, left_out: Floats, tails: Floats) -> Floats:
    """BCa's quantiles (Efron 1987): bias and acceleration, the latter by the jackknife."""
    below = np.mean(resampled < value) + 0.5 * np.mean(resampled == value)
    bias = norm.ppf(np.clip(below, 1 / len(resampled), 1 - 1 / len(resampled)))
    influence = np.nanmean(left_out) - left_out
    acceleration = np.nan_to_num(np.nansum(influence**3) / (6 * np.nansum(influence**2) ** 1.5))
    z = bias + norm.ppf(tails)
    return np.nan_to_num(norm.cdf(bias + z / (1 - acceleration * z)), nan=0.5)


def studentised(
    value: float, resampled: Floats, left_out: Floats, drawn: Floats, tails: Floats, scale: Scale
) -> Floats:
    """Bootstrap-t; the standard error of a resample is that of its groups' pseudo-values."""
    n = len(left_out)
    pseudo = np.where(np.isnan(left_out), value, n * value - (n - 1) * left_out)
    errors = np.sqrt(np.maximum(drawn @ pseudo**2 / n - (drawn @ pseudo / n) ** 2, 0) / (n - 1))
    to, back, slope = {
        "logit": (logit, expit, lambda x: 1 / (x * (1 - x))),
        "log": (np.log, np.exp, lambda x: 1 / x),
        "identity": (lambda x: x, lambda x: x, lambda x: np.ones_like(x)),
    }[scale]
    ratios = (to(resampled) - to(value)) / (errors * slope(resampled))
    # A resample at an end of the scale, or without spread: as far out as can be.
    ratios = np.where(np.isfinite(ratios), ratios, 1e9 * np.sign(resampled - value))
    error = np.sqrt(pseudo.var(ddof=1) / n)
    return back(to(value) - np.quantile(ratios, tails[::-1], method="nearest") * error * slope(value))


# -- the table ---------------------------------------------------------------------------------------------------------


def cell(found: list[Bounds], truth: float) -> str:
    low, high = np.array(found).T
    covered = 100 * np.mean((low <= truth) & (truth <= high))
    return f"{covered:5.1f} ({np.nanmedian(high - low):.3f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=1000, help="test sets per cell")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", help="worlds whose name holds this")
    args = parser.parse_args()
    print(f"Coverage of {100 * LEVEL:.0f} % intervals in percent (median width), {args.worlds} test sets per cell")
    print(f"| figure (true value) | groups | {' | '.join(METHODS)} | of these by bound, none |\n|{'---|' * 7}")
    with ProcessPoolExecutor(args.jobs) as pool:
        for name, world in worlds(args.only).items():
            for n in N_GROUPS:
                tasks = pool.map(partial(bounds, world, n=n), range(args.worlds), chunksize=10)
                results, methods = zip(*tasks, strict=True)
                truth = world.truth[n] if isinstance(world.truth, dict) else world.truth
                cells = " | ".join(cell([result[method] for result in results], truth) for method in METHODS)
                others = f"{methods.count('clopper-pearson')}, {methods.count('none')}"
                print(f"| {name} ({truth:.3f}) | {n} | {cells} | {others} |", flush=True)


if __name__ == "__main__":
    main()
