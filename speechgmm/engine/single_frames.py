"""Recordings of one frame, such as x-vectors: what would make all of them alike is refused."""

from collections.abc import Sequence

from speechgmm.engine.frames import Piece
from speechgmm.errors import ConfigError
from speechgmm.features import FeatureSpec


def are_single_frames(pieces: Sequence[Piece]) -> bool:
    """Whether every recording is one frame: a vector."""
    return bool(pieces) and all(piece.n_frames == 1 for piece in pieces)


def check_single_frames(features: FeatureSpec, pieces: Sequence[Piece]) -> None:
    """Refuse what leaves nothing of recordings of one frame, or adds nothing to them.

    Raises:
        ConfigError: The message names the setting.
    """
    if not are_single_frames(pieces):
        return
    reasons = {
        f"cmvn: {features.cmvn}": (
            features.cmvn in ("utterance", "sliding"),
            "takes the recording's mean away, and nothing is left of one frame; set cmvn: global, or none",
        ),
        f"deltas: {features.deltas}": (features.deltas > 0, "are 0 of one frame; leave it out"),
        f"transform.splice: {features.transform.splice}": (
            features.transform.splice > 0,
            "repeats one frame; leave it out",
        ),
    }
    for key, (holds, why) in reasons.items():
        if holds:
            raise ConfigError(f"features.{key}: every recording here is one frame, such as an x-vector, and this {why}")
