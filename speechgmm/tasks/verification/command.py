"""Claims: ``verify``, and ``score`` where the model's scores of claims are calibrated."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from speechgmm.io.run_files import model_file
from speechgmm.io.terminal import tell
from speechgmm.tasks.classification import command
from speechgmm.tasks.options import Audio, Form, Format, Jobs, Model, Quiet, Resample

if TYPE_CHECKING:
    from speechgmm.io.samples import AudioSource
    from speechgmm.tasks.classification.scoring import Scored
    from speechgmm.tasks.verification.codec import ClaimFile
    from speechgmm.tasks.verification.judging import Judged
    from speechgmm.tasks.verification.score_maps import Calibration


@dataclass(frozen=True, slots=True, kw_only=True)
class Score(command.Score):
    """Ranked classes of recordings with log-likelihood ratios, and "unknown" where the best is too low."""

    def about(self, file: "ClaimFile") -> Iterable[str]:
        """What the ratios are, and the threshold."""
        from speechgmm.tasks.verification.text import NOT_BY_CLAIMS, UNITS, stakes, unit_of

        if file.calibration is None:
            plain = command.Score.about(self, file)
            return plain if unit_of(file.models) == UNITS["llr"] else (*plain, NOT_BY_CLAIMS)
        least = f"{file.calibration.threshold:.3f} nats: {stakes(file.calibration.decision)}"
        return (f"calibrated log-likelihood ratios; unknown where the best is below {least}",)

    def columns(self, file: "ClaimFile") -> tuple[str, ...]:
        """Columns of a table with tabs."""
        return (*command.Score.columns(self, file), *(() if file.calibration is None else ("llr", "decision")))

    def afterwards(self, file: "ClaimFile", lengths: list[int]) -> Iterable[str]:
        """Which ratios are to be taken with care."""
        return () if file.calibration is None else _unusual_lengths(file.calibration, lengths)

    def ranks(self, file: "ClaimFile", item: "Scored") -> Iterator[dict[str, Any]]:
        """A row for each of the best classes of a window, with its ratio and what is decided."""
        rows = command.Score.ranks(self, file, item)
        if file.calibration is None or item.llrs is None:
            yield from rows
            return
        best, decision = item.ranked(), item.decision(file)
        for row in rows:
            yield {**row, "llr": round(float(item.llrs[best[row["rank"] - 1]]), 6), "decision": decision}

    def third_heading(self, file: "ClaimFile") -> tuple[str, str]:
        """The heading of the column after log-likelihoods, and the units of all."""
        plain = command.Score.third_heading(self, file)
        return plain if file.calibration is None else ("ratio", "nats per frame (ratio: nats)")

    def third(self, row: command.Row) -> tuple[str, str]:
        """The ratio; after the row of the best class, what is decided."""
        if "llr" not in row:
            return command.Score.third(self, row)
        return f"{row['llr']:.3f}", f"   {row['decision']}" if row["rank"] == 1 else ""


def example(model: str) -> str:
    """The command that judges a claim by this model."""
    return f"speechgmm verify {model} --claim LABEL RECORDING"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verify:
    """Accept or reject the claim that recordings are of a class, by log-likelihood ratio or score."""

    model: Model
    audio: Audio
    claim: Annotated[
        str, typer.Option("--claim", metavar="LABEL", help="the class that the recordings are claimed to be of")
    ]
    threshold: Annotated[
        float | None,
        typer.Option(
            metavar="X",
            help="accept from this log-likelihood ratio on (nats; default: from the prior and costs of the model); of "
            "a model without calibration, from this score on (default: 0)",
        ),
    ] = None
    form: Form = Format.table
    exit_status: Annotated[bool, typer.Option("--exit-status", help="exit with status 3 if a claim is rejected")] = (
        False
    )
    resample: Resample = False
    jobs: Jobs = 1
    quiet: Quiet = False

    def run(self) -> int:
        """Print score, ratio and decision for each recording; returns how many could not be judged.

        A claim that is rejected ends the command with status 3, where ``exit_status`` asks for it.

        Raises:
            ConfigError: The claim is not a class of the model, it has no background model, or the threshold is NaN.
            ModelFileError: The model cannot be read.
        """
        from speechgmm.engine.audio_input import takes_frames
        from speechgmm.report.text import recordings
        from speechgmm.tasks.output import Results, print_rows
        from speechgmm.tasks.verification.judging import judge_recordings
        from speechgmm.tasks.verification.text import unit_of

        file, threshold = self._file()
        unit = unit_of(file.models)
        calibration = file.calibration
        if not self.quiet:
            tell(_about_scores(calibration, threshold, self.threshold is not None, unit))
        paths, lengths, rejected = recordings(self.audio, given=takes_frames(file)), list[int](), list[str]()
        found = judge_recordings(file, paths, self.claim, n_jobs=self.jobs or 1)
        results = Results(found, len(paths), "verifying", quiet=self.quiet)
        columns = ["file", "claim", "score", *([] if calibration is None else ["llr"]), "n_frames", "decision"]
        print_rows(self._rows(results, threshold, lengths, rejected), self.form, columns, partial(_lines, unit))
        if calibration is not None:
            for line in _unusual_lengths(calibration, lengths):
                tell(line)
        if rejected and self.exit_status and not results.n_failed:
            raise typer.Exit(3)
        return results.n_failed

    def _file(self) -> "tuple[ClaimFile, float]":
        """The model, which has a background model and the class that is claimed, and the threshold."""
        from speechgmm.engine.audio_input import with_resampling
        from speechgmm.tasks.classification.codec import read_model_file
        from speechgmm.tasks.verification.judging import claimable

        read = read_model_file(model_file(self.model))
        file, threshold = claimable(read, self.model, self.claim, self.threshold)
        if self.resample:
            file = with_resampling(file)
        return file, threshold

    def _rows(
        self, results: "Iterable[tuple[AudioSource, Judged]]", threshold: float, lengths: list[int], rejected: list[str]
    ) -> Iterator[dict[str, Any]]:
        for path, judged in results:
            lengths.append(judged.n_frames)
            if not judged.is_accepted(threshold):
                rejected.append(str(path))
            yield {
                "file": str(path),
                "claim": self.claim,
                "score": round(judged.score, 6),
                **({} if judged.llr is None else {"llr": round(judged.llr, 6)}),
                "n_frames": judged.n_frames,
                "decision": judged.decision(threshold),
            }


def _lines(unit: str, rows: Iterable[command.Row]) -> Iterator[str]:
    """Decisions for a person, with ratios in nats, or with scores in their unit."""
    for row in rows:
        value = f"{row['llr']:8.3f} nats" if "llr" in row else f"{row['score']:8.3f} {unit}"
        yield f"{row['decision']}  {value}  {row['file']}"


def _unusual_lengths(calibration: "Calibration", lengths: list[int]) -> Iterator[str]:
    """A warning about recordings of a length that the calibration was not trained on."""
    unusual = sum(calibration.is_unusual(length) for length in lengths if length)  # 0: unvoiced, and ratio 1
    if unusual:
        shortest, longest = calibration.n_frames
        yield (
            f"warning: {unusual} ratios are of recordings much shorter or longer than those of the calibration "
            f"({shortest} to {longest} frames), and are less reliable"
        )


def _about_scores(calibration: "Calibration | None", threshold: float, chosen: bool, unit: str) -> str:
    """What the numbers are, and where the threshold is from."""
    from speechgmm.tasks.verification.text import stakes

    if calibration is None:
        return (
            f"scores ({unit}) are not calibrated: a threshold of {threshold:g} has no meaning as odds (train with "
            "calibration.method: logistic)"
        )
    ratios = "calibrated natural-log likelihood ratios of whole recordings"
    if chosen:
        return f"{ratios}; accepted from {threshold:g} nats on"
    return f"{ratios}; accepted from {threshold:.3f} nats on: {stakes(calibration.decision)}"
