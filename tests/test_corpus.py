import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechgmm.corpus import Corpus, SplitSpec, Utterance, make_split
from speechgmm.corpus.readers.folder import read_folder, read_fsdd
from speechgmm.corpus.readers.manifest import read_manifest
from speechgmm.corpus.splits import assign_folds, split_by_fraction
from speechgmm.errors import DataError


def manifest(folder: Path, text: str, name: str = "m.tsv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_rows_keep_their_order_times_and_labels(tmp_path: Path) -> None:
    path = manifest(
        tmp_path,
        "path\tstart\tend\tsplit\tphone\tspeaker\na/1.wav\t0.5\t1\ttrain\taa\ts1\na/1.wav\t1\t\ttest\tb\ts1\n\n",
    )
    first, second = read_manifest(path, None, "phone")
    assert (first.path, first.start, first.end, first.split) == (tmp_path / "a" / "1.wav", 0.5, 1.0, "train")
    assert first.labels == {"phone": "aa", "speaker": "s1"}
    assert (first.id, second.id) == ("a/1:0.500-1.000", "a/1:1.000-end")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("m.csv", 'path,speaker,text\na.wav,s1,"well, yes"\n'),
        ("m.tsv", "\ufeffpath\tspeaker\ttext\na.wav\ts1\twell, yes\n"),
        ("m.jsonl", '{"path": "a.wav", "speaker": "s1", "text": "well, yes", "start": null}\n'),
        ("m.csv", "path;speaker;text\r\na.wav;s1;well, yes\r\n"),
    ],
)
def test_the_three_formats_say_the_same(tmp_path: Path, name: str, text: str) -> None:
    (utterance,) = read_manifest(manifest(tmp_path, text, name), None, "speaker")
    assert utterance.labels == {"speaker": "s1", "text": "well, yes"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path\tspeakr\na.wav\ts\n", r"no column 'speaker' \(corpus.label\); .* did you mean 'speakr'"),
        ("file\tspeaker\na.wav\ts\n", r"no column 'path'"),
        ("path\tspeaker\tid\na.wav\ts\tx\nb.wav\ts\tx\n", r"line 3: id 'x' is also that of line 2"),
        ("path\tspeaker\na.wav\ts\na.wav\ts\n", r"line 3: id 'a' is also that of line 2"),
        ("path\tspeaker\tstart\tend\na.wav\ts\t2\t1\n", r"line 2: end 1 s is not after start 2 s"),
        (
            "path\tspeaker\tstart\tend\na.wav\ts\t0,5,1\t1\n",
            r"line 2: start '0,5,1' is not a number of seconds",
        ),
        ("path\tspeaker\tstart\tend\na.wav\ts\tnan\t1\n", r"line 2: start 'nan' is not a time"),
        ("path\tspeaker\n../a.wav\ts\n", r"line 2: '../a.wav' leaves the corpus root"),
        ("path\tspeaker\n/etc/a.wav\ts\n", r"line 2: '/etc/a.wav' leaves the corpus root"),
        (
            "path\tspeaker\tsplit\na.wav\ts\tpractice\n",
            r"line 2: split 'practice'; expected one of train, dev",
        ),
        ("path\tspeaker\na.wav\t\n", r"line 2: the label in 'speaker' is empty"),
        ("path\tspeaker\n\ts\n", r"line 2: 'path' is empty"),
        ("path\tspeaker\na.wav\n", r"line 2: 1 cells under a header of 2"),
        ("path,speaker\na.wav,s\n", r"is one column; .tsv is separated by tabs"),
        ("path\tpath\na.wav\ts\n", r"names column 'path' twice"),
        ("path\tspeaker\n", r"no rows below the header"),
        ("", r"the table is empty; expected a row"),
    ],
)
def test_a_bad_manifest_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_manifest(manifest(tmp_path, text), None, "speaker")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_a_manifest_of_any_encoding_and_decimal_sign_says_the_same(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "m.csv"
    path.write_bytes("path;speaker;start;end\r\na.wav;zo\u00eb;0,5;1,25\r\n".encode(encoding))
    (utterance,) = read_manifest(path, None, "speaker")
    assert (utterance.label("speaker"), utterance.start, utterance.end) == ("zo\u00eb", 0.5, 1.25)


def test_a_manifest_in_another_encoding_is_refused_with_the_line(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_bytes("path,speaker\na.wav,s\nb.wav,zo\u00eb\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"m.csv: not text in UTF-8 .*0xeb in line 3.*Latin-1.*save it as UTF-8"):
        read_manifest(path, None, "speaker")


@pytest.mark.parametrize("name", [r"anna\one.wav", r"C:\data\one.wav", "D:/data/one.wav", r"\\server\data\one.wav"])
def test_a_path_of_windows_is_named_as_such(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"line 2: .* is a path of Windows, which names nothing here: write it with /"):
        read_manifest(manifest(tmp_path, f"path\tspeaker\n{name}\ts\n"), None, "speaker")
    (tmp_path / r"anna\one.wav").touch()  # a file of Linux may be called so
    (utterance,) = read_manifest(manifest(tmp_path, "path\tspeaker\nanna\\one.wav\ts\n"), None, "speaker")
    assert utterance.path.name == r"anna\one.wav"


def test_all_bad_rows_are_listed_at_once(tmp_path: Path) -> None:
    rows = "".join(f"{n}.wav\t\n" for n in range(40))
    with pytest.raises(DataError, match=r"40 of 41 rows(.|\n)*line 3(.|\n)*line 4(.|\n)*and 20 more"):
        read_manifest(manifest(tmp_path, "path\tspeaker\na.wav\ts\n" + rows), None, "speaker")


def test_a_manifest_that_is_missing_or_not_text_or_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such manifest"):
        read_manifest(tmp_path / "none.tsv", None, "speaker")
    (tmp_path / "b.tsv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"b.tsv: not text in UTF-16, as it begins"):
        read_manifest(tmp_path / "b.tsv", None, "speaker")
    (tmp_path / "c.csv").write_bytes(b"PK\x03\x04\x14\0\0\0\xff")
    with pytest.raises(DataError, match=r"c.csv: not text in UTF-8 or UTF-16: it has zero bytes, as spreadsheets"):
        read_manifest(tmp_path / "c.csv", None, "speaker")
    (tmp_path / "c.csv").rename(tmp_path / "c.xlsx")
    with pytest.raises(DataError, match=r"ends in .tsv, .csv or .jsonl, not '.xlsx'"):
        read_manifest(tmp_path / "c.xlsx", None, "speaker")
    with pytest.raises(DataError, match=r"ends in .tsv, .csv or .jsonl"):
        read_manifest(manifest(tmp_path, "path\tx\n", "m.xlsx"), None, "x")
    with pytest.raises(DataError, match=r"line 1: not JSON"):
        read_manifest(manifest(tmp_path, "path\n", "m.jsonl"), None, "x")


def test_ids_of_recordings_that_differ_in_extension_alone_keep_it(tmp_path: Path) -> None:
    text = "path\tspeaker\na.wav\ts\na.flac\ts\nb.wav\ts\n"
    assert [u.id for u in read_manifest(manifest(tmp_path, text), None, "speaker")] == ["a.wav", "a.flac", "b"]


def test_a_root_that_is_a_link_may_be_named_by_either_name(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    for name in ("a.wav", f"{tmp_path}/real/a.wav", f"{tmp_path}/link/a.wav"):
        path = manifest(tmp_path, f"path\tspeaker\n{name}\ts\n")
        (utterance,) = read_manifest(path, tmp_path / "link", "speaker")
        assert utterance.path == tmp_path / "link" / "a.wav"
        assert utterance.id == "a"


def test_background_rows_need_no_label(tmp_path: Path) -> None:
    text = "path\tsplit\tspeaker\na.wav\tubm\t\nb.wav\ttrain\ts\n"
    assert len(read_manifest(manifest(tmp_path, text), None, "speaker")) == 2


def test_json_lines_are_stripped_as_tables_are_and_may_hold_any_line_separator(tmp_path: Path) -> None:
    text = '{"path": "a.wav", "speaker": " s ", "text": "one\u2028two"}\n'
    (utterance,) = read_manifest(manifest(tmp_path, text, "m.jsonl"), None, "speaker")
    assert utterance.label("speaker") == "s"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('path,speaker\na.wav,"' + "x" * 200_000, r"line \d: not a table .* is a quote left open"),
        ("path,speaker\n.,s\n", r"line 2: '.' is the corpus root, not a recording"),
        ("path,speaker\na\0.wav,s\n", r"zero byte|not a table"),
        ("path,speaker\na.wav,s\nb.wav\nc.wav,s,t\n", r"2 of 3 rows(.|\n)*line 3: 1 cells(.|\n)*line 4: 3 cells"),
    ],
    ids=["open quote", "root", "zero byte", "cells"],
)
def test_tables_that_break_the_reader_are_refused_with_their_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_manifest(manifest(tmp_path, text, "m.csv"), None, "speaker")


@pytest.mark.slow
@given(st.lists(st.tuples(st.text("abc/ é", min_size=1, max_size=5), st.text(max_size=8)), min_size=1, max_size=8))
def test_any_table_gives_utterances_or_a_data_error(
    tmp_path_factory: pytest.TempPathFactory, cells: list[tuple[str, str]]
) -> None:
    path = tmp_path_factory.mktemp("any") / "m.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "speaker"), *cells])
    try:
        corpus = read_manifest(path, None, "speaker")
    except DataError:
        return
    assert all(utterance.label("speaker") for utterance in corpus)


def touched(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    return root


def test_folders_are_classes_and_other_files_are_left(tmp_path: Path) -> None:
    root = touched(tmp_path, "ann/1.wav", "ann/x/2.FLAC", "ben/3.mp3", "ben/notes.txt", ".git/4.wav", "loose.wav")
    corpus = read_folder(root, "speaker")
    assert [(u.id, u.label("speaker")) for u in corpus] == [
        ("ann/1", "ann"),
        ("ann/x/2", "ann"),
        ("ben/3", "ben"),
    ]
    assert "1 recording outside the class folders" in corpus.notes[0]


def test_linked_class_folders_are_followed_and_circles_end(tmp_path: Path) -> None:
    touched(tmp_path / "elsewhere", "ben/1.wav")
    root = touched(tmp_path / "corpus", "ann/1.wav")
    (root / "ben").symlink_to(tmp_path / "elsewhere" / "ben")
    (root / "ann" / "again").symlink_to(root)
    assert [u.id for u in read_folder(root, "speaker")] == ["ann/1", "ben/1"]


def test_train_and_test_folders_are_the_split(tmp_path: Path) -> None:
    corpus = read_folder(touched(tmp_path, "train/ann/1.wav", "test/ann/1.wav"), "speaker")
    assert [(u.id, u.split, u.label("speaker")) for u in corpus] == [
        ("test/ann/1", "test", "ann"),
        ("train/ann/1", "train", "ann"),
    ]


def test_recordings_that_differ_in_extension_alone_keep_it_in_their_id(tmp_path: Path) -> None:
    assert [u.id for u in read_folder(touched(tmp_path, "a/1.wav", "a/1.flac", "b/2.wav"), "x")] == [
        "a/1.flac",
        "a/1.wav",
        "b/2",
    ]


def test_a_folder_without_class_folders_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        read_folder(tmp_path / "none", "x")
    with pytest.raises(DataError, match="no recording was found"):
        read_folder(tmp_path, "x")
    with pytest.raises(DataError, match="2 recordings lie in the folder itself"):
        read_folder(touched(tmp_path, "1.wav", "2.wav"), "x")


def test_fsdd_names_give_labels_and_the_official_split(tmp_path: Path) -> None:
    touched(tmp_path, "recordings/7_theo_4.wav", "recordings/7_theo_5.wav", "recordings/readme.wav")
    corpus = read_fsdd(tmp_path, "digit")
    assert [(u.id, u.split, u.label("digit"), u.label("speaker")) for u in corpus] == [
        ("7_theo_4", "test", "7", "theo"),
        ("7_theo_5", "train", "7", "theo"),
    ]
    with pytest.raises(DataError, match="FSDD has digit, speaker, index"):
        read_fsdd(tmp_path, "word")
    with pytest.raises(DataError, match="no FSDD recordings"):
        read_fsdd(tmp_path / "other", "digit")


def corpus_of(*rows: tuple[str, str, str]) -> Corpus:
    """Rows of (path, class, speaker)."""
    root = Path("/corpus")
    return Corpus(
        tuple(
            Utterance(f"{n}", root / path, labels={"word": label, "speaker": who})
            for n, (path, label, who) in enumerate(rows)
        ),
        "word",
        root,
    )


words = st.lists(
    st.tuples(st.sampled_from("pqrstuvw"), st.sampled_from("abc"), st.sampled_from("xyz")),
    min_size=4,
    max_size=40,
)


@given(words, st.floats(0.05, 0.95), st.integers(0, 5), st.booleans())
def test_no_recording_and_no_group_stands_on_both_sides(
    rows: list[tuple[str, str, str]], test: float, seed: int, grouped: bool
) -> None:
    group = "speaker" if grouped else None
    corpus = corpus_of(*rows)
    try:
        divided = split_by_fraction(corpus, test, group=group, seed=seed)
    except DataError:
        return
    for unit in ("path", *(("speaker",) if grouped else ())):
        sides: dict[str, set[str]] = {}
        for utterance in divided:
            if unit == "path" and grouped:
                continue
            sides.setdefault(str(utterance.path) if unit == "path" else utterance.label(unit), set()).add(
                utterance.split
            )
        assert all(len(found) == 1 for found in sides.values())
    assert {u.split for u in divided} == {"train", "test"}


@given(words, st.randoms())
def test_a_split_does_not_hang_on_the_order_of_the_rows(rows: list[tuple[str, str, str]], random) -> None:  # type: ignore[no-untyped-def]
    rows = list(dict.fromkeys(rows))
    shuffled = rows.copy()
    random.shuffle(shuffled)
    try:
        one, other = (split_by_fraction(corpus_of(*r), 0.3) for r in (rows, shuffled))
    except DataError:
        return

    def assigned(corpus: Corpus) -> dict[Path, str]:
        return {u.path: u.split for u in corpus}

    assert assigned(one) == assigned(other)


def test_every_class_gives_its_share() -> None:
    rows = [(f"{label}{n}", label, "x") for label, size in (("a", 50), ("b", 10), ("c", 1)) for n in range(size)]
    divided = split_by_fraction(corpus_of(*rows), 0.2)
    assert [sum(u.split == "test" for u in divided if u.label("word") == label) for label in "abc"] == [
        10,
        2,
        0,
    ]


def test_folds_deal_every_class_out_evenly_and_keep_recordings_whole() -> None:
    rows = [(f"{label}{n}", label, "x") for label in "ab" for n in range(9)] * 2
    corpus = corpus_of(*rows)
    folds = assign_folds(corpus, corpus.utterances, 3)
    assert [
        sum(f == fold and u.label("word") == "a" for f, u in zip(folds, corpus, strict=True)) for fold in range(3)
    ] == [6, 6, 6]
    assert folds[:18] == folds[18:]


@pytest.mark.parametrize(
    ("splits", "labels", "message"),
    [
        (("", "train"), ("a", "b"), "1 of 2 utterances have no split"),
        (("test", "test"), ("a", "b"), "no utterance is in the split 'train'"),
        (("train", "train"), ("a", "a"), "only one class to train: word 'a'"),
        (("train", "train", "test"), ("a", "b", "c"), "1 test label is never trained: c"),
    ],
)
def test_a_split_that_cannot_be_used_is_refused(splits: tuple[str, ...], labels: tuple[str, ...], message: str) -> None:
    root = Path("/corpus")
    utterances = [
        Utterance(str(n), root / str(n), split=split, labels={"word": label})
        for n, (split, label) in enumerate(zip(splits, labels, strict=True))
    ]
    with pytest.raises(DataError, match=message):
        make_split(Corpus(tuple(utterances), "word", root), SplitSpec())
