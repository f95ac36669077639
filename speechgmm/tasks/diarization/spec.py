"""Settings of diarization: how turns are found, and how a diarizer is trained and tested."""

from dataclasses import dataclass
from typing import Literal

from speechgmm.clustering.vbx import VbxSpec
from speechgmm.setting import FORBID_UNKNOWN, setting
from speechgmm.vectors.supervectors import RELEVANCE


@dataclass(frozen=True, slots=True, kw_only=True)
class DiarizationSpec:
    """Settings of diarization. Times are numbers of frames of speech; frames of pauses are not counted."""

    __pydantic_config__ = FORBID_UNKNOWN

    block: int = setting(10, "resolution: a turn begins and ends with a block", unit="frames", ge=1, le=10_000)
    window: int = setting(10, "of which a supervector is made, around every block", unit="blocks", ge=1, le=10_000)
    relevance: float = setting(RELEVANCE, "frames that the background model is worth in a supervector", gt=0, le=1e9)
    n_components: int = setting(200, "principal components in which speakers are told apart", ge=1, le=65536)
    n_dims: int = setting(60, "directions kept, those along which speakers differ most", ge=1, le=65536)
    smoothing: float = setting(0.1, "of the mean within-speaker variance, added to each", ge=0, le=1)
    independence: float = setting(0.5, "what a window that shares no frame with another counts as evidence", gt=0, le=1)
    most: float = setting(
        10.0,
        "windows that a cluster counts as at most where it is decided to stop: who is heard for long still has moods",
        gt=0,
        le=1e9,
    )
    sharpness: float = setting(0.2, "what a window's fit counts on the best path, beside its costs", gt=0, le=1e6)
    cost: float = setting(5.0, "of a change of speakers within speech", unit="nats", ge=0, le=1e6)
    pause_cost: float = setting(1.0, "of a change at a pause", unit="nats", ge=0, le=1e6)
    minimum: int = setting(10, "least duration of a turn", unit="blocks", ge=1, le=100_000)
    bridge: float | None = setting(
        None,
        "a pause between two turns of one speaker up to which they are one; default: 0.3, with a speech detector 1, "
        "since it finds the pauses within sentences",
        unit="s",
        ge=0,
        le=3600,
    )
    first: int = setting(12, "clusters that merging begins with: more than speakers are expected", ge=2, le=1000)
    passes: int = setting(2, "resegmentations after each merge", ge=1, le=100)


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowVbxSpec(VbxSpec):
    """Settings of VBx over windows of a recording, which share nine tenths of their frames with their neighbours."""

    fa: float = setting(0.4, "Fa: weight of the windows' fit; below 1, because neighbours share frames", gt=0, le=1e6)
    fb: float = setting(12.0, "Fb: weight of the speakers' prior; a higher value gives fewer speakers", gt=0, le=1e6)
    loop_probability: float = setting(
        0.9,
        "probability that the next window has the same speaker without a draw; 0: the order does not count",
        ge=0,
        lt=1,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DiarizerSpec:
    """The ``diarization`` section of a configuration: how a diarizer is trained and tested."""

    __pydantic_config__ = FORBID_UNKNOWN

    n_components: int = setting(64, "Gaussians of the background model", ge=2, le=65536)
    conversations: int = setting(
        40,
        "conversations of training speakers that the threshold is learnt from: where merging stops",
        ge=3,
        le=100_000,
    )
    turns: Literal["natural", "uniform"] = setting(
        "natural",
        "turns of made conversations; natural: by statistics of conversations, with overlap and backchannels; uniform: "
        "of 1 to 5 s, without overlap",
    )
    turns_from: str | None = setting(
        None,
        "an RTTM of conversations like those to be diarized, whose statistics turns: natural takes, relative to the "
        "configuration file; default: published statistics",
        is_path=True,
    )
    detector: bool = setting(
        True,
        "train a speech detector on the background speakers' recordings among made sounds, which says where somebody "
        "speaks in conversations; false, or with features.vad: model: features.vad does",
    )
    method: Literal["merging", "vbx"] = setting(
        "merging", "merging: clusters are merged down to a threshold; vbx: a Bayesian HMM finds the speakers"
    )
    vbx: WindowVbxSpec = setting(WindowVbxSpec(), "settings of method: vbx")
    overlap: Literal["none", "detect"] = setting(
        "none",
        "none: each moment has one speaker; detect: a detector of overlap is trained on made conversations, and kept "
        "if it lowers the error of others",
    )
    references: str | None = setting(
        None,
        "an RTTM of who speaks when in the recordings of the split test, relative to the configuration file; default: "
        "conversations are made of the test speakers' recordings",
        is_path=True,
    )
    uem: str | None = setting(
        None,
        "a UEM with the stretches of the recordings in references that count, relative to the configuration file; "
        "default: all",
        is_path=True,
    )
    collar: float = setting(
        0.0, "time on each side of a boundary of the reference that does not count", unit="s", ge=0, le=60
    )
    search: DiarizationSpec = setting(DiarizationSpec(), "how turns are found")
