"""Adaptation to speakers through files: runs, new recordings of a speaker, and what is said of little speech."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import speechgmm as sg
from speechgmm.cli import app
from speechgmm.engine import run
from speechgmm.engine.console import Console
from speechgmm.errors import ConfigError, DataError
from speechgmm.hmm import HMMSpec
from speechgmm.io.model_card import with_card
from speechgmm.tasks.recognition.codec import read_recogniser, serialise_recogniser
from speechgmm.tasks.recognition.description import describe
from speechgmm.tasks.recognition.speakers import speakers_of

PLACES = {"up": (-3.0, 0.0, 1.0), "down": (0.0, 3.0, -1.0), "flat": (3.0, -2.0, 0.0)}
"""Where the frames of a word lie."""

WARPS = {
    "ann": np.eye(3, 4),
    "ben": np.eye(3, 4),
    "cho": np.array([[0.85, 0.2, 0.0, 1.2], [-0.2, 0.85, 0.1, 1.2], [0.1, 0.0, 1.0, 0.0]]),
    "dee": np.array([[0.85, 0.2, 0.0, 1.3], [-0.2, 0.85, 0.1, 1.1], [0.0, 0.1, 0.9, 0.5]]),
}
"""What a speaker does to frames; the first two are trained on."""


def say(folder: Path, speaker: str, n: int, words: list[str], seed: int) -> str:
    """Frames of words in a file, and its name."""
    rng = np.random.default_rng(seed)
    clean = np.concatenate([PLACES[word] + rng.normal(scale=1.0, size=(12, 3)) for word in words])
    warp = WARPS[speaker]
    name = f"{speaker}/{n}.npy"
    (folder / speaker).mkdir(exist_ok=True)
    np.save(folder / name, (clean @ warp[:, :3].T + warp[:, 3]).astype(np.float32))
    return name


def sentence(rng: np.random.Generator) -> list[str]:
    """Five words, none twice in a row."""
    words = [str(rng.choice(list(PLACES)))]
    while len(words) < 5:
        words.append(str(rng.choice([word for word in PLACES if word != words[-1]])))
    return words


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four speakers, ten utterances of five words each, and a configuration."""
    folder = tmp_path_factory.mktemp("speakers")
    rng = np.random.default_rng(0)
    rows = ["path\ttext\tspeaker\tsplit"]
    for number, speaker in enumerate(WARPS):
        for n in range(10):
            words = sentence(rng)
            split = "train" if number < 2 else "test"
            rows.append(f"{say(folder, speaker, n, words, 100 * number + n)}\t{' '.join(words)}\t{speaker}\t{split}")
    (folder / "m.tsv").write_text("\n".join(rows) + "\n")
    path = folder / "words.yaml"
    path.write_text(
        "task: recognition\n"
        "corpus: {path: m.tsv, label: text, group: speaker}\n"
        "features: {kind: given, n_dims: 3, frame_shift: 10}\n"
        "hmm: {n_states: 1, n_components: 1, iterations: 4, adapt: fmllr, adapt_prior: 100}\n"
        "recognition: {language: loop, insertion_penalty: 15}\n"
        f"cache: cache\noutput: {folder / 'run'}\nparallel: {{n_jobs: 1}}\nreport: {{audio: 0}}\n"
    )
    return path


@pytest.fixture(scope="module")
def adapted(corpus: Path) -> Path:
    """The folder of the run."""
    return run(corpus, console=Console(quiet=True)).folder


@pytest.fixture(scope="module")
def plain(corpus: Path) -> Path:
    """The folder of the run without adaptation."""
    return run(
        corpus, ["hmm.adapt=none", "hmm.adapt_prior=500"], output=corpus.parent / "none", console=Console(quiet=True)
    ).folder


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines(), delimiter="\t"))


def recordings_of(folder: Path) -> list[Path]:
    return [folder.parent / f"{row['id']}.npy" for row in table(folder / "hypotheses.tsv")]


def error_rate(folder: Path) -> float:
    return float(json.loads((folder / "metrics.json").read_text())["error_rate"]["value"])


@pytest.mark.slow
def test_adaptation_recognises_speakers_who_are_unlike_those_of_training(adapted: Path, plain: Path) -> None:
    assert error_rate(plain) > 0.1
    assert error_rate(adapted) < 0.02


@pytest.mark.slow
def test_with_a_prior_beyond_all_speech_nothing_changes(corpus: Path, plain: Path) -> None:
    prior = run(corpus, ["hmm.adapt_prior=1e12"], output=corpus.parent / "prior", console=Console(quiet=True)).folder
    rows, expected = (table(folder / "hypotheses.tsv") for folder in (prior, plain))
    assert [row["hypothesis"] for row in rows] == [row["hypothesis"] for row in expected]
    scores = [[float(row["log_likelihood"]) for row in one] for one in (rows, expected)]
    np.testing.assert_allclose(scores[0], scores[1], rtol=1e-3)


def test_the_order_and_number_of_workers_change_nothing(corpus: Path, adapted: Path) -> None:
    two = run(corpus, ["parallel.n_jobs=2"], output=corpus.parent / "two", console=Console(quiet=True)).folder
    for name in ("models.safetensors", "hypotheses.tsv", "hypotheses.jsonl"):
        assert (two / name).read_bytes() == (adapted / name).read_bytes()


def test_a_model_file_says_how_to_adapt_and_one_without_adaptation_has_no_word_of_it(
    adapted: Path, plain: Path
) -> None:
    path = adapted / "models.safetensors"
    found = read_recogniser(path)
    assert found.recogniser.adaptation is not None
    assert (found.recogniser.adaptation.prior, found.recogniser.adaptation.rounds) == (100, 2)
    assert serialise_recogniser(found) == with_card(path.read_bytes(), None)
    assert "adapts to speakers (fMLLR, a prior of 100 frames, 2 rounds)" in "\n".join(describe(path))
    assert b"adaptation" not in (plain / "models.safetensors").read_bytes()


def test_new_recordings_of_known_speakers_are_recognised_as_in_the_run(adapted: Path) -> None:
    rows, tests = table(adapted / "hypotheses.tsv"), recordings_of(adapted)
    whose = [path.parent.name for path in tests]
    mixed = [*range(0, len(tests), 2), *range(1, len(tests), 2)]
    found = sg.load(adapted).recognise([tests[n] for n in mixed], speakers=[whose[n] for n in mixed], n_jobs=2)
    assert [one.text for one in found] == [rows[n]["hypothesis"] for n in mixed]
    expected = [float(rows[n]["log_likelihood"]) / 60 for n in mixed]
    np.testing.assert_allclose([one.log_likelihood for one in found], expected, rtol=1e-4)


@pytest.mark.parametrize("who", ["folder", "table", "/([a-z]+)/[0-9]+.npy"])
def test_the_command_takes_folders_tables_and_expressions_for_speakers(adapted: Path, who: str) -> None:
    tests = recordings_of(adapted)
    if who == "table":
        who = str(adapted.parent / "whose.tsv")
        rows = "".join(f"{path.parent.name}/{path.name}\t{path.parent.name}\n" for path in tests)
        Path(who).write_text("path\tspeaker\n" + rows)
    result = CliRunner().invoke(app, ["recognise", str(adapted), *map(str, tests), "--speaker", who])
    assert result.exit_code == 0, result.output
    heard = [line.split("\t")[1] for line in result.stdout.splitlines()]
    assert heard == [row["hypothesis"] for row in table(adapted / "hypotheses.tsv")]


def test_a_speaker_with_little_speech_is_said_to_be_adapted_to_little(adapted: Path) -> None:
    tests = recordings_of(adapted)
    alone = CliRunner().invoke(app, ["recognise", str(adapted), *map(str, tests[:2])])
    assert "adaptation by speaker: each recording counts as a speaker by itself (--speaker" in alone.stderr
    assert "adaptation changes little in 2 of 2 recordings: their speakers have less than 1 s of speech" in alone.stderr
    named = CliRunner().invoke(app, ["recognise", str(adapted), *map(str, tests[:2]), "--speaker", "cho"])
    assert "adaptation changes little" not in named.stderr + named.stdout


@pytest.mark.slow
def test_a_run_names_speakers_with_little_speech_and_says_where_nobody_says_who_speaks(
    corpus: Path, adapted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(corpus, ["hmm.adapt_prior=1000"], output=corpus.parent / "short")
    assert "2 of 2 speakers have less than 10 s of speech (hmm.adapt_prior)" in capsys.readouterr().err
    split = ["corpus.group=null"]
    run(corpus, split, output=corpus.parent / "nobody")
    assert "each recording is adapted to by itself, because corpus.group does not say" in capsys.readouterr().err


def test_alignment_adapts_to_the_speaker_of_known_texts(adapted: Path) -> None:
    rows, tests = table(adapted / "hypotheses.tsv"), recordings_of(adapted)
    model = sg.load(adapted)
    number = 3
    alone, helped = [
        model.align(tests[:6], text=rows[number]["reference"], speakers=speakers, on_error="return")[number]
        for speakers in (None, "cho")
    ]
    assert helped.text == rows[number]["reference"]
    edges = [12 * n * 0.01 for n in range(1, 5)]
    assert [word.start for word in helped.words[1:]] == pytest.approx(edges, abs=0.03)
    assert helped.fit > alone.fit


def test_speakers_that_cannot_be_are_refused(corpus: Path, adapted: Path, plain: Path, tmp_path: Path) -> None:
    tests = recordings_of(adapted)
    (tmp_path / "whose.tsv").write_text(f"path\tname\n{tests[0]}\tcho\n")
    with pytest.raises(DataError, match="no column 'speaker'; the columns are path, name"):
        speakers_of(str(tmp_path / "whose.tsv"), tests)
    (corpus.parent / "one.tsv").write_text("path\tspeaker\ncho/0.npy\tcho\n")
    with pytest.raises(DataError, match=r"one.tsv has no speaker of 19 of 20 recordings"):
        speakers_of(str(corpus.parent / "one.tsv"), tests)
    with pytest.raises(DataError, match=r"the parentheses of '\(x\+\)' match no speaker of 20 of 20"):
        speakers_of("(x+)", tests)
    with pytest.raises(ConfigError, match="there is no such table"):
        speakers_of("nowhere.tsv", tests)
    with pytest.raises(ConfigError, match="is no regular expression"):
        speakers_of("(((", tests)
    for who in ("[a-z]+", "(?:cho)", "cho.*"):
        with pytest.raises(ConfigError, match="has no parentheses around the speaker; expected an expression such as"):
            speakers_of(who, tests)
    with pytest.raises(ConfigError, match="the speaker is ' '; expected a name"):
        speakers_of(" ", tests)
    (tmp_path / "twice.tsv").write_text(f"path\tspeaker\n{tests[0]}\tcho\n{tests[0]}\tbo\n")
    with pytest.raises(DataError, match="has two speakers, 'cho' and 'bo'; expected one"):
        speakers_of(str(tmp_path / "twice.tsv"), tests[:1])
    with pytest.raises(ConfigError, match="2 speakers for 3 recordings"):
        sg.load(adapted).recognise(tests[:3], speakers=["cho", "cho"])
    for names in ("", ["cho", " "], ["cho", 3]):
        with pytest.raises(ConfigError, match="; expected the name of a speaker, a text"):
            sg.load(adapted).recognise(tests[:2], speakers=names)
    with pytest.raises(ConfigError, match=r"neither adapts to speakers \(hmm.adapt\) nor normalises by speaker"):
        sg.load(plain).recognise(tests[:3], speakers="cho")


@pytest.mark.slow
def test_speaker_adaptive_training_keeps_a_second_model_that_new_recordings_are_recognised_by(
    corpus: Path, adapted: Path
) -> None:
    sat = run(corpus, ["hmm.adapt=sat"], output=corpus.parent / "sat", console=Console(quiet=True)).folder
    found, plain = (read_recogniser(folder / "models.safetensors") for folder in (sat, adapted))
    assert serialise_recogniser(found) == with_card((sat / "models.safetensors").read_bytes(), None)
    assert "Gaussians of transformed frames" in "\n".join(describe(sat / "models.safetensors"))
    for mine, yours in zip(found.recogniser.units.emissions, plain.recogniser.units.emissions, strict=True):
        np.testing.assert_array_equal(mine.means, yours.means)
    adaptation = found.recogniser.adaptation
    assert adaptation is not None
    assert adaptation.emissions is not None
    assert adaptation.emissions[0].means[0, 0] != plain.recogniser.units.emissions[0].means[0, 0]
    assert error_rate(sat) < 0.05
    rows, tests = table(sat / "hypotheses.tsv"), recordings_of(sat)
    heard = sg.load(sat).recognise(tests, speakers=[path.parent.name for path in tests])
    np.testing.assert_allclose(
        [one.log_likelihood for one in heard], [float(row["log_likelihood"]) / 60 for row in rows], rtol=1e-4
    )
    folds = ["hmm.adapt=sat", "corpus.split={kind: kfold, folds: 2}"]
    divided = run(corpus, folds, output=corpus.parent / "folds", console=Console(quiet=True)).folder
    assert len(table(divided / "hypotheses.tsv")) == 40
    with pytest.raises(ConfigError, match=r"hmm.adapt: sat trains on the speakers of corpus.group"):
        run(corpus, ["hmm.adapt=sat", "corpus.group=null"], output=corpus.parent / "no", console=Console(quiet=True))


def test_settings_of_adaptation_without_adaptation_are_refused() -> None:
    for setting in ({"adapt_prior": 100}, {"adapt_rounds": 1}):
        with pytest.raises(ConfigError, match="no effect without adapt: fmllr or sat"):
            HMMSpec(**setting)
    with pytest.raises(ConfigError, match="expected none, fmllr or sat"):
        HMMSpec(adapt="map")
    with pytest.raises(ConfigError, match="expected frames above 0 and 1 round or more"):
        HMMSpec(adapt="fmllr", adapt_prior=0)


def test_recordings_of_a_speaker_are_normalised_together(corpus: Path) -> None:
    overrides = ["features.cmvn=speaker", "hmm.adapt=none", "hmm.adapt_prior=500"]
    folder = run(corpus, overrides, output=corpus.parent / "cmvn", console=Console(quiet=True)).folder
    rows, tests = table(folder / "hypotheses.tsv"), recordings_of(folder)
    found = sg.load(folder).recognise(tests, speakers=[path.parent.name for path in tests])
    assert [one.text for one in found] == [row["hypothesis"] for row in rows]
    expected = [float(row["log_likelihood"]) / 60 for row in rows]
    np.testing.assert_allclose([one.log_likelihood for one in found], expected, rtol=1e-4)
    alone = sg.load(folder).recognise(tests)
    assert abs(np.array([one.log_likelihood for one in alone]) - expected).max() > 0.01
