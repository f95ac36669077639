"""Speaker-adaptive training: what its rounds must satisfy."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from speechgmm.errors import ShapeError
from speechgmm.gmm import DiagGMM
from speechgmm.hmm import HMMSpec, Units, Utterance, left_to_right, linear, train_hmms
from speechgmm.hmm.speaker_training import SpeakerFit, train_on_speakers

PLACES = {"a": (-3.0, 0.0), "b": (0.0, 3.0), "c": (3.0, -2.0)}
OFFSETS = {"ann": (1.0, 0.6), "ben": (-1.0, -0.6), "cho": (0.6, -1.0), "dee": (-0.6, 1.0)}
"""What a speaker adds to every frame: together the states are spread more widely than any speaker's are."""

SPEC = HMMSpec(n_states=1, n_components=1, iterations=4, variance_prior=1, variance_floor=0.01, adapt="fmllr")


def utterances(speaker: str, n: int = 8) -> list[Utterance]:
    rng = np.random.default_rng([ord(letter) for letter in speaker])
    found = []
    for number in range(n):
        words = ["a"]
        while len(words) < 8:
            words.append(str(rng.choice([word for word in PLACES if word != words[-1]])))
        frames = np.concatenate([PLACES[word] + rng.normal(scale=0.4, size=(10, 2)) for word in words])
        frames = (frames + OFFSETS[speaker]).astype(np.float32)
        said = tuple(words)
        found.append(Utterance(f"{speaker}{number}", frames, len(frames), said, partial(linear, words=said)))
    return found


@pytest.fixture(scope="module")
def said() -> tuple[list[Utterance], list[str]]:
    pairs = [(one, speaker) for speaker in OFFSETS for one in utterances(speaker)]
    return [one for one, _ in pairs], [speaker for _, speaker in pairs]


@pytest.fixture(scope="module")
def units(said: tuple[list[Utterance], list[str]]) -> Units:
    return train_hmms(said[0], {word: left_to_right(1) for word in PLACES}, SPEC).units


@pytest.fixture(scope="module")
def fit(said: tuple[list[Utterance], list[str]], units: Units) -> SpeakerFit:
    return train_on_speakers(*said, units, SPEC)


def test_no_update_lowers_the_objective_of_a_round(fit: SpeakerFit) -> None:
    assert len(fit.trace) == 3
    assert all((np.diff(level) > -1e-6).all() for level in fit.trace)


def test_where_the_prior_is_next_to_nothing_no_round_lowers_the_likelihood_of_the_frames_as_they_were(
    said: tuple[list[Utterance], list[str]], units: Units
) -> None:
    free = replace(SPEC, adapt_prior=1, variance_prior=0)
    values = [value for level in train_on_speakers(*said, units, free).trace for value in level]
    assert (np.diff(values) > -1e-3).all()
    assert values[-1] > values[0] + 0.1


def test_states_of_transformed_frames_spread_as_those_of_one_speaker(fit: SpeakerFit, units: Units) -> None:
    def spread(models: tuple[DiagGMM, ...]) -> float:
        return float(np.mean([np.sqrt(model.variances).mean() for model in models]))

    distance = np.linalg.norm(fit.mixtures[0].means - fit.mixtures[2].means)
    before = np.linalg.norm(units.emissions[0].means - units.emissions[2].means)
    assert spread(fit.mixtures) / distance < 0.75 * spread(units.emissions) / before


def test_speakers_who_differ_get_transforms_that_bring_them_together(fit: SpeakerFit) -> None:
    images = np.array([fit.transforms[name].apply(np.array([offset])) for name, offset in OFFSETS.items()])
    given = np.array(list(OFFSETS.values()))
    assert images.std(axis=0).max() < 0.5 * given.std(axis=0).min()


def test_with_a_prior_beyond_all_speech_training_goes_on_without_transforms(
    said: tuple[list[Utterance], list[str]], units: Units
) -> None:
    found = train_on_speakers(*said, units, replace(SPEC, adapt_prior=1e12), rounds=1)
    for transform in found.transforms.values():
        np.testing.assert_allclose(transform.matrix, np.eye(2), atol=1e-6)
    everywhere = np.concatenate([model.means for model in units.emissions])
    np.testing.assert_allclose(np.concatenate([model.means for model in found.mixtures]), everywhere, atol=0.05)


def test_the_order_of_tasks_changes_nothing(said: tuple[list[Utterance], list[str]], units: Units) -> None:
    def backwards(function: object, tasks: object) -> list[object]:
        return [function(task) for task in list(tasks)[::-1]][::-1]

    one, other = (train_on_speakers(*said, units, SPEC, rounds=1, map=how) for how in (map, backwards))
    for mine, yours in zip(one.mixtures, other.mixtures, strict=True):
        np.testing.assert_array_equal(mine.means, yours.means)


def test_every_utterance_needs_a_speaker(said: tuple[list[Utterance], list[str]], units: Units) -> None:
    with pytest.raises(ShapeError, match="2 speakers of 32 utterances; expected one for each"):
        train_on_speakers(said[0], ["ann", "ben"], units, SPEC)
