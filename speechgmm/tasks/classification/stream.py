"""Classification of a recording that comes in pieces: a decision for each window, and at its end one for the whole."""

import math
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from speechgmm.engine.frame_stream import FrameStream
from speechgmm.errors import ConfigError, check_type
from speechgmm.io.samples import RecordedSamples
from speechgmm.tasks.classification.codec import Recorded
from speechgmm.tasks.classification.results import ClassificationResult
from speechgmm.tasks.classification.scoring import Scored, Scorer, check_windows

if TYPE_CHECKING:
    from speechgmm.tasks.classification.interface import WindowModel


class WindowStream:
    """The scores of windows of a recording that comes in pieces, those that `score_recordings` gives of the whole."""

    def __init__(self, file: Scorer, sample_rate: int, window: float, hop: float | None, name: str = "samples") -> None:
        """Begin a recording that is called ``name``; the rest as for ``ClassModel.stream``."""
        if file.audio is None:
            raise ConfigError("the model was trained on frames, not recordings, and has no front end for samples")
        check_type("window", window, Real, "a number of seconds")
        self._plan = check_windows(file.audio, window, hop)
        self._file, self._window, self._hop, self._path = file, window, hop or window, Path(name)
        step = max(1, math.floor(self._hop * self._plan.sample_rate / self._plan.frame_shift))
        self._source = FrameStream(file.audio, sample_rate, step, name, file.silence)
        self._first = 0  # number of the first frame that is held
        self._frames = np.empty((0, file.audio.n_dims), np.float32)
        self._speech = np.empty(0, bool)
        self._n_windows = 0  # that were scored

    def push(self, samples: Any) -> list[Scored]:
        """Take the next samples; returns the windows that are whole with them. Raises as `FrameStream.push`."""
        found: list[Scored] = []
        for stretch in self._source.push(samples):
            self._frames = np.concatenate([self._frames, stretch.frames])
            self._speech = np.concatenate([self._speech, stretch.speech])
            found += self._windows()
        return found

    def whole(self) -> RecordedSamples:
        """All samples that have come, as one recording. Raises DataError where none have."""
        return self._source.whole()

    def _windows(self) -> list[Scored]:
        """The scores of windows that are whole."""
        found: list[Scored] = []
        while True:
            start = self._n_windows * self._hop
            end = start + self._window
            first, stop = self._plan.frame_range(start, end, 2**62)
            if stop > self._first + len(self._frames):
                return found
            here = slice(first - self._first, stop - self._first)
            recorded = Recorded(self._frames[here], self._speech[here], ((start, end),), True)
            (scores,) = self._file.window_scores(self._plan, recorded)
            found.append(Scored.of(scores, self._path, start, end))
            self._n_windows += 1
            next_first, _ = self._plan.frame_range(start + self._hop, end + self._hop, 2**62)
            unused = max(0, min(next_first - self._first, len(self._frames)))
            self._frames, self._speech = self._frames[unused:], self._speech[unused:]
            self._first += unused


class ScoreStream:
    """Classifies a recording that arrives in pieces; made by ``model.stream``. Use it from one thread at a time.

    The results do not depend on how the samples are cut into pieces. The result of each window is the one of
    ``model.classify_windows``, and the result of ``close`` is the one of ``model.classify`` for all samples. There is
    one exception: if the voice activity detection depends on the level of the whole recording, a window depends on the
    level so far. All samples are kept until ``close``: an hour of int16 at 16 kHz takes 115 MB.

    >>> import speechgmm as sg
    >>> stream = sg.load("runs/birds").stream(16000)  # doctest: +SKIP
    >>> for decision in stream.push(samples):  # doctest: +SKIP
    ...     print(decision.end, decision.decision)
    >>> stream.close().decision  # doctest: +SKIP
    'owl'
    """

    def __init__(self, model: "WindowModel", sample_rate: int, window: float, hop: float | None) -> None:
        """Begin a recording; see ``ClassModel.stream``."""
        self._model, self._is_open = model, True
        self._windows = WindowStream(model.file, sample_rate, window, hop)

    def push(self, samples: Any) -> list[ClassificationResult]:
        """Take the next samples, (N,) or (N, channels) of int16 or of floats in [-1, 1].

        Returns
        -------
        list of ClassificationResult
            The results of the windows that these samples complete; none, one or several. A window is complete some
            hundredths of a second after its end, when the frames after its last frame have arrived too.

        Raises
        ------
        ConfigError
            The stream is closed.
        DataError
            Samples that cannot be used.
        ShapeError
            Samples that are not (N,) or (N, channels), or have another type or number of channels than before.
        """
        self._check_open()
        return [ClassificationResult.of(self._model.file, item) for item in self._windows.push(samples)]

    def close(self) -> ClassificationResult:
        """End the recording, and return the result of ``model.classify`` for all samples.

        Raises
        ------
        ConfigError
            The stream is closed already.
        DataError
            No sample has arrived, or the recording cannot be used.
        """
        self._check_open()
        self._is_open = False
        result: ClassificationResult = self._model.classify(self._windows.whole())
        return result

    def _check_open(self) -> None:
        if not self._is_open:
            raise ConfigError("the stream is closed; begin another with model.stream(sample_rate)")
