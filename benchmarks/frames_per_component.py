"""How many frames does a component need? Accuracy of classes that have few frames, against frames per component.

    python benchmarks/frames_per_component.py FOLDER [DRAWS]

FOLDER holds corpora as they lie on disk, each looked at where it is there: ``fsdd``, ``arabic-words``, ``librispeech``,
``speech_commands_mini``, ``timit-a``. A class gets one component for each so many of its frames, at least 1 and at most
32; beside it stand 32 and 8 for every class, and MAP from a background model of all training frames. MFCCs with two
deltas (kaldi), EM with the defaults of ``train_classes``. Training recordings are drawn with seeds 0, 1, ...; the
interval is Student's over draws (of folds by speaker: over folds). Recordings tested are never trained on, and words
and phones are tested by speakers who were not heard.
"""

import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.stats import t as student

import speechgmm as sg
from speechgmm.gmm import class_rng
from speechgmm.tasks.classification import adapt_classes

Frames = NDArray[np.float32]
Item = tuple[str, Frames]
Draw = tuple[dict[str, Frames], list[Item]]  # training frames by class, tests

EACH = (5, 10, 20, 25, 40, 80)
MOST = 32


def main(root: Path, n_draws: int = 5) -> None:
    """One table row for every corpus and amount of training."""
    systems = [*(f"1/{each:g}" for each in EACH), "32", "8", "MAP"]
    print(f"{'':44}{'frames of a class':>20}  " + "".join(f"{name:>12}" for name in systems))
    for name, draws in experiments(root, n_draws):
        shares: dict[str, list[float]] = defaultdict(list)
        counts: list[int] = []
        for training, tests in draws:
            counts += [len(frames) for frames in training.values()]
            for system in systems:
                models = train(training, system)
                shares[system].append(100 * float(np.mean([models.classify(x) == label for label, x in tests])))
        margin = student.ppf(0.975, len(draws) - 1) / np.sqrt(len(draws))
        row = "".join(f"{np.mean(s):7.1f} ±{margin * np.std(s, ddof=1):4.1f}" for s in shares.values())
        print(f"{name:44}{min(counts):6} to {max(counts):<6}({int(np.median(counts))}) {row}", flush=True)


def train(training: Mapping[str, Frames], system: str) -> sg.ClassModels:
    """A mixture per class, of sizes that the system says."""
    if system == "MAP":
        ubm = sg.fit_gmm(np.concatenate(list(training.values())), 64).model
        return adapt_classes(ubm, training)
    variance = np.concatenate(list(training.values())).astype(np.float64).var(axis=0)
    fits = []
    for label, frames in training.items():
        size = int(len(frames) / float(system[2:])) if "/" in system else int(system)
        most = len(np.unique(frames, axis=0))
        size = min(max(1, size), MOST, most)
        fits.append(sg.fit_gmm(frames, size, seed=class_rng(0, label), floor=0.01 * variance).model)
    return sg.ClassModels(tuple(training), tuple(fits), np.full(len(fits), -np.log(len(fits))))


def experiments(root: Path, n_draws: int) -> Iterator[tuple[str, list[Draw]]]:
    """What is measured, by name."""
    if (root / "fsdd").is_dir():
        found = [(*path.stem.split("_"), mfcc(path)) for path in sorted((root / "fsdd/recordings").glob("*.wav"))]
        test = [one for one in found if int(one[2]) < 5]
        rest = [one for one in found if int(one[2]) >= 5]
        for size in (1, 2, 5, 10):
            yield (
                f"FSDD speakers, {size} recordings each",
                [(drawn(rest, 1, size, seed), [(one[1], one[3]) for one in test]) for seed in range(n_draws)],
            )
        for size in (3, 10):
            yield (
                f"FSDD digits, {size} recordings each",
                [(drawn(rest, 0, size, seed), [(one[0], one[3]) for one in test]) for seed in range(n_draws)],
            )
    if (root / "arabic-words").is_dir():
        words = [
            (path.parent.name, path.stem.split("_")[0], mfcc(path))
            for path in sorted((root / "arabic-words").glob("*/*.flac"))
        ]
        for size in (1, 2, 3, 5):
            yield (
                f"Arabic words: speakers, {size} recordings each",
                [other_words(words, size, seed) for seed in range(n_draws)],
            )
    if (root / "librispeech").is_dir():
        speakers = [(path.stem.split("-")[0], mfcc(path)) for path in sorted((root / "librispeech").rglob("*.flac"))]
        for seconds in (1, 2, 4, 8):
            yield (
                f"LibriSpeech: 251 speakers, {seconds} s each",
                [stretches(speakers, 100 * seconds, place) for place in range(min(3, n_draws))],
            )
    if (root / "speech_commands_mini").is_dir():
        items = [
            (path.parent.name, path.stem.split("_")[0], mfcc(path))
            for path in sorted((root / "speech_commands_mini").rglob("*.wav"))
        ]
        for size in (2, 8):
            yield f"Speech Commands: 30 words, {size} recordings each", folds(items, 5, size)
    if (root / "timit-a").is_dir():
        yield "TIMIT phones, 7 speakers", folds(phones(root / "timit-a"), 8, None)


def mfcc(path: Path) -> Frames:
    """(T, 39) MFCCs with two deltas."""
    samples, rate = soundfile.read(path, dtype="float32")
    return sg.extract(sg.FeatureSpec(preset="kaldi", deltas=2), samples, rate)


def drawn(items: Sequence[tuple[Any, ...]], column: int, size: int, seed: int) -> dict[str, Frames]:
    """The frames of so many recordings of each class."""
    rng = np.random.default_rng(seed)
    parts = {}
    for label in sorted({one[column] for one in items}):
        own = [one[-1] for one in items if one[column] == label]
        parts[label] = np.concatenate([own[n] for n in rng.choice(len(own), size, replace=False)])
    return parts


def other_words(items: Sequence[tuple[str, str, Frames]], size: int, seed: int) -> Draw:
    """Speakers trained on words that they do not say in the test: half of the words each."""
    rng = np.random.default_rng(seed)
    words = sorted({one[0] for one in items})
    heard = set(rng.choice(words, len(words) // 2, replace=False))
    training = drawn([one for one in items if one[0] in heard], 1, size, seed)
    return training, [(one[1], one[2]) for one in items if one[0] not in heard]


def stretches(items: Sequence[tuple[str, Frames]], n_frames: int, place: int) -> Draw:
    """Each speaker's first frames, and two seconds of the same recording that begin at the place after them."""
    training, tests = {}, []
    for label, frames in items:
        first = n_frames + 50 + 150 * place
        if len(frames) >= first + 200:
            training[label] = frames[:n_frames]
            tests.append((label, frames[first : first + 200]))
    return training, tests


def folds(items: Sequence[tuple[str, str, Frames]], n_folds: int, size: int | None) -> list[Draw]:
    """Folds by speaker, with so many of each class's recordings (all: None) by the others."""
    speakers = sorted({one[1] for one in items})
    found = []
    for fold in range(n_folds):
        out = set(speakers[fold::n_folds])
        rng = np.random.default_rng(fold)
        training = {}
        for label in sorted({one[0] for one in items}):
            own = [one[2] for one in items if one[0] == label and one[1] not in out]
            if own:
                chosen = range(len(own)) if size is None else rng.choice(len(own), min(size, len(own)), replace=False)
                training[label] = np.concatenate([own[n] for n in chosen])
        found.append((training, [(one[0], one[2]) for one in items if one[1] in out]))
    return found


def phones(root: Path) -> list[tuple[str, str, Frames]]:
    """Hand-marked phones, as (phone, speaker, frames); the two sentences that all speakers say are left out."""
    found = []
    for path in sorted(root.rglob("*.phn")):
        if path.stem.lower().split("_")[-1].split("-")[-1] in ("sa1", "sa2"):
            continue
        audio = next(one for one in (path.with_suffix(".wav"), path.with_suffix(".flac")) if one.exists())
        frames = mfcc(audio)
        for line in path.read_text().splitlines():
            start, end, label = line.split()
            first, stop = int(start) // 160, max(int(start) // 160 + 1, int(end) // 160)
            if len(frames[first:stop]):
                found.append((label, path.parent.name, frames[first:stop]))
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
