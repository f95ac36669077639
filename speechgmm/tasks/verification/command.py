"""Claims: verifying that a recording is of a class, and enrolling a class."""

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from speechgmm.errors import ConfigError, DataError
from speechgmm.io.tables import cell
from speechgmm.report.text import model_target, recordings, shown
from speechgmm.tasks.classification.codec import ModelFile, read_model_file
from speechgmm.tasks.classification.scoring import judge_recordings
from speechgmm.tasks.verification.score_maps import Calibration
from speechgmm.tasks.verification.text import of_strange_length, stakes


def verify_and_print(
    model: Path,
    audio: Sequence[Path],
    claim: str,
    *,
    threshold: float | None,
    form: str,
    resample: bool,
    jobs: int,
    quiet: bool,
) -> tuple[int, int]:
    """Print score, ratio (of a calibrated model) and decision for each recording.

    Returns how many recordings could not be judged, and how many claims are rejected.

    ``threshold`` is on the ratio where there is one, and by default that of the model's prior and costs; else on the
    score, and 0.

    Raises:
        ConfigError: The claim is not a class of the model, the model has no background model, or the threshold is NaN.
        ModelFileError: The model cannot be read.
    """
    file = _read(model, resample)
    if file.models.ubm is None:
        raise ConfigError(f"{model} has no background model to judge a claim by; train with model.adapt: map")
    if claim not in file.models.labels:
        known = ", ".join(file.models.labels[:10]) + (" ..." if len(file.models.labels) > 10 else "")
        raise ConfigError(f"--claim {claim}: no such class; the model has {known} (enrol adds one)")
    if threshold is not None and math.isnan(threshold):
        raise ConfigError("--threshold nan: nothing is above or below it; expected a number")
    calibration = file.calibration
    least = (0.0 if calibration is None else calibration.threshold) if threshold is None else threshold
    if not quiet:
        print(_about_scores(calibration, least, threshold is not None), file=sys.stderr)
    names = ["file", "claim", "score", *([] if calibration is None else ["llr"]), "n_frames", "decision"]
    if form == "tsv":
        print("\t".join(names))
    failures = rejected = strange = 0
    for path, judged in judge_recordings(file, recordings(audio), claim, n_jobs=jobs):
        if isinstance(judged, DataError):
            failures += 1
            print(f"error: {judged}", file=sys.stderr)
            continue
        value = judged.score if judged.llr is None else judged.llr
        rejected += value < least
        strange += calibration is not None and calibration.strange(judged.n_frames)
        row = {
            "file": str(path),
            "claim": claim,
            "score": round(judged.score, 6),
            **({} if judged.llr is None else {"llr": round(judged.llr, 6)}),
            "n_frames": judged.n_frames,
            "decision": "accept" if value >= least else "reject",
        }
        if form == "jsonl":
            print(json.dumps(row, ensure_ascii=False))
        elif form == "tsv":
            print("\t".join(cell(row[name]) for name in names))
        else:
            unit = "nats per frame" if judged.llr is None else "nats"
            print(f"{row['decision']}  {value:8.3f} {unit}  {path}")
    if strange and calibration is not None:
        print(of_strange_length(strange, calibration), file=sys.stderr)
    return failures, rejected


def _about_scores(calibration: Calibration | None, threshold: float, chosen: bool) -> str:
    """What the numbers are, and where the threshold is from."""
    if calibration is None:
        return (
            f"scores are not calibrated: a threshold of {threshold:g} nats per frame stands for no stated odds "
            "(train with calibration.method: logistic)"
        )
    ratios = "calibrated natural-log likelihood ratios of whole recordings"
    if chosen:
        return f"{ratios}; accepted from {threshold:g} nats on"
    return f"{ratios}; accepted from {threshold:.3f} nats on: {stakes(calibration.decision)}"


def enrol_and_print(model: Path, audio: Sequence[Path], label: str, *, out: Path | None, resample: bool) -> None:
    """Add a class to a model file.

    Raises:
        ConfigError: The class is there already, or the file does not say how classes are trained.
        DataError: A recording cannot be used; nothing is written.
    """
    from speechgmm.io.atomic import write_atomically
    from speechgmm.io.locks import changing
    from speechgmm.tasks.classification.codec import serialise
    from speechgmm.tasks.classification.enrolment import enrol

    path = model / "models.safetensors" if model.is_dir() else model
    target = model_target(path, out)
    with changing(target):  # from reading to writing: two at once would lose the class of one
        file, report = enrol(_read(path, resample), label, recordings(audio))
        if resample and file.audio is not None:  # asked for this enrolment, not for the model
            file = replace(file, audio=replace(file.audio, resample=_read(path, False).audio.resample))  # type: ignore[union-attr]
        data = serialise(file)
        write_atomically(target, lambda out_file: out_file.write(data))
    if report.warning is not None:
        print(f"warning: {report.warning}", file=sys.stderr)
    print(f"{label}: {report.n_frames} frames of {len(recordings(audio))} recordings, {report.n_components} components")
    print(f"{shown(target.absolute())}: {len(file.models.labels)} classes")


def _read(model: Path, resample: bool) -> ModelFile:
    file = read_model_file(model / "models.safetensors" if model.is_dir() else model)
    if resample and file.audio is not None:
        file = replace(file, audio=replace(file.audio, resample=True))
    return file
