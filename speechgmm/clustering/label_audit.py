"""Labels that the sound contradicts: parts of one name that are of different speakers, and names that are one voice.

A part is a session of a name, or a recording. How close two parts are is the cosine of their supervectors, normalised
on either side by what the part scores with all parts of other names (S-norm: Shum et al. 2010; here by medians), so
that it is in standard deviations of the scores between different speakers: about 0 between these, 4 to 10 between
parts of one speaker.
Owns the thresholds. Refuses to know files.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.clustering.agglomerative import link
from speechgmm.errors import DataError, counted
from speechgmm.vectors.within_class import unit_length

Floats = NDArray[np.float64]
Numbers = NDArray[np.intp]

# Chosen on VoxForge's Russian readers (sessions, and recordings of 5 s) and LibriSpeech's halves of recordings.
DIFFERENT: Final = 2.0
"""Parts whose mean closeness is below this are of different speakers."""
SHORT_DIFFERENT: Final = 1.0
"""The same of parts shorter than `LONG`, which are less close to their own name."""
LONG: Final = 20.0
"""Seconds of speech of a part, at the median of its name."""
LEAST: Final = 3.0
"""Seconds of speech below which a part is not judged."""
AS_ONE: Final = 0.85
"""Two names are one voice from this share of the closeness of their own parts on."""
LEAST_AS_ONE: Final = 3.5
"""Closeness below which two names are never one voice."""
LEAST_OWN: Final = 2.5
"""Closeness of the parts of a name, at the median of names, below which nothing can be said of any."""
_OF_NORMAL: Final = 1.4826
"""Standard deviation of a normal distribution over the median of its absolute deviations."""
FEWEST_NAMES: Final = 5
"""Names by which closeness can be normalised, and whose own parts say how close parts of a name are."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A name whose parts are of different speakers, or two names that are one voice."""

    names: tuple[str, ...]  # one, or two
    groups: tuple[tuple[int, ...], ...]  # numbers of parts: of each group of the name, the largest first; of each name
    closeness: float  # of the two nearest groups, or of the two names: z
    expected: float  # how close they would be otherwise: the threshold, or the closeness of the names' own parts
    neighbours: tuple[tuple[str, float], ...]  # of each group but the first: the nearest other name, and how close


def closeness(points: ArrayLike, names: Sequence[str]) -> Floats:
    """How close any two of N parts are: z (N, N), from supervectors (N, M) and the name of each.

    >>> rng = np.random.default_rng(0)
    >>> speakers = np.repeat(np.arange(20), 2)
    >>> points = rng.normal(size=(20, 40))[speakers] + 0.3 * rng.normal(size=(40, 40))
    >>> z = closeness(points, [str(n) for n in speakers])
    >>> bool(z[0, 1] > 4), bool(abs(z[0, 2]) < 3)
    (True, True)
    """
    values = np.asarray(points, np.float64)
    directions = unit_length(values - values.mean(axis=0))
    scores = directions @ directions.T
    numbers = np.unique(np.array(names, dtype=object).astype(str), return_inverse=True)[1]
    of_others = np.where(numbers[:, None] != numbers, scores, np.nan)
    # Median and its deviation: the same voice under another name stands among the others.
    middle = np.nanmedian(of_others, axis=1)
    deviation = _OF_NORMAL * np.nanmedian(np.abs(of_others - middle[:, None]), axis=1)
    deviation = np.where(deviation > 1e-12, deviation, np.inf)  # parts of others that are all alike say nothing
    standard = (scores - middle[:, None]) / deviation[:, None]
    found: Floats = (standard + standard.T) / 2
    return found


def doubtful_labels(points: ArrayLike, names: Sequence[str], seconds: ArrayLike | None = None) -> list[Doubt]:
    """Names whose parts are of different speakers, and pairs that are one voice, the clearest of each first.

    ``points`` (N, M) are supervectors of parts, ``seconds`` (N,) of speech in each; None: all are long enough.

    Raises:
        DataError: No name can be judged: fewer than five names, none with two parts that are long enough, or parts of
            most names no closer than those of different speakers may be (sessions differ more than speakers).

    >>> rng = np.random.default_rng(0)
    >>> speakers = np.repeat(np.arange(20), 2)
    >>> points = rng.normal(size=(20, 40))[speakers] + 0.3 * rng.normal(size=(40, 40))
    >>> labels = [f"s{n}" for n in speakers]
    >>> doubtful_labels(points, labels)
    []
    >>> labels[3], labels[5] = labels[5], labels[3]  # two recordings under each other's name
    >>> sorted(doubt.names for doubt in doubtful_labels(points, labels))
    [('s1',), ('s2',)]
    """
    n_names = len(set(names))
    if n_names < FEWEST_NAMES:
        raise DataError(
            f"{counted(n_names, 'name')}; parts are compared with those of other speakers, and that needs "
            f"{FEWEST_NAMES} names or more"
        )
    z = closeness(points, names)
    lengths = np.full(len(z), np.inf) if seconds is None else np.asarray(seconds, np.float64)
    members: dict[str, list[int]] = {}
    for number, name in enumerate(names):
        if lengths[number] >= LEAST:
            members.setdefault(name, []).append(number)
    judged = {name: np.array(numbers, np.intp) for name, numbers in members.items()}
    own = {name: float(_between(z, numbers).mean()) for name, numbers in judged.items() if len(numbers) > 1}
    if not own:
        raise DataError(f"no name has two parts of {LEAST:g} s of speech or more to compare")
    if (typical := float(np.median(list(own.values())))) < LEAST_OWN:
        raise DataError(
            f"parts of one name are about as close as those of different speakers (z {typical:.1f} at the median, and "
            f"{LEAST_OWN:g} is needed to tell them apart): sessions differ more than speakers, or parts are too short"
        )
    divided = [
        doubt
        for name in own
        if (
            doubt := _divided(
                z, name, judged, SHORT_DIFFERENT if np.median(lengths[judged[name]]) < LONG else DIFFERENT
            )
        )
    ]
    doubted = {doubt.names[0] for doubt in divided}
    voices = _one_voice(z, {name: numbers for name, numbers in judged.items() if name not in doubted}, own)
    return sorted(divided, key=lambda doubt: doubt.closeness) + sorted(voices, key=lambda doubt: -doubt.closeness)


def _between(z: Floats, numbers: Numbers) -> Floats:
    """Closeness of all pairs of some parts."""
    found: Floats = z[np.ix_(numbers, numbers)][np.triu_indices(len(numbers), 1)]
    return found


def _divided(z: Floats, name: str, judged: dict[str, Numbers], threshold: float) -> Doubt | None:
    """The groups that a name falls into; None: it is one."""
    numbers = judged[name]
    own = z[np.ix_(numbers, numbers)]
    apart = np.maximum(own.max() - own, 0.0)
    np.fill_diagonal(apart, 0.0)
    labels = link(apart, threshold=max(own.max() - threshold, 0.0)).labels
    if not labels.any():
        return None
    groups = sorted((numbers[labels == n] for n in range(labels.max() + 1)), key=lambda group: (-len(group), group[0]))
    nearest = max(float(z[np.ix_(a, b)].mean()) for a, b in combinations(groups, 2))
    others = {other: own for other, own in judged.items() if other != name}
    neighbours = []
    for group in groups[1:]:
        means = {other: float(z[np.ix_(group, own)].mean()) for other, own in others.items()}
        neighbours.append(max(means.items(), key=lambda item: item[1]))
    return Doubt((name,), tuple(tuple(g.tolist()) for g in groups), nearest, threshold, tuple(neighbours))


def _one_voice(z: Floats, judged: dict[str, Numbers], own: dict[str, float]) -> list[Doubt]:
    """Pairs of names whose parts are about as close as the parts of each; those of a single part as of most names."""
    known = [own[name] for name in judged if name in own]
    if len(known) < FEWEST_NAMES:
        return []
    typical = float(np.percentile(known, 25))
    order = list(judged)
    first = np.concatenate([np.full(len(judged[name]), n) for n, name in enumerate(order)])
    parts = np.concatenate([judged[name] for name in order])
    shares = np.eye(len(order))[first] / np.bincount(first)[first][:, None]  # (parts, names): a mean for each name
    means = shares.T @ z[np.ix_(parts, parts)] @ shares
    found = []
    for a, b in np.argwhere(np.triu(means >= LEAST_AS_ONE, 1)).tolist():
        pair = (order[a], order[b])
        expected = float(np.mean([own.get(name, typical) for name in pair]))
        if means[a, b] >= AS_ONE * expected:
            groups = tuple(tuple(judged[name].tolist()) for name in pair)
            found.append(Doubt(pair, groups, float(means[a, b]), expected, ()))
    return found
