"""Diarization as a task: runs, folds, sweeps, comparisons and reports, on voices that are made in no time."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from test_diarization import RATE, command, voice

from speechgmm.engine import run
from speechgmm.engine.audio_input import AudioInput
from speechgmm.engine.comparison import compare_runs
from speechgmm.engine.console import Console
from speechgmm.engine.sweeps import sweep
from speechgmm.engine.tuning import plan_tuning
from speechgmm.errors import ConfigError, DataError
from speechgmm.evaluation.diarization import diarization_errors
from speechgmm.features import FeatureSpec
from speechgmm.io.model_card import with_card
from speechgmm.io.rttm import read_rttm, write_rttm
from speechgmm.tasks.diarization import make_conversation
from speechgmm.tasks.diarization.codec import read_diarizer
from speechgmm.tasks.diarization.conversation_plans import separate_plans
from speechgmm.tasks.diarization.overlap import overlap_regions
from speechgmm.tasks.diarization.recordings import FRONT_END
from speechgmm.tasks.diarization.turn_statistics import turn_statistics

N_TRAIN, N_TEST = 12, 5


def quiet() -> Console:
    return Console(quiet=True)


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines(), delimiter="\t"))


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve voices to train on, five to test, and two calls of others with their turns."""
    place = tmp_path_factory.mktemp("spoken")
    rows = ["path\tspeaker\tsplit"]
    for number in range(N_TRAIN + N_TEST):
        name = f"s{number}"
        (place / name).mkdir()
        soundfile.write(place / name / "a.wav", voice(number if number < N_TRAIN else 88 + number, 7.0), RATE)
        rows.append(f"{name}/a.wav\t{name}\t{'train' if number < N_TRAIN else 'test'}")
    (place / "made.tsv").write_text("\n".join(rows) + "\n")
    turns = {}
    for name, speakers in (("two", (200, 201)), ("three", (202, 203, 204))):
        made = make_conversation([(f"p{one}", voice(one, 9.0)) for one in speakers], RATE, seed=1)
        soundfile.write(place / f"{name}.wav", made.samples, RATE)
        turns[name] = made.turns
    write_rttm(place / "said.rttm", turns)
    calls = [*rows[: N_TRAIN + 1], "two.wav\tseveral\ttest", "three.wav\tseveral\ttest"]
    (place / "calls.tsv").write_text("\n".join(calls) + "\n")
    return place


@pytest.fixture
def voices(spoken: Path, tmp_path: Path) -> Path:
    """The configuration of a run on made conversations, with a folder of results of its own and a common cache."""
    path = spoken / "voices.yaml"
    path.write_text(
        "task: diarization\n"
        f"corpus: {{path: made.tsv, label: speaker, group: speaker, sample_rate: {RATE}}}\n"
        "features: {preset: kaldi, n_mels: 40, n_ceps: 20, use_energy: false, vad: energy, vad_threshold: 1.0, "
        "vad_context: 5}\n"
        "diarization: {n_components: 8, conversations: 6, detector: false}\nparallel: {n_jobs: 1}\n"
        f"cache: cache\noutput: {tmp_path / 'run'}\n"
    )
    return path


def calls_of(voices: Path) -> tuple[str, str]:
    """Settings that test on the two calls."""
    return f"corpus.path={voices.parent / 'calls.tsv'}", f"diarization.references={voices.parent / 'said.rttm'}"


@pytest.mark.slow
def test_a_run_trains_a_diarizer_and_tests_it_on_conversations_of_speakers_never_heard(voices: Path) -> None:
    result = run(voices, console=quiet())
    folder = result.folder
    rows = table(folder / "recordings.tsv")
    said, heard = (read_rttm(folder / f"{side}.rttm") for side in ("references", "hypotheses"))
    # Of five speakers two talk, and three: each in one conversation alone.
    assert [row["id"] for row in rows] == ["conversation-1", "conversation-2"] == list(said) == list(heard)
    speakers = [{turn.speaker for turn in turns} for turns in said.values()]
    assert [len(one) for one in speakers] == [2, 3]
    assert set.union(*speakers) == {f"s{number}" for number in range(N_TRAIN, N_TRAIN + N_TEST)}
    every = [diarization_errors(said[name], heard[name]) for name in said]
    total = every[0] + every[1]
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["der"]["value"] == pytest.approx(total.der, abs=1e-3)  # RTTMs are rounded to milliseconds
    assert metrics["jer"]["value"] == pytest.approx(total.jer, abs=1e-3)
    parts = sum(metrics[name]["value"] for name in ("miss", "false_alarm", "confusion"))
    assert parts == pytest.approx(metrics["der"]["value"])
    assert metrics["der"]["low"] < metrics["der"]["value"] < metrics["der"]["high"]
    assert metrics["der"]["interval"] == "bootstrap over recordings as independent"
    assert float(rows[1]["der"]) == pytest.approx(every[1].der, abs=1e-3)
    right = [row["n_found"] == row["n_speakers"] for row in rows]
    assert metrics["speakers_right"]["value"] == np.mean(right)
    page = (folder / "report.html").read_text()
    assert "Speaker turns" in page
    assert "Turns of conversation-1" in page


@pytest.mark.slow
def test_the_diarizer_of_a_run_is_that_of_the_command_and_diarizes_other_recordings(
    voices: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run(voices, console=quiet()).folder
    assert read_diarizer(folder / "models.safetensors").audio.features == FRONT_END
    for number in range(N_TRAIN):
        shutil.copytree(voices.parent / f"s{number}", tmp_path / "corpus" / f"s{number}")
    options = ("--components", "8", "--conversations", "6", "--no-detector", "-q")
    assert command("train-diarizer", tmp_path / "corpus", "--out", tmp_path / "d.safetensors", *options) == 0
    of_run, of_command = (path.read_bytes() for path in (folder / "models.safetensors", tmp_path / "d.safetensors"))
    assert with_card(of_run, None) == with_card(of_command, None)
    capsys.readouterr()
    call = voices.parent / "two.wav"
    assert command("diarize", call, "--model", folder, "-q") == 0
    alone = capsys.readouterr().out
    calls = run(voices, calls_of(voices), output=tmp_path / "calls", console=quiet())
    assert read_rttm(calls.folder / "hypotheses.rttm")["two"] == [
        turn for name, turns in _parsed(alone, tmp_path).items() if name == "two" for turn in turns
    ]


def _parsed(text: str, place: Path) -> dict[str, list[object]]:
    path = place / "alone.rttm"
    path.write_text(text)
    return read_rttm(path)  # type: ignore[return-value]


@pytest.mark.slow
def test_only_the_stretches_of_a_uem_count(voices: Path, tmp_path: Path) -> None:
    uem = tmp_path / "calls.uem"
    uem.write_text("two 1 0 3\nthree 1 1 2\nthree 1 2.5 4\n")
    result = run(voices, (*calls_of(voices), f"diarization.uem={uem}"), console=quiet())
    said, heard = read_rttm(voices.parent / "said.rttm"), read_rttm(result.folder / "hypotheses.rttm")
    regions = {"two": [(0, 3)], "three": [(1, 2), (2.5, 4)]}
    two, three = (diarization_errors(said[name], heard[name], regions=own) for name, own in regions.items())
    assert result.metrics["der"]["value"] == pytest.approx((two + three).der, abs=2e-3)
    assert [float(row["speech"]) for row in table(result.folder / "recordings.tsv")] == [two.speech, three.speech]
    for text, message in (
        ("two 1 0 3\n", r"calls.uem: no stretch of 'three'; it has two"),
        (
            "two 1 0 3\nthree 1 3000 4000\n",
            r"calls.uem: the stretches of 'three' begin at 3000 s, and the recording ends",
        ),
    ):
        uem.write_text(text)
        with pytest.raises(DataError, match=message):
            run(voices, (*calls_of(voices), f"diarization.uem={uem}"), output=tmp_path / "other", console=quiet())
    with pytest.raises(ConfigError, match=r"diarization.uem names stretches .* and there are none; set both"):
        run(voices, (f"diarization.uem={uem}",), output=tmp_path / "other", console=quiet())


@pytest.mark.slow
def test_recordings_with_references_are_tested_as_they_are_and_the_collar_counts(voices: Path, tmp_path: Path) -> None:
    result = run(voices, calls_of(voices), console=quiet())
    said, heard = read_rttm(voices.parent / "said.rttm"), read_rttm(result.folder / "hypotheses.rttm")
    rows = table(result.folder / "recordings.tsv")
    assert [row["id"] for row in rows] == ["two", "three"]
    total = diarization_errors(said["two"], heard["two"]) + diarization_errors(said["three"], heard["three"])
    assert result.metrics["der"]["value"] == pytest.approx(total.der, abs=1e-3)
    collar = run(voices, [*calls_of(voices), "diarization.collar=0.25"], output=tmp_path / "collar", console=quiet())
    without = [diarization_errors(said[name], heard[name], collar=0.25) for name in ("two", "three")]
    assert collar.metrics["der"]["value"] == pytest.approx((without[0] + without[1]).der, abs=1e-3)
    assert collar.metrics["der"]["value"] < result.metrics["der"]["value"]
    page = (collar.folder / "report.html").read_text()
    assert "Within 0.25 s of a boundary of the reference nothing counts" in page


@pytest.mark.slow
def test_workers_change_no_byte(voices: Path, tmp_path: Path) -> None:
    folders = [
        run(
            voices,
            [f"parallel.n_jobs={n}", f"cache={tmp_path / f'cache{n}'}"],
            output=tmp_path / f"{n}",
            console=quiet(),
        ).folder
        for n in (1, 2)
    ]
    for name in ("models.safetensors", "recordings.tsv", "references.rttm", "hypotheses.rttm"):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()


@pytest.mark.slow
def test_every_speaker_is_tested_once_by_a_diarizer_that_never_heard_them(voices: Path) -> None:
    result = run(voices, ["corpus.split=kfold", "corpus.split.folds=3"], console=quiet())
    rows = table(result.folder / "recordings.tsv")
    said = read_rttm(result.folder / "references.rttm")
    assert {row["fold"] for row in rows} == {"1", "2", "3"}
    speakers = [turn.speaker for turns in said.values() for turn in {one.speaker: one for one in turns}.values()]
    assert sorted(speakers) == sorted(f"s{number}" for number in range(N_TRAIN + N_TEST))
    fold_of = {row["id"]: row["fold"] for row in table(result.folder / "protocol.tsv")}
    for row in rows:
        assert {fold_of[f"{turn.speaker}/a"] for turn in said[row["id"]]} == {row["fold"]}
        assert row["id"].startswith(f"{row['fold']}-conversation-")
    assert set(result.metrics["folds"]) == {"1", "2", "3"}
    assert (result.folder / "folds" / "1" / "models.safetensors").exists()
    assert result.metrics["der"]["n"] == len(rows)


@pytest.mark.slow
def test_a_sweep_chooses_by_inner_conversations_and_a_lower_rate_is_better(voices: Path) -> None:
    found = sweep(voices, [{"diarization.search.minimum": 10}, {"diarization.search.minimum": 60}], console=quiet())
    assert found.metric == "der"
    inner = [point.inner[""] for point in found.points]
    assert max(inner) <= 0
    assert found.chosen == {"": int(np.argmax(inner))}
    rows = table(found.folder / "sweep.tsv")
    assert [float(row["inner_der"]) for row in rows] == pytest.approx([-one for one in inner], abs=1e-4)
    assert found.evaluation.metrics["der"]["value"] == pytest.approx(-found.points[found.chosen[""]].test)


@pytest.mark.slow
def test_two_runs_are_compared_by_their_errors_on_the_same_conversations(voices: Path, tmp_path: Path) -> None:
    first = run(voices, console=quiet())
    other = run(voices, ["diarization.search.minimum=60"], output=tmp_path / "other", console=quiet())
    rows = {row.folder: row for row in compare_runs([first.folder, other.folder])}
    for one in (first, other):
        assert rows[one.folder].value == pytest.approx(one.metrics["der"]["value"])
    assert (rows[first.folder].n_groups, rows[first.folder].unit) == (2, "items")
    shutil.copytree(first.folder, tmp_path / "changed")
    path = tmp_path / "changed" / "recordings.tsv"
    path.write_text(path.read_text().replace(table(path)[0]["speech"], "1.000"))
    with pytest.raises(DataError, match="other labels for the same items"):
        compare_runs([first.folder, tmp_path / "changed"])


def test_nobody_is_left_over_and_nobody_talks_in_two_conversations() -> None:
    for n in range(2, 30):
        plans = separate_plans({f"s{number}": () for number in range(n)}, seed=n)
        names = [name for plan in plans for name, _ in plan.talkers]
        assert sorted(names) == sorted(f"s{number}" for number in range(n))
        assert all(2 <= len(plan.talkers) <= 5 for plan in plans)


@pytest.mark.slow
def test_a_run_draws_turns_by_statistics_and_tries_a_detector_of_overlap(
    voices: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    detect = ("diarization.overlap=detect", "diarization.conversations=4")
    found = run(voices, detect, output=tmp_path / "natural", console=Console())
    said = read_rttm(found.folder / "references.rttm")
    assert any(overlap_regions(turns) for turns in said.values())
    kept = read_diarizer(found.folder / "models.safetensors").diarizer.overlap
    assert ("is left out" in capsys.readouterr().out) == (kept is None)
    statistics = turn_statistics(read_rttm(voices.parent / "said.rttm"))
    plans = separate_plans(dict.fromkeys("abcd", ()), statistics=statistics)
    assert plans[0].statistics.inserts == ()  # of those calls, in which nobody speaks within another's turn
    settings = (f"diarization.turns_from={voices.parent / 'said.rttm'}",)
    measured = run(voices, settings, output=tmp_path / "measured", console=quiet())
    assert not any(overlap_regions(turns) for turns in read_rttm(measured.folder / "references.rttm").values())


@pytest.mark.parametrize(
    ("overrides", "error"),
    [
        (["features.vad=none", "features.vad_threshold=5.0", "features.vad_context=0"], "features.vad: energy"),
        (["features.cmvn=utterance"], "features.cmvn: none"),
        (["corpus.group=null"], "set corpus.group to the column of the speakers"),
        (["corpus.split={kind: column, disjoint: false}"], "corpus.split.disjoint at true"),
        (["diarization.references=x.rttm", "corpus.split=kfold"], "diarization.references is for corpus.split: column"),
        (["diarization.turns=uniform", "diarization.turns_from=x.rttm"], "set turns: natural"),
        (["diarization.turns=uniform", "diarization.overlap=detect"], "turns: uniform has none"),
        (["augment.speeds=[0.9]"], "augment is not available for task: diarization"),
        (["model.n_components=8"], "model.n_components is for"),
        (["parallel.memory=1GB"], "parallel.memory is for"),
        (["diarization.conversations=2"], "diarization.conversations is 2"),
        (["diarization.search.blocks=2"], "unknown key 'diarization.search.blocks'; did you mean"),
        (["task=classification"], "diarization.* is for task: diarization"),
    ],
)
def test_settings_without_effect_are_refused(voices: Path, overrides: list[str], error: str) -> None:
    with pytest.raises(ConfigError, match=error):
        run(voices, overrides, console=quiet())


@pytest.mark.slow
def test_data_that_cannot_be_tested_on_are_named(voices: Path, tmp_path: Path) -> None:
    place = voices.parent
    rows = (place / "made.tsv").read_text().splitlines()
    for name, kept, overrides, error in (
        ("few", rows[:8] + rows[-2:], (), "7 training speakers .*from 8 at least"),
        ("alone", rows[:-4], (), "1 test speaker with 3 s of recordings"),
        (
            "twice",
            [*rows[: N_TRAIN + 1], "two.wav\tx\ttest", "calls/two.wav\tx\ttest"],
            calls_of(voices)[1:],
            "several test recordings are called 'two'",
        ),
        (
            "unknown",
            [*rows[: N_TRAIN + 1], "two.wav\tx\ttest", "s13/a.wav\ty\ttest"],
            calls_of(voices)[1:],
            "no turn of 'a'",
        ),
        (
            "stretch",
            ["path\tspeaker\tsplit\tend", *(f"{row}\t" for row in rows[1 : N_TRAIN + 1]), "two.wav\tx\ttest\t2.0"],
            calls_of(voices)[1:],
            "a part of a recording",
        ),
    ):
        (place / f"{name}.tsv").write_text("\n".join(kept) + "\n")
        with pytest.raises(DataError, match=error):
            run(voices, [f"corpus.path={place / name}.tsv", *overrides], output=tmp_path / name, console=quiet())


@pytest.mark.slow
def test_speakers_who_say_little_are_warned_of_and_names_with_spaces_go_into_an_rttm(
    voices: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = voices.parent
    soundfile.write(place / "short.wav", voice(300, 2.0), RATE)
    text = (place / "made.tsv").read_text().replace("\ts12\t", "\tAnn Lee 50%\t")
    (place / "named.tsv").write_text(text + "short.wav\tshort\ttest\n")
    found = run(voices, ["corpus.path=" + str(place / "named.tsv")], output=tmp_path / "named", console=Console())
    assert "1 of 6 test speakers have less than 3 s and talk in no conversation: short" in capsys.readouterr().err
    said = read_rttm(found.folder / "references.rttm")
    names = {turn.speaker for turns in said.values() for turn in turns}
    assert "Ann%20Lee%2050%25" in names
    assert "short" not in names
    assert isinstance(read_diarizer(found.folder / "models.safetensors").audio, AudioInput)
    assert isinstance(read_diarizer(found.folder / "models.safetensors").audio.features, FeatureSpec)


@pytest.mark.slow
def test_a_run_says_what_its_error_is_made_of_and_tuning_sets_the_diarizer_of_the_run_first(voices: Path) -> None:
    result = run(voices, console=quiet())
    hints = result.metrics["hints"]
    worst = max(("miss", "false_alarm", "confusion"), key=lambda name: result.metrics[name]["value"])
    shares = [hint for hint in hints if hint.startswith(f"{worst.replace('_', ' ')} is ")]
    assert bool(shares) == (
        result.metrics["der"]["value"] >= 0.05
        and result.metrics[worst]["value"] >= 0.6 * result.metrics["der"]["value"]
    )
    plan = plan_tuning(voices, [], result)
    assert len(plan.points) == 7
    assert plan.points[0] == {
        "diarization.n_components": 8,
        "diarization.search.n_dims": 60,
        "diarization.search.independence": 0.5,
    }


@pytest.mark.slow
def test_a_run_of_vbx_writes_a_diarizer_of_that_method(voices: Path) -> None:
    result = run(voices, ("diarization.method=vbx", "diarization.vbx.fb=5"), console=quiet())
    file = read_diarizer(result.folder / "models.safetensors")
    assert file.diarizer.vbx is not None
    assert file.diarizer.vbx.fb == 5
    assert 0 <= file.learnt.der < 2
    with pytest.raises(ConfigError, match=r"diarization.method is merging"):
        run(voices, ("diarization.vbx.fb=5",), console=quiet())
