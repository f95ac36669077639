"""The report of a run: one page that says what the run's files say, and asks nobody for anything."""

import base64
import io
import itertools
import json
import re
import shutil
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import hum

from speechgmm.cli.results import print_result
from speechgmm.engine.console import Console
from speechgmm.engine.run_folder import Claims, RunFolder, read_run
from speechgmm.engine.runs import run
from speechgmm.errors import ConfigError, DataError
from speechgmm.evaluation import (
    Application,
    Trials,
    bayes_point,
    cllr,
    cllr_min,
    eer,
    error_rates,
    min_dcf,
    operating_points,
    pav_blocks,
    rank_trials,
)
from speechgmm.io.audio import read_recording
from speechgmm.plots import confusion_matrix
from speechgmm.plots.canvas import printable
from speechgmm.report import mistakes
from speechgmm.report.confusions import confusions
from speechgmm.report.page import render, write_report
from speechgmm.report.parts import Picture, Section, Table, shown
from speechgmm.report.sections import about
from speechgmm.report.svg import to_svg

HTML = "{http://www.w3.org/1999/xhtml}"
SVG = "{http://www.w3.org/2000/svg}"
LABELS = {'<b>&"': 110.0, "$x_1$": 113.0, "_höher": 240.0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of three classes with difficult names, two of which sound alike."""
    root = tmp_path_factory.mktemp("report")
    for number, (name, pitch) in enumerate(LABELS.items()):
        (root / "hums" / name).mkdir(parents=True)
        for n in range(12):
            samples = hum(100 * number + n, pitch * (1 + 0.02 * n), seconds=0.8)
            soundfile.write(root / "hums" / name / f"{n}.wav", samples, 8000)
    (root / "hums.yaml").write_text(
        "corpus: {kind: folder, root: hums, label: sound, sample_rate: 8000, split: {kind: kfold, folds: 3}}\n"
        "model: {n_components: 2, max_iter: 5}\ncache: cache\nparallel: {n_jobs: 1}\n"
    )
    run(root / "hums.yaml", output=root / "run", console=Console(quiet=True))
    return root / "run"


@pytest.fixture(scope="module")
def claims(folder: Path) -> Path:
    """A run of verification on the same recordings."""
    out = folder.parent / "claims"
    verification = ("task=verification", "model={adapt: map, ubm: {n_components: 4}}")
    run(folder.parent / "hums.yaml", verification, output=out, console=Console(quiet=True))
    return out


def page(path: Path) -> ElementTree.Element:
    return ElementTree.fromstring(path.read_text(encoding="utf-8").split("<!DOCTYPE html>")[1])


def text_of(element: ElementTree.Element) -> str:
    return re.sub(r"\s+", " ", "".join(element.itertext()))


def some_trials(seed: int = 0, n: int = 200) -> Trials:
    rng = np.random.default_rng(seed)
    truth = rng.random(n) < 0.3
    return rank_trials(np.round(rng.standard_normal(n) + 1.5 * truth, 1), truth)


@pytest.mark.slow
def test_the_report_is_made_from_the_folder_alone_so_that_it_is_the_same_later(folder: Path, claims: Path) -> None:
    for made in (folder, claims):
        root = Path(read_run(made).environment["corpus_root"])
        again = write_report(made, made.parent / "again.html", audio_root=root)
        assert again.read_bytes() == (made / "report.html").read_bytes()


@pytest.mark.slow
def test_a_page_is_well_formed_and_asks_for_nothing(folder: Path, claims: Path) -> None:
    for made in (folder, claims):
        root = page(made / "report.html")
        for element in root.iter():
            for name, value in element.attrib.items():
                if name.split("}")[-1] in ("src", "href"):
                    assert value.startswith(("data:", "#")), (element.tag, value[:60])
            assert element.tag not in (f"{HTML}script", f"{HTML}iframe", f"{HTML}object")
        style = "".join(element.text or "" for element in root.iter() if element.tag.endswith("style"))
        assert "@import" not in style
        assert "url(" not in style
        policies = [m.get("content", "") for m in root.iter(f"{HTML}meta") if m.get("http-equiv")]
        assert policies[0].startswith("default-src 'none'")


def test_labels_are_shown_as_they_are_and_never_taken_for_markup(folder: Path) -> None:
    root = page(folder / "report.html")
    assert next(root.iter(f"{HTML}b"), None) is None
    for label in LABELS:
        assert any((cell.text or "") == label for cell in root.iter(f"{HTML}th")), label
        assert any(label in text_of(cell) for cell in root.iter(f"{SVG}text")), label


def test_headings_tables_and_figures_say_what_they_are(folder: Path, claims: Path) -> None:
    for made in (folder, claims):
        root = page(made / "report.html")
        levels = [int(e.tag[-1]) for e in root.iter() if re.fullmatch(rf"{re.escape(HTML)}h[1-6]", e.tag)]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(later <= earlier + 1 for earlier, later in itertools.pairwise(levels))
        for table in root.iter(f"{HTML}table"):
            assert text_of(next(table.iter(f"{HTML}caption"))).strip()
            assert all(cell.get("scope") in ("col", "row") for cell in table.iter(f"{HTML}th"))
        assert all(picture.get("aria-label") for picture in root.iter(f"{SVG}svg"))
        ids = [element.get("id") for element in root.iter() if element.get("id")]
        assert len(ids) == len(set(ids))
        for link in root.iter(f"{HTML}a"):
            assert link.get("href", "")[1:] in ids
        clips = {figure for clip in root.iter(f"{HTML}article") for figure in clip.iter(f"{HTML}figure")}
        for figure in set(root.iter(f"{HTML}figure")) - clips:
            assert next(figure.iter(f"{HTML}table"), None) is not None


def test_figures_of_the_page_are_those_of_metrics_json(folder: Path, claims: Path) -> None:
    accuracy = json.loads((folder / "metrics.json").read_text())["accuracy"]
    shown = text_of(next(page(folder / "report.html").iter(f"{HTML}header")))
    assert f"accuracy {100 * accuracy['value']:.1f} % {100 * accuracy['low']:.1f} %" in shown
    metrics = json.loads((claims / "metrics.json").read_text())
    shown = text_of(next(page(claims / "report.html").iter(f"{HTML}header")))
    assert f"EER (convex hull) {100 * metrics['eer']['value']:.1f} %" in shown
    assert f"EER (staircase) {100 * metrics['eer_staircase']['value']:.1f} %" in shown
    assert f"minDCF {metrics['min_dcf']['value']:.3f}" in shown


def test_the_data_table_counts_every_utterance_once(folder: Path) -> None:
    rows = read_run(folder).data
    assert {(row["class"], row["split"], row["utterances"]) for row in rows} == {(name, "all", "12") for name in LABELS}
    assert all(float(row["seconds"]) == pytest.approx(12 * 0.8) for row in rows)
    trained = {row["class"]: int(row["n_frames"]) for row in read_run(folder).classes}
    assert {row["class"]: int(row["frames"]) for row in rows} == trained


def test_the_worst_errors_are_wrong_and_come_in_order(folder: Path) -> None:
    found = read_run(folder)
    assert found.decisions is not None
    section = mistakes.section(found, 2, None)
    assert section is not None
    rows = section.tables[0].rows
    assert rows, "two of the classes sound alike"
    wrong = {
        i: (t, d) for i, t, d in zip(found.decisions.ids, found.decisions.true, found.decisions.decided, strict=True)
    }
    assert all(wrong[name] == (true, decided) and true != decided for name, true, decided, _ in rows)
    depths = [float(row[3]) for row in rows]
    assert depths == sorted(depths, reverse=True)
    assert len(section.clips) == min(2, len(rows))


def test_what_is_heard_is_what_was_scored(folder: Path) -> None:
    found = replace(read_run(folder), audio_root=folder.parent / "hums")
    section = mistakes.section(found, 1, None)
    assert section is not None
    clip, name = section.clips[0], section.tables[0].rows[0][0]
    heard, rate = soundfile.read(io.BytesIO(base64.b64decode(clip.audio.split(",")[1])))
    original = read_recording(found.path_of(name), sample_rate=8000)
    assert rate == 8000
    np.testing.assert_allclose(heard, original.samples, atol=1 / 32768)


def test_a_page_without_audio_holds_nobodys_voice(folder: Path) -> None:
    silent = render(replace(read_run(folder), audio_root=folder.parent / "hums"), audio=0)
    assert "<audio" not in silent
    assert "data:audio" not in silent
    assert "<audio" in render(replace(read_run(folder), audio_root=folder.parent / "hums"), audio=1)


def test_a_short_segment_is_heard_with_its_surroundings(folder: Path) -> None:
    found = replace(read_run(folder), audio_root=folder.parent / "hums")
    assert found.decisions is not None
    name = mistakes.section(found, 1, None).tables[0].rows[0][0]  # type: ignore[union-attr]
    row = {**found.places[name], "start": "0.3", "end": "0.36"}
    clip = mistakes.section(replace(found, places={**found.places, name: row}), 1, None).clips[0]  # type: ignore[union-attr]
    heard, rate = soundfile.read(io.BytesIO(base64.b64decode(clip.audio.split(",")[1])))
    assert len(heard) / rate == pytest.approx(mistakes.SHORT, abs=0.01)
    assert ("heard", "0.08 s to 0.58 s") in clip.about


@pytest.mark.slow
def test_a_recording_that_is_gone_is_named_and_the_page_is_made_all_the_same(folder: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(folder, tmp_path / "moved")
    environment = json.loads((moved / "environment.json").read_text())
    environment["corpus_root"] = str(tmp_path / "nowhere")
    (moved / "environment.json").write_text(json.dumps(environment))
    text = write_report(moved, audio_root=tmp_path / "nowhere").read_text(encoding="utf-8")
    assert "<audio" not in text
    assert "Nothing to hear: " in text
    assert "nowhere" in text


@pytest.mark.slow
def test_a_strangers_run_is_heard_below_the_folder_alone_that_the_reader_names(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hums = folder.parent / "hums"
    assert read_run(folder).environment["corpus_root"] == str(hums)
    monkeypatch.chdir(tmp_path)
    silent = write_report(folder, tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<audio" not in silent
    assert "name the folder of its recordings" in silent
    monkeypatch.chdir(folder.parent)
    assert "<audio" in write_report(folder, tmp_path / "page.html").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert "<audio" in write_report(folder, tmp_path / "page.html", audio_root=hums).read_text(encoding="utf-8")
    # The files of a run may name anything: by .., by an absolute path, by a link.
    private = tmp_path / "private.wav"
    first = next(hums.rglob("*.wav"))
    private.write_bytes(first.read_bytes())
    copied = shutil.copytree(hums, tmp_path / "hums")
    (copied / "link.wav").symlink_to(private)
    found = replace(read_run(folder), audio_root=copied)
    for name in ("../private.wav", str(private), "link.wav"):
        places = {key: {**row, "path": name} for key, row in found.places.items()}
        page_text = render(replace(found, places=places), audio=3)
        assert "<audio" not in page_text
        assert "it is not read" in page_text


def test_what_a_run_did_not_leave_is_left_out_and_said(folder: Path, tmp_path: Path) -> None:
    trained = tmp_path / "trained"
    trained.mkdir()
    for name in ("config.yaml", "classes.tsv", "environment.json", "protocol.tsv"):
        shutil.copy(folder / name, trained / name)
    root = page(write_report(trained))
    titles = [text_of(heading) for heading in root.iter(f"{HTML}h2")]
    assert "Training" in titles
    assert "Confusion matrix" not in titles
    assert "it was not tested" in text_of(root)
    assert "left no data.tsv" in text_of(root)


def test_a_report_is_refused_where_there_is_no_run(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not a run's folder"):
        write_report(tmp_path)
    broken = shutil.copytree(folder, tmp_path / "broken")
    (broken / "confusion.tsv").write_text("true\ta\nb\tmany\n")
    with pytest.raises(DataError, match="cannot be read"):
        write_report(broken)


def test_a_run_without_the_extra_says_so_in_one_line(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("speechgmm.report.page.find_spec", lambda name: None if name == "jinja2" else object())
    run(folder.parent / "hums.yaml", output=tmp_path / "run", console=Console())
    said = [line for line in capsys.readouterr().err.splitlines() if "report" in line and not line.startswith("took ")]
    assert said == ["no report.html: jinja2 not installed (pip install 'speechgmm[report]')"]
    assert not (tmp_path / "run" / "report.html").exists()
    assert (tmp_path / "run" / "metrics.json").exists()
    with pytest.raises(ConfigError, match="jinja2"):
        write_report(folder, tmp_path / "x.html")


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of verification whose scores are calibrated by folds."""
    root = tmp_path_factory.mktemp("calibrated")
    for number in range(6):
        (root / "hums" / f"voice {number}").mkdir(parents=True)
        for n in range(6):
            samples = hum(100 * number + n, (110.0 + 4 * number) * (1 + 0.02 * n), seconds=0.5)
            soundfile.write(root / "hums" / f"voice {number}" / f"{n}.wav", samples, 8000)
    (root / "hums.yaml").write_text(
        "task: verification\ncorpus: {kind: folder, root: hums, label: speaker, sample_rate: 8000, split: fraction}\n"
        "model: {adapt: map, ubm: {n_components: 4, max_iter: 5}}\ncalibration: {method: logistic}\n"
        "cache: cache\nparallel: {n_jobs: 1}\n"
    )
    run(root / "hums.yaml", output=root / "run", console=Console(quiet=True))
    return root / "run"


def table_of(root: ElementTree.Element, caption: str) -> dict[str, list[str]]:
    """Name of each row -> its cells, of the table with that caption."""
    found = next(t for t in root.iter(f"{HTML}table") if text_of(next(t.iter(f"{HTML}caption"))) == caption)
    rows = [[text_of(cell) for cell in row] for row in found.iter(f"{HTML}tr")]
    return {name: cells for name, *cells in rows}


@pytest.mark.slow
def test_a_calibrated_page_says_how_well_scores_tell_trials_apart_and_what_ratios_are_worth(
    calibrated: Path,
) -> None:
    folder = read_run(calibrated)
    claims, metrics, root = folder.claims, folder.results, page(calibrated / "report.html")
    assert claims is not None
    assert claims.calibrated is not None
    rate = f"{100 * metrics['eer'].value:.1f}"
    assert f"EER (convex hull) {rate} %" in text_of(next(root.iter(f"{HTML}header")))
    points = table_of(root, "Operating points")
    assert points["EER (convex hull)"][1:] == [f"{100 * metrics['eer'].value:.2f}"] * 2
    assert float(points["EER (convex hull)"][0]) == pytest.approx(
        operating_points(claims.trials)[0].threshold, abs=1e-4
    )
    assert "actDCF, prior 0.01" in table_of(root, "Decisions by ratio")
    rows = table_of(root, "Before and after calibration")
    for name, of in (("EER (convex hull)", eer), ("Cllr", cllr), ("Cllr_min", cllr_min)):
        after = claims.calibrated if of is cllr else claims.trials
        for cell, trials in zip(rows[name], (claims.trials, after), strict=True):
            value = 100 * of(trials) if "%" in cell else of(trials)
            assert float(cell.split()[0]) == pytest.approx(value, abs=0.051 if "%" in cell else 5.1e-4)
    for name in ("eer", "cllr", "cllr_min", "min_dcf"):
        cell = rows[
            {"eer": "EER (convex hull)", "cllr": "Cllr", "cllr_min": "Cllr_min"}.get(name, "minDCF (prior 0.01)")
        ]
        assert cell == [
            shown(kind[name].value, kind[name].unit) for kind in (folder.metrics["before_calibration"], metrics)
        ]
    drawn = {text_of(text) for text in root.iter(f"{SVG}text")}
    assert f"EER (convex hull): {100 * metrics['eer'].value:.2g} %" in drawn, "the DET is of the headline's scores"
    assert "blocks of PAV" in text_of(root)


def test_a_page_without_calibration_says_so_and_compares_nothing(claims: Path) -> None:
    text = text_of(page(claims / "report.html"))
    assert "not calibrated" in text
    assert "Before and after calibration" not in text
    assert "before_calibration" not in read_run(claims).metrics


@pytest.mark.slow
def test_the_printed_result_has_the_same_comparison(calibrated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = run(calibrated.parent / "hums.yaml", output=calibrated, console=Console(quiet=True))
    print_result(result)
    printed = capsys.readouterr().out
    rows = table_of(page(calibrated / "report.html"), "Before and after calibration")
    after = printed.index("before calibration")
    block = [re.split(r"  +", line.strip()) for line in printed[after:].splitlines()[1:5]]
    assert {name: cells for name, *cells in block} == {
        name: [cell.removesuffix(" bits") for cell in cells] for name, cells in rows.items() if name != "metric"
    }


def test_two_classes_with_a_target_are_trials_too(folder: Path) -> None:
    found = read_run(folder)
    assert found.claims is None
    scores = "id\ttrue\tpredicted\tn_frames\treal\tfake\n"
    scores += "a\treal\treal\t9\t-1\t-3\nb\tfake\treal\t9\t-1\t-2\nc\tfake\tfake\t9\t-4\t-2\n"
    made = shutil.copytree(folder, folder.parent / "two")
    (made / "scores.tsv").write_text(scores)
    (made / "confusion.tsv").write_text("true\treal\tfake\nreal\t1\t0\nfake\t1\t1\n")
    (made / "metrics.json").write_text(
        json.dumps({"eer": {"value": 0.1, "n": 3, "unit": "fraction", "target": "real"}})
    )
    two = read_run(made).claims
    assert isinstance(two, Claims)
    assert two.trials.scores.tolist() == [2.0, 1.0, -2.0]
    assert two.trials.is_target.tolist() == [True, False, False]


def test_what_was_run_names_no_setting_that_does_not_count(folder: Path, claims: Path) -> None:
    told = dict(about(read_run(claims)))
    assert told["Models"].startswith("adapt map, ubm (n_components 4")  # not the n_components of no model
    assert told["Intervals by"] == "sound"  # whose models and tests are drawn, though no group is named
    assert told["Scores"] == "method llr, normalise none"
    assert told["Calibration"] == "method none"
    assert "prior 0.01" in told["Decision"]
    plain = dict(about(read_run(folder)))
    assert plain["Models"].startswith("n_components 2")
    assert "Decision" not in plain
    assert not [value for value in (*told.values(), *plain.values()) if "None" in value or "[" in value]


def hundred(n: int) -> RunFolder:
    """What a run of n classes leaves, with long names and all kinds of errors."""
    rng = np.random.default_rng(0)
    labels = tuple(f"a class of some length {number}" for number in range(n))
    counts = rng.poisson(0.3, (n, n)) + 20 * np.eye(n, dtype=int)
    shares = {"recall": "0.6543", "precision": "0.7654"}
    trace = json.dumps([round(-80 + value, 6) for value in rng.random(20).cumsum()])
    report = {"n_frames": "12345", "n_components": "32", "iterations": "19", "objective": "-71.234567"}
    return RunFolder(
        folder=Path("hundred"),
        config={"task": "classification", "corpus": {"label": "word"}},
        confusion=(labels, counts),
        per_class=tuple({"class": name, "items": "50", "decisions": "48", "right": "33", **shares} for name in labels),
        classes=tuple({"class": name, **report, "converged": "true", "trace": trace} for name in labels),
        data=tuple(
            {"class": name, "split": split, "utterances": "20", "seconds": "31.250", "frames": "3000"}
            for name in labels
            for split in ("train", "test")
        ),
    )


@pytest.mark.slow
def test_a_page_of_a_hundred_classes_is_under_5_mb_with_all_its_audio(tmp_path: Path) -> None:
    text = render(hundred(100))
    assert "a class of some length 99" in text
    ElementTree.fromstring(text.split("<!DOCTYPE html>")[1])
    soundfile.write(tmp_path / "noise.wav", np.random.default_rng(0).uniform(-0.9, 0.9, 5 * 44100), 44100)
    found = replace(
        hundred(2),
        audio_root=tmp_path,
        environment={"corpus_root": str(tmp_path)},
        places={"noise": {"path": "noise.wav", "start": "", "end": ""}},
    )
    mistake = mistakes.Mistake("noise", "the worst", (), ())
    clip = mistakes._clip(found, mistake, "error0")
    assert clip.picture is not None
    heard, rate = soundfile.read(io.BytesIO(base64.b64decode(clip.audio.split(",")[1])))
    assert (len(heard) / rate, rate) == (mistakes.LONGEST, mistakes.HIGHEST_RATE)
    assert len(text) + 12 * (len(clip.audio) + len(clip.picture.svg)) < 5e6


@pytest.mark.slow
def test_a_page_of_a_thousand_classes_does_not_hold_a_million_cells() -> None:
    text = render(hundred(1000))
    assert "all counts are in confusion.tsv" in text
    assert len(text) < 5e6


def test_operating_points_have_the_errors_of_the_metrics() -> None:
    for seed in range(5):
        trials = some_trials(seed)
        application = Application(0.05, 10.0, 1.0)
        equal, least = operating_points(trials, (application,))
        assert equal.miss == equal.false_alarm == eer(trials)
        rates = error_rates(trials, least.threshold)
        assert (rates.miss, rates.false_alarm) == (least.miss, least.false_alarm)
        cost = (10 * 0.05 * least.miss + 0.95 * least.false_alarm) / min(10 * 0.05, 0.95)
        assert cost == pytest.approx(min_dcf(trials, 0.05, 10.0, 1.0))
        fixed = bayes_point(trials, application)
        assert fixed.threshold == pytest.approx(np.log(0.95 / 0.5))
        assert (10 * 0.05 * fixed.miss + 0.95 * fixed.false_alarm) / 0.5 >= cost - 1e-12


def test_the_ratios_of_pav_rise_and_have_cllr_min_as_their_cllr() -> None:
    for seed in range(5):
        trials = some_trials(seed)
        bounds, ratios = pav_blocks(trials)
        assert (np.diff(ratios) > 0).all()
        block = np.searchsorted(bounds[:, 0], trials.scores, side="right") - 1
        assert (trials.scores <= bounds[block, 1]).all()
        assert cllr(rank_trials(ratios[block], trials.is_target)) == pytest.approx(cllr_min(trials))


def test_what_no_page_may_hold_is_spelt_out() -> None:
    label = "\x1b[31m\udcff\x85"
    assert printable(label) == "\\x1b[31m\\udcff\\x85"
    axes = confusion_matrix(np.eye(2, dtype=np.int64), [label.replace("\udcff", ""), "日本"])
    svg = to_svg(axes.figure.figure, label, "f-")
    assert "日本" in svg
    ElementTree.fromstring(svg)


def test_text_stands_beside_an_odd_number_of_pictures_and_above_an_even_one() -> None:
    picture, wide = (Picture("", "", None, wide=wide, width=800.0) for wide in (False, True))
    narrow, broad = (Table.of("t", names, [], folded=False) for names in ("abcd", "abcdef"))
    layouts = [
        ((), (narrow,), "above"),
        ((picture,), (broad,), "beside"),
        ((picture, picture), (narrow,), "above"),
        ((picture, picture, wide, picture), (), "beside"),
        ((wide,), (narrow,), "column"),
        ((wide,), (narrow, broad), "above"),
        ((wide,), (replace(narrow, folded=True),), "above"),
        ((replace(wide, width=1000.0),), (narrow,), "above"),
    ]
    for pictures, tables, layout in layouts:
        assert Section("s", "S", tables=tables, pictures=pictures).layout == layout


def test_a_matrix_of_phones_is_in_the_order_of_phone_classes_and_one_of_words_in_that_of_the_table() -> None:
    for labels, order in (
        (("aa", "m", "iy", "s"), ["iy", "aa", "m", "s"]),
        (("up", "down", "iy", "s"), ["up", "down", "iy", "s"]),
    ):
        found = replace(hundred(4), confusion=(labels, np.eye(4, dtype=np.int64)), per_class=())
        section = confusions(found)
        assert section is not None
        names = [text_of(text) for text in ElementTree.fromstring(section.pictures[0].svg).iter(f"{SVG}text")]
        assert [name for name in names if name in labels][:4] == order
        assert ("phone classes" in section.pictures[0].caption) == (order != list(labels))
        table = section.pictures[0].table
        assert table is not None
        assert table.head[1:] == labels, "the table keeps the order of the run's files"
