"""Recognition through files: what is trained, heard, counted, saved and printed, and what messy data get."""

import csv
import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import hum

import speechgmm as sg
from speechgmm.cli.checks import check_and_print
from speechgmm.cli.inspection import inspect
from speechgmm.cli.results import print_result
from speechgmm.config import load_config
from speechgmm.engine import run
from speechgmm.engine.comparison import compare_runs
from speechgmm.engine.console import Console
from speechgmm.engine.sweeps import grid_points, sweep
from speechgmm.errors import ConfigError, DataError, ModelFileError
from speechgmm.gmm import DiagGMM
from speechgmm.hmm import HMM, Recogniser, Units, estimate_bigram, left_to_right
from speechgmm.io.model_card import with_card
from speechgmm.tasks.classification.command import Score
from speechgmm.tasks.options import LabelsFormat
from speechgmm.tasks.recognition.alignment_command import Align
from speechgmm.tasks.recognition.codec import read_recogniser, serialise_recogniser
from speechgmm.tasks.recognition.command import Recognise
from speechgmm.tasks.recognition.decoding import align_recordings, with_silence_of_transcripts

RATE = 8000
PITCH = {"L": 110.0, "M": 180.0, "H": 320.0}
WORDS = {"up": "LH", "down": "HL", "flat": "MM"}
"""The first two differ by their order alone."""


def quiet() -> Console:
    return Console(quiet=True)


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines(), delimiter="\t"))


def spoken(words: list[str], seed: int, pause: float = 0.12) -> tuple[np.ndarray, list[tuple[float, float, str]]]:
    """Samples of words with a pause before, between and after them, and each unit's times (s)."""
    rng = np.random.default_rng(seed)
    parts, times, at = [], [], 0.0

    def rest() -> None:
        nonlocal at
        parts.append(1e-3 * rng.standard_normal(int(pause * RATE)).astype(np.float32))
        at += len(parts[-1]) / RATE

    rest()
    for n, word in enumerate(words):
        for m, unit in enumerate(WORDS[word]):
            parts.append(hum(7 * seed + 3 * n + m, PITCH[unit] * rng.uniform(0.95, 1.05), seconds=0.16))
            times.append((at, at + 0.16, unit))
            at += 0.16
        rest()
    return np.concatenate(parts), times


@pytest.fixture
def sentences(tmp_path: Path) -> Path:
    """A manifest of strings of two or three words by three speakers, a dictionary, and a configuration."""
    return made_sentences(tmp_path)


def made_sentences(tmp_path: Path) -> Path:
    """What `sentences` gives, in a folder."""
    rng = np.random.default_rng(0)
    rows = ["path\ttext\tspeaker\tsplit"]
    for n in range(18):
        words = [str(word) for word in rng.choice(list(WORDS), 2 + n % 2)]
        soundfile.write(tmp_path / f"{n}.wav", spoken(words, n)[0], RATE)
        rows.append(f"{n}.wav\t{' '.join(words)}\ts{n % 3}\t{'test' if n % 3 == 2 else 'train'}")
    (tmp_path / "m.tsv").write_text("\n".join(rows) + "\n")
    (tmp_path / "words.dict").write_text("up L H\ndown H L\nflat M M\n")
    path = tmp_path / "strings.yaml"
    path.write_text(
        "task: recognition\n"
        f"corpus: {{path: m.tsv, label: text, group: speaker, sample_rate: {RATE}}}\n"
        "features: {n_ceps: 8}\n"
        "hmm: {n_states: 2, silence_states: 1, n_components: 1, iterations: 6, variance_prior: 5}\n"
        "recognition: {dictionary: words.dict, silence: sil, language: loop}\n"
        f"cache: cache\noutput: {tmp_path / 'run'}\nparallel: {{n_jobs: 1}}\nreport: {{audio: 0}}\n"
    )
    return path


@pytest.mark.slow
def test_strings_of_words_are_heard_with_their_times_whatever_the_number_of_workers(
    sentences: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = run(sentences, console=quiet())
    assert result.metrics["error_rate"]["value"] < 0.05
    print_result(result)
    assert "speechgmm recognise" in capsys.readouterr().out
    rows = table(result.folder / "hypotheses.tsv")
    assert len(rows) == 6
    errors = sum(int(row[kind]) for row in rows for kind in ("substitutions", "deletions", "insertions"))
    n_words = sum(len(row["reference"].split()) for row in rows)
    assert result.metrics["error_rate"]["value"] == pytest.approx(errors / n_words)
    assert sum(int(row["count"]) for row in table(result.folder / "pairs.tsv")) >= n_words
    line = json.loads((result.folder / "hypotheses.jsonl").read_text().splitlines()[0])
    _, times = spoken([word["label"] for word in line["words"]], int(line["id"]))
    for word, begin, end in zip(line["words"], times[::2], times[1::2], strict=True):
        assert word["start"] == pytest.approx(begin[0], abs=0.04)
        assert word["end"] == pytest.approx(end[1], abs=0.04)
    again = run(
        sentences,
        ["parallel.n_jobs=2", f"cache={sentences.parent / 'other'}"],
        output=sentences.parent / "two",
        console=quiet(),
    )
    for name in ("models.safetensors", "hypotheses.tsv", "hypotheses.jsonl"):
        assert (again.folder / name).read_bytes() == (result.folder / name).read_bytes()
    assert "Units" in (result.folder / "report.html").read_text()


@pytest.mark.slow
def test_what_was_trained_is_not_trained_again(sentences: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folds = ["corpus.split={kind: leave-one-out, by: speaker}"]
    first = run(sentences, folds, console=quiet())
    assert set(first.metrics["folds"]) == {"s0", "s1", "s2"}
    assert len(table(first.folder / "hypotheses.tsv")) == 18
    monkeypatch.setattr("speechgmm.tasks.recognition.unit_training.train_hmms", None)
    # Another language is no other training.
    second = run(sentences, [*folds, "recognition.language=bigram"], output=sentences.parent / "b", console=quiet())
    assert second.metrics["error_rate"]["value"] < 0.05


@pytest.mark.slow
def test_a_model_file_holds_all_that_recognition_needs(sentences: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for language in ("loop", "bigram", "grammar"):
        extra = ["recognition.grammar=" + str(sentences.parent / "g.jsgf")] if language == "grammar" else []
        (sentences.parent / "g.jsgf").write_text("<said> = (up | down | flat)+;")
        result = run(sentences, [f"recognition.language={language}", *extra], output=sentences.parent / language)
        path = result.folder / "models.safetensors"
        assert serialise_recogniser(read_recogniser(path)) == with_card(path.read_bytes(), None)
        capsys.readouterr()
        rows = {row["id"]: row["hypothesis"] for row in table(result.folder / "hypotheses.tsv")}
        tests = [sentences.parent / f"{name}.wav" for name in rows]
        assert Recognise(model=path, audio=tests, form="jsonl", jobs=2, quiet=True).run() == 0
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [" ".join(word["label"] for word in line["words"]) for line in lines] == list(rows.values())
        assert all(0 < word["confidence"] <= 1 for line in lines for word in line["words"])
        assert "a recogniser of 4 units (text): H, L, M, sil" in inspect(path)


def test_the_best_ways_come_in_order_and_the_first_is_what_is_heard(
    sentences: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, audio = run(sentences, console=quiet()).folder, [sentences.parent / "2.wav"]
    options = {"quiet": True}
    assert Recognise(model=model, audio=audio, form="jsonl", top=4, **options).run() == 0  # type: ignore[arg-type]
    line = json.loads(capsys.readouterr().out)
    said = [way["words"] for way in line["best"]]
    scores = [way["log_likelihood"] for way in line["best"]]
    assert said[0] == " ".join(word["label"] for word in line["words"])
    assert len(set(said)) == 4
    assert scores == sorted(scores, reverse=True)
    assert Recognise(model=model, audio=audio, form="text", top=2, **options).run() == 0  # type: ignore[arg-type]
    rows = [row.split() for row in capsys.readouterr().out.splitlines()[1:]]
    assert [" ".join(words) for _, *words in rows] == said[:2]
    assert [float(below) for below, *_ in rows] == pytest.approx([0.0, scores[1] - scores[0]], abs=0.01)
    with pytest.raises(ConfigError, match="--top 2 is for --format text and jsonl"):
        Recognise(model=model, audio=audio, form="ctm", top=2, **options).run()  # type: ignore[arg-type]


def test_forced_alignment_finds_each_unit_of_a_text(sentences: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = run(sentences, console=quiet()).folder
    samples, times = spoken(["down", "up"], 99)
    soundfile.write(sentences.parent / "new.wav", samples, RATE)
    audio = [sentences.parent / "new.wav"]
    options = {"quiet": True}
    assert Align(model=model, audio=audio, text="down up", **options).run() == 0  # type: ignore[arg-type]
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    found = [(float(start), float(end), label) for start, end, label in rows if label != "sil"]
    assert [label for *_, label in found] == ["H", "L", "L", "H"]
    for (start, end, _), (begin, stop, _) in zip(found, times, strict=True):
        assert start == pytest.approx(begin, abs=0.04)
        assert end == pytest.approx(stop, abs=0.04)
    with pytest.raises(DataError, match=r"no pronunciation of 1 word in the model.*\n  no word 'sideways'"):
        Align(model=model, audio=audio, text="up sideways", **options).run()  # type: ignore[arg-type]
    (sentences.parent / "more.dict").write_text("sideways M L\nodd X\n")
    more = options | {
        "allow_misfit": True,
        "dictionary": sentences.parent / "more.dict",
        "form": "textgrid",
        "out": sentences.parent / "tg",
    }
    assert Align(model=model, audio=audio, text="down sideways", **more).run() == 0  # type: ignore[arg-type]
    text = (sentences.parent / "tg" / "new.TextGrid").read_text()
    assert 'text = "sideways"' in text
    assert 'name = "phones"' in text
    assert 'text = "sil"' in text
    with pytest.raises(DataError, match=r"phone 'X' has no model; it is in 'odd'|phone 'X' has no model"):
        Align(model=model, audio=audio, text="odd", **more).run()  # type: ignore[arg-type]
    manifest = sentences.parent / "said.tsv"
    manifest.write_text("path\ttext\nnew.wav\tdown up\n0.wav\tflat\n")
    table_of = options | {"texts": manifest, "form": "jsonl", "allow_misfit": True}
    assert Align(model=model, audio=[], text=None, **table_of).run() == 0  # type: ignore[arg-type]
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [[word["label"] for word in line["words"]] for line in lines] == [["down", "up"], ["flat"]]
    assert lines[0]["words"][0]["end"] == pytest.approx(times[1][1], abs=0.04)
    assert set(lines[0]) == {"id", "duration", "words", "phones", "fit"}
    with pytest.raises(ConfigError, match=r"AUDIO and --texts after MODEL; expected AUDIO with --text WORDS, or"):
        Align(model=model, audio=audio, text=None, **table_of).run()  # type: ignore[arg-type]
    manifest.write_text("path\ttext\nnew.wav\tdown away\n0.wav\tno\n")
    with pytest.raises(
        DataError, match=r"no pronunciation of 2 words in .*\n  no word 'away', which is in \S*new\.wav\n.*'no'"
    ):
        Align(model=model, audio=[], text=None, **table_of).run()  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="--text: no word"):
        Align(model=model, audio=audio, text=" ", **options).run()  # type: ignore[arg-type]


def test_a_text_that_does_not_fit_the_recording_is_an_error_and_its_words_get_low_confidences(
    sentences: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = run(sentences, console=quiet()).folder
    soundfile.write(sentences.parent / "new.wav", spoken(["down", "up", "flat"], 99)[0], RATE)
    audio = [sentences.parent / "new.wav"]
    options = {"quiet": True}
    lines = {}
    for text in ("down up flat", "flat flat flat flat", "down flat flat"):
        allowed = Align(model=model, audio=audio, text=text, form="jsonl", allow_misfit=True, **options)  # type: ignore[arg-type]
        assert allowed.run() == 0
        out, err = capsys.readouterr()
        lines[text] = json.loads(out)
        assert ("warning" in err and "the text does not fit" in err) == (lines[text]["fit"] < 0)
        n_failed = replace(allowed, allow_misfit=False).run()
        out, err = capsys.readouterr()
        assert n_failed == (lines[text]["fit"] < 0)
        assert (out == "" and "error" in err and "--allow-misfit" in err) == (n_failed == 1)
    # Silence explains nearly all of a recording without speech; its words are worse than silence.
    hush = 1e-3 * np.random.default_rng(1).standard_normal(2 * RATE)
    soundfile.write(sentences.parent / "hush.wav", hush, RATE)
    assert Align(model=model, audio=[sentences.parent / "hush.wav"], text="down up", **options).run() == 1  # type: ignore[arg-type]
    assert "or its words worse than silence (-" in capsys.readouterr().err
    # Nothing is said of a text where there is none.
    soundfile.write(sentences.parent / "cut.wav", hush[:400], RATE)
    assert Recognise(model=model, audio=[sentences.parent / "cut.wav"], quiet=True).run() == 1
    assert "an utterance of 3 frames, too short for what may be said in it, which needs 4" in capsys.readouterr().err
    assert lines["down up flat"]["fit"] > 0.5
    assert lines["flat flat flat flat"]["fit"] < 0
    assert all(word["confidence"] > 0.6 for word in lines["down up flat"]["words"])
    right, wrong, _ = (word["confidence"] for word in lines["down flat flat"]["words"])
    assert right > 0.6 > 0.5 > wrong
    assert Align(model=model, audio=audio, text="down up flat", form="ctm", **options).run() == 0  # type: ignore[arg-type]
    confidences = [float(line.split()[5]) for line in capsys.readouterr().out.splitlines()]
    assert confidences == pytest.approx([word["confidence"] for word in lines["down up flat"]["words"]], abs=1e-3)


def test_scores_of_words_and_phones_are_printed_and_written_where_they_are_asked_for(
    sentences: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = run(sentences, console=quiet()).folder
    soundfile.write(sentences.parent / "new.wav", spoken(["down", "up", "flat"], 99)[0], RATE)
    arguments = Align(model=model, audio=[sentences.parent / "new.wav"], text="down up flat", scores=True, quiet=True)
    assert replace(arguments, form=LabelsFormat.jsonl).run() == 0
    line = json.loads(capsys.readouterr().out)
    (found,) = (sg.load(model).align([sentences.parent / "new.wav"], text="down up flat", scores=True),)
    for shown, kept in ((line["words"], found[0].words), (line["phones"], found[0].units)):
        for one, label in zip(shown, kept, strict=True):
            assert one == {"label": label.label, "start": one["start"], "end": one["end"], **label.scores.rounded()} | {
                "confidence": one["confidence"]
            }
            assert label.scores.start_low <= label.start <= label.scores.start_high
            assert label.scores.end_low <= label.end <= label.scores.end_high
    assert found[0].rows()[0]["gop"] == line["words"][0]["gop"]
    assert replace(arguments, form=LabelsFormat.textgrid).run() == 0
    assert 'name = "phones duration_z"' in capsys.readouterr().out
    assert arguments.run() == 0
    assert all("gop" in row and "posterior" in row for row in capsys.readouterr().out.splitlines())
    assert replace(arguments, scores=False).run() == 0
    assert "gop" not in capsys.readouterr().out


def test_alignment_finds_the_right_path_where_the_beam_of_recognition_would_lose_it(sentences: Path) -> None:
    file = read_recogniser(run(sentences, console=quiet()).folder / "models.safetensors")
    soundfile.write(sentences.parent / "new.wav", spoken(["down", "up", "flat"], 99)[0], RATE)
    said = {sentences.parent / "new.wav": ["down", "up", "flat"]}
    wide, narrow = (
        dict(align_recordings(replace(file, recogniser=replace(file.recogniser, beam=beam)), said))
        for beam in (1e4, 0.01)
    )
    assert wide == narrow
    assert all(found.fits for found in wide.values() if not isinstance(found, DataError))
    assert not any(isinstance(found, DataError) for found in wide.values())


def test_silence_that_is_a_label_of_the_transcripts_may_stand_between_the_words_of_an_alignment() -> None:
    hmms = tuple(HMM((DiagGMM([1.0], [[mean]], [[1.0]]),), left_to_right(1)) for mean in (0.0, 5.0, 10.0))
    units = Units(("a", "sil", "b"), hmms)
    lexicon = {word: ((word,),) for word in units.labels}
    recogniser = Recogniser(units, lexicon, estimate_bigram([["sil", "a", "b", "sil"]], labels=units.labels))
    assert with_silence_of_transcripts(recogniser, [["a", "b"], ["b"]]).silence == "sil"
    assert with_silence_of_transcripts(recogniser, [["a", "b"], ["sil", "b"]]).silence is None
    named = replace(recogniser, silence="a")
    assert with_silence_of_transcripts(named, [["b"]]) is named


@pytest.mark.slow
def test_segments_with_times_start_the_training_and_are_recognised_whole(tmp_path: Path) -> None:
    rows = ["path\tid\tstart\tend\tphone\tspeaker\tsplit"]
    rng = np.random.default_rng(1)
    for n in range(12):
        words = [str(word) for word in rng.choice(list(WORDS), 3)]
        samples, times = spoken(words, n)
        soundfile.write(tmp_path / f"{n}.wav", samples, RATE)
        edges = [0.0, *(edge for start, end, _ in times for edge in (start, end)), len(samples) / RATE]
        labels = {round(start, 3): unit for start, _, unit in times}
        for start, end in pairwise(edges):
            if end - start > 0.01:
                label = labels.get(round(start, 3), "pau")
                rows.append(
                    f"{n}.wav\t{n}-{start:.3f}\t{start}\t{end}\t{label}\ts{n % 4}\t{'test' if n % 4 == 3 else 'train'}"
                )
    (tmp_path / "m.tsv").write_text("\n".join(rows) + "\n")
    config = tmp_path / "phones.yaml"
    config.write_text(
        "task: recognition\n"
        f"corpus: {{path: m.tsv, label: phone, group: speaker, sample_rate: {RATE}}}\n"
        "features: {n_ceps: 8}\n"
        "hmm: {n_states: 2, n_components: 1, iterations: 4, variance_prior: 5}\n"
        "recognition: {labels: segments, start: segments, language: bigram, insertion_penalty: 3}\n"
        f"cache: cache\noutput: {tmp_path / 'run'}\nparallel: {{n_jobs: 1}}\n"
    )
    result = run(config, console=quiet())
    heard = table(result.folder / "hypotheses.tsv")
    assert [row["id"] for row in heard] == ["3", "7", "11"]  # recordings, not segments
    assert result.metrics["error_rate"]["value"] <= 0.15
    frames = result.metrics["frame_accuracy"]
    assert frames["n"] == sum(int(row["n_frames"]) for row in heard)
    said = {line["id"]: line for line in map(json.loads, (result.folder / "hypotheses.jsonl").read_text().splitlines())}
    right = total = 0.0
    for row in csv.DictReader((tmp_path / "m.tsv").read_text().splitlines(), delimiter="\t"):
        if row["split"] == "test":
            for word in said[row["path"].removesuffix(".wav")]["units"]:
                shared = min(word["end"], float(row["end"])) - max(word["start"], float(row["start"]))
                right += max(0.0, shared) * (word["label"] == row["phone"])
            total += float(row["end"]) - float(row["start"])
    assert frames["value"] == pytest.approx(right / total, abs=0.02)
    assert 0.8 < frames["value"] <= 1
    merged = run(config, ["recognition.count_as={L: H, M: H}"], output=tmp_path / "merged", console=quiet())
    assert {row["reference"] for row in table(merged.folder / "pairs.tsv")} - {""} == {"H", "pau"}
    torn = (tmp_path / "m.tsv").read_text().replace("\ts3\ttest", "\ts3\ttrain", 1).replace("\ts3\ttest", "\ts3x\ttest")
    (tmp_path / "m.tsv").write_text(torn)
    with pytest.raises(DataError, match=r"1 recordings have segments on both sides of the split \(3\.wav\)"):
        run(config, output=tmp_path / "torn", console=quiet())


@pytest.mark.slow
def test_messy_transcripts_are_named_and_left_out_if_asked(sentences: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = sentences.parent / "m.tsv"
    good = manifest.read_text()
    lines = good.splitlines()
    lines[1] = lines[1].replace("\t", "\tsideways ", 1)
    manifest.write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match=r"no word 'sideways', which is in '?0"):
        run(sentences, console=quiet())
    result = run(sentences, ["corpus.on_error=skip"], output=sentences.parent / "skip", console=Console())
    assert "words.dict: 1 word is not in it: sideways; training goes on" in capsys.readouterr().err
    assert result.metrics["error_rate"]["value"] < 0.1
    lines = good.splitlines()
    lines[2] = lines[2].replace("\t", "\t" + "up " * 40, 1)
    manifest.write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match=r"1 of 12 training utterances cannot.*\n +1: \d+ frames for 4[23] words"):
        run(sentences, output=sentences.parent / "long", console=quiet())
    run(sentences, ["corpus.on_error=skip"], output=sentences.parent / "skip2", console=Console())
    assert "1 of 12 training utterances cannot be what" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("overrides", "error"),
    [
        (["model.n_components=4"], r"model\.n_components is for task: .*; this configuration has task: recognition"),
        (
            ["scoring.priors=train"],
            r"scoring\.priors is for task: classification; .* task: recognition, whose own sections are hmm",
        ),
        (["features.vad=energy"], "recognition takes whole recordings"),
        (["features.transform.kind=lda"], r"features\.transform\.kind: lda alone makes recognition worse"),
        (["features.transform.kind=pca"], r"features\.transform\.kind: pca is not available"),
        (["recognition.language=grammar"], "a grammar needs both"),
        (["recognition.grammar=g"], "a grammar needs both"),
        (["recognition.arpa=words.lm"], "a language model needs both"),
        (["recognition.language=word", "recognition.vocabulary=training"], "vocabulary is for language: loop, bigram"),
        (["recognition.dictionary=null", "recognition.vocabulary=dictionary"], "needs a recognition.dictionary"),
        (["recognition.start=segments", "recognition.labels=transcript"], "needs labels with times"),
        (["recognition.start=segments", "recognition.labels=segments"], "not of the phones of a dictionary"),
        (["recognition.count_as={a: b, b: c}"], "b counts as another label"),
        (["task=classification"], "is for task: recognition; this configuration has task: classification"),
        (["parallel.memory=1GB"], r"parallel\.memory is for task: "),
    ],
)
def test_settings_that_would_have_no_effect_are_refused(sentences: Path, overrides: list[str], error: str) -> None:
    with pytest.raises(ConfigError, match=error):
        load_config(sentences, overrides)


def test_what_is_not_built_for_recognition_is_refused_by_name(sentences: Path) -> None:
    folder = run(sentences, console=quiet()).folder
    with pytest.raises(ModelFileError, match="a recogniser, not models of classes; `speechgmm recognise`"):
        Score(model=folder, audio=[sentences.parent / "0.wav"]).run()


@pytest.mark.slow
def test_two_runs_are_compared_by_their_errors_over_the_speakers(sentences: Path) -> None:
    folds = ["corpus.split={kind: leave-one-out, by: speaker}"]
    good = run(sentences, folds, console=quiet())
    bad = run(
        sentences,
        [*folds, "recognition.insertion_penalty=2000"],
        output=sentences.parent / "bad",
        console=quiet(),
    )
    rates = [100 * result.metrics["error_rate"]["value"] for result in (bad, good)]
    first, second = compare_runs([good.folder, bad.folder])
    assert (first.folder, second.folder) == (good.folder, bad.folder)  # the lower error rate comes first
    assert 100 * second.value == pytest.approx(rates[0])
    assert second.difference is not None
    assert 100 * second.difference.value == pytest.approx(rates[0] - rates[1])
    assert (second.n_groups, second.unit, first.difference) == (3, "groups", None)
    assert {row["group"] for row in table(good.folder / "hypotheses.tsv")} == {"s0", "s1", "s2"}


@pytest.mark.slow
def test_a_sweep_chooses_by_inner_error_rates_and_tests_each_fold_by_its_own_choice(sentences: Path) -> None:
    folds = ["corpus.split={kind: leave-one-out, by: speaker}"]
    points = grid_points(["recognition.insertion_penalty=0,2000"])
    found = sweep(sentences, points, folds, output=sentences.parent / "sweep", console=quiet())
    assert found.metric == "error_rate"
    one = [
        run(sentences, [*folds, f"recognition.insertion_penalty={n}"], output=sentences.parent / f"p{n}")
        for n in (0, 2000)
    ]
    for point, result in zip(found.points, one, strict=True):
        assert -point.test == pytest.approx(result.metrics["error_rate"]["value"])
    assert found.points[0].test > found.points[1].test  # a penalty of 2000 nats leaves words out
    assert set(found.chosen.values()) == {0}
    metrics = json.loads((found.folder / "metrics.json").read_text())
    assert metrics["error_rate"]["value"] == pytest.approx(one[0].metrics["error_rate"]["value"])
    assert len(table(found.folder / "hypotheses.tsv")) == 18


@pytest.mark.parametrize(
    ("grammar", "error"),
    [
        ("<a> = up sideways;", r"no word 'sideways', which is in g\.jsgf"),
        ("<a> = up <VOID>;", r"g\.jsgf: the grammar accepts nothing"),
        ("<a> = <a> up;", r"g\.jsgf: line 1, column \d+: .*<a>"),
        ("<a> = up | ;", r"g\.jsgf: line 1, column \d+"),
        ("<a> = up <b>;", r"g\.jsgf: line 1, column \d+: .*<b>"),
    ],
)
def test_a_grammar_that_cannot_be_is_named(sentences: Path, grammar: str, error: str) -> None:
    (sentences.parent / "g.jsgf").write_text(grammar)
    with pytest.raises(DataError, match=error):
        run(sentences, ["recognition.language=grammar", f"recognition.grammar={sentences.parent / 'g.jsgf'}"])


def test_check_finds_transcripts_that_cannot_be_trained_on(sentences: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check_and_print(sentences, [], quiet=True) == 0
    assert "nothing is wrong" in capsys.readouterr().out
    manifest = sentences.parent / "m.tsv"
    lines = manifest.read_text().splitlines()
    lines[1] = lines[1].replace("\t", "\tSideways, ", 1)
    lines[2] = lines[2].replace("\t", "\t" + "up " * 40, 1)
    manifest.write_text("\n".join(lines) + "\n")
    assert check_and_print(sentences, [], quiet=True) == 2
    found = capsys.readouterr().out
    assert "2 of them cannot be trained on" in found
    assert "0: not in the dictionary: 'Sideways,'" in found
    assert " words that need " in found


@pytest.mark.slow
def test_probabilities_of_pronunciations_are_trained_with_kept_and_decide(sentences: Path) -> None:
    plain = run(sentences, console=quiet())
    # Every word said as "down" is, if its dictionary is believed; and the right way at next to no probability.
    spelt = "up 1e-300 L H\nup 1.0 H L\ndown 1.0 H L\nflat 1.0 M M\n".replace("1e-300", "1.e-300")
    (sentences.parent / "p.dict").write_text(spelt)
    found = run(
        sentences,
        [f"recognition.dictionary={sentences.parent / 'p.dict'}"],
        output=sentences.parent / "weighted",
        console=quiet(),
    )
    kept = read_recogniser(found.folder / "models.safetensors").recogniser
    assert kept.log_weights == {"up": (pytest.approx(np.log(1e-300)), 0.0)}
    assert read_recogniser(plain.folder / "models.safetensors").recogniser.log_weights == {}
    assert found.metrics["error_rate"]["value"] > plain.metrics["error_rate"]["value"] + 0.2


@pytest.mark.slow
def test_words_that_only_the_test_has_are_refused_before_training_or_counted_as_errors(
    sentences: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest, dictionary = sentences.parent / "m.tsv", sentences.parent / "words.dict"
    lines = manifest.read_text().splitlines()
    lines[3] = lines[3].replace("\t", "\tsideways ", 1)
    manifest.write_text("\n".join(lines) + "\n")
    dictionary.write_text(dictionary.read_text() + "sideways M L\n")
    refused = r"1 of 6 test references cannot be recognised.*\n  2: not in training: 'sideways'\n.*on_error: skip"
    told = "recognition.vocabulary=training"
    with pytest.raises(DataError, match=refused):
        run(sentences, [told], until="train", console=Console())
    assert not (sentences.parent / "run" / "models.safetensors").exists()
    assert check_and_print(sentences, [told], quiet=True) == 1
    assert "  2: not in training: 'sideways'" in capsys.readouterr().out
    found = run(sentences, [told, "corpus.on_error=skip"], output=sentences.parent / "skip", console=Console())
    assert "1 of 6 test references cannot be recognised, and each is an error whatever" in capsys.readouterr().err
    assert (
        next(row for row in table(found.folder / "hypotheses.tsv") if row["id"] == "2")["reference"][:8] == "sideways"
    )
    run(sentences, [told, "recognition.count_as={sideways: up}"], output=sentences.parent / "merged", console=Console())
    assert "cannot be recognised" not in capsys.readouterr().err
    # A grammar may have them: their phones are trained.
    (sentences.parent / "g.jsgf").write_text("<said> = (up | down | flat | sideways)+;")
    grammar = ["recognition.language=grammar", f"recognition.grammar={sentences.parent / 'g.jsgf'}"]
    run(sentences, grammar, output=sentences.parent / "grammar", console=Console())
    assert "cannot be recognised" not in capsys.readouterr().err
    (sentences.parent / "g.jsgf").write_text("<said> = up | down | flat | sideways;")  # one word, and all say more
    with pytest.raises(
        DataError, match=r"6 of 6 test references cannot.*\n  2: the grammar does not accept 'sideways "
    ):
        run(sentences, grammar, output=sentences.parent / "narrow", console=quiet())


@pytest.fixture
def commands(tmp_path: Path) -> Path:
    """Isolated words of four speakers, one of which has a space."""
    said = {"up": ["up"], "down": ["down"], "zoom in": ["flat", "up"]}
    rows = ["path\tword\tspeaker\tsplit"]
    for n, (label, words) in enumerate([*said.items()] * 4):
        soundfile.write(tmp_path / f"{n}.wav", spoken(words, n)[0], RATE)
        rows.append(f"{n}.wav\t{label}\ts{n // 3}\t{'test' if n >= 9 else 'train'}")
    (tmp_path / "m.tsv").write_text("\n".join(rows) + "\n")
    path = tmp_path / "words.yaml"
    path.write_text(
        "task: recognition\n"
        f"corpus: {{path: m.tsv, label: word, group: speaker, sample_rate: {RATE}}}\n"
        "features: {n_ceps: 8}\n"
        "hmm: {n_states: 4, silence_states: 1, n_components: 1, iterations: 6, variance_prior: 5}\n"
        "recognition: {silence: sil}\n"
        f"cache: cache\noutput: {tmp_path / 'run'}\nparallel: {{n_jobs: 1}}\nreport: {{audio: 0}}\n"
    )
    return path


def test_a_label_with_a_space_is_one_word_where_each_recording_has_one(
    commands: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = run(commands, console=quiet())
    rows = table(result.folder / "hypotheses.tsv")
    assert [(row["reference"], row["hypothesis"], row["hits"]) for row in rows] == [
        (word, word, "1") for word in ("up", "down", "zoom in")
    ]
    assert {row["unit"] for row in table(result.folder / "units.tsv")} == {"up", "down", "zoom in", "sil"}
    assert ("zoom in", "zoom in", "1") in {tuple(row.values()) for row in table(result.folder / "pairs.tsv")}
    assert result.metrics["error_rate"]["n"] == 3
    assert "zoom in" in (result.folder / "report.html").read_text()
    merged = run(commands, ["recognition.count_as={zoom in: up}"], output=commands.parent / "merged", console=quiet())
    assert {row["reference"] for row in table(merged.folder / "pairs.tsv")} == {"up", "down"}
    capsys.readouterr()
    options = {"model": result.folder, "audio": [commands.parent / "11.wav"], "form": LabelsFormat.jsonl, "quiet": True}
    assert Align(text="zoom  in", **options).run() == 0  # type: ignore[arg-type]
    assert [word["label"] for word in json.loads(capsys.readouterr().out)["words"]] == ["zoom in"]
    with pytest.raises(DataError, match="no word 'in', which is in "):
        Align(text="up in", **options).run()  # type: ignore[arg-type]
    (commands.parent / "said.tsv").write_text("path\tword\n11.wav\tzoom in\n")
    whole = options | {"audio": None, "texts": commands.parent / "said.tsv"}
    assert Align(**whole).run() == 0  # type: ignore[arg-type]
    assert [word["label"] for word in json.loads(capsys.readouterr().out)["words"]] == ["zoom in"]


def test_isolated_words_that_cannot_be_are_refused(commands: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dictionary = commands.parent / "words.dict"
    dictionary.write_text("up L H\ndown H L\nzoom M M\nin L H\n")
    with pytest.raises(DataError, match=r"1 labels have several words \('zoom in'\), and .* join the words in labels"):
        run(commands, [f"recognition.dictionary={dictionary}"], console=quiet())
    manifest = commands.parent / "m.tsv"
    good = manifest.read_text()
    manifest.write_text(good.replace("11.wav\tzoom in", "11.wav\tzoom out"))
    with pytest.raises(DataError, match=r"1 of 3 test references .*\n  11: not in training: 'zoom out'\n.*whole label"):
        run(commands, output=commands.parent / "unseen", console=quiet())
    # Segments are one word each, and a recording of several is no isolated word.
    timed = ["path\tid\tstart\tend\tword\tspeaker\tsplit"]
    for row in good.splitlines()[1:]:
        path, word, speaker, split = row.split("\t")
        timed += [f"{path}\t{path}-0\t0\t0.2\t{word}\t{speaker}\t{split}"]
        timed += [f"{path}\t{path}-1\t0.2\t0.5\t{word}\t{speaker}\t{split}"]
    manifest.write_text("\n".join(timed) + "\n")
    with pytest.raises(
        DataError, match=r"3 of 3 test references .*\n  9: 2 words, and recognition.language: word allows"
    ):
        run(commands, ["recognition.labels=segments"], output=commands.parent / "timed", console=quiet())
    several = good.replace("\tup\t", "\tup down\t").replace("\tdown\t", "\tdown up\t")
    lines = [row for row in several.splitlines() if row[0] in "p012"]  # each label once
    manifest.write_text("\n".join(lines).replace("\ttest", "\ttrain") + "\n")
    run(commands, ["corpus.split=column"], until="train", output=commands.parent / "once", console=Console())
    assert "3 of 3 labels have several words ('down up', 'up down', 'zoom in') and hardly" in capsys.readouterr().err


def test_words_that_case_or_punctuation_tells_apart_are_pointed_out(
    sentences: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = sentences.parent / "m.tsv"
    manifest.write_text(manifest.read_text().replace("up\t", "Up.\t"))
    with pytest.raises(DataError, match=r"no word 'Up\.', .*; 'up' is there: without the punctuation"):
        run(sentences, console=quiet())
    run(sentences, ["recognition.dictionary=null"], output=sentences.parent / "w", until="train", console=Console())
    assert "trained as different words: Up. up" in capsys.readouterr().err
    words = sentences.parent / "none.dict"
    words.write_text("oben L H\n")
    with pytest.raises(DataError, match="none of 12 training utterances is left"):
        run(sentences, ["corpus.on_error=skip", f"recognition.dictionary={words}"], output=sentences.parent / "no")


def test_words_with_one_pronunciation_are_pointed_out_unless_they_count_as_one_or_the_language_helps(
    sentences: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (sentences.parent / "words.dict").write_text("up L H\ndown H L\nflat M M\nflat L H\n")
    warning = "1 pronunciation is shared by several words: flat up; recognition.language: loop cannot tell them apart"
    untested = ["corpus.split=all"]  # as an alignment trains
    settings = ([], ["recognition.count_as.flat=up"], ["recognition.language=bigram"], untested)
    for n, overrides in enumerate(settings):
        run(sentences, overrides, output=sentences.parent / f"h{n}", until="train", console=Console())
        assert (warning in capsys.readouterr().err) == (not overrides)


def test_a_recording_that_cannot_be_written_does_not_keep_the_others_from_it(
    sentences: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = run(sentences, console=quiet()).folder
    capsys.readouterr()
    first, last = sentences.parent / "new one.wav", sentences.parent / "other" / "1.wav"
    last.parent.mkdir()
    for path in (first, last):
        soundfile.write(path, spoken(["up", "down"], 5)[0], RATE)
    options = {"form": "ctm", "quiet": True}
    assert Recognise(model=model, audio=[first, last], **options).run() == 1  # type: ignore[arg-type]
    printed = capsys.readouterr()
    assert "'new one' cannot stand in a CTM" in printed.err
    assert [line.split()[0] for line in printed.out.splitlines()] == ["1", "1"]
    with pytest.raises(ConfigError, match="several recordings are called '1'"):
        Recognise(model=model, audio=[last, sentences.parent / "1.wav"], **options).run()  # type: ignore[arg-type]


def test_a_dictionary_with_stress_fits_a_model_without(sentences: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = run(sentences, console=quiet()).folder
    stressed = sentences.parent / "more.dict"
    stressed.write_text("sideways M1 L0\n")
    capsys.readouterr()
    audio = [sentences.parent / "0.wav"]
    options = {"quiet": True}
    assert (
        Align(model=model, audio=audio, text="sideways up", dictionary=stressed, allow_misfit=True, **options).run()
        == 0
    )  # type: ignore[arg-type]
    assert [line.split()[2] for line in capsys.readouterr().out.splitlines() if "sil" not in line] == list("MLLH")


def test_segments_that_overlap_are_all_named_and_gaps_are_pointed_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "phones.yaml"
    config.write_text(
        "task: recognition\n"
        f"corpus: {{path: m.tsv, label: phone, group: speaker, sample_rate: {RATE}}}\n"
        "features: {n_ceps: 8}\n"
        "hmm: {n_states: 1, n_components: 1, iterations: 1}\n"
        "recognition: {labels: segments, language: loop}\n"
        f"cache: cache\noutput: {tmp_path / 'run'}\nparallel: {{n_jobs: 1}}\n"
    )

    def write(late: float) -> None:
        rows = ["path\tid\tstart\tend\tphone\tspeaker\tsplit"]
        for n in range(3):
            samples, times = spoken(["up", "flat"], n)
            soundfile.write(tmp_path / f"{n}.wav", samples, RATE)
            for m, (start, end, unit) in enumerate(times):
                split = "test" if n == 2 else "train"
                rows.append(f"{n}.wav\t{n}-{m}\t{start:.3f}\t{end + late * (m == 0):.3f}\t{unit}\ts{n}\t{split}")
        (tmp_path / "m.tsv").write_text("\n".join(rows) + "\n")

    write(0)
    run(config, until="train", console=Console())
    assert "% of the training recordings is in no segment" in capsys.readouterr().err
    silence = ["recognition.silence=pau"]
    run(config, silence, until="train", output=tmp_path / "silence", console=Console())
    assert "in no segment" not in capsys.readouterr().err
    write(0.05)
    with pytest.raises(DataError, match=r"in 2 recordings segments overlap.*\n +0\.wav: 'L' and 'H'.*\n +1\.wav"):
        run(config, until="train", output=tmp_path / "crossed", console=quiet())
