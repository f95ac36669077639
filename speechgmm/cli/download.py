"""``speechgmm fetch``: a public corpus, to where a configuration looks for it."""

from pathlib import Path

from speechgmm.config import data_folder
from speechgmm.corpus.fetch import SOURCES, fetch
from speechgmm.engine.console import Console
from speechgmm.errors import ConfigError

KILOBYTE = 1000


def fetch_corpus(name: str, to: Path | None, url: str | None, quiet: bool) -> str:
    """Download a corpus and say where it is and how to use it.

    Raises:
        ConfigError: There is no such corpus to download.
        DataError: No network, a broken or a wrong archive, other files in the way.
    """
    source = SOURCES.get(name)
    if source is None:
        raise ConfigError(f"{name!r} is no corpus that can be fetched; expected {', '.join(SOURCES)}")
    folder = (to or data_folder(name)).expanduser().absolute()
    with Console(quiet=quiet).bar(f"downloading {name} (kB)") as advance:

        def progress(done: int, total: int) -> None:
            # A server that packs on demand does not say how much comes: then the bar is full and the number grows.
            advance(done // KILOBYTE, max(total, done) // KILOBYTE)

        fetched = fetch(source, folder, url=url, progress=progress)
    how = "fetched and checked" if fetched else "there already, and whole"
    use = "" if folder == data_folder(name) else f"; use it with --set corpus.root={folder}"
    return f"{folder}: {name} at commit {source.commit[:8]} ({source.licence}), {how}{use}"
