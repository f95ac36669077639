"""The Fourier transform by scipy's compiled module alone, and by its public functions where that has moved."""

import subprocess
import sys

import numpy as np
import pytest

from speechgmm.features import fourier


@pytest.fixture
def anew():
    fourier._transform.cache_clear()
    yield
    fourier._transform.cache_clear()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("length", [2, 7, 400, 512, 2048])
def test_rows_are_transformed_in_place_as_numpy_transforms_them(dtype, length):
    rows = np.random.default_rng(0).normal(size=(33, length)).astype(dtype)
    expected = np.fft.rfft(rows.astype(np.float64), axis=1)
    found = fourier.real_transforms(rows)
    assert found is rows or np.shares_memory(found, rows)
    parts = np.stack([expected.real, expected.imag], axis=2).reshape(33, -1)
    parts = np.delete(parts, [1, *((parts.shape[1] - 1,) if length % 2 == 0 else ())], axis=1)
    np.testing.assert_allclose(found, parts, atol=length * np.finfo(dtype).eps * 10)


def other_r2r(*_):
    raise TypeError("takes 3 positional arguments but 7 were given")


@pytest.mark.parametrize(
    "found",
    [
        lambda: (_ for _ in ()).throw(ImportError("moved")),
        lambda: type("Module", (), {}),
        lambda: type("Module", (), {"r2r_fftpack": staticmethod(other_r2r)}),
        lambda: type("Module", (), {"r2r_fftpack": staticmethod(lambda rows, *_: rows)}),
    ],
    ids=["moved", "renamed", "other arguments", "other result"],
)
def test_where_scipys_private_module_has_changed_its_public_function_gives_the_same_bits(found, anew, monkeypatch):
    rows = np.random.default_rng(0).normal(size=(16, 512)).astype(np.float32)
    by_module = fourier.real_transforms(rows.copy())
    fourier._transform.cache_clear()
    monkeypatch.setattr(fourier, "_compiled_module", found)
    assert fourier._transform().__name__ == "<lambda>"
    np.testing.assert_array_equal(fourier.real_transforms(rows.copy()), by_module)


OURS = "import sys, numpy as np; from speechgmm.features.fourier import _transform, real_transforms; _transform(); "
CHECK = (
    "import scipy.fft, scipy.fftpack; x = np.random.default_rng(0).normal(size=(3, 64)); "
    "np.testing.assert_array_equal(scipy.fftpack.rfft(x), real_transforms(x.copy())); "
    "np.testing.assert_allclose(scipy.fft.irfft(scipy.fft.rfft(x)), x); "
    "assert any(hasattr(scipy.fft, name) for name in ('_pocketfft', '_duccfft')); "
    "assert _transform().__name__ == 'by_module'"
)


@pytest.mark.slow
@pytest.mark.parametrize("first", ["import scipy.fft; ", ""])
def test_scipy_fft_works_whether_it_is_imported_before_or_after(first):
    alone = "" if first else "assert 'scipy' not in sys.modules; "
    subprocess.run([sys.executable, "-c", first + OURS + alone + CHECK], check=True)
