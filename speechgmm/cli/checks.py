"""What is wrong with a corpus, before anything is trained on it."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from speechgmm.config import ParallelSpec, load_config
from speechgmm.corpus import Corpus
from speechgmm.engine.console import Console
from speechgmm.engine.job import prepare
from speechgmm.engine.run_report import data_table
from speechgmm.errors import counted
from speechgmm.io.locks import using_cache
from speechgmm.report.text import duration, print_table

CLASSES_SHOWN = 30

SMALL_SHOWN: Final = 10

FEWEST_TESTS: Final = 6
"""Test items of a class below which not even a result without an error shows that it is right more often than not: the
exact 95 % interval (Clopper and Pearson) of 5 of 5 begins at 48 %, of 6 of 6 at 54 %."""

FEWEST_TRAINING: Final = 3
"""Training items of a class below which another recording of it would make another model."""


def check_and_print(config: Path, overrides: Sequence[str], *, quiet: bool) -> int:
    """Read every recording, print what was found and what cannot be used; returns how many utterances that is.

    Features are extracted on the way and are in the cache for the run. Warnings (clipping, leaks between the splits,
    unusual labels) go to standard error as in a run.

    Raises:
        ConfigError: The configuration is wrong.
        DataError: The corpus cannot be read or divided at all, or nothing in it can be used.
    """
    experiment = load_config(config, overrides)
    # Everything that is wrong, not the first of it; what then is left to do is the user's to say.
    corpus = replace(experiment.config.corpus, on_error="skip")
    # Checking asks no cluster: whoever wrote the file may have named one that is not the user's.
    parallel = experiment.config.parallel
    here = ParallelSpec(memory=parallel.memory) if parallel.backend == "dask" else parallel
    experiment = replace(experiment, config=replace(experiment.config, corpus=corpus, parallel=here))
    with using_cache(experiment.cache()):
        job = prepare(experiment, console=Console(quiet=quiet))
        features = job.task.extract(job)[0]
        misfits = job.task.unusable(job, features)
    lines = data_table(job, features).splitlines()
    head, *rows = (line.split("\t") for line in lines)
    shown = rows[:CLASSES_SHOWN]
    print_table([head, *shown])
    if len(rows) > len(shown):
        print(f"... and {len(rows) - len(shown)} more rows")
    lengths = np.array(features.durations)
    print(
        f"\nall {len(job.corpus.paths())} recordings were read; {counted(len(lengths), 'utterance')} can be used, "
        f"{duration(float(lengths.sum()))}: "
        f"{lengths.min():.2f} to {lengths.max():.2f} s, median {np.median(lengths):.2f} s"
    )
    for line in small_classes(job.corpus, partial(job.task.classes_of, experiment.config), folds=bool(job.folds)):
        print(line)
    wrong = list(features.rejected)
    if wrong:
        print(f"{len(wrong)} cannot:")
        print("\n".join(f"  {name}: {reason}" for name, reason in wrong))
    if misfits:
        print(f"{len(misfits)} of them cannot be trained on:")
        print("\n".join(f"  {name}: {reason}" for name, reason in misfits))
    wrong += misfits
    if not wrong:
        warned = "all of them can be used; see the warnings above"
        print(warned if job.console.warned else "nothing is wrong with them")
    return len(wrong)


def small_classes(corpus: Corpus, classes_of: Callable[[str], Sequence[str]], *, folds: bool) -> Iterator[str]:
    """Which classes are too small to be judged, or to be trained well, by their items.

    ``classes_of`` a label are the classes of its items: itself, or the words of a transcript.

    >>> from speechgmm.corpus import Utterance
    >>> few = [Utterance(f"a{n}", Path("a"), split="test", labels={"x": "a"}) for n in range(2)]
    >>> next(small_classes(Corpus(tuple(few), "x", Path()), lambda label: (label,), folds=False))
    "1 of 1 classes are too small to judge, with fewer than 6 test items each: 'a' 2"
    """
    training, tests = (
        Counter(
            name
            for one in corpus.split(split)
            if (label := (one.labels or {}).get(corpus.label))  # a diarizer may be tested on recordings without one
            for name in classes_of(label)
        )
        for split in ("train", "train" if folds else "test")
    )
    labels = sorted(training | tests)
    for counts, least, what in (
        (tests, FEWEST_TESTS, "are too small to judge, with fewer than {} test items each"),
        (training, FEWEST_TRAINING, "have fewer than {} training items each, and models that one more would change"),
    ):
        few = sorted((counts[label], label) for label in labels if counts[label] < least)
        if few:
            some = ", ".join(f"{label!r} {n}" for n, label in few[:SMALL_SHOWN]) + (
                " ..." if len(few) > SMALL_SHOWN else ""
            )
            yield f"{len(few)} of {len(labels)} classes {what.format(least)}: {some}"
