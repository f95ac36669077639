"""ASVspoof's protocols, the detection of one of two classes, and the recipe on real and synthetic speech."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import hum

from speechgmm.config import load_config, make_config
from speechgmm.corpus.reader_specs import AsvspoofSpec
from speechgmm.corpus.readers.asvspoof import read_asv_scores, read_asvspoof
from speechgmm.engine import run
from speechgmm.engine.comparison import compare_runs
from speechgmm.engine.console import Console
from speechgmm.engine.sweeps import sweep
from speechgmm.errors import ConfigError, DataError
from speechgmm.evaluation import eer, rank_trials
from speechgmm.tasks.verification.score_files import evaluate_file

REPOSITORY = Path(__file__).resolve().parents[1]
PROTOCOLS = "ASVspoof2019_LA_cm_protocols/ASVspoof2019.LA.cm"
LA = {
    f"{PROTOCOLS}.train.trn.txt": "LA_0079 LA_T_1138215 - - bonafide\nLA_0080 LA_T_1004644 - A04 spoof\n",
    f"{PROTOCOLS}.dev.trl.txt": "LA_0069 LA_D_1047731 - - bonafide\n\nLA_0070 LA_D_1105538 - A01 spoof\n",
    f"{PROTOCOLS}.eval.trl.txt": "LA_0039 LA_E_2834763 - A11 spoof\nLA_0014 LA_E_8877452 - - bonafide\n",
}
KEYS_2021 = {
    "keys/LA/CM/trial_metadata.txt": (
        "LA_0009 LA_E_9332881 alaw ita_tx A07 spoof notrim eval\n"
        "LA_0020 LA_E_6866159 pstn mad_tx bonafide bonafide notrim eval\n"
        "LA_0031 LA_E_5464494 ulaw sin_tx A09 spoof notrim progress\n"
    ),
    "keys/DF/CM/trial_metadata.txt": (
        "LA_0023 DF_E_2000011 nocodec asvspoof A14 spoof notrim eval traditional_vocoder - - - -\n"
        "TEF2 DF_E_2000013 low_m4a vcc2020 Task1-team20 spoof notrim hidden neural_vocoder Task1 team20 FF E\n"
    ),
}
AUDIO = ("2019_LA_train", "2019_LA_dev", "2019_LA_eval", "2021_LA_eval", "2021_DF_eval")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folders and protocols of ASVspoof 2019 LA and of 2021, without a recording."""
    write(tmp_path, {**LA, **KEYS_2021})
    for name in AUDIO:
        (tmp_path / f"ASVspoof{name}" / "flac").mkdir(parents=True)
    return tmp_path


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def test_official_protocols_give_key_speaker_attack_and_split(root: Path) -> None:
    corpus = read_asvspoof(root, "key", AsvspoofSpec())
    assert [(u.id, u.split, u.label("key"), u.label("speaker"), u.label("attack")) for u in corpus] == [
        ("LA_T_1138215", "train", "bonafide", "LA_0079", "bonafide"),
        ("LA_T_1004644", "train", "spoof", "LA_0080", "A04"),
        ("LA_D_1047731", "dev", "bonafide", "LA_0069", "bonafide"),
        ("LA_D_1105538", "dev", "spoof", "LA_0070", "A01"),
        ("LA_E_2834763", "test", "spoof", "LA_0039", "A11"),
        ("LA_E_8877452", "test", "bonafide", "LA_0014", "bonafide"),
    ]
    assert corpus.utterances[0].path == root / "ASVspoof2019_LA_train" / "flac" / "LA_T_1138215.flac"
    assert corpus.utterances[3].source == "ASVspoof2019.LA.cm.dev.trl.txt, line 3"
    # As unpacked: LA.zip has a folder LA.
    above = root.parent / "above"
    above.mkdir()
    root.rename(above / "LA")
    assert [u.id for u in read_asvspoof(above, "key", AsvspoofSpec())] == [u.id for u in corpus]


def test_tests_of_2021_come_with_training_of_2019_by_phase(root: Path) -> None:
    tests = {
        ("2021-LA", "eval"): ["LA_E_9332881", "LA_E_6866159"],
        ("2021-LA", "progress"): ["LA_E_5464494"],
        ("2021-DF", "eval"): ["DF_E_2000011"],
        ("2021-DF", "hidden"): ["DF_E_2000013"],
    }
    for (test, phase), names in tests.items():
        corpus = read_asvspoof(root, "key", AsvspoofSpec(test=test, phase=phase))  # type: ignore[arg-type]
        assert [u.id for u in corpus.split("test")] == names
        assert [u.id for u in corpus.split("train")] == ["LA_T_1138215", "LA_T_1004644"]
    bonafide = read_asvspoof(root, "key", AsvspoofSpec(test="2021-LA")).split("test")[1]
    assert bonafide.labels == {
        "speaker": "LA_0020", "codec": "pstn", "transmission": "mad_tx", "attack": "bonafide", "key": "bonafide",
        "trim": "notrim", "phase": "eval",
    }  # fmt: skip


def test_a_missing_dev_protocol_is_no_dev_and_every_other_lack_is_named(root: Path) -> None:
    (root / f"{PROTOCOLS}.dev.trl.txt").unlink()
    assert not read_asvspoof(root, "key", AsvspoofSpec()).split("dev")
    (root / f"{PROTOCOLS}.eval.trl.txt").unlink()
    (root / "ASVspoof2019_LA_train" / "flac").rmdir()
    with pytest.raises(DataError, match="2 things are wrong") as error:
        read_asvspoof(root, "key", AsvspoofSpec())
    assert "no ASVspoof2019_LA_train/flac, the recordings of the split 'train'" in str(error.value)
    assert "cm.eval.trl.txt, the keys of the trials of the split 'test'" in str(error.value)
    with pytest.raises(DataError, match=r"not ASVspoof .ASVspoof2019_LA_cm_protocols"):
        read_asvspoof(root / "keys" / "DF" / "CM", "key", AsvspoofSpec())
    (root / "ASVspoof2019_LA_train" / "flac").mkdir()
    with pytest.raises(DataError, match="no trial of the phase 'progress'"):
        read_asvspoof(root, "key", AsvspoofSpec(test="2021-DF", phase="progress"))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("LA_0079 LA_T_1 - bonafide", "line 2: 'LA_0079 LA_T_1 - bonafide'; expected speaker file environment"),
        ("LA_T_1", "a list of trials without their keys"),
        ("LA_0079 LA_T_1 - - genuine", "line 2: key 'genuine'; expected bonafide or spoof"),
        ("LA_0079 ../LA_T_1 - - bonafide", "without a folder"),
        ("LA_0079 LA_D_1047731 - - bonafide", "is also that of ASVspoof2019.LA.cm.train.trn.txt, line 2"),
    ],
)
def test_a_line_that_is_none_is_refused_with_its_number(root: Path, line: str, message: str) -> None:
    path = root / f"{PROTOCOLS}.train.trn.txt"
    path.write_text(f"LA_0080 LA_T_1004644 - A04 spoof\n{line}\n")
    with pytest.raises(DataError) as error:
        read_asvspoof(root, "key", AsvspoofSpec())
    assert message in str(error.value)


def test_scores_of_speaker_verification_are_read_by_their_key_and_others_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "asv.txt"
    path.write_text("bonafide target 3.5\nbonafide nontarget -2\nA07 spoof 1e0\n\nA08 spoof -0.5\n")
    scores = read_asv_scores(path)
    assert {key: values.tolist() for key, values in scores.items()} == {
        "target": [3.5], "nontarget": [-2.0], "spoof": [1.0, -0.5],
    }  # fmt: skip
    path.write_text("bonafide target 3,5\nLA_0001 LA_E_1 2.5\n7\nx spoof nan\nx target 1\n")
    with pytest.raises(DataError, match="5 things are wrong") as error:
        read_asv_scores(path)
    for part in ("line 1: 'bonafide target 3,5'", "line 3: '7'", "finite", "no score of a nontarget", "2021"):
        assert part in str(error.value)


def test_settings_that_belong_elsewhere_are_refused() -> None:
    with pytest.raises(ConfigError, match="phase is for the tests of 2021"):
        make_config({"corpus": {"kind": "asvspoof", "asvspoof": {"phase": "hidden"}}})
    with pytest.raises(ConfigError, match=r"corpus.target is for task: classification"):
        make_config({"task": "verification", "corpus": {"target": "a"}, "model": {"adapt": "map"}})
    make_config({"corpus": {"target": "a"}, "decision": {"prior": 0.5}})


# ---------------------------------------------------------------- one of two classes, detected


def two_hums(folder: Path, **settings: object) -> Path:
    rows = ["path\tsplit\tkey\tspeaker"]
    for number, (key, pitch) in enumerate({"low": 150.0, "high": 165.0}.items()):
        for n in range(24):
            name, split = f"{key}{n}.wav", "train" if n < 8 else "test"
            soundfile.write(folder / name, hum(100 * number + n, pitch * (1 + 0.02 * (n % 5)), 0.3), 8000)
            rows.append(f"{name}\t{split}\t{key}\t{split}{n % 8}")
    (folder / "table.tsv").write_text("\n".join(rows) + "\n")
    corpus = {"path": "table.tsv", "label": "key", "sample_rate": 8000, "group": "speaker", **settings}
    config = {"corpus": corpus, "model": {"n_components": 2, "max_iter": 3}, "cache": str(folder / "cache")}
    (folder / "two.yaml").write_text(json.dumps(config))
    return folder / "two.yaml"


@pytest.mark.slow
def test_a_target_gives_scores_and_figures_of_detection_and_changes_nothing_else(tmp_path: Path) -> None:
    quiet = Console(quiet=True)
    plain = run(two_hums(tmp_path), output=tmp_path / "plain", console=quiet).metrics
    low = run(two_hums(tmp_path, target="low"), output=tmp_path / "low", console=quiet).metrics
    high = run(two_hums(tmp_path, target="high"), output=tmp_path / "high", console=quiet).metrics
    assert {"eer", "min_dcf", "cllr_min"} <= low.keys() - plain.keys()
    assert plain["accuracy"] == low["accuracy"]
    assert low["eer"]["low"] <= low["eer"]["value"] <= low["eer"]["high"]
    assert low["eer"]["value"] == pytest.approx(high["eer"]["value"])  # whichever of the two is looked for
    rows = [line.split("\t") for line in (tmp_path / "low" / "scores.tsv").read_text().splitlines()]
    assert rows[0] == ["id", "true", "predicted", "n_frames", "score", "target", "high", "low"]
    table = np.array([[float(cell) for cell in (row[4], row[6], row[7])] for row in rows[1:]])
    np.testing.assert_allclose(table[:, 0], table[:, 2] - table[:, 1], atol=2e-6)
    truth = np.array([row[5] == "target" for row in rows[1:]])
    assert truth.tolist() == [row[1] == "low" for row in rows[1:]]
    assert eer(rank_trials(table[:, 0], truth)) == pytest.approx(low["eer"]["value"])
    independent = run(two_hums(tmp_path, target="low", group=None), output=tmp_path / "items", console=quiet).metrics[
        "eer"
    ]
    assert independent["value"] == low["eer"]["value"]
    assert "n_groups" not in independent


@pytest.mark.slow
def test_runs_with_a_target_are_compared_swept_and_evaluated_by_what_detection_is_judged_by(tmp_path: Path) -> None:
    quiet = Console(quiet=True)
    config = two_hums(tmp_path, target="low")
    one = run(config, output=tmp_path / "one", console=quiet).metrics
    two = run(config, ["model.n_components=1", "features.n_ceps=2"], output=tmp_path / "two", console=quiet).metrics
    for name in ("eer", "min_dcf", "cllr_min", "accuracy"):
        assert evaluate_file(tmp_path / "two").metrics[name]["value"] == pytest.approx(two[name]["value"], abs=1e-6)
    assert evaluate_file(tmp_path / "two").metrics["eer"]["n_groups"] == 8
    assert two["eer"]["value"] > one["eer"]["value"]
    best, worst = compare_runs([tmp_path / "one", tmp_path / "two"])
    assert (best.folder.name, worst.folder.name) == ("one", "two")
    assert worst.value == pytest.approx(two["eer"]["value"])
    assert (worst.n_groups, worst.unit) == (8, "groups")
    run(two_hums(tmp_path), output=tmp_path / "plain", console=quiet)
    with pytest.raises(ConfigError, match=r"plain is judged by its accuracy, .*one by its eer"):
        compare_runs([tmp_path / "one", tmp_path / "plain"])
    points = [{"model.n_components": n} for n in (1, 2)]
    found = sweep(two_hums(tmp_path, target="low"), points, output=tmp_path / "sweep", console=quiet)
    assert found.metric == "eer"
    assert "inner_eer" in (tmp_path / "sweep" / "sweep.tsv").read_text()
    assert "-0.0000" not in (tmp_path / "sweep" / "sweep.tsv").read_text()


def test_a_target_that_is_no_class_or_one_of_many_is_refused_before_training(tmp_path: Path, config_file: Path) -> None:
    with pytest.raises(ConfigError, match=r"corpus.target is 'middle', and the 2 classes of 'key' are high, low"):
        run(two_hums(tmp_path, target="middle"), output=tmp_path / "run2", console=Console(quiet=True))
    with pytest.raises(ConfigError, match="the 3 classes of 'pitch' are high, low, mid"):
        run(load_config(config_file, ["corpus.target=low"]), console=Console(quiet=True))


# ---------------------------------------------------------------- the recipe


@pytest.mark.slow
@pytest.mark.skipif(find_spec("espeakng_loader") is None, reason="eSpeak NG is not installed")
def test_the_recipe_runs_on_a_miniature_of_real_and_synthetic_speech(shared: Path, tmp_path: Path) -> None:
    """Two commands as the recipes' README gives them, with fewer speakers, and the t-DCF by made-up ASV scores."""
    root, rng = tmp_path / "mini", np.random.default_rng(0)
    recipe = [sys.executable, str(REPOSITORY / "recipes" / "asvspoof_miniature.py"), str(root), "--most-speakers", "40"]
    subprocess.run([*recipe, "--librispeech", str(shared / "data" / "librispeech")], check=True)
    scores = {"target": 3.0, "nontarget": 0.0, "spoof": 2.0}
    lines = [f"x {key} {value:.4f}" for key, mean in scores.items() for value in rng.normal(mean, 1, 200)]
    (tmp_path / "asv.txt").write_text("\n".join(lines) + "\n")
    done = subprocess.run(
        [
            *(sys.executable, str(REPOSITORY / "recipes" / "asvspoof_lfcc_gmm.py")),
            str(REPOSITORY / "configs" / "asvspoof-lfcc-miniature.yaml"),
            *("--asv-scores", str(tmp_path / "asv.txt")),
            *("--set", f"corpus.root={root}", "--set", f"cache={tmp_path / 'cache'}", "--set", "model.max_iter=3"),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    figures = dict(line.split(" (")[0].rsplit(maxsplit=1) for line in done.stdout.splitlines() if "t-DCF" in line)
    assert 0 < float(figures["min t-DCF"]) < 1
    rate = float(done.stdout.split("EER ")[1].split()[0])
    assert rate < 40  # by chance alone 50


def test_a_recording_that_a_protocol_names_and_that_is_not_there_is_named(root: Path) -> None:
    config = {"corpus": {"kind": "asvspoof", "label": "key", "root": str(root)}, "cache": str(root / "cache")}
    (root / "c.yaml").write_text(json.dumps(config))
    with pytest.raises(DataError, match=r"LA_T_1138215\.flac"):
        run(root / "c.yaml", output=root / "run", console=Console(quiet=True))
