"""How far rounding and what sparse passes leave out move an estimate, on frames of real speech."""

import numpy as np
import pytest
import soundfile

from speechgmm.features import FeatureSpec, extract
from speechgmm.gmm import DiagGMM, accumulate, fit_gmm, prepare
from speechgmm.gmm.active import BLOCK, arranged
from speechgmm.gmm.frames import as_source
from speechgmm.gmm.kernels import survey
from speechgmm.gmm.layout import batches


@pytest.fixture(scope="module")
def frames(shared):
    files = sorted((shared / "data" / "fsdd").rglob("*.wav"))[::4]
    if not files:
        pytest.skip("no fsdd recordings in the shared data")
    spec = FeatureSpec(preset="kaldi", deltas=2, cmvn="utterance")
    return np.concatenate([extract(spec, *soundfile.read(path, dtype="float32")) for path in files]).astype(np.float64)


@pytest.fixture(scope="module")
def model(frames):
    return fit_gmm(frames, 64, max_iter=5).model


def variances(stats, heard=slice(None)):
    counts = stats.counts[heard, None]
    means = stats.sums[heard] / counts
    return stats.squares[heard] / counts - means**2


@pytest.mark.slow
@pytest.mark.parametrize("offset", [0.0, 30.0, 1000.0])
def test_float32_statistics_are_those_of_float64(frames, model, offset):
    shift = offset * frames.std(axis=0)
    moved = DiagGMM(model.weights, model.means + shift, model.variances)
    exact, single = (
        [accumulate(moved.log_linear(), batch) for batch in prepare(frames + shift, precision=precision, block=192)]
        for precision in ("float64", "float32")
    )
    one, other = (parts[0] if len(parts) == 1 else sum(parts[1:], parts[0]) for parts in (exact, single))
    assert other.log_likelihood == pytest.approx(one.log_likelihood, rel=1e-7)
    np.testing.assert_allclose(variances(other), variances(one), rtol=1e-3)


@pytest.mark.slow
def test_what_a_sparse_pass_leaves_out_moves_no_variance_by_a_thousandth(frames):
    model = fit_gmm(frames, 256, max_iter=2, init="random").model
    log_linear = model.log_linear()
    plain = batches(as_source(frames), frames.mean(axis=0), frames.std(axis=0), "float32", BLOCK)
    for reference in arranged(plain, model):
        batch = reference.load()
        full, active = survey(log_linear, batch)
        sparse = accumulate(log_linear, batch, active=active)
        heard = full.counts > 10
        np.testing.assert_allclose(variances(sparse, heard), variances(full, heard), rtol=1e-3)
        assert 0 <= (full.log_likelihood - sparse.log_likelihood) / full.n_frames < 1e-5
