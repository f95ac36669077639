"""Which frames belong to which utterance, where another program computed them (``corpus.features``).

The path of an utterance becomes that of its frames. Opens no file of frames, but the lists of them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from os.path import normpath
from pathlib import Path
from typing import Final

from speechgmm.corpus.listing import listed
from speechgmm.corpus.spec import COLUMN
from speechgmm.corpus.utterance import Corpus, Utterance, common_root
from speechgmm.errors import ConfigError, DataError, first_few
from speechgmm.io.audio_formats import DECODED, UNDECODED
from speechgmm.io.frame_files import FrameSource
from speechgmm.io.given_frames import place_of, sources_in

NAMED: Final = 10
"""Names on either side that a message has, where names do not match."""


def with_frames(corpus: Corpus, where: str | None, *, skip: bool = False) -> Corpus:
    """A corpus whose utterances have the paths of their frames.

    Parameters
    ----------
    corpus
        As its reader returned it.
    where
        ``corpus.features``: a pattern, a list of frames (a Kaldi ``feats.scp``, an ``.npz``, a folder), or
        ``column:NAME``. None: the recordings are files of frames.
    skip
        Utterances without frames are left for the extraction to skip.

    Raises
    ------
    ConfigError
        A pattern with fields that an utterance does not have; recordings of audio.
    DataError
        Utterances whose frames are not in the list, a list that cannot be read.

    Examples
    --------
    >>> heard = Utterance("anna/1", Path("c/anna/1.wav"), labels={"speaker": "anna"})
    >>> corpus = Corpus((heard,), label="speaker", root=Path("c"))
    >>> with_frames(corpus, "/feats/{speaker}-{stem}.npy").utterances[0].path
    PosixPath('/feats/anna-1.npy')
    """
    if where is None:
        for utterance in corpus:
            if utterance.path.suffix.lower() in DECODED | UNDECODED.keys():
                raise ConfigError(
                    f"features.kind: given, and {utterance.path} is a recording; say where its frames are "
                    "(corpus.features, such as feats/{stem}.npy)"
                )
        return corpus
    if where.startswith(COLUMN):
        return _with_paths(corpus, (_of_column(one, where.removeprefix(COLUMN), corpus.root) for one in corpus))
    if "{" in where:
        return _with_paths(corpus, (_of_pattern(one, where, corpus.root) for one in corpus))
    return _of_list(corpus, Path(where), skip)


def _with_paths(corpus: Corpus, paths: Iterator[Path]) -> Corpus:
    moved = tuple(replace(one, path=path) for one, path in zip(corpus, paths, strict=True))
    return replace(corpus, utterances=moved, root=common_root([one.path for one in moved], corpus.root))


def _of_column(utterance: Utterance, column: str, root: Path) -> Path:
    labels = utterance.labels or {}
    if column not in labels:
        raise ConfigError(
            f"corpus.features names the column {column!r}; the columns of the corpus are {', '.join(sorted(labels))}"
        )
    if not labels[column]:
        raise DataError(f"{utterance.source or utterance.id}: {column!r} is empty; expected the path of its frames")
    return Path(normpath(root / labels[column]))


def _of_pattern(utterance: Utterance, pattern: str, root: Path) -> Path:
    values = {**(utterance.labels or {}), **_names(utterance, root)}
    try:
        return Path(normpath(pattern.format_map(values)))
    except (KeyError, ValueError, IndexError, AttributeError) as error:
        raise ConfigError(
            f"corpus.features is {pattern!r}, whose fields cannot be filled for {utterance.source or utterance.id} "
            f"({error}); expected fields are {', '.join(f'{{{name}}}' for name in values)}"
        ) from None


def _names(utterance: Utterance, root: Path) -> dict[str, str]:
    """What a recording and an utterance are called."""
    path = utterance.path
    below = path.relative_to(root) if path.is_relative_to(root) else path
    return {"id": utterance.id, "path": below.with_suffix("").as_posix(), "stem": path.stem}


def _of_list(corpus: Corpus, path: Path, skip: bool) -> Corpus:
    sources = sources_in(path)
    found, missing, used = [], [], set()
    for utterance in corpus:
        matched = _matched(utterance, corpus.root, sources)
        if matched is None:
            missing.append(utterance.id)
            found.append(replace(utterance, path=Path(f"{path}:{utterance.id}")))
            continue
        name, is_own = matched
        used.add(name)
        start, end = (None, None) if is_own else (utterance.start, utterance.end)
        found.append(replace(utterance, path=place_of(sources[name]), start=start, end=end))
    left = [name for name in sources if name not in used]
    if missing and not skip:
        raise DataError(
            f"{path}: {len(missing)} of {len(corpus)} utterances have no frames in it, and {len(left)} of its "
            f"{len(sources)} recordings no utterance.\nUtterances: {first_few(missing, NAMED)}\nFrames: "
            f"{first_few(left, NAMED) or 'all have one'}\nName both alike, or set corpus.on_error: skip to go on "
            "without these utterances"
        )
    notes = corpus.notes
    if left:
        notes += (f"{path}: {len(left)} of {len(sources)} recordings have no utterance:\n{listed(left)}",)
    root = common_root([one.path for one in found], corpus.root)
    return replace(corpus, utterances=tuple(found), root=root, notes=notes)


def _matched(utterance: Utterance, root: Path, sources: Mapping[str, FrameSource]) -> tuple[str, bool] | None:
    """The name of an utterance's frames in a list, and whether they are its own and not those of a whole recording."""
    names = _names(utterance, root)
    recording = [(utterance.labels or {}).get("recording", ""), names["path"], names["stem"]]
    is_part = utterance.start is not None or utterance.end is not None
    for name in recording if is_part else (names["id"], *recording):
        if name in sources:
            return name, False
    return (names["id"], True) if names["id"] in sources else None
