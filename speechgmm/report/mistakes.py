"""The worst errors, to be heard and seen: which they are, and a short piece of each recording.

What a page holds of anybody's voice is limited here: so many errors, so many seconds of each, mono, at most 16 kHz.
"""

import base64
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.engine.run_folder import RunFolder
from speechgmm.engine.run_scores import Claims, Decisions
from speechgmm.errors import DataError
from speechgmm.io.audio import Pieces
from speechgmm.io.given_frames import is_of_frames
from speechgmm.io.samples import AudioSource, source_rate
from speechgmm.plots import spectrogram
from speechgmm.report.parts import Clip, Picture, Section, Table

LISTED: Final = 30
"""Errors in the table."""

LONGEST: Final = 4.0
"""Seconds of a recording that the page holds."""

HIGHEST_RATE: Final = 16000
"""Hz; above it the page would grow, and few models listen there."""

SHORT: Final = 0.5
"""Seconds; a shorter segment is heard with what surrounds it."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One wrong decision."""

    id: str  # of the utterance
    title: str
    about: tuple[tuple[str, str], ...]  # what, value
    row: tuple[str, ...]  # of the table


def section(run: RunFolder, n_audio: int, threshold: float | None) -> Section | None:
    """The section of the worst errors, the first ``n_audio`` with their audio; None where nothing was tested.

    Args:
        run: The run.
        n_audio: How many recordings the page holds at most.
        threshold: Of verification: accept from this score on.
    """
    if run.decisions is not None:
        unit = run.decisions.unit
        worst, n_errors = _wrong_decisions(run.decisions, unit)
        head = ("recording", "true class", "predicted class", f"off by ({unit})")
        text = ["Ordered by how far the score of the predicted class lies above that of the true class."]
    elif run.claims is not None and threshold is not None:
        worst, n_errors = _wrong_claims(run.claims, threshold)
        head = ("test recording", "claimed", "error", run.claims.judged_unit)
        text = [
            f"At the threshold of equal errors, {threshold:.3f}: the targets rejected with the lowest scores and the "
            "non-targets accepted with the highest, in turn."
        ]
    else:
        return None
    if not worst:
        return Section("errors", "Worst errors", ("There is none: every decision was right.",))
    heard = [] if holds_frames(run, worst[0].id) else worst[:n_audio]
    text.append(_what_is_held(len(heard), n_errors))
    clips = tuple(_clip(run, mistake, f"error{number}") for number, mistake in enumerate(heard))
    caption = f"The {len(worst)} worst of {n_errors} errors" if n_errors > len(worst) else "All errors, the worst first"
    table = Table.of(caption, head, [mistake.row for mistake in worst], text=3)
    return Section("errors", "Worst errors", tuple(text), (table,), clips=clips)


def holds_frames(run: RunFolder, identifier: str) -> bool:
    """Whether an utterance is of frames that another program computed, which nobody can hear."""
    return is_of_frames(Path(run.places[identifier]["path"])) if identifier in run.places else False


def _what_is_held(n_heard: int, n_errors: int) -> str:
    if not n_heard:
        return "No audio is held in this page."
    return (
        f"This page holds the audio of {n_heard} of {n_errors} errors, at most {LONGEST:g} s of each, mono, at most "
        f"{HIGHEST_RATE // 1000} kHz: whoever gets the page gets these voices too. A segment shorter than {SHORT:g} s "
        "is heard with its surroundings and stands between dashed lines. In the spectrograms black is 60 dB below the "
        "loudest."
    )


def _wrong_decisions(decisions: Decisions, unit: str) -> tuple[list[Mistake], int]:
    margins = decisions.margins()
    wrong = np.flatnonzero(np.array(decisions.true, object) != np.array(decisions.decided, object))
    order = wrong[np.argsort(-np.nan_to_num(margins[wrong]), kind="stable")][:LISTED]
    found = []
    for n in order:
        true, decided, name = decisions.true[n], decisions.decided[n], decisions.ids[n]
        off = "–" if np.isnan(margins[n]) else f"{margins[n]:.3f}"
        about = (("true class", true), ("predicted class", decided), ("off by", f"{off} {unit}"))
        found.append(Mistake(name, f"{true}, confused with {decided}", about, (name, true, decided, off)))
    return found, len(wrong)


def _wrong_claims(claims: Claims, threshold: float) -> tuple[list[Mistake], int]:
    scores, target = claims.judged.scores, claims.judged.is_target
    misses, alarms = np.flatnonzero(target & (scores < threshold)), np.flatnonzero(~target & (scores >= threshold))
    by_depth = (misses[np.argsort(scores[misses], kind="stable")], alarms[np.argsort(-scores[alarms], kind="stable")])
    both: list[int] = [int(kind[n]) for n in range(LISTED) for kind in by_depth if n < len(kind)]
    found = []
    for n in both[:LISTED]:
        error = "target rejected" if target[n] else "non-target accepted"
        test, model, score = claims.tests[n], claims.models[n], f"{scores[n]:.3f}"
        about = (("claimed", model), ("error", error), (claims.judged_unit, score))
        found.append(Mistake(test, f"{error}: {test} as {model}", about, (test, model, error, score)))
    return found, len(misses) + len(alarms)


def _clip(run: RunFolder, mistake: Mistake, name: str) -> Clip:
    try:
        path = run.path_of(mistake.id)
    except DataError as error:
        return Clip(mistake.title, mistake.about, missing=str(error))
    row = run.places[mistake.id]
    start, end = float(row["start"] or 0), float(row["end"]) if row["end"] else None
    before = 0.0
    if end is not None and end - start < SHORT:
        before = min(start, (SHORT - (end - start)) / 2)
    first = start - before
    last = min(first + LONGEST, np.inf if end is None else max(end, first + min(SHORT, LONGEST)))
    corpus = run.config.get("corpus", {})
    try:
        samples, rate = read_clip(path, first, last, corpus.get("channel", "mix"))
        meant = [(start, end, "")] if before and end else None
        axes = spectrogram(samples, rate, start=first, segments=meant)
    except DataError as error:
        return Clip(mistake.title, mistake.about, missing=str(error))
    length = len(samples) / rate
    about = (("recording", mistake.id), *mistake.about, ("heard", f"{first:.2f} s to {first + length:.2f} s"))
    alt = f"Spectrogram of {mistake.id}, {length:.2f} s, 0 to {rate / 2000:g} kHz"
    picture = Picture.of(axes, name, alt=alt, caption="", table=None)
    return Clip(mistake.title, about, picture, data_uri(samples, rate))


def read_clip(path: AudioSource, first: float, last: float, channel: str | int) -> tuple[NDArray[np.float32], int]:
    """Samples from ``first`` to ``last`` (s), or to the end, and their rate (Hz).

    Raises:
        DataError: The recording cannot be read, or there is next to nothing of it.
    """
    rate = min(source_rate(path), HIGHEST_RATE)
    wanted: list[NDArray[np.float32]] = []
    begin, stop, done = round(first * rate), round(last * rate), 0
    for piece in Pieces(path, sample_rate=rate, resample=True, channel=channel):
        wanted.append(piece[max(0, begin - done) : max(0, stop - done)].copy())
        done += len(piece)
        if done >= stop:
            break
    samples = np.concatenate(wanted)
    if len(samples) < rate // 20:
        raise DataError(f"{path}: {len(samples)} samples from {first:g} s on; too few to be shown")
    return samples, rate


def data_uri(samples: NDArray[np.float32], rate: int) -> str:
    """Sound for a page."""
    import soundfile

    buffer = io.BytesIO()
    # FLAC: every browser plays it, and what is heard is what was scored.
    soundfile.write(buffer, samples, rate, format="FLAC", subtype="PCM_16")
    return "data:audio/flac;base64," + base64.b64encode(buffer.getvalue()).decode()
