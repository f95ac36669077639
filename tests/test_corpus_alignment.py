"""A corpus aligned whole: transcripts beside recordings, words made to fit a dictionary, times, files, resuming."""

import json
import shutil
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from test_cli import Command
from test_recognition import RATE, WORDS, spoken

from speechgmm.corpus.reader_specs import TranscriptsSpec
from speechgmm.corpus.readers.transcripts import read_transcripts
from speechgmm.corpus.spelling import LETTERS, Spelling, letters_of, spell_by_letters, without_edges
from speechgmm.errors import ConfigError, DataError
from speechgmm.io.label_files import read_labels, write_labels
from speechgmm.io.timed_labels import LabelledRecording, TimedLabel
from speechgmm.tasks.recognition import corpus_alignment

SETTINGS = ("--set", "hmm.n_states=2", "--set", "hmm.silence_states=1", "--set", "features.frame_length=25")
QUICK = (*SETTINGS, "--set", "hmm.iterations=6", "--set", "report.audio=1", "--jobs", "1", "--quiet")


def speak(path: Path, words: list[str], seed: int) -> list[tuple[float, float, str]]:
    """A recording of words; the times of their units."""
    samples, times = spoken(words, seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, RATE)
    return times


@pytest.fixture(scope="session")
def talkers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[tuple[float, float, str]]]]:
    """A folder of two speakers with a text beside each recording, and the times of what is said."""
    root, rng, times = tmp_path_factory.mktemp("talkers"), np.random.default_rng(0), {}
    for n in range(12):
        words = [str(word) for word in rng.choice(list(WORDS), 2 + n % 2)]
        name = f"s{n % 2}/take {n}"
        times[name] = speak(root / "speech" / f"{name}.wav", words, n)
        text = ", ".join(words).capitalize() + "."
        (root / "speech" / f"{name}.lab").write_text(text + "\n" if n % 3 else f"\n{text}")
    (root / "words.dict").write_text("UP L H\nDOWN H L\nFLAT M M\n")
    return root, times


@pytest.fixture
def cached(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """One cache for all tests, so that features are computed once."""
    monkeypatch.setenv("SPEECHGMM_CACHE", str(tmp_path_factory.getbasetemp() / "alignment-cache"))


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(monkeypatch, capsys)


def train(command: Command, corpus: Path, out: Path, *more: object) -> tuple[int, str, str]:
    return command("align", "--train", corpus, "--out", out, *QUICK, *more)


def lines_of(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "alignment.jsonl").read_text().splitlines()]


# ---- transcripts beside recordings ----


def test_a_transcript_is_the_text_beside_a_recording_and_the_speaker_its_folder(tmp_path: Path) -> None:
    for name in ("a/one", "a/deep/two", "three"):
        speak(tmp_path / f"{name}.wav", ["up"], 0)
    (tmp_path / "a/one.lab").write_text("it is\n  one\n")
    (tmp_path / "a/one.txt").write_text("not this")
    (tmp_path / "a/deep/two.txt").write_text("Two.")
    (tmp_path / "three.LAB").write_bytes("drei".encode("utf-16"))
    corpus = read_transcripts(tmp_path, "text")
    found = {one.id: (one.label("text"), one.label("speaker"), one.start) for one in corpus}
    assert found == {
        "a/one": ("it is one", "a", None),
        "a/deep/two": ("Two.", "deep", None),
        "three": ("drei", tmp_path.name, None),
    }
    assert not corpus.notes
    with pytest.raises(DataError, match=r"three\.wav: 0 folders above it.*speaker is folder 1"):
        read_transcripts(tmp_path, "text", TranscriptsSpec(speaker=1))
    named = read_transcripts(tmp_path, "text", TranscriptsSpec(speaker=r"(\w)\w*\.wav"))
    assert {one.id: one.label("speaker") for one in named} == {"a/one": "o", "a/deep/two": "t", "three": "t"}
    with pytest.raises(ConfigError, match="expected parentheses around what is the speaker"):
        TranscriptsSpec(speaker="[a-z]+")


def test_what_has_no_partner_or_no_word_is_listed_and_not_used(tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        speak(tmp_path / f"{name}.wav", ["up"], 0)
    (tmp_path / "one.lab").write_text("one")
    (tmp_path / "two.lab").write_text(" \n")
    (tmp_path / "four.lab").write_text("four")
    corpus = read_transcripts(tmp_path, "text")
    assert [one.id for one in corpus] == ["one"]
    assert corpus.notes == (
        "1 of 3 recordings have no transcript beside them and are not used: three.wav",
        "1 transcripts have no word and are not used: two.lab",
        "1 transcripts have no recording of their name and are not used: four.lab",
    )
    (tmp_path / "one.lab").unlink()
    with pytest.raises(DataError, match=r"no recording has a transcript with a word; expected .* anna/one\.lab"):
        read_transcripts(tmp_path, "text")


def test_the_intervals_of_a_textgrid_are_utterances(tmp_path: Path) -> None:
    pytest.importorskip("praatio")
    speak(tmp_path / "one.wav", ["up", "down"], 0)
    tiers = {"said": [TimedLabel("up", 0.1, 0.5), TimedLabel("down now", 0.6, 1.0)], "notes": []}
    write_labels(tmp_path / "one.TextGrid", [LabelledRecording(tmp_path / "one.wav", 1.2, tiers)])
    with pytest.raises(DataError, match=r"one\.TextGrid.*say which in corpus\.transcripts\.tier"):
        read_transcripts(tmp_path, "text")
    corpus = read_transcripts(tmp_path, "text", TranscriptsSpec(tier="said"))
    found = [(one.id, one.start, one.end, one.label("text")) for one in corpus]
    assert found == [("one:0.100-0.500", 0.1, 0.5, "up"), ("one:0.600-1.000", 0.6, 1.0, "down now")]


# ---- words made to fit ----


@given(st.text("aÉ’'«»¿.,—-$ 5\u0301\u200d", max_size=12))
@settings(max_examples=40)
def test_a_word_has_no_punctuation_at_its_edges_and_keeps_what_is_within(word: str) -> None:
    plain = without_edges(word)
    assert plain in word
    assert without_edges(plain) == plain
    assert all(unicodedata.category(edge)[0] not in "PS" for edge in plain[:1] + plain[-1:])


@given(st.sets(st.text("abcäß'-", min_size=1, max_size=6).filter(lambda word: without_edges(word) == word), min_size=1))
@settings(max_examples=30)
def test_known_words_stay_and_others_get_the_dictionarys_case_only_where_it_has_one(known: set[str]) -> None:
    spelling = Spelling.of(known)
    assert [spelling.word(word) for word in known] == list(known)
    assert [spelling.word(f"«{word.upper()}»!") for word in known if word.upper().lower() == word] == [
        word for word in known if word.upper().lower() == word
    ]
    assert Spelling.of({*known, "Berlin"}).word("Up") == "Up"


def test_a_word_is_its_letters_in_one_case_with_their_marks() -> None:
    assert letters_of("Don't") == letters_of("don’t") == ("d", "o", "n", "t")
    assert letters_of("E\u0301te\u0301") == ("é", "t", "é")
    assert letters_of("हिन्दी") == ("हि", "न्", "दी")
    assert letters_of("4th") == letters_of("$") == ()
    assert LETTERS.words("Ça va? — OUI!") == ["ça", "va", "oui"]
    assert spell_by_letters(["oui", "5"]).missing({"a": ["5", "oui"]}) == {"5": ["a"]}


# ---- whole ----


@pytest.mark.slow
def test_a_folder_of_recordings_and_texts_becomes_textgrids_by_one_command(
    talkers: tuple, cached: None, tmp_path: Path, command: Command
) -> None:
    root, times = talkers
    status, out, err = train(command, root / "speech", tmp_path / "out", "--dictionary", root / "words.dict")
    assert status == 0, err
    assert "12 utterances of 12 recordings" in out
    errors = []
    for line in lines_of(tmp_path / "out"):
        units = [(one["start"], one["end"], one["label"]) for one in line["phones"] if one["label"] != "sil"]
        assert [unit for *_, unit in units] == [unit for *_, unit in times[line["id"]]]
        errors += [abs(a[n] - b[n]) for a, b in zip(units, times[line["id"]], strict=True) for n in (0, 1)]
    assert np.median(errors) < 0.02
    pytest.importorskip("praatio")
    words = read_labels(tmp_path / "out/aligned/s1/take 1.TextGrid", tier="words")
    assert [one.label for one in words] == [
        {"L": "UP", "H": "DOWN", "M": "FLAT"}[unit] for *_, unit in times["s1/take 1"][::2]
    ]
    rows = [line.split("\t") for line in (tmp_path / "out/phones.tsv").read_text().splitlines()]
    assert [row[0] for row in rows] == ["phone", "H", "L", "M", "sil"]
    assert float(rows[1][6]) == pytest.approx(160, abs=25)
    assert "Alignment" in (tmp_path / "out/report.html").read_text()
    text = " ".join(one["label"] for one in lines_of(tmp_path / "out")[0]["words"])
    status, out, err = command("align", tmp_path / "out", root / "speech/s0/take 0.wav", "--text", text)
    assert (status, len(out.splitlines()) >= 4) == (0, True), err


@pytest.mark.slow
def test_what_was_aligned_is_not_aligned_again_and_a_line_that_was_cut_off_is(
    talkers: tuple, cached: None, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, _ = talkers
    options = ("--dictionary", root / "words.dict")
    assert train(command, root / "speech", tmp_path / "out", *options)[0] == 0
    before = lines_of(tmp_path / "out")
    path = tmp_path / "out/alignment.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    lost = tmp_path / "out/aligned/s0/take 0.TextGrid"
    lost.unlink()
    kept = {one: one.stat().st_mtime_ns for one in (tmp_path / "out/aligned").rglob("*.TextGrid")}
    assert train(command, root / "speech", tmp_path / "out", *options)[0] == 0
    assert {line["id"]: line for line in lines_of(tmp_path / "out")} == {line["id"]: line for line in before}
    assert lost.exists()
    assert all(one["end_high"] >= one["end_low"] > 0 for line in before for one in line["phones"])
    done = [one for one, time in kept.items() if one.stat().st_mtime_ns == time]
    assert 2 <= len(done) < 12
    # Lines that nobody could have written are no reason to stop: all is aligned anew.
    good = path.read_bytes()
    for damaged in (b"{broken\n", b'{"no": 1}\n', b"\xff\n"):
        path.write_bytes(damaged + good)
        assert train(command, root / "speech", tmp_path / "out", *options)[0] == 0
        assert path.read_bytes() == good

    def refuse(_: object) -> None:
        raise AssertionError("aligned again")

    monkeypatch.setattr(corpus_alignment, "_align_parcel", refuse)
    assert train(command, root / "speech", tmp_path / "out", *options)[0] == 0


def test_unknown_words_are_an_error_that_lists_them_and_can_be_left_out(
    talkers: tuple, cached: None, tmp_path: Path, command: Command
) -> None:
    root, _ = talkers
    (tmp_path / "few.dict").write_text("UP L H\nFLATT M M\nDOWN H L\n")
    status, _, err = train(command, root / "speech", tmp_path / "out", "--dictionary", tmp_path / "few.dict")
    assert status == 1
    assert "no word 'FLAT', which is in s" in err
    assert "did you mean 'FLATT'?" in err
    skip = ("--dictionary", tmp_path / "few.dict", "--skip-unknown")
    status, _, err = train(command, root / "speech", tmp_path / "out", *skip)
    assert (status, "FLAT; training goes on without the utterances that have them" in err) == (0, True)
    assert 0 < len(lines_of(tmp_path / "out")) < 12
    assert not any("FLAT" in json.dumps(line) for line in lines_of(tmp_path / "out"))


@pytest.mark.slow
def test_letters_need_no_dictionary(talkers: tuple, cached: None, tmp_path: Path, command: Command) -> None:
    root, _ = talkers
    status, _, err = train(command, root / "speech", tmp_path / "out", "--graphemes")
    assert status == 0, err
    line = lines_of(tmp_path / "out")[0]
    spelt = [one["label"] for one in line["phones"] if one["label"] != "sil"]
    assert "".join(spelt) == "".join(one["label"] for one in line["words"])
    status, _, err = train(command, root / "speech", tmp_path / "other")
    assert (status, "expected one of them" in err) == (2, True)


@pytest.mark.slow
def test_one_word_for_each_speaker_is_enough_and_segments_of_a_table_are_aligned_where_they_lie(
    cached: None, tmp_path: Path, command: Command
) -> None:
    rows, offsets = ["path\ttext\tstart\tend"], {}
    speech = []
    at = 0.0
    for n, word in enumerate(["up", "down", "flat", "up", "flat", "down"]):
        samples, times = spoken([word], n)
        speech.append(samples)
        offsets[word, n] = [(at + a, at + b, unit) for a, b, unit in times]
        rows.append(f"all.wav\t{word}\t{at:.4f}\t{at + len(samples) / RATE:.4f}")
        at += len(samples) / RATE
        soundfile.write(tmp_path / f"{n}.wav", samples, RATE)
        (tmp_path / f"s{n}").mkdir()
        soundfile.write(tmp_path / f"s{n}/one.wav", np.stack([samples, samples], 1), RATE)  # stereo
        (tmp_path / f"s{n}/one.lab").write_text(word)
    soundfile.write(tmp_path / "all.wav", np.concatenate(speech), RATE)
    (tmp_path / "m.tsv").write_text("\n".join(rows) + "\n")
    (tmp_path / "d").write_text("up L H\ndown H L\nflat M M\n")
    options = ("--dictionary", tmp_path / "d")
    status, _, err = train(command, tmp_path / "m.tsv", tmp_path / "out", *options)
    assert status == 0, err
    for line, times in zip(lines_of(tmp_path / "out"), offsets.values(), strict=True):
        units = [one for one in line["phones"] if one["label"] != "sil"]
        assert [one["label"] for one in units] == [unit for *_, unit in times]
        assert units[0]["start"] == pytest.approx(times[0][0], abs=0.08)
        assert units[-1]["end"] == pytest.approx(times[-1][1], abs=0.08)
    assert [path.name for path in (tmp_path / "out/aligned").iterdir()] == ["all.TextGrid"]
    status, out, err = train(command, tmp_path, tmp_path / "each", *options)
    assert (status, "6 utterances of 6 recordings" in out) == (0, True), err


@pytest.mark.slow
def test_an_utterance_much_longer_than_its_text_is_in_no_label_file_and_named(
    talkers: tuple, cached: None, tmp_path: Path, command: Command
) -> None:
    root, _ = talkers
    shutil.copytree(root / "speech", tmp_path / "speech")
    long = np.concatenate([spoken(["up", "flat", "down"], n)[0] for n in range(10)])
    soundfile.write(tmp_path / "speech/s0/take 0.wav", long, RATE)
    (tmp_path / "speech/s0/take 0.lab").write_text("up")
    options = ("--dictionary", root / "words.dict", "--format", "csv")
    status, _, err = train(command, tmp_path / "speech", tmp_path / "out", *options)
    assert status == 1
    assert "1 utterance is explained worse by the text" in err
    assert "s0/take 0" in err
    assert len(list((tmp_path / "out/aligned").rglob("*.csv"))) == 11
    assert (tmp_path / "out/utterances.tsv").read_text().splitlines()[1].startswith("s0/take 0\t")
    status, _, err = train(command, tmp_path / "speech", tmp_path / "out", *options, "--allow-misfit", "--scores")
    assert (status, "their labels are written" in err) == (0, True)
    assert "gop" in (tmp_path / "out/aligned/s0/take 0.csv").read_text().splitlines()[0]


@pytest.mark.slow
def test_training_goes_on_from_the_units_of_a_model_that_has_all_phones(
    talkers: tuple, cached: None, tmp_path: Path, command: Command
) -> None:
    root, _ = talkers
    options = ("--dictionary", root / "words.dict")
    assert train(command, root / "speech", tmp_path / "first", *options)[0] == 0
    again = (
        "align",
        tmp_path / "first",
        "--train",
        root / "speech",
        "--out",
        tmp_path / "more",
        "--jobs",
        "1",
        "--quiet",
    )
    status, _, err = command(*again, *options)
    assert status == 0, err
    fits = [np.mean([line["fit"] for line in lines_of(tmp_path / name)]) for name in ("first", "more")]
    assert fits[1] > fits[0] - 0.1
    (tmp_path / "other.dict").write_text("UP L H\nDOWN H L\nFLAT X\n")
    status, _, err = command(*again[:5], tmp_path / "none", *again[6:], "--dictionary", tmp_path / "other.dict")
    assert (status, "no model of 1 unit of the transcripts: X" in err) == (1, True)
    status, _, err = command("align", tmp_path / "first", root / "speech/s0/take 0.wav", "--text", "UP", "--graphemes")
    assert (status, "expected --train CORPUS beside" in err) == (2, True)


@pytest.mark.parametrize("corpus", ["table.tsv", "run.yaml"])
def test_a_corpus_that_says_itself_who_speaks_takes_no_other_word_for_it(
    tmp_path: Path, command: Command, corpus: str
) -> None:
    (tmp_path / corpus).write_text("")
    status, _, err = command("align", "--train", tmp_path / corpus, "--graphemes", "--speaker", "folder")
    assert (status, "says itself who speaks (column speaker, utt2spk, corpus.group)" in err) == (2, True)
