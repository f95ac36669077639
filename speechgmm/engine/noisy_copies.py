"""Noisy copies of recordings: what is heard in each, and from which seed it is made.

A copy depends on the run's seed, the recording's bytes, the copy's kind and the recordings that may be mixed in
(talkers of babble, noises, impulse responses). It does not depend on the worker or the order.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.corpus import Corpus, Utterance
from speechgmm.corpus.readers.files import recordings_below
from speechgmm.engine.audio_input import AudioInput
from speechgmm.errors import ConfigError, DataError
from speechgmm.features.augment import Copy
from speechgmm.features.noise import (
    Noise,
    added,
    babble,
    band_pass,
    filtered,
    gain_for,
    impulse_response,
    random_channel,
    reverberated,
    white,
)
from speechgmm.io.audio import Pieces, recording_key
from speechgmm.io.codecs import coded
from speechgmm.io.feature_store import Stamp, canonical, digest, stamp_of

if TYPE_CHECKING:
    from speechgmm.engine.job import Job

NOISE_VERSION: Final = 1
"""Part of every key of noisy features: raised when the same settings begin to give other noise."""

MOST_TALKERS: Final = 100
"""Speakers who may be heard in babble."""

MOST_SOUNDS: Final = 200
"""Recordings of a folder of noises or impulse responses that may be heard."""

HEARD: Final = 60
"""Seconds of a talker's or a noise's recording that are heard; then it begins again."""

ECHO: Final = 5
"""Seconds of an impulse response that count."""

KEPT: Final = 8
"""Seconds of a talker or a noise that go into a model file: a quarter of a megabyte at 16 kHz."""

N_KEPT: Final = 12
"""Noises, and impulse responses, that go into a model file."""

Sounds = tuple[NDArray[np.float32], ...]
"""Samples (N,) of talkers, noises or impulse responses."""


@dataclass(frozen=True, slots=True)
class Talker:
    """A recording that may be heard in others: of somebody who talks, of a noise, or of a room's response."""

    owner: str  # the speaker; of other sounds the name of the file, which no speaker has
    path: Path
    key: str  # hash of its bytes


HEARD_IN: Final = ("babble", "recorded", "room")
"""Kinds of copies in which other recordings are heard."""


@dataclass(frozen=True, slots=True)
class Noising:
    """How the noisy copies of one kind are made of recordings."""

    copy: Copy
    seed: int
    n_talkers: int = 1  # heard at once
    talkers: tuple[Talker, ...] = ()  # of whom they are drawn; or noises, or impulse responses
    owners: Mapping[Path, str] = field(default_factory=dict)  # recording -> its speaker, who is not heard in it
    cast: str = ""  # a hash of talkers and owners, wherever their recordings lie
    sounds: Sounds = ()  # of the talkers, where a model file brings them along

    def describe(self) -> dict[str, Any]:
        """What decides the noise, as plain values: for the key of what is made with it."""
        about: dict[str, Any] = {**asdict(self.copy), "seed": self.seed, "version": NOISE_VERSION}
        if self.copy.noise in HEARD_IN:
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
        copy, rate = self.copy, audio.sample_rate
        if copy.noise == "channel":
            yield from filtered(pieces, random_channel(self._rng(key, "channel"), rate))
        elif copy.noise == "band" and copy.band is not None:
            yield from filtered(pieces, band_pass(*copy.band, rate))
        elif copy.noise == "codec" and copy.codec is not None:
            yield from coded(pieces, copy.codec, rate)
        elif copy.noise == "room":
            yield from reverberated(pieces, impulse_response(self._heard(path, key, audio)[0]))
        else:
            heard = [] if copy.noise == "white" else self._heard(path, key, audio)

            def noise() -> Noise:
                rng = self._rng(key, "noise")
                return babble(heard, rng) if heard else white(rng)

            gain = gain_for(pieces, noise(), 0.0 if copy.snr is None else copy.snr)
            yield from added(pieces, noise(), gain)

    def _rng(self, key: str, what: str) -> np.random.Generator:
        one = self.copy
        name = digest(canonical([self.seed, one.warp, one.speed, one.noise, one.snr, one.number, key, what]))
        return np.random.default_rng(int(name, 16))

    def _heard(self, path: Path, key: str, audio: AudioInput) -> list[NDArray[np.float32]]:
        """The beginnings of as many other recordings as are heard at once.

        Raises DataError for one that cannot be read, or that is silent.
        """
        if self.sounds:
            return [self.sounds[n] for n in self._rng(key, "talkers").choice(len(self.sounds), self.n_talkers, False)]
        owner = self.owners.get(path)
        others = [t for t in self.talkers if t.owner != owner and t.key != key]
        drawn = self._rng(key, "talkers").choice(len(others), self.n_talkers, replace=False)
        if self.copy.noise == "babble":
            return [_beginning(others[n].path, audio, HEARD) for n in drawn]
        return [_sound(others[n].path, audio, ECHO if self.copy.noise == "room" else HEARD) for n in drawn]


def _beginning(path: Path, audio: AudioInput, seconds: int) -> NDArray[np.float32]:
    pieces = Pieces(path, sample_rate=audio.sample_rate, resample=audio.resample, channel=audio.channel)
    found, n_samples = [], 0
    for piece in pieces:
        found.append(piece.copy())
        n_samples += len(piece)
        if n_samples >= seconds * audio.sample_rate:
            break
    return np.concatenate(found)[: seconds * audio.sample_rate]


def _sound(path: Path, audio: AudioInput, seconds: int) -> NDArray[np.float32]:
    """The beginning of a noise or an impulse response, whatever its rate and channels. Raises DataError for silence."""
    found = _beginning(path, replace(audio, resample=True, channel=0), seconds)
    if not found.any():
        raise DataError(f"{path}: its first {seconds} s are silent; take it out of the folder")
    return found


def kept_sounds(job: "Job", corpus: Corpus, keys: Mapping[Path, str]) -> dict[str, Sounds]:
    """What a model file takes along, so that the same kinds of copies can be made for a class that is enrolled later.

    Kind of copy -> the beginnings of some of the recordings that are heard in it.
    """
    kept: dict[str, Sounds] = {}
    for copy in job.experiment.config.augment.copies():
        if copy.noise not in HEARD_IN or copy.noise in kept:
            continue
        made = noising(job, corpus, keys, copy)
        if copy.noise == "babble":
            some = made.talkers[: 2 * made.n_talkers]
            kept[copy.noise] = tuple(_beginning(talker.path, job.audio, KEPT) for talker in some)
        else:
            seconds = ECHO if copy.noise == "room" else KEPT
            kept[copy.noise] = tuple(_sound(talker.path, job.audio, seconds) for talker in made.talkers[:N_KEPT])
    return kept


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
        DataError: Fewer speakers than are to be heard at once beside the one who speaks; a folder of noises or impulse
            responses that is not there, or that holds no recordings.
    """
    config = job.experiment.config
    if copy.noise in ("recorded", "room"):
        return _with_sounds(job, copy)
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


def _with_sounds(job: "Job", copy: Copy) -> Noising:
    """How copies with the recordings of a folder are made: some of them, drawn by the seed."""
    config = job.experiment.config
    spec = config.augment.noise
    name, folder = ("recordings", spec.recordings) if copy.noise == "recorded" else ("responses", spec.responses)
    root = job.experiment.beside(folder or "")
    if not root.is_dir():
        raise DataError(f"augment.noise.{name}: {root} is no folder; expected one of recordings")
    paths = list(recordings_below(root).audio)
    if copy.noise == "room":
        paths = [path for path in paths if "noise" not in path.stem.lower()]
    if not paths:
        raise DataError(f"augment.noise.{name}: there is no recording in {root} that can be decoded here")
    order = np.random.default_rng(config.seed).permutation(len(paths))[:MOST_SOUNDS]
    chosen = [(paths[n].relative_to(root).as_posix(), paths[n]) for n in sorted(order)]
    sounds = tuple(Talker(f"{name}/{path}", file, _hash_of(file, stamp_of(file))) for path, file in chosen)
    return Noising(copy, config.seed, 1, sounds, cast=digest(canonical([[t.owner, t.key] for t in sounds])))


@lru_cache(maxsize=4 * MOST_SOUNDS)
def _hash_of(path: Path, stamp: Stamp) -> str:  # noqa: ARG001 (a file that changed is hashed again)
    """The hash of a recording's bytes: each kind of copy and each fold asks for it."""
    return recording_key(path)


def _owner(utterance: Utterance, column: str) -> str:
    """Who speaks: the value of the column, or, in background material without it, the utterance itself."""
    return (utterance.labels or {}).get(column) or utterance.id
