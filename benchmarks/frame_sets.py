"""Real MFCCs of five corpora for what noise cannot show: 31 fixed sets, each of frames to train on and held out.

A set names a corpus, a label that its recordings carry (a speaker, a digit, a word, a phone, a sex; "" is all of
them), the number of components and the most frames to train on. No recording is in both parts. A seed draws which
frames are taken where there are more. Features are Kaldi's 13 MFCCs with two orders of deltas (39 dimensions), of
LibriSpeech and Speech Commands with CMVN of each recording. What was extracted is kept in a temporary folder
(SPEECHGMM_BENCHMARK_CACHE names another); delete it where the features themselves have changed.
"""

import os
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import joblib
import numpy as np
import soundfile
from numpy.typing import NDArray

import speechgmm as sg

DATA = Path(os.environ.get("SPEECHGMM_SHARED", Path(__file__).resolve().parents[2] / "shared")) / "data"
CACHE = os.environ.get("SPEECHGMM_BENCHMARK_CACHE", str(Path(tempfile.gettempdir()) / "speechgmm-benchmarks"))
MOST_HELD_OUT = 20_000  # frames

RAW = sg.FeatureSpec(preset="kaldi", deltas=2)
NORMALISED = sg.FeatureSpec(preset="kaldi", deltas=2, cmvn="utterance")
PHONES = {"sil": ("h#", "pau", "epi"), "ih": ("ih", "ix"), "ah": ("ah", "ax", "ax-h"), "s": ("s",), "n": ("n", "en")}
PHONES |= {"iy": ("iy",)}

SETS: tuple[tuple[str, str, int, int], ...] = (
    ("fsdd", "george", 32, 30_000),
    ("fsdd", "jackson", 16, 5_000),
    ("fsdd", "lucas", 64, 30_000),
    ("fsdd", "nicolas", 8, 2_000),
    ("fsdd", "theo", 32, 10_000),
    ("fsdd", "yweweler", 16, 1_000),
    ("fsdd", "0", 16, 5_000),
    ("fsdd", "1", 4, 1_000),
    ("fsdd", "3", 8, 3_000),
    ("fsdd", "5", 32, 10_000),
    ("fsdd", "7", 32, 30_000),
    ("fsdd", "9", 16, 2_000),
    ("timit", "dr1-fvmh0", 8, 30_000),
    ("timit", "dr2-marc0", 16, 30_000),
    ("timit", "dr3-falk0", 32, 30_000),
    ("timit", "dr4-maeb0", 4, 500),
    ("timit_phones", "sil", 16, 30_000),
    ("timit_phones", "ih", 8, 30_000),
    ("timit_phones", "ah", 4, 30_000),
    ("timit_phones", "s", 8, 30_000),
    ("timit_phones", "n", 4, 30_000),
    ("timit_phones", "iy", 4, 300),
    ("librispeech", "", 64, 30_000),
    ("librispeech", "", 32, 10_000),
    ("librispeech", "F", 32, 30_000),
    ("librispeech", "M", 16, 5_000),
    ("commands", "", 32, 20_000),
    ("commands", "seven", 4, 30_000),
    ("arabic", "00000024", 16, 30_000),
    ("arabic", "close", 8, 30_000),
    ("arabic", "", 64, 30_000),
)


@dataclass(frozen=True, slots=True, eq=False)
class FrameSet:
    """Frames of one kind, and how many components to fit to them."""

    name: str
    n_components: int
    train: NDArray[np.float32]  # (N, 39)
    held_out: NDArray[np.float32]  # (M, 39), of other recordings


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """One recording's frames, what it is labelled with, and whether it is held out."""

    frames: NDArray[np.float32]  # (T, 39)
    labels: frozenset[str]
    held_out: bool


def frame_sets(seed: int = 0, which: Iterable[int] | None = None) -> Iterator[FrameSet]:
    """The sets by number (default: all), in order; none, and a line that says so, where the corpora are absent."""
    numbers = range(len(SETS)) if which is None else list(which)
    absent = _absent()
    for n in numbers:
        corpus, label, n_components, most = SETS[n]
        if corpus in absent:
            continue
        parts: dict[bool, list[NDArray[np.float32]]] = defaultdict(list)
        for recording in _recordings(corpus):
            if not label or label in recording.labels:
                parts[recording.held_out].append(recording.frames)
        rng = np.random.default_rng([seed, n])
        train = _some(np.concatenate(parts[False]), most, rng)
        held_out = _some(np.concatenate(parts[True]), MOST_HELD_OUT, rng)
        yield FrameSet(f"{corpus} {label or 'all'} K {n_components}", n_components, train, held_out)


@cache
def _absent() -> frozenset[str]:
    """Corpora that are not at hand, said once."""
    absent = frozenset(corpus for corpus, folder in _FOLDERS.items() if not (DATA / folder).is_dir())
    if absent:
        print(f"  no real speech at {DATA} (SPEECHGMM_SHARED): {', '.join(sorted(absent))} left out")
    return absent


def _some(frames: NDArray[np.float32], most: int, rng: np.random.Generator) -> NDArray[np.float32]:
    return frames[np.sort(rng.permutation(len(frames))[:most])]


@cache
def _recordings(corpus: str) -> tuple[Recording, ...]:
    kept = joblib.Memory(CACHE, verbose=0).cache(_extracted)
    return tuple(Recording(*fields) for fields in kept(corpus, str(DATA), str(RAW), str(NORMALISED)))


def _extracted(corpus: str, data: str, *_specs: str) -> list[tuple[NDArray[np.float32], frozenset[str], bool]]:
    """What ``Recording`` holds of each; the specs are here so that the cache tells them apart."""
    spec = NORMALISED if corpus in ("librispeech", "commands") else RAW
    if corpus == "timit_phones":
        return list(_phones(Path(data) / _FOLDERS[corpus]))
    listed = _LISTS[corpus](Path(data) / _FOLDERS[corpus])
    return [(_mfcc(path, spec), frozenset(labels), held_out) for path, labels, held_out in listed]


def _mfcc(path: Path, spec: sg.FeatureSpec) -> NDArray[np.float32]:
    return sg.extract(spec, *soundfile.read(path, dtype="float32"))


Listed = Iterator[tuple[Path, tuple[str, ...], bool]]


def _fsdd(folder: Path) -> Listed:
    """Digits and speakers; held out is the official test part."""
    for path in sorted(folder.glob("*.wav")):
        digit, speaker, index = path.stem.split("_")
        yield path, (digit, speaker), int(index) < 5


def _timit(folder: Path) -> Listed:
    """Speakers; held out are two sentences of ten."""
    for speaker in sorted(path for path in folder.iterdir() if path.is_dir()):
        sentences = sorted(speaker.glob("*.wav"))
        for n, path in enumerate(sentences):
            yield path, (speaker.name,), n >= len(sentences) - 2


def _phones(folder: Path) -> Iterator[tuple[NDArray[np.float32], frozenset[str], bool]]:
    """Frames whose middle lies in a phone of ``PHONES``; held out are the speakers of dialect 4."""
    for path, (speaker,), _ in _timit(folder):
        frames = _mfcc(path, RAW)
        middles = 16_000 * (0.0125 + 0.01 * np.arange(len(frames)))  # samples
        segments = [line.split() for line in path.with_suffix(".phn").read_text().splitlines()]
        for name, symbols in PHONES.items():
            inside = np.zeros(len(frames), bool)
            for begin, end, symbol in segments:
                if symbol in symbols:
                    inside |= (middles >= int(begin)) & (middles < int(end))
            yield frames[inside], frozenset({name}), speaker.startswith("dr4")


def _librispeech(folder: Path) -> Listed:
    """Sexes; held out is every fifth speaker (there is one utterance of each)."""
    lines = (folder.parent / "SPEAKERS.TXT").read_text().splitlines()
    sexes = {line.split("|")[0].strip(): line.split("|")[1].strip() for line in lines if line[:1].isdigit()}
    for n, path in enumerate(sorted(folder.rglob("*.flac"))):
        yield path, (sexes[path.stem.split("-")[0]],), n % 5 == 4


def _commands(folder: Path) -> Listed:
    """Words; held out are the last three files of ten."""
    for word in sorted(path for path in folder.iterdir() if path.is_dir()):
        for n, path in enumerate(sorted(word.glob("*.wav"))):
            yield path, (word.name,), n >= 7


def _arabic(folder: Path) -> Listed:
    """Words and speakers; held out is the last of three takes."""
    takes: dict[tuple[str, str], list[Path]] = defaultdict(list)
    for path in sorted(folder.rglob("*.flac")):
        takes[path.parent.name, path.stem.split("_")[0]].append(path)
    for labels, paths in takes.items():
        for path in paths:
            yield path, labels, path == paths[-1]


_FOLDERS = {
    "fsdd": "fsdd/recordings",
    "timit": "timit-a",
    "timit_phones": "timit-a",
    "librispeech": "librispeech/train-clean-100",
    "commands": "speech_commands_mini",
    "arabic": "arabic-words",
}
_LISTS = {"fsdd": _fsdd, "timit": _timit, "librispeech": _librispeech, "commands": _commands, "arabic": _arabic}
