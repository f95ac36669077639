"""Timing side by side: contestants take turns in one process, so that a machine that slows down slows all of them.

Whoever imports it multiplies on one thread: the limit is measured as the contestants are.
"""

import os
import platform
import time
from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # of what is loaded later, and of other processes
threadpool_limits(1, user_api="blas")  # of what is loaded

PACKAGES = ("speechgmm", "numpy", "scipy", "numba", "scikit-learn", "librosa")


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


def times_faster(seconds: Mapping[str, list[float]], this: str, that: str) -> float:
    """How many times as fast the one contestant is as the other, by the least times of both."""
    return min(seconds[that]) / min(seconds[this])


def show(title: str, seconds: Mapping[str, list[float]], least: float | None = None) -> None:
    """A table: minimum, median, how many times the first contestant's, and the share of the limit (seconds)."""
    first = next(iter(seconds.values()))
    share = "" if least is None else f"{'of limit min':>14}{'median':>8}"
    print(f"\n{title}\n  {'':<40}{'min ms':>10}{'median ms':>11}{'ratio min':>11}{'median':>8}{share}")
    for name, values in seconds.items():
        low, middle = min(values), median(values)
        ratios = f"{low / min(first):>11.2f}{middle / median(first):>8.2f}"
        shares = "" if least is None else f"{100 * least / low:>12.0f} %{100 * least / middle:>6.0f} %"
        print(f"  {name:<40}{1e3 * low:>10.1f}{1e3 * middle:>11.1f}{ratios}{shares}", flush=True)


@cache
def rates() -> tuple[float, float]:
    """Operations per second of a float32 product of 1024 x 1024 matrices and of 2**x in the first cache, now."""
    import numba

    from speechgmm.gmm import compiled as kernels

    kernels.compiled_pass()  # makes _exp2 known to numba

    @numba.njit(fastmath={"nnan", "ninf", "nsz", "contract"})
    def powers(values: Any, out: Any) -> None:
        for _ in range(100):
            for i in range(len(values)):
                out[i] = kernels._exp2(values[i])

    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(1024, 1024)).astype(np.float32)
    product = np.empty_like(matrix)
    values = -20 * rng.random(4096).astype(np.float32)
    out = np.empty_like(values)
    contestants = {"": lambda: np.dot(matrix, matrix, out=product), "exp2": lambda: powers(values, out)}
    seconds = interleaved(contestants, repeats=15)
    return 2 * 1024**3 / min(seconds[""]), 100 * len(values) / min(seconds["exp2"])


def limit(n_frames: int, n_components: int, n_features: int) -> float:
    """Seconds that a dense pass of EM takes on one core at least: two products, and a power of two per posterior."""
    flops, powers = rates()
    return 8 * n_frames * n_components * n_features / flops + n_frames * n_components / powers


def about_machine() -> str:
    """CPU, cores, packages, BLAS mode, load and rates, without which no time means anything."""
    models = [
        line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line
    ]
    mode = os.environ.get("OPENBLAS_CORETYPE", "unset")
    return (
        f"{models[0] if models else platform.processor()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"{', '.join(f'{name} {version(name)}' for name in PACKAGES)}, OPENBLAS_CORETYPE {mode}; load average "
        f"{os.getloadavg()[0]:.1f}; on one thread sgemm {rates()[0] / 1e9:.0f} GFLOP/s, "
        f"exp2 {rates()[1] / 1e9:.1f} G/s"
    )
