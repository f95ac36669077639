"""Timing side by side: contestants take turns in one process, so that a machine that slows down slows all of them."""

import os
import platform
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median

import numpy as np


def interleaved(contestants: Mapping[str, Callable[[], object]], repeats: int = 7) -> dict[str, list[float]]:
    """Seconds of every repeat of every contestant, after one turn each that does not count."""
    for run in contestants.values():
        run()
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(repeats):
        for name, run in contestants.items():
            begun = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - begun)
    return seconds


def show(title: str, seconds: Mapping[str, list[float]]) -> None:
    """A table: minimum, median, and how many times the first contestant's."""
    first = next(iter(seconds.values()))
    print(f"\n{title}\n  {'':<34}{'min ms':>10}{'median ms':>11}{'ratio min':>11}{'ratio median':>14}")
    for name, values in seconds.items():
        ratios = (min(values) / min(first), median(values) / median(first))
        print(
            f"  {name:<34}{1e3 * min(values):>10.1f}{1e3 * median(values):>11.1f}{ratios[0]:>11.2f}{ratios[1]:>14.2f}"
        )


def sgemm_rate() -> float:
    """GFLOP/s of a float32 product of 1024 x 1024 matrices, as BLAS stands now."""
    a = np.random.default_rng(0).normal(size=(1024, 1024)).astype(np.float32)
    best = min(interleaved({"": lambda: a @ a}, repeats=9)[""])
    return 2 * 1024**3 / best / 1e9


def about_machine() -> str:
    """CPU, cores, BLAS mode and its rate: without them a figure means nothing."""
    models = [
        line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line
    ]
    mode = os.environ.get("OPENBLAS_CORETYPE", "unset")
    return (
        f"{models[0] if models else platform.processor()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"numpy {np.__version__}, OPENBLAS_CORETYPE {mode}, sgemm {sgemm_rate():.0f} GFLOP/s on one thread"
    )
