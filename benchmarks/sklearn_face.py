"""What does the face of scikit-learn's estimator cost? One thread, D = 39, the same rows, start and iterations.

The estimator should take no more than 1.1 times what the package's own functions take. scikit-learn is beside them.
"""

import warnings
from collections.abc import Callable

import numpy as np
from em_iteration import D, noise, start
from goals import judge
from numpy.typing import NDArray
from sklearn.mixture import GaussianMixture as Theirs
from timing import interleaved, show, times_faster

from speechgmm import DiagGMM, fit_gmm, log_likelihoods, posteriors
from speechgmm.sklearn import GaussianMixture, to_sklearn

N_ITER = 5
Rows = NDArray[np.float32] | NDArray[np.float64]


def fits(rows: Rows, begin: DiagGMM) -> dict[str, Callable[[], object]]:
    """The same fit in three ways, from a given start."""
    k = begin.n_components
    parts = {"weights_init": begin.weights, "means_init": begin.means, "precisions_init": 1 / begin.variances}
    parts = {name: value.astype(rows.dtype) for name, value in parts.items()}
    settings = {"tol": 0.0, "max_iter": N_ITER, **parts}
    precision = rows.dtype.name
    ours = GaussianMixture(k, precision=precision, n_jobs=1, **settings)
    theirs = Theirs(k, covariance_type="diag", **settings)
    options = {"start": begin, "tol": 0.0, "max_iter": N_ITER, "floor": 1e-6, "precision": precision, "n_jobs": 1}
    return {
        "fit_gmm": lambda: fit_gmm(rows, **options),
        "speechgmm.sklearn": lambda: ours.fit(rows),
        "scikit-learn": lambda: theirs.fit(rows),
    }


def scores(rows: Rows, begin: DiagGMM) -> dict[str, dict[str, Callable[[], object]]]:
    """Log densities and posteriors of the start, in three ways."""
    ours, model = GaussianMixture.from_model(begin), begin
    theirs = to_sklearn(begin)
    return {
        "log densities": {
            "log_likelihoods": lambda: log_likelihoods(model, rows),
            "speechgmm.sklearn": lambda: ours.score_samples(rows),
            "scikit-learn": lambda: theirs.score_samples(rows),
        },
        "posteriors": {
            "posteriors": lambda: posteriors(model, rows, dtype=np.float64),
            "speechgmm.sklearn": lambda: ours.predict_proba(rows),
            "scikit-learn": lambda: theirs.predict_proba(rows),
        },
    }


def main() -> None:
    warnings.simplefilter("ignore")
    costs = []
    for n_rows, n_components, repeats in ((2000, 8, 99), (20_000, 64, 21), (20_000, 512, 7)):
        single = noise(n_rows)
        begin = start(single, n_components)
        for rows in (single, single.astype(np.float64)):
            size = f"{n_rows} rows of {D} columns, {rows.dtype}, {n_components} components"
            seconds = interleaved(fits(rows, begin), repeats)
            show(f"{N_ITER} iterations of EM, {size}", seconds)
            costs.append(times_faster(seconds, "fit_gmm", "speechgmm.sklearn"))
        for what, contestants in scores(rows, begin).items():
            show(f"{what}, {size}", interleaved(contestants, repeats))
    judge("sklearn_face", max(costs))


if __name__ == "__main__":
    main()
