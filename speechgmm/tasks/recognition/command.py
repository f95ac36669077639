"""Recognising recordings, and aligning them to what is said in them."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from speechgmm.corpus.dictionary import read_dictionary_for
from speechgmm.corpus.readers.manifest import read_manifest
from speechgmm.engine.console import Console
from speechgmm.errors import ConfigError, DataError
from speechgmm.hmm import Lexicon
from speechgmm.io.timed_labels import ctm, json_line, textgrid, write_textgrid
from speechgmm.report.text import recordings, shown
from speechgmm.tasks.recognition.codec import RecogniserFile, read_recogniser
from speechgmm.tasks.recognition.decoding import HeardRecording, align_recordings, recognise_recordings
from speechgmm.tasks.recognition.transcripts import words_in

CONFIDENCE_SCALE = 0.1
"""Of log-likelihoods, for confidence: neighbouring frames say nearly the same, which makes posteriors too sure."""


def recognise_and_print(
    model: Path,
    audio: Sequence[Path],
    *,
    form: str,
    top: int = 1,
    out: Path | None,
    resample: bool,
    jobs: int,
    quiet: bool,
) -> int:
    """Print what is said in each recording as it is ready, ``top`` ways of it; returns how many failed.

    Raises:
        ConfigError: No recording; several TextGrids for standard output, or several ways in one CTM or TextGrid.
        ModelFileError: The model cannot be read, or is no recogniser.
    """
    if top > 1 and form in ("ctm", "textgrid"):
        raise ConfigError(f"--top {top} is for --format text and jsonl; a {form} holds one way of hearing a recording")
    file, paths = _read(model, resample), recordings(audio)
    heard = recognise_recordings(file, paths, confidence_scale=CONFIDENCE_SCALE, top=top, n_jobs=jobs)
    return _print(file, paths, heard, aligned=False, form=form, out=out, quiet=quiet)


def align_and_print(
    model: Path,
    audio: Sequence[Path],
    text: str | None,
    *,
    texts: Path | None,
    dictionary: Path | None,
    form: str,
    out: Path | None,
    resample: bool,
    jobs: int,
    quiet: bool,
) -> int:
    """Print when each word of a text is said in each recording, or of its own text each; returns how many failed.

    Raises:
        ConfigError: Neither recordings with a text nor a table of texts, or both; otherwise as above.
        DataError: A table that cannot be read; words without a pronunciation (all are named).
    """
    file = _read(model, resample)
    if (texts is None) == (text is None) or bool(audio) == (texts is not None):
        raise ConfigError("align takes recordings with --text WORDS, or --texts FILE alone, a table of path and text")
    known = file.recogniser.lexicon
    if texts is not None:
        said = _texts(texts, file.label, known)
    else:
        said = dict.fromkeys(recordings(audio), words_in(text or "", known))
    empty = [path for path, words in said.items() if not words]
    if empty:
        where = "--text" if texts is None else f"{texts}: {empty[0].name}"
        raise ConfigError(f"{where}: no word; expected is what is said in the recordings")
    lexicon: Lexicon = {}
    if dictionary is not None:
        found = read_dictionary_for(dictionary, file.recogniser.units.labels)
        unknown = {path.name: [w for w in words if w not in known] for path, words in said.items()}
        found.check(unknown, file.recogniser.units.labels)
        lexicon = {word: found.pronunciations[word] for words in unknown.values() for word in words}
    heard = align_recordings(file, said, lexicon, n_jobs=jobs)
    return _print(file, list(said), heard, aligned=True, form=form, out=out, quiet=quiet)


def _texts(table: Path, label: str, known: Lexicon) -> dict[Path, list[str]]:
    """What is said in each recording of a manifest, by the column that the model was trained on."""
    said: dict[Path, list[str]] = {}
    for utterance in read_manifest(table, None, label):
        if utterance.path in said or utterance.start is not None or utterance.end is not None:
            raise ConfigError(
                f"{utterance.source or table}: a row for a part of a recording; align takes whole recordings, one row "
                "each: cut them into files first"
            )
        said[utterance.path] = words_in(utterance.label(label), known)
    return said


def _read(model: Path, resample: bool) -> RecogniserFile:
    file = read_recogniser(model / "models.safetensors" if model.is_dir() else model)
    return replace(file, audio=replace(file.audio, resample=True)) if resample else file


def _print(
    file: RecogniserFile,
    paths: Sequence[Path],
    heard: Iterable[tuple[Path, HeardRecording | DataError]],
    *,
    aligned: bool,
    form: str,
    out: Path | None,
    quiet: bool,
) -> int:
    if file.audio.features.cmvn == "speaker" and not quiet:
        print("normalisation by speaker: each recording is a speaker of its own", file=sys.stderr)
    if form == "textgrid" and out is None and len(paths) > 1:
        raise ConfigError("a TextGrid is one recording's: name the folder for them with --out DIR")
    if out is not None and form != "textgrid":
        raise ConfigError("--out is for --format textgrid; the other formats go to standard output")
    targets = {path: (out or Path()) / f"{path.stem}.TextGrid" for path in paths}
    if out is not None and len(set(targets.values())) < len(paths):
        raise ConfigError(f"recordings of one name in several folders would share a TextGrid in {out}")
    stems = [path.stem for path in paths]
    if form == "ctm" and len(set(stems)) < len(stems):
        twice = next(stem for stem in stems if stems.count(stem) > 1)
        raise ConfigError(
            f"several recordings are called {twice!r}, and a CTM names them without their folders, so that nothing "
            "would tell their words apart; write --format jsonl, or one CTM for each folder"
        )
    failures = 0
    hidden = len(paths) > 1 and not sys.stdout.isatty() and sys.stderr.isatty()
    what = "aligning" if aligned else "recognising"
    for path, found in Console(quiet=quiet).track(heard, len(paths), what if hidden else None):
        try:
            if isinstance(found, DataError):
                raise found
            if form == "textgrid" and out is not None:
                write_textgrid(targets[path], found.tiers, found.duration, recording=str(path))
                text = "" if quiet else f"{shown(targets[path])}\n"
            else:
                text = _text(found, form, many=len(paths) > 1, aligned=aligned)
        except DataError as error:  # of this recording; the others are printed all the same
            failures += 1
            print(f"error: {error}", file=sys.stderr)
        else:
            print(text, end="", flush=True)
            if found.fit is not None and found.fit < 0:
                print(
                    f"warning: {path}: the text does not fit: its units explain the recording worse than any sound of "
                    f"the model does ({found.fit:.2f} nats per frame, below 0), so that these times mean little; is it "
                    "what is said in this recording?",
                    file=sys.stderr,
                )
    return failures


def _text(found: HeardRecording, form: str, *, many: bool, aligned: bool) -> str:
    """What is printed of a recording."""
    first = next(iter(found.tiers.values()))
    if form == "ctm":
        return ctm(found.path.stem, first)
    if form == "jsonl":
        best = [{"words": " ".join(labels), "log_likelihood": round(score, 3)} for labels, score in found.best]
        more = {**({"best": best} if best else {}), **({} if found.fit is None else {"fit": round(found.fit, 3)})}
        return json_line(str(found.path), found.tiers, found.duration, more)
    if form == "textgrid":
        return textgrid(found.tiers, found.duration, recording=str(found.path))
    if not aligned:
        if found.best:  # what each is below the best, in nats
            rows = (f"  {score - found.best[0][1]:9.2f}  {' '.join(labels)}\n" for labels, score in found.best)
            return f"{found.path}\n" + "".join(rows)
        said = " ".join(one.label for one in first)
        return f"{found.path}\t{said}\n" if many else f"{said}\n"
    head = f"{found.path}\n" if many else ""
    finest = list(found.tiers.values())[-1]  # units, where they are others than the words
    rows = (f"{one.start:8.3f} {one.end:8.3f}  {one.label}\n" for one in finest)
    return head + "".join(rows)
