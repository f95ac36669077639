"""Metrics of decisions, and their intervals.

Importing the package imports none of its parts.
"""

import lazy_loader

# What there is, and where, stands in __init__.pyi: for type checkers, and for this line.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
