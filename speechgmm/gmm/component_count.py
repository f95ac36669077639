"""The default number of components of a mixture: as many as its frames can estimate.

Owns the rule, its number, and the warning about few frames. ``selection`` chooses the number by a criterion instead.
"""

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Final

from speechgmm.errors import ShapeError
from speechgmm.gmm.families import FAMILIES, Covariance

DEFAULT_COMPONENTS: Final = 32
"""Components of a class that has frames enough for them."""

DEFAULT_UBM_COMPONENTS: Final = 128
"""Components of a background model that has frames enough for them."""

FRAMES_PER_COMPONENT: Final = 25
"""Frames that a component needs to be estimated from, on average.

Of 5, 10, 20, 25, 40 and 80, one from 20 to 40 recognises most in 13 of 17 experiments on speakers, digits, words and
phones of five corpora (39 MFCCs; ``benchmarks/frames_per_component.py``, table in
``docs/explanation/choosing-components.md``). 25 is nowhere more than 3.5 points below the best, up to 18 points above
10 and up to 14 above 80."""

NAMED: Final = 5
"""Classes that a warning names, the smallest first."""


def frames_each(covariance: Covariance, n_features: int) -> int:
    """Frames that a component needs on average: ``FRAMES_PER_COMPONENT``, and with full covariances as many times more
    as a component has parameters more than with diagonal ones.

    >>> frames_each("diag", 39), frames_each("full", 39), frames_each("tied", 39)
    (25, 263, 25)
    """
    per_component = FAMILIES[covariance].per_component
    share = per_component(n_features) / FAMILIES["diag"].per_component(n_features)
    return ceil(FRAMES_PER_COMPONENT * max(1.0, share))


def components_for(n_frames: int, most: int = DEFAULT_COMPONENTS, each: int = FRAMES_PER_COMPONENT) -> int:
    """Components that so many frames can estimate: one for each ``each`` frames, at least 1 and at most ``most``.

    Raises:
        ShapeError: No frames.

    >>> components_for(205), components_for(31), components_for(60_000), components_for(60_000, 128)
    (8, 1, 32, 128)
    """
    if n_frames < 1:
        raise ShapeError(f"{n_frames} frames; expected at least one")
    return min(most, max(1, n_frames // each))


def is_too_few(n_frames: float, n_components: int, each: int = FRAMES_PER_COMPONENT) -> bool:
    """Whether several components have fewer frames than they need: fewer than ``each`` of them.

    >>> is_too_few(205, 32), is_too_few(205, 8), is_too_few(3, 1)
    (True, False, False)
    """
    return n_components > 1 and n_frames < each * n_components


def few_frames(
    counts: Mapping[str, int],
    n_components: int | None = None,
    *,
    key: str = "n_components",
    adapt: str | None = "adapt_classes",
    each: int = FRAMES_PER_COMPONENT,
) -> str | None:
    """The warning about classes with few frames for ``n_components``; None if all classes have enough.

    ``counts`` are the frames of each class. ``n_components`` None is ``components_for`` each class. ``key`` is the
    setting for the number of components. ``adapt`` is the way to adapt classes instead; None: there is none. ``each``
    component needs so many frames.

    >>> few_frames({"ann": 205, "bob": 3000})[:70]
    '1 of 2 classes have too few frames for 32 components, and get one for '
    >>> few_frames({"ann": 205, "bob": 3000}, 8) is None
    True
    """
    needed = each * (DEFAULT_COMPONENTS if n_components is None else n_components)
    few = {label: count for label, count in counts.items() if count < needed and n_components != 1}
    if not few:
        return None
    least, most = (components_for(max(1, count), each=each) for count in (min(few.values()), max(few.values())))
    ways = ["give these classes more audio"]
    ways += [f"adapt them from a background model ({adapt})"] if adapt else []
    if n_components is None:
        spread = f"{least} to {most}" if least < most else str(least)
        return (
            f"{len(few)} of {len(counts)} classes have too few frames for {DEFAULT_COMPONENTS} components, and get one "
            f"for each {each} frames, {spread}: {smallest(few)}. They are told from others less "
            f"surely: {_any_of(ways)}; {key} sets another number"
        )
    ways.append(f"leave {key} out, so that each class gets what its frames bear")
    ways.append(f"set it to at most {least}")
    return (
        f"{key} is {n_components}, and {len(few)} of {len(counts)} classes have fewer than {each} "
        f"frames for each component: {smallest(few)}. Components of so few frames fit these and not new ones, and "
        f"such classes are recognised less often: {_any_of(ways)}"
    )


def smallest(counts: Mapping[str, int]) -> str:
    """The smallest classes (class -> frames) in words.

    >>> smallest({"ann": 205, "bob": 31})
    "'bob' has 31 frames, 'ann' 205"
    """
    labels = sorted(counts, key=lambda label: counts[label])
    first, *others = (
        f"{label!r} {'' if n else 'has '}{counts[label]}{'' if n else ' frames'}"
        for n, label in enumerate(labels[:NAMED])
    )
    return ", ".join([first, *others, *(["..."] if len(labels) > NAMED else [])])


def _any_of(ways: Sequence[str]) -> str:
    return ", ".join(ways[:-1]) + (", or " if len(ways) > 1 else "") + ways[-1]
