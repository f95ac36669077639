"""Two threads against one, for a large mixture and for many small ones, and ``n_jobs`` of the functions in Python."""

from functools import partial

from em_iteration import D, noise, start
from goals import judge
from timing import interleaved, show, times_faster

from speechgmm import train_classes
from speechgmm.gmm import ConjugatePrior, block_size, fit_em, fit_gmm, prepare
from speechgmm.parallel import pmap, thread_pool


def spread(n_jobs: int):  # type: ignore[no-untyped-def]
    return partial(pmap, n_jobs=n_jobs, backend="threads")


def one_model(n_frames: int, n_components: int) -> None:
    frames = noise(n_frames)
    model, prior = start(frames, n_components), ConjugatePrior.flat(n_components, D)
    batches = prepare(frames, block=block_size(n_frames, D, n_components))

    def run(n_jobs: int) -> object:
        with thread_pool(n_jobs) as spread:
            return fit_em(model, batches, prior, max_iter=19, tol=0, floor=0.01, map=spread)

    found = interleaved({"two threads": lambda: run(2), "one thread": lambda: run(1)}, repeats=5)
    show(f"20 passes over {n_frames} frames, {n_components} components", found)
    if n_components == 64:
        judge("threads_64", times_faster(found, "two threads", "one thread"))


def many_models() -> None:
    prior = ConjugatePrior.flat(16, D)
    tasks = []
    for seed in range(24):
        frames = noise(5000, seed)
        tasks.append((start(frames, 16), prepare(frames, block=block_size(5000, D, 16))))

    def fit(task) -> object:  # type: ignore[no-untyped-def]
        return fit_em(*task, prior, max_iter=20, tol=0, floor=0.01)

    found = interleaved(
        {name: (lambda n=n: list(spread(n)(fit, tasks))) for name, n in (("two threads", 2), ("one thread", 1))},
        repeats=5,
    )
    show("20 iterations of 24 classes, 5000 frames and 16 components each", found)
    judge("threads_16", times_faster(found, "two threads", "one thread"))


def in_python() -> None:
    frames = noise(200_000)
    found = interleaved(
        {f"n_jobs={n}": (lambda n=n: fit_gmm(frames, 64, max_iter=20, tol=0, n_jobs=n)) for n in (2, 1)}, repeats=3
    )
    show("fit_gmm: 200000 frames, 64 components, 20 iterations", found)
    classes = {str(seed): noise(5000, seed) for seed in range(24)}
    found = interleaved(
        {f"n_jobs={n}": (lambda n=n: train_classes(classes, 16, max_iter=40, tol=0, n_jobs=n)) for n in (2, 1)},
        repeats=3,
    )
    show("train_classes: 24 classes of 5000 frames, 16 components, 40 iterations", found)


def main() -> None:
    one_model(100_000, 512)
    one_model(200_000, 64)
    many_models()
    in_python()


if __name__ == "__main__":
    main()
