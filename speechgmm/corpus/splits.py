"""Dividing utterances into training and test, the same way on every machine.

In a split made here no recording is in both parts, and no group (a speaker, a session) is, where one is named. A split
that the corpus brings along is checked for this.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Final

from speechgmm.corpus.leaks import check_leaks
from speechgmm.corpus.spec import SplitSpec
from speechgmm.corpus.utterance import BACKGROUND, SPLITS, Corpus, Utterance
from speechgmm.errors import ConfigError, DataError, counted, first_few


@dataclass(frozen=True, slots=True)
class Fold:
    """One fold of a cross-validation.

    >>> "a1" in Fold("0", frozenset({"a1", "b1"})).test
    True
    """

    name: str  # its number from 1, or the value that is left out
    test: frozenset[str]  # ids of the utterances that are tested; the others train

    def apply(self, corpus: Corpus) -> Corpus:
        """The corpus with the splits of this fold; background utterances keep their split."""
        return replace(corpus, utterances=tuple(map(self._placed, corpus)))

    def _placed(self, utterance: Utterance) -> Utterance:
        split = "test" if utterance.id in self.test else "train"
        if utterance.split == split or utterance.split in BACKGROUND:
            return utterance
        return replace(utterance, split=split)


def make_split(
    corpus: Corpus,
    spec: SplitSpec,
    *,
    group: str | None = None,
    seed: int = 0,
    strangers: bool = False,
    classes: bool = True,
) -> tuple[Corpus, tuple[Fold, ...]]:
    """Put every utterance of a corpus into a split. Returns the corpus, and the folds of a cross-validation, if any.

    With folds, all utterances except background ones are in ``train``: the final models are trained on all of them.
    ``strangers`` allows test labels without training data (impostors in verification). ``classes`` False means that
    the labels are not classes to train, but transcripts, or speakers who are not in the training part. Recordings are
    then divided without regard to their labels, and a group that is the label itself stays in one part too.

    Raises:
        ConfigError: Neither ``spec.by`` nor ``group`` names the column to leave out, with ``split: leave-one-out``.
        DataError: Utterances have no split, with ``split: column``; a part is empty; a group or the same audio is in
            both parts; a class is in the test part and not in the training part.

    >>> from pathlib import Path
    >>> from speechgmm.corpus import CorpusSpec, read_corpus
    >>> corpus = read_corpus(CorpusSpec(kind="folder", root="birds"), path=None, root=Path("birds"))
    >>> divided, folds = make_split(corpus, SplitSpec(kind="fraction", test=0.2))
    >>> len(divided.split("train")), len(divided.split("test")), folds
    (24, 6, ())
    """
    _check_group(corpus, group)
    apart = group if spec.disjoint else None
    folds: tuple[Fold, ...] = ()
    if spec.kind == "fraction":
        corpus = split_by_fraction(corpus, spec.test, group=apart, seed=seed, classes=classes)
    elif spec.kind in ("kfold", "leave-one-out"):
        corpus, folds = _make_folds(corpus, spec, group, seed, classes)
    elif spec.kind == "all":
        trained_on = (one if one.split in BACKGROUND else replace(one, split="train") for one in corpus)
        corpus = replace(corpus, utterances=tuple(trained_on))
    _check_split(corpus, strangers, classes)
    check_leaks(corpus, apart, classes=classes)
    trained = {utterance.label(corpus.label) for utterance in corpus.split("train")}
    for fold in folds:
        divided = fold.apply(corpus)
        _check_split(divided, strangers, classes, f"fold {fold.name}: ")
        lost = sorted(trained - {utterance.label(corpus.label) for utterance in divided.split("train")})
        if lost and classes:
            raise DataError(
                f"fold {fold.name}: no training utterance is left of {first_few(lost, 20)}; take fewer folds, "
                f"or leave such classes out or merge them ({FEW_ITEMS})"
            )
        check_leaks(divided, apart, classes=classes)
    return corpus, folds


INNER_FOLDS: Final = 5

FEW_ITEMS: Final = "corpus.min_items, corpus.labels.merge, corpus.labels.ignore"
"""The settings for classes of few items."""


def inner_folds(
    corpus: Corpus, spec: SplitSpec, *, group: str | None = None, seed: int = 0, classes: bool = True
) -> tuple[Fold, ...]:
    """Folds of the training part alone, for choosing settings: made as the outer folds are, else 5 by group.

    Raises:
        DataError: The training part cannot be divided so.
    """
    training = replace(corpus, utterances=corpus.split("train"))
    if spec.kind == "leave-one-out":
        inner = spec
    else:
        apart = group if spec.disjoint else None
        units = {_unit(training, utterance, apart, classes) for utterance in training}
        if len(units) < 2:
            raise DataError(
                f"inner folds: the training part has {len(units)} recording or group; "
                "choosing needs two: give more recordings to the split train"
            )
        inner = SplitSpec(kind="kfold", folds=min(INNER_FOLDS, len(units)), disjoint=spec.disjoint)
    _, folds = _make_folds(training, inner, group, seed, classes)
    known = {utterance.label(corpus.label) for utterance in training}
    for fold in folds:
        lost = sorted(known - {u.label(corpus.label) for u in training if u.id not in fold.test})
        if lost and classes:
            raise DataError(
                f"inner fold {fold.name}: no training utterance is left of {first_few(lost, 20)}; a sweep needs every "
                f"class in two inner folds at least: leave such classes out or merge them ({FEW_ITEMS})"
            )
    return folds


def _check_group(corpus: Corpus, group: str | None) -> None:
    if group is None:
        return
    for utterance in corpus:
        if utterance.split != "ubm" and not (utterance.labels or {}).get(group):
            have = ", ".join(sorted(utterance.labels or {})) or "no columns"
            raise DataError(f"{utterance.source or utterance.id}: no {group!r} (corpus.group); it has {have}")


def _check_split(corpus: Corpus, strangers: bool, classes: bool, where: str = "") -> None:
    without = [utterance for utterance in corpus if not utterance.split]
    if without:
        raise DataError(
            f"{len(without)} of {len(corpus)} utterances have no split "
            f"(the first: {without[0].source or without[0].id}); "
            f"add a column 'split' ({', '.join(SPLITS)}), or set corpus.split: fraction"
        )
    trained = {utterance.label(corpus.label) for utterance in corpus.split("train")}
    if not trained:
        raise DataError(
            f"{where}no utterance is in the split 'train'; "
            "without one there is nothing to train on: put recordings into it, or set corpus.split: fraction"
        )
    if not classes:
        return
    if len(trained) < 2:
        raise DataError(
            f"{where}only one class to train: {corpus.label} {next(iter(trained))!r}; deciding needs two "
            "(is corpus.label the column you mean?)"
        )
    unknown = sorted({u.label(corpus.label) for u in corpus.split("test")} - trained)
    if unknown and not strangers:
        raise DataError(
            f"{where}{counted(len(unknown), 'test label is', 'test labels are')} never trained: "
            f"{first_few(unknown, 20)}; give every {corpus.label} recordings in the split 'train', or leave such "
            f"classes out or merge them ({FEW_ITEMS})"
        )


def _make_folds(
    corpus: Corpus, spec: SplitSpec, group: str | None, seed: int, classes: bool = True
) -> tuple[Corpus, tuple[Fold, ...]]:
    members = [utterance for utterance in corpus if utterance.split not in BACKGROUND]
    if spec.kind == "kfold":
        numbers = assign_folds(
            corpus, members, spec.folds, group=group if spec.disjoint else None, seed=seed, classes=classes
        )
        names = [str(number + 1) for number in numbers]
    else:
        by = spec.by or group
        if by is None:
            raise ConfigError(
                "corpus.split: leave-one-out needs the column to leave out: set corpus.split.by or corpus.group"
            )
        names = [utterance.label(by) for utterance in members]
    parts: dict[str, list[str]] = {}
    for utterance, name in zip(members, names, strict=True):
        parts.setdefault(name, []).append(utterance.id)
    if len(parts) < 2 or (spec.kind == "kfold" and len(parts) < spec.folds):
        wanted = f"{spec.folds} folds are asked for" if spec.kind == "kfold" else "2 folds at least are needed"
        raise DataError(
            f"corpus.split: {wanted}, and the recordings or groups make {len(parts)} (in a sweep: those of the "
            "training part of a fold, which is divided again to choose)"
        )
    if any(not name for name in parts):
        raise DataError(f"corpus.split.by: {spec.by!r} is empty for some utterances; give every utterance a value")
    folds = tuple(Fold(name, frozenset(ids)) for name, ids in sorted(parts.items()))
    whole = tuple(u if u.split in BACKGROUND else replace(u, split="train") for u in corpus)
    return replace(corpus, utterances=whole), folds


def split_by_fraction(
    corpus: Corpus, test: float, *, group: str | None = None, seed: int = 0, classes: bool = True
) -> Corpus:
    """A share of the recordings (or groups) of every class goes to ``test``, the rest to ``train``.

    The choice depends on the seed and on each unit's own name, not on the order or the number of the others.
    Utterances in ``ubm`` and ``cohort`` stay there.

    Raises:
        DataError: There is nothing to divide.
    """
    members = tuple(utterance for utterance in corpus if utterance.split not in BACKGROUND)
    chosen: set[str] = set()
    strata = _strata(corpus, members, group, seed, classes)
    for units in strata:
        if len(units) > 1:  # a class with one recording keeps it for training
            chosen.update(units[: min(max(1, round(test * len(units))), len(units) - 1)])
    if not chosen:
        raise DataError(
            f"corpus.split: fraction needs a class with two recordings or groups; {len(strata)} classes have one each"
        )

    def split(utterance: Utterance) -> str:
        if utterance.split in BACKGROUND:
            return utterance.split
        return "test" if _unit(corpus, utterance, group, classes) in chosen else "train"

    return replace(corpus, utterances=tuple(replace(utterance, split=split(utterance)) for utterance in corpus))


def assign_folds(
    corpus: Corpus,
    utterances: Sequence[Utterance],
    n_folds: int,
    *,
    group: str | None = None,
    seed: int = 0,
    classes: bool = True,
) -> list[int]:
    """The fold of each utterance, 0 to ``n_folds - 1``: recordings (or groups) of every class dealt out evenly."""
    dealt = {
        unit: n % n_folds for units in _strata(corpus, utterances, group, seed, classes) for n, unit in enumerate(units)
    }
    return [dealt[_unit(corpus, utterance, group, classes)] for utterance in utterances]


def _unit(corpus: Corpus, utterance: Utterance, group: str | None, classes: bool) -> str:
    """What stays together: the group, where one is named that is no class to be trained itself; else the recording."""
    if group and (group != corpus.label or not classes):
        return utterance.label(group)
    return utterance.recording or utterance.path.relative_to(corpus.root).as_posix()


def _strata(
    corpus: Corpus, utterances: Sequence[Utterance], group: str | None, seed: int, classes: bool
) -> list[list[str]]:
    """Units in a random order that is their own, class by class.

    Where units carry several classes (recordings cut into phones, speakers who say all words), or labels are no
    classes, they form one stratum.
    """
    labels: dict[str, set[str]] = {}
    for utterance in utterances:
        labels.setdefault(_unit(corpus, utterance, group, classes), set()).add(utterance.label(corpus.label))
    by_class = classes and all(len(found) == 1 for found in labels.values())
    strata: dict[str, list[str]] = {}
    for unit, found in labels.items():
        strata.setdefault(next(iter(found)) if by_class else "", []).append(unit)

    def rank(unit: str) -> bytes:
        return blake2b(f"{seed}\0{unit}".encode("utf-8", "surrogateescape")).digest()

    return [sorted(units, key=rank) for units in strata.values()]
