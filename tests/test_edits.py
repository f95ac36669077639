"""Laws of alignments and error rates, with jiwer and an obvious recursion as oracles."""

from functools import cache
from itertools import product

import jiwer
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechgmm.errors import DataError
from speechgmm.evaluation import (
    align_labels,
    boundary_errors,
    confusions,
    count_edits,
    edit_rate,
    rate_interval,
    sentence_rate,
    within,
)

sequences = st.lists(st.sampled_from("abcd"), max_size=12)


def counts_of(alignment):
    return alignment.hits, alignment.substitutions, alignment.deletions, alignment.insertions


def errors_of(reference, hypothesis):
    return sum(counts_of(align_labels(reference, hypothesis))[1:])


def fewest(reference, hypothesis):
    """(errors, substitutions) of the best alignment, by trying everything."""

    @cache
    def best(i, j):
        if i == 0 or j == 0:
            return i + j, 0
        same = reference[i - 1] == hypothesis[j - 1]
        ways = [(best(i - 1, j - 1), not same, not same), (best(i - 1, j), 1, 0), (best(i, j - 1), 1, 0)]
        return min((errors + more, swaps + swap) for (errors, swaps), more, swap in ways)

    return best(len(reference), len(hypothesis))


@given(sequences, sequences)
def test_an_alignment_has_the_fewest_errors_and_of_those_the_fewest_substitutions(reference, hypothesis):
    alignment = align_labels(reference, hypothesis)
    _, substitutions, deletions, insertions = counts_of(alignment)
    assert (substitutions + deletions + insertions, substitutions) == fewest(tuple(reference), tuple(hypothesis))


@given(sequences, sequences)
def test_an_alignment_holds_both_sequences_in_their_order(reference, hypothesis):
    alignment = align_labels(reference, hypothesis)
    assert [said for said, _ in alignment.pairs if said is not None] == reference
    assert [heard for _, heard in alignment.pairs if heard is not None] == hypothesis
    assert sum(counts_of(alignment)) == len(alignment.pairs)
    assert (None, None) not in alignment.pairs


@given(sequences)
def test_a_sequence_has_no_error_against_itself_and_only_deletions_against_nothing(sequence):
    assert counts_of(align_labels(sequence, sequence)) == (len(sequence), 0, 0, 0)
    assert counts_of(align_labels(sequence, [])) == (0, 0, len(sequence), 0)


@given(sequences, sequences)
def test_the_other_way_round_deletions_are_insertions(reference, hypothesis):
    hits, substitutions, deletions, insertions = counts_of(align_labels(reference, hypothesis))
    assert counts_of(align_labels(hypothesis, reference)) == (hits, substitutions, insertions, deletions)


@given(sequences, sequences, sequences)
def test_a_detour_has_no_fewer_errors(first, middle, last):
    assert errors_of(first, last) <= errors_of(first, middle) + errors_of(middle, last)


def test_rates_and_hits_are_those_of_jiwer():
    rng = np.random.default_rng(0)
    words = [f"w{n}" for n in range(20)]
    pairs = []
    for _ in range(300):
        reference = rng.choice(words, rng.integers(1, 30)).tolist()
        kept = [rng.choice(words) if rng.random() < 0.2 else word for word in reference if rng.random() < 0.85]
        pairs.append((reference, [*kept, *rng.choice(words, rng.integers(0, 3)).tolist()]))
    theirs = jiwer.process_words([" ".join(said) for said, _ in pairs], [" ".join(heard) for _, heard in pairs])
    counts = count_edits(align_labels(said, heard) for said, heard in pairs)
    everyone = np.ones(len(pairs))
    assert edit_rate(counts)(everyone) == pytest.approx(theirs.wer, abs=1e-15)
    assert counts.errors.sum() == theirs.substitutions + theirs.deletions + theirs.insertions
    assert counts.deletions.sum() - counts.insertions.sum() == theirs.deletions - theirs.insertions
    assert counts.hits.sum() >= theirs.hits  # theirs takes any alignment with so few errors
    right = [said == heard for said, heard in pairs]
    assert sentence_rate(counts)(everyone) == 1 - np.mean(right)


def test_long_sequences_align_as_short_ones_joined_by_what_occurs_once():
    rng = np.random.default_rng(1)
    reference, hypothesis, errors = [], [], 0
    for n in range(40):
        said, heard = (rng.choice(list("ab"), rng.integers(0, 8)).tolist() for _ in range(2))
        errors += errors_of(said, heard)
        anchor = [f"{n}-{m}" for m in range(17)]  # dearer to lose than any stretch between
        reference += said + anchor
        hypothesis += heard + anchor
    assert errors_of(reference, hypothesis) == errors


def test_a_rate_is_pooled_over_utterances_and_not_a_mean_of_rates():
    counts = count_edits([align_labels("a", "b"), align_labels("abc", "abc")])
    assert edit_rate(counts)(np.ones(2)) == 1 / 4
    assert edit_rate(counts)(np.array([2.0, 1.0])) == 2 / 5


def test_intervals_draw_speakers_and_hold_rates_above_one():
    rng = np.random.default_rng(2)
    alignments, speakers = [], []
    for speaker in range(10):
        rate = rng.uniform(0.05, 0.4)
        for _ in range(20):
            said = rng.choice(list("abcde"), 8).tolist()
            alignments.append(align_labels(said, [x if rng.random() > rate else "z" for x in said]))
            speakers.append(speaker)
    rate = edit_rate(count_edits(alignments))
    by_speaker = rate_interval(rate, speakers)
    by_item = rate_interval(rate, np.arange(len(speakers)))
    assert by_speaker.low < rate(np.ones(200)) < by_speaker.high
    assert by_speaker.high - by_speaker.low > by_item.high - by_item.low
    much = edit_rate(count_edits([align_labels("a", "xyz"), align_labels("a", "xy"), align_labels("a", "a")] * 3))
    found = rate_interval(much, [0, 1, 2] * 3)
    assert 0 < found.low < much(np.ones(9)) < found.high


def test_references_without_labels_have_no_rate():
    with pytest.raises(DataError, match="no label in any reference"):
        rate_interval(edit_rate(count_edits([align_labels([], "a")])), [0])


def test_confusions_count_every_error_once_and_the_most_frequent_first():
    alignments = [align_labels(*pair) for pair in product(["abc", "aab", "cab"], repeat=2)]
    found = confusions(alignments)
    assert sum(n for *_, n in found) == count_edits(alignments).errors.sum()
    assert [n for *_, n in found] == sorted((n for *_, n in found), reverse=True)
    assert confusions(reversed(alignments)) == found


# -- boundaries --------------------------------------------------------------------------------------------------------


def segments(starts, labels="abcd"):
    return [(label, start, end) for label, start, end in zip(labels, starts, [*starts[1:], 1.0], strict=False)]


def test_boundaries_are_where_a_segment_follows_another():
    errors = boundary_errors(segments([0.0, 0.2, 0.5, 0.7]), segments([0.1, 0.21, 0.48, 0.75]))
    np.testing.assert_allclose(errors, [0.01, 0.02, 0.05], atol=1e-12)
    assert [within(errors, tolerance)(np.ones(3)) for tolerance in (0.01, 0.02, 0.05)] == [1 / 3, 2 / 3, 1.0]


def test_shares_within_grow_with_the_tolerance():
    errors = np.random.default_rng(0).exponential(0.02, 500)
    shares = [within(errors, tolerance)(np.ones(500)) for tolerance in (0.001, 0.01, 0.02, 0.05, 1.0)]
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_segmentations_of_different_labels_are_refused_with_the_first_difference():
    with pytest.raises(DataError, match="segment 3 is 'c' in the reference and 'x' in the alignment"):
        boundary_errors(segments([0.0, 0.2, 0.5]), segments([0.0, 0.2, 0.5], "abx"))
    with pytest.raises(DataError, match="segment 3 is 'c' in the reference and no more"):
        boundary_errors(segments([0.0, 0.2, 0.5]), segments([0.0, 0.2]))
    with pytest.raises(DataError, match="segments of the alignment are not in the order"):
        boundary_errors(segments([0.0, 0.2, 0.5]), segments([0.0, 0.6, 0.5]))
    with pytest.raises(DataError, match=r"tolerance of 0 s"):
        within([0.1], 0)
