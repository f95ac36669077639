"""Files below a corpus's folder: splits by name, what is left aside and said, names that are not UTF-8."""

import errno
import os
import shutil
from pathlib import Path, PurePath

import pytest
import soundfile
from conftest import hum
from typer.testing import CliRunner

from speechgmm.cli import app
from speechgmm.cli.starter import write_starter
from speechgmm.config import load_config
from speechgmm.corpus import CorpusSpec, read_corpus
from speechgmm.corpus.reader_specs import TimitSpec
from speechgmm.corpus.readers.files import recordings_below, split_folders
from speechgmm.corpus.readers.folder import read_folder, read_fsdd
from speechgmm.corpus.readers.kaldi import read_kaldi
from speechgmm.corpus.readers.librispeech import read_librispeech
from speechgmm.corpus.readers.machines import read_dcase, read_mimii
from speechgmm.corpus.readers.speech_commands import read_speech_commands
from speechgmm.corpus.readers.textgrid import read_textgrids
from speechgmm.corpus.readers.timit import read_timit
from speechgmm.errors import DataError
from speechgmm.io import audio_formats


@pytest.fixture
def libsndfile_alone(monkeypatch):
    """No decoder beside libsndfile, whatever is installed."""
    monkeypatch.setattr(audio_formats, "has_other_decoder", lambda: False)


def touched(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    return root


def places(*names):
    return [PurePath(name) for name in names]


def invoke(*command):
    return CliRunner().invoke(app, [str(part) for part in command])


# ---- splits ----


@pytest.mark.parametrize(
    ("folder", "split"),
    [
        *((name, "train") for name in ("train", "Train", "TRAINING")),
        *((name, "dev") for name in ("dev", "Development", "val", "valid", "Validation")),
        *((name, "test") for name in ("test", "Testing", "eval", "EVALUATION")),
        *(("ubm", "ubm"), ("Cohort", "cohort")),
    ],
)
def test_folders_named_after_splits_are_these_in_any_case(tmp_path, folder, split):
    other = "train" if split != "train" else "test"
    root = touched(tmp_path, f"{folder}/ann/1.wav", f"{folder}/ben/2.wav", f"{other}/ann/3.wav")
    found = {u.id: (u.split, u.label("speaker")) for u in read_folder(root, "speaker")}
    assert found == {
        f"{folder}/ann/1": (split, "ann"),
        f"{folder}/ben/2": (split, "ben"),
        f"{other}/ann/3": (other, "ann"),
    }


@pytest.mark.parametrize(
    ("names", "named"),
    [
        (["train/a/1.wav", "test/a/2.wav", "noise/3.wav"], "'noise'"),
        (["Train/a/1.wav", "Test/a/2.wav", "ann/3.wav", "ben/4.wav"], "'ann', 'ben'"),
        (["train/a/1.wav", "extra/b/2.wav"], "'extra'"),
        (["val/a/1.wav", "eval/a/2.wav", "x/3.wav"], "'x'"),
    ],
)
def test_folders_beside_those_of_splits_are_refused_by_name(names, named):
    with pytest.raises(DataError, match=f"named after splits, and {named} beside"):
        split_folders(Path("c"), places(*names))


@pytest.mark.parametrize(
    ("names", "named"),
    [
        (["train_set/a/1.wav", "test_set/a/2.wav"], "'train_set', 'test_set' begin like .* call it 'train', 'test'"),
        (["Train-1/a/1.wav", "VAL/a/2.wav"], "'Train-1' begins like .* call it 'train'"),
        (["train/a/1.wav", "test2024/a/2.wav", "x/a/3.wav"], "'test2024' begins like .* call it 'test'"),
    ],
)
def test_folders_that_begin_like_splits_are_refused_with_the_name_to_give(names, named):
    with pytest.raises(DataError, match=named):
        split_folders(Path("c"), places(*names))


def test_two_folders_of_one_split_and_splits_without_classes_are_refused():
    with pytest.raises(DataError, match="'val', 'dev' are the same split, dev"):
        split_folders(Path("c"), places("train/a/1.wav", "val/a/2.wav", "dev/a/3.wav"))
    with pytest.raises(DataError, match=r"recordings lie directly in 'train', 'test', which are splits"):
        split_folders(Path("c"), places("train/1.wav", "test/2.wav"))


@pytest.mark.parametrize(
    "names",
    [
        ["train/1.wav", "dog/2.wav", "rain/3.wav"],  # the sound of trains
        ["Val/1.wav", "Dev/2.wav"],  # two names of people
        ["val/monday/1.wav", "ann/monday/2.wav"],  # a speaker with sessions
        ["train_1/a/1.wav", "trainer/a/2.wav", "testimony/a/3.wav"],  # one of them alone, and longer words
    ],
)
def test_classes_that_are_called_like_a_split_are_classes(tmp_path, names):
    found = [u.label("x") for u in read_folder(touched(tmp_path, *names), "x")]
    assert sorted(found) == sorted(name.split("/")[0] for name in names)


def test_kaldi_directories_and_text_grids_have_the_same_names_of_splits(tmp_path):
    for folder in ("Train", "validation", "eval", "lang"):
        (tmp_path / "data" / folder).mkdir(parents=True)
        (tmp_path / "data" / folder / "wav.scp").write_text(f"{folder} {folder}.wav\n")
        touched(tmp_path, f"{folder}.wav")
    corpus = read_kaldi(tmp_path / "data", None, "utterance")
    assert {u.id: u.split for u in corpus} == {"Train": "train", "validation": "dev", "eval": "test"}
    assert "lang: not named after a split" in corpus.notes[0]
    (tmp_path / "data" / "test").mkdir()
    (tmp_path / "data" / "test" / "wav.scp").write_text("t t.wav\n")
    with pytest.raises(DataError, match="eval and test are the same split, test"):
        read_kaldi(tmp_path / "data", None, "utterance")
    grids = places("Train/1.TextGrid", "val/1.TextGrid")
    assert split_folders(Path("c"), grids, classes=False) == {"Train": "train", "val": "dev"}


def test_a_corpus_one_folder_further_down_is_named(tmp_path):
    root = touched(tmp_path, "unpacked/ann/1.wav", "unpacked/ben/2.wav")
    assert f"did you mean {root / 'unpacked'} (corpus.root)?" in read_folder(root, "x").notes[0]
    refused = invoke("init", root, "--out", tmp_path / "c.yaml")
    assert refused.exit_code == 1
    assert f"did you mean {root / 'unpacked'}" in refused.stderr
    assert read_folder(root / "unpacked", "x").notes == ()


def test_an_empty_label_is_said_to_be_empty(tmp_path):
    table = tmp_path / "m.tsv"
    table.write_text("path\tspeaker\na.wav\t \n")
    with pytest.raises(DataError, match=r"line 2: the label in 'speaker' is empty; expected a label"):
        read_corpus(CorpusSpec(kind="manifest", label="speaker"), path=table, root=None)


# ---- what is left aside ----

HIDDEN = (
    "._1.wav",
    ".hidden/2.wav",
    "__MACOSX/ann/3.wav",
    "Thumbs.db",
    "desktop.ini",
    ".DS_Store",
    "$RECYCLE.BIN/4.wav",
)


def littered(root, *names):
    """These files, and in each of their folders what operating systems leave there."""
    touched(root, *names)
    for folder in {(root / name).parent for name in names} | {root}:
        touched(folder, *HIDDEN)
        for path in [*folder.iterdir()]:
            if path.is_file() and not path.name.startswith("."):
                path.with_name(f"._{path.name}").write_bytes(b"")
    return root


def test_every_reader_passes_over_hidden_and_system_files(tmp_path):
    folder = littered(tmp_path / "folder", "ann/1.wav", "ben/2.wav")
    assert [u.id for u in read_folder(folder, "x")] == ["ann/1", "ben/2"]
    assert recordings_below(folder).audio == (folder / "ann/1.wav", folder / "ben/2.wav")
    libri = littered(tmp_path / "libri", "train-clean-100/19/198/19-198-0001.flac")
    assert [(u.id, read_librispeech(libri, "speaker").notes) for u in read_librispeech(libri, "speaker")] == [
        ("19-198-0001", ())
    ]
    words = littered(tmp_path / "words", "yes/aa11_nohash_0.wav")
    assert [u.id for u in read_speech_commands(words, "word")] == ["yes/aa11_nohash_0"]
    assert read_speech_commands(words, "word").notes == ()
    digits = littered(tmp_path / "digits", "recordings/7_jackson_32.wav")
    assert [u.id for u in read_fsdd(digits, "digit")] == ["7_jackson_32"]
    assert read_fsdd(digits, "digit").notes == ()
    dcase = littered(tmp_path / "dcase", "fan/train/normal_id_00_00000000.wav")
    assert (len(read_dcase(dcase, "unit")), read_dcase(dcase, "unit").notes) == (1, ())
    mimii = littered(tmp_path / "mimii", "fan/id_00/normal/00000000.wav")
    assert (len(read_mimii(mimii, "unit")), read_mimii(mimii, "unit").notes) == (1, ())
    timit = littered(tmp_path / "timit", "TRAIN/DR1/FCJF0/SA1.WAV", "TRAIN/DR1/FCJF0/SX1.WAV")
    assert [u.label("sentence") for u in read_timit(timit, "speaker", TimitSpec())] == ["sa1", "sx1"]
    kaldi = littered(tmp_path / "kaldi", "train/x")
    for name in ("train", "__MACOSX", ".train"):
        (kaldi / name).mkdir(exist_ok=True)
        (kaldi / name / "wav.scp").write_text(f"{name} /a.wav\n")
    assert [u.id for u in read_kaldi(kaldi, None, "utterance")] == ["train"]


GRID = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 1
tiers? <exists>
size = 1
item []:
    item [1]:
        class = "IntervalTier"
        name = "words"
        xmin = 0
        xmax = 1
        intervals: size = 1
        intervals [1]:
            xmin = 0
            xmax = 1
            text = "yes"
"""


def test_hidden_text_grids_are_passed_over(tmp_path):
    pytest.importorskip("praatio")
    touched(tmp_path, "ann/1.wav", "ann/._1.wav")
    for name in ("ann/1.TextGrid", "ann/._1.TextGrid", "__MACOSX/ann/1.TextGrid"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text(GRID)
    assert [u.label("word") for u in read_textgrids(tmp_path, "word")] == ["yes"]


@pytest.mark.usefixtures("libsndfile_alone")
def test_audio_that_cannot_be_decoded_is_counted_with_the_way_out_and_the_classes_it_costs(tmp_path):
    root = touched(tmp_path, "crow/1.m4a", "robin/1.wav", "wren/1.wav", "wren/6.WMA", "wren/notes.txt")
    corpus = read_folder(root, "bird")
    assert [u.id for u in corpus] == ["robin/1", "wren/1"]
    (note,) = corpus.notes
    assert "2 audio files cannot be decoded and are not used: 1 .m4a (AAC or ALAC in MP4), 1 .wma" in note
    assert "class 'crow' has no other recording" in note
    assert "ffmpeg -i a.m4a a.wav" in note


@pytest.mark.slow
@pytest.mark.usefixtures("libsndfile_alone")
def test_commands_say_which_audio_they_leave_aside(corpus_folder, config_file):
    shutil.copy(corpus_folder / "low" / "0.wav", corpus_folder / "low" / "x.m4a")
    told = "1 audio file cannot be decoded and is not used: 1 .m4a"
    assert told in invoke("init", corpus_folder, "--out", corpus_folder.parent / "i.yaml").stderr
    assert told in invoke("check", config_file).stderr
    assert told in invoke("run", config_file).stderr
    scored = invoke("score", corpus_folder.parent / "run", corpus_folder / "low", "--format", "tsv")
    assert told in scored.stderr
    assert "x.m4a" not in scored.stdout
    for path in (corpus_folder / "low").glob("*.wav"):
        path.unlink()
    nothing = invoke("score", corpus_folder.parent / "run", corpus_folder / "low")
    assert nothing.exit_code == 1
    assert "no recordings in this folder" in nothing.stderr
    assert told in nothing.stderr


# ---- names ----


@pytest.fixture
def latin(tmp_path):
    """A folder per class with names in Latin-1 and with a control character."""
    root = tmp_path / os.fsdecode(b"c\xf6rpus")
    for number, name in enumerate((os.fsdecode(b"caf\xe9"), "an\x1b[31mna")):
        try:
            (root / name).mkdir(parents=True)
        except OSError:
            pytest.skip("this file system holds names in UTF-8 alone")
        for n in range(5):
            samples = hum(10 * number + n, 110 + 190 * number)
            soundfile.write(os.fsencode(root / name / os.fsdecode(b"na\xefve%d.wav" % n)), samples, 8000)
    return root


@pytest.mark.slow
def test_names_that_are_not_utf8_go_through_every_command(latin, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPEECHGMM_CACHE", str(tmp_path / "cache"))
    for command in (
        ["init", latin, "--for", "speaker", "--out", "c.yaml"],
        ["check", "c.yaml"],
        ["run", "c.yaml", "--jobs", "1", "--set", "model.n_components=2"],
        ["score", "runs/c", latin],
        ["inspect", "runs/c"],
        ["cluster", latin, "--out", "clusters"],
    ):
        done = invoke(*command)
        assert done.exit_code == 0, (command, done.output, done.exception)
    assert r"caf\xe9" in invoke("inspect", "runs/c").output
    assert (tmp_path / "clusters" / "clusters.tsv").read_bytes().count(b"na\xefve") == 10


def test_a_name_of_several_signs_joined_to_one_is_written_as_it_is(tmp_path, corpus_folder):
    root = corpus_folder.rename(tmp_path / 'family \U0001f468\u200d\U0001f469 \\ "d"')
    path = write_starter(root, tmp_path / "c.yaml", purpose="speaker").path
    assert load_config(path).corpus_root() == root


def test_links_to_themselves_and_folders_that_may_not_be_read_are_named(tmp_path, monkeypatch):
    root = touched(tmp_path / "corpus", "ann/1.wav", "ben/2.wav")
    (root / "ann" / "loop.wav").symlink_to("loop.wav")
    assert [path.name for path in recordings_below(root).audio] == ["1.wav", "loop.wav", "2.wav"]
    read = os.scandir

    def forbidden(folder):
        if Path(folder).name == "ben":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
        return read(folder)

    monkeypatch.setattr(os, "scandir", forbidden)
    with pytest.raises(DataError, match=r"ben: this folder cannot be read \(Permission denied\)"):
        recordings_below(root)


def test_fsdd_one_folder_further_down_is_named(tmp_path):
    root = touched(tmp_path, "free-spoken-digit-dataset/recordings/7_jackson_32.wav")
    with pytest.raises(DataError, match=f"did you mean {root}/free-spoken-digit-dataset"):
        read_fsdd(root, "digit")
