"""Classification of segments with known boundaries, as the engine runs it."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from speechgmm.engine.job import Job
from speechgmm.engine.task import Inputs
from speechgmm.tasks.classification.task import ClassTask, Tested
from speechgmm.tasks.segments.codec import SegmentFile, serialise_segments
from speechgmm.tasks.segments.training import TrainedSegments, score_segments, train_segments


class Segments(ClassTask[TrainedSegments]):
    """Which class a segment is of, by several models of it."""

    name: ClassVar[str] = "segments"

    def train(self, job: Job, sets: Sequence[Inputs]) -> list[TrainedSegments]:
        """The segment models of every training set."""
        return train_segments(job, [features for (features,) in sets])

    def test(self, job: Job, parts: Mapping[str, tuple[Inputs, TrainedSegments]]) -> dict[str, Tested]:
        """Log posteriors of the segments of each part."""
        return {
            name: Tested(score_segments(job, features, trained.models))
            for name, ((features,), trained) in parts.items()
        }

    def pack(self, job: Job, trained: TrainedSegments) -> bytes:
        """The segment models and how recordings become frames."""
        return serialise_segments(SegmentFile(trained.models, trained.audio, job.corpus.label))

    def facts(self, trained: TrainedSegments) -> Mapping[str, Any]:
        """How many classes."""
        return {"n_classes": len(trained.models.labels)}


TASK = Segments()
