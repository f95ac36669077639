"""Noise on training copies: the laws of the noise itself, and what a run makes of it."""

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import soundfile
from conftest import hum

import speechgmm as sg
from speechgmm.engine import extract, prepare, run
from speechgmm.engine.console import Console
from speechgmm.engine.noisy_copies import Noising, noising
from speechgmm.errors import ConfigError, DataError
from speechgmm.features.augment import AugmentSpec, CodecName, NoiseSpec
from speechgmm.features.noise import (
    TAPS,
    added,
    babble,
    band_pass,
    filtered,
    gain_for,
    impulse_response,
    random_channel,
    reverberated,
    white,
)
from speechgmm.io.codecs import CODECS, coded
from speechgmm.tasks.classification.codec import read_model_file
from speechgmm.tasks.classification.enrolment import enrol

NOISE = "augment={noise: {white: [5], babble: [10], talkers: 2, channels: 1}}"


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def quiet() -> Console:
    return Console(quiet=True)


def pieces(samples: np.ndarray, size: int) -> list[np.ndarray]:
    return [samples[n : n + size] for n in range(0, len(samples), size)]


TALKERS = [hum(seed, 100 + 20 * seed, seconds=0.3) for seed in range(3)]
NOISES = {"white": lambda: white(rng(3)), "babble": lambda: babble(TALKERS, rng(3))}


@pytest.mark.parametrize("kind", NOISES)
@pytest.mark.parametrize("snr", [-5.0, 5.0, 20.0])
def test_the_ratio_of_energies_is_the_one_asked_for(kind: str, snr: float) -> None:
    samples = hum(9, 150)
    noisy = np.concatenate(list(added([samples], NOISES[kind](), gain_for([samples], NOISES[kind](), snr))))
    noise = noisy.astype(np.float64) - samples
    assert 10 * np.log10(np.sum(samples.astype(np.float64) ** 2) / np.sum(noise**2)) == pytest.approx(snr, abs=1e-3)


@pytest.mark.parametrize("kind", NOISES)
def test_noise_is_the_same_wherever_the_recording_is_cut(kind: str) -> None:
    samples = hum(9, 150)
    whole, parts = (np.concatenate(list(added(cut, NOISES[kind](), 0.5))) for cut in ([samples], pieces(samples, 777)))
    np.testing.assert_array_equal(whole, parts)


def test_talkers_are_equally_loud_and_go_round() -> None:
    loud = [TALKERS[0], 100 * TALKERS[0]]
    one, other = (babble([talker], rng())(2 * len(talker)) for talker in loud)
    np.testing.assert_allclose(one, other, rtol=1e-5)
    np.testing.assert_array_equal(one[: len(TALKERS[0])], one[len(TALKERS[0]) :])


def test_silence_has_no_ratio_to_noise() -> None:
    with pytest.raises(DataError, match="silence"):
        gain_for([np.zeros(10, np.float32)], white(rng()), 5)
    with pytest.raises(DataError, match="talker 1 of 2"):
        babble([TALKERS[0], np.zeros(5, np.float32)], rng())


@pytest.mark.parametrize("size", [20, 64, 1000, 4800])
def test_a_channel_is_a_convolution_without_delay_wherever_it_is_cut(size: int) -> None:
    samples, response = hum(1, 150), random_channel(rng(), 8000)
    found = np.concatenate(list(filtered(pieces(samples, size), response)))
    np.testing.assert_allclose(found, np.convolve(samples, response, mode="same"), atol=1e-6)


def test_a_channel_is_symmetric_and_its_gain_within_its_depth() -> None:
    for seed in range(10):
        response = random_channel(rng(seed), 16000)
        assert response.shape == (TAPS,)
        np.testing.assert_allclose(response, response[::-1], atol=1e-12)
        decibels = 20 * np.log10(np.abs(np.fft.rfft(response, 2048)))
        assert np.abs(decibels).max() < 11
        assert np.ptp(decibels) > 3


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"white": (5.0, 5.0)}, "different ratios in dB"),
        ({"babble": (99.0,)}, "from -30 to 60"),
        ({"talkers": 3}, "no effect without"),
        ({"recorded": (5.0,)}, "name their folder in augment.noise.recordings"),
        ({"rooms": 1}, "name their folder in augment.noise.responses"),
        ({"responses": "rirs"}, "no effect without augment.noise.rooms"),
        ({"codecs": ("gsm", "gsm")}, "codecs names one of them twice"),
        ({"bands": ((3400.0, 300.0),)}, "from a lower to a higher one"),
    ],
)
def test_settings_that_make_no_sense_are_refused(values: dict[str, object], match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        NoiseSpec(**values)  # type: ignore[arg-type]


def test_every_copy_has_a_name() -> None:
    more = {"recorded": (5.0,), "recordings": "musan", "rooms": 1, "responses": "rirs", "codecs": ("gsm",)}
    noise = NoiseSpec(white=(5.0,), babble=(2.5,), channels=2, bands=((300.0, 3400.0),), **more)  # type: ignore[arg-type]
    spec = AugmentSpec(warps=(0.9,), noise=noise)
    assert [str(copy) for copy in spec.copies()] == [
        "warp 0.9",
        "white noise at 5 dB",
        "babble at 2.5 dB",
        "random channel 1",
        "random channel 2",
        "recorded noise at 5 dB",
        "room 1",
        "codec gsm",
        "band 300 to 3400 Hz",
    ]


@pytest.mark.parametrize("size", [1, 20, 1000, 4800])
def test_a_room_is_a_convolution_from_the_direct_sound_on_wherever_it_is_cut(size: int) -> None:
    samples = hum(1, 150)[:2400]
    recorded = np.r_[np.zeros(50), 1, 0.5 ** np.arange(1, 300) * rng(3).standard_normal(299)].astype(np.float32)
    response = impulse_response(recorded)
    found = np.concatenate(list(reverberated(pieces(samples, size), response)))
    np.testing.assert_allclose(found, np.convolve(samples, response)[: len(samples)], atol=1e-6)
    assert response @ response == pytest.approx(1)
    assert int(np.argmax(np.abs(response))) == 0


@pytest.mark.parametrize(("low", "high"), [(300, 3400), (0, 1000), (500, 9000)])
@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_a_band_lets_through_what_is_in_it_and_nothing_else(low: float, high: float, rate: int) -> None:
    gains = np.abs(np.fft.rfft(band_pass(low, high, rate), rate))  # a value for each Hz
    inside = gains[int(low) + 120 * (low > 0) : min(int(high) - 120, rate // 2)]
    outside = np.r_[gains[: max(0, int(low) - 120)], gains[int(high) + 120 :]]
    assert abs(inside - 1).max() < 0.01
    assert len(outside) == 0 or outside.max() < 0.01


def test_a_band_that_takes_nothing_or_everything_away_is_refused() -> None:
    with pytest.raises(DataError, match="nothing of what recordings of 8000 Hz hold"):
        band_pass(5000, 7000, 8000)
    with pytest.raises(DataError, match="is all of what"):
        band_pass(0, 7000, 8000)


def test_every_codec_of_a_configuration_is_there() -> None:
    assert get_args(CodecName) == tuple(CODECS)


@pytest.mark.parametrize("codec", CODECS)
def test_a_codec_keeps_the_number_of_samples_and_their_place(codec: str) -> None:
    samples = hum(1, 150)[:3701]
    samples[:1500] = 0
    found = np.concatenate(list(coded(pieces(samples, 777), codec, 8000)))
    assert len(found) == len(samples)
    assert not np.array_equal(found, samples)
    shifts = range(-200, 201)
    likeness = [np.corrcoef(found[300:-300], samples[300 + n : len(samples) - 300 + n])[0, 1] for n in shifts]
    assert shifts[int(np.argmax(likeness))] == 0
    assert max(likeness) > 0.9


def test_a_codec_that_does_not_take_a_rate_says_so() -> None:
    with pytest.raises(DataError, match=r"samples of 11025 Hz cannot be coded by opus.*augment\.noise\.codecs"):
        list(coded([TALKERS[0]], "opus", 11025))


@pytest.fixture
def verification(tmp_path: Path) -> Path:
    """Six speakers of background, three to enrol and to test, and a configuration."""
    rows = ["path\tspeaker\tsplit"]
    for number in range(9):
        for take in range(2):
            split = "ubm" if number < 6 else ("train", "test")[take]
            path = f"s{number}-{take}.wav"
            soundfile.write(tmp_path / path, hum(10 * number + take, 90 * 1.15**number, 0.5), 8000)
            rows.append(f"{path}\ts{number}\t{split}")
    (tmp_path / "m.tsv").write_text("\n".join(rows) + "\n")
    path = tmp_path / "verify.yaml"
    path.write_text(
        "task: verification\ncorpus: {path: m.tsv, label: speaker, sample_rate: 8000}\n"
        "model: {adapt: map, ubm: {n_components: 4, max_iter: 3}}\n"
        f"cache: cache\noutput: {tmp_path / 'run'}\nparallel: {{n_jobs: 1}}\n"
    )
    return path


@pytest.mark.slow
def test_background_and_classes_train_on_noisy_copies_and_tests_have_none(verification: Path) -> None:
    plain = run(verification, console=quiet(), output=verification.parent / "plain")
    noisy = run(verification, [NOISE], console=quiet())
    assert plain.trained is not None
    assert noisy.trained is not None
    for one, four in zip(
        (plain.trained.ubm_report, *plain.trained.reports),  # type: ignore[union-attr]
        (noisy.trained.ubm_report, *noisy.trained.reports),  # type: ignore[union-attr]
        strict=True,
    ):
        assert four.n_frames == 4 * one.n_frames  # type: ignore[union-attr]
    assert noisy.metrics["n_test"] == 3
    tested = [n for n, utterance in enumerate(noisy.features.corpus) if utterance.split == "test"]
    assert all(version[n] is None for version in noisy.features.copies for n in tested)


def test_a_noisy_copy_is_the_features_of_the_samples_with_noise(verification: Path) -> None:
    job = prepare(verification, ["augment={noise: {white: [5]}}"], console=quiet())
    features = extract(job)
    path, piece, copy = features.corpus.utterances[0].path, features.pieces[0], features.copies[0][0]
    assert copy is not None
    samples, rate = soundfile.read(path, dtype="float32")
    made = noising(job, features.corpus, features.keys(), job.experiment.config.augment.copies()[0])

    def noise():  # type: ignore[no-untyped-def]
        return white(made._rng(piece.key, "noise"))

    noisy = np.concatenate(list(added([samples], noise(), gain_for([samples], noise(), 5))))
    np.testing.assert_allclose(copy.load(), sg.extract(sg.FeatureSpec(), noisy, rate), atol=1e-4)
    assert not np.allclose(copy.load(), piece.load(), atol=0.1)


def test_copies_do_not_hang_on_workers_order_or_place(verification: Path) -> None:
    made = []
    for number, jobs in enumerate(("1", "2")):
        overrides = [NOISE, f"parallel.n_jobs={jobs}", f"cache={verification.parent / f'cache-{number}'}"]
        features = extract(prepare(verification, overrides, console=quiet()))
        made.append([piece.load() for version in features.copies for piece in version if piece is not None])
    assert len(made[0]) == 3 * 15
    for one, other in zip(*made, strict=True):
        np.testing.assert_array_equal(one, other)


def test_another_seed_gives_other_noise_and_the_same_seed_reads_the_cache(verification: Path) -> None:
    stores = []
    for seed in (0, 0, 1):
        features = extract(prepare(verification, [NOISE, f"seed={seed}"], console=quiet()))
        stores.append([next(p for p in version if p is not None).store.folder for version in features.copies])
    assert stores[0] == stores[1]
    assert not set(stores[0]) & set(stores[2])


def test_noise_at_another_ratio_is_other_noise_and_its_key_does_not_hang_on_the_place(verification: Path) -> None:
    job = prepare(verification, ["augment={noise: {white: [5, 10], babble: [5], talkers: 2}}"], console=quiet())
    features = extract(job)
    five, ten, babbling = (
        noising(job, features.corpus, features.keys(), copy) for copy in job.experiment.config.augment.copies()
    )
    assert not np.allclose(white(five._rng("key", "noise"))(9), white(ten._rng("key", "noise"))(9))
    assert str(verification.parent) not in str(babbling.describe())


def babble_of(config: Path, overrides: list[str]) -> Noising:
    job = prepare(config, overrides, console=quiet())
    features = extract(job)
    copy = next(copy for copy in job.experiment.config.augment.copies() if copy.noise == "babble")
    return noising(job, features.corpus, features.keys(), copy)


def test_babble_is_of_other_speakers_of_the_background_and_never_of_a_test(verification: Path) -> None:
    made = babble_of(verification, [NOISE])
    assert sorted(talker.owner for talker in made.talkers) == [f"s{n}" for n in range(6)]
    lines = [line for line in (verification.parent / "m.tsv").read_text().splitlines() if not line.endswith("ubm")]
    (verification.parent / "m.tsv").write_text("\n".join(lines) + "\n")
    made = babble_of(verification, [NOISE])
    assert {talker.path.stem for talker in made.talkers} == {"s6-0", "s7-0", "s8-0"}
    with pytest.raises(DataError, match="babble of 3 talkers, and there are 3 speakers"):
        extract(prepare(verification, [NOISE.replace("talkers: 2", "talkers: 3")], console=quiet()))


def test_nobody_is_heard_in_the_babble_behind_their_own_voice(
    verification: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[tuple[str, str]] = []
    original = Noising._heard

    def spied(self: Noising, path: Path, key: str, audio: object) -> list[np.ndarray]:
        owner = self.owners[path]
        monkeypatch.setattr(
            "speechgmm.engine.noisy_copies._beginning",
            lambda talker, *_: heard.append((owner, talker.name.split("-")[0])) or TALKERS[0],
        )
        return original(self, path, key, audio)  # type: ignore[arg-type]

    monkeypatch.setattr(Noising, "_heard", spied)
    extract(prepare(verification, [NOISE], console=quiet()))
    assert len(heard) == 2 * 15
    assert all(owner != talker for owner, talker in heard)
    assert len({talker for _, talker in heard}) == 6


def test_babble_with_folds_and_without_a_background_is_refused(verification: Path) -> None:
    lines = (verification.parent / "m.tsv").read_text().replace("\tubm", "\ttrain")
    (verification.parent / "m.tsv").write_text(lines)
    job = prepare(verification, [NOISE, "corpus.split={kind: kfold, folds: 2}"], console=quiet())
    with pytest.raises(ConfigError, match="test recordings would be heard in training"):
        extract(job)


@pytest.mark.slow
def test_a_speaker_enrolled_later_has_the_copies_of_the_others(verification: Path) -> None:
    result = run(verification, [NOISE], console=quiet())
    file = read_model_file(result.folder / "models.safetensors")
    assert file.recipe is not None
    assert [str(copy) for copy in file.recipe.copies] == ["white noise at 5 dB", "babble at 10 dB", "random channel 1"]
    assert len(file.recipe.sounds["babble"]) == 4
    path = verification.parent / "s6-0.wav"
    larger, about = enrol(file, "again", [path])
    assert result.trained is not None
    assert about.n_frames == result.trained.reports[0].n_frames  # type: ignore[union-attr]
    again, before = larger.models.models[-1], larger.models.models[0]
    assert np.abs(again.means - before.means).max() < 0.2 * np.abs(before.means - file.models.models[1].means).max()


@pytest.fixture
def sounds(tmp_path: Path) -> str:
    """Folders as MUSAN's and the room responses' are, at another rate than the corpus; as overrides."""
    for number in range(3):
        noise = tmp_path / "musan" / "noise" / "free-sound" / f"noise-{number:04}.wav"
        room = tmp_path / "rirs" / "simulated_rirs" / "smallroom" / f"Room{number}-00001.wav"
        for path in (noise, room):
            path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(noise, rng(number).standard_normal((8000, 2)) / 10, 16000)
        soundfile.write(room, 0.99 ** np.arange(800) * rng(number).standard_normal(800) / 4, 16000)
    soundfile.write(tmp_path / "rirs" / "RVB2014_type1_noise_largeroom1.wav", np.ones(8), 16000)
    return (
        f"augment={{noise: {{recorded: [5], recordings: {tmp_path}/musan/noise, rooms: 1, responses: {tmp_path}/rirs, "
        "codecs: [gsm], bands: [[300, 3400]]}}"
    )


@pytest.mark.slow
def test_recorded_noises_rooms_codecs_and_bands_train_and_enrol(verification: Path, sounds: str) -> None:
    result = run(verification, [sounds], console=quiet())
    file = read_model_file(result.folder / "models.safetensors")
    assert file.recipe is not None
    assert {kind: len(kept) for kind, kept in file.recipe.sounds.items()} == {"recorded": 3, "room": 3}
    assert [str(copy) for copy in file.recipe.copies] == [
        "recorded noise at 5 dB",
        "room 1",
        "codec gsm",
        "band 300 to 3400 Hz",
    ]
    features = result.features
    frames = [version[0].load() for version in features.copies]  # type: ignore[union-attr]
    assert len(frames) == 4
    for one, copy in enumerate(frames):
        for other in (features.pieces[0].load(), *frames[:one]):
            assert copy.shape == other.shape
            assert not np.allclose(copy, other, atol=0.1)
    _, about = enrol(file, "again", [verification.parent / "s6-0.wav"])
    assert result.trained is not None
    assert about.n_frames == result.trained.reports[0].n_frames  # type: ignore[union-attr]


def test_copies_with_recordings_hang_on_their_bytes_and_not_on_where_they_lie(verification: Path, sounds: str) -> None:
    folders = []
    moved = verification.parent / "elsewhere"
    for change in ("none", "moved", "other bytes"):
        if change == "moved":
            (verification.parent / "musan").rename(moved)
            sounds = sounds.replace("/musan/", "/elsewhere/")
        if change == "other bytes":
            soundfile.write(next(moved.rglob("*.wav")), rng(9).standard_normal(8000) / 10, 16000)
        features = extract(prepare(verification, [sounds], console=quiet()))
        folders.append([version[0].store.folder for version in features.copies])  # type: ignore[union-attr]
    assert folders[0] == folders[1]
    assert [one == other for one, other in zip(folders[1], folders[2], strict=True)] == [False, True, True, True]


def test_a_folder_without_recordings_and_a_silent_noise_are_named(verification: Path, sounds: str) -> None:
    with pytest.raises(DataError, match=r"augment\.noise\.recordings: .*nowhere is no folder"):
        extract(prepare(verification, [sounds.replace("musan/noise", "nowhere")], console=quiet()))
    (verification.parent / "empty").mkdir()
    with pytest.raises(DataError, match=r"augment\.noise\.responses: there is no recording in"):
        extract(prepare(verification, [sounds.replace("/rirs", "/empty")], console=quiet()))
    for path in (verification.parent / "musan").rglob("*.wav"):
        soundfile.write(path, np.r_[np.zeros(16000 * 70), 1], 16000)
    with pytest.raises(DataError, match=r"noise-000\d\.wav: its first 60 s are silent"):
        extract(prepare(verification, [sounds], console=quiet()))


@pytest.mark.slow
def test_pitch_is_a_stream_that_runs_and_enrols_like_the_cepstra(verification: Path) -> None:
    overrides = ["features={kind: f0}", "augment={noise: {white: [10]}}"]
    result = run(verification, overrides, console=quiet())
    file = read_model_file(result.folder / "models.safetensors")
    assert file.models.models[0].n_features == 1
    larger, _ = enrol(file, "again", [verification.parent / "s6-0.wav"])
    np.testing.assert_allclose(larger.models.models[-1].means, file.models.models[0].means, atol=0.05)
    assert 0 <= result.metrics["eer"]["value"] <= 0.5
