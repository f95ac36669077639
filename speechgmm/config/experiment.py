"""A configuration and its places: what its paths are relative to, where corpora, cache and results are."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

from speechgmm.config.spec import Config
from speechgmm.corpus.spec import KNOWN


@dataclass(frozen=True, slots=True)
class Experiment:
    """A configuration together with the place it was read from."""

    config: Config
    name: str  # the file's name without extension
    folder: Path  # what relative paths in the file are relative to

    def resolved(self) -> Config:
        """The configuration with its paths absolute and its rate known: what a run's folder keeps."""
        spec = self.config.corpus
        path, root = self.corpus_path(), self.corpus_root()
        corpus = replace(
            spec,
            path=None if path is None else str(path),
            root=None if root is None else str(root),
            sample_rate=spec.rate(),
        )
        trials = self.trials_path()
        trials_text = None if trials is None else str(trials)
        return replace(self.config, corpus=corpus, trials=trials_text, cache=str(self.cache()))

    def corpus_path(self) -> Path | None:
        """The manifest, resolved; None where the corpus has none."""
        return None if self.config.corpus.path is None else self._resolved(self.config.corpus.path)

    def corpus_root(self) -> Path | None:
        """The folder of the recordings, resolved; None: the manifest's own."""
        spec = self.config.corpus
        if spec.root is not None:
            return self._resolved(spec.root)
        if spec.kind in KNOWN:
            return data_folder(spec.kind)
        return None

    def trials_path(self) -> Path | None:
        """The table of trials, resolved; None: every model against every test."""
        return None if self.config.trials is None else self._resolved(self.config.trials)

    def output(self) -> Path:
        """The folder for the results, resolved."""
        return Path(self.config.output or f"runs/{self.name}").expanduser().absolute()

    def cache(self) -> Path:
        """The folder of the cache, resolved."""
        return cache_folder(None if self.config.cache is None else self._resolved(self.config.cache))

    def _resolved(self, text: str) -> Path:
        return Path(os.path.normpath(self.folder / Path(os.path.expandvars(text)).expanduser()))


def data_folder(corpus: str) -> Path:
    """Where a known corpus lies unless it is said: $SPEECHGMM_DATA/NAME, else data/NAME where you stand."""
    return Path(os.environ.get("SPEECHGMM_DATA", "data")).expanduser().absolute() / corpus


def cache_folder(chosen: Path | None = None) -> Path:
    """Where features and class models are kept between runs."""
    if chosen is not None:
        return chosen
    if named := os.environ.get("SPEECHGMM_CACHE"):
        return Path(named).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_cache_dir("speechgmm", appauthor=False))
