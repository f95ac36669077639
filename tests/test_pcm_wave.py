"""WAV files of 16-bit samples, read without libsndfile: its samples, and nothing that it does not read."""

import io
import struct

import numpy as np
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from speechgmm.io import decoders
from speechgmm.io.audio import Pieces
from speechgmm.io.pcm_wave import open_pcm_wave

SAMPLES = np.random.default_rng(0).integers(-(2**15), 2**15, 4000).astype(np.int16)


def wave(channels=1, rate=8000, n_frames=1000, chunk=b"", extended=False, behind=b""):
    """The bytes of a WAV file."""
    samples = SAMPLES[: n_frames * channels].tobytes()
    form = struct.pack("<HHIIHH", 1, channels, rate, 2 * channels * rate, 2 * channels, 16) + bytes(2) * extended
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form
    body += (b"LIST" + struct.pack("<I", len(chunk)) + chunk + bytes(len(chunk) % 2)) if chunk else b""
    body += b"data" + struct.pack("<I", len(samples)) + samples + behind
    return b"RIFF" + struct.pack("<I", len(body)) + body


def samples_of(file):
    """All samples (N, channels), read in blocks of an odd size."""
    found = []
    while True:
        block = np.zeros((333, file.channels), np.int16)
        n = file.buffer_read_into(block, "int16")
        found.append(block[:n])
        if n < 333:
            return np.concatenate(found)


class Slow(io.BytesIO):
    """A file that gives a few bytes at a time."""

    def readinto(self, buffer):
        return super().readinto(memoryview(buffer)[:7])


@given(
    st.integers(1, 3),
    st.sampled_from([8000, 16000, 44100]),
    st.integers(1, 1000),
    st.binary(max_size=40),
    st.booleans(),
)
def test_samples_are_those_of_libsndfile(channels, rate, n_frames, chunk, extended):
    data = wave(channels, rate, n_frames, chunk, extended)
    file = open_pcm_wave(Slow(data))
    expected, expected_rate = soundfile.read(io.BytesIO(data), dtype="int16", always_2d=True)
    assert (file.samplerate, file.channels, file.frames) == (expected_rate, expected.shape[1], len(expected))
    np.testing.assert_array_equal(samples_of(file), expected)


@settings(max_examples=400)
@given(st.integers(0, 51), st.binary(min_size=1, max_size=6), st.integers(0, 20))
def test_a_header_with_other_bytes_is_left_to_libsndfile_or_read_alike(at, other, n_cut):
    data = bytearray(wave())
    data[at : at + len(other)] = other
    data = bytes(data[: len(data) - n_cut])
    raw = io.BytesIO(data)
    file = open_pcm_wave(raw)
    if file is None:
        assert raw.tell() == 0
        return
    expected, rate = soundfile.read(io.BytesIO(data), dtype="int16", always_2d=True)
    assert rate == file.samplerate
    np.testing.assert_array_equal(samples_of(file), expected)


def test_what_is_not_such_a_file_is_left_alone(tmp_path):
    kinds = {"float.wav": "FLOAT", "wide.wav": "PCM_24", "law.wav": "ULAW", "flac.flac": "PCM_16", "au.au": "PCM_16"}
    for name, subtype in kinds.items():
        soundfile.write(tmp_path / name, SAMPLES, 8000, subtype=subtype)
        with (tmp_path / name).open("rb", buffering=0) as file:
            assert open_pcm_wave(file) is None, name
    for data in (
        wave(behind=b"LIST" + bytes(4)),
        wave(behind=b"\0"),
        wave()[:-2],
        wave(n_frames=0),
        wave()[:30],
        b"RIFF",
    ):
        assert open_pcm_wave(io.BytesIO(data)) is None


def test_pieces_of_a_file_are_the_same_by_libsndfile(tmp_path, monkeypatch):
    path = tmp_path / "two.wav"
    path.write_bytes(wave(2))

    def read():
        pieces = Pieces(path, sample_rate=8000)
        return np.concatenate([piece.copy() for piece in pieces]), pieces.duration, pieces.clipped, pieces.notes

    direct = read()
    monkeypatch.setattr(decoders, "open_pcm_wave", lambda _: None)
    by_libsndfile = read()
    np.testing.assert_array_equal(direct[0], by_libsndfile[0])
    assert direct[1:] == by_libsndfile[1:]
