"""Laws of the scores of a forced alignment: boundaries, durations, goodness of pronunciation, and what is written."""

import csv
import io
import json
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import nbinom, norm

from speechgmm.errors import ConfigError, ShapeError
from speechgmm.gmm import DiagGMM
from speechgmm.hmm import HMM, AlignmentScorer, Units, alignment, left_to_right, linear, viterbi
from speechgmm.hmm import boundaries as module
from speechgmm.hmm.boundaries import boundaries, boundary_posteriors
from speechgmm.hmm.durations import chained, duration_z, expected_duration
from speechgmm.hmm.hmm import tied_units
from speechgmm.hmm.phone_scores import POOR_FIT
from speechgmm.hmm.tied_states import DecisionTree, Leaf, Question, Split, TiedStates
from speechgmm.io.label_files import labels_as_text
from speechgmm.io.timed_labels import LabelledRecording, LabelScores, TimedLabel, json_line
from speechgmm.parallel import one_blas_thread


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    with one_blas_thread():
        yield


def some_units(n_states=2, n_units=3, self_loop=0.6):
    emission = DiagGMM([1.0], [[0.0]], [[1.0]])
    hmms = tuple(HMM((emission,) * n_states, left_to_right(n_states, self_loop=self_loop)) for _ in range(n_units))
    return Units(tuple("abcdefgh"[:n_units]), hmms)


def ways(units, labels, emissions):
    """Every way through a sequence of one-way units: the first frame of each state, and its log density."""
    states = [units.first_states[units.labels.index(label)] + s for label in labels for s in range(2)]
    stay = np.array([units.hmms[0].transitions[s % 2, s % 2] for s in range(len(states))])
    n_frames = len(emissions)
    for cuts in product(range(1, n_frames), repeat=len(states) - 1):
        edges = [0, *cuts, n_frames]
        if all(a < b for a, b in pairwise(edges)):
            lengths = np.diff(edges)
            weight = ((lengths - 1) * np.log(stay) + np.log(1 - stay)).sum()
            gains = sum(emissions[a:b, s].sum() for a, b, s in zip(edges, edges[1:], states, strict=False))
            yield edges[:-1], weight + gains


@pytest.mark.parametrize("scale", [1.0, 0.3])
def test_the_posterior_of_a_boundary_is_the_sum_over_all_ways(scale):
    units, labels, n_frames = some_units(), ["b", "a", "b"], 9
    emissions = 2 * np.random.default_rng(0).normal(size=(n_frames, units.n_states))
    found = boundary_posteriors(units, [labels], emissions, scale=scale)
    edges, weights = zip(*ways(units, labels, scale * emissions), strict=True)
    shares = np.exp(np.array(weights) - np.logaddexp.reduce(weights))
    begins = np.array(edges)[:, ::2]  # (ways, units)
    wanted = np.array([[shares[begins[:, i] <= t].sum() for i in range(3)] for t in range(n_frames)])
    np.testing.assert_allclose(found.begun, wanted, atol=1e-12)
    np.testing.assert_allclose(found.means(), shares @ begins, atol=1e-9)
    np.testing.assert_allclose(found.occupancy.sum(axis=1), 1, atol=1e-12)
    middle = found.quantiles(0.5)
    for i in (1, 2):  # the frame in which the distribution passes one half, each spread over a frame about its edge
        t = int((wanted[:, i] < 0.5).sum())
        share = (0.5 - wanted[t - 1, i]) / (wanted[t, i] - wanted[t - 1, i])
        assert middle[i] == pytest.approx(t - 0.5 + share, abs=1e-9)


def test_boundaries_of_a_long_sequence_are_those_of_all_of_it(monkeypatch):
    rng = np.random.default_rng(1)
    units = some_units(n_units=6)
    labels = [units.labels[n] for n in rng.integers(0, 6, 90)]
    emissions = np.concatenate(  # each state of the sequence for some frames, with noise
        [
            np.where(np.arange(units.n_states) == units.first_states[units.number(label)] + state, 3.0, 0.0)
            + rng.normal(size=(rng.integers(1, 6), units.n_states))
            for label in labels
            for state in range(2)
        ]
    )
    found = alignment(graph := linear(units, labels), viterbi(graph, emissions), emissions)
    firsts = [one.first for one in found.units]
    words = [labels[n : n + 2] for n in range(0, 90, 2)]
    parts = boundaries(units, words, firsts, emissions, scale=0.5)
    monkeypatch.setattr(module, "STRETCH", 1000)
    whole = boundaries(units, words, firsts, emissions, scale=0.5)
    for name in ("means", "low", "high", "posteriors"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), atol=0.02, err_msg=name)
    assert (whole.low <= whole.means).all()
    assert (whole.means <= whole.high).all()
    assert (np.diff(whole.means) > 0).all()


def test_intervals_cover_as_often_as_their_level_says_where_the_model_is_true():
    rng = np.random.default_rng(2)
    units = some_units(n_states=1, n_units=2, self_loop=0.95)
    inside, n = 0, 400
    for _ in range(n):
        lengths = rng.geometric(0.05, 2)
        truth = np.repeat([0, 1], lengths)
        frames = rng.normal(size=len(truth)) + truth  # a step of one standard deviation
        emissions = np.stack([norm.logpdf(frames, mean) for mean in (0, 1)], axis=1)
        found = boundaries(units, ["a", "b"], [0, lengths[0]], emissions, scale=1.0, power=1.0, level=0.9)
        inside += bool(found.low[1] <= lengths[0] <= found.high[1])
    assert inside / n == pytest.approx(0.9, abs=0.04)


def test_what_boundaries_cannot_be_made_from_is_refused():
    units, emissions = some_units(), np.zeros((8, 6))
    for scale in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(ConfigError, match="expected a number above 0"):
            boundary_posteriors(units, [["a"]], emissions, scale=scale)
    with pytest.raises(ConfigError, match=r"a level of 1 and a power of 0\.42; expected a probability"):
        boundaries(units, ["a"], [0], emissions, level=1)
    with pytest.raises(ShapeError, match=r"first frames of shape \(2,\) for 1 units"):
        boundaries(units, ["a"], [0, 3], emissions)


def test_durations_of_a_chain_are_negative_binomial_and_their_z_is_the_normal_quantile():
    rows = left_to_right(3, self_loop=0.7)
    assert expected_duration(rows) == pytest.approx(3 / 0.3)
    apart = nbinom(3, 0.3)  # frames beyond one in each state
    for n_frames in (3, 4, 9, 10, 20, 45):
        middle = apart.cdf(n_frames - 4) + apart.pmf(n_frames - 3) / 2
        assert duration_z(rows, n_frames) == pytest.approx(norm.ppf(middle), abs=1e-9)
        single = [left_to_right(1, self_loop=0.7)] * 3
        assert duration_z(chained(single), n_frames) == pytest.approx(norm.ppf(middle), abs=1e-9)
    assert duration_z(rows, 2) == -8  # shorter than any path
    assert duration_z(rows, 100_000) == 8
    with pytest.raises(ShapeError, match="a chain without a unit"):
        chained([])


def test_goodness_compares_with_the_best_sequence_of_any_units():
    rng = np.random.default_rng(3)
    units = some_units(n_states=1, n_units=3, self_loop=0.7)
    emissions = rng.normal(size=(7, 3)) * 2
    graph = linear(units, ["a", "c"])
    found = alignment(graph, viterbi(graph, emissions), emissions)
    scored = AlignmentScorer(units).placed(found, emissions, emissions, scores=True)
    log_stay, log_go = np.log(0.7), np.log(0.3)
    best = max(
        product(range(3), repeat=7),  # a unit that follows itself has begun anew where that is more probable: never
        key=lambda way: (
            sum(emissions[t, u] for t, u in enumerate(way))
            + sum(log_stay if a == b else log_go for a, b in pairwise(way))
        ),
    )
    gains = emissions[np.arange(7), best]
    gains[1:] += [log_stay if a == b else log_go for a, b in pairwise(best)]
    gains[-1] += log_go
    for one in scored.units:
        n_frames = one.stop - one.first
        assert one.scores.log_likelihood == pytest.approx(one.log_score / n_frames)
        assert one.scores.gop == pytest.approx((one.log_score - gains[one.first : one.stop].sum()) / n_frames)
    total = sum(one.scores.gop * (one.stop - one.first) for one in scored.units)
    assert total <= 1e-9  # the text is one of the sequences
    assert 0 <= min(one.scores.posterior for one in scored.units) <= 1


def test_a_wrong_unit_has_a_lower_goodness_than_the_right_one():
    rng = np.random.default_rng(4)
    hmms = tuple(HMM((DiagGMM([1.0], [[mean]], [[1.0]]),), left_to_right(1)) for mean in (0.0, 4.0, 8.0))
    units = Units(("a", "b", "c"), hmms)
    means = np.repeat([0, 4, 8, 0], 12)
    frames = rng.normal(size=len(means)) + means
    emissions = np.stack([norm.logpdf(frames, mean) for mean in (0, 4, 8)], axis=1)

    def gops(labels):
        graph = linear(units, labels)
        found = alignment(graph, viterbi(graph, emissions), emissions)
        return np.array(
            [one.scores.gop for one in AlignmentScorer(units).placed(found, emissions, emissions, scores=True).units]
        )

    right, wrong = gops(list("abca")), gops(list("aaca"))
    assert right.min() > -0.5
    assert wrong[:2].min() < -2  # one of the two that share the frames of the missing "b"
    assert wrong[2:].min() > -1.5


def test_a_missing_unit_is_found_between_the_two_that_share_its_frames():
    rng = np.random.default_rng(5)
    hmms = tuple(HMM((DiagGMM([1.0], [[mean]], [[1.0]]),), left_to_right(1)) for mean in (0.0, 4.0, 8.0))
    units = Units(("a", "b", "c"), hmms)
    frames = rng.normal(size=60) + np.repeat([0, 4, 8, 0, 4], 12)
    emissions = np.stack([norm.logpdf(frames, mean) for mean in (0, 4, 8)], axis=1)

    def missing(labels):
        found = alignment(graph := linear(units, labels), viterbi(graph, emissions), emissions)
        placed = AlignmentScorer(units).placed(found, emissions, frames[:, None], scores=True)
        gops = np.array([one.scores.gop for one in placed.units])
        fits = np.minimum(np.minimum(gops, [*gops[1:], 0]), 0)
        return np.array([one.scores.missing for one in placed.units]) + POOR_FIT * fits, placed

    assert missing(list("abcab"))[0].max() < 2
    assert missing(list("abcab"))[0].min() == pytest.approx(0, abs=1e-9)
    gains, found = missing(list("acab"))
    assert gains.argmax() == 0
    assert gains[0] > 50
    # Between the first two and before the third and fourth, any unit, over the frames of the first three.
    stop = found.units[2].stop
    with_one = max(viterbi(linear(units, list(f"a{one}ca")), emissions[:stop]).score for one in "abc")
    assert gains[0] == pytest.approx(with_one - viterbi(linear(units, list("aca")), emissions[:stop]).score)
    assert missing(list("abca"))[0].argmax() == 3  # the last is missing


def test_tied_states_are_aligned_in_their_context_and_compared_in_any():
    after_b = DecisionTree((Split(Question("left", frozenset({1})), 1, 2), Leaf(0), Leaf(1)))
    models = tuple(DiagGMM([1.0], [[mean]], [[1.0]]) for mean in (0.0, 6.0, 12.0))
    units = tied_units(("a", "b"), [left_to_right(1)] * 2, TiedStates(models, (after_b, DecisionTree((Leaf(2),)))))
    frames = np.random.default_rng(6).normal(size=36) + np.repeat([12, 0, 6], 12)  # "b a" of one word, then "a" alone
    emissions = np.stack([norm.logpdf(frames, mean) for mean in (0, 6, 12)], axis=1)
    lexicon = {"ba": (("b", "a"),), "a": (("a",),)}
    found = alignment(graph := linear(units, ["ba", "a"], lexicon), viterbi(graph, emissions), emissions)
    placed = AlignmentScorer(units).placed(found, emissions, frames[:, None], scores=True)
    assert [one.label for one in placed.units] == ["b", "a", "a"]
    np.testing.assert_allclose([one.start for one in placed.units], [0, 12, 24], atol=0.6)
    assert min(one.scores.gop for one in placed.units) > -0.2
    assert [(one.start, one.end) for one in placed.words] == [
        (placed.units[0].start, placed.units[1].end),
        (placed.units[2].start, placed.units[2].end),
    ]


SCORES = LabelScores(-41.5, -0.25, 0.98, 1.5, -3.0, 0.24, 0.26, 0.49, 0.5)
RECORDING = LabelledRecording(
    Path("a.wav"),
    1.0,
    {"words": [TimedLabel("one", 0.25, 0.5, 0.9, scores=SCORES)], "phones": [TimedLabel("w", 0.25, 0.5, 0.9)]},
)


def test_scores_are_columns_of_tables_keys_of_json_and_tiers_of_textgrids():
    rows = list(csv.DictReader(io.StringIO(labels_as_text([RECORDING], "csv"))))
    assert {name: float(rows[0][name]) for name in SCORES.rounded()} == SCORES.rounded()
    assert {rows[1][name] for name in SCORES.rounded()} == {""}
    in_array = json.loads(labels_as_text([RECORDING], "json"))
    line = json.loads(json_line("a", RECORDING.tiers, 1.0))
    for label in (in_array[0], line["words"][0]):
        assert {name: label[name] for name in SCORES.rounded()} == SCORES.rounded()
    assert not SCORES.rounded().keys() & line["phones"][0].keys()
    text = labels_as_text([RECORDING], "textgrid")
    for name, shown in (("gop", "-0.25"), ("duration_z", "1.50"), ("start", "0.240 to 0.260")):
        assert shown in text.partition(f'name = "words {name}"')[2].partition("item [")[0]
    assert 'name = "phones gop"' not in text
