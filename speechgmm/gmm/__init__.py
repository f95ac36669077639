"""Gaussian mixtures with diagonal covariances: arrays in, arrays out.

Importing the package imports none of its parts: scoring waits for nothing that only training needs.
"""

import lazy_loader

# What there is, and where, stands in __init__.pyi: for type checkers, and for this line.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
