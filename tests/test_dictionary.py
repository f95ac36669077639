"""Pronunciation dictionaries: every format to the same words, and everything wrong said at once with its line."""

from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechgmm.corpus.dictionary import Dictionary, read_dictionary
from speechgmm.errors import DataError

READ = {"READ": (("R", "EH", "D"), ("R", "IY", "D")), "A": (("AH",),)}


def dictionary_of(words):
    return Dictionary({word: ((word,),) for word in words}, dict.fromkeys(words, (0.0,)), "words as units")


def written(folder, text, name="words.dict"):
    path = folder / name
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize(
    "text",
    [
        ";;; of CMU's kind\nREAD  R EH1 D\nREAD(2)  R IY1 D\nA  AH0 # article\n",
        "\ufeffREAD\tR EH D\r\nREAD\tR IY D\r\n\r\nA\tAH\r\n",
        "READ 0.75 R EH D\nREAD 0.25 R IY D\nA 1.0 AH",
    ],
)
def test_every_format_gives_the_same_pronunciations_in_the_files_order(tmp_path, text):
    dictionary = read_dictionary(written(tmp_path, text), stress="drop")
    assert dictionary.pronunciations == READ
    assert list(dictionary.pronunciations) == ["READ", "A"]
    assert dictionary.phones == ("AH", "D", "EH", "IY", "R")
    assert {word: len(weights) for word, weights in dictionary.log_weights.items()} == {"READ": 2, "A": 1}


def test_probabilities_are_kept_and_without_them_all_weigh_alike(tmp_path):
    with_them = read_dictionary(written(tmp_path, "x 0.75 a\nx .25 b\ny 1e-2 c\n".replace("1e-2", "1.e-2")))
    assert with_them.log_weights == {"x": (log(0.75), log(0.25)), "y": (log(0.01),)}
    assert read_dictionary(written(tmp_path, "x a\nx b\n")).log_weights == {"x": (0.0, 0.0)}


@pytest.mark.parametrize(("text", "weight"), [("x a b\nx(2) a  b\n", 0.0), ("x 0.5 a b\nx(2) 0.5 a b\n", log(0.5))])
def test_a_pronunciation_that_is_there_twice_counts_once(tmp_path, text, weight):
    dictionary = read_dictionary(written(tmp_path, text))
    assert dictionary.pronunciations == {"x": (("a", "b"),)}
    assert dictionary.log_weights == {"x": (weight,)}


def test_stress_is_kept_unless_dropped_and_pronunciations_it_told_apart_become_one(tmp_path):
    path = written(tmp_path, "THE  DH AH0\nTHE(2)  DH AH1\nTHE(3)  DH IY0\n")
    assert len(read_dictionary(path).pronunciations["THE"]) == 3
    assert read_dictionary(path, stress="drop").pronunciations == {"THE": (("DH", "AH"), ("DH", "IY"))}
    assert read_dictionary(written(tmp_path, "ni n i3\n"), stress="drop").phones == ("i3", "n")  # a tone is no stress


def test_brackets_are_a_variant_only_of_a_word_that_is_there(tmp_path):
    assert set(read_dictionary(written(tmp_path, "f(2) a\ng b\ng(1) c\n")).pronunciations) == {"f(2)", "g"}


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("x a\ny\nz(2)\n", ["2 things are wrong", "line 2: 'y' has no phones", "line 3: 'z(2)' has no phones"]),
        ("x 0.5 a b\ny 1.0 c\n\nx 0.25\ta  b\n", ["line 4: the pronunciation of 'x' that line 1 has, at another"]),
        ("x 0.5 a\ny b\n", ["line 2: 'y' has no probability, but other lines have one"]),
        ("x 0.5 a\ny 1.5 b\nz 0.0 c\n", ["line 2: 'y' has probability 1.5", "line 3: 'z' has probability 0;"]),
        ("x 1.0\n", ["line 1: 'x' has no phones"]),
        (";;; nothing\n", ["no word in it"]),
        ("x # a remark\n", ["line 1: 'x' has no phones"]),
    ],
)
def test_everything_wrong_with_a_dictionary_is_listed_with_its_line(tmp_path, text, messages):
    with pytest.raises(DataError) as error:
        read_dictionary(written(tmp_path, text))
    assert "words.dict" in str(error.value)
    for message in messages:
        assert message in str(error.value)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "binary"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="not text in UTF-16, as it begins"):
        read_dictionary(path)
    with pytest.raises(DataError, match="absent: there is no such file"):
        read_dictionary(tmp_path / "absent")


entries = st.dictionaries(
    st.text("ab1é今'-", min_size=1, max_size=6),
    st.lists(st.lists(st.sampled_from(["AA", "b", "tʃ", "sil"]), min_size=1, max_size=4).map(tuple), min_size=1,
             max_size=3, unique=True).map(tuple),
    min_size=1, max_size=6,
)  # fmt: skip


@given(entries, st.sampled_from([" ", "\t", "  \t "]), st.sampled_from(["\n", "\r\n", "\n\n"]))
def test_what_is_written_is_read_whatever_stands_between(tmp_path_factory, words, space, end):
    lines = [space.join((word, *way)) for word, ways in words.items() for way in ways]
    path = tmp_path_factory.mktemp("lexicon") / "lexicon.txt"
    path.write_bytes(end.join(lines).encode())
    assert read_dictionary(path).pronunciations == words


def test_all_missing_words_and_unknown_phones_are_listed_at_once_with_where_they_are(tmp_path):
    dictionary = read_dictionary(written(tmp_path, "one W AH1 N\ntwo T UW1\nunused X\n"))
    dictionary.check({"a.wav": ["one", "two"]}, ["W", "AH1", "N", "T", "UW1"])
    dictionary.check({})
    transcripts = {f"{n}.wav": ["one", "six", "ONE"] for n in range(5)} | {"z.wav": ["ten", "two"]}
    assert dictionary.missing(transcripts)["ten"] == ["z.wav"]
    with pytest.raises(DataError) as error:
        dictionary.check(transcripts, ["W", "N", "T", "UW1"])
    for message in (
        "no word 'six', which is in 0.wav, 1.wav, 2.wav and 2 more",
        "no word 'ONE', which is in 0.wav, 1.wav, 2.wav and 2 more (5 times); 'one' is there",
        "no word 'ten', which is in z.wav",
        "phone 'AH1' has no model; it is in one",
        "was the stress to be dropped?",
    ):
        assert message in str(error.value)
    assert "X" not in str(error.value)  # of a word that nobody says


def test_many_missing_words_are_all_named():
    known = [f"known{n}" for n in range(300)]
    with pytest.raises(DataError) as error:
        dictionary_of(known).check({"a": [f"w{n}" for n in range(200)], "b": known})
    assert all(f"'w{n}'" in str(error.value) for n in range(200))


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("кот", "they have Cyrillic letters, and the dictionary has Latin ones: 'кот0', 'кот1'"),
        ("KOT", "30 of them are in another case: 'KOT0' -> 'kot0', 'KOT1' -> 'kot1'"),
        ("pan", "'pan0', 'pan1'.*its own words are such as kot, kot0, .*is it of another language"),
    ],
)
def test_words_that_are_unknown_for_one_reason_are_one_message_with_the_share_the_reason_and_the_first_ten(said, why):
    known = ["kot", *(f"kot{n}" for n in range(30))]
    with pytest.raises(DataError, match=why) as error:
        dictionary_of(known).check({"a": [f"{said}{n}" for n in range(30)], "b": ["kot"] * 10})
    _, line = str(error.value).splitlines()
    assert line.startswith("  30 of 31 different words are not in it (75 % of all words)")
    assert f"{said}9'" in line
    assert f"{said}10'" not in line


def test_words_that_are_spelt_nearly_so_are_suggested():
    with pytest.raises(DataError, match=r"no word 'collor', which is in a \(2 times\); did you mean 'color'\?"):
        dictionary_of(["color", "red"]).check({"a": ["collor", "collor", "red"]})
    with pytest.raises(DataError, match=r"no word '5', which is in a; numbers are to be written"):
        dictionary_of(["color", "red"]).check({"a": ["5", "red"]})
