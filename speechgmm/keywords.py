"""Keywords of scikit-learn given to functions that call them otherwise: the error names ours."""

from collections.abc import Callable
from functools import wraps
from inspect import Parameter, signature
from typing import Final, ParamSpec, TypeVar, get_args

from speechgmm.errors import KeywordError

P = ParamSpec("P")
R = TypeVar("R")

OURS: Final = {
    "random_state": ("seed",),
    "sample_weight": ("weights",),
    "reg_covar": ("floor", "variance_floor"),
    "covariance_type": ("covariance",),
    "init_params": ("init",),
    "n_jobs": ("map",),
    "weight_concentration_prior": ("concentration",),
}
"""Keyword of scikit-learn -> what it is called here, where a function has it."""

ABSENT: Final = {
    "covariance_type": "covariances here are diagonal; leave it out",
    "sample_weight": "frames have no weights here; leave it out, or see fit_gmm",
    "verbose": "nothing is printed; leave it out",
}
"""Keyword of scikit-learn -> what to do where a function has nothing like it."""


def own_keywords(function: Callable[P, R]) -> Callable[P, R]:
    """The same function, which says what its keywords are called where one of scikit-learn's is given.

    Keywords that it takes as ``**options: Unpack[...]`` of a TypedDict count as its own, and others are refused.

    >>> @own_keywords
    ... def draw(seed: int = 0) -> int:
    ...     return seed
    >>> draw(random_state=1)
    Traceback (most recent call last):
    speechgmm.errors.KeywordError: draw: random_state is called seed in speechgmm; give seed instead
    """
    parameters = signature(function).parameters
    others = [one for one in parameters.values() if one.kind is Parameter.VAR_KEYWORD]
    known = {
        *parameters,
        *(name for one in others for kind in get_args(one.annotation) for name in kind.__annotations__),
    }

    @wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        for name in kwargs:
            if name in known:
                continue
            ours = next((one for one in OURS.get(name, ()) if one in known), None)
            if ours is not None:
                raise KeywordError(f"{function.__name__}: {name} is called {ours} in speechgmm; give {ours} instead")
            if name in ABSENT:
                raise KeywordError(f"{function.__name__}: {name} is not available: {ABSENT[name]}")
            if others:
                raise TypeError(f"{function.__name__}() got an unexpected keyword argument {name!r}")
        return function(*args, **kwargs)

    return checked
