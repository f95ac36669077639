"""What a user may choose about hidden Markov models: the ``hmm`` section of a configuration."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final, Literal

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import ConfigError
from speechgmm.hmm.hmm import left_to_right
from speechgmm.setting import FORBID_UNKNOWN, setting

Floats = NDArray[np.float64]
Training = Literal["baum-welch", "viterbi"]

FIRST_PASSES: Final = 12
"""Of annealing: passes with the first scale of log-likelihoods, until the units have found their places roughly."""

PASSES: Final = 4
"""Passes with each of the scales that follow."""

COOLING: Final = 2.5
"""Each scale as a multiple of the one before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HMMSpec:
    """Settings of the HMMs: topology, training and priors. Raises `ConfigError` for a value out of range.

    >>> HMMSpec(n_components=6).levels
    (1, 2, 4, 6)
    """

    __pydantic_config__: ClassVar[Any] = FORBID_UNKNOWN

    n_states: int = setting(3, "states of a unit, from left to right (about 10 for a word)", ge=1, le=1000)
    silence_states: int = setting(3, "states of the unit for silence", ge=1, le=1000)
    skips: int = setting(0, "states that may be left out on the way from one to the next", ge=0, le=100)
    n_components: int = setting(8, "Gaussians per state at most; reached by doubling", ge=1, le=65536)
    total_components: int | None = setting(
        None,
        "Gaussians of all states together, shared by the states' frames to the power 0.4, in place of n_components "
        "each; with context: triphone, or a features.transform; default: n_components for each state",
        ge=1,
        le=10_000_000,
    )
    frames_per_component: float = setting(
        20, "a state has as many Gaussians as its frames divided by this at most", unit="frames", ge=1, le=1e9
    )
    context: Literal["none", "triphone"] = setting(
        "none",
        "none: a phone has the same states wherever it stands; triphone: it has others by its neighbours in the word, "
        "which decision trees group; needs recognition.dictionary",
    )
    tied_states: int | None = setting(
        None,
        "triphone: states that share mixtures, all together, at most; more for more speech; default: one for each 6 s "
        "of training",
        ge=1,
        le=1_000_000,
    )
    questions: str | None = setting(
        None,
        "triphone: a file of questions for the trees, the phones of one on each line, relative to the configuration "
        "file; default: they are made from the data",
        is_path=True,
    )
    training: Training = setting(
        "baum-welch", "frames belong to states by their probability, or to the state on the best path"
    )
    iterations: int = setting(8, "passes over the data after each doubling of the Gaussians", ge=1, le=100_000)
    tol: float = setting(1e-3, "a level ends early when a pass gains less", unit="nats per frame", ge=0, le=1e6)
    annealing: float | None = setting(
        None,
        "log-likelihoods are multiplied by this at the start of training, then by more and more up to 1: training "
        "depends less on its start, which few data need; such as 0.02; default: 1 from the beginning",
        gt=0,
        lt=1,
    )
    variance_floor: float = setting(
        0.2, "least variance, as a share of that of all frames (triphone: of those of its tied state)", gt=0, le=1e6
    )
    variance_prior: float = setting(
        30,
        "frames' worth of the variance of all frames that each Gaussian's variance is drawn to (triphone: of the "
        "frames of its tied state)",
        unit="frames",
        ge=0,
        le=1e12,
    )
    transition_prior: float = setting(
        1, "how much transitions are drawn to those of the start", unit="visits", ge=0, le=1e12
    )
    self_loop: float = setting(0.6, "probability of staying in a state, at the start", ge=0, lt=1)
    adapt: Literal["none", "fmllr", "sat"] = setting(
        "none",
        "none; fmllr: frames of a speaker (corpus.group; without it, of a recording) are transformed to fit the model: "
        "what is recognised first says how, and is recognised again; sat: training transforms its speakers as well, "
        "and the model file holds a second model, of transformed frames",
    )
    adapt_prior: float = setting(
        500,
        "fmllr, sat: how much a speaker's transform is drawn to the identity: worth so many frames",
        unit="frames",
        gt=0,
        le=1e12,
    )
    adapt_rounds: int = setting(
        2, "fmllr, sat: how often a transform is estimated, each time by a recognition", ge=1, le=20
    )
    beam: float = setting(
        1000, "in training, partial paths so far below the best are left out", unit="nats", gt=0, le=1e9
    )

    def __post_init__(self) -> None:
        if self.training not in ("baum-welch", "viterbi"):
            raise ConfigError(f"hmm.training {self.training!r}; expected baum-welch or viterbi")
        if self.context == "none" and not (self.tied_states is None and self.questions is None):
            raise ConfigError(
                "hmm.tied_states and hmm.questions are of hmm.context: triphone, and hmm.context is none; set it, or "
                "leave them out"
            )
        if min(self.n_states, self.silence_states, self.n_components, self.iterations) < 1 or self.skips < 0:
            raise ConfigError(
                f"hmm.n_states {self.n_states}, silence_states {self.silence_states}, n_components "
                f"{self.n_components}, iterations {self.iterations} and skips {self.skips}; expected skips of 0 or "
                "more, and 1 or more of the others"
            )
        if self.adapt not in ("none", "fmllr", "sat"):
            raise ConfigError(f"hmm.adapt {self.adapt!r}; expected none, fmllr or sat")
        if not (self.adapt_prior > 0 and self.adapt_rounds >= 1):
            raise ConfigError(
                f"hmm.adapt_prior {self.adapt_prior:g} and adapt_rounds {self.adapt_rounds}; expected frames above 0 "
                "and 1 round or more"
            )
        if self.adapt == "none" and (self.adapt_prior, self.adapt_rounds) != (500, 2):
            raise ConfigError(
                "hmm: adapt_prior and adapt_rounds have no effect without adapt: fmllr or sat; set that as well"
            )
        if not (self.variance_floor > 0 and self.variance_prior >= 0 and self.transition_prior >= 0 and self.beam > 0):
            raise ConfigError(
                f"hmm.variance_floor {self.variance_floor:g}, variance_prior {self.variance_prior:g}, transition_prior "
                f"{self.transition_prior:g} and beam {self.beam:g}; expected variance_floor and beam above 0, and "
                "priors of 0 or more"
            )

    @property
    def annealing_scales(self) -> tuple[float, ...]:
        """The factor of log-likelihoods in each annealing pass; these passes come before the first level.

        >>> HMMSpec(annealing=0.3).annealing_scales
        (0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.75, 0.75, 0.75, 0.75)
        """
        found: list[float] = []
        scale = 1.0 if self.annealing is None else self.annealing
        while scale < 1:
            found += [scale] * (PASSES if found else FIRST_PASSES)
            scale *= COOLING
        return tuple(found)

    def topology(self, labels: Collection[str], silence: str | None = None) -> dict[str, Floats]:
        """The initial transitions of every unit; the unit ``silence``, one of the labels, has ``silence_states``.

        >>> {label: rows.shape for label, rows in HMMSpec(silence_states=1).topology(["a", "sil"], "sil").items()}
        {'a': (3, 4), 'sil': (1, 2)}
        """
        sizes = {label: self.silence_states if label == silence else self.n_states for label in labels}
        return {label: left_to_right(n, self_loop=self.self_loop, skips=self.skips) for label, n in sizes.items()}

    def without_contexts(self) -> "HMMSpec":
        """The same settings for units without contexts, with ``n_components`` Gaussians per state."""
        return replace(self, context="none", tied_states=None, questions=None, total_components=None)

    @property
    def levels(self) -> tuple[int, ...]:
        """Gaussians per state, from 1 by doubling to ``n_components``."""
        found = [1]
        while found[-1] < self.n_components:
            found.append(min(2 * found[-1], self.n_components))
        return tuple(found)
