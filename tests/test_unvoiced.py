"""Recordings without a voiced frame: pitch says nothing of who speaks, and breaks nothing."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

import speechgmm as sg
from speechgmm.engine.console import Console
from speechgmm.engine.runs import run
from speechgmm.errors import DataError, FitError, RecordingWarning
from speechgmm.tasks.classification.codec import read_model_file
from speechgmm.tasks.classification.enrolment import enrol
from speechgmm.tasks.classification.updates import update_class
from speechgmm.tasks.verification.codec import ClaimFile
from speechgmm.tasks.verification.fusion import fuse_files
from speechgmm.tasks.verification.judging import Judged, judge_recordings

RATE = 8000
WHISPERED = {("s0", 0), ("s1", 0), ("s1", 1), ("s2", 2), ("s7", 1)}  # enrolment: some, all; test; background
PITCH = "features={kind: f0}"


def sound(speaker: int, take: int, *, voiced: bool = True) -> np.ndarray:
    """Half a second of a voice that wavers, or of a whisper."""
    rng = np.random.default_rng(10 * speaker + take)
    t = np.arange(RATE // 2) / RATE
    if not voiced:
        return (0.1 * rng.normal(size=len(t))).astype(np.float32)
    pitch = 90 * 1.13**speaker * (1 + 0.03 * np.sin(2 * np.pi * 3 * t + take))
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    return (0.3 * sum(np.sin(k * phase) / k for k in range(1, 6)) + rng.normal(0, 0.002, len(t))).astype(np.float32)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six speakers enrol with two recordings and are tested on two; four are the background."""
    root = tmp_path_factory.mktemp("unvoiced")
    rows = ["path\tspeaker\tsplit"]
    for speaker in range(10):
        for take in range(4):
            name, voiced = f"s{speaker}-{take}.wav", (f"s{speaker}", take) not in WHISPERED
            soundfile.write(root / name, sound(speaker, take, voiced=voiced), RATE)
            rows.append(f"{name}\ts{speaker}\t{'ubm' if speaker > 5 else 'train' if take < 2 else 'test'}")
    (root / "m.tsv").write_text("\n".join(rows) + "\n")
    (root / "v.yaml").write_text(
        "task: verification\ncorpus: {path: m.tsv, label: speaker, sample_rate: 8000}\n"
        "model: {adapt: map, adapt_parameters: [weights, means], relevance: 4, ubm: {n_components: 4, max_iter: 10}}\n"
        "calibration: {method: logistic}\ncache: cache\nparallel: {n_jobs: 1}\n"
    )
    return root


@pytest.fixture(scope="module")
def pitch(corpus: Path) -> Path:
    """The folder of the run of the pitch."""
    return run(corpus / "v.yaml", [PITCH], output=corpus / "f0", console=Console(quiet=True)).folder


def models(folder: Path) -> ClaimFile:
    """The model file of a run."""
    return ClaimFile.of(read_model_file(folder / "models.safetensors"))


def rows(folder: Path) -> list[dict[str, str]]:
    """The trials of a run."""
    head, *lines = (line.split("\t") for line in (folder / "scores.tsv").read_text().splitlines())
    return [dict(zip(head, line, strict=True)) for line in lines]


def test_claims_about_the_unvoiced_and_against_who_was_enrolled_by_nothing_else_score_nothing_either_way(
    pitch: Path,
) -> None:
    for row in rows(pitch):
        neutral = row["test"] == "s2-2" or row["model"] == "s1"
        assert (float(row["score"]) == 0) == neutral
        assert (float(row["llr"]) == 0) == neutral
        assert (row["n_frames"] == "0") == (row["test"] == "s2-2")
    calibration = models(pitch).calibration
    assert calibration is not None
    assert (calibration.n_targets, calibration.n_nontargets) == (9, 46), "what says nothing trains no calibration"
    assert calibration.n_frames[0] > 0


def test_the_unvoiced_are_said_once_with_their_number(pitch: Path) -> None:
    said = (pitch / "log.txt").read_text()
    assert said.count("voiced") == 1
    assert f"{len(WHISPERED)} of 40 recordings have no voiced frame" in said


def test_systems_of_cepstra_and_of_pitch_have_the_same_trials_and_fuse(corpus: Path, pitch: Path) -> None:
    other = run(corpus / "v.yaml", output=corpus / "mfcc", console=Console(quiet=True))
    fused = fuse_files([other.folder, pitch])
    assert fused.text.count("\n") == 1 + 6 * 12


def test_unvoiced_recordings_of_enrolment_and_background_train_nothing(corpus: Path, pitch: Path) -> None:
    lines = (corpus / "m.tsv").read_text().splitlines()
    left = [line for line in lines if not line.startswith(("s0-0", "s1-0", "s1-1", "s7-1"))]
    (corpus / "voiced.tsv").write_text("\n".join(left) + "\n")
    without = run(
        corpus / "v.yaml",
        [PITCH, f"corpus.path={corpus / 'voiced.tsv'}"],
        output=corpus / "voiced",
        console=Console(quiet=True),
    )
    one, two = models(pitch).models, models(without.folder).models
    np.testing.assert_array_equal(one.ubm.means, two.ubm.means)  # type: ignore[union-attr]
    assert set(one.labels) - set(two.labels) == {"s1"}
    for label, model in zip(two.labels, two.models, strict=True):
        np.testing.assert_array_equal(one.models[one.labels.index(label)].means, model.means)
    np.testing.assert_array_equal(one.models[one.labels.index("s1")].means, one.ubm.means)  # type: ignore[union-attr]


def test_verify_score_enrol_and_update_take_the_unvoiced(corpus: Path, pitch: Path) -> None:
    file, whispered, voice = models(pitch), corpus / "s2-2.wav", corpus / "s3-2.wav"
    with pytest.warns(RecordingWarning, match="none of its .* frames is voiced"):
        ((_, judged),) = judge_recordings(file, [whispered], "s3")
    assert judged == Judged(0.0, 0.0, 0)
    loaded = sg.load(pitch)
    with pytest.warns(RecordingWarning, match="says nothing of who speaks"):
        assert loaded.classify(whispered).decision is None
    with pytest.warns(RecordingWarning):
        larger, enrolled = enrol(file, "new", [corpus / "s7-1.wav"])
    with pytest.warns(RecordingWarning):
        updated, _ = update_class(file, "s3", [corpus / "s7-1.wav"])
    assert enrolled.n_frames == 0
    ((_, judged),) = judge_recordings(larger, [voice], "new")
    assert isinstance(judged, Judged)
    assert (judged.score, judged.llr) == (0.0, 0.0)
    (before,), (after,) = (judge_recordings(one, [voice], "s3") for one in (file, updated))
    assert before == after


def test_pitch_without_any_voice_in_the_background_is_an_error_that_says_so(corpus: Path) -> None:
    rows = ["path\tspeaker\tsplit", "s1-0.wav\ts1\ttrain", "s7-1.wav\ts7\ttrain", "s2-3.wav\ts1\ttest"]
    (corpus / "whispered.tsv").write_text("\n".join(rows) + "\n")
    with pytest.raises(FitError, match="training recordings have no frames; expected some in which somebody speaks"):
        run(
            corpus / "v.yaml",
            [PITCH, f"corpus.path={corpus / 'whispered.tsv'}"],
            output=corpus / "w",
            console=Console(quiet=True),
        )


def test_digital_silence_is_refused_by_cepstra_and_pitch_alike_and_classification_leaves_out_the_unvoiced(
    corpus: Path,
) -> None:
    soundfile.write(corpus / "silent.wav", np.zeros(RATE // 2, np.float32), RATE)
    (corpus / "silent.tsv").write_text((corpus / "m.tsv").read_text() + "silent.wav\ts3\ttest\n")
    for kind in (PITCH, "features={kind: mfcc}"):
        with pytest.raises(
            DataError, match=r"1 of 41 utterances cannot be used:\n.*silent\.wav: all 4000 samples are zero"
        ):
            run(
                corpus / "v.yaml",
                [kind, f"corpus.path={corpus / 'silent.tsv'}"],
                output=corpus / "s",
                console=Console(quiet=True),
            )
    classes = [PITCH, "task=classification", "calibration.method=none", "model.adapt_max_iter=1"]
    with pytest.raises(DataError, match="none of its frames is voiced"):
        run(corpus / "v.yaml", classes, output=corpus / "c", console=Console(quiet=True))
