"""How fast is EM with full, tied, spherical and diagonal covariances beside scikit-learn's? One thread, float64.

The same rows, start and iterations for both, in turns. Both end at the same log-likelihood, which is checked.
"""

import argparse
import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sklearn.mixture import GaussianMixture as Theirs
from timing import interleaved, show, times_faster

from speechgmm import DiagGMM, fit_gmm
from speechgmm.gmm.families import COVARIANCES, FAMILIES, Covariance

N_ITER = 5
SIZES = ((20_000, 13, 8), (20_000, 39, 16), (20_000, 39, 64), (5_000, 192, 4))
"""Rows, dimensions and components."""


def rows_and_start(n_rows: int, n_features: int, n_components: int) -> tuple[NDArray[np.float64], DiagGMM]:
    """Rows of a mixture with correlated dimensions, and a start at some of them."""
    rng = np.random.default_rng(0)
    roots = np.eye(n_features) + 0.3 * rng.normal(size=(n_components, n_features, n_features)) / np.sqrt(n_features)
    means, component = 1.5 * rng.normal(size=(n_components, n_features)), rng.integers(n_components, size=n_rows)
    rows = rng.normal(size=(n_rows, n_features))
    for k in range(n_components):
        rows[component == k] = rows[component == k] @ roots[k] + means[k]
    spread = np.tile(rows.var(axis=0), (n_components, 1))
    return rows, DiagGMM(np.full(n_components, 1 / n_components), rows[:n_components], spread)


def contestants(rows: NDArray[np.float64], start: DiagGMM, covariance: Covariance) -> dict[str, Callable[[], float]]:
    """The same fit by both, each returning its mean log-likelihood."""
    begin = FAMILIES[covariance].start(start)
    if FAMILIES[covariance].is_diagonal:
        precisions = 1 / (begin.variances[:, 0] if covariance == "spherical" else begin.variances)
    else:
        inverse = np.linalg.inv(begin.covariances)
        precisions = inverse[0] if covariance == "tied" else inverse
    given = {"weights_init": start.weights, "means_init": start.means, "precisions_init": precisions}
    theirs = Theirs(start.n_components, covariance_type=covariance, tol=0.0, max_iter=N_ITER, **given)
    options = {"max_iter": N_ITER, "tol": 0.0, "floor": 1e-6, "overrelaxed": False, "precision": "float64", "n_jobs": 1}
    return {
        "fit_gmm": lambda: fit_gmm(rows, start=start, covariance=covariance, **options).trace[-1],
        "scikit-learn": lambda: theirs.fit(rows).score(rows),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    for size in SIZES:
        rows, start = rows_and_start(*size)
        for covariance in COVARIANCES:
            fits = contestants(rows, start, covariance)
            ours, theirs = (fit() for fit in fits.values())
            assert abs(ours - theirs) < 1e-3, f"{covariance}: {ours} and {theirs} nats per row"
            seconds = interleaved(fits, options.repeats)
            show(
                f"{N_ITER} iterations, {covariance}, {size[0]} rows of {size[1]} columns, {size[2]} components", seconds
            )
            print(f"  fit_gmm is {times_faster(seconds, 'fit_gmm', 'scikit-learn'):.2f} times as fast", flush=True)


if __name__ == "__main__":
    main()
