"""What the benchmarks should show: a floor that must be reached and an aim, with what was measured beside them.

A benchmark calls ``judge`` with the name of a goal; ``run.py`` collects these lines into one table. Shares of the limit
are those that the first prototype of the E-step reached.
"""

from dataclasses import dataclass

MARK = "  goal: "
"""What a line of a goal begins with."""


@dataclass(frozen=True)
class Goal:
    """A measured value with its floor and, where there is one, its aim. An aim below the floor: less is better."""

    text: str
    unit: str
    floor: float
    aim: float | None = None
    less: bool = False  # is better

    def verdict(self, value: float) -> str:
        """Aim met, floor met, or missed.

        >>> Goal("", "", 1.3, 1.5).verdict(1.4), Goal("", "", 0.9, 0.6, less=True).verdict(1.0)
        ('floor met', 'missed')
        """

        def met(bound: float) -> bool:
            return value <= bound if self.less else value >= bound

        if self.aim is not None and met(self.aim):
            return "aim met"
        return "floor met" if met(self.floor) else "missed"

    def line(self, value: float) -> str:
        """The value beside its goal."""
        bounds = f"{'at most' if self.less else 'at least'} {self.floor:g}"
        bounds += f", aim {self.aim:g}" if self.aim is not None else ""
        return f"{self.text:<68}{value:>9.3g} {self.unit:<14}{bounds:<22}{self.verdict(value)}"


GOALS = {
    "e_step_512": Goal("E-step, K 512: share of what the processor allows", "%", 74, 80),
    "e_step_64": Goal("E-step, K 64: share of what the processor allows", "%", 57, 80),
    "e_step_2048": Goal("E-step, K 2048: share of what the processor allows", "%", 78, 80),
    "many_classes": Goal("an iteration of 100 classes of K 16: share of what the processor allows", "%", 31),
    "threads_64": Goal("two threads against one, K 64", "times as fast", 1.6, 1.8),
    "threads_16": Goal("two threads against one, classes of K 16", "times as fast", 1.3, 1.5),
    "likelihood": Goal("time to scikit-learn's held-out likelihood, median of seeds", "times sooner", 10, 25),
    "sklearn_face": Goal(
        "an estimator of speechgmm.sklearn against fit_gmm, worst case", "of its time", 1.1, less=True
    ),
    "scoring": Goal("300 frames x 100 models of K 64: share of what the products allow", "%", 65, 75),
    "folder": Goal("a folder of 1,000 recordings of 0.4 s, 10 classes, each", "ms", 0.9, 0.6, less=True),
    "verification": Goal("a million trials with cohort norm and metrics", "s", 120, less=True),
    "search": Goal("decoding of a phone loop: share of the search", "%", 25, 15, less=True),
    "search_real_time": Goal("decoding of a phone loop: thousandths of real time", "", 0.8, 0.6, less=True),
    "mfcc": Goal("MFCC of files of 3 s against librosa", "times as fast", 4.5, 6.5),
    "mfcc_hour": Goal("MFCC of a file of an hour against librosa", "times as fast", 3.5, 4),
    "processes": Goal("extraction by two processes against one", "times as fast", 1.9),
    "cold_score": Goal(
        "cold score of one file against imports of numpy, scipy.fft, soundfile", "of their time", 1.2, 1.0, less=True
    ),
    "repeated_run": Goal("a repeated run of fsdd-speakers, nothing changed", "s of CPU", 2.5, 1.5, less=True),
}


def judge(name: str, value: float) -> None:
    """Print a measured value beside its goal."""
    print(f"{MARK}{GOALS[name].line(value)}", flush=True)
