"""Write ``docs/project/licences.md``: the licences of all that is installed with speechgmm, as their metadata say."""

import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
NOT_FOR_USERS = ("dev", "docs", "release")
CLASSIFIER = "License :: OSI Approved :: "
HEAD = """\
# Licences of dependencies

speechgmm is under the [BSD-3-Clause licence](../../LICENSE). It holds no code of the packages below; `pip` installs
them beside it. This page is made by `make licences` from what their metadata say. A test holds that nothing under the
GPL is in the core.

"""
TAIL = """
- **LGPL**: soxr holds libsoxr, the wheels of soundfile hold libsndfile, and those of the extra `av` hold FFmpeg.
- The wheels of NumPy and SciPy hold libgfortran, under the GPL with the GCC runtime exception.
- The extra `demo` installs eSpeak NG, under the **GPL**. It is loaded at run time to speak the demo corpus, and by
  nothing else.
"""


def licence_of(found: Distribution) -> str:
    """What the metadata of a package say: the SPDX expression, else its classifiers, else its field."""
    said = found.metadata
    if expression := said.get("License-Expression"):
        return str(expression)
    classified = [one.removeprefix(CLASSIFIER) for one in said.get_all("Classifier", []) if one.startswith(CLASSIFIER)]
    first = next(iter((said.get("License") or "").strip().splitlines()), "")
    return " / ".join(classified) or (first if 0 < len(first) < 80 else "see its files")


def needed(requirements: list[str], extra: str = "") -> Iterator[Requirement]:
    """The requirements that hold for this Python and for an extra."""
    for text in requirements:
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            yield requirement


def core() -> dict[str, str]:
    """Name -> licence of everything that the package needs without an extra, and what that needs in its turn."""
    found: dict[str, str] = {}
    waiting = [one.name for one in needed(distribution("speechgmm").requires or [])]
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name not in found:
            package = distribution(name)
            found[name] = licence_of(package)
            waiting += [one.name for one in needed(package.requires or [])]
    return dict(sorted(found.items()))


def extras() -> Iterator[tuple[str, str, str]]:
    """Name, extras and licence of what only the extras for users need; those that are not installed have no licence."""
    about = distribution("speechgmm")
    always = core()
    names: dict[str, list[str]] = {}
    for extra in about.metadata.get_all("Provides-Extra", []):
        if extra not in NOT_FOR_USERS:
            for one in needed(about.requires or [], extra):
                names.setdefault(canonicalize_name(one.name), []).append(extra)
    for name in sorted(names.keys() - always.keys()):
        try:
            yield name, ", ".join(names[name]), licence_of(distribution(name))
        except PackageNotFoundError:
            sys.exit(f"licences: {name} is not installed, so that its licence is not known; install every extra first")


def page() -> str:
    """The page."""
    lines = ["## The core", "", "| package | licence |", "|---|---|"]
    lines += [f"| {name} | {licence} |" for name, licence in core().items()]
    lines += ["", "## Extras", "", "| package | extra | licence |", "|---|---|---|"]
    lines += [f"| {name} | {extra} | {licence} |" for name, extra, licence in extras()]
    return HEAD + "\n".join(lines) + "\n" + TAIL


if __name__ == "__main__":
    (ROOT / "docs" / "project" / "licences.md").write_text(page(), encoding="utf-8")
