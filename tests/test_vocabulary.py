"""Laws of what may be recognised: a dictionary's words that training lacks, language models, words that sound alike."""

from pathlib import Path

import pytest
from test_recognition import quiet, sentences, table

from speechgmm.engine import run
from speechgmm.engine.console import Console
from speechgmm.errors import DataError
from speechgmm.hmm import Network
from speechgmm.tasks.recognition.codec import read_recogniser
from speechgmm.tasks.recognition.command import Recognise
from speechgmm.tasks.recognition.vocabulary import homophones

__all__ = ["sentences"]


@pytest.mark.slow
def test_words_that_the_dictionary_alone_has_are_recognised_and_one_line_says_what_was_taken(
    sentences: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest, dictionary = sentences.parent / "m.tsv", sentences.parent / "words.dict"
    # "flat", which is MM, is "even" in the test, and is in training no more than "buzz", whose phone has no model.
    text = "\n".join(
        line.replace("flat", "even") if line.endswith("test") else line for line in manifest.read_text().splitlines()
    )
    manifest.write_text(text + "\n")
    dictionary.write_text(dictionary.read_text() + "even M M\nbuzz Z\nbuzz(2) Z Z\n")
    merged = ["recognition.count_as={even: flat}"]
    for language in ("loop", "bigram"):
        result = run(sentences, [f"recognition.language={language}", *merged], output=sentences.parent / language)
        err = capsys.readouterr().err
        assert "vocabulary: 4 words of words.dict; 3 of them are in the training transcripts" in err
        assert (
            "1 words of words.dict cannot be recognised, because no training transcript has their phones: buzz" in err
        )
        assert "test references cannot be recognised" not in err
        assert result.metrics["error_rate"]["value"] < 0.05
        words = read_recogniser(result.folder / "models.safetensors").recogniser.lexicon
        assert sorted(words) == ["down", "even", "flat", "up"]


def test_a_large_dictionary_is_left_to_the_words_of_training_unless_all_are_asked_for(
    sentences: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dictionary = sentences.parent / "words.dict"
    more = "".join(f"w{n} {' '.join('LHM'[int(c) % 3] for c in str(n))}\n" for n in range(2999))
    dictionary.write_text(dictionary.read_text() + more)
    run(sentences, until="train", console=Console())
    assert "vocabulary: the 3 words of the training transcripts; words.dict has 3002, and a" in capsys.readouterr().err
    with pytest.raises(DataError, match="3002 words to recognise; the search for loop and bigram takes up to 3000"):
        run(sentences, ["recognition.vocabulary=dictionary"], output=sentences.parent / "all", console=quiet())


def test_an_arpa_model_decides_between_words_that_sound_alike_and_its_file_is_needed_no_more(
    sentences: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (sentences.parent / "words.dict").write_text("up L H\ndown H L\nflat M M\neven M M\n")
    lm = sentences.parent / "words.lm"
    settings = ["recognition.language=arpa", f"recognition.arpa={lm}"]
    lm.write_text(
        "\\data\\\nngram 1=6\n\\1-grams:\n-0.6 up\n-0.6 down\n-0.7 flat\n-0.5 even\n-2 over\n-0.6 </s>\n\\end\\\n"
    )
    result = run(sentences, [*settings, "recognition.count_as={flat: even}"], output=sentences.parent / "a")
    err = capsys.readouterr().err
    assert "vocabulary: 4 words of words.lm, with unigrams" in err
    assert "1 words of words.lm cannot be recognised, because they have no pronunciation by trained units: over" in err
    assert "shared by several words" not in err  # they count as one
    assert result.metrics["error_rate"]["value"] < 0.05
    heard = " ".join(row["hypothesis"] for row in table(result.folder / "hypotheses.tsv"))
    assert "even" in heard
    assert "flat" not in heard
    lm.unlink()
    model = result.folder / "models.safetensors"
    assert isinstance(read_recogniser(model).recogniser.language, Network)
    assert Recognise(model=model, audio=[sentences.parent / "2.wav"], quiet=True).run() == 0
    # A word of the test that the model lacks, and a file that is none.
    lm.write_text("\\data\\\nngram 1=1\n\\1-grams:\n-0.3 up\n\\end\\\n")
    with pytest.raises(DataError, match=r"not in the language model: 'down'"):
        run(sentences, settings, output=sentences.parent / "b", console=quiet())
    lm.write_text("up down\n")
    with pytest.raises(DataError, match=r"words.lm: no line \\data\\"):
        run(sentences, settings, output=sentences.parent / "c", console=quiet())


def test_homophones_are_counted_and_the_first_ten_named(sentences: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dictionary = sentences.parent / "words.dict"
    dictionary.write_text(dictionary.read_text() + "".join(f"{a}{n} {'M ' * n}\n" for n in range(3, 15) for a in "ab"))
    run(sentences, until="train", console=Console())
    err = capsys.readouterr().err
    assert "12 pronunciations are shared by several words: a10 b10; a11 b11; " in err
    assert "; a6 b6; a7 b7; ...; recognition.language: loop" in err
    assert homophones({"a": (("x",), ("y",)), "b": (("y",),), "c": (("y",),)}, {"c": "a"}) == [("a", "b", "c")]


def test_labels_that_count_as_others_and_never_occur_are_pointed_out(
    sentences: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(sentences, ["recognition.count_as={Up: down, flat: down}"], until="train", console=Console())
    assert "count_as has 1 label that no transcript and no hypothesis can have: Up; is" in capsys.readouterr().err


def test_transcripts_in_another_case_or_script_are_one_message_with_the_share_and_the_first_ten(
    sentences: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = (sentences.parent / "m.tsv").read_text().splitlines()
    known = "".join(f"w{n} L H\n" for n in range(15))
    upper = r"15 of 16 .* not in it \(58 % of all words\), but 15 .* case: 'W0' -> 'w0', .*'W9' -> 'w9', \.\.\.;"
    cyrillic = r"they have Cyrillic letters, and the dictionary has Latin ones: 'ж0', .*'ж9', \.\.\.; take"
    cases = {"upper": ("w", "W", upper), "cyrillic": ("w", "ж", cyrillic)}
    for name, (old, new, message) in cases.items():
        said = " ".join(f"{old}{n}" for n in range(15)).replace(old, new)
        lines = [rows[0]]
        for n, row in enumerate(rows[1:]):
            path, _, speaker, split = row.split("\t")
            lines.append("\t".join((path, said if n == 0 else "w0", speaker, split)))
        (sentences.parent / "m.tsv").write_text("\n".join(lines) + "\n")
        (sentences.parent / "words.dict").write_text(known)
        with pytest.raises(DataError, match=message):
            run(sentences, until="train", output=sentences.parent / name, console=quiet())
    skipping = ["corpus.on_error=skip"]
    run(sentences, skipping, until="train", output=sentences.parent / "skip", console=Console())
    assert "script; training goes on without the utterances that have them" in capsys.readouterr().err
