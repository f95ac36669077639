"""Who is claimed, by 2 s of speech: in quiet, in noise, through another channel. LibriSpeech, all with one preset.

    python recipes/librispeech_verification.py PLACE_OF_LIBRISPEECH FOLDER [--config configs/speaker-verification.yaml]

One recording per speaker is used. Speakers with 8 s or more, in the order of their numbers: every fifteenth is heard in
the tests' babble alone; of the others, two in five are tried, three in five (with those of shorter recordings) are the
background. 4 s of a recording enrol, the rest is cut into tests of 2 s, each four times: as it is, with white noise at
5 dB, with babble of six at 5 dB, and through a random channel. Every model is tried against every test.

`--develop N` leaves the speakers to be tried out, and tries a third (N: 0, 1, 2) of the background in their place: that
is where the preset was chosen. Enrolment and tests are of one session, and some of what tells speakers apart is theirs.
"""

import csv
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import typer
from numpy.typing import NDArray

import speechgmm as sg
from speechgmm.corpus.librispeech import read_librispeech
from speechgmm.evaluation import eer, interval, rank_trials
from speechgmm.features.noise import added, babble, filtered, gain_for, random_channel, white

Samples = NDArray[np.float32]
RATE, ENROL, TEST, SNR = 16000, 4, 2, 5  # Hz, s, s, dB


def conditions(piece: Samples, talkers: Sequence[Samples], seed: tuple[int, int]) -> Iterator[tuple[str, Samples]]:
    """A test in each condition; noise of seeds that training never uses."""
    rngs = [np.random.default_rng([7919, *seed, n]) for n in range(5)]
    heard = [talkers[n] for n in rngs[0].permutation(len(talkers))[:6]]
    yield "clean", piece
    noises: dict[str, Callable[[], Any]] = {  # made anew each time: once to measure, once to add
        "white": lambda: white(np.random.default_rng([104729, *seed])),
        "babble": lambda: babble(heard, np.random.default_rng([1299709, *seed])),
    }
    for name, noise in noises.items():
        yield name, np.concatenate(list(added([piece], noise(), gain_for([piece], noise(), SNR))))
    yield "channel", np.concatenate(list(filtered([piece], random_channel(rngs[1], RATE))))


def main(root: Path, folder: Path, config: str = "configs/speaker-verification.yaml", develop: int = -1) -> None:
    """Cut, add noise, train, try, and print the figures of every condition."""
    first = {u.label("speaker"): u for u in reversed(list(read_librispeech(root, "speaker")))}
    samples = {s: soundfile.read(first[s].path, dtype="float32")[0] for s in sorted(first, key=int)}
    long = [s for s in samples if len(samples[s]) >= 8 * RATE]
    heard = long[::15]
    tried = [s for n, s in enumerate(s for s in long if s not in heard) if n % 5 in (0, 2)]
    background = [s for s in samples if s not in heard and s not in tried]
    talkers = [samples[s] for s in heard[8:]]  # the first eight were heard where the preset was chosen
    if develop >= 0:
        tried = [s for n, s in enumerate(background) if n % 3 == develop and s in long]
        background = [s for n, s in enumerate(background) if n % 3 != develop]
        talkers = [samples[s] for s in heard[:8]]
    rows = []

    def write(name: str, audio: Samples, speaker: str, split: str) -> None:
        soundfile.write(folder / "audio" / name, audio, RATE, subtype="FLOAT")
        rows.append((f"audio/{name}", name[:-4], speaker, split))

    (folder / "audio").mkdir(parents=True, exist_ok=True)
    for speaker in background:
        write(f"{speaker}-ubm.wav", samples[speaker], speaker, "ubm")
    for speaker in tried:
        write(f"{speaker}-enrol.wav", samples[speaker][: ENROL * RATE], speaker, "train")
        for n, start in enumerate(range(ENROL * RATE, len(samples[speaker]) - TEST * RATE + 1, TEST * RATE)):
            piece = samples[speaker][start : start + TEST * RATE]
            for name, audio in conditions(piece, talkers, (int(speaker), n)):
                write(f"{speaker}-{n}-{name}.wav", audio, speaker, "test")
    assert not set(background) & set(tried), "a speaker of the background is tried"
    lines = ["\t".join(row) for row in [("path", "id", "speaker", "split"), *rows]]
    (folder / "manifest.tsv").write_text("\n".join(lines) + "\n")

    overrides = [f"corpus.path={folder / 'manifest.tsv'}"]
    sg.run(config, overrides, output=folder / Path(config).stem)
    with (folder / Path(config).stem / "scores.tsv").open() as file:
        table = list(csv.DictReader(file, delimiter="\t"))
    sex = {s: u.label("sex") for s, u in first.items()}
    for condition in ("clean", "white", "babble", "channel"):
        for what in ("all", "same sex"):
            chosen = [(t["model"], t["test"].split("-")[0], float(t["score"])) for t in table
                      if t["test"].endswith(condition)
                      and (what == "all" or sex[t["model"]] == sex[t["test"].split("-")[0]])]  # fmt: skip
            models, tests, scores = map(np.array, zip(*chosen, strict=True))
            trials = rank_trials(scores, models == tests)
            sides = np.unique([models, tests], return_inverse=True)[1].reshape(2, -1)
            found = interval(partial(eer, trials), (sides[0], sides[1]))
            of = f"{len(scores):>7} trials, {(models == tests).sum():>5} targets"
            print(f"{condition:<9}{what:<9}{of}  EER {100 * eer(trials):5.2f} % "
                  f"({100 * (found.low or 0):.1f} to {100 * (found.high or 0):.1f})")  # fmt: skip


if __name__ == "__main__":
    typer.run(main)
