"""How long does an EM iteration of 100 small classes take? 5,000 frames and 16 components each, one thread.

Ours is the whole iteration, update included: what six iterations take more than one, by 5, the least of each and the
median of each. Class after class, as training goes; frames laid out before.
"""

import warnings
from collections.abc import Callable
from statistics import median

import numpy as np
from em_iteration import D, noise, scikit_learn, start
from goals import judge
from timing import interleaved, limit, show

from speechgmm.gmm import ConjugatePrior, block_size, fit_em, prepare

CLASSES, FRAMES, COMPONENTS = 100, 5000, 16


def iterations(n: int) -> Callable[[], object]:
    prior = ConjugatePrior.flat(COMPONENTS, D)
    tasks = []
    for seed in range(CLASSES):
        frames = noise(FRAMES, seed)
        tasks.append((start(frames, COMPONENTS), prepare(frames, block=block_size(FRAMES, D, COMPONENTS))))

    def run() -> None:
        for model, batches in tasks:
            fit_em(model, batches, prior, max_iter=n, tol=0, floor=0.01)

    return run


def all_of(runs: list[Callable[[], object]]) -> Callable[[], object]:
    return lambda: [run() for run in runs]


def main() -> None:
    warnings.simplefilter("ignore")
    frames = [noise(FRAMES, seed) for seed in range(CLASSES)]
    found = interleaved(
        {
            "one": iterations(1),
            "six": iterations(6),
            "scikit-learn, float64": all_of([scikit_learn(part, COMPONENTS, np.float64) for part in frames]),
            "scikit-learn, float32": all_of([scikit_learn(part, COMPONENTS, np.float32) for part in frames]),
        },
        repeats=7,
    )
    one, six = found.pop("one"), found.pop("six")
    least, usual = (min(six) - min(one)) / 5, (median(six) - median(one)) / 5
    ours = [least, usual, usual]
    title = f"a whole EM iteration of {CLASSES} classes, {FRAMES} frames and {COMPONENTS} components each"
    bound = CLASSES * limit(FRAMES, COMPONENTS, D)
    show(title, {"speechgmm, float32": ours, **found}, bound)
    judge("many_classes", 100 * bound / least)


if __name__ == "__main__":
    main()
