"""What docs/reference/tasks.md says of a task is so: each yes is done in a small run, each no is refused by name."""

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import hum
from test_diarization import voice
from test_recognition import spoken
from typer.testing import CliRunner, Result

from speechgmm.cli import app
from speechgmm.config import load_config, make_config
from speechgmm.engine import run
from speechgmm.engine.comparison import compare_runs
from speechgmm.engine.console import Console
from speechgmm.engine.run_folder import RunFolder
from speechgmm.engine.sweeps import grid_points, sweep
from speechgmm.engine.task import AnyTask, task_named
from speechgmm.errors import ConfigError
from speechgmm.task_table import entries
from speechgmm.tasks.classification.codec import read_model_file

PAGE = (Path(__file__).parents[1] / "docs" / "reference" / "tasks.md").read_text()
RATE = 8000
RECIPE = "images"
"""The row of the page that is no task of a configuration."""


def quiet() -> Console:
    return Console(quiet=True)


# ---------------------------------------------------------------- the page


@cache
def matrix() -> dict[tuple[str, str], str]:
    """Row and column of the page's table -> what stands there."""
    head, _, *rows = (
        [cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.split("\n") if line[:1] == "|"
    )
    named = [(row[0][1 : row[0].index("]")], zip(head[1:], row[1:], strict=True)) for row in rows]
    return {(name, column): cell for name, cells in named for column, cell in cells}


def cells(wanted: str) -> list[tuple[str, str]]:
    return [place for place, cell in matrix().items() if cell == wanted]


def test_every_task_has_its_row_and_every_no_its_reason() -> None:
    assert set(matrix().values()) == {"yes", "no"}
    assert {name for name, _ in matrix()} == {*entries(), RECIPE}
    columns = list(dict.fromkeys(column for _, column in matrix()))
    about, _, why = PAGE.partition("## Why some cells say no")
    assert re.findall(r"^- \*\*(.+?)\*\*: ", about, re.MULTILINE) == columns
    reasons = re.findall(r"^- \*\*(\w+), (.+?)\*\*: \w", why, re.MULTILINE)
    given = [(name, column.replace(" and ", ", ")) for name, column in reasons if column != "everything"]
    assert [*given, *((RECIPE, column) for column in columns)] == cells("no")


# ---------------------------------------------------------------- a small run of every task


@dataclass(frozen=True)
class Made:
    """A run of a task, and what it was made of."""

    name: str
    config: Path
    folder: Path
    recordings: tuple[Path, ...]
    fold_models: tuple[str, ...]  # of folds, as ``train`` left them

    @property
    def run(self) -> RunFolder:
        return RunFolder(self.folder)

    @property
    def task(self) -> AnyTask:
        return task_named(self.name)

    @property
    def model(self) -> Path:
        return self.folder / "models.safetensors"

    def command(self, *words: object) -> Result:
        return CliRunner().invoke(app, [str(word) for word in words])


def manifest(folder: Path, head: str, rows: dict[str, np.ndarray]) -> None:
    """Recordings, each with the rest of its row in the manifest: ``path<TAB>rest`` -> samples."""
    for row, samples in rows.items():
        soundfile.write(folder / row.split("\t")[0], samples, RATE)
    (folder / "m.tsv").write_text("\n".join([head, *rows]) + "\n")


def words(folder: Path) -> None:
    """Three words by six speakers, twice each."""
    made = {}
    for speaker in range(6):
        for number, word in enumerate("abc"):
            for take in range(2):
                pitch = 90 * 1.5**number * (1 + 0.02 * speaker)
                samples = hum(100 * speaker + 10 * number + take, pitch, seconds=0.4)
                made[f"{speaker}{word}{take}.wav\t{word}\ts{speaker}"] = samples * (0.5 + 0.2 * speaker)
    manifest(folder, "path\tword\tspeaker", made)


def segments(folder: Path) -> None:
    """The same, each recording in two segments at a place of its own."""
    words(folder)
    rows = ["path\tstart\tend\tword\tspeaker"]
    for number, line in enumerate((folder / "m.tsv").read_text().splitlines()[1:]):
        path, rest = line.split("\t", 1)
        cut = 0.15 + 0.01 * (number % 10)
        rows += [f"{path}\t0\t{cut:.2f}\t{rest}", f"{path}\t{cut:.2f}\t0.4\t{rest}"]
    (folder / "m.tsv").write_text("\n".join(rows) + "\n")


def sentences(folder: Path) -> None:
    """Two words in a row, by four speakers."""
    pairs = [["up", "down"], ["down", "flat"], ["flat", "up"]]
    made = {f"{n}.wav\t{' '.join(pairs[n % 3])}\ts{n % 4}": spoken(pairs[n % 3], n)[0] for n in range(12)}
    manifest(folder, "path\ttext\tspeaker", made)


def machines(folder: Path) -> None:
    """A machine that hums, and clicks in three of the tests."""
    made = {}
    for n in range(22):
        samples, clicks = hum(n, 110.0 * (1 + 0.002 * (n % 7)), 0.6), n >= 19
        samples[2000:3600:400] += 0.9 * clicks
        part, condition = "train" if n < 14 else "test", "click" if clicks else "normal"
        made[f"{n}.wav\t{part}\t{condition}\tfan"] = np.clip(samples, -0.99, 0.99)
    manifest(folder, "path\tsplit\tcondition\tmachine", made)


def voices(folder: Path) -> None:
    """Sixteen speakers: eight in each fold, of whom four talk."""
    manifest(folder, "path\tspeaker", {f"s{n}.wav\ts{n}": voice(n, 6.0) for n in range(16)})


OF_WORDS = "corpus: {path: m.tsv, label: word, group: speaker, sample_rate: 8000, split: {kind: kfold, folds: 2}}\n"
BACKGROUND = "model: {adapt: map, ubm: {n_components: 2, max_iter: 3}}\n"

TASKS: dict[str, tuple[Callable[[Path], None], str]] = {
    "classification": (words, OF_WORDS + "model: {n_components: 2, max_iter: 3}\n"),
    "segments": (segments, OF_WORDS + "segments: {frame_components: 2, third_components: 1, weight_folds: 2}\n"),
    "verification": (
        words,
        "task: verification\n" + OF_WORDS.replace("label: word, group: speaker", "label: speaker") + BACKGROUND,
    ),
    "recognition": (
        sentences,
        "task: recognition\n" + OF_WORDS.replace("word", "text") + "features: {n_ceps: 8}\n"
        "hmm: {n_states: 2, silence_states: 1, n_components: 1, iterations: 3, variance_prior: 5}\n"
        "recognition: {silence: SIL, language: loop}\n",
    ),
    "anomaly": (
        machines,
        "task: anomaly\ncorpus: {path: m.tsv, label: machine, sample_rate: 8000}\n"
        "features: {n_ceps: 8, n_mels: 12}\nmodel: {n_components: 2, max_iter: 3}\n"
        "anomaly: {false_alarm: 0.1, folds: 2, streams: [{name: top, pool: top}]}\n",
    ),
    "clustering": (words, "task: clustering\n" + OF_WORDS + BACKGROUND + "clustering: {kind: sounds}\n"),
    "diarization": (
        voices,
        "task: diarization\n" + OF_WORDS.replace("word", "speaker") + "features: {n_ceps: 20, n_mels: 40, "
        "use_energy: false, vad: energy, vad_threshold: 1.0, vad_context: 5}\n"
        "diarization: {n_components: 4, conversations: 3, detector: false}\n",
    ),
}
"""Task -> who makes its recordings, and its configuration."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Made]:
    """The run of a task, made when it is first asked for; it was trained before it was run."""

    @cache
    def of(name: str) -> Made:
        place = tmp_path_factory.mktemp(name)
        make, text = TASKS[name]
        make(place)
        config = place / "c.yaml"
        config.write_text(f"{text}cache: cache\noutput: {place / 'run'}\nparallel: {{n_jobs: 1}}\n")
        run(config, console=quiet(), until="train")
        folds = tuple(path.parent.name for path in (place / "run" / "folds").glob("*/models.safetensors"))
        run(config, console=quiet())
        return Made(name, config, place / "run", tuple(sorted(place.glob("*.wav"))), folds)

    return of


# ---------------------------------------------------------------- each yes


def runs(made: Made) -> None:
    results = made.run.results
    assert results
    assert any(metric.low is not None and metric.low <= metric.value <= metric.high for metric in results.values())


def has_folds(made: Made) -> None:
    assert set(made.run.metrics["folds"]) == {"1", "2"}


def trains_folds(made: Made) -> None:
    assert set(made.fold_models) == {"1", "2"}


def is_swept(made: Made) -> None:
    config = load_config(made.config).config
    assert made.task.no_sweep is None
    made.task.check_sweep([config, config])
    assert made.task.criterion_name(config) in made.run.results


def is_compared(made: Made) -> None:
    copied = shutil.copytree(made.folder, made.folder.with_name("copied"), dirs_exist_ok=True)
    differences = [row.difference for row in compare_runs([made.folder, copied])]
    assert [difference.value for difference in differences if difference is not None] == [0]


def learns_more(made: Made) -> None:
    larger = made.folder.parent / "larger.safetensors"
    for command, label, model in (("enrol", "new", made.model), ("update", "new", larger)):
        which = made.recordings[0] if command == "enrol" else made.recordings[1]
        done = made.command(command, model, "--label", label, which, "--out", larger)
        assert done.exit_code == 0, done.stderr
    assert "new" in read_model_file(larger).models.labels


def goes_on_a_cluster(made: Made) -> None:  # what it writes there: tests/test_cluster.py
    parallel = load_config(made.config, ["parallel={backend: dask, scheduler: 'tcp://127.0.0.1:1'}"]).config.parallel
    assert parallel.backend == "dask"


def has_a_budget(made: Made) -> None:
    assert load_config(made.config, ["parallel.memory=500MB"]).config.parallel.memory_bytes() == 500_000_000


def is_reported(made: Made) -> None:
    pytest.importorskip("jinja2")
    pytest.importorskip("matplotlib")
    page = (made.folder / "report.html").read_text()
    said = made.task.settings(made.run)
    assert said
    assert all(name in page for name, _ in said)


def takes_new_recordings(made: Made) -> None:
    times = made.folder.parent / "times.tsv"
    times.write_text(f"path\tstart\tend\n{made.recordings[0].name}\t0\t0.2\n")
    one, several = made.recordings[:1], made.recordings[:6]
    done = made.command(
        *{
            "segments": ("score", made.model, *one, "--segments", times),
            "recognition": ("recognise", made.model, *made.recordings[:2]),
            "clustering": ("cluster", *several, "--model", made.model),
            "diarization": ("diarize", *one, "--model", made.model),
        }.get(made.name, ("score", made.model, *one))
    )
    assert done.exit_code == 0, done.stderr
    assert made.recordings[0].stem in done.stdout
    if "margin" in done.stdout:  # a table under the name of the recording: no column is empty
        heading, first = (line.split() for line in done.stdout.splitlines()[1:3])
        assert len(first) == len(heading) - len(heading[heading.index("margin") + 1 :])


YES = {
    "run": runs,
    "folds": has_folds,
    "fold models": trains_folds,
    "sweep": is_swept,
    "compare": is_compared,
    "enrol, update": learns_more,
    "Dask": goes_on_a_cluster,
    "memory budget": has_a_budget,
    "report": is_reported,
    "new recordings": takes_new_recordings,
}


@pytest.mark.parametrize(("task", "column"), cells("yes"))
def test_what_the_page_says_yes_to_is_done(made: Callable[[str], Made], task: str, column: str) -> None:
    YES[column](made(task))


# ---------------------------------------------------------------- each no


def refuses_folds(made: Made) -> str:
    with pytest.raises(ConfigError) as caught:
        run(made.config, ["corpus.split=kfold"], output=made.folder.parent / "no", console=quiet(), until="train")
    return str(caught.value)


def refuses_a_sweep(made: Made) -> str:
    with pytest.raises(ConfigError) as caught:
        sweep(made.config, grid_points(["seed=1,2"]), output=made.folder.parent / "no", console=quiet())
    return str(caught.value)


def refuses_to_learn_more(made: Made) -> str:
    out = made.folder.parent / "no.safetensors"
    first, second = (
        made.command(command, made.model, "--label", "new", made.recordings[0], "--out", out)
        for command in ("enrol", "update")
    )
    assert (first.exit_code, second.exit_code, out.exists()) == (2, 2, False)
    assert first.stderr == second.stderr
    assert made.task.no_enrolment is not None
    assert made.task.no_enrolment in first.stderr
    in_the_run = made.command("update", made.model, "--label", "new", made.recordings[0])
    assert in_the_run.stderr == first.stderr  # not that another file should be named first
    return first.stderr


def refuses_a_budget(made: Made) -> str:
    with pytest.raises(ConfigError, match=r"parallel\.memory is for task: ") as caught:
        load_config(made.config, ["parallel.memory=500MB"])
    return str(caught.value).partition("this configuration has ")[2]


NO = {
    "folds": refuses_folds,
    "fold models": refuses_folds,
    "sweep": refuses_a_sweep,
    "enrol, update": refuses_to_learn_more,
    "memory budget": refuses_a_budget,
}


@pytest.mark.parametrize(("task", "column"), [place for place in cells("no") if place[0] != RECIPE])
def test_what_the_page_says_no_to_is_refused_by_name(made: Callable[[str], Made], task: str, column: str) -> None:
    assert task in NO[column](made(task))


def test_images_are_no_task_of_a_configuration() -> None:
    with pytest.raises(ConfigError, match=rf"task is '{RECIPE}'; expected 'classification'"):
        make_config({"task": RECIPE})
