"""Manifests of lhotse and AudioFolders: read back as they were written, and by lhotse itself where it is installed."""

import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from speechgmm.config import load_config
from speechgmm.corpus import Corpus, CorpusSpec, Utterance, read_corpus
from speechgmm.corpus.readers.audio_folder import read_audio_folder
from speechgmm.corpus.readers.lhotse import read_lhotse
from speechgmm.corpus.writers.lhotse import read_recordings, write_lhotse
from speechgmm.engine.console import Console
from speechgmm.engine.corpus_export import export_corpus
from speechgmm.engine.job import prepare
from speechgmm.errors import ConfigError, DataError

RATE = 8000


@pytest.fixture(scope="module")
def audio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two recordings of 2 s, the second of two channels."""
    root = tmp_path_factory.mktemp("audio")
    samples = np.random.default_rng(0).normal(0, 0.1, (2 * RATE, 2)).astype(np.float32)
    soundfile.write(root / "one.wav", samples[:, 0], RATE)
    soundfile.write(root / "two.flac", samples, RATE)
    return root


def plain(corpus: Corpus) -> list[tuple[object, ...]]:
    """Utterances without where they were declared; nobody needs the column of recordings back."""
    return sorted(
        (
            *(one.id, str(one.path), one.start, one.end, one.split),
            tuple(sorted((k, v) for k, v in (one.labels or {}).items() if k != "recording")),
        )
        for one in corpus
    )


def read_rows(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


times = st.none() | st.tuples(st.integers(0, 900), st.integers(901, 1900))
texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=6)


@settings(max_examples=20)
@given(data=st.data())
def test_a_corpus_is_read_back_from_supervisions_and_from_cuts(
    audio: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
):
    utterances = []
    for number in range(data.draw(st.integers(1, 5))):
        span = data.draw(times)
        start, end = (None, None) if span is None else (span[0] / 1000, span[1] / 1000)
        labels = {column: data.draw(texts) for column in ("speaker", "text", "mood")}
        path = audio / data.draw(st.sampled_from(["one.wav", "two.flac"]))
        split = data.draw(st.sampled_from(["train", "test"]))
        utterances.append(Utterance(f"u{number}", path, start, end, split, labels))
    corpus = Corpus(tuple(utterances), "mood", audio)
    folder = tmp_path_factory.mktemp("lhotse")
    write_lhotse(folder, corpus, read_recordings(corpus)[0])
    assert plain(read_lhotse(folder, None, "mood")) == plain(corpus)
    for path in folder.glob("supervisions*"):
        path.unlink()
    assert plain(read_lhotse(folder, None, "mood")) == plain(corpus)


def test_what_is_written_has_the_fields_of_lhotse(audio: Path, tmp_path: Path):
    labels = {"speaker": "anna", "text": "ja", "mood": "calm"}
    two = Corpus((Utterance("u", audio / "two.flac", 0.5, 1.25, "", labels),), "speaker", audio)
    write_lhotse(tmp_path, two, read_recordings(two)[0])
    recording = {
        "id": "two.flac",
        "sources": [{"type": "file", "channels": [0, 1], "source": str(audio / "two.flac")}],
        "sampling_rate": 8000,
        "num_samples": 16000,
        "duration": 2.0,
        "channel_ids": [0, 1],
    }
    supervision = {
        "id": "u",
        "recording_id": "two.flac",
        "start": 0.5,
        "duration": 0.75,
        "channel": [0, 1],
        "text": "ja",
        "speaker": "anna",
        "custom": {"mood": "calm"},
    }
    cut = {
        "id": "u",
        "start": 0.5,
        "duration": 0.75,
        "channel": [0, 1],
        "type": "MultiCut",
        "supervisions": [{**supervision, "start": 0.0}],
        "recording": recording,
    }
    assert read_rows(tmp_path / "recordings.jsonl.gz") == [recording]
    assert read_rows(tmp_path / "supervisions.jsonl.gz") == [supervision]
    assert read_rows(tmp_path / "cuts.jsonl.gz") == [cut]
    one = Corpus((Utterance("u", audio / "two.flac"),), "speaker", audio)
    write_lhotse(tmp_path, one, read_recordings(one)[0], channel=1)
    assert (read_rows(tmp_path / "cuts.jsonl.gz")[0]["type"], read_rows(tmp_path / "cuts.jsonl.gz")[0]["channel"]) == (
        "MonoCut",
        1,
    )


def test_lhotse_itself_reads_what_is_written_and_finds_nothing_wrong(audio: Path, tmp_path: Path):
    lhotse = pytest.importorskip("lhotse", reason="lhotse needs torch, and is no dependency of the tests")
    labels = {"speaker": "anna", "text": "ja", "gender": "f", "language": "de", "mood": "calm"}
    utterances = (
        Utterance("u", audio / "two.flac", 0.5, 1.25, "", labels),
        Utterance("v", audio / "one.wav", None, None, "", labels),
    )
    corpus = Corpus(utterances, "speaker", audio)
    write_lhotse(tmp_path, corpus, read_recordings(corpus)[0])
    recordings = lhotse.RecordingSet.from_file(tmp_path / "recordings.jsonl.gz")
    supervisions = lhotse.SupervisionSet.from_file(tmp_path / "supervisions.jsonl.gz")
    cuts = lhotse.CutSet.from_file(tmp_path / "cuts.jsonl.gz").to_eager()
    for one in (recordings, supervisions, cuts):
        lhotse.validate(one, read_data=True)
    lhotse.qa.validate_recordings_and_supervisions(recordings, supervisions)
    assert cuts["u"].load_audio().shape == (2, 0.75 * RATE)
    assert (cuts["v"].supervisions[0].speaker, cuts["v"].supervisions[0].custom) == ("anna", {"mood": "calm"})
    lhotse.CutSet.from_manifests(recordings, supervisions).to_file(tmp_path / "made" / "cuts_train.jsonl.gz")
    back = read_lhotse(tmp_path / "made", None, "speaker")
    assert plain(back) == plain(Corpus(tuple(replace(one, split="train") for one in utterances), "speaker", audio))


RECORDING = {
    "id": "r",
    "sampling_rate": 8000,
    "num_samples": 16000,
    "duration": 2.0,
    "channel_ids": [0],
    "sources": [{"type": "file", "channels": [0], "source": "one.wav"}],
}
SUPERVISION = {"id": "u", "recording_id": "r", "start": 0.5, "duration": 0.5, "channel": 0, "speaker": "anna"}


@pytest.mark.parametrize(
    ("recording", "supervision", "named"),
    [
        ({"sources": [{"type": "command", "source": "touch RAN"}]}, {}, "commands are not run"),
        ({"sources": [{"type": "url", "source": "http://x"}]}, {}, "nothing is fetched"),
        ({"sources": []}, {}, "expected one file"),
        ({"transforms": [{"name": "Speed"}]}, {}, "another speed"),
        ({}, {"recording_id": "s"}, "recording 's' is not among"),
        ({}, {"duration": 0}, "line 1: id, start or duration"),
        ({}, {"start": -2.0}, r"line 1: 'u' ends at -1.5 s; expected an end after the recording's begin"),
        ({}, {"start": "0.5"}, "id, start or duration"),
        ({}, {"id": ""}, "id, start or duration"),
        ({}, {"speaker": None, "text": "x"}, "corpus.label is 'speaker'"),
    ],
)
def test_manifests_that_cannot_be_used_are_refused_with_file_and_line(
    audio: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recording: dict, supervision: dict, named: str
):
    monkeypatch.chdir(tmp_path)
    write_rows(tmp_path / "recordings.jsonl", [RECORDING | recording])
    write_rows(tmp_path / "supervisions.jsonl", [SUPERVISION | supervision])
    with pytest.raises(DataError, match=named):
        read_lhotse(tmp_path, audio, "speaker")
    assert not (tmp_path / "RAN").exists()


def test_lines_that_are_none_damaged_files_and_ids_twice_are_named(audio: Path, tmp_path: Path):
    write_rows(tmp_path / "recordings.jsonl", [RECORDING])
    (tmp_path / "supervisions.jsonl").write_text(f"{json.dumps(SUPERVISION)}\n[1]\n{{\n{json.dumps(SUPERVISION)}\n")
    with pytest.raises(DataError, match="3 things are wrong") as error:
        read_lhotse(tmp_path, audio, "speaker")
    for part in (
        "line 2: [1]; expected an object",
        "line 3: not JSON",
        "line 4: 'u' is also in supervisions.jsonl, line 1",
    ):
        assert part in str(error.value)
    (tmp_path / "supervisions.jsonl").write_text(f"{json.dumps(SUPERVISION)}\n{'x' * (1 << 25)}")
    with pytest.raises(DataError, match=r"supervisions.jsonl, line 2: more than 16777216 bytes; expected an object"):
        read_lhotse(tmp_path, audio, "speaker")
    (tmp_path / "supervisions.jsonl").unlink()
    with pytest.raises(DataError, match="no supervisions or cuts"):
        read_lhotse(tmp_path, audio, "speaker")
    packed = gzip.compress(json.dumps(SUPERVISION).encode())
    for content in (b"no gzip", packed[:-6], packed[:12] + b"\xff" * 9 + packed[21:]):
        (tmp_path / "supervisions.jsonl.gz").write_bytes(content)
        with pytest.raises(DataError, match=r"supervisions\.jsonl\.gz|recordings\.jsonl\.gz"):
            read_lhotse(tmp_path, audio, "speaker")
    (tmp_path / "supervisions.yaml").write_text("[]")
    with pytest.raises(DataError, match="lhotse copy"):
        read_lhotse(tmp_path / "supervisions.yaml", audio, "speaker")


@pytest.mark.parametrize("ending", ["json", "json.gz"])
def test_a_manifest_may_be_one_json_array(audio: Path, tmp_path: Path, ending: str):
    opener = gzip.open if ending.endswith("gz") else open
    for kind, row in (("recordings", RECORDING), ("supervisions", SUPERVISION)):
        write_rows(tmp_path / f"{kind}_train.jsonl", [row])
    expected = read_lhotse(tmp_path, audio, "speaker")
    for kind, row in (("recordings", RECORDING), ("supervisions", SUPERVISION)):
        (tmp_path / f"{kind}_train.jsonl").unlink()
        with opener(tmp_path / f"{kind}_train.{ending}", "wt") as file:
            json.dump([row], file)
    found = read_lhotse(tmp_path, audio, "speaker")
    assert plain(found) == plain(expected)
    assert [one.split for one in found] == ["train"]


@pytest.mark.parametrize(
    ("text", "message"),
    [("[", "not JSON"), ("{}", "expected an array of objects"), ("[1]", "object 1: 1; expected an object of lhotse")],
)
def test_a_json_array_that_is_none_is_refused(audio: Path, tmp_path: Path, text: str, message: str):
    write_rows(tmp_path / "recordings.jsonl", [RECORDING])
    (tmp_path / "supervisions.json").write_text(text)
    (tmp_path / "recordings.json").write_text("[]")
    with pytest.raises(DataError, match=message):
        read_lhotse(tmp_path, audio, "speaker")


def test_a_json_array_that_is_too_long_to_hold_is_refused(audio: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("speechgmm.corpus.readers.lhotse._LONGEST_ARRAY", 100)
    (tmp_path / "cuts.json").write_text(json.dumps([{"id": "x" * 200}]))
    with pytest.raises(DataError, match="make JSON lines of it"):
        read_lhotse(tmp_path, audio, "speaker")


def test_supervisions_of_two_channels_of_a_recording_are_refused(audio: Path, tmp_path: Path):
    two = RECORDING | {"channel_ids": [0, 1]}
    write_rows(tmp_path / "recordings.jsonl", [two])
    write_rows(tmp_path / "supervisions.jsonl", [SUPERVISION, SUPERVISION | {"id": "v", "channel": 1}])
    with pytest.raises(DataError, match="channels 0 and 1; expected one"):
        read_lhotse(tmp_path, audio, "speaker")


@settings(max_examples=20)
@given(
    change=st.dictionaries(
        st.sampled_from(["id", "start", "duration", "channel", "supervisions", "recording", "type", "custom"]),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(max_size=3),
            lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
            max_leaves=4,
        ),
    )
)
def test_any_cut_gives_utterances_or_a_data_error(
    audio: Path, tmp_path_factory: pytest.TempPathFactory, change: dict[str, Any]
):
    cut = {"id": "c", "start": 0.0, "duration": 2.0, "channel": 0, "type": "MonoCut", "recording": RECORDING}
    path = tmp_path_factory.getbasetemp() / "cuts.jsonl"
    write_rows(path, [cut | {"supervisions": [SUPERVISION]} | change])
    try:
        corpus = read_lhotse(path, audio, "recording")
    except DataError as error:
        assert "cuts.jsonl" in str(error)  # noqa: PT017 (either may happen)
    else:
        assert corpus.utterances


def test_a_configuration_reads_what_export_wrote_and_init_recognises_it(config_file: Path, tmp_path: Path):
    from speechgmm.corpus.layouts import recognise

    job = prepare(load_config(config_file), console=Console(quiet=True))
    export_corpus(job, tmp_path / "out", "lhotse")
    back = read_corpus(CorpusSpec(kind="lhotse", label="pitch"), path=tmp_path / "out", root=None)
    assert plain(back) == plain(job.corpus)
    assert recognise(tmp_path / "out", "label").keys == {"kind": "lhotse", "path": str(tmp_path / "out")}


# ---- AudioFolder ----


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_an_audio_folder_has_the_columns_of_its_metadata_and_the_splits_of_its_folders(tmp_path: Path, ending: str):
    for split in ("train", "validation"):
        (tmp_path / split / "sub").mkdir(parents=True)
        rows = [{"file_name": f"sub/{n}.wav", "speaker": f"s{n}", "mood": "calm, or so"} for n in range(2)]
        text = {
            "csv": 'file_name,speaker,mood\nsub/0.wav,s0,"calm, or so"\nsub/1.wav,s1,"calm, or so"\n',
            "jsonl": "".join(json.dumps(row) + "\n" for row in rows),
        }[ending]
        (tmp_path / split / f"metadata.{ending}").write_text(text)
    corpus = read_corpus(CorpusSpec(kind="audiofolder", label="speaker"), path=None, root=tmp_path)
    assert [(one.id, one.split, one.labels) for one in corpus] == [
        (f"{folder}/sub/{n}", split, {"speaker": f"s{n}", "mood": "calm, or so"})
        for folder, split in (("train", "train"), ("validation", "dev"))
        for n in range(2)
    ]
    assert corpus.utterances[0].path == tmp_path / "train" / "sub" / "0.wav"


def test_recordings_that_cannot_be_read_are_all_named_or_left_out_of_manifests(
    audio: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "two.flac").write_bytes((audio / "two.flac").read_bytes())
    rows = ["path\tspeaker", "two.flac\tann"]
    for name in ("a", "b"):
        (tmp_path / f"{name}.wav").write_bytes(b"RIFF")
        rows.append(f"{name}.wav\tbob")
    (tmp_path / "m.tsv").write_text("\n".join(rows) + "\n")
    (tmp_path / "c.yaml").write_text("corpus: {path: m.tsv, label: speaker, split: all}\nmodel: {n_components: 1}\n")
    with pytest.raises(DataError, match=r"(?s)2 recordings cannot be read:\n.*a\.wav.*b\.wav.*nothing was written"):
        export_corpus(prepare(load_config(tmp_path / "c.yaml"), console=Console()), tmp_path / "out", "lhotse")
    assert not (tmp_path / "out").exists()
    skipping = prepare(load_config(tmp_path / "c.yaml", ["corpus.on_error=skip"]), console=Console())
    (supervisions,) = [path for path in export_corpus(skipping, tmp_path / "out", "lhotse") if "superv" in path.name]
    assert [row["speaker"] for row in read_rows(supervisions)] == ["ann"]
    assert "2 recordings cannot be read and left out" in capsys.readouterr().err


def test_audio_folders_that_are_none_are_refused(tmp_path: Path):
    with pytest.raises(DataError, match="not an AudioFolder"):
        read_audio_folder(tmp_path, "speaker")
    (tmp_path / "metadata.csv").write_text("file_name,speaker\na.wav,s\n,s\n../b.wav,s\na.wav,s\n")
    with pytest.raises(DataError, match=r"metadata\.csv, row 2: 'path' is empty") as error:
        read_audio_folder(tmp_path, "speaker")
    for part in ("row 3: '../b.wav' leaves", "row 4: id 'a' is also that of metadata.csv, row 1"):
        assert part in str(error.value)
    (tmp_path / "metadata.csv").write_text("name,speaker\na.wav,s\n")
    with pytest.raises(DataError, match="no column that names the recordings"):
        read_audio_folder(tmp_path, "speaker")


def test_a_path_of_lists_is_for_kinds_that_have_them():
    assert CorpusSpec(kind="lhotse", path="x").path == "x"
    with pytest.raises(ConfigError, match=r"kinds manifest, kaldi and lhotse; 'audiofolder' has corpus\.root alone"):
        CorpusSpec(kind="audiofolder", path="x")
