"""How long does scoring take with many models, against scikit-learn, and by top components? One thread, D = 39, 3 s.

The second table is of models adapted from a background model, whose scores go into ratios.
"""

from collections.abc import Callable

import numpy as np
from sklearn.mixture import GaussianMixture
from timing import interleaved, show

from speechgmm.gmm import DiagGMM, Stack
from speechgmm.gmm.likelihoods import WORTH_COMPILING
from speechgmm.tasks.classification import ClassModels

D, FRAMES = 39, 300


def mixture(rng: np.random.Generator, n_components: int) -> DiagGMM:
    return DiagGMM(
        rng.dirichlet(np.full(n_components, 5.0)),
        rng.normal(size=(n_components, D)),
        rng.uniform(0.3, 1.5, size=(n_components, D)),
    )


def scikit_learns(model: DiagGMM) -> GaussianMixture:
    same = GaussianMixture(model.n_components, covariance_type="diag")
    same.weights_, same.means_, same.covariances_ = model.weights, model.means, model.variances
    same.precisions_cholesky_ = 1 / np.sqrt(model.variances)
    return same


def many_models(n_models: int, n_components: int) -> dict[str, Callable[[], object]]:
    rng = np.random.default_rng(0)
    models = tuple(mixture(rng, n_components) for _ in range(n_models))
    frames = rng.normal(size=(FRAMES, D)).astype(np.float32)
    classes = ClassModels(tuple(map(str, range(n_models))), models, np.full(n_models, -np.log(n_models)))
    large = classes.suited_to(WORTH_COMPILING)
    double = Stack.of(models, precision="float64")
    theirs = [scikit_learns(model) for model in models]
    wide = frames.astype(np.float64)
    expected = [model.score_samples(wide).mean() for model in theirs]
    np.testing.assert_allclose(classes.mean_log_likelihoods(frames), expected, rtol=1e-7)
    # The one product that all exact scores need: nothing can be faster by more than this.
    factors, columns = np.ones((640, 2 * D + 1), np.float32), np.ones((2 * D + 1, FRAMES), np.float32)
    scores = np.empty((640, FRAMES), np.float32)

    def products() -> None:
        for _ in range(n_models * n_components // 640):
            np.dot(factors, columns, out=scores)

    return {
        "speechgmm": lambda: classes.mean_log_likelihoods(frames),
        "speechgmm, compiled (large work in a run)": lambda: large.mean_log_likelihoods(frames),
        "speechgmm, float64": lambda: double.log_likelihoods(frames).mean(axis=1),
        "its float32 products alone": products,
        "scikit-learn, float64": lambda: [model.score_samples(wide).mean() for model in theirs],
    }


def adapted_models(n_models: int, n_components: int) -> dict[str, Callable[[], object]]:
    rng = np.random.default_rng(0)
    ubm = mixture(rng, n_components)
    models = tuple(
        DiagGMM(ubm.weights, ubm.means + 0.3 * np.sqrt(ubm.variances) * rng.normal(size=ubm.means.shape), ubm.variances)
        for _ in range(n_models)
    )
    frames = (ubm.means[rng.integers(n_components, size=FRAMES)] + rng.normal(size=(FRAMES, D))).astype(np.float32)

    def by(top: int | None) -> Callable[[], object]:
        labels, priors = tuple(map(str, range(n_models))), np.full(n_models, -np.log(n_models))
        classes = ClassModels(labels, models, priors, ubm=ubm, top_components=top)
        return lambda: classes.mean_log_likelihood_ratios(frames)

    return {"all components": by(None), **{f"top {top} components": by(top) for top in (5, 10, 20)}}


def main() -> None:
    for n_models, n_components in ((100, 64), (10, 64)):
        title = f"{FRAMES} frames against {n_models} models of {n_components} components"
        show(title, interleaved(many_models(n_models, n_components), repeats=15))
    for n_models, n_components in ((100, 512), (30, 512), (6, 512), (1, 512), (100, 64), (30, 2048)):
        title = f"ratios of {FRAMES} frames, {n_models} models adapted from a background model of {n_components}"
        show(title, interleaved(adapted_models(n_models, n_components), repeats=9))


if __name__ == "__main__":
    main()
