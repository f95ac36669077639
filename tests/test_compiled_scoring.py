"""Scores by compiled loops: those of numpy within rounding, and the same however the work is shared out."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechgmm.engine.compilation import NOTE
from speechgmm.engine.console import Console
from speechgmm.engine.recordings import frames_about
from speechgmm.engine.runs import run
from speechgmm.gmm import DiagGMM, Stack, compiled_scoring, likelihoods
from speechgmm.gmm.compiled_scoring import compiled_log_sums
from speechgmm.gmm.likelihoods import log_sums
from speechgmm.gmm.model import NO_PART
from speechgmm.tasks.classification import ClassModels, scoring
from speechgmm.tasks.classification.codec import read_model_file


@pytest.mark.slow
@given(st.integers(1, 4), st.integers(1, 9), st.integers(1, 70), st.floats(0, 1e4), st.booleans(), st.integers(0, 99))
def test_compiled_log_sums_are_those_of_numpy_and_leave_the_scores_alone(n_models, size, n_frames, spread, wide, seed):
    rng = np.random.default_rng(seed)
    scores = (rng.normal(size=(n_models, size, n_frames)) * spread - 50).astype(np.float64 if wide else np.float32)
    scores[:, 1:][rng.random((n_models, size - 1, n_frames)) < 0.1] = NO_PART
    before, expected, found = scores.copy(), np.empty((n_models, n_frames)), np.empty((n_models, n_frames))
    compiled_log_sums(scores, found)
    np.testing.assert_array_equal(scores, before)
    log_sums(scores, expected)
    tolerance = 1e-12 if wide else 3e-6
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_a_stack_scores_alike_by_both_engines_and_one_of_other_sizes_too(precision):
    rng = np.random.default_rng(0)
    sizes = (64, 3, 64, 17)
    models = [DiagGMM(np.full(k, 1 / k), rng.normal(size=(k, 13)), rng.uniform(0.3, 2, (k, 13))) for k in sizes]
    frames = rng.normal(size=(1100, 13)).astype(np.float32)
    frames[7] *= 40
    stack = Stack.of(models, precision=precision)
    by_numpy, by_numba = (replace(stack, engine=engine).log_likelihoods(frames) for engine in ("numpy", "numba"))
    np.testing.assert_allclose(by_numba, by_numpy, rtol=1e-12 if precision == "float64" else 3e-7, atol=3e-6)


class Piece:
    """Frames as a run has them."""

    def __init__(self, frames):
        self.frames, self.n_rows = frames, len(frames)

    def load(self):
        return self.frames


def test_large_work_is_compiled_and_how_it_is_parcelled_changes_no_byte(monkeypatch):
    rng = np.random.default_rng(0)
    models = ClassModels(
        ("a", "b"),
        tuple(DiagGMM(np.full(40, 1 / 40), rng.normal(size=(40, 5)), np.ones((40, 5))) for _ in range(2)),
        np.log([0.5, 0.5]),
    )
    pieces = [Piece(rng.normal(size=(n, 5)).astype(np.float32)) for n in (50, 7, 300)]
    engines = []

    class Job:
        class Console:
            @staticmethod
            def bar(_):
                import contextlib

                return contextlib.nullcontext(lambda *_: None)

        console = Console

        @staticmethod
        def map(function, tasks):
            engines.append(function.args[0]._stack.engine)
            return map(function, tasks)

    def table(worth, at_once):
        monkeypatch.setattr(likelihoods, "WORTH_COMPILING", worth)
        monkeypatch.setattr(scoring, "SCORED_AT_ONCE", at_once)
        return scoring.log_likelihood_table(Job, models, pieces, None)[0]

    work = (50 + 7 + 300) * 80
    by_numpy, compiled, in_parcels = table(work + 1, 64), table(work, 64), table(work, 1)
    assert engines == ["numpy", "numba", "numba"]
    np.testing.assert_array_equal(compiled, in_parcels)
    np.testing.assert_allclose(compiled, by_numpy, atol=1e-6)


@pytest.fixture
def calls(monkeypatch):
    """One item for each call of the compiled log-sum-exp."""
    found = []

    def counting(scores, out):
        found.append(scores.shape)
        compiled_log_sums(scores, out)

    monkeypatch.setattr(compiled_scoring, "compiled_log_sums", counting)
    return found


def test_a_large_folder_is_scored_by_compiled_loops_and_one_recording_by_numpy(config_file, calls, monkeypatch):
    run(config_file, console=Console(quiet=True), until="train")
    model = read_model_file(config_file.parent / "run" / "models.safetensors")
    paths = sorted((config_file.parent / "hums").rglob("*.wav"))
    monkeypatch.setattr(likelihoods, "WORTH_COMPILING", 12 * frames_about(model.audio, paths))

    def scores(chosen, n_jobs=1):
        return [found[0].mean_log_likelihoods for _, found in scoring.score_recordings(model, chosen, n_jobs=n_jobs)]

    by_numpy = [scores([path])[0] for path in paths]
    assert not calls
    by_compiler = scores(paths)
    assert len(calls) == len(paths)
    np.testing.assert_allclose(by_compiler, by_numpy, atol=1e-6)
    np.testing.assert_array_equal(scores(paths, n_jobs=2), by_compiler)


@pytest.mark.slow
def test_large_trials_are_scored_by_compiled_loops_and_a_run_says_that_it_compiles(
    config_file, calls, monkeypatch, capsys
):
    path = config_file.parent / "verify.yaml"
    path.write_text(
        "task: verification\n"
        "corpus: {kind: folder, root: hums, label: pitch, sample_rate: 8000, split: fraction}\n"
        "model: {adapt: map, ubm: {n_components: 4, max_iter: 4}}\n"
        "cache: cache\nparallel: {n_jobs: 1}\nreport: {audio: 0}\n"
    )

    def scores(name):
        run(path, output=config_file.parent / name, console=Console())
        rows = [line.split("\t") for line in (config_file.parent / name / "scores.tsv").read_text().splitlines()]
        return np.array([float(row[rows[0].index("score")]) for row in rows[1:]])

    by_numpy = scores("numpy")
    assert not calls
    monkeypatch.setattr(likelihoods, "WORTH_COMPILING", 1)
    monkeypatch.setattr(compiled_scoring, "_compiled", [])
    monkeypatch.setattr(compiled_scoring, "just_in_time", not_from_disk)
    capsys.readouterr()
    np.testing.assert_allclose(scores("numba"), by_numpy, atol=1e-5)
    assert calls
    assert capsys.readouterr().err.count(NOTE) == 1


def not_from_disk(loops, **how):
    """As ``just_in_time``, but always compiled."""
    import numba

    return numba.njit(nogil=True, **how)(loops)


def test_scoring_by_numpy_loads_no_compiler():
    code = (
        "import sys, numpy as np; from speechgmm.gmm import DiagGMM, Stack; "
        "Stack.of([DiagGMM([1.0], [[0.0]], [[1.0]])]).log_likelihoods(np.zeros((9, 1))); "
        "assert not {'numba', 'scipy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
