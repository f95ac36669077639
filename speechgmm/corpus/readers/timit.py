"""TIMIT (Garofolo et al. 1993; LDC93S1), whole or as NLTK's sample: phones and words with their times.

TIMIT/TRAIN/DR1/FCJF0/SA1.WAV, SA1.PHN, SA1.WRD      the full corpus, names in any case
timit/dr1-fvmh0/sa1.wav, sa1.phn, sa1.wrd            NLTK's sample
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from speechgmm.corpus.reader_specs import TimitSpec
from speechgmm.corpus.readers.files import files_below
from speechgmm.corpus.readers.layout import check_label, check_root, read_lines, refuse
from speechgmm.corpus.utterance import Corpus, Utterance
from speechgmm.errors import DataError, first_few

RATE: Final = 16000
"""Hz: .phn and .wrd count samples at this rate, whatever the recordings have become since."""

SEGMENTS: Final = {"phone": "phn", "word": "wrd"}
"""Label -> the file with its times; every other label is one of a whole recording."""

COLUMNS: Final = ("phone", "word", "speaker", "sex", "dialect", "sentence")

_TO_48: Final = {
    "ux": "uw", "axr": "er", "ax-h": "ax", "em": "m", "nx": "n", "eng": "ng", "hv": "hh",
    "pcl": "cl", "tcl": "cl", "kcl": "cl", "bcl": "vcl", "dcl": "vcl", "gcl": "vcl", "h#": "sil", "pau": "sil",
}  # fmt: skip
_TO_39: Final = {
    "cl": "sil", "vcl": "sil", "epi": "sil", "el": "l", "en": "n", "zh": "sh", "ao": "aa", "ix": "ih", "ax": "ah",
}  # fmt: skip


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


PHONES: Final = _names(
    "iy ih eh ey ae aa aw ay ah ao oy ow uh uw ux er ax ix axr ax-h jh ch b d g p t k dx q s sh z zh f th v dh "
    "m n ng em en eng nx hh hv el l r w y bcl dcl gcl pcl tcl kcl h# pau epi"
)
"""The 61 symbols of the transcriptions (phoncode.doc)."""

CORE_TEST: Final = frozenset(
    _names(
        "mdab0 mwbt0 felc0 mtas1 mwew0 fpas0 mjmp0 mlnt0 fpkt0 mlll0 mtls0 fjlm0 "
        "mbpm0 mklt0 fnlp0 mcmj0 mjdh0 fmgd0 mgrt0 mnjm0 fdhc0 mjln0 mpam0 fmld0"
    )
)
"""The core test set: two men and one woman of each dialect (testset.doc)."""

CORE_DEV: Final = frozenset(
    _names(
        "faks0 fdac1 fjem0 mgwt0 mjar0 mmdb1 mmdm2 mpdf0 fcmh0 fkms0 mbdg0 mbwm0 mcsh0 fadg0 fdms0 fedw0 mgjf0 "
        "mglb0 mrtk0 mtaa0 mtdt0 mthc0 mwjg0 fnmr0 frew0 fsem0 mbns0 mmjr0 mdls0 mdlf0 mdvc0 mers0 fmah0 fdrw0 "
        "mrcs0 mrjm4 fcal1 mmwh0 fjsj0 majc0 mjsw0 mreb0 fgjd0 fjmg0 mroa0 mteb0 mjfc0 mrjr0 fmml0 mrws1"
    )
)
"""The 50 development speakers that go with the core test set (Halberstadt 1998; Kaldi's egs/timit)."""

_FILE: Final = r"(?P<sentence>s[aix]\d+)\.(?P<suffix>wav|wav\.wav|flac|sph|phn|wrd)"
FULL: Final = re.compile(
    rf"(?P<part>train|test)/dr(?P<dialect>\d)/(?P<speaker>[fm][a-z]{{3}}\d)/{_FILE}", re.IGNORECASE
)
SAMPLE: Final = re.compile(rf"dr(?P<dialect>\d)-(?P<speaker>[fm][a-z]{{3}}\d)/{_FILE}", re.IGNORECASE)
AUDIO: Final = ("wav", "wav.wav", "flac", "sph")
"""In order of preference: copies converted beside the originals are named SA1.WAV.wav."""


def _fold_table() -> Mapping[int, Mapping[str, str]]:
    to_48 = {phone: _TO_48.get(phone, phone) for phone in PHONES if phone != "q"}
    to_39 = {phone: _TO_39.get(folded, folded) for phone, folded in to_48.items()}
    return MappingProxyType({61: {phone: phone for phone in PHONES}, 48: to_48, 39: to_39})


FOLDS: Final = _fold_table()
"""Number of classes -> symbol -> class; q is in none but the 61 (Lee & Hon 1989, table II)."""


def fold_phone(phone: str, classes: int = 39) -> str | None:
    """The class of one of TIMIT's 61 symbols among 61, 48 or 39 classes; None: dropped (the glottal stop q).

    The 48 train and the 39 are counted, in Lee & Hon (1989), table II.

    Raises:
        DataError: The symbol is none of the 61.

    >>> fold_phone("ux", 48), fold_phone("zh"), fold_phone("tcl"), fold_phone("q")
    ('uw', 'sh', 'sil', None)
    """
    if phone not in FOLDS[61]:
        raise DataError(f"{phone!r} is none of TIMIT's 61 phones; expected are the labels of its own .PHN files")
    return FOLDS[classes].get(phone)


@dataclass(slots=True)
class _Sentence:
    """What lies in a speaker's folder under one name."""

    part: str  # train or test; "" in NLTK's sample
    dialect: str  # dr1 to dr8
    speaker: str  # fcjf0
    sentence: str  # sa1
    files: dict[str, Path] = field(default_factory=dict)  # suffix in lower case -> path

    @property
    def audio(self) -> Path | None:
        return next((self.files[suffix] for suffix in AUDIO if suffix in self.files), None)


def read_timit(root: Path, label: str, spec: TimitSpec) -> Corpus:
    """The segments (label phone or word) or recordings (other labels) of TIMIT.

    Labels: phone or word; speaker, sex (f, m), dialect (dr1 to dr8), sentence (sa1). Phones that follow each other and
    fold to one class stay separate segments, as the field counts them in classification.

    Args:
        root: The folder that holds TRAIN and TEST, or NLTK's sample.
        label: The column to model.
        spec: Folding, sa sentences, which speakers of TEST are tested.

    Raises:
        DataError: The folder is not TIMIT; phones overlap or are unknown, a segment ends before it starts, a recording
            or its labels are missing (all are listed, with file and line).
    """
    check_label(label, COLUMNS, "TIMIT")
    check_root(root, _is_root, "TIMIT (TRAIN/DR1/FCJF0/SA1.WAV, or dr1-fvmh0/sa1.wav)")
    problems: list[str] = []
    sentences = _sentences(root, problems)
    drop_sa = spec.sa == "drop" or (spec.sa is None and label in SEGMENTS)
    chosen = [sentence for sentence in sentences if not (drop_sa and sentence.sentence.startswith("sa"))]
    if not chosen:
        raise DataError(f"{root}: no sentence but sa1 and sa2, which corpus.timit.sa drops; set it to keep")
    split_of, notes = _splits(root, chosen, spec)
    utterances: list[Utterance] = []
    for sentence in chosen:
        some = next(iter(sentence.files.values())).relative_to(root)
        if sentence.audio is None:
            problems.append(f"{some}: no recording {sentence.sentence}.wav beside it")
        if label in SEGMENTS and SEGMENTS[label] not in sentence.files:
            problems.append(f"{some}: no {sentence.sentence}.{SEGMENTS[label]} beside it")
        split = split_of[sentence.speaker]
        if split is not None:
            utterances.extend(_utterances(sentence, label, spec.phones, split, root, problems))
    refuse(root, problems)
    return Corpus(tuple(utterances), label, root, tuple(notes))


def _is_root(folder: Path) -> bool:
    for child in folder.iterdir():
        name = child.name.lower()
        if re.fullmatch(r"dr\d-[fm][a-z]{3}\d", name) and child.is_dir():
            return True
        if name in ("train", "test") and child.is_dir():
            return any(re.fullmatch(r"dr\d", inner.name.lower()) for inner in child.iterdir())
    return False


def _sentences(root: Path, problems: list[str]) -> list[_Sentence]:
    """Every sentence, sorted by part, dialect, speaker and name: the order of the folders, whatever their case."""
    found: dict[tuple[str, str], _Sentence] = {}
    for path in files_below(root):
        place = path.relative_to(root)
        match = FULL.fullmatch(place.as_posix()) or SAMPLE.fullmatch(place.as_posix())
        if not match:
            continue  # documents, .TXT, the other folders of the discs
        names = {key: value.lower() for key, value in match.groupdict().items()}
        fresh = _Sentence(names.get("part", ""), f"dr{names['dialect']}", names["speaker"], names["sentence"])
        sentence = found.setdefault((fresh.speaker, fresh.sentence), fresh)
        suffix = names["suffix"]
        if (sentence.part, sentence.dialect) != (fresh.part, fresh.dialect) or suffix in sentence.files:
            other = next(iter(sentence.files.values())).relative_to(root)
            problems.append(f"{place}: sentence {fresh.sentence} of {fresh.speaker} lies in {other.parent} already")
            continue
        sentence.files[suffix] = path
    order = {"train": 0, "test": 1, "": 2}
    return sorted(found.values(), key=lambda one: (order[one.part], one.dialect, one.speaker, one.sentence))


def _splits(root: Path, sentences: list[_Sentence], spec: TimitSpec) -> tuple[dict[str, str | None], list[str]]:
    """Speaker -> split, None: left out; and notes."""
    parts = {sentence.speaker: sentence.part for sentence in sentences}
    if spec.test_speakers:
        named = {speaker.lower() for speaker in spec.test_speakers}
        if unknown := sorted(named - parts.keys()):
            raise DataError(
                f"{root}: corpus.timit.test_speakers names {', '.join(unknown)}, and no such speaker is there; the "
                f"speakers are {first_few(sorted(parts), 10)}"
            )
        return {speaker: "test" if speaker in named else "train" for speaker in parts}, []
    if spec.test == "full":
        return dict(parts), []
    tested = {speaker for speaker, part in parts.items() if part == "test"}
    if missing := sorted(CORE_TEST - tested):
        raise DataError(
            f"{root}: corpus.timit.test: core needs the 24 speakers of the core test set below TEST; "
            f"{len(missing)} are not there ({first_few(missing, 5)})"
        )
    split_of: dict[str, str | None] = {}
    for speaker, part in parts.items():
        held_out = "test" if speaker in CORE_TEST else "dev" if speaker in CORE_DEV else None
        split_of[speaker] = held_out if part == "test" else part
    left = sum(1 for split in split_of.values() if split is None)
    return split_of, [
        f"{left} speakers of TEST are in neither the core test nor its dev set and are not used"
    ] if left else []


def _utterances(
    sentence: _Sentence, label: str, phones: int, split: str, root: Path, problems: list[str]
) -> list[Utterance]:
    path = sentence.audio
    if path is None:
        return []
    labels = {
        "speaker": sentence.speaker,
        "sex": sentence.speaker[0],
        "dialect": sentence.dialect,
        "sentence": sentence.sentence,
    }
    identity = f"{sentence.speaker}_{sentence.sentence}"
    if label not in SEGMENTS:
        return [Utterance(identity, path, None, None, split, labels, path.relative_to(root).as_posix())]
    if SEGMENTS[label] not in sentence.files:
        return []
    table = sentence.files[SEGMENTS[label]]
    place = table.relative_to(root).as_posix()
    utterances = []
    for line, start, end, name in _segments(table, root, label, problems):
        folded = fold_phone(name, phones) if label == "phone" else name
        if folded is not None:
            source = f"{place}, line {line}"
            about = {label: folded, **labels}
            name_of_it = f"{identity}:{start}-{end}"
            utterances.append(Utterance(name_of_it, path, start / RATE, end / RATE, split, about, source))
    return utterances


def _segments(path: Path, root: Path, label: str, problems: list[str]) -> list[tuple[int, int, int, str]]:
    """(line, start, end in samples, symbol) of every good line; the others are added to ``problems``."""
    found: list[tuple[int, int, int, str]] = []
    latest = 0
    place = path.relative_to(root).as_posix()  # once: this runs for a quarter of a million lines
    spans: set[tuple[int, int]] = set()
    for line, text in read_lines(path):
        where = f"{place}, line {line}"
        cells = text.split()
        if len(cells) != 3 or not cells[0].isdecimal() or not cells[1].isdecimal():
            problems.append(f"{where}: {text!r}; expected start and end in samples and a {label}")
            continue
        start, end, name = int(cells[0]), int(cells[1]), cells[2].lower()
        if end <= start:
            problems.append(f"{where}: {name!r} ends at {end}, which is not after its start {start} (samples)")
        elif label == "phone" and start < latest:
            # Words of the corpus do overlap where they share a phone ("had your"); phones never do.
            problems.append(f"{where}: {name!r} starts at {start}, before the phone above ends at {latest} (samples)")
        elif label == "phone" and name not in FOLDS[61]:
            problems.append(
                f"{where}: {name!r} is none of TIMIT's 61 phones; expected are the labels of its own .PHN files"
            )
        elif (start, end) in spans:
            problems.append(f"{where}: {name!r} has the times of another line ({start} to {end})")
        else:
            found.append((line, start, end, name))
        spans.add((start, end))
        latest = max(latest, end)
    return found
