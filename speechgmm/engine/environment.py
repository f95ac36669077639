"""What a run was made with: ``environment.json``. It names no host and no command line unless it is asked to."""

import json
import os
import platform
import shlex
import socket
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import distributions, version
from pathlib import Path
from typing import Any, Final

from speechgmm import __version__
from speechgmm.config import Experiment, config_hash, settings_hash
from speechgmm.engine.frames import Features
from speechgmm.io.feature_store import digest
from speechgmm.parallel import loaded_blas

PACKAGES: Final = ("numpy", "scipy", "numba", "soundfile", "soxr", "joblib", "safetensors")
"""What decides about results, beside this package."""


@dataclass(frozen=True, slots=True)
class Environment:
    """The entries of ``environment.json``, as they are when a run begins."""

    entries: dict[str, Any]

    @classmethod
    def of(cls, experiment: Experiment, features: Features) -> "Environment":
        """The environment of a run that begins now. With ``report.identify`` it has the host and the command line."""
        commit, changed = git_commit(Path.cwd())
        identity = {"host": socket.gethostname(), "command": shlex.join(sys.argv)}
        entries = {
            "config": experiment.name,
            "config_hash": config_hash(experiment.config),
            "settings_hash": settings_hash(experiment.config),
            "data_hash": _data_hash(features),
            "corpus_root": str(features.corpus.root),
            "seed": experiment.config.seed,
            "start": _now(),
            **({"git_commit": commit, "git_changed": changed} if commit else {}),
            **(identity if experiment.config.report.identify else {}),
            "python": platform.python_version(),
            "machine": platform.machine(),
            "system": f"{platform.system()} {platform.release()}",
            "cpu": cpu_name(),
            "blas": loaded_blas(),
            "openblas_coretype": os.environ.get("OPENBLAS_CORETYPE"),
            "packages": {"speechgmm": __version__, **{name: version(name) for name in PACKAGES}},
            "all_packages": _all_packages(),
        }
        return cls(entries)

    def text(self, *, ended: bool = False) -> str:
        """The file; ``ended``: with the time now as the run's end."""
        end = {"end": _now()} if ended else {}
        return json.dumps({**self.entries, **end}, indent=1) + "\n"


def git_commit(folder: Path) -> tuple[str | None, bool | None]:
    """The commit of the repository that a folder lies in, and whether tracked files differ from it; None: not known."""

    def asked(*arguments: str) -> str | None:
        command = ["git", "-c", "core.fsmonitor=false", "-C", str(folder), *arguments]
        locks = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}  # it only looks
        try:
            found = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True, env=locks)
        except (OSError, subprocess.SubprocessError):
            return None
        return found.stdout.strip()

    commit = asked("rev-parse", "HEAD")
    status = asked("status", "-s", "-uno") if commit else None
    return commit or None, None if status is None else bool(status)


def cpu_name() -> str:
    """The processor's own name where the system tells it, else what Python knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()


def _all_packages() -> dict[str, str]:
    found = (one.metadata for one in distributions())  # parsed whenever it is asked for: once for each
    return dict(sorted((str(one["Name"]), str(one["Version"])) for one in found))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _data_hash(features: Features) -> str:
    """Thirty-two hex digits that two corpora share when they hold the same audio, segments, labels and splits."""
    rows = (
        f"{u.id}\t{u.split}\t{u.label(features.corpus.label) if u.split != 'ubm' else ''}\t{p.key}\t{p.first}\t{p.stop}"
        for u, p in zip(features.corpus, features.pieces, strict=True)
    )
    return digest(*rows)
