"""Labels that the recordings of a corpus contradict: computed from features that are there, written as a table."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from operator import add
from typing import Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.clustering.label_audit import LEAST, Doubt, doubtful_labels
from speechgmm.clustering.pieces import own_background
from speechgmm.corpus import Utterance
from speechgmm.engine.frames import Features, Piece
from speechgmm.engine.job import Job
from speechgmm.errors import DataError, counted
from speechgmm.features import front_end
from speechgmm.features.kinds import feature_kind
from speechgmm.gmm import DiagGMM, GMMStats
from speechgmm.io.tables import table
from speechgmm.parallel import in_parcels
from speechgmm.vectors.supervectors import piece_statistics, supervectors
from speechgmm.vectors.within_class import unit_length

AT_ONCE: Final = 32
"""Recordings in a task."""

MOST_PARTS: Final = 2000
"""Parts that are compared, all with all: of more, some of each name are drawn."""

MOST_FRAMES: Final = 100_000
"""That the background model is trained on, where the models have none."""

SAID: Final = 5
"""Doubts in a message, and parts of a group in a line."""

HEADING: Final = ("kind", "labels", "parts", "closeness", "expected", "nearest", "listen")
DIFFERENT, ONE_VOICE, COPIES = "different voices", "one voice", "copies"


@dataclass(frozen=True, slots=True)
class DoubtfulLabel:
    """A row of ``audit.tsv``."""

    kind: str  # different voices: parts of one label; one voice: two labels; copies: the same bytes under two labels
    labels: str  # separated by " | "
    parts: str  # groups of sessions or recordings, separated by " | "
    closeness: float | None  # z of the groups; None: copies
    expected: float | None  # different voices: below this they are; one voice: how close parts of one label are
    nearest: str  # different voices: the other label that each group but the first is nearest to, and z
    listen: str  # a recording of each group

    def line(self) -> str:
        """For a person, with the first parts of each group."""
        groups = [group.split(" ") for group in self.parts.split(" | ")]
        parts = " | ".join(f"{' '.join(group[:SAID])}{' ...' if len(group) > SAID else ''}" for group in groups)
        if self.kind == COPIES:
            return f"{self.labels}: the same recording under several labels ({self.listen})"
        if self.kind == DIFFERENT:
            return (
                f"{self.labels}: {parts} score as different speakers (z {self.closeness:.1f}, below "
                f"{self.expected:g}); nearest others: {self.nearest}; listen to {self.listen}"
            )
        return (
            f"{self.labels}: score as one voice (z {self.closeness:.1f}; parts of one label: {self.expected:.1f}); "
            f"listen to {self.listen}"
        )


@dataclass(frozen=True, slots=True)
class LabelAudit:
    """What was found, and what could not be judged."""

    doubts: tuple[DoubtfulLabel, ...]
    notes: tuple[str, ...]  # what was not judged, in words
    is_judged: bool  # whether any label was

    def table(self) -> str:
        """``audit.tsv``."""
        rows = (
            tuple("" if (value := getattr(one, name)) is None else value for name in HEADING) for one in self.doubts
        )
        return table(HEADING, rows)

    def message(self, label: str) -> str | None:
        """The first doubts, for a person; None: there are none."""
        if not self.doubts:
            return None
        more = len(self.doubts) - SAID
        lines = [f"  {doubt.line()}" for doubt in self.doubts[:SAID]] + ([f"  ... and {more} more"] if more > 0 else [])
        return "\n".join([f"{counted(len(self.doubts), 'label')} of {label!r} may be wrong:", *lines])


def audit_labels(job: Job, features: Features, ubm: DiagGMM | None = None) -> LabelAudit:
    """Compare sessions (``corpus.session``) or recordings of every label with each other and with those of others.

    Args:
        job: The job.
        features: Of the corpus, all splits; recordings without a label, or without a voiced frame, are left out.
        ubm: The background model; None: one is trained on the recordings.
    """
    label, session = features.corpus.label, job.experiment.config.corpus.session
    of_voiced = feature_kind(features.audio.features).keeps is not None
    known = [
        (utterance, piece)
        for utterance, piece in zip(features.corpus, features.pieces, strict=True)
        if (utterance.labels or {}).get(label) and not (of_voiced and piece.count() == 0)
    ]
    copies = list(_copies(known, label))
    parts: dict[tuple[str, str], list[tuple[Utterance, Piece]]] = defaultdict(list)
    for utterance, piece in known:
        name = utterance.label(label)
        parts[name, utterance.id if session is None else utterance.label(session)].append((utterance, piece))
    kept = _drawn(list(parts), job.experiment.config.seed)
    notes = [] if len(kept) == len(parts) else [f"{len(kept)} of {len(parts)} parts were compared"]
    rows, is_judged = list[DoubtfulLabel](), False
    if len({name for name, _ in kept}) < len(kept):
        pieces = [piece for key in kept for _, piece in parts[key]]
        background = ubm or _background(pieces, job.experiment.config.seed)
        parcels = in_parcels(pieces, AT_ONCE)
        done = job.console.track(job.map(partial(_statistics, background), parcels), len(parcels), "auditing labels")
        stats = iter([one for part in done for one in part])
        each = [[next(stats) for _ in parts[key]] for key in kept]
        sums = [reduce(add, ones) for ones in each]
        seconds = _seconds(features, sums)
        points = points_of(background, sums)
        try:
            found, is_judged = doubtful_labels(points, [name for name, _ in kept], seconds), True
            utterances = [[utterance for utterance, _ in parts[key]] for key in kept]
            for doubt in found:
                listen = _to_listen_to(doubt, points, lambda part: points_of(background, each[part]))
                rows.append(_row(doubt, kept, [utterances[part][place].id for part, place in listen]))
        except DataError as error:
            notes.append(f"no {label} was judged: {error}")
        if seconds is not None and (n_short := int((seconds < LEAST).sum())):
            notes.append(f"{n_short} of {len(kept)} parts have less than {LEAST:g} s of speech, and were not judged")
    else:
        notes.append(f"no {label} was judged: none has two parts to compare")
    return LabelAudit((*copies, *rows), tuple(notes), is_judged)


def points_of(background: DiagGMM, stats: Sequence[GMMStats]) -> NDArray[np.float64]:
    """Supervectors over the weights, (N, K D); a component that EM left without weight says nothing."""
    points = supervectors(background, stats)
    weights = np.repeat(background.weights, background.n_features)
    return np.divide(points, weights, out=np.zeros_like(points), where=weights > 0)


def _drawn(keys: Sequence[tuple[str, str]], seed: int) -> list[tuple[str, str]]:
    """At most `MOST_PARTS` parts: some of each name, drawn; where there are too many names, names are drawn."""
    if len(keys) <= MOST_PARTS:
        return list(keys)
    rng = np.random.default_rng(seed)
    by_name: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for key in keys:
        by_name[key[0]].append(key)
    each = max(2, MOST_PARTS // len(by_name))
    names = list(by_name)
    if each * len(names) > MOST_PARTS:
        names = [names[n] for n in np.sort(rng.choice(len(names), MOST_PARTS // each, replace=False)).tolist()]
    chosen = []
    for name in names:
        own = by_name[name]
        picked = np.sort(rng.choice(len(own), min(each, len(own)), replace=False))
        chosen += [own[n] for n in picked.tolist()]
    return chosen


def _background(pieces: Sequence[Piece], seed: int) -> DiagGMM:
    """A background model of recordings that are drawn until there are frames enough."""
    order, chosen, n_frames = np.random.default_rng(seed).permutation(len(pieces)), [], 0
    for number in order.tolist():
        chosen.append(pieces[number].load())
        n_frames += len(chosen[-1])
        if n_frames >= MOST_FRAMES:
            break
    return own_background(chosen, "sounds", seed=seed)


def _statistics(ubm: DiagGMM, pieces: Sequence[Piece]) -> list[GMMStats]:
    return piece_statistics(ubm, [piece.load() for piece in pieces])


def _seconds(features: Features, sums: Sequence[GMMStats]) -> np.ndarray | None:
    """Seconds of speech of each part; None: most recordings are vectors, which are long enough."""
    audio = features.audio
    if np.median([piece.n_rows for piece in features.pieces]) == 1:
        return None
    shift = front_end(audio.features, audio.sample_rate).frame_shift / audio.sample_rate
    return np.array([one.counts.sum() for one in sums]) * shift


def _copies(known: Sequence[tuple[Utterance, Piece]], label: str) -> Iterator[DoubtfulLabel]:
    """Recordings whose bytes stand under several labels."""
    same: dict[tuple[object, ...], dict[str, Utterance]] = defaultdict(dict)
    for utterance, piece in known:
        same[piece.key, utterance.start, utterance.end].setdefault(utterance.label(label), utterance)
    for found in same.values():
        if len(found) > 1:
            names, places = list(found), [one.id for one in found.values()]
            yield DoubtfulLabel(COPIES, " | ".join(names), " | ".join(places), None, None, "", " | ".join(places))


def _to_listen_to(
    doubt: Doubt, points: NDArray[np.float64], of_recordings: Callable[[int], NDArray[np.float64]]
) -> list[tuple[int, int]]:
    """Part, and place in it, of a recording of each group; of a doubtful label it is the least like the first group.

    ``points`` (N, M) are of the parts, ``of_recordings`` gives those (R, M) of the recordings of a part.
    """
    chosen = [(group[0], 0) for group in doubt.groups]
    if len(doubt.names) > 1:
        return chosen
    middle = points.mean(axis=0)
    first = unit_length(points[list(doubt.groups[0])] - middle).sum(axis=0)
    for number, group in enumerate(doubt.groups[1:], start=1):
        likeness = [
            (float(like), part, place)
            for part in group
            for place, like in enumerate(unit_length(of_recordings(part) - middle) @ first)
        ]
        chosen[number] = min(likeness)[1:]
    return chosen


def _row(doubt: Doubt, kept: Sequence[tuple[str, str]], listen: Sequence[str]) -> DoubtfulLabel:
    groups = [[kept[number] for number in group] for group in doubt.groups]
    said = " | ".join(" ".join(part for _, part in group) for group in groups)
    nearest = " | ".join(f"{name} ({z:.1f})" for name, z in doubt.neighbours)
    kind = DIFFERENT if len(doubt.names) == 1 else ONE_VOICE
    names = " | ".join(doubt.names)
    return DoubtfulLabel(
        *(kind, names, said, round(doubt.closeness, 3), round(doubt.expected, 3), nearest, " | ".join(listen))
    )
