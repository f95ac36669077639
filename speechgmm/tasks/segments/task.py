"""Classification of segments with known boundaries, as the engine runs it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from speechgmm.config import Config
from speechgmm.corpus import Corpus
from speechgmm.engine.frames import Features
from speechgmm.engine.job import Job
from speechgmm.engine.run_folder import RunFolder
from speechgmm.engine.task import Inputs
from speechgmm.errors import counted
from speechgmm.features.silence import Silence
from speechgmm.report.settings import settings_of
from speechgmm.tasks.classification.scoring import Scores
from speechgmm.tasks.classification.task import ClassTask, Tested
from speechgmm.tasks.segments.codec import SegmentFile, serialise_segments, silence_rule
from speechgmm.tasks.segments.command import NEXT_COMMAND
from speechgmm.tasks.segments.spec import SegmentSpec
from speechgmm.tasks.segments.training import TrainedSegments, score_segments, train_segments

FEWEST_ITEMS: Final = 3
"""Items of a class: two to train on while one is scored."""


class Segments(ClassTask[TrainedSegments]):
    """Which class a segment is of, by several models of it."""

    name: ClassVar[str] = "segments"
    no_enrolment: ClassVar[str | None] = (
        "the streams and their weights are learnt from all classes together; train again with the new recordings, or "
        "with segments: null in the configuration, which makes mixtures of single classes: they can be added to"
    )
    score_unit: ClassVar[str] = "nats"

    def silence(self, corpus: Corpus) -> Silence:
        """Left out of whole recordings, with its edges; kept in segments of a recording."""
        return silence_rule(corpus.is_of_whole_recordings())

    def first_settings(self, corpus: Corpus, group: str | None = None) -> Mapping[str, Any]:
        """Plain mixtures where most classes have too few items to weigh streams by those that were left out."""
        training = corpus.split("train") or corpus.utterances
        counts = sorted(Counter(one.label(corpus.label) for one in training).values())
        return {} if counts[len(counts) // 2] >= FEWEST_ITEMS else {"segments": None}

    def train(self, job: Job, sets: Sequence[Inputs]) -> list[TrainedSegments]:
        """The segment models of every training set."""
        return train_segments(job, [features for (features,) in sets])

    def test(self, job: Job, parts: Mapping[str, tuple[Inputs, TrainedSegments]]) -> dict[str, Tested]:
        """Log posteriors of the segments of each part."""
        what = "scoring the test split"
        many = len(parts) > 1
        return {
            name: Tested(score_segments(job, features, trained.models, None if many else what))
            for name, ((features,), trained) in job.console.track(parts.items(), len(parts), what if many else None)
        }

    def training_scores(self, job: Job, sample: Features, trained: TrainedSegments) -> Scores:
        """Scores by the segment models."""
        return score_segments(job, sample, trained.models)

    def sizes(self, config: Config) -> tuple[str, str]:
        """The mixtures of frames are the largest."""
        return "fewer components (segments.frame_components)", "more components (segments.frame_components)"

    def tuning_points(self, config: Config, trained: TrainedSegments) -> Sequence[dict[str, Any]]:
        """Fewer and more components of frames and thirds, and normalisation by recording."""
        spec = config.section(SegmentSpec) or SegmentSpec()
        frames, thirds = "segments.frame_components", "segments.third_components"
        base = {frames: spec.frame_components, thirds: spec.third_components, "features.cmvn": config.features.cmvn}
        return [
            base,
            base | {"features.cmvn": "none" if config.features.cmvn == "utterance" else "utterance"},
            *(base | {frames: max(1, spec.frame_components * factor)} for factor in (0.5, 2)),
            *(base | {thirds: max(1, spec.third_components * factor)} for factor in (0.5, 2)),
        ]

    def next_command(self, model: str, trained: TrainedSegments) -> str:
        """Score recordings, or segments, whose times must be given."""
        return super().next_command(model, trained) if trained.whole else NEXT_COMMAND.replace("MODEL", model)

    def pack(self, job: Job, trained: TrainedSegments) -> bytes:
        """The segment models and how recordings become frames."""
        return serialise_segments(SegmentFile(trained.models, trained.audio, job.corpus.label, trained.whole))

    def settings(self, run: RunFolder) -> Sequence[tuple[str, str]]:
        """The streams."""
        return [("Models", settings_of(run, "segments", ()))]

    def trained_lines(self, trained: TrainedSegments) -> Sequence[str]:
        """The weights of the streams."""
        weights = ", ".join(f"{weight:.3f}" for weight in trained.models.weights)
        return (
            f"segment models of {counted(len(trained.models.labels), 'class')}; weights of their streams: {weights}",
        )

    def trained_notes(self, trained: TrainedSegments) -> Sequence[str]:
        """Streams that could not learn anything."""
        return [
            f"the stream {name} is left out of decisions: no class has two training segments that differ"
            for name in trained.models.idle_streams()
        ]

    def facts(self, trained: TrainedSegments) -> Mapping[str, Any]:
        """How many classes."""
        return {"n_classes": len(trained.models.labels)}


TASK = Segments()
