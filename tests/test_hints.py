"""What a run says of its limits: each hint is a measurement, and is not given where nothing is measured."""

from pathlib import Path

import numpy as np
import pytest

from speechgmm.config import load_config
from speechgmm.config.overrides import as_override
from speechgmm.engine.hints import first_hints, hints_of_confusions, hints_of_interval, hints_of_training
from speechgmm.engine.task import task_of
from speechgmm.evaluation import Metric
from speechgmm.tasks.verification.evaluation import hints_of_models
from speechgmm.tasks.verification.trials import ScoredTrials, Side


def test_a_pair_of_labels_that_has_most_errors_is_named() -> None:
    (hint,) = hints_of_confusions({("s", "z"): 5, ("z", "s"): 3, ("a", "b"): 1, ("b", "a"): 1})
    assert hint.startswith("80 % of the 10 errors are between 's' and 'z': ")
    (hint,) = hints_of_confusions(
        {("a", "b"): 2, ("a", "c"): 2, ("a", "d"): 2, ("b", "c"): 2, ("c", "d"): 1, ("d", "e"): 1}
    )
    assert hint.startswith("60 % of the 10 errors are items of 'a'")


@pytest.mark.parametrize(
    "errors",
    [
        {},
        {("s", "z"): 7},  # too few to speak of shares
        {("a", "b"): 40},  # there are but two classes: all errors are between them
        {(a, b): 1 for a in "abcdefgh" for b in "abcdefgh" if a != b},  # spread over all
    ],
)
def test_errors_without_a_pattern_give_no_hint(errors: dict[tuple[str, str], int]) -> None:
    assert list(hints_of_confusions(errors)) == []


def test_training_and_test_are_compared() -> None:
    (hint,) = hints_of_training(0.98, 0.72, 200, "fewer", "more")
    assert hint.startswith("98 % of 200 training items are right and 72 % of the test's: the models fit what they saw")
    assert "fewer" in hint
    (hint,) = hints_of_training(0.75, 0.73, 200, "fewer", "more")
    assert "75 % of 200 training items are right and 73 % of the test's: the models are too coarse; more" in hint
    assert list(hints_of_training(0.99, 0.97, 200, "fewer", "more")) == []
    assert list(hints_of_training(0.8, 0.72, 200, "fewer", "more")) == []


def test_a_wide_interval_is_said_with_what_it_rests_on() -> None:
    wide = Metric(0.8, 300, "fraction", low=0.6, high=0.9, n_groups=6)
    (hint,) = hints_of_interval({"accuracy": wide}, "speaker")
    assert hint.startswith("the interval of accuracy is 30 points wide: 6 groups (column 'speaker') are few")
    (hint,) = hints_of_interval({"error_rate": Metric(0.2, 24, "fraction", low=0.1, high=0.4)}, None)
    assert hint.startswith("the interval of error rate is 30 points wide: 24 test items are few")
    assert "by folds" in hint
    by_recording = Metric(0.2, 24, "fraction", low=0.1, high=0.4, n_groups=12)
    (hint,) = hints_of_interval({"error_rate": by_recording}, None, folds=True)
    assert hint.endswith("24 test items are few; test more recordings"), "every item is tested by folds already"
    for silent in (
        Metric(0.8, 300, "fraction", low=0.78, high=0.82, n_groups=6),
        Metric(0.8, 300, "fraction", low=0.6, high=0.9, n_groups=40),
        Metric(0.8, 300, "fraction"),
        Metric(0.8, 300, "bits", low=0.1, high=0.9, n_groups=6),
    ):
        assert list(hints_of_interval({"accuracy": silent}, "speaker")) == []
    assert list(hints_of_interval({}, None)) == []


def test_three_hints_are_the_most_and_none_is_said_twice() -> None:
    assert first_hints(["a", "b", "a", "c", "d"]) == ["a", "b", "c"]


def test_models_with_most_errors_at_the_threshold_are_named() -> None:
    names = tuple(f"m{n}" for n in range(10))
    rng = np.random.default_rng(0)
    model, test = (part.ravel() for part in np.meshgrid(np.arange(10), np.arange(10), indexing="ij"))
    model, test = np.tile(model, 5), np.tile(test, 5)
    is_target = model == test
    scores = np.where(is_target, 4.0, -4.0) + rng.standard_normal(len(model))

    def trials(values: np.ndarray) -> ScoredTrials:
        side = Side(names, names, ("",) * 10)
        return ScoredTrials(side, side, np.ones(10, np.int64), model, test, values, None, is_target)

    assert hints_of_models(trials(scores)) == []
    bad = np.where(model == 3, rng.standard_normal(len(model)), scores)
    (hint,) = hints_of_models(trials(bad))
    wrong = hint.split(" errors")[0].split()
    assert (int(wrong[0]), hint.partition("are of ")[2][:23]) == (100, "1 of 10 models (m3): li")
    folds = np.isin(model, (3, 4))  # two models of one speaker, of two folds
    side = Side(("a", "b", "c", "d", "d", *names[5:]) * 2, names * 2, ("",) * 20)
    twofold = ScoredTrials(
        side, side, np.ones(20, np.int64), model, test, np.where(folds, -scores, scores), None, is_target
    )
    assert "are of 2 of 20 models (d): listen" in hints_of_models(twofold)[0]
    even = rng.standard_normal(len(model))  # errors everywhere alike
    assert hints_of_models(trials(even)) == []


@pytest.mark.parametrize("name", ["fsdd-digits-hmm", "fsdd-digit-strings", "timit-phones-segments"])
def test_every_point_of_tuning_is_a_configuration_and_the_first_is_that_of_the_run(name: str) -> None:
    path = Path(__file__).resolve().parents[1] / "configs" / f"{name}.yaml"
    config = load_config(path).config
    points = task_of(config).tuning_points(config, None)
    made = [load_config(path, [as_override(*pair) for pair in point.items()]).config for point in points]
    assert made[0] == config
    assert len({repr(one) for one in made}) == len(made) >= 5
