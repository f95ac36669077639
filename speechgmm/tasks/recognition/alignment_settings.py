"""The configuration that a corpus is aligned with: from a folder, a table or a configuration, with few choices.

Owns the settings that alignment starts from. Everything else is the same as in a run of ``task: recognition``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from speechgmm.config import Experiment, load_config, make_config
from speechgmm.config.overrides import apply_overrides, as_override
from speechgmm.corpus.dictionary import read_dictionary
from speechgmm.corpus.readers.files import recordings_below
from speechgmm.corpus.readers.manifest import TABLES, read_manifest
from speechgmm.corpus.table_columns import columns_of
from speechgmm.errors import ConfigError, DataError
from speechgmm.io.decoders import recording_header
from speechgmm.io.run_files import model_file
from speechgmm.tasks.recognition.codec import RecogniserFile, read_recogniser
from speechgmm.tasks.recognition.decoding import SILENCES

FRONT_END: Final[Mapping[str, Any]] = {
    "preset": "kaldi",
    "frame_length": 20,
    "frame_shift": 10,
    "deltas": 2,
}
UNITS: Final[Mapping[str, Any]] = {
    "n_states": 3,
    "silence_states": 3,
    "n_components": 4,
    "iterations": 10,
    "annealing": 0.03,
}
MORE_ITERATIONS: Final = 3
"""Passes over the data with the units of a model, which fit others already."""

BEAM: Final = 1000
"""Nats: so wide that the best path of a transcript is hardly ever lost."""

MOST_RATE: Final = 16000
"""Hz: recordings at higher rates are resampled to this one."""

LOOKED_AT: Final = 500
"""Recordings whose rates are looked at."""

TEXT_COLUMNS: Final = ("text", "transcript", "transcription", "sentence", "words")
"""Columns of a table that hold what is said, best first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlignmentChoices:
    """What a person chooses about the alignment of a corpus."""

    model: Path | None = None  # whose units training goes on from
    dictionary: Path | None = None
    graphemes: bool = False
    skip: bool = False  # leave out what cannot be used, unknown words too
    resample: bool = False
    speaker: str | None = None  # folder; a number or a regular expression, see corpus.transcripts.speaker
    frame_shift: float | None = None  # ms
    overrides: Sequence[str] = ()
    n_jobs: int | None = None


def alignment_experiment(corpus: Path, choices: AlignmentChoices) -> Experiment:
    """The experiment that trains on a corpus for its alignment.

    Args:
        corpus: A folder of recordings with transcripts, a Kaldi data directory, a table, or a configuration (.yaml).
        choices: What is chosen beside it.

    Raises:
        ConfigError: There is neither a dictionary nor letters, or both; a setting that cannot be.
        DataError: There is no such corpus; a dictionary or a table that cannot be read.
    """
    if choices.speaker is not None and not (corpus.is_dir() and not (corpus / "wav.scp").is_file()):
        raise ConfigError(
            f"{corpus} says itself who speaks (column speaker, utt2spk, corpus.group); a folder, a depth or an "
            "expression is for a folder of recordings with transcripts",
            arguments=("speakers",),
        )
    if corpus.suffix.lower() in (".yaml", ".yml"):
        return load_config(corpus, [*_given(choices), *choices.overrides, "corpus.split=all"])
    if (choices.dictionary is None) != choices.graphemes:
        both = "a dictionary and graphemes are given" if choices.graphemes else "neither is given"
        raise ConfigError(
            f"the words of {corpus} need pronunciations, and {both}; expected one of them: a pronunciation dictionary, "
            "or graphemes, whose units are letters",
            arguments=("dictionary", "graphemes"),
        )
    root = corpus.absolute()
    start = None if choices.model is None else read_recogniser(model_file(choices.model))
    values: dict[str, Any] = {
        "task": "recognition",
        "corpus": {**_corpus(root, choices), "split": "all"},
        "features": dict(FRONT_END),
        "hmm": dict(UNITS),
        "recognition": {
            "text": "normalised",
            "language": "loop",
            "vocabulary": "training",
            "insertion_penalty": 0,
            "beam": BEAM,
        },
    }
    if start is None:
        values["features"]["cmvn"] = "speaker" if "group" in values["corpus"] else "utterance"
        values["recognition"] |= {"silence": _silence(choices), "start": "edges"}
    else:
        _as_in_the_model(values, start, has_dictionary=choices.dictionary is not None)
    apply_overrides(values, [*_given(choices), *choices.overrides])
    config = make_config(values, "alignment")
    return Experiment(config, f"{root.stem if root.is_file() else root.name}-alignment", Path.cwd())


def _given(choices: AlignmentChoices) -> list[str]:
    """What is chosen, as settings of a configuration."""
    given: dict[str, Any] = {
        "recognition.start_model": None if choices.model is None else str(choices.model),
        "recognition.dictionary": None if choices.dictionary is None else str(choices.dictionary),
        "recognition.graphemes": choices.graphemes or None,
        "recognition.text": "normalised" if choices.graphemes else None,
        "corpus.on_error": "skip" if choices.skip else None,
        "corpus.resample": choices.resample or None,
        "features.frame_shift": choices.frame_shift,
        "parallel.n_jobs": choices.n_jobs,
    }
    return [as_override(key, value) for key, value in given.items() if value is not None]


def _corpus(root: Path, choices: AlignmentChoices) -> dict[str, Any]:
    """The section corpus without its split."""
    if root.is_dir() and (root / "wav.scp").is_file():
        kaldi = {"kind": "kaldi", "path": str(root), "label": "text"}
        return kaldi | ({"group": "speaker"} if (root / "utt2spk").is_file() else {})
    if root.is_dir():
        speaker = {} if choices.speaker in (None, "folder") else {"speaker": _number_or_pattern(str(choices.speaker))}
        found = {"kind": "transcripts", "root": str(root), "label": "text", "group": "speaker", "transcripts": speaker}
        return found | _rate(recordings_below(root).audio)
    if root.suffix.lower() not in TABLES or not root.is_file():
        what = "a file of another kind" if root.is_file() else "no such folder or file"
        raise DataError(
            f"{root}: {what}; expected a folder of recordings with transcripts, a table ({', '.join(TABLES)}) with the "
            "columns path and text, or a configuration (.yaml)"
        )
    columns = columns_of(root)
    label = next((name for name in TEXT_COLUMNS if name in columns), "text")
    group = {"group": "speaker"} if "speaker" in columns else {}
    table = {"kind": "manifest", "path": str(root), "label": label, **group}
    return table | _rate(read_manifest(root, None, label).paths())


def _as_in_the_model(values: dict[str, Any], start: RecogniserFile, *, has_dictionary: bool) -> None:
    """The settings that units were trained with which training goes on from."""
    audio, recogniser = start.audio, start.recogniser
    stressed = any(unit[-1:] in "012" for unit in recogniser.units.labels)
    values["features"] = asdict(audio.features)
    values["corpus"] |= {"sample_rate": audio.sample_rate, "channel": audio.channel}
    values["hmm"] = {
        "iterations": MORE_ITERATIONS,
        "n_components": max(model.n_components for model in recogniser.units.emissions),
    }
    values["recognition"]["silence"] = recogniser.silence
    if has_dictionary and not stressed:
        values["recognition"]["stress"] = "drop"


def _number_or_pattern(text: str) -> int | str:
    return int(text) if text.isdigit() else text


def _rate(paths: Sequence[Path]) -> dict[str, Any]:
    """The lowest rate of a sample of recordings, ``MOST_RATE`` at most; others are resampled."""
    rates = set()
    for path in paths[:: max(1, len(paths) // LOOKED_AT)]:
        try:
            rates.add(recording_header(path).rate)
        except DataError:
            continue  # said when it is read whole
    return {"sample_rate": min([MOST_RATE, *rates]), "resample": True}


def _silence(choices: AlignmentChoices) -> str:
    """A name for silence that is no phone of the dictionary."""
    phones = () if choices.dictionary is None else read_dictionary(choices.dictionary).phones
    return next(name for name in (*SILENCES, "(silence)") if name not in phones)
