"""How long does one EM iteration take, against scikit-learn? One thread each, D = 39, frames of standardised noise."""

import warnings
from collections.abc import Callable

import numpy as np
from sklearn.mixture import GaussianMixture
from timing import interleaved, show

from speechgmm.gmm import ConjugatePrior, DiagGMM, block_size, fit_em, prepare

D = 39


def contestants(n_frames: int, n_components: int) -> dict[str, Callable[[], object]]:
    rng = np.random.default_rng(0)
    frames = rng.normal(size=(n_frames, D)).astype(np.float32)
    start = DiagGMM(
        np.full(n_components, 1 / n_components),
        frames[:n_components].astype(np.float64),
        np.ones((n_components, D)),
    )
    batches = prepare(frames, block=block_size(n_frames, D, n_components))
    prior = ConjugatePrior.flat(n_components, D)

    def ours() -> object:
        return fit_em(start, batches, prior, max_iter=0, tol=0, floor=0.01)

    def theirs(dtype: type) -> Callable[[], object]:
        values = frames.astype(dtype)
        model = GaussianMixture(
            n_components,
            covariance_type="diag",
            max_iter=1,
            weights_init=start.weights.astype(dtype),
            means_init=start.means.astype(dtype),
            precisions_init=np.ones((n_components, D), dtype),
        )
        model._initialize_parameters(values, np.random.RandomState(0))

        def iteration() -> None:
            _, log_resp = model._e_step(values)
            model._m_step(values, log_resp)

        return iteration

    return {
        "speechgmm, float32": ours,
        "scikit-learn, float64": theirs(np.float64),
        "scikit-learn, float32": theirs(np.float32),
    }


def main() -> None:
    warnings.simplefilter("ignore")
    for n_frames, n_components in ((100_000, 512), (200_000, 64), (5_000, 16)):
        title = f"one EM iteration, {n_frames} frames, {n_components} components (frames prepared, one thread)"
        show(title, interleaved(contestants(n_frames, n_components), repeats=5))


if __name__ == "__main__":
    main()
