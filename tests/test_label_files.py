"""Files of labels: every format round-trips, files of other programs are read right, what is wrong is named."""

from itertools import pairwise
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from praatio import textgrid as praat
from pyannote.core import Annotation, Segment
from pyannote.database.util import load_rttm, load_uem
from pympi.Elan import Eaf

from speechgmm.corpus.reader_specs import LabelFilesSpec
from speechgmm.errors import ConfigError, DataError
from speechgmm.io.label_files import (
    FORMATS,
    format_of,
    labels_as_text,
    read_labels,
    read_tiers,
    tier_of,
    write_labels,
)
from speechgmm.io.timed_labels import LabelledRecording, TimedLabel
from speechgmm.tasks.options import LabelsFormat

WRITTEN = [one.name for one in FORMATS.values() if one.writer]
RESOLUTION = dict.fromkeys(FORMATS, 1e-6) | {"ctm": 1e-3, "rttm": 1e-3}
"""s: times are read back closer than this."""

TIERS = ("textgrid", "raven", "csv", "tsv", "json")
"""Formats that hold several tiers."""

# ---- round trips ----

NAMES = st.text("ab1é今'\"|=:;,\\", min_size=1, max_size=5)


@st.composite
def recordings(draw, overlapping=False):
    """One or two recordings with two tiers, labels in the order of their times."""
    found = []
    for name in ("a", "b.c")[: draw(st.integers(1, 2))]:
        places = sorted(draw(st.sets(st.integers(0, 40_000), min_size=2, max_size=9)))
        sure = draw(st.one_of(st.none(), st.floats(0, 1)))
        labels = [
            TimedLabel(draw(NAMES), start * 1e-2 / 3, end * 1e-2 / 3, sure)
            for start, end in pairwise(places)
            if draw(st.booleans())
        ] or [TimedLabel("x", 0.5, 1.0)]
        found.append(LabelledRecording(Path("folder") / f"{name}.wav", 200.0, {"words": labels, "phones": labels[:1]}))
    return found


@pytest.mark.parametrize("name", WRITTEN)
@given(made=recordings())
@settings(max_examples=30, deadline=None)
def test_every_format_is_read_back_up_to_its_resolution(tmp_path_factory, name, made):
    path = tmp_path_factory.mktemp("labels") / f"x{FORMATS[name].suffix}"
    made = made if FORMATS[name].several else made[:1]
    write_labels(path, made)
    assert format_of(path).name == name
    tiers = read_tiers(path)
    assert [tier.name for tier in tiers] == (["words", "phones"] if name in TIERS else [""])
    for tier in tiers:
        for recording in made:
            wanted = recording.tiers[tier.name or "words"]
            found = read_labels(path, tier=tier.name, recording=str(recording.path))
            assert [one.label for one in found] == [one.label for one in wanted]
            for one, other in zip(found, wanted, strict=True):
                assert one.start == pytest.approx(other.start, abs=0.51 * RESOLUTION[name])
                assert one.end == pytest.approx(other.end, abs=0.51 * RESOLUTION[name])
                if name in ("raven", "csv", "tsv", "json", "ctm"):
                    assert one.confidence == pytest.approx(other.confidence, abs=1e-3)
                else:
                    assert one.confidence is None


@given(made=recordings())
@settings(max_examples=30, deadline=None)
def test_begin_times_of_raven_go_on_over_files_and_offsets_say_where_in_its_file_a_selection_is(made):
    lines = [line.split("\t") for line in labels_as_text(made, "raven").splitlines()]
    rows = [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]
    before = {recording.path.name: 200.0 * n for n, recording in enumerate(made)}
    for row in rows:
        offset = float(row["File Offset (s)"])
        assert float(row["Begin Time (s)"]) == pytest.approx(before[row["Begin File"]] + offset, abs=1e-6)
    assert [row["Selection"] for row in rows] == [str(n + 1) for n in range(len(rows))]


def test_the_formats_of_a_configuration_and_of_commands_are_those_of_the_table():
    kinds = get_args(get_args(get_type_hints(LabelFilesSpec)["format"])[0])
    assert set(kinds) == set(FORMATS) - {"uem"}  # it has no labels
    assert {str(one) for one in LabelsFormat} == {"text", "table", "jsonl", *WRITTEN}


# ---- files of other programs' libraries ----


@given(made=recordings())
@settings(max_examples=20, deadline=None)
def test_annotation_files_that_pympi_wrote_are_read_as_it_reads_them(tmp_path_factory, made):
    path = tmp_path_factory.mktemp("elan") / "a.eaf"
    eaf = Eaf()
    for name, labels in made[0].tiers.items():
        eaf.add_tier(name, part="ann" if name == "words" else None)
        for one in labels:
            eaf.add_annotation(name, round(one.start * 1000), round(one.end * 1000), one.label)
    eaf.to_file(str(path))
    tiers = read_tiers(path)
    for name in made[0].tiers:
        wanted = sorted(Eaf(str(path)).get_annotation_data_for_tier(name))
        found = tier_of(tiers, name).labels
        assert [(round(one.start * 1000), round(one.end * 1000), one.label) for one in found] == wanted
        assert {one.speaker for one in found} == {"ann" if name == "words" else ""}


def elan(slots, tiers):
    """An annotation file: time slots (None: without a time), and of each tier pairs of slots with texts."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', "<ANNOTATION_DOCUMENT>", "<TIME_ORDER>"]
    for name, value in slots.items():
        lines.append(f'<TIME_SLOT TIME_SLOT_ID="{name}"' + ("/>" if value is None else f' TIME_VALUE="{value}"/>'))
    lines.append("</TIME_ORDER>")
    for tier, annotations in tiers.items():
        lines.append(f'<TIER TIER_ID="{tier}">')
        for n, (first, last, text) in enumerate(annotations):
            lines.append(
                f'<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="{tier}{n}" TIME_SLOT_REF1="{first}" '
                f'TIME_SLOT_REF2="{last}"><ANNOTATION_VALUE>{text}</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>'
            )
        lines.append("</TIER>")
    return "\n".join([*lines, "</ANNOTATION_DOCUMENT>"])


def test_annotations_that_refer_to_another_share_its_times(tmp_path):
    refers = '<REF_ANNOTATION ANNOTATION_ID="{}" ANNOTATION_REF="{}"><ANNOTATION_VALUE>{}</ANNOTATION_VALUE>'
    words = [("w1", "said0", "one"), ("w2", "said0", "two")]  # divide it; ELAN: Symbolic_Subdivision
    tiers = {"words": words, "gloss": [("g1", "w2", "zwei")]}
    text = "".join(
        f'<TIER TIER_ID="{name}">'
        + "".join(f"<ANNOTATION>{refers.format(*one)}</REF_ANNOTATION></ANNOTATION>" for one in annotations)
        + "</TIER>"
        for name, annotations in tiers.items()
    )
    whole = elan({"t1": 1000, "t2": 3000}, {"said": [("t1", "t2", "one two")]})
    path = tmp_path / "a.eaf"
    path.write_text(whole.replace("</ANNOTATION_DOCUMENT>", f"{text}</ANNOTATION_DOCUMENT>"))
    found = {name: [(one.start, one.end, one.label) for one in labels] for name, labels in read_tiers(path)}
    assert found["words"] == [(1.0, 2.0, "one"), (2.0, 3.0, "two")]
    assert found["gloss"] == [(2.0, 3.0, "zwei")]


def test_time_slots_without_a_time_divide_their_annotation_evenly_whatever_other_tiers_have_between(tmp_path):
    slots = {"t1": 0, "t2": None, "t3": 700, "t4": None, "t5": 900}
    words = [("t1", "t2", "a"), ("t2", "t4", "b"), ("t4", "t5", "c")]
    path = tmp_path / "a.eaf"
    path.write_text(elan(slots, {"words": words, "other": [("t1", "t3", "x")]}))
    assert [(one.start, one.end) for one in read_labels(path, tier="words")] == [(0.0, 0.3), (0.3, 0.6), (0.6, 0.9)]


def test_a_hostile_file_of_many_slots_without_times_is_refused_at_once(tmp_path):
    chain = [(f"s{n}", f"s{n + 1}", "x") for n in range(20_000)]
    starts = [("t1", "s0", "x")] * 20_000
    (tmp_path / "a.eaf").write_text(elan({"t1": 0}, {"words": [*chain, *starts]}))
    with pytest.raises(DataError, match=r"annotation 'words0' of tier 'words' has no times: it refers to 's0'"):
        read_tiers(tmp_path / "a.eaf")


@given(made=recordings())
@settings(max_examples=20, deadline=None)
def test_textgrids_of_praatio_and_turns_of_pyannote_are_read_right(tmp_path_factory, made):
    folder = tmp_path_factory.mktemp("others")
    labels = made[0].tiers["words"]
    grid = praat.Textgrid(0, 200)
    grid.addTier(praat.IntervalTier("words", [(one.start, one.end, one.label) for one in labels], 0, 200))
    grid.save(str(folder / "a.TextGrid"), "short_textgrid", includeBlankSpaces=True, reportingMode="error")
    found = read_labels(folder / "a.TextGrid")
    assert [(one.start, one.end, one.label) for one in found] == [
        (pytest.approx(one.start), pytest.approx(one.end), one.label) for one in labels
    ]
    turns = Annotation(uri="call")
    for n, one in enumerate(labels):
        turns[Segment(one.start, one.end), n] = f"s{n % 2}"
    with (folder / "a.rttm").open("w") as file:
        turns.write_rttm(file)
    found = read_labels(folder / "a.rttm", recording="call.wav")
    assert [(one.start, one.end, one.label, one.speaker) for one in found] == [
        (pytest.approx(segment.start, abs=1e-3), pytest.approx(segment.end, abs=2e-3), speaker, speaker)
        for segment, _, speaker in turns.itertracks(yield_label=True)
    ]


def test_turns_that_are_written_and_uems_say_the_same_to_pyannote(tmp_path):
    turns = [TimedLabel("ann", 0.5, 2.0), TimedLabel("bob", 1.5, 3.0)]
    recording = LabelledRecording(Path("call.wav"), 9.0, {"s": turns})
    write_labels(tmp_path / "a.rttm", [recording])
    turns = load_rttm(str(tmp_path / "a.rttm"))["call"]
    assert [(segment.start, segment.end, who) for segment, _, who in turns.itertracks(yield_label=True)] == [
        (0.5, 2.0, "ann"),
        (1.5, 3.0, "bob"),
    ]
    (tmp_path / "a.uem").write_text("call 1 0.000 4.500\ncall NA 5.000 9.000\nelse 1 0 1\n")
    found = read_labels(tmp_path / "a.uem", recording="call")
    assert [(one.start, one.end) for one in found] == [(0.0, 4.5), (5.0, 9.0)]
    assert [(one.start, one.end) for one in load_uem(str(tmp_path / "a.uem"))["call"]] == [(0.0, 4.5), (5.0, 9.0)]


# ---- files as programs write them ----

COLUMNS = "Selection View Channel Begin_Time_(s) End_Time_(s) Low_Freq_(Hz) High_Freq_(Hz) Begin_File"
COLUMNS += " File_Offset_(s) Species"
RAVEN = (
    COLUMNS.replace(" ", "\t").replace("_", " ")
    + """
1\tWaveform 1\t1\t1.5\t2.0\t0\t8000\ta.wav\t1.5\trobin
1\tSpectrogram 1\t1\t1.5\t2.0\t500\t8000\ta.wav\t1.5\trobin
2\tSpectrogram 1\t1\t11.25\t12.0\t500\t8000\tb.wav\t1.25\twren
"""
)


def test_a_selection_table_of_several_files_has_times_within_each_and_every_selection_once(tmp_path):
    path = tmp_path / "all.Table.1.selections.txt"
    path.write_text(RAVEN)
    found = read_labels(path, tier="Species")
    assert [(one.recording, one.start, one.end, one.label) for one in found] == [
        ("b.wav", 1.25, 2.0, "wren"),
        ("a.wav", 1.5, 2.0, "robin"),
    ]
    (tmp_path / "a.txt").write_text(RAVEN)  # by its header
    assert read_labels(tmp_path / "a.txt") == found


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("name", WRITTEN)
def test_every_encoding_and_line_end_says_the_same(tmp_path, name, encoding):
    recording = LabelledRecording(
        Path("a.wav"), 2.0, {"words": [TimedLabel("é", 0.25, 0.5), TimedLabel("b", 0.5, 2.0)]}
    )
    text = labels_as_text([recording], name)
    path = tmp_path / f"a{FORMATS[name].suffix}"
    path.write_bytes(text.replace("\n", "\r\n").encode(encoding))
    assert [(one.start, one.end, one.label) for one in read_labels(path)] == [(0.25, 0.5, "é"), (0.5, 2.0, "b")]


def test_label_tracks_of_audacity_may_have_spaces_points_and_spectral_selections(tmp_path):
    (tmp_path / "a.txt").write_text("0.5\t1.25\tsong of a robin\n\\\t2000\t6000\n2 3 two words\n4\t4\tpoint\n5\t6\t\n")
    with pytest.warns(UserWarning, match=r"1 label of 0 s is left out, the first at line 4"):
        found = read_labels(tmp_path / "a.txt")
    assert [(one.start, one.end, one.label) for one in found] == [
        (0.5, 1.25, "song of a robin"),
        (2.0, 3.0, "two words"),
        (5.0, 6.0, ""),
    ]


# ---- what is refused ----

BOMB = """<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>
<ANNOTATION_DOCUMENT><TIER TIER_ID="&b;"/></ANNOTATION_DOCUMENT>"""
FROM_FILE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]><ANNOTATION_DOCUMENT>&a;</ANNOTATION_DOCUMENT>'
WHOLE = elan({"t1": 0, "t2": 500}, {"words": [("t1", "t2", "a")]})
CIRCLE = """<ANNOTATION_DOCUMENT><TIER TIER_ID="a"><ANNOTATION><REF_ANNOTATION ANNOTATION_ID="a1" ANNOTATION_REF="a1">
<ANNOTATION_VALUE>x</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION></TIER></ANNOTATION_DOCUMENT>"""
HEAD = "Begin Time (s)\tEnd Time (s)\tBegin File\tAnnotation\n"

REFUSED = {
    "a.eaf bomb": (BOMB, r"a.eaf: it has a document type .*open it in ELAN"),
    "a.eaf file": (FROM_FILE, r"a.eaf: it has a document type"),
    "a.eaf cut": (WHOLE[:300], r"a.eaf: not a whole annotation file of ELAN \(ExpatError.*near line"),
    "a.eaf other": ("<html/>", r"a.eaf: XML that begins with <html>; expected ELAN's <ANNOTATION_DOCUMENT>"),
    "a.eaf circle": (CIRCLE, r"a.eaf: annotation 'a1' of tier 'a' has no times: it refers to 'a1'"),
    "a.eaf slot": (
        WHOLE.replace('REF2="t2"', 'REF2="t3"'),
        r"annotation 'words0' of tier 'words' has no times.*'t3'",
    ),
    "a.eaf time": (WHOLE.replace("500", "now"), r"a.eaf: not a whole annotation file of ELAN \(ValueError"),
    "a.eaf huge": (WHOLE.replace("500", "9" * 400), r"a.eaf: not a whole annotation file of ELAN \(OverflowError"),
    "a.eaf encoding": (
        '<?xml version="1.0" encoding="klingon"?>' + WHOLE.partition("?>")[2],
        r"LookupError.*near line 1",
    ),
    "a.eaf turned": (WHOLE.replace('"500"', '"-5"'), r"tier 'words': 'a' from 0 to -0.005 s; expected a start from 0"),
    "a.txt turned": ("2\t1\tx\n", r"a.txt, line 1: 'x' from 2 to 1 s; expected a start from 0 on and an end after it"),
    "a.txt comma": ("0,5\t1,5\tx\n", r"line 1: the start is '0,5'; expected seconds, such as 12.34: a decimal comma"),
    "a.txt prose": ("this is prose\n", r"line 1: the start is 'this'; expected seconds"),
    "a.txt one": ("word\n", r"line 1: 'word'; expected start, end and text with tabs between: is it a label track"),
    "a.txt nan": ("nan\t1\tx\n", r"line 1: the start is 'nan'; expected seconds"),
    "a.selections.txt columns": ("Selection\tView\n", r"no column 'Begin Time \(s\)'; the columns are Selection, View"),
    "a.selections.txt nothing": ("", r"no column 'Begin Time \(s\)'; the columns are none"),
    "a.selections.txt several": (
        HEAD + "0\t1\ta.wav\tx\n9\t10\tb.wav\ty\n",
        r"line 2: selections of several files, whose begin times go on .* no 'File Offset \(s\)'; add the column",
    ),
    "a.selections.txt offset": (
        HEAD.replace("Annotation", "File Offset (s)\tAnnotation") + "0\t1\ta.wav\t0\tx\n0.5\t0.7\tb.wav\t\ty\n",
        r"line 3: selections of several files, whose begin times go on .* no 'File Offset \(s\)'",
    ),
    "a.selections.txt twice": (
        HEAD.replace("\n", "\tAnnotation\n") + "0\t1\ta.wav\tx\ty\n",
        r"a.selections.txt: two columns are called 'Annotation'; expected each name once",
    ),
    "a.selections.txt cells": (HEAD + "0\t1\ta.wav\tx\ty\n", r"line 2: 5 cells under a header of 4 columns"),
    "a.selections.txt comma": (HEAD + "0,5\t1\ta.wav\tx\n", r"the Begin Time \(s\) is '0,5'; .*: a decimal comma"),
    "a.ctm negative": ("a 1 0.5 -0.1 word\n", r"line 1: 'word' lasts -0.1 s; expected a duration from 0 on"),
    "a.ctm columns": ("a 1 0.5 word\n", r"line 1: 4 columns; expected recording, channel, start, duration, word"),
    "a.ctm comma": ("a 1 0,5 1 word\n", r"line 1: the start is '0,5'"),
    "a.ctm confidence": ("a 1 0.5 1 word high\n", r"line 1: the confidence is 'high'; expected a number, such as 0.98"),
    "a.rttm negative": ("SPEAKER a 1 0 -1 <NA> <NA> x <NA> <NA>\n", r"line 1: a turn from 0 s for -1 s"),
    "a.uem nothing": (";; nothing\n", r"a.uem: it covers nothing; expected a line with start and end in s"),
    "a.uem columns": ("a 1 0\n", r"line 1: 3 columns; expected recording, channel, start and end: is it a UEM"),
    "a.csv columns": (
        "start,label\n0,x\n",
        r"no column 'end'; the columns are start, label: expected start and end",
    ),
    "a.csv twice": ("start,end,start\n0,1,2\n", r"a.csv: two columns are called 'start'; expected each name once"),
    "a.csv cells": ("start,end\n0,1,2\n", r"line 2: 3 cells under a header of 2 columns"),
    "a.csv comma": ("start;end\n0,5;1\n", r"line 2: the start is '0,5'; .*decimal comma"),
    "a.tsv turned": ("start\tend\tlabel\n3\t1\tx\n", r"a.tsv, line 2: 'x' from 3 to 1 s"),
    "a.json object": ("{}", r"a.json: '{}'; expected an array of objects"),
    "a.json number": ('[{"start": true, "end": 1}]', r"item 0: start is 'True'; expected a number"),
    "a.json infinite": ('[{"start": 0, "end": 1e999}]', r"item 0: end is 'inf'"),
    "a.json label": ('[{"start": 0, "end": 1, "label": 5}]', r"item 0: label is 5; expected a text"),
    "a.json deep": ("[" * 100_000, r"a.json: not JSON that can be read"),
    "a.bin": ("", r"a.bin: the suffix is of no label file; expected .TextGrid, .eaf"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_is_said_with_file_and_place(tmp_path, case):
    text, message = REFUSED[case]
    path = tmp_path / case.split()[0]
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_labels(path)


def test_a_uem_whose_stretches_are_empty_covers_nothing(tmp_path):
    (tmp_path / "a.uem").write_text(";; a comment\ncall 1 5 5\n")
    with pytest.raises(DataError, match="it covers nothing"):
        read_labels(tmp_path / "a.uem")


def test_a_tier_or_recording_that_is_not_there_is_answered_with_those_that_are(tmp_path):
    (tmp_path / "a.eaf").write_text(elan({"t1": 0, "t2": 500}, {"words": [("t1", "t2", "a")], "phones": []}))
    with pytest.raises(DataError, match=r"a.eaf: no tier 'x' \(tier\); its tiers are 'words', 'phones'"):
        read_labels(tmp_path / "a.eaf", tier="x")
    with pytest.raises(DataError, match=r"a.eaf: its tiers are 'words', 'phones'; say which in tier"):
        read_labels(tmp_path / "a.eaf")
    (tmp_path / "a.ctm").write_text("one 1 0 1 word\ntwo 1 0 1 word\n")
    with pytest.raises(DataError, match=r"a.ctm: no label of the recording 'three.wav'; it has labels of one, two"):
        read_labels(tmp_path / "a.ctm", recording="three.wav")


def test_what_a_format_cannot_hold_is_refused_by_name(tmp_path):
    def of(*labels):
        return [LabelledRecording(Path("a.wav"), 2.0, {"t": labels})]

    crossed = of(TimedLabel("a", 0, 1.5), TimedLabel("b", 1, 2))
    with pytest.raises(DataError, match=r"a.wav: 'b' of tier 't', 1 to 2 s, reaches before 1.5 s"):
        labels_as_text(crossed, "textgrid")
    for name in set(WRITTEN) - {"textgrid"}:
        assert labels_as_text(crossed, name)
    for name in ("audacity", "raven"):
        with pytest.raises(DataError, match=r"a.wav: the label 'a\\tb' cannot stand in a"):
            labels_as_text(of(TimedLabel("a\tb", 0, 1)), name)
    for name in ("ctm", "rttm"):
        with pytest.raises(DataError, match=r"a.wav|a: the .* 'a b' cannot stand in a"):
            labels_as_text(of(TimedLabel("a b", 0, 1)), name)
    for name in WRITTEN:
        with pytest.raises(DataError, match=r"'a' is from 1 to 0.5 s; expected is a start from 0 on and a later end"):
            labels_as_text(of(TimedLabel("a", 1, 0.5)), name)
    for name in ("elan", "uem"):
        with pytest.raises(ConfigError, match="is not written; expected textgrid, audacity, raven"):
            labels_as_text(crossed, name)
    with pytest.raises(ConfigError, match="a label track of Audacity holds one recording, and there are 2"):
        labels_as_text([*crossed, *crossed], "audacity")
    with pytest.raises(ConfigError, match=r"format is 'x'; expected textgrid, elan"):
        labels_as_text(crossed, "x")


def test_turns_and_stretches_of_real_meetings_are_those_that_pyannote_reads(shared):
    paths = sorted((shared / "data" / "ami").glob("*.rttm"))
    assert paths
    for path in paths:
        (turns,) = load_rttm(str(path)).values()
        wanted = sorted((segment.start, segment.end, who) for segment, _, who in turns.itertracks(yield_label=True))
        found = sorted((one.start, one.end, one.label) for one in read_labels(path))
        assert found == [(pytest.approx(start), pytest.approx(end), who) for start, end, who in wanted]
        (stretches,) = load_uem(str(path.with_suffix(".uem"))).values()
        found = [(one.start, one.end) for one in read_labels(path.with_suffix(".uem"), recording=path.stem)]
        assert found == [(one.start, one.end) for one in stretches]
