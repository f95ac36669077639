"""
Speech in scikit-learn: pipelines, groups, grid search
======================================================

You know scikit-learn and want to classify recordings. This tutorial puts MFCCs and
Gaussian mixtures into a pipeline, tests it on speakers it has not heard, and chooses
its settings by a grid search. The last part fits the drop-in ``GaussianMixture`` to a
plain table.

Install: ``pip install 'speechgmm[sklearn,demo]'``. The extra ``demo`` makes the speech
of this page.
"""

# %%
# Recordings, labels, groups
# --------------------------
# The demo corpus has twelve synthetic voices, each saying 22 sentences. The question
# is whether a man or a woman speaks. Two recordings of one voice are not independent:
# the voice is the *group*, and no voice may be in training and test.
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
# A pipeline from files to classes
# --------------------------------
# ``MFCC`` turns each recording into frames: an array (T, D), one row every 10 ms.
# ``GMMClassifier`` fits one mixture to the frames of each class. A recording gets the
# class whose mixture gives its frames the highest log-likelihood.
#
# Training and test are divided by speaker with ``GroupKFold``.
pipeline = make_pipeline(
    MFCC(deltas=1, cmvn="none"),
    GMMClassifier(GaussianMixture(n_components=8, random_state=0)),
)
folds = GroupKFold(4)
predicted = cross_val_predict(pipeline, paths, labels, groups=speakers, cv=folds)
print(f"unheard speakers: {np.mean(predicted == labels):.1%} correct")

figure, ax = plt.subplots(figsize=(4, 3.5))
ConfusionMatrixDisplay.from_predictions(
    labels, predicted, ax=ax, colorbar=False, cmap="Greys"
)
figure.tight_layout()

# %%
# The same by plain ``KFold`` would put each speaker on both sides, and the result
# would be about voices that the classifier knows already. Give ``groups`` whenever
# recordings share a speaker, a room or a day.

# %%
# Choose settings by a grid search
# --------------------------------
# ``GridSearchCV`` takes the groups too. The best score of a grid search is too good:
# it is the best of several. Keep a part of the speakers out of the search and test on
# them once.
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
# Twelve synthetic voices show that the pieces fit together. They say nothing about
# people.

# %%
# A mixture of any table
# ----------------------
# ``GaussianMixture`` has the methods, parameters and attributes of scikit-learn's, for
# diagonal covariances. ``model_`` is the mixture of this package, so that
# ``speechgmm.plots`` and the other functions take it.
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
