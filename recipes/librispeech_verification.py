"""Who is claimed, by 2 s of speech: in quiet, in noise, through another channel. LibriSpeech, all with one preset.

    python recipes/librispeech_verification.py PLACE_OF_LIBRISPEECH FOLDER [--f0 configs/speaker-verification-f0.yaml]

One recording of each speaker. Of those with 8 s or more, every fifteenth is heard in the tests' babble alone; of the
others two in five are tried, the rest (and who has less than 8 s) are the background. 4 s enrol; what follows is cut
into tests of 2 s, each four times: clean, white noise at 5 dB, babble of six at 5 dB, random channel. Every model is
tried against every test. Scores become likelihood ratios by speaker-disjoint folds, one map for all conditions.
`--develop N` (0, 1, 2) tries a third of the background instead: there the preset was chosen.
"""

from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import soundfile
import typer

import speechgmm as sg
from speechgmm.corpus.readers.librispeech import read_librispeech
from speechgmm.evaluation import cllr, cllr_min, eer, interval, rank_trials
from speechgmm.features.noise import babble, filtered, random_channel, white
from speechgmm.io.score_file import TrialScores, read_scores
from speechgmm.tasks.verification.fusion import fuse_files

MAIN = "configs/speaker-verification.yaml"
RATE, ENROL, TEST, SNR = 16000, 64000, 32000, 5  # Hz, samples, samples, dB


def conditions(piece: np.ndarray, talkers: list[np.ndarray], seed: tuple[int, int]) -> dict[str, np.ndarray]:
    """A test in each condition."""
    one, other, drawn, channel = (np.random.default_rng(seed) for _ in range(4))
    heard = [talkers[n] for n in drawn.permutation(len(talkers))[:6]]
    noises = {"white": white(one)(len(piece)), "babble": babble(heard, other)(len(piece))}
    power = np.mean(piece**2) / 10 ** (SNR / 10)
    noisy = {name: piece + np.sqrt(power / np.mean(noise**2)) * noise for name, noise in noises.items()}
    return {"clean": piece, **noisy, "channel": np.concatenate(list(filtered([piece], random_channel(channel, RATE))))}


def main(root: Path, folder: Path, config: str = MAIN, f0: str = "", develop: int = -1) -> None:
    """Cut, add noise, train, try, and print the figures of every condition."""
    first = {u.label("speaker"): u for u in reversed(list(read_librispeech(root, "speaker")))}
    samples = {s: soundfile.read(first[s].path, dtype="float32")[0] for s in sorted(first, key=int)}
    long = [s for s in samples if len(samples[s]) >= 8 * RATE]
    tried = [s for n, s in enumerate(s for s in long if s not in long[::15]) if n % 5 in (0, 2)]
    background = [s for s in samples if s not in long[::15] and s not in tried]
    if develop >= 0:  # the talkers that the preset was chosen with are not heard afterwards
        tried = [s for n, s in enumerate(background) if n % 3 == develop and s in long]
        background = [s for n, s in enumerate(background) if n % 3 != develop]
    talkers = [samples[s] for s in (long[::15][:8] if develop >= 0 else long[::15][8:])]
    assert not set(background) & set(tried), "a speaker of the background is tried"
    made = [(f"{s}-ubm", s, "ubm", samples[s]) for s in background]
    for s in tried:
        made.append((f"{s}-enrol", s, "train", samples[s][:ENROL]))
        for n, at in enumerate(range(ENROL, len(samples[s]) - TEST + 1, TEST)):
            pieces = conditions(samples[s][at : at + TEST], talkers, (int(s), n))
            made += [(f"{s}-{n}-{name}", s, "test", audio) for name, audio in pieces.items()]
    (folder / "audio").mkdir(parents=True, exist_ok=True)
    for name, *_, audio in made:  # not WAV, whose floats come with the time of writing
        soundfile.write(folder / "audio" / f"{name}.au", audio, RATE, subtype="FLOAT")
    rows = ["path\tid\tspeaker\tsplit", *(f"audio/{name}.au\t{name}\t{s}\t{split}" for name, s, split, _ in made)]
    (folder / "manifest.tsv").write_text("\n".join(rows) + "\n")
    runs = [
        sg.run(name, [f"corpus.path={folder / 'manifest.tsv'}"], output=folder / Path(name).stem).folder
        for name in (config, *([f0] if f0 else []))
    ]
    fused = fuse_files(runs, quality=config == MAIN)  # of the other presets there is no cohort
    print(", ".join(f"{w:.3f} x {Path(n).name}" for n, w in zip(fused.inputs, fused.map.weights, strict=True)))
    (folder / "fused.tsv").write_text(fused.text)
    found = read_scores(folder / "fused.tsv")
    assert isinstance(found, TrialScores)
    assert found.llrs is not None
    models, tests = np.array([[int(model), int(test.split("-")[0])] for model, test in found.pairs]).T
    kinds = np.array([test.split("-")[2] for _, test in found.pairs])
    sex = {int(s): u.label("sex") for s, u in first.items()}
    same = np.array([sex[model] == sex[test] for model, test in zip(models, tests, strict=True)])
    for kind, what in product(dict.fromkeys(kinds), ("all", "same sex")):
        chosen = (kinds == kind) & (same | (what == "all"))
        trials, sides = rank_trials(found.llrs[chosen], (models == tests)[chosen]), (models[chosen], tests[chosen])
        figures = []
        for name, figure in (("EER", eer), ("Cllr", cllr), ("Cllr_min", cllr_min)):
            bounds = interval(partial(figure, trials), sides, scale="log" if figure is cllr else "logit")
            figures.append(f"{name} {figure(trials):.3f} ({bounds.low:.3f} to {bounds.high:.3f})")
        print(f"{kind:<8} {what:<9}", "  ".join(figures), "", chosen.sum(), "trials")


if __name__ == "__main__":
    typer.run(main)
