"""Who speaks when in recordings, and training what finds it out."""

import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from speechgmm.corpus import CorpusSpec
from speechgmm.engine.console import Console
from speechgmm.errors import ConfigError, DataError
from speechgmm.evaluation.diarization import DiarizationErrors, Turn, diarization_errors
from speechgmm.io.atomic import write_text
from speechgmm.io.locks import changing
from speechgmm.io.rttm import read_rttm, rttm
from speechgmm.io.timed_labels import TimedLabel, textgrid
from speechgmm.report.text import recordings, shown
from speechgmm.tasks.diarization.codec import read_diarizer, save_diarizer
from speechgmm.tasks.diarization.corpus import train_on_corpus
from speechgmm.tasks.diarization.recordings import Diarized, diarize_recordings, picture_of

GOES_ON = "who speaks when: speechgmm diarize RECORDING --model"
"""What a run of diarization ends with, before its model."""

SUFFIXES = {"rttm": ".rttm", "textgrid": ".TextGrid", "table": ".txt"}


def diarize_and_print(
    audio: Sequence[Path],
    *,
    model: Path | None,
    n_speakers: int | None,
    out: Path | None,
    form: str,
    reference: Path | None,
    collar: float,
    picture: bool,
    resample: bool,
    jobs: int,
    quiet: bool,
) -> int:
    """Print who speaks when in each recording, or write a file for each; returns how many failed.

    Raises:
        ConfigError: No recording; what cannot go together; recordings that would share a file.
        ModelFileError: The model cannot be read, or is no diarizer.
        DataError: A reference that cannot be read.
    """
    paths = recordings(audio)
    if form == "textgrid" and out is None and (len(paths) > 1 or reference is not None):
        raise ConfigError(
            "a TextGrid is one recording's and holds no figures: name the folder for files with --out DIR"
        )
    if picture and out is None:
        raise ConfigError("--picture draws into a folder: name it with --out DIR")
    if collar and reference is None:
        raise ConfigError("--collar is for figures: name what to compare with by --reference FILE")
    if out is not None and out.is_file():
        raise ConfigError(f"--out {out}: a file; a file for each recording needs a folder")
    stems = [path.stem for path in paths]
    by_name = form == "rttm" or out is not None or reference is not None
    if by_name and len(set(stems)) < len(stems):
        twice = next(stem for stem in stems if stems.count(stem) > 1)
        raise ConfigError(
            f"several recordings are called {twice!r}; files and RTTMs name them without folders and endings"
        )
    spaced = next((stem for stem in stems if len(stem.split()) > 1), None)
    if form == "rttm" and spaced is not None:
        raise ConfigError(
            f"a recording is called {spaced!r}, and spaces separate the columns of an RTTM: rename it, or take "
            "--format textgrid or table"
        )
    said = _reference(reference)
    file = None if model is None else read_diarizer(model)
    if file is None and not quiet:
        hint = "; check the number of speakers, or give it by --n-speakers" if n_speakers is None else ""
        print(f"no --model: each recording is learnt from itself, which is weaker{hint}", file=sys.stderr)
    found = diarize_recordings(file, paths, n_speakers=n_speakers, resample=resample, n_jobs=jobs)
    hidden = len(paths) > 1 and not sys.stdout.isatty() and sys.stderr.isatty()
    failures, every = 0, []
    for path, result in Console(quiet=quiet).track(found, len(paths), "diarizing" if hidden else None):
        try:
            if isinstance(result, DataError):
                raise result
            errors = _judged(path, result, said, reference, collar)
            text = _text(result, form)
            if out is not None:
                target = out / f"{path.stem}{SUFFIXES[form]}"
                write_text(target, text)
                text = f"{shown(target)}\n"
                if picture:
                    drawn = picture_of(path, result, said.get(path.stem), out / f"{path.stem}.png")
                    text += f"{shown(drawn)}\n"
            if errors is not None:
                every.append(errors)
                comment = ";; " if form == "rttm" and out is None else ""
                text += f"{comment}{path.stem}: {_figures(errors, collar)}\n"
        except DataError as error:  # of this recording; the others are printed all the same
            failures += 1
            print(f"error: {error}", file=sys.stderr)
        else:
            print(text, end="", flush=True)
    if len(every) > 1:
        comment = ";; " if form == "rttm" and out is None else ""
        print(f"{comment}all {len(every)}: {_figures(sum(every[1:], every[0]), collar)}")
    return failures


def _reference(path: Path | None) -> dict[str, list[Turn]]:
    """The turns of a reference, of each recording; what was left out of it is said."""
    if path is None:
        return {}
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always")
        turns = read_rttm(path)
    for note in notes:
        print(f"note: {note.message}", file=sys.stderr)
    return turns


def train_and_print(
    corpus: Path, *, kind: str, out: Path, n_components: int, n_conversations: int, seed: int, quiet: bool
) -> None:
    """Train a diarizer on recordings of one speaker each and write it.

    Raises:
        DataError: The corpus cannot be read, or has too few speakers.
        ConfigError: A kind that does not exist.
    """
    spec = CorpusSpec(kind=kind, label="speaker")  # type: ignore[arg-type]  # checked by the command line
    console = Console(quiet=quiet)
    file = train_on_corpus(
        spec, corpus, n_components=n_components, n_conversations=n_conversations, seed=seed, console=console
    )
    with changing(out):
        save_diarizer(file, out)
    learnt = file.learnt
    print(
        f"{shown(out)}\nbackground: {learnt.n_background} speakers; threshold {file.diarizer.threshold:.2f} nats, "
        f"learnt from {learnt.n_conversations} conversations of others, whose DER it makes {100 * learnt.der:.1f} % "
        f"(of training, not of a test)\nwho speaks when: speechgmm diarize RECORDING --model {shown(out)}"
    )


def _judged(
    path: Path, result: Diarized, said: dict[str, list[Turn]], reference: Path | None, collar: float
) -> DiarizationErrors | None:
    if reference is None:
        return None
    if path.stem not in said:
        known = ", ".join(sorted(said)[:5])
        raise DataError(
            f"{path}: {reference} has no turn of {path.stem!r}; it has {known}: expected is the file's name"
        )
    return diarization_errors(said[path.stem], result.turns, collar=collar)


def _figures(errors: DiarizationErrors, collar: float) -> str:
    if not errors.speech:
        return "nothing to compare: within --collar of the reference's boundaries, nothing counts"
    parts = ((errors.miss, "missed"), (errors.false_alarm, "false alarm"), (errors.confusion, "confused"))
    shares = ", ".join(f"{100 * seconds / errors.speech:.1f} {what}" for seconds, what in parts)
    scored = f", without {collar:g} s on each side of the reference's boundaries" if collar else ""
    return f"DER {100 * errors.der:.1f} % ({shares}), JER {100 * errors.jer:.1f} %{scored}"


def _text(result: Diarized, form: str) -> str:
    if form == "rttm":
        return rttm(result.path.stem, result.turns)
    if form == "textgrid":
        tiers = {
            name: [
                TimedLabel(name, one.start, min(one.end, result.duration))
                for one in result.turns
                if one.speaker == name
            ]
            for name in sorted({turn.speaker for turn in result.turns}, key=lambda name: (len(name), name))
        }
        return textgrid(tiers, result.duration, recording=str(result.path))
    rows = "".join(f"{one.start:9.2f} {one.end:9.2f}  {one.speaker}\n" for one in result.turns)
    speakers = "speaker" if result.n_speakers == 1 else "speakers"
    return f"{result.path}: {result.n_speakers} {speakers}\n{rows}"
