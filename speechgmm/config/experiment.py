"""A configuration and its places: what its paths are relative to, where corpora, cache and results are."""

import os
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from speechgmm.config.spec import Config, check_scheduler
from speechgmm.corpus.spec import COLUMN, KNOWN, CorpusSpec
from speechgmm.errors import ConfigError
from speechgmm.features.kinds import are_given
from speechgmm.setting import is_path

Spec = TypeVar("Spec", bound=Any)


@dataclass(frozen=True, slots=True)
class Experiment:
    """A configuration together with the folder of its file, which relative paths refer to.

    >>> from speechgmm.config import load_config
    >>> load_config("birds.yaml").name
    'birds'
    """

    config: Config
    name: str  # the file's name without extension
    folder: Path  # what relative paths in the file are relative to
    notes: tuple[str, ...] = ()  # what was understood in another way than it was written
    scheduler_is_trusted: bool = True  # False: a file names parallel.scheduler, and nobody said that it may

    def resolved(self) -> Config:
        """The configuration with absolute paths and the sample rate filled in, as the folder of a run keeps it."""
        config = self._with_absolute_paths(self.config)
        root = self.corpus_root()
        rate = None if are_given(config.features) else self.config.corpus.rate()
        corpus = replace(config.corpus, root=None if root is None else str(root), sample_rate=rate)
        return replace(config, corpus=corpus, cache=str(self.cache()))

    def corpus_spec(self) -> CorpusSpec:
        """The corpus section with all paths absolute."""
        return self._with_absolute_paths(self.config.corpus)

    def _with_absolute_paths(self, spec: Spec) -> Spec:
        """A section with every path in it resolved."""
        found: dict[str, Any] = {}
        for field in fields(spec):
            value = getattr(spec, field.name)
            if is_dataclass(value):
                found[field.name] = self._with_absolute_paths(value)
            elif value is not None and is_path(field) and not value.startswith(COLUMN):
                found[field.name] = str(self.beside(value))
        return replace(spec, **found)

    def corpus_path(self) -> Path | None:
        """The absolute path of the manifest; None where the corpus has no manifest."""
        return None if self.config.corpus.path is None else self.beside(self.config.corpus.path)

    def corpus_root(self) -> Path | None:
        """The absolute path of the folder of the recordings; None: the folder of the manifest."""
        spec = self.config.corpus
        if spec.root is not None:
            return self.beside(spec.root)
        if spec.kind in KNOWN:
            return data_folder(spec.kind)
        return None

    def trials_path(self) -> Path | None:
        """The absolute path of the table of trials; None: every model is scored against every test."""
        return None if self.config.trials is None else self.beside(self.config.trials)

    def output(self) -> Path:
        """The absolute path of the folder for the results."""
        return Path(self.config.output or f"runs/{self.name}").expanduser().absolute()

    def cache(self) -> Path:
        """The absolute path of the cache folder."""
        return cache_folder(None if self.config.cache is None else self.beside(self.config.cache))

    def scheduler(self) -> str | None:
        """The address of the cluster's scheduler, which an override or $SPEECHGMM_SCHEDULER names; None: no cluster.

        A scheduler can run code on this machine. A scheduler that only the configuration file names is therefore
        refused, unless the file is trusted (``trust_cluster`` of `load_config`).

        Raises:
            ConfigError: Only the file names a scheduler and the file is not trusted; ``parallel.backend`` is dask and
                no scheduler is named; or the address is invalid.
        """
        parallel = self.config.parallel
        if parallel.backend != "dask":
            return None
        own = os.environ.get("SPEECHGMM_SCHEDULER")
        if parallel.scheduler is not None and not self.scheduler_is_trusted and parallel.scheduler != own:
            raise ConfigError(
                f"the configuration file names the cluster {parallel.scheduler} (parallel.scheduler), which could then "
                "run any program here. If you trust it, name its address yourself, or say that the file may: on the "
                "command line or in $SPEECHGMM_SCHEDULER",
                arguments=("scheduler", "trust_cluster", "overrides"),
            )
        address = parallel.scheduler or own
        if address is None:
            raise ConfigError(
                "parallel.backend: dask, and no scheduler is named. Give the address that `dask scheduler` prints, "
                "such as tcp://10.0.0.1:8786, on the command line or in $SPEECHGMM_SCHEDULER",
                arguments=("scheduler", "overrides"),
            )
        check_scheduler(address)
        return address

    def beside(self, text: str) -> Path:
        """A path of the configuration as an absolute path; relative paths start from the folder of the file."""
        return Path(os.path.normpath(self.folder / Path(os.path.expandvars(text)).expanduser()))


def data_folder(corpus: str) -> Path:
    """The default folder of a known corpus: $SPEECHGMM_DATA/NAME or, without this variable, data/NAME in the current
    folder.

    >>> data_folder("fsdd").name
    'fsdd'
    """
    return Path(os.environ.get("SPEECHGMM_DATA", "data")).expanduser().absolute() / corpus


def cache_folder(chosen: Path | None = None) -> Path:
    """The folder in which features and class models are kept between runs: ``chosen``, or the default folder.

    >>> cache_folder(Path("cache"))
    PosixPath('cache')
    """
    if chosen is not None:
        return chosen
    if named := os.environ.get("SPEECHGMM_CACHE"):
        return Path(named).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_cache_dir("speechgmm", appauthor=False))
