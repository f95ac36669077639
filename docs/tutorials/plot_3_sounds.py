"""
Sounds and machines: which one, and is it normal?
=================================================

You have recordings of sounds or machines. This tutorial trains models that tell three
machines apart, then models that know one machine's normal sound and find recordings
that differ, and says when in the recording.

Install: ``pip install 'speechgmm[report]'``.
"""

# %%
# Three machines
# --------------
# Your own folder has one folder for each kind of sound. Here the sounds are made: a
# fan hums, a pump beats, a valve hisses. Every recording has its own speed, level and
# noise.
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import soundfile
from scipy.signal import lfilter

import speechgmm as sg
from speechgmm import plots

RATE = 16000
time = np.arange(2 * RATE) / RATE


def fan(rng: np.random.Generator) -> np.ndarray:
    """A hum with harmonics, and air."""
    speed = rng.uniform(80, 120)
    hum = sum(
        np.sin(2 * np.pi * speed * n * time + rng.uniform(0, 6)) / n
        for n in range(1, 9)
    )
    return hum + lfilter([1], [1, -0.9], rng.normal(size=time.size))


def pump(rng: np.random.Generator) -> np.ndarray:
    """Beats of noise, three or four a second."""
    beats = (
        np.clip(np.sin(2 * np.pi * rng.uniform(3, 4) * time + rng.uniform(0, 6)), 0, 1)
        ** 2
    )
    return 3 * beats * lfilter([1], [1, -0.7], rng.normal(size=time.size))


def valve(rng: np.random.Generator) -> np.ndarray:
    """A hiss that comes and goes."""
    return (1 + np.sin(2 * np.pi * 0.7 * time + rng.uniform(0, 6))) * lfilter(
        [1, -0.9], [1], rng.normal(size=time.size)
    )


def save(path: Path, sound: np.ndarray, rng: np.random.Generator) -> None:
    """Write one recording with a level and a background noise of its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sound = sound / np.std(sound) + rng.uniform(0.1, 0.2) * rng.normal(size=sound.size)
    soundfile.write(path, sound * rng.uniform(0.02, 0.1), RATE)


work = Path(tempfile.mkdtemp())
rng = np.random.default_rng(0)
for machine in (fan, pump, valve):
    for number in range(20):
        save(
            work / "machines" / machine.__name__ / f"{number:02}.wav", machine(rng), rng
        )


# %%
# Which machine?
# --------------
# ``init`` looks at the folder and writes a configuration; ``run`` trains and tests by
# it.
def command(line: str) -> None:
    """Run a command in the folder of this tutorial, and print what it prints."""
    words = [sys.executable, "-m", *shlex.split(line)]
    done = subprocess.run(words, cwd=work, capture_output=True, text=True)
    print("$ " + line, done.stdout if done.returncode == 0 else done.stderr, sep="\n")
    done.check_returncode()


command("speechgmm init machines --for sound")
command("speechgmm run machines.yaml")

# %%
# These machines are easy. On ten environmental sounds the same commands make more
# mistakes (:doc:`/results/presets`).

# %%
# Is it normal?
# -------------
# Nobody has recordings of every fault. ``task: anomaly`` learns from normal recordings
# alone. Here a bearing of the fan is broken in some test recordings: it clicks for a
# quarter of a second.
with (work / "fans.tsv").open("w") as table:
    print("path", "machine", "condition", "split", sep="\t", file=table)
    for number in range(60):
        sound = fan(rng)
        is_broken = number >= 50
        if is_broken:
            begin = rng.integers(0, time.size - RATE // 4)
            sound[begin : begin + RATE // 4 : 400] += 25 * np.std(sound)
        save(work / "fans" / f"{number:02}.wav", sound, rng)
        split = "train" if number < 40 else "test"
        print(
            f"fans/{number:02}.wav",
            "fan",
            "clicks" if is_broken else "normal",
            split,
            sep="\t",
            file=table,
        )

(work / "fans.yaml").write_text("""\
defaults: anomaly
corpus:
  kind: manifest
  path: fans.tsv
  label: machine
  sample_rate: 16000
anomaly:
  false_alarm: 0.1            # share of normal recordings that may be called anomalous
""")
command("speechgmm run fans.yaml")

# %%
# When?
# -----
# The anomaly score follows the recording. The threshold was set on normal recordings
# that their model had not heard.
model = sg.load(work / "runs" / "fans")
broken = model.anomaly(work / "fans" / "55.wav")
print(broken.decision, f"score {broken.score:.2f}, threshold {broken.threshold:.2f},")
print(f"highest from {broken.start:.2f} to {broken.end:.2f} s")

samples, rate = soundfile.read(work / "fans" / "55.wav")
figure, (top, bottom) = plt.subplots(2, 1, figsize=(8, 5), sharex=True)
plots.spectrogram(samples, rate, ax=top)
bottom.plot(broken.times, broken.curve)
bottom.set(xlabel="time (s)", ylabel="anomaly score")
figure.tight_layout()
