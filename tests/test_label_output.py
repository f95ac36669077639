"""Labels with times that commands write: every command, every format, the same labels."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import hum
from loadable import RATE, call, write_runs
from typer.testing import CliRunner

from speechgmm.cli.app import app
from speechgmm.io.label_files import FORMATS, read_labels, read_tiers
from speechgmm.tasks.anomaly.label_tiers import stretches_above

WRITTEN = [one.name for one in FORMATS.values() if one.writer]

COMMANDS = {
    "score": ("score", "words", "--window", "0.5"),
    "recognise": ("recognise", "recogniser"),
    "align": ("align", "recogniser", "--text", "up down"),
    "diarize": ("diarize", "--model", "calls"),
    "anomaly": ("score", "machines", "--label", "m0"),
    "segments": ("score", "phones", "--segments", "segments"),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models of each task, two recordings, and segments of them in label tracks of Audacity and TextGrids."""
    folder = tmp_path_factory.mktemp("place")
    write_runs(folder)
    (folder / "audio").mkdir()
    (folder / "segments").mkdir()
    for number, name in enumerate(("one", "two")):
        sound = np.concatenate([call(), hum(number, 200.0, 0.3 + 0.1 * number)])
        soundfile.write(folder / "audio" / f"{name}.wav", sound, RATE)
        row = "a 1 {} 0.2 x\n".replace("a", name, 1)
        (folder / "segments" / f"{name}.ctm").write_text(row.format(0.1) + row.format(0.5 + 0.1 * number))
    return folder


def done(place: Path, name: str, *options: object, recordings: tuple[str, ...] = ("one", "two")):
    """What a command did with recordings: exit status and output."""
    words = [str(place / word) if (place / word).exists() else word for word in COMMANDS[name]]
    audio = [str(place / "audio" / f"{one}.wav") for one in recordings]
    return CliRunner().invoke(app, [*words, *audio, "-q", *map(str, options)])


def said(place: Path, name: str) -> dict[str, list[tuple[str, float, float]]]:
    """The labels of each recording that JSON Lines have: of the first tier, or those of the best class."""
    lines = [json.loads(line) for line in done(place, name, "--format", "jsonl").stdout.splitlines()]
    found: dict[str, list[tuple[str, float, float]]] = {}
    for line in lines:
        if "id" in line:  # a line for each recording
            tier = next(value for key, value in line.items() if key not in ("id", "duration", "fit", "best"))
            found[Path(line["id"]).stem] = [(one["label"], one["start"], one["end"]) for one in tier]
        elif line.get("rank", 1) == 1:  # a line for each label
            label = line.get("label", line.get("decision"))
            found.setdefault(Path(line["file"]).stem, []).append((label, line["start"], line["end"]))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_every_format_has_the_labels_of_json_lines(place: Path, tmp_path: Path, name: str) -> None:
    wanted = said(place, name)
    assert set(wanted) == {"one", "two"}
    assert all(wanted.values())
    for form in WRITTEN:
        if name == "diarize" and form == "textgrid":  # a tier for each speaker
            continue
        out = tmp_path / form
        result = done(place, name, "--format", form, "--out", out)
        assert result.exit_code == 0, (form, result.stderr)
        for recording, labels in wanted.items():
            path = out / f"{recording}{FORMATS[form].suffix}"
            (first, *_) = read_tiers(path, form)
            found = [(one.label, one.start, one.end) for one in first.labels]
            close = {"abs": 2e-3}
            assert found == [(text, pytest.approx(a, **close), pytest.approx(b, **close)) for text, a, b in labels]
        if FORMATS[form].several:  # one file for all, by its suffix, and the same on standard output
            one = tmp_path / f"all{FORMATS[form].suffix}"
            assert done(place, name, "--out", one).exit_code == 0
            first = read_tiers(one, form)[0].name
            for recording, labels in wanted.items():
                assert len(read_labels(one, tier=first, recording=recording)) == len(labels)
            if not (form == "tsv" and COMMANDS[name][0] == "score"):  # printed, it is the table of ranks
                assert done(place, name, "--format", form).stdout.replace("\r\n", "\n") == one.read_text()


def test_a_file_says_its_format_by_its_suffix(place: Path, tmp_path: Path) -> None:
    for suffix in (".TextGrid", ".txt", ".json"):
        path = tmp_path / f"a{suffix}"
        result = done(place, "align", "--out", path, recordings=("one",))
        assert (result.exit_code, result.stdout) == (0, "")
        assert [one.label for one in read_tiers(path)[0].labels] == ["up", "down"]


def test_turns_are_a_tier_for_each_speaker_in_textgrids_and_a_folder_has_rttms_by_default(
    place: Path, tmp_path: Path
) -> None:
    assert done(place, "diarize", "--out", tmp_path, "--n-speakers", "2").exit_code == 0
    turns = read_labels(tmp_path / "one.rttm")
    grid = ("--out", tmp_path / "x.TextGrid", "--n-speakers", "2")
    assert done(place, "diarize", *grid, recordings=("one",)).exit_code == 0
    tiers = dict(read_tiers(tmp_path / "x.TextGrid"))
    assert set(tiers) == {one.label for one in turns}
    for one in turns:
        assert any(abs(other.start - one.start) < 2e-3 for other in tiers[one.label])
    assert done(place, "diarize", "--out", tmp_path, "--format", "table").exit_code == 0
    assert "one.wav: " in (tmp_path / "one.txt").read_text()


REFUSED = [
    ("align", ("--out", "x"), r"x: neither its suffix nor a format says what to write; expected one of textgrid"),
    ("align", ("--format", "textgrid"), r"a TextGrid holds one recording, and there are 2; name a folder"),
    ("align", ("--out", "x.TextGrid"), r"a TextGrid holds one recording, and there are 2"),
    ("align", ("--out", "x.ctm", "--format", "csv"), r"x.ctm: its suffix is not that of csv; expected a name that"),
    ("recognise", ("--out", "x", "--format", "ctm", "--top", "2"), r"--top 2 is for --format text and jsonl"),
    (
        "score",
        ("--out", "x", "--format", "jsonl"),
        r"x: jsonl is printed; expected a label file, in one of",
    ),
    ("anomaly", ("--out", "x", "--format", "table"), r"x: table is printed; expected a label file"),
    (
        "score",
        ("--hop", "0.25", "--format", "textgrid", "--out", "x"),
        r"windows overlap, and labels in a",
    ),
    ("diarize", ("--out", "x.json", "--picture"), r"--picture draws into a folder"),
]


@pytest.mark.parametrize(("name", "options", "message"), REFUSED)
def test_what_cannot_be_written_is_said(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, options: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = done(place, name, *options)
    assert result.exit_code != 0
    assert re.search(message, result.stderr), result.stderr
    assert not [*tmp_path.rglob("*.*")]


def test_stretches_above_a_level_are_those_of_an_obvious_loop() -> None:
    rng = np.random.default_rng(0)
    for n in (1, 2, 50):
        for level in (-5.0, 0.0, 5.0):
            curve, grid = rng.normal(size=n), (np.arange(n) + 0.5) * 0.01
            inside, found = False, []
            for number, value in enumerate(curve):
                if value > level and not inside:
                    found.append([number * 0.01, 0.0, -np.inf])
                inside = bool(value > level)
                if inside:
                    found[-1][1:] = [(number + 1) * 0.01, max(found[-1][2], value)]
            assert stretches_above(curve, grid, level) == [pytest.approx(tuple(one)) for one in found]
