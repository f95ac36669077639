"""Choosing the settings of a recogniser by inner folds, so that no test speaker has a part in the choice.

    python recipes/nested_recognition.py configs/timit-phone-recognition.yaml \
        --grid hmm.n_components=4,8 --grid recognition.scale=4,5,6

For every fold of the configuration, its training speakers are dealt out to inner folds; each point of the grid is
trained on the others and tested on them; the point with the fewest errors is trained on all of them, and tested on the
fold's own speakers, once (nested cross-validation: Varma & Simon 2006). Units are kept in the cache: points that differ
in `recognition` alone are trained once, and a recipe that was stopped goes on.
"""

from collections import Counter
from dataclasses import replace
from typing import Annotated

import numpy as np
import typer

from speechgmm.config import load_config
from speechgmm.corpus import Corpus, Fold
from speechgmm.evaluation import count_edits, edit_rate
from speechgmm.pipeline.extraction import divide, extract
from speechgmm.pipeline.frames import Features
from speechgmm.pipeline.hmm_training import train_recognisers
from speechgmm.pipeline.job import Job, prepare
from speechgmm.pipeline.recognising import Recognised, evaluate_recognition, recognise_test
from speechgmm.pipeline.sweeping import grid_points


def inner_folds(corpus: Corpus, group: str, n_folds: int) -> list[Fold]:
    """The training part, dealt out by speaker in the order of their names."""
    training = corpus.split("train")
    names = sorted({utterance.label(group) for utterance in training})
    fold_of = {name: n % n_folds for n, name in enumerate(names)}
    return [
        Fold(str(n), frozenset(u.id for u in training if fold_of[u.label(group)] == n))
        for n in range(min(n_folds, len(names)))
    ]


def heard(job: Job, parts: dict[str, Features]) -> Recognised:
    """Train on each part, and recognise its tests."""
    trained = train_recognisers(job, list(parts.values()))
    return recognise_test(job, {n: (part, t.recogniser) for (n, part), t in zip(parts.items(), trained, strict=True)})


def main(
    config: str,
    grid: Annotated[list[str], typer.Option()],
    set: list[str] | None = None,
    folds: int = 3,
    only: str = "",
    thin: int = 1,
) -> None:
    """Choose in every fold (or in the fold ONLY, where nothing is tested), and print what was chosen and its test.

    THIN: of N recordings in training, one has a part in the choice (each has a part in what is tested).
    """
    points = grid_points(grid)
    inner: dict[str, list[float]] = {}
    tests: dict[str, Recognised] = {}
    jobs, cut = [], []
    for point in points:
        overrides = [*(set or []), *(f"{key}={value}" for key, value in point.items())]
        job = prepare(load_config(config, overrides))
        features = extract(job)
        jobs.append(job)
        cut.append({fold.name: divide(job, features, fold) for fold in job.folds if only in ("", fold.name)})
        for name, whole in cut[-1].items():
            part = whole.without_split("test")
            kept = [u if n % thin == 0 else replace(u, split="test") for n, u in enumerate(part.corpus)]
            part = replace(part, corpus=replace(part.corpus, utterances=tuple(kept))).without_split("test")
            made = inner_folds(part.corpus, job.experiment.config.corpus.group or "speaker", folds)
            found = heard(job, {fold.name: divide(job, part, fold) for fold in made})
            result = evaluate_recognition(found, job.experiment.config.recognition, seed=0)
            inner.setdefault(name, []).append(result.metrics["error_rate"]["value"])
        print(f"{np.mean([rates[-1] for rates in inner.values()]):8.2%} of inner tests wrong: {point}", flush=True)
    best = {name: int(np.argmin(rates)) for name, rates in inner.items()}
    for n, times in Counter(best.values()).most_common():
        print(f"chosen in {times} of {len(best)} folds: {points[n]}")
    if only:
        return
    for name, n in best.items():
        tests[name] = heard(jobs[n], {name: cut[n][name]})
    found = Recognised(
        tuple(one for test in tests.values() for one in test.said),
        tuple(one for test in tests.values() for one in test.heard),
        tuple(name for name, test in tests.items() for _ in test.said),
    )
    result = evaluate_recognition(found, jobs[0].experiment.config.recognition, seed=0)
    for name, metric in result.metrics.items():
        interval = f", 95 % interval {metric['low']:.1%} to {metric['high']:.1%}" if "low" in metric else ""
        print(f"{name:<20} {metric['value']:.1%}{interval}")
    groups = [one.group for one in found.said]
    for group in sorted(frozenset(groups)):
        mine = [edits for edits, name in zip(result.edits, groups, strict=True) if name == group]
        print(f"  {group:<18} {edit_rate(count_edits(mine))(np.ones(len(mine))):.1%}")


if __name__ == "__main__":
    typer.run(main)
