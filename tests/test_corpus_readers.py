from collections import Counter
from dataclasses import replace
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from conftest import hum
from hypothesis import given, settings
from hypothesis import strategies as st

from speechgmm.config import load_config, make_config
from speechgmm.corpus import Corpus, CorpusSpec, Utterance, check_leaks, read_corpus, same_audio
from speechgmm.corpus.reader_specs import TextGridSpec, TimitSpec
from speechgmm.corpus.readers.kaldi import read_kaldi
from speechgmm.corpus.readers.librispeech import read_librispeech
from speechgmm.corpus.readers.speech_commands import read_speech_commands
from speechgmm.corpus.readers.textgrid import read_textgrids
from speechgmm.corpus.readers.timit import CORE_DEV, CORE_TEST, FOLDS, PHONES, fold_phone, read_timit
from speechgmm.corpus.spec import LabelSpec, SplitSpec
from speechgmm.corpus.splits import split_by_fraction
from speechgmm.errors import ConfigError, DataError

# ---------------------------------------------------------------- a tree of files as text


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


def refused(error: pytest.ExceptionInfo[DataError], *parts: str) -> None:
    for part in parts:
        assert part in str(error.value)


# ---------------------------------------------------------------- Kaldi

KALDI = {
    "data/train/wav.scp": "r1 audio/r1.wav\nr2 /elsewhere/r 2.wav\n",
    "data/train/segments": "anna-1 r1 0.5 1.25\nanna-2 r1 1.25 -1\nben-1 r2 0 2\n",
    "data/train/utt2spk": "anna-1 anna\nanna-2 anna\nben-1 ben\n",
    "data/train/spk2gender": "anna f\nben m\n",
    "data/train/text": "anna-1 well, yes\nanna-2 no\nben-1 “so”\n",
}


def test_a_kaldi_directory_gives_segments_labels_and_paths(tmp_path: Path) -> None:
    root = tree(tmp_path, KALDI)
    corpus = read_kaldi(root / "data" / "train", root, "speaker")
    assert [(u.id, str(u.path), u.start, u.end, u.split) for u in corpus] == [
        ("anna-1", str(root / "audio" / "r1.wav"), 0.5, 1.25, ""),
        ("anna-2", str(root / "audio" / "r1.wav"), 1.25, None, ""),
        ("ben-1", "/elsewhere/r 2.wav", 0.0, 2.0, ""),
    ]
    assert corpus.utterances[0].labels == {
        "utterance": "anna-1",
        "recording": "r1",
        "speaker": "anna",
        "gender": "f",
        "text": "well, yes",
    }
    assert corpus.utterances[0].source == "train/segments, line 1"


def test_a_relative_path_in_wav_scp_stays_below_the_root(tmp_path: Path) -> None:
    files = {"s5/data/wav.scp": "a ../../private.wav\nb wav/../../b.wav\nc wav/../c.wav\nd /elsewhere/d.wav\n"}
    root = tree(tmp_path, files) / "s5"
    with pytest.raises(DataError) as error:
        read_kaldi(root / "data", root, "utterance")
    refused(
        error, "2 things are wrong", f"line 1: '../../private.wav' leaves {root} (corpus.root)", "line 2: 'wav/../../"
    )
    tree(tmp_path, {"s5/data/wav.scp": "c wav/../c.wav\nd /elsewhere/d.wav\n"})
    corpus = read_kaldi(root / "data", root, "utterance")
    assert [str(utterance.path) for utterance in corpus] == [str(root / "c.wav"), "/elsewhere/d.wav"]


def test_absolute_paths_anywhere_can_be_split(tmp_path: Path) -> None:
    corpus = read_kaldi(tree(tmp_path, KALDI) / "data" / "train", None, "utterance")
    assert all(u.path.is_relative_to(corpus.root) for u in corpus)
    assert str(corpus.root) == "/"
    assert {u.split for u in split_by_fraction(corpus, 0.5)} == {"train", "test"}


def test_data_directories_named_after_splits_are_the_split_and_their_paths_begin_above_data(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            "data/train/wav.scp": "a wav/a.wav\n",
            "data/train/utt2spk": "a anna\n",
            "data/test/wav.scp": "b wav/b.wav\n",
            "data/test/utt2spk": "b anna\n",
            "data/train_sp/wav.scp": "c wav/c.wav\n",
        },
    )
    corpus = read_kaldi(root / "data", None, "speaker")
    assert [(u.id, u.split, u.path) for u in corpus] == [
        ("a", "train", root / "wav" / "a.wav"),
        ("b", "test", root / "wav" / "b.wav"),
    ]


def test_a_command_in_wav_scp_is_refused_with_the_way_round_and_never_run(tmp_path: Path) -> None:
    proof = tmp_path / "ran"
    scp = f"a touch {proof} |\nb b.wav\nc sph2pipe -f wav c.sph |\nd d.ark:12\n"
    with pytest.raises(DataError) as error:
        read_kaldi(tree(tmp_path, {"data/wav.scp": scp}) / "data", None, "utterance")
    refused(error, "data/wav.scp, line 1: ", "data/wav.scp, line 3: 'sph2pipe -f wav c.sph |' is a command")
    refused(error, "line 4: 'd.ark:12' is a place in an archive", "`COMMAND > wav/ID.wav`")
    assert not proof.exists()


def test_everything_wrong_with_a_kaldi_directory_is_listed_at_once(tmp_path: Path) -> None:
    files = {
        "train/wav.scp": "r1 a.wav\nr1 b.wav\nr3\n",
        "train/segments": (
            "u1 r1 2 1\nu2 r9 0 1\nu3 r1 0 x\nu4 r1 0 1 A\nu5 r1 0 1\nu5 r1 1 2\nu6 r1 3 4\nu7 r1 -1 4\nu8 r1\n"
        ),
        "train/utt2spk": "u5 anna\n",
    }
    with pytest.raises(DataError) as error:
        read_kaldi(tree(tmp_path, files) / "train", None, "speaker")
    refused(
        error,
        "train/wav.scp, line 2: 'r1' stands in line 1 already",
        "train/wav.scp, line 3: recording 'r3' has no file",
        "train/segments, line 1: end 1 s is not after start 2 s",
        "train/segments, line 2: recording 'r9' is not in train/wav.scp",
        "train/segments, line 3: u3 'r1 0 x'; expected utterance, recording, start and end in seconds",
        "train/segments, line 4: a fifth column is a channel",
        "train/segments, line 6: 'u5' stands in line 5 already",
        "train/segments, line 7: utterance 'u6' is not in train/utt2spk",
        "train/segments, line 8: u7 'r1 -1 4'; expected",
        "train/segments, line 9: u8 'r1'; expected",
        "10 things are wrong",
    )


@pytest.mark.parametrize(
    ("files", "label", "message"),
    [
        ({"data/wav.scp": "a a.wav\n"}, "speaker", "data: corpus.label is 'speaker', which needs a file utt2spk"),
        (
            {"data/wav.scp": "a a.wav\n"},
            "word",
            "corpus.label is 'word'; a Kaldi data directory has utterance, recording, speaker, gender, text",
        ),
        (
            {"data/wav.scp": "a a.wav\n", "data/utt2spk": "a s\n", "data/spk2gender": "t f\n"},
            "gender",
            "wav.scp, line 1: speaker 's' is not in data/spk2gender",
        ),
        ({"data/wav.scp": "\n"}, "utterance", "no utterance in data/wav.scp"),
        ({"data/train_a/wav.scp": "a a.wav\n"}, "utterance", "directories train_a are not named after splits"),
        (
            {"data/train/wav.scp": "a a.wav\n", "data/test/wav.scp": "a a.wav\n"},
            "utterance",
            "test/wav.scp, line 1: id 'a' is also that of train/wav.scp, line 1",
        ),
        ({"data/s5/data/train/wav.scp": "a a.wav\n"}, "utterance", "(corpus.path); did you mean"),
        ({"dta/wav.scp": "a a.wav\n"}, "utterance", "there is no such folder (corpus.path); did you mean"),
    ],
)
def test_a_kaldi_directory_that_cannot_be_used_is_refused(
    tmp_path: Path, files: dict[str, str], label: str, message: str
) -> None:
    with pytest.raises(DataError) as error:
        read_kaldi(tree(tmp_path, files) / "data", None, label)
    refused(error, message)


def test_relative_paths_that_begin_elsewhere_name_the_root_that_is_meant(tmp_path: Path) -> None:
    root = tree(tmp_path, {"s5/data/train/wav.scp": "a wav/a.wav\n", "s5/wav/a.wav": ""})
    with pytest.raises(DataError) as error:
        read_kaldi(root / "s5" / "data" / "train", None, "utterance")
    refused(error, f"none of them lies under {root / 's5' / 'data'}", f"did you mean corpus.root: {root / 's5'}?")
    assert len(read_kaldi(root / "s5" / "data" / "train", root / "s5", "utterance")) == 1


def test_speakers_without_audio_are_noted(tmp_path: Path) -> None:
    files = {"data/wav.scp": "a a.wav\n", "data/utt2spk": "a s\nb s\nc s\n"}
    (note,) = read_kaldi(tree(tmp_path, files) / "data", None, "speaker").notes
    assert note == "data/utt2spk: 2 of its utterances have no audio, such as b"


lines = st.lists(st.text("ab01 -.|\t/é\u2028", max_size=12), max_size=5).map("\n".join)


@given(lines, lines, lines)
@settings(max_examples=60, deadline=None)
def test_any_tables_give_utterances_or_a_data_error(
    tmp_path_factory: pytest.TempPathFactory, scp: str, segments: str, speakers: str
) -> None:
    folder = tree(tmp_path_factory.mktemp("k"), {"wav.scp": scp, "segments": segments, "utt2spk": speakers})
    try:
        corpus = read_kaldi(folder, None, "speaker")
    except DataError:
        return
    assert all(u.label("speaker") and u.path.is_relative_to(corpus.root) for u in corpus)


# ---------------------------------------------------------------- TIMIT


def sentence(root: Path, name: str, phones: str, words: str = "0 16000 well\n", audio: str = ".wav") -> None:
    phn, wrd = (".PHN", ".WRD") if name.isupper() else (".phn", ".wrd")
    tree(root, {name + (audio.upper() if name.isupper() else audio): "", name + phn: phones, name + wrd: words})


GOOD = "0 8000 h#\n8000 16000 ux\n16000 17000 q\n17000 18600 zh\n"


def sample(root: Path, phones: str = GOOD, **more: Any) -> Path:
    sentence(root, "dr1-fvmh0/sa1", GOOD)
    sentence(root, "dr1-fvmh0/si836", phones, **more)
    return root


def full(root: Path) -> Path:
    """The full corpus in capitals: the core and dev speakers, two others, one that trains."""
    for speaker in sorted(CORE_TEST | CORE_DEV | {"mdac0", "faem0"}):
        sentence(root, f"TEST/DR1/{speaker}/SX1".upper(), GOOD)
    sentence(root, "TRAIN/DR2/FCJF0/SI1027", GOOD)
    sentence(root, "TRAIN/DR2/FCJF0/SA1", GOOD)
    return root


def test_phones_are_segments_in_seconds_with_the_labels_of_their_speaker(tmp_path: Path) -> None:
    corpus = read_timit(sample(tmp_path), "phone", TimitSpec())
    assert [(u.id, u.start, u.end, u.label("phone")) for u in corpus] == [
        ("fvmh0_si836:0-8000", 0.0, 0.5, "sil"),
        ("fvmh0_si836:8000-16000", 0.5, 1.0, "uw"),
        ("fvmh0_si836:17000-18600", 1.0625, 1.1625, "sh"),
    ]
    assert corpus.utterances[0].labels == {
        "phone": "sil",
        "speaker": "fvmh0",
        "sex": "f",
        "dialect": "dr1",
        "sentence": "si836",
    }
    assert corpus.utterances[2].source == "dr1-fvmh0/si836.phn, line 4"


def test_names_may_be_in_any_case_and_differ_between_files(tmp_path: Path) -> None:
    lower = read_timit(sample(tmp_path / "a"), "phone", TimitSpec())
    tree(tmp_path / "b", {"DR1-FVMH0/SI836.WAV": "", "DR1-FVMH0/si836.Phn": GOOD.upper()})
    upper = read_timit(tmp_path / "b", "phone", TimitSpec())
    assert [(u.id, u.labels) for u in upper] == [(u.id, u.labels) for u in lower]


def test_sa_sentences_are_dropped_for_phones_and_words_unless_kept(tmp_path: Path) -> None:
    root = sample(tmp_path)
    for label, sa, expected in (
        ("phone", None, {"si836"}),
        ("word", None, {"si836"}),
        ("speaker", None, {"sa1", "si836"}),
        ("phone", "keep", {"sa1", "si836"}),
        ("speaker", "drop", {"si836"}),
    ):
        corpus = read_timit(root, label, TimitSpec(sa=sa))  # type: ignore[arg-type]
        assert {u.label("sentence") for u in corpus} == expected


def test_the_full_corpus_divides_by_its_folders(tmp_path: Path) -> None:
    corpus = read_timit(full(tmp_path), "speaker", TimitSpec())
    assert Counter(u.split for u in corpus) == {"train": 2, "test": 76}
    assert {u.id for u in corpus.split("train")} == {"fcjf0_sa1", "fcjf0_si1027"}


def test_the_core_test_has_its_24_speakers_a_dev_set_of_50_and_leaves_the_others_out(tmp_path: Path) -> None:
    corpus = read_timit(full(tmp_path), "speaker", TimitSpec(test="core"))
    assert Counter(u.split for u in corpus) == {"train": 2, "dev": 50, "test": 24}
    assert {u.label("speaker") for u in corpus.split("test")} == CORE_TEST
    assert corpus.notes == ("2 speakers of TEST are in neither the core test nor its dev set and are not used",)
    assert len(CORE_TEST) == 24
    assert not CORE_TEST & CORE_DEV
    assert Counter(name[0] for name in CORE_TEST) == {"m": 16, "f": 8}
    with pytest.raises(DataError, match="core needs the 24 speakers of the core test set below TEST; 24 are not there"):
        read_timit(sample(tmp_path / "sample"), "speaker", TimitSpec(test="core"))


def test_folding_is_that_of_lee_and_hon() -> None:
    assert len(set(PHONES)) == 61
    assert [len(set(FOLDS[n].values())) for n in (61, 48, 39)] == [61, 48, 39]
    # The groups of the paper's 39 classes that are more than one symbol, written out independently.
    groups = {
        "sil": "bcl dcl gcl pcl tcl kcl h# pau epi",
        "aa": "aa ao",
        "ah": "ah ax ax-h",
        "er": "er axr",
        "hh": "hh hv",
        "ih": "ih ix",
        "l": "l el",
        "m": "m em",
        "n": "n en nx",
        "ng": "ng eng",
        "sh": "sh zh",
        "uw": "uw ux",
    }
    folded = {phone: name for name, members in groups.items() for phone in members.split()}
    assert {p: fold_phone(p) for p in PHONES} == {p: folded.get(p, p) for p in PHONES} | {"q": None}
    assert {p for p in PHONES if fold_phone(p, 48) == "cl"} == {"pcl", "tcl", "kcl"}
    assert {p for p in PHONES if fold_phone(p, 48) == "vcl"} == {"bcl", "dcl", "gcl"}
    assert fold_phone("q", 61) == "q"
    with pytest.raises(DataError, match="'xx' is none of TIMIT's 61 phones"):
        fold_phone("xx")


def test_timit_is_told_its_test_speakers(tmp_path: Path) -> None:
    root = full(tmp_path / "full")
    everybody = {u.label("speaker") for u in read_timit(root, "speaker", TimitSpec())}
    chosen = sorted(everybody)[::3]
    spec = TimitSpec(test_speakers=tuple(name.upper() for name in chosen))
    corpus = read_timit(root, "speaker", spec)
    assert {u.label("speaker") for u in corpus.split("test")} == set(chosen)
    assert {u.label("speaker") for u in corpus.split("train")} == everybody - set(chosen)
    assert len(corpus) == len(corpus.split("test")) + len(corpus.split("train"))
    small = read_timit(sample(tmp_path / "sample"), "phone", TimitSpec())
    one = small.utterances[0].label("speaker")
    told = read_timit(tmp_path / "sample", "phone", TimitSpec(test_speakers=(one,)))
    assert {u.label("speaker") for u in told.split("test")} == {one}
    with pytest.raises(DataError, match="test_speakers names nobody, xy0, and no such speaker is there"):
        read_timit(root, "speaker", TimitSpec(test_speakers=("xy0", "nobody")))
    with pytest.raises(ConfigError, match="leave one of them"):
        TimitSpec(test="core", test_speakers=("mdab0",))
    with pytest.raises(ConfigError, match=r"is for corpus\.split: column; the split is kfold"):
        CorpusSpec(kind="timit", timit=spec, split=SplitSpec(kind="kfold"))


def test_everything_wrong_with_timit_is_listed_with_file_and_line(tmp_path: Path) -> None:
    sample(tmp_path, "0 800 h#\n700 900 iy\n900 900 k\n1000 950 k\n1000 1100 zz\n1100 x k\n1200 1300\n")
    (tmp_path / "dr1-fvmh0" / "si836.wav").unlink()
    tree(tmp_path, {"dr2-mabc0/sx1.wav": ""})
    with pytest.raises(DataError) as error:
        read_timit(tmp_path, "phone", TimitSpec())
    refused(error, "dr1-fvmh0/si836.phn: no recording si836.wav beside it", "dr2-mabc0/sx1.wav: no sx1.phn beside it")
    (tmp_path / "dr1-fvmh0" / "si836.wav").touch()
    with pytest.raises(DataError) as error:
        read_timit(tmp_path, "phone", TimitSpec())
    refused(
        error,
        "dr1-fvmh0/si836.phn, line 2: 'iy' starts at 700, before the phone above ends at 800 (samples)",
        "line 3: 'k' ends at 900, which is not after its start 900",
        "line 4: 'k' ends at 950, which is not after its start 1000",
        "line 5: 'zz' is none of TIMIT's 61 phones",
        "line 6: '1100 x k'; expected start and end in samples and a phone",
        "line 7: '1200 1300'; expected",
    )


def test_words_may_overlap_for_they_share_phones(tmp_path: Path) -> None:
    sample(tmp_path, words="0 900 had\n700 1500 your\n")
    corpus = read_timit(tmp_path, "word", TimitSpec())
    assert [u.label("word") for u in corpus] == ["had", "your"]


def test_a_copy_converted_beside_the_original_is_not_a_second_recording(tmp_path: Path) -> None:
    tree(sample(tmp_path), {"dr1-fvmh0/si836.wav.wav": ""})
    assert {u.path.name for u in read_timit(tmp_path, "phone", TimitSpec())} == {"si836.wav"}


def test_a_sentence_in_two_places_is_refused(tmp_path: Path) -> None:
    sentence(full(tmp_path), "TRAIN/DR3/FCJF0/SI1027", GOOD)
    with pytest.raises(DataError, match="sentence si1027 of fcjf0 lies in TRAIN/DR2/FCJF0 already"):
        read_timit(tmp_path, "phone", TimitSpec())


def test_a_root_one_level_off_is_named(tmp_path: Path) -> None:
    full(tmp_path / "timit" / "TIMIT")
    for given_root in (
        tmp_path,
        tmp_path / "timit",
        tmp_path / "timit" / "TIMIT" / "TRAIN",
        tmp_path / "timit" / "TIM",
    ):
        with pytest.raises(DataError, match=rf"did you mean {tmp_path}/timit/TIMIT\?"):
            read_timit(given_root, "phone", TimitSpec())
    (tmp_path / "empty" / "inner").mkdir(parents=True)
    with pytest.raises(DataError, match=r"not TIMIT \(TRAIN/DR1"):
        read_timit(tmp_path / "empty" / "inner", "phone", TimitSpec())


def test_the_sample_asks_for_a_split_by_speaker(tmp_path: Path) -> None:
    root = sample(tmp_path)
    with pytest.raises(DataError, match=r"has no split; set corpus.split: .*corpus.group: speaker"):
        read_corpus(CorpusSpec(kind="timit", label="phone"), path=None, root=root)
    spec = CorpusSpec(kind="timit", label="phone", split=SplitSpec(kind="fraction"))
    assert len(read_corpus(spec, path=None, root=root)) == 3


def test_the_phones_of_real_timit_tile_their_recordings(shared: Path) -> None:
    root = shared / "data" / "timit-a"
    corpus = read_timit(root, "phone", TimitSpec(phones=61))
    assert {u.label("speaker") for u in corpus} >= {"fvmh0", "mcpm0"}
    assert len({u.label("speaker") for u in corpus}) == 8
    assert len(corpus.paths()) == 64  # 8 speakers, 10 sentences less sa1 and sa2
    for before, after in pairwise(corpus.utterances):
        if before.path == after.path:
            assert before.end == after.start
    for path in corpus.paths()[:8]:
        last = max(u.end or 0 for u in corpus if u.path == path)
        assert last <= soundfile.info(path).duration + 1e-9
    folded = read_timit(root, "phone", TimitSpec())
    assert len(folded) == len(corpus) - sum(u.label("phone") == "q" for u in corpus)
    assert len({u.label("phone") for u in folded}) == 39
    assert len(read_timit(root, "word", TimitSpec())) > 500  # overlapping words and all


# ---------------------------------------------------------------- LibriSpeech

SPEAKERS = ";ID |SEX| SUBSET |MINUTES| NAME\n19 | F | train-clean-100 | 25.1 | A\n84 | M | dev-clean | 8.0 | |CBW|S\n"
LIBRI = {
    "SPEAKERS.TXT": SPEAKERS,
    "train-clean-100/19/198/19-198-0000.flac": "",
    "train-clean-100/19/198/19-198.trans.txt": "",
    "dev-clean/84/121123/84-121123-0001.flac": "",
}


def test_librispeech_gives_speaker_chapter_sex_and_the_split_of_its_subsets(tmp_path: Path) -> None:
    corpus = read_librispeech(tree(tmp_path, LIBRI), "speaker")
    assert [(u.id, u.split, u.labels) for u in corpus] == [
        (
            "84-121123-0001",
            "dev",
            {"speaker": "84", "chapter": "121123", "subset": "dev-clean", "sex": "m"},
        ),
        (
            "19-198-0000",
            "train",
            {"speaker": "19", "chapter": "198", "subset": "train-clean-100", "sex": "f"},
        ),
    ]
    (alone,) = read_librispeech(tmp_path / "dev-clean", "sex")
    assert (alone.split, alone.label("sex")) == ("dev", "m")


def test_the_flat_layout_says_the_same(tmp_path: Path) -> None:
    nested = read_librispeech(tree(tmp_path / "a", LIBRI), "sex")
    names = {f"{name.split('/')[0]}/{Path(name).name}" if "/" in name else name: text for name, text in LIBRI.items()}
    flat = read_librispeech(tree(tmp_path / "b", names), "sex")
    assert [(u.id, u.split, u.labels) for u in flat] == [(u.id, u.split, u.labels) for u in nested]


def test_speakers_that_the_table_does_not_know_or_places_elsewhere_are_refused(tmp_path: Path) -> None:
    root = tree(tmp_path, LIBRI | {"dev-clean/7/1/7-1-0000.flac": "", "dev-clean/19/9/19-9-0000.flac": ""})
    with pytest.raises(DataError) as error:
        read_librispeech(root, "speaker")
    refused(error, "dev-clean/7/1/7-1-0000.flac: speaker 7 is not in SPEAKERS.TXT", "2 things are wrong")
    refused(error, "SPEAKERS.TXT has speaker 19 in train-clean-100, not in dev-clean")
    (root / "SPEAKERS.TXT").write_text("19 | X | train-clean-100 | 25 | A\n")
    with pytest.raises(DataError, match=r"SPEAKERS.TXT, line 1: .*expected ID"):
        read_librispeech(root, "speaker")
    (root / "SPEAKERS.TXT").unlink()
    with pytest.raises(DataError, match=r"no 'sex'; it needs a SPEAKERS.TXT in"):
        read_librispeech(root, "sex")
    with pytest.raises(DataError, match=r"corpus.label is 'word'; LibriSpeech has speaker, chapter, sex, subset"):
        read_librispeech(root, "word")
    with pytest.raises(DataError, match=r"not LibriSpeech.*did you mean .*/train-clean-100\?"):
        read_librispeech(tree(root / "train-clean-100" / "20", {"notes.txt": ""}), "speaker")


def test_the_same_recording_in_two_places_is_refused(tmp_path: Path) -> None:
    root = tree(tmp_path, LIBRI | {"train-clean-100/19-198-0000.flac": ""})
    with pytest.raises(DataError, match=r"id '19-198-0000' is also that of train-clean-100/19-198-0000\.flac"):
        read_librispeech(root, "speaker")


def test_real_librispeech_has_251_speakers_of_two_sexes(shared: Path) -> None:
    corpus = read_librispeech(shared / "data" / "librispeech", "sex")
    assert len({u.label("speaker") for u in corpus}) == len(corpus) == 251
    assert Counter(u.label("sex") for u in corpus) == {"f": 125, "m": 126}


# ---------------------------------------------------------------- Speech Commands


def test_the_lists_of_speech_commands_are_its_split(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            "yes/aa11_nohash_0.wav": "",
            "yes/bb22_nohash_1.wav": "",
            "no/cc33_nohash_0.wav": "",
            "no/strange.wav": "",
            "_background_noise_/pink.wav": "",
        },
    )
    corpus = read_speech_commands(root, "word")
    assert {u.split for u in corpus} == {""}
    assert corpus.notes == ("1 recording is not named as in Speech Commands and not used, such as no/strange.wav",)
    tree(
        root, {"validation_list.txt": "yes/bb22_nohash_1.wav\n", "testing_list.txt": "no/cc33_nohash_0.wav\nno/x.wav\n"}
    )
    corpus = read_speech_commands(root, "word")
    assert [(u.id, u.split, u.labels) for u in corpus] == [
        ("no/cc33_nohash_0", "test", {"word": "no", "speaker": "cc33", "index": "0"}),
        ("yes/aa11_nohash_0", "train", {"word": "yes", "speaker": "aa11", "index": "0"}),
        ("yes/bb22_nohash_1", "dev", {"word": "yes", "speaker": "bb22", "index": "1"}),
    ]
    assert corpus.notes[1].startswith("1 of 3 recordings in validation_list.txt and testing_list.txt are not there")
    (root / "testing_list.txt").write_text("yes/bb22_nohash_1.wav\n")
    with pytest.raises(
        DataError, match=r"testing_list.txt, line 1: yes/bb22_nohash_1.wav is in validation_list.txt too"
    ):
        read_speech_commands(root, "word")
    with pytest.raises(DataError, match=rf"not Speech Commands .*did you mean {root}\?"):
        read_speech_commands(root / "yes", "word")


def test_no_speaker_of_real_speech_commands_is_on_two_sides(shared: Path) -> None:
    corpus = read_speech_commands(shared / "data" / "speech_commands_mini", "word")
    assert Counter(u.label("word") for u in corpus) == dict.fromkeys({u.label("word") for u in corpus}, 10)
    assert {u.split for u in corpus} == {"train", "dev", "test"}
    check_leaks(corpus, "speaker")


# ---------------------------------------------------------------- TextGrids


def grid(tiers: dict[str, list[tuple[float, float, str]]]) -> str:
    """A TextGrid as Praat writes it, in its long form."""
    out = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", "xmax = 2", "tiers? <exists>"]
    out += [f"size = {len(tiers)}", "item []:"]
    for n, (name, intervals) in enumerate(tiers.items(), 1):
        out += [f"    item [{n}]:", '        class = "IntervalTier"', f'        name = "{name}"', "        xmin = 0"]
        out += ["        xmax = 2", f"        intervals: size = {len(intervals)}"]
        for m, (start, end, text) in enumerate(intervals, 1):
            out += [f"        intervals [{m}]:", f"            xmin = {start}", f"            xmax = {end}"]
            out += [f'            text = "{text}"']
    return "\n".join(out) + "\n"


PHONE_TIER = {"phones": [(0.0, 0.5, ""), (0.5, 1.25, "aː"), (1.25, 2.0, "t")]}
TWO_TIERS = PHONE_TIER | {"words": [(0.0, 2.0, "at")]}

praatio = pytest.mark.skipif(find_spec("praatio") is None, reason="praatio is not installed")


@praatio
def test_the_intervals_of_a_tier_are_utterances_and_empty_ones_are_not(tmp_path: Path) -> None:
    root = tree(tmp_path, {"anna/1.TextGrid": grid(PHONE_TIER), "anna/1.wav": "", "ben/2.wav": ""})
    corpus = read_textgrids(root, "phone")
    assert [(u.id, u.start, u.end, u.labels) for u in corpus] == [
        ("anna/1:0.500-1.250", 0.5, 1.25, {"speaker": "anna", "phone": "aː"}),
        ("anna/1:1.250-2.000", 1.25, 2.0, {"speaker": "anna", "phone": "t"}),
    ]
    assert corpus.notes == ("1 of 2 recordings have no labels in a TextGrid beside them and are not used",)


@praatio
def test_textgrids_in_utf_16_and_folders_named_after_splits_are_read(tmp_path: Path) -> None:
    root = tree(tmp_path, {"train/anna/1.wav": "", "test/anna/2.wav": "", "test/anna/2.TextGrid": grid(TWO_TIERS)})
    (root / "train" / "anna" / "1.TextGrid").write_text(grid(TWO_TIERS), encoding="utf-16")
    corpus = read_textgrids(root, "word", TextGridSpec(tier="words"))
    assert [(u.id, u.split, u.label("word"), u.label("speaker")) for u in corpus] == [
        ("test/anna/2:0.000-2.000", "test", "at", "anna"),
        ("train/anna/1:0.000-2.000", "train", "at", "anna"),
    ]


@praatio
def test_everything_wrong_with_textgrids_is_listed_at_once(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            "a.TextGrid": grid(TWO_TIERS),
            "a.wav": "",
            "b.TextGrid": "not a grid",
            "b.wav": "",
            "c.TextGrid": grid(PHONE_TIER),
            "d.TextGrid": grid(PHONE_TIER),
            "d.wav": "",
            "d.flac": "",
            "e.TextGrid": grid({"phones": [(0.0, 0.5, "a"), (0.5, 0.5001, "b"), (0.5001, 0.5002, "c")]}),
            "e.wav": "",
        },
    )
    with pytest.raises(DataError) as error:
        read_textgrids(root, "x")
    refused(error, "a.TextGrid: its interval tiers are 'phones', 'words'; say which in corpus.textgrid.tier")
    refused(error, "b.TextGrid: not a TextGrid that can be read", "c.TextGrid: no recording of that name beside it")
    refused(error, "d.TextGrid: two recordings: d.flac and d.wav")
    refused(error, "e.TextGrid, 'c' from 0.500 to 0.500 s: another interval has the same times, to the millisecond")
    with pytest.raises(DataError, match=r"e.TextGrid: no interval tier 'words' .*; its interval tiers are 'phones'"):
        read_textgrids(root, "x", TextGridSpec(tier="words"))


CHRONOLOGICAL = '"Praat chronological TextGrid text file"\n0 2.0 ! Time domain.\n1 ! Number of tiers.\n'
WHAT_TEXTGRIDS_ARE = {
    "binary": (b"ooBinaryFile\x08TextGrid" + bytes(40), "a binary TextGrid, .*Save as text file"),
    "chronological": (CHRONOLOGICAL.encode(), "a chronological TextGrid, .*Save as text file"),
    "old chronological": (b'File type = "ooTextFile chronological"\n', "a chronological TextGrid"),
    "Latin-1": (grid({"phones": [(0.0, 2.0, "\u00fc")]}).encode("latin-1"), ".*byte 0xfc in line 18.*Latin-1.*UTF-8"),
    "cut": (grid(PHONE_TIER).encode()[:420], r"not a whole TextGrid \(.*2 of 3 intervals .*see whether Praat"),
    "cut UTF-16": (grid(PHONE_TIER).encode("utf-16")[:-1], "not text in UTF-16, as it begins"),
    "overlap": (grid({"phones": [(0.0, 1.0, "a"), (0.5, 2.0, "b")]}).encode(), "not a whole TextGrid"),
    "nothing": (b"", "not a TextGrid that can be read: it begins with ''"),
    "audio": (b"RIFF\x00\x01\x02\x03WAVEfmt ", "not a TextGrid that can be read: it begins with 'RIFF"),
    "two tiers": (
        grid(PHONE_TIER).replace("size = 1", "size = 2").encode()
        + grid(PHONE_TIER).partition("item []:\n")[2].replace("item [1]", "item [2]").encode(),
        "two interval tiers are called 'phones'; rename one of them",
    ),
}


@praatio
@pytest.mark.parametrize("kind", WHAT_TEXTGRIDS_ARE)
def test_a_textgrid_that_is_not_read_is_named_with_what_it_is_and_what_to_do(tmp_path: Path, kind: str) -> None:
    data, message = WHAT_TEXTGRIDS_ARE[kind]
    root = tree(tmp_path, {"anna/1.wav": ""})
    (root / "anna" / "1.TextGrid").write_bytes(data)
    with pytest.raises(DataError, match=rf"anna/1.TextGrid: {message}"):
        read_textgrids(root, "phone", TextGridSpec(tier="phones"))


@praatio
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_textgrids_of_every_encoding_and_text_format_say_the_same(tmp_path: Path, encoding: str) -> None:
    short = 'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n2\n<exists>\n1\n'
    short += '"IntervalTier"\n"phones"\n0\n2\n3\n'
    short += "".join(f'{start}\n{end}\n"{text}"\n' for start, end, text in PHONE_TIER["phones"])
    for text in (grid(PHONE_TIER), grid(PHONE_TIER).replace("item [", "item["), short):
        root = tree(tmp_path, {"anna/1.wav": "", "anna/._1.TextGrid": "Mac OS X", ".x/2.TextGrid": ""})
        (root / "anna" / "1.TextGrid").write_bytes(text.replace("\n", "\r\n").encode(encoding))
        assert [(u.start, u.end, u.label("phone")) for u in read_textgrids(root, "phone")] == [
            (0.5, 1.25, "a\u02d0"),
            (1.25, 2.0, "t"),
        ]


@praatio
def test_textgrids_may_lie_in_another_folder_and_give_words_and_phones(tmp_path: Path) -> None:
    tiers = {"phones": [(0.0, 0.5, "a"), (0.5, 1.0, "t"), (1.0, 2.0, "u")], "words": [(0.0, 1.0, "at"), (1.0, 2.0, "")]}
    tree(tmp_path, {"audio/train/anna/1.wav": "", "grids/train/anna/1.TextGrid": grid(tiers)})
    spec = TextGridSpec(tier="phones", columns={"word": "words"}, folder=str(tmp_path / "grids"))
    corpus = read_textgrids(tmp_path / "audio", "phone", spec)
    assert [(u.id, u.split, u.labels) for u in corpus] == [
        ("train/anna/1:0.000-0.500", "train", {"speaker": "anna", "word": "at", "phone": "a"}),
        ("train/anna/1:0.500-1.000", "train", {"speaker": "anna", "word": "at", "phone": "t"}),
        ("train/anna/1:1.000-2.000", "train", {"speaker": "anna", "word": "", "phone": "u"}),
    ]
    assert corpus.utterances[0].path == tmp_path / "audio/train/anna/1.wav"
    (tmp_path / "c.yaml").write_text("corpus: {kind: textgrid, root: audio, textgrid: {folder: grids}}\n")
    assert load_config(tmp_path / "c.yaml").corpus_spec().textgrid.folder == str(tmp_path / "grids")
    tree(tmp_path, {"grids/2.TextGrid": grid(tiers)})
    with pytest.raises(DataError, match=r"2.TextGrid: no recording of that name below .*audio"):
        read_textgrids(tmp_path / "audio", "phone", spec)
    with pytest.raises(DataError, match=r"none: there is no such folder \(corpus.textgrid.folder\)"):
        read_textgrids(tmp_path / "audio", "phone", replace(spec, folder=str(tmp_path / "none")))
    with pytest.raises(DataError, match=r"no interval tier 'x' \(corpus.textgrid.columns.word\)"):
        read_textgrids(tmp_path / "audio", "phone", replace(spec, columns={"word": "x"}))


def labelled(counts: dict[str, int], split: str = "") -> list[tuple[str, str]]:
    return [(label, split) for label, n in counts.items() for _ in range(n)]


def read_labels(folder: Path, rows: list[tuple[str, str]], **settings: Any) -> Corpus:
    lines = [f"{n}.wav\t{label}\t{split}" for n, (label, split) in enumerate(rows)]
    (folder / "m.tsv").write_text("\n".join(["path\tlabel\tsplit", *lines]) + "\n")
    return read_corpus(CorpusSpec(**settings), path=folder / "m.tsv", root=None)


def test_labels_are_merged_then_ignored_and_classes_of_few_items_left_out(tmp_path: Path) -> None:
    rows = labelled({"ax": 2, "ah": 3, "sil": 4, "": 1, "zh": 4, "t": 5, "dx": 1})
    labels = LabelSpec(merge={"ax": "ah", "dx": "t", "qq": "t"}, ignore=("sil", ""))
    corpus = read_labels(tmp_path, rows, labels=labels, min_items=5)
    assert Counter(u.label("label") for u in corpus) == {"ah": 5, "t": 6}
    assert corpus.notes == (
        "corpus.labels: no item has the label 'qq'",
        "5 items are left out (corpus.labels.ignore)",
        "1 of 3 classes have fewer than 5 items and are left out (corpus.min_items): zh (4)",
    )
    with pytest.raises(DataError, match=r"the label in 'label' is empty"):
        read_labels(tmp_path, rows)
    with pytest.raises(DataError, match=r"no item is left by corpus.labels.ignore and corpus.min_items"):
        read_labels(tmp_path, rows, labels=labels, min_items=50)


def test_the_items_that_count_are_those_of_training_and_the_background_is_left_alone(tmp_path: Path) -> None:
    rows = labelled({"a": 2, "b": 3}, "train") + labelled({"a": 3, "b": 1, "c": 9}, "test") + labelled({"x": 1}, "ubm")
    corpus = read_labels(tmp_path, rows, min_items=3)
    assert Counter(u.label("label") for u in corpus) == {"b": 4, "x": 1}
    assert corpus.notes[0].endswith("in the training part and are left out (corpus.min_items): a (2), c (0)")


def test_a_folder_without_textgrids_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no TextGrid; one is expected beside each recording"):
        read_textgrids(tree(tmp_path, {"a/1.wav": ""}), "phone")
    with pytest.raises(DataError, match="no such folder"):
        read_textgrids(tmp_path / "none", "phone")


# ---------------------------------------------------------------- configuration


def test_the_kind_chooses_the_reader_and_its_section(tmp_path: Path) -> None:
    tree(tmp_path, {"d/wav.scp": "a a.wav\n", "d/utt2spk": "a s\n"})
    spec = CorpusSpec(kind="kaldi", label="speaker")
    assert len(read_corpus(spec, path=tmp_path / "d", root=None)) == 1
    with pytest.raises(
        ConfigError, match=r"corpus.path: a corpus of kind 'kaldi' needs the path of its data directory"
    ):
        read_corpus(spec, path=None, root=tmp_path)
    for other in (replace(spec, timit=TimitSpec(phones=61)), replace(spec, textgrid=TextGridSpec(tier="x"))):
        with pytest.raises(ConfigError, match=r"corpus.(timit|textgrid) is for a corpus of kind"):
            read_corpus(other, path=tmp_path / "d", root=None)


@pytest.mark.parametrize("kind", ["timit", "librispeech", "speech_commands", "fsdd", "espeak"])
def test_known_corpora_have_a_place_of_their_own(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "c.yaml").write_text(f"corpus: {{kind: {kind}}}\n")
    monkeypatch.setenv("SPEECHGMM_DATA", str(tmp_path / "shelf"))
    assert load_config(tmp_path / "c.yaml").corpus_root() == tmp_path / "shelf" / kind
    monkeypatch.delenv("SPEECHGMM_DATA")
    monkeypatch.chdir(tmp_path)
    assert load_config(tmp_path / "c.yaml").corpus_root() == tmp_path / "data" / kind


def test_a_number_of_phones_that_no_one_folds_to_is_refused() -> None:
    assert make_config({"corpus": {"kind": "timit", "timit": {"phones": 48}}}).corpus.timit.phones == 48
    with pytest.raises(ConfigError, match=r"corpus.timit.phones is 40; expected 61, 48 or 39"):
        make_config({"corpus": {"kind": "timit", "timit": {"phones": 40}}})


@pytest.mark.slow
def test_a_kaldi_directory_runs_from_its_configuration_to_class_models(tmp_path: Path) -> None:
    from speechgmm.engine.runs import run

    scp, speakers = {"train": "", "test": ""}, {"train": "", "test": ""}
    (tmp_path / "audio").mkdir()
    for number, (name, pitch) in enumerate({"low": 110.0, "high": 300.0}.items()):
        for n in range(6):
            identity, split = f"{name}-{n}", "test" if n < 2 else "train"
            soundfile.write(tmp_path / "audio" / f"{identity}.wav", hum(10 * number + n, pitch), 8000)
            scp[split] += f"{identity} audio/{identity}.wav\n"
            speakers[split] += f"{identity} {name}\n"
    for split in scp:
        tree(tmp_path, {f"data/{split}/wav.scp": scp[split], f"data/{split}/utt2spk": speakers[split]})
    (tmp_path / "c.yaml").write_text(
        "corpus: {kind: kaldi, path: data, label: speaker, sample_rate: 8000}\n"
        "model: {n_components: 2, max_iter: 3}\nparallel: {n_jobs: 1}\ncache: cache\n"
        f"output: {tmp_path / 'run'}\n"
    )
    run(tmp_path / "c.yaml")
    assert (tmp_path / "run" / "models.safetensors").is_file()
    (tmp_path / "audio" / "low-3.wav").unlink()
    (tmp_path / "audio" / "high-4.wav").unlink()
    with pytest.raises(DataError, match=r"(?s)2 of 12 utterances cannot be used:.*low-3.wav.*high-4.wav"):
        run(tmp_path / "c.yaml", output=tmp_path / "again")


# ---------------------------------------------------------------- leaks

C = Path("/c")


def part(name: str, split: str, path: str = "", start: float | None = None, end: float | None = None, **labels: str):  # type: ignore[no-untyped-def]
    return Utterance(name, C / (path or name), start, end, split, {"word": "w", **labels}, f"line {name}")


def corpus_of(*utterances: Utterance) -> Corpus:
    return Corpus(utterances, "word", C)


def test_a_speaker_planted_on_both_sides_is_refused_by_name() -> None:
    corpus = corpus_of(
        part("1", "train", speaker="anna"),
        part("2", "test", speaker="anna"),
        part("3", "ubm", speaker="ben"),
        part("4", "dev", speaker="ben"),
        part("5", "train", speaker="eve"),
        part("6", "ubm", speaker="eve"),
    )
    with pytest.raises(DataError) as error:
        check_leaks(corpus, "speaker")
    refused(error, "2 of 3 values of 'speaker'", "speaker 'anna': training (line 1), test (line 2)", "speaker 'ben'")
    assert "'eve'" not in str(error.value)
    check_leaks(corpus)
    check_leaks(replace(corpus, label="speaker"), "speaker")


@pytest.mark.parametrize(
    ("train", "test", "leak"),
    [
        ((None, None), (None, None), True),
        ((0.0, 1.0), (None, None), True),
        ((0.0, 1.0), (1.0, 2.0), False),
        ((0.0, 1.1), (1.0, None), True),
        ((1.0, None), (0.0, 1.0), False),
        ((0.0, 9.0), (3.0, 4.0), True),
    ],
)
def test_the_same_audio_under_two_ids_is_a_leak_where_the_times_overlap(
    train: tuple[float | None, float | None], test: tuple[float | None, float | None], leak: bool
) -> None:
    corpus = corpus_of(part("a", "train", "x.wav", *train), part("b", "test", "x.wav", *test))
    if leak:
        with pytest.raises(DataError, match=r"(?s)same audio is in more than one part of the split.*x.wav") as error:
            check_leaks(corpus)
        refused(error, "a (train)", "b (test)")
    else:
        check_leaks(corpus)
    copies = corpus_of(part("a", "train", "x.wav", *train), part("b", "test", "y.wav", *test))
    problems = same_audio({C / "x.wav": "5f", C / "y.wav": "5f"}, copies)
    assert bool(problems) == leak
    assert all("x.wav (a, train)" in text and "y.wav (b, test)" in text for text in problems)
    assert same_audio({C / "x.wav": "5f", C / "y.wav": "60"}, copies) == []


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["train", "ubm", "dev", "test"]),
            st.integers(0, 20),
            st.integers(1, 6),
            st.sampled_from("xy"),
        ),
        max_size=12,
    )
)
def test_the_sweep_finds_a_leak_exactly_where_comparing_all_pairs_does(rows: list[tuple[str, int, int, str]]) -> None:
    utterances = [part(str(n), s, p, float(t), float(t + d)) for n, (s, t, d, p) in enumerate(rows)]

    def side(utterance: Utterance) -> str:
        return utterance.split.replace("ubm", "train")

    def leaks(one: Utterance, other: Utterance) -> bool:
        return side(one) != side(other) and (one.start or 0) < (other.end or 0) and (other.start or 0) < (one.end or 0)

    pairs = [(one, other) for one in utterances for other in utterances if leaks(one, other)]
    corpus = corpus_of(*utterances)
    found = same_audio({C / "x": "5f", C / "y": "5f"}, corpus)
    assert bool(found) == any(one.path != other.path for one, other in pairs)
    if any(one.path == other.path for one, other in pairs):
        with pytest.raises(DataError, match="the same audio"):
            check_leaks(corpus)
    else:
        check_leaks(corpus)


@pytest.mark.slow
def test_a_large_corpus_is_checked_without_comparing_all_pairs() -> None:
    rng = np.random.default_rng(0)
    starts = np.sort(rng.uniform(0, 3600, 20000))
    utterances = [
        part(str(n), ("train", "test")[n % 2], "x", float(start), float(end))
        for n, (start, end) in enumerate(pairwise(starts))
        if end > start
    ]
    check_leaks(corpus_of(*utterances))
