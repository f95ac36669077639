"""What in a corpus ruins a model though every recording can be used: looked for in what extraction has measured.

Each check gives warnings that say what it means for the results. Thresholds leave recordings of well-known corpora
alone (TIMIT, LibriSpeech, Speech Commands, FSDD) unless it is so of them. Opens no file.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from speechgmm.corpus import Corpus, Utterance
from speechgmm.corpus.listing import listed
from speechgmm.engine.frames import Piece
from speechgmm.engine.job import Job
from speechgmm.engine.recordings import NARROW
from speechgmm.errors import counted
from speechgmm.features import front_end
from speechgmm.features.silence import Silence, not_silent
from speechgmm.io.audio import CLIPPED_SHARE
from speechgmm.io.feature_store import Entry

SILENT_MORE: Final = 0.1
"""Share of digital silence that a class has more than another, from which on it is said."""

SILENT_MORE_OF_FEW: Final = 0.25
"""The same for a class of fewer than `FEW` recordings; one of LibriSpeech's has 22 %."""

SOME: Final = 0.1
"""Share of recordings from which on something is said of a corpus; of Speech Commands 3 % are narrow by nature."""

LOUDER: Final = 25.0
"""dB between the median level of a class and that of the others; those of FSDD's speakers lie up to 20 dB apart."""

OFFSET: Final = 0.02
"""Mean of the samples, in [-1, 1], that is an offset, where it is `OFFSET_SHARE` of their standard deviation too."""

OFFSET_SHARE: Final = 0.3

CLIPPED_MORE: Final = 0.5
"""Share of clipped recordings that a class has more than another, from which on it is said."""

FEW: Final = 3
"""Recordings of a class below which nothing is said of its clipping and level."""

NAMED: Final = 5
"""Classes that a warning names."""


@dataclass(frozen=True, slots=True)
class _Item:
    """An utterance with all that is known of its recording."""

    label: str
    utterance: Utterance
    piece: Piece
    entry: Entry


def data_warnings(job: Job, corpus: Corpus, pieces: Sequence[Piece], entries: Mapping[Path, Entry]) -> Iterator[str]:
    """What a person should know of these utterances before believing results, one sentence or two each.

    Nothing is said by class of labels that are transcripts, and of recordings without a label (which a diarizer is
    tested on).
    """
    column = corpus.label if job.task.has_classes(job) else ""
    items = [
        _Item((utterance.labels or {}).get(column, ""), utterance, piece, entries[utterance.path])
        for utterance, piece in zip(corpus, pieces, strict=True)
        if utterance.split != "ubm"
    ]
    by_class: dict[str, dict[Path, Entry]] = defaultdict(dict)
    for item in items:
        by_class[item.label][item.utterance.path] = item.entry
    labelled = [item for item in items if item.label]
    classes = {label: found for label, found in by_class.items() if label}
    yield from _alike_labels(labelled)
    yield from _two_labels(labelled, corpus.place_of)
    yield from _digital_silence(labelled, classes, job.task.silence(corpus))
    yield from _clipping(classes)
    yield from _levels(classes)
    yield from _offsets(by_class, front_end(job.audio.features, job.audio.sample_rate).remove_mean)
    yield from _bands(by_class, job.audio.sample_rate)


def training_band(corpus: Corpus, entries: Mapping[Path, Entry], sample_rate: int) -> float | None:
    """Hz that half of the training recordings reach; None: the whole band, or nearly so."""
    bands = [entries[path].measured.band for path in {u.path for u in corpus if u.split in ("train", "ubm")}]
    median = float(np.median(bands)) if bands else sample_rate / 2
    return median if median < NARROW * sample_rate / 2 else None


def folded(label: str, *, cases: bool = True) -> str:
    """A label without what two spellings of one name differ by: composition, width, spaces, case, the form of a number.

    >>> folded("Zoe\\u0308") == folded("zo\\u00eb "), folded("01"), folded("1.0"), folded("S", cases=False)
    (True, '1', '1', 'S')
    """
    text = " ".join(unicodedata.normalize("NFKC", label).split())
    if cases:
        text = unicodedata.normalize("NFKC", text.casefold())
    number = _NUMBER.fullmatch(text)
    return text if number is None else number[1] + (f".{number[2]}" if number[2] else "")


_NUMBER: Final = re.compile(r"\+?0*([0-9]+)(?:\.([0-9]*?)0*)?")
"""A number, with what decides it: digits before the point without leading zeros, behind it without trailing ones."""


def _alike_labels(items: Sequence[_Item]) -> Iterator[str]:
    # Phonetic alphabets tell sounds apart by case: S and s in SAMPA. Labels of parts of recordings are such.
    cases = all(item.utterance.start is None and item.utterance.end is None for item in items)
    spellings: dict[str, set[str]] = defaultdict(set)
    for item in items:
        spellings[folded(item.label, cases=cases)].add(item.label)
    alike = [sorted(found) for _, found in sorted(spellings.items()) if len(found) > 1]
    if alike:
        named = "; ".join(" and ".join(map(ascii, found)) for found in alike[:NAMED])
        more = f"; and {len(alike) - NAMED} more" if len(alike) > NAMED else ""
        yield (
            f"classes whose names differ in spelling alone: {named}{more}. They are trained as different classes; if "
            "they are the same one, give them one spelling"
        )


def _two_labels(items: Sequence[_Item], place_of: Callable[[Path], str]) -> Iterator[str]:
    """The same audio under two labels, by the hash of its bytes and the frames taken."""
    owners: dict[tuple[str, int, int], dict[str, _Item]] = defaultdict(dict)
    for item in items:
        owners[item.piece.key, item.piece.first, item.piece.stop].setdefault(item.label, item)
    shared = [list(found.values()) for found in owners.values() if len(found) > 1]
    if shared:
        lines = [
            " and ".join(f"{place_of(item.utterance.path)} (class {item.label!r})" for item in found)
            for found in shared
        ]
        yield (
            f"{counted(len(shared), 'recording is', 'recordings are')} the same, byte for byte, under different "
            f"labels, at least one of them wrong:\n{listed(lines)}\nremove or relabel them: models are trained on "
            "both, and a test that holds one counts a right answer as an error"
        )


_OF_SILENCE: Final = {
    Silence.KEPT: "cut it off, or add as much to the others",
    Silence.DROPPED: (
        "such frames are left out of training and scoring; set features.vad or cut it: its edges and what is nearly "
        "silent remain"
    ),
    Silence.DROPPED_WITH_EDGES: (
        "such frames and those beside them are left out of training and scoring; cut what is nearly silent: it remains"
    ),
}
"""What becomes of digital silence that tells the class, and what to do."""


def _digital_silence(
    items: Sequence[_Item], by_class: Mapping[str, Mapping[Path, Entry]], rule: Silence
) -> Iterator[str]:
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for item in items:
        first, stop, silent = item.piece.first, item.piece.stop, item.entry.measured.silent
        counts[item.label][0] += int(np.count_nonzero(~not_silent(silent, first, stop))) if silent else 0
        counts[item.label][1] += stop - first
    shares = {label: silent / max(1, total) for label, (silent, total) in counts.items()}
    for label, share in shares.items():
        if len(by_class[label]) < FEW and share < SILENT_MORE_OF_FEW:
            shares[label] = 0.0
    for high, low in _apart(shares, SILENT_MORE):
        what = _OF_SILENCE[rule]
        yield (
            f"{_percents(high, 'of the frames of class')} are digital silence (all samples equal), "
            f"of class {low[0]!r} {_percent(low[1])}: the class is told by its padding; {what}"
        )


def _clipping(by_class: Mapping[str, Mapping[Path, Entry]]) -> Iterator[str]:
    shares = {
        label: float(np.mean([entry.clipped >= CLIPPED_SHARE for entry in found.values()]))
        for label, found in by_class.items()
        if len(found) >= FEW
    }
    for high, low in _apart(shares, CLIPPED_MORE):
        yield (
            f"{_percents(high, 'of the recordings of class')} are clipped, of class {low[0]!r} {_percent(low[1])}: the "
            "class is told by the distortion; record it again at a lower gain, or expect worse results on others"
        )


def _levels(by_class: Mapping[str, Mapping[Path, Entry]]) -> Iterator[str]:
    medians = {
        label: float(np.median([entry.measured.level for entry in found.values()]))
        for label, found in by_class.items()
        if len(found) >= FEW
    }
    if len(medians) < 2:
        return
    unusual = []
    for label, level in medians.items():
        others = float(np.median([value for other, value in medians.items() if other != label]))
        if abs(level - others) >= LOUDER:
            unusual.append(f"class {label!r} {level:.0f} dB (others {others:.0f} dB)")
    if unusual:
        yield (
            f"levels differ strongly by class (RMS re full scale): {', '.join(unusual[:NAMED])}: the class is told by "
            "its level where features hold it (c0, energy); set features.cmvn, or c0: drop, or record all alike"
        )


def _offsets(by_class: Mapping[str, Mapping[Path, Entry]], removed: bool) -> Iterator[str]:
    found = {
        label: [
            abs(entry.measured.offset) >= max(OFFSET, OFFSET_SHARE * 10 ** (entry.measured.level / 20))
            for entry in entries.values()
        ]
        for label, entries in by_class.items()
    }
    shares = {label: float(np.mean(values)) for label, values in found.items() if sum(values) >= FEW}
    n, n_all = sum(map(sum, found.values())), sum(map(len, found.values()))
    large = {label: share for label, share in shares.items() if share >= 2 * SOME}
    if n < FEW or (n < SOME * n_all and not large):
        return
    worst = max((abs(e.measured.offset), path.name) for entries in by_class.values() for path, e in entries.items())
    named = "".join(f", {_percent(share)} of class {label!r}" for label, share in list(large.items())[:NAMED] if label)
    effect = (
        "the features take the mean off every frame, so that it does not count; what else the device does will"
        if removed
        else "the lowest bands and the energy hold it; take it off by a high-pass filter, or use preset: kaldi"
    )
    yield (
        f"{counted(n, 'recording has', 'recordings have')} a DC offset{named}; the largest is {worst[0]:.2f} of full "
        f"scale ({worst[1]}): {effect}"
    )


def _bands(by_class: Mapping[str, Mapping[Path, Entry]], sample_rate: int) -> Iterator[str]:
    """Recordings brought up from a lower rate, here or before."""
    entries = {path: entry for found in by_class.values() for path, entry in found.items()}
    limit = NARROW * sample_rate / 2
    narrow = {path: entry.measured for path, entry in entries.items() if entry.measured.band < limit}
    raised = sum(1 for one in narrow.values() if one.rate < sample_rate)
    if not narrow or (raised == 0 and len(narrow) < max(2, SOME * len(entries))):
        return
    band = float(np.median([one.rate / 2 if one.rate < sample_rate else one.band for one in narrow.values()]))
    lower = min((rate for rate in (8000, 11025, 16000, 22050, 24000, 32000) if rate / 2 >= 0.9 * band), default=8000)
    remedy = f"set corpus.sample_rate: {lower} and resample: true, so that all are alike"
    above = f"nothing above {round(band, -2) / 1000:g} kHz"
    if len(narrow) == len(entries):
        yield (
            f"all recordings hold {above}, though features are made for {sample_rate} Hz: they were brought up from a "
            f"lower rate, and the bands above hold rounding noise alone; set corpus.sample_rate: {lower}"
        )
        return
    shares = {label: sum(path in narrow for path in found) / len(found) for label, found in by_class.items() if label}
    parts = "".join(
        f"; {_percents(high, 'of class')}, {_percent(low[1])} of class {low[0]!r}" for high, low in _apart(shares, SOME)
    )
    how = f"{raised} brought up to {sample_rate} Hz here" if raised else "brought up from a lower rate before?"
    yield (
        f"{len(narrow)} of {len(entries)} recordings hold {above} ({how}), the others reach "
        f"{sample_rate / 2000:g} kHz{parts}: classes are told by what their recorders left out, and a model of one "
        f"kind decides wrongly, and surely, about the other; {remedy}"
    )


def _apart(shares: Mapping[str, float], least: float) -> Iterator[tuple[list[tuple[str, float]], tuple[str, float]]]:
    """The classes whose share is higher than the lowest by so much, and the lowest; nothing where there are none."""
    if not shares:
        return
    low = min(shares.items(), key=lambda pair: pair[1])
    high = sorted((pair for pair in shares.items() if pair[1] >= low[1] + least), key=lambda pair: -pair[1])
    if high:
        yield high, low


def _percents(found: Sequence[tuple[str, float]], of: str) -> str:
    """53 % of the frames of class 'a', 20 % of class 'b'."""
    (label, share), *rest = found
    more = "".join(f", {_percent(value)} of class {name!r}" for name, value in rest[: NAMED - 1])
    left = f" and of {len(rest) - NAMED + 1} more classes" if len(rest) >= NAMED else ""
    return f"{_percent(share)} {of} {label!r}{more}{left}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.005 else "none"
