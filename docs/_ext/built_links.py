"""Check the built site: every link inside it leads to a page and an anchor, and no page fetches from elsewhere.

    python docs/_ext/built_links.py FOLDER_OF_THE_SITE

Links to other sites are counted and not requested: the check needs no network.
"""

import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

FETCHED = {"script": "src", "img": "src", "iframe": "src", "audio": "src", "source": "src", "link": "href"}


class Page(HTMLParser):
    """What a page of the site names: its anchors, its links, and what it fetches."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the anchors and links of a tag."""
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        if tag == "a" and values.get("href"):
            self.links.append(values["href"])
        elif tag in FETCHED and values.get(FETCHED[tag]) and values.get("rel") != "canonical":
            self.fetched.append(values[FETCHED[tag]])


def html_pages(site: Path) -> list[Path]:
    """The pages of a built site, without the templates among its static files."""
    return [path for path in sorted(site.rglob("*.html")) if "_static" not in path.parts]


def problems(site: Path) -> Iterator[str]:
    """What is wrong in a built site: one line for each broken link and each request to another host."""
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in html_pages(site)}
    for path, page in pages.items():
        here = path.relative_to(site)
        for target in page.fetched:
            if urlsplit(target).netloc:
                yield f"{here} fetches {target}"
        for target in [*page.links, *page.fetched]:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            place = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not place.exists():
                yield f"{here} links to {target}: no such file"
            elif parts.fragment and place in pages and unquote(parts.fragment) not in pages[place].anchors:
                yield f"{here} links to {target}: no such anchor"


def main(site: Path) -> int:
    """Print the problems of a site and how much was checked; 1 if there is a problem."""
    site = site.resolve()
    found = list(problems(site))
    print(*found, sep="\n", end="\n" if found else "")
    print(f"{len(html_pages(site))} pages, {len(found)} broken links")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
