"""What headers count, what is decoded by others than libsndfile, and what is refused with the way out."""

import contextlib
import io
import os
import re
import struct
import warnings
from pathlib import Path
from shutil import which

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from speechgmm.corpus import Utterance
from speechgmm.corpus.segment_ends import within_recording
from speechgmm.engine.audio_input import AudioInput
from speechgmm.engine.recordings import frames_of
from speechgmm.errors import DataError, RecordingWarning
from speechgmm.features import FeatureSpec
from speechgmm.io import other_decoders
from speechgmm.io.audio import Pieces, native_rate, read_recording, recording_key
from speechgmm.io.audio_formats import DECODED, UNDECODED, suffixes_decoded_here, way_out
from speechgmm.io.header_counts import header_count
from speechgmm.io.recording_file import MendedFile

RATE, N = 16000, 16000


def tone(n: int = N, rate: int = RATE) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * 200 * np.arange(n) / rate)).astype(np.float32)


def encoded(container: str, samples: np.ndarray | None = None, rate: int = RATE, **kwargs: object) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, tone() if samples is None else samples, rate, format=container, **kwargs)
    return buffer.getvalue()


def put(data: bytes, at: int, value: bytes) -> bytes:
    return data[:at] + value + data[at + len(value) :]


def read(path: Path, data: bytes, rate: int = RATE) -> tuple[int, str]:
    """Samples that are heard, and the notes."""
    path.write_bytes(data)
    pieces = Pieces(path, sample_rate=rate)
    return sum(len(piece) for piece in pieces), "; ".join(pieces.notes)


def size_field(container: str, data: bytes) -> tuple[int, str, int]:
    """Where the size of the samples stands, as struct writes it, and what of it is no sample."""
    match container:
        case "WAV" | "WAVEX":
            return data.find(b"data") + 4, "<I", 0
        case "RF64":
            return 28, "<Q", 0
        case "W64":
            return data.find(b"data") + 16, "<Q", 24
        case "AIFF":
            return data.find(b"SSND") + 4, ">I", 8
        case "CAF":
            return data.find(b"data") + 4, ">Q", 4
        case _:
            return 8, ">I", 0


CONTAINERS = ["WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF"]

PLACEHOLDERS = {
    "I": [
        0x7F000000,
        0x7F000000 - 46,
        0x7FFFFFFF,
        0x7FFFF000,
        0x7FFFFFFF - 36,
        0x80000000,
        0xFFFFFFFF,
        0xFFFFFFFF - 36,
    ],
    "Q": [2**63 - 1, 2**64 - 1],
}


# ---- header counts ----


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_placeholder_of_a_writer_to_a_pipe_is_no_count(tmp_path: Path, container: str) -> None:
    data = encoded(container, subtype="PCM_16")
    at, layout, _ = size_field(container, data)
    for value in PLACEHOLDERS[layout[-1]]:
        assert read(tmp_path / "a", put(data, at, struct.pack(layout, value))) == (N, ""), hex(value)


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_size_of_0_with_samples_behind_it_is_read_to_the_end_and_it_is_said(tmp_path: Path, container: str) -> None:
    data = encoded(container, subtype="PCM_16")
    at, layout, other = size_field(container, data)
    for value in {0, other}:
        if container == "W64" and value == 0:
            continue  # a chunk counts its own head
        n, note = read(tmp_path / "a", put(data, at, struct.pack(layout, value)))
        assert n == N
        assert "counts no samples" in note
        assert "read as its samples" in note


@pytest.mark.parametrize("container", CONTAINERS)
def test_samples_behind_a_stale_size_are_counted_in_a_warning(tmp_path: Path, container: str) -> None:
    data = encoded(container, subtype="PCM_16")
    at, layout, other = size_field(container, data)
    n, note = read(tmp_path / "a", put(data, at, struct.pack(layout, N + other)))
    assert n == N // 2
    assert f"{N} bytes behind" in note
    assert "not read" in note


@pytest.mark.parametrize("container", [*CONTAINERS, "NIST"])
def test_a_sound_header_has_no_note_and_chunks_behind_the_samples_are_none(tmp_path: Path, container: str) -> None:
    data = encoded(container, subtype="PCM_16")
    assert read(tmp_path / "a", data) == (N, "")
    if container in ("AIFF", "CAF", "W64"):  # W64: libsndfile takes it for samples
        more = {
            "AIFF": b"NAME" + struct.pack(">I", 400),
            "CAF": b"info" + struct.pack(">Q", 400),
            "W64": b"LIST" + bytes(12) + struct.pack("<Q", 24 + 400),
        }[container]
        assert read(tmp_path / "a", data + more + bytes(400)) == (N, "")
    if container in ("WAV", "WAVEX"):
        more = b"LIST" + struct.pack("<I", 26) + b"INFOISFT" + struct.pack("<I", 14) + b"Lavf58.29.100\0"
        assert read(tmp_path / "a", data + more) == (N, "")
        odd = encoded(container, tone(N - 1), subtype="PCM_U8")
        assert read(tmp_path / "a", odd + more) == (N - 1, "")
        assert read(tmp_path / "a", odd + b"\0" * 7) == (N - 1, "")  # padding


@pytest.mark.parametrize("container", CONTAINERS)
def test_an_empty_recording_stays_one_and_missing_bytes_stay_missing(tmp_path: Path, container: str) -> None:
    with pytest.raises(DataError, match="a header without samples"):
        read(tmp_path / "a", encoded(container, np.empty(0, np.float32), subtype="PCM_16"))
    data = encoded(container, subtype="PCM_16")
    with pytest.raises(DataError, match=r"truncated: \d+ of its bytes are missing"):
        read(tmp_path / "a", data[: len(data) // 2])
    if container == "WAV":
        empty = encoded(container, np.empty(0, np.float32), subtype="PCM_16")
        with pytest.raises(DataError, match="a header without samples"):  # a chunk of text is no sample
            read(tmp_path / "a", empty + b"LIST" + struct.pack("<I", 4) + b"INFO")


def test_a_nist_header_counts_samples_as_far_as_they_are_there(tmp_path: Path) -> None:
    data = encoded("NIST", subtype="PCM_16")
    for count, said in ((b"0    ", "counts 0 samples"), (b"8000 ", "counts 8000 samples"), (b"-1   ", "")):
        n, note = read(tmp_path / "a", data.replace(b"-i 16000\nend", b"-i " + count + b"\nend"))
        assert (n, said in note) == (N, True)
    with pytest.raises(DataError, match="truncated: 2000 of its bytes"):
        read(tmp_path / "a", data.replace(b"-i 16000\nend", b"-i 17000\nend"))


def test_flac_without_a_count_is_read_to_its_end_and_with_one_it_is_a_promise(tmp_path: Path) -> None:
    data = encoded("FLAC", subtype="PCM_16")
    about = int.from_bytes(data[18:26], "big") >> 36 << 36
    assert read(tmp_path / "a", put(data, 18, about.to_bytes(8, "big"))) == (N, "")
    with pytest.raises(DataError, match="truncated: 16000 of 20000 samples are there"):
        read(tmp_path / "a", put(data, 18, (about | 20000).to_bytes(8, "big")))


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_ogg_is_counted_by_its_last_page(tmp_path: Path, subtype: str) -> None:
    data = encoded("OGG", subtype=subtype)
    assert read(tmp_path / "a", data) == (N, "")
    with pytest.raises(DataError, match="truncated"):
        read(tmp_path / "a", data[:-100])


@pytest.mark.parametrize("n", [1000, 4097, N, 10 * N])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24"])
def test_a_flac_count_below_its_frames_is_none(tmp_path: Path, subtype: str, n: int) -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, (n, 2)).astype(np.float32)
    data = encoded("FLAC", samples, rate=22050, subtype=subtype)
    word = int.from_bytes(data[18:26], "big")
    for count in (1, n // 2, n - 1):
        stale = put(data, 18, (word - n + count).to_bytes(8, "big"))
        assert read(tmp_path / "a", stale, 22050) == (
            n,
            f"its header counts {count} samples, and {n} are there: all are read",
        )
    assert read(tmp_path / "a", data, 22050) == (n, "")


def test_joined_ogg_files_leave_a_warning(tmp_path: Path) -> None:
    data = encoded("OGG", np.random.default_rng(0).normal(0, 0.1, 10 * RATE).astype(np.float32))
    n, note = read(tmp_path / "a", data + data)
    assert n == 10 * RATE
    assert "files were joined" in note
    assert read(tmp_path / "a", data) == (10 * RATE, "")


def test_a_creative_voice_file_is_read_as_far_as_its_first_block_of_samples(tmp_path: Path) -> None:
    data = encoded("VOC", subtype="PCM_16")
    size = int.from_bytes(data[27:30], "little")
    assert size == 2 * N + 12
    assert read(tmp_path / "a", data) == (N, "")
    assert read(tmp_path / "a", data[: 30 + size] + b"\0") == (N, "")  # the block that ends a file
    n, note = read(tmp_path / "a", data[: 30 + size] + b"\5\x14\0\0" + b"a comment as a block")
    assert (n, note) == (N, f"24 bytes behind its first block of samples ({size} bytes) are not read")
    n, note = read(tmp_path / "a", put(data, 27, (N + 12).to_bytes(3, "little")))  # of half of its samples
    assert (n, note.split(" behind")[0]) == (N // 2, f"{len(data) - 30 - N - 12} bytes")
    for value, said in ((0xFFFFFF, ""), (0, "counts no samples"), (12, "counts no samples")):
        n, note = read(tmp_path / "a", put(data, 27, value.to_bytes(3, "little")))
        assert (n, said in note) == (N, True)
    with pytest.raises(DataError, match="truncated: 16000 of its bytes are missing"):
        read(tmp_path / "a", data[: 30 + size - N])


@pytest.mark.parametrize("container", ["AVR", "SVX"])
def test_missing_bytes_of_rarer_containers_are_missing(tmp_path: Path, container: str) -> None:
    data = encoded(container, subtype="PCM_16")
    assert read(tmp_path / "a", data) == (N, "")
    with pytest.raises(DataError, match="truncated: 16000 of its bytes are missing"):
        read(tmp_path / "a", data[:-N])


TAGS = [
    b"TAG" + b"title".ljust(125, b"\0"),
    b"APETAGEX" + struct.pack("<IIII", 2000, 64, 1, 0xA0000000) + bytes(8 + 64),
    bytes(3000),
]


@pytest.mark.parametrize("container", ["FLAC", "OGG", "MP3"])
@pytest.mark.parametrize("tag", TAGS)
def test_a_tag_behind_the_samples_is_no_damage(tmp_path: Path, container: str, tag: bytes) -> None:
    data = encoded(container)
    assert read(tmp_path / "a", data + tag) == read(tmp_path / "a", data) == (N, "")


@pytest.mark.parametrize("rate", [8000, 22050, 48000])
@pytest.mark.parametrize("flags", [1, 15])
def test_a_count_of_mp3_frames_below_those_that_are_there_is_none(tmp_path: Path, flags: int, rate: int) -> None:
    data = encoded("MP3", tone(3 * rate, rate), rate)
    at = max(data.find(b"Xing"), data.find(b"Info"))
    n_frames = int.from_bytes(data[at + 8 : at + 12], "big")
    assert read(tmp_path / "a", put(data, at + 4, struct.pack(">I", flags)), rate)[1] == ""
    for count in (1, n_frames // 2, n_frames - 2):
        stale = put(data, at + 4, struct.pack(">II", flags, count))
        n, note = read(tmp_path / "a", stale, rate)
        assert 3 * rate <= n <= 3 * rate + 3 * 1152, count
        assert note == f"its header counts {count} frames, and more are there: all are read"


def untagged(data: bytes) -> bytes:
    """An MP3 without the frame that counts the others."""
    return data[data.find(b"\xff\xf3", 2) :] if data[1] == 0xF3 else data[data.find(data[:2], 2) :]


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
@pytest.mark.parametrize("rate", [16000, 44100, 8000])
@pytest.mark.parametrize("channels", [1, 2])
def test_an_mp3_without_a_count_of_frames_is_decoded_to_its_end(
    tmp_path: Path, mode: str, rate: int, channels: int
) -> None:
    quiet, loud = np.zeros(rate, np.float32), np.random.default_rng(0).uniform(-0.5, 0.5, 2 * rate).astype(np.float32)
    samples = np.repeat(np.concatenate([loud, quiet, loud])[:, None], channels, axis=1)
    data = encoded("MP3", samples, rate, subtype="MPEG_LAYER_III", bitrate_mode=mode)
    assert read(tmp_path / "a.mp3", data, rate) == (len(samples), "")
    place = max(data.find(b"Xing"), data.find(b"Info"))
    per_frame = 1152 if rate == 44100 else 576
    n_frames = int.from_bytes(data[place + 8 : place + 12], "big")
    # Blank: the frame of the tag counts as one of silence.
    assert read(tmp_path / "a.mp3", put(data, place, bytes(4)), rate) == ((n_frames + 1) * per_frame, "")
    for head in (b"", b"ID3\x04\0\0\0\0\x02\x00" + bytes(256)):  # a tag of text before, and one behind
        n, _ = read(tmp_path / "a.mp3", head + untagged(data) + b"TAG" + bytes(125), rate)
        assert abs(n - n_frames * per_frame) <= per_frame


@pytest.mark.parametrize("cut", [1, 2, 3, 4, 20, 30])
def test_a_cut_frame_at_the_end_of_an_mp3_without_a_count_costs_that_frame_and_is_said(
    tmp_path: Path, cut: int
) -> None:
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, 3 * RATE).astype(np.float32)
    tagged = encoded("MP3", samples, subtype="MPEG_LAYER_III", bitrate_mode="CONSTANT")
    place = max(tagged.find(b"Xing"), tagged.find(b"Info"))
    n_frames = int.from_bytes(tagged[place + 8 : place + 12], "big")
    data = untagged(tagged)
    last = [found.start() for found in re.finditer(rb"\xff\xf3.\xc4", data, re.DOTALL)][-1]  # head of a frame
    assert read(tmp_path / "a.mp3", data) == (n_frames * 576, "")
    n, note = read(tmp_path / "a.mp3", data[: last + cut])
    assert n == (n_frames - 1) * 576
    assert note.startswith(f"its last frame is cut ({cut} bytes") == (cut >= 4)  # fewer do not say that it is a frame


@pytest.mark.parametrize(
    ("head", "tail"), [(b"", b""), (b"ID3\x04\0\0\0\0\x10\0" + bytes(2048), b""), (b"", b"TAG" + bytes(125))]
)
def test_mpeg_layer_2_is_read_to_its_end_whatever_stands_around_it(tmp_path: Path, head: bytes, tail: bytes) -> None:
    by_av(tmp_path / "a.mp2", "mp2")
    data = (tmp_path / "a.mp2").read_bytes()
    n_frames = len(range(0, 3 * RATE, 1152)) + 1  # one more of the encoder's delay
    assert abs(read(tmp_path / "b.mp2", head + data + tail)[0] - 1152 * n_frames) <= 1152
    n, note = read(tmp_path / "b.mp2", head + data[:-100] + tail)
    assert abs(n - 1152 * (n_frames - 1)) <= 1152
    assert "its last frame is cut" in note or tail


@pytest.mark.parametrize("container", ["RF64", "WAV"])
def test_bw64_is_read_as_rf64_or_wav(tmp_path: Path, container: str) -> None:
    data = encoded(container, subtype="PCM_16")
    assert read(tmp_path / "a", b"BW64" + data[4:]) == (N, "")
    with pytest.raises(DataError, match="truncated: 100 of its bytes"):
        read(tmp_path / "a", b"BW64" + data[4:-100])


@pytest.mark.parametrize("count", [0, 999999])
def test_an_mp3_in_a_wav_is_decoded_to_its_end(tmp_path: Path, count: int) -> None:
    quiet, loud = np.zeros(44100, np.float32), np.random.default_rng(0).uniform(-0.5, 0.5, 88200).astype(np.float32)
    data = encoded("MP3", np.concatenate([loud, quiet, loud]), 44100, subtype="MPEG_LAYER_III", bitrate_mode="VARIABLE")
    place = data.find(b"Xing")
    n_frames, frames = int.from_bytes(data[place + 8 : place + 12], "big"), put(data, place, bytes(4))
    layout = struct.pack("<HHIIHHHHIHHH", 0x55, 1, 44100, 8000, 1, 0, 12, 1, 2, 417, 1, 1393)
    fact = b"fact" + struct.pack("<II", 4, count)
    body = (
        b"WAVEfmt " + struct.pack("<I", len(layout)) + layout + fact + b"data" + struct.pack("<I", len(frames)) + frames
    )
    n, note = read(tmp_path / "a.wav", b"RIFF" + struct.pack("<I", len(body)) + body, 44100)
    assert abs(n - 1152 * (n_frames + 1)) <= 1152
    assert note == ""


def test_joined_mp3_files_are_read_to_the_end_and_a_truncated_one_is_refused(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, 3 * RATE).astype(np.float32)
    data = encoded("MP3", samples, subtype="MPEG_LAYER_III")
    n, note = read(tmp_path / "a.mp3", data + data)
    assert abs(n - 2 * len(samples)) < 8 * 576
    assert "files were joined" in note
    with pytest.raises(DataError, match="truncated"):
        read(tmp_path / "a.mp3", data[: len(data) // 2])


WHOLE = {
    **{name: encoded(name, tone(400), subtype="PCM_16") for name in CONTAINERS},
    **{name: encoded(name, tone(400)) for name in ("NIST", "FLAC", "OGG")},
    "MP3": encoded("MP3", tone(4000), subtype="MPEG_LAYER_III"),
}


def test_a_rate_that_leaves_no_sample_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(put(encoded("WAV", tone(100)), 24, struct.pack("<I", 2**31 - 1)))
    with pytest.raises(DataError, match="its 100 samples at 2147483647 Hz are none at 16000 Hz"):
        list(Pieces(tmp_path / "a", sample_rate=RATE, resample=True))


@pytest.mark.parametrize("container", sorted(WHOLE))
def test_a_header_cut_off_anywhere_is_patched_only_where_it_is(container: str) -> None:
    for size in range(1, 200):
        count = header_count(io.BytesIO(WHOLE[container][:size]))
        assert count.missing >= 0
        assert all(0 <= offset < size for offset in count.patches)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(WHOLE)), st.data())
def test_damage_of_a_recording_ends_in_samples_or_in_a_data_error(
    tmp_path_factory: pytest.TempPathFactory, container: str, data: st.DataObject
) -> None:
    whole = WHOLE[container]
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, min(len(whole), 4200) - 4) | st.integers(0, 120))
        whole = put(whole, at, data.draw(st.binary(min_size=1, max_size=8)))
    whole = whole[: data.draw(st.just(len(whole)) | st.integers(1, len(whole)))]
    count = header_count(io.BytesIO(whole))
    assert count.missing >= 0
    assert all(0 <= offset < len(whole) for offset in count.patches)
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(whole)
    pieces = Pieces(path, sample_rate=RATE, resample=True)
    with contextlib.suppress(DataError):
        assert sum(np.isfinite(piece).sum() for piece in pieces) > 0


def test_a_mended_file_differs_in_the_patches_alone(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(bytes(range(100)))
    with path.open("rb") as raw:
        file = MendedFile(raw, {10: b"abcd"}, pretended_size=1000)
        assert file.read(12) == bytes(range(10)) + b"ab"
        assert file.read(200) == b"cd" + bytes(range(14, 100))
        assert file.read(10) == b""
        assert file.seek(-128, os.SEEK_END) == 872
        assert file.read(128) == bytes(128)


# ---- what cannot be decoded ----

BY_CONTENT = {
    "page.wav": (b"\n<!DOCTYPE html><html>" + b"x" * 2000, "a web page, not the recording"),
    "pointer.flac": (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "git lfs pull"),
    "words.wav": ("some text, größer als\n".encode() * 100, "a text file"),
    "utf16.wav": ("some text".encode("utf-16"), "a text file"),
    "raw.wav": (np.random.default_rng(0).integers(-999, 999, 9000).astype("<i2").tobytes(), "ffmpeg -f s16le"),
    "zip.wav": (b"PK\x03\x04" + bytes(100), "a ZIP archive; unpack it"),
    "shorten.sph": (
        b"NIST_1A\n   1024\nsample_coding -s26 pcm,embedded-shorten-v2.00\nsample_count -i 9\nend_head\n".ljust(1024)
        + b"ajkg" + bytes(range(256)),
        "sph2pipe -f wav",
    ),
    "empty.wav": (b"", r"the file is empty \(0 bytes\)"),
}  # fmt: skip


@pytest.mark.parametrize("name", BY_CONTENT)
def test_what_is_no_recording_is_named_by_its_first_bytes_with_the_way_out(tmp_path: Path, name: str) -> None:
    data, message = BY_CONTENT[name]
    with pytest.raises(DataError, match=message) as caught:
        read(tmp_path / name, data)
    assert name in str(caught.value)


FOREIGN = {
    "a.m4a": b"\0\0\0\x20ftypM4A \0\0\0\0" + bytes(64),
    "a.wma": bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + bytes(64),
    "a.webm": b"\x1aE\xdf\xa3" + bytes(64),
    "a.amr": b"#!AMR\n" + bytes(64),
    "a.aac": b"\xff\xf1\x50\x80\x01\x7f\xfc" + bytes(64),
    "a.ape": b"MAC \x96\x0f" + bytes(64),
    "a.wav": b"\0\0\0\x20ftypM4A \0\0\0\0" + bytes(64),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_without_another_decoder_the_error_says_what_to_install_or_to_run(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(other_decoders, "other_decoder", lambda: "")
    with pytest.raises(DataError, match=r"install speechgmm\[av\] or ffmpeg, or convert it: ffmpeg -i") as caught:
        read(tmp_path / name, FOREIGN[name])
    assert "cannot be decoded" not in str(caught.value)
    assert "not audio that can be decoded here: it is" in str(caught.value)


def test_endings_are_decoded_or_named_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not DECODED & set(UNDECODED)
    assert {".m4a", ".aac", ".wma", ".webm", ".amr", ".mp4"} <= set(UNDECODED)
    assert all("ffmpeg -i a" + suffix in way_out(suffix) for suffix in UNDECODED)
    monkeypatch.setattr("speechgmm.io.audio_formats.has_other_decoder", lambda: False)
    assert suffixes_decoded_here() == DECODED
    monkeypatch.setattr("speechgmm.io.audio_formats.has_other_decoder", lambda: True)
    assert suffixes_decoded_here() == DECODED | set(UNDECODED)


def test_a_recording_is_read_by_its_content_whatever_its_name_ends_in(tmp_path: Path) -> None:
    for container, name in (("FLAC", "a.wav"), ("WAV", "a.mp3"), ("OGG", "a.flac"), ("MP3", "a.wav"), ("WAV", "a.raw")):
        kwargs = {"subtype": "MPEG_LAYER_III"} if container == "MP3" else {}
        assert read(tmp_path / name, encoded(container, **kwargs))[0] == N
        assert native_rate(tmp_path / name) == RATE


def test_a_folder_and_a_named_pipe_are_refused_and_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "folder.wav").mkdir()
    os.mkfifo(tmp_path / "pipe.wav")
    for name, what in (("folder.wav", "a folder"), ("pipe.wav", "a named pipe")):
        for use in (lambda path: read_recording(path, sample_rate=RATE), native_rate, recording_key):
            with pytest.raises(DataError, match=f"{name}: this is {what}"):
                use(tmp_path / name)
    with pytest.raises(DataError, match="/dev/zero: this is a device"):
        read_recording(Path("/dev/zero"), sample_rate=RATE)


# ---- other decoders ----


def by_av(path: Path, codec: str, rate: int = RATE, channels: int = 1, **options: str) -> np.ndarray:
    """Write a tone by PyAV's encoder."""
    av = pytest.importorskip("av")
    if codec not in av.codecs_available:
        pytest.skip(f"this PyAV does not write {codec}")
    samples = np.tile(tone(3 * rate, rate), (channels, 1))
    with av.open(str(path), "w", **options) as container:
        stream = container.add_stream(codec, rate=rate)
        if codec in ("wmav2", "aac"):
            stream.bit_rate = 64000
        stream.layout = "mono" if channels == 1 else "stereo"
        resampler = av.AudioResampler(format=stream.format or "fltp", layout=stream.layout, rate=rate)
        for first in range(0, samples.shape[1], 1024):
            block = np.ascontiguousarray(samples[:, first : first + 1024])
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=stream.layout.name)
            frame.sample_rate, frame.pts = rate, first
            for ready in resampler.resample(frame):
                container.mux(stream.encode(ready))
        container.mux(stream.encode(None))
    return samples[0]


@pytest.fixture(params=["av", "ffmpeg"])
def decoder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "ffmpeg":
        if which("ffmpeg") is None:
            pytest.skip("no ffmpeg on the PATH")
        find = other_decoders.find_spec
        monkeypatch.setattr(other_decoders, "find_spec", lambda name: None if name == "av" else find(name))
        monkeypatch.setattr(other_decoders, "other_decoder", other_decoders.other_decoder.__wrapped__)
    return str(request.param)


ENCODED = {
    "a.m4a": ("aac", 16000, 1),
    "stereo.m4a": ("aac", 44100, 2),
    "lossless.m4a": ("alac", 16000, 1),
    "a.aac": ("aac", 16000, 1),
    "a.wma": ("wmav2", 16000, 1),
    "a.webm": ("libopus", 48000, 1),
    "a.mka": ("aac", 16000, 1),
    "a.amr": ("libopencore_amrnb", 8000, 1),
    "wrong.wav": ("alac", 16000, 1),
    "wma.wav": ("wmav2", 16000, 1),
    "a.caf": ("alac", 16000, 1),
    "a.wv": ("wavpack", 16000, 1),
    "a.ts": ("aac", 16000, 1),
    "a.flv": ("aac", 44100, 1),
    "--help;$(touch x) 'ü'.m4a": ("aac", 16000, 1),
    "concat:a|b.m4a": ("aac", 16000, 1),
}


@pytest.mark.parametrize("name", ENCODED)
def test_other_formats_give_the_samples_that_were_written(tmp_path: Path, name: str, decoder: str) -> None:
    codec, rate, channels = ENCODED[name]
    container = {"format": "mp4"} if name == "wrong.wav" else {}
    path = tmp_path / name
    plain = tmp_path / f"x{path.suffix}"
    samples = by_av(plain, codec, rate, channels, **container)
    plain.rename(path)
    assert native_rate(path) == rate
    recording = read_recording(path, sample_rate=rate)
    assert len(recording.samples) == pytest.approx(len(samples), abs=0.13 * rate)  # an encoder's delay and padding
    middle = recording.samples[rate : 2 * rate].astype(np.float64)
    assert np.sqrt(2 * np.mean(middle**2)) == pytest.approx(0.3, rel=0.3 if codec == "libopencore_amrnb" else 0.05)
    assert np.fft.rfft(middle).__abs__().argmax() == 200
    if codec == "alac" and path.suffix != ".caf":
        np.testing.assert_allclose(recording.samples[: len(samples)], samples, atol=2 / 32768)
    assert list(tmp_path.iterdir()) == [path]


def test_other_formats_are_read_in_blocks_and_keyed_by_the_decoder(
    tmp_path: Path, decoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.m4a"
    by_av(path, "aac")
    pieces = Pieces(path, sample_rate=RATE)
    whole = np.concatenate([piece.copy() for piece in pieces])
    assert pieces.decoder
    monkeypatch.setattr("speechgmm.io.audio._PIECE", 777)
    np.testing.assert_array_equal(np.concatenate([piece.copy() for piece in pieces]), whole)
    key = recording_key(path)
    monkeypatch.setattr(other_decoders, "other_decoder", lambda: "another, 1.0")
    assert recording_key(path) != key


@pytest.mark.parametrize("name", ["a.m4a", "a.webm"])
def test_other_formats_that_are_cut_or_damaged_are_refused(tmp_path: Path, name: str, decoder: str) -> None:
    codec, rate, _ = ENCODED[name]
    path = tmp_path / name
    by_av(path, codec, rate)
    data = path.read_bytes()
    for cut in (data[: len(data) // 2], data[:200]):
        path.write_bytes(cut)
        with pytest.raises(DataError, match=r"truncated|damaged|without samples|no sound"):
            read_recording(path, sample_rate=rate)


def test_a_decoder_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "ffmpeg"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(other_decoders, "find_spec", lambda _: None)
    monkeypatch.setattr(other_decoders, "other_decoder", lambda: "ffmpeg")
    monkeypatch.setattr(other_decoders, "TIMEOUT", 0.3)
    with pytest.raises(DataError, match=r"ffmpeg gave no samples for 0.3 s"):
        read(tmp_path / "a.m4a", FOREIGN["a.m4a"])


# ---- channels ----


def test_channels_that_spoil_the_mean_are_named_with_one_to_choose(tmp_path: Path) -> None:
    left, noise = tone(), np.random.default_rng(0).normal(0, 5e-3, N).astype(np.float32)
    path = tmp_path / "a.wav"
    for right, message in (
        (-left, r"2 channels (is zero|cancel).* \(one is the other upside down\); .* corpus.channel: 0"),
        (np.zeros_like(left), None),
    ):
        soundfile.write(path, np.stack([left, right], axis=1), RATE)
        if message:
            with pytest.raises(DataError, match=message):
                read_recording(path, sample_rate=RATE)
        assert read_recording(path, sample_rate=RATE, channel=0).samples.any()
    notes = []
    for channels in ([left, -left + noise], [left, 0 * left], [0 * left, left], [left, left], [left, noise]):
        soundfile.write(path, np.stack(channels, axis=1), RATE)
        pieces = Pieces(path, sample_rate=RATE)
        assert sum(len(piece) for piece in pieces) == N
        notes.append("; ".join(pieces.notes))
    assert "its 2 channels cancel" in notes[0]
    assert "channel 1 of its 2 (counted from 0) is all zeros" in notes[1]
    assert "corpus.channel: 0" in notes[1]
    assert "corpus.channel: 1" in notes[2]
    assert notes[3:] == ["", ""]
    soundfile.write(path, np.zeros((N, 2)), RATE)
    with pytest.raises(DataError, match="all 16000 samples are zero"):
        read_recording(path, sample_rate=RATE)


def test_a_fault_of_a_new_recording_is_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.stack([tone(), 0 * tone()], axis=1), RATE)
    with pytest.warns(RecordingWarning, match=r"a.wav: channel 1 of its 2 .* is all zeros"):
        frames_of(AudioInput(FeatureSpec(), RATE), path)
    with pytest.warns(RecordingWarning, match=r"a.wav: channel 1 of its 2 .* is all zeros"):
        read_recording(path, sample_rate=RATE)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frames_of(AudioInput(FeatureSpec(), RATE, channel=0), path)


# ---- segments ----


@pytest.mark.parametrize(("end", "cut"), [(2.0, 2.0), (2.004, 2.004), (2.02, 2.0), (2.499, 2.0), (None, None)])
def test_an_end_less_than_half_a_second_after_the_recording_is_cut(end: float | None, cut: float | None) -> None:
    segment, overshoot = within_recording(Utterance("a", Path("a.wav"), 0.5, end), 2.0)
    assert segment.end == cut
    assert overshoot == pytest.approx(0 if cut == end else end - 2.0)


@pytest.mark.parametrize(("start", "end"), [(0.5, 2.5), (0.0, 9.0), (2.0, 2.1), (3.0, None)])
def test_a_segment_farther_after_the_recording_is_refused(start: float, end: float | None) -> None:
    with pytest.raises(DataError, match=r"m.tsv, line 2: (begins|ends) at .* s, past the end of a.wav \(2.000 s\)"):
        within_recording(Utterance("a", Path("a.wav"), start, end, source="m.tsv, line 2"), 2.0)
