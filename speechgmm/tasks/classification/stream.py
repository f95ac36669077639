"""Classification of a recording that comes in pieces: a decision for each window, and at its end one for the whole."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from speechgmm.engine.frame_stream import FrameStream
from speechgmm.errors import ConfigError
from speechgmm.tasks.classification.codec import Recorded
from speechgmm.tasks.classification.results import ClassificationResult
from speechgmm.tasks.classification.scoring import Scored, check_windows

if TYPE_CHECKING:
    from speechgmm.tasks.classification.interface import ClassModel


class ScoreStream:
    """A recording that comes in pieces; made by ``model.stream``. For one thread at a time.

    Where the samples are cut into pieces changes nothing: the windows' results are those of
    ``model.classify_windows``, and that of the end is that of ``model.classify`` for all samples. Only where a model's
    voice activity detection follows the level of the recording, a window is judged by the level so far.
    All samples are kept until then: an hour of int16 at 16 kHz is 115 MB.

    >>> import speechgmm as sg
    >>> stream = sg.load("runs/birds").stream(16000)  # doctest: +SKIP
    >>> for decision in stream.push(samples):  # doctest: +SKIP
    ...     print(decision.end, decision.decision)
    >>> stream.close().decision  # doctest: +SKIP
    'owl'
    """

    def __init__(self, model: "ClassModel", sample_rate: int, window: float, hop: float | None) -> None:
        """Begin a recording; see ``ClassModel.stream``."""
        if model.audio is None:
            raise ConfigError("the model was trained on frames, not recordings, and has no front end for samples")
        plan = check_windows(model.audio, window, hop)
        self._model, self._window, self._hop = model, window, hop or window
        step = max(1, math.floor(self._hop * plan.sample_rate / plan.frame_shift))
        self._source = FrameStream(model.audio, sample_rate, step)
        self._plan = plan
        self._first = 0  # number of the first frame that is held
        self._frames = np.empty((0, model.audio.n_dims), np.float32)
        self._speech = np.empty(0, bool)
        self._n_windows = 0  # that were scored
        self._is_open = True

    def push(self, samples: Any) -> list[ClassificationResult]:
        """Take the next samples, (N,) or (N, channels) of int16 or of floats in [-1, 1].

        Returns
        -------
        list of ClassificationResult
            Those of the windows that are whole with them; none, one or several. A window is whole some hundredths of a
            second after its end, when the frames beside its last one have come.

        Raises
        ------
        ConfigError
            The stream is closed.
        DataError
            Samples that cannot be used.
        ShapeError
            Samples of another shape, or of another type or number of channels than before.
        """
        self._check_open()
        found: list[ClassificationResult] = []
        for stretch in self._source.push(samples):
            self._frames = np.concatenate([self._frames, stretch.frames])
            self._speech = np.concatenate([self._speech, stretch.speech])
            found += self._windows()
        return found

    def close(self) -> ClassificationResult:
        """End the recording: the result of the whole, the same as ``model.classify`` gives of all samples.

        Raises
        ------
        ConfigError
            The stream is closed already.
        DataError
            No sample has come, or the recording cannot be used.
        """
        self._check_open()
        self._is_open = False
        result: ClassificationResult = self._model.classify(self._source.whole())
        return result

    def _check_open(self) -> None:
        if not self._is_open:
            raise ConfigError("the stream is closed; begin another with model.stream(sample_rate)")

    def _windows(self) -> list[ClassificationResult]:
        """The results of windows that are whole."""
        file, n_done = self._model.file, self._first + len(self._frames)
        found: list[ClassificationResult] = []
        while True:
            start = self._n_windows * self._hop
            end = start + self._window
            first, stop = self._plan.frame_range(start, end, 2**62)
            if stop > n_done:
                return found
            here = slice(first - self._first, stop - self._first)
            recorded = Recorded(self._frames[here], self._speech[here], ((start, end),), True)
            (scores,) = file.window_scores(self._plan, recorded)
            item = Scored.of(scores, Path("samples"), start, end)
            found.append(ClassificationResult.of(file, item))
            self._n_windows += 1
            unused = self._plan.frame_range(start + self._hop, end + self._hop, 2**62)[0] - self._first
            unused = max(0, min(unused, len(self._frames)))
            self._frames, self._speech = self._frames[unused:], self._speech[unused:]
            self._first += unused
