"""Writes the demo corpus: recordings, a manifest of speakers and a manifest of phones.

Owns the folder and its files::

    corpus.json              what the corpus was made from, and whether it is complete
    speakers.tsv             path, split, speaker, text
    phones.tsv               path, id, start, end, split, phone, speaker
    wav/VOICE/SENTENCE.wav   16 kHz, 16 bit, mono

In both manifests ``test`` is the sentences that are not trained on, by the same voices: for phones an
easier task than unseen speakers, for which the column ``speaker`` allows a split by speaker. Times are
seconds, from the synthesiser's own events. Pauses and phones shorter than `SHORTEST_PHONE` are not
listed.

Refuses to write into a folder that holds anything else, or a demo corpus made otherwise. A result on this
corpus proves that the chain from recordings to metrics works; it says nothing about human speech.
"""

import hashlib
import io
import json
import wave
import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.demo import degradation
from speechgmm.demo.phones import PHONES, fold
from speechgmm.demo.sentences import TEST, TRAINING
from speechgmm.demo.synthesiser import Speech, Synthesiser
from speechgmm.demo.voices import VOICES, Voice
from speechgmm.errors import ConfigError, DataError
from speechgmm.io.atomic import write_atomically

SAMPLE_RATE: Final = 16000
"""Of the recordings, Hz."""

SHORTEST_PHONE: Final = 0.03
"""Seconds. A shorter phone holds one frame or none."""

_RECIPE: Final = 1
"""Raised when the code makes other recordings out of the same voices, sentences and settings."""

_MARKER: Final = "corpus.json"


@dataclass(frozen=True, slots=True)
class _Recording:
    voice: Voice
    name: str  # of the sentence: train-01, test-01, ...
    split: str
    text: str

    @property
    def path(self) -> str:
        return f"wav/{self.voice.name}/{self.name}.wav"


def build_corpus(root: Path, *, seed: int = 0, progress: Callable[[int, int], None] | None = None) -> Path:
    """Synthesise the recordings of the demo corpus, add noise, and write them. The same seed gives the same bytes.

    A complete corpus of the same seed is left as it is. An incomplete corpus is built again from the start, which
    takes seconds. Files are written completely or not at all, and the manifests are written last.

    Args:
        root: The folder to write to; it is created if it is missing.
        seed: Random seed for the noise, level and channel of every recording; 0 or more.
        progress: Called with (recordings written, recordings in all) after each recording; not called where the
            corpus is complete.

    Returns:
        ``root``.

    Raises:
        ConfigError: The extra ``demo`` is not installed, or the seed is negative.
        DataError: The folder cannot be written, or holds something else.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     root = build_corpus(Path(folder) / "demo")
        ...     n_recordings = len(list(root.glob("wav/*/*.wav")))
        ...     print((root / "speakers.tsv").read_text().splitlines()[0].split())
        ['path', 'split', 'speaker', 'text']
        >>> n_recordings
        264
    """
    if seed < 0:
        raise ConfigError(f"seed is {seed}; expected a whole number, 0 or more")
    recordings = _recordings()
    fingerprint = _fingerprint(seed)
    if _is_complete(root, fingerprint, recordings):
        return root
    speaker_rows: list[Sequence[str]] = [("path", "split", "speaker", "text")]
    phone_rows: list[Sequence[str]] = [("path", "id", "start", "end", "split", "phone", "speaker")]
    with Synthesiser() as synthesiser:
        _write_marker(root, fingerprint, seed, complete=False)
        for done, recording in enumerate(recordings, start=1):
            speech, samples = _record(synthesiser, recording, seed)
            _write(root / recording.path, _wav_bytes(samples))
            speaker_rows.append((recording.path, recording.split, recording.voice.name, recording.text))
            phone_rows += _phone_rows(recording, speech)
            if progress is not None:
                progress(done, len(recordings))
    _write(root / "phones.tsv", _table_bytes(phone_rows))
    _write(root / "speakers.tsv", _table_bytes(speaker_rows))
    _write_marker(root, fingerprint, seed, complete=True)
    return root


def speak_recording(path: Path, text: str, voice: Voice, *, seed: int = 0) -> Path:
    """Write one more recording in a voice of the demo corpus, with noise and level drawn as for the corpus.

    Raises:
        ConfigError: The extra ``demo`` is not installed.
        DataError: The file cannot be written.

    >>> from speechgmm.demo.voices import VOICES
    >>> speak_recording(Path("hello.wav"), "hello there", VOICES[0])
    PosixPath('hello.wav')
    """
    with Synthesiser() as synthesiser:
        _, samples = _record(synthesiser, _Recording(voice, path.stem, "new", text), seed)
    _write(path, _wav_bytes(samples))
    return path


def _recordings() -> tuple[_Recording, ...]:
    return tuple(
        _Recording(voice, f"{split}-{number:02d}", split, text)
        for voice in VOICES
        for split, texts in (("train", TRAINING), ("test", TEST))
        for number, text in enumerate(texts, start=1)
    )


def _record(synthesiser: Synthesiser, recording: _Recording, seed: int) -> tuple[Speech, NDArray[np.int16]]:
    import soxr

    # By name, not by position: one recording's noise does not depend on which others there are.
    rng = np.random.default_rng([seed, zlib.crc32(recording.path.encode())])
    speech = synthesiser.speak(recording.text, recording.voice, seed=int(rng.integers(1, 2**31)))
    resampled = soxr.resample(speech.samples.astype(np.float64), speech.sample_rate, SAMPLE_RATE, quality="HQ")
    return speech, degradation.degrade(resampled, rng)


def _phone_rows(recording: _Recording, speech: Speech) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = []
    for segment in speech.segments:
        phone = fold(segment.mnemonic)
        start, end = segment.start / speech.sample_rate, segment.end / speech.sample_rate
        if phone is None or end - start < SHORTEST_PHONE:
            continue
        name = f"{recording.voice.name}-{recording.name}-{len(rows) + 1:02d}"
        rows.append((recording.path, name, f"{start:.4f}", f"{end:.4f}", recording.split, phone, recording.voice.name))
    return rows


def _fingerprint(seed: int) -> str:
    """Hash everything that this package puts into the corpus."""
    made_from = {
        "recipe": _RECIPE,
        "seed": seed,
        "voices": [asdict(voice) for voice in VOICES],
        "training": TRAINING,
        "test": TEST,
        "phones": PHONES,
        "sample_rate": SAMPLE_RATE,
        "shortest_phone": SHORTEST_PHONE,
        "snr": degradation.SNR,
        "tilt": degradation.TILT,
        "level": degradation.LEVEL,
    }
    return hashlib.blake2b(json.dumps(made_from, sort_keys=True).encode(), digest_size=16).hexdigest()


def _is_complete(root: Path, fingerprint: str, recordings: Sequence[_Recording]) -> bool:
    """Tell whether nothing is left to do; raise where the folder is not ours to write to."""
    marker = root / _MARKER
    try:
        if not marker.is_file():
            if root.is_dir() and any(root.iterdir()):
                raise DataError(
                    f"{root} is not empty and is no demo corpus (it has no {_MARKER}); give an empty or a new folder"
                )
            return False
        text = marker.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"{root} cannot be read: {error.strerror or error}; give another folder") from error
    try:
        found = json.loads(text)
        same, complete = found["fingerprint"] == fingerprint, found["complete"] is True
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{marker} is not the marker of a demo corpus; delete {root} or give another folder") from error
    if not same:
        raise DataError(
            f"{root} holds a demo corpus made with another seed (its own: {found.get('seed')}) or by another "
            "release; delete it or give another folder"
        )
    wanted = ["speakers.tsv", "phones.tsv", *(recording.path for recording in recordings)]
    return complete and all((root / path).is_file() for path in wanted)


def _write_marker(root: Path, fingerprint: str, seed: int, *, complete: bool) -> None:
    marker = {
        "corpus": "speechgmm demo, spoken by eSpeak NG",
        "fingerprint": fingerprint,
        "seed": seed,
        "complete": complete,
    }
    _write(root / _MARKER, (json.dumps(marker, indent=1) + "\n").encode())


def _table_bytes(rows: Sequence[Sequence[str]]) -> bytes:
    return "".join("\t".join(row) + "\n" for row in rows).encode()


def _wav_bytes(samples: NDArray[np.int16]) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(samples.astype("<i2").tobytes())
    return buffer.getvalue()


def _write(path: Path, content: bytes) -> None:
    write_atomically(path, lambda file: file.write(content))
