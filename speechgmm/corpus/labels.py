"""Labels of a corpus of any kind: some merged, some ignored, classes of few items left out."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from speechgmm.corpus.spec import CorpusSpec
from speechgmm.corpus.utterance import BACKGROUND, Corpus, Utterance
from speechgmm.errors import DataError, first_few

_LISTED = 20  # classes that are named


def relabelled(corpus: Corpus, spec: CorpusSpec) -> Corpus:
    """The corpus with ``corpus.labels`` and ``corpus.min_items`` applied; what was left out is in its notes.

    Labels are merged first; those to ignore are the merged ones. The items of a class are counted in the split
    ``train`` where the corpus has one, else in all; splits of the background are neither counted nor left out.

    Raises:
        DataError: No item is left.
    """
    merge, ignore = spec.labels.merge or {}, frozenset(spec.labels.ignore)
    if not merge and not ignore and spec.min_items == 1:
        return corpus
    present = {_label(utterance, corpus.label) for utterance in corpus}
    notes: list[str] = []
    absent = [name for name in (*merge, *spec.labels.ignore) if name and name not in present | set(merge.values())]
    if absent:
        notes.append(f"corpus.labels: no item has the label {first_few([repr(name) for name in absent], _LISTED)}")
    merged = [_merged(utterance, corpus.label, merge) for utterance in corpus]
    kept = [one for one in merged if one.split in BACKGROUND or _label(one, corpus.label) not in ignore]
    if len(kept) < len(merged):
        notes.append(f"{len(merged) - len(kept)} items are left out (corpus.labels.ignore)")
    kept, few = _without_few(kept, corpus.label, spec.min_items)
    notes += [few] if few else []
    if not any(one.split not in BACKGROUND for one in kept):
        raise DataError(
            f"{corpus.root}: no item is left by corpus.labels.ignore and corpus.min_items; ignore fewer labels, or set "
            "min_items lower"
        )
    return replace(corpus, utterances=tuple(kept), notes=(*corpus.notes, *notes))


def _label(utterance: Utterance, column: str) -> str:
    return (utterance.labels or {}).get(column, "")


def _merged(utterance: Utterance, column: str, merge: dict[str, str]) -> Utterance:
    label = _label(utterance, column)
    if label not in merge:
        return utterance
    return replace(utterance, labels={**(utterance.labels or {}), column: merge[label]})


def _without_few(items: Sequence[Utterance], column: str, least: int) -> tuple[list[Utterance], str]:
    """The items of classes that have enough, and what to say of the others."""
    divided = any(one.split == "train" for one in items)
    counted = [one for one in items if one.split not in BACKGROUND]
    counts = Counter({_label(one, column): 0 for one in counted})
    counts.update(_label(one, column) for one in counted if one.split == "train" or not divided)
    few = {label: n for label, n in sorted(counts.items()) if n < least}
    if not few:
        return list(items), ""
    kept = [one for one in items if one.split in BACKGROUND or _label(one, column) not in few]
    where = " in the training part" if divided else ""
    counts_of = ", ".join(f"{label} ({n})" for label, n in list(few.items())[:_LISTED])
    more = f" and {len(few) - _LISTED} more" if len(few) > _LISTED else ""
    return kept, (
        f"{len(few)} of {len(counts)} classes have fewer than {least} items{where} and are left out "
        f"(corpus.min_items): {counts_of}{more}"
    )
