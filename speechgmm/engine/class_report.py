"""How one mixture was trained, and the table of all of them.

Owns what a run says of its mixtures. Refuses to train.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from speechgmm.gmm import BayesianGMM, Candidate
from speechgmm.io.tables import table


@dataclass(frozen=True, slots=True)
class ClassReport:
    """How one mixture was trained."""

    label: str
    n_frames: int
    n_components: int
    iterations: int
    objective: float  # nats per frame, of the model returned
    converged: bool
    precision: str
    dead: tuple[int, ...]  # components without frames
    trace: tuple[float, ...]  # nats per frame, before each iteration and at the end
    counts: tuple[float, ...]  # frames that each component was estimated from
    why: str = ""  # the number of components was chosen, where it was
    candidates: tuple[Candidate, ...] = ()  # what it was chosen among
    posterior: BayesianGMM | None = None  # variational: what is known of the mixture
    notes: tuple[str, ...] = ()  # what the user should know of the fit


def posteriors_of(reports: Sequence[ClassReport]) -> tuple[BayesianGMM, ...] | None:
    """The posteriors over the classes' mixtures; None where they were not estimated by variational Bayes."""
    found = tuple(report.posterior for report in reports if report.posterior is not None)
    return found if len(found) == len(reports) else None


def classes_table(reports: tuple[ClassReport, ...]) -> str:
    """``classes.tsv``: how each class was trained; where the number of components was chosen, also among which."""
    chosen = any(report.candidates for report in reports)
    bayesian = any(report.posterior is not None for report in reports)
    head = (
        "class",
        "n_frames",
        "n_components",
        *(["n_in_use"] if bayesian else []),
        "iterations",
        "objective",
        "converged",
        "precision",
        "dead",
        "trace",
        *(("why", "candidates") if chosen else ()),
    )
    rows = (
        (
            report.label,
            report.n_frames,
            report.n_components,
            *([report.posterior.n_in_use] if report.posterior is not None else []),
            report.iterations,
            f"{report.objective:.6f}",
            str(report.converged).lower(),
            report.precision,
            len(report.dead),
            json.dumps([round(value, 6) for value in report.trace]),
            *((report.why, json.dumps([asdict(one) for one in report.candidates])) if chosen else ()),
        )
        for report in reports
    )
    return table(head, rows)
