"""The model file of a recogniser: the same container as class models, with the states of units in place of classes.

header              "recogniser": units with their states and components, lexicon, language, how it is searched
weights, means, variances    of all states' mixtures, one after another
transitions                  of all units, row after row
bigram.*                     where the language is a bigram; a network is in the header
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from speechgmm.engine.audio_input import AudioInput, audio_header, read_audio_input
from speechgmm.io.container import FORMAT_VERSION, check_kind, packed, read_tensors, stack, unstack, whole

if TYPE_CHECKING:  # reading a model of another kind waits for none of them
    from speechgmm.hmm.recogniser import Recogniser

BIGRAM = ("log_start", "log_next", "log_end", "log_backoff", "log_unigram")


@dataclass(frozen=True, slots=True)
class RecogniserFile:
    """What the model file of a recogniser holds."""

    recogniser: "Recogniser"
    audio: AudioInput
    label: str  # the column that transcripts came from


def serialise_recogniser(content: RecogniserFile) -> bytes:
    """The bytes of a model file; the same content gives the same bytes."""
    from speechgmm.hmm.bigram import Bigram

    found = content.recogniser
    about, tensors = audio_header(content.audio)
    tensors |= stack("", found.units.emissions)
    tensors["transitions"] = np.concatenate([hmm.transitions.ravel() for hmm in found.units.hmms])
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
        },
        "audio": about,
    }
    return packed(header, tensors)


def read_recogniser(path: str | Path) -> RecogniserFile:
    """Read and check the model file of a recogniser.

    Raises:
        ModelFileError: As ``read_model_file``; or it holds models of another kind.
    """
    from speechgmm.hmm.bigram import Bigram
    from speechgmm.hmm.hmm import HMM, Units
    from speechgmm.hmm.network import Network
    from speechgmm.hmm.recogniser import Recogniser

    path = Path(path)
    tensors, header = read_tensors(path)
    check_kind(path, header, "recogniser")
    with whole(path):
        about = header["recogniser"]
        sizes = [n for _, counts in about["units"] for n in counts]
        models = iter(unstack("", tensors, sizes))
        hmms, first = [], 0
        for _, counts in about["units"]:
            shape = (len(counts), len(counts) + 1)
            rows: NDArray[np.float64] = tensors["transitions"][first : first + shape[0] * shape[1]].reshape(shape)
            hmms.append(HMM(tuple(next(models) for _ in counts), rows))
            first += rows.size
        language = about["language"]
        said: Bigram | Network
        if "bigram" in language:
            said = Bigram(tuple(language["bigram"]), *(tensors[f"bigram.{name}"] for name in BIGRAM))
        else:
            arcs = tuple((int(a), word, int(b), float(weight)) for a, word, b, weight in language["arcs"])
            finals = {int(state): float(weight) for state, weight in language["finals"]}
            said = Network(int(language["n_states"]), arcs, int(language["start"]), finals)
        recogniser = Recogniser(
            Units(tuple(label for label, _ in about["units"]), tuple(hmms)),
            {word: tuple(tuple(way) for way in ways) for word, ways in about["lexicon"].items()},
            said,
            **{name: about[name] for name in ("silence", "silence_probability", "scale", "insertion_penalty", "beam")},
            log_weights={word: tuple(values) for word, values in about.get("log_weights", {}).items()},
        )
        return RecogniserFile(recogniser, read_audio_input(header["audio"], tensors), header["label"])
