"""Annotation files of ELAN (``.eaf``): the annotations of each tier, with times.

An annotation has times of its own, or those of the annotation that it refers to. Annotations that divide another one
without times of their own share it in equal parts, as ELAN shows them; a time that is not set lies evenly between its
neighbours.

ELAN is read by expat of the standard library. A document type is refused: annotation files have none, and entities
that are declared in one can grow without bound.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from xml.parsers import expat

from speechgmm.errors import DataError
from speechgmm.io.label_files.reading import FileLabel, LabelList, Tier
from speechgmm.io.text_file import MOST_BYTES, check_regular

_DEEPEST: Final = 100
"""Annotations that refer to each other in a row; more are a circle."""


@dataclass(slots=True)
class _Annotation:
    """An annotation as it stands in the file."""

    slots: tuple[str, str] | None  # time slots; None: it refers to another annotation
    refers_to: str
    text: str = ""


@dataclass(slots=True)
class _Document:
    """What is read of a file: time slots in ms, and the annotations of each tier."""

    slots: dict[str, float | None] = field(default_factory=dict)
    tiers: list[tuple[str, str, list[str]]] = field(default_factory=list)  # name, participant, its annotations
    annotations: dict[str, _Annotation] = field(default_factory=dict)
    root: str = ""
    _current: _Annotation | None = None
    _in_value: bool = False

    def begin(self, name: str, given: dict[str, str]) -> None:
        """An element begins. Raises KeyError where it lacks an attribute, ValueError where a time is no number."""
        self.root = self.root or name
        if name == "TIME_SLOT":
            value = given.get("TIME_VALUE")
            self.slots[given["TIME_SLOT_ID"]] = None if value is None else float(int(value))
        elif name == "TIER":
            self.tiers.append((given["TIER_ID"], given.get("PARTICIPANT", ""), []))
        elif name in ("ALIGNABLE_ANNOTATION", "REF_ANNOTATION"):
            aligned = name == "ALIGNABLE_ANNOTATION"
            slots = (given["TIME_SLOT_REF1"], given["TIME_SLOT_REF2"]) if aligned else None
            self._current = _Annotation(slots, "" if aligned else given["ANNOTATION_REF"])
            self.annotations[given["ANNOTATION_ID"]] = self._current
            self.tiers[-1][2].append(given["ANNOTATION_ID"])
        self._in_value = name == "ANNOTATION_VALUE"

    def end(self, _: str) -> None:
        """An element ends."""
        self._in_value = False

    def text(self, data: str) -> None:
        """Text within an element."""
        if self._in_value and self._current is not None:
            self._current.text += data


def read(path: Path) -> list[Tier]:
    """The tiers of an annotation file that have annotations; a tier's participant is the speaker of its labels.

    Raises:
        DataError: The file cannot be read, is no annotation file or is damaged, has a document type; an annotation
            without times; an end before its start.
    """
    document = _parsed(path)
    spans = _Spans(document)
    found = []
    for name, participant, ids in document.tiers:
        labels = LabelList(str(path))
        for one in ids:
            try:
                start, end = (round(time / 1000, 6) for time in spans.of(one))
            except KeyError as error:
                raise DataError(
                    f"{path}: annotation {one!r} of tier {name!r} has no times: it refers to {error.args[0]!r}, which "
                    "has none, or is not there; is the file damaged?"
                ) from None
            text = " ".join(document.annotations[one].text.split())
            labels.add(f"tier {name!r}", FileLabel(text, start, end, speaker=participant))
        found.append(Tier(name, labels.done()))
    return found


class _Spans:
    """Start and end in ms of the annotations of a document."""

    def __init__(self, document: _Document) -> None:
        self._annotations = document.annotations
        self._times = _slot_times(document)
        self._places: dict[str, tuple[int, str]] = {}  # an annotation that refers -> its number among those that do so
        self._counts: dict[str, int] = {}  # tier and annotation that is referred to -> how many refer to it
        for name, _, ids in document.tiers:
            for one in ids:
                if document.annotations[one].slots is None:
                    key = f"{name}\0{document.annotations[one].refers_to}"
                    self._places[one] = (self._counts.get(key, 0), key)
                    self._counts[key] = self._counts.get(key, 0) + 1

    def of(self, one: str, depth: int = 0) -> tuple[float, float]:
        """Of an annotation. Raises KeyError with what has no times."""
        annotation = self._annotations[one]
        if annotation.slots is not None:
            first, last = annotation.slots
            return self._times[first], self._times[last]
        if depth > _DEEPEST:
            raise KeyError(one)
        start, end = self.of(annotation.refers_to, depth + 1)
        place, key = self._places[one]
        share = (end - start) / self._counts[key]
        return start + place * share, start + (place + 1) * share


def _parsed(path: Path) -> _Document:
    """The file's content. Raises DataError."""
    check_regular(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    if len(data) > MOST_BYTES:
        raise DataError(f"{path}: more than {MOST_BYTES} bytes; expected an annotation file of ELAN")
    document, parser = _Document(), expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = document.begin, document.end
    parser.CharacterDataHandler = document.text

    def refuse(*_: object) -> None:
        raise DataError(
            f"{path}: it has a document type (<!DOCTYPE>), which annotation files of ELAN do not have, and which can "
            "make a small file fill the memory; open it in ELAN and save it again"
        )

    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, LookupError, ValueError, OverflowError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise DataError(
            f"{path}: not a whole annotation file of ELAN ({reason}, near line {parser.CurrentLineNumber}); does ELAN "
            "open it?"
        ) from None
    if document.root != "ANNOTATION_DOCUMENT":
        raise DataError(f"{path}: XML that begins with <{document.root[:40]}>; expected ELAN's <ANNOTATION_DOCUMENT>")
    return document


def _slot_times(document: _Document) -> dict[str, float]:
    """Time slot -> ms; slots without a time divide what lies between those that have one, along their tier, evenly."""
    times = {name: value for name, value in document.slots.items() if value is not None}
    for _, _, ids in document.tiers:
        pairs = [slots for one in ids if (slots := document.annotations[one].slots) is not None]
        after = dict(pairs)
        endless: set[str] = set()  # slots after which none has a time
        for first, slot in pairs:
            if first not in times or slot in times or slot in endless:
                continue
            waiting = [slot]
            while (slot := after.get(waiting[-1], "")) and len(waiting) <= len(pairs):
                if slot in times or slot in endless:
                    break
                waiting.append(slot)
            if slot not in times:
                endless.update(waiting)
                continue
            step = (times[slot] - times[first]) / (len(waiting) + 1)
            times |= {name: times[first] + (n + 1) * step for n, name in enumerate(waiting)}
    return times
