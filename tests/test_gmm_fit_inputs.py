"""What ``fit_gmm`` says of input that is wrong or unusual: one error or warning that names it and what to do."""

import re
import warnings

import numpy as np
import pytest

from speechgmm.engine.task import task_of_run
from speechgmm.errors import ConfigError, FitError, ShapeError
from speechgmm.gmm import DiagGMM, fit_gmm
from speechgmm.gmm.prior import ConjugatePrior
from speechgmm.gmm.stats import GMMStats

FRAMES = np.random.default_rng(0).normal(size=(120, 2))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_iter": 1.5}, "max_iter 1.5; expected a whole number"),
        ({"max_iter": "3"}, "max_iter '3'; expected a whole number"),
        ({"max_iter": True}, "max_iter True; expected a whole number"),
        ({"tol": None}, "tol None; expected a number"),
        ({"variance_floor": "a"}, "variance_floor 'a'; expected a number"),
        ({"gradient_after": None, "estimator": "gradient"}, "gradient_after None; expected a whole number"),
        ({"memory": True}, "memory True; expected a number of bytes"),
        ({"floor": "a"}, "floor 'a'; expected a number, or one for each of 2 dimensions"),
        ({"seed": -1}, "seed -1; expected a whole number, 0 or more"),
        ({"seed": "a"}, "seed 'a'; expected a whole number, 0 or more"),
        ({"start": "kmeans++"}, "start 'kmeans\\+\\+'; expected a DiagGMM"),
    ],
)
def test_an_option_of_another_type_is_refused_by_name(options, message):
    with pytest.raises(ConfigError, match=message):
        fit_gmm(FRAMES, 2, **options)


def test_weights_that_are_no_numbers_are_refused():
    with pytest.raises(ShapeError, match="frame weights that are no numbers"):
        fit_gmm(FRAMES, 2, weights=["a"] * len(FRAMES))


def test_a_start_says_how_many_components_there_are():
    start = DiagGMM([0.5, 0.5], [[-1.0, 0.0], [1.0, 0.0]], np.ones((2, 2)))
    assert fit_gmm(FRAMES, start=start).model.means.tobytes() == fit_gmm(FRAMES, 2, start=start).model.means.tobytes()


def test_frames_of_weight_zero_do_not_raise_the_default_number_of_components():
    weights = np.r_[np.ones(60), np.zeros(60)]
    assert fit_gmm(FRAMES, weights=weights).model.n_components == 2
    assert fit_gmm(FRAMES).model.n_components == 4


def test_a_variance_too_small_to_divide_by_is_refused_by_dimension():
    with pytest.raises(FitError, match=r"variance of dimension 0 is .*; expected at least 1e-280"):
        fit_gmm(FRAMES * [1e-160, 1.0], 2)


@pytest.mark.parametrize(("far", "said"), [(5.0, False), (50.0, True)])
@pytest.mark.parametrize("weighted", [False, True])
def test_an_outlier_is_named_where_it_carries_over_half_of_a_variance_and_has_weight(far, said, weighted):
    frames = FRAMES.copy()
    frames[7, 1] = far
    weights = np.full(len(frames), 0.5) if weighted else None
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        fit_gmm(frames, 1, weights=weights)
    texts = [str(warning.message) for warning in warned]
    assert [bool(re.search("one frame carries .* of dimension 1, .* look for outliers", text)) for text in texts] == (
        [True] * said
    )
    without = np.ones(len(frames))
    without[7] = 0
    fit_gmm(frames, 1, weights=without)  # warns of nothing


def test_a_floor_that_does_not_hold_a_point_is_not_asked_for_again():
    far = np.array([[0.0], [1e9]])
    stats = GMMStats(np.full(2, 5.0), 5 * far, 5 * far**2, 0.0, 10.0)
    previous = DiagGMM([0.5, 0.5], far, [[1.0], [1.0]])
    posterior = ConjugatePrior.flat(2, 1) + stats
    with pytest.raises(FitError, match=r"floor of 1e-12 is too low .* give a higher absolute floor"):
        posterior.mode(previous, floor=1e-12)
    with pytest.raises(FitError, match="set a variance floor"):
        posterior.mode(previous)


def test_a_task_that_does_not_exist_is_refused_with_those_that_do():
    with pytest.raises(ConfigError, match=r"task is 'verificaton'; expected one of classification, .*verification"):
        task_of_run({"task": "verificaton"})
