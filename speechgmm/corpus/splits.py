"""Dividing utterances into training and test, the same way on every machine.

A recording never stands on both sides; nor does a group (a speaker, a session) where one is named.
"""

from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b

from speechgmm.corpus.spec import SplitSpec
from speechgmm.corpus.utterance import SPLITS, Corpus, Utterance
from speechgmm.errors import DataError


def make_split(corpus: Corpus, spec: SplitSpec, *, group: str | None = None, seed: int = 0) -> Corpus:
    """The corpus with every utterance in a split.

    Raises:
        DataError: ``column`` where utterances carry no split; a division that leaves a side empty; a test label
            that is never trained.
    """
    if spec.kind == "fraction":
        corpus = split_by_fraction(corpus, spec.test, group=group, seed=seed)
    without = [utterance for utterance in corpus if not utterance.split]
    if without:
        raise DataError(
            f"{len(without)} of {len(corpus)} utterances have no split "
            f"(the first: {without[0].source or without[0].id}); "
            f"add a column 'split' ({', '.join(SPLITS)}), or set corpus.split: fraction"
        )
    trained = {utterance.label(corpus.label) for utterance in corpus.split("train")}
    if not trained:
        raise DataError("no utterance is in the split 'train'; without one there is nothing to train on")
    if len(trained) < 2:
        raise DataError(
            f"only one class to train: {corpus.label} {next(iter(trained))!r}; deciding needs two "
            "(is corpus.label the column you mean?)"
        )
    unknown = sorted({u.label(corpus.label) for u in corpus.split("test")} - trained)
    if unknown:
        raise DataError(
            f"{len(unknown)} test labels are never trained: "
            f"{', '.join(unknown[:20])}{' ...' if len(unknown) > 20 else ''}; "
            f"give every {corpus.label} recordings in the split 'train', or take its tests out"
        )
    return corpus


def split_by_fraction(corpus: Corpus, test: float, *, group: str | None = None, seed: int = 0) -> Corpus:
    """A share of the recordings (or groups) of every class goes to ``test``, the rest to ``train``.

    The choice hangs on the seed and on each unit's own name, not on the order or the number of the others.
    Utterances in ``ubm`` stay there.

    Raises:
        DataError: There is nothing to divide.
    """
    members = tuple(utterance for utterance in corpus if utterance.split != "ubm")
    chosen: set[str] = set()
    strata = _strata(corpus, members, group, seed)
    for units in strata:
        if len(units) > 1:  # a class with one recording keeps it for training
            chosen.update(units[: min(max(1, round(test * len(units))), len(units) - 1)])
    if not chosen:
        raise DataError(
            f"corpus.split: fraction needs a class with two recordings or groups; {len(strata)} classes have one each"
        )

    def split(utterance: Utterance) -> str:
        if utterance.split == "ubm":
            return "ubm"
        return "test" if _unit(corpus, utterance, group) in chosen else "train"

    return replace(corpus, utterances=tuple(replace(utterance, split=split(utterance)) for utterance in corpus))


def assign_folds(
    corpus: Corpus, utterances: Sequence[Utterance], n_folds: int, *, group: str | None = None, seed: int = 0
) -> list[int]:
    """The fold of each utterance, 0 to ``n_folds - 1``: recordings (or groups) of every class dealt out evenly."""
    dealt = {unit: n % n_folds for units in _strata(corpus, utterances, group, seed) for n, unit in enumerate(units)}
    return [dealt[_unit(corpus, utterance, group)] for utterance in utterances]


def _unit(corpus: Corpus, utterance: Utterance, group: str | None) -> str:
    """What stays together: the group where one is named that is not the class itself, else the recording."""
    if group and group != corpus.label:
        return utterance.label(group)
    return utterance.path.relative_to(corpus.root).as_posix()


def _strata(corpus: Corpus, utterances: Sequence[Utterance], group: str | None, seed: int) -> list[list[str]]:
    """Units in a random order that is their own, class by class.

    Where units carry several classes (recordings cut into phones, speakers who say all words) they form one stratum.
    """
    labels: dict[str, set[str]] = {}
    for utterance in utterances:
        labels.setdefault(_unit(corpus, utterance, group), set()).add(utterance.label(corpus.label))
    by_class = all(len(found) == 1 for found in labels.values())
    strata: dict[str, list[str]] = {}
    for unit, found in labels.items():
        strata.setdefault(next(iter(found)) if by_class else "", []).append(unit)

    def rank(unit: str) -> bytes:
        return blake2b(f"{seed}\0{unit}".encode("utf-8", "surrogateescape")).digest()

    return [sorted(units, key=rank) for units in strata.values()]
