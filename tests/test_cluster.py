"""On a Dask cluster: the bytes of a run on one machine, whatever happens to the workers."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
from test_diarization import voice
from test_tasks import TASKS

pytest.importorskip("distributed", reason="distributed is not installed: pip install 'speechgmm[cluster]'")

from distributed import LocalCluster

from speechgmm import __version__
from speechgmm.config import make_config
from speechgmm.engine import cluster as cluster_module
from speechgmm.engine import cluster_workers, run
from speechgmm.engine.cluster import Cluster, about_here, connect
from speechgmm.engine.console import Console
from speechgmm.errors import ConfigError, DataError, FitError, SpeechGMMError
from speechgmm.gmm import FrameSource, fit_gmm


@pytest.fixture(scope="module")
def local() -> Iterator[LocalCluster]:
    """Two worker processes of one thread each."""
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0") as found:
        yield found


@pytest.fixture(scope="module")
def cluster(local: LocalCluster) -> Iterator[Cluster]:
    found = connect(local.scheduler_address)
    yield found
    found.close()


def on_cluster(local: LocalCluster) -> list[str]:
    return ["parallel.n_jobs=-1", "parallel.backend=dask", f"parallel.scheduler={local.scheduler_address}"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "model", ["{n_components: 4, max_iter: 3}", "{adapt: map, ubm: {n_components: 4, max_iter: 3}}"]
)
def test_a_run_on_a_cluster_writes_the_bytes_of_a_run_on_one_machine(
    config_file: Path, local: LocalCluster, cluster: Cluster, model: str
) -> None:
    features = "features={deltas: 1, cmvn: utterance, transform: {kind: lda, dim: 2, splice: 1}}"
    found = []
    for name, overrides in (("here", ["parallel.n_jobs=1"]), ("there", on_cluster(local))):
        folder = config_file.parent / name
        overrides = [*overrides, features, f"model={model}", f"cache={folder}-cache"]
        run(config_file, overrides, output=folder, console=Console(quiet=True))
        found.append([(folder / file).read_bytes() for file in ("models.safetensors", "scores.tsv")])
    assert found[0] == found[1]


@pytest.mark.slow
def test_clusters_and_turns_found_on_a_cluster_are_those_of_one_machine(
    tmp_path: Path, config_file: Path, local: LocalCluster, cluster: Cluster
) -> None:
    rows = ["path\tspeaker\tsplit"]
    for number in range(10):
        soundfile.write(tmp_path / f"{number}.wav", voice(number, 6.0), 8000)
        rows.append(f"{number}.wav\ts{number}\t{'train' if number < 8 else 'test'}")
    (tmp_path / "voices.tsv").write_text("\n".join(rows) + "\n")
    voices = tmp_path / "voices.yaml"
    voices.write_text(
        "task: diarization\ncorpus: {path: voices.tsv, label: speaker, group: speaker, sample_rate: 8000}\n"
        "features: {n_ceps: 20, n_mels: 40, use_energy: false, vad: energy, vad_threshold: 1.0, vad_context: 5}\n"
        "diarization: {n_components: 4, conversations: 3}\ncache: cache\n"
    )
    clustering = ["task=clustering", "clustering.method=bic", "model={adapt: map, ubm: {n_components: 4}}"]
    for config, overrides, tables in (
        (config_file, clustering, ("clusters.tsv", "distances.tsv")),
        (voices, [], ("recordings.tsv", "hypotheses.rttm")),
    ):
        found = []
        for name, where in (("here", ["parallel.n_jobs=1"]), ("there", on_cluster(local))):
            folder = tmp_path / f"{config.stem}-{name}"
            run(config, [*overrides, *where, f"cache={folder}-cache"], output=folder, console=Console(quiet=True))
            found.append([(folder / file).read_bytes() for file in ("models.safetensors", *tables)])
        assert found[0] == found[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "settings", "files"),
    [
        ("recognition", [], ("hypotheses.tsv", "folds/1/models.safetensors")),
        ("recognition", ["corpus.split={kind: fraction, test: 0.5}"], ("hypotheses.tsv", "units.tsv")),
        ("anomaly", [], ("scores.tsv", "thresholds.tsv")),
    ],
)
def test_what_is_heard_and_what_is_anomalous_on_a_cluster_is_that_of_one_machine(
    tmp_path: Path, local: LocalCluster, cluster: Cluster, task: str, settings: list[str], files: tuple[str, ...]
) -> None:
    make, text = TASKS[task]
    make(tmp_path)
    (tmp_path / "c.yaml").write_text(text)
    found = []
    for name, where in (("here", ["parallel.n_jobs=1"]), ("there", on_cluster(local))):
        folder = tmp_path / name
        run(
            tmp_path / "c.yaml",
            [*settings, *where, f"cache={folder}-cache"],
            output=folder,
            console=Console(quiet=True),
        )
        found.append([(folder / file).read_bytes() for file in ("models.safetensors", *files)])
    assert found[0] == found[1]


def test_results_come_in_the_order_of_their_tasks(cluster: Cluster) -> None:
    def late(number: int) -> int:
        time.sleep(0.02 * (5 - number % 5))
        return number**2

    assert list(cluster.map(late, range(40))) == [number**2 for number in range(40)]
    spread = cluster.repeatedly()
    tasks = list(range(10))
    for factor in (2, 3):
        assert list(spread(lambda number, factor=factor: factor * number, tasks)) == [factor * n for n in tasks]
    assert list(spread(lambda number: -number, (n for n in tasks))) == [-n for n in tasks]
    assert list(cluster.map(late, [])) == []


def test_an_error_in_a_task_is_raised_here(cluster: Cluster) -> None:
    def fail(number: int) -> int:
        if number == 3:
            raise FitError("class 'c': nothing to fit")
        return number

    with pytest.raises(FitError, match="class 'c': nothing to fit"):
        list(cluster.map(fail, range(10)))
    assert list(cluster.map(abs, [-1])) == [1]


def test_blas_has_one_thread_in_a_task(cluster: Cluster) -> None:
    def threads(_: int) -> set[int]:
        from threadpoolctl import threadpool_info

        return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}

    assert set.union(*cluster.map(threads, range(4))) == {1}


@dataclass(frozen=True)
class Slow:
    """Frames that take their time, so that a worker can die while it reads them."""

    seed: int

    def load(self) -> np.ndarray:
        time.sleep(0.005)
        return np.random.default_rng(self.seed).normal(size=(2000, 3)).astype(np.float32) + self.seed % 3


@pytest.mark.slow
def test_a_worker_that_is_killed_in_the_middle_of_an_iteration_changes_nothing_but_the_time(cluster: Cluster) -> None:
    source = FrameSource.of([Slow(seed) for seed in range(60)], [2000] * 60, 3)
    here = fit_gmm(source, 4, max_iter=4, tol=0.0, memory=0)
    spread = cluster.repeatedly()
    passes = 0
    killed = []

    def counted(function, tasks):  # type: ignore[no-untyped-def]
        nonlocal passes
        passes += 1
        results = spread(function, tasks)
        for n, result in enumerate(results):
            if passes == 5 and n == 1:  # in the second iteration, with most of its tasks on their way
                pids = cluster._on_all(os.getpid)
                killed.append(next(iter(pids)))
                os.kill(pids[killed[0]], signal.SIGKILL)
            yield result

    there = fit_gmm(source, 4, max_iter=4, tol=0.0, memory=0, map=counted)
    assert killed
    assert killed[0] not in cluster.workers
    assert there.trace == here.trace
    for name in ("weights", "means", "variances"):
        assert getattr(there.model, name).tobytes() == getattr(here.model, name).tobytes()


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_module, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'speechgmm\[cluster\]'"):
        connect("tcp://127.0.0.1:1")


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_module, "ANSWER", 0.5)
    with pytest.raises(ConfigError, match=r"no scheduler answers at tcp://127.0.0.1:1 within 0.5 s.*dask scheduler"):
        connect("tcp://127.0.0.1:1")


def test_a_port_that_takes_the_connection_and_says_nothing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_module, "ANSWER", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"no scheduler answers at tcp://127.0.0.1:{port} .*dashboard"):
            connect(f"tcp://127.0.0.1:{port}")


@pytest.mark.parametrize("status", ["pending", "lost", "finished"])
def test_a_result_that_is_late_or_lost_with_its_worker_is_waited_for(cluster: Cluster, status: str) -> None:
    """A worker that dies with a finished result: Dask makes it again, and says "lost" meanwhile."""

    class Late:
        waits = 2

        def __init__(self) -> None:
            self.status = status

        def result(self, timeout: float) -> str:
            self.waits -= 1
            if self.waits > 0:
                raise TimeoutError(timeout)
            return "made again"

    assert cluster._wait(Late()) == "made again"


def test_a_cluster_without_workers_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_module, "FIRST_WORKER", 1.0)
    with LocalCluster(n_workers=0, processes=True, dashboard_address=":0") as empty:
        found = connect(empty.scheduler_address)
        with pytest.raises(ConfigError, match=r"has no workers after 1 s; start some with `dask worker tcp://"):
            found.check(tmp_path, [])
        monkeypatch.setattr(cluster_module, "PATIENCE", 0.1)
        with pytest.raises(SpeechGMMError, match=r"no worker has been left at tcp://.* start workers and run the same"):
            list(found.map(abs, [1]))
        found.close()


def other(name: str, value: str) -> object:
    """What workers say of themselves, if one thing is different there."""
    here, pid = about_here(), os.getpid()
    return lambda: here if os.getpid() == pid else {**here, name: value}


def test_workers_with_another_version_are_refused_and_other_libraries_are_a_warning(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cluster.check(tmp_path, []) == []
    monkeypatch.setattr(cluster_module, "about_here", other("speechgmm", "0.0.9"))
    with pytest.raises(
        ConfigError, match=rf"worker tcp://.* has speechgmm 0.0.9, and this is {__version__}.*install the same"
    ):
        cluster.check(tmp_path, [])
    monkeypatch.setattr(cluster_module, "about_here", other("numpy", "1.26.0"))
    [warning] = cluster.check(tmp_path, [])
    assert "numpy 1.26.0 there" in warning
    assert "last digits" in warning

    def fails() -> dict[str, str]:
        if os.getpid() == pid:
            return here
        raise ModuleNotFoundError("No module named 'speechgmm'")

    here, pid = about_here(), os.getpid()
    monkeypatch.setattr(cluster_module, "about_here", fails)
    with pytest.raises(
        ConfigError, match=rf"cannot run this package.*No module named 'speechgmm'.*install speechgmm {__version__}"
    ):
        cluster.check(tmp_path, [])


def test_storage_that_a_worker_does_not_see_is_named(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"1234")
    assert cluster.check(tmp_path / "cache", [path, tmp_path / "not here either"]) == []
    assert list((tmp_path / "cache").iterdir()) == []
    monkeypatch.setattr(cluster_workers, "_missing", lambda sizes: next(iter(sizes)))
    with pytest.raises(
        DataError, match=r"cannot read .*a.wav; recordings must lie on storage that every machine mounts"
    ):
        cluster.check(tmp_path / "cache", [path])
    monkeypatch.setattr(cluster_workers, "_sees_token", lambda path: False)
    with pytest.raises(DataError, match=r"cannot read and write .*cache, the cache that all workers share"):
        cluster.check(tmp_path / "cache", [path])


def test_a_cache_that_cannot_be_written_here_is_named_before_workers_are_asked(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")  # a folder below a file: what root may not write either
    with pytest.raises(DataError, match=r"file/cache/.* cannot be written"):
        cluster_workers.check_storage(lambda *_: {}, tmp_path / "file" / "cache", [])


def test_a_file_of_another_size_is_not_the_same_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"1234")
    assert cluster_workers._missing({str(path): 4}) == ""
    assert cluster_workers._missing({str(path): 5}) == str(path)
    assert cluster_workers._missing({str(tmp_path / "b"): 5}) == str(tmp_path / "b")
    assert not cluster_workers._sees_token(str(tmp_path / "b"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"backend": "dask", "scheduler": "10.0.0.1"}, "parallel.scheduler is '10.0.0.1'; .* such as tcp://10"),
        ({"scheduler": "tcp://10.0.0.1:8786"}, "parallel.scheduler has no effect without parallel.backend: dask"),
        (
            {"backend": "dask", "scheduler": "tcp://h:1", "n_jobs": 4},
            r"parallel.n_jobs is 4, and counts workers on this",
        ),
    ],
)
def test_settings_that_do_not_go_together_are_refused(section: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_config({"parallel": section})


@pytest.mark.slow
def test_a_scheduler_that_goes_away_is_an_error_and_not_a_wait_for_ever(tmp_path: Path) -> None:
    file = tmp_path / "scheduler.json"
    start = [sys.executable, "-m", "dask"]
    options = ["--port", "0", "--dashboard-address", ":0", "--scheduler-file", str(file)]
    scheduler = subprocess.Popen([*start, "scheduler", *options], stderr=subprocess.DEVNULL)
    while not (file.exists() and file.read_text().endswith("}")):
        time.sleep(0.05)
    address = json.loads(file.read_text())["address"]
    worker = subprocess.Popen([*start, "worker", address, "--nthreads", "1"], stderr=subprocess.DEVNULL)
    try:
        found = connect(address)
        found.check(tmp_path, [])
        results = found.map(abs, range(100_000))
        assert next(results) == 0
        scheduler.kill()
        with pytest.raises(SpeechGMMError, match=r"the scheduler at tcp://.* is gone.*run the same command"):
            list(results)
        found.close()
    finally:
        for process in (worker, scheduler):
            process.terminate()
            process.wait()
