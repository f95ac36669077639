"""Kaldi's archives and lists: what Kaldi's own code writes is read right, and commands in a list are never run."""

import struct
from contextlib import suppress
from pathlib import Path

import kaldi_native_io
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechgmm.errors import DataError
from speechgmm.io.frame_files import FrameSource, frames_shape, list_sources, read_frames, write_ark, write_htk
from speechgmm.io.frame_files.kaldi_lists import parse_entry

RNG = np.random.default_rng(1)
MATRICES = {f"utt{n}": RNG.normal(0, 5, (n, 4)).astype(np.float32) for n in (1, 3, 9, 40)}

METHODS = kaldi_native_io.CompressionMethod


def written_by_kaldi(folder: Path, options: str = "", writer: str = "FloatMatrixWriter") -> Path:
    """``feats.scp`` and ``feats.ark``, made by Kaldi's own code."""
    with getattr(kaldi_native_io, writer)(f"ark,scp{options}:{folder}/feats.ark,{folder}/feats.scp") as one:
        for name, matrix in MATRICES.items():
            values = matrix.astype(np.float64 if "Double" in writer else np.float32)
            method = [METHODS.kSpeechFeature] if "Compressed" in writer else []
            one.write(name, values[0] if "Vector" in writer else values, *method)
    return folder / "feats.scp"


@pytest.mark.parametrize("options", ["", ",t"])
@pytest.mark.parametrize("writer", ["FloatMatrix", "DoubleMatrix", "FloatVector", "DoubleVector"])
def test_what_kaldi_writes_is_read_by_list_and_by_archive(tmp_path: Path, options: str, writer: str):
    scp = written_by_kaldi(tmp_path, options, f"{writer}Writer")
    for path in (scp, tmp_path / "feats.ark", tmp_path):
        found = list_sources(path)
        assert [*found] == [*MATRICES]
        for name, source in found.items():
            expected = MATRICES[name][:1] if "Vector" in writer else MATRICES[name]
            assert frames_shape(source) == expected.shape
            np.testing.assert_allclose(read_frames(source), expected, rtol=2e-6 if options else 0)
    found = read_frames(FrameSource(tmp_path / "feats.ark", "utt9"))
    assert len(found) == (1 if "Vector" in writer else 9)


@pytest.mark.parametrize("method", ["kAutomaticMethod", "kSpeechFeature", "kTwoByteAuto", "kOneByteAuto"])
def test_compressed_matrices_have_the_values_that_kaldi_reads(tmp_path: Path, method: str):
    with kaldi_native_io.CompressedMatrixWriter(f"ark,scp:{tmp_path}/feats.ark,{tmp_path}/feats.scp") as writer:
        for name, matrix in MATRICES.items():
            writer.write(name, matrix, getattr(METHODS, method))
    found = list_sources(tmp_path)
    with kaldi_native_io.SequentialFloatMatrixReader(f"scp:{tmp_path}/feats.scp") as reader:
        for name, matrix in reader:
            np.testing.assert_allclose(read_frames(found[name]), matrix, rtol=1e-6, atol=1e-6)
    part = FrameSource(found["utt40"].path, None, found["utt40"].offset, 7, 9)
    np.testing.assert_array_equal(read_frames(part), read_frames(found["utt40"])[7:9])


@settings(max_examples=20)
@given(
    rows=st.lists(
        st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=5), max_size=5
    )
)
def test_kaldi_reads_what_is_written(tmp_path_factory: pytest.TempPathFactory, rows: list[list[float]]):
    folder = tmp_path_factory.mktemp("out")
    matrices = {f"m{n}": np.array([row, row], np.float32) for n, row in enumerate(rows)}
    write_ark(folder / "f.ark", matrices.items(), folder / "f.scp")
    with kaldi_native_io.SequentialFloatMatrixReader(f"scp:{folder}/f.scp") as reader:
        for (name, matrix), (expected_name, expected) in zip(reader, matrices.items(), strict=True):
            assert name == expected_name
            np.testing.assert_array_equal(matrix, expected)


def test_names_that_cannot_stand_in_an_archive_are_refused_and_nothing_is_written(tmp_path: Path):
    for names in (["a b"], [""], ["a", "a"]):
        with pytest.raises(DataError, match="the name"):
            write_ark(tmp_path / "f.ark", [(name, MATRICES["utt1"]) for name in names], tmp_path / "f.scp")
    assert not [*tmp_path.iterdir()]


def test_a_range_of_a_list_ends_with_its_last_row(tmp_path: Path):
    scp = written_by_kaldi(tmp_path)
    (tmp_path / "part.scp").write_text(scp.read_text().replace("\n", "[0:0]\n"))
    with kaldi_native_io.SequentialFloatMatrixReader(f"scp:{tmp_path}/part.scp") as reader:
        kaldis = {name: np.array(matrix) for name, matrix in reader}
    for name, source in list_sources(tmp_path / "part.scp").items():
        np.testing.assert_array_equal(read_frames(source), kaldis[name])
    (tmp_path / "part.scp").write_text(scp.read_text().splitlines()[3] + "[5:40]\n")
    with pytest.raises(DataError, match=r"utt40: rows 5 to 40 of 40 frames"):
        read_frames(list_sources(tmp_path / "part.scp")["utt40"])


@pytest.mark.parametrize(
    ("entry", "named"),
    [
        ("touch RAN |", "is a command, and commands of a list are never run"),
        ("| touch RAN", "is a command"),
        ("-", "expected a file"),
        ("a.ark:3[2:1]", "expected rows, such as"),
        ("a.ark:3[0:5,1:2]", "columns cannot be cut"),
        ("a.ark:3[x]", "expected rows"),
    ],
)
def test_entries_of_a_list_that_name_no_frames_are_refused_and_commands_never_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: str, named: str
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.scp").write_text(f"ok a.ark:3\nutt {entry}\n")
    with pytest.raises(DataError, match=rf"x\.scp, line 2: .*{named}"):
        list_sources(tmp_path / "x.scp")
    assert not (tmp_path / "RAN").exists()


@pytest.mark.parametrize(
    ("text", "named"),
    [("", "empty"), ("utt\n", "line 1: 'utt'; expected a name and a file"), ("a x\na y\n", "'a' stands in line 1")],
)
def test_lists_that_are_none_are_refused(tmp_path: Path, text: str, named: str):
    (tmp_path / "x.scp").write_text(text)
    with pytest.raises(DataError, match=named):
        list_sources(tmp_path / "x.scp")


def test_a_list_names_files_of_other_formats_and_places_with_colons(tmp_path: Path):
    np.save(tmp_path / "odd:7.npy", MATRICES["utt9"])
    (tmp_path / "x.scp").write_text("a odd:7.npy\n")
    np.testing.assert_array_equal(read_frames(list_sources(tmp_path / "x.scp")["a"]), MATRICES["utt9"])
    assert parse_entry("/d/x.ark:7[1:2]", "", "u") == FrameSource(Path("/d/x.ark"), "u", 7, 1, 3)


@settings(max_examples=40)
@given(
    scp=st.text("ab1:[]|,-\n\t /.é\0", max_size=40),
    segments=st.text("ab12.-\n eXn", max_size=30)
    | st.sampled_from(["s utt9 0 1e300\n", "s utt9 nan 1\n", "s utt9 1e9 -1\n"]),
)
def test_any_list_and_any_segments_give_sources_or_a_data_error(
    tmp_path_factory: pytest.TempPathFactory, scp: str, segments: str
):
    folder = tmp_path_factory.getbasetemp() / "lists"
    folder.mkdir(exist_ok=True)
    text = written_by_kaldi(folder).read_text()
    (folder / "segments").write_text(segments, "utf-8")
    for content in (scp, text + scp, text):
        (folder / "feats.scp").write_text(content, "utf-8")
        with suppress(DataError):
            for source in list_sources(folder).values():
                with suppress(DataError):
                    assert len(read_frames(source))


@pytest.mark.parametrize("above", [0, 1, 2])
def test_relative_paths_are_found_where_kaldis_scripts_were_run(tmp_path: Path, above: int):
    folder = tmp_path / "data" / "train"
    folder.mkdir(parents=True)
    written_by_kaldi(tmp_path)
    text = (tmp_path / "feats.scp").read_text()
    base = [folder, folder.parent, tmp_path][above]
    (tmp_path / "feats.ark").rename(base / "raw.ark")
    (folder / "feats.scp").write_text(text.replace(f"{tmp_path}/feats.ark", "raw.ark"))
    assert all(len(read_frames(source)) for source in list_sources(folder).values())


def test_segments_cut_recordings_at_their_times_as_kaldi_does(tmp_path: Path):
    """extract-feature-segments: rounded starts, and two frames less at the end."""
    scp = written_by_kaldi(tmp_path)
    (tmp_path / "segments").write_text("s1 utt40 0.104 0.2\ns2 utt40 0.1 -1\ns3 utt9 0 0.09\n")
    found = list_sources(scp)
    for name, recording, rows in (("s1", "utt40", (10, 18)), ("s2", "utt40", (10, 40)), ("s3", "utt9", (0, 7))):
        np.testing.assert_array_equal(read_frames(found[name]), MATRICES[recording][slice(*rows)])
    (tmp_path / "frame_shift").write_text("0.02\n")
    assert frames_shape(list_sources(scp)["s2"]) == (35, 4)
    (tmp_path / "segments").write_text("".join(f"{name} rec 0 1\n" for name in MATRICES))
    assert [*list_sources(scp)] == [*MATRICES]  # the list is by segment already


@pytest.mark.parametrize(
    ("segments", "named"),
    [
        ("s1 utt40 0.1\n", "expected segment, recording, start and end"),
        ("s1 utt40 0.2 0.1\n", "expected segment"),
        ("s1 utt40 0.1 0.12\n", "too short for a frame"),
        ("s1 utt40 0 0.1\ns2 none 0 1\n", "line 2: recording 'none' has no frames"),
        ("s1 utt40 0 0.1\ns1 utt9 0 0.1\n", "stands twice"),
    ],
)
def test_segments_that_are_none_are_refused(tmp_path: Path, segments: str, named: str):
    scp = written_by_kaldi(tmp_path)
    (tmp_path / "segments").write_text(segments)
    with pytest.raises(DataError, match=named):
        list_sources(scp)


def matrix(kind: bytes, *counts: int, data: bytes = b"") -> bytes:
    return b"utt \0B" + kind + b" " + b"".join(b"\4" + struct.pack("<i", count) for count in counts) + data


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (matrix(b"FM", 2**30, 2**30), "1073741824 frames of 1073741824 values"),
        (matrix(b"FM", -2, 3), "-2 frames"),
        (matrix(b"DV", 2**31 - 1), "1 frames of 2147483647 values"),
        (matrix(b"FM", 0x02000000, 0x0D000000, data=bytes(104)), "written in big-endian order"),
        (matrix(b"FM", 3, 4, data=bytes(47)), "48 bytes, and 47 bytes are left"),
        (matrix(b"SM", 3), "a sparse matrix; expected a matrix or vector of floats"),
        (matrix(b"FX", 3), "a matrix of type b'FX'"),
        (b"utt \0B\4\1\0\0\0\4\1\0\0\0", "a vector of integers"),
        (b"utt PKL\x80\x04", "expected a Kaldi matrix"),
        (matrix(b"FM", 0, 0), "0 frames of 0 values"),
        (b"utt \0BCM \0\0", "truncated within the header"),
        (b"utt  [\n 1 2\n 3 ]\n", "frame 1 has 1 values; expected 2"),
        (b"utt  [\n 1 x ]\n", "frame 0: could not convert"),
        (b"utt  [\n 1 2\n", "ends within a matrix"),
        (b"utt  [ ]\n", "0 frames"),
        (b"utt 1 2 3\n", "begins with .* no format|expected a Kaldi matrix"),
    ],
)
def test_archives_that_hold_no_frames_are_refused_before_memory_is_taken(tmp_path: Path, content: bytes, named: str):
    (tmp_path / "x.ark").write_bytes(content)
    with pytest.raises(DataError, match=named):
        read_frames(FrameSource(tmp_path / "x.ark", "utt", 4))


@pytest.mark.parametrize("form", ["text", "compressed"])
@settings(max_examples=30)
@given(data=st.data())
def test_damaged_archives_give_frames_or_a_data_error_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, form: str, data: st.DataObject
):
    folder = tmp_path_factory.getbasetemp() / form
    folder.mkdir(exist_ok=True)
    written_by_kaldi(
        folder, ",t" if form == "text" else "", f"{'Float' if form == 'text' else 'Compressed'}MatrixWriter"
    )
    content = bytearray((folder / "feats.ark").read_bytes())
    for place in data.draw(st.lists(st.integers(0, 60), max_size=5)):
        content[place] = data.draw(st.sampled_from([*b"\0B []\n\xff1"]) | st.integers(0, 255))
    (folder / "feats.ark").write_bytes(content[: data.draw(st.none() | st.integers(0, len(content)))])
    for name in MATRICES:
        with suppress(DataError):
            assert read_frames(FrameSource(folder / "feats.ark", name, 5)).ndim == 2
    with suppress(DataError):
        assert [*list_sources(folder / "feats.ark")]


def test_an_offset_past_the_end_and_a_missing_name_are_named(tmp_path: Path):
    written_by_kaldi(tmp_path)
    with pytest.raises(DataError, match=r"byte 9999999 is past the end of its \d+ bytes"):
        read_frames(FrameSource(tmp_path / "feats.ark", "utt1", 9_999_999))
    with pytest.raises(DataError, match="no 'nobody' among its 4 matrices"):
        read_frames(FrameSource(tmp_path / "feats.ark", "nobody"))
    with pytest.raises(DataError, match="an archive of matrices under names"):
        read_frames(FrameSource(tmp_path / "feats.ark"))
    content = (tmp_path / "feats.ark").read_bytes()
    (tmp_path / "twice.ark").write_bytes(content + content)
    with pytest.raises(DataError, match=f"'utt1' stands twice, at bytes 5 and {len(content) + 5}"):
        list_sources(tmp_path / "twice.ark")


def test_x_vectors_of_an_archive_are_recordings_of_one_frame(shared: Path):
    found = list_sources(shared / "references/vbx/ES2005a.ark")
    assert len(found) == 1025
    assert {frames_shape(source) for source in found.values()} == {(1, 256)}
    with kaldi_native_io.SequentialFloatVectorReader(f"ark:{shared}/references/vbx/ES2005a.ark") as reader:
        for name, vector in reader:
            np.testing.assert_array_equal(read_frames(found[name])[0], vector)


# ---- lists of HTK ----


def test_a_list_of_htk_names_files_and_stretches_of_them(tmp_path: Path):
    frames = RNG.normal(size=(30, 3)).astype(np.float32)
    write_htk(tmp_path / "all.mfc", frames)
    (tmp_path / "x.scp").write_text("anna-1.mfc=all.mfc[0,9]\nanna-2.mfc=all.mfc[10,10]\nsub/anna-3=all.mfc\nall.mfc\n")
    found = {name: read_frames(source) for name, source in list_sources(tmp_path / "x.scp").items()}
    assert [*found] == ["anna-1", "anna-2", "sub/anna-3", "all"]
    for name, expected in zip(found, (frames[:10], frames[10:11], frames, frames), strict=True):
        np.testing.assert_array_equal(found[name], expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.mfc=all.mfc[9,3]\n", r"line 1: 'a\.mfc=all\.mfc\[9,3\]'; expected a file of HTK"),
        ("a.mfc=all.mfc[0:3]\n", "expected a file of HTK"),
        ("a=b=c.mfc\n", "expected a file of HTK"),
        ("all.mfc[0,3]\nall.mfc[4,6]\n", "'all' stands in line 1 already"),
        ("anna-1\n", "expected a name and a file"),  # a list of Kaldi that is cut short
        ("a.mfc=all.mfc\nb all.mfc\n", "line 1: .*expected a name and a file"),
    ],
)
def test_a_list_of_htk_that_cannot_be_is_refused_by_its_line(tmp_path: Path, text: str, message: str):
    (tmp_path / "x.scp").write_text(text)
    with pytest.raises(DataError, match=message):
        list_sources(tmp_path / "x.scp")


def test_rows_of_a_list_of_htk_beyond_the_file_are_refused(tmp_path: Path):
    write_htk(tmp_path / "all.mfc", np.zeros((30, 3), np.float32))
    (tmp_path / "x.scp").write_text("a.mfc=all.mfc[20,30]\n")
    with pytest.raises(DataError, match="rows 20 to 30 of 30 frames"):
        read_frames(list_sources(tmp_path / "x.scp")["a"])
