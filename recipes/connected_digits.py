"""Strings of five digits by a speaker who was never heard: recordings of FSDD, joined with pauses.

    python recipes/connected_digits.py PLACE_OF_FSDD FOLDER

Every recording is in one string, which has a pause of 0.1 to 0.4 s of low noise before, between and after its digits.
Training strings are made as the tested ones are, and frames are normalised over a string in both: levels and pauses of
single recordings would teach another normalisation. Strings follow from the speaker's name and the seed alone.
"""

import json
from hashlib import blake2b
from pathlib import Path

import numpy as np
import soundfile
import typer

import speechgmm as sg
from speechgmm.corpus.readers.folder import read_fsdd

RATE, LENGTH, NOISE = 8000, 5, 0.001  # Hz, digits in a string, standard deviation of the noise (full scale: 1)
PAUSE = (0.1, 0.4)  # s
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def strings(paths: list[Path], seed: int) -> list[tuple[list[Path], np.ndarray]]:
    """The recordings of a speaker in strings, each used once, and how each string sounds."""
    speaker = paths[0].stem.split("_")[1]
    rng = np.random.default_rng(int.from_bytes(blake2b(f"{seed} {speaker}".encode(), digest_size=8).digest()))

    def pause() -> np.ndarray:
        return rng.normal(scale=NOISE, size=int(rng.uniform(*PAUSE) * RATE))

    order, made = rng.permutation(len(paths)), []
    for first in range(0, len(paths) - LENGTH + 1, LENGTH):
        chosen = [paths[n] for n in order[first : first + LENGTH]]
        parts = [pause()]
        for path in chosen:
            parts += [soundfile.read(path, dtype="float64")[0], pause()]
        made.append((chosen, np.concatenate(parts)))
    return made


def main(
    root: Path,
    folder: Path,
    config: str = "configs/fsdd-digit-strings.yaml",
    seed: int = 0,
    prepare_only: bool = False,
    set: list[str] | None = None,
) -> None:
    """Write the strings and their manifest, run, and print the figures."""
    by_speaker: dict[str, list[Path]] = {}
    for u in read_fsdd(root, "speaker"):
        by_speaker.setdefault(u.label("speaker"), []).append(u.path)
    rows = ["path\tid\tspeaker\twords"]
    (folder / "audio").mkdir(parents=True, exist_ok=True)
    for speaker, paths in sorted(by_speaker.items()):
        for n, (chosen, samples) in enumerate(strings(sorted(paths), seed)):
            name = f"{speaker}-{n:03}"
            soundfile.write(folder / "audio" / f"{name}.wav", samples, RATE, subtype="PCM_16")
            said = " ".join(WORDS[int(path.stem.split("_")[0])] for path in chosen)
            rows.append(f"audio/{name}.wav\t{name}\t{speaker}\t{said}")
    (folder / "manifest.tsv").write_text("\n".join(rows) + "\n")
    overrides = [f"corpus.path={folder.absolute() / 'manifest.tsv'}", *(set or [])]
    if prepare_only:
        print(f"{len(rows) - 1} strings; --set {overrides[0]}")
        return
    result = sg.run(config, overrides, output=folder / "run")
    rate = result.metrics["error_rate"]
    print(f"word error rate {rate['value']:.1%}, 95 % interval {rate['low']:.1%} to {rate['high']:.1%}")
    print(json.dumps({name: round(fold["error_rate"]["value"], 4) for name, fold in result.metrics["folds"].items()}))


if __name__ == "__main__":
    typer.run(main)
