"""When should EM stop? Held-out likelihood against time, for combinations of max_iter and tol, on real MFCCs.

Ten sets of `frame_sets.py`, one or two of each corpus, are fitted anew for every combination. Loss is the held-out
likelihood of the longest fit (at most 400 iterations, tol 1e-6) minus that of the combination, in nats a frame: below 0
where stopping early generalises better. Time is that of whole fits, the start included, as a multiple of that of at
most 20 iterations and tol 1e-4: the geometric mean over sets, each the fastest of some runs. Passes are
a mean of the trace's length, without those whose step was taken back; on a busy machine they say more than the time.
"""

import argparse
import os
import time
import warnings
from typing import Any

import joblib
import numpy as np
import timing  # noqa: F401 (one BLAS thread)
from frame_sets import FrameSet, frame_sets
from starts import setting

from speechgmm.gmm import fit_gmm, log_likelihoods

WHICH = (1, 8, 13, 14, 17, 22, 25, 26, 28, 30)  # numbers of sets
MAX_ITER = (10, 20, 30, 50, 100, 200)
TOLERANCES = (1e-3, 3e-4, 1e-4, 5e-5, 3e-5, 1e-5)
LONGEST = (400, 1e-6)
COMPARED = (20, 1e-4)


Point = tuple[float, bool, float, int]


def curve(case: FrameSet, seed: int, settings: dict[str, Any], repeats: int) -> dict[tuple[int, float], Point]:
    """Held-out likelihood, whether converged, seconds and passes of every combination."""
    results: dict[tuple[int, float], Point] = {}
    for combination in (LONGEST, *((most, tol) for most in MAX_ITER for tol in TOLERANCES)):
        most, tol = combination
        seconds = []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for _ in range(1 if combination == LONGEST else repeats):
                begun = time.perf_counter()
                fit = fit_gmm(case.train, case.n_components, seed=seed, max_iter=most, tol=tol, **settings)
                seconds.append(time.perf_counter() - begun)
        held_out = float(log_likelihoods(fit.model.log_linear(), case.held_out).mean())
        results[combination] = held_out, fit.converged, min(seconds), len(fit.trace)
    return results


def main(options: argparse.Namespace) -> None:
    settings = dict(setting(text) for text in options.set)
    tasks = [
        (case, seed, settings, options.repeats) for seed in range(options.seeds) for case in frame_sets(seed, WHICH)
    ]
    if not tasks:
        return
    with joblib.parallel_config("loky", n_jobs=options.jobs, inner_max_num_threads=1):
        curves = joblib.Parallel()(joblib.delayed(curve)(*task) for task in tasks)
    print(f"\nheld-out loss to {LONGEST}, {len(tasks)} fits; OPENBLAS_CORETYPE {os.environ.get('OPENBLAS_CORETYPE')}")
    losses_head = f"{'loss mean':>11}{'median':>9}{'worst':>9}"
    print(f"  {'max_iter':>8}{'tol':>8}{'converged':>11}{losses_head}{'time':>7}{'passes':>8}")
    for most in MAX_ITER:
        for tol in TOLERANCES:
            losses = np.array([results[LONGEST][0] - results[most, tol][0] for results in curves])
            converged = np.mean([results[most, tol][1] for results in curves])
            passes = np.mean([results[most, tol][3] for results in curves])
            ratios = [results[most, tol][2] / results[COMPARED][2] for results in curves]
            print(
                f"  {most:>8}{tol:>8.0e}{100 * converged:>9.0f} %{losses.mean():>11.4f}{np.median(losses):>9.4f}"
                f"{losses.max():>9.4f}{np.exp(np.mean(np.log(ratios))):>7.2f}{passes:>8.1f}",
                flush=True,
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="an option of fit_gmm")
    parser.add_argument("--seeds", type=int, default=2, help="frames and starts to average over")
    parser.add_argument("--repeats", type=int, default=3, help="runs of a fit, of which the fastest counts")
    parser.add_argument("--jobs", type=int, default=1, help="fits at a time: makes times worse")
    main(parser.parse_args())
