"""Corpora of recordings with label files: every format gives the same corpus, and trains from a configuration."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speechgmm import run
from speechgmm.config import load_config
from speechgmm.corpus.layouts import recognise
from speechgmm.corpus.reader_specs import LabelFilesSpec
from speechgmm.corpus.readers.label_files import read_label_files
from speechgmm.errors import DataError
from speechgmm.io.label_files import FORMATS, write_labels
from speechgmm.io.timed_labels import LabelledRecording, TimedLabel

RATE = 8000
SEGMENTS = [(0.2, 0.45, "low"), (0.5, 0.8, "high"), (0.8, 1.1, "low"), (1.3, 1.6, "high")]
NEEDS_FORMAT = {"audacity", "csv", "tsv", "json"}
"""Formats whose suffix other texts have too."""


def elan(path: Path, labels: list[TimedLabel]) -> None:
    from pympi.Elan import Eaf

    eaf = Eaf()
    eaf.remove_tier("default")
    eaf.add_tier("tones")
    for one in labels:
        eaf.add_annotation("tones", round(one.start * 1000), round(one.end * 1000), one.label)
    eaf.to_file(str(path))


def labelled(root: Path, name: str, speakers: int = 2) -> Path:
    """Recordings of two tones with a label file of a format beside each, in folders of speakers."""
    rng = np.random.default_rng(1)
    labels = [TimedLabel(text, start, end) for start, end, text in SEGMENTS]
    for number in range(speakers):
        folder = root / f"s{number}"
        folder.mkdir(parents=True, exist_ok=True)
        samples = 1e-3 * rng.normal(size=2 * RATE)
        for start, end, text in SEGMENTS:
            times = np.arange(round(start * RATE), round(end * RATE))
            pitch = (300 if text == "low" else 900) * (1 + 0.02 * number)
            samples[times] += 0.3 * np.sin(2 * np.pi * pitch * times / RATE)
        soundfile.write(folder / "a.wav", samples, RATE)
        target = folder / f"a{FORMATS[name].suffix}"
        if name == "elan":
            elan(target, labels)
        else:
            write_labels(target, [LabelledRecording(folder / "a.wav", 2.0, {"tones": labels})], name)
    return root


def in_words(corpus):
    return [(one.id, one.path.name, one.start, one.end, one.labels) for one in corpus]


@pytest.mark.parametrize("name", sorted(set(FORMATS) - {"uem"}))
def test_every_format_is_the_same_corpus(tmp_path, name):
    root = labelled(tmp_path / name, name)
    spec = LabelFilesSpec(format=name if name in NEEDS_FORMAT else None)
    corpus = read_label_files(root, "tone", spec)
    wanted = [
        (f"s{n}/a:{start:.3f}-{end:.3f}", "a.wav", start, end, {"speaker": f"s{n}", "tone": text})
        for n in range(2)
        for start, end, text in SEGMENTS
    ]
    if name == "rttm":
        wanted = [(*one[:4], one[4] | {"speaker": one[4]["tone"]}) for one in wanted]
    assert in_words(corpus) == wanted


@pytest.mark.slow
@pytest.mark.parametrize("name", ["elan", "audacity", "raven"])
def test_a_corpus_with_label_files_trains_from_a_configuration_and_init_recognises_it(tmp_path, name):
    root = labelled(tmp_path / "corpus", name, 4)
    found = recognise(root, "class")
    assert found.keys["kind"] == "label_files"
    assert found.keys["label_files"]["format"] == name
    assert len(found.corpus) == 16
    format_key = f"format: {name}" if name in NEEDS_FORMAT else ""
    (tmp_path / "c.yaml").write_text(
        f"corpus: {{kind: label_files, root: corpus, label: tone, label_files: {{{format_key}}}, group: speaker, "
        "split: {kind: kfold, folds: 2}, sample_rate: 8000}\nmodel: {n_components: 1}\nparallel: {n_jobs: 1}\n"
    )
    assert load_config(tmp_path / "c.yaml").config.corpus.kind == "label_files"
    result = run(tmp_path / "c.yaml", output=tmp_path / "run")
    assert result.metrics["accuracy"]["value"] == 1.0


def test_one_table_of_raven_is_of_all_recordings_and_its_columns_are_tiers(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.wav").touch()
    head = "Selection\tView\tBegin Time (s)\tEnd Time (s)\tBegin File\tFile Offset (s)\tSpecies\tCall\n"
    rows = ["1\tS\t1\t2\ta.wav\t1\trobin\tsong", "2\tS\t11\t12\tb.wav\t1\twren\tcall"]
    rows += ["3\tS\t11.5\t12\tb.wav\t1.5\twren\t"]
    (tmp_path / "all.Table.1.selections.txt").write_text(head + "\n".join(rows) + "\n")
    with pytest.raises(DataError, match=r"its tiers are 'Species', 'Call'; say which in corpus.label_files.tier"):
        read_label_files(tmp_path, "species")
    corpus = read_label_files(tmp_path, "species", LabelFilesSpec(tier="Species", columns={"call": "Call"}))
    assert [(one.id, one.labels) for one in corpus] == [
        ("a:1.000-2.000", {"call": "song", "species": "robin"}),
        ("b:1.000-2.000", {"call": "call", "species": "wren"}),
        ("b:1.500-2.000", {"call": "", "species": "wren"}),
    ]
    (tmp_path / "b.wav").unlink()
    with pytest.raises(DataError, match=r"it has labels of 'b.wav', and there is no recording of that name"):
        read_label_files(tmp_path, "species", LabelFilesSpec(tier="Species"))


def test_a_table_of_several_recordings_names_them_and_an_empty_one_is_not_a_missing_tier(tmp_path):
    labelled(tmp_path, "elan", 1)
    spec = LabelFilesSpec(format="csv")
    (tmp_path / "all.csv").write_text("start,end,label\n0.1,0.2,low\n")
    with pytest.raises(DataError, match=r"all.csv: it names no recording, and there is no recording of that name besi"):
        read_label_files(tmp_path, "tone", spec)
    (tmp_path / "all.csv").write_text("file,start,end,label\n")
    with pytest.raises(DataError, match=r"all.csv: no tier in it; expected labels with times"):
        read_label_files(tmp_path, "tone", spec)


def test_a_recording_whose_label_file_is_empty_is_not_said_to_have_none(tmp_path):
    labelled(tmp_path, "audacity", 2)
    (tmp_path / "s0/a.txt").write_text("")
    corpus = read_label_files(tmp_path, "tone", LabelFilesSpec(format="audacity"))
    assert corpus.notes == ("1 of 2 recordings have no labels in a label file beside them and are not used",)


def test_a_tier_that_is_not_there_is_answered_with_those_that_are(tmp_path):
    labelled(tmp_path, "elan", 1)
    with pytest.raises(DataError, match=r"s0/a.eaf: no tier 'x' \(corpus.label_files.tier\); its tiers are 'tones'"):
        read_label_files(tmp_path, "tone", LabelFilesSpec(tier="x"))


def test_a_label_outside_its_recording_is_named_with_file_label_and_times(tmp_path):
    labelled(tmp_path / "corpus", "audacity", 2)
    with (tmp_path / "corpus/s0/a.txt").open("a") as file:
        file.write("4.5\t5.25\tlow\n")
    (tmp_path / "c.yaml").write_text(
        "corpus: {kind: label_files, root: corpus, label: tone, label_files: {format: audacity}, sample_rate: 8000, "
        "split: {kind: kfold, folds: 2}}\nmodel: {n_components: 1}\nparallel: {n_jobs: 1}\n"
    )
    message = r"s0/a.txt, 'low' from 4.500 to 5.250 s: begins at 4.5 s, past the end of a.wav \(2.000 s\)"
    with pytest.raises(DataError, match=message):
        run(tmp_path / "c.yaml", output=tmp_path / "run")


def test_texts_that_are_no_label_tracks_are_left_aside_and_folders_of_labels_may_lie_apart(tmp_path):
    labelled(tmp_path / "corpus", "audacity", 1)
    (tmp_path / "corpus/README.txt").write_text("These are recordings.\n")
    corpus = read_label_files(tmp_path / "corpus", "tone", LabelFilesSpec(format="audacity"))
    assert corpus.notes == ("1 texts have no recording of their name and are not read",)
    assert recognise(tmp_path / "corpus", "class").keys["label_files"] == {"format": "audacity"}
    (tmp_path / "labels/s0").mkdir(parents=True)
    (tmp_path / "corpus/s0/a.txt").rename(tmp_path / "labels/s0/a.txt")
    spec = LabelFilesSpec(format="audacity", folder=str(tmp_path / "labels"))
    assert len(read_label_files(tmp_path / "corpus", "tone", spec)) == 4
    with pytest.raises(DataError, match=r"there is no such folder \(corpus.label_files.folder\)"):
        read_label_files(tmp_path / "corpus", "tone", LabelFilesSpec(folder=str(tmp_path / "none")))
    with pytest.raises(DataError, match=r"no label file; one is expected beside each recording \(anna/one.wav"):
        read_label_files(tmp_path / "corpus", "tone")


def test_recognition_refuses_labels_that_overlap_and_names_them(tmp_path):
    labelled(tmp_path / "corpus", "audacity", 2)
    with (tmp_path / "corpus/s0/a.txt").open("a") as file:
        file.write("1.5\t1.9\tlow\n")
    (tmp_path / "c.yaml").write_text(
        "task: recognition\ncorpus: {kind: label_files, root: corpus, label: tone, label_files: {format: audacity}, "
        "group: speaker, sample_rate: 8000, split: {kind: kfold, folds: 2}}\n"
        "hmm: {n_components: 1}\nparallel: {n_jobs: 1}\n"
    )
    with pytest.raises(DataError, match=r"segments overlap, the first of them:\n  a.wav: 'high' and 'low'"):
        run(tmp_path / "c.yaml", output=tmp_path / "run")


def test_what_other_layouts_have_beside_is_not_taken_for_label_files(tmp_path):
    labelled(tmp_path, "audacity", 1)
    speaker = tmp_path / "timit" / "dr1-fvmh0"
    speaker.mkdir(parents=True)
    texts = {"phn": "0 4000 h#\n4000 16000 aa\n", "wrd": "4000 16000 word\n", "txt": "0 16000 A.\n"}
    for suffix, text in texts.items():  # times in samples; the last reads as labels
        (speaker / f"sx1.{suffix}").write_text(text)
    soundfile.write(speaker / "sx1.wav", np.zeros(16_000), 16_000)
    assert recognise(tmp_path / "timit", "class").keys["kind"] == "timit"
    shutil.rmtree(tmp_path / "timit")
    elan(tmp_path / "s0" / "a.eaf", [TimedLabel("low", 0.2, 0.45)])
    assert recognise(tmp_path, "class").keys["label_files"]["format"] == "elan"
    (tmp_path / "s0" / "a.ctm").write_text("a 1 0.2 0.2 low\n")
    with pytest.raises(DataError, match=r"1 CTMs, 1 annotation files of ELAN; expected one format"):
        recognise(tmp_path, "class")
    write_labels(tmp_path / "s0/a.TextGrid", [LabelledRecording(Path("a"), 2.0, {"t": [TimedLabel("x", 0.0, 1.0)]})])
    assert recognise(tmp_path, "class").keys["kind"] == "textgrid"
