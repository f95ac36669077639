"""The model card of a run: what was trained, on what, by which protocol, with which result."""

from collections.abc import Iterator

from speechgmm import __version__
from speechgmm.config import told_settings
from speechgmm.engine.frames import Features
from speechgmm.engine.job import Job
from speechgmm.errors import counted
from speechgmm.io.model_card import LABELS_NAMED, CardData, ModelCard


def card_of(job: Job, features: Features, data_hash: str, fold: str = "") -> ModelCard:
    """The card of the models of a run, before they are tested.

    Args:
        job: The run.
        features: What the models are trained on and tested with.
        data_hash: Of all recordings, labels and splits of the run.
        fold: Name of the fold; empty: they are trained on everything.
    """
    experiment, label = job.experiment, job.corpus.label
    has_classes = job.task.has_classes(job)
    training = {u.label(label) for u in features.corpus.split("train")} if has_classes else set()
    return ModelCard(
        version=__version__,
        made_by="speechgmm run",
        task=job.task.name,
        fold=fold,
        label=label,
        labels=tuple(sorted(training))[:LABELS_NAMED],
        data=tuple(_data(job, features)),
        data_hash=data_hash,
        protocol=_protocol(job, fold),
        settings=told_settings(experiment.resolved()),
        text=experiment.config.model_card,
    )


def _data(job: Job, features: Features) -> Iterator[CardData]:
    """Counts of each split, in the order in which they occur."""
    label, group = job.corpus.label, job.experiment.config.corpus.group
    has_classes = job.task.has_classes(job)
    durations = dict(zip((u.id for u in features.corpus), features.durations, strict=True))
    for split in dict.fromkeys(u.split for u in features.corpus):
        found = features.corpus.split(split)
        names = {(u.labels or {}).get(label) for u in found} - {None}  # the split ubm needs no labels
        groups = {(u.labels or {}).get(group) for u in found} - {None} if group else set()
        yield CardData(
            split,
            len(found),
            round(sum(durations[u.id] for u in found), 1),
            len(names) if has_classes else None,
            len(groups) if group else None,
        )


def _protocol(job: Job, fold: str) -> str:
    corpus = job.experiment.config.corpus
    parts = [f"split: {corpus.split.kind}"]
    if job.folds:
        parts.append(counted(len(job.folds), "fold"))
    if corpus.group is not None:
        sides = "on one side of the split alone" if corpus.split.disjoint else "may be on both sides of the split"
        parts.append(f"each {corpus.group} {sides}")
    if job.folds and not fold:
        parts.append("this model is trained on all of them, and the metrics are of the models of the folds")
    return "; ".join(parts)
