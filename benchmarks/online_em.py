"""How close does one pass of online EM come to batch EM? A million frames of real speech, 64 components, one thread.

LibriSpeech, one utterance of each of 251 speakers: MFCC 13 with deltas and CMVN, a frame every 2.5 ms instead of 10, so
that there are a million. 50 speakers are held out (every fourth of their frames). Online EM starts by splitting, on its
first 6400 frames, and sees every frame once; batch EM sees all of them in each of its iterations. In random order the
stream is stationary, as its theory asks; in the order of the recordings it is one speaker after another.
"""

import time

import numpy as np
import soundfile
import speech
import timing  # noqa: F401 (one BLAS thread)
from numpy.typing import NDArray

import speechgmm as sg
from speechgmm.gmm import OnlineEM, fit_gmm, log_likelihoods

K, N_FRAMES, N_FIRST = 64, 1_000_000, 6400


def frames() -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    """A million frames to train on, in the order of their recordings, and those of 50 other speakers."""
    spec = sg.FeatureSpec(preset="kaldi", deltas=2, cmvn="utterance", frame_shift=2.5)
    paths = sorted(speech.FOLDER.rglob("*.flac"))
    if not paths:
        print(f"  no real speech at {speech.FOLDER} (SPEECHGMM_SHARED)")
        return None
    parts = [sg.extract(spec, *soundfile.read(path, dtype="float32")) for path in paths]
    order = np.random.default_rng(0).permutation(len(parts))
    train = np.concatenate([parts[n] for n in order[50:]])[:N_FRAMES]
    return train, np.concatenate([parts[n] for n in order[:50]])[::4]


def main() -> None:
    found = frames()
    if found is None:
        return
    train, held_out = found

    def likelihood(model: sg.DiagGMM) -> float:
        return float(log_likelihoods(model.log_linear(), held_out).mean())

    print(f"\n{len(train)} frames, {K} components: nats per frame of {len(held_out)} held-out frames, and seconds")
    goal = None
    for n_iterations in (20, 60):
        begun = time.perf_counter()
        fit = fit_gmm(train, K, max_iter=n_iterations, tol=0)
        value = likelihood(fit.model)
        goal = value if goal is None else goal
        print(f"  batch EM, {n_iterations} iterations: {value:.3f}  {time.perf_counter() - begun:.1f} s", flush=True)
    orders = {
        "random order": np.random.default_rng(1).permutation(len(train)),
        "one recording after another": np.arange(len(train)),
    }
    for name, order in orders.items():
        for exponent in (0.6, 0.7, 0.85):
            begun = time.perf_counter()
            stream = train[order]
            online = OnlineEM.begin(stream[:N_FIRST], K, exponent=exponent)
            start = likelihood(online.model)
            online.partial_fit(stream[N_FIRST:])
            value = likelihood(online.finish())
            print(
                f"  one pass of online EM, exponent {exponent}, {name}: {start:.3f} at the start, {value:.3f} at "
                f"the end, {goal - value:+.3f} below batch EM  {time.perf_counter() - begun:.1f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
