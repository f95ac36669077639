"""The demo corpus: the same bytes every time, phone times that fit the sound, and nothing overwritten."""

import csv
import errno
import hashlib
import json
import os
import re
import subprocess
import sys
import wave
from collections import Counter

import numpy as np
import pytest

from speechgmm.corpus.readers.manifest import read_manifest
from speechgmm.demo import PHONES, VOICES, build_corpus
from speechgmm.demo import build as building
from speechgmm.demo.degradation import LEVEL, SNR, _pink_noise, degrade
from speechgmm.demo.phones import fold
from speechgmm.demo.sentences import TEST, TRAINING
from speechgmm.demo.synthesiser import Synthesiser, _segments
from speechgmm.demo.voices import Voice
from speechgmm.errors import ConfigError, DataError

pytest.importorskip("espeakng_loader", reason="eSpeak NG is not installed (pip install 'speechgmm[demo]')")

N_RECORDINGS = len(VOICES) * (len(TRAINING) + len(TEST))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return build_corpus(tmp_path_factory.mktemp("espeak") / "demo")


@pytest.fixture(scope="module")
def synthesiser():
    with Synthesiser() as ready:
        yield ready


def rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def digests(root):
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def share_above(samples, rate, hz):
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    return power[np.fft.rfftfreq(len(samples), 1 / rate) > hz].sum() / power.sum()


# --- the synthesiser -------------------------------------------------------------------------------------


@pytest.mark.parametrize("voice", VOICES, ids=lambda voice: voice.name)
def test_speech_depends_on_the_arguments_alone_and_not_on_what_was_said_before(synthesiser, voice):
    first = synthesiser.speak(TEST[0], voice, seed=7)
    synthesiser.speak(TRAINING[3], VOICES[4], seed=1)
    again = synthesiser.speak(TEST[0], voice, seed=7)
    np.testing.assert_array_equal(first.samples, again.samples)
    assert first.segments == again.segments


def test_another_seed_gives_a_breathy_voice_other_noise(synthesiser):
    (breathy,) = (voice for voice in VOICES if voice.name == "f2")
    one, other = (synthesiser.speak(TEST[0], breathy, seed=seed).samples for seed in (1, 2))
    assert len(one) != len(other) or np.any(one != other)


def test_another_eSpeak_NG_in_the_process_changes_nothing(synthesiser):
    with Synthesiser() as second:
        np.testing.assert_array_equal(
            second.speak(TEST[1], VOICES[2], seed=3).samples,
            synthesiser.speak(TEST[1], VOICES[2], seed=3).samples,
        )


@pytest.mark.parametrize("voice", VOICES, ids=lambda voice: voice.name)
def test_segments_follow_the_sound(synthesiser, voice):
    """Hiss where s and sh are, none in vowels, silence in pauses and nothing silent at a phoneme's end."""
    shares, pauses = {"hiss": [], "vowel": []}, 0
    # With pauses at a comma and with stops, whose closures are silent.
    speech = synthesiser.speak("Six soft shoes, made of moss, pass a cosy shop.", voice, seed=1)
    end = 0
    for segment in speech.segments:
        assert end <= segment.start < segment.end <= len(speech.samples)
        end = segment.end
        sound = speech.samples[segment.start : segment.end].astype(float)
        if segment.mnemonic.startswith("_"):
            pauses += 1
            # The pause is silent once the echo that some voices have has died away.
            assert np.sqrt(np.mean(sound[len(sound) // 2 :] ** 2)) < 150
            continue
        assert abs(sound[-1]) > 16
        phone = fold(segment.mnemonic)
        if phone in ("s", "sh"):
            shares["hiss"].append(share_above(sound, speech.sample_rate, 2500))
        elif phone in ("aa", "ao", "ey", "ow", "uw"):
            shares["vowel"].append(share_above(sound, speech.sample_rate, 2500))
    assert pauses >= 2
    assert len(shares["hiss"]) >= 7
    assert len(shares["vowel"]) >= 4
    assert min(shares["hiss"]) > 0.8 > 0.5 > max(shares["vowel"])


def test_no_voice_clips(synthesiser):
    for voice in VOICES:
        loudest = max(np.abs(synthesiser.speak(text, voice, seed=1).samples.astype(int)).max() for text in TRAINING[:4])
        assert 3000 < loudest < 32000, voice.name


def test_a_segment_ends_at_the_next_phoneme_or_word_less_its_silence():
    samples = np.full(100, 1000, dtype=np.int16)
    samples[30:40] = 0  # the closure before a stop
    samples[70:] = 0
    events = [
        (1, 0, ""),
        (7, 5, "_"),
        (7, 5, "a"),
        (7, 40, "k"),
        (1, 55, ""),
        (7, 60, "s"),
        (7, 70, "_:"),
        (5, 100, ""),
    ]
    found = [(segment.mnemonic, segment.start, segment.end) for segment in _segments(samples, events)]
    assert found == [("a", 5, 30), ("k", 40, 55), ("s", 60, 70), ("_:", 70, 100)]


def test_an_unknown_voice_and_an_empty_text_are_refused(synthesiser):
    with pytest.raises(ConfigError, match="no voice 'xx-none'"):
        synthesiser.speak("Hello.", Voice("none", "xx-none", 170, 50, 50, ""), seed=1)
    with pytest.raises(DataError, match="said nothing"):
        synthesiser.speak("", VOICES[0], seed=1)


def test_a_missing_wheel_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(ConfigError, match=re.escape("pip install 'speechgmm[demo]'")):
        build_corpus(tmp_path / "demo")
    assert not (tmp_path / "demo").exists()


# --- texts and phones -------------------------------------------------------------------------------------


def test_no_content_word_is_both_trained_and_tested():
    training, test = (set(re.findall(r"[a-z]+", " ".join(texts).lower())) for texts in (TRAINING, TEST))
    assert training & test <= {"a", "my", "that", "the", "to", "we"}


def test_an_unknown_phoneme_is_refused():
    with pytest.raises(DataError, match="'Q"):
        fold("'Q")


@pytest.mark.slow
def test_every_phone_has_enough_to_train_on_and_something_to_test(corpus):
    counts = {split: Counter() for split in ("train", "test")}
    for row in rows(corpus / "phones.tsv"):
        counts[row["split"]][row["phone"]] += 1
    assert set(counts["train"]) == set(counts["test"]) == set(PHONES)
    assert min(counts["train"].values()) >= 2 * len(VOICES)
    assert min(counts["test"].values()) >= len(VOICES) // 2


# --- the damage -------------------------------------------------------------------------------------------


def test_damage_has_the_stated_level_and_ratio_to_noise():
    clean = 1000 * np.sin(2 * np.pi * np.arange(32000) / 16)  # one line of the spectrum: the rest is noise
    for seed in range(20):
        noisy = degrade(clean, np.random.default_rng(seed)).astype(float)
        level = 20 * np.log10(np.sqrt(np.mean(noisy**2)) / 32768)
        assert LEVEL[0] - 0.1 < level < LEVEL[1] + 0.1
        power = np.abs(np.fft.rfft(noisy)) ** 2
        snr = 10 * np.log10(power[2000] / (power.sum() - power[2000]))
        assert SNR[0] - 0.3 < snr < SNR[1] + 0.3


def test_pink_noise_has_equal_power_in_every_octave():
    noise = _pink_noise(2**18, np.random.default_rng(0))
    power = np.abs(np.fft.rfft(noise)) ** 2
    octaves = [power[2**k : 2 ** (k + 1)].sum() for k in range(10, 16)]
    assert 10 * np.log10(max(octaves) / min(octaves)) < 3
    assert np.var(noise) == pytest.approx(1, abs=0.1)


def test_digital_silence_cannot_be_damaged():
    with pytest.raises(DataError, match="digital silence"):
        degrade(np.zeros(100), np.random.default_rng(0))


# --- the folder -------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_corpus_is_what_it_says(corpus):
    speakers = rows(corpus / "speakers.tsv")
    assert len(speakers) == N_RECORDINGS
    assert Counter(row["speaker"] for row in speakers) == {v.name: len(TRAINING) + len(TEST) for v in VOICES}
    assert {row["text"] for row in speakers if row["split"] == "test"} == set(TEST)
    seconds = Counter()
    for row in speakers:
        with wave.open(str(corpus / row["path"])) as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16000, 1, 2)
            duration = file.getnframes() / 16000
        assert (1.0 if row["split"] == "train" else 0.7) < duration < 4.5
        seconds[row["path"]] = duration
    assert 6 * 60 < seconds.total() < 10 * 60
    ends = Counter()
    for row in rows(corpus / "phones.tsv"):
        start, end = float(row["start"]), float(row["end"])
        assert ends[row["path"]] <= start <= end - building.SHORTEST_PHONE + 1e-4
        assert end <= seconds[row["path"]] + 1e-4
        ends[row["path"]] = end


@pytest.mark.parametrize("label", ["speaker", "phone"])
def test_the_manifests_are_read_by_the_manifest_reader(corpus, label):
    path = corpus / f"{label}s.tsv"
    found = read_manifest(path, None, label)
    assert len(found.utterances) == len(rows(path))


@pytest.mark.slow
def test_an_interrupted_build_is_finished_by_another_process_to_the_same_bytes(corpus, tmp_path):
    root = tmp_path / "demo"

    def stop(done, total):
        assert total == N_RECORDINGS
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_corpus(root, progress=stop)
    assert json.loads((root / "corpus.json").read_text())["complete"] is False
    assert not list(root.glob("*.tsv"))
    (root / "wav" / VOICES[0].name / "train-03.wav").write_bytes(b"half a recording")
    code = "import sys, pathlib, speechgmm.demo as e; e.build_corpus(pathlib.Path(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", code, str(root)], check=True)
    assert digests(root) == digests(corpus)


def test_a_complete_corpus_is_left_alone_and_needs_no_synthesiser(corpus, monkeypatch):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    before = {path: path.stat().st_mtime_ns for path in corpus.rglob("*")}
    assert build_corpus(corpus) == corpus
    assert {path: path.stat().st_mtime_ns for path in corpus.rglob("*")} == before


def test_another_seed_is_another_corpus_and_is_refused_in_the_same_folder(corpus):
    with pytest.raises(DataError, match=r"another seed \(its own: 0\)"):
        build_corpus(corpus, seed=1)


def test_another_seed_changes_every_recording(corpus, tmp_path):
    written = []

    def stop(done, total):
        written.append(done)
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_corpus(tmp_path / "demo", seed=1, progress=stop)
    assert written == [1, 2, 3]
    recordings = sorted((tmp_path / "demo").rglob("*.wav"))
    assert len(recordings) == 3
    for path in recordings:
        assert path.read_bytes() != (corpus / path.relative_to(tmp_path / "demo")).read_bytes()


def test_a_folder_of_something_else_is_refused_and_kept(tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(DataError, match="is not empty and is no demo corpus"):
        build_corpus(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("content", ["", "[]", "{}", "null", "\x00"])
def test_a_broken_marker_is_refused(tmp_path, content):
    (tmp_path / "corpus.json").write_text(content)
    with pytest.raises(DataError, match="is not the marker of a demo corpus"):
        build_corpus(tmp_path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        build_corpus(tmp_path / "file" / "demo")


def test_a_full_disk_is_named_and_leaves_no_temporary_file(tmp_path, monkeypatch):
    count = 0

    def full(descriptor):
        nonlocal count
        count += 1
        if count > 1:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match="No space left on device"):
        build_corpus(tmp_path / "demo")
    assert [path.name for path in (tmp_path / "demo").rglob("*") if path.is_file()] == ["corpus.json"]


def test_a_negative_seed_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="seed is -1"):
        build_corpus(tmp_path / "demo", seed=-1)
