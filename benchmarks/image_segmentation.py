"""How long does a pass of EM take on the pixels of a photograph, against scikit-learn; and do both end alike.

One megapixel of two photographs, seven features a pixel (Lab, texture at two scales, position), six components, equal
starts, plain EM on both sides, all likelihoods of all pixels in float64. scikit-learn adds reg_covar to every variance,
we hold every variance above a floor, both 1e-3 of a feature's variance over the image: these are two models, whose
likelihoods differ where variances are small (second line). For the first line scikit-learn's own E and M steps run
with reg_covar 0 and its variances are held above our floor after each, so that only the arithmetic differs.

    python benchmarks/image_segmentation.py        # some minutes
"""

import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import skimage.data
from numpy.typing import NDArray
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits
from timing import about_machine, interleaved, show

from speechgmm.gmm import ConjugatePrior, DiagGMM, block_size, fit_em, initial_model, log_likelihoods, prepare
from speechgmm.images import PixelSpace, PixelSpec, pixel_features

K = 6
REGULARISATION = 1e-3
ITERATIONS = 20
Frames = NDArray[np.float32]


def photographs() -> dict[str, NDArray[np.float32]]:
    """One megapixel each: the middle of a retina, with its flat black rim, and an astronaut, enlarged."""
    retina = skimage.data.retina()[:1000, 200:1200] / 255
    astronaut = np.repeat(np.repeat(skimage.data.astronaut(), 2, axis=0), 2, axis=1)[:1000, :1000] / 255
    return {"retina": retina.astype(np.float32), "astronaut, enlarged": astronaut.astype(np.float32)}


def pixels(image: NDArray[np.float32]) -> Frames:
    spec = PixelSpec(colour=1, texture=1, position=1)
    features = pixel_features(image, spec).reshape(-1, spec.n_features)
    return PixelSpace.of(features, spec).standard(features)


def scikit_learn(frames: Frames, start: DiagGMM, dtype: type) -> tuple[GaussianMixture, Callable[[], object]]:
    values = frames.astype(dtype)
    theirs = GaussianMixture(
        K,
        covariance_type="diag",
        reg_covar=REGULARISATION,
        max_iter=ITERATIONS,
        tol=0,
        weights_init=start.weights.astype(dtype),
        means_init=start.means.astype(dtype),
        precisions_init=(1 / start.variances).astype(dtype),
    )
    theirs._initialize_parameters(values, np.random.RandomState(0))

    def iteration() -> None:
        _, log_posteriors = theirs._e_step(values)
        theirs._m_step(values, log_posteriors)

    return theirs, iteration


def floored_scikit_learn(frames: Frames, start: DiagGMM) -> DiagGMM:
    """scikit-learn's E and M steps with our floor in the place of what it adds."""
    theirs, iteration = scikit_learn(frames, start, np.float64)
    theirs.reg_covar = 0.0
    for _ in range(ITERATIONS):
        iteration()
        theirs.covariances_ = np.maximum(theirs.covariances_, REGULARISATION)
        theirs.precisions_cholesky_ = 1 / np.sqrt(theirs.covariances_)
    return DiagGMM(theirs.weights_, theirs.means_, theirs.covariances_)


def as_it_is(frames: Frames, start: DiagGMM) -> DiagGMM:
    theirs = scikit_learn(frames, start, np.float64)[0].fit(frames.astype(np.float64))
    return DiagGMM(theirs.weights_, theirs.means_, theirs.covariances_)


def main() -> None:
    warnings.simplefilter("ignore")
    print(about_machine())
    floor = np.full(7, REGULARISATION)
    for name, image in photographs().items():
        frames = pixels(image)
        rng = np.random.default_rng(0)
        start = initial_model(frames, K, method="kmeans++", rng=rng, floor=floor)
        batches = prepare(frames, block=block_size(len(frames), frames.shape[1], K))
        flat = ConjugatePrior.flat(K, frames.shape[1])
        for threads in (1, 2):
            with threadpool_limits(threads), ThreadPoolExecutor(threads) as pool:
                spread = map if threads == 1 else pool.map
                ours = partial(fit_em, start, batches, flat, max_iter=0, tol=0, floor=floor, map=spread)
                contestants: dict[str, Callable[[], object]] = {
                    "speechgmm": ours,
                    "scikit-learn, float64": scikit_learn(frames, start, np.float64)[1],
                    "scikit-learn, float32": scikit_learn(frames, start, np.float32)[1],
                }
                show(f"{name}: a pass of EM, {threads} thread{'s'[: threads - 1]}", interleaved(contestants, repeats=5))
        fit = fit_em(start, batches, flat, max_iter=ITERATIONS, tol=0, floor=floor)
        own = float(log_likelihoods(fit.model, frames).mean())
        print(
            f"  after {ITERATIONS} iterations {own:.6f} nats a pixel; {fit.floored} of {fit.model.variances.size} "
            "variances at the floor"
        )
        for title, other in (
            ("scikit-learn's steps, the same floor", floored_scikit_learn(frames, start)),
            ("scikit-learn as it is, reg_covar added", as_it_is(frames, start)),
        ):
            value = float(log_likelihoods(other, frames).mean())
            print(f"    {title:<40}{value:.6f}, difference {own - value:+.6f}", flush=True)


if __name__ == "__main__":
    main()
