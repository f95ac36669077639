"""Every benchmark, each in a process of its own: `make bench`, or `python benchmarks/run.py NAME ...` for some.

One BLAS thread. With OPENBLAS_CORETYPE unset, as BLAS comes; where it is set, once more as found: it may halve the
rate of products. `--save` keeps what was printed in RESULTS.md.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
NAMES = (
    "em_iteration",
    "many_classes",
    "two_threads",
    "sparse_em",
    "time_to_likelihood",
    "online_em",
    "choosing",
    "starts",
    "convergence",
    "sklearn_face",
    "scoring",
    "verification",
    "recognition",
    "extraction",
    "long_recording",
    "memory",
    "startup",
)
MODE = "OPENBLAS_CORETYPE"


def modes() -> list[dict[str, str]]:
    plain = {name: value for name, value in os.environ.items() if name != MODE}
    plain["OPENBLAS_NUM_THREADS"] = "1"
    return [plain, {**plain, MODE: os.environ[MODE]}] if MODE in os.environ else [plain]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; default: all")
    parser.add_argument("--save", action="store_true", help="write what is printed to RESULTS.md, too")
    options = parser.parse_args()
    if unknown := sorted(set(options.names) - set(NAMES)):
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(NAMES)}")
    printed = []
    for environment in modes():
        for script in (
            ["-c", "import timing; print(timing.about_machine())"],
            *([f"{n}.py"] for n in options.names or NAMES),
        ):
            with subprocess.Popen(
                [sys.executable, *script], cwd=FOLDER, env=environment, stdout=subprocess.PIPE, text=True
            ) as process:
                for line in process.stdout or ():
                    print(line, end="", flush=True)
                    printed.append(line)
            if process.returncode:
                sys.exit(f"{script[-1]} failed ({process.returncode})")
    if options.save:
        head = (
            "# The last full run\n\nPrinted by `make bench` and kept as it was; README.md says what the figures mean.\n"
        )
        (FOLDER / "RESULTS.md").write_text(f"{head}\n```\n{''.join(printed)}```\n")


if __name__ == "__main__":
    main()
