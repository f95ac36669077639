"""Forward-backward over a chain of speakers that keeps its speaker, or draws one: what VBx needs of an HMM.

Owns the passes, whose transitions are a multiple of the identity plus rank one, so that a step costs S and not S
squared; `hmm.passes` follows arcs one by one. Refuses to know what a speaker is.
"""

from math import exp, log
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.compiler import compiled

Floats = NDArray[np.float64]


def speaker_posteriors(fits: ArrayLike, weights: ArrayLike, loop_probability: float) -> tuple[Floats, Floats, float]:
    """Posteriors of the speakers, by forward-backward over a chain that keeps its speaker or draws a new one.

    Parameters
    ----------
    fits
        (N, S) log-likelihoods of each vector under each speaker, in nats.
    weights
        (S,) probabilities of the speakers, which sum to 1.
    loop_probability
        Probability of keeping the speaker of the vector before; otherwise a speaker is drawn from ``weights``.

    Returns
    -------
    posteriors
        (N, S) posterior probabilities of the speakers.
    entries
        (S,) expected number of draws of each speaker, that of the first vector included.
    log_evidence
        Log-likelihood of all vectors, in nats.

    Notes
    -----
    The transition matrix is a multiple of the identity plus a matrix of rank one. A step therefore takes time
    proportional to S, and not to S squared.

    Examples
    --------
    >>> posteriors, entries, _ = speaker_posteriors([[0.0, -9.0], [0.0, 0.0]], [0.5, 0.5], 0.9)
    >>> posteriors.round(2).tolist(), entries.round(2).tolist()
    ([[1.0, 0.0], [0.95, 0.05]], [1.05, 0.05])
    """
    scores = np.ascontiguousarray(fits, np.float64)
    with np.errstate(divide="ignore"):
        draws = np.log(np.asarray(weights, np.float64)) + np.log1p(-loop_probability)
        stays = float(np.log(loop_probability))
        first = np.log(np.asarray(weights, np.float64))
    if loop_probability == 0:  # a mixture
        joint = scores + first
        totals = np.logaddexp.reduce(joint, axis=1)
        gamma = np.exp(joint - totals[:, None])
        return gamma, gamma.sum(axis=0), float(totals.sum())
    gamma, entries = np.empty_like(scores), np.empty(scores.shape[1])
    evidence = compiled(chain_loops)(scores, first, draws, stays, np.empty_like(scores), gamma, entries)
    return gamma, entries, float(evidence)


def chain_loops(
    scores: Any, first: Any, draws: Any, stays: Any, alpha: Any, gamma: Any, entries: Any
) -> Any:  # compiled; in Python it computes the same
    """Fills alpha and gamma (N, S) and entries (S,); returns the log evidence."""
    n, n_speakers = scores.shape
    total = 0.0
    for t in range(n):
        peak = -np.inf
        for s in range(n_speakers):
            if t == 0:
                prior = first[s]
            else:
                # alpha[t - 1] + stays, or a draw: the densities of before add to exp(total).
                stayed, drawn = alpha[t - 1, s] + stays, total + draws[s]
                high, low = max(stayed, drawn), min(stayed, drawn)
                prior = high if low == -np.inf else high + log(1.0 + exp(low - high))
            alpha[t, s] = prior + scores[t, s]
            peak = max(peak, alpha[t, s])
        share = 0.0
        for s in range(n_speakers):
            share += exp(alpha[t, s] - peak)
        total = peak + log(share)
    beta = np.zeros(n_speakers)
    onward = np.empty(n_speakers)
    entries[:] = 0.0
    for t in range(n - 1, -1, -1):
        for s in range(n_speakers):
            gamma[t, s] = exp(alpha[t, s] + beta[s] - total)
        if t == 0:
            break
        # Density of all vectors before t, and from t on under each speaker.
        before, peak = -np.inf, -np.inf
        for s in range(n_speakers):
            onward[s] = scores[t, s] + beta[s]
            before = max(before, alpha[t - 1, s])
            peak = max(peak, draws[s] + onward[s])
        share, drawn = 0.0, 0.0
        for s in range(n_speakers):
            share += exp(alpha[t - 1, s] - before)
            drawn += exp(draws[s] + onward[s] - peak)
        before += log(share)
        drawn = peak + log(drawn)
        for s in range(n_speakers):
            entries[s] += exp(before + draws[s] + onward[s] - total)
            stayed = stays + onward[s]
            high, low = max(stayed, drawn), min(stayed, drawn)
            beta[s] = high if low == -np.inf else high + log(1.0 + exp(low - high))
    for s in range(n_speakers):
        entries[s] += gamma[0, s]
    return total
