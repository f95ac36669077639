"""Which frames belong to which utterance, where another program computed them (``corpus.features``).

The path of an utterance becomes that of its frames. Opens no file of frames, but the lists of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from os.path import normpath
from pathlib import Path
from typing import Final

from speechgmm.corpus.spec import COLUMN
from speechgmm.corpus.utterance import Corpus, Utterance, common_root
from speechgmm.errors import ConfigError, DataError, first_few
from speechgmm.io.audio_formats import DECODED, UNDECODED
from speechgmm.io.frame_files import FrameSource
from speechgmm.io.given_frames import place_of, sources_in
from speechgmm.io.label_files import format_by_suffix

NAMED: Final = 10
"""Names on either side that a message has, where names do not match."""


def with_frames(corpus: Corpus, where: str | None, vad: str | None = None, *, skip: bool = False) -> Corpus:
    """A corpus whose utterances have the paths of their frames, with notes about these alone.

    Parameters
    ----------
    corpus
        As its reader returned it.
    where
        ``corpus.features``: a pattern, a list of frames (a Kaldi ``feats.scp``, an ``.npz``, a folder), or
        ``column:NAME``. None: the recordings are files of frames.
    vad
        ``corpus.vad``, the same for which of the frames are speech; None: all count.
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
    notes: list[str] = []
    found = _recordings(corpus) if where is None else _places(corpus, where, "corpus.features", skip, notes)
    marked = corpus if vad is None else with_speech(corpus, vad, skip=skip)
    moved = tuple(
        replace(one, speech=was.speech, recording=was.path.relative_to(corpus.root).as_posix())
        for one, was in zip(found, marked, strict=True)
    )
    root = common_root([one.path for one in moved], corpus.root)
    return replace(corpus, utterances=moved, notes=tuple(notes), root=root)


def with_speech(corpus: Corpus, vad: str, *, skip: bool = False) -> Corpus:
    """A corpus whose utterances have the paths of the files that say which of their frames are speech.

    Parameters
    ----------
    corpus
        As its reader returned it.
    vad
        ``corpus.vad``: a label file of all recordings; or a pattern, a list, or ``column:NAME`` as of `with_frames`.
    skip
        Utterances that a list does not have are left for the extraction to skip.

    Raises
    ------
    ConfigError
        A pattern with fields that an utterance does not have.
    DataError
        A label file that is not there; utterances that are not in the list.

    Examples
    --------
    >>> corpus = Corpus((Utterance("1", Path("c/1.wav")), ), label="speaker", root=Path("c"))
    >>> with_speech(corpus, "/marks/{stem}.TextGrid").utterances[0].speech
    PosixPath('/marks/1.TextGrid')
    """
    path = Path(vad)
    if not vad.startswith(COLUMN) and "{" not in vad and format_by_suffix(path) is not None:
        if not path.is_file():
            raise DataError(f"corpus.vad: {path}: there is no such file")
        places = [path] * len(corpus)
    else:
        places = [one.path for one in _places(corpus, vad, "corpus.vad", skip, [])]
    marked = tuple(replace(one, speech=place) for one, place in zip(corpus, places, strict=True))
    return replace(corpus, utterances=marked)


def _recordings(corpus: Corpus) -> Sequence[Utterance]:
    """The utterances, whose recordings are to be files of frames themselves."""
    for utterance in corpus:
        if utterance.path.suffix.lower() in DECODED | UNDECODED.keys():
            raise ConfigError(
                f"features.kind: given, and {utterance.path} is a recording; say where its frames are "
                "(corpus.features, such as feats/{stem}.npy)"
            )
    return corpus.utterances


def _places(corpus: Corpus, where: str, key: str, skip: bool, notes: list[str]) -> Sequence[Utterance]:
    """The utterances with the paths that a key of the configuration names."""
    root = corpus.root
    if where.startswith(COLUMN):
        return [replace(one, path=_of_column(one, where.removeprefix(COLUMN), key, root)) for one in corpus]
    if "{" in where:
        return [replace(one, path=_of_pattern(one, where, key, root)) for one in corpus]
    return _of_list(corpus, Path(where), skip, notes)


def _of_column(utterance: Utterance, column: str, key: str, root: Path) -> Path:
    labels = utterance.labels or {}
    if column not in labels:
        raise ConfigError(f"{key} names the column {column!r}; the columns of the corpus are {', '.join(labels)}")
    if not labels[column]:
        raise DataError(f"{utterance.source or utterance.id}: {column!r} is empty; expected a path ({key})")
    return Path(normpath(root / labels[column]))


def _of_pattern(utterance: Utterance, pattern: str, key: str, root: Path) -> Path:
    values = {**(utterance.labels or {}), **_names(utterance, root)}
    try:
        return Path(normpath(pattern.format_map(values)))
    except (KeyError, ValueError, IndexError, AttributeError) as error:
        raise ConfigError(
            f"{key} is {pattern!r}, whose fields cannot be filled for {utterance.source or utterance.id} ({error}); "
            f"expected fields are {', '.join(f'{{{name}}}' for name in values)}"
        ) from None


def _names(utterance: Utterance, root: Path) -> dict[str, str]:
    """What a recording and an utterance are called."""
    path = utterance.path
    below = path.relative_to(root) if path.is_relative_to(root) else path
    return {"id": utterance.id, "path": below.with_suffix("").as_posix(), "stem": path.stem}


def _of_list(corpus: Corpus, path: Path, skip: bool, notes: list[str]) -> Sequence[Utterance]:
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
    if left:
        notes.append(f"{path}: {len(left)} of {len(sources)} recordings have no utterance, such as {left[0]}")
    return found


def _matched(utterance: Utterance, root: Path, sources: Mapping[str, FrameSource]) -> tuple[str, bool] | None:
    """The name of an utterance's frames in a list, and whether they are its own and not those of a whole recording."""
    names = _names(utterance, root)
    recording = [(utterance.labels or {}).get("recording", ""), names["path"], names["stem"]]
    is_part = utterance.start is not None or utterance.end is not None
    for name in recording if is_part else (names["id"], *recording):
        if name in sources:
            return name, False
    return (names["id"], True) if names["id"] in sources else None
