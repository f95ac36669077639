"""Plots: what stands in the axes is what was given, in the order that was asked for, and nothing global changes."""

import gc
import re
import weakref
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from conftest import hum
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.special import ndtri

import speechgmm as sg
from speechgmm import plots
from speechgmm.engine.console import Console
from speechgmm.engine.run_folder import read_run
from speechgmm.engine.runs import RunResult
from speechgmm.errors import ConfigError, DataError, ShapeError
from speechgmm.evaluation import Application, Trials, eer, error_rates, pav_llrs, rank_trials
from speechgmm.gmm import DiagGMM, FullGMM, fit_variational
from speechgmm.io.label_files.textgrid import write_textgrid
from speechgmm.io.timed_labels import TimedLabel
from speechgmm.plots.confusion import similarity_order
from speechgmm.plots.detection import NATS_PER_LOG10, histogram_shares, tippett_shares
from speechgmm.report.svg import to_svg

SVG = "{http://www.w3.org/2000/svg}"


def some_trials(seed: int = 0, n: int = 200) -> Trials:
    rng = np.random.default_rng(seed)
    truth = rng.random(n) < 0.3
    return rank_trials(np.round(rng.standard_normal(n) + 1.5 * truth, 1), truth)


def data_of(axes: Axes, number: int) -> tuple[np.ndarray, np.ndarray]:
    line = axes.lines[number]
    return np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)


def mixture() -> DiagGMM:
    return DiagGMM([0.75, 0.25], [[0.0, 5.0, 1.0], [3.0, 6.0, 2.0]], [[1.0, 9.0, 4.0], [1.0, 9.0, 1.0]])


ALL: dict[str, Callable[..., Axes]] = {
    "confusion matrix": lambda **more: plots.confusion_matrix(np.eye(30, dtype=int), **more),
    "det": lambda **more: plots.det(some_trials(), applications=[Application(0.01)], **more),
    "det of several": lambda **more: plots.det({"a": some_trials(), "b": some_trials(1)}, **more),
    "features": lambda **more: plots.features(np.random.default_rng(0).standard_normal((80, 13)), **more),
    "one feature": lambda **more: plots.features(np.arange(80.0), **more),
    "mixture": lambda **more: plots.mixture(mixture(), np.zeros((9, 3)), **more),
    "reliability": lambda **more: plots.reliability(some_trials(), **more),
    "score histogram": lambda **more: plots.score_histogram(some_trials(), thresholds=[("EER", 0.5)], **more),
    "spectrogram": lambda **more: plots.spectrogram(hum(0, 100.0), 8000, segments=[(0.1, 0.3, "a")], **more),
    "tippett": lambda **more: plots.tippett(some_trials(), **more),
    "training curves": lambda **more: plots.training_curves({"_hidden": [-3.0, -2.0], "$": [-1.0, -0.5]}, **more),
}


# ---- every plot ----


@pytest.mark.parametrize("plot", ALL.values(), ids=ALL)
def test_a_plot_says_what_its_axes_are_and_keeps_its_text_in_a_page(plot: Callable[..., Axes]) -> None:
    axes = plot(title="a <title> with $")
    assert axes.get_xlabel()
    assert axes.get_ylabel()
    assert axes.get_title("left").startswith("a <title> with $")
    svg = ElementTree.fromstring(to_svg(axes.get_figure(), 'a "figure" & more', "f-"))
    assert svg.get("aria-label") == 'a "figure" & more'
    assert axes.get_xlabel() in " ".join("".join(text.itertext()) for text in svg.iter(f"{SVG}text"))


@pytest.mark.slow
@pytest.mark.parametrize("plot", ALL.values(), ids=ALL)
def test_a_plot_leaves_pyplot_and_settings_alone_and_its_figure_is_freed(
    plot: Callable[..., Axes], tmp_path: Path
) -> None:
    pyplot = pytest.importorskip("matplotlib.pyplot")
    before, backend = dict(matplotlib.rcParams), matplotlib.get_backend()
    axes = plot(save=tmp_path / "plot.png")
    figure = weakref.ref(axes.get_figure())
    assert pyplot.get_fignums() == []
    assert dict(matplotlib.rcParams) == before
    assert matplotlib.get_backend() == backend
    del axes
    gc.collect()
    assert figure() is None


@pytest.mark.parametrize("plot", ALL.values(), ids=ALL)
def test_a_plot_draws_into_the_axes_that_are_given(plot: Callable[..., Axes]) -> None:
    figure = Figure(figsize=(7.0, 3.0))
    left, right = figure.subplots(1, 2)
    assert plot(ax=right) is right
    assert right.has_data()
    assert not left.has_data()
    assert tuple(figure.get_size_inches()) == (7.0, 3.0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ending", "magic"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF"), ("PNG", b"\x89PNG")]
)
def test_a_plot_is_saved_in_the_format_that_its_path_ends_with_the_same_each_time(
    ending: str, magic: bytes, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        plots.det(some_trials(), save=tmp_path / f"{name}.{ending}")
    one, two = ((tmp_path / f"{name}.{ending}").read_bytes() for name in ("one", "two"))
    assert one.startswith(magic)
    assert one == two
    plots.save_figure(plots.det(some_trials()).get_figure(), str(tmp_path / f"three.{ending}"))
    assert (tmp_path / f"three.{ending}").read_bytes() == one


def test_another_format_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"x\.jpg: expected a file that ends in \.png, \.svg or \.pdf"):
        plots.det(some_trials(), save=tmp_path / "x.jpg")


def test_without_matplotlib_a_plot_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("speechgmm.plots.canvas.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'speechgmm\[plot\]'"):
        plots.tippett(some_trials())


# ---- the confusion matrix ----


def test_the_confusion_matrix_shows_shares_of_rows_and_counts_in_cells() -> None:
    counts = np.array([[8, 2, 0], [0, 0, 0], [1, 0, 3]])
    axes = plots.confusion_matrix(counts, ["a", "b", "c"])
    np.testing.assert_allclose(axes.images[0].get_array(), [[80, 20, 0], [0, 0, 0], [25, 0, 75]])
    cells = {(int(text.get_position()[1]), int(text.get_position()[0])): text.get_text() for text in axes.texts}
    assert cells == {(0, 0): "8", (0, 1): "2", (2, 0): "1", (2, 2): "3"}
    assert axes.get_title("left") == "78.6 % of 14 correct"


@pytest.mark.parametrize("order", ["class", "similarity", "phone", ["s", "aa", "z", "iy"]])
def test_an_order_moves_rows_and_columns_together(order: str | list[str]) -> None:
    labels = ["aa", "s", "iy", "z"]
    counts = np.arange(16).reshape(4, 4) + 1
    axes = plots.confusion_matrix(counts, labels, order=order)
    names = [tick.get_text() for tick in axes.get_yticklabels()]
    assert names == [tick.get_text() for tick in axes.get_xticklabels()]
    assert sorted(names) == sorted(labels)
    place = [labels.index(name) for name in names]
    cells = {(int(text.get_position()[1]), int(text.get_position()[0])): int(text.get_text()) for text in axes.texts}
    assert cells == {(i, j): counts[place[i], place[j]] for i in range(4) for j in range(4)}
    if order == "class":
        assert names == labels
    if isinstance(order, list):
        assert names == order


def test_by_similarity_classes_that_are_confused_are_neighbours() -> None:
    rng = np.random.default_rng(0)
    group = rng.permutation(np.repeat(np.arange(6), 4))
    counts = np.where(group[:, None] == group, 10, rng.integers(0, 2, (24, 24)))
    ordered = group[similarity_order(counts)]
    assert (np.diff(ordered) != 0).sum() == 5, "each group is one block"


def test_by_phone_class_vowels_stand_together_and_lines_part_the_classes() -> None:
    labels = ["t", "IY1", "s", "AA0", "m", "sil", "z"]
    axes = plots.confusion_matrix(np.eye(7, dtype=int), labels, order="phone")
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["IY1", "AA0", "m", "s", "z", "t", "sil"]
    assert sorted(line.get_ydata()[0] for line in axes.lines[::2]) == [1.5, 2.5, 4.5, 5.5]
    ipa = plots.confusion_matrix(np.eye(4, dtype=int), ["ʃ", "y", "ŋ", "aː"], order="phone")
    assert [tick.get_text() for tick in ipa.get_yticklabels()] == ["y", "aː", "ŋ", "ʃ"]


@pytest.mark.parametrize(
    ("order", "message"),
    [("size", "one of class, similarity, phone"), ("phone", "none of the labels"), (["a"], "each once")],
)
def test_an_order_that_is_none_is_refused(order: str | list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        plots.confusion_matrix(np.eye(2, dtype=int), ["seven", "eight"], order=order)


def test_counts_and_labels_that_do_not_fit_are_refused() -> None:
    for counts, labels in ((np.ones((2, 3)), ["a", "b"]), (np.ones((2, 2)), ["a"])):
        with pytest.raises(ShapeError, match=r"expected \(C, C\) counts and C labels"):
            plots.confusion_matrix(counts, labels)


@pytest.mark.parametrize("counts", [np.eye(3) * 0.9, [[-1, 2], [1, 1]], [[np.nan, 1], [1, 1]], [["a"]]])
def test_a_confusion_matrix_takes_counts_and_no_shares(counts: object) -> None:
    with pytest.raises(DataError, match="counts"):
        plots.confusion_matrix(counts)


def test_labels_are_each_once_and_may_be_numbers() -> None:
    with pytest.raises(ConfigError, match="expected each once"):
        plots.confusion_matrix(np.eye(2), ["a", "a"])
    axes = plots.confusion_matrix([[1, 0], [0, 2]], [7, 8], order=[8, 7])
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["8", "7"]
    with pytest.raises(ConfigError, match="order is 5; expected one of class, similarity, phone, or labels"):
        plots.confusion_matrix(np.eye(2), order=5)
    with pytest.raises(ShapeError, match=r"expected \(C, C\) counts"):
        plots.confusion_matrix(np.zeros((0, 0)))


@pytest.mark.parametrize("ax", [5, Figure()])
def test_what_is_no_axes_is_refused(ax: object) -> None:
    with pytest.raises(ConfigError, match=r"ax is .*; expected axes of matplotlib"):
        plots.tippett(some_trials(), ax=ax)


# ---- trials ----


@pytest.mark.parametrize(
    "trials",
    [
        rank_trials([3.0, 2.0, -1.0], [True, True, False]),
        rank_trials([1.0, 1.0], [True, False]),
        rank_trials([np.inf, 1.0, 0.0, -np.inf], [True, False, True, False]),
    ],
    ids=["apart", "tied", "infinite"],
)
def test_trials_at_the_edge_are_drawn(trials: Trials) -> None:
    for axes in (plots.det(trials), plots.tippett(trials), plots.reliability(trials), plots.score_histogram(trials)):
        assert all(np.isfinite(axes.get_xlim()))
        axes.get_figure().draw_without_rendering()


def test_every_point_of_a_det_curve_is_an_operating_point_of_the_scores() -> None:
    trials = some_trials()
    x, y = data_of(plots.det(trials), 1)
    assert (np.diff(x) <= 0).all()
    assert (np.diff(y) >= 0).all()
    inside = {
        (round(float(ndtri(rates.false_alarm)), 6), round(float(ndtri(rates.miss)), 6))
        for rates in (error_rates(trials, threshold) for threshold in trials.scores)
        if 0 < rates.miss < 1 and 0 < rates.false_alarm < 1
    }
    drawn = {(round(a, 6), round(b, 6)) for a, b in zip(x, y, strict=True)}
    assert len(inside & drawn) > 0.9 * len(inside)


def test_a_det_marks_the_equal_error_rate_of_every_system() -> None:
    systems = {"one": some_trials(1), "two": some_trials(2)}
    axes = plots.det(systems)
    for number, (name, trials) in enumerate(systems.items()):
        x, y = data_of(axes, 2 + 2 * number)
        assert x[0] == y[0] == pytest.approx(ndtri(eer(trials)))
        text = axes.get_legend().get_texts()[number].get_text()
        assert text == f"{name}: EER (convex hull) {100 * eer(trials):.2g} %"
    given = {name: (trials.scores, trials.is_target) for name, trials in systems.items()}
    np.testing.assert_array_equal(data_of(plots.det(given), 1), data_of(axes, 1))


def test_tippett_and_histogram_count_what_a_loop_counts() -> None:
    trials = some_trials()
    x, (targets, nontargets) = tippett_shares(trials, 7)
    for n, value in enumerate(x):
        for share, kind in ((targets, trials.is_target), (nontargets, ~trials.is_target)):
            assert share[n] == pytest.approx(sum(score >= value for score in trials.scores[kind]) / kind.sum())
    axes = plots.tippett(trials)
    for number, shares in enumerate(tippett_shares(trials)[1]):
        drawn_x, drawn = data_of(axes, number)
        np.testing.assert_allclose(drawn, 100 * shares)
        np.testing.assert_allclose(drawn_x * NATS_PER_LOG10, tippett_shares(trials)[0])
    edges, shares = histogram_shares(trials)
    assert [share.sum() for share in shares] == pytest.approx([1, 1])
    drawn = plots.score_histogram(trials).patches
    for patch, share in zip(drawn[::2], shares, strict=True):
        np.testing.assert_allclose(patch.get_data().values, 100 * share)
        np.testing.assert_allclose(patch.get_data().edges, edges)


def test_scores_that_are_no_ratios_keep_their_scale() -> None:
    trials = some_trials()
    x, _ = data_of(plots.tippett(trials, calibrated=False, unit="points"), 0)
    assert (x[0], x[-1]) == (trials.scores.min(), trials.scores.max())
    assert plots.tippett(trials, calibrated=False, unit="points").get_xlabel() == "points"


def test_reliability_shows_what_pav_makes_of_ratios_and_of_posteriors() -> None:
    trials = some_trials(n=500)
    x, y = data_of(plots.reliability(trials), 1)
    found = dict(zip(trials.scores.tolist(), pav_llrs(trials).tolist(), strict=True))
    for claimed, borne_out in zip(x * NATS_PER_LOG10, y * NATS_PER_LOG10, strict=True):
        assert found[round(float(claimed), 1)] == pytest.approx(borne_out)
    rng = np.random.default_rng(0)
    posterior = rng.random(4000)
    truth = rng.random(4000) < posterior**2
    x, y = data_of(plots.reliability(posterior, truth, scale="posterior"), 1)
    inner = (x > 0.2) & (x < 0.9)
    np.testing.assert_allclose(y[inner], x[inner] ** 2, atol=0.1)
    with pytest.raises(DataError, match="expected 0 to 1"):
        plots.reliability(trials, scale="posterior")
    with pytest.raises(ConfigError, match="expected 'llr' or 'posterior'"):
        plots.reliability(trials, scale="odds")


def test_scores_without_their_truth_are_refused() -> None:
    for plot in (plots.det, plots.tippett, plots.reliability, plots.score_histogram):
        with pytest.raises(ShapeError, match="scores without is_target"):
            plot([1.0, 2.0])
        with pytest.raises(ConfigError, match="is_target beside a run or Trials"):
            plot(some_trials(), [True, False])
        with pytest.raises(DataError, match="no trials"):
            plot([], [])
        with pytest.raises(DataError, match="scores is list, not all numbers"):
            plot(["a", "b"], [True, False])
    with pytest.raises(DataError, match="no system"):
        plots.det({})


# ---- training, mixtures ----


def test_training_curves_are_gains_or_the_objective_itself() -> None:
    frames = np.random.default_rng(0).standard_normal((500, 2)).astype(np.float32)
    fit = sg.fit_gmm(frames, 2)
    _, gain = data_of(plots.training_curves({"a": fit}), 0)
    np.testing.assert_allclose(gain, np.asarray(fit.trace) - fit.trace[0])
    for given in (fit, list(fit.trace), {"a": fit.trace}):
        np.testing.assert_allclose(data_of(plots.training_curves(given, gain=False), 0)[1], fit.trace)
    with pytest.raises(DataError, match="nothing was trained"):
        plots.training_curves({})


def test_of_many_training_curves_the_least_the_median_and_the_most_have_names() -> None:
    axes = plots.training_curves({f"class {n}": [-3.0, -2.0 + n] for n in range(13)})
    assert len(axes.lines) == 13
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names == ["least: class 0", "median: class 6", "most: class 12"]


def test_a_mixture_is_ellipses_of_so_many_standard_deviations_about_its_means() -> None:
    frames = np.arange(30.0).reshape(10, 3)
    axes = plots.mixture(mixture(), frames, dims=(2, 1), deviations=(1, 2))
    shapes = [(tuple(patch.center), patch.width, patch.height) for patch in axes.patches]
    assert shapes == [((1, 5), 4, 6), ((2, 6), 2, 6), ((1, 5), 8, 12), ((2, 6), 4, 12)]
    points, means = axes.collections
    np.testing.assert_array_equal(points.get_offsets(), frames[:, [2, 1]])
    np.testing.assert_array_equal(means.get_offsets(), [[1, 5], [2, 6]])
    assert means.get_sizes()[0] == pytest.approx(3 * means.get_sizes()[1])
    (low, high), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    assert low < 1 - 4
    assert high > 1 + 4
    assert bottom < 5 - 6
    assert top > 6 + 6


def test_points_on_the_ellipse_of_a_full_covariance_have_its_mahalanobis_distance() -> None:
    covariance = np.array([[4.0, 0.5, 1.5], [0.5, 1.0, -0.3], [1.5, -0.3, 2.0]])
    means = np.array([[0.0, 5.0, 1.0], [2.0, 0.0, 3.0]])
    inverse = np.linalg.inv(covariance[np.ix_([2, 0], [2, 0])])
    ellipses = plots.mixture(FullGMM([0.5, 0.5], means, covariance[None]), dims=(2, 0), deviations=3).patches  # tied
    for ellipse, mean in zip(ellipses, means[:, [2, 0]], strict=True):
        points = ellipse.get_patch_transform().transform(ellipse.get_path().vertices[::3]) - mean
        np.testing.assert_allclose(np.einsum("td,de,te->t", points, inverse, points), 9.0, rtol=0.01)


def test_a_variational_fit_is_drawn_as_its_mixture() -> None:
    frames = np.random.default_rng(0).normal([[0.0, 0.0]] * 60 + [[5.0, 1.0]] * 60)
    fit = fit_variational(frames, n_components=4)
    drawn, expected = (plots.mixture(one, frames).patches for one in (fit, fit.model))
    assert [(p.center, p.width, p.height) for p in drawn] == [(p.center, p.width, p.height) for p in expected]
    assert "array" not in repr(fit)  # a fit is printed in a line or two


def test_components_without_frames_do_not_darken_one_another() -> None:
    frames = np.random.default_rng(0).normal([[0.0, 0.0]] * 300 + [[5.0, 1.0]] * 300)
    fit = fit_variational(frames, n_components=12)
    opacity = np.array([ellipse.get_alpha() for ellipse in plots.mixture(fit, frames).patches])
    used = fit.model.weights > 0.01
    assert used.sum() == fit.n_in_use == 2
    assert opacity[used].min() > 0.9
    assert 1 - np.prod(1 - opacity[~used]) < 0.25  # ten ellipses, one on the other


def test_a_million_frames_are_thinned_evenly() -> None:
    frames = np.linspace(0, 1, 1_000_000)[:, None].repeat(3, axis=1)
    shown = np.asarray(plots.mixture(mixture(), frames).collections[0].get_offsets())[:, 0]
    assert 3000 < len(shown) <= 4000
    assert shown[-1] > 0.999


@pytest.mark.parametrize("dims", [(0, 3), (-1, 0), (0,), (0.5, 1), 1, "ab"])
def test_dimensions_that_a_mixture_has_not_are_refused(dims: object) -> None:
    with pytest.raises(ShapeError, match="expected two dimensions from 0 to 2"):
        plots.mixture(mixture(), dims=dims)
    with pytest.raises(ShapeError, match=r"expected \(T, 3\)"):
        plots.mixture(mixture(), np.zeros((5, 2)))
    with pytest.raises(ConfigError, match="model is 5; expected a mixture or a fit"):
        plots.mixture(5)
    for deviations in (-1, np.nan, [2, 0]):
        with pytest.raises(ConfigError, match=r"deviations is .*; expected numbers above 0"):
            plots.mixture(mixture(), deviations=deviations)


# ---- features and spectrograms ----


def test_features_are_in_standard_deviations_over_their_time() -> None:
    frames = np.random.default_rng(0).normal(5.0, 3.0, (50, 4)) * [1, 10, 100, 0]
    axes = plots.features(frames, hop=0.02, start=1.0)
    shown = np.asarray(axes.images[0].get_array())
    np.testing.assert_allclose(shown[:3].mean(axis=1), 0, atol=1e-9)
    np.testing.assert_allclose(shown[:3].std(axis=1), 1)
    assert (shown[3] == 0).all()
    assert axes.get_xlim() == (1.0, 2.0)
    x, y = data_of(plots.features(frames[:, 0], hop=0.02, start=1.0), 0)
    np.testing.assert_allclose(x[[0, -1]], [1.01, 1.99])
    np.testing.assert_array_equal(y, frames[:, 0])
    for values in (np.zeros((2, 2, 2)), np.zeros((0, 3))):
        with pytest.raises(ShapeError, match=r"expected frames \(T, D\)"):
            plots.features(values)


def test_a_feature_without_a_value_in_places_is_blank_there_alone() -> None:
    frames = np.random.default_rng(0).normal(size=(50, 2))
    frames[3, 1] = np.nan
    shown = np.ma.asarray(plots.features(frames).images[0].get_array())
    assert np.ma.getmaskarray(shown).sum() == 1
    np.testing.assert_allclose(shown[1].std(), 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hop": 0}, "expected seconds, hop above 0"),
        ({"start": np.nan}, "expected seconds, hop above 0"),
        ({"segments": [(0, 1)]}, r"segments\[0\] is \(0, 1\); expected \(start, end, label\)"),
        ({"segments": 5}, r"segments is 5; expected segments \(start, end, label\)"),
        ({"segments": [(1, 0, "a")]}, r"segments\[0\] is from 1 to 0 s; expected start <= end"),
        ({"segments": [(0, 1, "a")], "tier": "words"}, "tier is 'words', and segments are no label file"),
    ],
)
def test_times_that_cannot_be_drawn_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises((ConfigError, DataError), match=message):
        plots.features(np.zeros((9, 2)), **options)


def test_boundaries_stand_where_the_segments_are_whoever_names_them(tmp_path: Path) -> None:
    labels = [TimedLabel("a", 0.1, 0.3), TimedLabel("b", 0.3, 0.6), TimedLabel("long label", 0.6, 0.61)]
    write_textgrid(tmp_path / "a.TextGrid", {"phones": labels, "words": labels[:1]}, 1.0)
    tuples = [(one.start, one.end, one.label) for one in labels]
    for segments, tier in ((labels, None), (tuples, None), (tmp_path / "a.TextGrid", "phones")):
        for axes in (
            plots.features(np.zeros((100, 2)), segments=segments, tier=tier),
            plots.spectrogram(hum(0, 100.0, 1.0), 8000, segments=segments, tier=tier),
        ):
            assert [line.get_xdata()[0] for line in axes.lines] == [0.1, 0.3, 0.6, 0.61]
            shown = [(text.get_text(), round(text.get_position()[0], 3)) for text in axes.texts]
            assert shown == [("a", 0.2), ("b", 0.45)], "a label without room is left out"
    with pytest.raises(DataError, match=re.escape("a.TextGrid") + r".*say which in tier"):
        plots.features(np.zeros((100, 2)), segments=tmp_path / "a.TextGrid")


def test_a_spectrogram_finds_the_tone_where_it_is() -> None:
    samples = np.sin(2 * np.pi * 1000 * np.arange(16000) / 8000)
    axes = plots.spectrogram(samples, 8000, start=3.0)
    level = np.asarray(axes.images[0].get_array())
    left, right, low, high = axes.images[0].get_extent()
    assert low + (high - low) * (level.mean(axis=1).argmax() + 0.5) / len(level) == pytest.approx(1.0, abs=0.07)
    assert (left, right) == (3.0, pytest.approx(5.0, abs=0.02))
    with pytest.raises(ShapeError, match="one window"):
        plots.spectrogram(np.zeros(10), 8000)
    with pytest.raises(DataError, match="samples are NaN or infinite"):
        plots.spectrogram(np.full(8000, np.nan), 8000)
    with pytest.raises(ConfigError, match="sample_rate is 0; expected a whole number of Hz"):
        plots.spectrogram(samples, 0)


# ---- runs ----


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    """A calibrated run of verification on hums."""
    import soundfile

    root = tmp_path_factory.mktemp("plots")
    for number in range(6):
        (root / "hums" / f"voice {number}").mkdir(parents=True)
        for n in range(6):
            samples = hum(100 * number + n, (110.0 + 6 * number) * (1 + 0.02 * n), seconds=0.5)
            soundfile.write(root / "hums" / f"voice {number}" / f"{n}.wav", samples, 8000)
    (root / "hums.yaml").write_text(
        "task: verification\ncorpus: {kind: folder, root: hums, label: speaker, sample_rate: 8000, split: fraction}\n"
        "model: {adapt: map, ubm: {n_components: 4, max_iter: 5}}\ncalibration: {method: logistic}\n"
        "cache: cache\nparallel: {n_jobs: 1}\n"
    )
    return sg.run(root / "hums.yaml", output=root / "run", console=Console(quiet=True))


@pytest.mark.slow
def test_a_run_is_drawn_from_its_folder_its_name_and_its_result_alike(run: RunResult) -> None:
    folder = read_run(run.folder)
    scores, trials = folder.claims.trials, folder.claims.calibrated
    for source in (run, run.folder, str(run.folder), folder):
        np.testing.assert_array_equal(data_of(plots.det(source), 1), data_of(plots.det(scores), 1))
        np.testing.assert_array_equal(data_of(plots.tippett(source), 0), data_of(plots.tippett(trials), 0))
        np.testing.assert_array_equal(data_of(plots.reliability(source), 1), data_of(plots.reliability(trials), 1))
        traces = {row["class"] for row in folder.classes}
        assert len(plots.training_curves(source).lines) == len(traces)
    assert "nats" in plots.score_histogram(run).get_xlabel()
    assert len(plots.det(run).get_legend().get_texts()) == 2, "the prior of the run is marked"


@pytest.mark.slow
def test_what_a_run_has_not_is_said_and_what_is_no_run_too(run: RunResult, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected a run of classification or of recognition"):
        plots.confusion_matrix(run)
    for plot in (plots.det, plots.confusion_matrix, plots.training_curves):
        with pytest.raises(ConfigError, match="not a run's folder"):
            plot(tmp_path)


# ---- names of before ----


def test_the_plots_of_before_return_figures_and_say_what_they_are_called_now() -> None:
    from speechgmm.report import plots as before

    trials = some_trials()
    calls: dict[str, tuple[object, ...]] = {
        "plot_calibration": (trials,),
        "plot_confusion": (np.eye(2, dtype=int), ["a", "b"]),
        "plot_det": (trials,),
        "plot_scores": (trials,),
        "plot_spectrogram": (hum(0, 100.0), 8000),
        "plot_tippett": (trials,),
        "plot_training": ({"a": [-1.0, 0.0]},),
    }
    for name, given in calls.items():
        with pytest.warns(DeprecationWarning, match=rf"speechgmm\.report\.plots\.{name} is speechgmm\.plots\."):
            figure = getattr(before, name)(*given)
        assert isinstance(figure, Figure)
    with pytest.warns(DeprecationWarning, match="is speechgmm"):
        assert before.plot_tippett(trials).axes[0].get_xlabel() == "score", "not calibrated, as it was"
    with pytest.warns(DeprecationWarning, match="is speechgmm"):
        figure = before.plot_spectrogram(hum(0, 100.0), 8000, segment=(0.1, 0.2))
    assert [line.get_xdata()[0] for line in figure.axes[0].lines] == [0.1, 0.2]


@pytest.mark.slow
def test_the_page_on_plots_runs_and_names_every_plot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (Path(__file__).resolve().parents[1] / "docs" / "how-to" / "plots.md").read_text(encoding="utf-8")
    assert not [name for name in plots.__all__ if f"plots.{name}(" not in text]
    monkeypatch.chdir(tmp_path)
    blocks = [block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if '"runs/' not in block]
    exec("\n".join(blocks), {})
    assert (tmp_path / "plots.png").read_bytes().startswith(b"\x89PNG")
