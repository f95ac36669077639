"""How much memory does a recording of an hour take? 16 kHz, 16 bits, one channel, through the extraction stage.

The figure is the peak resident memory of a process that does nothing else, as the kernel counts it (VmHWM), with all
that it imports; what it is before the stage begins is printed beside it. A recording of a minute is there to compare.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile
import timing  # noqa: F401 (one BLAS thread)

RATE = 16000

STAGE = """
import sys, time
from pathlib import Path
from speechgmm.engine.console import Console
from speechgmm.engine.job import prepare
from speechgmm.engine.shards import extract_recordings

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024

job = prepare(sys.argv[1], console=Console(quiet=True))
before, begun = peak(), time.perf_counter()
_, found, problems = extract_recordings(job, [Path(sys.argv[2])], job.audio)
seconds = time.perf_counter() - begun
(entry,) = found.values()
print(f"{entry.n_frames:>9} frames{peak():>8.0f} MiB peak, {before:.0f} before the stage{seconds:>8.2f} s")
"""


def write_noise(path: Path, minutes: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(0)
    with soundfile.SoundFile(path, "w", RATE, 1, "PCM_16") as file:
        for _ in range(minutes):
            file.write(generator.normal(0, 0.1, 60 * RATE))


def main() -> None:
    print("\npeak resident memory of a process that extracts one recording into the store (MFCC 13 and deltas)")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        # Two classes of two: a corpus must have a split.
        for name in ("a/1", "a/2", "b/1", "b/2"):
            write_noise(root / "recordings" / f"{name}.wav", 1)
        for minutes, suffix, vad in ((1, "wav", "none"), (60, "wav", "none"), (60, "flac", "energy")):
            path = root / f"long.{suffix}"
            write_noise(path, minutes)
            config = root / "config.yaml"
            config.write_text(
                "corpus: {kind: folder, root: recordings, split: fraction, sample_rate: 16000}\n"
                f"features: {{deltas: 2, vad: {vad}}}\nmodel: {{n_components: 2}}\n"
                f"cache: cache-{minutes}-{suffix}\noutput: out\nparallel: {{n_jobs: 1}}\n"
            )
            done = subprocess.run(
                [sys.executable, "-c", STAGE, str(config), str(path)], capture_output=True, text=True, check=True
            )
            print(f"  {minutes:>2} minutes, {suffix:<4}, vad: {vad:<6}{done.stdout.rstrip()}")


if __name__ == "__main__":
    main()
