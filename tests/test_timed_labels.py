"""Words and phones with their times: what is written is read back."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from praatio import textgrid as praat

from speechgmm.corpus.readers.textgrid import read_textgrids
from speechgmm.errors import DataError
from speechgmm.io.label_files.ctm import ctm
from speechgmm.io.label_files.textgrid import textgrid, write_textgrid
from speechgmm.io.timed_labels import TimedLabel, json_line

WORDS = [TimedLabel("one", 0.1, 0.1 + 0.2, 0.5), TimedLabel('say "two"', 0.1 + 0.2, 0.75), TimedLabel("é", 0.9, 1.0)]


@st.composite
def tiers(draw):
    """Labels on frames of 10 ms, with gaps between some, and where the recording ends."""
    places = sorted(draw(st.sets(st.integers(0, 400), min_size=2, max_size=20)))
    names = st.text("ab1é今'\"|=:", min_size=1, max_size=5)
    labels = [
        TimedLabel(draw(names), start * 0.01, end * 0.01) for start, end in pairwise(places) if draw(st.booleans())
    ]
    return labels, (places[-1] + draw(st.integers(0, 3))) * 0.01


@given(tiers())
def test_a_textgrid_is_read_back_by_praatio(tmp_path_factory, made):
    labels, duration = made
    path = tmp_path_factory.mktemp("grid") / "a.TextGrid"
    write_textgrid(path, {"words": labels, "phones": labels[:1]}, duration)
    grid = praat.openTextgrid(str(path), includeEmptyIntervals=True, reportingMode="error", duplicateNamesMode="error")
    assert grid.tierNames == ("words", "phones")
    assert grid.maxTimestamp == pytest.approx(duration, abs=1e-9)
    entries = grid.getTier("words").entries
    assert entries[0].start == 0
    assert entries[-1].end == pytest.approx(duration, abs=1e-9)
    assert all(one.end == other.start for one, other in pairwise(entries))  # no gap
    found = [(one.label, one.start, one.end) for one in entries if one.label]
    assert [label for label, _, _ in found] == [one.label for one in labels]
    for (_, start, end), one in zip(found, labels, strict=True):
        assert (start, end) == (pytest.approx(one.start, abs=1e-6), pytest.approx(one.end, abs=1e-6))


def test_a_textgrid_is_a_corpus_again(tmp_path):
    (tmp_path / "anna").mkdir()
    (tmp_path / "anna/one.wav").touch()
    write_textgrid(tmp_path / "anna/one.TextGrid", {"words": WORDS}, 1.2)
    corpus = read_textgrids(tmp_path, "word")
    assert [(one.start, one.end, one.labels["word"]) for one in corpus] == [
        (0.1, 0.3, "one"),
        (0.3, 0.75, 'say "two"'),
        (0.9, 1.0, "é"),
    ]


@given(tiers())
def test_a_ctm_keeps_order_times_and_that_segments_meet(made):
    labels, _ = made
    rows = [line.split(" ") for line in ctm("a", labels, channel="A").splitlines()]
    assert [row[4] for row in rows] == [one.label for one in labels]
    for row, one in zip(rows, labels, strict=True):
        assert row[:2] == ["a", "A"]
        assert float(row[2]) == pytest.approx(one.start, abs=6e-4)
        assert float(row[2]) + float(row[3]) == pytest.approx(round(one.end, 3), abs=1e-9)


@given(tiers())
def test_a_json_line_is_one_line_and_is_read_back(made):
    labels, duration = made
    text = json_line("a\n\udce9", {"words": labels}, duration)
    assert text.count("\n") == 1
    assert text.encode("utf-8")
    read = json.loads(text)
    assert read["id"] == "a\n\udce9"
    assert [(one["label"], one["start"]) for one in read["words"]] == [(x.label, round(x.start, 6)) for x in labels]


def test_a_confidence_is_written_where_there_is_one():
    assert ctm("a", WORDS[:1]) == "a 1 0.100 0.200 one 0.500\n"
    assert '"confidence": 0.5' in json_line("a", {"words": WORDS[:1]}, 1)
    assert "confidence" not in json_line("a", {"words": WORDS[1:]}, 1)


def test_nothing_recognised_is_an_empty_interval_and_no_line():
    assert 'xmax = 2\n            text = ""' in textgrid({"words": []}, 2.0)
    assert ctm("a", []) == ""
    assert json_line("a", {"words": []}, 2) == '{"id": "a", "duration": 2, "words": []}\n'


def test_what_a_format_cannot_hold_is_refused_by_name(tmp_path):
    with pytest.raises(DataError, match="the label 'say \"two\"' cannot stand in a CTM"):
        ctm("a", WORDS)
    with pytest.raises(DataError, match="the recording 'a b' cannot stand in a CTM"):
        ctm("a b", WORDS)
    with pytest.raises(DataError, match=r"a: 'x' is from 0.5 to 0.5 s"):
        json_line("a", {"words": [TimedLabel("x", 0.5, 0.5)]}, 1)
    with pytest.raises(DataError, match=r"a: 'y' of tier 'w', 0.4 to 0.7 s, reaches before 0.5 s"):
        textgrid({"w": [TimedLabel("x", 0, 0.5), TimedLabel("y", 0.4, 0.7)]}, 1, recording="a")
    with pytest.raises(DataError, match=r"reaches beyond its 0.4 s"):
        textgrid({"w": [TimedLabel("x", 0, 0.5)]}, 0.4)
    with pytest.raises(DataError, match="needs at least one"):
        textgrid({}, 1)
    with pytest.raises(DataError, match=r"one\.TextGrid: 'x'"):
        write_textgrid(tmp_path / "one.TextGrid", {"w": [TimedLabel("x", -1, 0.5)]}, 1)
    assert not list(tmp_path.iterdir())
