"""Recordings of one frame, such as x-vectors: what would make all of them alike is refused."""

from collections.abc import Sequence

import numpy as np

from speechgmm.corpus import Corpus
from speechgmm.engine.frames import Piece
from speechgmm.errors import ConfigError, DataError, first_few
from speechgmm.features import FeatureSpec


def are_single_frames(pieces: Sequence[Piece]) -> bool:
    """Whether every recording is one frame: a vector."""
    return bool(pieces) and all(piece.n_frames == 1 for piece in pieces)


def check_vectors(corpus: Corpus, pieces: Sequence[Piece]) -> None:
    """Refuse recordings that are a vector of zeros: it is like none.

    Raises:
        DataError: The message names the recordings.
    """
    if not are_single_frames(pieces):
        return
    empty = [one.id for one, piece in zip(corpus, pieces, strict=True) if not np.any(piece.load())]
    if empty:
        raise DataError(
            f"{len(empty)} of {len(pieces)} recordings are a vector of zeros, which has no direction: "
            f"{first_few(empty, 10)}; was nothing extracted from them? Leave them out, or make their vectors again"
        )


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
