"""Several mixtures laid out for scoring, whatever the form of their covariances."""

from collections.abc import Sequence

from speechgmm.errors import ShapeError
from speechgmm.gmm.full_e_step import FullStack
from speechgmm.gmm.full_model import AnyGMM, FullGMM
from speechgmm.gmm.likelihoods import Space, Stack
from speechgmm.gmm.model import DiagGMM
from speechgmm.gmm.predictive import PredictiveStack
from speechgmm.gmm.top_components import TopStack

AnyStack = Stack | FullStack | TopStack | PredictiveStack


def stack_of(models: Sequence[AnyGMM], *, space: Space | None = None) -> Stack | FullStack:
    """Lay out mixtures for scoring: a ``Stack`` for diagonal covariances, a ``FullStack`` for full covariances.

    ``space`` is used only for diagonal covariances.

    Raises:
        ShapeError: Mixtures with diagonal and mixtures with full covariances together.

    >>> stack_of([FullGMM([1.0], [[0.0]], [[[1.0]]])]).log_likelihoods([[0.0]]).round(4)
    array([[-0.9189]])
    """
    full = [model for model in models if isinstance(model, FullGMM)]
    diagonal = [model for model in models if isinstance(model, DiagGMM)]
    if full and diagonal:
        raise ShapeError(f"{diagonal[0]} and {full[0]} together; expected covariances of one form in all mixtures")
    return FullStack.of(full) if full else Stack.of(diagonal, space=space)
