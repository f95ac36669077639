"""How long does one pass of EM take, against scikit-learn and against the machine? One thread, D = 39.

Frames are laid out before the clock starts, as training does once for all iterations. The limit is two products at the
rate of a large one and a power of two for every posterior, both measured in this process.
"""

import warnings
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
from goals import judge
from numpy.typing import NDArray
from sklearn.mixture import GaussianMixture
from timing import interleaved, limit, show

from speechgmm.gmm import ConjugatePrior, DiagGMM, block_size, fit_em, prepare

D = 39
Floats = NDArray[np.float64]


def noise(n_frames: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(n_frames, D)).astype(np.float32)


def start(frames: NDArray[np.float32], n_components: int) -> DiagGMM:
    uniform = np.full(n_components, 1 / n_components)
    return DiagGMM(uniform, frames[:n_components].astype(np.float64), np.ones((n_components, D)))


def ours(frames: NDArray[np.float32], n_components: int) -> Callable[[], object]:
    model, prior = start(frames, n_components), ConjugatePrior.flat(n_components, D)
    batches = prepare(frames, block=block_size(len(frames), D, n_components))

    return lambda: fit_em(model, batches, prior, max_iter=0, tol=0, floor=0.01)


def scikit_learn(frames: NDArray[np.float32], n_components: int, dtype: type) -> Callable[[], object]:
    values, model = frames.astype(dtype), start(frames, n_components)
    theirs = GaussianMixture(
        n_components,
        covariance_type="diag",
        weights_init=model.weights.astype(dtype),
        means_init=model.means.astype(dtype),
        precisions_init=np.ones((n_components, D), dtype),
    )
    theirs._initialize_parameters(values, np.random.RandomState(0))

    def iteration() -> None:
        _, log_posteriors = theirs._e_step(values)
        theirs._m_step(values, log_posteriors)

    return iteration


def torch_one_liner(frames: NDArray[np.float32], n_components: int) -> Callable[[], object]:
    import torch

    torch.set_num_threads(1)
    model = start(frames, n_components).log_linear()
    x = torch.from_numpy(frames)
    both = torch.cat([x, x * x], dim=1)
    factors = torch.from_numpy(np.hstack([model.linear, model.quadratic]).astype(np.float32))
    const = torch.from_numpy(model.const.astype(np.float32))
    return lambda: torch.softmax(torch.addmm(const, both, factors.T), dim=1).T @ both


def contestants(n_frames: int, n_components: int) -> dict[str, Callable[[], object]]:
    frames = noise(n_frames)
    found = {
        "speechgmm, float32": ours(frames, n_components),
        "scikit-learn, float64": scikit_learn(frames, n_components, np.float64),
        "scikit-learn, float32": scikit_learn(frames, n_components, np.float32),
    }
    if find_spec("torch"):
        found["torch, softmax between two products"] = torch_one_liner(frames, n_components)
    return found


def main() -> None:
    warnings.simplefilter("ignore")
    for n_frames, n_components in ((100_000, 512), (200_000, 64), (40_000, 2048)):
        title = f"one pass of EM, {n_frames} frames, {n_components} components"
        found = interleaved(contestants(n_frames, n_components), repeats=5)
        least = limit(n_frames, n_components, D)
        show(title, found, least)
        judge(f"e_step_{n_components}", 100 * least / min(found["speechgmm, float32"]))


if __name__ == "__main__":
    main()
