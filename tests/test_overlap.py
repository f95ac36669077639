"""Overlapping speech: the second-best speaker, where two speak, and conversations made with overlap."""

import statistics
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from test_diarization import RATE, command, diarizer, trained, voice, voice_frames  # noqa: F401 (fixtures)
from test_vbx_diarization import given as vectors  # noqa: F401 (a fixture)

import speechgmm as sg
from speechgmm.engine.audio_input import AudioInput
from speechgmm.errors import ConfigError, DataError
from speechgmm.evaluation.diarization import Turn, diarization_errors, speaker_mapping
from speechgmm.gmm import DiagGMM
from speechgmm.io.rttm import read_rttm, write_rttm
from speechgmm.tasks.diarization import Diarizer
from speechgmm.tasks.diarization.codec import (
    DiarizerFile,
    LearntFrom,
    read_diarizer,
    save_diarizer,
    serialise_diarizer,
)
from speechgmm.tasks.diarization.conversations import Conversation, natural_conversation
from speechgmm.tasks.diarization.overlap import (
    SpeakerWindows,
    joined_turns,
    overlap_regions,
    speaker_name,
    with_second_speakers,
)
from speechgmm.tasks.diarization.overlap_detection import OverlapDetector, train_mixtures
from speechgmm.tasks.diarization.overlap_labels import read_overlap
from speechgmm.tasks.diarization.overlap_training import worthwhile_threshold
from speechgmm.tasks.diarization.recordings import FRONT_END, turns_in
from speechgmm.tasks.diarization.spec import WindowVbxSpec
from speechgmm.tasks.diarization.turn_statistics import PUBLISHED, TurnStatistics, draw_turns, turn_statistics
from speechgmm.vectors import Evidence

LONG_OVERLAPS = replace(PUBLISHED, lengths=(3.0, 4.0), offsets=(-1.5, -1.0), pauses=(0.2,), inserted=0.0, decline=1.0)

turns_drawn = st.lists(
    st.builds(
        lambda start, length, name: Turn(start / 10, (start + length) / 10, name),
        st.integers(0, 80),
        st.integers(1, 30),
        st.sampled_from("abc"),
    ),
    min_size=1,
    max_size=12,
)


def talking(turns: list[Turn], time: float) -> set[str]:
    """Who speaks at a time."""
    return {turn.speaker for turn in turns if turn.start <= time < turn.end}


@settings(max_examples=40, deadline=None)
@given(turns_drawn)
def test_overlap_is_where_two_or_more_speak(turns: list[Turn]) -> None:
    regions = overlap_regions(turns)
    for time in np.arange(0.05, 12, 0.1):
        inside = any(start <= time < end for start, end in regions)
        assert inside == (len(talking(turns, time)) > 1)
        assert talking(joined_turns(turns), time) == talking(turns, time)
    assert all(before[1] <= after[0] for before, after in pairwise(regions))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000))
def test_the_second_speaker_is_the_other_one_that_fits_best(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(3, size=30)
    points = rng.normal(size=(3, 2))[labels] * 2 + rng.normal(size=(30, 2))
    windows = SpeakerWindows(points, np.array([4.0, 1.0]), np.arange(30) + 0.5, labels, 0.5)
    turns = [Turn(float(n), float(n + 1), speaker_name(labels[n])) for n in range(30)]
    regions = [(4.25, 6.5), (20.0, 23.0)]
    found = with_second_speakers(turns, regions, windows)
    outside = [n for n in range(30) if not any(start <= n + 0.5 < end for start, end in regions)]
    for n in range(30):
        inside = [(max(start, n), min(end, n + 1)) for start, end in regions if start < n + 1 and end > n]
        if not inside:
            assert talking(found, n + 0.5) == {speaker_name(labels[n])}
            continue
        densities = {}
        for speaker in set(labels.tolist()) - {int(labels[n])}:
            own = [m for m in outside if labels[m] == speaker] or np.flatnonzero(labels == speaker)
            count = 0.5 * (labels == speaker).sum()
            evidence = Evidence(count, np.mean([points[m] for m in own], axis=0) * count, np.array([4.0, 1.0]))
            densities[speaker_name(speaker)] = evidence.predictive(points[n : n + 1])[0]
        second = max(densities, key=densities.__getitem__)
        middle = (inside[0][0] + inside[0][1]) / 2
        assert talking(found, middle) == {speaker_name(labels[n]), second}


def test_one_speaker_has_no_second() -> None:
    windows = SpeakerWindows(np.ones((4, 2)), np.ones(2), np.arange(4.0), np.zeros(4, np.intp), 1.0)
    assert with_second_speakers([Turn(0, 4, "S1")], [(1, 2)], windows) == [Turn(0, 4, "S1")]


@pytest.fixture(scope="module")
def overlapping(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Conversation]:  # noqa: F811
    """Three speakers with overlaps of 1 s and more: a recording and its reference, in the folder of a diarizer."""
    place = tmp_path_factory.mktemp("overlap")
    recordings = [(f"p{one}", voice(one, 14.0)) for one in (100, 103, 106)]
    made = natural_conversation(recordings, RATE, statistics=LONG_OVERLAPS, seed=4)
    soundfile.write(place / "call.wav", made.samples, RATE, subtype="FLOAT")
    write_rttm(place / "said.rttm", {"call": made.turns})
    return place, made


@pytest.mark.parametrize(
    "method", [None, WindowVbxSpec(fa=0.2, fb=60.0, loop_probability=0.98)], ids=["merging", "vbx"]
)
def test_with_true_regions_less_speech_is_missed_and_the_second_speaker_is_right(
    diarizer: Diarizer,  # noqa: F811
    method: WindowVbxSpec | None,
) -> None:
    rng = np.random.default_rng(5)
    said, parts, time = [], [], 0
    for speaker, other in ((0, 1), (1, 2), (2, 0), (0, 2), (1, 0)):
        louder = rng.random((60, 1)) < 0.5  # of two voices one is the louder in most frames
        both = np.where(louder, voice_frames(speaker, 60, rng), voice_frames(other, 60, rng))
        parts += [voice_frames(speaker, 700, rng), both]
        said += [
            Turn(time / 100, (time + 760) / 100, str(speaker)),
            Turn((time + 700) / 100, (time + 760) / 100, str(other)),
        ]
        time += 760
    frames, speech = np.concatenate(parts), np.ones(time, bool)
    audio = AudioInput(FRONT_END, 16000)
    used = replace(diarizer, vbx=method)
    regions = overlap_regions(said)
    one, two = (
        turns_in(used, audio, frames, speech, overlap=where, n_speakers=None if method else 3)
        for where in ((), regions)
    )
    before, after = diarization_errors(said, one), diarization_errors(said, two)
    assert before.miss == pytest.approx(3.0, abs=0.05)  # five times 0.6 s
    assert after.miss < 0.1
    assert after.der < 0.5 * before.der
    names = speaker_mapping(said, two)
    times = [time for start, end in regions for time in np.arange(start + 0.025, end, 0.05)]
    right = [{names.get(name) for name in talking(two, time)} == talking(said, time) for time in times]
    assert np.mean(right) > 0.7  # of three speakers: by chance 0.5
    assert overlap_regions(one) == []


@pytest.mark.slow
@pytest.mark.parametrize("method", ["merging", "vbx"])
def test_the_command_adds_the_second_speaker_where_a_file_says_that_two_speak(
    trained: Path,  # noqa: F811
    overlapping: tuple[Path, Conversation],
    tmp_path: Path,
    method: str,
) -> None:
    place, made = overlapping
    words = ("diarize", place / "call.wav", "--model", trained / "d.safetensors", "-q", "--method", method)
    for name, more in (("one", ()), ("two", ("--overlap", place / "said.rttm"))):
        assert command(*words, *more, "--out", tmp_path / f"{name}.rttm") == 0
    one, two = (read_rttm(tmp_path / f"{name}.rttm")["call"] for name in ("one", "two"))
    before, after = (diarization_errors(made.turns, found) for found in (one, two))
    assert before.miss > 2.5
    assert after.miss < 0.3 * before.miss
    for turn in one:  # nobody is taken away
        assert any(own.start <= turn.start and turn.end <= own.end and own.speaker == turn.speaker for own in two)
    assert command(*words[:-2], "--n-speakers", "1", "--overlap", place / "said.rttm") != 0


def test_regions_in_python_are_those_of_the_file(
    trained: Path,  # noqa: F811
    overlapping: tuple[Path, Conversation],
) -> None:
    place, made = overlapping
    model = sg.load(trained / "d.safetensors")
    by_file = model.diarize(place / "call.wav", overlap=place / "said.rttm")
    regions = overlap_regions(read_rttm(place / "said.rttm")["call"])
    assert model.diarize(place / "call.wav", overlap=regions).turns == by_file.turns
    assert model.diarize(made.samples, RATE, overlap=regions[::-1]).turns == by_file.turns
    assert model.diarize(place / "call.wav").turns != by_file.turns
    with pytest.raises(ConfigError, match="regions of overlap for 2 recordings"):
        model.diarize([place / "call.wav"] * 2, overlap=regions)
    with pytest.raises(ConfigError, match="one speaker overlaps with nobody"):
        model.diarize(place / "call.wav", overlap=regions, n_speakers=1)
    with pytest.raises(DataError, match="the overlap begins at 5000 s, and the recording ends at"):
        model.diarize(place / "call.wav", overlap=[(5000, 6000)])
    with pytest.raises(DataError, match="from 2 to 1 s"):
        model.diarize(place / "call.wav", overlap=[(2, 1)])


def noise_of(rng: np.random.Generator, both: np.ndarray) -> np.ndarray:
    """Frames of which those where two speak are of another distribution."""
    return (rng.normal(size=(len(both), 3)) + np.where(both, 1.5, 0.0)[:, None]).astype(np.float32)


def test_a_detector_finds_where_two_speak_and_a_file_keeps_it(diarizer: Diarizer, tmp_path: Path) -> None:  # noqa: F811
    rng = np.random.default_rng(0)
    both = np.repeat([False, True, False, True, False], [700, 100, 500, 60, 640])
    speech = rng.random(2000) < 0.95
    recordings = [(noise_of(rng, both), speech, both) for _ in range(6)]
    detector = OverlapDetector(*train_mixtures(recordings), threshold=0.2)
    frames, times = noise_of(rng, both), np.arange(2000) / 100 + 0.005
    ratios = detector.ratios(frames, speech)
    assert len(ratios) == speech.sum()
    found = detector.regions(ratios, speech, times)
    assert [(round(start), round(end)) for start, end in joined(found, 0.3)] == [(7, 8), (13, 14)]
    assert detector.regions(ratios, speech, times, threshold=20.0) == []
    audio = AudioInput(replace(FRONT_END, n_ceps=6), 16000)
    wide = OverlapDetector(*(DiagGMM([1.0], np.full((1, 12), n), np.ones((1, 12))) for n in (0.0, 1.0)), threshold=0.5)
    file = DiarizerFile(replace(diarizer, overlap=wide), audio, LearntFrom(1, 2, 0.5))
    save_diarizer(file, tmp_path / "d.safetensors")
    kept = read_diarizer(tmp_path / "d.safetensors").diarizer.overlap
    assert kept is not None
    assert kept.threshold == 0.5
    assert np.array_equal(kept.two.means, wide.two.means)
    plain = serialise_diarizer(replace(file, diarizer=diarizer))
    assert b"overlap" not in plain  # a diarizer without a detector has the file of before
    with pytest.raises(DataError, match="takes 320 of each at least"):
        train_mixtures([(frames, speech, np.zeros(2000, bool))])


def joined(regions: list[tuple[float, float]], gap: float) -> list[tuple[float, float]]:
    """Regions that are at most so far apart as one."""
    found: list[tuple[float, float]] = []
    for start, end in regions:
        if found and start - found[-1][1] <= gap:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return found


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_a_detector_is_worth_having_if_it_lowers_the_error_of_those_it_was_not_chosen_on(seed: int) -> None:
    ders = np.random.default_rng(seed).integers(0, 6, size=(6, 4)) / 10
    held_out = []
    for n in range(6):
        others = [m for m in range(6) if m % 2 != n % 2]
        means = [sum(ders[m, 1 + c] for m in others) for c in range(3)]
        held_out.append(ders[n, 1 + int(np.argmin(means))])
    found = worthwhile_threshold(ders)
    gains = [ders[n, 0] - held_out[n] for n in range(6)]
    error = statistics.stdev(gains) / 6**0.5
    if statistics.mean(gains) > 2 * error + 1e-9:
        assert found == int(ders[:, 1:].mean(axis=0).argmin())
    elif statistics.mean(gains) < 2 * error - 1e-9:
        assert found is None
    assert worthwhile_threshold(ders[:1]) is None
    better = np.hstack([ders[:, :1] + 1, ders[:, 1:]])  # all thresholds are better than none, by far
    assert worthwhile_threshold(better) is not None


@pytest.mark.slow
def test_a_diarizer_uses_its_detector_and_given_regions_replace_it(
    trained: Path,  # noqa: F811
    overlapping: tuple[Path, Conversation],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    place, _ = overlapping
    options = ("--components", "8", "--conversations", "4", "--detect-overlap", "--no-detector", "-q")
    assert command("train-diarizer", trained / "corpus", "--out", tmp_path / "d.safetensors", *options) == 0
    printed = capsys.readouterr().out
    kept = read_diarizer(tmp_path / "d.safetensors").diarizer.overlap
    assert ("detector of overlap: kept" in printed) == (kept is not None)
    assert ("left out" in printed) == (kept is None)
    uniform = ("train-diarizer", trained / "corpus", "--out", tmp_path / "u.safetensors", "--turns", "uniform")
    assert command(*uniform, "--detect-overlap") != 0
    assert command(*uniform, "--turns-from", place / "said.rttm") != 0
    file = read_diarizer(trained / "d.safetensors")
    n = 2 * file.audio.n_dims
    always = OverlapDetector(*(DiagGMM([1.0], np.full((1, n), m), np.ones((1, n))) for m in (99.0, 0.0)), threshold=0.5)
    save_diarizer(replace(file, diarizer=replace(file.diarizer, overlap=always)), tmp_path / "a.safetensors")
    model = sg.load(tmp_path / "a.safetensors")
    plain = sg.load(trained / "d.safetensors").diarize(place / "call.wav")
    two = model.diarize(place / "call.wav")
    spoken = sum(turn.end - turn.start for turn in plain.turns)
    assert sum(end - start for start, end in overlap_regions(two.turns)) > 0.9 * spoken
    assert model.diarize(place / "call.wav", overlap=[]).turns == plain.turns
    assert model.diarize(place / "call.wav", n_speakers=1).n_speakers == 1
    capsys.readouterr()
    assert command("inspect", tmp_path / "a.safetensors") == 0
    assert "detector of overlap" in capsys.readouterr().out


def test_given_vectors_get_the_second_speaker(vectors: Path) -> None:  # noqa: F811
    options = ("--segments", vectors / "segments", "--plda", vectors / "plda", "--fa", "1", "-q")
    (vectors / "two.uem").write_text("one 1 5 8\n")
    assert (
        command("diarize", vectors / "x.npz", *options, "--overlap", vectors / "two.uem", "--out", vectors / "o.rttm")
        == 0
    )
    found = read_rttm(vectors / "o.rttm")
    # The turns are S1 to 6.625 s, S2 to 12.625 s, S1 (test_vbx_diarization): where two speak, the other one is added.
    assert found["one"] == [Turn(0.0, 8.0, "S1"), Turn(5.0, 12.625, "S2"), Turn(12.625, 19.25, "S1")]
    assert len(found["two"]) == 3


def test_labels_of_several_speakers_are_turns_and_labels_of_one_are_regions(tmp_path: Path) -> None:
    (tmp_path / "said.rttm").write_text(
        "SPEAKER a 1 0 4 <NA> <NA> ann <NA> <NA>\nSPEAKER a 1 3 4 <NA> <NA> bob <NA> <NA>\n"
        "SPEAKER b 1 0 1 <NA> <NA> bob <NA> <NA>\n"
    )
    assert read_overlap(tmp_path / "said.rttm", ["a", "b", "c"]) == {"a": [(3, 4)], "b": [], "c": []}
    (tmp_path / "found.rttm").write_text("SPEAKER a 1 3 1 <NA> <NA> overlap <NA> <NA>\n")
    assert read_overlap(tmp_path / "found.rttm", ["a"]) == {"a": [(3, 4)]}
    (tmp_path / "a.uem").write_text("a 1 3 4\n")
    assert read_overlap(tmp_path / "a.uem", ["a"]) == {"a": [(3, 4)]}
    (tmp_path / "a.txt").write_text("0\t4\tann\n3\t7\tbob\n")
    assert read_overlap(tmp_path / "a.txt", ["a"]) == {"a": [(3, 4)]}
    with pytest.raises(DataError, match=r"no label of z; it has labels of a"):
        read_overlap(tmp_path / "a.uem", ["z"])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 4))
def test_nobody_overlaps_themselves_and_no_audio_is_used_twice(seed: int, n: int) -> None:
    names = [f"s{k}" for k in range(n)]
    recordings = [(name, (k + 1) * 1000.0 + np.arange(8000) / 16) for k, name in enumerate(names)]
    made = natural_conversation(recordings, 1000, seed=seed)
    again = natural_conversation(recordings, 1000, seed=seed)
    assert np.array_equal(made.samples, again.samples)
    assert made.turns == tuple(sorted(made.turns))
    alone = []
    for turn in made.turns:
        own = [one for one in made.turns if one.speaker == turn.speaker]
        assert all(one == turn or one.end <= turn.start + 1e-9 or one.start >= turn.end - 1e-9 for one in own)
        if not any(start < turn.end and end > turn.start for start, end in overlap_regions(made.turns)):
            alone.append(made.samples[round(turn.start * 1000) : round(turn.end * 1000)])
            assert (np.abs(alone[-1] / 1000 - 1.25 - names.index(turn.speaker)) < 0.3).all()
    places = np.round(np.concatenate(alone) * 16) if alone else np.zeros(0)  # a step of 1/16 a sample, no two alike
    assert len(np.unique(places)) == len(places)
    for start, end in overlap_regions(made.turns):
        middle = made.samples[round((start + end) / 2 * 1000)]
        assert middle > 2000  # both are heard


def test_what_is_drawn_has_the_statistics_it_was_drawn_from() -> None:
    drawn = {
        str(n): [turn for turn, _ in draw_turns(PUBLISHED, dict.fromkeys("abc", 60000), 1000, np.random.default_rng(n))]
        for n in range(60)
    }
    found = turn_statistics(drawn)
    assert np.median(found.lengths) == pytest.approx(1.227, rel=0.1)
    assert np.mean(found.lengths) == pytest.approx(1.68, rel=0.1)
    assert np.mean(np.array(found.offsets) < 0) == pytest.approx(0.3, abs=0.05)
    assert found.switches == pytest.approx(PUBLISHED.switches, abs=0.05)
    assert found.inserted == pytest.approx(PUBLISHED.inserted, abs=0.05)  # some do not fit into a turn
    even = replace(PUBLISHED, decline=1.0)
    equal = {
        str(n): [turn for turn, _ in draw_turns(even, dict.fromkeys("abc", 60000), 1000, np.random.default_rng(n))]
        for n in range(20)
    }
    assert found.decline + 0.05 < turn_statistics(equal).decline < 1


def test_measured_statistics_are_those_of_the_reference() -> None:
    said = [Turn(0, 3, "a"), Turn(1, 1.5, "b"), Turn(2.5, 4, "b"), Turn(4.5, 5, "b"), Turn(6, 7, "a")]
    assert turn_statistics({"call": said, "alone": [Turn(0, 2, "a")]}) == TurnStatistics(
        (3, 1.5, 0.5, 1, 2), (-0.5, 1), (0.5,), (0.5,), 2 / 3, 1 / 6, pytest.approx(2.5 / 4)
    )
    with pytest.raises(DataError, match="one speaker follows another"):
        turn_statistics({"alone": [Turn(0, 2, "a")]})


def test_conversations_of_nobody_are_refused() -> None:
    for recordings in ([], [("a", np.ones(5000)), ("a", np.ones(5000))]):
        with pytest.raises(DataError, match="one of each speaker"):
            natural_conversation(recordings, 1000)
    with pytest.raises(DataError, match=r"0\.10 s at most"):
        natural_conversation([("a", np.ones(100)), ("b", np.ones(100))], 1000)
