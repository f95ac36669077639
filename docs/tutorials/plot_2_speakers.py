"""
Compare speakers: likelihood ratios and what they may claim
===========================================================

Is the voice of this recording the voice of that one? This tutorial enrols speakers,
tries claims, calibrates the scores to log-likelihood ratios, and shows the pictures
that a forensic report asks for: Tippett plot, DET curve, reliability.

Install: ``pip install 'speechgmm[demo,report]'``. The extra ``demo`` makes the speech
of this page.
"""

# %%
# Recordings and what each is for
# -------------------------------
# A comparison needs three kinds of recording. The *background* says what voices sound
# like in general. An *enrolment* recording is of a known speaker. A *test* recording
# is the one in question. No speaker of the background is enrolled or tested here.
#
# The demo corpus has twelve synthetic voices. Six are the background. The other six
# are enrolled by one sentence each. The table says which is which: one row a
# recording, with the columns ``path``, ``speaker`` and ``split``.
import csv
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import speechgmm as sg
from speechgmm import plots
from speechgmm.demo.build import build_corpus

corpus = build_corpus(Path(tempfile.gettempdir()) / "speechgmm-tutorials")
work = Path(tempfile.mkdtemp())
background = {"adam", "alicia", "antonio", "f2", "gene", "m1"}
with (corpus / "speakers.tsv").open() as table:
    rows = list(csv.DictReader(table, delimiter="\t"))
with (work / "speakers.tsv").open("w") as table:
    print("path", "speaker", "split", sep="\t", file=table)
    for row in rows:
        name = Path(row["path"]).stem
        if row["speaker"] in background:
            split = "ubm" if row["split"] == "train" else None
        else:
            split = (
                "train"
                if name == "train-01"
                else "test"
                if row["split"] == "test"
                else None
            )
        if split:
            print(row["path"], row["speaker"], split, sep="\t", file=table)

# %%
# The configuration
# -----------------
# ``defaults: verification`` takes the settings that were chosen for this task on real
# speech. One background mixture is trained on all background recordings. Each
# speaker's mixture is adapted from it by MAP. The score of a claim is the
# log-likelihood of the recording under the speaker's mixture less that under the
# background's, per frame.
configuration = f"""\
defaults: verification
corpus:
  kind: manifest
  path: speakers.tsv
  root: {corpus}
  label: speaker
  sample_rate: 16000
model:
  ubm: {{n_components: 32}}
"""
(work / "speakers.yaml").write_text(configuration)
result = sg.run(work / "speakers.yaml", output=work / "run")

# %%
# How well do the scores separate?
# --------------------------------
# The run tried every test recording against every speaker. The equal error rate (EER)
# is where as many true claims are rejected as false claims are accepted. The interval
# says how far it may be off with this number of speakers: six speakers say little.
for name in ("eer", "cllr", "cllr_min"):
    metric = result.metrics[name]
    print(
        f"{name}: {metric['value']:.3f},",
        f"95 % interval {metric['low']:.3f} to {metric['high']:.3f}",
    )

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.5))
plots.det(result, ax=left)
plots.tippett(result, ax=right)
figure.tight_layout()

# %%
# From a score to a likelihood ratio
# ----------------------------------
# A score ranks claims. It is not yet a likelihood ratio. Calibration learns a map from
# scores to log-likelihood ratios (LLR): how much more probable is this score if the
# speaker is the same than if not? The map is learnt on other speakers than those it is
# applied to.
#
# *Cllr* is the cost of the ratios in bits; *Cllr min* is what the best monotone map
# would leave. Their difference is the loss by calibration. In the reliability plot,
# calibrated ratios lie on the diagonal.
figure, ax = plt.subplots(figsize=(5, 4.5))
plots.reliability(result, ax=ax)
figure.tight_layout()

# %%
# A new recording
# ---------------
# ``sg.load`` reads the models of the run. ``verify`` gives the LLR of a claim. The
# decision also needs a prior and costs. The default prior is 0.01: one claim in a
# hundred is true, so that only an LLR above 2 (log10) is accepted. A forensic expert
# reports the LLR and leaves prior and decision to the court.
model = sg.load(work / "run")
for name in ("test-01", "test-02", "test-03"):
    for claim in ("max", "m8"):
        answer = model.verify(corpus / "wav" / "max" / f"{name}.wav", claim=claim)
        print(
            f"max, {name}: is it {claim}?",
            f"LLR {answer.llr / np.log(10):+.1f} (log10): {answer.decision}",
        )

# %%
# The true claims have the higher ratios, and none of them is above 2: the speaker was
# enrolled by a single sentence of two seconds. A ratio near zero says that the
# recording does not settle the question.

# %%
# What these numbers may not claim
# --------------------------------
# - Synthetic voices in one session: real people differ from day to day, and their EER
#   across days is higher. The :doc:`results </results/recipes>` say of each value how
#   many sessions there were.
# - Six speakers: the interval of the EER is wide.
# - A likelihood ratio is valid for recordings like those that it was calibrated on:
#   same channel, duration and language. Calibrate on recordings like those of the case.
