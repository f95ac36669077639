"""A corpus for other programs: what is written is read back the same, and other tools read it."""

from dataclasses import replace
from pathlib import Path

import kaldi_native_io
import numpy as np
import pytest
import soundfile
from conftest import hum
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

from speechgmm.config import load_config
from speechgmm.corpus import Corpus, Utterance
from speechgmm.corpus.readers.kaldi import read_kaldi
from speechgmm.corpus.readers.manifest import read_manifest
from speechgmm.corpus.writers.kaldi import kaldi_names, write_kaldi
from speechgmm.engine.console import Console
from speechgmm.engine.corpus_export import export_corpus
from speechgmm.engine.extraction import extract
from speechgmm.engine.job import Job, prepare
from speechgmm.engine.runs import run
from speechgmm.errors import ConfigError, DataError
from speechgmm.io.frame_files import list_sources, read_frames
from speechgmm.io.frame_files.htk import read_header
from speechgmm.io.given_frames import source_at
from speechgmm.io.run_files import RunFile


def job_of(config_file: Path, *overrides: str) -> Job:
    return prepare(load_config(config_file, overrides), console=Console(quiet=True))


def plain(corpus: Corpus) -> list[tuple[object, ...]]:
    """Utterances without where they were declared, sorted by id."""
    return sorted(
        (one.id, str(one.path), one.start or 0.0, one.end, one.split, tuple(sorted((one.labels or {}).items())))
        for one in corpus
    )


# ---- Kaldi ----

words = st.text(st.characters(categories=["L", "N", "P"], max_codepoint=0x2000), min_size=1, max_size=5)


@settings(max_examples=30)
@given(
    rows=st.lists(
        st.tuples(words, words, st.none() | st.floats(0, 5), st.none() | st.floats(0.1, 5), words, words),
        min_size=1,
        max_size=6,
        unique_by=lambda row: row[0],
    ),
    split=st.sampled_from(["", "train", "test"]),
)
def test_a_corpus_is_read_back_from_data_directories(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple], split: str
):
    root = tmp_path_factory.mktemp("kaldi")
    utterances = tuple(
        Utterance(
            name,
            root / "audio" / f"{number}.wav",
            None if start is None else round(start, 3),
            None if length is None else round((start or 0) + length, 3),
            split,
            {"speaker": speaker, "text": text, "gender": "f", "lang": lang},
        )
        for number, (name, speaker, start, length, text, lang) in enumerate(rows)
    )
    corpus, _ = kaldi_names(Corpus(utterances, "speaker", root))
    write_kaldi(root / "data", corpus)
    back = read_kaldi(root / "data", root, "lang")
    without = [
        replace(one, labels={k: v for k, v in one.labels.items() if k not in ("utterance", "recording")})
        for one in back
    ]
    assert plain(replace(back, utterances=tuple(without))) == plain(corpus)
    order = [line.split()[0].encode() for line in (root / "data" / split / "utt2spk").read_text().splitlines()]
    assert order == sorted(order)
    speakers = [line.split()[1].encode() for line in (root / "data" / split / "utt2spk").read_text().splitlines()]
    assert speakers == sorted(speakers)


def test_columns_that_are_files_of_kaldis_own_are_refused_and_no_gender_that_is_known_is_lost(tmp_path: Path):
    def written(**labels: str) -> Path:
        rows = ({"speaker": "a", "text": "x"}, {"speaker": "b", **labels})
        utterances = tuple(Utterance(row["speaker"], tmp_path / "a.wav", labels=row) for row in rows)
        write_kaldi(tmp_path / "data", Corpus(utterances, "speaker", tmp_path))
        return tmp_path / "data"

    for column in ("spk", "dur", "num_frames", "uniq", "my column", "a/b"):
        with pytest.raises(DataError, match=f"the column '{column}' would be the file utt2{column}, .*; rename it"):
            written(**{column: "x"})
        assert not (tmp_path / "data").exists()
    assert (written(gender="female") / "spk2gender").read_text() == "b f\n"


def test_ids_that_kaldi_does_not_take_are_changed_and_said_and_never_the_same():
    def named(*ids: str, speakers: str = "") -> tuple[list[str], tuple[str, ...]]:
        pairs = zip(ids, speakers or ids, strict=True)
        corpus = Corpus(tuple(Utterance(i, Path("a.wav"), labels={"speaker": s}) for i, s in pairs), "speaker", Path())
        renamed, notes = kaldi_names(corpus)
        return [one.id for one in renamed], notes

    assert named("a", "b") == (["a", "b"], ())
    ids, notes = named("x y", "z")
    assert ids == ["x_y", "z"]
    assert "white space" in notes[0]
    ids, notes = named("1", "2", speakers="ba")
    assert ids == ["b-1", "a-2"]
    assert "speaker stands before" in notes[0]
    with pytest.raises(DataError, match="'x y' and 'x_y' are both 'x_y'"):
        named("x y", "x_y")


def test_kaldi_reads_the_frames_that_are_exported_and_they_are_those_of_the_run(config_file: Path, tmp_path: Path):
    job = job_of(config_file, "corpus.label=speaker")
    assert export_corpus(job, tmp_path / "k", "kaldi", with_frames=True) == [
        tmp_path / "k" / "train",
        tmp_path / "k" / "test",
    ]
    expected = {one.id: piece for one, piece in zip(*(lambda f: (f.corpus, f.pieces))(extract(job)), strict=True)}
    read = {}
    for split in ("train", "test"):
        with kaldi_native_io.SequentialFloatMatrixReader(f"scp:{tmp_path}/k/{split}/feats.scp") as reader:
            read |= {name: np.array(matrix) for name, matrix in reader}
    assert len(read) == len(expected) == 24
    for one in job.corpus:
        name = next(name for name in read if name.endswith(one.id))
        frames = expected[one.id].normalisation.apply(read[name]) if expected[one.id].normalisation else read[name]
        np.testing.assert_allclose(frames, expected[one.id].load(), atol=1e-5)
    assert {name for split in ("train", "test") for name in list_sources(tmp_path / "k" / split)} == {*read}
    back = read_kaldi(tmp_path / "k", None, "speaker")
    assert sorted(one.path for one in back) == sorted(job.corpus.paths())


# ---- frames ----


@pytest.mark.parametrize("form", ["npy", "npz", "htk", "sphinx"])
def test_exported_frames_and_their_manifest_fit_together(config_file: Path, tmp_path: Path, form: str):
    job = job_of(config_file)
    export_corpus(job, tmp_path, form, as_models_see_them=True)
    sources = list_sources(tmp_path / ("features.npz" if form == "npz" else "features"))
    back = read_manifest(tmp_path / "manifest.tsv", job.corpus.root, job.corpus.label)
    assert plain(back) == plain(job.corpus)
    features = extract(job)
    for one, piece in zip(features.corpus, features.pieces, strict=True):
        source = replace(sources[one.id], dimension=piece.load().shape[1])
        np.testing.assert_array_equal(read_frames(source), piece.load())


@pytest.mark.slow
@pytest.mark.parametrize("form", ["npz", "kaldi"])
def test_models_of_exported_frames_are_those_of_the_recordings(config_file: Path, tmp_path: Path, form: str):
    console, place = Console(quiet=True), tmp_path / "out"
    first = run(load_config(config_file), output=tmp_path / "first", console=console)
    export_corpus(job_of(config_file), place, form, with_frames=form == "kaldi")
    corpus = {
        "npz": f"{{kind: manifest, path: {place}/manifest.tsv, root: hums, features: {place}/features.npz, ",
        "kaldi": f"{{kind: kaldi, path: {place}, ",
    }[form]
    again = config_file.with_name("again.yaml")
    again.write_text(
        f"corpus: {corpus}label: pitch}}\nfeatures: {{kind: given, n_dims: 26}}\n"
        "model: {n_components: 4, max_iter: 5}\ncache: cache\nparallel: {n_jobs: 1}\n"
    )
    second = run(load_config(again), output=tmp_path / "second", console=console)
    models = [load_file(result.folder / RunFile.MODELS) for result in (first, second)]
    for name in ("weights", "means", "variances", "floor", "log_priors"):
        assert models[0][name].tobytes() == models[1][name].tobytes(), name
    export_corpus(job_of(again), tmp_path / "htk", "htk")
    path = next((tmp_path / "htk" / "features").rglob("*.htk"))
    header = read_header(path.read_bytes()[:12], path.stat().st_size)
    assert header is not None
    assert (header.frame_shift, header.dimension, header.kind) == (0.01, 26, "USER")


def test_a_data_directory_of_features_alone_is_written_and_read(config_file: Path, tmp_path: Path):
    export_corpus(job_of(config_file), tmp_path / "all", "npz")
    given = config_file.with_name("given.yaml")
    given.write_text(
        f"corpus: {{kind: manifest, path: {tmp_path}/all/manifest.tsv, root: hums, label: pitch, "
        f"features: {tmp_path}/all/features.npz}}\nfeatures: {{kind: given}}\ncache: cache\nparallel: {{n_jobs: 1}}\n"
    )
    with pytest.raises(ConfigError, match="has features alone"):
        export_corpus(job_of(given), tmp_path / "k", "kaldi")
    export_corpus(job_of(given), tmp_path / "k", "kaldi", with_frames=True)
    assert not [*tmp_path.rglob("k/*/wav.scp")]
    with pytest.raises(DataError, match=r"no wav\.scp"):
        read_kaldi(tmp_path / "k", None, "pitch")
    back = read_kaldi(tmp_path / "k", None, "pitch", given=True)
    expected = {one.id: (one.split, one.label("pitch")) for one in job_of(given).corpus}
    assert {one.id: (one.split, one.label("pitch")) for one in back} == expected
    every = list_sources(tmp_path / "all" / "features.npz")
    for one in back:
        np.testing.assert_array_equal(read_frames(source_at(one.path)), read_frames(every[one.id]))


def test_all_frames_are_written_unless_those_of_models_are_asked_for(config_file: Path, tmp_path: Path):
    quiet = hum(0, 200.0) * np.repeat([1, 1e-3], 2400)
    soundfile.write(config_file.parent / "hums" / "low" / "0.wav", quiet.astype(np.float32), 8000)
    job = job_of(config_file, "features={deltas: 1, vad: energy}")
    export_corpus(job, tmp_path / "all", "npz")
    export_corpus(job, tmp_path / "models", "npz", as_models_see_them=True)
    every, models = (
        {k: read_frames(s) for k, s in list_sources(tmp_path / n / "features.npz").items()} for n in ("all", "models")
    )
    pieces = extract(job).pieces
    assert sum(map(len, every.values())) == sum(piece.n_rows for piece in pieces)
    assert sum(map(len, models.values())) == sum(piece.count() for piece in pieces) < sum(map(len, every.values()))
    assert {frames.shape[1] for frames in every.values()} == {pieces[0].load().shape[1]}


def test_what_a_format_cannot_hold_is_refused_before_anything_is_written(config_file: Path, tmp_path: Path):
    job = job_of(config_file)
    for form, wishes, named in (
        ("praat", {}, "expected one of kaldi, lhotse, npz"),
        ("lhotse", {"with_frames": True}, "hold no frames"),
        ("kaldi", {"as_models_see_them": True}, "no frames are asked for"),
    ):
        with pytest.raises(ConfigError, match=named):
            export_corpus(job, tmp_path / "x", form, **wishes)
    outside = replace(job.corpus.utterances[0], id="../../outside")
    wrong = replace(job, corpus=replace(job.corpus, utterances=(outside, *job.corpus.utterances[1:])))
    with pytest.raises(DataError, match="cannot be the name of a file"):
        export_corpus(wrong, tmp_path / "x", "npy")
    assert not (tmp_path / "x").exists()
