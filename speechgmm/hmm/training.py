"""Training HMMs from utterances: a start, passes by Baum-Welch or Viterbi, mixtures that grow by splitting.

Owns the loop, its objective and its start. What an utterance may be is a graph that the caller builds; parallelism is
the argument ``map``. Refuses to choose features, and to read anything.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from itertools import pairwise
from operator import add
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import DataError, FitError, ShapeError
from speechgmm.gmm.frames import Frames, FrameSource, Loadable, Mapper, check_finite, moments
from speechgmm.gmm.layout import Block, Precision
from speechgmm.gmm.likelihoods import Space
from speechgmm.gmm.model import DiagGMM
from speechgmm.hmm.component_counts import grown_mixtures
from speechgmm.hmm.emissions import StateStack
from speechgmm.hmm.graph import Graph
from speechgmm.hmm.hmm import HMM, Units
from speechgmm.hmm.kept_graphs import KeptGraphs
from speechgmm.hmm.passes import Posteriors, forward_backward, viterbi
from speechgmm.hmm.spec import HMMSpec
from speechgmm.hmm.statistics import HMMPrior, HMMStats
from speechgmm.parallel import one_blas_thread

Floats = NDArray[np.float64]

PARCEL: Final = 20_000
"""Frames of a task, in whole utterances: cut by the data alone, so that no worker changes a byte."""


@dataclass(frozen=True, slots=True, eq=False)
class Utterance:
    """The frames of an utterance and its transcript, for training.

    ``build`` makes the graph of all unit sequences that the transcript allows from the labels and the topology of the
    units, for example ``partial(linear, words=..., lexicon=...)``. Graphs are kept from pass to pass, but are not sent
    to other processes. Utterances with the same ``build`` object share one graph, as repetitions of an isolated word
    do. ``sequence`` is one of the unit sequences; the start of training divides the frames by it.
    """

    name: str  # for messages
    frames: Frames | Loadable  # (T, D), or a reference
    n_frames: int  # T
    sequence: tuple[str, ...]  # labels of units
    build: Callable[[Units], Graph]
    bounds: Floats | None = None  # (len(sequence), 2) in frames, from labels; None: the start divides evenly

    def load(self) -> Frames:
        """(T, D) frames."""
        return self.frames if isinstance(self.frames, np.ndarray) else self.frames.load()


@dataclass(frozen=True, slots=True, eq=False)
class HMMFit:
    """The trained units, and the progress of their training.

    ``trace`` has, for every number of Gaussians per state, the objective before each update, in nats per frame: the
    log-likelihood (over all paths, or of the best path) plus the log prior density, up to a constant.
    """

    units: Units
    trace: tuple[tuple[float, ...], ...]
    n_frames: int

    def least_step(self) -> float:
        """The smallest gain, in nats per frame, of an update that split no Gaussian; at least 0, up to rounding."""
        return min((after - before for level in self.trace for before, after in pairwise(level)), default=0.0)


@one_blas_thread()
def train_hmms(
    utterances: Sequence[Utterance],
    topology: Mapping[str, ArrayLike],
    spec: HMMSpec,
    *,
    start: Units | None = None,
    precision: Precision | None = None,
    map: Mapper = map,
) -> HMMFit:
    """Train the HMMs of all units. ``topology``: the transitions (S, S+1) that each unit starts with.

    Without ``start``, each state begins as one Gaussian of an even share of the frames: those of its unit where there
    are ``bounds``, else those of the utterance, divided by ``sequence``. With ``spec.annealing``, passes follow that
    multiply log-likelihoods by factors below 1 (deterministic annealing, Ueda & Nakano 1998; for HMMs, Rao & Rose
    2001). Then come up to ``spec.iterations`` updates with 1, 2, 4, ... Gaussians per state each. With trained units
    as ``start``, the first updates keep their numbers of Gaussians, and later ones use more than the largest state
    has. ``precision`` None: float32 where that is safe. ``map`` is called like the built-in ``map`` on groups of
    utterances, for example to run them in parallel; it must return results in the order of the groups.

    Raises:
        DataError: There are no utterances; an utterance has too few frames for its units, or no path explains it.
        ShapeError: Utterances have different dimensions, or ``bounds`` do not fit their utterance.
        FitError: A frame has a NaN, or a dimension has the same value in every frame.

    >>> from speechgmm.hmm import left_to_right, linear
    >>> frames = np.array([[0.0], [0.2], [-0.1], [5.0], [5.1], [4.9]] * 5)
    >>> words = ("a", "b") * 5
    >>> said = Utterance("u", frames, len(frames), words, partial(linear, words=words))
    >>> spec = HMMSpec(n_states=1, n_components=1, iterations=3, variance_prior=0)
    >>> fit = train_hmms([said], {"a": left_to_right(1), "b": left_to_right(1)}, spec)
    >>> [hmm.emissions[0].means.round(2).tolist() for hmm in fit.units.hmms]
    [[[0.03]], [[5.0]]]
    """
    if not utterances:
        raise DataError("no utterances to train on; expected at least one")
    prior, everywhere, source = global_prior(utterances, spec, map)
    plain = plain_units(topology, everywhere)
    space = Space(everywhere.means[0], np.sqrt(everywhere.variances[0]))
    tasks = parcels(utterances)
    if start is None:
        stack = StateStack.of(plain.emissions, space=space, precision=precision)
        evenly = reduce(add, map(partial(_even_parcel, units=plain, stack=stack), tasks))
        units = prior.update(plain, HMMStats(evenly.emissions, np.zeros(len(evenly.transitions))), plain)
        occupied, levels = evenly.emissions.counts, spec.levels
    else:
        units, occupied, levels = start, None, levels_after(start, spec)
    trace: list[tuple[float, ...]] = []
    graphs = KeptGraphs()
    for scale in spec.annealing_scales if start is None else ():
        stack = StateStack.of(units.emissions, space=space, precision=precision)
        work = partial(_parcel, units=units, stack=stack, spec=spec, graphs=graphs, scale=scale)
        stats = reduce(add, map(work, tasks))
        units, occupied = prior.update(units, stats, plain), stats.emissions.counts
    for level in levels:
        if occupied is not None:
            units = grown(units, occupied, level, spec.frames_per_component)
        values: list[float] = []
        for _ in range(spec.iterations):
            stack = StateStack.of(units.emissions, space=space, precision=precision)
            work = partial(_parcel, units=units, stack=stack, spec=spec, graphs=graphs)
            stats = reduce(add, map(work, tasks))
            values.append((stats.emissions.log_likelihood + prior.log_density(units, plain)) / len(source))
            units = prior.update(units, stats, plain)
            occupied = stats.emissions.counts
            if len(values) > 1 and values[-1] - values[-2] < spec.tol:
                break
        trace.append(tuple(values))
    return HMMFit(units, tuple(trace), len(source))


def levels_after(start: Units, spec: HMMSpec) -> tuple[int, ...]:
    """Gaussians of a state at each stage of training that goes on from ``start``, those of its largest state first.

    >>> from speechgmm.hmm import left_to_right
    >>> one = Units(("a",), (HMM((DiagGMM([0.5, 0.5], [[0.0], [1.0]], [[1.0], [1.0]]),), left_to_right(1)),))
    >>> levels_after(one, HMMSpec(n_components=8)), levels_after(one, HMMSpec(n_components=1))
    ((2, 4, 8), (2,))
    """
    largest = max(model.n_components for model in start.emissions)
    return (largest, *(level for level in spec.levels if level > largest))


def plain_units(topology: Mapping[str, ArrayLike], model: DiagGMM) -> Units:
    """Units of these transitions (S, S+1), all of whose states have the same mixture."""
    return Units(
        tuple(topology), tuple(HMM((model,) * len(np.asarray(rows)), np.asarray(rows)) for rows in topology.values())
    )


def grown(units: Units, counts: Floats, n_components: int, frames_per_component: float) -> Units:
    """The same units with up to ``n_components`` Gaussians per state: the heaviest are split, each once at most.

    ``counts`` (M,) are the frames of all components; a state of n frames gets no more than n /
    ``frames_per_component``.

    >>> from speechgmm.hmm import left_to_right
    >>> one = Units(("a",), (HMM((DiagGMM([1.0], [[0.0]], [[1.0]]),), left_to_right(1)),))
    >>> grown(one, np.array([50.0]), 2, 20.0).emissions[0].means.ravel()
    array([-0.2,  0.2])
    """
    models = units.emissions
    sizes = np.full(len(models), n_components)
    return units.with_parameters(grown_mixtures(models, counts, sizes, frames_per_component))


def global_prior(
    utterances: Sequence[Utterance], spec: HMMSpec, map: Mapper = map
) -> tuple[HMMPrior, DiagGMM, FrameSource]:
    """The prior of training about the moments of all frames, the Gaussian of these moments, and the frames.

    Raises:
        ShapeError: Utterances of different dimensions.
        DataError: One without frames.
        FitError: Frames that are NaN; a dimension that is the same in every frame.
    """
    source = _source(utterances, map)
    mean, variance = moments(source, map=map)
    if not (np.isfinite(variance).all() and (variance > 0).all()):
        d = int(np.flatnonzero(~(np.isfinite(variance) & (variance > 0)))[0])
        raise FitError(
            f"dimension {d} has variance {variance[d]:g} over all {len(source)} frames; drop it, or look for outliers"
        )
    prior = HMMPrior(variance, spec.variance_prior, spec.transition_prior, spec.variance_floor * variance)
    return prior, DiagGMM(np.ones(1), mean[None], variance[None]), source


def _source(utterances: Sequence[Utterance], map: Mapper) -> FrameSource:
    """All frames, looked at once."""
    n_features = utterances[0].load().shape[-1]
    for utterance in utterances:
        if utterance.n_frames < 1:
            raise DataError(f"utterance {utterance.name!r} has no frames; expected at least one")
        if isinstance(utterance.frames, np.ndarray) and utterance.frames.shape != (utterance.n_frames, n_features):
            raise ShapeError(
                f"utterance {utterance.name!r} of shape {utterance.frames.shape}; expected "
                f"({utterance.n_frames}, {n_features}), as it says and as the first one has"
            )
    parts, counts = [u.frames for u in utterances], [u.n_frames for u in utterances]
    source = FrameSource.of(parts, counts, n_features)
    check_finite(source, map=map)
    return source


def parcels(utterances: Sequence[Utterance]) -> list[tuple[Utterance, ...]]:
    """Whole utterances, about ``PARCEL`` frames in each."""
    ends = np.cumsum([utterance.n_frames for utterance in utterances])
    numbers = (ends - 1) // PARCEL
    edges = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(utterances)]
    return [tuple(utterances[low:high]) for low, high in pairwise(edges)]


def _parcel(
    utterances: Sequence[Utterance],
    *,
    units: Units,
    stack: StateStack,
    spec: HMMSpec,
    graphs: KeptGraphs,
    scale: float = 1.0,
) -> HMMStats:
    """The statistics of some utterances under units, whose log-likelihoods are multiplied by ``scale``."""
    moments, transitions = np.zeros(stack.factors.shape), np.zeros(len(units.log_transitions))
    log_likelihood = 0.0
    for utterance in utterances:
        rows = stack.rows(utterance.load())
        try:
            found = _posteriors(graphs.under(units, utterance.build), stack, rows, spec, scale)
        except (DataError, ShapeError) as error:
            raise type(error)(f"utterance {utterance.name!r}: {error}") from error
        stack.add_moments(rows, found.states, moments)
        transitions += found.transitions
        log_likelihood += found.log_likelihood
    n_frames = sum(utterance.n_frames for utterance in utterances)
    return HMMStats(stack.statistics(moments, log_likelihood, n_frames), transitions)


def _posteriors(graph: Graph, stack: StateStack, rows: Block, spec: HMMSpec, scale: float = 1.0) -> Posteriors:
    """Of states and transitions over all paths; with ``training: viterbi`` 1 on the best path and 0 elsewhere."""
    emissions = stack.log_likelihoods(rows, np.unique(graph.states))
    if scale < 1:
        return forward_backward(graph, scale * emissions, beam=spec.beam)
    if spec.training == "baum-welch":
        return forward_backward(graph, emissions, beam=spec.beam)
    path = viterbi(graph, emissions, beam=spec.beam)
    states = np.zeros(emissions.shape)
    states[np.arange(len(rows)), graph.states[path.nodes]] = 1
    return Posteriors(path.score, states, path.transition_counts(graph))


def _even_parcel(utterances: Sequence[Utterance], *, units: Units, stack: StateStack) -> HMMStats:
    """The statistics of some utterances whose frames are divided evenly among states."""
    return reduce(add, (_evenly(utterance, units, stack) for utterance in utterances))


def _evenly(utterance: Utterance, units: Units, stack: StateStack) -> HMMStats:
    numbers = [units.number(label) for label in utterance.sequence]
    sizes = np.array([units.hmms[number].n_states for number in numbers])
    states = np.concatenate(
        [units.first_states[number] + np.arange(size) for number, size in zip(numbers, sizes, strict=True)]
    )
    n_frames = utterance.n_frames
    if utterance.bounds is None:
        edges = np.linspace(0, n_frames, len(states) + 1)
        low, high = edges[:-1], edges[1:]
    else:
        bounds = np.asarray(utterance.bounds, dtype=np.float64)
        if bounds.shape != (len(numbers), 2) or not (np.diff(bounds, axis=1) > 0).all():
            raise ShapeError(
                f"utterance {utterance.name!r}: bounds of shape {bounds.shape} for {len(numbers)} units; expected a "
                "first and a later last frame for each"
            )
        share = np.concatenate([np.arange(size) for size in sizes]) / np.repeat(sizes, sizes)
        length = np.repeat(bounds[:, 1] - bounds[:, 0], sizes)
        low = np.repeat(bounds[:, 0], sizes) + share * length
        high = low + length / np.repeat(sizes, sizes)
    gamma = np.zeros((n_frames, units.n_states))
    centres = np.arange(n_frames) + 0.5
    firsts, lasts = np.searchsorted(centres, low), np.searchsorted(centres, high)
    for state, first, last in zip(states, firsts, lasts, strict=True):
        gamma[first:last, state] = 1
    stats = stack.accumulate(stack.rows(utterance.load()), gamma)
    return HMMStats(stats, np.zeros(len(units.log_transitions)))
