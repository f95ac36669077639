"""How strongly do two recordings speak for one speaker? A questioned recording, a suspect, and a relevant population.

    python recipes/forensic_comparison.py PLACE_OF_LIBRISPEECH FOLDER [--suspect 103 --questioned 103] [--sex f]

The population are speakers of the suspect's sex who read English. Every second of them who has 8 s or more is tried:
4 s are the known sample, each further 4 s a questioned recording, with white noise at 10 dB. All the others, of both
sexes, are the background. A comparison's ratio comes from a map that has met neither of its speakers, the case's too.
One recording of each speaker: same room, same day. A case with other sessions needs a population with other sessions.
"""

from functools import partial
from pathlib import Path

import numpy as np
import soundfile
import typer

import speechgmm as sg
from speechgmm.corpus.readers.librispeech import read_librispeech
from speechgmm.evaluation import cllr, cllr_min, eer, in_words, interval, rank_trials
from speechgmm.features.noise import white
from speechgmm.io.score_file import TrialScores, read_scores
from speechgmm.plots import reliability, tippett

RATE, PIECE, SNR = 16000, 64000, 10  # Hz, samples, dB


def main(root: Path, folder: Path, suspect: str = "", questioned: str = "", sex: str = "f") -> None:
    """Cut, compare everybody with everybody, say what the ratios are worth, and report one case."""
    first = {u.label("speaker"): u for u in reversed(list(read_librispeech(root, "speaker")))}
    samples = {s: soundfile.read(first[s].path, dtype="float32")[0] for s in sorted(first, key=int)}
    able = [s for s in samples if first[s].label("sex") == sex and len(samples[s]) >= 2 * PIECE]
    tried = sorted({*able[::2], *(s for s in (suspect, questioned) if s)}, key=int)
    if not set(tried) <= set(able):
        raise typer.BadParameter(f"{set(tried) - set(able)}: no speaker of this population with 8 s")
    made = [(f"{s}-ubm", s, "ubm", samples[s]) for s in samples if s not in tried]
    for s in tried:
        made.append((f"{s}-known", s, "train", samples[s][:PIECE]))
        for n, at in enumerate(range(PIECE, len(samples[s]) - PIECE + 1, PIECE)):
            piece, noise = samples[s][at : at + PIECE], white(np.random.default_rng((int(s), n)))(PIECE)
            noise *= np.sqrt(np.mean(piece**2) / np.mean(noise**2) / 10 ** (SNR / 10))
            made.append((f"{s}-questioned-{n}", s, "test", piece + noise))
    (folder / "audio").mkdir(parents=True, exist_ok=True)
    for name, *_, audio in made:
        soundfile.write(folder / "audio" / f"{name}.au", audio, RATE, subtype="FLOAT")
    rows = ["path\tid\tspeaker\tsplit", *(f"audio/{name}.au\t{name}\t{s}\t{split}" for name, s, split, _ in made)]
    (folder / "manifest.tsv").write_text("\n".join(rows) + "\n")
    run = sg.run("configs/speaker-verification.yaml", [f"corpus.path={folder / 'manifest.tsv'}"], output=folder / "run")
    found = read_scores(run.folder / "scores.tsv")
    assert isinstance(found, TrialScores)
    assert found.llrs is not None
    assert found.is_target is not None

    # What such ratios are worth: of all comparisons in the population.
    trials = rank_trials(found.llrs, found.is_target)
    models, tests = np.array([[int(model), int(test.split("-")[0])] for model, test in found.pairs]).T
    print(f"{found.is_target.sum()} comparisons of one speaker, {(~found.is_target).sum()} of two")
    for name, figure in (("EER", eer), ("Cllr", cllr), ("Cllr_min", cllr_min)):
        bounds = interval(partial(figure, trials), (models, tests), scale="log" if figure is cllr else "logit")
        print(f"{name:<9}{figure(trials):.3f}  {bounds.low:.3f} to {bounds.high:.3f} (95 %, by speaker)")
    tippett(trials, save=folder / "tippett.png")
    reliability(trials, save=folder / "calibration.png")

    # The case.
    suspect, questioned = suspect or tried[0], questioned or tried[0]
    llr = float(found.llrs[found.pairs.index((suspect, f"{questioned}-questioned-0"))])
    print(f"case: known sample of {suspect}, questioned recording of {questioned}: log10 LR {llr / np.log(10):+.2f}")
    print(f"{in_words(llr)}, on the scale of ENFSI 2015, that it was {suspect}; the alternative: another of them")
    if abs(llr) > np.log((found.is_target if llr < 0 else ~found.is_target).sum()):
        print("beyond what so many comparisons can bear out: the shape of the map alone says so much")


if __name__ == "__main__":
    typer.run(main)
