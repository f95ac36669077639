"""Readers of DCASE's task 2 and of MIMII, on miniature trees with the names of the originals."""

from collections import Counter
from pathlib import Path

import pytest

from speechgmm.corpus import Corpus, CorpusSpec, read_corpus
from speechgmm.errors import DataError


def tree(root: Path, *names: str) -> Path:
    """Empty files: readers open none."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def read(kind: str, root: Path, label: str = "unit") -> Corpus:
    return read_corpus(CorpusSpec(kind=kind, label=label), path=None, root=root)  # type: ignore[arg-type]


DCASE_2020 = (
    "fan/train/normal_id_00_00000000.wav",
    "fan/train/normal_id_02_00000000.wav",
    "fan/test/normal_id_00_00000000.wav",
    "fan/test/anomaly_id_00_00000000.wav",
    "fan/test/anomaly_id_02_00000000.wav",
    "ToyCar/train/normal_id_01_00000000.wav",
    "ToyCar/test/anomaly_id_01_00000000.wav",
)


def test_dcase_2020_is_read_as_it_is(tmp_path: Path) -> None:
    corpus = read("dcase", tree(tmp_path, *DCASE_2020))
    found = {u.id: (u.split, u.label("unit"), u.label("condition"), u.label("machine")) for u in corpus}
    assert len(found) == 7
    assert found["fan/train/normal_id_00_00000000"] == ("train", "fan id_00", "normal", "fan")
    assert found["fan/test/anomaly_id_02_00000000"] == ("test", "fan id_02", "anomaly", "fan")
    assert found["ToyCar/test/anomaly_id_01_00000000"] == ("test", "ToyCar id_01", "anomaly", "ToyCar")
    assert not corpus.notes


def test_one_machine_of_dcase_is_read_too(tmp_path: Path) -> None:
    corpus = read("dcase", tree(tmp_path, *DCASE_2020) / "fan")
    assert {u.label("unit") for u in corpus} == {"fan id_00", "fan id_02"}


def test_later_names_of_dcase_have_sections_domains_and_attributes(tmp_path: Path) -> None:
    corpus = read(
        "dcase",
        tree(
            tmp_path,
            "valve/train/section_00_source_train_normal_0000_pattern_00_no_pump.wav",
            "valve/train/section_01_target_train_normal_0001.wav",
            "valve/test/section_00_source_test_anomaly_0000_pattern_00.wav",
            "fan/train/section_00_source_train_normal_0000_strength_1_ambient.wav",
            "fan/source_test/section_00_source_test_normal_0000.wav",
            "fan/target_test/section_00_target_test_anomaly_0000.wav",
        ),
    )
    found = {u.path.name: (u.split, dict(u.labels or {})) for u in corpus}
    split, labels = found["section_00_source_train_normal_0000_pattern_00_no_pump.wav"]
    assert split == "train"
    assert labels == {
        "machine": "valve",
        "unit": "valve section_00",
        "condition": "normal",
        "domain": "source",
        "attributes": "pattern_00_no_pump",
    }
    assert found["section_00_target_test_anomaly_0000.wav"][0] == "test"
    assert found["section_00_target_test_anomaly_0000.wav"][1]["condition"] == "anomaly"
    assert found["section_01_target_train_normal_0001.wav"][1]["unit"] == "valve section_01"


def test_recordings_without_a_condition_or_of_other_names_are_left_out_with_a_note(tmp_path: Path) -> None:
    corpus = read(
        "dcase",
        tree(tmp_path, *DCASE_2020, "fan/test/id_00_00000496.wav", "fan/test/section_00_0001.wav", "fan/train/x.wav"),
    )
    assert len(corpus) == 7
    assert any("2 recordings are without a condition" in note for note in corpus.notes)
    assert any("1 recording is not named as" in note and "x.wav" in note for note in corpus.notes)


def test_an_anomaly_in_a_training_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"fan/train/anomaly_id_00_00000000\.wav: an anomaly in a training folder"):
        read("dcase", tree(tmp_path, *DCASE_2020, "fan/train/anomaly_id_00_00000000.wav"))


def mimii(root: Path, level: str = "6_dB_fan", n_normal: int = 5, n_odd: int = 2) -> Path:
    names = [f"{level}/fan/id_00/normal/{n:08d}.wav" for n in range(n_normal)]
    return tree(root, *names, *(f"{level}/fan/id_00/abnormal/{n:08d}.wav" for n in range(n_odd)))


def test_mimii_is_divided_as_by_its_authors_baseline(tmp_path: Path) -> None:
    corpus = read("mimii", mimii(tmp_path))
    assert Counter((u.split, u.label("condition")) for u in corpus) == {
        ("train", "normal"): 3,
        ("test", "normal"): 2,
        ("test", "anomaly"): 2,
    }
    tested = {u.path.name for u in corpus if u.split == "test" and u.label("condition") == "normal"}
    assert tested == {"00000000.wav", "00000001.wav"}  # the first ones
    assert {u.label("unit") for u in corpus} == {"fan id_00"}
    assert {u.label("level") for u in corpus} == {"6 dB"}


@pytest.mark.parametrize("below", [".", "6_dB_fan", "6_dB_fan/fan"])
def test_mimii_is_read_from_any_folder_down_to_a_machines(tmp_path: Path, below: str) -> None:
    assert len(read("mimii", mimii(tmp_path) / below)) == 7


def test_levels_of_mimii_are_units_of_their_own(tmp_path: Path) -> None:
    mimii(tmp_path, "-6dB_fan")
    corpus = read("mimii", mimii(tmp_path, "0_dB_fan"))
    assert {u.label("unit") for u in corpus} == {"fan id_00 -6 dB", "fan id_00 0 dB"}


def test_a_unit_of_mimii_with_nothing_normal_to_train_on_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="fan/id_00: 2 normal recordings and 2 anomalies"):
        read("mimii", mimii(tmp_path, n_normal=2))


@pytest.mark.parametrize("kind", ["dcase", "mimii"])
def test_what_is_neither_is_refused_with_what_was_expected(tmp_path: Path, kind: str) -> None:
    with pytest.raises(DataError, match=r"not (DCASE's task 2|MIMII)"):
        read(kind, tree(tmp_path, "a/b/c.wav"))
    with pytest.raises(DataError, match=r"corpus\.label is 'word'"):
        read(kind, mimii(tmp_path), "word")
