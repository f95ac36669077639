"""Laws of tied states: units with trees are the units of every context written out, and their file keeps them."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from fuzzing import opened
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from speechgmm.errors import ModelFileError, ShapeError
from speechgmm.gmm import DiagGMM
from speechgmm.hmm import (
    HMM,
    Decoder,
    HMMSpec,
    Recogniser,
    Units,
    Utterance,
    forward_backward,
    left_to_right,
    linear,
    train_hmms,
    word_loop,
)
from speechgmm.hmm.hmm import tied_units
from speechgmm.hmm.tied_states import BOUNDARY, DecisionTree, Leaf, Question, Split, TiedStates
from speechgmm.io.model_card import with_card
from speechgmm.tasks.recognition.codec import read_recogniser, serialise_recogniser
from speechgmm.tasks.recognition.description import describe

KEPT = Path(__file__).parent / "kept" / "recognition" / "models.safetensors"
PHONES = ("a", "b", "sil")
WORDS = {"x": (("a", "b"),), "y": (("b", "a", "b"), ("a",)), "z": (("b",),)}


def mixture(mean, n_features=1):
    return DiagGMM([0.5, 0.5], [[mean - 0.5] * n_features, [mean + 0.5] * n_features], np.ones((2, n_features)))


def tied(n_features=1):
    """Two states of a and of b, one of silence; a state of a asks for its left neighbour, one of b for both."""
    right = Split(Question("right", frozenset({BOUNDARY})), 3, 4)
    trees = (
        DecisionTree((Split(Question("left", frozenset({1})), 1, 2), Leaf(0), Leaf(1))),
        DecisionTree((Leaf(2),)),
        DecisionTree((Leaf(3),)),
        DecisionTree((Split(Question("left", frozenset({BOUNDARY, 2})), 1, 2), Leaf(4), right, Leaf(5), Leaf(4))),
        DecisionTree((Leaf(6),)),
    )
    rows = [left_to_right(2, self_loop=0.7), left_to_right(2, self_loop=0.4), left_to_right(1)]
    models = tuple(mixture(3.0 * n, n_features) for n in range(7))
    return tied_units(PHONES, rows, TiedStates(models, trees))


def written_out(units):
    """Untied units, one for each phone in each context, named left-phone+right; and which mixture each state has."""
    labels, hmms, numbers = [], [], []
    near = {"#": BOUNDARY, **{phone: n for n, phone in enumerate(units.labels)}}
    for unit, phone in enumerate(units.labels):
        for left, l_number in near.items():
            for right, r_number in near.items():
                states = range(units.first_states[unit], units.first_states[unit + 1])
                mine = [units.tied.trees[state].emission(l_number, r_number) for state in states]
                labels.append(f"{left}-{phone}+{right}")
                hmms.append(HMM(tuple(units.emissions[n] for n in mine), units.hmms[unit].transitions))
                numbers += mine
    return Units(tuple(labels), tuple(hmms)), np.array(numbers)


def in_context(way):
    near = ("#", *way, "#")
    return tuple(f"{left}-{phone}+{right}" for left, phone, right in zip(near, way, near[2:], strict=False))


def test_posteriors_over_tied_states_are_those_over_the_units_of_every_context_written_out():
    units = tied()
    plain, tie = written_out(units)
    rng = np.random.default_rng(0)
    lexicon = {word: tuple(map(in_context, ways)) for word, ways in WORDS.items()}
    graph = linear(units, ["x", "y", "z"], WORDS, silence="sil")
    expected = linear(plain, ["x", "y", "z"], lexicon, silence="#-sil+#")
    np.testing.assert_array_equal(graph.states, tie[expected.states])
    emissions = rng.normal(size=(14, len(units.emissions)))
    mine, theirs = forward_backward(graph, emissions), forward_backward(expected, emissions[:, tie])
    assert mine.log_likelihood == pytest.approx(theirs.log_likelihood)
    summed = np.zeros_like(mine.states)
    np.add.at(summed, (slice(None), tie), theirs.states)
    np.testing.assert_allclose(mine.states, summed, atol=1e-12)
    # All triphones of a phone add to the same transitions.
    by_phone = np.zeros_like(mine.transitions)
    contexts = (len(PHONES) + 1) ** 2
    for unit in range(len(PHONES)):
        size = units.hmms[unit].transitions.size
        first = units.first_transitions[unit]
        start = plain.first_transitions[contexts * unit]
        by_phone[first : first + size] = theirs.transitions[start : start + contexts * size].reshape(-1, size).sum(0)
    np.testing.assert_allclose(mine.transitions, by_phone, atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=4), min_size=1, max_size=4))
def test_states_of_chains_are_those_of_each_unit_between_its_neighbours(chains):
    units = tied()
    plain = Units(units.labels, units.hmms)
    expected, own = [], []
    for chain in chains:
        for place, unit in enumerate(chain):
            left = chain[place - 1] if place else BOUNDARY
            right = chain[place + 1] if place + 1 < len(chain) else BOUNDARY
            for state in range(units.first_states[unit], units.first_states[unit + 1]):
                expected.append(units.tied.trees[state].emission(left, right))
                own.append(state)
    assert units.emissions_of(chains).tolist() == expected
    assert plain.emissions_of(chains).tolist() == own


def utterances(units, n=12, n_features=1):
    """Frames drawn from the mixtures of words, five for every state."""
    rng = np.random.default_rng(3)
    found = []
    for number in range(n):
        words = [str(word) for word in rng.choice(list(WORDS), 3)]
        ways = [WORDS[word][0] for word in words]
        states = units.emissions_of([[units.labels.index(phone) for phone in way] for way in ways])
        frames = np.repeat(3.0 * states, 5)[:, None] + rng.normal(size=(5 * len(states), n_features))
        sequence = tuple(phone for way in ways for phone in way)
        build = partial(linear, words=words, lexicon=WORDS)
        found.append(Utterance(f"u{number}", frames, len(frames), sequence, build))
    return found


@pytest.mark.parametrize("training", ["baum-welch", "viterbi"])
def test_trees_without_questions_train_the_bytes_of_untied_units(training):
    said = utterances(tied())
    topology = {"a": left_to_right(2), "b": left_to_right(2)}
    spec = HMMSpec(n_components=2, iterations=2, frames_per_component=2, training=training, tol=0)
    plain = train_hmms(said, topology, replace(spec, n_components=1)).units
    trees = tuple(DecisionTree((Leaf(n),)) for n in range(plain.n_states))
    alike = tied_units(plain.labels, [hmm.transitions for hmm in plain.hmms], TiedStates(plain.emissions, trees))
    one, other = (train_hmms(said, topology, spec, start=start) for start in (plain, alike))
    assert one.trace == other.trace
    for mine, theirs in zip(one.units.emissions, other.units.emissions, strict=True):
        assert mine.means.tobytes() == theirs.means.tobytes()
    np.testing.assert_array_equal(one.units.log_transitions, other.units.log_transitions)


def test_training_of_tied_states_never_lowers_its_objective_and_keeps_the_trees():
    units = tied()
    said = utterances(units)
    rows = {label: hmm.transitions for label, hmm in zip(units.labels, units.hmms, strict=True)}
    fit = train_hmms(said, rows, HMMSpec(n_components=2, iterations=4, frames_per_component=2, tol=0), start=units)
    assert fit.least_step() >= -1e-9
    assert fit.units.tied.trees == units.tied.trees
    assert fit.units.tied.emissions[0] is not units.tied.emissions[0]


def test_a_path_over_triphones_says_phones_and_the_words_of_any_dictionary():
    units = tied()
    recogniser = Recogniser(units, WORDS, word_loop(list(WORDS)), "sil")
    (said,) = utterances(units, n=1)
    heard = Decoder.of(recogniser).recognise(said.frames)
    assert {span.label for span in heard.units} <= set(PHONES)
    given = {"new": (("a", "a", "b"),)}  # a-a+b was in no word before
    aligned = Decoder.of(recogniser, ["new"], given).align(np.zeros((20, 1)))
    assert [span.label for span in aligned.units if span.label != "sil"] == ["a", "a", "b"]


def test_trees_lead_to_every_mixture_and_only_onwards():
    one = (mixture(0.0),)
    with pytest.raises(ShapeError, match="later ones"):
        DecisionTree((Split(Question("left", frozenset()), 0, 1), Leaf(0)))
    with pytest.raises(ShapeError, match="without a node"):
        DecisionTree(())
    with pytest.raises(ShapeError, match="expected a leaf for each mixture at least"):
        TiedStates(one, (DecisionTree((Leaf(1),)),))
    with pytest.raises(ShapeError, match="1 decision trees for 2 states"):
        Units(("a",), (HMM(one * 2, left_to_right(2)),), TiedStates(one, (DecisionTree((Leaf(0),)),)))
    with pytest.raises(ShapeError, match="3 mixtures for units that have 7"):
        tied().with_parameters(one * 3)
    assert tied().emission_name(5) == "unit 'b', state 1, tied state 5"


@pytest.fixture(scope="module")
def tied_file():
    """The kept recogniser of tones with tied states in place of its own."""
    file = read_recogniser(KEPT)
    n_features = file.recogniser.units.emissions[0].n_features
    lexicon = {word: WORDS[word] for word in sorted(WORDS)}
    return replace(file, recogniser=Recogniser(tied(n_features), lexicon, word_loop(sorted(WORDS)), "sil"))


def test_the_file_of_tied_states_is_read_as_it_was_written_and_has_each_mixture_once(tied_file, tmp_path):
    path = tmp_path / "m.safetensors"
    path.write_bytes(serialise_recogniser(tied_file))
    units, again = tied_file.recogniser.units, read_recogniser(path).recogniser.units
    assert again.labels == units.labels
    assert again.tied.trees == units.tied.trees
    for mine, theirs in zip(units.emissions, again.emissions, strict=True):
        np.testing.assert_array_equal(mine.means, theirs.means)
    np.testing.assert_array_equal(units.log_transitions, again.log_transitions)
    tensors, _ = opened(path.read_bytes())
    assert len(tensors["weights"]) == sum(model.n_components for model in units.emissions)
    assert serialise_recogniser(read_recogniser(path)) == with_card(path.read_bytes(), None)
    assert any("7 tied states of triphones: 2 of 5 states of units depend" in line for line in describe(path))


def test_a_file_without_tied_states_says_nothing_of_them():
    _, header = opened(serialise_recogniser(read_recogniser(KEPT)))
    assert "tied" not in header["recogniser"]


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.update(components=[2] * 6),
        lambda t: t.update(components=[2] * 6 + [10**12]),
        lambda t: t.update(trees=t["trees"][:-1]),
        lambda t: t["trees"].__setitem__(1, []),
        lambda t: t["trees"].__setitem__(1, [10**9]),
        lambda t: t["trees"].__setitem__(1, [["left", 0, 0, 0]]),
        lambda t: t["trees"].__setitem__(1, [["left", 9, 1, 2], 2, 2]),
        lambda t: t["trees"].__setitem__(1, [["up", 0, 1, 2], 2, 2]),
        lambda t: t["questions"].__setitem__(0, ["no such unit"]),
    ],
)
def test_trees_that_cannot_be_are_refused(tied_file, change, tmp_path):
    tensors, header = opened(serialise_recogniser(tied_file))
    change(header["recogniser"]["tied"])
    path = tmp_path / "m.safetensors"
    path.write_bytes(save(tensors, metadata={"speechgmm": json.dumps(header)}))
    with pytest.raises(ModelFileError, match=r"m\.safetensors: "):
        read_recogniser(path)
