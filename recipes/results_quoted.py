"""Results that pages quote in tables, looked for in RESULTS.md."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

PAGES = ("README.md", "docs/**/*.md", "recipes/*.md")
NO_RESULT = re.compile(
    r"(hash|protocol|configuration|command|default|trials|targets|best|points lost)\b", re.IGNORECASE
)
"""Headings of columns that hold no results."""

OLD = re.compile("not run again|before the training of mixtures changed")
"""What the text above a table says of results that an earlier version gave."""

NUMBER = re.compile(r"(?<![\w.])[-+]?\d*\.?\d+(?![\w.]*\w)")
COUNT = re.compile(r"\b(\d+) of (\d+)\b(?!\.\d)")
UNIT = re.compile(r"\s*(s|ms|Hz|kHz|dB|minutes?|hours?|nats)\b")


def missing(root: Path, results: str, files: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Rows of tables that name a configuration or a recipe and quote numbers that it did not give.

    Parameters
    ----------
    root
        The repository.
    results
        RESULTS.md.
    files
        Job -> the configurations and recipes that it runs, as paths.
    """
    printed = by_job(results, files)
    jobs_of: dict[str, list[str]] = {path.name: [] for path in (root / "recipes").glob("*.py")}
    for job, used in files.items():
        for name in dict.fromkeys((job, *map(called, used))):
            jobs_of.setdefault(name, []).append(job)
    pages = (path for pattern in PAGES for path in sorted(root.glob(pattern)) if path.name != "RESULTS.md")
    for path in pages:
        for line, names, quoted in quoting(path.read_text(), set(jobs_of)):
            jobs = dict.fromkeys(job for name in names for job in jobs_of[name])
            there = numbers(" ".join(printed.get(job, "") for job in jobs))
            lacking = [text for text in quoted if not found(text, there)]
            if jobs and lacking:
                run = "" if any(job in printed for job in jobs) else " (not run)"
                yield f"{path.relative_to(root)}:{line}: {', '.join(names)}{run}: {', '.join(lacking)}"


def called(file: str) -> str:
    """How pages name a file: a recipe with its suffix, a configuration without.

    >>> called("recipes/diarization.py"), called("configs/diarization.yaml")
    ('diarization.py', 'diarization')
    """
    return Path(file).name.removesuffix(".yaml")


def by_job(results: str, files: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """What RESULTS.md has of each job: its row and what it printed."""
    found = {}
    for job in files:
        row = re.search(rf"^\| \[{job}\].*$", results, re.MULTILINE)
        printed = re.search(rf"^### {job}, printed\n```\n(.*?)^```$", results, re.MULTILINE | re.DOTALL)
        if row:
            found[job] = row[0] + "\n" + (printed[1] if printed else "")
    return found


def quoting(text: str, known: set[str]) -> Iterator[tuple[int, tuple[str, ...], list[str]]]:
    """Rows of tables with results: line, what they are about, and the numbers that they quote.

    A row that names nothing is about what the row above is about if its first cell is empty or begins with "the same";
    else it is about what the table's heading names, or else about the recipes that the section's text names, or else
    those of the page's beginning. Tables that the text above them calls old are left out.
    """
    table: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    beginning: tuple[str, ...] | None = None
    columns: list[str] = []
    section, above = "", ""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.startswith("|"):
            columns, above = [], above + " " + line
            if line.startswith("## "):
                beginning = recipes_in(section, known) if beginning is None else beginning
                section, above = "", ""
            section += " " + line
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not columns:
            columns, old, above = cells, bool(OLD.search(" ".join(above.split()))), ""
            names = table = named_in(line, known) or recipes_in(section, known) or beginning or ()
            continue
        names = named_in(line, known) or (names if re.match(r"(the same|$)", cells[0]) else table)
        values = [cell for column, cell in zip(columns[1:], cells[1:], strict=False) if not NO_RESULT.match(column)]
        if names and not old and (quoted := quotes(" ".join(values))):
            yield number, names, quoted


def named_in(line: str, known: set[str]) -> tuple[str, ...]:
    """Configurations, recipes and jobs that stand in a line as code."""
    return tuple(name for name in re.findall(r"`([\w.-]+)`", line) if name in known)


def recipes_in(text: str, known: set[str]) -> tuple[str, ...]:
    """Recipes that a text names by their paths."""
    return tuple(name for name in dict.fromkeys(re.findall(r"recipes/(\w+\.py)", text)) if name in known)


def quotes(text: str) -> list[str]:
    """Numbers of a text that are results: with a decimal point, and counts such as ``114 of 120`` as percentages.

    >>> quotes("114 of 120, EER 2.5 % by 2.0 s")
    ['95.0', '2.5']
    """
    counts = [f"{100 * int(n) / int(of):.1f}" for n, of in COUNT.findall(text) if int(n) <= int(of) != 0]
    return counts + [one[0] for one in NUMBER.finditer(text) if "." in one[0] and not UNIT.match(text, one.end())]


def numbers(text: str) -> list[float]:
    """Every number of a text, and counts as percentages."""
    counts = [100 * int(n) / int(of) for n, of in COUNT.findall(text) if int(of)]
    return [float(one[0]) for one in NUMBER.finditer(text)] + counts


def found(quoted: str, there: Sequence[float]) -> bool:
    """Whether a number is one of others, rounded; a share may be a percentage there, or the reverse.

    >>> found("2.5", [0.0251]), found(".931", [93.12]), found("2.5", [2.61])
    (True, True, False)
    """
    value, half = float(quoted), 0.5000001 * 10.0 ** -len(quoted.split(".")[1])
    return any(abs(value - scale * one) <= half for one in there for scale in (1.0, 100.0, 0.01))
