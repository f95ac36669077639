"""Laws of public parallelism: the number of workers changes no byte, and a fit in somebody's pool starts no threads."""

import multiprocessing
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from functools import partial
from typing import Any

import joblib
import numpy as np
import pytest

import speechgmm as sg
from speechgmm import parallel
from speechgmm.errors import ConfigError, FitError, SpeechGMMError
from speechgmm.gmm import DiagGMM, FrameSource, update
from speechgmm.gmm.adaptation import adapt_map
from speechgmm.gmm.concurrency import suited_backend
from speechgmm.parallel import PYTHON_TURN, free_workers, thread_pool
from speechgmm.tasks.classification.estimation import adapt_classes

JOBS = (1, 2, 3, -1)
FRAMES = 20_000  # three batches and a chunk boundary are what is spread
RNG = np.random.default_rng(5)
VALUES = RNG.normal(size=(FRAMES, 3)) + np.repeat(RNG.normal(size=(20, 3)) * 3, FRAMES // 20, axis=0)
WEIGHTS = RNG.integers(0, 3, FRAMES).astype(float)
UBM = DiagGMM([0.5, 0.3, 0.2], [[0.0, 0, 0], [3, 3, 3], [-3, 0, 3]], np.full((3, 3), 2.0))
CLASSES = {f"class {number}": VALUES[number::5][: 3900 - 100 * number] for number in range(5)}


class Part:
    """Frames by reference."""

    def __init__(self, start: int, stop: int) -> None:
        self.rows = slice(start, stop)

    def load(self) -> Any:
        return VALUES[self.rows].astype(np.float32)


SOURCE = FrameSource.of([Part(0, 9000), Part(9000, FRAMES)], [9000, FRAMES - 9000], 3)

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "ml": partial(sg.fit_gmm, VALUES, 4, max_iter=6),
    "ml of frames by themselves": partial(sg.fit_gmm, VALUES.astype(np.float32), max_iter=2),
    "ml from several starts": partial(sg.fit_gmm, VALUES, 4, n_init=3, max_iter=4),
    "ml from a start by splitting": partial(sg.fit_gmm, VALUES, 4, init="split", max_iter=4),
    "sparse ml": partial(sg.fit_gmm, VALUES, 8, e_step="sparse", max_iter=6),
    "weighted ml": partial(sg.fit_gmm, VALUES, 4, weights=WEIGHTS, max_iter=6),
    "ml that re-splits": partial(sg.fit_gmm, VALUES, 6, dead_components="resplit", max_iter=4),
    "ml by gradients": partial(sg.fit_gmm, VALUES, 3, estimator="gradient", gradient_after=2, max_iter=6),
    "ml of a source": partial(sg.fit_gmm, SOURCE, 4, max_iter=4),
    "ml of a source that is read anew": partial(sg.fit_gmm, SOURCE, 4, memory=0, max_iter=4),
    "ml of a source of which a part stays": partial(sg.fit_gmm, SOURCE, 4, memory=1_500_000, max_iter=4),
    "map": partial(adapt_map, UBM, VALUES, max_iter=3),
    "weighted map of a source": partial(adapt_map, UBM, SOURCE, weights=WEIGHTS, memory=0),
    "update": partial(update, UBM, VALUES, 500.0, ubm=UBM),
    "variational": partial(sg.fit_variational, VALUES, 5, max_iter=5),
    "variational with weights": partial(sg.fit_variational, SOURCE, 5, weights=WEIGHTS, memory=0, max_iter=3),
    "choice by bic": partial(sg.choose_n_components, VALUES, [1, 2, 4], n_starts=2, max_iter=4),
    "choice by held-out frames": partial(
        sg.choose_n_components, VALUES, [1, 3], criterion="held_out", n_starts=2, max_iter=3
    ),
    "choice by occupancy": partial(
        sg.choose_n_components, VALUES, [6], criterion="occupancy", n_starts=2, min_frames=3000, max_iter=3
    ),
    "classes": partial(sg.train_classes, CLASSES, 4, max_iter=6),
    "two large classes": partial(sg.train_classes, {"a": VALUES[:9000], "b": VALUES[9000:]}, 3, max_iter=4),
    "adapted classes": partial(adapt_classes, UBM, CLASSES, max_iter=2),
}


@contextmanager
def everything_worth(**others: Any) -> Iterator[None]:
    """Sizes from which on threads and processes pay, so low that small frames are spread."""
    with pytest.MonkeyPatch.context() as patch:
        for place in ("speechgmm.gmm.concurrency", "speechgmm.tasks.classification.estimation"):
            patch.setattr(f"{place}.WORTH_THREADS", others.get("threads", 1))
        patch.setattr("speechgmm.gmm.concurrency.WORTH_PROCESSES", others.get("processes", 1))
        yield


@contextmanager
def pools_seen() -> Iterator[list[int]]:
    """The sizes of the pools of threads that are started."""
    sizes: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        import concurrent.futures

        class Seen(concurrent.futures.ThreadPoolExecutor):
            def __init__(self, count: int, **options: Any) -> None:
                if str(options.get("thread_name_prefix", "")) == "speechgmm":
                    sizes.append(count)
                super().__init__(count, **options)

        patch.setattr(concurrent.futures, "ThreadPoolExecutor", Seen)
        yield sizes


def content(value: Any) -> Any:
    """All that a result holds, arrays as bytes."""
    if isinstance(value, np.ndarray):
        return (value.dtype.str, value.shape, value.tobytes())
    if is_dataclass(value):
        return tuple((field.name, content(getattr(value, field.name))) for field in fields(value))
    if isinstance(value, (tuple, list)):
        return tuple(content(one) for one in value)
    if isinstance(value, Mapping):
        return tuple((name, content(one)) for name, one in value.items())
    if isinstance(value, float):
        return value.hex()
    assert value is None or isinstance(value, (str, int, np.generic)), type(value)
    return value


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::speechgmm.errors.FitWarning")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_any_number_of_jobs_gives_the_same_bytes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("speechgmm.parallel.cpu_count", lambda: 4)  # what -1 stands for
    fit = FUNCTIONS[name]
    with ThreadPoolExecutor(2) as pool:
        plain, spread = content(fit(map=map)), content(fit(map=pool.map))
    assert plain == spread
    assert content(fit()) == plain  # as it is called by default
    with everything_worth(), pools_seen() as pools:
        for n_jobs in JOBS:
            pools.clear()
            assert content(fit(n_jobs=n_jobs)) == plain, n_jobs
            assert bool(pools) == (n_jobs != 1)  # it did run side by side
            assert all(size <= (n_jobs if n_jobs > 0 else 4) for size in pools)


def test_small_classes_trained_by_processes_have_the_same_bytes() -> None:
    plain = sg.train_classes(CLASSES, 4, max_iter=6, n_jobs=1)
    with everything_worth(threads=10**6, processes=1), pools_seen() as pools:
        found = sg.train_classes(CLASSES, 4, max_iter=6, n_jobs=2)
    assert not pools
    assert content(found) == content(plain)


def test_processes_are_for_several_small_mixtures_with_much_to_do() -> None:
    small, large = 80 * 10**6, 10**9
    assert suited_backend([small] * 6, 200, 2) == "processes"
    assert suited_backend([small] * 3, 200, 2) == "threads"  # few for each worker
    assert suited_backend([large] * 6, 200, 2) == "threads"  # long passes, and much to send
    assert suited_backend([small] * 6, 2, 2) == "threads"  # done before a process has started
    assert suited_backend([small] * 6, 200, 1) == "threads"


@pytest.mark.parametrize("count", ["4", 2.5, 0, [3]])
def test_what_is_no_number_of_components_is_refused_as_ever(count: Any) -> None:
    for fit in (partial(sg.fit_gmm, VALUES), partial(sg.train_classes, CLASSES)):
        with everything_worth(), pytest.raises(ConfigError, match="component"):
            fit(n_components=count)


@pytest.mark.parametrize("n_jobs", [0, 1.0, 2.5, True, None, "all"])
@pytest.mark.parametrize("name", ["ml", "map", "update", "variational", "choice by bic", "classes", "adapted classes"])
def test_what_is_no_number_of_workers_is_refused_in_words(name: str, n_jobs: Any) -> None:
    with pytest.raises(ConfigError, match=r"n_jobs .*; expected a whole number of workers, 1 or more, or -1 for one"):
        FUNCTIONS[name](n_jobs=n_jobs)


@pytest.mark.parametrize("name", ["ml", "map", "update", "variational", "choice by bic", "classes", "adapted classes"])
def test_a_map_and_a_number_of_jobs_exclude_each_other(name: str) -> None:
    with pytest.raises(ConfigError, match=r"n_jobs 2 beside map, which spreads the work itself; leave out one or the"):
        FUNCTIONS[name](n_jobs=2, map=map)


def test_a_fit_in_a_thread_of_somebodys_pool_starts_no_threads() -> None:
    plain = content(FUNCTIONS["ml"](n_jobs=1))
    with everything_worth(), pools_seen() as pools:
        with ThreadPoolExecutor(2) as pool:
            found = list(pool.map(lambda name: content(FUNCTIONS[name]()), ["ml", "classes", "ml"]))
        assert not pools
        with ThreadPoolExecutor(1) as pool:  # who asks for a number gets it
            pool.submit(FUNCTIONS["ml"], n_jobs=2).result()
        assert pools == [2]
    assert found[0] == found[2] == plain


def workers_here(_: Any) -> tuple[int, int]:
    return free_workers(-1, n_tasks=100), free_workers(3, n_tasks=100)


def test_a_fit_in_a_worker_process_of_somebodys_pool_has_one_core() -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(workers_here, [0]) == [(1, 3)]
    assert joblib.Parallel(n_jobs=2)(joblib.delayed(workers_here)(0) for _ in range(2)) == [(1, 3)] * 2


def test_classes_that_run_side_by_side_share_no_frames_among_threads() -> None:
    with everything_worth(), pools_seen() as pools:
        adapt_classes(UBM, CLASSES, max_iter=2, n_jobs=3)
        assert pools == [3]  # one pool, of classes
        pools.clear()
        adapt_classes(UBM, {"a": VALUES[:9000], "b": VALUES[9000:]}, n_jobs=3)
        assert pools == [2, 2]  # fewer classes than workers: over the two batches of each


def test_small_fits_start_nothing() -> None:
    before = threading.active_count()
    with pools_seen() as pools, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sg.fit_gmm(VALUES, 4, max_iter=2)
        sg.train_classes(CLASSES, 4, max_iter=2)
        sg.choose_n_components(VALUES[:500], [1, 2], max_iter=2)
    assert not pools
    assert threading.active_count() == before


def test_threads_end_with_the_fit_also_where_it_fails() -> None:
    broken = VALUES.copy()
    broken[15_000, 1] = np.nan
    before = threading.active_count()
    for name, fit in {"gmm": partial(sg.fit_gmm, broken, 4), "map": partial(adapt_map, UBM, broken)}.items():
        with everything_worth(), pytest.raises((FitError, SpeechGMMError), match=r"frame 15000|not finite"):
            fit(n_jobs=3)
        assert threading.active_count() == before, name


@pytest.mark.slow
def test_an_error_names_the_class_whatever_trains_it() -> None:
    classes = {**CLASSES, "few": np.zeros((40, 3)) + np.arange(3)}
    for n_jobs in (1, 2, 8):
        with everything_worth(processes=10**12), pytest.raises(FitError, match="class 'few': 1 distinct frames of 40"):
            sg.train_classes(classes, 4, n_jobs=n_jobs)


def test_a_pool_gives_results_in_order_and_begins_no_more_than_a_few_ahead() -> None:
    begun: list[int] = []

    def work(number: int) -> int:
        begun.append(number)
        return number * number

    with thread_pool(2) as spread:
        results = spread(work, range(100))
        assert [next(results) for _ in range(3)] == [0, 1, 4]
        assert len(begun) <= 3 + 2 * 2
        assert list(results) == [number * number for number in range(3, 100)]
    with pytest.raises(ZeroDivisionError), parallel.thread_pool(2) as spread:
        list(spread(lambda number: 1 // number, [1, 0, 1]))


@pytest.mark.slow
def test_a_blas_that_is_loaded_while_others_are_held_to_one_thread_is_held_and_let_go_with_them() -> None:
    program = (
        "import numpy, sys\n"
        "from threadpoolctl import threadpool_info\n"
        "from speechgmm.config import load_config\n"
        "from speechgmm.gmm.compiled import compiled_pass\n"
        "from speechgmm.parallel import one_blas_thread\n"
        "def threads(): return [one['num_threads'] for one in threadpool_info() if one['user_api'] == 'blas']\n"
        "assert 'scipy.linalg' not in sys.modules\n"
        "found = [threads()]\n"
        "with one_blas_thread():\n"
        "    with one_blas_thread():\n"
        "        compiled_pass()\n"
        "        found.append(threads())\n"
        "    found.append(threads())\n"
        "found.append(threads())\n"
        "print(found)\n"
    )
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "2"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "[[2], [1, 1], [1, 1], [2, 2]]"


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
def test_a_process_that_is_forked_while_a_thread_fits_can_fit() -> None:
    has_turn, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        with PYTHON_TURN:
            has_turn.set()
            go_on.wait(0.2)

    holder = threading.Thread(target=hold)
    holder.start()
    assert has_turn.wait(5)
    child = os.fork()
    if child == 0:
        os._exit(0 if PYTHON_TURN.acquire(timeout=5) else 1)
    assert os.waitpid(child, 0)[1] == 0
    go_on.set()
    holder.join()
    assert PYTHON_TURN.acquire(timeout=5)
    PYTHON_TURN.release()
