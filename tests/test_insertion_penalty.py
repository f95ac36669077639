"""Laws of the insertion penalty that is chosen: who is held out, what is counted, where the choice is found again."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_recognition import quiet, sentences

from speechgmm.config import load_config
from speechgmm.engine import run
from speechgmm.engine.console import Console
from speechgmm.engine.job import prepare
from speechgmm.errors import ConfigError
from speechgmm.evaluation import align_labels
from speechgmm.gmm import DiagGMM
from speechgmm.hmm import HMM, Decoder, Recogniser, Units, left_to_right, word_loop
from speechgmm.hmm.adaptation import Adaptation
from speechgmm.tasks.recognition.codec import read_recogniser
from speechgmm.tasks.recognition.penalties import LADDER, best_penalty, choose_penalties, hold_out, plateau
from speechgmm.tasks.recognition.transcripts import Transcript

__all__ = ["sentences"]


@dataclass(frozen=True)
class Frames:
    """Frames in memory, as a piece of a feature store is read."""

    frames: Any

    def load(self) -> Any:
        return self.frames


def transcript(name: str, words: str, group: str, *, copy: bool = False, frames: Any = None) -> Transcript:
    return Transcript(name, Frames(frames), tuple(words.split()), None, group, copy)  # type: ignore[arg-type]


told = st.lists(st.tuples(st.sampled_from("pqrst"), st.text("abcde", min_size=1, max_size=3)), min_size=1, max_size=20)


@settings(max_examples=40, deadline=None)
@given(told)
def test_whole_groups_are_held_out_and_every_unit_stays_in_training(utterances: list[tuple[str, str]]) -> None:
    said = [transcript(str(n), " ".join(text), group) for n, (group, text) in enumerate(utterances)]
    said += [replace(one, copy=True) for one in said[::2]]  # a copy has the name of its original
    lexicon = {word: ((word, "every"),) for word in "abcde"}
    kept, tests = hold_out(said, lexicon)
    assert {one.id for one in kept}.isdisjoint(one.id for one in tests)
    assert not any(one.copy for one in tests)
    assert {word for one in kept for word in one.words} == {word for one in said for word in one.words}
    of_a_group = {one.group for one in kept}.isdisjoint(one.group for one in tests)
    assert of_a_group or len(tests) <= max(1, len(utterances) // 5)
    if len({one.group for one in said}) == 1 and len({one.words for one in said}) == 1 and len(utterances) > 1:
        assert len(tests) == max(1, len(utterances) // 5)


def test_one_of_five_groups_is_held_out_and_others_only_where_a_unit_would_be_lost() -> None:
    said = [transcript(f"{group}{n}", word, group) for group in "abcdefghij" for n, word in enumerate("xy")]
    _, tests = hold_out(said, {"x": (("x",),), "y": (("y",),)})
    assert sorted({one.group for one in tests}) == ["a", "f"]
    _, tests = hold_out([*said, transcript("z", "z", "a")], {word: ((word,),) for word in "xyz"})
    assert sorted({one.group for one in tests}) == ["b", "f"]


def test_the_penalty_is_in_the_middle_of_those_that_are_as_good_as_the_best() -> None:
    penalties = np.arange(0, 105, 5)
    counts = 100 + 0.1 * (penalties - 45.0) ** 2
    counts[11] -= 11  # noise of one penalty
    errors = dict(zip(penalties.tolist(), counts.round().astype(int).tolist(), strict=True))
    assert min(errors, key=lambda penalty: errors[penalty]) == 55
    low, high = plateau(errors)
    assert best_penalty(errors) == pytest.approx(45, abs=5)
    assert (
        max(errors[one] for one in errors if low <= one <= high) <= min(errors.values()) + min(errors.values()) ** 0.5
    )
    assert best_penalty({-10.0: 3, 0.0: 0, 10.0: 0, 20.0: 0, 40.0: 5}) == 0  # which has to be worse to be left


def test_the_choice_has_few_errors_by_a_loop_over_penalties(sentences: Path) -> None:
    job = prepare(sentences, ["recognition.count_as={c: b}"], console=quiet())
    rng = np.random.default_rng(0)
    hmms = tuple(HMM((DiagGMM([1.0], [[mean]], [[1.0]]),), left_to_right(1)) for mean in (0.0, 2.0, 9.0))
    words = {label: ((label,),) for label in "abc"}
    recogniser = Recogniser(Units(("a", "b", "c"), hmms), words, word_loop(words))
    tests = []
    for n in range(20):
        labels = rng.choice(list("ab"), 3)
        frames = np.concatenate([rng.normal(2.0 * (label == "b"), 1, (12, 1)) for label in labels])
        tests.append(transcript(str(n), " ".join(labels), f"g{n % 3}", frames=frames))
    ((choice),) = choose_penalties(job, [(recogniser, tests)])
    assert choice is not None

    def rate(penalty: float) -> float:
        decoder = Decoder.of(replace(recogniser, insertion_penalty=penalty))
        errors = 0
        for one in tests:
            heard = [word.label.replace("c", "b") for word in decoder.recognise(one.piece.load()).words]
            edits = align_labels(one.words, heard)
            errors += edits.substitutions + edits.deletions + edits.insertions
        return errors / sum(len(one.words) for one in tests)

    assert choice.error_rate == rate(choice.penalty)
    assert choice.without == rate(0.0)
    best = min(rate(penalty) for penalty in range(-20, 60, 4))
    assert choice.error_rate <= best + (best / 60) ** 0.5
    assert choice.without > choice.error_rate + 0.1
    assert (choice.n_utterances, choice.n_groups) == (20, 3)
    assert choose_penalties(job, [(recogniser, [])]) == [None]


def test_a_recogniser_that_adapts_is_judged_on_adapted_frames(sentences: Path) -> None:
    job = prepare(sentences, console=quiet())
    rng = np.random.default_rng(1)
    states = [(DiagGMM([1.0], [[mean, -mean]], [[0.3, 0.3]]),) * 2 for mean in (0.0, 6.0)]
    words = {label: ((label,),) for label in "ab"}
    units = Units(("a", "b"), tuple(HMM(models, left_to_right(2)) for models in states))
    plain = Recogniser(units, words, word_loop(words))
    tests = []
    for n in range(12):
        labels = rng.choice(list("ab"), 4)
        means = np.repeat([[6.0, -6.0] if label == "b" else [0.0, 0.0] for label in labels], 10, axis=0)
        shift = [2.9, -2.9] if n % 2 else [0.0, 0.0]  # of one of two speakers
        frames = means + shift + rng.normal(0, 1.0, means.shape)
        tests.append(transcript(str(n), " ".join(labels), f"g{n % 2}", frames=frames))
    adapted = replace(plain, adaptation=Adaptation(prior=10.0))
    (choice,) = choose_penalties(job, [(adapted, tests)])
    assert choice is not None

    def errors(penalty: float, frames: list[Any]) -> int:
        decoder = Decoder.of(replace(plain, insertion_penalty=penalty))
        heard = [decoder.recognise(one).labels for one in frames]
        edits = [align_labels(one.words, labels) for one, labels in zip(tests, heard, strict=True)]
        return sum(one.substitutions + one.deletions + one.insertions for one in edits)

    raw = [one.piece.load() for one in tests]
    first = best_penalty({penalty: errors(penalty, raw) for penalty in LADDER})
    graph = replace(adapted, insertion_penalty=first).graph()
    adapter = adapted.adapter()
    assert adapter is not None
    speakers = [adapter.transform([(one, graph) for one in raw[n::2]]).transform for n in range(2)]
    moved = [speakers[n % 2].apply(one) for n, one in enumerate(raw)]
    assert choice.error_rate == errors(choice.penalty, moved) / 48
    assert choice.error_rate != errors(choice.penalty, raw) / 48


@pytest.mark.slow
def test_the_choice_is_told_and_kept_in_the_model_file(sentences: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folds = ["corpus.split={kind: leave-one-out, by: speaker}"]
    result = run(sentences, folds, console=Console())
    told = "insertion penalty: {:g} nats, chosen on 6 training utterances of 1 group by a recogniser of the others: "
    choice = json.loads((result.folder / "metrics.json").read_text())["insertion_penalty"]
    assert told.format(choice["penalty"]) in capsys.readouterr().err
    assert read_recogniser(result.folder / "models.safetensors").recogniser.insertion_penalty == choice["penalty"]
    assert "chosen on 6 training utterances of 1 group, with" in (result.folder / "report.html").read_text()


def test_a_penalty_that_is_given_or_cannot_matter_is_not_chosen(
    sentences: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("speechgmm.tasks.recognition.training.hold_out", None)  # whoever calls it fails
    result = run(sentences, ["recognition.insertion_penalty=-3"], until="train", console=quiet())
    assert read_recogniser(result.folder / "models.safetensors").recogniser.insertion_penalty == -3
    with pytest.raises(ConfigError, match=r"insertion_penalty is 2000000\.0; expected auto, or nats between -1e"):
        load_config(sentences, ["recognition.insertion_penalty=2e6"])


def test_where_nothing_can_be_held_out_the_penalty_is_0_and_a_warning_says_so(
    sentences: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = (sentences.parent / "m.tsv").read_text().splitlines()
    spoken = max((row for row in rows if row.endswith("train")), key=len)
    (sentences.parent / "m.tsv").write_text("\n".join([rows[0], spoken]) + "\n")
    run(sentences, until="train", console=Console())
    assert "the insertion penalty is 0: no training utterance can be held out" in capsys.readouterr().err
