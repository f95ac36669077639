"""Speaker-adaptive training (``hmm.adapt: sat``) after the training of units, kept in the cache by itself.

Refuses to change the units: without a transform of the speaker they recognise as they would without it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from speechgmm.engine.job import Job
from speechgmm.engine.model_cache import ModelCache, kept_or_trained, model_key
from speechgmm.gmm import DiagGMM, Mapper
from speechgmm.hmm import HMMSpec, Utterance
from speechgmm.hmm.speaker_training import train_on_speakers
from speechgmm.tasks.recognition.codec import RecogniserFile, read_recogniser, serialise_recogniser

ADAPTED_VERSION: Final = 1
"""Part of every key in the model cache: raised when the same settings begin to give another model."""

Mixtures = tuple[DiagGMM, ...]


@dataclass(frozen=True, slots=True)
class SpeakerSet:
    """A training set whose units are trained."""

    utterances: tuple[Utterance, ...]  # of frames as the units know them
    speakers: tuple[str, ...]  # whose each utterance is
    units_key: str  # of the units in the cache
    content: RecogniserFile  # the units in their container
    spec: HMMSpec

    def key(self) -> str:
        """A hash of all that decides the mixtures."""
        return model_key("adapted", ADAPTED_VERSION, data=[self.units_key, self.speakers, self.spec.adapt_prior])


def adapted_mixtures(job: Job, sets: Sequence[SpeakerSet]) -> list[Mixtures]:
    """The mixtures of transformed frames of each training set."""
    work = partial(_train, folder=job.cache / "models")

    def train(missing: Sequence[SpeakerSet]) -> Iterable[Mixtures]:
        if len(sets) == 1:
            with job.passes() as spread:
                return [work(missing[0], map=spread)]
        return job.map(work, missing, auto="processes")

    kept = kept_or_trained(job, [one.key() for one in sets], sets, _unpack, train)
    return list(job.console.track(kept, len(sets), "training on transformed speakers"))


def _train(one: SpeakerSet, *, folder: Path, map: Mapper = map) -> Mixtures:
    recogniser = one.content.recogniser
    mixtures = train_on_speakers(one.utterances, one.speakers, recogniser.units, one.spec, map=map).mixtures
    adapted = replace(recogniser, units=recogniser.units.with_parameters(mixtures))
    ModelCache(folder).write(one.key(), serialise_recogniser(replace(one.content, recogniser=adapted)))
    return mixtures


def _unpack(path: Path, data: bytes) -> Mixtures:
    return read_recogniser(path, data).recogniser.units.emissions
