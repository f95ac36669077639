"""The frames of a recording that comes in pieces, the same as those of the whole, as soon as they are final.

A frame depends on its own samples, its neighbours (deltas, splicing) and its place in its block
(``features/log_mels.py``): so the frames of a stretch that begins at a block, and holds some neighbours more on either
side, are those of the whole. Which frames are speech is another matter: where a threshold follows the level of the
recording, it is that of the last `LEVEL_SECONDS`, since what comes later is not known.

Refuses features that need the whole recording.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.engine.audio_input import AudioInput
from speechgmm.errors import ConfigError, DataError, ShapeError
from speechgmm.features import front_end, raw_features
from speechgmm.features.framing import BLOCK
from speechgmm.features.kinds import feature_kind
from speechgmm.features.measurements import Measured
from speechgmm.features.silence import Silence, not_silent
from speechgmm.io.audio import INT16_SCALE, check_channel, check_rate, one_channel, resampler
from speechgmm.io.samples import RecordedSamples, checked_rate, recorded

LEVEL_SECONDS: Final = 12.0
"""How much of the recording a threshold of voice activity follows."""

OVERHANG: Final = 0.07
"""Seconds that a frame of any kind reaches beyond its place, at most."""


def check_causal(audio: AudioInput) -> None:
    """Refuse features that need the whole recording.

    Raises:
        ConfigError: The message names the setting, and what to do.
    """
    spec = audio.features
    if audio.is_given:
        raise ConfigError(
            "features.kind: given reads frames, and a stream brings samples; give the frames of whole recordings"
        )
    reasons = {
        f"cmvn: {spec.cmvn} takes means over the whole recording": spec.cmvn in ("utterance", "speaker"),
        "cmvn: sliding takes means over what follows a frame, too": spec.cmvn == "sliding" and not spec.cmvn_causal,
        "top_db takes the loudest band of the whole recording": spec.top_db is not None,
        "c0: relative takes the loudest frame of the whole recording": spec.c0 == "relative",
    }
    for reason, holds in reasons.items():
        if holds:
            raise ConfigError(
                f"features.{reason}, which a stream does not have yet; score whole recordings, or train a model with "
                "cmvn: global or none, or sliding with cmvn_causal: true, and without top_db and c0: relative"
            )


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """Frames that are final, of those of the whole recording from number ``first`` on."""

    first: int
    frames: NDArray[np.float32]  # (T, D) normalised and transformed
    speech: NDArray[np.bool_]  # (T,)


class FrameStream:
    """Samples in, finished frames out, ``step`` of them at once; for one recording, and one thread at a time.

    Where samples are cut into pieces changes nothing.
    """

    def __init__(
        self,
        audio: AudioInput,
        sample_rate: int,
        step: int,
        name: str = "samples",
        silence: Silence = Silence.DROPPED,
    ) -> None:
        """Begin a recording.

        Args:
            audio: How recordings become frames.
            sample_rate: Hz of the samples that will come.
            step: Frames.
            name: What messages call the recording.
            silence: What becomes of digital silence.

        Raises:
            ConfigError: The features need the whole recording; a rate that is no positive whole number.
            DataError: Another rate than the model's, where others are not resampled.
        """
        check_causal(audio)
        sample_rate = checked_rate(sample_rate, name)
        check_rate(name, sample_rate, audio.sample_rate, resample=audio.resample)
        self.audio, self.step, self.name, self.silence = audio, step, name, silence
        self.plan = front_end(audio.features, audio.sample_rate)
        self._pieces: list[RecordedSamples] = []
        self._given_rate = sample_rate
        self._resampler = resampler(sample_rate, audio.sample_rate) if sample_rate != audio.sample_rate else None
        self._heard = np.empty(0, np.float32)  # samples at the model's rate from number _begin on
        self._begin = self._n_done = 0
        spec = audio.features
        rate, shift = audio.sample_rate, self.plan.frame_shift
        self._beside = self.plan.context + spec.transform.splice * (spec.transform.kind != "none")
        self._beside += int(OVERHANG * rate / shift) + self.plan.frame_length // shift + 2
        follows_level = spec.vad != "none" or feature_kind(spec).keeps is not None
        slides = spec.cmvn == "sliding"
        self._before = self._beside + (spec.cmvn_window if slides else 0)
        self._before = max(self._before, int(LEVEL_SECONDS * rate / shift) if follows_level else 0)
        self._least = spec.cmvn_min_window if slides else 0  # frames that the first one is normalised by

    def push(self, samples: Any) -> Iterator[Stretch]:
        """The frames that are final with these samples; they are made as they are asked for.

        Raises:
            DataError: Samples that cannot be used; another type or number of channels than before.
            ShapeError: Samples of another shape than (N,) or (N, channels).
        """
        if isinstance(samples, np.ndarray) and samples.ndim in (1, 2) and not len(samples):
            return iter(())
        piece = recorded(samples, self._given_rate, self.name)
        self._check(piece)
        self._pieces.append(piece)
        self._heard = np.concatenate([self._heard, self._at_rate(piece)])
        return self._ready()

    def whole(self) -> RecordedSamples:
        """All samples that have come, as one recording.

        Raises:
            DataError: None have come.
        """
        if not self._pieces:
            raise DataError(f"{self.name}: no samples; expected one frame of them at least")
        return RecordedSamples(np.concatenate([piece.samples for piece in self._pieces]), self._given_rate, self.name)

    def _check(self, piece: RecordedSamples) -> None:
        values = piece.samples
        if not self._pieces:
            check_channel(self.name, values.shape[1], self.audio.channel)
        elif (values.dtype, values.shape[1]) != (self._pieces[0].samples.dtype, self._pieces[0].samples.shape[1]):
            first = self._pieces[0].samples
            raise ShapeError(
                f"{self.name}: samples of type {values.dtype} in {values.shape[1]} channels, and the stream began with "
                f"{first.dtype} in {first.shape[1]}; give all pieces alike"
            )
        if values.dtype != np.int16 and not np.isfinite(values).all():
            raise DataError(f"{self.name}: NaN or infinity among them; expected int16, or floats in [-1, 1]")

    def _at_rate(self, piece: RecordedSamples) -> NDArray[np.float32]:
        mono = one_channel(piece.samples, self.audio.channel, np.empty(len(piece.samples), np.float32))
        if piece.samples.dtype == np.int16:
            mono *= INT16_SCALE
        if self._resampler is None:
            return mono
        changed: NDArray[np.float32] = self._resampler.resample_chunk(mono)
        return changed

    def _ready(self) -> Iterator[Stretch]:
        shift = self.plan.frame_shift
        while True:
            stop = self._n_done + self.step
            # So many samples that the frames beside the last one are whole.
            end = (
                (max(stop, self._least) + self._beside) * shift + max(0, self.plan.first_start) + self.plan.frame_length
            )
            if self._begin + len(self._heard) < end:
                return
            first = max(0, (self._n_done - self._before) // BLOCK * BLOCK)
            self._heard, self._begin = self._heard[first * shift - self._begin :], first * shift
            frames, speech = self._frames(self._heard[: end - self._begin])
            here = slice(self._n_done - first, stop - first)
            yield Stretch(self._n_done, frames[here], speech[here])
            self._n_done = stop

    def _frames(self, samples: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """The frames of a stretch, those at its edges with it, and which are speech."""
        audio = self.audio
        passing = Measured([samples], self.plan)
        plain = audio.features.without_normalisation()
        frames, speech = raw_features(plain, passing, audio.sample_rate, self._begin, audio.detector)
        if audio.normalisation is not None and audio.features.pools_moments:
            frames = audio.normalisation.apply(frames)
        where = np.ones(len(frames), bool) if speech is None else speech
        # As if frames followed: what stays where nothing else is left can only be said of the whole recording.
        n_frames = len(frames) + self.plan.reach + 1
        left_out = self.silence.left_out(passing.result().silent, self.plan, n_frames)
        return audio.transformed(frames), where & not_silent(left_out, 0, len(frames))
