"""Frames that do not fit: peak memory, time and bytes of training under a budget, beside training with all in memory.

    python benchmarks/memory.py                          4 GB of made frames under 500 MB
    python benchmarks/memory.py --gigabytes 0.4 --whole  a set that also fits: the model must be the same, byte for byte

The frames are written as shards of a feature store into a temporary folder, and read back as a run reads them. Each
contestant is a process of its own; its peak is the kernel's (VmHWM), of the whole process with all its libraries.
"""

import argparse
import json
import subprocess
import sys
import time
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from timing import about_machine

from speechgmm.config import ParallelSpec
from speechgmm.engine.frames import Piece, open_frames
from speechgmm.engine.memory import Need, divide_among_batches
from speechgmm.features.measurements import Measurements
from speechgmm.gmm import fit_gmm
from speechgmm.io.feature_store import Extracted, FeatureStore
from speechgmm.parallel import pmap

N_FEATURES = 39
FRAMES = 1000  # of a recording
RECORDINGS = 250  # in a shard: 39 MB


def write(folder: Path, gigabytes: float) -> int:
    """Shards of recordings drawn from 200 Gaussians; returns the number of frames."""
    rng = np.random.default_rng(0)
    means = rng.normal(size=(200, N_FEATURES)).astype(np.float32)
    store = FeatureStore(folder)
    folder.mkdir()
    n_shards = max(1, round(gigabytes * 1e9 / (RECORDINGS * FRAMES * N_FEATURES * 4)))
    for shard in range(n_shards):
        recordings = []
        measured = Measurements(-20.0, 0.0, 8000.0, 16000, ())
        for n in range(RECORDINGS):
            frames = rng.standard_normal((FRAMES, N_FEATURES), dtype=np.float32) * np.float32(0.5)
            frames += means[rng.integers(0, len(means), FRAMES // 10).repeat(10)]
            recordings.append(Extracted(f"{shard}-{n}", f"{n}.wav", (0, 0, 0, 0), 10.0, 0.0, measured, frames))
        store.write(recordings)
    return n_shards * RECORDINGS * FRAMES


def train(folder: Path, memory: str, n_components: int, iterations: int, n_jobs: int) -> None:
    """Train as a background model is trained, and print what it took."""
    entries = sorted(FeatureStore(folder).entries(), key=lambda entry: (entry.shard, entry.offset))
    pieces = [
        Piece(FeatureStore(folder), e.shard, e.offset, e.n_frames, 0, e.n_frames, e.key, with_speech=False)
        for e in entries
    ]
    before = peak()
    budget = 10**15 if memory == "all" else ParallelSpec(memory=memory).memory_bytes()
    need = Need("benchmark", sum(piece.n_rows for piece in pieces), N_FEATURES, n_components)
    at_once, room = divide_among_batches(need, budget, n_jobs)
    passes: list[float] = []

    def spread(function, tasks):
        passes.append(time.perf_counter())
        return pmap(function, tasks, n_jobs=at_once, backend="threads")

    begun = time.perf_counter()
    source, room = open_frames(pieces, room, map=spread)
    fit = fit_gmm(source, n_components, max_iter=iterations, tol=0.0, memory=room, map=spread)
    ended = time.perf_counter()
    model = b"".join(part.tobytes() for part in (fit.model.weights, fit.model.means, fit.model.variances))
    print(
        json.dumps(
            {
                "before": before,
                "peak": peak(),
                "seconds": ended - begun,
                "iteration": min(np.diff([*passes[-iterations - 1 :], ended])),
                "model": blake2b(model, digest_size=8).hexdigest(),
            }
        )
    )


def peak() -> float:
    """The most memory this process has had resident so far, in MB."""
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024 / 1e6


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--gigabytes", type=float, default=4.0)
    parser.add_argument("--memory", default="500MB")
    parser.add_argument("--components", type=int, default=64)
    parser.add_argument("--iterations", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--whole", action="store_true", help="also with all frames in memory")
    parser.add_argument("--folder", help="where to put the shards for the while; default: the system's")
    parser.add_argument("--store", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.store:
        train(Path(options.store), options.memory, options.components, options.iterations, options.jobs)
        return
    with TemporaryDirectory(dir=options.folder) as folder:
        n_frames = write(Path(folder) / "store", options.gigabytes)
        print(about_machine())
        print(
            f"{n_frames} frames of {N_FEATURES} dimensions ({n_frames * N_FEATURES * 4 / 1e9:.2f} GB), K "
            f"{options.components}, {options.iterations} iterations, {options.jobs} threads"
        )
        found = {}
        for memory in (options.memory, *(("all",) if options.whole else ())):
            command = [sys.executable, __file__, "--store", f"{folder}/store", "--memory", memory]
            command += ["--components", str(options.components), "--iterations", str(options.iterations)]
            done = subprocess.run([*command, "--jobs", str(options.jobs)], check=True, capture_output=True, text=True)
            found[memory] = json.loads(done.stdout)
            print(
                "  memory {:>6}: peak {peak:5.0f} MB ({before:.0f} before it began), {seconds:6.1f} s in all, "
                "{iteration:6.2f} s an iteration, model {model}".format(memory, **found[memory])
            )
        if len({one["model"] for one in found.values()}) > 1:
            raise SystemExit("the models differ")


if __name__ == "__main__":
    main()
