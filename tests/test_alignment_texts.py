"""Texts that are aligned by a model: words as the model or a dictionary spells them, and pronunciations of new ones."""

import shutil
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest
import soundfile
from test_recognition import RATE, made_sentences, quiet, spoken

from speechgmm.corpus.arpa_file import read_arpa
from speechgmm.corpus.dictionary import read_dictionary
from speechgmm.corpus.grammar_file import read_grammar
from speechgmm.corpus.spelling import spell_by_letters
from speechgmm.engine import run
from speechgmm.engine.console import Console
from speechgmm.errors import ConfigError, DataError
from speechgmm.hmm import word_loop
from speechgmm.tasks.recognition.alignment_command import Align
from speechgmm.tasks.recognition.codec import read_recogniser
from speechgmm.tasks.recognition.texts import TextWords
from speechgmm.tasks.recognition.transcripts import words_of

ACCENT = "cafe\N{COMBINING ACUTE ACCENT}"
"""A word with its accent as a letter of its own (NFD)."""


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of a recogniser of three words, beside its recordings."""
    folder = tmp_path_factory.mktemp("texts")
    return run(made_sentences(folder), ["hmm.iterations=2"], until="train", console=quiet()).folder


def known(model: Path, dictionary: Path | None = None) -> TextWords:
    return TextWords.of(read_recogniser(model / "models.safetensors"), dictionary)


def test_a_run_counts_words_as_they_are_trained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = made_sentences(tmp_path)
    rows = [row.split("\t") for row in (tmp_path / "m.tsv").read_text().splitlines()]
    texts = [f"{text.capitalize()}." if n else text for n, (_, text, *_) in enumerate(rows)]
    lines = ["\t".join((path, text, *more)) for (path, _, *more), text in zip(rows, texts, strict=True)]
    (tmp_path / "m.tsv").write_text("\n".join(lines) + "\n")
    run(config, ["recognition.text=normalised", "hmm.iterations=1"], until="train", console=Console())
    assert ": 3 words or phones (text)" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["up down", "Up, down!", "UP -- DOWN", "«up» down…", "\tup\n\ndown "])
def test_a_text_is_read_as_in_training_whatever_its_case_and_punctuation(model: Path, text: str) -> None:
    assert known(model).words(text) == ["up", "down"]


def test_a_new_word_is_spelt_as_the_dictionary_has_it_and_its_pronunciations_keep_their_probabilities(
    model: Path, tmp_path: Path
) -> None:
    more = tmp_path / "more.dict"
    more.write_text("SIDE 0.75 M M\nSIDE 0.25 L\n")
    words = known(model, more)
    assert words.words("Side, up") == ["SIDE", "up"]
    recogniser = words.known_to({Path("a/1.wav"): ["up"], Path("b/1.wav"): ["SIDE"]}).recogniser
    assert recogniser.lexicon["SIDE"] == (("M", "M"), ("L",))
    assert recogniser.log_weights["SIDE"] == pytest.approx((-0.2877, -1.3863), abs=1e-4)
    assert recogniser.lexicon.keys() == {"up", "down", "flat", "SIDE"}


def test_words_without_a_pronunciation_are_listed_with_those_of_recordings_of_one_name(model: Path) -> None:
    said = {Path("a/1.wav"): ["upp"], Path("b/1.wav"): ["down"]}
    with pytest.raises(DataError, match=r"no pronunciation of 1 word .*\n  no word 'upp', which is in a/1\.wav; did"):
        known(model).known_to(said)


def test_a_recogniser_of_letters_spells_new_words_and_names_letters_that_it_lacks(model: Path) -> None:
    file = read_recogniser(model / "models.safetensors")
    units = replace(file.recogniser.units, labels=("h", "l", "m", "sil"))
    language = word_loop(["hl", "m"])
    lettered = replace(
        file.recogniser, units=units, lexicon=spell_by_letters(["hl", "m"]).pronunciations, language=language
    )
    words = TextWords(replace(file, recogniser=lettered))
    assert words.words("Hm, ML!") == ["hm", "ml"]
    assert words.known_to({Path("1.wav"): ["hm", "ml"]}).recogniser.lexicon["ml"] == (("m", "l"),)
    with pytest.raises(DataError, match="phone 'x' has no model; it is in hx"):
        words.known_to({Path("1.wav"): ["hx"]})


def test_an_accent_is_the_same_whether_it_is_composed_or_not(model: Path, tmp_path: Path) -> None:
    composed = unicodedata.normalize("NFC", ACCENT)
    for name, spelt in (("nfd", ACCENT), ("nfc", composed)):
        (tmp_path / f"{name}.dict").write_text(f"{spelt} M M\n")
        assert read_dictionary(tmp_path / f"{name}.dict").pronunciations == {composed: (("M", "M"),)}
        assert known(model, tmp_path / f"{name}.dict").words(ACCENT) == [composed]
        assert words_of(f"{spelt} {spelt}", isolated=False) == (composed, composed)
        (tmp_path / "g").write_text(f"<a> = {spelt};")
        assert read_grammar(tmp_path / "g").words == (composed,)
        (tmp_path / "lm").write_text(f"\\data\\\nngram 1=1\n\\1-grams:\n0 {spelt}\n\\end\\\n")
        assert read_arpa(tmp_path / "lm").words == (composed,)


def test_what_is_given_with_a_text_is_said_where_it_does_not_fit_together(model: Path) -> None:
    with pytest.raises(ConfigError, match=r"--text after MODEL; expected AUDIO with --text WORDS, or --texts FILE"):
        Align(model=model, text="up", quiet=True).run()
    with pytest.raises(ConfigError, match="nothing to align after MODEL"):
        Align(model=model, quiet=True).run()
    with pytest.raises(
        ConfigError, match=r"no\.tsv: there is no such table; expected one with the columns path and text"
    ):
        Align(model=model, texts=Path("no.tsv"), quiet=True).run()


def test_a_table_of_texts_needs_not_the_name_that_labels_had_in_training(tmp_path: Path) -> None:
    config = made_sentences(tmp_path)
    rows = (tmp_path / "m.tsv").read_text()
    (tmp_path / "m.tsv").write_text(rows.replace("text", "phone", 1))
    small = ["corpus.label=phone", "hmm.iterations=1"]
    model = run(config, small, output=tmp_path / "r", until="train", console=quiet()).folder
    aligned = []
    for name in ("phone", "text"):
        (tmp_path / f"{name}.tsv").write_text("\n".join(["path\t" + name, *rows_of_path_and_text(rows)]))
        out = tmp_path / f"{name}.csv"
        Align(model=model, texts=tmp_path / f"{name}.tsv", out=out, allow_misfit=True, quiet=True).run()
        aligned.append(out.read_text())
    assert aligned[0] == aligned[1]
    assert "up" in aligned[0]
    (tmp_path / "none.tsv").write_text("path\twords\na.wav\tup\n")
    with pytest.raises(DataError, match=r"no column 'text'.*; the columns are path, words"):
        Align(model=model, texts=tmp_path / "none.tsv", quiet=True).run()


def rows_of_path_and_text(rows: str) -> list[str]:
    """The first three rows of a manifest, without its other columns."""
    return ["\t".join(row.split("\t")[:2]) for row in rows.splitlines()[1:4]]


def test_recordings_of_one_name_in_folders_of_speakers_are_written_into_such_folders(
    model: Path, tmp_path: Path
) -> None:
    paths = [tmp_path / "speech" / who / "1.wav" for who in ("anna", "ben")]
    for path in paths:
        path.parent.mkdir(parents=True)
        soundfile.write(path, spoken(["up"], 0)[0], RATE)
    align = into_tables(model, paths, tmp_path / "aligned")
    align.run()
    assert sorted(path.relative_to(tmp_path / "aligned") for path in (tmp_path / "aligned").rglob("*.csv")) == [
        Path("anna/1.csv"),
        Path("ben/1.csv"),
    ]
    shutil.copy(paths[0], paths[0].with_suffix(".flac"))
    with pytest.raises(ConfigError, match="several recordings are called '1'"):
        into_tables(model, [paths[0], paths[0].with_suffix(".flac")], tmp_path / "aligned").run()


def into_tables(model: Path, paths: list[Path], out: Path) -> Align:
    """The command that aligns these recordings, into a folder of tables."""
    return Align(model=model, audio=paths, text="up", out=out, form="csv", allow_misfit=True, quiet=True)
