"""Gaussian mixtures for speech: from a folder of recordings to class models, decisions and metrics.

    import speechgmm as sg
    sg.run("configs/fsdd-speakers.yaml")

Importing the package imports none of its parts: each name is fetched when it is first used.
"""

import lazy_loader

__version__ = "0.2.0"

# What there is, and where, stands in __init__.pyi: for type checkers, and for this line.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
