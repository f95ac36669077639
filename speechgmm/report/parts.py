"""What a page is made of: tables, pictures and sections, ready to be shown."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from speechgmm.report.svg import to_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes


MOST_ROWS: Final = 1000
"""Rows of a table on the page: with more it takes seconds to open."""

FILLS_FROM: Final = 920.0
"""Points from which on a picture takes the whole width of a page: beside text its labels would be too small."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text; the first column names the row."""

    caption: str
    head: tuple[str, ...]  # with units
    rows: tuple[tuple[str, ...], ...]
    numeric: frozenset[int]  # columns that stand to the right
    folded: bool = True  # shown when asked for

    @classmethod
    def of(
        cls, caption: str, head: Sequence[str], rows: Iterable[Sequence[object]], *, text: int = 1, folded: bool = True
    ) -> "Table":
        """A table whose first ``text`` columns are words and the rest numbers."""
        cells = tuple(tuple(str(value) for value in row) for row in rows)
        return cls(caption, tuple(head), cells, frozenset(range(text, len(head))), folded)

    def short(self) -> "Table":
        """The table with the rows that the page shows: the first ``MOST_ROWS``; the caption says so."""
        if len(self.rows) <= MOST_ROWS:
            return self
        caption = f"{self.caption}; the first {MOST_ROWS} of {len(self.rows)} rows"
        return replace(self, caption=caption, rows=self.rows[:MOST_ROWS])


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure with the numbers it shows."""

    svg: str  # an element, escaped already
    caption: str
    table: Table | None
    wide: bool = False  # scrolls within itself on a small screen instead of shrinking
    title: str = ""  # a heading above it
    width: float = 0.0  # points

    @classmethod
    def of(
        cls,
        axes: "Axes",
        name: str,
        *,
        alt: str,
        caption: str,
        table: Table | None,
        wide: bool = False,
        title: str = "",
    ) -> "Picture":
        """The figure of axes for the page; ``name`` is its own there."""
        figure = axes.figure.figure
        return cls(to_svg(figure, alt, f"{name}-"), caption, table, wide, title, 72 * figure.get_figwidth())


@dataclass(frozen=True, slots=True)
class Clip:
    """A recording, or the part around an utterance, to be heard and seen."""

    title: str
    about: tuple[tuple[str, str], ...]  # what, value
    picture: Picture | None = None
    audio: str = ""  # data URI
    missing: str = ""  # why there is nothing to hear


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands below it, in this order."""

    name: str  # of the link
    title: str
    text: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    pictures: tuple[Picture, ...] = ()
    clips: tuple[Clip, ...] = ()
    code: tuple[tuple[str, str], ...] = ()  # caption, text
    hints: tuple[str, ...] = ()  # what limits a result
    facts: tuple[tuple[str, str], ...] = ()  # name, value
    left_out: tuple[str, ...] = ()  # what the page does not show because it is too large

    def short(self) -> "Section":
        """The section with tables of at most ``MOST_ROWS`` rows, and with sentences on what is left out."""
        tables = (*self.tables, *(picture.table for picture in self.pictures if picture.table is not None))
        cut = [table for table in tables if len(table.rows) > MOST_ROWS]
        left = tuple(f"{len(table.rows) - MOST_ROWS} of {len(table.rows)} rows of {table.caption!r}" for table in cut)
        pictures = tuple(replace(one, table=one.table and one.table.short()) for one in self.pictures)
        return replace(
            self,
            text=(*self.text, *(f"This page leaves out {what}." for what in (*self.left_out, *left))),
            tables=tuple(table.short() for table in self.tables),
            pictures=pictures,
            left_out=self.left_out + left,
        )

    @property
    def layout(self) -> str:
        """Where text and tables stand if there is room: beside the first picture, beside a wide one, or above all."""
        n_narrow = sum(not picture.wide for picture in self.pictures) + len(self.code)
        if n_narrow % 2 == 1:
            return "beside"
        open_tables = [table for table in self.tables if not table.folded]
        narrow_tables = open_tables and all(len(table.head) < 5 for table in open_tables)
        fits = len(self.pictures) == 1 and self.pictures[0].width < FILLS_FROM
        return "column" if narrow_tables and fits else "above"


def percent(share: float, digits: int = 1) -> str:
    """A share in percent, or a dash where there is none.

    >>> percent(0.953), percent(float("nan"))
    ('95.3', '–')
    """
    return "–" if share != share else f"{100 * share:.{digits}f}"


def shown(value: float | None, unit: str) -> str:
    """A metric or a bound of it, with its unit.

    >>> shown(0.1234, "fraction"), shown(0.5, "bits"), shown(None, "bits")
    ('12.3 %', '0.500 bits', '–')
    """
    if value is None:
        return "–"
    if unit == "fraction":
        return f"{percent(value)} %"
    return f"{value:.3f}" + (" bits" if unit == "bits" else "")
