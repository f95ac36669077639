"""Tables as tab-separated text."""

from collections.abc import Iterable, Sequence


def table(head: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """A header and rows, separated by tabs; what would break a cell (tab, line end) becomes a space.

    >>> table(("id", "n"), [("a\\tb", 1)])
    'id\\tn\\na b\\t1\\n'
    """
    return "".join("\t".join(cell(value) for value in row) + "\n" for row in (head, *rows))


def cell(value: object) -> str:
    """A value as one cell of a table."""
    return " ".join(str(value).split("\t")).replace("\r", " ").replace("\n", " ")
