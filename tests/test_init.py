"""`speechgmm init`: what it finds, what it takes, what it refuses; and the presets that it takes."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile
import yaml
from conftest import hum
from typer.testing import CliRunner

from speechgmm.cli.app import app
from speechgmm.cli.starter import Starter, write_starter
from speechgmm.config import load_config, make_config, settings_hash, to_plain, to_yaml
from speechgmm.config.presets import preset, preset_names
from speechgmm.corpus import read_corpus
from speechgmm.corpus.name_parts import group_in_names
from speechgmm.engine.console import Console
from speechgmm.engine.job import prepare
from speechgmm.engine.run_folder import RunFolder
from speechgmm.engine.runs import run
from speechgmm.errors import ConfigError, DataError

Made = Callable[..., Starter]
PITCH = {"anna": 110, "ben": 170, "carl": 300}


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    """Write recordings by name and return what init makes of them: make("anna/1.wav", ..., purpose="speaker")."""
    monkeypatch.chdir(tmp_path)

    def init(*names: str, place: str = "c", purpose: str | None = None, rate: int = 8000) -> Starter:
        for number, name in enumerate(names):
            path = tmp_path / "c" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            pitch = next((pitch for speaker, pitch in PITCH.items() if speaker in name), 200)
            soundfile.write(path, hum(number, pitch, rate=rate), rate)
        return write_starter(tmp_path / place, Path("c.yaml"), purpose=purpose, warn=lambda _: None)

    return init


def written() -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = yaml.safe_load(Path("c.yaml").read_text())
    return found


def told(starter: Starter) -> dict[str, str]:
    pairs = (re.split(r"  +", line.strip(), maxsplit=1) for line in starter.lines if not line.startswith("to do"))
    return dict(pairs)


THREE = [f"{name}/{n}.wav" for name in PITCH for n in range(5)]


# ---- presets ----


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_is_a_configuration_and_gives_a_reason_for_each_key(name):
    config = make_config({"defaults": name})
    assert config.defaults == name
    found = preset(name)
    leaves = {
        f"{section}.{key}" if isinstance(value, dict) and value else section
        for section, value in found.settings.items()
        for key in (value if isinstance(value, dict) and value else [None])
    }
    assert {key for key in leaves if key not in found.reasons} == set()
    assert len(list(found.lines())) == len(found.reasons)


@pytest.mark.parametrize("name", preset_names())
def test_a_run_keeps_every_key_of_its_preset_and_reads_it_back_as_it_was(name):
    config = make_config({"defaults": name, "seed": 3})
    assert make_config(yaml.safe_load(to_yaml(config))) == config
    spelt = to_plain(config) | {"defaults": None}
    assert settings_hash(make_config(spelt)) == settings_hash(config)


def test_what_a_configuration_sets_wins_over_its_preset():
    plain = make_config({"defaults": "phone"})
    changed = make_config({"defaults": "phone", "features": {"deltas": 1}, "augment": None})
    assert changed.features.deltas == 1
    assert changed.features.cmvn == plain.features.cmvn == "utterance"
    assert (len(plain.augment.warps), len(changed.augment.warps)) == (2, 0)
    noisy = make_config({"defaults": "speaker", "augment": {"noise": {"white": [5]}}})
    assert noisy.augment.noise.white == (5,)


def test_a_preset_is_set_on_the_command_line_and_a_wrong_one_is_named(tmp_path):
    path = tmp_path / "e.yaml"
    path.write_text("corpus: {kind: folder, root: .}\ntask: anomaly\n")
    with pytest.raises(ConfigError, match=r"line 2: task is 'anomaly', and defaults: word sets 'recognition'"):
        load_config(path, ["defaults=word"])
    path.write_text("corpus: {kind: folder, root: .}\ndefaults: speker\n")
    with pytest.raises(ConfigError, match=r"line 2: defaults is 'speker'.*did you mean 'speaker'"):
        load_config(path)
    assert load_config(path, ["defaults=speaker", "model.relevance=8"]).config.model.relevance == 8
    assert load_config(path, ["defaults=speaker", "model=null"]).config.model == make_config({}).model


def test_an_error_about_a_key_of_the_preset_says_whose_it_is():
    with pytest.raises(
        ConfigError, match=r"variational has no effect .* \(defaults: speaker sets model.adapt: map; write"
    ):
        make_config({"defaults": "speaker", "model": {"estimator": "variational"}})


# ---- what is found ----


def test_a_guess_follows_class_names_then_lengths_and_is_said(make):
    assert "sound" in told(make("dog/1.wav", "dog/2.wav", "rain/1.wav", "rain/2.wav"))["for"]
    Path("c.yaml").unlink()
    assert told(make(*(f"d/{name}" for name in THREE), place="c/d"))["for"].startswith("word (")


def test_what_no_group_means_is_said_by_a_word_for_these_recordings(make):
    lines = make("dog/1.wav", "dog/2.wav", "rain/1.wav", "rain/2.wav", purpose="sound").lines
    assert any("no site is known: recordings of one site may be in training and in the test" in line for line in lines)


def test_training_counts_training_recordings_alone(make):
    names = [
        "train/anna/0.wav",
        "train/ben/0.wav",
        *(f"test/{name}/{n}.wav" for name in ("anna", "ben") for n in range(4)),
    ]
    starter = make(*names, purpose="speaker")
    assert told(starter)["classes"] == "2 (speaker), 1 each in training"
    assert told(starter)["split"] == "test 8, train 2"
    assert any("2 of 2 classes have fewer than 3 training recordings (anna, ben)" in line for line in starter.lines)
    assert written()["corpus"]["split"] == "column"


def test_a_part_of_the_names_becomes_the_group_and_divides_the_corpus(make):
    names = [f"{word}/{who}_{word}_{n}.wav" for word in ("yes", "no") for who in PITCH for n in range(2)]
    starter = make(*names)
    assert told(starter)["groups"].startswith("3 values in the file names, such as 'anna'")
    assert written()["corpus"]["group"] == "group"
    job = prepare("c.yaml")
    assert sorted(fold.name for fold in job.folds) == sorted(PITCH)
    assert {one.labels["group"] for one in job.corpus if one.labels} == set(PITCH)


@pytest.mark.parametrize(
    ("names", "within", "values"),
    [
        ([("yes", f"{who:08x}_nohash_{n}.wav") for who in range(5) for n in range(3)] * 2, False, None),
        ([(w, f"{w}_{who}_{n}.wav") for w in "78" for who in ("ann", "ben") for n in range(9)], False, ["ann", "ben"]),
        ([(w, f"rec{n}.wav") for w in "78" for n in range(9)], False, None),
        ([(w, f"{w}_{n:03d}.wav") for w in "78" for n in range(9)], False, None),
        ([(w, name) for w in "78" for name in ("bad.wav", *(f"{n}.wav" for n in range(9)))], True, None),
        (
            [(w, f"{w}{n}-{who}.wav") for w in ("no", "up") for who in ("ann", "ben") for n in range(9)],
            False,
            ["ann", "ben"],
        ),
        (
            [(w, f"{sex}_{who}_{n}.wav") for w in "78" for sex, who in ("f1", "m2", "m3") for n in range(9)],
            False,
            ["1", "2", "3"],
        ),
        (
            [(s, f"{s}-{s}{c}-{n:04d}.flac") for s in "12" for c in "ab" for n in range(5)],
            True,
            ["1a", "1b", "2a", "2b"],
        ),
        (
            [(s, f"day{c}{s}/{n}.flac") for s in "12" for c in "ab" for n in range(5)],
            True,
            ["daya1", "daya2", "dayb1", "dayb2"],
        ),
    ],
)
def test_groups_in_names_recur_and_are_neither_the_class_nor_a_counter(names, within, values):
    found = group_in_names(names, within_classes=within)
    if values is None:
        assert found is None or found.n_values == 5
    else:
        assert sorted({re.match(found.pattern, path)[1] for _, path in names}) == values


def test_a_name_without_a_group_is_refused_with_its_file(make, tmp_path):
    make(*THREE, purpose="speaker")
    spec = make_config({"corpus": {"kind": "folder", "folder": {"group_from": "([a-z]+)_"}}}).corpus
    with pytest.raises(DataError, match=r"anna/0.wav: no group in its name"):
        read_corpus(spec, path=None, root=tmp_path / "c")
    with pytest.raises(ConfigError, match="expected parentheses"):
        make_config({"corpus": {"kind": "folder", "folder": {"group_from": "[a-z]+_"}}})


def test_a_part_of_the_names_may_say_the_split(make, tmp_path):
    make(*(f"{who}/{day}_{n}.wav" for who in PITCH for day in ("mon", "tue") for n in range(2)), purpose="verification")
    Path("c.yaml").write_text(
        "defaults: verification\n"
        "corpus: {kind: folder, root: c, label: speaker, session: group, sample_rate: 8000,"
        " folder: {group_from: '([a-z]+)_'},"
        " split: {kind: column, column: group, names: {mon: train, tue: test}}}\n"
    )
    corpus = prepare("c.yaml").corpus
    assert {(one.labels["group"], one.split) for one in corpus if one.labels} == {("mon", "train"), ("tue", "test")}
    for split, kind, error in (
        ("{kind: column, column: group}", "folder", r"mon, tue in the column 'group'; expected are splits"),
        (
            "{kind: column, column: day}",
            "folder",
            r"corpus.split.column is 'day'; of a folder the only column is 'group'",
        ),
        ("{kind: column, column: group}", "fsdd", r"for a corpus of kind 'manifest' or 'folder'; this one is of kind"),
    ):
        keys = {"kind": kind, "root": "c", "split": yaml.safe_load(split)}
        spec = make_config({"corpus": keys | ({"folder": {"group_from": "([a-z]+)_"}} if kind == "folder" else {})})
        with pytest.raises((ConfigError, DataError), match=error):
            read_corpus(spec.corpus, path=None, root=tmp_path / "c")


def test_sessions_in_names_are_a_column_of_sessions_in_verification(make):
    lines = make(*THREE, purpose="verification").lines
    assert any("no session is known" in line and "of verification corpus.session: group" in line for line in lines)


def test_a_group_that_the_given_split_divides_is_said_and_not_asked_for(make):
    words = [
        f"{split}/{word}/{who}_{split}{n}.wav"
        for split in ("train", "test")
        for word in ("yes", "no")
        for who in PITCH
        for n in range(2)
    ]
    starter = make(*words)
    assert told(starter)["groups"].startswith("3 values in the file names, such as 'anna'")
    assert any("are in training and in the test" in line for line in starter.lines)
    assert "group" not in written()["corpus"]


def test_the_lowest_rate_is_taken_and_the_loss_is_said(make, tmp_path):
    make(*THREE, purpose="speaker", rate=16000)
    Path("c.yaml").unlink()
    starter = make("ben/0.wav", "ben/1.wav", "ben/2.wav", "ben/3.wav", "ben/4.wav", purpose="speaker", rate=8000)
    assert told(starter)["rates"] == "10 at 16000 Hz, 5 at 8000 Hz"
    assert any("8000 Hz (all of ben)" in line and "above 4000 Hz is lost" in line for line in starter.lines)
    assert (written()["corpus"]["sample_rate"], written()["corpus"]["resample"]) == (8000, True)


def test_nothing_is_said_to_be_lost_where_the_lowest_rate_is_enough(make):
    make(*THREE, purpose="speaker", rate=44100)
    Path("c.yaml").unlink()
    starter = make("ben/0.wav", "ben/1.wav", purpose="speaker", rate=16000)
    assert told(starter)["rates"] == "13 at 44100 Hz, 2 at 16000 Hz"
    assert not any("is lost" in line for line in starter.lines)
    assert (written()["corpus"]["sample_rate"], written()["corpus"]["resample"]) == (16000, True)


GRID = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 0.6
tiers? <exists>
size = 1
item []:
    item [1]:
        class = "IntervalTier"
        name = "phones"
        xmin = 0
        xmax = 0.6
        intervals: size = 2
        intervals [1]:
            xmin = 0.1
            xmax = 0.2
            text = "a"
        intervals [2]:
            xmin = 0.2
            xmax = 0.4
            text = "b"
"""


@pytest.mark.parametrize("apart", [False, True])
def test_textgrids_are_found_beside_the_recordings_and_apart(make, tmp_path, apart):
    pytest.importorskip("praatio")
    names = [f"wav/{name}" for name in THREE]
    for name in THREE:
        grid = tmp_path / "c" / ("grids" if apart else "wav") / name
        grid.parent.mkdir(parents=True, exist_ok=True)
        grid.with_suffix(".TextGrid").write_text(GRID)
    starter = make(*names)
    assert told(starter)["for"].startswith("phone (")
    assert told(starter)["recordings"] == "15 (30 items)"
    assert written()["corpus"]["group"] == "speaker"
    assert prepare("c.yaml").corpus.label == "phone"


def test_textgrids_in_one_folder_are_told_that_folders_name_the_speakers(make, tmp_path):
    pytest.importorskip("praatio")
    (tmp_path / "c").mkdir()
    for name in THREE:
        (tmp_path / "c" / name.replace("/", "_")).with_suffix(".TextGrid").write_text(GRID)
    lines = make(*(name.replace("/", "_") for name in THREE), purpose="phone").lines
    assert any("TextGrids of each speaker into a folder named after the speaker" in line for line in lines)


def test_a_kaldi_directory_a_manifest_and_an_audio_folder_are_read_as_what_they_are(make, tmp_path):
    make(*THREE, purpose="speaker")
    for kind, files, place in (
        ("kaldi", {"data/wav.scp": "{id} {path}\n", "data/utt2spk": "{id} {speaker}\n"}, "data"),
        ("manifest", {"list.tsv": "c/{name}\t{speaker}\n"}, "list.tsv"),
        ("audiofolder", {"c/metadata.csv": "{name},{speaker}\n"}, "c"),
        ("audiofolder", {"c/metadata.jsonl": '{{"file_name": "{name}", "speaker": "{speaker}"}}\n'}, "c"),
    ):
        heads = {"list.tsv": "path\tspeaker\n", "c/metadata.csv": "file_name,speaker\n"}
        for file, line in files.items():
            (tmp_path / file).parent.mkdir(exist_ok=True)
            rows = (
                line.format(
                    id=name[:-4].replace("/", "-"), path=tmp_path / "c" / name, name=name, speaker=name.split("/")[0]
                )
                for name in THREE
            )
            (tmp_path / file).write_text(heads.get(file, "") + "".join(rows))
        for path in tmp_path.glob("c*.*"):
            path.unlink()
        starter = make(place=place)
        assert told(starter)["for"].startswith("speaker ("), place
        assert written()["corpus"]["kind"] == kind
        assert {one.label("speaker") for one in prepare("c.yaml").corpus} == set(PITCH)
        for file in files:
            (tmp_path / file).unlink()


@pytest.mark.parametrize(
    ("purpose", "section"), [("phone", {"segments": None}), ("verification", {"calibration": {"method": "none"}})]
)
def test_settings_that_few_recordings_cannot_bear_are_written_as_exceptions_from_the_preset(make, purpose, section):
    make(
        *(f"{split}/{name}/{n}.wav" for split in ("train", "test") for name in PITCH for n in range(2)), purpose=purpose
    )
    assert {name: written()[name] for name in section} == section
    job = prepare("c.yaml")
    assert len(job.corpus.split("test")) == 6
    assert job.experiment.config.defaults == purpose


@pytest.mark.slow
def test_verification_of_speakers_who_say_the_same_texts_is_calibrated_by_speaker(make, tmp_path, monkeypatch):
    monkeypatch.setenv("SPEECHGMM_CACHE", str(tmp_path / "cache"))
    texts = ("yes", "no", "stop", "go", "left", "right")
    starter = make(
        *(f"s{who}/{text}_{n}.wav" for who in range(6) for text in texts for n in range(2)), purpose="verification"
    )
    assert told(starter)["groups"].startswith("6 values in the file names")  # the texts: on one side each
    config = load_config(Path("c.yaml"), ["parallel.n_jobs=1", "model.ubm.n_components=2", "report.audio=0"])
    result = run(config, output=tmp_path / "run", console=Console(quiet=True))
    trials, owners = RunFolder(result.folder).groups(owners=True)
    assert owners == {f"s{who}": f"s{who}" for who in range(6)}
    assert set(trials.values()) == set(owners)
    assert result.metrics["cllr"]["n_groups"] == 6
    assert result.metrics["settings_hash"] == settings_hash(config.config)


@pytest.mark.parametrize(
    ("others", "their_session", "are_a_cohort"),
    [
        (30, "ubm", True),
        (29, "ubm", False),  # by fewer, scores were worse for it
        (30, "train", False),  # the cohort would be of the session that enrolls
    ],
)
def test_others_in_the_split_ubm_normalise_scores_where_they_are_enough_and_apart(
    make, tmp_path, others, their_session, are_a_cohort
):
    sides = [(f"s{n}", split) for n in range(4) for split in ("train", "test")]
    sides += [(f"u{n}", "ubm") for n in range(others)]
    names = [f"{speaker}-{split}.wav" for speaker, split in sides]
    rows = [
        f"c/{name}\t{who}\t{split}\t{their_session if split == 'ubm' else split}"
        for name, (who, split) in zip(names, sides, strict=True)
    ]
    (tmp_path / "list.tsv").write_text("\n".join(["path\tspeaker\tsplit\tsession", *rows]))
    starter = make(*names, place="list.tsv", purpose="verification")
    assert ("scoring" in written()) == are_a_cohort
    if are_a_cohort:
        assert written()["scoring"] == {"normalise": "s", "cohort": "ubm"}
        assert told(starter)["exceptions"].startswith("scoring: {normalise: s, cohort: ubm}")
    assert len(prepare("c.yaml").corpus.split("ubm")) == others


@pytest.mark.slow
def test_classes_of_one_and_of_many_recordings_and_many_classes_need_no_setting(make, tmp_path, monkeypatch):
    monkeypatch.setenv("SPEECHGMM_CACHE", str(tmp_path / "cache"))
    many = [f"train/anna/{n}.wav" for n in range(40)]
    others = [f"{split}/s{number}/{number}.wav" for split in ("train", "test") for number in range(30)]
    make(
        *many,
        "train/ben/0.wav",
        "train/carl/0.wav",
        "train/carl/1.wav",
        "test/anna/x.wav",
        "test/ben/x.wav",
        *others,
        purpose="speaker",
    )
    done = CliRunner().invoke(app, ["check", "c.yaml"])
    assert "33 of 33 classes are too small to judge, with fewer than 6 test items each" in done.stdout
    assert "32 of 33 classes have fewer than 3 training items each" in done.stdout
    assert CliRunner().invoke(app, ["run", "c.yaml", "--jobs", "1", "--quiet"]).exit_code == 0


def test_dcase_names_are_an_anomaly_task_whose_threshold_its_few_recordings_bear(make):
    normal = [f"fan/train/normal_id_00_{n:08d}.wav" for n in range(8)]
    tests = [f"fan/test/{kind}_id_00_{n:08d}.wav" for kind in ("normal", "anomaly") for n in range(2)]
    starter = make(*normal, *tests)
    assert told(starter)["for"].startswith("anomaly (")
    assert written()["anomaly"]["false_alarm"] == 0.112
    assert written()["model"] == {"n_components": 2}  # of few recordings, many would learn these alone
    assert len(prepare("c.yaml").corpus.split("train")) == 8


@pytest.mark.parametrize("place", ["c", "c/meta/list.csv"])
def test_a_table_lies_apart_from_the_recordings_that_it_names(make, tmp_path, place):
    table = tmp_path / "c" / "meta" / "list.csv"
    table.parent.mkdir(parents=True)
    rows = [f"{n}.wav,{n % 5},{n % 2},{('dog', 'rain')[n % 2]}" for n in range(20)]
    table.write_text("\n".join(["filename,fold,target,category", *rows]))
    starter = make(*(f"audio/{n}.wav" for n in range(20)), place=place)
    assert f"its paths begin in {tmp_path / 'c' / 'audio'}" in told(starter)["found"]
    assert told(starter)["classes"] == "2 (category), 10 each"
    assert written()["corpus"]["group"] == "fold"
    assert len(prepare("c.yaml").corpus) == 20


def test_a_table_may_name_its_recordings_from_the_top(make, tmp_path):
    (tmp_path / "lists").mkdir()
    rows = [f"{tmp_path / 'c' / name}\t{name.split('/')[0]}" for name in THREE]
    (tmp_path / "lists" / "all.tsv").write_text("\n".join(["path\tspeaker", *rows]))
    make(*THREE, place="lists/all.tsv")
    assert written()["corpus"]["root"] == str(tmp_path / "c")
    assert len(prepare("c.yaml").corpus) == 15


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("l.csv", b"path|speaker\n", "is one column; .csv is separated by commas"),
        ("l.tsv", b"path\tspeaker\na.wav\tZo\xeb\n", "may be Windows-1252 or Latin-1"),
        ("l.tsv", b"who\tspeaker\na.wav\tZo\n", "no column 'path'.*; the columns are who, speaker"),
        ("wav.scp", b"a sox a.wav |\n", "commands is not read"),
        ("a.TextGrid", b"", "1 TextGrids and no recording"),
    ],
)
def test_the_reason_of_the_reader_is_said_where_there_is_no_recording(make, tmp_path, name, content, message):
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        make(place=f"c/{name}" if name.startswith("l.") else "c")


def test_tiers_are_those_of_several_textgrids_not_of_the_first(make, tmp_path):
    pytest.importorskip("praatio")
    for number, name in enumerate(THREE):
        (tmp_path / "c" / name).parent.mkdir(parents=True, exist_ok=True)
        grid = GRID if number else GRID.replace('text = "a"', 'text = ""').replace('text = "b"', 'text = ""')
        (tmp_path / "c" / name).with_suffix(".TextGrid").write_text(grid)
    assert "tier 'phones'" in told(make(*THREE))["found"]


def test_recordings_that_cannot_be_opened_are_said_and_a_few_odd_names_are_no_groups(make, tmp_path):
    make(*THREE, purpose="speaker")
    Path("c.yaml").unlink()
    (tmp_path / "c" / "anna" / "bad.wav").write_bytes(b"no audio")
    starter = make(place="c", purpose="speaker")
    assert told(starter)["groups"] == "none found"
    assert any("1 recording cannot be opened as audio (bad.wav)" in line for line in starter.lines)


def test_a_word_of_one_recording_is_trained_and_not_tested(make, tmp_path, monkeypatch):
    monkeypatch.setenv("SPEECHGMM_CACHE", str(tmp_path / "cache"))
    make("stop/0.wav", *(f"{word}/{n}.wav" for word in ("yes", "no") for n in range(6)))
    assert written()["corpus"]["split"] == "fraction"
    assert {one.split for one in prepare("c.yaml").corpus if one.label("word") == "stop"} == {"train"}
    small = ["augment=null", "hmm.n_components=1", "parallel.n_jobs=1"]
    run("c.yaml", small, output=tmp_path / "r", console=Console(quiet=True))


def test_a_class_that_one_speaker_has_is_named_as_what_prevents_folds(make):
    words = [f"{word}/{who}_{word}_{n}.wav" for word in ("yes", "no") for who in PITCH for n in range(2)]
    starter = make(*words, *(f"maybe/anna_maybe_{n}.wav" for n in range(2)))
    assert written()["corpus"]["split"] == "fraction"
    (small,) = (line for line in starter.lines if "fewer than 3 training recordings (maybe)" in line)
    assert "corpus.min_items" in small
    (folds,) = (line for line in starter.lines if "folds are refused" in line)
    assert "never trained: maybe" in folds
    assert folds.endswith("then set corpus.split: leave-one-out")
    assert any("or there is none if the test has one group" in line for line in starter.lines)
    assert prepare("c.yaml", ["corpus.split=leave-one-out", "corpus.min_items=3"]).folds  # as the lines say


def test_the_rate_and_the_test_are_said_as_they_are_taken(make):
    starter = make(*(f"{s}/{name}" for s in ("Train", "Dev") for name in THREE), purpose="speaker", rate=44100)
    assert told(starter)["taken"].startswith("16000 Hz, more made no preset better; recordings at other rates are")
    assert told(starter)["test"] == "5 folds of recordings; each is tested once by models of the others"


# ---- what is refused, with nothing written ----


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["anna/1.wav", "anna/2.wav"], "recordings of one class only, label 'anna'"),
        (["1.wav", "2.wav"], "2 recordings lie in the folder itself"),
        (
            [f"{who}/{what}/{n}.wav" for who in ("anna", "ben") for what in ("yes", "no") for n in range(2)],
            r"the classes may be the 2 at the top \(anna, ben\) or the 2 in them \(no, yes\)",
        ),
        (["notes.txt"], "no recordings below it"),
    ],
)
def test_what_cannot_be_told_is_said_and_nothing_is_written(make, tmp_path, names, message):
    if names == ["notes.txt"]:
        (tmp_path / "c").mkdir()
        (tmp_path / "c" / "notes.txt").write_text("none")
        names = []
    with pytest.raises(DataError, match=message):
        make(*names)
    assert not list(tmp_path.glob("*.yaml"))


@pytest.mark.slow
def test_two_speakers_are_left_out_in_turn_although_one_is_left_to_train_and_weigh_by(make, capsys):
    make(*(f"{name}/{who}-{n}.wav" for name in PITCH for who in ("spk1", "spk2") for n in range(4)), purpose="phone")
    assert (written()["corpus"]["group"], written()["corpus"]["split"]) == ("group", "leave-one-out")
    run("c.yaml", ["augment=null", "parallel.n_jobs=1", "segments.frame_components=1"], output=Path("r"), until="train")
    said = capsys.readouterr().err
    for who in ("spk1", "spk2"):
        assert f"all training segments are of one group ({who}): the streams are weighed by folds" in said


def test_recordings_that_are_too_few_to_be_divided_are_told_what_they_need(make, tmp_path):
    make("anna/1.wav", "ben/1.wav", purpose="speaker")
    notes: list[str] = []
    starter = write_starter(tmp_path / "c", tmp_path / "again.yaml", purpose="speaker", warn=notes.append)
    assert starter.problem
    said = CliRunner().invoke(app, ["init", str(tmp_path / "c"), "--for", "speaker", "--out", "third.yaml"])
    assert "next: mend third.yaml as the warning says, then speechgmm run third.yaml" in said.output
    assert "cannot be divided into training and test yet: " in notes[-1]
    with pytest.raises(DataError, match="needs a class with two"):
        prepare("c.yaml")


def test_a_table_of_two_questions_is_refused_until_it_is_said_which(make, tmp_path):
    names = [f"{n}.wav" for n in range(12)]
    table = tmp_path / "c" / "list.csv"
    table.parent.mkdir()
    table.write_text("file,speaker,class\n" + "".join(f"{n}.wav,s{n % 3},c{n % 2}\n" for n in range(12)))
    with pytest.raises(DataError, match="columns speaker, class: several questions are possible"):
        make(*names, place="c/list.csv")
    assert not list(tmp_path.glob("*.yaml"))
    make(place="c/list.csv", purpose="speaker")
    assert written()["corpus"]["label"] == "speaker"
    assert Path("c-manifest.tsv").read_text().startswith("path\tspeaker\tclass\n0.wav\ts0\tc0\n")
    assert len(prepare("c.yaml").corpus) == 12


@pytest.mark.slow
def test_ten_thousand_recordings_are_looked_at_by_a_sample(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(("dog", "rain")):
        (tmp_path / "c" / name).mkdir(parents=True)
        first = tmp_path / "c" / name / "0.wav"
        soundfile.write(first, hum(number, 200.0), 8000)
        for n in range(1, 5000):
            (tmp_path / "c" / name / f"{n}.wav").hardlink_to(first)
    starter = write_starter(Path("c"))
    assert told(starter)["looked at"].startswith("500 of them")
    assert told(starter)["length"].startswith("about 100.0 minutes")


def test_the_command_prints_what_it_found_and_what_to_do_next(make):
    make(*THREE, purpose="speaker")
    done = CliRunner().invoke(app, ["init", "c", "--for", "speaker", "--out", "d.yaml"])
    assert done.exit_code == 0
    assert done.stdout.splitlines()[0] == "d.yaml"
    assert done.stdout.splitlines()[-1] == "next: speechgmm run d.yaml"
    refused = CliRunner().invoke(app, ["init", "c", "--for", "birds", "--out", "e.yaml"])
    assert refused.exit_code == 2
    assert "expected one of speaker, phone, word" in refused.stderr
