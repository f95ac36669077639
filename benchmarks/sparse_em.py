"""What do active components save, and what does leaving the others out change? Real speech, one thread.

A sparse pass sees only the components that were active in a block of frames at the last full pass, which costs somewhat
more than a plain one; of 8 passes one is full.
"""

import numpy as np
from em_iteration import D, Floats
from speech import divided, recordings
from timing import interleaved, limit, show

from speechgmm.gmm import GMMStats, accumulate, block_size, fit_gmm, prepare
from speechgmm.gmm.active import BLOCK, arranged
from speechgmm.gmm.frames import as_source, moments
from speechgmm.gmm.kernels import survey
from speechgmm.gmm.layout import batches


def variances(stats: GMMStats, floor: Floats) -> Floats:
    """What the update would make of them, components of less than a frame left out."""
    heard = stats.counts > 1
    counts = stats.counts[heard, None]
    return np.maximum(stats.squares[heard] / counts - (stats.sums[heard] / counts) ** 2, floor)


def compare(n_frames: int, n_components: int) -> None:
    frames, _ = divided(0, n_frames)
    model = fit_gmm(frames, n_components, max_iter=3).model
    log_linear = model.log_linear()
    mean, variance = moments(frames)
    plain = prepare(frames, block=block_size(len(frames), D, n_components))
    sorted_batches = [
        reference.load()
        for reference in arranged(batches(as_source(frames), mean, np.sqrt(variance), "float32", BLOCK), model)
    ]
    surveyed = [survey(log_linear, batch) for batch in sorted_batches]

    def dense() -> list[GMMStats]:
        return [accumulate(log_linear, batch) for batch in plain]

    def sparse() -> list[GMMStats]:
        pairs = zip(sorted_batches, surveyed, strict=True)
        return [accumulate(log_linear, batch, active=active) for batch, (_, active) in pairs]

    found = interleaved(
        {
            "dense pass": dense,
            "full pass that surveys": lambda: [survey(log_linear, b) for b in sorted_batches],
            "sparse pass": sparse,
        },
        repeats=5,
    )
    full, cut = sorted(found["full pass that surveys"]), sorted(found["sparse pass"])
    found["of 8 passes 1 full, each"] = [(one + 7 * other) / 8 for one, other in zip(full, cut, strict=True)]
    show(f"{len(frames)} frames of real speech, {n_components} components", found, limit(len(frames), n_components, D))
    exact, left = sum(dense()[1:], dense()[0]), sum(sparse()[1:], sparse()[0])
    error = np.abs(variances(left, 0.01 * variance) / variances(exact, 0.01 * variance) - 1)
    share = np.mean([np.unpackbits(active).mean() for _, active in surveyed])
    lost = (exact.log_likelihood - left.log_likelihood) / len(frames)
    print(
        f"  {100 * share:.0f} % of components active; variances differ by {np.median(error):.0e} (median), "
        f"{error.max():.0e} (most); the bound is {lost:.0e} nats per frame low"
    )


def training(n_frames: int, n_components: int) -> None:
    """All of training, start included: what a user waits for."""
    frames, _ = divided(0, n_frames)
    found = interleaved(
        {
            f"fit_gmm, 10 iterations, {e_step}": (
                lambda e_step=e_step: fit_gmm(frames, n_components, tol=0, max_iter=10, e_step=e_step)
            )
            for e_step in ("dense", "sparse")
        },
        repeats=1,
    )
    show(f"training on {len(frames)} frames of real speech, {n_components} components", found)


def main() -> None:
    if not recordings():
        return
    for n_frames, n_components in ((40_000, 2048), (100_000, 1024), (100_000, 512)):
        compare(n_frames, n_components)
    training(100_000, 2048)


if __name__ == "__main__":
    main()
