"""The configurations that come with the package, by name: ``speechgmm run fsdd-digits``."""

import difflib
from pathlib import Path
from typing import Final

import speechgmm
from speechgmm.errors import ConfigError

NOT_RUN: Final = "template"
"""It lists every key, and is no experiment."""

NEAR: Final = 3
"""Names that are proposed for one that is not there."""


def configurations() -> dict[str, Path]:
    """Name -> file, in the order of the names.

    >>> "fsdd-digits" in configurations()
    True
    """
    package = Path(speechgmm.__file__).parent
    installed = package / "configs"
    folder = installed if installed.is_dir() else package.parent / "configs"  # that of a checkout
    found = {path.stem: path for path in folder.glob("*.yaml") if path.stem != NOT_RUN}
    return dict(sorted(found.items()))


def configuration_path(name: str) -> Path:
    """The file of a configuration that comes with the package.

    Raises:
        ConfigError: There is none of that name; the nearest names are proposed.
    """
    there = configurations()
    if name not in there:
        raise ConfigError(f"{name}: the package has no configuration of this name; {nearest(name)}")
    return there[name]


def nearest(name: str) -> str:
    """Which names are like one that is not there, or how all of them are listed.

    >>> nearest("fsdd-digit")
    "the nearest of the package's configurations: fsdd-digits, fsdd-digits-hmm, fsdd-digit-strings"
    """
    near = difflib.get_close_matches(name, configurations(), NEAR)
    if near:
        return f"the nearest of the package's configurations: {', '.join(near)}"
    return "`speechgmm configs` lists the package's configurations"


def summary(path: Path) -> str:
    """What a configuration is for: the first line of its file.

    >>> summary(configuration_path("fsdd-digits"))
    'Which digit is spoken? Ten digits by six speakers who are all in training, official split.'
    """
    with path.open(encoding="utf-8") as file:
        return file.readline().removeprefix("#").strip()
