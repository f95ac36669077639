"""Noisy copies of recordings: who is heard in the babble, and from which seed each copy is made.

A copy hangs on the run's seed, the recording's bytes and the copy's kind, and, for babble, on who may be heard; not on
who makes it or in which order.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, astuple, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.corpus import Corpus, Utterance
from speechgmm.engine.audio_input import AudioInput
from speechgmm.errors import ConfigError, DataError
from speechgmm.features.augment import Copy
from speechgmm.features.noise import Noise, added, babble, filtered, gain_for, random_channel, white
from speechgmm.io.audio import Pieces
from speechgmm.io.feature_store import canonical, digest

if TYPE_CHECKING:
    from speechgmm.engine.job import Job

NOISE_VERSION: Final = 1
"""Part of every key of noisy features: raised when the same settings begin to give other noise."""

MOST_TALKERS: Final = 100
"""Speakers who may be heard in babble."""

HEARD: Final = 60
"""Seconds of a talker's recording that are heard; then it begins again."""


KEPT: Final = 8
"""Seconds of a talker that go into a model file: a quarter of a megabyte at 16 kHz."""


@dataclass(frozen=True, slots=True)
class Talker:
    """A recording that may be heard in babble."""

    owner: str  # the speaker
    path: Path
    key: str  # hash of its bytes


@dataclass(frozen=True, slots=True)
class Noising:
    """How the noisy copies of one kind are made of recordings."""

    copy: Copy
    seed: int
    n_talkers: int = 0  # heard at once
    talkers: tuple[Talker, ...] = ()  # of whom they are drawn
    owners: Mapping[Path, str] = field(default_factory=dict)  # recording -> its speaker, who is not heard in it
    cast: str = ""  # a hash of talkers and owners, wherever their recordings lie
    sounds: tuple[NDArray[np.float32], ...] = ()  # of the talkers, where a model file brings them along

    def describe(self) -> dict[str, Any]:
        """What decides the noise, as plain values: for the key of what is made with it."""
        about: dict[str, Any] = {**asdict(self.copy), "seed": self.seed, "version": NOISE_VERSION}
        if self.copy.noise == "babble":
            about |= {"talkers": self.n_talkers, "of": self.cast}
        return about

    def only(self, paths: tuple[Path, ...]) -> "Noising":
        """The same for these recordings alone."""
        return replace(self, owners={path: self.owners[path] for path in paths if path in self.owners})

    def of(
        self, pieces: Iterable[NDArray[np.float32]], path: Path, key: str, audio: AudioInput
    ) -> Iterator[NDArray[np.float32]]:
        """The samples of a recording at ``path`` with the noise; ``key`` is the hash of its bytes.

        Raises DataError where the recording cannot be used, or where it is silent.
        """
        copy = self.copy
        if copy.noise == "channel":
            yield from filtered(pieces, random_channel(self._rng(key, "channel"), audio.sample_rate))
            return
        heard = self._heard(path, key, audio) if copy.noise == "babble" else []

        def noise() -> Noise:
            rng = self._rng(key, "noise")
            return babble(heard, rng) if copy.noise == "babble" else white(rng)

        gain = gain_for(pieces, noise(), 0.0 if copy.snr is None else copy.snr)
        yield from added(pieces, noise(), gain)

    def _rng(self, key: str, what: str) -> np.random.Generator:
        name = digest(canonical([self.seed, *astuple(self.copy), key, what]))
        return np.random.default_rng(int(name, 16))

    def _heard(self, path: Path, key: str, audio: AudioInput) -> list[NDArray[np.float32]]:
        """The beginnings of as many other speakers' recordings as talk at once."""
        if self.sounds:
            return [self.sounds[n] for n in self._rng(key, "talkers").choice(len(self.sounds), self.n_talkers, False)]
        owner = self.owners.get(path)
        others = [t for t in self.talkers if t.owner != owner and t.key != key]
        drawn = self._rng(key, "talkers").choice(len(others), self.n_talkers, replace=False)
        return [_beginning(others[n].path, audio, HEARD) for n in drawn]


def _beginning(path: Path, audio: AudioInput, seconds: int) -> NDArray[np.float32]:
    pieces = Pieces(path, sample_rate=audio.sample_rate, resample=audio.resample, channel=audio.channel)
    found, n_samples = [], 0
    for piece in pieces:
        found.append(piece.copy())
        n_samples += len(piece)
        if n_samples >= seconds * audio.sample_rate:
            break
    return np.concatenate(found)[: seconds * audio.sample_rate]


def kept_talkers(job: "Job", corpus: Corpus, keys: Mapping[Path, str]) -> tuple[NDArray[np.float32], ...]:
    """What a model file takes along of the talkers, so that babble can be made for a class that is enrolled later."""
    babbling = [copy for copy in job.experiment.config.augment.copies() if copy.noise == "babble"]
    if not babbling:
        return ()
    made = noising(job, corpus, keys, babbling[0])
    return tuple(_beginning(talker.path, job.audio, KEPT) for talker in made.talkers[: 2 * made.n_talkers])


def check_babble(job: "Job") -> None:
    """Refuse babble where nobody may be heard in it. Raises ConfigError for folds without a split ``ubm``."""
    spec = job.experiment.config.augment.noise
    if spec.babble and job.folds and not job.corpus.split("ubm"):
        raise ConfigError(
            f"augment.noise.babble: {list(spec.babble)} with folds, in which every recording is tested once, and "
            "without a split ubm: test recordings would be heard in training; give recordings of others in the split "
            "ubm, or leave babble out"
        )


def noising(job: "Job", corpus: Corpus, keys: Mapping[Path, str], copy: Copy) -> Noising:
    """How the copies of one kind are made of the recordings of a corpus.

    Args:
        job: The job.
        corpus: The utterances that can be used.
        keys: Recording -> hash of its bytes.
        copy: What is made.

    Raises:
        DataError: Fewer speakers than are to be heard at once beside the one who speaks.
    """
    config = job.experiment.config
    if copy.noise != "babble":
        return Noising(copy, config.seed)
    owners = {u.path: _owner(u, config.corpus.group or corpus.label) for u in corpus if u.split in ("train", "ubm")}
    elsewhere = {u.path for u in corpus if u.split not in ("train", "ubm")}  # parts of one recording may be divided
    chosen = corpus.split("ubm") or corpus.split("train")
    found: dict[str, Talker] = {}
    for utterance in sorted(chosen, key=lambda u: digest(str(config.seed), keys[u.path])):
        if utterance.path not in elsewhere:
            owner = owners[utterance.path]
            found.setdefault(owner, Talker(owner, utterance.path, keys[utterance.path]))
    talkers = tuple(list(found.values())[:MOST_TALKERS])
    n_talkers = config.augment.noise.talkers
    if len(talkers) <= n_talkers:
        raise DataError(
            f"augment.noise: babble of {n_talkers} talkers, and there are {len(talkers)} speakers in training; "
            "expected more than talk at once: lower augment.noise.talkers, or name the speakers' column in corpus.group"
        )
    about = [[[t.owner, t.key] for t in talkers], sorted([keys[path], owner] for path, owner in owners.items())]
    return Noising(copy, config.seed, n_talkers, talkers, owners, digest(canonical(about)))


def _owner(utterance: Utterance, column: str) -> str:
    """Who speaks: the value of the column, or, in background material without it, the utterance itself."""
    return (utterance.labels or {}).get(column) or utterance.id
