"""
Vowels from TextGrids: train, test, classify new recordings
===========================================================

You have recordings with Praat TextGrids and want to know how well the vowels can be
told apart, which are confused, and what a model says about a new recording. This
tutorial needs three commands.

Install: ``pip install 'speechgmm[textgrid,report,demo]'``. The extra ``demo`` makes
the speech of this page.
"""

# %%
# A folder of recordings and TextGrids
# ------------------------------------
# Your own folder may look like this: a folder for each speaker, and beside each
# recording a TextGrid with a tier of phones. Here it is made from the demo corpus,
# which knows the time of every phone.
import csv
import itertools
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import soundfile
from praatio import textgrid

import speechgmm as sg
from speechgmm import plots
from speechgmm.demo.build import build_corpus

corpus = build_corpus(Path(tempfile.gettempdir()) / "speechgmm-tutorials")
work = Path(tempfile.mkdtemp())
with (corpus / "phones.tsv").open() as table:
    phones = list(csv.DictReader(table, delimiter="\t"))
vowels = (
    "aa",
    "ae",
    "ah",
    "ao",
    "aw",
    "ay",
    "eh",
    "er",
    "ey",
    "ih",
    "iy",
    "ow",
    "oy",
    "uh",
    "uw",
)
voices = ("adam", "alicia", "f3", "m1", "max", "steph")
chosen = [
    row
    for row in phones
    if row["speaker"] in voices and row["split"] == "test" and row["phone"] in vowels
]
for path, rows in itertools.groupby(chosen, key=lambda row: row["path"]):
    recording = work / "vowels" / Path(path).relative_to("wav")
    recording.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(corpus / path, recording)
    entries = [(float(row["start"]), float(row["end"]), row["phone"]) for row in rows]
    grid = textgrid.Textgrid(0, soundfile.info(recording).duration)
    grid.addTier(textgrid.IntervalTier("vowels", entries, 0, grid.maxTimestamp))
    grid.save(
        str(recording.with_suffix(".TextGrid")),
        "long_textgrid",
        includeBlankSpaces=True,
    )
print(
    *sorted(
        str(path.relative_to(work)) for path in work.glob("vowels/adam/test-0[12].*")
    ),
    sep="\n",
)


# %%
# Three commands
# --------------
# ``init`` looks at the folder, says what it found, and writes a configuration. It sees
# the TextGrids and the speakers, and chooses a test on speakers that are not in
# training.
def command(line: str) -> None:
    """Run a command in the folder of this tutorial, and print what it prints."""
    words = [sys.executable, "-m", *shlex.split(line)]
    done = subprocess.run(words, cwd=work, capture_output=True, text=True)
    print("$ " + line, done.stdout if done.returncode == 0 else done.stderr, sep="\n")
    done.check_returncode()


command("speechgmm init vowels --for phone")

# %%
# ``run`` extracts features, trains a model for each vowel, and tests.
command("speechgmm run vowels.yaml")

# %%
# The page ``runs/vowels/report.html`` has all of it: the confusion matrix, the most
# confused pairs, the worst errors to be heard. The same matrix in one call:
figure, ax = plt.subplots(figsize=(8, 7))
plots.confusion_matrix(work / "runs" / "vowels", order="phone", ax=ax)
figure.tight_layout()

# %%
# The share of correct segments is of synthetic voices. On eight speakers of TIMIT,
# whom the models had not heard, the same commands have 65 % of 39 phones
# (:doc:`/results/presets`).

# %%
# A new recording
# ---------------
# The models classify segments, so that a new recording needs boundaries: give its
# TextGrid. The answer names the best phone of each segment with its posterior
# probability.
model = sg.load(work / "runs" / "vowels")
recording = work / "vowels" / "max" / "test-04.wav"
result = model.classify(recording, segments=recording.with_suffix(".TextGrid"))
said = (
    textgrid.openTextgrid(str(recording.with_suffix(".TextGrid")), False)
    .getTier("vowels")
    .entries
)
for segment, entry in itertools.islice(zip(result, said, strict=True), 8):
    print(
        f"{segment.start:.2f} to {segment.end:.2f} s:",
        f"labelled {entry.label}, classified {segment.decision}",
    )

# %%
# The spectrogram of the recording, with the given boundaries:
samples, rate = soundfile.read(recording)
figure, ax = plt.subplots(figsize=(9, 3))
plots.spectrogram(samples, rate, segments=recording.with_suffix(".TextGrid"), ax=ax)
figure.tight_layout()
