"""The files of a run's folder, by name: the one place that spells them."""

from enum import StrEnum
from pathlib import Path
from typing import Final


class RunFile(StrEnum):
    """A file of a run's folder, in the order in which a run writes them. Tables are tab-separated, with a heading."""

    CONFIG = "config.yaml"  # the whole configuration, resolved
    ENVIRONMENT = "environment.json"  # versions, hashes, and where the recordings lay
    PROTOCOL = "protocol.tsv"  # which utterance trains and which is tested, in which fold
    DATA = "data.tsv"  # utterances, seconds and frames of every class
    REJECTED = "rejected.tsv"  # recordings left out (on_error: skip)
    LOG = "log.txt"  # what was said while it ran
    SWEEP = "sweep.tsv"  # of a sweep: each setting and its results
    SWEEP_SETTINGS = "sweep.yaml"  # of a sweep: what it was asked for
    MODELS = "models.safetensors"  # what scores new recordings; those in folds/NAME/ are each fold's
    MODEL_CARD = "MODEL_CARD.md"  # what a person should know of the model; the model file has it too
    CLASSES = "classes.tsv"  # how each class was trained
    UNITS = "units.tsv"  # recognition: states, Gaussians and duration of each unit
    TIED_STATES = "tied_states.tsv"  # recognition with tied states: Gaussians and contexts of each
    THRESHOLDS = "thresholds.tsv"  # anomaly: from which score on a recording is anomalous
    NORMAL = "normal.tsv"  # anomaly: scores of normal training recordings
    SCORES = "scores.tsv"  # the test items and their scores
    SCORES_GZIP = "scores.tsv.gz"  # the same compressed (tables.gzip)
    SCORES_PARQUET = "scores.parquet"  # the same as Parquet (tables.scores)
    AUDIT = "audit.tsv"  # verification: labels that the recordings contradict
    METRICS = "metrics.json"  # the results, for programs
    CONFUSION = "confusion.tsv"  # the confusion matrix
    CONFUSION_PICTURE = "confusion.png"
    PER_CLASS = "per_class.tsv"  # recall and precision of every class
    HYPOTHESES = "hypotheses.tsv"  # recognition: reference and hypothesis of each recording
    TIMED_HYPOTHESES = "hypotheses.jsonl"  # the same with times
    ALIGNMENT = "alignment.jsonl"  # align: words and phones of each utterance with their times and confidences
    UTTERANCES = "utterances.tsv"  # align: how well each utterance's text fits it
    PHONES = "phones.tsv"  # align: durations and confidences of each phone
    OUTLIERS = "outliers.tsv"  # align: phones whose durations are unusual, and those of low confidence
    PAIRS = "pairs.tsv"  # recognition: which label is recognised as which
    CURVES = "curves.tsv"  # anomaly: the anomaly score over time of the highest-scoring recordings
    CLUSTERS = "clusters.tsv"  # clustering: the label and the cluster of each recording
    DISTANCES = "distances.tsv"  # clustering: from which distance on two recordings are of different speakers
    RECORDINGS = "recordings.tsv"  # diarization: the errors of each recording
    REFERENCES = "references.rttm"  # diarization: who speaks when
    TURNS = "hypotheses.rttm"  # diarization: the turns that were found
    REPORT = "report.html"  # all of this on one page
    REPORT_STAMP = ".report"  # a hash of what the page shows and of its bytes: while it fits, the page is not made anew


FOLDS: Final = "folds"
"""Folder of a folder for each fold, with its models."""

OF_THE_MODELS: Final = tuple(RunFile)[list(RunFile).index(RunFile.THRESHOLDS) :]
"""Files that other models make untrue."""


CONFUSED_PAIRS: Final = ("true_class", "predicted_class", "items")
"""The header of ``confusion.tsv`` where it has a row for each pair of classes with items, and no matrix."""


def model_file(path: Path) -> Path:
    """The model file, given it or the folder of its run.

    >>> model_file(Path("models.safetensors")).name
    'models.safetensors'
    """
    return path / RunFile.MODELS if path.is_dir() else path


def is_run(folder: Path) -> bool:
    """Whether it is the folder of a run."""
    return (folder / RunFile.CONFIG).is_file()
