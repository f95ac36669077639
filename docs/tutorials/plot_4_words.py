"""
Words: recognise, and find when each was said
=============================================

You have recordings of words and want to recognise them, or recordings with their text
and want to know when each word was said (forced alignment). This tutorial does both.

Install: ``pip install 'speechgmm[textgrid,report,demo]'``. The extra ``demo`` makes
the speech of this page.
"""

# %%
# Single words
# ------------
# A folder for each word, and the speaker in the file's name. Six synthetic voices say
# five words.
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import soundfile

import speechgmm as sg
from speechgmm import plots
from speechgmm.demo.build import speak_recording
from speechgmm.demo.voices import VOICES

work = Path(tempfile.mkdtemp())
words = ("stop", "go", "left", "right", "wait")
voices = [
    voice
    for voice in VOICES
    if voice.name in ("adam", "alicia", "f3", "m1", "max", "steph")
]
for word in words:
    (work / "commands" / word).mkdir(parents=True)
    for voice in voices:
        for take in range(3):
            speak_recording(
                work / "commands" / word / f"{voice.name}_{take}.wav",
                word,
                voice,
                seed=take,
            )


def command(line: str) -> None:
    """Run a command in the folder of this tutorial, and print what it prints."""
    words = [sys.executable, "-m", *shlex.split(line)]
    done = subprocess.run(words, cwd=work, capture_output=True, text=True)
    print("$ " + line, done.stdout if done.returncode == 0 else done.stderr, sep="\n")
    done.check_returncode()


# %%
# ``init`` finds the speakers in the file names. Each is tested by models of the
# others. A word gets a hidden Markov model: states in order, each with a mixture of
# its own.
command("speechgmm init commands --for word")
command("speechgmm run commands.yaml")

# %%
# Five words of six synthetic voices are easy. On thirty words of 41 people the same
# commands recognise 70 % (:doc:`/results/presets`).

# %%
# Several words, with their text
# ------------------------------
# For strings of words the table has one row a recording: ``path``, ``text``, and the
# speaker as group. The models are trained from the text alone: nobody has to mark the
# words.
strings = (
    "go left",
    "stop wait go",
    "right right go",
    "wait left stop",
    "go right wait",
    "left left stop go",
)
(work / "strings").mkdir()
with (work / "strings.tsv").open("w") as table:
    print("path", "text", "speaker", sep="\t", file=table)
    for voice in voices:
        for number, text in enumerate(strings):
            path = speak_recording(
                work / "strings" / f"{voice.name}_{number}.wav",
                text,
                voice,
                seed=number,
            )
            print(path.relative_to(work), text, voice.name, sep="\t", file=table)

(work / "strings.yaml").write_text("""\
task: recognition
corpus:
  kind: manifest
  path: strings.tsv
  label: text
  group: speaker
  split: {kind: leave-one-out, by: speaker}
  sample_rate: 16000
features: {preset: kaldi, n_ceps: 13, deltas: 2, cmvn: utterance}
hmm: {n_states: 8, n_components: 1}
recognition: {silence: sil, language: loop}
""")
command("speechgmm run strings.yaml")

# %%
# A new recording
# ---------------
# ``recognise`` gives the words with their times and confidences.
model = sg.load(work / "runs" / "strings")
recording = speak_recording(work / "new.wav", "wait go right", voices[2], seed=99)
for word in model.recognise(recording).words:
    print(
        f"{word.start:.2f} to {word.end:.2f} s: {word.label},",
        f"confidence {word.confidence:.2f}",
    )

# %%
# Forced alignment
# ----------------
# ``align`` takes the text as given and finds when each word was said. The command
# writes a TextGrid for Praat. Look at ``fit`` first: below 0 the text does not fit the
# recording.
command(
    "speechgmm align runs/strings new.wav --text 'wait go right' "
    "--format textgrid --out aligned"
)

aligned = model.align(recording, text="wait go right")
wrong = model.align(recording, text="left stop left")
print(f"fit of the text {aligned.fit:.2f}, of another text {wrong.fit:.2f}")

samples, rate = soundfile.read(recording)
figure, ax = plt.subplots(figsize=(8, 3))
plots.spectrogram(samples, rate, segments=aligned.words, ax=ax)
figure.tight_layout()
