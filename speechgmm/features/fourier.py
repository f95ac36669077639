"""The Fourier transform of real frames, in place: scipy.fftpack allows that, and scipy.fft does not.

The import of either takes longer than scoring a recording, because it loads numpy.f2py, numpy.testing and
scipy.special. Therefore the compiled module within scipy is loaded alone. It is private to scipy: if it has moved, or
computes something else, scipy.fftpack is used, which computes with it.
"""

import sys
from collections.abc import Callable
from functools import cache
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_MODULES: Final = ("scipy.fft._duccfft.pyduccfft", "scipy.fft._pocketfft.pypocketfft")  # from scipy 1.18 on; before

Transform = Callable[[NDArray[Any]], NDArray[Any]]


def real_transforms(rows: NDArray[Any]) -> NDArray[Any]:
    """Transform every row in place.

    Parameters
    ----------
    rows
        (T, N) float32 or float64, contiguous; overwritten.

    Returns
    -------
    (T, N)
        The rows: re 0, re 1, im 1, re 2, im 2, ...; the last value is re N/2 for even N.

    Examples
    --------
    >>> real_transforms(np.array([[0.0, 1.0, 0.0, 0.0]])).tolist()
    [[1.0, 0.0, -1.0, -1.0]]
    """
    return _transform()(rows)


@cache
def _transform() -> Transform:
    try:
        transform = _compiled_module().r2r_fftpack

        def by_module(rows: NDArray[Any]) -> NDArray[Any]:
            transformed: NDArray[Any] = transform(rows, (1,), True, True, 0, rows, 1)
            return transformed

        if by_module(np.array([[0.0, 1.0, 0.0, 0.0]])).tolist() == [[1.0, 0.0, -1.0, -1.0]]:
            return by_module
    except (ImportError, AttributeError, TypeError, ValueError):  # moved, renamed, or other arguments
        pass
    from scipy.fftpack import rfft

    return lambda rows: np.asarray(rfft(rows, axis=1, overwrite_x=True))


def _compiled_module() -> Any:
    """The module within scipy, without the packages that it lies in."""
    scipy = find_spec("scipy")
    packages = scipy.submodule_search_locations if scipy else None
    for name in _MODULES:
        if name in sys.modules:
            return sys.modules[name]
        spec = PathFinder.find_spec(name, [str(Path(package, *name.split(".")[1:-1])) for package in packages or ()])
        if spec is not None and spec.loader is not None:
            module = module_from_spec(spec)
            spec.loader.exec_module(module)
            sys.modules.pop(name, None)  # an import of scipy.fft puts it there, and makes it known to its package
            return module
    raise ImportError(f"no module {' or '.join(_MODULES)}")
