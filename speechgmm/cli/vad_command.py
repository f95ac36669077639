"""``vad``: where somebody speaks in recordings."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from speechgmm.errors import ConfigError, DataError
from speechgmm.tasks.options import Audio, Jobs, LabelsForm, LabelsOut, Quiet

if TYPE_CHECKING:
    from speechgmm.engine.speech_detection import Speech
    from speechgmm.features import FeatureSpec
    from speechgmm.io.samples import AudioSource
    from speechgmm.io.timed_labels import LabelledRecording
    from speechgmm.tasks.output import Results, Row

PRINTED: Final = ("table", "tsv", "jsonl")
"""Formats that are printed here; the others are those of label files."""

COLUMNS: Final = ("recording", "start", "end")
LABEL: Final = "speech"


class Method(StrEnum):
    """How speech is found."""

    gaussians = "gaussians"
    energy = "energy"
    peak = "peak"
    webrtc = "webrtc"
    silero = "silero"
    model = "model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vad:
    """Find where somebody speaks in recordings (voice activity detection)."""

    audio: Audio
    method: Annotated[
        Method,
        typer.Option(
            "--method",
            help="gaussians: two Gaussians on the energy of the recording; energy: Kaldi's compute-vad; peak: within "
            "some nats of the loudest frame; webrtc, silero: these detectors (extras); model: the speech detector in "
            "--model",
        ),
    ] = Method.gaussians
    model: Annotated[
        Path | None,
        typer.Option(
            "--model", metavar="MODEL", help="method model: a model file with a speech detector, such as a diarizer"
        ),
    ] = None
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="a setting of the method, such as vad_gap=2; may be given several times"
        ),
    ] = None
    min_pause: Annotated[
        float, typer.Option("--min-pause", metavar="S", min=0, help="shorter pauses count as speech")
    ] = 0.2
    min_speech: Annotated[
        float, typer.Option("--min-speech", metavar="S", min=0, help="shorter stretches of speech are left out")
    ] = 0.1
    form: LabelsForm = None
    out: LabelsOut = None
    jobs: Jobs = 1
    quiet: Quiet = False

    def run(self) -> int:
        """Print or write the stretches of speech of each recording; returns how many recordings failed.

        Raises:
            ConfigError: No recording; a setting that there is not; what cannot go together.
        """
        from speechgmm.parallel import pmap
        from speechgmm.report.text import recordings
        from speechgmm.tasks.output import LabelOutput, Results, print_rows

        paths = recordings(self.audio)
        output = LabelOutput(self.form, self.out, paths, printed=PRINTED, rows=True, quiet=self.quiet)
        search = partial(_searched, self._spec(), self.min_pause, self.min_speech)
        found = zip(paths, pmap(search, paths, n_jobs=self.jobs or 1, backend="processes"), strict=True)
        results: Results[Speech] = Results(found, len(paths), "finding speech", quiet=self.quiet)
        if not output.is_of_files:
            print_rows(_rows(results, all_recordings=output.form == "table"), output.form, COLUMNS, _lines)
            return results.n_failed
        for _, speech in results:
            try:
                output.add(_labelled(speech))
            except DataError as error:  # of this recording; the others are written all the same
                results.failed(error)
        output.finish()
        return results.n_failed

    def _spec(self) -> "FeatureSpec":
        """The front end with the settings that were given, checked as those of a configuration."""
        from speechgmm.config import make_config
        from speechgmm.config.yaml_text import plain_values

        features: dict[str, object] = {"vad": self.method.value}
        if (self.method is Method.model) != (self.model is not None):
            raise ConfigError(
                f"--method {self.method.value} {'without' if self.model is None else 'with'} --model; the method model "
                "takes a model file with a speech detector, and no other method does",
                arguments=("method", "model"),
            )
        if self.model is not None:
            features["vad_model"] = str(self.model)
        for text in self.settings or ():
            key, separator, value = text.partition("=")
            if not separator or not key.removeprefix("features.").startswith("vad_"):
                raise ConfigError(
                    f"{text}: expected a setting of the method and its value, such as vad_gap=2",
                    arguments=("overrides",),
                )
            features[key.removeprefix("features.")] = plain_values(value, key)[0]
        return make_config({"features": features}, "settings of the method").features


def _searched(spec: "FeatureSpec", min_pause: float, min_speech: float, path: "AudioSource") -> "Speech | DataError":
    from speechgmm.engine.speech_detection import detect_speech

    try:
        return detect_speech(path, spec=spec, min_pause=min_pause, min_speech=min_speech)
    except DataError as error:
        return error


def _rows(results: "Results[Speech]", *, all_recordings: bool) -> Iterator[dict[str, object]]:
    """A row for each stretch; one without times for a recording without speech, where ``all_recordings`` are wanted."""
    for path, speech in results:
        if all_recordings and not speech.stretches:
            yield {"recording": str(path), "start": None, "end": None}
        for start, end in speech.stretches:
            yield {"recording": str(path), "start": round(start, 3), "end": round(end, 3)}


def _lines(rows: Iterable["Row"]) -> Iterator[str]:
    last = None
    for row in rows:
        if row["recording"] != last:
            last = row["recording"]
            yield f"{last}"
        yield "  no speech" if row["start"] is None else f"  {row['start']:8.3f} to {row['end']:8.3f} s"


def _labelled(speech: "Speech") -> "LabelledRecording":
    from speechgmm.io.timed_labels import LabelledRecording, TimedLabel

    labels = [TimedLabel(LABEL, start, end) for start, end in speech.stretches]
    return LabelledRecording(speech.recording, speech.duration, {LABEL: labels})
