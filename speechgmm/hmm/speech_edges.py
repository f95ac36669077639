"""Where speech begins and ends in utterances of which nothing else is known: for a start of training from few data.

Two units, speech and silence, are trained on all utterances, each of which is silence, speech and silence. Refuses to
know words.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Final

import numpy as np

from speechgmm.gmm.frames import Mapper
from speechgmm.hmm.emissions import StateStack
from speechgmm.hmm.expansion import linear
from speechgmm.hmm.hmm import left_to_right
from speechgmm.hmm.recogniser import Decoder
from speechgmm.hmm.spec import HMMSpec
from speechgmm.hmm.training import Utterance, train_hmms

SPEECH: Final = "speech"
SILENCE: Final = "silence"

EDGE: Final = 0.06
"""Share of an utterance that is taken for silence at either end, to begin with."""

TRAINING: Final = HMMSpec(n_states=1, silence_states=1, n_components=1, iterations=8)

SLIVER: Final = 1e-3
"""Frames of a silence of which there is none: it needs some place in the start, and gets no frame."""

BEAM: Final = 1e9
"""Nats: every path is looked at."""

STAYS: Final = {SPEECH: 0.99, SILENCE: 0.9}
"""Probability of staying in the state of each unit, at the start."""


def speech_edges(utterances: Sequence[Utterance], *, map: Mapper = map) -> list[tuple[int, int]]:
    """First frame of the speech of each utterance and the one after its last; silence may be missing at either end.

    Only frames are looked at: neither ``sequence`` nor ``build``. Raises as `train_hmms`.

    >>> rng = np.random.default_rng(0)
    >>> def said(n, m):
    ...     frames = np.concatenate([rng.normal(0, 0.3, (n, 2)), rng.normal(4, 2, (60, 2)), rng.normal(0, 0.3, (m, 2))])
    ...     return Utterance("", frames, len(frames), (), lambda units: None)
    >>> speech_edges([said(20, 10), said(9, 30), said(15, 15)])
    [(20, 79), (9, 69), (15, 75)]
    """
    lexicon = {SPEECH: ((SPEECH,),)}
    build = partial(linear, words=(SPEECH,), lexicon=lexicon, silence=SILENCE)
    plain = []
    for one in utterances:
        edge = max(1.0, EDGE * one.n_frames)
        bounds = np.array([[0, edge], [edge, one.n_frames - edge], [one.n_frames - edge, one.n_frames]])
        known = bounds if one.n_frames > 2 * edge else None
        plain.append(replace(one, sequence=(SILENCE, SPEECH, SILENCE), build=build, bounds=known))
    topology = {label: left_to_right(1, self_loop=stays) for label, stays in STAYS.items()}
    units = train_hmms(plain, topology, TRAINING, map=map).units
    decoder = Decoder(build(units), StateStack.of(units.emissions), BEAM)
    return list(map(partial(_edges, decoder), plain))


def between_edges(utterances: Sequence[Utterance], *, map: Mapper = map) -> list[Utterance]:
    """The same utterances with ``bounds`` for the start of training: silence, their units evenly, and silence.

    The first and the last unit of ``sequence`` are silence. Raises as `train_hmms`.
    """
    found = []
    for one, (first, stop) in zip(utterances, speech_edges(utterances, map=map), strict=True):
        inner = np.linspace(first, stop, len(one.sequence) - 1)
        inner[[0, -1]] = max(inner[0], SLIVER), min(inner[-1], one.n_frames - SLIVER)
        edges = np.concatenate([[0], inner, [one.n_frames]])
        found.append(replace(one, bounds=np.stack([edges[:-1], edges[1:]], axis=1)))
    return found


def _edges(decoder: Decoder, utterance: Utterance) -> tuple[int, int]:
    (speech,) = decoder.align(utterance.load()).words
    return speech.first, speech.stop
