"""The benchmarks, each in a process of its own: `make bench`, or `python benchmarks/run.py NAME ...` for some.

One BLAS thread. With OPENBLAS_CORETYPE unset, as BLAS comes; where it is set, once more as found: it may halve the
rate of products. At the end stands what was measured beside its goal (`goals.py`). `--save` keeps all of it in
RESULTS.md.
"""

import argparse
import os
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

from goals import MARK

FOLDER = Path(__file__).resolve().parent
SPEED = {
    "em_iteration": (),
    "many_classes": (),
    "two_threads": (),
    "sparse_em": (),
    "time_to_likelihood": ("--seeds", "3"),
    "sklearn_face": (),
    "covariances": (),
    "scoring": (),
    "verification": (),
    "recognition": (),
    "extraction": (),
    "long_recording": (),
    "memory": ("--gigabytes", "2"),
    "startup": (),
    "repeated_run": (),
}
"""With what each is called; it is what `make bench` runs."""

QUALITY = {"online_em": (), "choosing": (), "starts": (), "convergence": ()}
"""How good models are: minutes each, by name only."""

MODE = "OPENBLAS_CORETYPE"
ABOUT = ("-c", "import timing; print(timing.about_machine())")

HEAD = """# The last run of the benchmarks

Printed by `make bench` on {day} and kept as it was; README.md says what the values mean. First what has a goal, then
everything.

"""


def modes() -> list[dict[str, str]]:
    plain = {name: value for name, value in os.environ.items() if name != MODE}
    plain["OPENBLAS_NUM_THREADS"] = "1"
    return [plain, {**plain, MODE: os.environ[MODE]}] if MODE in os.environ else [plain]


def printed_by(script: tuple[str, ...], environment: dict[str, str]) -> list[str]:
    """The lines that a script prints, which are passed on."""
    lines = []
    with subprocess.Popen(
        [sys.executable, *script], cwd=FOLDER, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
            lines.append(line)
    if process.returncode:
        sys.exit(f"{' '.join(script)} failed ({process.returncode})")
    return lines


def main() -> None:
    every = {**SPEED, **QUALITY}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(every)}; default: {', '.join(SPEED)}")
    parser.add_argument("--save", action="store_true", help="write what is printed to RESULTS.md, too")
    options = parser.parse_args()
    if unknown := sorted(set(options.names) - set(every)):
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(every)}")
    lines, goals, times = [], [], []
    for environment in modes():
        lines += printed_by(ABOUT, environment)
        for name in options.names or SPEED:
            begun = time.perf_counter()
            found = printed_by((f"{name}.py", *every[name]), environment)
            times.append((name, time.perf_counter() - begun))
            lines += found
            goals += [line.removeprefix(MARK) for line in found if line.startswith(MARK)]
    took = f"took {sum(seconds for _, seconds in times) / 60:.1f} minutes: "
    took += ", ".join(f"{name} {seconds:.0f} s" for name, seconds in times)
    print(f"\n{''.join(goals)}\n{took}")
    if options.save:
        parts = (f"{lines[0]}\n{''.join(goals)}\n{took}\n", "".join(lines))
        text = HEAD.format(day=date.today()) + "\n".join(f"```\n{part}```\n" for part in parts)
        (FOLDER / "RESULTS.md").write_text(text)


if __name__ == "__main__":
    main()
