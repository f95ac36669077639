"""Corpora: from files and folders on disk to utterances with labels and splits."""

from collections.abc import Callable
from pathlib import Path

from speechgmm.corpus.spec import CorpusSpec, SplitSpec
from speechgmm.corpus.splits import make_split
from speechgmm.corpus.utterance import SPLITS, Corpus, Utterance

__all__ = ["SPLITS", "Corpus", "CorpusSpec", "SplitSpec", "Utterance", "make_split", "read_corpus"]


def read_corpus(
    spec: CorpusSpec,
    *,
    path: Path | None,
    root: Path | None,
    progress: Callable[[int, int], None] | None = None,
) -> Corpus:
    """The corpus that a configuration names, in the order of its source, not yet divided.

    Args:
        spec: The ``corpus`` section.
        path: The manifest, resolved; None where the kind has none.
        root: The folder of the recordings, resolved; None: the manifest's own.
        progress: Called with (done, total) while a corpus is generated.

    Raises:
        DataError: The corpus is missing or wrong.
    """
    from speechgmm.corpus.folder import read_folder, read_fsdd
    from speechgmm.corpus.manifest import read_manifest
    from speechgmm.errors import ConfigError

    if spec.kind == "manifest":
        if path is None:
            raise ConfigError("corpus.path: a corpus of kind 'manifest' needs the path of its table")
        return read_manifest(path, root, spec.label)
    if root is None:
        raise ConfigError(f"corpus.root: a corpus of kind {spec.kind!r} needs the folder of its recordings")
    if spec.kind == "folder":
        return read_folder(root, spec.label)
    if spec.kind == "fsdd":
        return read_fsdd(root, spec.label)
    from speechgmm.corpus.espeak import build_corpus

    build_corpus(root, progress=progress)
    return read_manifest(root / ("phones.tsv" if spec.label == "phone" else "speakers.tsv"), root, spec.label)
