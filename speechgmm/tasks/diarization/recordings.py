"""Who speaks when in recordings: their frames, which of them are speech, and turns in seconds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.engine.audio_input import AudioInput
from speechgmm.errors import ConfigError, DataError
from speechgmm.evaluation.diarization import Turn
from speechgmm.features import FeatureSpec, front_end, raw_features, static_features
from speechgmm.features.extraction import Samples
from speechgmm.features.vad import energy_vad, gaussian_vad
from speechgmm.io.audio import Pieces, read_recording
from speechgmm.io.samples import AudioSource
from speechgmm.parallel import pmap
from speechgmm.tasks.diarization.codec import DiarizerFile
from speechgmm.tasks.diarization.estimation import OWN_SPEC, own_diarizer
from speechgmm.tasks.diarization.levels import Levels
from speechgmm.tasks.diarization.models import Diarizer, choose, divisions, turns_of, windows_heard
from speechgmm.tasks.diarization.overlap import Regions, SpeakerWindows, with_second_speakers
from speechgmm.tasks.diarization.spec import DiarizationSpec
from speechgmm.tasks.diarization.variational import variational_labels

FRONT_END: Final = FeatureSpec(
    preset="kaldi",
    n_mels=40,
    n_ceps=20,
    use_energy=False,
    vad="energy",
    vad_threshold=1.0,
    vad_context=5,
)
"""Static cepstra with c0 and without normalisation over time: the microphone helps to tell speakers apart. The voice
activity detection bridges the pauses between words."""

SAMPLE_RATE: Final = 16000
MOSTLY: Final = 0.6
"""Share of a recording that is speech, from which on Kaldi's rule is taken where there is no diarizer (chosen on
conversations made of LibriSpeech with recorded sounds among them)."""

BRIDGE: Final = 0.3
"""Seconds of a pause within a turn, at most, where a rule on the energy finds speech."""

BRIDGE_OF_DETECTOR: Final = 1.0
"""The same where a speech detector does, which finds the pauses within sentences that a reference counts as speech
(chosen on conversations made of LibriSpeech)."""

LONGEST: Final = 20.0
"""Seconds of a speaker in a made conversation, at most."""


@dataclass(frozen=True, slots=True, eq=False)
class Diarized:
    """Who speaks when in a recording."""

    path: AudioSource
    turns: tuple[Turn, ...]
    duration: float  # s
    n_speakers: int
    audio: AudioInput | None  # how it was heard; None: its vectors were given


def diarize_recordings(
    file: DiarizerFile | None,
    paths: Sequence[AudioSource],
    *,
    n_speakers: int | None = None,
    overlap: Mapping[str, Regions] | None = None,
    resample: bool = False,
    n_jobs: int = 1,
) -> Iterator[tuple[AudioSource, Diarized | DataError]]:
    """Who speaks when in recordings, in their order; or why it cannot be said.

    Args:
        file: The diarizer; None: each recording is learnt from itself, which is weaker.
        paths: Recordings.
        n_speakers: How many speak; None: it is found out.
        overlap: Where two speak, of recordings by their names without folder and ending; the second-best speaker is
            added there. None: the diarizer's detector says it, where it has one, else each moment has one speaker.
        resample: Resample other rates than the diarizer's.
        n_jobs: Workers at once.

    Raises:
        ConfigError: ``n_speakers`` below 1, or with VBx, which finds their number; ``overlap`` of one speaker.
    """
    if n_speakers is not None and n_speakers < 1:
        raise ConfigError(f"n_speakers {n_speakers}; expected 1 or more", arguments=("n_speakers",))
    if n_speakers == 1 and overlap:
        raise ConfigError(
            "one speaker overlaps with nobody; leave n_speakers out or give more, or leave out overlap",
            arguments=("n_speakers", "overlap"),
        )
    if n_speakers is not None and file is not None and file.diarizer.vbx is not None:
        raise ConfigError(
            "VBx finds the number of speakers; leave n_speakers out, or take the method merging",
            arguments=("n_speakers", "method"),
        )
    audio = AudioInput(FRONT_END, SAMPLE_RATE, resample=True) if file is None else file.audio
    if resample:
        audio = replace(audio, resample=True)
    work = partial(_diarize, None if file is None else file.diarizer, audio, n_speakers, overlap)
    yield from zip(paths, pmap(work, paths, n_jobs=n_jobs, backend="threads"), strict=True)


def _diarize(
    diarizer: Diarizer | None,
    audio: AudioInput,
    n_speakers: int | None,
    overlap: Mapping[str, Regions] | None,
    path: AudioSource,
) -> Diarized | DataError:
    try:
        recording = Pieces(path, sample_rate=audio.sample_rate, resample=audio.resample, channel=audio.channel)
        frames, speech = (heard_alone if diarizer is None else heard)(audio, recording)
        recording.warn()
        regions = None if overlap is None else overlap.get(path.stem, ())
        if regions and min(start for start, _ in regions) >= recording.duration:
            raise DataError(
                f"the overlap begins at {regions[0][0]:g} s, and the recording ends at {recording.duration:g} s; "
                "expected seconds from the beginning of the recording"
            )
        turns = turns_in(diarizer, audio, frames, speech, n_speakers=n_speakers, overlap=regions)
    except DataError as error:
        return error.about(path)
    count = len({turn.speaker for turn in turns})
    return Diarized(path, tuple(turns), recording.duration, count, audio)


def heard(audio: AudioInput, samples: Samples) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """All frames (T, D) of a recording and which of them are speech (T,).

    Raises:
        DataError: Nobody speaks: the level is far below speech all the time, or hardly changes; no frame is kept. With
            a speech detector that is no error, and no frame is speech.
    """
    if audio.detector is not None:
        frames, speech = raw_features(audio.features, samples, audio.sample_rate, detector=audio.detector)
        assert speech is not None, "a detector says which frames are speech"
        return frames, speech
    levels = Levels(audio.sample_rate)
    frames, speech = raw_features(audio.features, levels.passing(samples), audio.sample_rate)
    levels.check()
    where = np.ones(len(frames), bool) if speech is None else speech
    if not where.any():
        raise DataError(
            f"voice activity detection keeps none of the {len(where)} frames, so that nobody speaks; is the recording "
            "silent, or its level very low?"
        )
    return frames, where


def heard_alone(audio: AudioInput, samples: Samples) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """As ``heard``, where there is no diarizer: frames of ``FRONT_END``, and which are speech.

    Kaldi's rule bridges the pauses between words, and marks nearly all of a recording with little speech as speech. So
    where two Gaussians on the energy find a louder part of less than ``MOSTLY`` of the recording, that part is speech.

    Raises:
        DataError: As ``heard``.
    """
    levels, spec = Levels(audio.sample_rate), audio.features
    frames, energy = static_features(front_end(spec, audio.sample_rate), levels.passing(samples))
    levels.check()
    louder = gaussian_vad(energy)
    if louder.mean() < MOSTLY:
        return frames, louder
    return frames, energy_vad(energy, spec.vad_threshold, spec.vad_mean_scale, spec.vad_context, spec.vad_proportion)


def turns_in(
    diarizer: Diarizer | None,
    audio: AudioInput,
    frames: NDArray[np.float32],
    speech: NDArray[np.bool_],
    *,
    n_speakers: int | None = None,
    overlap: Regions | None = None,
) -> list[Turn]:
    """The turns of a recording of which ``heard`` gave frames and speech; none where nobody speaks.

    Where ``overlap`` says that two speak, that is speech, and the second-best speaker speaks as well. None: the
    diarizer's detector says it, where it has one.
    """
    times = frame_times(audio, len(frames))
    for start, end in overlap or ():
        speech = speech | ((times >= start) & (times < end))
    if not speech.any():
        return []
    used, labels = speakers_in(diarizer, frames, speech, n_speakers=n_speakers)
    turns = in_seconds(labels, speech, audio, OWN_SPEC if used is None else used.spec)
    detector = None if used is None else used.overlap
    if overlap is None and detector is not None and n_speakers != 1:
        overlap = detector.regions(detector.ratios(frames, speech), speech, times)
    if used is None or not overlap:
        return turns
    return with_second_speakers(turns, overlap, speaker_windows(used, frames, speech, labels, times))


def speakers_in(
    diarizer: Diarizer | None,
    frames: NDArray[np.float32],
    speech: NDArray[np.bool_],
    *,
    n_speakers: int | None = None,
) -> tuple[Diarizer | None, NDArray[np.intp]]:
    """The speaker of each frame of speech, and the diarizer that found them: one learnt from the frames, if none."""
    if diarizer is not None and diarizer.vbx is not None:
        return diarizer, variational_labels(diarizer, frames, speech, diarizer.vbx)
    if n_speakers == 1:
        return diarizer, np.zeros(int(speech.sum()), np.intp)
    used = own_diarizer(frames[speech]) if diarizer is None else diarizer
    found = divisions(used, frames, speech, n_speakers=n_speakers)
    stop = {"threshold": used.threshold} if n_speakers is None else {"n_speakers": n_speakers}
    return used, choose(found, **stop).labels


def speaker_windows(
    diarizer: Diarizer,
    frames: NDArray[np.float32],
    speech: NDArray[np.bool_],
    labels: NDArray[np.intp],
    times: NDArray[np.float64],
) -> SpeakerWindows:
    """The windows of a recording, whose each is by labels (n,) of the n frames of speech; times (T,) of all frames."""
    spec = diarizer.spec
    points = windows_heard(diarizer, frames, speech).points
    centres = np.minimum(spec.block * np.arange(len(points)) + spec.block // 2, len(labels) - 1)
    independence = spec.independence / spec.window
    return SpeakerWindows(points, diarizer.space.between, times[speech][centres], labels[centres], independence)


def frame_times(audio: AudioInput, n_frames: int) -> NDArray[np.float64]:
    """Centres (n_frames,) of the frames of a recording, s."""
    plan = front_end(audio.features, audio.sample_rate)
    return (plan.first_centre + plan.frame_shift * np.arange(n_frames)) / audio.sample_rate


def in_seconds(
    labels: NDArray[np.intp], speech: NDArray[np.bool_], audio: AudioInput, spec: DiarizationSpec
) -> list[Turn]:
    """Labels of the frames of speech as turns in seconds: a frame stands for the time around its centre."""
    plan = front_end(audio.features, audio.sample_rate)
    shift = plan.frame_shift / audio.sample_rate
    offset = plan.first_centre / audio.sample_rate - shift / 2
    return turns_of(labels, speech, shift=shift, offset=offset, bridge=longest_bridge(audio, spec))


def longest_bridge(audio: AudioInput, spec: DiarizationSpec) -> float:
    """Seconds of a pause within a turn, at most: what the spec says, or what suits how speech is found."""
    if spec.bridge is not None:
        return spec.bridge
    return BRIDGE if audio.detector is None else BRIDGE_OF_DETECTOR


def picture_of(path: AudioSource, result: Diarized, said: Sequence[Turn] | None, target: Path) -> Path:
    """Draw a recording with its turns, above them those of a reference where there is one.

    Raises:
        ConfigError: matplotlib is not there.
    """
    from importlib.util import find_spec

    if find_spec("matplotlib") is None:
        raise ConfigError("pictures need matplotlib, which is not installed: pip install 'speechgmm[plot]'")
    from speechgmm.plots import save_figure
    from speechgmm.tasks.diarization.plots import plot_turns

    audio = result.audio
    assert audio is not None, "samples are drawn, and there are none"
    samples = read_recording(
        path, sample_rate=audio.sample_rate, resample=audio.resample, channel=audio.channel
    ).samples
    figure = plot_turns(samples, audio.sample_rate, result.turns, reference=said, title=path.name)
    save_figure(figure, target)
    return target
