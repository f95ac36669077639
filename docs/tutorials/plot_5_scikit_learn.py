"""
Speech in scikit-learn: pipelines, groups, grid search
======================================================

You know scikit-learn and want to classify recordings. This tutorial puts two steps into
a pipeline: features of speech (:term:`MFCC`) and a Gaussian :term:`mixture` for each
class. It tests the pipeline on unseen speakers and chooses its settings by a grid
search. The last part fits a mixture to a plain table with
``GaussianMixture``, which replaces scikit-learn's class of this name.

Install: ``pip install 'speechgmm[sklearn,demo]'``. The extra ``demo`` installs the
speech synthesiser that makes the recordings of this page.
"""

# %%
# Recordings, labels, groups
# --------------------------
# The demo corpus has twelve synthetic voices, and each says 22 sentences. This page
# uses the ten sentences of the split ``test``. The classifier decides whether a man or
# a woman speaks. Two recordings of one voice are not independent. So the voice is the
# :term:`group`: all its recordings are in training, or all are in the test.
import csv
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline

from speechgmm.demo.build import build_corpus
from speechgmm.demo.voices import VOICES
from speechgmm.sklearn import MFCC, GaussianMixture, GMMClassifier

corpus = build_corpus(Path(tempfile.gettempdir()) / "speechgmm-tutorials")
with (corpus / "speakers.tsv").open() as table:
    rows = [
        row for row in csv.DictReader(table, delimiter="\t") if row["split"] == "test"
    ]
women = {voice.name for voice in VOICES if "woman" in voice.description}

paths = [str(corpus / row["path"]) for row in rows]
labels = np.array(["woman" if row["speaker"] in women else "man" for row in rows])
speakers = np.array([row["speaker"] for row in rows])
print(len(paths), "recordings,", len(set(speakers)), "speakers")

# %%
# Of your own folder for each speaker, the recordings are
# ``paths = sorted(Path("voices").glob("*/*.wav"))``, and the groups are
# ``[path.parent.name for path in paths]``.

# %%
# A pipeline from files to classes
# --------------------------------
# ``MFCC`` turns each recording into frames: an array (T, D) of T frames, one every
# 10 ms, with D features. ``GMMClassifier`` fits one mixture to the frames of each
# class. A recording gets the class whose mixture gives its frames the highest
# log-likelihood.
#
# Two settings of ``MFCC`` matter here. ``deltas=1`` appends the slope of each feature
# over time (:term:`deltas`). ``cmvn="none"`` leaves the features as they are; other
# values normalise their mean and variance (:term:`CMVN`).
#
# ``GroupKFold(4)`` splits the recordings into four folds by speaker.
pipeline = make_pipeline(
    MFCC(deltas=1, cmvn="none"),
    GMMClassifier(GaussianMixture(n_components=8, random_state=0)),
)
folds = GroupKFold(4)
predicted = cross_val_predict(pipeline, paths, labels, groups=speakers, cv=folds)
print(f"unseen speakers: {np.mean(predicted == labels):.1%} correct")

figure, ax = plt.subplots(figsize=(4, 3.5))
ConfusionMatrixDisplay.from_predictions(
    labels, predicted, ax=ax, colorbar=False, cmap="Greys"
)
figure.tight_layout()

# %%
# Plain ``KFold`` would put recordings of one speaker into training and test. The result
# would then hold only for speakers of the training data. Give ``groups`` whenever
# several recordings share a speaker, a room or a day.

# %%
# Choose settings by a grid search
# --------------------------------
# ``GridSearchCV`` accepts groups too. Do not report the best score of the search. It is
# the highest of several scores, so it is too optimistic. Keep some speakers out of the
# search, and test on them once.
held_back = np.isin(speakers, ["adam", "alicia", "m1", "steph"])
search = GridSearchCV(
    pipeline,
    {
        "mfcc__cmvn": ["none", "utterance"],
        "gmmclassifier__estimator__n_components": [2, 8],
    },
    cv=GroupKFold(4),
)
train = np.flatnonzero(~held_back)
search.fit([paths[i] for i in train], labels[train], groups=speakers[train])
print(search.best_params_, f"best in the search: {search.best_score_:.1%}")
test = np.flatnonzero(held_back)
print(
    "four speakers that the search has not seen:",
    f"{search.score([paths[i] for i in test], labels[test]):.1%}",
)

# %%
# Twelve synthetic voices show how the steps work together. The accuracy does not carry
# over to voices of people.

# %%
# A mixture of any table
# ----------------------
# ``GaussianMixture`` has the methods, parameters and attributes of scikit-learn's class
# of this name. Its covariances are diagonal. The fitted attribute ``model_`` is a
# mixture of this package: ``speechgmm.plots`` and the other functions accept it.
#
# The smallest :term:`BIC` chooses the number of components.
from speechgmm import plots

rng = np.random.default_rng(0)
table = np.concatenate(
    [rng.normal([0, 0], [1, 0.4], (400, 2)), rng.normal([3, 1], [0.3, 0.9], (300, 2))]
)
counts = range(1, 6)
mixtures = [GaussianMixture(n, random_state=0).fit(table) for n in counts]
best = min(mixtures, key=lambda mixture: mixture.bic(table))
print("components by BIC:", best.n_components)

figure, ax = plt.subplots(figsize=(5, 4))
plots.mixture(best.model_, table, ax=ax, title="The mixture with the smallest BIC")
figure.tight_layout()
