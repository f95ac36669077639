"""``protocol.tsv``: which utterance is in which split, so that an experiment can be repeated."""

from speechgmm.engine.frames import Features
from speechgmm.engine.job import Job
from speechgmm.io.tables import table


def protocol_table(job: Job, features: Features) -> str:
    """``protocol.tsv``: who trains and who is tested, so that another toolkit can do the same experiment."""
    corpus = features.corpus
    group = job.experiment.config.corpus.group
    fold_of = {name: fold.name for fold in job.folds for name in fold.test}
    columns = tuple(dict.fromkeys((corpus.label, *((group,) if group else ()))))
    head = ("id", "path", "start", "end", "fold" if job.folds else "split", *columns)
    rows = (
        (
            u.id,
            u.path.relative_to(corpus.root).as_posix(),
            "" if u.start is None else u.start,
            "" if u.end is None else u.end,
            fold_of.get(u.id, u.split) if job.folds else u.split,
            *((u.labels or {}).get(column, "") for column in columns),
        )
        for u in corpus
    )
    return table(head, rows)
