"""Files of labels with times: one table of formats, each read and written by a module here.

textgrid   Praat's TextGrids            tiers
elan       ELAN's annotation files      tiers; read alone
audacity   label tracks of Audacity
raven      selection tables of Raven    tiers (columns); several recordings
ctm        NIST's words with times      several recordings
rttm       NIST's turns of speakers     several recordings
uem        NIST's evaluated stretches   several recordings; read alone
csv, tsv   tables with a header         tiers, several recordings
json       an array of objects          tiers, several recordings
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path, PureWindowsPath
from typing import Any, Final

from speechgmm.errors import ConfigError, DataError, first_few
from speechgmm.io.label_files.reading import FileLabel, Tier
from speechgmm.io.timed_labels import LabelledRecording

__all__ = [
    "FORMATS",
    "WRITTEN",
    "FileLabel",
    "LabelFormat",
    "Tier",
    "format_by_suffix",
    "format_of",
    "is_of",
    "labels_as_text",
    "read_labels",
    "read_tiers",
    "tier_of",
    "write_labels",
]


@dataclass(frozen=True, slots=True)
class LabelFormat:
    """A format of label files. Its module is loaded when a file is read or written."""

    name: str
    suffix: str  # as it is written
    what: str  # for messages
    module: str  # of this package, with a function ``read``
    writer: str = "write"  # a function of the module; empty: the format is read alone
    several: bool = False  # whether a file may hold several recordings
    joined: bool = False  # whether such a file is the files of each, one after another

    def read(self, path: Path) -> list[Tier]:
        """The tiers of a file in this format. Errors and warnings are those of `read_tiers`."""
        tiers: list[Tier] = self._function("read")(path)
        return tiers

    def write(self, recordings: Sequence[LabelledRecording]) -> str:
        """The labels of recordings as the text of a file in this format. Errors are those of `labels_as_text`."""
        text: str = self._function(self.writer)(recordings)
        return text

    def _function(self, name: str) -> Callable[..., Any]:
        found: Callable[..., Any] = getattr(import_module(f"{__name__}.{self.module}"), name)
        return found


FORMATS: Final = {
    one.name: one
    for one in (
        LabelFormat("textgrid", ".TextGrid", "a TextGrid", "textgrid"),
        LabelFormat("elan", ".eaf", "an annotation file of ELAN", "elan", writer=""),
        LabelFormat("audacity", ".txt", "a label track of Audacity", "audacity"),
        LabelFormat("raven", ".selections.txt", "a selection table of Raven", "raven", several=True),
        LabelFormat("ctm", ".ctm", "a CTM", "ctm", several=True, joined=True),
        LabelFormat("rttm", ".rttm", "an RTTM", "rttm", several=True, joined=True),
        LabelFormat("uem", ".uem", "a UEM", "uem", writer="", several=True),
        LabelFormat("csv", ".csv", "a table of labels", "table", several=True),
        LabelFormat("tsv", ".tsv", "a table of labels", "table", writer="write_tsv", several=True),
        LabelFormat("json", ".json", "an array of labels", "json_array", several=True),
    )
}
"""Name -> format."""

WRITTEN: Final = tuple(name for name, one in FORMATS.items() if one.writer)
"""Names of the formats that are written, and not read alone."""

RAVEN_COLUMN: Final = "Begin Time (s)"
"""What the first line of a selection table of Raven has, and that of a label track has not."""


def format_by_suffix(path: Path) -> LabelFormat | None:
    """The format with the suffix of a file name; None where no format has this suffix.

    >>> [format_by_suffix(Path(name)).name for name in ("a.textgrid", "a.Table.1.selections.txt", "a.txt")]
    ['textgrid', 'raven', 'audacity']
    """
    name = path.name.lower()
    fitting = [one for one in FORMATS.values() if name.endswith(one.suffix.lower())]
    return max(fitting, key=lambda one: len(one.suffix), default=None)


def format_of(path: Path, name: str | None = None) -> LabelFormat:
    """The format of a file to read: the format ``name``, or the format that the suffix of the file tells.

    For ``.txt``, the first line of the file tells whether it is of Raven or of Audacity.

    Raises:
        ConfigError: There is no format ``name``.
        DataError: No format has the suffix of the file.
    """
    if name is not None:
        if name not in FORMATS:
            raise ConfigError(f"format is {name!r}; expected {', '.join(FORMATS)}", arguments=("format",))
        return FORMATS[name]
    found = format_by_suffix(path)
    if found is None:
        suffixes = ", ".join(one.suffix for one in FORMATS.values())
        raise DataError(f"{path}: the suffix is of no label file; expected {suffixes}")
    return FORMATS["raven"] if found.name == "audacity" and _begins_as_raven(path) else found


def _begins_as_raven(path: Path) -> bool:
    from speechgmm.io.tables import read_table

    return path.is_file() and RAVEN_COLUMN in read_table(path).partition("\n")[0].split("\t")


def read_tiers(path: Path, format: str | None = None) -> list[Tier]:
    """Read all tiers of a label file; a file in a format without tiers gives one tier with an empty name.

    Raises:
        ConfigError: There is no such format, or praatio, which reads TextGrids, is not installed.
        DataError: The file cannot be read; the message names the fault and its place in the file.

    Warns:
        UserWarning: The file has labels of 0 s, which are left out.
    """
    return format_of(path, format).read(path)


def tier_of(tiers: Sequence[Tier], name: str | None, key: str = "tier", what: str = "tier") -> Tier:
    """The tier called ``name`` or, if ``name`` is None, the only tier.

    Messages call the setting of the name ``key``, and a tier ``what``.

    Raises:
        DataError: There is no such tier, two tiers have this name, or there are several tiers and ``name`` is None;
            the message lists the names of the tiers.

    >>> tier_of([Tier("words", []), Tier("phones", [])], "phones").name
    'phones'
    """
    names = [tier.name for tier in tiers]
    have = f"its {what}s are {', '.join(map(repr, names))}" if any(names) else f"it has no {what}"
    if not tiers:
        raise DataError(f"no {what} in it; expected labels with times: is it the file that you mean?")
    if name is None and len(set(names)) != 1:
        raise DataError(f"{have}; say which in {key}")
    wanted = names[0] if name is None else name
    if wanted not in names:
        raise DataError(f"no {what} {wanted!r} ({key}); {have}")
    if names.count(wanted) > 1:
        raise DataError(f"two {what}s are called {wanted!r}; rename one of them ({key} reads one)")
    return tiers[names.index(wanted)]


def read_labels(
    path: Path, *, tier: str | None = None, recording: str | None = None, format: str | None = None
) -> list[FileLabel]:
    """Read the labels of one tier of a label file, sorted by their times.

    Parameters
    ----------
    path
        The file. Its suffix tells the format: ``.TextGrid``, ``.eaf``, ``.txt`` (Audacity, or Raven by its header),
        ``.ctm``, ``.rttm``, ``.uem``, ``.csv``, ``.tsv``, ``.json``.
    tier
        Name of the tier; None: the only tier of the file.
    recording
        Name of the recording whose labels are returned, with or without folder and ending. Labels without the name
        of a recording belong to every recording. None: the labels of all recordings of the file.
    format
        Name of the format, for files whose suffix does not tell it.

    Returns
    -------
    list of FileLabel
        The labels with text, start and end in s, and with speaker, recording and confidence if the file has them.

    Raises
    ------
    ConfigError
        There is no such format, or praatio, which reads TextGrids, is not installed.
    DataError
        The file cannot be read, or has no such tier or no label of the recording; the message names those it has.

    Warns
    -----
    UserWarning
        The file has labels of 0 s, which are left out.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "a.txt"
    ...     _ = path.write_text("0.5\\t1.25\\trobin\\n")
    ...     [(one.start, one.end, one.label) for one in read_labels(path)]
    [(0.5, 1.25, 'robin')]
    """
    tiers = read_tiers(path, format)
    try:
        labels = list(tier_of(tiers, tier).labels) if tiers else []
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    if recording is None:
        return labels
    of_it = [one for one in labels if not one.recording or is_of(one, Path(recording))]
    if labels and not of_it:
        others = first_few(list(dict.fromkeys(one.recording for one in labels)), 5)
        raise DataError(f"{path}: no label of the recording {recording!r}; it has labels of {others}")
    return of_it


def is_of(label: FileLabel, recording: Path) -> bool:
    """Whether a label belongs to a recording, by the name of the recording in the label file.

    Folders are ignored, and one of the two names may lack the ending.

    >>> is_of(FileLabel("a", 0, 1, recording="call"), Path("x/call.wav"))
    True
    >>> is_of(FileLabel("a", 0, 1, recording="call.1"), Path("call.2"))
    False
    """
    named = PureWindowsPath(label.recording)  # takes / and \\ as separators
    return named.name in (recording.name, recording.stem) or named.stem == recording.name


def labels_as_text(recordings: Sequence[LabelledRecording], format: str) -> str:
    """The labels of recordings as the text of a file in a format.

    Raises:
        ConfigError: There is no such format, or this package only reads it; or there are several recordings, and a
            file of this format holds one.
        DataError: The format cannot hold the labels, such as overlapping labels in a TextGrid or spaces in a CTM.

    >>> from speechgmm.io.timed_labels import TimedLabel
    >>> one = LabelledRecording(Path("a.wav"), 1.0, {"birds": [TimedLabel("robin", 0.5, 1.0)]})
    >>> labels_as_text([one], "audacity")
    '0.500000\\t1.000000\\trobin\\n'
    """
    chosen = format_of(Path(), format)
    if not chosen.writer:
        written = ", ".join(WRITTEN)
        raise ConfigError(f"format {format}: {chosen.what} is not written; expected {written}", arguments=("format",))
    if not chosen.several and len(recordings) != 1:
        raise ConfigError(
            f"{chosen.what} holds one recording, and there are {len(recordings)}; write a file for each",
            arguments=("output",),
        )
    return chosen.write(recordings)


def write_labels(path: Path, recordings: Sequence[LabelledRecording], format: str | None = None) -> None:
    """Write labels to a file, completely or not at all, in ``format`` or in the format that its suffix tells.

    Raises the errors of `labels_as_text`, and DataError where the file cannot be written.
    """
    by_suffix = format_by_suffix(path)
    from speechgmm.io.atomic import write_text

    write_text(path, labels_as_text(recordings, format or (path.suffix if by_suffix is None else by_suffix.name)))
