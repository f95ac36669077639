"""Laws of the transformer MFCC: frames and pooled vectors of recordings."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
import sklearn
import soundfile
from conftest import hum
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import speechgmm as sg
from speechgmm.sklearn import MFCC

Samples = NDArray[np.float32]


@pytest.fixture
def recordings() -> list[Samples]:
    return [hum(seed, pitch, seconds) for seed, (pitch, seconds) in enumerate([(110, 0.4), (170, 0.6), (300, 0.5)])]


@pytest.fixture
def paths(recordings: list[Samples], tmp_path: Path) -> list[Path]:
    found = [tmp_path / f"{number}.wav" for number in range(len(recordings))]
    for path, samples in zip(found, recordings, strict=True):
        soundfile.write(path, samples, 8000, subtype="FLOAT")
    return found


@pytest.mark.parametrize("settings", [{}, {"deltas": 2, "n_ceps": 20}, {"cmvn": "utterance"}, {"preset": "htk"}])
def test_frames_are_those_of_extract(recordings: list[Samples], settings: dict[str, Any]) -> None:
    found = MFCC(8000, **settings).fit_transform(recordings)
    for frames, samples in zip(found, recordings, strict=True):
        np.testing.assert_array_equal(frames, sg.extract(sg.FeatureSpec(**settings), samples, 8000))


def test_files_and_their_samples_give_the_same_frames(recordings: list[Samples], paths: list[Path]) -> None:
    of_samples, of_files = MFCC(8000).fit_transform(recordings), MFCC().fit(paths)
    assert of_files.sample_rate_ == 8000
    for forms in (paths, [str(path) for path in paths], pandas.Series([str(path) for path in paths]), np.array(paths)):
        for one, two in zip(of_samples, of_files.transform(forms), strict=True):
            np.testing.assert_array_equal(one, two)


def test_global_normalisation_is_learnt_in_fit(recordings: list[Samples]) -> None:
    transformer = MFCC(8000, cmvn="global").fit(recordings[:2])
    frames = np.concatenate(transformer.transform(recordings[:2]))
    np.testing.assert_allclose(frames.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(frames.std(axis=0), 1, atol=1e-4)
    assert abs(transformer.transform(recordings[2:])[0].mean()) > 0.01


def test_pooling_gives_mean_and_standard_deviation_under_names(recordings: list[Samples]) -> None:
    frames = MFCC(8000, deltas=1).fit_transform(recordings)
    pooled = MFCC(8000, deltas=1, pooling="mean_std").fit(recordings)
    vectors = pooled.transform(recordings)
    np.testing.assert_allclose(vectors[:, :26], [one.mean(axis=0) for one in frames], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(vectors[:, 26:], [one.std(axis=0) for one in frames], rtol=1e-4, atol=1e-4)
    names = pooled.get_feature_names_out()
    assert (len(names), names[0], names[13], names[-1]) == (52, "mfcc_0_mean", "delta_mfcc_0_mean", "delta_mfcc_12_std")
    assert MFCC(8000, pooling="mean").fit_transform(recordings).shape == (3, 13)
    assert len(MFCC(8000).fit(recordings).get_feature_names_out()) == 13


def test_pooled_vectors_come_as_a_table(recordings: list[Samples]) -> None:
    table = MFCC(8000, pooling="mean").set_output(transform="pandas").fit_transform(recordings)
    assert isinstance(table, pandas.DataFrame)
    assert table.columns[0] == "mfcc_0_mean"
    with pytest.raises(ValueError, match="with pooling=None, where the result is a list of arrays"):
        MFCC(8000).set_output(transform="pandas")
    with sklearn.config_context(transform_output="pandas"):
        assert isinstance(MFCC(8000, pooling="mean").fit_transform(recordings), pandas.DataFrame)
        with pytest.raises(ValueError, match="transform output 'pandas' with pooling=None"):
            MFCC(8000).fit_transform(recordings)
    MFCC(8000).set_output(transform="default")


def test_a_spec_says_all_of_the_front_end(recordings: list[Samples]) -> None:
    spec = sg.FeatureSpec(kind="lfcc", n_ceps=10)
    transformer = MFCC(8000, spec=spec).fit(recordings)
    assert transformer.get_feature_names_out()[0] == "lfcc_0"
    np.testing.assert_array_equal(transformer.transform(recordings)[0], sg.extract(spec, recordings[0], 8000))
    with pytest.raises(ValueError, match="n_ceps, deltas beside spec"):
        MFCC(8000, spec=spec, n_ceps=20, deltas=1).fit(recordings)


def test_voice_activity_detection_drops_frames(recordings: list[Samples]) -> None:
    padded = [np.concatenate([samples, 1e-4 * samples]) for samples in recordings]
    every, kept = (MFCC(8000, vad=vad).fit_transform(padded) for vad in ("none", "peak"))
    assert all(len(some) < len(all_of_them) for some, all_of_them in zip(kept, every, strict=True))


def test_recordings_that_are_read_side_by_side_are_the_same(paths: list[Path]) -> None:
    for one, two in zip(MFCC().fit_transform(paths), MFCC(n_jobs=2).fit_transform(paths), strict=True):
        np.testing.assert_array_equal(one, two)


def test_files_of_another_rate_are_refused_or_converted(paths: list[Path]) -> None:
    with pytest.raises(ValueError, match="sample rate 8000 Hz, not 16000 Hz"):
        MFCC(16000).fit_transform(paths)
    assert MFCC(16000, resample=True).fit_transform(paths)[0].shape[1] == 13


def test_a_clone_has_the_parameters_and_no_fit(recordings: list[Samples]) -> None:
    fitted = MFCC(8000, spec=sg.FeatureSpec(n_ceps=7)).fit(recordings)
    copy = clone(fitted)
    assert copy.get_params()["spec"] == sg.FeatureSpec(n_ceps=7)
    with pytest.raises(NotFittedError):
        copy.transform(recordings)


@pytest.mark.parametrize(
    ("recordings", "message"),
    [
        ("one.wav", r"'one.wav' is one path; expected a list of recordings"),
        (np.zeros((2, 8000)), r"an array of shape \(2, 8000\); expected a list of recordings"),
        ([np.zeros((2, 8000))], r"recording 0: samples have shape \(2, 8000\); expected one channel"),
        ([np.ones(8000, np.int16)], "recording 0: samples are int16; expected floats"),
        ([np.full(8000, 100.0)], r"recording 0: samples lie between 100 and 100; expected \[-1, 1\]"),
        ([np.full(8000, np.nan)], "recording 0: sample 0 is not a finite number"),
        ([np.zeros(10)], "recording 0: 10 samples at 8000 Hz are too short"),
        (np.zeros(8000), r"recording 0 is a float64; expected a path or samples \(N,\)"),
        ([], "no recordings"),
        (None, "X is None; expected a list of recordings"),
        (["missing.wav"], "missing.wav"),
    ],
)
def test_recordings_that_cannot_be_used_are_refused(recordings: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MFCC(8000).fit_transform(recordings)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"sample_rate": None}, "samples do not say their rate"),
        ({"sample_rate": 8000.5}, "sample_rate is 8000.5; expected a whole number"),
        ({"pooling": "max"}, "pooling is 'max'; expected one of mean, mean_std"),
        ({"cmvn": "speaker"}, "a transformer knows no speakers"),
        ({"cmvn": "class"}, "cmvn"),
        ({"n_ceps": 0}, "n_ceps"),
        ({"preset": "ours"}, "preset"),
        ({"spec": 5}, "spec is 5; expected a FeatureSpec"),
    ],
)
def test_a_parameter_out_of_range_is_named(recordings: list[Samples], parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MFCC(**{"sample_rate": 8000, **parameters}).fit(recordings)
