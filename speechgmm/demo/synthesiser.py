"""Speech from text by eSpeak NG, with the time of every phone.

Owns the conversation with the C library that the wheel ``espeakng-loader`` ships. Refuses to be a general
speech synthesiser: one voice, one sentence, samples and times back. eSpeak NG is GPL-3.0: it is installed
by the extra ``demo`` only, loaded when a corpus is built, and no part of this package.

The library keeps its state in globals that no call resets (pitch flutter, gain and noise run on from one
sentence to the next), so that a sentence sounds different after another one. Every sentence is therefore
spoken by a freshly loaded library with its noise seeded: what comes out depends on the arguments alone,
in any order. It is loaded from a private copy of the file, because the system loads a file once however
often it is asked to: somebody else's eSpeak NG in this process neither changes ours nor is changed.
"""

import contextlib
import ctypes
import importlib
import itertools
import shutil
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from speechgmm.demo.voices import Voice
from speechgmm.errors import ConfigError, DataError

# Of speak_lib.h, version 1.52.
_SYNCHRONOUS: Final = 2  # output mode: espeak_Synth returns when all is spoken, to the callback and no loudspeaker
_PHONEME_EVENTS: Final = 0x0001
_DO_NOT_EXIT: Final = 0x8000  # without it a missing data folder ends the whole process
_RATE, _VOLUME, _PITCH, _RANGE, _WORDGAP = 1, 2, 3, 4, 7
_UTF8: Final = 1
_END_OF_LIST, _WORD, _PHONEME = 0, 1, 7

_LOUDNESS: Final = 30
"""Of 100, which is the library's default and clips several voices."""

_SILENCE: Final = 16
"""Samples no larger than this (of 32767) are a pause or the closure of a stop: zeros, as written."""


class _EventId(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),  # ms: coarser than `sample`
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


@dataclass(frozen=True, slots=True)
class Segment:
    """One phoneme in a recording."""

    mnemonic: str  # eSpeak NG's name for it, stress marks included; those of pauses begin with "_"
    start: int  # first sample
    end: int  # one past the last sample


@dataclass(frozen=True, slots=True)
class Speech:
    """One spoken sentence."""

    samples: NDArray[np.int16]  # (N,)
    sample_rate: int  # Hz
    segments: tuple[Segment, ...]  # in order, never overlapping


class Synthesiser:
    """eSpeak NG, ready to speak; use it in a ``with`` statement, which removes its private copy at the end.

    Raises:
        ConfigError: The wheel is not installed or is broken.

    Example:
        >>> from speechgmm.demo.voices import VOICES
        >>> with Synthesiser() as synthesiser:
        ...     speech = synthesiser.speak("Six ships.", VOICES[0], seed=1)
        >>> speech.sample_rate
        22050
        >>> [segment.mnemonic for segment in speech.segments]
        ['s', "'I", 'k', 's', 'S', "'I", 'p', 's', '_:']
    """

    def __init__(self) -> None:
        try:
            loader: Any = importlib.import_module("espeakng_loader")
        except ImportError as error:
            raise ConfigError(
                "the demo corpus is spoken by eSpeak NG, which is not installed; pip install 'speechgmm[demo]'"
            ) from error
        # The globals of one loaded library serve one sentence at a time.
        self._lock = threading.Lock()
        try:
            with contextlib.ExitStack() as stack:
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="speechgmm-espeak-")))
                self._library = Path(shutil.copy(loader.get_library_path(), folder / "libespeak-ng.so"))
                # The library holds the path of its data in 160 bytes: too few for many an environment's.
                (folder / "espeak-ng-data").symlink_to(loader.get_data_path(), target_is_directory=True)
                self._stack = stack.pop_all()
        except (OSError, RuntimeError) as error:
            raise ConfigError(
                f"eSpeak NG cannot be set up: {error}; the wheel espeakng-loader may be broken "
                "(install it again), or the folder for temporary files full"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def speak(self, text: str, voice: Voice, *, seed: int) -> Speech:
        """Speak one sentence; the same arguments give the same samples, whatever was spoken before.

        A phoneme's segment starts at the library's own event and ends at the next phoneme or word, less the
        silence at its end: the closure before a stop belongs to no phoneme. (With a voice that has an echo
        the closure is not silent, and stays with the phoneme before it.)

        Args:
            text: What to say.
            voice: Who says it.
            seed: Of the library's own noise, 0 to 2^31 - 1.

        Raises:
            ConfigError: The library cannot be loaded, or has no such voice.
            DataError: Nothing was spoken; the text has no words.
        """
        with self._lock:
            try:
                library = ctypes.CDLL(str(self._library))
            except OSError as error:
                raise ConfigError(f"the library of eSpeak NG cannot be loaded: {error}") from error
            try:
                speech = _speak(library, self._library.parent, text, voice, seed)
            finally:
                # Unloading is what resets the globals.
                ctypes.CDLL(None).dlclose(ctypes.c_void_p(library._handle))
        if all(segment.mnemonic.startswith("_") for segment in speech.segments):
            raise DataError(f"eSpeak NG said nothing for {text!r}; a sentence needs at least one word")
        return speech


def _speak(library: ctypes.CDLL, folder: Path, text: str, voice: Voice, seed: int) -> Speech:
    sample_rate = library.espeak_Initialize(_SYNCHRONOUS, 0, bytes(folder), _PHONEME_EVENTS | _DO_NOT_EXIT)
    if sample_rate <= 0:
        raise ConfigError(
            "eSpeak NG does not start; the data of the wheel espeakng-loader may be missing: install it again"
        )
    try:
        if library.espeak_SetVoiceByName(voice.variant.encode()) != 0:
            raise ConfigError(
                f"eSpeak NG has no voice {voice.variant!r}; this release is made for espeakng-loader 0.2.4"
            )
        for parameter, value in (
            (_RATE, voice.rate),
            (_VOLUME, _LOUDNESS),
            (_PITCH, voice.pitch),
            (_RANGE, voice.pitch_range),
            (_WORDGAP, 0),
        ):
            library.espeak_SetParameter(parameter, value, 0)
        # After espeak_Initialize, which seeds by the clock.
        library.espeak_ng_SetRandSeed(ctypes.c_long(seed))
        blocks: list[NDArray[np.int16]] = []
        events: list[tuple[int, int, str]] = []

        def collect(wave: Any, n_samples: int, event: Any) -> int:
            if wave and n_samples > 0:
                blocks.append(np.ctypeslib.as_array(wave, (n_samples,)).astype(np.int16))
            i = 0
            while event[i].type != _END_OF_LIST:
                name = event[i].id.string.decode() if event[i].type == _PHONEME else ""
                events.append((event[i].type, event[i].sample, name))
                i += 1
            return 0

        callback = _Callback(collect)
        library.espeak_SetSynthCallback(callback)
        encoded = text.encode()
        library.espeak_Synth(
            encoded,
            ctypes.c_size_t(len(encoded) + 1),
            ctypes.c_uint(0),
            0,
            ctypes.c_uint(0),
            _UTF8,
            None,
            None,
        )
        library.espeak_Synchronize()
    finally:
        library.espeak_Terminate()
    samples = np.concatenate(blocks) if blocks else np.zeros(0, dtype=np.int16)
    return Speech(samples, int(sample_rate), _segments(samples, events))


def _segments(samples: NDArray[np.int16], events: list[tuple[int, int, str]]) -> tuple[Segment, ...]:
    """Turn events, each with the sample it happens at, into stretches of sound."""
    borders = sorted({sample for kind, sample, _ in events if kind in (_WORD, _PHONEME)} | {len(samples)})
    next_border = dict(itertools.pairwise(borders))
    loud = np.abs(samples.astype(np.int32)) > _SILENCE
    # For every sample, the last loud one up to it: where a segment that ends here stopped sounding.
    last_loud = np.maximum.accumulate(np.where(loud, np.arange(len(samples)), -1))
    segments = []
    # Of phonemes at one sample the last is spoken: a pause of no length precedes each clause.
    phonemes = {start: name for kind, start, name in events if kind == _PHONEME}
    for start, name in sorted(phonemes.items()):
        end = next_border.get(start, start)
        if end > start and not name.startswith("_"):
            end = int(last_loud[end - 1]) + 1
        if end > start:
            segments.append(Segment(name, start, end))
    return tuple(segments)
