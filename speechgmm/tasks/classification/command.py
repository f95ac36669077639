"""``score``: recordings against a file of class models, as text on standard output."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from speechgmm.engine.console import Console
from speechgmm.errors import ConfigError, DataError
from speechgmm.io.audio import CLIPPED_SHARE
from speechgmm.io.tables import cell
from speechgmm.report.text import recordings
from speechgmm.tasks.verification.spec import UNKNOWN
from speechgmm.tasks.verification.text import of_strange_length, stakes

if TYPE_CHECKING:
    from speechgmm.tasks.classification.scoring import Scored


def score_and_print(
    model: Path,
    audio: Sequence[Path],
    *,
    form: str = "table",
    top: int = 3,
    window: float | None = None,
    hop: float | None = None,
    speaker: str | None = None,
    resample: bool = False,
    jobs: int = 1,
    quiet: bool = False,
) -> int:
    """Score recordings and print ranked classes as they are ready; returns how many recordings failed.

    Raises:
        ConfigError: No recording is named.
        ModelFileError: The model cannot be read.
    """
    from speechgmm.tasks.classification.codec import ModelFile
    from speechgmm.tasks.classification.scoring import score_recordings
    from speechgmm.tasks.segments.codec import read_any_model

    file = read_any_model(model / "models.safetensors" if model.is_dir() else model)
    if resample and file.audio:
        file = replace(file, audio=replace(file.audio, resample=True))
    paths = recordings(audio)
    cmvn = file.audio.features.cmvn if file.audio else "none"
    if not quiet:
        if cmvn == "speaker":
            whose = (
                f"all are of speaker {speaker!r}" if speaker else "each recording is a speaker of its own (--speaker)"
            )
            print(f"normalisation by speaker: {whose}", file=sys.stderr)
        if not isinstance(file, ModelFile):
            if window is not None:
                print("a model of segments: each window is scored as one segment", file=sys.stderr)
        elif file.calibration is not None:
            least = f"{file.calibration.threshold:.3f} nats: {stakes(file.calibration.decision)}"
            print(f"calibrated log-likelihood ratios; unknown where the best is below {least}", file=sys.stderr)
        elif file.models.temperature is None:
            print("the model has no temperature: no posteriors, margins only", file=sys.stderr)
    if speaker and cmvn != "speaker":
        raise ConfigError(f"--speaker is for a model with cmvn: speaker; this one has cmvn: {cmvn}")
    labels, classes = file.models.labels, isinstance(file, ModelFile)
    calibration = file.calibration if isinstance(file, ModelFile) else None
    failures = strange = 0

    def rows() -> Iterator[dict[str, object]]:
        nonlocal failures, strange
        scored = score_recordings(file, paths, window=window, hop=hop, speaker=speaker, n_jobs=jobs)
        # Where the results do not pass before one's eyes, a bar does.
        hidden = len(paths) > 1 and not sys.stdout.isatty() and sys.stderr.isatty()
        for path, results in Console(quiet=quiet).track(scored, len(paths), "scoring" if hidden else None):
            if isinstance(results, DataError):
                failures += 1
                print(f"error: {results}", file=sys.stderr)
                continue
            if results and results[0].clipped >= CLIPPED_SHARE:
                print(f"warning: {path}: {100 * results[0].clipped:.1f} % of samples are clipped", file=sys.stderr)
            silent = sum(item.n_frames == 0 for item in results)
            if silent:
                print(f"{path}: {silent} of {len(results)} windows hold no speech and are left out", file=sys.stderr)
            for item in results:
                if item.n_frames:
                    strange += calibration is not None and calibration.strange(item.n_frames)
                    decision: dict[str, object] = {}
                    if item.llrs is not None and calibration is not None:
                        known = item.llrs.max() >= calibration.threshold
                        decision = {"decision": labels[item.ranked()[0]] if known else UNKNOWN}
                    yield from ranks(item, labels, top, has_likelihoods=classes, more=decision)

    print_rows(rows(), form, windowed=window is not None, label=file.label, calibrated=calibration is not None)
    if strange and calibration is not None:
        print(of_strange_length(strange, calibration), file=sys.stderr)
    return failures


def ranks(
    item: "Scored", labels: Sequence[str], top: int, *, has_likelihoods: bool, more: Mapping[str, object]
) -> Iterator[dict[str, object]]:
    """A row for each of the `top` best classes; segment models have posteriors alone. ``more`` goes into each row."""
    for rank, number in enumerate(item.ranked()[:top], 1):
        yield {
            "file": str(item.path),
            "start": round(item.start, 3),
            "end": round(item.end, 3),
            "n_frames": item.n_frames,
            "rank": rank,
            "label": labels[number],
            "mean_log_likelihood": round(float(item.mean_log_likelihoods[number]), 6) if has_likelihoods else None,
            "posterior": None if item.posteriors is None else round(float(item.posteriors[number]), 6),
            "margin": round(item.margin(number), 6),
            **({} if item.llrs is None else {"llr": round(float(item.llrs[number]), 6)}),
            **more,
        }


def print_rows(
    rows: Iterable[dict[str, object]], form: str, *, windowed: bool, label: str, calibrated: bool = False
) -> None:
    """Print rows of `ranks` as a table for a person, as TSV or as JSON Lines; ``windowed`` shows the times."""
    if form == "jsonl":
        for row in rows:
            print(json.dumps(row, ensure_ascii=False))
        return
    if form == "tsv":
        names = ["file", "start", "end", "n_frames", "rank", "label", "mean_log_likelihood", "posterior", "margin"]
        names += ["llr", "decision"] if calibrated else []
        print("\t".join(names))
        for row in rows:
            print("\t".join("" if row[name] is None else cell(row[name]) for name in names))
        return
    before: object = None
    for row in rows:
        if row["file"] != before:
            print(f"{'' if before is None else chr(10)}{row['file']}")
            head = f"{'start':>8}{'end':>8}  " if windowed else "  "
            third = f"{'ratio':>11}" if calibrated else f"{'posterior':>11}"
            units = "nats per frame (ratio: nats)" if calibrated else "nats per frame"
            print(f"{head}{'rank':>4}  {label:<16}{'log-likelihood':>15}{third}{'margin':>9}   {units}")
            before = row["file"]
        times = f"{row['start']:>8.2f}{row['end']:>8.2f}  " if windowed else "  "
        third = f"{row['llr']:.3f}" if calibrated else "" if row["posterior"] is None else f"{row['posterior']:.3f}"
        likelihood = "" if row["mean_log_likelihood"] is None else f"{row['mean_log_likelihood']:.3f}"
        decision = f"   {row['decision']}" if calibrated and row["rank"] == 1 else ""
        values = f"{likelihood:>15}{third:>11}{row['margin']:>9.3f}{decision}"
        print(f"{times}{row['rank']:>4}  {row['label']:<16}{values}")
