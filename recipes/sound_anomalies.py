"""Faults in speech recordings, found by a model that has heard none: LibriSpeech with clicks, dropouts, tones, bells.

    python recipes/sound_anomalies.py PLACE_OF_LIBRISPEECH FOLDER [--develop]

One recording of each of 251 speakers, as it is, with its noise. Of five speakers, two train the models of what is
normal, two are tested, and one (`--develop`) chose the settings. A tested recording is heard as it is and with one
fault of 0.3 to 0.5 s, of each kind at two levels. The level is that of the speech in the stretch over that of the
fault in it, whatever it adds or takes away: 6 dB is a quarter of the stretch's energy, 0 dB all of it. A dropout at
6 dB is a burst of gaps of 5 to 30 ms that hold a quarter of the energy; at 0 dB the whole stretch is silence. Stretches
are drawn where there is speech: none is more than 10 dB below the recording's mean. Hum and noise are also heard all
along, at the level over the whole recording; a telephone's band is another kind of recording.
"""

import csv
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import soundfile
import typer
from matplotlib.figure import Figure

import speechgmm as sg
from speechgmm.corpus.readers.librispeech import read_librispeech
from speechgmm.evaluation import auc, interval, pool_trials
from speechgmm.io.tables import table
from speechgmm.tasks.anomaly.codec import read_anomaly_file
from speechgmm.tasks.anomaly.plots import draw_anomaly
from speechgmm.tasks.anomaly.scoring import AnomalyScore, find_anomalies

CONFIG = "configs/sound-anomalies.yaml"
RATE, LEVELS = 16000, (6, 0)  # Hz, dB

Make = Callable[[int, np.random.Generator], np.ndarray]


def faded(sound: np.ndarray, seconds: float = 0.01) -> np.ndarray:
    """A sound that comes and goes without a click."""
    n = int(seconds * RATE)
    ramp = 0.5 - 0.5 * np.cos(np.pi * np.arange(n) / n)
    envelope: np.ndarray = np.concatenate([ramp, np.ones(len(sound) - 2 * n), ramp[::-1]])
    shaped: np.ndarray = sound * envelope
    return shaped


def clicks(n: int, rng: np.random.Generator) -> np.ndarray:
    """Four to twelve clicks, each a pulse and noise that decays within 0.2 to 1.5 ms."""
    sound, after = np.zeros(n), np.arange(64)
    for at in rng.integers(0, n - 64, rng.integers(4, 13)):
        decay = np.exp(-after / (rng.uniform(0.2, 1.5) * RATE / 1000))
        body = np.where(after == 0, 1, rng.standard_normal(64))
        sound[at : at + 64] += rng.choice([-1, 1]) * rng.uniform(0.5, 1) * decay * body
    return sound


def partials(n: int, frequencies: np.ndarray, amplitudes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Sinusoids (P,) of these frequencies (Hz) and amplitudes, each with a phase of its own."""
    phases = rng.uniform(0, 2 * np.pi, (len(frequencies), 1))
    return amplitudes @ np.sin(2 * np.pi * frequencies[:, None] * np.arange(n) / RATE + phases)


def tone(n: int, rng: np.random.Generator) -> np.ndarray:
    """One sinusoid of 400 to 4000 Hz."""
    return faded(partials(n, np.exp(rng.uniform(np.log(400), np.log(4000), 1)), np.ones(1), rng))


def bell(n: int, rng: np.random.Generator) -> np.ndarray:
    """A bell: hum, prime, tierce, quint, nominal and two above it, which die away one after another."""
    ratios = np.array([0.5, 1, 1.2, 1.5, 2, 2.74, 3.76])
    strike = np.exp(rng.uniform(np.log(400), np.log(1200)))
    waves = [partials(n, np.array([strike * ratio]), np.ones(1), rng) for ratio in ratios]
    decays = 0.25 * np.array([1.5, 1, 0.9, 0.8, 0.7, 0.5, 0.4])[:, None]  # s
    amplitudes = np.array([0.5, 1, 0.8, 0.5, 0.8, 0.5, 0.3])[:, None] * np.exp(-np.arange(n) / RATE / decays)
    return faded((amplitudes * np.stack(waves)).sum(axis=0), 0.003)


def hum(n: int, rng: np.random.Generator) -> np.ndarray:
    """Mains hum of 50 or 60 Hz and its first harmonics."""
    frequencies = rng.choice([50, 60]) * np.arange(1.0, 6.0)
    return faded(partials(n, frequencies, np.array([1, 0.5, 0.4, 0.2, 0.15]), rng))


def noise(n: int, rng: np.random.Generator) -> np.ndarray:
    """White noise."""
    return faded(rng.standard_normal(n))


ADDED: dict[str, Make] = {"clicks": clicks, "tone": tone, "bell": bell, "hum": hum, "noise": noise}


def stretch(speech: np.ndarray, rng: np.random.Generator) -> slice:
    """Where the fault is: 0.3 to 0.5 s in which somebody speaks."""
    n = int(rng.uniform(0.3, 0.5) * RATE)
    starts = np.arange(0, len(speech) - n + 1, 80)
    energy = np.concatenate([[0], np.cumsum(speech**2)])
    loud = starts[(energy[starts + n] - energy[starts]) / n >= np.mean(speech**2) / 10]
    first = int(rng.choice(loud))
    return slice(first, first + n)


def mixed(speech: np.ndarray, sound: np.ndarray, level: float) -> np.ndarray:
    """Speech and a sound this many dB below it."""
    gain: float = np.sqrt(np.mean(speech**2) / 10 ** (level / 10) / np.mean(sound**2))
    return speech + gain * sound


def dropout(speech: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    """Gaps of 5 to 30 ms until the share of the energy is lost; all of it at 0 dB."""
    left, share = speech.copy(), 10 ** (-level / 10)
    while np.sum(left**2) > (1 - share) * np.sum(speech**2) + 1e-12:
        if level <= 0:
            return np.zeros_like(speech)
        n = int(rng.uniform(0.005, 0.03) * RATE)
        first = int(rng.integers(0, len(speech) - n))
        left[first : first + n] = 0
    return left


def faults(speech: np.ndarray, speaker: int) -> Iterator[tuple[str, np.ndarray, float, float]]:
    """(kind, samples, begin and end of the fault in s) of a recording with each fault."""
    for number, kind in enumerate(("dropout", *ADDED)):
        for level in LEVELS:
            rng = np.random.default_rng((speaker, number, level))
            where, found = stretch(speech, rng), speech.copy()
            part = speech[where]
            changed = (
                dropout(part, level, rng) if kind == "dropout" else mixed(part, ADDED[kind](len(part), rng), level)
            )
            found[where] = changed
            yield f"{kind}, {level} dB", found, where.start / RATE, where.stop / RATE
    for number, kind in enumerate(("hum", "noise")):
        rng = np.random.default_rng((speaker, 100 + number))
        yield f"{kind} all along, 6 dB", mixed(speech, ADDED[kind](len(speech), rng), 6), 0.0, len(speech) / RATE
    yield "telephone", telephone(speech), 0.0, len(speech) / RATE


def telephone(speech: np.ndarray) -> np.ndarray:
    """What is left between 300 and 3400 Hz, by a linear-phase filter."""
    t = np.arange(-256, 257)
    band = 2 * 3400 / RATE * np.sinc(2 * 3400 / RATE * t) - 2 * 300 / RATE * np.sinc(2 * 300 / RATE * t)
    return np.convolve(speech, band * np.hamming(513), "same")


def main(root: Path, folder: Path, config: str = CONFIG, develop: bool = False) -> None:
    """Make the recordings, train on normal ones, test, print what is found of each kind and where, and draw."""
    first = {u.label("speaker"): u for u in reversed(list(read_librispeech(root, "speaker")))}
    speakers = sorted(first, key=int)
    train = [s for n, s in enumerate(speakers) if n % 5 in (0, 2)]
    test = [s for n, s in enumerate(speakers) if n % 5 in ((1,) if develop else (3, 4))]
    assert not set(train) & set(test), "a tested speaker was trained on"
    (folder / "audio").mkdir(parents=True, exist_ok=True)
    rows, times = [], {}
    for speaker in (*train, *test):
        speech = soundfile.read(first[speaker].path, dtype="float64")[0]
        made = [("normal", speech, 0.0, 0.0), *(faults(speech, int(speaker)) if speaker in test else ())]
        for kind, samples, start, end in made:
            name = f"{speaker}-{kind.replace(', ', '-').replace(' ', '-')}"
            soundfile.write(folder / "audio" / f"{name}.flac", np.clip(samples, -1, 1 - 2**-15), RATE, subtype="PCM_16")
            rows.append((f"audio/{name}.flac", name, speaker, kind, "test" if speaker in test else "train"))
            times[name] = (start, end)
    (folder / "manifest.tsv").write_text(table(("path", "id", "speaker", "condition", "split"), rows))
    for name in (config, config.replace(".yaml", "-two-sided.yaml")):
        result = sg.run(name, [f"corpus.path={folder / 'manifest.tsv'}"], output=folder / Path(name).stem)
        show(result.folder, times)
    picture(folder / Path(config).stem, folder / "audio", test[0], times).savefig(folder / "faults.png", dpi=130)


def show(run: Path, times: dict[str, tuple[float, float]]) -> None:
    """For each kind: areas of the score and of each stream's figure by itself; how often the place is right."""
    rows = list(csv.DictReader((run / "scores.tsv").read_text().splitlines(), delimiter="\t"))
    columns = ["score", *list(rows[0])[10:]]
    normal = [row for row in rows if row["condition"] == "normal"]
    alarms = sum(row["decision"] == "anomalous" for row in normal)
    print(f"\n{run.name}: {alarms} of {len(normal)} normal recordings are called anomalous")
    print(f"{'AUC of':<24}", *(f"{name:<21}" for name in columns), "found  in place  scores: 10, 50, 90 %")
    for kind in sorted({row["condition"] for row in rows} - {"normal"}):
        own = [row for row in rows if row["condition"] == kind]
        speaker = np.array([int(row["id"].split("-")[0]) for row in (*own, *normal)])
        areas = []
        for name in columns:
            trials = pool_trials([float(row[name]) for row in own], [float(row[name]) for row in normal])
            bounds = interval(partial(auc, trials), speaker)
            areas.append(f"{auc(trials):.3f} ({bounds.low:.3f}-{bounds.high:.3f})".ljust(21))
        found = np.mean([row["decision"] == "anomalous" for row in own])
        spans = [(float(row["start"]), float(row["end"]), *times[row["id"]]) for row in own]
        there = np.mean([min(end, stop) > max(start, begin) for start, end, begin, stop in spans])
        spread = np.quantile([float(row["score"]) for row in own], (0.1, 0.5, 0.9)).round(1)
        print(f"{kind:<24}", *areas, f"{100 * found:3.0f} %  {100 * there:3.0f} %     {spread}")


def picture(run: Path, audio: Path, speaker: str, times: dict[str, tuple[float, float]]) -> Figure:
    """One speaker's recording with four faults: spectrograms, under each its anomaly score, faults in grey."""
    kinds = ("clicks, 0 dB", "dropout, 6 dB", "tone, 0 dB", "bell, 0 dB")
    names = [f"{speaker}-{kind.replace(', ', '-').replace(' ', '-')}" for kind in kinds]
    paths = [audio / f"{name}.flac" for name in names]
    figure = Figure(figsize=(11, 7), layout="constrained")
    figure.suptitle("When a recording is anomalous, by models trained without faults", fontsize=13)
    axes = figure.subplots(4, 2, sharex=True, gridspec_kw={"height_ratios": [2, 1, 2, 1]})
    found = find_anomalies(read_anomaly_file(run / "models.safetensors"), paths, "all")
    for number, ((path, one), kind, name) in enumerate(zip(found, kinds, names, strict=True)):
        assert isinstance(one, AnomalyScore)
        row, column = 2 * (number // 2), number % 2
        called = "anomalous" if one.anomalous else "called normal"
        title = f"{kind}: score {one.score:.1f}, {called} (threshold {one.threshold:.1f})"
        upper, lower = axes[row, column], axes[row + 1, column]
        upper.set_title(title, fontsize=9, loc="left", parse_math=False)
        draw_anomaly((upper, lower), soundfile.read(path)[0], RATE, one.grid, one.curve)
        lower.axvspan(*times[name], color="grey", alpha=0.3, linewidth=0)
    return figure


if __name__ == "__main__":
    typer.run(main)
