"""Training from frames that are not all in memory gives the bytes of training from frames that are."""

import pickle
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import hum

from speechgmm.engine import frames as pieces_module
from speechgmm.engine import run
from speechgmm.engine.console import Console
from speechgmm.errors import ConfigError, DataError, FitError, FitWarning
from speechgmm.features.measurements import Measurements
from speechgmm.gmm import DiagGMM, Fit, FrameSource, adapt_map, fit_gmm
from speechgmm.gmm import frames as frames_module
from speechgmm.gmm import init as init_module
from speechgmm.gmm.frames import as_source, check_finite, moments
from speechgmm.gmm.init import distinct_frames
from speechgmm.gmm.layout import Batch, batches, bytes_per_frame, hold
from speechgmm.io.feature_store import Extracted, FeatureStore


@dataclass(frozen=True)
class Read:
    """Frames that are made anew each time they are loaded."""

    seed: int
    n_frames: int
    n_features: int

    def load(self) -> np.ndarray:
        found = np.random.default_rng(self.seed).normal(size=(self.n_frames, self.n_features))
        return (3 * found + self.seed % 3).astype(np.float32)


def in_parts(counts: list[int], n_features: int = 3) -> tuple[FrameSource, np.ndarray]:
    """A source of parts by reference, and the same frames as an array."""
    parts = [Read(seed, count, n_features) for seed, count in enumerate(counts)]
    return FrameSource.of(parts, counts, n_features), np.concatenate([part.load() for part in parts])


def assert_same(one: Fit, other: Fit) -> None:
    for name in ("weights", "means", "variances"):
        assert getattr(one.model, name).tobytes() == getattr(other.model, name).tobytes()
    assert one.trace == other.trace
    assert (one.precision, one.n_frames, one.dead) == (other.precision, other.n_frames, other.dead)


COUNTS = [5000, 0, 1, 17000, 300, 70000, 0, 12345]


@pytest.mark.slow
@pytest.mark.parametrize("init", ["split", "kmeans++", "random"])
def test_a_source_of_many_parts_trains_the_model_of_one_array_whatever_is_held(init: str) -> None:
    source, frames = in_parts(COUNTS)
    whole = fit_gmm(frames, 4, init=init, max_iter=2, seed=1)
    for memory in (0, 3_000_000, None):
        assert_same(fit_gmm(source, 4, init=init, max_iter=2, seed=1, memory=memory), whole)


def test_weights_and_precision_go_with_a_source() -> None:
    source, frames = in_parts(COUNTS)
    weights = np.random.default_rng(0).uniform(size=len(frames))
    weights[::5] = 0
    for precision in ("float32", "float64"):
        whole = fit_gmm(frames, 4, max_iter=1, weights=weights, precision=precision)
        assert_same(fit_gmm(source, 4, max_iter=1, weights=weights, precision=precision, memory=0), whole)


def test_adaptation_streams_like_training() -> None:
    source, frames = in_parts([20000, 15000, 10])
    ubm = DiagGMM([0.5, 0.5], [[0.0, 1, 2], [2, 1, 0]], np.full((2, 3), 4.0))
    options = {"parameters": ("weights", "means", "variances"), "max_iter": 3, "tol": 0.0}
    assert_same(adapt_map(ubm, source, memory=0, **options), adapt_map(ubm, frames, **options))


def test_above_so_many_frames_the_subsample_needs_no_permutation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(init_module, "PERMUTED", 10_000)
    source, frames = in_parts(COUNTS)
    drawn = fit_gmm(frames, 4, max_iter=1)
    assert_same(fit_gmm(source, 4, max_iter=1, memory=0), drawn)
    monkeypatch.undo()
    permuted = fit_gmm(frames, 4, max_iter=1)
    assert drawn.trace[-1] == pytest.approx(permuted.trace[-1], abs=0.1)


def test_frames_that_are_nearly_all_copies_are_searched_for_distinct_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = np.zeros((20_000, 1))
    frames[[7, 19_000]] = [[1.0], [2.0]]
    for limit in (10_000, 100_000):
        monkeypatch.setattr(init_module, "PERMUTED", limit)
        with pytest.warns(FitWarning) as warned:
            assert fit_gmm(frames, 3, max_iter=1).model.n_components == 3
        assert [
            re.match("one frame carries 80%|the floor holds 100%", str(warning.message)).group() for warning in warned
        ] == ["one frame carries 80%", "the floor holds 100%"]
        with pytest.raises(FitError, match=r"3 distinct frames of 20000 for 4 components"):
            fit_gmm(frames, 4)


def test_distinct_frames_are_the_first_of_each_kind_in_the_given_order() -> None:
    rng = np.random.default_rng(2)
    frames = rng.integers(0, 4, size=(500, 2)).astype(float)
    order = rng.permutation(500)
    for at_most in (1, 3, 16, 40):
        expected: list[int] = []
        for number in order:
            if not any((frames[number] == frames[seen]).all() for seen in expected):
                expected.append(int(number))
        for n_known in (0, 5, 100, 500):
            known = frames[order[:n_known]] if n_known else None
            numbers, rows = distinct_frames(as_source(frames), order, at_most, known)
            assert numbers.tolist() == expected[:at_most]
            np.testing.assert_array_equal(rows, frames[numbers])


def test_rows_come_in_the_order_asked_for_wherever_they_lie(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames_module, "CHUNK", 100)
    source, frames = in_parts([50, 0, 1, 170, 3, 700])
    numbers = np.random.default_rng(0).integers(0, len(frames), 300)
    np.testing.assert_array_equal(source.rows(numbers), frames[numbers])
    for start, stop in ((0, 924), (49, 52), (51, 52), (200, 230), (923, 924)):
        np.testing.assert_array_equal(source.stretch(start, stop).load(), frames[start:stop])


def test_moments_are_those_of_the_frames() -> None:
    source, frames = in_parts(COUNTS)
    weights = np.random.default_rng(0).uniform(size=len(frames))
    for shares in (None, weights):
        mean, variance = moments(source, shares)
        expected = np.average(frames.astype(float), axis=0, weights=shares)
        np.testing.assert_allclose(mean, expected, rtol=1e-10)
        spread = np.average((frames - expected) ** 2, axis=0, weights=shares)
        np.testing.assert_allclose(variance, spread, rtol=1e-10)


def test_a_frame_that_is_not_finite_is_named_by_its_number_among_all() -> None:
    bad = np.zeros((10, 2), np.float32)
    bad[3, 1] = np.inf
    source = FrameSource.of([Read(0, 70_000, 2), bad], [70_000, 10], 2)
    for work in (check_finite, moments, lambda frames: fit_gmm(frames, 2)):
        with pytest.raises(FitError, match="frame 70003 is inf in dimension 1"):
            work(source)


def test_a_part_that_gives_other_frames_than_were_counted_is_refused() -> None:
    with pytest.raises(FitError, match="90 frames from frame 0 on, where 100 were counted"):
        fit_gmm(FrameSource.of([Read(0, 90, 2)], [100], 2), 2)


def test_what_is_held_stays_within_the_memory_given() -> None:
    source, _ = in_parts([100_000])
    references = batches(source, np.zeros(3), np.ones(3), "float32", 4096)
    size = bytes_per_frame(3) * 2 * 4096
    for memory, expected in ((0, 0), (size / 2, 0), (1.1 * size, 1), (2.5 * size, 2), (1e9, len(references))):
        found = hold(references, int(memory))
        assert [isinstance(batch, Batch) for batch in found].count(True) == expected
        assert len(found) == len(references)


def test_a_reference_to_a_batch_is_small_enough_to_send() -> None:
    source, frames = in_parts([300] * 1000)
    for reference in batches(source, np.zeros(3), np.ones(3), "float32", 4096):
        assert len(pickle.dumps(reference)) < 10_000
    [first, *_] = batches(as_source(frames), np.zeros(3), np.ones(3), "float32", 4096)
    assert len(pickle.dumps(first)) < 1.1 * frames[:8192].nbytes  # of an array, its own rows and no more


def test_a_shard_that_shrank_is_an_error_and_not_fewer_frames(tmp_path: Path) -> None:
    store = FeatureStore.open(tmp_path, {"made": "up"})
    [entry] = store.write(
        [
            Extracted(
                "k", "p", (1, 1, 1, 1), 1.0, 0.0, Measurements(0.0, 0.0, 4e3, 8000, ()), np.ones((10, 3), np.float32)
            )
        ]
    )
    np.testing.assert_array_equal(store.frames(entry.shard, 2, 3), np.ones((3, 3)))
    path = store.folder / f"{entry.shard}.npy"
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(DataError, match="damaged while the run went on"):
        store.frames(entry.shard, 0, 10)
    path.unlink()
    with pytest.raises(DataError, match="damaged while the run went on"):
        store.frames(entry.shard, 0, 10)


@pytest.fixture
def long_hums(tmp_path: Path) -> Path:
    """Two classes of 12 s each with a frame every millisecond: more frames than fit into a few megabytes."""
    for number, (name, pitch) in enumerate({"low": 110.0, "high": 300.0}.items()):
        (tmp_path / "hums" / name).mkdir(parents=True)
        for n in range(4):
            samples = hum(10 * number + n, pitch * (1 + 0.02 * n), seconds=4)
            samples[8000:12000] *= 0.001  # a pause, for the VAD
            soundfile.write(tmp_path / "hums" / name / f"{n}.wav", samples, 8000)
    path = tmp_path / "hums.yaml"
    path.write_text(
        "corpus: {kind: folder, root: hums, label: pitch, sample_rate: 8000, split: fraction}\n"
        "features: {frame_shift: 1, n_ceps: 8, n_mels: 15}\n"
        "model: {n_components: 2, max_iter: 2}\n"
        "scoring: {temperature_folds: 2}\n"
        "parallel: {n_jobs: 2, backend: threads}\n"
    )
    return path


KINDS = {
    "classes": [],
    "background": ["model={adapt: map, ubm: {n_components: 4, max_iter: 2}}"],
    "everything": [
        "features={frame_shift: 1, n_ceps: 8, n_mels: 15, vad: energy, cmvn: utterance, "
        "transform: {kind: lda, dim: 1, splice: 1}}",
        "augment={speeds: [0.9]}",
    ],
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_streams_writes_the_bytes_of_one_in_memory(
    long_hums: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces_module, "PART", 1000)
    monkeypatch.setattr("speechgmm.gmm.layout.BATCH", 2048)
    monkeypatch.setattr("speechgmm.gmm.layout.block_size", lambda *_: 1024)
    monkeypatch.setattr("speechgmm.gmm.preparation.block_size", lambda *_: 1024)
    monkeypatch.setattr("speechgmm.gmm.adaptation.block_size", lambda *_: 1024)
    loads = 0
    load = pieces_module.Piece.load

    def counted(piece: pieces_module.Piece) -> np.ndarray:
        nonlocal loads
        loads += 1
        return load(piece)

    monkeypatch.setattr(pieces_module.Piece, "load", counted)
    found, reads = {}, {}
    some, little = ("9MB", "6.5MB") if kind == "background" else ("5MB", "4MB")
    for memory in ("2GB", some, little):
        loads = 0
        folder = long_hums.parent / memory
        overrides = [*KINDS[kind], f"parallel.memory={memory}", f"cache={folder}-cache"]
        run(long_hums, overrides, output=folder, console=Console(quiet=True))
        found[memory] = [(folder / name).read_bytes() for name in ("models.safetensors", "scores.tsv")]
        reads[memory] = loads
    assert found[some] == found[little] == found["2GB"]
    assert reads[little] > reads["2GB"]  # it did stream


def test_a_budget_that_no_class_can_be_read_with_says_what_it_takes(long_hums: Path) -> None:
    with pytest.raises(ConfigError, match=r"parallel.memory is 1MB, too little to train 'high' .* give it \d+MB"):
        run(long_hums, ["parallel.memory=1MB"], output=long_hums.parent / "run", console=Console(quiet=True))
