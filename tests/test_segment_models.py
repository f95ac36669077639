"""Laws of segments, of the streams that score them, and of their combination; one run on real phones."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import soundfile

from speechgmm.errors import ConfigError, DataError, FitError, FitWarning, ShapeError
from speechgmm.features import FeatureSpec, extract, front_end
from speechgmm.features.segments import log_durations, segment_frames, segment_statistics, segment_vectors
from speechgmm.features.transforms import LinearTransform
from speechgmm.gmm import DiagGMM, log_likelihoods
from speechgmm.tasks.segments.combination import combination_loss, combine, fit_combination
from speechgmm.tasks.segments.components import components_by_occupancy, fit_mixtures
from speechgmm.tasks.segments.duration import DurationModel, fit_durations
from speechgmm.tasks.segments.estimation import cross_validate_segments, train_segment_models
from speechgmm.tasks.segments.models import (
    FrameStream,
    PriorStream,
    SegmentModels,
    StatisticsStream,
    ThirdStream,
    VectorStream,
)
from speechgmm.tasks.segments.spec import SegmentSpec
from speechgmm.tasks.segments.streams import LabelledSegments

# ---- segments ----


def mean_over(frames: np.ndarray, start: float, end: float) -> np.ndarray:
    """The obvious integral: a thousand samples of the step function per frame, edges prolonged."""
    at = start + (np.arange(6000) + 0.5) / 6000 * (end - start)
    return frames[np.clip(np.floor(at), 0, len(frames) - 1).astype(int)].mean(axis=0)


def test_segment_vectors_are_the_means_of_a_finely_sampled_recording():
    frames = np.random.default_rng(0).normal(size=(20, 3))
    bounds = np.array([[0.0, 1.0], [1.0, 1.4], [1.4, 13.7], [13.7, 20.0], [19.5, 20.3]])
    found = segment_vectors(frames, bounds, context=2.5)
    assert found.shape == (5, 22)
    for vector, (start, end) in zip(found, bounds, strict=True):
        cuts = [start + share * (end - start) for share in (0, 0.3, 0.7, 1)]
        spans = [*pairwise(cuts)]
        spans += [(start - 5, start - 2.5), (start - 2.5, start), (end, end + 2.5), (end + 2.5, end + 5)]
        expected = np.concatenate([mean_over(frames, *span) for span in spans])
        np.testing.assert_allclose(vector[:-1], expected, atol=3e-3)
        assert vector[-1] == pytest.approx(np.log(end - start), rel=1e-6)


def test_shifting_a_segment_with_its_frames_changes_no_vector():
    frames = np.random.default_rng(0).normal(size=(30, 2))
    bounds = np.array([[8.0, 9.25], [9.25, 20.0]])
    moved = np.concatenate([np.full((7, 2), 1e3), frames])
    np.testing.assert_allclose(
        segment_vectors(moved, bounds + 7), segment_vectors(frames, bounds), rtol=1e-5, atol=1e-6
    )


def test_segments_that_share_boundaries_share_no_frame_and_lose_none():
    cuts = np.array([0.0, 3.2, 3.9, 8.5, 20.0])
    found = segment_frames(np.stack([cuts[:-1], cuts[1:]], axis=1), 20)
    np.testing.assert_array_equal(found.index, np.arange(20))
    for frame, segment, part in zip(found.index, found.segment, found.part, strict=True):
        start, end = cuts[segment], cuts[segment + 1]
        assert start <= frame + 0.5 < end
        assert part == int(3 * (frame + 0.5 - start) / (end - start))
    np.testing.assert_array_equal(found.starts, np.searchsorted(found.segment, np.arange(4)))


def test_frames_of_segments_are_those_of_the_front_ends_frame_range():
    front, rng = front_end(FeatureSpec(), 16000), np.random.default_rng(0)
    start = rng.integers(0, 15000, size=300)
    end = start + rng.integers(1, 2000, size=300)
    n_frames = 98
    positions = (np.stack([start, end], axis=1) - front.first_centre) / front.frame_shift + 0.5
    inside = (positions[:, 1] > 0) & (positions[:, 0] < n_frames)
    found = segment_frames(positions[inside], n_frames)
    counts = np.diff(np.append(found.starts, len(found.index)))
    theirs = [
        front.frame_range(s / 16000, e / 16000, n_frames) for s, e in zip(start[inside], end[inside], strict=True)
    ]
    ours = np.stack([found.index[found.starts], found.index[found.starts] + counts], axis=1)
    np.testing.assert_array_equal(ours, theirs)
    assert (counts == 1).sum() > 5


@pytest.mark.parametrize(
    ("bounds", "error", "message"),
    [
        ([1.0, 2.0], ShapeError, r"expected \(N, 2\)"),
        ([[0, 2], [3, 3]], DataError, "segment 1 from 3 to 3"),
        ([[0, 2], [9, 4]], DataError, "segment 1 from 9 to 4"),
        ([[10, 12]], DataError, "recording of 10"),
        ([[-3, 0]], DataError, "seconds or samples"),
        ([[np.nan, 2]], DataError, "segment 0"),
    ],
)
def test_boundaries_that_hold_no_segment_are_refused(bounds, error, message):
    for use in (segment_vectors, lambda frames, bounds: segment_frames(bounds, len(frames))):
        with pytest.raises(error, match=message):
            use(np.zeros((10, 2)), bounds)


def test_segment_vectors_refuse_a_context_of_nothing():
    with pytest.raises(ConfigError, match="above 0"):
        segment_vectors(np.zeros((10, 2)), [[1, 2]], context=0)


def test_statistics_of_a_segment_are_those_of_its_frames_in_any_order_and_any_number_of_times():
    rng = np.random.default_rng(0)
    frames, floor = rng.normal(size=(20, 3)), np.array([0.1, 0.0, 0.2])
    bounds = np.array([[0.0, 8.0], [8.0, 20.0], [9.0, 10.0]])
    found = segment_statistics(frames, bounds, 2, floor + 1e-9)
    for vector, (start, end) in zip(found, bounds.astype(int), strict=True):
        own = frames[start:end]
        expected = [own[:, :2].mean(0), own[:, :2].min(0), own[:, :2].max(0), 0.5 * np.log(own.var(0) + floor + 1e-9)]
        np.testing.assert_allclose(vector, np.concatenate(expected), rtol=1e-5, atol=1e-6)
    shuffled = rng.permutation(np.tile(frames[8:20], (3, 1)))
    np.testing.assert_allclose(segment_statistics(shuffled, [[0, 36]], 2, floor)[0], found[1], rtol=1e-5, atol=1e-6)
    assert segment_statistics(frames, np.empty((0, 2)), 2, floor).shape == (0, 9)
    for n_static, least in ((0, floor), (4, floor), (2, floor[:2])):
        with pytest.raises(ShapeError, match="static dimensions, and a floor"):
            segment_statistics(frames, bounds, n_static, least)


# ---- durations, numbers of Gaussians, mixtures ----


def test_durations_have_the_density_of_scipys_normal_and_one_unit_is_as_good_as_another():
    norm = pytest.importorskip("scipy.stats").norm
    rng = np.random.default_rng(0)
    logs, classes = rng.normal(2, 0.5, size=60), np.arange(60) % 3
    model = fit_durations(logs, classes, 3, prior_count=0)
    expected = np.stack([norm.logpdf(logs, logs[classes == c].mean(), logs[classes == c].std()) for c in range(3)], 1)
    np.testing.assert_allclose(model.log_likelihoods(logs), expected, rtol=1e-10)
    shifted = fit_durations(logs + np.log(0.01), classes, 3).log_likelihoods(logs + np.log(0.01))
    np.testing.assert_allclose(shifted, fit_durations(logs, classes, 3).log_likelihoods(logs), rtol=1e-9)


def test_the_prior_draws_duration_variances_from_their_own_to_the_pooled_one():
    rng = np.random.default_rng(0)
    classes = np.repeat([0, 1], [40, 4])
    logs = rng.normal(size=44) * np.where(classes == 0, 1.0, 0.1)
    own = np.array([logs[:40].var(), logs[40:].var()])
    pooled = (40 * own[0] + 4 * own[1]) / 44
    np.testing.assert_allclose(fit_durations(logs, classes, 2, prior_count=0).variances, own)
    np.testing.assert_allclose(fit_durations(logs, classes, 2, prior_count=1e12).variances, pooled)
    between = fit_durations(logs, classes, 2, prior_count=4).variances
    np.testing.assert_allclose(between[1], (own[1] + pooled) / 2)


def test_durations_that_cannot_be_learnt_are_refused():
    with pytest.raises(DataError, match="class 1 has no segment"):
        fit_durations([1.0, 2.0], [0, 2], 3)
    with pytest.raises(FitError, match="class 0 all last the same"):
        fit_durations([1.0, 1.0, 2.0, 3.0], [0, 0, 1, 1], 2, prior_count=0)
    with pytest.raises(ShapeError, match="one class per segment"):
        fit_durations([1.0], [0, 1], 2)
    with pytest.raises(ShapeError, match="not above 0"):
        DurationModel(np.zeros(1), np.zeros(1))


def test_components_go_one_by_one_where_the_claim_per_component_is_highest():
    counts = np.array([5.0, 3000.0, 200.0, 0.0, 45.0])
    for budget in (3, 5, 9, 40):
        sizes = np.ones(5, dtype=int)
        while sizes.sum() < budget:
            claims = np.where((sizes + 1) * 10 < counts, counts**0.25 / sizes, -1)
            if claims.max() < 0:
                break
            sizes[claims.argmax()] += 1
        np.testing.assert_array_equal(components_by_occupancy(counts, budget, 0.25, 10), sizes)
    assert components_by_occupancy(counts, 1000, 1.0, 10).tolist() == [1, 299, 19, 1, 4]


def test_power_zero_shares_components_out_evenly():
    assert components_by_occupancy([9, 1, 500], 12, power=0).tolist() == [4, 4, 4]


def test_components_refuse_negative_counts():
    with pytest.raises(ConfigError, match="0 or more"):
        components_by_occupancy([3, -1], 4)
    with pytest.raises(ShapeError, match="frames per class"):
        components_by_occupancy([[3.0]], 4)


def test_mixtures_have_their_own_variances_without_a_prior_and_the_shared_ones_with_an_endless_one():
    rng = np.random.default_rng(0)
    classes = np.repeat([0, 1], [300, 60])
    rows = rng.normal(size=(360, 3)) * np.where(classes == 0, 1.0, 3.0)[:, None] + 50
    own = np.stack([rows[classes == c].var(axis=0) for c in range(2)])
    shared = (300 * own[0] + 60 * own[1]) / 360
    for prior_count, expected in (
        (0, own),
        (1e9, [shared, shared]),
        (60, (own.T * [300, 60] + 60 * shared[:, None]).T),
    ):
        fits = fit_mixtures(rows, classes, ["a", "b"], [1, 1], prior_count=prior_count, variance_floor=1e-3)
        found = np.array([model.variances[0] for model in fits])
        scale = np.array([[360], [120]]) if prior_count == 60 else 1
        np.testing.assert_allclose(found, np.array(expected) / scale, rtol=1e-5)
        np.testing.assert_allclose(
            [model.means[0] for model in fits], [rows[:300].mean(0), rows[300:].mean(0)], rtol=1e-6
        )


def test_a_class_that_cannot_be_fitted_is_named():
    with pytest.raises(FitError, match="class b: no frames"):
        fit_mixtures(np.eye(6), np.zeros(6, np.intp), ["a", "b"], [1, 1], prior_count=1, variance_floor=0.1)


def test_a_class_has_no_more_gaussians_than_rows_that_differ():
    rows = np.concatenate([np.random.default_rng(0).normal(size=(40, 2)), np.repeat([[0.0, 1.0], [0.0, 2.0]], 30, 0)])
    silent = np.repeat([0, 1], [40, 60])
    fits = fit_mixtures(rows, silent, ["a", "b"], [4, 4], prior_count=1, variance_floor=0.1)
    assert [model.n_components for model in fits] == [4, 2]


# ---- combination ----


def streams_of(rng: np.random.Generator, n: int = 600, strengths: tuple[float, ...] = (1.0, 2.0)) -> tuple:
    truth = rng.integers(4, size=n)
    # log N(x; e_c, 1 / s): the sum of such streams is the log posterior as it stands.
    scores = np.stack([s * (np.eye(4)[truth] + rng.normal(size=(n, 4)) / np.sqrt(s)) for s in strengths])
    return scores, truth


def test_weights_of_streams_that_are_true_likelihoods_are_one():
    scores, truth = streams_of(np.random.default_rng(0), n=20_000)
    np.testing.assert_allclose(fit_combination([scores], [truth], ridge=0), [1, 1], atol=0.06)


def test_fitted_weights_are_where_the_loss_is_least():
    scores, truth = streams_of(np.random.default_rng(1))
    weights = fit_combination([scores], [truth], ridge=0)
    least = combination_loss([scores], [truth], weights)
    minimize = pytest.importorskip("scipy.optimize").minimize
    theirs = minimize(lambda w: combination_loss([scores], [truth], w), np.zeros(2), tol=1e-10)
    np.testing.assert_allclose(weights, theirs.x, atol=1e-4)
    assert least <= theirs.fun + 1e-12


def test_scaling_a_stream_divides_its_weight_and_folds_may_be_joined():
    scores, truth = streams_of(np.random.default_rng(2))
    weights = fit_combination([scores], [truth])
    factor = np.array([1e-3, 50.0])
    scaled = fit_combination([scores * factor[:, None, None]], [truth])
    np.testing.assert_allclose(scaled * factor, weights, rtol=1e-6)
    halves = fit_combination([scores[:, :200], scores[:, 200:]], [truth[:200], truth[200:]])
    np.testing.assert_allclose(halves, weights, rtol=1e-6)


def test_what_is_common_to_all_classes_changes_neither_weights_nor_loss():
    scores, truth = streams_of(np.random.default_rng(3))
    moved = scores + np.random.default_rng(4).normal(size=(2, len(truth), 1)) * 1e3
    weights = fit_combination([scores], [truth])
    np.testing.assert_allclose(fit_combination([moved], [truth]), weights, rtol=1e-5)
    assert combination_loss([moved], [truth], weights) == pytest.approx(combination_loss([scores], [truth], weights))


def test_a_stream_that_is_the_same_for_all_classes_has_no_weight():
    rng = np.random.default_rng(0)
    truth = rng.integers(3, size=90)
    useful = np.eye(3)[truth] + rng.normal(size=(90, 3))
    alone = fit_combination([useful[None]], [truth])
    weights = fit_combination([np.stack([useful, np.full((90, 3), -1.1)])], [truth])
    np.testing.assert_allclose(weights, [alone[0], 0], atol=1e-6)


def test_weights_refuse_scores_that_say_nothing_or_do_not_fit():
    with pytest.raises(FitError, match="no segments"):
        fit_combination([np.zeros((2, 0, 3))], [[]])
    with pytest.raises(FitError, match="every stream gives all classes the same score"):
        fit_combination([np.ones((2, 4, 3))], [[0, 1, 2, 0]])
    with pytest.raises(FitError, match="not finite"):
        fit_combination([np.full((1, 2, 2), -np.inf)], [[0, 1]])
    with pytest.raises(ShapeError, match="classes 0 to 3 for scores of 3"):
        fit_combination([np.ones((1, 2, 3))], [[0, 3]])
    with pytest.raises(ShapeError, match=r"expected \(S, N, C\)"):
        combine(np.ones((2, 3)), [1.0, 1.0])


# ---- streams and models ----


def mixture(rng: np.random.Generator, n_dims: int) -> DiagGMM:
    return DiagGMM([0.4, 0.6], rng.normal(size=(2, n_dims)), rng.uniform(0.5, 2, size=(2, n_dims)))


def streams(rng: np.random.Generator, n_classes: int = 3) -> tuple:
    def models(n: int, n_dims: int) -> tuple[DiagGMM, ...]:
        return tuple(mixture(rng, n_dims) for _ in range(n))

    def to(dim: int, n_dims: int) -> LinearTransform:
        return LinearTransform(rng.normal(size=(dim, n_dims)) / 5, rng.normal(size=dim))

    return (
        FrameStream(models(n_classes, 6), 0.7),
        ThirdStream(models(3 * n_classes, 4), to(4, 6), 1, 2, 0.5),
        VectorStream(models(n_classes, 5), to(5, 15), 2.0, 2),
        DurationModel(rng.normal(size=n_classes), rng.uniform(0.5, 1, size=n_classes)),
        PriorStream(np.log(np.full(n_classes, 1 / n_classes))),
        StatisticsStream(models(n_classes, 4), to(4, 12), np.full(6, 0.1), 2),
    )


BOUNDS = np.array([[0.0, 5.3], [5.3, 6.1], [8.0, 22.0]])


def test_frame_stream_is_the_loop_over_segments_and_classes():
    rng = np.random.default_rng(0)
    frames, stream = rng.normal(size=(25, 6)), streams(rng)[0]
    found = stream.scores(frames, BOUNDS)
    for n, own in enumerate((frames[0:5], frames[5:6], frames[8:22])):
        for c, model in enumerate(stream.models):
            assert found[n, c] == pytest.approx(log_likelihoods(model.log_linear(), own).sum() / len(own) ** 0.7)


def test_third_stream_is_the_loop_over_frames_and_their_thirds():
    rng = np.random.default_rng(0)
    frames, stream = rng.normal(size=(25, 6)), streams(rng)[1]
    found = stream.scores(frames, BOUNDS)
    for n, (start, end) in enumerate(BOUNDS):
        own = [t for t in range(25) if start <= t + 0.5 < end]
        for c in range(3):
            total = 0.0
            for t in own:
                spliced = np.concatenate([frames[max(t - 1, 0), :2], frames[t, :2], frames[min(t + 1, 24), :2]])
                third = int(3 * (t + 0.5 - start) / (end - start))
                image = stream.transform.matrix @ spliced + stream.transform.offset
                total += log_likelihoods(stream.models[third * 3 + c].log_linear(), image[None])[0]
            assert found[n, c] == pytest.approx(total / len(own) ** 0.5, rel=1e-5)


def test_every_stream_scores_a_segment_alike_alone_and_among_others():
    rng = np.random.default_rng(0)
    frames = rng.normal(size=(25, 6)).astype(np.float32)
    models = SegmentModels(("a", "b", "c"), streams(rng), np.array([1.0, 0.5, 0.3, 0.2, 1.0, 0.7]))
    together = models.stream_scores(frames, BOUNDS)
    assert together.shape == (6, 3, 3)
    for n in range(3):
        np.testing.assert_allclose(models.stream_scores(frames, BOUNDS[n : n + 1])[:, 0], together[:, n], rtol=1e-6)
    assert models.stream_scores(frames, np.empty((0, 2))).shape == (6, 0, 3)
    assert models.classify(frames, np.empty((0, 2))) == ()


def test_posteriors_sum_to_one_and_the_decision_is_their_largest():
    rng = np.random.default_rng(0)
    frames = rng.normal(size=(25, 6))
    models = SegmentModels(("a", "b", "c"), streams(rng), np.array([1.0, 0.5, 0.3, 0.2, 1.0, 0.7]))
    found = np.exp(models.log_posteriors(frames, BOUNDS))
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert models.classify(frames, BOUNDS) == tuple("abc"[k] for k in found.argmax(axis=1))
    np.testing.assert_allclose(
        np.log(found[:, 0] / found[:, 1]),
        (lambda total: total[:, 0] - total[:, 1])(combine(models.stream_scores(frames, BOUNDS), models.weights)),
    )


def test_models_refuse_parts_that_do_not_fit():
    rng = np.random.default_rng(0)
    parts = streams(rng)
    with pytest.raises(DataError, match="each once"):
        SegmentModels(("a", "a", "c"), parts, np.ones(6))
    with pytest.raises(ShapeError, match="of 3 classes for 2 labels"):
        SegmentModels(("a", "b"), parts, np.ones(6))
    with pytest.raises(ShapeError, match="for 6 streams"):
        SegmentModels(("a", "b", "c"), parts, np.ones(4))
    with pytest.raises(ShapeError, match="three per class"):
        replace(parts[1], models=parts[1].models[:4])
    with pytest.raises(DataError, match="not finite"):
        SegmentModels(("a", "b", "c"), parts, np.ones(6)).stream_scores(np.full((25, 6), np.nan), BOUNDS)


# ---- training ----

SMALL = SegmentSpec(frame_components=1, third_components=1, third_splice=1, lda_prior=5, weight_folds=2)


def speaker(seed: int, name: str, n: int = 80, labels: str = "abcd", copy: bool = False) -> LabelledSegments:
    """Segments whose classes differ in level (a, b), in movement with equal mean (c), in duration (d)."""
    rng = np.random.default_rng(seed)
    truth = [labels[k] for k in rng.integers(len(labels), size=n)]
    lengths = np.array([rng.integers(12, 20) if label == "d" else rng.integers(4, 9) for label in truth])
    shapes = {"a": (1, 1), "b": (-1, -1), "c": (-1, 1), "d": (1, -1)}
    contours = [np.linspace(*shapes[label], length) for label, length in zip(truth, lengths, strict=True)]
    frames = np.concatenate(contours)[:, None] * [1.0, -0.5, 0.2] + 0.5 * rng.normal(size=(lengths.sum(), 3))
    ends = np.cumsum(lengths)
    return LabelledSegments(frames, np.stack([ends - lengths, ends], axis=1).astype(float), tuple(truth), name, copy)


def speakers(n: int = 4) -> list[LabelledSegments]:
    return [speaker(k, f"speaker{k}") for k in range(n)]


def share_right(models: SegmentModels, test: LabelledSegments) -> float:
    return float(np.mean([a == b for a, b in zip(test.labels, models.classify(test.frames, test.bounds), strict=True)]))


def test_all_streams_together_beat_one_mixture_where_classes_differ_in_movement():
    test = speaker(99, "unseen", n=200)
    plain = train_segment_models(speakers(), replace(SMALL, streams=("frames",)), 3)
    combined = train_segment_models(speakers(), SMALL, 3)
    assert share_right(combined, test) > 0.97
    assert share_right(plain, test) < 0.9


def test_training_twice_gives_the_same_numbers():
    once, again = (train_segment_models(speakers(3), SMALL, 3) for _ in range(2))
    np.testing.assert_array_equal(once.weights, again.weights)
    test = speaker(99, "unseen")
    np.testing.assert_array_equal(
        once.stream_scores(test.frames, test.bounds), again.stream_scores(test.frames, test.bounds)
    )


def test_the_order_in_which_folds_are_worked_on_changes_nothing():
    def backwards(function, items):
        return [function(item) for item in reversed(items)][::-1]

    here = cross_validate_segments(speakers(), SMALL, 3)
    there = cross_validate_segments(speakers(), SMALL, 3, map=backwards)
    np.testing.assert_array_equal(here.weights, there.weights)
    assert here.loss == there.loss


def test_validation_never_scores_a_segment_by_models_that_saw_its_speaker(monkeypatch):
    from speechgmm.tasks.segments import estimation as segment_training

    seen = []
    train = segment_training.train_streams
    monkeypatch.setattr(
        segment_training,
        "train_streams",
        lambda recordings, *rest: seen.append({r.group for r in recordings}) or train(recordings, *rest),
    )
    scored = []
    original = SegmentModels.stream_scores
    monkeypatch.setattr(
        SegmentModels,
        "stream_scores",
        lambda self, frames, bounds: scored.append((len(seen) - 1, id(frames))) or original(self, frames, bounds),
    )
    recordings = [*speakers(), speaker(7, "speaker1", copy=True)]
    cross_validate_segments(recordings, SMALL, 3)
    group_of = {id(r.frames): (r.group, r.copy) for r in recordings}
    assert len(scored) == 4
    for fold, frames in scored:
        group, copy = group_of[frames]
        assert group not in seen[fold]
        assert not copy


def test_copies_are_trained_on_but_not_counted():
    plain = speakers()
    more = [*plain, *(speaker(50 + k, f"speaker{k}", copy=True) for k in range(4))]
    here, there = cross_validate_segments(plain, SMALL, 3), cross_validate_segments(more, SMALL, 3)
    assert here.n_segments == there.n_segments == 4 * 80
    assert here.loss != there.loss


def test_a_label_that_the_other_folds_lack_counts_as_an_error_and_spoils_nothing():
    recordings = speakers()
    odd = recordings[0]
    recordings[0] = replace(odd, labels=("only here", *odd.labels[1:]))
    found = cross_validate_segments(recordings, SMALL, 3)
    whole = cross_validate_segments(speakers(), SMALL, 3)
    assert found.n_segments == whole.n_segments
    assert np.isfinite(found.loss)
    assert found.accuracy <= 1 - 1 / found.n_segments
    models = train_segment_models(recordings, SMALL, 3, weights=found.weights)
    assert "only here" in models.labels


def test_a_class_of_segments_of_one_frame_still_has_its_thirds():
    recordings = []
    for k in range(2):
        frames = np.random.default_rng(k).normal(size=(60, 2)) + np.tile([[0.0], [0.0], [0.0], [5.0]], (15, 2))
        bounds = np.array([span for t in range(0, 60, 4) for span in ((t, t + 3), (t + 3, t + 4))], dtype=float)
        recordings.append(LabelledSegments(frames, bounds, ("long", "short") * 15, f"speaker{k}"))
    models = train_segment_models(recordings, replace(SMALL, streams=("thirds",)), 2)
    assert models.streams[0].n_classes == 2
    assert share_right(models, recordings[0]) > 0.9


def of_equal_length(seed: int, name: str) -> LabelledSegments:
    """Segments of six frames each, of classes that differ in level."""
    rng = np.random.default_rng(seed)
    truth = [("a", "b", "c")[k] for k in rng.integers(3, size=60)]
    levels = np.repeat([{"a": 1.0, "b": 0.0, "c": -1.0}[label] for label in truth], 6)
    frames = levels[:, None] * [1.0, -0.5] + 0.3 * rng.normal(size=(360, 2))
    starts = 6.0 * np.arange(60) + 1e-9 * rng.normal(size=60)  # boundaries in seconds are rounded
    return LabelledSegments(frames, np.stack([starts, starts + 6], axis=1), tuple(truth), name)


def test_durations_that_do_not_vary_are_left_out_and_it_is_said():
    recordings = [of_equal_length(k, f"speaker{k}") for k in range(3)]
    with pytest.warns(FitWarning, match="same duration: the stream vector leaves out .* the stream duration is left"):
        models = train_segment_models(recordings, SMALL, 2)
    assert [type(stream).__name__ for stream in models.streams] == [
        "FrameStream",
        "ThirdStream",
        "VectorStream",
        "PriorStream",
    ]
    assert share_right(models, of_equal_length(9, "unseen")) > 0.95
    assert isinstance(models.streams[2], VectorStream)
    assert not models.streams[2].transform.matrix[:, -1].any()  # of the log duration
    with pytest.warns(FitWarning, match="same duration"):
        given = train_segment_models(recordings, SMALL, 2, weights=[1.0, 2.0, 3.0, 4.0, 5.0])
    np.testing.assert_array_equal(given.weights, [1, 2, 3, 5])
    with pytest.raises(FitError, match="no stream is left that looks at a segment; add frames"):
        train_segment_models(recordings, replace(SMALL, streams=("duration", "prior")), 2)


def test_scaling_and_shifting_a_dimension_changes_no_posterior_of_statistics():
    spec = replace(SMALL, streams=("statistics",))

    def moved(one: LabelledSegments) -> LabelledSegments:
        return replace(one, frames=one.frames * [10.0, 0.1, 3.0] + [5.0, 0.0, -1.0])

    test = speaker(99, "unseen")
    plain, other = (train_segment_models([change(s) for s in speakers()], spec, 3) for change in (lambda s: s, moved))
    np.testing.assert_allclose(
        other.log_posteriors(moved(test).frames, test.bounds), plain.log_posteriors(test.frames, test.bounds), atol=0.01
    )
    assert share_right(plain, test) > 0.9


def test_segments_of_frames_that_are_all_the_same_spoil_no_stream():
    """Digital silence: two classes have nothing else, in one of the groups or in both."""
    spec = replace(SMALL, streams=(*SMALL.streams, "statistics"), frame_components=3)
    frames = [recording.frames.copy() for recording in speakers(3)]
    for k, recording in enumerate(speakers(3)):
        for label, (start, end) in zip(recording.labels, recording.bounds.astype(int), strict=True):
            if label == "a" or (label == "c" and k == 0):
                frames[k][start:end] = -9.0
    recordings = [replace(one, frames=own) for one, own in zip(speakers(3), frames, strict=True)]
    models = train_segment_models(recordings, spec, 3)
    assert share_right(models, recordings[1]) > 0.9


def test_a_stream_whose_vectors_do_not_vary_within_classes_is_idle():
    one = LabelledSegments(
        np.random.default_rng(0).normal(size=(12, 2)), np.array([[0.0, 5], [5, 12]]), ("a", "b"), "x"
    )
    spec = replace(SMALL, streams=("frames", "vector", "statistics"))
    same = pytest.warns(FitWarning, match="same duration")
    with same, pytest.warns(FitWarning, match="are 1 each: all training segments are of one group .x."):
        models = train_segment_models([one], spec, 2)
    assert models.idle_streams() == ("vector", "statistics")
    np.testing.assert_array_equal(models.weights, 1)
    scores = models.stream_scores(one.frames, one.bounds)
    np.testing.assert_array_equal(scores[1:], scores[1:, :, :1] + np.zeros((2, 2, 2)))
    same = pytest.warns(FitWarning, match="same duration")
    with same, pytest.warns(FitWarning, match="no class has training segments of two groups"):
        train_segment_models([replace(one, labels=labels, group="".join(labels)) for labels in ("ab", "cd")], spec, 2)


def test_training_refuses_too_few_speakers_for_the_folds_and_frames_of_two_kinds():
    with pytest.raises(DataError, match=r"cannot be learnt .*: all training segments are of one group \(speaker0\)"):
        cross_validate_segments(speakers(1), SMALL, 3)
    with pytest.raises(DataError, match="no labelled segments"):
        train_segment_models([], SMALL, 3, weights=np.ones(5))
    with pytest.raises(ShapeError, match="4 of them static"):
        train_segment_models(speakers(2), SMALL, 4, weights=np.ones(5))
    with pytest.raises(ShapeError, match="80 segments with 1 labels"):
        replace(speakers(1)[0], labels=("a",))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"streams": ()}, "expected some of frames"),
        ({"streams": ("frames", "frames")}, "each once"),
        ({"streams": ("pitch",)}, "pitch"),
        ({"streams": ("prior",)}, "looks at no segment"),
        ({"length_power": 1.5}, "segments.length_power: 1.5; expected at least 0 and at most 1"),
        ({"third_dim": 2.5}, "expected a whole number"),
        ({"vector_context": 0}, "more than 0"),
        ({"lda_prior": float("nan")}, "lda_prior"),
    ],
)
def test_a_segment_spec_refuses_what_cannot_be(settings, message):
    with pytest.raises(ConfigError, match=message):
        SegmentSpec(**settings)


@pytest.mark.slow
def test_phones_of_unseen_speakers_are_told_apart_better_by_all_streams(shared):
    """Two speakers of TIMIT's sample by models of two others: nine phones, enough to see the order of the systems."""
    spec = FeatureSpec(deltas=2, cmvn="utterance")
    front = front_end(spec, 16000)
    recordings: dict[str, list[LabelledSegments]] = {}
    for path in sorted((shared / "data" / "timit-a").glob("dr[123]-*/s[ix]*.phn")):
        samples, _ = soundfile.read(path.with_suffix(".wav"), dtype="float32")
        rows = [line.split() for line in path.read_text().splitlines()]
        rows = [row for row in rows if row[2] in ("iy", "ih", "eh", "ae", "aa", "s", "sh", "n", "m")]
        times = np.array([row[:2] for row in rows], dtype=float)
        bounds = (times - front.first_centre) / front.frame_shift + 0.5
        name = path.parent.name
        recordings.setdefault(name, []).append(
            LabelledSegments(extract(spec, samples, 16000), bounds, tuple(row[2] for row in rows), name)
        )
    test = [recording for name in ("dr3-falk0", "dr3-madc0") for recording in recordings.pop(name)]
    train = [recording for several in recordings.values() for recording in several]

    def accuracy(spec: SegmentSpec) -> float:
        models = train_segment_models(train, spec, front.n_static)
        right = [share_right(models, recording) * len(recording.labels) for recording in test]
        return sum(right) / sum(len(recording.labels) for recording in test)

    plain = accuracy(SegmentSpec(streams=("frames",), frame_components=4, weight_folds=2))
    combined = accuracy(SegmentSpec(weight_folds=2))
    assert combined > plain + 0.02
    assert combined > 0.75


def test_log_durations_are_in_frames():
    np.testing.assert_allclose(log_durations([[1.5, 4.0], [0, 1]]), [np.log(2.5), 0])
