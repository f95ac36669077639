"""The table of scores has the same content wide, long, compressed and as Parquet, for all that reads it."""

import csv
import gzip
import json
import shutil
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import hum
from hypothesis import given, settings
from hypothesis import strategies as st

from speechgmm.engine import run, runs
from speechgmm.engine.comparison import compare_runs
from speechgmm.engine.console import Console
from speechgmm.engine.run_folder import RunFolder
from speechgmm.errors import ConfigError, DataError
from speechgmm.evaluation import Metric
from speechgmm.io import tables
from speechgmm.io.score_file import ClassScores, read_scores
from speechgmm.io.score_forms import FORMS, score_rows, scores_path, widened
from speechgmm.io.score_table import ClassTable, write_scores
from speechgmm.report import mistakes
from speechgmm.tasks.verification.fusion import fuse_files
from speechgmm.tasks.verification.score_files import evaluate_file

WRITTEN = {
    "wide": ("scores.tsv", []),
    "long": ("scores.tsv", ["tables.scores=long"]),
    "gzip": ("scores.tsv.gz", ["tables.gzip=true"]),
    "long, gzip": ("scores.tsv.gz", ["tables.scores=long", "tables.gzip=true"]),
    "parquet": ("scores.parquet", ["tables.scores=parquet"]),
}


def adapted(common: str) -> str:
    return common.replace("{n_components: 1, max_iter: 3}", "{adapt: map, ubm: {n_components: 2}, max_iter: 3}")


def quiet() -> Console:
    return Console(quiet=True)


@pytest.fixture(scope="module")
def configs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """A configuration of classification and one of verification, on the same recordings."""
    root = tmp_path_factory.mktemp("forms")
    for number, (name, pitch) in enumerate({"low": 110.0, "mid": 116.0, "high": 300.0, "top": 306.0}.items()):
        (root / "hums" / name).mkdir(parents=True)
        for n in range(6):
            samples = hum(100 * number + n, pitch * (1 + 0.02 * n), seconds=0.4)
            soundfile.write(root / "hums" / name / f"{n}.wav", samples, 8000)
    common = (
        "corpus: {kind: folder, root: hums, label: who, sample_rate: 8000, split: {kind: fraction, test: 0.5}}\n"
        "model: {n_components: 1, max_iter: 3}\ncache: cache\nparallel: {n_jobs: 1}\nreport: {audio: 0}\n"
    )
    found = {}
    for task in ("classification", "verification"):
        found[task] = root / f"{task}.yaml"
        found[task].write_text(f"task: {task}\n{common if task == 'classification' else adapted(common)}")
    return found


@pytest.fixture(scope="module")
def folders(configs: dict[str, Path]) -> dict[str, dict[str, Path]]:
    """By task and form, what a run with that form left in the folder that all forms were written into in turn."""
    found: dict[str, dict[str, Path]] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "report", lambda *_: None)  # drawing takes most of the time, and is compared below
        for task, config in configs.items():
            found[task] = {form: config.parent / task / form.replace(", ", "-") for form in WRITTEN}
            for form, (_, overrides) in WRITTEN.items():
                run(config, overrides, output=config.parent / task / "run", console=quiet())
                shutil.copytree(config.parent / task / "run", found[task][form])
    return found


@cache
def evaluated(folder: Path) -> dict[str, Metric]:
    return dict(evaluate_file(folder, None, None).metrics)


@pytest.mark.slow
@pytest.mark.parametrize("task", ["classification", "verification"])
@pytest.mark.parametrize("form", [form for form in WRITTEN if form != "wide"])
def test_a_run_has_its_scores_in_one_form_and_every_reader_finds_the_same_in_it(
    folders: dict[str, dict[str, Path]], task: str, form: str
) -> None:
    wide, folder = folders[task]["wide"], folders[task][form]
    assert [name.value for name in FORMS if (folder / name).exists()] == [WRITTEN[form][0]]  # no other stays beside it
    one, other = RunFolder(wide), RunFolder(folder)
    if task == "classification":
        first, second = one.decisions, other.decisions
        assert first is not None
        assert second is not None
        assert (second.ids, second.true, second.decided, second.labels) == (
            *(first.ids, first.true, first.decided),
            first.labels,
        )
        assert (second.scores == first.scores).all()
        assert second.unit == first.unit
    else:
        assert one.claims is not None
        assert other.claims is not None
        assert (other.claims.models, other.claims.tests) == (one.claims.models, one.claims.tests)
        assert (other.claims.trials.scores == one.claims.trials.scores).all()
    found = evaluate_file(folder if form == "gzip" else scores_path(folder), None, None)
    assert found.metrics == evaluated(wide)
    both = compare_runs([wide, folder])
    assert both[0].value == both[1].value == json.loads((wide / "metrics.json").read_text())[both[0].metric]["value"]


@pytest.mark.slow
def test_the_page_shows_the_same_errors_whatever_form_the_scores_have(folders: dict[str, dict[str, Path]]) -> None:
    expected = mistakes.section(RunFolder(folders["classification"]["wide"]), 0, None)
    assert expected is not None
    assert expected.tables[0].rows
    for folder in folders["classification"].values():
        assert mistakes.section(RunFolder(folder), 0, None) == expected


def test_fuse_takes_trials_of_any_form(folders: dict[str, dict[str, Path]]) -> None:
    texts = {fuse_files([folder], (), n_folds=4).text for folder in folders["verification"].values()}
    assert len(texts) == 1


def test_classes_in_the_long_form_are_refused_by_fuse_as_in_the_wide(folders: dict[str, dict[str, Path]]) -> None:
    for form in WRITTEN:
        with pytest.raises(DataError, match="decisions between classes; expected scores of trials"):
            fuse_files([folders["classification"][form]], (), n_folds=4)


def test_the_long_form_has_a_row_for_each_item_and_class(folders: dict[str, dict[str, Path]]) -> None:
    found = {}
    for form in ("wide", "long"):
        with (folders["classification"][form] / "scores.tsv").open() as file:
            found[form] = list(csv.DictReader(file, delimiter="\t"))
    expected = [
        {name: row[name] for name in ("id", "true", "predicted", "n_frames")}
        | {"class": label, "mean_log_likelihood": row[label]}
        for row in found["wide"]
        for label in ("high", "low", "mid", "top")
    ]
    assert found["long"] == expected


def test_pandas_reads_parquet_with_numbers_as_numbers_and_names_as_text(folders: dict[str, dict[str, Path]]) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.read_parquet(folders["classification"]["parquet"] / "scores.parquet")
    assert list(frame.columns) == ["id", "true", "predicted", "n_frames", "class", "mean_log_likelihood"]
    assert (frame["n_frames"].dtype.kind, frame["mean_log_likelihood"].dtype.kind) == ("i", "f")
    best = frame.loc[frame.groupby("id")["mean_log_likelihood"].idxmax()]
    assert (best["class"] == best["predicted"]).all()


def test_compressed_scores_have_the_same_bytes_whenever_they_are_written(tmp_path: Path) -> None:
    found = set()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_scores(tmp_path / name, "model\ttest\tscore\na\tb\t1.0\n", "wide", compressed=True)
        found.add((tmp_path / name / "scores.tsv.gz").read_bytes())
    assert len(found) == 1
    assert gzip.decompress(found.pop()) == b"model\ttest\tscore\na\tb\t1.0\n"


def test_gzip_beside_parquet_is_refused(configs: dict[str, Path]) -> None:
    with pytest.raises(ConfigError, match=r"tables\.gzip has no effect with tables\.scores: parquet"):
        run(configs["classification"], ["tables.scores=parquet", "tables.gzip=true"], console=quiet())


def test_parquet_without_pyarrow_is_refused_before_anything_is_extracted(
    configs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigError, match=r"speechgmm\[parquet\]"):
        run(configs["classification"], ["tables.scores=parquet"], output=tmp_path / "run", console=quiet())
    assert not (tmp_path / "run" / "protocol.tsv").exists()


names = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1, max_size=6).map(str.strip)
distinct = st.lists(names.filter(bool), min_size=2, max_size=4, unique=True)


@settings(max_examples=30)
@given(distinct, distinct, st.integers(0, 2**32 - 1), st.booleans())
def test_any_labels_and_scores_come_back_from_every_form(
    tmp_path_factory: pytest.TempPathFactory, ids: list[str], labels: list[str], seed: int, are_posteriors: bool
) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.normal(-50, 30, (len(ids), len(labels))).round(6)
    true, predicted = ([labels[n] for n in rng.integers(len(labels), size=len(ids))] for _ in range(2))
    columns = {"id": ids, "true": true, "predicted": predicted, "n_frames": [*range(1, len(ids) + 1)]}
    folder = tmp_path_factory.mktemp("any")
    for form, packed in (("wide", False), ("long", True), ("parquet", False)):
        write_scores(folder, ClassTable(columns, tuple(labels), scores, are_posteriors), form, compressed=packed)  # type: ignore[arg-type]
        head, *rows = widened(score_rows(scores_path(folder)))
        prefix = "log_posterior:" if are_posteriors else ""
        assert head == [*columns, *(prefix + label for label in labels)]
        assert [row[:3] for row in rows] == [list(row) for row in zip(ids, true, predicted, strict=True)]
        assert (np.array([row[4:] for row in rows], float) == scores).all()


def test_a_long_table_whose_items_have_other_classes_is_refused_by_name(
    folders: dict[str, dict[str, Path]], tmp_path: Path
) -> None:
    lines = (folders["classification"]["long"] / "scores.tsv").read_text().splitlines()
    path = tmp_path / "scores.tsv"
    path.write_text("\n".join(lines[:-1]))
    with pytest.raises(DataError, match=r"has 3 rows of classes; expected the 4 classes of the first item"):
        read_scores(path)


def test_a_mistake_in_a_long_table_is_named_with_its_line(folders: dict[str, dict[str, Path]], tmp_path: Path) -> None:
    head, *rows = (folders["classification"]["long"] / "scores.tsv").read_text().splitlines()
    path = tmp_path / "scores.tsv"
    rows[5] = "\t".join([*rows[5].split("\t")[:-1], "much"])  # of the second item, which begins in line 6
    path.write_text("\n".join([head, *rows]))
    with pytest.raises(DataError, match="line 6: 'much' where a number is expected"):
        read_scores(path)


def test_a_score_file_of_another_toolkit_may_be_compressed(
    folders: dict[str, dict[str, Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = folders["classification"]["wide"] / "scores.tsv"
    path = tmp_path / "any.name"
    path.write_bytes(gzip.compress(plain.read_bytes()))
    found, expected = read_scores(path), read_scores(plain)
    assert isinstance(found, ClassScores)
    assert isinstance(expected, ClassScores)
    assert (found.ids, found.labels) == (expected.ids, expected.labels)
    assert (found.scores == expected.scores).all()
    path.write_bytes(gzip.compress(plain.read_bytes())[:-20])
    with pytest.raises(DataError, match="compressed by gzip, and damaged"):
        read_scores(path)
    monkeypatch.setattr(tables, "MOST_UNPACKED", 1000)
    path.write_bytes(gzip.compress(b"0" * 2000))
    with pytest.raises(DataError, match="more than 1000 bytes"):
        read_scores(path)


def test_damaged_scores_of_a_run_are_named_whatever_their_form(
    folders: dict[str, dict[str, Path]], tmp_path: Path
) -> None:
    for form in ("gzip", "parquet"):
        name, _ = WRITTEN[form]
        folder = tmp_path / form
        folder.mkdir()
        (folder / "config.yaml").write_text((folders["classification"][form] / "config.yaml").read_text())
        (folder / name).write_bytes((folders["classification"][form] / name).read_bytes()[:-30])
        with pytest.raises(DataError, match=name):
            RunFolder(folder).decisions  # noqa: B018
