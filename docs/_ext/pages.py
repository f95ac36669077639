"""Pages that stand elsewhere in the repository are shown in the site, and their links lead to where they lead there."""

import os
import re
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parents[1]
REPOSITORY = DOCS.parent

SHOWN_AS = {
    "recipes/README.md": "results/recipes.md",
    "recipes/presets.md": "results/presets.md",
    "recipes/features.md": "results/features.md",
    "recipes/RESULTS.md": "results/last-run.md",
    "benchmarks/README.md": "results/benchmarks.md",
    "benchmarks/RESULTS.md": "results/speed.md",
    "ARCHITECTURE.md": "project/architecture.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security.md",
    "CODE_OF_CONDUCT.md": "project/conduct.md",
    "CHANGELOG.md": "project/changelog.md",
}
"""File of the repository -> page of the site that includes it."""

_LINK = re.compile(r'(?P<before>\[(?P<label>[^\]]*)\]\(|<img src=")(?P<target>[^)\s"#]+)(?P<after>(?:#[^)\s"]*)?["\)])')


def site_links(text: str, file: Path) -> str:
    """The Markdown of a file of the repository, with its relative links as the site has them.

    Parameters
    ----------
    text
        The Markdown.
    file
        Where it stands: its links start from there.

    Returns
    -------
    The text with a path from the site's root in each link to another file of the repository. A link that leads to no
    file is left as it is, so that Sphinx warns of it.
    """

    def site_link(found: re.Match[str]) -> str:
        target = found["target"]
        if re.match(r"[a-z]+:|/", target):
            return found[0]
        path = Path(os.path.normpath(file.parent / target))
        if not path.exists() or not path.is_relative_to(REPOSITORY):
            return found[0]
        inside = path.relative_to(REPOSITORY).as_posix()
        if path.is_dir():
            inside += "/README.md"
        page = SHOWN_AS.get(inside)
        place = page or os.path.relpath(REPOSITORY / inside, DOCS)
        if re.fullmatch(r"[\w./-]+\.md", found["label"] or ""):  # a path as label: the site shows the page's title
            return f"[](/{place}{found['after']}"
        return f"{found['before']}/{place}{found['after']}"

    return _LINK.sub(site_link, text)


def _read(app: Any, docname: str, source: list[str]) -> None:
    path = Path(app.env.doc2path(docname))
    if path.suffix == ".md":
        source[0] = site_links(source[0], path)


def _included(_app: Any, relative_path: Path, _docname: str, source: list[str]) -> None:
    path = Path(os.path.normpath(DOCS / relative_path))
    if path.suffix == ".md":
        source[0] = site_links(source[0], path)


def setup(app: Any) -> dict[str, Any]:
    """Join Sphinx."""
    app.connect("source-read", _read)
    app.connect("include-read", _included)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
