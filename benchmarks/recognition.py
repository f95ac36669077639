"""How long do recognition and its training take? 48 phones of 3 states and 16 Gaussians, 39 dimensions, one thread.

Decoding is a phone loop with a bigram over a minute, training one pass over some minutes in utterances of five seconds
whose boundaries are not known. The first table's shares are of our own time; hmmlearn has the same 144 states without
the topology, and takes as long with it.
"""

from functools import partial

import numpy as np
from goals import judge
from hmmlearn.hmm import GMMHMM
from numpy.typing import NDArray
from timing import interleaved, show

from speechgmm.gmm import DiagGMM
from speechgmm.hmm import (
    HMM,
    HMMSpec,
    StateStack,
    Units,
    Utterance,
    forward_backward,
    left_to_right,
    linear,
    loop,
    train_hmms,
    viterbi,
)
from speechgmm.parallel import one_blas_thread

D, PHONES, STATES, COMPONENTS = 39, 48, 3, 16
FRAMES_PER_SECOND, UTTERANCE = 100, 500
BEAM = 200.0


def mixture(rng: np.random.Generator) -> DiagGMM:
    shape = (COMPONENTS, D)
    return DiagGMM(rng.dirichlet(np.full(COMPONENTS, 5.0)), rng.normal(size=shape), rng.uniform(0.3, 1.5, size=shape))


def phones(rng: np.random.Generator) -> Units:
    hmms = [HMM(tuple(mixture(rng) for _ in range(STATES)), left_to_right(STATES)) for _ in range(PHONES)]
    return Units(tuple(f"p{n}" for n in range(PHONES)), tuple(hmms))


def spoken(rng: np.random.Generator, units: Units, n_frames: int) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """Frames of random phones, three frames to a state on average, and which they are."""
    frames: list[NDArray[np.float64]] = []
    said: list[str] = []
    while len(frames) < n_frames:
        phone = int(rng.integers(PHONES))
        said.append(units.labels[phone])
        for state in units.hmms[phone].emissions:
            k = rng.integers(COMPONENTS, size=rng.geometric(0.33))
            frames.extend(state.means[k] + 1.5 * np.sqrt(state.variances[k]) * rng.normal(size=(len(k), D)))
    return np.array(frames, dtype=np.float32), tuple(said)


def decoding(seconds: int = 60) -> None:
    rng = np.random.default_rng(0)
    units = phones(rng)
    bigram = np.log(rng.dirichlet(np.ones(PHONES), size=PHONES))
    graph = loop(units, bigram)
    frames = spoken(rng, units, FRAMES_PER_SECOND * seconds)[0]
    seconds = len(frames) / FRAMES_PER_SECOND
    stack = StateStack.of(units.emissions)
    rows = stack.rows(frames)
    emissions = stack.log_likelihoods(rows)
    parts = [rows[n : n + 256] for n in range(0, len(rows), 256)]

    def products() -> None:
        for part in parts:
            np.dot(stack.factors, part.T)

    theirs = GMMHMM(PHONES * STATES, COMPONENTS, covariance_type="diag", algorithm="viterbi")
    theirs.startprob_ = np.full(PHONES * STATES, 1 / (PHONES * STATES))
    theirs.transmat_ = np.full((PHONES * STATES, PHONES * STATES), 1 / (PHONES * STATES))
    theirs.weights_ = np.stack([model.weights for model in units.emissions])
    theirs.means_ = np.stack([model.means for model in units.emissions])
    theirs.covars_ = np.stack([model.variances for model in units.emissions])
    some = frames[:1000].astype(np.float64)

    found = interleaved(
        {
            f"decoding, beam {BEAM:g}": lambda: viterbi(graph, stack.log_likelihoods(stack.rows(frames)), beam=BEAM),
            "  its emissions": lambda: stack.log_likelihoods(stack.rows(frames)),
            "    their product alone": products,
            f"  its search, beam {BEAM:g}": lambda: viterbi(graph, emissions, beam=BEAM),
            "  search without a beam": lambda: viterbi(graph, emissions),
            "posteriors of the same": lambda: forward_backward(graph, emissions, beam=BEAM),
        },
        repeats=7,
    )
    found["hmmlearn, float64 (10 s, times as many)"] = [
        value * seconds / 10 for value in interleaved({"": lambda: theirs.decode(some)}, repeats=3)[""]
    ]
    show(f"a phone loop over {seconds:.0f} s of speech", found)
    total, scores, product = (min(values) / seconds for values in list(found.values())[:3])
    print(
        f"  of real time: {total:.5f}; of that the product {100 * product / total:.0f} %, log-sum-exp and layout "
        f"{100 * (scores - product) / total:.0f} %, search {100 * (total - scores) / total:.0f} %"
    )
    judge("search", 100 * (total - scores) / total)
    judge("search_real_time", 1000 * total)


def training(minutes: int = 5) -> None:
    rng = np.random.default_rng(1)
    units = phones(rng)
    utterances = []
    for n in range(minutes * 60 * FRAMES_PER_SECOND // UTTERANCE):
        frames, said = spoken(rng, units, UTTERANCE)
        utterances.append(Utterance(str(n), frames, len(frames), said, partial(linear, words=said)))
    topology = {label: left_to_right(STATES) for label in units.labels}

    def passes(method: str, count: int) -> None:
        spec = HMMSpec(n_components=1, iterations=count, training=method, tol=0)  # type: ignore[arg-type]
        train_hmms(utterances, topology, spec, start=units)

    contestants = {
        f"{method} {count}": partial(passes, method, count) for method in ("baum-welch", "viterbi") for count in (1, 3)
    }
    found = interleaved(contestants, repeats=3)
    hours = sum(utterance.n_frames for utterance in utterances) / FRAMES_PER_SECOND / 3600
    one = {
        method: [(b - a) / 2 for a, b in zip(sorted(found[f"{method} 1"]), sorted(found[f"{method} 3"]), strict=True)]
        for method in ("baum-welch", "viterbi")
    }
    show(f"a whole pass of training over {60 * hours:.1f} minutes of speech", one)
    for method, values in one.items():
        print(f"  {method}: {min(values) / hours:.1f} s for an hour")


if __name__ == "__main__":
    with one_blas_thread():
        decoding()
        training()
