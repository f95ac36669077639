"""VBx as a method of diarization: of vectors that another program computed, and of windows of recordings."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from test_diarization import command, conversation, diarizer, trained  # noqa: F401 (fixtures)

from speechgmm.errors import DataError
from speechgmm.evaluation.diarization import Turn
from speechgmm.io.rttm import read_rttm
from speechgmm.tasks.diarization import Diarizer
from speechgmm.tasks.diarization.codec import read_diarizer, save_diarizer
from speechgmm.tasks.diarization.recordings import diarize_recordings
from speechgmm.tasks.diarization.spec import WindowVbxSpec
from speechgmm.tasks.diarization.variational import variational_labels
from speechgmm.tasks.diarization.vector_recordings import read_vector_recordings, read_vector_transform

EXAMPLE = Path(__file__).parents[2] / "shared" / "references" / "vbx"


@pytest.fixture
def given(tmp_path: Path) -> Path:
    """Two recordings of two speakers each as vectors of windows of 1.5 s, every 0.25 s; their times, and a PLDA."""
    rng = np.random.default_rng(0)
    vectors, lines = {}, []
    for name, speakers in (("one", [0, 1, 0]), ("two", [2, 0, 2])):
        for number, speaker in enumerate(np.repeat(speakers, 24)):
            key = f"{name}-{number:03}"
            vectors[key] = (6 * np.eye(3)[speaker] + rng.normal(size=3)).astype(np.float32)
            lines.append(f"{key} {name} {0.25 * number} {0.25 * number + 1.5}\n")
    np.savez(tmp_path / "x.npz", **vectors)
    (tmp_path / "segments").write_text("".join(lines))
    (tmp_path / "plda").write_text("<Plda>  [ 2 2 2 ]\n [\n 1 0 0\n 0 1 0\n 0 0 1 ]\n [ 8 8 8 ]\n</Plda> ")
    return tmp_path


def test_turns_of_given_vectors_change_amid_the_overlap_of_their_segments(given: Path) -> None:
    options = ("--segments", given / "segments", "--plda", given / "plda", "--fa", "1", "--out", given / "out.rttm")
    assert command("diarize", given / "x.npz", "--method", "vbx", "-q", *options) == 0
    found = read_rttm(given / "out.rttm")
    # Segments 23 (5.75 to 7.25 s) and 24 (6 to 7.5 s) are of different speakers: the turn changes at (6 + 7.25) / 2.
    assert found["one"] == [Turn(0.0, 6.625, "S1"), Turn(6.625, 12.625, "S2"), Turn(12.625, 19.25, "S1")]
    assert [turn.speaker for turn in found["two"]] == ["S1", "S2", "S1"]


def test_what_does_not_go_together_is_refused(given: Path, capsys: pytest.CaptureFixture[str]) -> None:
    vectors = ("diarize", given / "x.npz", "--segments", given / "segments")
    cases = {
        ("diarize", given / "a.wav", "--method", "vbx"): "needs a diarizer",
        ("diarize", given / "a.wav", "--plda", given / "plda"): "--plda is for vectors",
        ("diarize", given / "a.wav", "--fa", "1"): "--fa is a setting of VBx",
        vectors: "--plda FILE",
        (*vectors, "--plda", given / "plda", "--n-speakers", "2"): "--n-speakers is for recordings",
        (*vectors, "--plda", given / "plda", "--method", "merging"): "clustered by vbx",
        (*vectors, "--plda", given / "plda", "--dims", "4"): "expected 1 to 3, as the PLDA has",
    }
    for words, message in cases.items():
        assert command(*words) != 0
        assert message in capsys.readouterr().err.replace("\n", " ")


def test_files_of_vectors_that_cannot_be_are_refused(given: Path) -> None:
    good = (given / "segments").read_text()
    for text, message in (
        ("one-000 one 0\n", "3 columns"),
        ("one-000 one 2 1\n", "from 2 to 1 s"),
        ("one-000 one 0 1e300\n", r"a later end, below 1e\+09"),
        ("nobody one 0 1\n", "no vector 'nobody'"),
        ("one-000 one 0 1\n" * 2, "stands twice"),
        ("", "empty"),
    ):
        (given / "segments").write_text(text)
        with pytest.raises(DataError, match=message):
            read_vector_recordings(given / "x.npz", given / "segments")
    (given / "segments").write_text(good)
    arrays = dict(np.load(given / "x.npz"))
    for vector, message in (
        (np.zeros(3, np.float32), "all zeros"),
        (np.ones(4, np.float32), "4 values"),
        (np.full(3, np.nan, np.float32), "the vector 'one-005' has a value that is NaN"),
    ):
        np.savez(given / "x.npz", **(arrays | {"one-005": vector}))
        with pytest.raises(DataError, match=message):
            read_vector_recordings(given / "x.npz", given / "segments")
    np.savez(given / "t.npz", mean1=np.zeros(3), lda=np.eye(2), mean2=np.zeros(2))
    with pytest.raises(DataError, match=r"expected \(M,\), \(M, D\) and \(D,\)"):
        read_vector_transform(given / "t.npz")
    np.savez(given / "t.npz", mean1=np.zeros(3))
    with pytest.raises(DataError, match="no array 'lda'; expected mean1, lda and mean2"):
        read_vector_transform(given / "t.npz")
    with pytest.raises(DataError, match=r"missing\.npz: there is no such file"):
        read_vector_transform(given / "missing.npz")


def test_windows_of_a_recording_are_clustered_by_vbx(diarizer: Diarizer) -> None:  # noqa: F811
    frames, speakers = conversation([0, 1, 2, 0, 1], [900, 700, 800, 600, 600])
    labels = variational_labels(
        diarizer, frames, np.ones(len(frames), bool), WindowVbxSpec(fa=0.2, fb=20.0, loop_probability=0.98)
    )
    assert labels.max() == 2
    assert (labels == speakers).mean() > 0.9
    with pytest.raises(DataError, match="none of the 3600 frames is speech"):
        variational_labels(diarizer, frames, np.zeros(len(frames), bool), WindowVbxSpec())


@pytest.mark.slow
def test_a_diarizer_keeps_its_method_and_its_windows_are_clustered_by_it(
    trained: Path,  # noqa: F811
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = read_diarizer(trained / "d.safetensors")
    assert file.diarizer.vbx is None
    spec = WindowVbxSpec(fa=0.1, fb=3.0)
    save_diarizer(replace(file, diarizer=replace(file.diarizer, vbx=spec)), tmp_path / "v.safetensors")
    kept = read_diarizer(tmp_path / "v.safetensors")
    assert kept.diarizer.vbx == spec
    assert command("inspect", tmp_path / "v.safetensors") == 0
    said = capsys.readouterr().out
    assert "VBx with Fa 0.1, Fb 3, loop probability 0.9" in said
    assert "merging" not in said
    ((_, result),) = diarize_recordings(kept, [trained / "calls" / "two.wav"])
    assert not isinstance(result, DataError)
    words = (
        "diarize",
        trained / "calls" / "two.wav",
        "--model",
        tmp_path / "v.safetensors",
        "--out",
        tmp_path / "o.rttm",
    )
    assert command(*words, "-q") == 0
    assert read_rttm(tmp_path / "o.rttm")["two"] == [
        Turn(round(one.start, 3), round(one.end, 3), one.speaker) for one in result.turns
    ]
    assert command(*words, "-q", "--n-speakers", "2") != 0


@pytest.mark.slow
def test_the_published_example_gives_the_turns_of_its_authors(capsys: pytest.CaptureFixture[str]) -> None:
    if not EXAMPLE.is_dir():
        pytest.skip("the authors' example of VBx is not there (../shared/references/vbx)")
    pytest.importorskip("h5py", reason="the example's transform is an HDF5 file")
    words = ("--segments", EXAMPLE / "ES2005a.seg", "--plda", EXAMPLE / "plda", "--transform", EXAMPLE / "transform.h5")
    settings = ("--dims", 128, "--fa", 0.3, "--fb", 17, "--loop-probability", 0.99)
    reference = ("--reference", EXAMPLE / "ES2005a.rttm", "--format", "rttm")
    assert command("diarize", EXAMPLE / "ES2005a.ark", "--method", "vbx", *words, *settings, *reference) == 0
    printed = capsys.readouterr().out
    assert len({line.split()[7] for line in printed.splitlines() if line.startswith("SPEAKER")}) == 5
    assert "DER 0.0 %" in printed  # the RTTM of the example is what the authors' program finds
    assert "JER 0.0 %" in printed
