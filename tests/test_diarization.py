"""Who speaks when: windows, evidence, resegmentation, the search, its training, and the commands."""

import sys
from dataclasses import replace
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy.signal import lfilter
from scipy.stats import multivariate_normal

from speechgmm import cli
from speechgmm.clustering import GaussianStats, bic_changes, delta_bic
from speechgmm.engine.audio_input import AudioInput
from speechgmm.errors import ConfigError, DataError, ModelFileError
from speechgmm.evaluation.diarization import Turn, diarization_errors
from speechgmm.gmm import DiagGMM, fit_gmm
from speechgmm.io.rttm import parse_rttm, read_rttm, write_rttm
from speechgmm.tasks.classification.codec import read_model_file
from speechgmm.tasks.diarization import (
    DiarizationSpec,
    Diarizer,
    best_turns,
    choose,
    divisions,
    make_conversation,
    turns_of,
    window_supervectors,
)
from speechgmm.tasks.diarization.codec import read_diarizer
from speechgmm.tasks.diarization.estimation import learn_threshold, own_diarizer, train_background
from speechgmm.tasks.diarization.recordings import FRONT_END
from speechgmm.tasks.diarization.training import train_diarizer
from speechgmm.tasks.recognition.codec import read_recogniser
from speechgmm.vectors import Evidence, SpeakerSpace, piece_statistics, same_speaker_ratios, supervectors

SPEC = DiarizationSpec(n_components=20, n_dims=8)
RATE = 8000


def voice_frames(speaker: int, n: int, rng: np.random.Generator, n_dims: int = 6) -> np.ndarray:
    """Frames of a speaker: sounds that all speakers share, moved the speaker's way."""
    sounds = np.random.default_rng(99).normal(scale=3.0, size=(4, n_dims))
    own = np.random.default_rng([7, speaker]).normal(scale=1.5, size=n_dims)
    which = rng.integers(4, size=n)
    return ((sounds + own)[which] + rng.normal(size=(n, n_dims))).astype(np.float32)


@pytest.fixture(scope="module")
def diarizer() -> Diarizer:
    rng = np.random.default_rng(0)
    speakers = {f"s{number}": [voice_frames(number, 800, rng)] for number in range(100, 116)}
    ubm, space = train_background(speakers, SPEC, n_components=4)
    return Diarizer(ubm, space, SPEC, threshold=0.0)


def conversation(speakers: list[int], lengths: list[int], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Frames (T, D) and who speaks each."""
    rng = np.random.default_rng(seed)
    frames = [voice_frames(speaker, n, rng) for speaker, n in zip(speakers, lengths, strict=True)]
    return np.concatenate(frames), np.repeat(speakers, lengths)


def test_a_windows_supervector_is_that_of_its_frames() -> None:
    frames, _ = conversation([0, 1], [6000, 2345])
    ubm = fit_gmm(frames, 4).model
    stretches = list(window_supervectors(ubm, frames, block=10, window=7))
    found = np.concatenate(stretches)
    assert len(stretches) > 1
    assert len(found) == 834 - 7 + 1
    for at in (0, 300, 511, 512, 600):
        one = supervectors(ubm, piece_statistics(ubm, [frames[10 * at : 10 * at + 70]]))
        np.testing.assert_allclose(found[at], one[0], atol=2e-4)
    # The last block is longer, and a recording shorter than a window is one.
    last = supervectors(ubm, piece_statistics(ubm, [frames[10 * 827 :]]))
    np.testing.assert_allclose(found[-1], last[0], atol=2e-4)
    short = np.concatenate(list(window_supervectors(ubm, frames[:25], block=10, window=7)))
    np.testing.assert_allclose(short, supervectors(ubm, piece_statistics(ubm, [frames[:25]])), atol=2e-4)


def test_evidence_is_the_density_of_windows_that_share_their_speaker() -> None:
    rng = np.random.default_rng(1)
    between = np.array([3.0, 0.5])
    a, b = rng.normal(size=(4, 2)), rng.normal(size=(3, 2))

    def density(windows: np.ndarray) -> float:
        """Of all windows of one speaker together, dimension by dimension."""
        n = len(windows)
        covariances = [np.eye(n) + variance * np.ones((n, n)) for variance in between]
        return sum(multivariate_normal(np.zeros(n), c).logpdf(w) for c, w in zip(covariances, windows.T, strict=True))

    one, other = (Evidence(float(len(w)), w.sum(axis=0), between) for w in (a, b))
    expected = density(np.concatenate([a, b])) - density(a) - density(b)
    assert same_speaker_ratios(one, [other])[0] == pytest.approx(expected)
    both = one + other
    assert both.log_ratio == pytest.approx(Evidence(7.0, np.concatenate([a, b]).sum(axis=0), between).log_ratio)
    new = rng.normal(size=(1, 2))
    predicted = density(np.concatenate([a, new])) - density(a)
    assert one.predictive(new)[0] - np.log(2 * np.pi) == pytest.approx(predicted)


def test_the_space_makes_windows_of_a_speaker_differ_by_variance_one() -> None:
    rng = np.random.default_rng(2)
    labels = np.repeat(np.arange(30), 40)
    mixing = rng.normal(size=(12, 12))
    vectors = (rng.normal(size=(30, 12))[labels] * 2 + rng.normal(size=(1200, 12))) @ mixing
    space = SpeakerSpace.learn(vectors, labels.tolist(), n_dims=12, n_components=12, smoothing=0.0)
    points = space.apply(vectors)
    means = np.stack([points[labels == number].mean(axis=0) for number in range(30)])
    np.testing.assert_allclose(np.cov((points - means[labels]).T, bias=True), np.eye(12), atol=1e-4)
    np.testing.assert_allclose(np.cov(means.T), np.diag(space.between), atol=1e-6)
    with pytest.raises(DataError, match="two or more"):
        SpeakerSpace.learn(vectors, ["a"] * 1200, n_dims=2, n_components=3, smoothing=0.1)


def test_the_best_turns_are_the_best_of_all_that_last_long_enough() -> None:
    rng = np.random.default_rng(3)
    for minimum in (1, 2, 3):
        fits, costs = rng.normal(size=(8, 3)), rng.uniform(0, 1, size=8)

        def value(path: tuple[int, ...], fits: np.ndarray = fits, costs: np.ndarray = costs) -> float:
            changed = [at for at, (a, b) in enumerate(pairwise(path), 1) if a != b]
            return sum(fits[t, c] for t, c in enumerate(path)) - sum(costs[at] for at in changed)

        def lasts(path: tuple[int, ...], minimum: int = minimum) -> bool:
            bounds = [0, *[at for at, (a, b) in enumerate(pairwise(path), 1) if a != b], len(path)]
            return all(b - a >= minimum for a, b in pairwise(bounds))

        found = tuple(best_turns(fits, minimum=minimum, cost=costs).tolist())
        assert lasts(found)
        assert value(found) == pytest.approx(max(value(p) for p in product(range(3), repeat=8) if lasts(p)))


def test_speakers_and_their_changes_are_found(diarizer: Diarizer) -> None:
    frames, who = conversation([0, 1, 2, 0, 1, 2], [300, 250, 400, 200, 350, 300])
    found = divisions(diarizer, frames, np.ones(len(frames), bool))
    chosen = choose(found, threshold=diarizer.threshold)
    assert chosen.n_speakers == 3
    said, heard = (turns_of(labels, np.ones(len(who), bool), shift=0.01, offset=0.0) for labels in (who, chosen.labels))
    assert diarization_errors(said, heard).der < 0.06
    assert [one.n_speakers for one in found] == sorted((one.n_speakers for one in found), reverse=True)
    assert found[-1].next_ratio == -np.inf


def test_the_number_of_speakers_may_be_given(diarizer: Diarizer) -> None:
    frames, _ = conversation([0, 1, 2, 0], [300, 300, 300, 300])
    found = divisions(diarizer, frames, np.ones(1200, bool))
    assert choose(found, n_speakers=2).n_speakers == 2
    with pytest.raises(DataError, match="40 speakers are asked for"):
        choose(found, n_speakers=40)
    with pytest.raises(ConfigError, match="threshold or at a number"):
        choose(found)


def test_one_speaker_is_one_speaker_and_so_is_a_second_of_speech(diarizer: Diarizer) -> None:
    frames, _ = conversation([5], [1500])
    found = divisions(diarizer, frames, np.ones(1500, bool))
    assert choose(found, threshold=diarizer.threshold).n_speakers == 1
    for n in (1, 9, 60):
        assert [one.n_speakers for one in divisions(diarizer, frames[:n], np.ones(n, bool))] == [1]
    with pytest.raises(DataError, match="none of the 1500 frames is speech"):
        divisions(diarizer, frames, np.zeros(1500, bool))


def test_silence_between_turns_changes_no_label_and_a_change_lies_at_the_pause(diarizer: Diarizer) -> None:
    frames, who = conversation([0, 1, 0], [303, 297, 304])
    speech = np.ones(len(frames) + 40, bool)
    speech[303:323] = speech[620:640] = False
    spread = np.zeros((len(speech), frames.shape[1]), np.float32)
    spread[speech] = frames
    chosen = choose(divisions(diarizer, spread, speech), n_speakers=2)
    assert np.array_equal(chosen.labels, (who == 1).astype(int))


def test_without_a_diarizer_the_recording_itself_is_learnt_from() -> None:
    frames, who = conversation([0, 1, 0, 1, 0], [400, 400, 300, 300, 400], seed=4)
    found = divisions(own_diarizer(frames), frames, np.ones(len(frames), bool))
    labels = choose(found, n_speakers=2).labels
    agreed = np.mean(labels == (who == 1))
    assert max(agreed, 1 - agreed) > 0.9
    with pytest.raises(DataError, match=r"one person speaks \(n_speakers 1\)"):
        own_diarizer(frames[:200])


@pytest.mark.slow
def test_long_recordings_are_merged_stretch_by_stretch(diarizer: Diarizer) -> None:
    speakers = [0, 1, 2] * 40
    frames, who = conversation(speakers, [300] * 120)
    found = divisions(diarizer, frames, np.ones(len(frames), bool))
    labels = choose(found, threshold=diarizer.threshold).labels
    every = np.ones(len(who), bool)
    said, heard = (turns_of(one, every, shift=0.01, offset=0.0) for one in (who, labels))
    assert diarization_errors(said, heard).der < 0.06


@pytest.mark.slow
def test_more_speakers_than_pieces_of_a_stretch_are_merged_to_as_many(diarizer: Diarizer) -> None:
    frames, _ = conversation([0, 1] * 2, [275] * 4)
    many = replace(diarizer, spec=replace(SPEC, block=2, minimum=2, first=140, passes=1))
    found = divisions(many, frames, np.ones(len(frames), bool))  # 275 pieces
    assert 1 < found[0].n_speakers <= 140
    assert found[-1].n_speakers == 1


def test_the_ratio_at_which_merging_stops_does_not_grow_with_the_recording(diarizer: Diarizer) -> None:
    ratios = []
    for times in (4, 16):
        frames, _ = conversation([0, 1] * times, [400] * 2 * times)
        found = divisions(diarizer, frames, np.ones(len(frames), bool))
        ratios.append(next(one.next_ratio for one in found if one.n_speakers == 2))
    assert 1 < ratios[1] / ratios[0] < 2.3  # four times as much is heard


def test_the_threshold_lies_where_the_error_is_least() -> None:
    paths = [[(9.0, 0.4), (2.0, 0.1), (-np.inf, 0.5)], [(8.0, 0.3), (3.0, 0.0), (-np.inf, 0.6)]]
    assert learn_threshold(paths) == (5.5, 0.05)
    assert learn_threshold([[(-np.inf, 0.2)]]) == (0.0, 0.2)
    with pytest.raises(DataError, match="no conversation"):
        learn_threshold([])


def test_bic_finds_the_split_that_the_criterion_prefers() -> None:
    rng = np.random.default_rng(5)
    frames = np.concatenate([rng.normal(size=(230, 3)), rng.normal(0.8, 1.0, size=(270, 3))])
    found = bic_changes(frames, step=10, minimum=100)
    assert len(found) == 1
    assert abs(found[0] - 230) <= 10
    floor = 1e-3 * frames.var(axis=0)
    gains = {
        at: delta_bic(GaussianStats.of(frames[:at]), [GaussianStats.of(frames[at:400])], floor=floor)[0]
        for at in range(100, 301, 10)
    }
    assert max(gains, key=lambda at: gains[at]) == found[0]
    assert gains[int(found[0])] > 0
    assert len(bic_changes(frames, penalty=50.0)) == 0
    assert len(bic_changes(frames[:230], penalty=1.5)) == 0
    assert len(bic_changes(frames[:150])) == 0
    with pytest.raises(ConfigError, match="longest 100"):
        bic_changes(frames, longest=100)


def voice(seed: int, seconds: float) -> np.ndarray:
    """A voice of its own: pulses through resonances that move, in syllables."""
    own, rng = np.random.default_rng([11, seed]), np.random.default_rng([12, seed])
    n, pitch = int(seconds * RATE), own.uniform(90, 240)
    shift, tilt, colour = own.uniform(0.8, 1.25), own.uniform(0.2, 0.9), own.uniform(0.2, 2.8)
    parts = []
    while sum(map(len, parts)) < n:
        length = int(rng.uniform(0.12, 0.3) * RATE)
        pulses = (np.diff(np.floor(np.arange(length + 1) * pitch * rng.uniform(0.9, 1.1) / RATE)) > 0).astype(float)
        sound = pulses + 0.02 * rng.normal(size=length)
        for low, high in ((300, 800), (900, 2200), (2300, 3000)):
            angle = 2 * np.pi * shift * rng.uniform(low, high) / RATE
            sound = lfilter([1], [1, -2 * 0.95 * np.cos(angle), 0.95**2], sound)
        sound = lfilter([1], [1, -2 * 0.9 * np.cos(colour), 0.81], lfilter([1], [1, -tilt], sound)) * np.hanning(length)
        parts += [0.3 * sound / max(1e-9, np.abs(sound).max()), np.zeros(int(rng.uniform(0.0, 0.08) * RATE))]
    return (np.concatenate(parts)[:n] + 1e-4 * rng.normal(size=n)).astype(np.float32)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with voices, a diarizer of them, and conversations of others."""
    place = tmp_path_factory.mktemp("voices")
    for number in range(12):
        (place / "corpus" / f"s{number}").mkdir(parents=True)
        soundfile.write(place / "corpus" / f"s{number}" / "a.wav", voice(number, 7.0), RATE)
    (place / "calls").mkdir()
    turns = {}
    for name, speakers in (("two", (100, 101)), ("three", (102, 103, 104))):
        made = make_conversation([(f"p{one}", voice(one, 9.0)) for one in speakers], RATE, seed=1)
        soundfile.write(place / "calls" / f"{name}.wav", made.samples, RATE)
        turns[name] = made.turns
    write_rttm(place / "said.rttm", turns)
    options = ("--components", "8", "--conversations", "6", "--no-detector", "-q")
    assert command("train-diarizer", place / "corpus", "--out", place / "d.safetensors", *options) == 0
    return place


def command(*words: object) -> int:
    """Exit status of a command."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["speechgmm", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            cli.main()
    return int(left.value.code or 0)


@pytest.mark.slow
def test_diarize_writes_turns_figures_and_a_picture(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    model = ("--model", trained / "d.safetensors", "-q")
    said = ("--reference", trained / "said.rttm")
    assert command("diarize", trained / "calls", *model, *said, "--out", tmp_path, "--picture") == 0
    out = capsys.readouterr().out
    assert "three: DER" in out
    assert "all 2: DER" in out
    assert (tmp_path / "two.png").read_bytes().startswith(b"\x89PNG")
    heard, reference = read_rttm(tmp_path / "two.rttm")["two"], read_rttm(trained / "said.rttm")["two"]
    assert diarization_errors(reference, heard).der < 0.3
    assert command("diarize", trained / "calls" / "two.wav", *model) == 0
    assert capsys.readouterr().out == (tmp_path / "two.rttm").read_text()
    assert command("diarize", trained / "calls" / "two.wav", *model, *said, "--collar", "0.25") == 0
    judged = capsys.readouterr().out.splitlines()[-1]
    assert f"DER {100 * diarization_errors(reference, heard, collar=0.25).der:.1f} %" in judged
    assert judged.endswith("without 0.25 s on each side of the reference's boundaries")
    assert command("diarize", trained / "calls", *model, *said, "--collar", "1000") == 0
    assert capsys.readouterr().out.count("nothing to compare: within --collar") == 3
    (tmp_path / "a.uem").write_text("two 1 0 2.5\n")
    two = (trained / "calls" / "two.wav", *model, *said)
    assert command("diarize", *two, "--uem", tmp_path / "a.uem") == 0
    der = diarization_errors(reference, heard, regions=[(0, 2.5)]).der
    assert f"DER {100 * der:.1f} %" in capsys.readouterr().out
    assert der != diarization_errors(reference, heard).der
    for text, message in (
        ("three 1 0 2.5\n", "no stretch of 'two'; it has three"),
        ("two 1 100 200\n", "begin at 100 s, and the recording ends at"),
        (";; nothing\n", "it covers nothing"),
    ):
        (tmp_path / "a.uem").write_text(text)
        assert command("diarize", *two, "--uem", tmp_path / "a.uem") == 1
        assert message in capsys.readouterr().err.replace("\n", " ")


@pytest.mark.slow
def test_a_reference_gives_numbers_of_speakers_rates_with_a_collar_and_the_spread(
    trained: Path, capsys: pytest.CaptureFixture
) -> None:
    words = (trained / "calls", "--model", trained / "d.safetensors", "-q", "--reference", trained / "said.rttm")
    assert command("diarize", *words) == 0
    printed = capsys.readouterr().out
    judged = {line.split(":")[0]: line for line in printed.replace(";; ", "").splitlines() if "DER" in line}
    heard = parse_rttm(printed)
    errors, collared = {}, {}
    for name, said in read_rttm(trained / "said.rttm").items():
        errors[name] = diarization_errors(said, heard[name])
        collared[name] = diarization_errors(said, heard[name], collar=0.25)
        n, of = len({turn.speaker for turn in heard[name]}), len({turn.speaker for turn in said})
        assert judged[name].endswith(f", {n} of {of} speakers")
        assert f"{100 * collared[name].der:.1f} % with a collar of 0.25 s" in judged[name]
    pooled = errors["two"] + errors["three"]
    assert f"DER {100 * pooled.der:.1f} % (" in judged["all 2"]
    low, high = sorted(100 * one.der for one in errors.values())
    assert judged["all 2"].endswith(f"recordings {low:.1f} to {high:.1f} %")
    assert "95 % interval over recordings" in judged["all 2"]


@pytest.mark.slow
def test_a_diarizer_has_the_same_bytes_every_time(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    options = ("--components", "8", "--conversations", "6", "--no-detector", "-q")
    assert command("train-diarizer", trained / "corpus", "--out", tmp_path / "d.safetensors", *options) == 0
    assert (tmp_path / "d.safetensors").read_bytes() == (trained / "d.safetensors").read_bytes()
    assert read_diarizer(tmp_path / "d.safetensors").learnt.n_background == 6
    capsys.readouterr()
    assert command("inspect", tmp_path / "d.safetensors") == 0
    assert "from 6 speakers, who differ in" in capsys.readouterr().out


def test_other_formats_and_a_given_number(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    call = trained / "calls" / "three.wav"
    model = ("--model", trained / "d.safetensors", "-q")
    assert command("diarize", call, *model, "--n-speakers", "2", "--format", "table") == 0
    assert "three.wav: 2 speakers" in capsys.readouterr().out
    assert command("diarize", call, *model, "--n-speakers", "2", "--format", "textgrid") == 0
    assert capsys.readouterr().out.count("IntervalTier") == 2
    assert command("diarize", call, "--n-speakers", "3") == 0
    captured = capsys.readouterr()
    assert len({line.split()[7] for line in captured.out.splitlines()}) == 3
    assert "no --model" in captured.err
    assert "--n-speakers" not in captured.err  # it was given
    assert command("diarize", call, call, *model, "--n-speakers", "2", "--format", "table") == 0
    assert capsys.readouterr().out.count("three.wav: 2 speakers") == 2  # each by its path: no name is shared


def test_recordings_in_which_nobody_speaks_are_named(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    rng = np.random.default_rng(6)
    model = ("--model", trained / "d.safetensors", "-q")
    for name, samples, words in (
        ("zeros", np.zeros(RATE * 2), "all 16000 samples are zero"),
        ("faint", 1e-4 * rng.normal(size=RATE * 2), "nobody speaks: the loudest"),
        ("noise", 0.1 * rng.normal(size=RATE * 2), "nobody speaks: the level stays within"),
    ):
        soundfile.write(tmp_path / f"{name}.wav", samples, RATE, subtype="FLOAT")
        assert command("diarize", tmp_path / f"{name}.wav", *model) == 1
        error = capsys.readouterr().err
        assert f"{name}.wav" in error
        assert words in error
    soundfile.write(tmp_path / "short.wav", voice(3, 1.0), RATE)
    assert command("diarize", tmp_path / "short.wav", *model) == 0
    assert {line.split()[7] for line in capsys.readouterr().out.splitlines()} == {"S1"}


def test_what_cannot_be_asked_for_is_said(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    call, model = trained / "calls" / "two.wav", ("--model", trained / "d.safetensors", "-q")
    (tmp_path / "other").touch()
    (tmp_path / "other.rttm").write_text("SPEAKER else 1 0 1 <NA> <NA> ann <NA> <NA>\n")
    for status, words, options in (
        (2, "--picture draws into a folder", ("--picture",)),
        (2, "--collar is for metrics", ("--collar", "0.25")),
        (2, "--uem is for metrics", ("--uem", tmp_path / "x.uem")),
        (1, "it covers nothing", ("--reference", trained / "said.rttm", "--uem", tmp_path / "other")),
        (1, "has no turn of 'two'", ("--reference", tmp_path / "other.rttm")),
        (1, "50 speakers are asked for", ("--n-speakers", "50")),
        (2, "a file for each recording needs a folder; name another place", ("--out", tmp_path / "other")),
        (2, "its suffix is not that of csv", ("--out", tmp_path / "x.rttm", "--format", "csv")),
        (2, "prints metrics, which cannot stand within csv", ("--reference", trained / "said.rttm", "--format", "csv")),
        (2, "is the reference", ("--reference", trained / "said.rttm", "--out", trained / "said.rttm")),
        (2, "several recordings are called 'two'", (call,)),
    ):
        assert command("diarize", call, *model, *options) == status
        assert words in capsys.readouterr().err
    assert command("train-diarizer", trained / "calls", "--out", tmp_path / "x") == 1
    assert "a folder per class is expected" in capsys.readouterr().err
    faint = 1e-4 * np.random.default_rng(0).normal(size=2 * RATE).astype(np.float32)
    with pytest.raises(DataError, match="a recording of 's1': nobody speaks"):
        train_diarizer({"s0": [voice(0, 3.0)], "s1": [faint]}, [], audio=AudioInput(FRONT_END, RATE))


def test_models_of_another_kind_are_refused_by_name(trained: Path, tmp_path: Path) -> None:
    from speechgmm import save_models, train_classes

    frames = np.random.default_rng(8).normal(size=(60, 2))
    save_models(train_classes({"a": frames, "b": frames + 1}, n_components=1), tmp_path / "classes.safetensors")
    with pytest.raises(ModelFileError, match=r"models of classes, not a diarizer \(train-diarizer makes one\)"):
        read_diarizer(tmp_path / "classes.safetensors")
    with pytest.raises(ModelFileError, match="speechgmm diarize"):
        read_model_file(trained / "d.safetensors")
    with pytest.raises(ModelFileError, match=r"a diarizer .*, not a recogniser; `speechgmm diarize`"):
        read_recogniser(trained / "d.safetensors")
    assert isinstance(read_diarizer(trained / "d.safetensors").diarizer.ubm, DiagGMM)


def test_a_pause_up_to_the_bridge_is_part_of_the_turn() -> None:
    speech = np.array([True, True, False, True, False, False, True])
    assert turns_of([0, 0, 0, 0], speech, shift=1.0, offset=0.0, bridge=1.0) == [Turn(0, 4, "S1"), Turn(6, 7, "S1")]
    assert len(turns_of([0, 0, 1, 0], speech, shift=1.0, offset=0.0, bridge=9.0)) == 3
