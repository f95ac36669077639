"""How many components: candidates fitted, and one of them chosen by a criterion.

Owns the search. Refuses to know what the frames are of: who calls says which of them belong together.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike

from speechgmm.errors import ConfigError, FitError
from speechgmm.gmm.candidates import allowed, candidate_frames
from speechgmm.gmm.component_count import frames_each
from speechgmm.gmm.concurrency import ALL_CORES, asked_workers, batch_mapper
from speechgmm.gmm.criteria import Candidate, Choice, Criterion, candidate_of, penalised, why_chosen
from speechgmm.gmm.em import Fit
from speechgmm.gmm.families import Covariance
from speechgmm.gmm.fit import fit_mixture
from speechgmm.gmm.frames import FrameSource, Mapper, as_source
from speechgmm.gmm.held_out import held_out_parts, taken, total_log_likelihood
from speechgmm.gmm.init import distinct_frames
from speechgmm.gmm.options import MAX_ITER, TOL, VARIANCE_FLOOR, EMOptions, EStep, PrecisionChoice, Start
from speechgmm.gmm.splitting import grown
from speechgmm.keywords import own_keywords

PATIENCE: Final = 2
"""Candidates in a row, each with more components, that may be no better than the best before the search ends."""


@own_keywords
def choose_n_components(
    frames: ArrayLike | FrameSource,
    candidates: Sequence[int] | None = None,
    *,
    covariance: Covariance = "diag",
    criterion: Criterion = "bic",
    n_starts: int = 5,
    min_frames: float = 100.0,
    groups: ArrayLike | None = None,
    seed: int | np.random.Generator = 0,
    init: Start = "kmeans++",
    max_iter: int = MAX_ITER,
    tol: float = TOL,
    variance_floor: float = VARIANCE_FLOOR,
    floor: ArrayLike | None = None,
    precision: PrecisionChoice = "auto",
    e_step: EStep = "auto",
    overrelaxed: bool = True,
    memory: int | None = None,
    n_jobs: int = ALL_CORES,
    map: Mapper | None = None,
) -> Choice:
    """Fit mixtures of several sizes to frames, and choose the best size by a criterion.

    The candidates are tried from small to large. The search ends once ``PATIENCE`` candidates in a row are no better
    than the best before them. The best of ``n_starts`` fits counts for each candidate: one fit starts from the mixture
    of the candidate before, whose heaviest components are split, and the others start afresh. EM finds a local maximum,
    and with only one start BIC would choose a wrong number more often.

    Parameters
    ----------
    frames : array_like (N, D) or FrameSource
        The frames that a mixture is fitted to.
    candidates : sequence of int, optional
        Numbers of components to try. Those for which there are too few frames are left out. Default: the numbers of
        ``LADDER`` with at least ``FRAMES_EACH`` frames for each component.
    criterion : {"bic", "aic", "held_out", "occupancy"}
        The criterion, defined in Notes.
    n_starts : int, default 5
        Number of fits of each candidate.
    min_frames : float, default 100
        For "occupancy": least number of frames of a component.
    groups : array_like (N,), optional
        For "held_out": the group (a recording, a speaker) of each frame. The frames of a group are held out together.
        Default, and with fewer than two groups: blocks of 100 successive frames, because neighbouring frames are alike
        and must not be divided between training and test.
    covariance, seed, init, max_iter, tol, variance_floor, floor, precision, e_step, overrelaxed, memory
        As in ``fit_gmm``.
    n_jobs, map
        As in ``fit_gmm``; every value gives the same bytes. The threads share the frames of one fit after another.

    Returns
    -------
    Choice

    Raises
    ------
    FitError
        Too few frames for any candidate; frames that ``fit_gmm`` refuses.
    ConfigError
        An option out of range; ``n_jobs`` beside ``map``.
    ShapeError
        Groups that are not (N,); frames that ``fit_gmm`` refuses.

    Notes
    -----
    L is the log-likelihood of the N frames in nats, and p the number of parameters: 2 K D + K - 1 with diagonal
    covariances. The candidate with the greatest value of the criterion is chosen:

        bic        (L - p/2 log N) / N     Schwarz 1978; -1 / (2 N) of what is often called BIC
        aic        (L - p) / N             Akaike 1974
        held_out   mean log-likelihood of frames that were held out, over 4 parts

    p counts all parameters, those of dead components and of variances at the floor included. ``occupancy`` is no
    search: it starts with the largest candidate. While some components hold fewer than ``min_frames`` frames, the
    lighter half of these is dropped and the rest of the mixture is estimated again.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> frames = np.concatenate([rng.normal(size=(150, 2)), rng.normal(size=(150, 2)) + 6])
    >>> choose_n_components(frames, [1, 2, 3], n_starts=2).fit.model
    DiagGMM(n_components=2, n_features=2)
    """
    search = SizeSearch(
        candidates=candidates, criterion=criterion, n_starts=n_starts, min_frames=min_frames, groups=groups
    )
    options = EMOptions(
        covariance=covariance,
        init=init,
        max_iter=max_iter,
        tol=tol,
        variance_floor=variance_floor,
        floor=floor,
        precision=precision,
        e_step=e_step,
        overrelaxed=overrelaxed,
        memory=memory,
    )
    return choose_size(as_source(frames), search, options, seed=seed, n_jobs=n_jobs, map=map)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SizeSearch:
    """The options of ``choose_n_components`` beside those of a fit. Raises ConfigError where one is out of range."""

    candidates: Sequence[int] | None = None
    criterion: Criterion = "bic"
    n_starts: int = 5
    min_frames: float = 100.0
    groups: ArrayLike | None = None  # (N,)

    def __post_init__(self) -> None:
        if self.criterion not in ("bic", "aic", "held_out", "occupancy"):
            raise ConfigError(f"criterion {self.criterion!r}; expected bic, aic, held_out or occupancy")
        if self.n_starts < 1 or not self.min_frames >= 1:
            raise ConfigError(f"n_starts {self.n_starts} and min_frames {self.min_frames:g}; expected at least 1 each")


def choose_size(
    source: FrameSource,
    how: SizeSearch,
    options: EMOptions,
    *,
    seed: int | np.random.Generator = 0,
    n_jobs: int = ALL_CORES,
    map: Mapper | None = None,
) -> Choice:
    """``choose_n_components`` with its options as values; ``n_init`` is 1, for ``how`` says how many starts there are.

    Raises:
        ShapeError, FitError, ConfigError: As ``choose_n_components``.
    """
    asked_workers(n_jobs, map, n_tasks=1)
    options = replace(options, n_init=1)
    each = candidate_frames(frames_each(options.covariance, source.n_features))
    sizes = allowed(len(source), how.candidates, each)
    rng = np.random.default_rng(seed)

    def fit(part: FrameSource, n_components: int, start: Any) -> Fit[Any]:
        with batch_mapper(n_jobs, map, part, n_components) as spread:
            return fit_mixture(part, n_components, options, seed=rng, start=start, map=spread)

    if how.criterion == "occupancy":
        return _occupied(source, max(sizes), how, options.covariance, fit)
    search = _Search(source, fit, rng, how.n_starts)
    parts: list[tuple[FrameSource, FrameSource]] = []
    if how.criterion == "held_out":
        parts = [(taken(source, ~mask), taken(source, mask)) for mask in held_out_parts(len(source), how.groups)]
        sizes = allowed(min(len(rest) for rest, _ in parts), how.candidates, each)
    # Digital silence is one frame many times: no more components than frames that differ, where the search fits.
    fitted_to = [source, *(rest for rest, _ in parts)]
    n_distinct = min(len(distinct_frames(part, np.arange(len(part)), sizes[-1])[0]) for part in fitted_to)
    sizes = [size for size in sizes if size <= n_distinct] or sizes[:1]
    others = [_Search(rest, fit, rng, how.n_starts) for rest, _ in parts]
    found: list[Candidate] = []
    best: Fit[Any] | None = None
    for size in sizes:
        fitted = search.next(size)
        if how.criterion == "held_out":
            totals = [
                total_log_likelihood(other.next(size).model, out) for other, (_, out) in zip(others, parts, strict=True)
            ]
            value = sum(totals) / len(source)
        else:
            value = penalised(fitted, how.criterion, options.covariance)
        better = not found or value > max(one.value for one in found)
        found.append(candidate_of(fitted, value, options.covariance))
        if better:
            best = fitted
        if len(found) > PATIENCE and not any(
            one.value > max(before.value for before in found[:-PATIENCE]) for one in found[-PATIENCE:]
        ):
            break
    if best is None:
        raise FitError("no candidate was fitted")
    return Choice(best, how.criterion, tuple(found), why_chosen(best, how.criterion, found, sizes))


@dataclass(slots=True)
class _Search:
    """Fits to the same frames, one size after another."""

    source: FrameSource
    fit: Callable[[FrameSource, int, Any], Fit[Any]]
    rng: np.random.Generator
    n_starts: int
    last: Fit[Any] | None = None

    def next(self, n_components: int) -> Fit[Any]:
        """The likeliest of several fits: one grown from the last size, the others from nothing."""
        starts: list[Any] = [None] * self.n_starts
        if self.last is not None:
            starts[0] = grown(self.last.model, n_components, self.rng)
        fits = [self.fit(self.source, n_components, start) for start in starts]
        self.last = max(fits, key=lambda fit: fit.trace[-1])
        return self.last


def _occupied(
    source: FrameSource,
    size: int,
    how: SizeSearch,
    covariance: Covariance,
    fit: Callable[[FrameSource, int, Any], Fit[Any]],
) -> Choice:
    """Components that hold too few frames are dropped until none is."""
    min_frames = how.min_frames
    fitted = max((fit(source, size, None) for _ in range(how.n_starts)), key=lambda one: one.trace[-1])
    found = []
    while True:
        held = fitted.n_frames * fitted.model.weights
        found.append(candidate_of(fitted, float(held.min()), covariance))
        few = np.flatnonzero(held < min_frames)
        if not len(few) or len(held) == 1:
            break
        # Not all at once: what they held goes to the others, of which some will then hold enough.
        lightest = few[np.argsort(held[few], kind="stable")][: -(-len(few) // 2)]
        kept = np.ones(len(held), bool)
        kept[lightest] = False
        model = fitted.model
        weights = model.weights[kept]
        start = model.with_components(weights / weights.sum(), model.means[kept], np.flatnonzero(kept))
        fitted = fit(source, len(weights), start)
    dropped = size - fitted.model.n_components
    why = f"{dropped} of {size} components held fewer than {min_frames:g} frames and were dropped"
    if not dropped and float(held.min()) >= min_frames:
        why = f"all {size} components hold {min_frames:g} frames; more might do so too"
    elif not dropped:
        why = f"one component is the least, although it holds {held[0]:.0f} frames, fewer than {min_frames:g}"
    return Choice(fitted, "occupancy", tuple(found), why)
