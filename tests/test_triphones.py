"""Laws of tied triphones: from alignments to trees to states, and what a run, a file and an alignment make of them."""

import csv
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import hum

from speechgmm.cli.inspection import inspect
from speechgmm.config import load_config
from speechgmm.engine import run
from speechgmm.engine.console import Console
from speechgmm.errors import ConfigError, DataError
from speechgmm.features.transforms import TransformSpec
from speechgmm.hmm import HMMSpec, StateStack, Utterance, linear, train_hmms, viterbi
from speechgmm.hmm.held_alignments import HeldTraining
from speechgmm.hmm.tied_states import BOUNDARY, Split
from speechgmm.hmm.transform_training import train_transform
from speechgmm.hmm.triphone_training import align_contexts, n_passes_triphones, tie_states, train_triphones
from speechgmm.tasks.recognition.alignment_command import Align
from speechgmm.tasks.recognition.codec import read_recogniser
from speechgmm.tasks.recognition.command import Recognise

RATE = 8000
LEXICON = {"ab": (("a", "b"),), "ba": (("b", "a"),), "aba": (("a", "b", "a"),), "b": (("b",),)}
SPEC = HMMSpec(n_states=1, silence_states=1, n_components=2, iterations=3, frames_per_component=5, context="triphone")
TOPOLOGY = SPEC.topology(("a", "b", "sil"), "sil")


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """What trees ask of the data, for a minute of it."""
    for name, value in {"LEAST_FRAMES": 15.0, "LEAST_GAIN": 5.0, "FRAMES_PER_STATE": 100}.items():
        monkeypatch.setattr(f"speechgmm.hmm.triphone_training.{name}", value)


def said(n=30, seed=0):
    """Words whose a is at 6 after b and at 3 elsewhere; b at -3, silence at 0."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(n):
        words = tuple(str(word) for word in rng.choice(list(LEXICON), 3))
        means = [0.0] * 4
        for word in words:
            (way,) = LEXICON[word]
            for place, phone in enumerate(way):
                after_b = place > 0 and way[place - 1] == "b"
                means += [-3.0 if phone == "b" else 6.0 if after_b else 3.0] * int(rng.integers(3, 6))
            means += [0.0] * 3
        frames = np.array(means)[:, None] + 0.5 * rng.normal(size=(len(means), 2))
        build = partial(linear, words=words, lexicon=LEXICON, silence="sil")
        sequence = ("sil", *(phone for word in words for phone in LEXICON[word][0]), "sil")
        found.append(Utterance(f"u{number}", frames, len(frames), sequence, build))
    return found


@pytest.fixture(scope="module")
def first():
    """Utterances, and units that align them."""
    utterances = said()
    spec = HMMSpec(n_states=1, silence_states=1, n_components=2, iterations=6, frames_per_component=5)
    return utterances, train_hmms(utterances, TOPOLOGY, spec).units


@pytest.mark.parametrize("questions", [None, [("b",), ("a", "b")]])
def test_trees_find_the_context_that_changes_a_sound_and_silence_has_one_state(first, questions):
    utterances, units = first
    tied = tie_states(HeldTraining.of(utterances, SPEC), units, SPEC, silence="sil", questions=questions)
    a, _, silence = tied.units.tied.trees
    root = a.nodes[0]
    assert isinstance(root, Split)
    assert root.question.side == "left"
    after_b = [tied.units.emissions[a.emission(1, right)].means[0, 0] for right in (BOUNDARY, 0, 1)]
    at_start = [tied.units.emissions[a.emission(BOUNDARY, right)].means[0, 0] for right in (BOUNDARY, 0, 1)]
    np.testing.assert_allclose(after_b, 6.0, atol=0.3)
    np.testing.assert_allclose(at_start, 3.0, atol=0.3)
    assert len(silence.nodes) == 1
    assert (np.diff(tied.trace) > 0).all()


def test_the_alignment_in_tied_states_is_the_same_path_over_the_graph_of_tied_units(first):
    utterances, units = first
    tied = tie_states(HeldTraining.of(utterances, SPEC), units, SPEC, silence="sil")
    stack = StateStack.of(units.emissions)
    for utterance, states in zip(utterances, tied.alignments.states, strict=True):
        path = viterbi(utterance.build(units), stack.log_likelihoods(stack.rows(utterance.frames)))
        np.testing.assert_array_equal(states, utterance.build(tied.units).states[path.nodes])


def test_trees_and_triphones_do_not_depend_on_who_maps(first, monkeypatch):
    monkeypatch.setattr("speechgmm.hmm.training.PARCEL", 150)
    utterances, units = first

    def trained(map):
        found, _ = train_triphones(utterances, units, SPEC, silence="sil", map=map)
        return found.tied.trees, b"".join(model.means.tobytes() for model in found.emissions)

    with ThreadPoolExecutor(3) as pool:
        assert trained(pool.map) == trained(map)


def test_a_transform_is_learnt_from_tied_states_and_leaves_the_trees_as_they_are(first):
    utterances, units = first
    learnt = partial(train_transform, how=TransformSpec(kind="mllt"), spec=SPEC, n_static=2)
    plain, _ = train_triphones(utterances, units, SPEC, silence="sil")
    turned, transform = train_triphones(utterances, units, SPEC, silence="sil", transform=learnt)
    assert plain.tied.trees == turned.tied.trees
    moved = [replace(one, frames=transform.apply(one.frames)) for one in utterances]
    states = HeldTraining.of(moved, SPEC).align(turned).states
    same = [np.mean(a == b) for a, b in zip(states, HeldTraining.of(utterances, SPEC).align(plain).states, strict=True)]
    assert np.mean(same) > 0.97


def test_no_more_passes_are_made_than_the_bar_says(first):
    utterances, units = first
    calls = []

    def counted(function, tasks):
        calls.append(function)
        return map(function, tasks)

    learnt = partial(train_transform, how=TransformSpec(kind="mllt"), spec=SPEC, n_static=2, map=counted)
    train_triphones(utterances, units, SPEC, silence="sil", transform=learnt, map=counted)
    assert len(calls) <= n_passes_triphones(SPEC)


@pytest.mark.parametrize("total", [9, 14])
def test_triphones_share_a_total_number_of_gaussians_and_at_most_as_many_states_as_are_asked_for(first, total):
    utterances, units = first
    spec = HMMSpec(
        n_states=1, silence_states=1, frames_per_component=5, context="triphone", total_components=total, tied_states=5
    )
    found, none = train_triphones(utterances, units, spec, silence="sil")
    assert none is None
    assert sum(model.n_components for model in found.emissions) == total
    assert 3 < len(found.emissions) <= 5


def test_an_utterance_that_no_path_explains_is_named(first):
    utterances, units = first
    short = Utterance("short", np.zeros((2, 2)), 2, ("a", "b", "a"), partial(linear, words=["aba"], lexicon=LEXICON))
    held = HeldTraining.of([*utterances, short], SPEC)
    with pytest.raises(DataError, match="'short'"):
        align_contexts(held, units)


PITCH = {"L": 110.0, "M": 180.0, "H": 320.0}
WORDS = {"up": "LH", "down": "HL", "flat": "MM", "high": "HMH"}
NEW = {"new": "LML"}


def spoken(words, seed):
    """Samples of words with pauses between them; M is higher between others than after itself."""
    rng = np.random.default_rng(seed)
    parts = [1e-3 * rng.standard_normal(960).astype(np.float32)]
    for n, word in enumerate(words):
        way = (WORDS | NEW)[word]
        for m, unit in enumerate(way):
            pitch = PITCH[unit] * (1.35 if unit == "M" and m and way[m - 1] == "H" else 1.0)
            parts.append(hum(7 * seed + 3 * n + m, pitch * rng.uniform(0.97, 1.03), seconds=0.16))
        parts.append(1e-3 * rng.standard_normal(960).astype(np.float32))
    return np.concatenate(parts)


@pytest.fixture(scope="module")
def sentences(tmp_path_factory):
    """A manifest of strings of words by three speakers, a dictionary, and a configuration."""
    folder = tmp_path_factory.mktemp("triphones")
    rng = np.random.default_rng(0)
    rows = ["path\ttext\tspeaker\tsplit"]
    for n in range(24):
        words = [str(word) for word in rng.choice(list(WORDS), 3)]
        soundfile.write(folder / f"{n}.wav", spoken(words, n), RATE)
        rows.append(f"{n}.wav\t{' '.join(words)}\ts{n % 3}\t{'test' if n % 3 == 2 else 'train'}")
    (folder / "m.tsv").write_text("\n".join(rows) + "\n")
    (folder / "words.dict").write_text("up L H\ndown H L\nflat M M\nhigh H M H\n")
    (folder / "more.dict").write_text("new L M L\n")
    (folder / "questions.txt").write_text("# high and low\nH M\nL\n")
    config = folder / "strings.yaml"
    config.write_text(
        "task: recognition\n"
        f"corpus: {{path: m.tsv, label: text, group: speaker, sample_rate: {RATE}}}\n"
        "features: {n_ceps: 8}\n"
        "hmm: {n_states: 2, silence_states: 1, n_components: 2, iterations: 4, variance_prior: 5, context: triphone}\n"
        "recognition: {dictionary: words.dict, silence: sil, language: loop}\n"
        f"cache: cache\noutput: {folder / 'run'}\nparallel: {{n_jobs: 1}}\nreport: {{audio: 0}}\n"
    )
    return config


def quiet():
    return Console(quiet=True)


def rows_of(path: Path):
    return list(csv.DictReader(path.read_text().splitlines(), delimiter="\t"))


@pytest.mark.slow
def test_a_run_recognises_with_triphones_says_their_contexts_and_aligns_words_of_any_dictionary(sentences, capsys):
    result = run(sentences, console=quiet())
    assert result.metrics["error_rate"]["value"] < 0.05
    units = read_recogniser(result.folder / "models.safetensors").recogniser.units
    assert units.labels == ("H", "L", "M", "sil")
    rows = rows_of(result.folder / "tied_states.tsv")
    assert [int(row["tied_state"]) for row in rows] == list(range(len(units.emissions)))
    assert len(rows) > units.n_states
    assert {row["contexts"] for row in rows if row["unit"] == "sil"} == {"all"}
    assert all(
        "left is" in row["contexts"] or "right is" in row["contexts"] or row["contexts"] == "all" for row in rows
    )
    n_gaussians = sum(model.n_components for model in units.emissions)
    for name in ("tied_states.tsv", "units.tsv"):
        assert sum(int(row["components"]) for row in rows_of(result.folder / name)) == n_gaussians
    assert f"{len(rows)} tied states of triphones" in inspect(result.folder / "models.safetensors")
    audio = [sentences.parent / "2.wav"]
    assert Recognise(model=result.folder, audio=audio, form="jsonl", quiet=True).run() == 0
    assert '"label": "H"' in capsys.readouterr().out  # phones, not triphones
    audio, dictionary = [sentences.parent / "new.wav"], sentences.parent / "more.dict"
    soundfile.write(audio[0], spoken(["new"], 99), RATE)
    align = Align(model=result.folder, audio=audio, text="new", dictionary=dictionary, form="text", quiet=True)
    assert align.run() == 0
    printed = [line.split()[-1] for line in capsys.readouterr().out.splitlines()]
    assert [label for label in printed if label in PITCH] == ["L", "M", "L"]


@pytest.mark.slow
def test_triphones_after_a_transform_are_adapted_to_speakers_and_all_is_in_one_file(sentences):
    overrides = ["features.transform={kind: lda, dim: 6, splice: 1, mllt: true}", "hmm.adapt=fmllr"]
    result = run(sentences, overrides, output=sentences.parent / "adapted", console=quiet())
    assert result.metrics["error_rate"]["value"] < 0.05
    file = read_recogniser(result.folder / "models.safetensors")
    assert file.recogniser.units.tied is not None
    assert file.recogniser.adaptation is not None
    assert file.audio.transform.matrix.shape == (6, 3 * 8)
    assert file.recogniser.units.emissions[0].n_features == 6


@pytest.mark.slow
def test_questions_of_a_file_are_asked_and_what_cannot_be_asked_is_named(sentences):
    folder = sentences.parent
    result = run(sentences, [f"hmm.questions={folder / 'questions.txt'}"], output=folder / "asked", console=quiet())
    units = read_recogniser(result.folder / "models.safetensors").recogniser.units
    asked = {
        tuple(sorted(node.question.units))
        for tree in units.tied.trees
        for node in tree.nodes
        if isinstance(node, Split)
    }
    assert asked
    assert asked <= {(0, 2), (1,), (BOUNDARY,)}
    for text, error in (
        ("X Y\n", r"wrong\.txt: 2 phones that the dictionary does not have: X, Y; expected some of H, L"),
        ("\n", "no question"),
        (b"\xff\xfe\xfa", r"wrong\.txt: not a list of questions \(hmm\.questions\) in UTF-8"),
    ):
        (folder / "wrong.txt").write_bytes(text if isinstance(text, bytes) else text.encode())
        with pytest.raises(DataError, match=error):
            run(sentences, [f"hmm.questions={folder / 'wrong.txt'}"], output=folder / "wrong", console=quiet())
    with pytest.raises(DataError, match=r"none\.txt: there is no such file"):
        run(sentences, [f"hmm.questions={folder / 'none.txt'}"], output=folder / "wrong", console=quiet())
    # A byte order mark, and a phone that no training transcript has.
    (folder / "words.dict").write_text((folder / "words.dict").read_text() + "odd X\n")
    (folder / "rare.txt").write_bytes(b"\xef\xbb\xbfX H L\r\nX\r\n")
    run(sentences, [f"hmm.questions={folder / 'rare.txt'}"], until="train", output=folder / "rare", console=quiet())


@pytest.mark.parametrize(
    ("overrides", "error"),
    [
        (["recognition.dictionary=null"], "no recognition.dictionary"),
        (["hmm.context=none", "hmm.tied_states=20"], "are of hmm.context: triphone"),
        (["hmm.context=none", "hmm.questions=questions.txt"], "are of hmm.context: triphone"),
        (["hmm.context=none", "hmm.total_components=20"], "hmm.total_components is 20"),
    ],
)
def test_settings_of_triphones_that_would_have_no_effect_are_refused(sentences, overrides, error):
    with pytest.raises(ConfigError, match=error):
        load_config(sentences, overrides)
