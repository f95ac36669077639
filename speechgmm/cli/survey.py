"""A look at a corpus before anything is decided: how many recordings, how long, at which rates, which belong together.

Headers of a sample are read, however many recordings there are. Owns the counts, and the sentences about them.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from speechgmm.config.presets import Preset
from speechgmm.corpus import Corpus, Utterance
from speechgmm.corpus.layouts import Layout
from speechgmm.corpus.name_parts import NamePart, group_in_names
from speechgmm.corpus.readers.folder import below_class
from speechgmm.errors import DataError, counted, first_few
from speechgmm.io.decoders import Header, recording_header

LOOKED_AT: Final = 500
"""Recordings whose header is read."""

NAMES_LOOKED_AT: Final = 5000
"""Recordings whose names are looked at for groups."""

MOST_RATE: Final = 16000
"""Hz. From 16 kHz on, more of the spectrum made no preset better."""

FEW: Final = 3
"""Training recordings of a class below which its result says little."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What the sample says. Lengths are those of utterances, where these are parts of recordings."""

    corpus: Corpus
    n_looked_at: int
    rates: Counter[int]  # Hz -> recordings of the sample
    channels: Counter[int]
    slowest: tuple[str, ...]  # classes all of whose looked-at recordings have the lowest rate
    lengths: tuple[float, ...]  # s, sorted
    unreadable: tuple[str, ...]  # recordings of the sample that cannot be opened

    @property
    def median(self) -> float:
        """Median length in seconds."""
        return self.lengths[len(self.lengths) // 2]

    @property
    def seconds(self) -> float:
        """Length of all utterances, as far as the sample tells."""
        return sum(self.lengths) / len(self.lengths) * len(self.corpus)

    def sizes(self) -> Counter[str]:
        """Utterances of every class that train: those of ``train`` where there is such a split, else all."""
        training = self.corpus.split("train") or self.corpus.utterances
        return Counter(one.label(self.corpus.label) for one in training)


def survey(corpus: Corpus) -> Survey:
    """Read the headers of a sample.

    Raises:
        DataError: None of them can be opened.
    """
    sample = corpus.utterances[:: max(1, len(corpus) // LOOKED_AT)]
    headers: dict[object, Header] = {}
    lengths: list[float] = []
    of_class: dict[str, set[int]] = {}
    unreadable: dict[str, None] = {}
    for one in sample:
        try:
            if one.path not in headers:
                headers[one.path] = recording_header(one.path)
        except DataError:  # the run says why
            unreadable[one.path.name] = None
            continue
        header = headers[one.path]
        of_class.setdefault(one.label(corpus.label), set()).add(header.rate)
        end = header.seconds if one.end is None else one.end
        lengths.append(max(0.0, end - (one.start or 0.0)))
    if not headers:
        raise DataError(f"{corpus.root}: none of {len(sample)} recordings that were tried can be opened as audio")
    rates = Counter(header.rate for header in headers.values())
    slowest = tuple(sorted(label for label, found in of_class.items() if found == {min(rates)}))
    return Survey(
        corpus,
        len(headers),
        rates,
        Counter(header.channels for header in headers.values()),
        slowest if len(rates) > 1 and len(slowest) < len(of_class) else (),
        tuple(sorted(lengths)),
        tuple(unreadable),
    )


@dataclass(frozen=True, slots=True)
class Grouping:
    """What belongs together: a column that the corpus has, or a part of its file names."""

    column: str
    n_values: int
    part: NamePart | None = None

    def __str__(self) -> str:
        if self.part is None:
            return f"column {self.column!r}, {self.n_values} values"
        return f"{self.n_values} values in the file names, such as {self.part.value!r} in {self.part.example}"


def grouping(layout: Layout, corpus: Corpus, preset: Preset) -> Grouping | None:
    """The group that is proposed; None where nothing looks like one."""
    if layout.keys["kind"] == "folder":
        sample = corpus.utterances[:: max(1, len(corpus) // NAMES_LOOKED_AT)]
        names = [(one.label(corpus.label), below_class(one, corpus.root)) for one in sample]
        part = group_in_names(names, within_classes=preset.within_classes)
        if part is None or not all(re.match(part.pattern, below_class(one, corpus.root)) for one in corpus):
            return None
        return Grouping("group", part.n_values, part)
    by_name = {name.lower(): name for name in layout.columns if name != corpus.label}
    for name in preset.groups:
        values = {_value(one, by_name[name]) for one in corpus} if name in by_name else set()
        if len(values) > 1 and "" not in values:
            return Grouping(by_name[name], len(values))
    return None


def _value(utterance: Utterance, column: str) -> str:
    return (utterance.labels or {}).get(column, "")


def table(found: Survey, layout: Layout, group: Grouping | None) -> Iterator[tuple[str, str]]:
    """Name and value of what was found."""
    sizes = found.sizes()
    least, most = min(sizes.values()), max(sizes.values())
    splits = Counter(one.split for one in found.corpus if one.split)
    n_tried = found.n_looked_at + len(found.unreadable)
    about = "about " if n_tried < len(found.corpus.paths()) else ""
    yield "found", layout.what
    yield (
        "recordings",
        f"{len(found.corpus.paths())}"
        + (f" ({len(found.corpus)} items)" if len(found.corpus) > len(found.corpus.paths()) else ""),
    )
    if about:
        yield "looked at", f"{n_tried} of them, for rates, channels and lengths"
    each = f"{least} each" if least == most else f"{least} to {most} each"
    yield "classes", f"{len(sizes)} ({found.corpus.label}), {each}{' in training' if splits else ''}"
    if splits:
        yield "split", ", ".join(f"{name} {n}" for name, n in splits.items())
    yield "length", f"{about}{found.seconds / 60:.1f} minutes; median {found.median:.2f} s"
    yield "rates", ", ".join(f"{n} at {rate} Hz" for rate, n in found.rates.most_common())
    yield "channels", ", ".join(f"{n} with {channels}" for channels, n in found.channels.most_common())
    yield "groups", "none found" if group is None else str(group)


def wishes(
    found: Survey,
    group: Grouping | None,
    preset: Preset,
    rate: int,
    *,
    used: bool,
    kind: str = "",
    no_folds: str = "",
) -> Iterator[str]:
    """What limits the result, and what would make it better.

    Args:
        found: The corpus.
        group: What belongs together.
        preset: The purpose.
        rate: Hz that is taken.
        used: Whether a group stands on one side of the split.
        kind: How the corpus is found (``corpus.kind``): it says what may be done where no group is known.
        no_folds: Why a part of the corpus is the test, where every recording should be tested once.
    """
    if found.unreadable:
        n = counted(len(found.unreadable), "recording")
        yield (
            f"{n} cannot be opened as audio ({first_few(list(found.unreadable), 3)}), and the run stops there: mend "
            "or remove what `speechgmm check` lists, or set corpus.on_error: skip"
        )
    sizes = found.sizes()
    small = [label for label, n in sizes.items() if n < FEW]
    if small:
        some = ", ".join(small[:3]) + (" ..." if len(small) > 3 else "")
        yield (
            f"{len(small)} of {len(sizes)} classes have fewer than {FEW} training recordings ({some}): record more, "
            "leave them out (corpus.min_items) or merge them (corpus.labels.merge)"
        )
    if len(found.rates) > 1 and rate == min(found.rates) < MOST_RATE:
        whose = f" (all of {', '.join(found.slowest[:3])})" if found.slowest else ""
        yield (
            f"recordings at {min(found.rates)} Hz{whose}: the others are resampled to that, and what they hold above "
            f"{min(found.rates) / 2:.0f} Hz is lost; record these again, or leave them out"
        )
    if max(found.channels) > 1:
        yield "recordings with several channels: their mean is taken; corpus.channel takes one of them"
    if group is None:
        what = "session" if preset.within_classes else next(name for name in preset.groups if name != "fold")
        advice = f"write a manifest with a column {what!r}"
        if kind == "folder":
            advice += (
                ", or say which part of the file names it is (corpus.folder.group_from) and set corpus.group: group"
            )
            if what == "session":
                advice += " (of verification corpus.session: group)"
        elif kind in ("textgrid", "label_files") and what == "speaker":
            files = "TextGrids" if kind == "textgrid" else "label files"
            advice = f"put the recordings and {files} of each speaker into a folder named after the speaker"
        yield (
            f"no {what} is known: recordings of one {what} may be in training and in the test, and the result is then "
            f"better than it will be in use; {advice}"
        )
    elif not used:
        yield (
            f"groups ({group.column}) are in training and in the test: the result holds for groups seen in training; "
            "divide the recordings so that none is in both"
        )
    elif group.n_values < 10:
        wide = "wide, or there is none if the test has one group" if no_folds else "wide"
        yield f"{group.n_values} groups: the interval of the result is {wide}; record more"
    if no_folds:
        folds = "leave-one-out" if group is not None and used else "kfold"
        yield f"only a part is tested, for folds are refused: {no_folds}; then set corpus.split: {folds}"
