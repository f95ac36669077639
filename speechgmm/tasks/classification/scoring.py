"""The scoring stage: the test split of a run, and recordings that a model has never seen.

Both ways lead through the same features and likelihoods; the first reads frames from the store.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from speechgmm.engine.audio_input import AudioInput
from speechgmm.engine.recordings import RecordingFacts, frames_about, model_frames, moments_of, windows
from speechgmm.errors import ConfigError, DataError, check_type
from speechgmm.features import FrontEnd, Moments, front_end, normalisation
from speechgmm.features.silence import Silence
from speechgmm.io.samples import AudioSource
from speechgmm.moved import from_new_place
from speechgmm.parallel import in_parcels, pmap
from speechgmm.tasks.classification.codec import UNKNOWN, Recorded, WindowScores
from speechgmm.tasks.classification.models import ClassModels

if TYPE_CHECKING:  # scoring a recording waits for none of them
    from speechgmm.engine.frames import Features, Piece
    from speechgmm.engine.job import Job

SCORED_AT_ONCE = 64  # utterances in a task

_MOVED = dict.fromkeys(("Judged", "judge_recordings"), "speechgmm.tasks.verification.judging")


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of test utterances under all classes."""

    ids: tuple[str, ...]
    true: tuple[str, ...]
    predicted: tuple[str, ...]
    labels: tuple[str, ...]  # the classes
    n_frames: NDArray[np.int64]  # (N,)
    mean_log_likelihoods: NDArray[np.float64]  # (N, C) nats per frame; or log posteriors in nats
    groups: tuple[str, ...] = ()  # what intervals go by (the speaker of each utterance); empty: none is named
    folds: tuple[str, ...] = ()  # the fold of each utterance; empty: there are none
    are_log_posteriors: bool = False  # what ``mean_log_likelihoods`` holds, as of segment models

    @classmethod
    def pooled(cls, parts: Mapping[str, "Scores"]) -> "Scores":
        """The scores of all folds, by the fold's name, as one table."""
        scores = tuple(parts.values())
        return cls(
            ids=tuple(name for part in scores for name in part.ids),
            true=tuple(label for part in scores for label in part.true),
            predicted=tuple(label for part in scores for label in part.predicted),
            labels=scores[0].labels,
            n_frames=np.concatenate([part.n_frames for part in scores]),
            mean_log_likelihoods=np.concatenate([part.mean_log_likelihoods for part in scores]),
            groups=tuple(group for part in scores for group in part.groups),
            folds=tuple(fold for fold, part in parts.items() for _ in part.ids),
            are_log_posteriors=scores[0].are_log_posteriors,
        )

    def decided(self, models: ClassModels) -> "Scores":
        """The same scores with the decisions that these models' temperature and priors make of them."""
        rows = zip(self.mean_log_likelihoods, self.n_frames, strict=True)
        return replace(self, predicted=tuple(models.labels[models.winner(row, n)] for row, n in rows))


def score(job: "Job", features: "Features", models: ClassModels, what: str | None = "scoring the test split") -> Scores:
    """Score the split ``test`` against every class, and predict each utterance's class (``ClassModels.winner``)."""
    group = job.experiment.config.corpus.group
    with job.console.stage("score"):
        tests = features.of_split("test")
        table, n_frames = log_likelihood_table(job, models, [piece for _, piece in tests], what)
    return Scores(
        ids=tuple(utterance.id for utterance, _ in tests),
        true=tuple(utterance.label(features.corpus.label) for utterance, _ in tests),
        predicted=(),
        labels=models.labels,
        n_frames=n_frames,
        mean_log_likelihoods=table,
        groups=tuple(utterance.label(group) for utterance, _ in tests) if group else (),
    ).decided(models)


def log_likelihood_table(
    job: "Job", models: ClassModels, pieces: "Sequence[Piece]", what: str | None
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Mean log-likelihoods (N, C) in nats per frame and numbers of frames (N,) of utterances; shown as ``what``."""
    done, table = 0, np.empty((len(pieces), len(models.labels)))
    n_frames = np.empty(len(pieces), np.int64)
    models = models.suited_to(sum(piece.n_rows for piece in pieces))  # by all of them: parcels change no byte
    with job.console.bar(what) as advance:
        for rows, counts in job.map(partial(_score_parcel, models), in_parcels(pieces, SCORED_AT_ONCE)):
            table[done : done + len(rows)], n_frames[done : done + len(rows)] = rows, counts
            done += len(rows)
            advance(done, len(pieces))
    return table, n_frames


def _score_parcel(models: ClassModels, pieces: "Sequence[Piece]") -> tuple[Any, list[int]]:
    rows, counts = [], []
    for piece in pieces:
        frames = piece.load()
        rows.append(models.mean_log_likelihoods(frames))
        counts.append(len(frames))
    return np.stack(rows), counts


@dataclass(frozen=True, slots=True)
class Scored:
    """A recording, or a window of it, against all classes."""

    path: AudioSource
    start: float  # s
    end: float  # s
    n_frames: int  # 0: a window without speech
    mean_log_likelihoods: NDArray[np.float64]  # (C,) nats per frame; NaN without frames
    posteriors: NDArray[np.float64] | None  # (C,); None where the model has no temperature, or without frames
    clipped: float  # share of the recording's samples at full scale
    llrs: NDArray[np.float64] | None = None  # (C,) calibrated, nats; None where the model has no calibration
    duration: float | None = None  # s, of the recording; None: it goes on

    @classmethod
    def of(cls, scores: WindowScores, path: AudioSource, start: float, end: float, clipped: float = 0.0) -> "Scored":
        """The scores of a window of a recording."""
        return cls(path, start, end, scores.n_frames, scores.scores, scores.posteriors, clipped, scores.llrs)

    def ranked(self) -> list[int]:
        """Numbers of the classes, best first."""
        if self.llrs is not None:
            return list(np.lexsort((-self.mean_log_likelihoods, -self.llrs)))
        best = self.mean_log_likelihoods if self.posteriors is None else self.posteriors
        # Ties (posteriors that round to 0) are broken by likelihood.
        return list(np.lexsort((-self.mean_log_likelihoods, -best)))

    def decision(self, model: "Scorer") -> str:
        """The best class, or unknown where its calibrated ratio is below the model's threshold."""
        if self.llrs is not None and model.threshold is not None and not self.llrs.max() >= model.threshold:
            return UNKNOWN
        return str(model.models.labels[self.ranked()[0]])

    def margin(self, number: int) -> float:
        """Log-likelihood of a class less that of the best other class, in nats per frame."""
        scores = self.mean_log_likelihoods
        others = (scores[:number], scores[number + 1 :])
        return float(scores[number] - max(part.max(initial=-np.inf) for part in others))


class Scorer(Protocol):
    """A model file that scores windows of recordings: of class models, or of segment models."""

    @property
    def audio(self) -> AudioInput | None:
        """How a recording becomes frames."""

    @property
    def models(self) -> Any:
        """Models with ``labels`` and ``suited_to``."""

    @property
    def label(self) -> str:
        """The column that the classes are values of."""

    @property
    def of_segments(self) -> bool:
        """Whether it scores segments, and no recordings as a whole."""

    @property
    def answers_for_unvoiced(self) -> bool:
        """Whether a recording without a voiced frame has an answer, and is no error."""

    @property
    def has_posteriors_alone(self) -> bool:
        """Whether its scores are log posteriors, and not log-likelihoods."""

    @property
    def silence(self) -> Silence:
        """What becomes of digital silence."""

    @property
    def threshold(self) -> float | None:
        """The calibrated ratio in nats from which on the best class is decided; None: it always is."""

    def window_scores(self, plan: FrontEnd, recorded: Recorded) -> Iterator[WindowScores]:
        """The scores of each window of a recording whose frames ``plan`` made."""


def score_recordings(
    model: Scorer,
    paths: Sequence[AudioSource],
    *,
    window: float | None = None,
    hop: float | None = None,
    speaker: str | None = None,
    n_jobs: int = 1,
) -> Iterator[tuple[AudioSource, list[Scored] | DataError]]:
    """Score recordings against a model, in their order. Yields each path with its scores, or with a ``DataError``.

    >>> from pathlib import Path
    >>> from speechgmm import read_model_file, run
    >>> result = run("birds.yaml", ["model.n_components=2"], output="birds-run")
    >>> model = read_model_file("birds-run/models.safetensors")
    >>> for path, scored in score_recordings(model, [Path("birds/wren/0.wav")]):
    ...     print(path.name, model.models.labels[scored[0].mean_log_likelihoods.argmax()])
    0.wav wren

    Parameters
    ----------
    model
        From ``read_model_file``.
    paths
        Recordings of any format, rate and channel count that the model's configuration allows.
    window
        Length in seconds of windows that are scored one by one; None: each recording is scored as a whole.
    hop
        Seconds from the start of one window to the start of the next; default: the length of the window.
    speaker
        For models with ``cmvn: speaker``: the speaker of all recordings; None: each recording has its own speaker.
    n_jobs
        Number of parallel workers.

    Raises
    ------
    ConfigError
        The model has no front end; ``window`` is None for a model of segments; ``hop`` has no ``window``; ``window``
        or ``hop`` is shorter than the frame shift; ``speaker`` is given for a model without ``cmvn: speaker``.
    """
    if model.audio is None:
        raise ConfigError("the model was trained on frames, not recordings: score frames with ClassModels in Python")
    if window is None and model.of_segments:
        raise ConfigError(
            f"the model scores segments ({model.label}), and a recording is not one segment: say where its segments "
            "begin and end, by a table (path, start, end) or a TextGrid, or give the length of a window",
            arguments=("segments", "window"),
        )
    audio = model.audio
    check_windows(audio, window, hop)
    cmvn = audio.features.cmvn
    if speaker is not None and cmvn != "speaker":
        raise ConfigError(
            f"speaker {speaker!r} is for a model with cmvn: speaker; this one has cmvn: {cmvn}", arguments=("speaker",)
        )
    if speaker is not None:
        total: Moments | None = None
        for found in pmap(partial(moments_of, audio), paths, n_jobs=n_jobs, backend="threads"):
            if found is not None:
                total = found if total is None else total + found
        if total is not None:
            audio = replace(audio, normalisation=normalisation(total, audio.features.norm_vars))
    suited = model.models.suited_to(frames_about(audio, paths))
    work = partial(_score_recording, replace(model, models=suited), audio, window, hop)  # type: ignore[type-var]
    yield from zip(paths, pmap(work, paths, n_jobs=n_jobs, backend="threads"), strict=True)


def check_windows(audio: AudioInput, window: float | None, hop: float | None) -> FrontEnd:
    """The front end that makes the frames of windows.

    Raises ConfigError for a hop without a window, and for a window or hop that is shorter than the frame shift.
    """
    plan = front_end(audio.features, audio.sample_rate)
    if hop is not None and window is None:
        raise ConfigError("a hop without a window; give the window too", arguments=("hop", "window"))
    shift = plan.frame_shift / audio.sample_rate
    for name, seconds in (("window", window), ("hop", hop)):
        if seconds is not None:
            check_type(name, seconds, (int, float, np.number), "a number of seconds")
        if seconds is not None and not shift <= seconds < math.inf:
            message = f"{name} {seconds:g}: seconds, at least the time between frames ({shift:g} s)"
            raise ConfigError(message, arguments=(name,))
    return plan


def _score_recording(
    model: Scorer, audio: AudioInput, window: float | None, hop: float | None, path: AudioSource
) -> list[Scored] | DataError:
    try:
        unvoiced = model.answers_for_unvoiced
        frames, speech, recording = model_frames(audio, path, silence=model.silence, unvoiced=unvoiced)
        stretches = tuple(windows(recording.duration, window, hop))
        return scored_windows(model, audio, path, Recorded(frames, speech, stretches, window is None), recording)
    except DataError as error:
        return error.about(path)


def scored_windows(
    model: Scorer, audio: AudioInput, path: AudioSource, recorded: Recorded, facts: RecordingFacts
) -> list[Scored]:
    """The windows of a recording, whose frames ``audio`` made, against all classes."""
    found = model.window_scores(front_end(audio.features, audio.sample_rate), recorded)
    return [
        replace(Scored.of(one, path, start, end, facts.clipped), duration=facts.duration)
        for (start, end), one in zip(recorded.windows, found, strict=True)
    ]


def __getattr__(name: str) -> Any:
    return from_new_place(__name__, name, _MOVED)
