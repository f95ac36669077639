"""Every code block of the site and of the README runs: Python, commands, configurations.

The blocks of a page run in their order, in one folder that holds the recordings of ``make_world``: Python in one
namespace, ``speechgmm`` commands as they stand, a configuration (yaml) through the reader, and into a file where its
first line names one (``# birds.yaml``). A block that cannot run here has a line above it that says why::

    <!-- not run: needs a Dask cluster -->

(sybil and pytest-examples make a test of each block; pytest-xdist would then run the blocks of a page apart.)
"""

import contextlib
import io
import logging
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import loadable
import numpy as np
import pytest
import soundfile
import yaml
from conftest import hum
from typer.testing import CliRunner

from speechgmm.cli import app
from speechgmm.config import make_config

REPOSITORY = Path(__file__).parents[1]
FILES = [
    path
    for path in sorted((REPOSITORY / "docs").rglob("*.md"))
    if not path.read_text(encoding="utf-8").startswith("% Generated")
]
EXTRAS = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["optional-dependencies"]
RUN_BY = {
    "docs/how-to/plots.md": "test_plots.py",
    "docs/how-to/scikit-learn.md": "test_sklearn_tools.py",
    "docs/how-to/service.md": "test_service.py",
}
"""Pages that a test of their own runs, with the models that they need."""

LANGUAGES = {"python", "sh", "bash", "console", "yaml"}
MOST_NOT_RUN = 19
"""Blocks that say why they are not run. The number may only shrink: give a new page blocks that run."""

FENCE = re.compile(
    r"(?:^<!-- not run: (?P<reason>[^\n]+) -->\n+)?^```(?P<language>\w+)\n(?P<code>.*?)^```$", re.DOTALL | re.MULTILINE
)


@dataclass(frozen=True)
class Block:
    """A block of code of a page; ``reason``: why it is not run."""

    page: Path
    line: int
    language: str
    code: str
    reason: str | None

    def __str__(self) -> str:
        return f"{name_of(self.page)}:{self.line}"


def blocks_of(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for found in FENCE.finditer(text):
        if found["language"] in LANGUAGES:
            line = text.count("\n", 0, found.start("code")) + 1
            yield Block(page, line, found["language"], found["code"], found["reason"])


PAGES = [page for page in (REPOSITORY / "README.md", *FILES) if any(blocks_of(page))]


def name_of(page: Path) -> str:
    return page.relative_to(REPOSITORY).as_posix()


def make_world(folder: Path) -> None:
    """What the pages find: recordings of three birds, a new one, a long one, a call; and a model of each task."""
    loadable.write_runs(folder / "runs")
    soundfile.write(folder / "call.wav", loadable.call(), 8000)
    for number, (name, pitch) in enumerate({"robin": 210.0, "wren": 330.0, "thrush": 140.0}.items()):
        (folder / "birds" / name).mkdir(parents=True)
        for n in range(10):
            soundfile.write(folder / "birds" / name / f"{n}.wav", hum(50 * number + n, pitch * (1 + 0.01 * n)), 8000)
    for n in range(4):
        (folder / "voices" / f"voice{n}").mkdir(parents=True)
        for k in range(6):
            soundfile.write(folder / f"voices/voice{n}/{k}.wav", hum(700 + 9 * n + k, 100.0 + 40 * n, 1.5), 8000)
    for name, n_recordings, pitch in (("normal", 20, 150.0), ("leak", 4, 400.0)):
        (folder / "pump" / name).mkdir(parents=True)
        for n in range(n_recordings):
            soundfile.write(folder / f"pump/{name}/{n}.wav", hum(900 + n, pitch + n), 8000)
    for name, pitch in (("anna", 220.0), ("ben", 120.0)):
        soundfile.write(folder / f"{name}.wav", hum(int(pitch), pitch, 10.0, 16000), 16000)
    soundfile.write(folder / "recording.wav", hum(991, 212.0), 8000)
    for name in ("ben1.wav", "ben2.wav"):
        soundfile.write(folder / name, hum(int(name[3]), 120.0, 2.0), 8000)
    soundfile.write(folder / "night.flac", np.concatenate([hum(992 + n, 330.0) for n in range(12)]), 8000)


def make_runs(folder: Path) -> None:
    """Runs, a configuration of the birds, and score files of two systems with their truth."""
    for name, kept in (("words", "class"), ("verification", "verify-norm")):
        shutil.copytree(REPOSITORY / "tests" / "kept" / kept, folder / "runs" / name, dirs_exist_ok=True)
    (folder / "sounds.yaml").write_text("corpus: {kind: folder, root: birds, split: fraction, sample_rate: 8000}\n")
    rng = np.random.default_rng(0)
    pairs = [(f"m{m}", f"t{t}", m == t % 12) for m in range(12) for t in range(36)]
    rows = [(model, test, "target" if same else "nontarget") for model, test, same in pairs]
    for name in ("trials", "dev-trials"):
        (folder / name).write_text("".join(f"{' '.join(row)}\n" for row in rows))
    for name in ("scores.tsv", "a.tsv", "b.tsv", "a-dev.tsv", "b-dev.tsv"):
        scores = rng.normal([3.0 * same for *_, same in pairs])
        lines = [f"{model} {test} {score:.4f}\n" for (model, test, _), score in zip(pairs, scores, strict=True)]
        (folder / name).write_text("".join(lines))
    lines = [",".join([*row, f"{score:.4f}\n"]) for row, score in zip(rows, scores, strict=True)]
    (folder / "table.csv").write_text("model,test,target,llr\n" + "".join(lines))


def make_strings(folder: Path) -> None:
    """Recordings of two and three words by three speakers, their manifest, and a dictionary of low and high sounds."""
    units = {"one": (130, 260), "two": (260, 130), "seven": (180, 180)}
    rng, pause = np.random.default_rng(0), np.zeros(960, np.float32)
    texts = [list(rng.choice(list(units), 2 + n % 2)) for n in range(18)]
    for n, words in enumerate([*texts, ["two", "seven", "one"]]):
        parts = [pause]
        for word in words:
            sounds = [hum(31 * n + k, pitch * rng.uniform(0.95, 1.05), 0.16) for k, pitch in enumerate(units[word])]
            parts += [*sounds, pause]
        samples = np.concatenate(parts)
        soundfile.write(folder / f"string{n}.wav", samples + 1e-3 * rng.standard_normal(len(samples)), 8000)
        place = folder / "speech" / f"s{n % 3}"
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / f"string{n}.wav", place)
        (place / f"string{n}.lab").write_text(" ".join(words).capitalize() + ".")
    rows = [f"string{n}.wav\t{' '.join(words)}\ts{n % 3}\t" for n, words in enumerate(texts)]
    splits = ["test" if n % 3 == 2 else "train" for n in range(18)]
    table = "\n".join(row + split for row, split in zip(rows, splits, strict=True))
    (folder / "manifest.tsv").write_text(f"path\ttext\tspeaker\tsplit\n{table}\n")
    (folder / "said.tsv").write_text("path\ttext\nstring18.wav\ttwo seven one\n")
    (folder / "words.dict").write_text("one L H\ntwo H L\nseven M M\n")


def commands_in(code: str) -> Iterator[list[str]]:
    """The words of each command of a shell block, patterns of file names resolved."""
    for line in code.replace("\\\n", " ").splitlines():
        words = shlex.split(line.removeprefix("$ "), comments=True)
        if words:
            yield [one for word in words for one in (matching(word) or [word])]


def matching(pattern: str) -> list[str]:
    return sorted(map(str, Path().glob(pattern))) if "*" in pattern or "[" in pattern else []


def run_command(words: list[str]) -> None:
    """Run one ``speechgmm`` command, its output into a file where it says so, or a recipe; look pip and make up."""
    if words[:2] == ["pip", "install"]:
        extras = re.fullmatch(r"speechgmm(?:\[([\w,]+)\])?", words[2])
        assert extras, f"{words[2]} is not this package"
        assert {*(extras[1] or "dev").split(",")} <= {*EXTRAS}, f"{words[2]}: no such extra"
        return
    if words[0] == "make":
        assert re.search(rf"^{words[1]}:", (REPOSITORY / "Makefile").read_text(), re.MULTILINE), f"no target {words[1]}"
        return
    if words[0] == "python":
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        script = Path(words[1]) if Path(words[1]).is_file() else REPOSITORY / words[1]
        subprocess.run([sys.executable, script, *words[2:]], check=True, env=environment, stdout=subprocess.DEVNULL)
        return
    assert words[0] == "speechgmm", f"{words[0]} is no command of ours: mark the block as not run"
    target = words[words.index(">") + 1] if ">" in words else None
    result = CliRunner().invoke(app, words[1 : words.index(">") if ">" in words else None])
    assert result.exit_code == 0, f"{' '.join(words)}\n{result.output}"
    if target:
        Path(target).write_text(result.stdout, encoding="utf-8")


def check_configuration(code: str) -> None:
    """A configuration is read as a file of a user would be, but for its recordings."""
    named = re.match(r"# ([\w./-]+\.ya?ml)", code)
    if named:
        Path(named[1]).write_text(code, encoding="utf-8")
    make_config(yaml.safe_load(code))


def test_a_page_that_is_run_elsewhere_is_named_there() -> None:
    for page, test in RUN_BY.items():
        assert Path(page).name in (REPOSITORY / "tests" / test).read_text(), f"{test} does not run {page}"


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if name_of(page) not in RUN_BY], ids=name_of)
def test_every_block_of_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = [block for block in blocks_of(page) if block.reason is None]
    make_world(tmp_path)
    make_runs(tmp_path)
    make_strings(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPEECHGMM_CACHE", str(tmp_path / "cache"))
    for name in ("handlers", "level"):  # which a page may set, for itself alone
        monkeypatch.setattr(logging.root, name, getattr(logging.root, name) if name == "level" else [])
    namespace: dict[str, Any] = {"__name__": "__page__"}
    for block in blocks:
        with contextlib.redirect_stdout(io.StringIO()):
            try:
                if block.language == "python":
                    exec(compile(block.code, str(block), "exec"), namespace)
                elif block.language == "yaml":
                    check_configuration(block.code)
                else:
                    for words in commands_in(block.code):
                        run_command(words)
            except Exception as error:
                raise AssertionError(f"{block} ({block.language}) fails: {error}") from error


def test_the_blocks_that_do_not_run_say_why_and_are_no_more_than_they_were() -> None:
    skipped = [block for page in PAGES for block in blocks_of(page) if block.reason is not None]
    shown = "\n".join(f"{block}: {block.reason}" for block in skipped)
    assert len(skipped) == MOST_NOT_RUN, f"{len(skipped)} blocks are not run; write that number if it shrank:\n{shown}"
