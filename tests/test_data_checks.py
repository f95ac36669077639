"""What ruins a model though every recording can be used is said in check, run and score."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import hum
from typer.testing import CliRunner

from speechgmm.cli import app
from speechgmm.config import load_config
from speechgmm.engine.console import Console
from speechgmm.engine.data_checks import folded
from speechgmm.engine.job import prepare
from speechgmm.engine.runs import run
from speechgmm.tasks.classification.codec import read_model_file

RATE = 16000


def speech(seed, pitch, seconds=0.6, rate=RATE):
    return hum(seed, pitch, seconds, rate)


def corpus(root, made):
    """A folder per class: class -> samples of its recordings, with the rate where it is another one."""
    for label, recordings in made.items():
        (root / "c" / label).mkdir(parents=True)
        for n, one in enumerate(recordings):
            samples, rate = one if isinstance(one, tuple) else (one, RATE)
            soundfile.write(root / "c" / label / f"{n}.wav", samples, rate)
    return root / "c"


def configured(root):
    path = root / "c.yaml"
    path.write_text(
        f"corpus: {{kind: folder, root: c, sample_rate: {RATE}, resample: true, split: fraction}}\n"
        "features: {preset: kaldi}\nmodel: {n_components: 2, max_iter: 4}\nparallel: {n_jobs: 1}\n"
        f"cache: {root / 'cache'}\noutput: {root / 'run'}\n"
    )
    return path


def warnings_of(root):
    """What `run` warns of, beside what it says of small classes."""
    job = prepare(load_config(configured(root)), console=Console(quiet=True))
    job.task.extract(job)
    return sorted(job.console.warned)


def two_classes(n=5, **changed):
    made = {"low": [speech(n, 110) for n in range(n)], "high": [speech(100 + n, 300) for n in range(n)]}
    return {**made, **changed}


def test_recordings_without_fault_bring_no_warning(tmp_path):
    corpus(tmp_path, two_classes())
    assert warnings_of(tmp_path) == []


# ---- digital silence ----


def padded(samples, seconds=0.6):
    return np.concatenate([np.zeros(int(seconds * RATE), np.float32), samples])


@pytest.mark.slow
@pytest.mark.filterwarnings("always::speechgmm.errors.RecordingWarning")  # as outside of tests
def test_a_class_that_is_padded_is_said_and_is_not_told_by_its_padding(tmp_path):
    root = corpus(tmp_path, two_classes(low=[padded(speech(n, 110)) for n in range(5)]))
    (warning,) = warnings_of(tmp_path)
    assert "49 % of the frames of class 'low' are digital silence" in warning
    assert "of class 'high' none" in warning
    result = run(configured(tmp_path), console=Console(quiet=True))
    assert result.metrics["accuracy"]["value"] == 1
    soundfile.write(tmp_path / "new.wav", padded(speech(7, 300)), RATE)
    scored = CliRunner().invoke(app, ["score", str(tmp_path / "run"), str(tmp_path / "new.wav"), "--format", "jsonl"])
    first = json.loads(scored.stdout.splitlines()[0])
    assert (first["label"], first["rank"]) == ("high", 1)
    assert "% of the frames are digital silence (all samples equal) and are left out" in scored.stderr
    assert root.is_dir()


def test_padding_changes_no_model(tmp_path):
    """The frames that are trained on are those of the recordings without it, but for those at its edge."""
    made = two_classes()
    shift, length = 160, 400  # the padding is whole shifts, so that frames lie alike
    corpus(tmp_path / "a", made)
    corpus(tmp_path / "b", {**made, "low": [padded(one, shift * 40 / RATE) for one in made["low"]]})
    counts = {}
    for name in "ab":
        job = prepare(load_config(configured(tmp_path / name)), console=Console(quiet=True))
        (features,) = job.task.extract(job)
        counts[name] = {u.id: piece.load() for u, piece in zip(features.corpus, features.pieces, strict=True)}
    edge = -(-length // shift) - 1
    for identity, frames in counts["a"].items():
        other = counts["b"][identity]
        extra = len(other) - len(frames)
        assert extra == (edge if identity.startswith("low") else 0)
        assert (other[extra:] == frames).all()


def test_digital_silence_without_padding_apart_is_left_out_in_silence(tmp_path):
    made = two_classes()
    corpus(tmp_path, {label: [padded(one) for one in found] for label, found in made.items()})
    assert warnings_of(tmp_path) == []


def test_a_recording_that_is_constant_is_refused(tmp_path):
    corpus(tmp_path, two_classes(low=[*(speech(n, 110) for n in range(5)), np.full(RATE, 0.25, np.float32)]))
    checked = CliRunner().invoke(app, ["check", str(configured(tmp_path))])
    assert checked.exit_code == 1
    assert "every frame is digital silence (all its samples are equal)" in checked.stdout


# ---- band ----


def narrow(samples):
    import soxr

    return soxr.resample(samples, RATE, RATE // 2)


def test_recordings_of_a_lower_rate_among_others_are_said(tmp_path):
    made = two_classes(low=[(narrow(speech(n, 110)), RATE // 2) for n in range(5)])
    corpus(tmp_path, made)
    (warning,) = warnings_of(tmp_path)
    assert "5 of 10 recordings hold nothing above 4 kHz (5 brought up to 16000 Hz here)" in warning
    assert "100 % of class 'low', none of class 'high'" in warning
    assert "corpus.sample_rate: 8000" in warning


def test_recordings_that_were_brought_up_before_are_found_by_their_band(tmp_path):
    import soxr

    made = two_classes(low=[soxr.resample(narrow(speech(n, 110)), RATE // 2, RATE) for n in range(5)])
    corpus(tmp_path, made)
    (warning,) = warnings_of(tmp_path)
    assert "5 of 10 recordings hold nothing above 3.9 kHz (brought up from a lower rate before?)" in warning


@pytest.mark.slow
@pytest.mark.filterwarnings("always::speechgmm.errors.RecordingWarning")  # as outside of tests
def test_scoring_warns_of_a_narrower_band_than_the_training_had_and_of_no_other(tmp_path):
    corpus(tmp_path / "wide", two_classes())
    corpus(
        tmp_path / "narrow",
        {label: [(narrow(one), RATE // 2) for one in found] for label, found in two_classes().items()},
    )
    soundfile.write(tmp_path / "8k.wav", narrow(speech(7, 300)), RATE // 2)
    soundfile.write(tmp_path / "16k.wav", speech(7, 300), RATE)
    said = {}
    for name in ("wide", "narrow"):
        run(configured(tmp_path / name), console=Console(quiet=True))
        for file in ("8k", "16k"):
            command = ["score", str(tmp_path / name / "run"), str(tmp_path / f"{file}.wav"), "--quiet"]
            said[name, file] = CliRunner().invoke(app, command).stderr
    assert "8000 Hz brought up to 16000 Hz: nothing above 4 kHz" in said["wide", "8k"]
    assert [said[key] for key in (("wide", "16k"), ("narrow", "8k"), ("narrow", "16k"))] == ["", "", ""]
    bands = [read_model_file(tmp_path / name / "run/models.safetensors").audio.band for name in ("wide", "narrow")]
    assert bands[0] is None
    assert bands[1] == pytest.approx(3900, abs=100)


# ---- labels ----


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("Zoe\u0308", "Zo\u00eb", True),
        ("anna", "Anna", True),
        ("1", "01", True),
        ("1", "1.0", True),
        ("anna ", "anna", True),
        ("Stra\u00dfe", "STRASSE", True),
        ("1", "10", False),
        ("0.50", ".5", False),
        ("+7", "007.00", True),
        ("1_0", "10", False),
        ("10000000000000000000000000000001", "10000000000000000000000000000002", False),
        ("anna", "anne", False),
        ("nan", "inf", False),
    ],
)
def test_labels_are_alike_after_composition_case_and_number(one, other, alike):
    assert (folded(one) == folded(other)) is alike


def test_classes_whose_names_differ_in_spelling_are_said(tmp_path):
    names = {"Zo\u00eb": 110, "Zoe\u0308": 300, "1": 150, "01": 200}
    corpus(tmp_path, {name: [speech(10 * k + n, p) for n in range(3)] for k, (name, p) in enumerate(names.items())})
    (warning,) = warnings_of(tmp_path)
    assert r"'01' and '1'; 'Zoe\u0308' and 'Zo\xeb'" in warning


def test_the_same_audio_under_two_labels_is_listed(tmp_path):
    made = two_classes()
    corpus(tmp_path, {**made, "high": [*made["high"], *made["low"][:2]]})
    table = ["path\tlabel\tsplit"]
    for path in sorted((tmp_path / "c").glob("*/*.wav")):
        split = "test" if path.stem == "4" else "train"
        table.append(f"{path.relative_to(tmp_path / 'c')}\t{path.parent.name}\t{split}")
    (tmp_path / "c" / "m.tsv").write_text("\n".join(table) + "\n")
    config = configured(tmp_path)
    config.write_text(config.read_text().replace("kind: folder, root: c", "kind: manifest, path: c/m.tsv"))
    config.write_text(config.read_text().replace(", split: fraction", ""))
    job = prepare(load_config(config), console=Console(quiet=True))
    job.task.extract(job)
    (warning,) = job.console.warned
    assert "2 recordings are the same, byte for byte, under different labels" in warning
    assert "high/5.wav (class 'high') and low/0.wav (class 'low')" in warning


# ---- level, offset, clipping ----


def test_a_class_of_another_level_is_said(tmp_path):
    corpus(tmp_path, two_classes(low=[0.01 * speech(n, 110) for n in range(5)]))
    (warning,) = warnings_of(tmp_path)
    assert "levels differ strongly by class" in warning
    assert "'low'" in warning


def test_an_offset_is_said_with_what_it_means(tmp_path):
    corpus(tmp_path, two_classes(low=[speech(n, 110) + 0.2 for n in range(5)]))
    (warning,) = warnings_of(tmp_path)
    assert "5 recordings have a DC offset, 100 % of class 'low'; the largest is 0.20 of full scale" in warning
    assert "the features take the mean off every frame" in warning


def test_a_class_that_is_clipped_is_said(tmp_path):
    corpus(tmp_path, two_classes(low=[np.clip(20 * speech(n, 110), -1, 1) for n in range(5)]))
    found = [warning for warning in warnings_of(tmp_path) if "of the recordings of class" in warning]
    assert len(found) == 1
    assert "100 % of the recordings of class 'low' are clipped, of class 'high' none" in found[0]


def test_check_does_not_say_that_nothing_is_wrong_under_a_warning(tmp_path):
    corpus(tmp_path, two_classes(low=[padded(speech(n, 110)) for n in range(5)]))
    checked = CliRunner().invoke(app, ["check", str(configured(tmp_path))])
    assert checked.exit_code == 0
    assert "nothing is wrong" not in checked.stdout
    assert "see the warnings above" in checked.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    "corpus_section",
    [
        "{kind: timit, root: ROOT/timit-a, label: speaker, split: fraction}",
        "{kind: speech_commands, root: ROOT/speech_commands_mini, label: word, split: fraction}",
        "{kind: folder, root: ROOT/arabic-words, split: fraction, sample_rate: 16000}",
    ],
)
def test_corpora_of_good_recordings_bring_no_warning(shared: Path, tmp_path, corpus_section):
    config = tmp_path / "c.yaml"
    config.write_text(
        f"corpus: {corpus_section.replace('ROOT', str(shared / 'data'))}\nfeatures: {{preset: kaldi}}\ncache: cache\n"
        "parallel: {n_jobs: 1}\n"
    )
    job = prepare(load_config(config), console=Console(quiet=True))
    known = set(job.console.warned)  # of the reader
    job.task.extract(job)
    assert [warning for warning in job.console.warned - known if "clipped" not in warning] == []
