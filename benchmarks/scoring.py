"""How long does scoring take with many models, against scikit-learn, and by top components? One thread, D = 39, 3 s.

The second table is of models adapted from a background model, whose scores go into ratios. The last is of `speechgmm
score` on a folder of short recordings, 10 classes of 64 components, without the start of the process.
"""

import contextlib
import io
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
from goals import judge
from sklearn.mixture import GaussianMixture
from timing import interleaved, show

from speechgmm.engine.audio_input import AudioInput
from speechgmm.features import FeatureSpec
from speechgmm.gmm import DiagGMM, Stack
from speechgmm.gmm.likelihoods import WORTH_COMPILING
from speechgmm.tasks.classification import ClassModels
from speechgmm.tasks.classification.codec import save_models
from speechgmm.tasks.classification.command import Score

D, FRAMES = 39, 300
RECORDINGS, RATE = 1000, 8000


COMPILED = "speechgmm, compiled (large work)"


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
        COMPILED: lambda: large.mean_log_likelihoods(frames),
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


def folder() -> None:
    """A folder of recordings of 0.4 s, as the command scores it."""
    rng = np.random.default_rng(0)
    models = tuple(mixture(rng, 64) for _ in range(10))
    classes = ClassModels(tuple(map(str, range(10))), models, np.full(10, -np.log(10)), temperature=0.1)
    with tempfile.TemporaryDirectory() as name:
        model, recordings = Path(name) / "models.safetensors", Path(name) / "recordings"
        save_models(classes, model, audio=AudioInput(FeatureSpec(preset="kaldi", deltas=2), RATE))
        recordings.mkdir()
        for n in range(RECORDINGS):
            samples = 0.1 * rng.normal(size=round(0.4 * RATE))
            soundfile.write(recordings / f"{n}.wav", samples, RATE, subtype="PCM_16")

        def score() -> None:
            with contextlib.redirect_stdout(io.StringIO()):
                Score(model=model, audio=[recordings], quiet=True).run()

        what = "speechgmm score MODEL FOLDER"
        seconds = interleaved({what: score}, repeats=7)
    show(f"{RECORDINGS} recordings of 0.4 s, 10 classes of 64 components", seconds)
    judge("folder", 1000 * min(seconds[what]) / RECORDINGS)


def main() -> None:
    for n_models, n_components in ((100, 64), (10, 64)):
        title = f"{FRAMES} frames against {n_models} models of {n_components} components"
        seconds = interleaved(many_models(n_models, n_components), repeats=15)
        show(title, seconds)
        if n_models == 100:
            judge("scoring", 100 * min(seconds["its float32 products alone"]) / min(seconds[COMPILED]))
    for n_models, n_components in ((100, 512), (30, 512), (6, 512), (1, 512), (100, 64), (30, 2048)):
        title = f"ratios of {FRAMES} frames, {n_models} models adapted from a background model of {n_components}"
        show(title, interleaved(adapted_models(n_models, n_components), repeats=9))
    folder()


if __name__ == "__main__":
    main()
