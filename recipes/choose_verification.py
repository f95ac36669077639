"""The settings of verification, chosen on some corpora and speakers and judged on others.

    python recipes/choose_verification.py PLACE_OF_CORPORA FOLDER

PLACE_OF_CORPORA holds ``fsdd/recordings``, ``librispeech/train-clean-100``, ``arabic-words`` and ``voxforge-ru`` (with
its ``items.tsv``). Manifests, configurations and runs go into FOLDER; what is there already is not run again. Cuts of
one corpus are one vote. Where a split ``ubm`` has other speakers, the configuration is as ``speechgmm init`` writes it.

Settings are compared by Cllr_min, which no calibration changes. There are two choices that do not see what they are
judged on: the best mean of the *other* corpora, and for every trial the best mean over all corpora's trials that share
neither of its speakers (folds of speakers). Intervals (95 %) are over speakers of models and tests, differences paired.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations_with_replacement
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import typer
import yaml
from choose_presets import run_points
from numpy.typing import NDArray

from speechgmm.corpus.readers.librispeech import read_librispeech
from speechgmm.evaluation import Trials, cllr, cllr_min, compare, eer, interval, rank_trials
from speechgmm.features.kinds import settings_of_given
from speechgmm.io.score_file import TrialScores, read_scores

N_FOLDS = 5
Rows = list[dict[str, str]]

Settings = Mapping[str, Any]

BEFORE = "before"
NOTHING: Settings = {"features.n_ceps": 25, "features.c0": "drop", "features.use_energy": False}
ENERGY: Settings = {"features.n_ceps": 20, "features.c0": "absolute", "features.use_energy": True}
RELATIVE: Settings = {**ENERGY, "features.c0": "relative"}
STATIC: Settings = {"features.n_ceps": 32, "features.c0": "absolute", "features.vad": "peak", "features.vad_range": 6.0}
SAME_MEAN: Settings = {**ENERGY, "features.cmvn": "utterance", "features.deltas": 1}
COSINE: Settings = {"scoring.method": "cosine", "model.adapt_parameters": ["means"], "model.adapt_max_iter": 1}
ONE_STEP: Settings = {"model.adapt_parameters": ["means"], "model.adapt_max_iter": 1}
NORM: Settings = {"scoring.normalise": "s", "scoring.cohort": "ubm"}  # where a split ubm has others

CANDIDATES: Mapping[str, Settings] = {
    BEFORE: NOTHING,
    "S-norm": {**NOTHING, **NORM},
    "energy, 20 cepstra": {**ENERGY, **NORM},
    "energy less its maximum, 20 cepstra": {**RELATIVE, **NORM},
    "32 cepstra with c0, 6 nats below the loudest frame, means, relevance 20": {
        **STATIC,
        "features.use_energy": False,
        **ONE_STEP,
        "model.relevance": 20,
        **NORM,
    },
    "energy, deltas, CMVN, means, relevance 16": {**SAME_MEAN, **ONE_STEP, "model.relevance": 16, **NORM},
    "cosine, energy, 20 cepstra": {**ENERGY, **COSINE, **NORM},
}
"""Row of the table -> settings in place of the preset's."""


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """The trials of a corpus under one setting, in the same order under every one."""

    scores: NDArray[np.float64]  # (N,)
    llrs: NDArray[np.float64]  # (N,), calibrated by folds of speakers
    target: NDArray[np.bool_]  # (N,)
    sides: tuple[NDArray[np.intp], NDArray[np.intp]]  # (N,) speakers of models, and of tests
    test: NDArray[np.intp]  # (N,)

    def of(self, chosen: NDArray[np.bool_]) -> "Scored":
        """Some of the trials."""
        sides = self.sides[0][chosen], self.sides[1][chosen]
        return Scored(self.scores[chosen], self.llrs[chosen], self.target[chosen], sides, self.test[chosen])

    def ranked(self) -> Trials:
        """The trials by their scores."""
        return rank_trials(self.scores, self.target)

    def own_highest(self) -> float:
        """The share of tests whose own model has the highest score."""
        best = np.full(self.test.max() + 1, -np.inf)
        np.maximum.at(best, self.test, self.scores)
        return float((self.scores >= best[self.test])[self.target].mean())


def main(root: Path, folder: Path) -> None:
    """Run everything that is not there yet, and print a table of all settings and one of the choices."""
    found: dict[str, dict[str, Scored]] = {}
    for place in corpora(root.absolute(), folder):
        points = {setting: place.of_use(point) for setting, point in CANDIDATES.items()}
        runs = run_points(place.config, points, (), folder / place.config.stem)
        found[place.name] = {setting: trials_of(one) for setting, one in runs.items()}
    print_settings(found)
    print_choices(found)


def print_settings(found: Mapping[str, Mapping[str, Scored]]) -> None:
    """EER, Cllr_min and the rate of identification of every setting and corpus."""
    print(f"\n| EER, %; Cllr_min; identified, % | {' | '.join(found)} | mean Cllr_min |\n|{'---|' * (len(found) + 2)}")
    table = losses(found)
    for name in CANDIDATES:
        cells = [
            f"{100 * eer(of[name].ranked()):.1f}; {table[corpus][name]:.3f}; {100 * of[name].own_highest():.1f}"
            if name in of
            else "cannot be run"
            for corpus, of in found.items()
        ]
        print(f"| {name} | {' | '.join(cells)} | {vote(table, name):.3f} |")


def print_choices(found: Mapping[str, Mapping[str, Scored]]) -> None:
    """Of every corpus: the figures before, and of what was chosen without it or without the trials' speakers."""
    table = losses(found)
    by_speakers = chosen_by_speakers(found)
    print(
        "\n| corpus | setting | EER, % | Cllr | Cllr_min | less before | identified, % |\n|---|---|---|---|---|---|---|"
    )
    for corpus, of in found.items():
        others = {name: values for name, values in table.items() if source(name) != source(corpus)}
        chosen = min(CANDIDATES, key=partial(vote, others or table))
        before = of[BEFORE]
        print(f"| {corpus} | before | {figures(before)}")
        print(f"| | on other corpora: {chosen} | {figures(of[chosen], before)}")
        names, mixed = by_speakers[corpus]
        print(f"| | on other speakers: {names} | {figures(mixed, before)}")


def figures(one: Scored, before: Scored | None = None) -> str:
    """The cells of a row, with intervals; the difference in Cllr_min is paired."""
    cells = []
    for statistic, values, factor, digits in (
        (eer, one.scores, 100, 1),
        (cllr, one.llrs, 1, 3),
        (cllr_min, one.scores, 1, 3),
    ):
        trials = rank_trials(values, one.target)
        bounds = interval(partial(statistic, trials), one.sides)
        cells.append(f"{factor * statistic(trials):.{digits}f}{spread(bounds.low, bounds.high, factor, digits)}")
    difference = ""
    if before is not None and (one.scores != before.scores).any():
        found = compare(partial(cllr_min, one.ranked()), partial(cllr_min, before.ranked()), one.sides)
        difference = f"{found.value:+.3f}{spread(found.low, found.high, 1, 3)}"
    return " | ".join([*cells, difference, f"{100 * one.own_highest():.1f} |"])


def spread(low: float | None, high: float | None, factor: int, digits: int) -> str:
    """Bounds in brackets; nothing where there are none."""
    return "" if low is None or high is None else f" ({factor * low:.{digits}f} to {factor * high:.{digits}f})"


# ---- choices ----


def losses(found: Mapping[str, Mapping[str, Scored]]) -> dict[str, dict[str, float]]:
    """Cllr_min of every corpus and setting."""
    return {corpus: {name: cllr_min(one.ranked()) for name, one in of.items()} for corpus, of in found.items()}


def vote(table: Mapping[str, Mapping[str, float]], name: str) -> float:
    """The mean loss of a setting, in which the cuts of one corpus weigh as much as another corpus; infinite where it
    cannot be run on one.
    """
    by_source = defaultdict(list)
    for corpus, values in table.items():
        by_source[source(corpus)].append(values.get(name, np.inf))
    return float(np.mean([np.mean(values) for values in by_source.values()]))


def source(corpus: str) -> str:
    """What a corpus was cut from."""
    return corpus.split(",")[0]


def chosen_by_speakers(found: Mapping[str, Mapping[str, Scored]]) -> dict[str, tuple[str, Scored]]:
    """Of each corpus its trials, each under the setting that was chosen without its two speakers; and which these are.

    Scores of different settings stand beside each other as ratios, which are on one scale.
    """
    folds = {name: np.stack(of[BEFORE].sides) % N_FOLDS for name, of in found.items()}  # (2, N)
    mixed = {name: np.empty(len(of[BEFORE].target)) for name, of in found.items()}
    names: dict[str, set[str]] = {name: set() for name in found}
    for pair in combinations_with_replacement(range(N_FOLDS), 2):
        left = {corpus: np.logical_not(np.isin(of_corpus, pair).any(axis=0)) for corpus, of_corpus in folds.items()}
        apart = {corpus: {name: one.of(left[corpus]) for name, one in of.items()} for corpus, of in found.items()}
        chosen = min(CANDIDATES, key=partial(vote, losses(apart)))
        for corpus, of in found.items():
            least, most = folds[corpus].min(axis=0), folds[corpus].max(axis=0)
            own = (least == pair[0]) & (most == pair[1])
            mixed[corpus][own] = of[chosen].llrs[own]
            names[corpus] |= {chosen} if own.any() else set()
    result = {}
    for corpus, of in found.items():
        one, *others = sorted(names[corpus])
        several = replace(of[BEFORE], scores=mixed[corpus], llrs=mixed[corpus])
        result[corpus] = (one, of[one]) if not others else ("; ".join((one, *others)), several)
    return result


def trials_of(run: Path) -> Scored:
    """The trials of a run, sorted by model and test."""
    found = read_scores(run / "scores.tsv")
    assert isinstance(found, TrialScores)
    assert found.scores is not None
    assert found.llrs is not None
    assert found.is_target is not None
    order = sorted(range(len(found.pairs)), key=found.pairs.__getitem__)
    own = {test: model for (model, test), target in zip(found.pairs, found.is_target, strict=True) if target}
    pairs = [found.pairs[n] for n in order if found.pairs[n][1] in own]
    rows = np.array([n for n in order if found.pairs[n][1] in own])
    speakers = [model for model, _ in pairs] + [own[test] for _, test in pairs]
    first, second = np.unique(speakers, return_inverse=True)[1].reshape(2, -1)
    tests = np.unique([test for _, test in pairs], return_inverse=True)[1]
    return Scored(found.scores[rows], found.llrs[rows], found.is_target[rows], (first, second), tests)


# ---- corpora ----


@dataclass(frozen=True, slots=True)
class Place:
    """A corpus to choose on."""

    name: str  # what is cut from one corpus has the same words before a comma
    config: Path
    has_others: bool = False  # in the split ubm
    has_several: bool = True  # recordings of one speaker, which show how they differ
    is_given: bool = False  # frames are read

    def of_use(self, point: Settings) -> Settings:
        """A setting without what this corpus has no use for."""
        reads = settings_of_given("given") or ()
        unread = {key for key in point if self.is_given and key.startswith("features.") and key[9:] not in reads}
        unread |= set() if self.has_others else NORM.keys()
        plain = {"scoring.compensation": "none"} if "scoring.method" in point and not self.has_several else {}
        return {key: value for key, value in {**point, **plain}.items() if key not in unread}


def corpora(root: Path, folder: Path) -> Iterator[Place]:
    """Manifests and configurations, written."""
    folder.mkdir(parents=True, exist_ok=True)
    by_word = {"group": "word", "split": {"kind": "kfold", "folds": 5}}
    digits = sorted((root / "fsdd/recordings").glob("*_[0-9].wav"))  # recordings 0 to 9 of every digit and speaker
    rows = [{"word": one.stem[0], "speaker": one.stem.split("_")[1], "path": str(one)} for one in digits]
    yield Place("FSDD, other digits", written(folder / "fsdd.yaml", rows, {**by_word, "sample_rate": 8000}))
    spoken = sorted((root / "arabic-words").glob("*/*.flac"))
    words = sorted({one.parent.name for one in spoken})[::2]
    rows = [{"word": one.parent.name, "speaker": one.stem.split("_")[0], "path": str(one)} for one in spoken]
    rows = [row for row in rows if row["word"] in words]
    yield Place("Arabic words, other words", written(folder / "arabic.yaml", rows, by_word))
    first = {u.label("speaker"): u.path for u in read_librispeech(root / "librispeech/train-clean-100", "speaker")}
    for seconds, n_pieces, (enrol, test) in (("5", (1, 1), (5.0, 2.0)), ("0.6", (8, 3), (0.6, 0.6))):
        rows = [row for n, one in enumerate(sorted(first)) for row in cut(one, first[one], n, n_pieces, (enrol, test))]
        own = [row for row in rows if row["split"] != "ubm"]
        config = written(folder / f"librispeech-{seconds}s.yaml", own, {"split": "column"})
        yield Place(f"LibriSpeech, {seconds} s", config, has_several=n_pieces[0] > 1)
    config = written(folder / "librispeech-others.yaml", rows, {"split": "column"})
    yield Place("LibriSpeech, 0.6 s, 125 others", config, has_others=True)
    config = voxforge(root / "voxforge-ru/items.tsv", folder / "voxforge.yaml")
    yield Place("VoxForge, other sessions, 90 others", config, has_others=True, is_given=True)


def cut(speaker: str, path: Path, number: int, n_pieces: tuple[int, int], lengths: tuple[float, float]) -> Rows:
    """Of every fourth speaker, pieces of the first half of a recording enrol and of the second are tested; whole halves
    of two in four are the background.
    """
    seconds = soundfile.info(path).duration
    halves = (0.0, seconds / 2), (seconds / 2, seconds)
    sides = [("ubm", begin, end) for begin, end in halves if number % 2]
    if number % 4 == 0:
        for split, n, length, (begin, end) in zip(("train", "test"), n_pieces, lengths, halves, strict=True):
            starts = np.linspace(begin, max(begin, end - length), n) if n > 1 else [begin]
            sides += [(split, float(start), min(float(start) + length, end)) for start in starts]
    about = {"speaker": speaker, "path": str(path)}
    return [{**about, "split": split, "start": f"{start:.3f}", "end": f"{end:.3f}"} for split, start, end in sides]


def voxforge(items: Path, path: Path) -> Path:
    """The configuration of the corpus of several sessions, with every third of its tests."""
    head, *lines = items.read_text(encoding="utf-8").splitlines()
    use = head.split("\t").index("use")
    tests = [line for line in lines if line.split("\t")[use] == "test"]
    left = {line for n, line in enumerate(tests) if n % 3}
    path.with_suffix(".tsv").write_text("\n".join([head, *(one for one in lines if one not in left)]) + "\n")
    corpus = {
        "path": path.with_suffix(".tsv").name,
        "root": str(items.parent.absolute()),
        "group": "speaker",
        "session": "session",
        "split": {"column": "use", "names": {"background": "ubm", "enrol": "train"}, "disjoint": False},
    }
    more = {"features": {"kind": "given", "n_dims": 13, "frame_shift": 10}, "scoring": {"trials_across": "session"}}
    return configured(path, corpus, more)


def written(path: Path, rows: Rows, corpus: Settings) -> Path:
    """A manifest and its configuration."""
    names = list(rows[0])
    lines = ["\t".join(("id", *names)), *("\t".join((str(n), *row.values())) for n, row in enumerate(rows))]
    path.with_suffix(".tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return configured(path, {"path": path.with_suffix(".tsv").name, "root": "/", **corpus}, {})


def configured(path: Path, corpus: Settings, more: Settings) -> Path:
    """A configuration of the preset."""
    plain = {"defaults": "verification", "corpus": {"kind": "manifest", "label": "speaker", **corpus}, **more}
    path.write_text(yaml.safe_dump(plain, sort_keys=False), encoding="utf-8")
    return path


if __name__ == "__main__":
    typer.run(main)
