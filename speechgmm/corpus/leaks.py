"""Leaks: groups and audio that are in two parts of a split and must not be. Opens no file.

The sides are training (``train`` and ``ubm``, which trains the background model), ``dev``, ``test`` and ``cohort``.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping
from pathlib import Path
from typing import Final

from speechgmm.corpus.listing import listed
from speechgmm.corpus.utterance import Corpus, Utterance
from speechgmm.errors import DataError

SIDES: Final = {"train": "training", "ubm": "training", "dev": "dev", "test": "test", "cohort": "cohort"}


def check_leaks(corpus: Corpus, group: str | None = None, *, classes: bool = True) -> None:
    """Refuse a split in which training and test, or another part, share a group or a stretch of audio.

    Two things count as a leak. A group, such as a speaker or a session, has utterances in more than one part. Or
    utterances in different parts come from the same file and overlap in time; segments of one file that do not overlap
    are allowed. No file is opened, so copies of a recording under another name are not found (`same_audio` finds them).
    If the group is the label, as in speaker identification, every speaker must be in training and in test, so that only
    the audio is checked.

    Args:
        corpus: A corpus with a split.
        group: The column whose values must each stay within one part (``corpus.group``). None: only audio is checked.
        classes: Whether the labels are classes that are trained. False (clustering, diarization: speakers of the test
            should be new): the group is checked even if it is the label.

    Raises:
        DataError: There is a leak; all groups or utterances with a leak are named.

    >>> from speechgmm.corpus import Utterance
    >>> both = [Utterance(id, Path("a.wav"), labels={"speaker": "anna"}, split=id) for id in ("train", "test")]
    >>> check_leaks(Corpus(tuple(both), label="speaker", root=Path(".")))
    Traceback (most recent call last):
    speechgmm.errors.DataError: ...
    """
    if group and (group != corpus.label or not classes):
        sides: dict[str, dict[str, Utterance]] = defaultdict(dict)
        for utterance in corpus:
            background = utterance.split == "ubm" and not (utterance.labels or {}).get(group)
            if (side := SIDES.get(utterance.split)) and not background:
                sides[utterance.label(group)].setdefault(side, utterance)
        problems = [
            f"{group} {name!r}: " + ", ".join(f"{side} ({one.source or one.id})" for side, one in found.items())
            for name, found in sides.items()
            if len(found) > 1
        ]
        if problems:
            raise DataError(
                f"{len(problems)} of {len(sides)} values of {group!r} (corpus.group) are in more than one part of "
                f"the split:\n{listed(problems)}\nchange the split; or set corpus.split.disjoint: false, if they may "
                "be in several parts: the group then serves for intervals only"
            )
    problems = [
        f"{one.id} ({one.split}) and {other.id} ({other.split}): {_times(one)} and {_times(other)} of {one.path}"
        for one, other in _shared(corpus, lambda utterance: utterance.path)
    ]
    if problems:
        raise DataError(
            f"the same audio is in more than one part of the split:\n{listed(problems)}\n"
            "keep each recording, or each segment of it, in one part"
        )


def same_audio(hash_by_path: Mapping[Path, str], corpus: Corpus) -> list[str]:
    """Find recordings with identical audio under different names in different parts of the split.

    Args:
        hash_by_path: The hash of the audio of each recording, by its path; recordings without a hash are not checked.
        corpus: A corpus with a split.

    Returns:
        A sentence for each pair of files; an empty list where there is no such pair. Utterances of the two files that
        do not overlap in time are no leak.

    >>> from speechgmm.corpus import Corpus, Utterance
    >>> a, b = Path("c/a.wav"), Path("c/b.wav")
    >>> one = Utterance("a", a, split="train")
    >>> same_audio({a: "5f", b: "5f"}, Corpus((one, Utterance("b", b, split="test")), "word", Path("c")))
    ['a.wav (a, train) and b.wav (b, test) are the same recording']
    """
    place = corpus.place_of
    pairs: dict[frozenset[Path], str] = {}
    for one, other in _shared(corpus, lambda utterance: hash_by_path.get(utterance.path)):
        if one.path != other.path:  # else check_leaks says so
            pairs.setdefault(
                frozenset((one.path, other.path)),
                f"{place(one.path)} ({one.id}, {one.split}) and {place(other.path)} ({other.id}, {other.split}) "
                "are the same recording",
            )
    return list(pairs.values())


def _shared(corpus: Corpus, content: Callable[[Utterance], Hashable | None]) -> Iterator[tuple[Utterance, Utterance]]:
    """Pairs of utterances with the same content, on two sides, whose times overlap: for each, one that shows it.

    A sweep by start time: of each (side, file) only the utterance that ends last can reach the next one.
    """
    by_content: dict[Hashable, list[Utterance]] = defaultdict(list)
    for utterance in corpus:
        if utterance.split in SIDES and (key := content(utterance)) is not None:
            by_content[key].append(utterance)
    for members in by_content.values():
        if len({SIDES[utterance.split] for utterance in members}) < 2:
            continue
        latest: dict[tuple[str, Path], Utterance] = {}
        for utterance in sorted(members, key=lambda one: one.start or 0.0):
            side = SIDES[utterance.split]
            for (other_side, _), other in latest.items():
                if other_side != side and _end(other) > (utterance.start or 0.0):
                    yield other, utterance
            previous = latest.get((side, utterance.path))
            if previous is None or _end(previous) < _end(utterance):
                latest[side, utterance.path] = utterance


def _end(utterance: Utterance) -> float:
    return math.inf if utterance.end is None else utterance.end


def _times(utterance: Utterance) -> str:
    if utterance.start is None and utterance.end is None:
        return "the whole"
    end = "the end" if utterance.end is None else f"{utterance.end:g} s"
    return f"{utterance.start or 0:g} s to {end}"
