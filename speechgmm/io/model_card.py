"""The model card: what a person should know of a model before it is used. A part of every model file.

It is a second entry of the file's metadata, beside the header that scoring reads: versions that know no card read the
file all the same. It has no times and no paths, so that the same training gives the same bytes. Owns its form, and how
it gets into a file and out. Refuses to know how a model was trained: who writes the file says so.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from speechgmm.errors import ConfigError, ModelFileError
from speechgmm.io.header import checked, strict_json
from speechgmm.setting import FORBID_UNKNOWN, setting

if TYPE_CHECKING:  # a configuration is read without them
    from speechgmm.evaluation.metric import Metrics

CARD: Final = "speechgmm_card"
"""Key of the card in the metadata of a model file."""

MOST_CHARACTERS: Final = 10_000

LABELS_NAMED: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class CardText:
    """What the maker of a model says of it in the configuration.

    >>> CardText(licence="CC-BY-4.0").intended_use is None
    True
    """

    __pydantic_config__ = FORBID_UNKNOWN

    intended_use: str | None = setting(None, "what the model is meant for, and what it is not meant for")
    licence: str | None = setting(None, "licence of the model, such as CC-BY-4.0; that of the recordings may bind it")
    notes: str | None = setting(None, "known limits, consent of the speakers, whom to ask")

    def __post_init__(self) -> None:
        """Refuse texts that are no part of a card."""
        for name, text in asdict(self).items():
            if text is not None and len(text) > MOST_CHARACTERS:
                raise ConfigError(
                    f"model_card.{name} has {len(text)} characters; expected at most {MOST_CHARACTERS}. Shorten it"
                )


@dataclass(frozen=True, slots=True)
class CardData:
    """Counts of one split."""

    split: str
    utterances: int
    seconds: float
    n_labels: int | None = None  # different labels; None: they are transcripts
    n_groups: int | None = None  # speakers, sessions, ... (corpus.group); None: there is no such column


@dataclass(frozen=True, slots=True)
class CardMetric:
    """A metric of the test, as in ``metrics.json``; a number that is not finite is None."""

    value: float | None
    n: int
    unit: str
    low: float | None = None
    high: float | None = None
    interval: str | None = None
    n_groups: int | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What a model file says of itself to a person."""

    version: str  # of speechgmm, which wrote it
    made_by: str  # the command or function
    task: str = ""
    fold: str = ""  # of a cross-validation; empty: the model of all training data
    label: str = ""  # column of the labels
    labels: tuple[str, ...] = ()  # the first of them
    data: tuple[CardData, ...] = ()
    data_hash: str = ""
    protocol: str = ""
    metrics: Mapping[str, CardMetric] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)  # those that differ from the defaults
    text: CardText = field(default_factory=CardText)
    changes: tuple[str, ...] = ()  # after training

    def tested(self, metrics: "Metrics") -> Self:
        """The same with metrics of a test."""
        found = {}
        for name, metric in metrics.items():
            bounds = (metric.value, metric.low, metric.high)
            value, low, high = (None if x is None or not isfinite(x) else float(x) for x in bounds)
            how = (metric.interval, metric.n_groups) if low is not None else (None, None)
            found[name] = CardMetric(value, metric.n, metric.unit, low, high, *how, metric.note)
        return replace(self, metrics=found)

    def changed(self, what: str) -> Self:
        """The same with another change after training."""
        return replace(self, changes=(*self.changes, what))


def with_card(data: bytes, card: ModelCard | None) -> bytes:
    """A model file, given as its bytes, with this card, or with none; the rest of it stays as it is."""
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    metadata = header["__metadata__"]
    metadata.pop(CARD, None)
    if card is not None:
        plain = json.dumps(asdict(card), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        metadata[CARD] = plain.encode("utf-8", "replace").decode()  # file names that are not UTF-8
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # tensors begin at a multiple of 8 bytes
    return len(text).to_bytes(8, "little") + text + data[end:]


def same_models(path: Path, data: bytes) -> bool:
    """Whether a file holds these models (the bytes of a file without a card), whatever its card says."""
    try:
        return with_card(path.read_bytes(), None) == data
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False  # none, or damaged


def known_card(path: Path) -> ModelCard | None:
    """The card of a model file; None: it has none, or a damaged one."""
    try:
        return read_card(path)
    except ModelFileError:
        return None


def read_card(path: Path) -> ModelCard | None:
    """The card of a model file; None: it has none, as those of versions before 0.2.0.

    Raises:
        ModelFileError: The file or its card cannot be read.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="numpy") as file:
            text = (file.metadata() or {}).get(CARD)
        return None if text is None else checked(ModelCard, strict_json(text), "card")
    except (SafetensorError, OSError, ValueError, ConfigError) as error:
        raise ModelFileError(f"{path}: its model card cannot be read ({error}); train the model again") from None
