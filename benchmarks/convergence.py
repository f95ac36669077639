"""Is a fit that says converged at the end of its climb? One plain EM step from there, in float64, tells.

24 sets of real MFCCs (`frame_sets.py`: those of the fewest frames and components) x three tolerances, with a dense and
a sparse E-step in both precisions, at most 400 iterations. The law: a plain step from a fit that says converged gains
less than twice the tolerance, or less than the rounding that its precision allows where that is more
(`speechgmm.gmm.progress.ROUNDING` times the objective's size). The floor is 1 % of the frames' variance in fit and
step. Passes are the median of the trace's length, without those whose step was taken back.

    python benchmarks/convergence.py --precision float32 --e-step dense --set init=kmeans++
"""

import argparse
import os
import warnings
from typing import Any

import joblib
import numpy as np
import timing  # noqa: F401 (one BLAS thread)
from frame_sets import SETS, FrameSet, frame_sets
from starts import setting

from speechgmm.gmm import ConjugatePrior, fit_em, fit_gmm, prepare
from speechgmm.gmm.progress import ROUNDING

LARGE = (0, 2, 10, 22, 24, 26, 30)  # numbers of sets that are left out
TOLERANCES = (1e-4, 1e-5, 1e-6)
MAX_ITER = 400


def plain_step(model: Any, frames: Any, floor: Any) -> float:
    """What one step of EM gains from a mixture, in nats a frame, computed in float64 with every component."""
    batches = prepare(frames.astype(np.float64), precision="float64")
    prior = ConjugatePrior.flat(*model.means.shape)
    before, after = fit_em(model, batches, prior, max_iter=1, tol=0.0, floor=floor, overrelaxed=False).trace
    return after - before


def measured(case: FrameSet, tol: float, seed: int, options: dict[str, Any]) -> dict[str, Any]:
    """One fit: whether it says converged, its passes, what a step still gains, what the law allows, its warnings."""
    floor = 0.01 * case.train.astype(np.float64).var(axis=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit = fit_gmm(case.train, case.n_components, seed=seed, tol=tol, floor=floor, **options)
    allowed = max(2 * tol, ROUNDING[fit.precision] * max(1.0, abs(fit.trace[-1])))
    gain = plain_step(fit.model, case.train, floor)
    passes = len(fit.trace)
    return {"name": case.name, "converged": fit.converged, "gain": gain, "allowed": allowed, "passes": passes} | {
        "warned": bool(caught)
    }


def main(options: argparse.Namespace) -> None:
    sets = list(frame_sets(options.seed, [n for n in range(len(SETS)) if n not in LARGE]))
    if not sets:
        return
    print(f"\none plain EM step from fits that say converged; OPENBLAS_CORETYPE {os.environ.get('OPENBLAS_CORETYPE')}")
    columns = f"{'converged':>10}{'break law':>10}{'over 10 tol':>12}{'worst gain':>11}{'of allowed':>11}{'passes':>7}"
    print(f"  {'':<28}{'of':>4}{columns}{'warned':>7}")
    for precision in options.precision or ("float32", "float64"):
        for e_step in options.e_step or ("dense", "sparse"):
            chosen = {"max_iter": MAX_ITER, **dict(setting(text) for text in options.set)}
            chosen |= {"precision": precision, "e_step": e_step}
            tasks = [(case, tol, options.seed, chosen) for tol in TOLERANCES for case in sets]
            with joblib.parallel_config("loky", n_jobs=options.jobs, inner_max_num_threads=1):
                results = joblib.Parallel()(joblib.delayed(measured)(*task) for task in tasks)
            for n, tol in enumerate(TOLERANCES):
                part = results[n * len(sets) : (n + 1) * len(sets)]
                _line(f"{precision} {e_step} tol {tol:g}", part, [tol] * len(part))
            _line(f"{precision} {e_step}, all", results, [task[1] for task in tasks])
            for result in results if options.verbose else ():
                if result["converged"] and result["gain"] >= result["allowed"]:
                    print(f"    {result['name']}: gains {result['gain']:.2e}, allowed {result['allowed']:.2e}")


def _line(name: str, results: list[dict[str, Any]], tolerances: list[float]) -> None:
    ended = [(result, tol) for result, tol in zip(results, tolerances, strict=True) if result["converged"]]
    broken = sum(result["gain"] >= result["allowed"] for result, _ in ended)
    far = sum(result["gain"] > 10 * tol for result, tol in ended)
    worst = max((result["gain"] for result, _ in ended), default=0.0)
    share = max((result["gain"] / result["allowed"] for result, _ in ended), default=0.0)
    passes = np.median([result["passes"] for result in results])
    print(
        f"  {name:<28}{len(results):>4}{len(ended):>10}{broken:>10}{far:>12}{worst:>11.1e}{share:>11.1f}{passes:>7.0f}"
        f"{sum(result['warned'] for result in results):>7}",
        flush=True,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--precision", action="append", choices=("float32", "float64"), help="default: both")
    parser.add_argument("--e-step", action="append", choices=("dense", "sparse"), help="default: both")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="an option of fit_gmm")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="fits at a time")
    parser.add_argument("--verbose", action="store_true", help="name the fits that break the law")
    main(parser.parse_args())
