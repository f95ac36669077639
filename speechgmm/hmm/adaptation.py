"""Adaptation of a recogniser to a speaker: paths of the speaker's recordings, and the transform (fMLLR) they give.

Owns the rounds of decoding and estimating, and the prior: the statistics that the model itself would produce, worth a
number of frames. Without it a few seconds of speech give a transform that destroys recognition. Refuses to know who
speaks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import DataError
from speechgmm.features.transforms import LinearTransform
from speechgmm.gmm.model import DiagGMM
from speechgmm.hmm.alignment import Alignment, Span
from speechgmm.hmm.emissions import StateStack
from speechgmm.hmm.fmllr import FMLLRStats, estimate_fmllr, expected_statistics, fmllr_statistics
from speechgmm.hmm.graph import Graph
from speechgmm.hmm.hmm import Units
from speechgmm.hmm.passes import viterbi
from speechgmm.parallel import one_blas_thread

Frames = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Adaptation:
    """How a recogniser is adapted to a speaker."""

    prior: float = 500.0  # frames that the model's own statistics are worth
    rounds: int = 2  # of decoding and estimating, before the last decoding
    emissions: tuple[DiagGMM, ...] | None = None  # of all states, for transformed frames; None: those of the units


@dataclass(frozen=True, slots=True, eq=False)
class SpeakerTransform:
    """The transform of a speaker's frames, and how many of these it was estimated from."""

    transform: LinearTransform
    n_frames: int  # in recordings with a word

    @property
    def log_det(self) -> float:
        """Log |det A|, in nats: log p(frame) = log p(transformed frame) + log |det A|."""
        return float(np.linalg.slogdet(self.transform.matrix)[1])

    def of_raw_frames(self, found: Alignment) -> Alignment:
        """A path of transformed frames with the scores of the frames before, so that transforms can be compared.

        >>> half = SpeakerTransform(LinearTransform(np.array([[0.5]]), np.zeros(1)), 100)
        >>> span = Span("a", 0, 3, -6.0)
        >>> half.of_raw_frames(Alignment((span,), (span,), -6.0)).score  # -6 + 3 log 0.5
        -8.079441541679836
        """
        gain = self.log_det

        def raw(spans: tuple[Span, ...]) -> tuple[Span, ...]:
            return tuple(replace(one, log_score=one.log_score + gain * (one.stop - one.first)) for one in spans)

        score = found.score + gain * found.units[-1].stop
        return replace(found, units=raw(found.units), words=raw(found.words), score=score)


@dataclass(frozen=True, slots=True, eq=False)
class SpeakerAdapter:
    """Units made ready for adaptation, for many speakers.

    ``rounds`` has the mixtures of all states in each round, and their prior. The first is of the units, since its
    frames are not transformed yet.
    """

    rounds: tuple[tuple[StateStack, FMLLRStats], ...]
    beam: float  # nats, as for `viterbi`

    @classmethod
    def of(cls, units: Units, adaptation: Adaptation, *, beam: float = np.inf) -> "SpeakerAdapter":
        """For the mixtures of all states of units, and after the first round those for transformed frames."""
        own = _with_prior(units.emissions, adaptation.prior)
        moved = own if adaptation.emissions is None else _with_prior(adaptation.emissions, adaptation.prior)
        return cls((own, *[moved] * (adaptation.rounds - 1)), beam)

    @one_blas_thread()
    def transform(self, recordings: Sequence[tuple[Frames, Graph]]) -> SpeakerTransform:
        """The transform that fits a speaker's recordings to the model, by what is recognised in them.

        Each round finds the best path of every recording, transformed as the round before says, and estimates the
        transform from the statistics of all, those of the prior added (posterior = prior + statistics).

        Parameters
        ----------
        recordings
            Frames (T, D) of each, and what may be said in it. One without a path, or without a word on it, is left
            out.

        Returns
        -------
        SpeakerTransform
            The identity, where there is no recording that can be used.

        Raises
        ------
        ShapeError
            Frames of another dimension than the mixtures.

        Examples
        --------
        >>> from speechgmm.gmm import DiagGMM
        >>> from speechgmm.hmm import HMM, left_to_right, linear
        >>> hmms = tuple(HMM((DiagGMM([1.0], [[mean]], [[1.0]]),), left_to_right(1)) for mean in (0.0, 9.0))
        >>> units = Units(("low", "high"), hmms)
        >>> frames = np.array([[2.0], [1.9], [2.1], [11.0], [10.9], [11.1]])  # all 2 too high
        >>> said = [(frames, linear(units, ["low", "high"]))]
        >>> found = SpeakerAdapter.of(units, Adaptation(prior=0.1)).transform(said)
        >>> bool(abs(found.transform.apply(np.array([[2.0]]))).max() < 0.2), found.n_frames
        (True, 6)
        """
        n_dims = len(self.rounds[0][1].linear)
        found = SpeakerTransform(LinearTransform(np.eye(n_dims), np.zeros(n_dims)), 0)
        for stack, prior in self.rounds:
            parts = [
                path_statistics(stack, graph, frames, found.transform, beam=self.beam) for frames, graph in recordings
            ]
            used = [part for part in parts if part is not None]
            transform = estimate_fmllr(reduce(add, used, prior), start=found.transform)
            found = SpeakerTransform(transform, int(sum(part.count for part in used)))
        return found


def _with_prior(models: Sequence[DiagGMM], n_frames: float) -> tuple[StateStack, FMLLRStats]:
    return StateStack.of(models), expected_statistics(models).worth(n_frames)


def path_statistics(
    stack: StateStack, graph: Graph, frames: Frames, transform: LinearTransform | None = None, *, beam: float = np.inf
) -> FMLLRStats | None:
    """The statistics of a recording's frames (T, D) on its best path after ``transform``.

    None where no path is found, or where it has no word: such a hypothesis says nothing of the speaker.
    """
    rows = stack.rows(frames if transform is None else transform.apply(frames))
    try:
        path = viterbi(graph, stack.log_likelihoods(rows, np.unique(graph.states)), beam=beam)
    except DataError:
        return None
    if graph.word_labels and not (graph.words[path.nodes] >= 0).any():
        return None
    return fmllr_statistics(frames, *stack.expected_gaussians(rows, graph.states[path.nodes]))
