"""Error rates of who speaks when, RTTM files, and conversations made of single speakers."""

from itertools import pairwise, permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from speechgmm.errors import ConfigError, DataError
from speechgmm.evaluation import interval, rate_interval
from speechgmm.evaluation.diarization import (
    DiarizationErrors,
    Turn,
    der_interval,
    diarization_errors,
    pooled_der,
    speaker_mapping,
)
from speechgmm.io.rttm import parse_rttm, read_rttm, rttm, write_rttm
from speechgmm.tasks.diarization import make_conversation

PARTS = ("speech", "miss", "false_alarm", "confusion")

FROM_MD_EVAL = {
    (2, 0.0, False): [66.1, 14.5, 54.0, 7.1],
    (2, 0.25, False): [57.0, 12.0, 47.0, 5.75],
    (2, 0.0, True): [27.2, 0.7, 47.2, 7.1],
    (2, 0.25, True): [23.6, 0.45, 40.8, 5.75],
    (2, 1.0, False): [33.1, 4.0, 31.4, 2.6],
    (7, 0.25, False): [76.4, 45.75, 3.3, 2.4],
    (7, 1.0, False): [34.2, 19.2, 1.8, 0.8],
    (11, 0.25, False): [71.8, 33.9, 2.6, 11.25],
    (11, 0.0, True): [29.7, 16.7, 3.3, 7.8],
    (11, 0.25, True): [27.7, 15.7, 2.6, 7.55],
    (11, 1.0, False): [47.7, 26.5, 1.1, 7.4],
    (23, 0.25, False): [81.8, 36.0, 15.2, 11.3],
    (23, 0.25, True): [9.3, 0.0, 15.2, 2.6],
    (23, 1.0, False): [33.6, 13.1, 9.5, 3.3],
}
"""(seed, -c, -1) -> scored, missed, false alarm and confused speaker time of NIST's md-eval.pl, version 22 (Debian's
package sctk), for ``drawn(seed)`` with a UEM file that holds all of it. Sixty seeds and five settings were compared
when these were written; the largest difference was 5e-14 s."""


def drawn(seed: int) -> tuple[list[Turn], list[Turn]]:
    """Turns of a reference and of a hypothesis, with overlaps."""
    rng = np.random.default_rng(seed)

    def side(n_speakers: int, n_turns: int, name: str) -> list[Turn]:
        turns = []
        for speaker in range(n_speakers):
            cuts = np.sort(rng.choice(600, 2 * n_turns, replace=False)) / 10
            turns += [Turn(float(a), float(b), f"{name}{speaker}") for a, b in cuts.reshape(-1, 2)]
        return sorted(turns)

    return side(1 + seed % 4, 1 + seed % 5, "r"), side(1 + seed % 5, 1 + seed % 3, "h")


def by_pyannote(seed: int, collar: float, skip_overlap: bool) -> tuple[list[float], float]:
    """The parts of DiarizationErrorRate, and JaccardErrorRate, of pyannote.metrics for ``drawn(seed)``."""
    from pyannote.core import Annotation, Segment, Timeline
    from pyannote.metrics.diarization import DiarizationErrorRate, JaccardErrorRate

    def annotated(turns: list[Turn]) -> Annotation:
        found = Annotation()
        for number, turn in enumerate(turns):
            found[Segment(turn.start, turn.end), number] = turn.speaker
        return found.support()  # turns of one speaker that overlap are that speaker speaking once

    reference, hypothesis = map(annotated, drawn(seed))
    uem = Timeline([reference.get_timeline().union(hypothesis.get_timeline()).extent()])
    how = {"collar": collar, "skip_overlap": skip_overlap}
    der = DiarizationErrorRate(**how)(reference, hypothesis, uem=uem, detailed=True)
    jer = JaccardErrorRate(**how)(reference, hypothesis, uem=uem)
    return [der[part] for part in ("total", "missed detection", "false alarm", "confusion")], jer


@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.1, 0.5, 2.0]), st.booleans())
@settings(max_examples=40)
def test_errors_by_pyannotes_convention_are_those_of_pyannote_metrics(
    seed: int, collar: float, skip_overlap: bool
) -> None:
    errors = diarization_errors(*drawn(seed), collar=collar, skip_overlap=skip_overlap, convention="pyannote")
    expected, _ = by_pyannote(seed, collar, skip_overlap)
    np.testing.assert_allclose([getattr(errors, part) for part in PARTS], expected, atol=1e-9)


@pytest.mark.parametrize("seed", [2, 7, 11])  # of two mappings that are as good as each other either could be taken
@pytest.mark.parametrize("collar", [0.0, 0.5])
@pytest.mark.parametrize("skip_overlap", [False, True])
def test_the_jaccard_error_rate_is_that_of_pyannote_metrics(seed: int, collar: float, skip_overlap: bool) -> None:
    errors = diarization_errors(*drawn(seed), collar=collar, skip_overlap=skip_overlap, convention="pyannote")
    assert errors.jer == pytest.approx(by_pyannote(seed, collar, skip_overlap)[1])


REGIONS = [[(0.0, 5.0)], [(2.5, 4.0), (3.5, 9.25), (11.0, 12.0)], [(100.0, 200.0)]]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("regions", REGIONS)
@pytest.mark.parametrize("collar", [0.0, 0.5])
def test_errors_within_regions_are_those_of_pyannote_metrics_with_a_uem(
    seed: int, regions: list[tuple[float, float]], collar: float
) -> None:
    from pyannote.core import Annotation, Segment, Timeline
    from pyannote.metrics.diarization import DiarizationErrorRate

    sides = []
    for turns in drawn(seed):
        side = Annotation()
        for n, turn in enumerate(turns):
            side[Segment(turn.start, turn.end), n] = turn.speaker
        sides.append(side)
    uem = Timeline([Segment(*region) for region in regions])
    parts = DiarizationErrorRate(collar=collar)(*sides, uem=uem, detailed=True)
    errors = diarization_errors(*drawn(seed), collar=collar, convention="pyannote", regions=regions)
    found = [errors.speech, errors.miss, errors.false_alarm, errors.confusion]
    wanted = [parts[name] for name in ("total", "missed detection", "false alarm", "confusion")]
    np.testing.assert_allclose(found, wanted, atol=1e-9)


def test_a_region_over_everything_changes_nothing_and_one_that_is_turned_is_refused() -> None:
    sides = drawn(3)
    assert diarization_errors(*sides, regions=[(-1.0, 1e4)]) == diarization_errors(*sides)
    with pytest.raises(DataError, match="a region from 2 to 1 s"):
        diarization_errors(*sides, regions=[(2.0, 1.0)])


@pytest.mark.parametrize("case", FROM_MD_EVAL)
def test_errors_are_those_of_nists_md_eval(case: tuple[int, float, bool]) -> None:
    seed, collar, skip_overlap = case
    errors = diarization_errors(*drawn(seed), collar=collar, skip_overlap=skip_overlap)
    np.testing.assert_allclose([getattr(errors, part) for part in PARTS], FROM_MD_EVAL[case], atol=1e-9)


def test_nist_maps_speakers_before_the_collar_is_removed_and_pyannote_after() -> None:
    """One hypothesised speaker for two. Three turns of ann, 1 s each, are 3 s in common; one of bob is 2.5 s.

    A collar of 0.25 s on each side leaves 0.5 s of each turn of ann, 1.5 s in all, and 2 s of bob: 3.5 s count. By all
    time the speaker is ann, and bob's 2 s are confused; by the time that remains he is bob, and ann's 1.5 s are.
    """
    reference = [Turn(0, 1, "ann"), Turn(2, 3, "ann"), Turn(4, 5, "ann"), Turn(10, 12.5, "bob")]
    hypothesis = [Turn(turn.start, turn.end, "1") for turn in reference]
    nist = diarization_errors(reference, hypothesis, collar=0.25)
    pyannote = diarization_errors(reference, hypothesis, collar=0.5, convention="pyannote")
    assert nist == DiarizationErrors(3.5, 0.0, 0.0, 2.0, 2, pytest.approx(2 - 1.5 / 3.5))
    assert pyannote == DiarizationErrors(3.5, 0.0, 0.0, 1.5, 2, pytest.approx(2 - 2 / 3.5))
    assert (nist.der, pyannote.der) == pytest.approx((4 / 7, 3 / 7))


@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.1, 0.25, 1.0, 40.0]))
@settings(max_examples=40, deadline=None)
def test_both_conventions_leave_out_the_same_time_and_are_one_without_a_collar(seed: int, side: float) -> None:
    nist = diarization_errors(*drawn(seed), collar=side)
    pyannote = diarization_errors(*drawn(seed), collar=2 * side, convention="pyannote")
    assert (nist.speech, nist.miss, nist.false_alarm) == (pyannote.speech, pyannote.miss, pyannote.false_alarm)
    assert nist.confusion >= pyannote.confusion - 1e-9  # whose mapping is the best for what counts
    assert 0 <= nist.jaccard_errors <= nist.n_speakers
    assert side or nist == pyannote


@pytest.mark.parametrize("seed", range(8))
def test_errors_are_those_of_the_best_of_all_mappings_tenth_by_tenth(seed: int) -> None:
    reference, hypothesis = drawn(seed)
    names = sorted({turn.speaker for turn in hypothesis}), sorted({turn.speaker for turn in reference})
    tenths = [
        [{t.speaker for t in side if t.start < (n + 0.5) / 10 < t.end} for n in range(600)]
        for side in (reference, hypothesis)
    ]
    padded = [*names[1], *[f"nobody {n}" for n in names[0]]]
    best = np.inf
    for order in permutations(padded, len(names[0])):
        mapping = dict(zip(names[0], order, strict=True))
        pairs = [(said, {mapping[name] for name in heard}) for said, heard in zip(*tenths, strict=True)]
        best = min(best, sum(max(len(said), len(heard)) - len(said & heard) for said, heard in pairs) / 10)
    errors = diarization_errors(reference, hypothesis)
    assert errors.miss + errors.false_alarm + errors.confusion == pytest.approx(best)


@given(st.integers(0, 10_000))
@example(1197)  # two mappings that are equally good
@settings(max_examples=25, deadline=None)
def test_names_mean_nothing_and_a_perfect_hypothesis_has_no_error(seed: int) -> None:
    reference, hypothesis = drawn(seed)
    backwards = str.maketrans("0123456789", "9876543210")  # the first name comes last
    renamed = [Turn(turn.start, turn.end, turn.speaker.translate(backwards)) for turn in hypothesis]
    one, other = (diarization_errors(reference, side) for side in (hypothesis, renamed))
    assert (one.der, one.jer) == pytest.approx((other.der, other.jer))
    perfect = diarization_errors(reference, [Turn(turn.start, turn.end, turn.speaker * 2) for turn in reference])
    assert (perfect.der, perfect.jer) == pytest.approx((0, 0), abs=1e-12)


def test_nothing_found_is_all_missed_and_nothing_said_is_all_false_alarm() -> None:
    turns = [Turn(0, 4, "ann"), Turn(3, 5, "bob")]
    missed, invented = diarization_errors(turns, []), diarization_errors([], turns)
    assert (missed.der, missed.jer, missed.miss) == (1.0, 1.0, 6.0)
    assert invented.false_alarm == 6.0
    assert np.isnan(invented.der)
    assert np.isnan(invented.jer)


def test_recordings_are_pooled_by_their_seconds() -> None:
    one = diarization_errors([Turn(0, 1, "a")], [])
    other = diarization_errors([Turn(0, 9, "a")], [Turn(0, 9, "1")])
    assert (one + other).der == pytest.approx(0.1) == pooled_der([one, other])(np.ones(2))
    assert (one + other).jer == 0.5


def test_the_interval_of_a_rate_without_an_upper_bound_may_lie_above_one() -> None:
    said = [Turn(0, 10, "ann")]
    spread = [diarization_errors(said, [Turn(0, seconds, "1")]) for seconds in (10, 12, 90)]
    silent = [diarization_errors([], [Turn(0, 3, "1")])]
    for errors in (spread, spread[:2] + silent):
        found = der_interval(errors)
        der = (errors[0] + errors[1] + errors[2]).der
        assert found.low < der < found.high
    expected = interval(pooled_der(spread), np.arange(3), scale="log")
    assert (der_interval(spread).low, der_interval(spread).high) == (expected.low, expected.high)
    within = [*spread[:2], diarization_errors(said, [Turn(0, 5, "1")])]
    assert der_interval(within) == rate_interval(pooled_der(within), np.arange(3))
    with pytest.raises(DataError, match="no speech of a reference"):
        der_interval(silent)


def test_every_hypothesised_speaker_has_one_counterpart_at_most() -> None:
    reference, hypothesis = drawn(7)
    mapping = speaker_mapping(reference, hypothesis)
    assert len(set(mapping.values())) == len(mapping)


@pytest.mark.parametrize("turn", [Turn(2, 1, "a"), Turn(0, float("nan"), "a"), Turn(1, 1, "a")])
def test_turns_that_cannot_be_are_refused(turn: Turn) -> None:
    with pytest.raises(DataError, match="'a' speaks from"):
        diarization_errors([turn], [])
    with pytest.raises(DataError, match="collar"):
        diarization_errors([], [], collar=-1)
    with pytest.raises(ConfigError, match="expected 'nist' or 'pyannote'"):
        diarization_errors([], [], convention="dscore")  # type: ignore[arg-type]


def test_an_rttm_comes_back_as_it_was_written(tmp_path: Path) -> None:
    turns = {"one": [Turn(0.0, 1.25, "ann"), Turn(1.25, 3.5, "bob")], "two": [Turn(0.125, 0.5, "ann")]}
    write_rttm(tmp_path / "a.rttm", turns)
    assert read_rttm(tmp_path / "a.rttm") == turns


def test_other_lines_of_an_rttm_are_passed_over() -> None:
    text = ";; made by hand\nSPKR-INFO a 1 <NA> <NA> <NA> unknown ann <NA>\n\nSPEAKER a 1 0 2 <NA> <NA> ann <NA>\n"
    assert parse_rttm(text) == {"a": [Turn(0, 2, "ann")]}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("SPEAKER a 1 0.5 x <NA> <NA> ann <NA> <NA>", "line 2: the duration is 'x'"),
        ("SPEAKER a 1 0.5 -0.1 <NA> <NA> ann <NA> <NA>", "line 2: .* the fifth column is the duration"),
        ("SPEAKER a 1 -1 2 <NA> <NA> ann <NA> <NA>", "line 2: a turn from -1 s"),
        ("SPEAKER a 1 nan 2 <NA> <NA> ann <NA> <NA>", "line 2: the start is 'nan'"),
        ("SPEAKER a 1 0.5 2 ann", "line 2: 6 columns"),
        ("0.0 1.0 ann", "line 2: begins with '0.0'"),
    ],
)
def test_a_broken_line_of_an_rttm_is_named(tmp_path: Path, line: str, words: str) -> None:
    path = tmp_path / "broken.rttm"
    path.write_text(f"SPEAKER a 1 0.5 1 <NA> <NA> ann <NA> <NA>\n{line}\n")
    with pytest.raises(DataError, match=f"broken.rttm, {words}"):
        read_rttm(path)


def test_turns_of_no_duration_are_left_out_with_a_warning() -> None:
    times = ("0 1", "2 0", "3 0.0")
    lines = [f"SPEAKER a 1 {start_and_duration} <NA> <NA> ann <NA> <NA>" for start_and_duration in times]
    with pytest.warns(UserWarning, match=r"RTTM: 2 turns of 0 s are left out, the first in line 2"):
        assert parse_rttm("\n".join(lines)) == {"a": [Turn(0, 1, "ann")]}


def test_an_rttm_without_turns_or_without_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.rttm").write_text("")
    (tmp_path / "audio.rttm").write_bytes(b"RIFF\xff\xfe\x00")
    for name, words in (("empty", "no SPEAKER line"), ("audio", "not text in UTF-8"), ("none", "no such file")):
        with pytest.raises(DataError, match=words):
            read_rttm(tmp_path / f"{name}.rttm")
    with pytest.raises(DataError, match="recording 'my call'"):
        rttm("my call", [Turn(0, 1, "ann")])


def test_a_conversation_uses_no_piece_of_audio_twice_and_names_who_spoke_it() -> None:
    recordings = [
        (name, base + np.arange(16000) / 2**20) for name, base in (("ann", 0.125), ("bob", 0.5), ("eve", 0.75))
    ]
    made = make_conversation(recordings, 1000, seed=3)
    again = make_conversation(recordings, 1000, seed=3)
    assert np.array_equal(made.samples, again.samples)
    assert made.turns == again.turns
    spoken = np.concatenate([made.samples[round(t.start * 1000) : round(t.end * 1000)] for t in made.turns])
    assert len(np.unique(spoken)) == len(spoken)
    for turn in made.turns:
        said = made.samples[round(turn.start * 1000) : round(turn.end * 1000)]
        base = dict(recordings)[turn.speaker].astype(np.float32)
        assert np.isin(said, base).all()
        assert 0.999 <= turn.end - turn.start <= 5.001
    for before, after in pairwise(made.turns):
        assert before.speaker != after.speaker
        assert -1e-9 <= after.start - before.end <= 0.5


def test_conversations_of_nobody_or_of_too_short_recordings_are_refused() -> None:
    with pytest.raises(DataError, match="less than a turn"):
        make_conversation([("ann", np.ones(500))], 1000)
    with pytest.raises(DataError, match="one of each speaker"):
        make_conversation([("ann", np.ones(5000)), ("ann", np.ones(5000))], 1000)
    with pytest.raises(ConfigError, match="least and then the greatest"):
        make_conversation([("ann", np.ones(5000))], 1000, turn=(5, 1))
