"""What is wrong with a corpus, before anything is trained on it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from speechgmm.config import ParallelSpec, load_config
from speechgmm.engine.console import Console
from speechgmm.engine.job import prepare
from speechgmm.engine.run_report import data_table
from speechgmm.io.locks import using_cache
from speechgmm.report.text import aligned, duration

CLASSES_SHOWN = 30


def check_and_print(config: Path, overrides: Sequence[str], *, quiet: bool) -> int:
    """Read every recording, print what was found and what cannot be used; returns how many utterances that is.

    Features are extracted on the way and are in the cache for the run. Warnings (clipping, leaks in the division, odd
    labels) go to standard error as in a run.

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
    print("\n".join(aligned([head, *shown])))
    if len(rows) > len(shown):
        print(f"... and {len(rows) - len(shown)} more rows")
    lengths = np.array(features.durations)
    print(
        f"\nall {len(job.corpus.paths())} recordings were read; {len(lengths)} utterances can be used, "
        f"{duration(float(lengths.sum()))}: "
        f"{lengths.min():.2f} to {lengths.max():.2f} s, median {np.median(lengths):.2f} s"
    )
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
