"""Labels that the sound contradicts: planted faults are found, sound labels are not doubted."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import hum
from hypothesis import given, settings
from hypothesis import strategies as st

import speechgmm as sg
from speechgmm.cli.audit_command import Audit
from speechgmm.clustering.label_audit import AS_ONE, DIFFERENT, Doubt, closeness, doubtful_labels
from speechgmm.engine.console import Console
from speechgmm.engine.label_audit import _to_listen_to, points_of
from speechgmm.errors import DataError
from speechgmm.vectors.supervectors import piece_statistics

N_NAMES, N_DIMS = 20, 60


def parts(seed: int, per_name: int = 3, spread: float = 0.4) -> tuple[np.ndarray, list[str]]:
    rng = np.random.default_rng(seed)
    speakers = np.repeat(np.arange(N_NAMES), per_name)
    return rng.normal(size=(N_NAMES, N_DIMS))[speakers] + spread * rng.normal(size=(len(speakers), N_DIMS)), [
        f"s{n}" for n in speakers
    ]


@settings(max_examples=20)
@given(st.integers(0, 10_000))
def test_sound_labels_are_not_doubted_and_planted_faults_are_found(seed: int) -> None:
    points, names = parts(seed)
    assert doubtful_labels(points, names) == []
    split = [name if number != 4 else "s9" for number, name in enumerate(names)]  # a part of s1 under another name
    found = doubtful_labels(points, split)
    # Of strangers, some are by chance as close as 2 standard deviations.
    apart = closeness(points, split)[[27, 28, 29], 4].mean()
    assert [one.names for one in found] == ([("s9",)] if apart < DIFFERENT else [])
    for one in found:
        assert one.groups == ((27, 28, 29), (4,))
        assert one.neighbours[0][0] == "s1"


def test_one_voice_under_two_names_is_mostly_found_and_no_other_pair() -> None:
    found = []
    for seed in range(30):
        points, names = parts(seed)
        merged = [name if number not in (3, 4) else "new" for number, name in enumerate(names)]  # s1 under two names
        doubts = doubtful_labels(points, merged)
        assert all(set(one.names) == {"s1", "new"} for one in doubts)
        assert all(one.closeness >= AS_ONE * one.expected for one in doubts)
        found.append(len(doubts))
    assert sum(found) >= 24


def test_closeness_is_the_obvious_loop() -> None:
    points, names = parts(1, per_name=2)
    directions = points - points.mean(axis=0)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    z = closeness(points, names)
    for i in range(0, len(points), 7):
        for j in range(0, len(points), 5):
            sides = []
            for one in (i, j):
                others = [directions[one] @ directions[k] for k in range(len(points)) if names[k] != names[one]]
                middle = np.median(others)
                spread = 1.4826 * np.median(np.abs(np.array(others) - middle))
                sides.append((directions[i] @ directions[j] - middle) / spread)
            assert z[i, j] == pytest.approx(np.mean(sides))


def test_a_background_component_without_weight_changes_no_part() -> None:
    rng = np.random.default_rng(2)
    ubm = sg.DiagGMM([0.5, 0.5], rng.normal(size=(2, 3)), rng.uniform(0.5, 2, (2, 3)))
    arrays = (np.append(ubm.weights, 0.0), *(np.vstack([part, np.ones((1, 3))]) for part in (ubm.means, ubm.variances)))
    recordings = [rng.normal(size=(n, 3)) for n in (5, 50)]
    found = points_of(sg.DiagGMM(*arrays), piece_statistics(sg.DiagGMM(*arrays), recordings))
    np.testing.assert_allclose(found[:, :6], points_of(ubm, piece_statistics(ubm, recordings)), rtol=1e-4)
    assert not found[:, 6:].any()


def test_short_parts_are_not_judged_and_few_names_neither() -> None:
    points, names = parts(2)
    names[4] = "s9"
    seconds = np.full(len(names), 30.0)
    assert len(doubtful_labels(points, names, seconds)) == 1
    seconds[4] = 2.0
    assert doubtful_labels(points, names, seconds) == []
    with pytest.raises(DataError, match=r"4 names; .* needs 5 names or more"):
        doubtful_labels(points[:9], names[:9])
    with pytest.raises(DataError, match="no name has two parts of 3 s"):
        doubtful_labels(points, names, np.full(len(names), 2.0))


def test_names_whose_own_parts_are_as_close_as_strangers_are_not_called_sound(
    voices: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(DataError, match=r"different speakers \(z -?0\.\d at the median, and 2\.5 is needed"):
        doubtful_labels(rng.normal(size=(60, 40)), parts(0)[1])
    rows = (voices / "m.tsv").read_text().splitlines()
    few = [rows[0], *(row for row in rows if row.startswith(("v0", "v1")))]
    (tmp_path / "m.tsv").write_text("\n".join(few) + "\n")
    Audit(
        source=voices / "c.yaml", overrides=[f"corpus.path={tmp_path}/m.tsv", f"corpus.root={voices}"], quiet=True
    ).run()
    assert (
        capsys.readouterr().out == "no speaker was judged: 2 names; parts are compared with those of other speakers, "
        "and that needs 5 names or more\n"
    )


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven voices with three recordings of 4 s each; the last of v2 is v5's, and one recording has two names."""
    folder = tmp_path_factory.mktemp("voices")
    rows = ["path\tspeaker\tsplit"]
    for speaker in range(7):
        for take in range(3):
            samples = hum(100 * speaker + take, 90 * 1.2**speaker * (1 + 0.004 * take), seconds=4)
            soundfile.write(folder / f"v{speaker}-{take}.wav", samples, 8000)
            name = "v2" if (speaker, take) == (5, 2) else f"v{speaker}"
            rows.append(f"v{speaker}-{take}.wav\t{name}\t{'test' if take == 1 else 'train'}")
    (folder / "copy.wav").write_bytes((folder / "v3-0.wav").read_bytes())
    rows.append("copy.wav\tv6\ttrain")
    (folder / "m.tsv").write_text("\n".join(rows) + "\n")
    (folder / "c.yaml").write_text(
        "task: verification\ncorpus: {path: m.tsv, label: speaker, sample_rate: 8000}\n"
        "model: {adapt: map, relevance: 4, init: split, ubm: {n_components: 8, max_iter: 10}}\n"
        "parallel: {n_jobs: 1}\ncache: cache\n"
    )
    return folder


@pytest.mark.slow
def test_the_command_the_run_and_its_page_name_the_same_labels(
    voices: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Audit(source=voices / "c.yaml", out=voices / "audit.tsv", quiet=True).run()
    printed = capsys.readouterr().out
    assert "the same recording under several labels (v3-0 | copy)" in printed
    assert "v2: v2-0 v2-1 v2-2 | v5-2 score as different speakers" in printed
    assert "listen to v2-0 | v5-2" in printed
    with (voices / "audit.tsv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert [row["kind"] for row in rows][:2] == ["copies", "different voices"]
    assert rows[1]["nearest"].startswith("v")
    sg.run(voices / "c.yaml", output=voices / "run", console=Console())
    assert "may be wrong" in capsys.readouterr().err
    with (voices / "run" / "audit.tsv").open(newline="") as file:
        assert {row["labels"] for row in csv.DictReader(file, delimiter="\t")} >= {"v2"}
    page = (voices / "run" / "report.html").read_text()
    assert "Labels that may be wrong" in page
    Audit(source=voices / "run", quiet=True).run()
    assert "v2: v2-0" in capsys.readouterr().out


def test_of_a_doubtful_session_the_recording_that_is_least_like_the_others_is_named() -> None:
    rng = np.random.default_rng(0)
    own, other = rng.normal(size=(2, 40))
    points = np.array([own, own + 0.1 * rng.normal(size=40), 0.5 * (own + other), *rng.normal(size=(7, 40))])
    recordings = [own + 0.1 * rng.normal(size=40), other, own + 0.1 * rng.normal(size=40)]
    doubt = Doubt(("a",), ((0, 1), (2,)), 1.0, 2.0, (("b", 0.5),))
    assert _to_listen_to(doubt, points, lambda part: np.array(recordings)) == [(0, 0), (2, 1)]
    pair = Doubt(("a", "b"), ((0, 1), (2,)), 4.0, 4.0, ())
    assert _to_listen_to(pair, points, lambda part: np.array(recordings)) == [(0, 0), (2, 0)], "alike: any of them"


@pytest.mark.slow
def test_real_labels_that_are_doubtful_are_found_and_sound_ones_are_not(shared: Path, tmp_path: Path) -> None:
    """VoxForge: of the names with several sessions, one falls into two groups of three, one has a lone session."""
    root = shared / "data" / "voxforge-ru"
    if not (root / "items.tsv").exists():
        pytest.skip(f"VoxForge's Russian readers are not at {root}")
    job = sg.engine.prepare(
        Path(__file__).parents[1] / "configs" / "voxforge-ru.yaml",
        [f"corpus.path={root / 'items.tsv'}", f"cache={tmp_path}"],
        console=Console(quiet=True),
    )
    from speechgmm.engine.label_audit import audit_labels

    found = audit_labels(job, replace(job.task.extract(job)[0], copies=()))
    strangers = [one for one in found.doubts if one.kind == "different voices"]
    sizes = sorted(sorted(len(group.split(" ")) for group in one.parts.split(" | ")) for one in strangers)
    assert sizes == [[1, 5], [3, 3]]
