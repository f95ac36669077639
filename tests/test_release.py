"""What is published keeps its promises: one version, versions that fit together, licences; bad machines are told."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import soundfile
import yaml

import speechgmm
import speechgmm as sg
from speechgmm.cli.data_export_commands import CorpusFormat, ExportCorpus
from speechgmm.engine.console import Console
from speechgmm.engine.runs import run
from speechgmm.errors import DataError, ModelFileError
from speechgmm.io import atomic, audio, decoders
from speechgmm.io.codecs import coded

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def script(name: str) -> ModuleType:
    """A script of ``.ci``, as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / ".ci" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# ---- one version ----


def test_the_version_stands_in_one_place_and_the_other_files_agree() -> None:
    version = speechgmm.__version__
    assert "version" not in PROJECT
    assert PROJECT["dynamic"] == ["version"]
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == version
    heading = re.search(r"^## (\S+) - (unreleased|\d{4}-\d\d-\d\d)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert heading is not None
    assert heading[1] == version


def test_the_changelog_has_the_sections_of_keep_a_changelog_alone() -> None:
    sections = re.findall(r"^### (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert set(sections) <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_pip_refuses_a_python_that_is_too_old() -> None:
    assert PROJECT["requires-python"] == ">=3.11"
    named = {one.rpartition(" ")[2] for one in PROJECT["classifiers"] if "Python :: 3." in one}
    assert {"3.11", "3.12", "3.13"} <= named


# ---- versions of others ----


def requirements() -> list[str]:
    extras = PROJECT["optional-dependencies"]
    return [*PROJECT["dependencies"], *(one for several in extras.values() for one in several)]


@pytest.mark.parametrize("python", ["3.11.7", "3.12.1", "3.13.0", "3.14.0"])
def test_the_constraints_pin_what_pyproject_allows(python: str) -> None:
    packaging = pytest.importorskip("packaging.requirements")
    from packaging.utils import canonicalize_name

    here = {"python_version": python.rpartition(".")[0], "python_full_version": python, "sys_platform": "linux"}
    pins = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        if not line.startswith("#"):
            pin = packaging.Requirement(line)
            if pin.marker is None or pin.marker.evaluate(here):
                assert pin.name not in pins
                pins[canonicalize_name(pin.name)] = str(pin.specifier).removeprefix("==")
    for text in requirements():
        wanted = packaging.Requirement(text)
        if wanted.marker is None or wanted.marker.evaluate(here):
            assert wanted.specifier.contains(pins[canonicalize_name(wanted.name)]), text


def test_nothing_under_the_gpl_is_in_the_core() -> None:
    pytest.importorskip("packaging")
    try:
        found = script("licences").core()
    except PackageNotFoundError as error:
        pytest.skip(f"speechgmm is not installed with its metadata ({error})")
    assert {"numpy", "scipy", "librosa", "soxr"} <= found.keys()
    gpl = re.compile(r"(?<!L)GPL|(?<!Lesser )General Public", re.IGNORECASE)
    assert {name: said for name, said in found.items() if gpl.search(said)} == {}
    assert gpl.search("GPL-3.0-or-later")
    assert gpl.search("GNU Affero General Public License v3")
    assert not gpl.search("LGPL-2.1-or-later")
    assert not gpl.search("GNU Lesser General Public License v3 (LGPLv3)")


def test_the_page_of_licences_has_every_package_that_users_install() -> None:
    pytest.importorskip("packaging")
    licences = script("licences")
    listed = set(re.findall(r"^\| ([\w.-]+) \|", (ROOT / "docs/project/licences.md").read_text(), re.MULTILINE))
    extras = {name: own for name, own in PROJECT["optional-dependencies"].items() if name not in licences.NOT_FOR_USERS}
    names = [*PROJECT["dependencies"], *(one for own in extras.values() for one in own)]
    assert {licences.canonicalize_name(licences.Requirement(one).name) for one in names} <= listed


# ---- files for others ----


def test_what_the_public_workflow_calls_is_there() -> None:
    jobs = yaml.safe_load((ROOT / ".github/workflows/check.yml").read_text())["jobs"]
    called = {step["run"] for job in jobs.values() for step in job["steps"] if "run" in step}
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert "make check" in called
    assert {command.removeprefix("make ") for command in called} <= targets
    pythons = set(jobs["check"]["strategy"]["matrix"]["python"])
    assert {one.rpartition(" ")[2] for one in PROJECT["classifiers"] if "Python :: 3." in one} <= pythons


def test_what_the_dockerfile_copies_is_there_and_not_ignored() -> None:
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = set()
    for line in (ROOT / "Dockerfile").read_text().splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            copied |= set(line.split()[1:-1])
    assert copied == kept
    assert all((ROOT / name).exists() for name in copied)


def test_issue_templates_are_read_by_the_forge() -> None:
    for path in (ROOT / ".github/ISSUE_TEMPLATE").glob("*_*.yml"):
        form = yaml.safe_load(path.read_text())
        assert {"name", "description", "body"} <= form.keys()
        assert len({field["id"] for field in form["body"]}) == len(form["body"])


# ---- bad machines ----


def make(folder: Path, target: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run make in a copy of what its rules for an environment read."""
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        (folder / name).write_bytes((ROOT / name).read_bytes())
    (folder / "speechgmm").mkdir(exist_ok=True)
    (folder / "speechgmm" / "__init__.py").write_text("")
    words = [f"{name}={value}" for name, value in variables.items()]
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(["make", target, *words], cwd=folder, capture_output=True, text=True, env=plain)


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_make_refuses_an_old_python_and_says_how_to_name_another(tmp_path: Path) -> None:
    says = "import sys; sys.version_info = (3, 10, 4); sys.version = '3.10.4 (main)'; exec(sys.argv[1])"
    old = program(tmp_path / "old", f'exec {sys.executable} -c "{says}" "$2"')
    ended = make(tmp_path, "demo", PYTHON=str(old))
    assert ended.returncode != 0
    assert "speechgmm needs Python 3.11 or newer; this is 3.10.4: make PYTHON=python3.12" in ended.stderr
    assert not (tmp_path / ".venv").exists()


@pytest.mark.parametrize(("target", "extras"), [("demo", "demo"), ("test", "demo,report,dev"), ("docs", "docs")])
def test_make_without_a_network_says_how_to_install_from_a_folder(target: str, extras: str, tmp_path: Path) -> None:
    program(tmp_path / ".venv/bin/python", 'echo "$@" >> called; echo "could not find a version" >&2; exit 1')
    (tmp_path / ".venv/.made").touch()
    ended = make(tmp_path, target)
    assert ended.returncode != 0
    assert f"pip download --dest wheels --constraint constraints.txt '.[{extras}]' hatchling" in ended.stderr
    assert "run make with WHEELS=wheels" in ended.stderr
    assert not (tmp_path / f".venv/.{target}").exists()
    make(tmp_path, target, WHEELS="wheels", CONSTRAINTS="")
    first, second = (tmp_path / "called").read_text().splitlines()
    assert "--constraint constraints.txt" in first
    assert "--no-index" not in first
    assert "--no-index --find-links wheels" in second
    assert "--constraint" not in second


def test_the_installed_package_asks_for_a_python_that_is_new_enough() -> None:
    try:
        asked = distribution("speechgmm").metadata["Requires-Python"]
    except PackageNotFoundError as error:
        pytest.skip(f"speechgmm is not installed with its metadata ({error})")
    assert asked == PROJECT["requires-python"]


def test_a_cache_that_may_not_be_written_is_named_with_the_way_out(config_file: Path, tmp_path: Path) -> None:
    (config_file.parent / "file").write_text("")  # a folder below a file: what root may not write either
    cache = [f"cache={config_file.parent / 'file' / 'cache'}"]
    export = ExportCorpus(config=config_file, overrides=cache, form=CorpusFormat.npz, out=tmp_path / "npz", quiet=True)
    for work in (lambda: run(config_file, cache, console=Console(quiet=True)), export.run):
        with pytest.raises(DataError, match=r"file/cache/.* cannot be written .*`cache` of the.*SPEECHGMM_CACHE"):
            work()


def test_a_cache_that_has_everything_need_not_be_written(config_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = run(config_file, console=Console(quiet=True))
    first = (before.folder / "scores.tsv").read_bytes()
    cache, write = config_file.parent / "cache", atomic.write_atomically

    def refused(path: Path, *rest: object, **more: object) -> None:
        assert not path.is_relative_to(cache), "read-only"
        write(path, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr("speechgmm.io.feature_store.write_atomically", refused)
    monkeypatch.setattr("speechgmm.engine.model_cache.write_atomically", refused)
    again = run(config_file, output=config_file.parent / "again", console=Console(quiet=True))
    assert (again.folder / "scores.tsv").read_bytes() == first


def test_a_library_of_sound_that_is_missing_is_named_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.flac"
    soundfile.write(path, np.zeros(800), 8000)
    (tmp_path / "soundfile.py").write_text("raise OSError('sndfile library not found')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "soundfile")
    monkeypatch.setattr("speechgmm.io.decoders._forward", decoders._forward.__wrapped__)
    with pytest.raises(DataError, match=r"libsndfile.*sndfile library not found.*install it again from a wheel"):
        audio.read_recording(path, sample_rate=8000)


@pytest.mark.parametrize(("container", "subtype"), [("MP3", "MPEG_LAYER_III"), ("FLAC", "PCM_16")])
def test_a_format_that_libsndfile_was_built_without_is_named_with_the_way_out(
    container: str, subtype: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refusing(soundfile.SoundFile):  # type: ignore[misc]  # has no types
        def __init__(self, *_: object, **__: object) -> None:
            raise soundfile.LibsndfileError(1)

    path = tmp_path / "a.bin"
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 8000), 16000, format=container, subtype=subtype)
    monkeypatch.setattr(decoders, "_forward", lambda: Refusing)
    monkeypatch.setattr(soundfile, "available_formats", lambda: {"WAV": "WAV (Microsoft)"})
    with pytest.raises(DataError, match=rf"it is {container}, .*built without it; .*a wheel .*or convert it: ffmpeg"):
        audio.read_recording(path, sample_rate=16000)


def test_a_codec_that_libsndfile_was_built_without_is_named_where_copies_are_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(soundfile, "check_format", lambda *_: False)
    with pytest.raises(DataError, match=r"coded by mp3: libsndfile .* built without it; leave it out of augment"):
        list(coded([np.zeros(800, np.float32)], "mp3", 8000))


def test_a_model_file_of_another_version_is_read_or_named_with_the_way_out(tmp_path: Path) -> None:
    data = (ROOT / "tests/kept/class-earlier/models.safetensors").read_bytes()
    (tmp_path / "old.safetensors").write_bytes(data)
    assert sg.load(tmp_path / "old.safetensors").card is None
    (tmp_path / "new.safetensors").write_bytes(data.replace(b'\\"format\\":1', b'\\"format\\":9'))
    with pytest.raises(ModelFileError, match=r"model format 9; this version reads up to \d+: upgrade speechgmm"):
        sg.load(tmp_path / "new.safetensors")
