"""A speech detector: a mixture of speech, a mixture of what is no speech, and an HMM of two units over both.

    frames -> log ratio of the two mixtures -> both adapted to the recording by MAP, from its own confident frames
    -> Viterbi path of stretches that have a least duration

Owns the model and how it decides. How it is trained is in ``speech_detector_training``. The decision takes the whole
recording.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import ShapeError
from speechgmm.features import FeatureSpec, front_end
from speechgmm.features.front_end import FrontEnd
from speechgmm.features.speech_frames import FRONT_END, SpeechFrames, averaged
from speechgmm.features.vad import SILENT
from speechgmm.gmm import DiagGMM, adapt_map, log_likelihoods
from speechgmm.hmm.graph import Graph, loop
from speechgmm.hmm.hmm import tied_units
from speechgmm.hmm.passes import viterbi
from speechgmm.hmm.tied_states import DecisionTree, Leaf, TiedStates
from speechgmm.setting import FORBID_UNKNOWN, setting

Floats = NDArray[np.float64]
Float32Array = NDArray[np.float32]
BoolArray = NDArray[np.bool_]

_FLOOR: Final = 0.01  # of the mean variance in a dimension, under adaptation
_NEIGHBOURS: Final = 10  # frames on either side, over which the ratio is averaged that a frame is adapted to by


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechDetectorSpec:
    """How a speech detector decides.

    >>> SpeechDetectorSpec(prior=0.2).adaptations
    2
    """

    __pydantic_config__ = FORBID_UNKNOWN

    prior: float = setting(0.5, "share of the time in which somebody speaks, before anything is heard", gt=0, lt=1)
    min_speech: float = setting(0.2, "least duration of speech", unit="s", ge=0, le=60)
    min_pause: float = setting(0.2, "least duration of a pause", unit="s", ge=0, le=60)
    turnover: float = setting(
        4.0, "mean time from the beginning of one stretch of speech to that of the next", unit="s", gt=0, le=3600
    )
    weight: float = setting(0.1, "what a frame counts beside its neighbours, which say much the same", gt=0, le=1)
    clip: float = setting(6.0, "largest log ratio of one frame", unit="nats", gt=0, le=1000)
    adaptations: int = setting(2, "times that the mixtures are adapted to the recording", ge=0, le=100)
    relevance: float = setting(64.0, "of the adaptation: frames that a component of the mixture is worth", gt=0, le=1e9)
    confident: float = setting(
        2.0, "log ratio, averaged over 0.2 s, from which on a frame is adapted to", unit="nats", ge=0, le=1000
    )


@dataclass(frozen=True, slots=True, eq=False)
class SpeechDetector:
    """A speech / non-speech mixture for recordings at one rate.

    Raises:
        ShapeError: Mixtures of other dimensions than the frames have.
    """

    speech: DiagGMM
    other: DiagGMM
    sample_rate: int  # Hz
    spec: SpeechDetectorSpec = SpeechDetectorSpec()
    features: FeatureSpec = FRONT_END

    def __post_init__(self) -> None:
        expected = SpeechFrames(self.sample_rate, self.features).n_dims
        found = self.speech.n_features, self.other.n_features
        if found != (expected, expected):
            raise ShapeError(f"a speech detector with mixtures of {found} dimensions; expected {expected} in both")

    def listen(self) -> "SpeechListener":
        """What hears one recording."""
        return SpeechListener(self, SpeechFrames(self.sample_rate, self.features))

    def log_ratios(self, frames: Float32Array) -> Floats:
        """Log-likelihood ratio of speech (T,), in nats, of frames (T, D), by mixtures that are adapted to them."""
        ratios, spec = self._ratios(self.speech, self.other, frames), self.spec
        for _ in range(spec.adaptations):
            near = averaged(np.clip(ratios, -2 * spec.clip, 2 * spec.clip)[:, None], _NEIGHBOURS)[:, 0]
            speech = self._adapted(self.speech, frames[near > spec.confident])
            other = self._adapted(self.other, frames[near < -spec.confident])
            ratios = self._ratios(speech, other, frames)
        return ratios

    def decide(self, ratios: Floats) -> BoolArray:
        """Which frames are speech (T,), on the Viterbi path through their log ratios (T,) in nats."""
        if not len(ratios):
            return np.zeros(0, np.bool_)
        spec, front = self.spec, front_end(self.features, self.sample_rate)
        shift = front.frame_shift / self.sample_rate
        pause, speech = (max(1, min(round(least / shift), len(ratios))) for least in (spec.min_pause, spec.min_speech))
        graph = _graph((pause, speech), spec.prior, spec.turnover / shift)
        scores = np.zeros((len(ratios), 2))
        scores[:, 1] = spec.weight * np.clip(ratios, -spec.clip, spec.clip)
        return np.asarray(graph.units[viterbi(graph, scores).nodes] == 1)

    @staticmethod
    def _ratios(speech: DiagGMM, other: DiagGMM, frames: Float32Array) -> Floats:
        return np.asarray(log_likelihoods(speech, frames) - log_likelihoods(other, frames))

    def _adapted(self, model: DiagGMM, frames: Float32Array) -> DiagGMM:
        if not len(frames):
            return model
        floor = _FLOOR * (model.weights @ model.variances)
        relevance = self.spec.relevance
        fit = adapt_map(model, frames, relevance, parameters=("means", "variances"), floor=floor, n_jobs=1)
        assert isinstance(fit.model, DiagGMM)
        return fit.model


@dataclass(slots=True)
class SpeechListener:
    """Lets the samples of one recording through, and says then which of its frames are speech."""

    detector: SpeechDetector
    frames: SpeechFrames

    def through(self, pieces: Iterable[Float32Array]) -> Iterator[Float32Array]:
        """The same samples (N,), in the same pieces."""
        return self.frames.through(pieces)

    def speech(self, front: FrontEnd, n_frames: int) -> BoolArray:
        """Which of ``n_frames`` frames of another front end are speech (T,): as the detector's frame nearest to each.

        Call it once all samples went through.
        """
        frames, energy = self.frames.result()
        if not len(frames):
            return np.zeros(n_frames, np.bool_)
        decided = self.detector.decide(self.detector.log_ratios(frames)) & (energy > SILENT)
        own = self.frames.front
        centres = front.first_centre + np.arange(n_frames) * front.frame_shift
        nearest = np.rint((centres - own.first_centre) / own.frame_shift).astype(np.intp)
        return np.asarray(decided[np.clip(nearest, 0, len(decided) - 1)])


@lru_cache(maxsize=64)
def _graph(lengths: tuple[int, int], prior: float, turnover: float) -> Graph:
    """Pause and speech in turn, each of so many frames at least; the first has its share of the time."""
    shares = 1 - prior, prior
    transitions = []
    for least, share in zip(lengths, shares, strict=True):
        chain = np.eye(least, least + 1, 1)
        leaving = 1 / max(1.0, share * turnover - least + 1)  # for a mean duration of share x turnover frames
        chain[-1, -2:] = 1 - leaving, leaving
        transitions.append(chain)
    one = DiagGMM(np.ones(1), np.zeros((1, 1)), np.ones((1, 1)))  # log ratios come in, not frames
    trees = tuple(DecisionTree((Leaf(number),)) for number, least in enumerate(lengths) for _ in range(least))
    units = tied_units(("pause", "speech"), transitions, TiedStates((one, one), trees))
    return loop(units, np.array([[-np.inf, 0.0], [0.0, -np.inf]]), log_start=np.log(shares))
