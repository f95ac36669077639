"""The stages of a run: prepare, extract, train, score, evaluate.

Each maps the mathematics over the data; each can be called by itself, as the recipes do. Importing the package imports
none of them: scoring a recording must not wait for what only training needs.
"""

import lazy_loader

# What there is, and where, stands in __init__.pyi: for type checkers, and for this line.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
