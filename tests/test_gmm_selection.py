"""Laws of choosing a number of components: what the criteria are, what they find, and what bad input gets."""

import numpy as np
import pytest

from speechgmm.errors import ConfigError, FitError, ShapeError
from speechgmm.gmm import ModelSpec, choose_n_components, fit_gmm, log_likelihoods
from speechgmm.gmm.candidates import allowed
from speechgmm.gmm.frames import FrameSource
from speechgmm.gmm.held_out import held_out_parts


def drawn(seed, apart, n_features=4, n_frames=1000):
    """(K, frames): 2 to 8 unequal components, each ``apart`` deviations from its nearest neighbour."""
    rng = np.random.default_rng(seed)
    n_components = 2 + seed % 7
    variances = np.exp(rng.uniform(np.log(0.5), np.log(2), size=(n_components, n_features)))
    means = [np.zeros(n_features)]
    while len(means) < n_components:
        n, parent = len(means), rng.integers(len(means))
        direction = rng.normal(size=n_features)
        step = apart * np.sqrt((variances[parent] + variances[n]) / 2) * direction / np.linalg.norm(direction)
        others = np.array(means) - (means[parent] + step)
        distances = np.sqrt((others**2 / ((variances[:n] + variances[n]) / 2)).sum(axis=1))
        if distances.min() >= apart * (1 - 1e-9):
            means.append(means[parent] + step)
    weights = rng.uniform(0.5, 1.5, size=n_components)
    k = rng.choice(n_components, size=n_frames, p=weights / weights.sum())
    return n_components, np.array(means)[k] + np.sqrt(variances[k]) * rng.normal(size=(n_frames, n_features))


@pytest.mark.parametrize("seed", [100, 103, 106])
@pytest.mark.parametrize("apart", [6.0, 4.0])
def test_bic_finds_the_number_of_components_that_frames_were_drawn_from(seed, apart):
    n_components, frames = drawn(seed, apart)
    choice = choose_n_components(frames, range(1, 13), n_starts=5, seed=seed)
    assert choice.fit.model.n_components == n_components


@pytest.mark.slow
def test_held_out_frames_find_the_clusters_and_aic_finds_no_fewer_than_bic():
    n_components, frames = drawn(101, 6.0)
    found = {
        criterion: choose_n_components(frames, range(1, 8), criterion=criterion, n_starts=3).fit.model.n_components
        for criterion in ("bic", "aic", "held_out")
    }
    assert found["held_out"] == found["bic"] == n_components == 5
    assert found["aic"] >= found["bic"]


def test_bic_and_aic_are_the_likelihood_less_a_price_for_every_parameter():
    _, frames = drawn(1, 4.0)
    for criterion, price in (("bic", np.log(1000) / 2), ("aic", 1.0)):
        for one in choose_n_components(frames, [1, 2, 3], criterion=criterion).candidates:
            assert one.n_parameters == 9 * one.n_components - 1
            assert one.value == pytest.approx(one.log_likelihood - price * one.n_parameters / 1000, abs=1e-12)


def test_one_component_scores_held_out_frames_by_the_moments_of_the_others():
    frames = np.random.default_rng(0).normal(size=(90, 2))
    groups = np.repeat(["a", "b", "c"], 30)
    choice = choose_n_components(frames, [1], criterion="held_out", groups=groups, variance_floor=0.0)
    total = 0.0
    for name in "abc":
        rest, out = frames[groups != name], frames[groups == name]
        deviations = (out - rest.mean(axis=0)) ** 2 / rest.var(axis=0)
        total -= 0.5 * (deviations + np.log(2 * np.pi * rest.var(axis=0))).sum()
    assert choice.candidates[0].value == pytest.approx(total / 90, rel=1e-9)


def test_one_component_that_holds_too_few_frames_is_not_said_to_hold_enough():
    why = choose_n_components(np.random.default_rng(0).normal(size=(15, 2)), criterion="occupancy").why
    assert why == "one component is the least, although it holds 15 frames, fewer than 100"


def test_no_component_of_a_choice_by_occupancy_holds_too_few_frames():
    _, frames = drawn(2, 4.0)
    choice = choose_n_components(frames, [16], criterion="occupancy", min_frames=80, n_starts=1)
    sizes = [one.n_components for one in choice.candidates]
    assert sizes == sorted(sizes, reverse=True)
    assert (1000 * choice.fit.model.weights >= 80).all()
    assert 1 < choice.fit.model.n_components <= 12
    assert "were dropped" in choice.why


def test_more_starts_never_find_a_less_likely_fit_of_the_smallest_candidate():
    _, frames = drawn(5, 3.0)
    one, five = (choose_n_components(frames, [6], n_starts=n).candidates[0].log_likelihood for n in (1, 5))
    assert five >= one


def test_the_chosen_fit_is_the_one_whose_candidate_is_listed_and_the_search_ends_when_two_are_no_better():
    n_components, frames = drawn(1, 6.0)
    choice = choose_n_components(frames, range(1, 30), n_starts=2)
    best = max(choice.candidates, key=lambda one: one.value)
    assert best.n_components == choice.fit.model.n_components == n_components
    assert choice.candidates[-1].n_components == n_components + 2
    values = log_likelihoods(choice.fit.model.log_linear(), frames)
    assert best.log_likelihood == pytest.approx(values.mean(), abs=1e-4)
    assert "before" in choice.why


def test_a_choice_at_the_edge_of_the_candidates_says_that_more_might_be_better():
    _, frames = drawn(4, 6.0)
    assert choose_n_components(frames, [1, 2], n_starts=1).why.endswith("no larger candidate was tried")


@pytest.mark.parametrize("criterion", ["bic", "held_out"])
def test_frames_by_reference_give_the_same_choice_to_the_byte(criterion):
    _, frames = drawn(3, 4.0)
    parts = FrameSource.of([frames[:300], frames[300:]], [300, 700], 4)
    groups = np.repeat(np.arange(10), 100)
    a, b = (
        choose_n_components(of, [2, 4], criterion=criterion, groups=groups, n_starts=2, memory=memory)
        for of, memory in ((frames, None), (parts, 0))
    )
    assert a.fit.model.means.tobytes() == b.fit.model.means.tobytes()
    assert a.candidates == b.candidates


def test_a_group_is_never_on_both_sides_and_every_frame_is_held_out_once():
    rng = np.random.default_rng(0)
    groups = rng.choice(7, size=500, p=[0.4, 0.2, 0.1, 0.1, 0.1, 0.05, 0.05])
    parts = held_out_parts(500, groups)
    assert (np.sum(parts, axis=0) == 1).all()
    assert all(not set(groups[part]) & set(groups[~part]) for part in parts)


def test_without_groups_frames_are_held_out_with_their_neighbours():
    parts = held_out_parts(4000)
    edges = sum(np.count_nonzero(np.diff(part)) for part in parts)
    assert edges <= 2 * 4000 / 100
    assert all(900 <= part.sum() <= 1100 for part in parts)
    one = held_out_parts(4000, np.zeros(4000))
    assert all((a == b).all() for a, b in zip(parts, one, strict=True))


def test_candidates_are_those_that_leave_ten_frames_to_each_component():
    assert allowed(1000)[-1] == 96
    assert allowed(10**9)[-1] == 256
    assert allowed(15) == [1]


def test_too_few_frames_and_options_out_of_range_are_named():
    frames = np.random.default_rng(0).normal(size=(9, 2))
    with pytest.raises(FitError, match="9 frames for 16 components, the least of the candidates"):
        choose_n_components(frames, [16, 32])
    with pytest.raises(ConfigError, match="criterion 'mdl'"):
        choose_n_components(frames, [1], criterion="mdl")
    with pytest.raises(ConfigError, match=r"candidates \[0\]"):
        choose_n_components(frames, [0])
    with pytest.raises(ConfigError, match="n_starts 0"):
        choose_n_components(frames, [1], n_starts=0)
    with pytest.raises(ShapeError, match="groups of shape"):
        choose_n_components(frames, [1], criterion="held_out", groups=["a"])


def test_a_start_that_is_given_is_where_em_begins():
    _, frames = drawn(0, 6.0)
    first = fit_gmm(frames, 2)
    again = fit_gmm(frames, 2, start=first.model, max_iter=0)
    np.testing.assert_array_equal(again.model.means, first.model.means)
    with pytest.raises(ShapeError, match=r"a start of shape \(2, 4\) for 3 components"):
        fit_gmm(frames, 3, start=first.model)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_components": 0}, "expected 1 or more, or auto"),
        ({"n_components": "auto", "adapt": "map"}, "compare model.ubm.n_components by sweep"),
        ({"n_components": "auto", "dead_components": "resplit"}, "resplit works against"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        ModelSpec(**settings)


def test_digital_silence_ends_the_search_at_as_many_components_as_frames_differ():
    frames = np.repeat([[0.0, 1.0], [3.0, 4.0], [6.0, 1.0], [9.0, 9.0], [2.0, 7.0]], 50, axis=0)
    choice = choose_n_components(frames, n_starts=1)
    assert [one.n_components for one in choice.candidates] == [1, 2, 3, 4]
