"""The benchmarks are not timed here; but they must start."""

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"


def test_the_benchmarks_import_with_their_folder_first_on_the_path() -> None:
    """As `make bench` runs them: a file there that is named like a library would take its place."""
    ours = ", ".join(path.stem for path in FOLDER.glob("*.py"))
    code = f"import numba, sklearn, librosa.feature, {ours}"
    done = subprocess.run([sys.executable, "-c", code], cwd=FOLDER, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
