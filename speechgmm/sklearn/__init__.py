"""Estimators for scikit-learn: mixtures, a classifier of one mixture per class, and MFCCs.

    from speechgmm.sklearn import GaussianMixture
    GaussianMixture(8, random_state=0).fit(X).predict(X)

scikit-learn is an extra (``pip install 'speechgmm[sklearn]'``). Importing the package imports none of its parts, and
nothing else of speechgmm imports it.
"""

from importlib.util import find_spec

import lazy_loader

if find_spec("sklearn") is None:
    raise ImportError("speechgmm.sklearn needs scikit-learn, which is not installed: pip install 'speechgmm[sklearn]'")

# What there is, and where, stands in __init__.pyi: for type checkers, and for this line.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
