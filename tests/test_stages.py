"""Every stage that may take long says how far it is: with a bar on a terminal, else with a line at its end."""

import re
from pathlib import Path

import pytest

from speechgmm.engine.console import Console
from speechgmm.engine.runs import run

FOLDER = "corpus: {kind: folder, root: hums, label: pitch, sample_rate: 8000, split: fraction}\n"
UNITS = f"task: recognition\n{FOLDER}hmm: {{n_states: 2, n_components: 2, iterations: 3, tol: 0}}\n"
SEGMENTS = (
    "corpus: {path: m.tsv, root: hums, label: pitch, group: speaker, sample_rate: 8000, split: column}\n"
    "features: {n_ceps: 6}\n"
    "segments: {weight_folds: 2, frame_components: 1, third_components: 1}\n"
)
CLUSTERS = f"task: clustering\n{FOLDER}model: {{adapt: map, ubm: {{n_components: 2, max_iter: 2}}}}\n"


def table(root: Path) -> str:
    """Two segments of each recording, of four speakers."""
    rows = ["path\tstart\tend\tpitch\tspeaker\tsplit"]
    for name in ("low", "mid", "high"):
        for n in range(8):
            middle, split = 0.2 + 0.01 * n, "test" if n % 4 == 3 else "train"
            rows += [f"{name}/{n}.wav\t{s}\t{e}\t{name}\ts{n % 4}\t{split}" for s, e in ((0, middle), (middle, 0.5))]
    return "\n".join(rows) + "\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (UNITS, ["training HMMs: passes over the utterances: 10", r"recognising: \d+"]),
        (SEGMENTS, ["training segment models: folds and all: 3", "scoring the test split: 6"]),
        (CLUSTERS, ["measuring the training split: 1", r"statistics of recordings: \d+"]),
    ],
)
def test_a_run_says_how_far_each_stage_is(
    text: str, lines: list[str], config_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (config_file.parent / "m.tsv").write_text(table(config_file.parent))
    path = config_file.parent / "stages.yaml"
    path.write_text(f"{text}cache: cache\nparallel: {{n_jobs: 1}}\nreport: {{audio: 0}}\n")
    run(path, output=config_file.parent / "stages", console=Console())
    printed = capsys.readouterr().err
    for line in ("extracting features: 24", *lines):
        assert re.search(rf"^{line} in [\d.]+ s$", printed, re.MULTILINE), (line, printed)


def test_a_map_that_counts_says_how_often_it_was_called_and_not_how_often_it_might_have_been(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Console().counted(map, 99, "passes") as spread:
        assert [list(spread(abs, [-n, n])) for n in (1, 2)] == [[1, 1], [2, 2]]
    assert re.fullmatch(r"passes: 2 in [\d.]+ s\n", capsys.readouterr().err)
