"""Speakers of the Free Spoken Digit Dataset from Python alone: no configuration, no cache, arrays in and out.

    python recipes/fsdd_in_python.py PLACE_OF_FSDD

For those who bring their own loading, splitting or experiment tracking and want the mixtures and the features only.
"""

from pathlib import Path

import numpy as np
import soundfile
import typer

import speechgmm as sg


def main(root: Path) -> None:
    """Train on recordings 5 to 49 of every speaker and digit, test on 0 to 4."""
    # 24 cepstra as Kaldi computes them, energy first, every 10 ms.
    spec = sg.FeatureSpec(preset="kaldi", n_mels=40, n_ceps=24)
    training: dict[str, list[np.ndarray]] = {}
    tests: list[tuple[str, np.ndarray]] = []
    for path in sorted((root / "recordings").glob("*.wav")):
        _, speaker, index = path.stem.split("_")
        samples, rate = soundfile.read(path, dtype="float32")
        frames = sg.extract(spec, samples, rate)  # (T, 24)
        if int(index) < 5:
            tests.append((speaker, frames))
        else:
            training.setdefault(speaker, []).append(frames)

    # One mixture of 32 Gaussians per speaker.
    models = sg.train_classes({speaker: np.concatenate(parts) for speaker, parts in training.items()}, n_components=32)

    right = sum(models.classify(frames) == speaker for speaker, frames in tests)
    print(f"{right} of {len(tests)} recordings of {len(models.labels)} speakers are right")


if __name__ == "__main__":
    typer.run(main)
