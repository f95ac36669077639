"""Write ``constraints.txt``: the newest versions of all that any extra needs, for every Python and system (by uv)."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HEAD = """\
# Versions that were tested together, of all extras, for every Python and system. `make` installs by them; with
# CONSTRAINTS= it takes the newest that pyproject.toml allows. Made by `make constraints`.
"""


def main() -> None:
    """Resolve, and write the file."""
    uv = [str(Path(sys.executable).with_name("uv")), "pip", "compile", "--quiet", "pyproject.toml"]
    how = ["--universal", "--python-version", "3.11", "--all-extras", "--no-header", "--no-annotate", "--no-config"]
    found = subprocess.run([*uv, *how], cwd=ROOT, check=True, capture_output=True, text=True)
    (ROOT / "constraints.txt").write_text(HEAD + found.stdout)


if __name__ == "__main__":
    main()
