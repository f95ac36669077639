"""How long does a verification of a million trials take, and what of it? 1000 models x 1000 tests of 300 frames.

A background model of 64 components in 39 dimensions, whose best 10 score a frame; S-norm by 200 cohort models and
recordings; the table of scores; EER, minDCF, Cllr and Cllr_min with intervals by 200 resamplings of the 1000 speakers.
Two threads, one BLAS thread each, as in a run. Linear scoring beside it. Frames are made: time hangs on sizes alone.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import numpy as np
import timing  # noqa: F401 (one BLAS thread)
from goals import judge
from numpy.typing import NDArray

from speechgmm.evaluation import cllr_min, eer, interval, min_dcf, rank_trials
from speechgmm.evaluation.detection import cllr_sums
from speechgmm.gmm import DiagGMM
from speechgmm.parallel import pmap
from speechgmm.tasks.classification import ClassModels
from speechgmm.tasks.verification.models import ClaimModels, Cohort
from speechgmm.tasks.verification.score_norm import ScoreNorm
from speechgmm.tasks.verification.trials import ScoredTrials, Side, trials_table

D, K, FRAMES, TOP = 39, 64, 300, 10
SPEAKERS, COHORT = 1000, 200
RESAMPLINGS = 200
LIMIT = 120.0  # s

Recordings = list[NDArray[np.float32]]
Result = TypeVar("Result")


def speakers(n_speakers: int, ubm: DiagGMM, rng: np.random.Generator) -> tuple[tuple[DiagGMM, ...], Recordings]:
    """A model of each, and a recording that is a little like it."""
    deviations = np.sqrt(ubm.variances)
    models, recordings = [], []
    for _ in range(n_speakers):
        offset = 0.1 * deviations * rng.normal(size=(K, D))
        models.append(DiagGMM(ubm.weights, ubm.means + offset, ubm.variances))
        means = ubm.means + 0.3 * offset + 0.1 * deviations * rng.normal(size=(K, D))
        chosen = rng.choice(K, FRAMES, p=ubm.weights)
        recordings.append(means[chosen].astype(np.float32) + rng.normal(size=(FRAMES, D)).astype(np.float32))
    return tuple(models), recordings


def all_scores(models: ClassModels, recordings: Recordings) -> NDArray[np.float64]:
    parcels = [recordings[n : n + 64] for n in range(0, len(recordings), 64)]
    return np.concatenate(list(pmap(models.raw_scores, parcels, n_jobs=2, backend="threads")), axis=1)


def main() -> None:
    rng = np.random.default_rng(0)
    ubm = DiagGMM(rng.dirichlet(np.full(K, 5.0)), rng.normal(size=(K, D)), rng.uniform(0.3, 1.5, size=(K, D)))
    enrolled, tests = speakers(SPEAKERS, ubm, rng)
    others, recordings = speakers(COHORT, ubm, rng)
    names = tuple(f"speaker{n:04}" for n in range(SPEAKERS))
    priors = np.full(SPEAKERS, -np.log(SPEAKERS))
    seconds: dict[str, tuple[float, float]] = {}

    def timed(part: str, work: Callable[[], Result]) -> Result:
        begun, worked = time.perf_counter(), time.process_time()
        result = work()
        seconds[part] = time.perf_counter() - begun, time.process_time() - worked
        return result

    def scored(top: int | None, method: str) -> NDArray[np.float64]:
        def made(cohort: Cohort | None = None) -> ClaimModels:
            return ClaimModels(
                names,
                enrolled,
                priors,
                ubm=ubm,
                top_components=top,
                method=method,
                cohort=cohort,  # type: ignore[arg-type]
            )

        against = timed(f"{method}: cohort recordings against the models", lambda: all_scores(made(), recordings))
        both = made(Cohort(tuple(f"other{n}" for n in range(COHORT)), others))
        every = timed(f"{method}: tests against models and cohort models", lambda: all_scores(both, tests))
        return timed(f"{method}: S-norm", lambda: ScoreNorm.of("s", against).apply(every[:SPEAKERS], every[SPEAKERS:]))

    scores = scored(TOP, "llr")
    side, place = Side(names, names, ("",) * SPEAKERS), np.arange(SPEAKERS**2)
    frames, model, test = np.full(SPEAKERS, FRAMES), place % SPEAKERS, place // SPEAKERS
    found = ScoredTrials(side, side, frames, model, test, scores[model, test], scores[model, test], model == test)
    timed("scores.tsv", lambda: trials_table(found))
    order = timed("sorting", lambda: np.argsort(found.scores, kind="stable"))  # as evaluate_trials does
    model, test = model[order], test[order]
    ranked = rank_trials(found.scores[order], model == test)
    figures = {
        "EER": partial(eer, ranked),
        "minDCF": lambda weights: min_dcf(ranked, 0.01, weights=weights),
        "Cllr": cllr_sums(ranked),
        "Cllr_min": partial(cllr_min, ranked),
    }
    values = []
    for name, figure in figures.items():
        scale = "log" if name == "Cllr" else "logit"
        bounds = timed(
            f"{name} and its interval",
            lambda figure=figure, scale=scale: interval(figure, (model, test), n_resamples=RESAMPLINGS, scale=scale),
        )
        values.append(f"{name} {figure(np.ones(SPEAKERS**2)):.3f} ({bounds.low:.3f} to {bounds.high:.3f})")
    show(seconds, f"{SPEAKERS} models x {SPEAKERS} tests of {FRAMES} frames, top {TOP} of {K}, S-norm by {COHORT}")
    share = sum(wall for wall, _ in seconds.values()) / LIMIT
    print(f"  {100 * share:.0f} % of {LIMIT:.0f} s; {', '.join(values)}", flush=True)
    judge("verification", sum(wall for wall, _ in seconds.values()))
    seconds.clear()
    scored(None, "linear")
    show(seconds, "the same scores by linear scoring")


def show(seconds: dict[str, tuple[float, float]], title: str) -> None:
    """A table: seconds on the clock, their share, and seconds of the processor, to which others do not add."""
    wall, worked = (sum(side) for side in zip(*seconds.values(), strict=True))
    print(f"\n{title}\n  {'':<56}{'s':>8}{'share':>8}{'CPU s':>8}")
    for part, (clock, processor) in {**seconds, "all": (wall, worked)}.items():
        print(f"  {part:<56}{clock:>8.1f}{100 * clock / wall:>6.0f} %{processor:>8.1f}", flush=True)


if __name__ == "__main__":
    main()
