"""Frames of other programs: what is written is read, other tools' files are read right, and damage is a DataError."""

import struct
import zipfile
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import kaldi_native_io
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from speechgmm.errors import ConfigError, DataError
from speechgmm.io.frame_files import (
    FrameSource,
    frames_shape,
    list_sources,
    read_frames,
    write_ark,
    write_htk,
    write_npy,
    write_npz,
    write_sphinx,
)

FRAMES = np.random.default_rng(0).normal(0, 5, (40, 13)).astype(np.float32)

some_frames = arrays(
    np.float32, array_shapes(min_dims=2, max_dims=2, max_side=30), elements=st.floats(-1e6, 1e6, width=32)
)


def write_one(path: Path, frames: np.ndarray) -> FrameSource:
    """Frames in the format that a name ends in."""
    if path.suffix == ".npz":
        write_npz(path, [("one", frames)])
        return FrameSource(path, "one")
    if path.suffix == ".ark":
        write_ark(path, [("one", frames)])
        return FrameSource(path, "one", 4)
    {".npy": write_npy, ".mfc": write_sphinx, ".htk": write_htk}[path.suffix](path, frames)
    return FrameSource(path, dimension=frames.shape[1])


ENDINGS = (".npy", ".npz", ".ark", ".mfc", ".htk")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("frames")


@pytest.mark.parametrize("ending", ENDINGS)
@settings(max_examples=20)
@given(frames=some_frames, data=st.data())
def test_what_is_written_is_read_whole_and_in_part(ending: str, folder: Path, frames: np.ndarray, data: st.DataObject):
    source = write_one(folder / f"one{ending}", frames)
    assert frames_shape(source) == frames.shape
    read = read_frames(source)
    assert (read.dtype, read.flags.c_contiguous, read.flags.owndata) == (np.float32, True, True)
    np.testing.assert_array_equal(read, frames)
    first = data.draw(st.integers(0, len(frames) - 1))
    stop = data.draw(st.integers(first + 1, len(frames)))
    part = FrameSource(source.path, source.key, source.offset, first, stop, source.dimension)
    assert frames_shape(part) == (stop - first, frames.shape[1])
    np.testing.assert_array_equal(read_frames(part), frames[first:stop])


@pytest.mark.slow
@pytest.mark.parametrize("ending", ENDINGS)
@settings(max_examples=40)
@given(data=st.data())
def test_damaged_bytes_give_frames_or_a_data_error_and_nothing_else(ending: str, folder: Path, data: st.DataObject):
    whole = write_one(folder / f"damaged{ending}", FRAMES[:6])
    content = bytearray(whole.path.read_bytes())
    places = st.integers(0, min(len(content), 200) - 1) | st.integers(0, len(content) - 1)
    for place in data.draw(st.lists(places, max_size=6)):
        content[place] = data.draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]) | st.integers(0, 255))
    cut = data.draw(st.none() | st.integers(0, len(content)))
    whole.path.write_bytes(bytes(content[:cut]) + data.draw(st.binary(max_size=3)))
    for source in (whole, FrameSource(whole.path), FrameSource(whole.path, first=1, stop=3)):
        with suppress(DataError):
            shape = frames_shape(source)
            assert read_frames(source).shape == shape
            list_sources(whole.path)


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_truncated_file_is_refused(ending: str, folder: Path):
    source = write_one(folder / f"cut{ending}", FRAMES[:3])
    content = source.path.read_bytes()
    for n in range(0, len(content), 7):
        source.path.write_bytes(content[:n])
        with pytest.raises(DataError, match="cut"):  # the file's name
            read_frames(source)


# ---- numpy ----


@pytest.mark.parametrize("dtype", ["<f2", "<f4", ">f4", "<f8", ">f8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_numpy_arrays_of_every_float_and_layout_are_read(tmp_path: Path, dtype: str, order: str):
    array = np.asarray(FRAMES, dtype, order=order)
    np.save(tmp_path / "a.npy", array)
    np.savez(tmp_path / "a.npz", a=array)
    np.savez_compressed(tmp_path / "b.npz", a=array)
    for path in tmp_path.iterdir():
        np.testing.assert_array_equal(read_frames(FrameSource(path, first=3, stop=9)), array[3:9].astype(np.float32))


def test_a_vector_of_numpy_is_one_frame(tmp_path: Path):
    np.save(tmp_path / "x.npy", FRAMES[0])
    np.testing.assert_array_equal(read_frames(FrameSource(tmp_path / "x.npy")), FRAMES[:1])


@pytest.mark.parametrize(
    ("array", "named"),
    [
        (np.zeros((3, 4), np.int64), "int64; expected float16, float32 or float64; integers"),
        (np.zeros((1, 3, 4)), r"\(1, 3, 4\); expected \(T, D\).*squeeze"),
        (np.array(1.0), r"shape \(\)"),
        (np.zeros((0, 4)), "0 frames of 4 values"),
        (np.zeros((3, 0)), "3 frames of 0 values"),
        (np.zeros(3, complex), "complex128"),
        (np.array([{"a": 1}], object), "array of object"),
        (np.zeros(3, [("a", "f4")]), "expected float16"),
    ],
)
def test_numpy_arrays_that_are_no_frames_are_refused(tmp_path: Path, array: np.ndarray, named: str):
    np.save(tmp_path / "x.npy", array)
    np.savez(tmp_path / "x.npz", x=array)
    for name in ("x.npy", "x.npz"):
        with pytest.raises(DataError, match=named):
            frames_shape(FrameSource(tmp_path / name))


@pytest.mark.parametrize("n_bytes", [12, 24, 72])
@pytest.mark.parametrize("shape", ["(True, 6)", "(3, True)", "(-3, 6)", "(10**30, 6)", "(3.0, 6)", "3"])
def test_any_shape_in_a_header_of_numpys_gives_frames_or_a_data_error(tmp_path: Path, shape: str, n_bytes: int):
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".ljust(117).encode() + b"\n"
    (tmp_path / "x.npy").write_bytes(b"\x93NUMPY\x01\x00v\x00" + header + bytes(n_bytes))
    with suppress(DataError):
        assert read_frames(FrameSource(tmp_path / "x.npy")).size == n_bytes // 4


def test_a_part_of_a_large_file_is_not_the_whole_of_it(tmp_path: Path):
    """A file of 2 GB of which the disk holds nearly nothing: to read it whole would take all of this machine's time."""
    path = tmp_path / "large.npy"
    write_npy(path, np.zeros((1, 768)))
    head = path.read_bytes()[:128].replace(b"(1, 768), }      ", b"(700000, 768), } ")
    with path.open("wb") as file:
        file.write(head)
        file.truncate(128 + 4 * 700_000 * 768)
    assert frames_shape(FrameSource(path)) == (700_000, 768)
    import tracemalloc

    tracemalloc.start()
    assert not read_frames(FrameSource(path, first=699_990)).any()
    assert tracemalloc.get_traced_memory()[1] < 1e6
    tracemalloc.stop()


def test_an_archive_that_claims_to_unpack_into_more_than_it_can_is_refused(tmp_path: Path):
    path = tmp_path / "bomb.npz"
    write_npz(path, [("a", FRAMES)])
    content = path.read_bytes()
    size = struct.pack("<I", FRAMES.nbytes + 128)
    assert content.count(size) >= 2
    path.write_bytes(content[:-80].replace(size, size) + content[-80:].replace(size, struct.pack("<I", 2**31)))
    with pytest.raises(DataError, match=r"bomb\.npz"):
        read_frames(FrameSource(path, "a"))


def test_an_archive_with_two_arrays_of_one_name_is_refused(tmp_path: Path):
    data = BytesIO()
    np.save(data, FRAMES)
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("a.npy", data.getvalue())
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a.npy", data.getvalue())
    with pytest.raises(DataError, match=r"x\.npz: two arrays are named 'a'; expected a name for each"):
        list_sources(tmp_path / "x.npz")


def test_an_archive_has_a_recording_for_each_array_and_a_missing_one_is_named(tmp_path: Path):
    path = tmp_path / "several.npz"
    write_npz(path, [("anna/1", FRAMES), ("bert", FRAMES[:2])])
    assert [*list_sources(path)] == ["anna/1", "bert"]
    with np.load(path) as loaded:
        np.testing.assert_array_equal(loaded["anna/1"], FRAMES)
    with pytest.raises(DataError, match=r"no array 'carl'.*anna/1, bert"):
        read_frames(FrameSource(path, "carl"))
    with pytest.raises(DataError, match="2 arrays"):
        read_frames(FrameSource(path))
    with pytest.raises(DataError, match="two recordings are named 'a'"):
        write_npz(path, [("a", FRAMES), ("a", FRAMES)])
    assert [*list_sources(path)] == ["anna/1", "bert"]  # nothing was written half
    with zipfile.ZipFile(tmp_path / "none.npz", "w") as archive:
        archive.writestr("readme.txt", "nothing")
    with pytest.raises(DataError, match="no array in it"):
        list_sources(tmp_path / "none.npz")


# ---- Sphinx ----


@pytest.mark.parametrize("order", "><")
def test_sphinx_files_are_read_in_both_byte_orders(tmp_path: Path, order: str):
    path = tmp_path / "a.mfc"
    path.write_bytes(struct.pack(f"{order}i", FRAMES.size) + FRAMES.astype(f"{order}f4").tobytes())
    np.testing.assert_array_equal(read_frames(FrameSource(path)), FRAMES)
    np.testing.assert_array_equal(read_frames(FrameSource(path, dimension=26)), FRAMES.reshape(-1, 26))
    with pytest.raises(DataError, match=r"520 values .*multiple of 7.*give the dimension"):
        read_frames(FrameSource(path, dimension=7))


def test_a_count_that_disagrees_in_both_orders_is_named_in_both(tmp_path: Path):
    path = tmp_path / "a.mfc"
    path.write_bytes(struct.pack(">i", 26) + bytes(4 * 13))
    with pytest.raises(DataError, match=r"26 in big-endian order and 436207616 in little-endian.*13 float32"):
        read_frames(FrameSource(path))


# ---- HTK ----


@pytest.mark.parametrize("order", "><")
def test_htk_files_with_checksums_and_in_both_orders_are_read(tmp_path: Path, order: str):
    n, dimension = FRAMES.shape
    plain = FRAMES.astype(f"{order}f4").tobytes()
    for code, end in ((6, b""), (6 | 0o10000, b"ab"), (9 | 0o500, b"")):
        (tmp_path / "a.fea").write_bytes(struct.pack(f"{order}iihH", n, 100_000, 4 * dimension, code) + plain + end)
        np.testing.assert_array_equal(read_frames(FrameSource(tmp_path / "a.fea")), FRAMES)


def test_compressed_htk_values_are_x_plus_b_over_a(tmp_path: Path):
    """The HTK Book, 5.10.1, value by value."""
    path = tmp_path / "a.htk"
    scales, offsets, whole = [2.0, 0.5], [1.0, -3.0], [[1, 2], [-3, 4], [5, -32767]]
    head = struct.pack(">iihH", 3 + 4, 100_000, 4, 6 | 0o2000 | 0o10000)
    path.write_bytes(head + struct.pack(">4f6h", *scales, *offsets, *np.ravel(whole)) + b"ab")
    expected = [[(x + b) / a for x, a, b in zip(row, scales, offsets, strict=True)] for row in whole]
    np.testing.assert_array_equal(read_frames(FrameSource(path)), np.array(expected, np.float32))
    np.testing.assert_array_equal(read_frames(FrameSource(path, first=1, stop=2)), np.array(expected[1:2], np.float32))


def test_htk_files_written_compressed_keep_values_to_a_part_of_each_columns_range(tmp_path: Path):
    frames = np.column_stack([FRAMES, np.full(len(FRAMES), 7.5, np.float32)])
    write_htk(tmp_path / "a.htk", frames, kind="MFCC_0_C")
    read = read_frames(FrameSource(tmp_path / "a.htk"))
    assert np.all(np.abs(read - frames) <= (frames.max(0) - frames.min(0)) / 100_000 + 1e-6)


def test_kaldis_own_htk_reader_reads_what_is_written(tmp_path: Path):
    write_htk(tmp_path / "a.htk", FRAMES, kind="FBANK_D", frame_shift=0.0125)
    (tmp_path / "a.scp").write_text(f"one {tmp_path / 'a.htk'}\n")
    with kaldi_native_io.SequentialHtkMatrixReader(f"scp:{tmp_path / 'a.scp'}") as reader:
        for name, (matrix, header) in reader:
            assert (name, header.sample_period, header.sample_kind) == ("one", 125_000, 7 | 0o400)
            np.testing.assert_array_equal(matrix, FRAMES)
        assert reader.done


def test_htk_kinds_that_are_no_frames_are_refused(tmp_path: Path):
    (tmp_path / "a.htk").write_bytes(struct.pack(">iihH", 3, 625, 2, 0) + bytes(6))
    with pytest.raises(DataError, match="kind WAVEFORM"):
        read_frames(FrameSource(tmp_path / "a.htk"))
    for kind in ("MFC", "WAVEFORM", "MFCC_Q", "MFCC_K"):
        with pytest.raises(ConfigError, match="expected one of"):
            write_htk(tmp_path / "b.htk", FRAMES, kind=kind)
    with pytest.raises(ConfigError, match="frames of 9000 values"):
        write_htk(tmp_path / "b.htk", np.zeros((1, 9000)))
    assert not (tmp_path / "b.htk").exists()


# ---- folders ----


def test_a_folder_has_an_id_for_each_file_by_its_path(tmp_path: Path):
    for ending in ENDINGS[:2] + ENDINGS[3:]:
        (tmp_path / "sub").mkdir(exist_ok=True)
        write_one(tmp_path / "sub" / f"x{ending[1:]}{ending}", FRAMES)
    write_npz(tmp_path / "many.npz", [("p", FRAMES), ("q", FRAMES)])
    (tmp_path / "notes.txt").write_text("no frames")
    found = list_sources(tmp_path)
    assert [*found] == ["p", "q", "sub/xhtk", "sub/xmfc", "sub/xnpy", "sub/xnpz"]
    assert all(len(read_frames(source)) == len(FRAMES) for source in found.values())
    write_one(tmp_path / "sub" / "xhtk.npy", FRAMES)
    with pytest.raises(DataError, match=r"'sub/xhtk' stands in xhtk\.htk and in xhtk\.npy"):
        list_sources(tmp_path)


def test_what_is_no_file_of_frames_is_refused_with_what_was_expected(tmp_path: Path):
    with pytest.raises(DataError, match=r"no frames in it; expected feats\.scp, or files"):
        list_sources(tmp_path)
    with pytest.raises(DataError, match="no such file"):
        read_frames(FrameSource(tmp_path / "none.npy"))
    (tmp_path / "a.npy").write_bytes(b"RIFF....WAVE")
    with pytest.raises(DataError, match=r"begins with b'RIFF.*numpy's \.npy is cut short or damaged"):
        read_frames(FrameSource(tmp_path / "a.npy"))
    write_npy(tmp_path / "b.npy", FRAMES)
    with pytest.raises(DataError, match="frames of 13 values; expected 39"):
        frames_shape(FrameSource(tmp_path / "b.npy", dimension=39))
    for first, stop in ((0, 41), (5, 5), (-1, 3), (40, None)):
        with pytest.raises(DataError, match="of 40 frames"):
            read_frames(FrameSource(tmp_path / "b.npy", first=first, stop=stop))


# ---- real files ----


def test_an4_and_voxforge_are_read_as_thirteen_cepstra(shared: Path):
    for name, n_files in (("an4/feat", 948), ("voxforge-ru", 1289)):
        found = list_sources(shared / "data" / name)
        assert len(found) == n_files
        some = np.concatenate([read_frames(source) for source in [*found.values()][::50]])
        assert some.shape[1] == 13
        assert np.isfinite(some).all()
        values = some.ravel()
        at_lag = {lag: np.corrcoef(values[:-lag], values[lag:])[0, 1] for lag in range(8, 18)}
        assert max(at_lag, key=lambda lag: at_lag[lag]) == 13  # neighbouring frames are alike


def test_htk_reference_files_have_their_frames(shared: Path):
    paths = sorted((shared / "references/htk").glob("*_htk.*"))
    assert paths
    for path in paths:
        assert frames_shape(FrameSource(path)) == (142, 23 if "fbank" in path.name else 39)
        assert np.isfinite(read_frames(FrameSource(path))).all()
