"""Digits from few recordings: maximum likelihood against variational Bayes, and what either makes of 1.5 seconds.

    python recipes/few_recordings.py PLACE_OF_FSDD FOLDER

Training recordings are drawn from numbers 10 to 29 of every speaker and digit of FSDD, the test is the official one
(numbers 0 to 4). Settings were chosen on numbers 30 to 49. Prints a table, and draws two densities of the same frames.
"""

import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import typer
from numpy.typing import NDArray

import speechgmm as sg
from speechgmm.errors import FitWarning
from speechgmm.gmm import BayesianGMM, log_likelihoods

Frames = NDArray[np.float32]
Recordings = Mapping[tuple[int, str, int], Frames]

BY_LIKELIHOOD: dict[int, dict[str, Any]] = {
    3: {"n_components": 16, "variance_floor": 0.8},
    10: {"n_components": 64, "variance_floor": 0.5},
    30: {"n_components": 64, "variance_floor": 0.3},
}
"""What preferred for so many recordings of a digit, of 8 to 64 components and floors of 0.01 to 0.8."""

T_95 = 2.262
"""Quantile of Student's t for the mean of ten draws."""


def main(root: Path, folder: Path, sizes: str = "3,10,30", draws: int = 10) -> None:
    """Train on few recordings of every digit, several times, and test."""
    spec = sg.FeatureSpec(preset="kaldi", deltas=2)
    recordings: dict[tuple[int, str, int], Frames] = {}
    for path in sorted((root / "recordings").glob("*.wav")):
        digit, speaker, index = path.stem.split("_")
        samples, rate = soundfile.read(path, dtype="float32")
        recordings[int(digit), speaker, int(index)] = sg.extract(spec, samples, rate)
    folder.mkdir(parents=True, exist_ok=True)
    picture(recordings, folder / "few-recordings.png")
    tests = [(key[0], frames) for key, frames in recordings.items() if key[2] < 5]
    print("recordings of each digit  estimation                        right (%)    against EM chosen   in use")
    for size in map(int, sizes.split(",")):
        right: dict[str, list[float]] = {}
        used: list[int] = []
        for draw in range(draws):
            training = drawn(recordings, size, np.random.default_rng(1000 + draw))
            bayes = by_bayes(training)
            used += [posterior.n_in_use for posterior in bayes.bayesian or ()]
            systems = {
                "EM, defaults": sg.train_classes(training),
                "EM, settings chosen for the size": by_likelihood(training, **BY_LIKELIHOOD[size]),
                "variational Bayes, defaults": bayes,
            }
            for name, models in systems.items():
                share = np.mean([models.classify(frames) == str(digit) for digit, frames in tests])
                right.setdefault(name, []).append(100 * float(share))
        chosen = np.array(right["EM, settings chosen for the size"])
        for name, shares in right.items():
            values, paired = np.array(shares), np.array(shares) - chosen
            margin, moved = (T_95 * one.std(ddof=1) / np.sqrt(draws) for one in (values, paired))
            count = f"{np.mean(used):.1f} of 32" if "Bayes" in name else ""
            print(
                f"{size:24}  {name:32}  {values.mean():5.1f} ± {margin:3.1f}  {paired.mean():+8.1f} ± {moved:3.1f}    "
                f"  {count}",
                flush=True,
            )


def drawn(recordings: Recordings, size: int, rng: np.random.Generator) -> dict[str, Frames]:
    """The frames of so many recordings of each digit, whoever said them."""
    parts = {}
    for digit in range(10):
        keys = [key for key in recordings if key[0] == digit and 10 <= key[2] < 30]
        parts[str(digit)] = np.concatenate([recordings[keys[n]] for n in rng.choice(len(keys), size, replace=False)])
    return parts


def by_likelihood(training: Mapping[str, Frames], n_components: int, variance_floor: float) -> sg.ClassModels:
    """A mixture per class by EM, of no more components than half its frames."""
    most = min(n_components, min(len(frames) for frames in training.values()) // 2)
    with warnings.catch_warnings():
        # With a floor so high that components are alike, more of them were better than their frames can estimate.
        warnings.simplefilter("ignore", FitWarning)
        return sg.train_classes(training, most, variance_floor=variance_floor)


def by_bayes(training: Mapping[str, Frames], n_components: int = 32) -> sg.ClassModels:
    """A posterior per class; the prior of all from the frames of all, as in a run with estimator: variational."""
    every = np.concatenate(list(training.values())).astype(np.float64)
    prior = BayesianGMM.around(every.mean(axis=0), every.var(axis=0), n_components)
    fits = [sg.fit_variational(frames, prior=prior, tol=1e-4) for frames in training.values()]
    return sg.ClassModels(
        tuple(training),
        tuple(fit.model for fit in fits),
        np.full(len(fits), -np.log(len(fits))),
        bayesian=tuple(fit.posterior for fit in fits),
    )


def picture(recordings: Recordings, path: Path) -> None:
    """Two densities of the first two cepstra of three recordings, with frames that neither has seen."""
    from matplotlib.figure import Figure

    from speechgmm.plots import save_figure

    def cepstra(indices: Sequence[int]) -> Frames:
        return np.concatenate([recordings[7, "theo", index][:, 1:3] for index in indices])

    seen, unseen = cepstra(range(10, 13)), cepstra(range(30, 50))
    likely = sg.fit_gmm(seen, 16)
    bayes = sg.fit_variational(seen, 16)
    low, high = unseen.min(axis=0) - 2, unseen.max(axis=0) + 2
    x, y = np.meshgrid(np.linspace(low[0], high[0], 240), np.linspace(low[1], high[1], 240))
    grid = np.column_stack([x.ravel(), y.ravel()])
    figure = Figure(figsize=(9, 4.2), layout="constrained")
    axes = figure.subplots(1, 2, sharex=True, sharey=True)
    for one, score, name in (
        (axes[0], partial(log_likelihoods, likely.model.log_linear()), "EM, 16 components"),
        (axes[1], bayes.log_likelihoods, f"variational Bayes, {bayes.n_in_use} of 16 components in use"),
    ):
        logs = score(grid).reshape(x.shape)
        levels = np.arange(-14, 0, 1)
        one.contourf(x, y, np.maximum(logs, levels[0]), levels=levels, cmap="Blues", extend="max")
        one.plot(*unseen.T, ".", color="0.35", markersize=2, label="other recordings")
        one.plot(*seen.T, ".", color="#c0392b", markersize=5, label="trained on")
        found = score(unseen).mean()
        one.set_title(f"{name}\nother recordings: {found:.2f} nats per frame", loc="left", fontsize=10)
        one.set_xlabel("first cepstrum")
    axes[0].set_ylabel("second cepstrum")
    axes[1].legend(loc="lower right", fontsize=8)
    save_figure(figure, path)


if __name__ == "__main__":
    warnings.simplefilter("ignore", FitWarning)  # few frames are what this is about
    typer.run(main)
