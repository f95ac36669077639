"""A class of a model in use that has heard more."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from speechgmm.io.atomic import write_atomically
from speechgmm.io.locks import changing
from speechgmm.report.text import model_target, recordings, shown
from speechgmm.tasks.classification.codec import read_model_file, serialise
from speechgmm.tasks.classification.updates import update_class


def update_and_print(
    model: Path,
    audio: Sequence[Path],
    label: str,
    *,
    worth: float | None,
    keep: float,
    out: Path | None,
    resample: bool,
    quiet: bool,
) -> None:
    """Update a class of a model file by more recordings, and say what no longer holds.

    Raises:
        ConfigError: No such class, or the file does not say how classes are trained or what they have seen.
        DataError: A recording cannot be used; nothing is written.
    """
    path = model / "models.safetensors" if model.is_dir() else model
    target = model_target(path, out)
    with changing(target):  # from reading to writing: two at once would lose what one has added
        file = read_model_file(path)
        if resample and file.audio is not None:  # asked for this update, not for the model
            more = replace(file, audio=replace(file.audio, resample=True))
            used, report = update_class(more, label, recordings(audio), worth=worth, keep=keep)
            used = replace(used, audio=file.audio)
        else:
            used, report = update_class(file, label, recordings(audio), worth=worth, keep=keep)
        data = serialise(used)
        write_atomically(target, lambda out_file: out_file.write(data))
    counted = "" if keep == 1 else f", which count {keep:g} times now"
    print(f"{label}: {report.n_frames} frames, added to {report.n_before:.0f} that it had seen{counted}")
    print(f"{shown(target.absolute())}: {len(used.models.labels)} classes")
    if not report.knows_recordings and not quiet:
        print(
            f"note: the model does not say which recordings {label!r} had counted (an older version trained it), so "
            "that one counted before was not noticed",
            file=sys.stderr,
        )
    if report.stale and not quiet:
        print(
            f"{' and '.join(report.stale)}: fitted to the models as they were, and kept; where they matter, train "
            "again with all recordings",
            file=sys.stderr,
        )
