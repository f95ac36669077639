"""``diarize``: comparison with a reference, and what is printed of it."""

import warnings
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from speechgmm.errors import DataError, first_few
from speechgmm.io.terminal import tell

if TYPE_CHECKING:
    from speechgmm.evaluation.diarization import DiarizationErrors, Turn
    from speechgmm.io.samples import AudioSource
    from speechgmm.tasks.diarization.recordings import Diarized

USUAL_COLLAR: Final = 0.25
"""Seconds: a DER with this collar stands beside the DER without one."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A recording and its reference."""

    errors: "DiarizationErrors"
    with_collar: "DiarizationErrors | None"  # the same with the usual collar; None: a collar was asked for
    n_found: int  # speakers of the hypothesis
    n_speakers: int  # speakers of the reference within the regions that count


@dataclass(slots=True)
class ReferenceComparisons:
    """The comparisons of all recordings."""

    reference: Path | None
    turns: "dict[str, list[Turn]]"  # of the reference, by recording
    collar: float  # s
    skip_overlap: bool
    uem: Path | None
    done: list[Comparison] = field(default_factory=list)

    def compare(self, path: "AudioSource", result: "Diarized") -> Comparison | None:
        """Compare a recording with its reference; None: there is no reference.

        Raises:
            DataError: The reference or the UEM has nothing of the recording.
        """
        from speechgmm.evaluation.diarization import diarization_errors
        from speechgmm.io.label_files.uem import regions_of

        if self.reference is None:
            return None
        if path.stem not in self.turns:
            known = first_few(sorted(self.turns), 5)
            raise DataError(
                f"{path}: {self.reference} has no turn of {path.stem!r}; it has {known}: expected is the file's name"
            )
        said = self.turns[path.stem]
        regions = None if self.uem is None else regions_of(self.uem, path.stem, duration=result.duration)
        errors_of = partial(diarization_errors, said, result.turns, skip_overlap=self.skip_overlap, regions=regions)
        with_collar = None if self.collar else errors_of(collar=USUAL_COLLAR)
        scored = diarization_errors(said, (), regions=regions)
        found = Comparison(errors_of(collar=self.collar), with_collar, result.n_speakers, scored.n_speakers)
        self.done.append(found)
        return found

    def line(self, found: Comparison) -> str:
        """The metrics of a recording."""
        return _metrics(found.errors, found.with_collar, f"{found.n_found} of {found.n_speakers} speakers", self.collar)

    def summary(self) -> str:
        """The metrics of all recordings, with the interval and the spread over recordings."""
        from speechgmm.evaluation.diarization import der_interval

        every = [one.errors for one in self.done]
        collared = [one.with_collar for one in self.done if one.with_collar is not None]
        right = sum(one.n_found == one.n_speakers for one in self.done)
        speakers = f"number of speakers right in {right}"
        pooled_collared = sum(collared[1:], collared[0]) if collared else None
        text = _metrics(sum(every[1:], every[0]), pooled_collared, speakers, self.collar)
        ders = [one.der for one in every if one.speech]
        if not ders:
            return text
        bounds = der_interval(every)
        between = f"95 % interval over recordings {_percent(bounds.low)} to {_percent(bounds.high)}, "
        spread = f"recordings {_percent(min(ders))} to {_percent(max(ders))} %"
        return f"{text}; DER: {'' if bounds.low is None else between}{spread}"


def read_reference(path: Path | None) -> "dict[str, list[Turn]]":
    """The turns of a reference, of each recording; what was left out of it is printed."""
    from speechgmm.io.rttm import read_rttm

    if path is None:
        return {}
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always")
        turns = read_rttm(path)
    for note in notes:
        tell(f"note: {note.message}")
    return turns


def _percent(rate: float | None) -> str:
    return "" if rate is None else f"{100 * rate:.1f}"


def _metrics(errors: "DiarizationErrors", collared: "DiarizationErrors | None", speakers: str, collar: float) -> str:
    if not errors.speech:
        where = (
            "within --collar of the reference's boundaries, nothing counts"
            if collar
            else ("the reference has no speech where it counts")
        )
        return f"nothing to compare: {where}"
    parts = ((errors.miss, "missed"), (errors.false_alarm, "false alarm"), (errors.confusion, "confused"))
    shares = ", ".join(f"{100 * seconds / errors.speech:.1f} {what}" for seconds, what in parts)
    scored = f", without {collar:g} s on each side of the reference's boundaries" if collar else ""
    beside = ""
    if collared is not None and collared.speech:
        beside = f", {_percent(collared.der)} % with a collar of {USUAL_COLLAR:g} s"
    return f"DER {_percent(errors.der)} % ({shares}){beside}, JER {_percent(errors.jer)} %, {speakers}{scored}"
