"""A recogniser: units, pronunciations and language together, and what they hear in the frames of a recording.

Owns how the search space follows from these, and the times of words and units. Refuses to know audio and files.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike

from speechgmm.hmm.adaptation import Adaptation, SpeakerAdapter
from speechgmm.hmm.alignment import Alignment, alignment, with_confidence, with_fit
from speechgmm.hmm.bigram import Bigram, bigram_network
from speechgmm.hmm.boundary_model import BoundaryModel
from speechgmm.hmm.emissions import StateStack
from speechgmm.hmm.expansion import expand, linear
from speechgmm.hmm.graph import Graph, loop
from speechgmm.hmm.hmm import Units
from speechgmm.hmm.n_best import n_best
from speechgmm.hmm.network import Lexicon, LogWeights, Network
from speechgmm.hmm.passes import viterbi
from speechgmm.hmm.phone_scores import AlignmentScorer
from speechgmm.parallel import one_blas_thread


@dataclass(frozen=True, slots=True, eq=False)
class Recogniser:
    """The HMMs, pronunciations, language and settings that recognition and forced alignment need."""

    units: Units
    lexicon: Lexicon  # word -> its pronunciations; where words are units, each its own
    language: Bigram | Network
    silence: str | None = None  # the unit that may stand between words
    silence_probability: float = 0.5
    scale: float = 1.0
    insertion_penalty: float = 0.0  # nats per word
    beam: float = 200.0  # nats
    log_weights: LogWeights = field(default_factory=dict)  # of pronunciations
    adaptation: Adaptation | None = None  # to speakers; None: there is none
    boundary_model: BoundaryModel | None = None  # of alignments; None: there were no labels with times

    def adapted(self) -> "Recogniser":
        """The recogniser for frames after a speaker transform; this one if it has no mixtures for such frames."""
        if self.adaptation is None or self.adaptation.emissions is None:
            return self
        return replace(self, units=self.units.with_parameters(self.adaptation.emissions))

    def adapter(self) -> SpeakerAdapter | None:
        """The estimator of speaker transforms; None: the recogniser does not adapt to speakers."""
        if self.adaptation is None:
            return None
        return SpeakerAdapter.of(self.units, self.adaptation, beam=self.beam)

    def graph(self) -> Graph:
        """The search graph of all that the language allows.

        Raises:
            DataError: A word has no pronunciation, a pronunciation has an unknown unit, or the language is empty.
        """
        if isinstance(self.language, Bigram):
            order = [self.language.labels.index(label) for label in self.units.labels if label in self.language.labels]
            alone = all(self.lexicon.get(word) == ((word,),) for word in self.language.labels)
            if alone and self.silence is None and len(order) == len(self.units.labels):
                return loop(
                    self.units,
                    self.language.log_next[np.ix_(order, order)],
                    log_start=self.language.log_start[order],
                    log_end=self.language.log_end[order],
                    scale=self.scale,
                    insertion_penalty=self.insertion_penalty,
                )
        network = bigram_network(self.language) if isinstance(self.language, Bigram) else self.language
        return expand(
            network,
            self.lexicon,
            self.units,
            log_weights=self.log_weights,
            silence=self.silence,
            silence_probability=self.silence_probability,
            scale=self.scale,
            insertion_penalty=self.insertion_penalty,
        )

    def linear(self, words: Sequence[str], lexicon: Lexicon | None = None) -> Graph:
        """The graph of one sequence of words in all pronunciations; ``lexicon`` adds pronunciations.

        Raises the errors of `graph`.
        """
        known = self.lexicon if lexicon is None else {**self.lexicon, **lexicon}
        return linear(
            self.units,
            words,
            known,
            # Those given beside the recogniser's own weigh alike.
            log_weights={word: found for word, found in self.log_weights.items() if word not in (lexicon or {})},
            silence=self.silence,
            silence_probability=self.silence_probability,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Decoder:
    """A recogniser with its search graph and state likelihoods prepared, to decode many recordings.

    >>> from speechgmm.gmm import DiagGMM
    >>> from speechgmm.hmm import HMM, left_to_right, word_loop
    >>> hmms = tuple(HMM((DiagGMM([1.0], [[mean]], [[1.0]]),), left_to_right(1)) for mean in (0.0, 9.0))
    >>> words = {"low": (("low",),), "high": (("high",),)}
    >>> recogniser = Recogniser(Units(("low", "high"), hmms), words, word_loop(list(words)))
    >>> [word.label for word in Decoder.of(recogniser).recognise([[0.1], [0.2], [9.1], [8.8]]).words]
    ['low', 'high']
    """

    graph: Graph
    stack: StateStack
    beam: float

    @classmethod
    def of(
        cls, recogniser: Recogniser, words: Sequence[str] | None = None, lexicon: Lexicon | None = None
    ) -> "Decoder":
        """The decoder of a recogniser: for recognition or, with ``words``, for the forced alignment of these words.

        ``lexicon`` has pronunciations in addition to those of the recogniser. Raises the errors of `Recogniser.graph`.
        """
        graph = recogniser.graph() if words is None else recogniser.linear(words, lexicon)
        return cls(graph, StateStack.of(recogniser.units.emissions), recogniser.beam)

    @one_blas_thread()
    def recognise(self, frames: ArrayLike, *, confidence_scale: float | None = None) -> Alignment:
        """The best path for frames (T, D), as units and words with their frames.

        With ``confidence_scale``, each unit and word also has a confidence: `with_confidence` multiplies
        log-likelihoods by this scale.

        Raises:
            ShapeError: The frames have another dimension than the units.
            DataError: There are too few frames for any path, or no path is left within the beam.
        """
        emissions = self.stack.log_likelihoods(self.stack.rows(frames), np.unique(self.graph.states))
        found = alignment(self.graph, viterbi(self.graph, emissions, beam=self.beam), emissions)
        if confidence_scale is None:
            return found
        return with_confidence(found, self.graph, emissions, scale=confidence_scale)

    @one_blas_thread()
    def align(self, frames: ArrayLike, *, scorer: AlignmentScorer | None = None, scores: bool = False) -> Alignment:
        """The best path for frames (T, D), with its fit and confidences (`with_fit`).

        With a ``scorer``, each boundary is the mean of its posterior. With ``scores`` too, each unit and word has its
        `SpanScores`. Raises the errors of `recognise`.
        """
        emissions = self.stack.log_likelihoods(self.stack.rows(frames))
        path = viterbi(self.graph, emissions, beam=self.beam)
        found = with_fit(alignment(self.graph, path, emissions), self.graph, path, emissions)
        if scorer is None:
            return found
        return scorer.placed(found, emissions, frames, scores=scores)

    @one_blas_thread()
    def n_best(self, frames: ArrayLike, n: int) -> tuple[Alignment, ...]:
        """The ``n`` best sequences of words for frames (T, D), the best first, without a beam.

        Raises the errors of `recognise`, and ConfigError for n below 1.
        """
        emissions = self.stack.log_likelihoods(self.stack.rows(frames), np.unique(self.graph.states))
        return n_best(self.graph, emissions, n)
