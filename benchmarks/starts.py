"""Is our start as good as scikit-learn's defaults, on tables and clusters as on speech? Held-out likelihood of both.

Tables: 13 of `table_sets.py` x 3 seeds. MFCC: 31 sets of `frame_sets.py`, with the first seed. Blobs: 20 draws each of
eight well apart in 2-D and ten in 5-D; found is a draw in which each true centre has exactly one component mean within
1 deviation, of a weight between half and twice the true one. scikit-learn has its defaults (diagonal, k-means start, at
most 100 iterations, tol 1e-3) in float64, ours what `--set` says. Both fits have one thread; times are of one run.

    python benchmarks/starts.py --set max_iter=100 --set init=kmeans++ --part tables --reference /tmp/theirs.json
"""

import argparse
import ast
import json
import os
import time
import warnings
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import sklearn
from frame_sets import frame_sets
from sklearn.mixture import GaussianMixture
from table_sets import TABLES, blobs, table
from threadpoolctl import threadpool_limits

from speechgmm.errors import SpeechGMMError
from speechgmm.gmm import fit_gmm, log_likelihoods, warm_up

PARTS = ("tables", "mfcc", "blobs")
LOST = 0.01  # nats a frame
DRAWS = range(20)


def cases(part: str, seeds: list[int]) -> Iterator[tuple[Any, int]]:
    """What is fitted, and the seed of the fits."""
    if part == "tables":
        yield from ((table(name, seed), seed) for name in TABLES for seed in seeds)
    elif part == "mfcc":
        yield from ((frames, seeds[0]) for frames in frame_sets(seeds[0]))
    else:
        first = 100 * seeds[0]
        yield from ((blobs(name, first + n), first + n) for name in ("eight blobs", "ten in 5-D") for n in DRAWS)


def all_found(means: Any, weights: Any, centres: Any) -> bool:
    """Whether each centre has exactly one component within 1 deviation, and that the weight of its blob."""
    near = np.linalg.norm(means[:, None] - centres, axis=2) < 1  # (components, centres)
    shares = len(centres) * (weights @ near)
    return bool((near.sum(axis=0) == 1).all() and (shares > 0.5).all() and (shares < 2).all())


def theirs(case: Any, seed: int) -> dict[str, Any]:
    """scikit-learn's fit: held-out likelihood, seconds, iterations."""
    train, held_out = case.train.astype(np.float64), case.held_out.astype(np.float64)
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        begun = time.perf_counter()
        model = GaussianMixture(case.n_components, covariance_type="diag", random_state=seed).fit(train)
        seconds = time.perf_counter() - begun
        score = float(model.score(held_out)) if len(held_out) else 0.0
    found = _found(case, model.means_, model.weights_)
    return {"score": score, "seconds": seconds, "converged": bool(model.converged_), "found": found}


def ours(case: Any, seed: int, settings: dict[str, Any]) -> dict[str, Any]:
    """Our fit: the same, and the share of the variances that the floor holds; a refusal is a score of -inf."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _compiled()
        begun = time.perf_counter()
        try:
            fit = fit_gmm(case.train, case.n_components, seed=seed, **settings)
        except SpeechGMMError as error:
            return {"score": -np.inf, "seconds": 0.0, "converged": False, "found": False, "refused": str(error)}
        seconds = time.perf_counter() - begun
        held_out = case.held_out
        score = float(log_likelihoods(fit.model.log_linear(), held_out).mean()) if len(held_out) else 0.0
    found = _found(case, fit.model.means, fit.model.weights)
    floored = fit.floored / fit.model.means.size
    return {"score": score, "seconds": seconds, "converged": fit.converged, "found": found, "floored": floored}


def _found(case: Any, means: Any, weights: Any) -> bool:
    centres = getattr(case, "centres", None)
    return centres is not None and all_found(means, weights, centres)


def _compiled() -> None:
    """What a process does once, before the clock starts."""
    for precision in ("float32", "float64"):
        warm_up(precision)
    fit_gmm(np.arange(20.0)[:, None], 2, max_iter=1)


def _key(case: Any, seed: int) -> str:
    digest = blake2b(np.ascontiguousarray(case.train).tobytes(), digest_size=8)
    digest.update(np.ascontiguousarray(case.held_out).tobytes())
    return f"{case.name}/{case.n_components}/{seed}/{digest.hexdigest()}/scikit-learn {sklearn.__version__}"


def main(options: argparse.Namespace) -> None:
    settings = dict(setting(text) for text in options.set)
    seeds = [int(seed) for seed in options.seeds.split(",")]
    known = json.loads(options.reference.read_text()) if options.reference and options.reference.exists() else {}
    told = ", ".join(f"{name} {value}" for name, value in settings.items()) or "defaults"
    print(f"\nours ({told}) against scikit-learn's defaults; OPENBLAS_CORETYPE {os.environ.get('OPENBLAS_CORETYPE')}")
    for part in options.part or PARTS:
        listed = list(cases(part, seeds))
        if not listed:
            continue
        keys = [_key(*pair) for pair in listed]
        with joblib.parallel_config("loky", n_jobs=options.jobs, inner_max_num_threads=1):
            new = [n for n, key in enumerate(keys) if key not in known]
            run = joblib.Parallel()(joblib.delayed(theirs)(*listed[n]) for n in new)
            known |= {keys[n]: result for n, result in zip(new, run, strict=True)}
            if options.reference and new:
                options.reference.write_text(json.dumps(known, indent=0))
            mine = joblib.Parallel()(joblib.delayed(ours)(case, seed, settings) for case, seed in listed)
        show(part, [case.name for case, _ in listed], mine, [known[key] for key in keys])


def show(part: str, names: list[str], mine: list[dict[str, Any]], other: list[dict[str, Any]]) -> None:
    """A line for each data set, and one for all."""
    print(f"\n{part}: nats per held-out frame, ours minus scikit-learn's" if part != "blobs" else "\nblobs")
    refused = {f"  {name} is refused: {r['refused']}" for name, r in zip(names, mine, strict=True) if "refused" in r}
    print("\n".join(sorted(refused)), end="\n" if refused else "")
    rows = {name: [n for n, other_name in enumerate(names) if other_name == name] for name in names}
    if part == "blobs":
        for name, which in rows.items():
            told = [f"{sum(results[n]['found'] for n in which)}" for results in (mine, other)]
            print(f"  {name}: found by ours {told[0]}, by scikit-learn {told[1]} of {len(which)}")
    else:
        print(f"  {'':<28}{'mean':>9}{'worst':>9}{'lost':>6}{'of':>4}{'floored':>9}{'converged':>11}")
        for name, which in rows.items():
            _line(name, [mine[n] for n in which], [other[n] for n in which])
        _line("all", mine, other)
    seconds = [sum(result["seconds"] for result in results) for results in (mine, other)]
    print(f"  seconds: ours {seconds[0]:.1f}, scikit-learn {seconds[1]:.1f}", flush=True)


def _line(name: str, mine: list[dict[str, Any]], other: list[dict[str, Any]]) -> None:
    gains = np.array([a["score"] - b["score"] for a, b in zip(mine, other, strict=True)])
    floored = np.mean([result.get("floored", 0.0) for result in mine])
    converged = f"{sum(result['converged'] for result in mine)}"
    print(
        f"  {name:<28}{gains.mean():>9.3f}{gains.min():>9.3f}{(gains < -LOST).sum():>6}{len(gains):>4}"
        f"{100 * floored:>7.1f} %{converged:>11}"
    )


def setting(text: str) -> tuple[str, Any]:
    """``key=value`` of the command line; a value that is no Python literal is a string."""
    name, _, value = text.partition("=")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="an option of fit_gmm")
    parser.add_argument("--part", action="append", choices=PARTS, help="may be repeated; default: all")
    parser.add_argument("--seeds", default="0,1,2", help="choose on others than those reported (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=1, help="fits at a time")
    parser.add_argument("--reference", type=Path, help="a JSON file that keeps scikit-learn's results between runs")
    main(parser.parse_args())
