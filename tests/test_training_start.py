"""How training of HMMs begins from few data: silences at the edges, and log-likelihoods that weigh less at first."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from speechgmm.errors import ConfigError
from speechgmm.gmm.likelihoods import Space
from speechgmm.hmm import HMMSpec, Utterance, forward_backward, linear, train_hmms
from speechgmm.hmm.emissions import StateStack
from speechgmm.hmm.kept_graphs import KeptGraphs
from speechgmm.hmm.recogniser import Decoder
from speechgmm.hmm.recognition_spec import RecognitionSpec
from speechgmm.hmm.speech_edges import speech_edges
from speechgmm.hmm.training import _parcel

UNITS = "abcdefghijkl"
DIMS, NOISE, TOKENS = 20, 0.3, 1.0
"""Frames of a token differ from its unit's mean together, as in speech: models are too sure of them."""
SPEC = HMMSpec(n_states=3, n_components=1, iterations=8, variance_prior=5)


def few(seed: int, n: int = 5) -> tuple[list[Utterance], list[np.ndarray]]:
    """Utterances of sixteen units of very different lengths between silences, and where each unit begins (frames)."""
    rng = np.random.default_rng(seed)
    means = dict(zip(UNITS, rng.normal(0, 1.5, (len(UNITS), DIMS)), strict=True))
    said, begins = [], []
    for number in range(n):
        words = tuple(np.concatenate([rng.permutation(list(UNITS)), rng.permutation(list(UNITS))])[:16].tolist())
        lengths = [int(rng.integers(10, 50)), *rng.integers(3, 25, 16).tolist(), int(rng.integers(10, 50))]
        spoken = (means[word] + rng.normal(0, TOKENS, DIMS) for word in words)
        levels = [np.full(DIMS, -3.0), *spoken, np.full(DIMS, -3.0)]
        parts = [level + rng.normal(0, NOISE, (length, DIMS)) for level, length in zip(levels, lengths, strict=True)]
        frames = np.concatenate(parts).astype(np.float32)
        build = partial(linear, words=words, silence="sil")
        said.append(Utterance(str(number), frames, len(frames), ("sil", *words, "sil"), build))
        begins.append(np.cumsum(lengths)[:-2])
    return said, begins


def errors(spec: HMMSpec, seed: int) -> np.ndarray:
    """How far from the truth the units begin, by models of these utterances alone (frames)."""
    said, begins = few(seed)
    units = train_hmms(said, spec.topology([*UNITS, "sil"], "sil"), spec).units
    stack = StateStack.of(units.emissions)
    found = [Decoder(one.build(units), stack, 1e6).align(one.load()).words for one in said]
    starts = [np.array([word.first for word in words]) for words in found]
    return np.abs(np.concatenate(starts) - np.concatenate(begins))


@pytest.mark.slow
def test_an_annealed_start_finds_units_of_few_utterances_that_an_even_start_does_not() -> None:
    plain = np.concatenate([errors(SPEC, seed) for seed in (0, 3)])
    annealed = np.concatenate([errors(replace(SPEC, annealing=0.03), seed) for seed in (0, 3)])
    assert (annealed <= 2).mean() > 0.97
    assert (plain <= 2).mean() < 0.8


def test_in_an_annealed_pass_log_likelihoods_are_multiplied_and_nothing_else_changes() -> None:
    said, _ = few(0, n=2)
    units = train_hmms(said, SPEC.topology([*UNITS, "sil"], "sil"), replace(SPEC, iterations=1)).units
    frames = np.concatenate([one.load() for one in said])
    stack = StateStack.of(units.emissions, space=Space(frames.mean(axis=0), frames.std(axis=0)))
    stats = _parcel(said, units=units, stack=stack, spec=SPEC, graphs=KeptGraphs(), scale=0.3)
    wanted = 0.0
    for one in said:
        graph = one.build(units)
        scores = stack.log_likelihoods(stack.rows(one.load()), np.unique(graph.states))
        wanted = wanted + forward_backward(graph, 0.3 * scores).transitions
    np.testing.assert_allclose(stats.transitions, wanted, rtol=1e-9, atol=1e-12)
    assert stats.emissions.counts.sum() == pytest.approx(len(frames))


def test_scales_rise_to_one_and_a_model_that_training_goes_on_from_is_not_annealed() -> None:
    assert HMMSpec().annealing_scales == ()
    scales = HMMSpec(annealing=0.02).annealing_scales
    assert list(scales) == sorted(scales)
    assert (scales[0], scales[-1] < 1) == (0.02, True)
    said, _ = few(1, n=2)
    topology = SPEC.topology([*UNITS, "sil"], "sil")
    start = train_hmms(said, topology, SPEC).units
    one, other = (train_hmms(said, topology, spec, start=start) for spec in (SPEC, replace(SPEC, annealing=0.1)))
    assert one.trace == other.trace
    with pytest.raises(ConfigError, match=r"looks for silence; name a unit for it in recognition\.silence"):
        RecognitionSpec(start="edges")


def test_the_edges_of_speech_are_found_whatever_is_said() -> None:
    said, begins = few(2)
    found = speech_edges(said)
    assert all(abs(first - own[0]) <= 1 for (first, _), own in zip(found, begins, strict=True))
