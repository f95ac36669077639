"""How often does BIC find the number of components that frames were drawn from? 20 draws each, fixed before looking.

A draw has 2 to 8 components (2 + seed mod 7) in 4 dimensions and 1000 frames. Variances lie between 0.5 and 2, weights
between 0.5 / K and 1.5 / K before they are made to sum to 1. Every component is put at the stated distance from one
before it, in a random direction, and at no less from all others; the distance is in deviations, of the mean of both
components' variances. At 6, one frame in 740 of two equal components lies on the other's side; at 4, one in 44; at 3,
one in 15. Candidates are 1 to 12 with 5 starts.

Beside it, how often BIC itself prefers another number: that of EM from the true mixture is below that of what was
chosen. There no search would help.
"""

import numpy as np
import timing  # noqa: F401 (one BLAS thread)
from numpy.typing import NDArray

from speechgmm.gmm import DiagGMM, choose_n_components, fit_gmm
from speechgmm.gmm.criteria import penalised

DRAWS = range(100, 120)
N_FEATURES, N_FRAMES = 4, 1000


def drawn(seed: int, apart: float) -> tuple[DiagGMM, NDArray[np.float64]]:
    """A mixture, and frames of it."""
    rng = np.random.default_rng(seed)
    n_components = 2 + seed % 7
    variances = np.exp(rng.uniform(np.log(0.5), np.log(2), size=(n_components, N_FEATURES)))
    means = [np.zeros(N_FEATURES)]
    while len(means) < n_components:
        n, parent = len(means), rng.integers(len(means))
        direction = rng.normal(size=N_FEATURES)
        step = apart * np.sqrt((variances[parent] + variances[n]) / 2) * direction / np.linalg.norm(direction)
        others = np.array(means) - (means[parent] + step)
        distances = np.sqrt((others**2 / ((variances[:n] + variances[n]) / 2)).sum(axis=1))
        if distances.min() >= apart * (1 - 1e-9):
            means.append(means[parent] + step)
    weights = rng.uniform(0.5, 1.5, size=n_components)
    mixture = DiagGMM(weights / weights.sum(), np.array(means), variances)
    k = rng.choice(n_components, size=N_FRAMES, p=mixture.weights)
    return mixture, mixture.means[k] + np.sqrt(variances[k]) * rng.normal(size=(N_FRAMES, N_FEATURES))


def main() -> None:
    print("\nBIC, true K of 2 to 8, 1000 frames: found, of 20 draws")
    for name, apart in (("well apart, 6 deviations", 6.0), ("half overlapping, 4", 4.0), ("overlapping, 3", 3.0)):
        for n_starts in (1, 2, 5):
            missed, preferred = [], 0
            for seed in DRAWS:
                mixture, frames = drawn(seed, apart)
                choice = choose_n_components(frames, range(1, 13), n_starts=n_starts, seed=seed)
                found = choice.fit.model.n_components
                if found != mixture.n_components:
                    missed.append(f"{mixture.n_components} as {found}")
                    true = fit_gmm(frames, mixture.n_components, start=mixture, max_iter=100)
                    preferred += penalised(true, "bic") < penalised(choice.fit, "bic")
            told = f"; {', '.join(missed)} (in {preferred} of them BIC prefers it to the truth)" if missed else ""
            print(f"  {name}, {n_starts} starts: {20 - len(missed)}{told}", flush=True)


if __name__ == "__main__":
    main()
