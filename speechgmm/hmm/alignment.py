"""What a path says: units and words with their frames, scores and confidence.

Owns where one unit ends and the next begins. Refuses times in seconds and files.
"""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from speechgmm.errors import ConfigError
from speechgmm.hmm.graph import Graph
from speechgmm.hmm.passes import BestPath, forward_backward

if TYPE_CHECKING:
    from speechgmm.hmm.phone_scores import SpanScores

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Span:
    """A unit or a word and its frames, from ``first`` to ``stop`` - 1.

    >>> word = Span("one", 10, 35, -120.5)
    >>> word.stop - word.first
    25
    """

    label: str
    first: int
    stop: int
    log_score: float  # nats: of its frames and of the arcs that lead to them; over an utterance they sum to its score
    confidence: float | None = None  # 0 to 1, see `with_confidence` and, of forced alignments, `with_fit`
    start: float | None = None  # frames: expected beginning; None: ``first``
    end: float | None = None  # frames: expected end; None: ``stop``
    scores: "SpanScores | None" = None  # see `phone_scores.AlignmentScorer.placed`; None: not asked for


@dataclass(frozen=True, slots=True)
class Alignment:
    """A path through an utterance, as units and words with their frames. Silence between words is a unit and no word.

    >>> Alignment((Span("sil", 0, 4, -3.0), Span("a", 4, 9, -5.0)), (Span("a", 4, 9, -5.0),), -8.0).labels
    ('a',)
    """

    units: tuple[Span, ...]  # one after another, from the first frame to the last
    words: tuple[Span, ...]  # none where the graph knows no words
    score: float  # nats
    fit: float | None = None  # nats per frame, see `with_fit`; None: not asked for

    @property
    def labels(self) -> tuple[str, ...]:
        """The words; the units where the graph knows no words."""
        return tuple(span.label for span in self.words or self.units)


def alignment(graph: Graph, path: BestPath, log_emissions: ArrayLike) -> Alignment:
    """The units and words of a path through a graph. ``log_emissions`` (T, S): log-likelihoods of all states, in nats.

    >>> from speechgmm.hmm import HMM, Units, left_to_right, linear, viterbi
    >>> from speechgmm.gmm import DiagGMM
    >>> hmm = HMM((DiagGMM([1.0], [[0.0]], [[1.0]]),), left_to_right(1))
    >>> graph = linear(Units(("a", "b"), (hmm, hmm)), ["a", "b"])
    >>> scores = np.array([[0.0, -9.0], [0.0, -9.0], [-9.0, 0.0]])
    >>> [(s.label, s.first, s.stop) for s in alignment(graph, viterbi(graph, scores), scores).units]
    [('a', 0, 2), ('b', 2, 3)]
    """
    emissions = np.asarray(log_emissions)
    gains = frame_gains(graph, path, emissions)
    breaks = np.append(2, graph.breaks[path.arcs[1:]])
    units = graph.units[path.nodes]
    spans = tuple(
        Span(graph.unit_labels[units[first]], first, stop, float(gains[first:stop].sum()))
        for first, stop in _stretches(breaks >= 1)
    )
    words = graph.words[path.nodes]
    said = tuple(
        Span(graph.word_labels[words[first]], first, stop, float(gains[first:stop].sum()))
        for first, stop in _stretches(breaks >= 2)
        if words[first] >= 0
    )
    return Alignment(spans, said, path.score)


def frame_gains(graph: Graph, path: BestPath, emissions: Floats) -> Floats:
    """(T,) what each frame adds to a path's score in nats: its log-likelihood, and the arcs that lead to it.

    The start counts for the first frame, and the end for the last.
    """
    gains = emissions[np.arange(len(path.nodes)), graph.states[path.nodes]].astype(np.float64)
    gains[0] += graph.log_start[path.nodes[0]]
    gains[1:] += graph.log_weights[path.arcs[1:]]
    gains[-1] += graph.log_end[path.nodes[-1]]
    return gains


def with_confidence(
    found: Alignment, graph: Graph, log_emissions: ArrayLike, *, scale: float = 1.0, beam: float = np.inf
) -> Alignment:
    """The alignment with a confidence for each unit and word: the mean posterior of its label over its frames.

    Posteriors are over all paths of the graph (Wessel et al. 2001, where they are over lattices). Neighbouring frames
    are not independent, so that these posteriors are overconfident. ``scale`` corrects this: log-likelihoods are
    multiplied by it; choose it on recordings of known words. Raises the errors of `forward_backward`, and ConfigError
    for a scale that is not above 0.

    >>> from speechgmm.hmm import HMM, Units, left_to_right, loop, viterbi
    >>> from speechgmm.gmm import DiagGMM
    >>> hmm = HMM((DiagGMM([1.0], [[0.0]], [[1.0]]),), left_to_right(1))
    >>> graph, scores = loop(Units(("a", "b"), (hmm, hmm)), np.log(np.full((2, 2), 0.5))), np.zeros((3, 2))
    >>> found = alignment(graph, viterbi(graph, scores), scores)
    >>> round(with_confidence(found, graph, scores).units[0].confidence, 6)
    0.5
    """
    if not (np.isfinite(scale) and scale > 0):
        raise ConfigError(f"a scale of {scale:g} of log-likelihoods; expected a number above 0")
    emissions = scale * np.asarray(log_emissions)
    by_unit = forward_backward(graph, emissions, groups=graph.units, beam=beam).states
    units = _confident(found.units, graph.unit_labels, by_unit)
    words = found.words
    if words:
        by_word = forward_backward(graph, emissions, groups=graph.words + 1, beam=beam).states[:, 1:]
        words = _confident(words, graph.word_labels, by_word)
    return replace(found, units=units, words=words)


def with_fit(found: Alignment, graph: Graph, path: BestPath, log_emissions: ArrayLike) -> Alignment:
    """The forced alignment with ``fit``, a measure of how well the text fits the frames, and with confidences.

    The alignment is compared with a mixture of all states with equal weights, which knows no text. The fit is the
    mean over frames of log p(frame | its state on the path) - log p(frame | mixture), in nats per frame. A fit above 0
    means that the text explains the frames better than the mixture does; with the text of another recording the fit
    is below 0. The confidence of a unit or a word is the logistic function of the mean over the frames of the unit or
    word, from 0 to 1; 0.5 stands for a mean of 0.

    Where the graph has a unit for silence, the frames of words are compared with a mixture of the silence states as
    well. ``fit`` is then the lower of two means: that over all frames, and this one over the frames of words.
    Otherwise a recording without speech would fit, since nearly all of its frames are silence on the path.

    ``log_emissions`` (T, S): log-likelihoods of every state, in nats.

    >>> from speechgmm.hmm import HMM, Units, left_to_right, linear, viterbi
    >>> from speechgmm.gmm import DiagGMM
    >>> hmm = HMM((DiagGMM([1.0], [[0.0]], [[1.0]]),), left_to_right(1))
    >>> graph = linear(Units(("a", "b"), (hmm, hmm)), ["a"])
    >>> for scores in (np.log([[0.75, 0.25]] * 2), np.log([[0.25, 0.75]] * 2)):
    ...     path = viterbi(graph, scores)
    ...     fitted = with_fit(alignment(graph, path, scores), graph, path, scores)
    ...     print(round(fitted.fit, 3), round(fitted.units[0].confidence, 3))
    0.405 0.6
    -0.693 0.333
    """
    emissions = np.asarray(log_emissions, dtype=np.float64)
    forced = emissions[np.arange(len(emissions)), graph.states[path.nodes]]
    gains = forced - np.logaddexp.reduce(emissions, axis=1) + np.log(emissions.shape[1])

    def judged(spans: tuple[Span, ...]) -> tuple[Span, ...]:
        means = [float(gains[span.first : span.stop].mean()) for span in spans]
        return tuple(replace(span, confidence=float(expit(mean))) for span, mean in zip(spans, means, strict=True))

    fit = float(gains.mean())
    silent = np.unique(graph.states[graph.words < 0]) if graph.word_labels else np.empty(0, np.intp)
    spoken = graph.words[path.nodes] >= 0
    if len(silent) and spoken.any():
        silence = np.logaddexp.reduce(emissions[:, silent], axis=1) - np.log(len(silent))
        fit = min(fit, float((forced - silence)[spoken].mean()))
    return replace(found, units=judged(found.units), words=judged(found.words), fit=fit)


def _confident(spans: tuple[Span, ...], labels: tuple[str, ...], posteriors: Floats) -> tuple[Span, ...]:
    numbers = {label: n for n, label in enumerate(labels)}
    return tuple(
        replace(s, confidence=min(1.0, float(posteriors[s.first : s.stop, numbers[s.label]].mean()))) for s in spans
    )


def _stretches(begins: NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = [*np.flatnonzero(begins).tolist(), len(begins)]
    return list(pairwise(edges))
