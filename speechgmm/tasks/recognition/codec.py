"""The model file of a recogniser: the same container as class models, with the states of units in place of classes.

header              "recogniser": units with their states and components, lexicon, language, how it is searched
weights, means, variances    of all states' mixtures, one after another; of tied states each mixture once
transitions                  of all units, row after row
adapted.*                    weights, means and variances of the states for transformed frames (hmm.adapt: sat)
bigram.*                     where the language is a bigram; a network is in the header
boundaries.*                 of the boundary model, where training had labels with times
"""

from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from speechgmm.engine.audio_input import AudioInput, audio_header, read_audio_input
from speechgmm.io.container import FORMAT_VERSION, check_kind, packed, read_tensors, stack, tensor, unstack, whole
from speechgmm.io.header import checked, short
from speechgmm.setting import setting
from speechgmm.tasks.recognition.tied_codec import TiedHeader, tied_header, trees_of

if TYPE_CHECKING:  # reading a model of another kind waits for none of them
    from speechgmm.hmm.adaptation import Adaptation
    from speechgmm.hmm.bigram import Bigram
    from speechgmm.hmm.boundary_model import BoundaryModel
    from speechgmm.hmm.hmm import Units
    from speechgmm.hmm.network import Network
    from speechgmm.hmm.recogniser import Recogniser

BOUNDARIES = {"projection": 2, "means": 3, "precisions": 3}
"""Tensors of a boundary model, and how many dimensions each has."""

BIGRAM = ("log_start", "log_next", "log_end", "log_backoff", "log_unigram")


@dataclass(frozen=True, slots=True)
class RecogniserFile:
    """What the model file of a recogniser holds."""

    recogniser: "Recogniser"
    audio: AudioInput
    label: str  # the column that transcripts came from


@dataclass(frozen=True, slots=True)
class BigramHeader:
    """What the header says of a bigram: its labels."""

    bigram: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NetworkHeader:
    """What the header says of a network: all of it."""

    n_states: int
    start: int
    arcs: tuple[tuple[int, str | None, int, float], ...]
    finals: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class AdaptationHeader:
    """What the header says of the adaptation to speakers."""

    prior: float = setting(500.0, "as hmm.adapt_prior", unit="frames", gt=0, le=1e12)
    rounds: int = setting(2, "as hmm.adapt_rounds", ge=1, le=20)
    components: tuple[int, ...] | None = None  # of each mixture of transformed frames; None: there are none


@dataclass(frozen=True, slots=True)
class RecogniserHeader:
    """What the header says of a recogniser."""

    units: tuple[tuple[str, tuple[int, ...]], ...]  # label, and components of each of its states
    lexicon: dict[str, tuple[tuple[str, ...], ...]]
    language: BigramHeader | NetworkHeader
    silence: str | None
    silence_probability: float = setting(0.5, "of a pause between words", gt=0, lt=1)
    scale: float = setting(1.0, "as in RecognitionSpec", ge=0, le=1e6)
    insertion_penalty: float = setting(0.0, "as in RecognitionSpec", ge=-1e6, le=1e6)
    beam: float = setting(200.0, "as in RecognitionSpec", gt=0, le=1e9)
    log_weights: dict[str, tuple[float, ...]] = field(default_factory=dict)
    adaptation: AdaptationHeader | None = None
    tied: TiedHeader | None = None
    boundaries: tuple[str, ...] | None = None  # units of the boundary model


def serialise_recogniser(content: RecogniserFile) -> bytes:
    """The bytes of a model file; the same content gives the same bytes."""
    from speechgmm.hmm.bigram import Bigram

    found = content.recogniser
    tied = tied_header(found.units)
    about, tensors = audio_header(content.audio)
    tensors |= stack("", found.units.emissions)
    tensors["transitions"] = np.concatenate([hmm.transitions.ravel() for hmm in found.units.hmms])
    model = found.boundary_model
    if model is not None:
        tensors |= {f"boundaries.{name}": getattr(model, name) for name in BOUNDARIES}
    if found.adaptation is not None and found.adaptation.emissions is not None:
        tensors |= stack("adapted.", found.adaptation.emissions)
    language: dict[str, Any]
    if isinstance(found.language, Bigram):
        language = {"bigram": list(found.language.labels)}
        tensors |= {f"bigram.{name}": getattr(found.language, name) for name in BIGRAM}
    else:
        network = found.language
        finals = sorted(network.finals.items())
        language = {"arcs": network.arcs, "n_states": network.n_states, "start": network.start, "finals": finals}
    header = {
        "format": FORMAT_VERSION,
        "label": content.label,
        "recogniser": {
            "units": [
                [label, [model.n_components for model in hmm.emissions]]
                for label, hmm in zip(found.units.labels, found.units.hmms, strict=True)
            ],
            "lexicon": {word: found.lexicon[word] for word in sorted(found.lexicon)},
            # Only where some differ: files of recognisers without them stay as they were.
            **({"log_weights": found.log_weights} if any(map(any, found.log_weights.values())) else {}),
            "language": language,
            "silence": found.silence,
            "silence_probability": found.silence_probability,
            "scale": found.scale,
            "insertion_penalty": found.insertion_penalty,
            "beam": found.beam,
            **({} if found.adaptation is None else {"adaptation": _adaptation_header(found.adaptation)}),
            **({} if tied is None else {"tied": asdict(tied)}),
            **({} if model is None else {"boundaries": list(model.labels)}),
        },
        "audio": about,
    }
    return packed(header, tensors)


def read_recogniser(path: str | Path, data: bytes | None = None) -> RecogniserFile:
    """Read and check the model file of a recogniser; ``data`` are its bytes, where they are not the whole file.

    Raises:
        ModelFileError: As ``read_model_file``; or it holds models of another kind.
    """
    from speechgmm.hmm.recogniser import Recogniser

    path = Path(path)
    tensors, header = read_tensors(path, data)
    check_kind(path, header, "recogniser")
    with whole(path):
        about = checked(RecogniserHeader, header["recogniser"], "header.recogniser")
        audio = read_audio_input(header["audio"], tensors)
        units = _units(about, tensors, audio.n_dims)
        said, adapts = about.language, about.adaptation
        language = _bigram(said.bigram, tensors) if isinstance(said, BigramHeader) else _network(said)
        recogniser = Recogniser(
            units,
            about.lexicon,
            language,
            about.silence,
            about.silence_probability,
            about.scale,
            about.insertion_penalty,
            about.beam,
            log_weights=about.log_weights,
            adaptation=None if adapts is None else _adaptation(adapts, tensors, units),
            boundary_model=None
            if about.boundaries is None
            else _boundary_model(about.boundaries, tensors, audio.n_dims),
        )
        _check_words(recogniser)
        return RecogniserFile(recogniser, audio, checked(str, header["label"], "header.label"))


def _units(about: "RecogniserHeader", tensors: dict[str, NDArray[np.float64]], n_dims: int) -> "Units":
    from speechgmm.hmm.hmm import HMM, Units, tied_units
    from speechgmm.hmm.tied_states import TiedStates

    sizes = [n for _, counts in about.units for n in counts] if about.tied is None else about.tied.components
    models = unstack("", tensors, sizes, n_dims)
    shapes = [(len(counts), len(counts) + 1) for _, counts in about.units]
    transitions = tensor(tensors, "transitions", sum(a * b for a, b in shapes))
    ends = np.cumsum([a * b for a, b in shapes])[:-1]
    rows = [part.reshape(shape) for part, shape in zip(np.split(transitions, ends), shapes, strict=True)]
    labels = tuple(label for label, _ in about.units)
    if about.tied is not None:
        return tied_units(labels, rows, TiedStates(tuple(models), trees_of(about.tied, labels)))
    own = iter(models)
    return Units(labels, tuple(HMM(tuple(islice(own, len(part))), part) for part in rows))


def _adaptation_header(adaptation: "Adaptation") -> dict[str, Any]:
    header: dict[str, Any] = {"prior": adaptation.prior, "rounds": adaptation.rounds}
    if adaptation.emissions is not None:
        header["components"] = [model.n_components for model in adaptation.emissions]
    return header


def _adaptation(about: AdaptationHeader, tensors: dict[str, NDArray[np.float64]], units: "Units") -> "Adaptation":
    from speechgmm.hmm.adaptation import Adaptation

    if about.components is None:
        return Adaptation(about.prior, about.rounds)
    if len(about.components) != len(units.emissions):
        raise ValueError(f"{len(about.components)} mixtures of transformed frames for {len(units.emissions)} states")
    models = unstack("adapted.", tensors, about.components, units.emissions[0].n_features)
    return Adaptation(about.prior, about.rounds, tuple(models))


def _bigram(labels: tuple[str, ...], tensors: dict[str, NDArray[np.float64]]) -> "Bigram":
    from speechgmm.hmm.bigram import Bigram

    n = len(labels)
    shapes = {"log_next": (n, n), "log_unigram": (n + 1,)}
    arrays = [tensor(tensors, f"bigram.{name}", *shapes.get(name, (n,)), finite=False) for name in BIGRAM]
    if len(set(labels)) < n or n == 0 or any((array == np.inf).any() for array in arrays):
        raise ValueError("a bigram without labels, with one twice, or with an infinite weight")
    return Bigram(labels, *arrays)


def _boundary_model(labels: tuple[str, ...], tensors: dict[str, NDArray[np.float64]], n_dims: int) -> "BoundaryModel":
    from speechgmm.hmm.boundary_model import BoundaryModel

    found = BoundaryModel(
        labels, *(tensor(tensors, f"boundaries.{name}", *[None] * n) for name, n in BOUNDARIES.items())
    )
    if found.n_features != n_dims or len(set(labels)) < len(labels):
        raise ValueError(f"a boundary model of {found.n_features} dimensions for frames of {n_dims}, or a unit twice")
    return found


def _network(said: NetworkHeader) -> "Network":
    from speechgmm.hmm.network import Network

    if said.n_states > len(said.arcs) + 1:  # every state but the first is the end of an arc
        raise ValueError(f"a network of {said.n_states} states with {len(said.arcs)} arcs")
    return Network(said.n_states, said.arcs, said.start, dict(said.finals))


def _check_words(recogniser: "Recogniser") -> None:
    """Raise ValueError where words have no pronunciation, or are made of units that there are not."""
    from speechgmm.hmm.network import Network

    units, lexicon = set(recogniser.units.labels), recogniser.lexicon
    language = recogniser.language
    words = language.words if isinstance(language, Network) else language.labels
    missing = sorted(set(words) - set(lexicon))
    unknown = sorted({unit for ways in lexicon.values() for way in ways for unit in way} - units)
    empty = sorted(word for word, ways in lexicon.items() if not ways or not all(ways))
    if recogniser.silence is not None and recogniser.silence not in units:
        unknown.append(recogniser.silence)
    if missing or unknown or empty:
        raise ValueError(f"words {short(missing + empty)} without a pronunciation, or unknown units {short(unknown)}")
    weights = recogniser.log_weights
    if any(len(values) != len(lexicon.get(word, ())) for word, values in weights.items()):
        raise ValueError("a word with another number of weights than of pronunciations")
