"""Links of the site lead somewhere: those between pages, those to files of the repository, those of the built pages."""

import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
DOCS = REPOSITORY / "docs"
sys.path.insert(0, str(DOCS / "_ext"))
from built_links import main, problems  # noqa: E402
from pages import SHOWN_AS, site_links  # noqa: E402

PAGE = DOCS / "how-to" / "corpora.md"


@pytest.mark.parametrize(
    ("link", "in_the_site"),
    [
        ("[a table](own-recordings.md#a-manifest)", "[a table](/how-to/own-recordings.md#a-manifest)"),
        ("[results](../../recipes/README.md)", "[results](/results/recipes.md)"),
        ("[results](../../recipes)", "[results](/results/recipes.md)"),
        ("[template](../../configs/template.yaml)", "[template](/../configs/template.yaml)"),
        ('<img src="../images/density.png" width="9">', '<img src="/images/density.png" width="9">'),
        ("[docs/metrics.md](../reference/metrics.md#intervals)", "[](/reference/metrics.md#intervals)"),
        ("[Dask](https://distributed.dask.org)", "[Dask](https://distributed.dask.org)"),
        ("[nowhere](nowhere.md), [here](#leaks)", "[nowhere](nowhere.md), [here](#leaks)"),
    ],
)
def test_a_link_leads_in_the_site_to_where_it_leads_in_the_repository(link: str, in_the_site: str) -> None:
    assert site_links(link, PAGE) == in_the_site


def test_pages_that_show_a_file_and_the_files_are_there() -> None:
    for file, page in SHOWN_AS.items():
        assert (REPOSITORY / file).is_file()
        assert file in (DOCS / page).read_text(encoding="utf-8")


def test_broken_links_and_requests_to_elsewhere_are_found(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text('<h1 id="top"></h1><a href="b.html#part">b</a><a href="#top">up</a>')
    (tmp_path / "b.html").write_text('<p id="part"></p><a href="https://example.org/x">elsewhere</a>')
    assert main(tmp_path) == 0
    (tmp_path / "c.html").write_text(
        '<a href="b.html#gone">b</a><a href="d.html">d</a><script src="https://example.org/x.js"></script>'
    )
    assert list(problems(tmp_path)) == [
        "c.html fetches https://example.org/x.js",
        "c.html links to b.html#gone: no such anchor",
        "c.html links to d.html: no such file",
    ]
    assert main(tmp_path) == 1
