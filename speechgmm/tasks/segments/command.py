"""``score`` for segment models: recordings or their windows, each taken as one segment."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from speechgmm.tasks.classification import command

if TYPE_CHECKING:
    from speechgmm.tasks.classification.scoring import Scored


@dataclass(frozen=True, slots=True, kw_only=True)
class Score(command.Score):
    """Ranked classes of recordings, each taken as one segment, with posterior and margin."""

    def read(self, path: Path) -> Any:
        """The model file."""
        from speechgmm.tasks.segments.codec import read_segment_models

        return read_segment_models(path)

    def about(self, file: Any) -> Iterable[str]:
        """What a person should know of the scores."""
        yield "a model of segments: each recording or window is taken as one segment"

    def ranks(self, file: Any, item: "Scored") -> Iterator[dict[str, Any]]:
        """A row for each of the best classes of a window; segment models have posteriors alone."""
        for row in command.Score.ranks(self, file, item):
            yield {**row, "mean_log_likelihood": None}
