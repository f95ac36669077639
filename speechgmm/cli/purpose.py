"""What a corpus is for: the preset that is asked for, or the likeliest by its columns, class names and lengths."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from speechgmm.cli.survey import Survey
from speechgmm.config.presets import Preset, preset, preset_names
from speechgmm.corpus.layouts import Layout
from speechgmm.errors import DataError

NAMED: Final = 0.3
"""Share of the classes whose names must speak for a purpose."""

ELSE: Final = "; if it is another, say so with --for"

OF_ANY_CLASS: Final = ("label", "class", "category", "target", "name")
"""Columns that hold classes of whatever kind."""


@dataclass(frozen=True, slots=True)
class Purpose:
    """A preset, and why it was taken."""

    preset: Preset
    why: str


def purpose_of(layout: Layout) -> Purpose | None:
    """The purpose that the columns of the corpus say; None where they say none.

    Raises:
        DataError: They say several.
    """
    said = (layout.label,) if layout.label and layout.keys["kind"] != "folder" else layout.likely
    for made_for in said:
        for name in preset_names():
            if made_for in preset(name).columns:
                return Purpose(preset(name), f"its classes are {made_for}s")
    found: dict[str, str] = {}
    columns = [name.lower() for name in layout.columns]
    for name in preset_names():
        column = next((one for one in preset(name).columns if one in columns and one not in OF_ANY_CLASS), None)
        if column is not None:
            found.setdefault(column, name)
    # A speaker or a session beside another column is what recordings are grouped by.
    groups = {one for name in found.values() for one in preset(name).groups}
    questions = {column: name for column, name in found.items() if column not in groups} or found
    if len(questions) > 1 or (questions and any(one in columns for one in OF_ANY_CLASS)):
        others = [one for one in columns if one in OF_ANY_CLASS]
        listed = ", ".join([*questions, *others])
        raise DataError(
            f"{layout.corpus.root}: columns {listed}: several questions are possible; say which with --for "
            f"({', '.join(preset_names())})"
        )
    return next((Purpose(preset(name), f"a column {column!r}") for column, name in questions.items()), None)


def guess(found: Survey) -> Purpose:
    """The likeliest purpose by names of classes and lengths."""
    names = sorted(found.sizes())
    shares = {name: _share(names, preset(name)) for name in preset_names()}
    best = max(shares, key=lambda name: shares[name])
    if shares[best] >= NAMED:
        return Purpose(preset(best), f"a guess, by classes such as {_example(names, preset(best))!r}{ELSE}")
    short = [one for one in map(preset, preset_names()) if found.median <= one.most_seconds]
    if short:
        likeliest = min(short, key=lambda one: one.most_seconds)
        return Purpose(likeliest, f"a guess, by their median length of {found.median:.2f} s{ELSE}")
    first = preset(preset_names()[0])
    return Purpose(first, f"a guess: neither classes nor lengths say it{ELSE}")


def _share(names: list[str], one: Preset) -> float:
    return sum(1 for _ in _speaking(names, one)) / len(names)


def _example(names: list[str], one: Preset) -> str:
    return next(_speaking(names, one))


def _speaking(names: list[str], one: Preset) -> Iterator[str]:
    """Names of classes that speak for a purpose."""
    for name in names:
        words = re.split(r"[\W_]+", name.lower())
        if one.class_names.intersection(words) or re.fullmatch(one.class_pattern, name):
            yield name


def label_for(layout: Layout, purpose: Preset) -> str:
    """The column of the classes.

    Raises:
        DataError: The corpus has none that fits.
    """
    columns = {name.lower(): name for name in layout.columns}
    if layout.label is not None and layout.keys["kind"] in ("folder", "textgrid", "label_files"):
        return layout.label
    named = [columns[name] for name in (*purpose.columns, *OF_ANY_CLASS) if name in columns]
    if named:
        return named[0]
    raise DataError(
        f"{layout.corpus.root}: the columns are {', '.join(layout.columns) or 'none'}; for the purpose {purpose.name}, "
        f"one is expected that is called {', '.join((*purpose.columns, *OF_ANY_CLASS))}"
    )
