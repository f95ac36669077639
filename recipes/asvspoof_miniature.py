"""A miniature in the layout of ASVspoof 2019 LA: recordings of LibriSpeech as bona fide, eSpeak NG as the spoof.

    python recipes/asvspoof_miniature.py data/asvspoof-miniature --librispeech PLACE_OF_LIBRISPEECH

It proves that files, features and scoring work, and nothing about ASVspoof, whose attacks are not eSpeak NG. Both
kinds get noise, tilt and level from the same distribution, so that these do not tell them apart, and pieces of the
same length.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated
from zlib import crc32

import numpy as np
import soundfile
import typer

from speechgmm.corpus.readers.librispeech import read_librispeech
from speechgmm.demo import VOICES, build_corpus
from speechgmm.demo.degradation import degrade

PARTS = {"train": "trn", "dev": "trl", "eval": "trl"}  # part -> how its protocol's name ends
SECONDS = 2.0  # of a piece; the sentences of eSpeak NG last about two and a half


def main(to: Path, librispeech: Annotated[Path, typer.Option()], most_speakers: int = 251) -> None:
    """Write protocols and recordings; every voice, real or not, is in one of training, development and test."""
    lines: dict[str, list[str]] = {part: [] for part in PARTS}
    speakers = {one.labels["speaker"]: one.path for one in read_librispeech(librispeech, "speaker") if one.labels}
    chosen = list(speakers)[:most_speakers]
    # Half train, a tenth is dev, the rest is tested.
    for number, speaker in enumerate(chosen):
        part = "train" if number % 10 < 5 else "dev" if number % 10 == 5 else "eval"
        samples, rate = soundfile.read(speakers[speaker])
        for piece in range(3):
            length = int(SECONDS * rate)
            cut = samples[piece * length :][:length]
            if len(cut) == length:
                noisy = degrade(cut, np.random.default_rng(crc32(f"{speaker}-{piece}".encode())))
                lines[part].append(_write(to, part, speaker, "-", noisy))
    with TemporaryDirectory() as folder:
        root = build_corpus(Path(folder) / "espeak")  # 12 voices, 22 sentences, with noise, tilt and level already
        for number, voice in enumerate(VOICES):
            part = ("train", "eval", "train", "eval", "train", "dev")[number % 6]
            # Sentences of the test are spoken in no training.
            for path in sorted((root / "wav" / voice.name).glob("test-*" if part == "eval" else "train-*")):
                samples, rate = soundfile.read(path, dtype="int16")
                lines[part].append(_write(to, part, voice.name, "A01", samples[: int(SECONDS * rate)]))
    protocols = to / "ASVspoof2019_LA_cm_protocols"
    protocols.mkdir(parents=True, exist_ok=True)
    for part, ending in PARTS.items():
        text = "".join(f"{line}\n" for line in lines[part])
        (protocols / f"ASVspoof2019.LA.cm.{part}.{ending}.txt").write_text(text)


def _write(to: Path, part: str, speaker: str, attack: str, samples: np.ndarray) -> str:
    """Write a recording and return its line in the protocol."""
    folder = to / f"ASVspoof2019_LA_{part}" / "flac"
    folder.mkdir(parents=True, exist_ok=True)
    name = f"LA_{part[0].upper()}_{crc32(samples.tobytes()):010d}"
    soundfile.write(folder / f"{name}.flac", samples, 16000, subtype="PCM_16")
    return f"LA_{speaker} {name} - {attack} {'bonafide' if attack == '-' else 'spoof'}"


if __name__ == "__main__":
    typer.run(main)
