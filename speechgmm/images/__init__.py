"""Pictures cut into regions: pixels as frames, posteriors as maps, neighbours that agree. Arrays in, arrays out."""

import lazy_loader

# What there is, and where, stands in __init__.pyi: for type checkers, and for this line.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
