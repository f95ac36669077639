"""Corpora: from files and folders on disk to utterances with labels and splits."""

from collections.abc import Callable
from pathlib import Path
from typing import get_args, get_type_hints

from speechgmm.corpus.labels import relabelled
from speechgmm.corpus.leaks import check_leaks, same_audio
from speechgmm.corpus.reader_specs import (
    AsvspoofSpec,
    FolderSpec,
    LabelFilesSpec,
    TextGridSpec,
    TimitSpec,
    TranscriptsSpec,
)
from speechgmm.corpus.spec import WITH_PATH, CorpusSpec, SplitSpec
from speechgmm.corpus.splits import Fold, make_split
from speechgmm.corpus.utterance import SPLITS, Corpus, Utterance, speaker_column
from speechgmm.errors import ConfigError, DataError

__all__ = [
    "SPLITS",
    "Corpus",
    "CorpusSpec",
    "Fold",
    "SplitSpec",
    "Utterance",
    "check_leaks",
    "make_split",
    "read_corpus",
    "same_audio",
    "speaker_column",
]


def read_corpus(
    spec: CorpusSpec,
    *,
    path: Path | None,
    root: Path | None,
    given: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Corpus:
    """Read the corpus of a configuration, in the order of its source. It has no split yet.

    Args:
        spec: The ``corpus`` section.
        path: The absolute path of the manifest or of the Kaldi data directory; None for kinds of corpora without one.
        root: The absolute path of the folder of the recordings; None: the folder of the manifest.
        given: True: frames are read from files (``features.kind: given``), whose places `with_frames` adds.
        progress: Called with (done, total) while a corpus is generated.

    Raises:
        ConfigError: A key is missing, or belongs to another kind of corpus.
        DataError: The corpus is missing or invalid.

    >>> corpus = read_corpus(CorpusSpec(kind="folder", root="birds"), path=None, root=Path("birds"))
    >>> len(corpus.utterances)
    30
    """
    corpus = _read(spec, path=path, root=root, given=given, progress=progress)
    return relabelled(corpus.with_plain_labels(), spec)


def _read(
    spec: CorpusSpec,
    *,
    path: Path | None,
    root: Path | None,
    given: bool,
    progress: Callable[[int, int], None] | None,
) -> Corpus:
    """The corpus with the labels that it has."""
    sections = {
        "timit": TimitSpec,
        "textgrid": TextGridSpec,
        "label_files": LabelFilesSpec,
        "transcripts": TranscriptsSpec,
        "asvspoof": AsvspoofSpec,
        "folder": FolderSpec,
    }
    for kind, section in sections.items():
        if spec.kind != kind and getattr(spec, kind) != section():
            raise ConfigError(
                f"corpus.{kind} is for a corpus of kind {kind!r}; this one is of kind {spec.kind!r}: leave it out"
            )
    if spec.split.column != "split" and spec.kind not in ("manifest", "folder"):
        raise ConfigError(
            f"corpus.split.column is {spec.split.column!r}; it is for a corpus of kind 'manifest' or 'folder'; "
            f"this one is of kind {spec.kind!r}: leave it out"
        )
    if spec.kind in WITH_PATH:
        if path is None:
            what = {"manifest": "its table", "kaldi": "its data directory"}.get(spec.kind, "its manifests")
            raise ConfigError(f"corpus.path: a corpus of kind {spec.kind!r} needs the path of {what}")
        return _read_table(spec, path, root, given=given and spec.features is None)
    if root is None:
        raise ConfigError(f"corpus.root: a corpus of kind {spec.kind!r} needs the folder of its recordings")
    if spec.kind == "espeak":
        from speechgmm.corpus.readers.manifest import read_manifest
        from speechgmm.demo import build_corpus

        build_corpus(root, progress=progress)
        return read_manifest(root / ("phones.tsv" if spec.label == "phone" else "speakers.tsv"), root, spec.label)
    corpus = _read_folder(spec, root, given=given and spec.features is None)
    if spec.kind == "timit" and spec.split.kind == "column" and not any(utterance.split for utterance in corpus):
        others = [kind for kind in get_args(get_type_hints(SplitSpec)["kind"]) if kind != "column"]
        raise DataError(
            f"{root}: NLTK's sample of TIMIT has no split; set corpus.split: "
            f"{' or '.join(others)}, and corpus.group: speaker, so that no speaker is on both sides"
        )
    return corpus


def _read_table(spec: CorpusSpec, path: Path, root: Path | None, *, given: bool) -> Corpus:
    from speechgmm.corpus.readers.kaldi import read_kaldi
    from speechgmm.corpus.readers.lhotse import read_lhotse
    from speechgmm.corpus.readers.manifest import read_manifest

    if spec.kind == "manifest":
        return read_manifest(
            path,
            root,
            spec.label,
            unlabelled="" in spec.labels.ignore,
            needs_path=spec.features is None,
            splits=spec.split,
        )
    if spec.kind == "lhotse":
        return read_lhotse(path, root, spec.label)
    return read_kaldi(path, root, spec.label, given=given)


def _read_folder(spec: CorpusSpec, root: Path, *, given: bool) -> Corpus:
    from speechgmm.corpus.readers.asvspoof import read_asvspoof
    from speechgmm.corpus.readers.audio_folder import read_audio_folder
    from speechgmm.corpus.readers.folder import read_folder, read_fsdd, split_by_group, with_groups
    from speechgmm.corpus.readers.label_files import read_label_files
    from speechgmm.corpus.readers.librispeech import read_librispeech
    from speechgmm.corpus.readers.machines import read_dcase, read_mimii
    from speechgmm.corpus.readers.speech_commands import read_speech_commands
    from speechgmm.corpus.readers.sphinx import read_sphinx
    from speechgmm.corpus.readers.textgrid import read_textgrids
    from speechgmm.corpus.readers.timit import read_timit
    from speechgmm.corpus.readers.transcripts import read_transcripts

    if spec.kind == "timit":
        return read_timit(root, spec.label, spec.timit)
    if spec.kind == "asvspoof":
        return read_asvspoof(root, spec.label, spec.asvspoof)
    if spec.kind == "textgrid":
        return read_textgrids(root, spec.label, spec.textgrid)
    if spec.kind == "label_files":
        return read_label_files(root, spec.label, spec.label_files)
    if spec.kind == "transcripts":
        return read_transcripts(root, spec.label, spec.transcripts)
    if spec.kind == "folder":
        grouped = with_groups(read_folder(root, spec.label, given=given), spec.folder.group_from)
        return split_by_group(grouped, spec.split)
    if spec.kind == "sphinx":
        return read_sphinx(root, spec.label, given=given)
    readers = {
        "audiofolder": read_audio_folder,
        "fsdd": read_fsdd,
        "librispeech": read_librispeech,
        "speech_commands": read_speech_commands,
        "dcase": read_dcase,
        "mimii": read_mimii,
    }
    return readers[spec.kind](root, spec.label)
