"""Score files of any toolkit: what is read, what is refused, what their figures and their fusion are."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from speechgmm.cli.score_files import Evaluate, Fuse
from speechgmm.errors import ConfigError, DataError
from speechgmm.evaluation import cllr, eer, eer_staircase, min_dcf, rank_trials
from speechgmm.io.score_file import ClassScores, TrialScores, read_scores, read_truth
from speechgmm.tasks.classification.spec import DecisionSpec
from speechgmm.tasks.verification.fusion import fuse_files, fuse_systems
from speechgmm.tasks.verification.score_files import evaluate_file
from speechgmm.tasks.verification.score_map_training import fit_logistic
from speechgmm.tasks.verification.systems import read_systems

N_SPEAKERS = 8


def trials(seed: int = 0, distance: float = 2.0, n_speakers: int = N_SPEAKERS) -> list[tuple[str, str, float, bool]]:
    """Every model against two tests of every speaker; ids as other toolkits make them."""
    rng = np.random.default_rng(seed)
    return [
        (f"spk{m}", f"utt{t}-{take}", float(rng.normal(distance * (m == t))), m == t)
        for m in range(n_speakers)
        for t in range(n_speakers)
        for take in range(2)
    ]


def write(path: Path, rows: list[tuple[object, ...]], separator: str = "\t", head: str = "") -> Path:
    lines = [separator.join(map(str, row)) for row in rows]
    path.write_text("\n".join([*([head] if head else []), *lines]) + "\n")
    return path


def spelt(rows: list[tuple[str, str, float, bool]]) -> list[tuple[object, ...]]:
    return [(m, t, s, "target" if truth else "nontarget") for m, t, s, truth in rows]


def kaldi(folder: Path, rows: list[tuple[str, str, float, bool]], name: str = "scores") -> tuple[Path, Path]:
    """Kaldi's two files: scores, and trials in another order."""
    scores = write(folder / name, [(m, t, s) for m, t, s, _ in rows], " ")
    return scores, write(folder / "trials", [(m, t, k) for m, t, _, k in spelt(rows)[::-1]], " ")


@pytest.mark.slow
def test_the_same_trials_have_the_same_figures_in_every_format(tmp_path: Path) -> None:
    rows = trials()
    ranked = rank_trials([row[2] for row in rows], [row[3] for row in rows])
    scores, key = kaldi(tmp_path, rows)
    tables = [
        write(tmp_path / "a.tsv", spelt(rows), "\t", "model\ttest\tscore\ttarget"),
        write(tmp_path / "b.csv", spelt(rows), ",", "Enrol,Test,Score,Label"),
        write(tmp_path / "c.txt", spelt(rows), ";", "enroll;segment;score;key"),
        write(tmp_path / "d.txt", [(t, int(k), s, m) for m, t, s, k in rows], " ", "test target score model"),
    ]
    found = [evaluate_file(scores, key).metrics, *(evaluate_file(table).metrics for table in tables)]
    for metrics in found:
        assert metrics["eer"]["value"] == pytest.approx(eer(ranked))
        assert metrics["eer_staircase"]["value"] == pytest.approx(eer_staircase(ranked))
        assert metrics["eer_staircase"]["low"] < eer_staircase(ranked) < metrics["eer_staircase"]["high"]
        assert metrics["min_dcf"]["value"] == pytest.approx(min_dcf(ranked, 0.01))
        assert metrics["eer"]["n_groups"] == N_SPEAKERS  # by what targets connect
        assert metrics["eer"]["low"] == pytest.approx(found[0]["eer"]["low"])
        assert "cllr" not in metrics


def test_scores_are_taken_for_ratios_only_where_it_is_said(tmp_path: Path) -> None:
    rows = trials()
    path = write(tmp_path / "s.tsv", spelt(rows), head="model\ttest\tscore\ttarget")
    ranked = rank_trials([row[2] for row in rows], [row[3] for row in rows])
    assert any("log-likelihood ratios" in note for note in evaluate_file(path).notes)
    assert evaluate_file(path, are_llrs=True).metrics["cllr"]["value"] == pytest.approx(cllr(ranked))
    named = write(tmp_path / "r.tsv", spelt(rows), head="model\ttest\tllr\ttarget")
    found = evaluate_file(named, decision=DecisionSpec(prior=0.5), threshold=1.0)
    assert found.metrics["cllr"]["value"] == pytest.approx(cllr(ranked))
    assert found.metrics["act_dcf"]["threshold"] == 0
    missed = [row[2] < 1 for row in rows if row[3]]
    assert found.metrics["miss"]["value"] == pytest.approx(np.mean(missed))


def test_names_that_targets_connect_are_one_speaker(tmp_path: Path) -> None:
    """Two models of each speaker, as where every recording is enrolled by itself."""
    rows = [(f"{m}-{n}", t, s + n, truth) for m, t, s, truth in trials() for n in range(2)]
    path = write(tmp_path / "s.tsv", spelt(rows), head="model\ttest\tscore\ttarget")
    assert evaluate_file(path).metrics["eer"]["n_groups"] == N_SPEAKERS


def test_scores_of_trials_that_the_list_does_not_name_do_not_count(tmp_path: Path) -> None:
    rows = trials()
    scores, _ = kaldi(tmp_path, rows)
    key = write(tmp_path / "few", [(m, t, k) for m, t, _, k in spelt(rows)[:64]], " ")
    found = evaluate_file(scores, key)
    assert found.metrics["eer"]["n"] == 64
    assert "64 scores are of trials" in found.notes[0]


def test_decisions_between_classes_have_an_accuracy(tmp_path: Path) -> None:
    rows = [(n, "ab"[n % 2], "ab"[n % 2 if n % 5 else 0], 40, -1.0, -2.0) for n in range(20)]
    path = write(tmp_path / "s.tsv", rows, head="id\ttrue\tpredicted\tn_frames\ta\tb")
    found = read_scores(path)
    assert isinstance(found, ClassScores)
    assert found.labels == ("a", "b")
    right = np.mean([true == said for _, true, said, *_ in rows])
    assert evaluate_file(path).metrics["accuracy"]["value"] == pytest.approx(right)
    with pytest.raises(ConfigError, match="decisions between classes"):
        evaluate_file(path, threshold=1.0)


def test_a_run_that_detects_one_of_two_classes_has_figures_of_detection(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [(n, "ab"[n % 2], "ab"[n % 2], 9, rng.normal(n % 2), "target" if n % 2 else "nontarget") for n in range(40)]
    lines = [(*row, 0.0, float(row[4])) for row in rows]
    path = write(tmp_path / "s.tsv", lines, head="id\ttrue\tpredicted\tn_frames\tscore\ttarget\ta\tb")
    ranked = rank_trials([row[4] for row in rows], [row[5] == "target" for row in rows])
    found = evaluate_file(path, decision=DecisionSpec(prior=0.3)).metrics
    assert found["eer"]["value"] == pytest.approx(eer(ranked))
    assert found["min_dcf"]["value"] == pytest.approx(min_dcf(ranked, 0.3))
    assert found["accuracy"]["value"] == 1
    assert found["eer"]["high"] <= 0.5


def test_classes_may_have_the_names_of_the_columns_of_detection(tmp_path: Path) -> None:
    rows = [(n, "score", "target", 9, -1.0, -2.0) for n in range(4)]
    found = read_scores(write(tmp_path / "s.tsv", rows, head="id\ttrue\tpredicted\tn_frames\tscore\ttarget"))
    assert isinstance(found, ClassScores)
    assert (found.labels, found.target) == (("score", "target"), None)


LAYOUTS = {
    "Kaldi": ("{m} {t} {s}", "{m} {t} {target}"),
    "Kaldi, tabs": ("{m}\t{t}\t{s}", "{m}\t{t}\t{genuine}"),
    "VoxCeleb": ("{m} {t} {s}", "{n} {m} {t}"),
    "VoxCeleb with scores": ("{n} {m} {t} {s}", None),
    "SpeechBrain": ("{m} {t} {n} {s}", None),
    "score before truth": ("{m} {t} {s} {imposter}", None),
    "commas": ("{m},{t},{n},{s}", None),
    "decimal commas": ("{m};{t};{n};{comma}", None),
    "decimal commas and spaces": ("{m} {t} {comma}", "{m};{t};{imposter}"),
    "NIST": ("modelid\tsegmentid\tside\tLLR", "modelid\tsegmentid\tside\ttargettype"),
    "header of one system": ("Score;Target", None),
    "header of tests": ("utt_id,label,score", None),
    "ASVspoof 2019": ("{m}-{t} A{a} {bonafide} {s}", None),
    "ASVspoof 2021": ("{m}-{t} {s}", "{m}-{t} {bonafide}"),
    "ASVspoof's protocol": ("{m}-{t} {s}", "{m} {m}-{t} - A{a} {bonafide}"),
    "compute-eer": ("{s} {target}", None),
    "compute-eer, digits": ("{s} {n}", None),
    "truth before score": ("{target} {s}", None),
    "truth of -1 and 1": ("{s} {sign}", None),
    "header, truth of -1 and 1": ("score,label", None),
    "header, truth of a data frame": ("score,label", None),
}
ROWS = {
    "NIST": ("{m}\t{t}.sph\ta\t{s}", "{m}\t{t}.sph\ta\t{target}"),
    "header of one system": ("{comma};{target}", None),
    "header of tests": ("{m}-{t},{bonafide},{s}", None),
    "header, truth of -1 and 1": ("{s},{sign}", None),
    "header, truth of a data frame": ("{s},{n}.0", None),
}
WITHOUT_MODELS = {name for name in LAYOUTS if re.match("ASV|compute|header|truth", name)}


@pytest.mark.parametrize(
    ("toolkit", "encoding"),
    [
        *((toolkit, "utf-8") for toolkit in LAYOUTS),
        *(("SpeechBrain", encoding) for encoding in ("utf-16", "utf-16-le", "utf-8-sig")),
    ],
)
def test_score_files_of_other_toolkits_have_the_metrics_of_our_own(tmp_path: Path, toolkit: str, encoding: str) -> None:
    rows = trials()
    fields = [
        {
            "m": m,
            "t": t,
            "s": f"{s:.4f}",
            "comma": f"{s:.4f}".replace(".", ","),
            "n": int(k),
            "sign": 2 * int(k) - 1,
            "a": f"{n % 3:02}",
        }
        | {"target": "target" if k else "non-target", "bonafide": "bonafide" if k else "spoof"}
        | {"genuine": "Genuine" if k else "impostor", "imposter": "target" if k else "imposter"}
        for n, (m, t, s, k) in enumerate(rows)
    ]
    files = []
    for name, first, later in zip(("scores", "trials"), LAYOUTS[toolkit], ROWS.get(toolkit, (None, None)), strict=True):
        files.append(None if first is None else tmp_path / name)
        if first is not None:
            head = [first] if later else []
            lines = [*head, *((later or first).format(**one) for one in fields)]
            (tmp_path / name).write_bytes("\r\n".join([*lines, ""]).encode(encoding))
    expected = eer(rank_trials([round(row[2], 4) for row in rows], [row[3] for row in rows]))
    found = evaluate_file(*files)
    assert found.metrics["eer"]["value"] == pytest.approx(expected)
    assert found.metrics["eer"]["n"] == len(rows)
    n_groups = len(rows) if toolkit in WITHOUT_MODELS else N_SPEAKERS
    assert found.metrics["eer"]["n_groups"] == n_groups


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a u1 wahr 1.5\nb u2 falsch -1.5\nc u3 wahr 2.5\nd u4 falsch 0.5\n", "'falsch', 'wahr': no words that are"),
        ("a u1 target 1.5\nb u2 nontraget -1.5\nc u3 target 2.5\n", "line 2: 'nontraget' .*accepted are .* impostor"),
        ("1 a u1\n0 b u2\n", "a list of trials .*VoxCeleb's.* and no scores"),
        ("u1 1 1.5\nu2 0 -1.5\n", "another layout that leaves no doubt.*put a line above it that names the columns"),
        ("1 0 1\n0 1 0\n", "put a line above it"),
        ("a b c d 1.5\n", "put a line above it"),
    ],
)
def test_columns_that_leave_doubt_are_refused_with_how_to_name_them(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "s").write_text(text)
    with pytest.raises(DataError, match=message):
        evaluate_file(tmp_path / "s")


def test_trials_whose_truth_may_stand_in_two_columns_are_refused(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("1 0 1\n0 1 0\n")
    with pytest.raises(DataError, match=r"columns 1 and 2 and 3 may both say .*such as: model test target"):
        read_truth(tmp_path / "t")


def test_distances_are_noticed_and_negated_where_it_is_said(tmp_path: Path) -> None:
    rows = trials()
    scores = write(tmp_path / "s", [(m, t, s) for m, t, s, _ in rows], " ")
    distances, key = kaldi(tmp_path, [(m, t, -s, k) for m, t, s, k in rows], "d")
    noted = evaluate_file(distances, key)
    assert noted.metrics["eer"]["value"] == pytest.approx(0.5)
    assert any("targets score lower than non-targets" in note and "(distance)" in note for note in noted.notes)
    found = evaluate_file(distances, key, distance=True)
    assert found.metrics == evaluate_file(scores, key).metrics
    assert not any("score lower" in note for note in found.notes)
    assert "score lower" in fuse_files([distances], trials=key, n_folds=4).notes[0]
    fused = fuse_files([distances], trials=key, n_folds=4, distance=True)
    assert (fused.notes, fused.text) == ((), fuse_files([scores], trials=key, n_folds=4).text)
    ratios = write(tmp_path / "r.tsv", spelt(rows), head="model\ttest\tllr\ttarget")
    with pytest.raises(ConfigError, match="column llr, and log-likelihood ratios are no distances"):
        evaluate_file(ratios, distance=True)


HEAD = "model\ttest\tscore\ttarget\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "nothing in it"),
        (HEAD, "a header and no rows"),
        ("speaker\tfile\tvalue\na\tb\t1\n", "a header with model .* is expected, or Kaldi's three columns.*speaker"),
        ("model,test,score,target\na,b,1,5,target\n", "5 cells where 4 are expected.*decimal comma"),
        (HEAD + "a\tb\t1\ttarget\na\tc\tnan\tnontarget\n", "line 3: a score that is NaN"),
        (HEAD + "a\tb\t1\ttarget\na\tc\t2\tnontarget\na\tb\t3\ttarget\n", "line 4: .*also the trial of line 2"),
        (HEAD + "a\tb\t1\tperhaps\n", "'perhaps' where target or nontarget is expected"),
        (HEAD + "a\tb\t1\n", "3 cells where 4 are expected"),
        (HEAD + "a\tb\tx\ttarget\n", "'x' where a number is expected"),
        (HEAD + "a\tb\t1\ttarget\nc\td\t1\ttarget\n", "s: 2 target trials and no non-targets"),
        (HEAD + "a\tb\t1\tnontarget\n", "s: 1 non-target trials and no targets"),
        ("model\ttest\tscore\tlabel\tkey\na\tb\t1\t1\t1\n", "two columns for the target"),
        ("a b 1\nc d 2\n", r"does not say which trials are targets; name a list that does \(trials: model"),
        ("id\ttrue\tpredicted\tn_frames\ta\tb\nx\ta\tc\t9\t1\t2\n", "predicted is 'c', which has no column"),
        ("id\ttrue\tpredicted\tn_frames\ta\tb\nx\ta\tb\t9\t1\t2\nx\ta\tb\t9\t1\t2\n", "'x' is there twice"),
        ("true\tpredicted\na\ta\n", "id, true, predicted and then a column of scores"),
    ],
)
def test_what_is_no_score_file_is_refused_with_the_line_and_the_likely_mistake(
    tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "s").write_text(text)
    with pytest.raises(DataError, match=message):
        evaluate_file(tmp_path / "s")


def test_a_list_of_trials_that_does_not_fit_the_scores_is_refused(tmp_path: Path) -> None:
    rows = trials()
    scores, key = kaldi(tmp_path, rows)
    turned = write(tmp_path / "turned", [(t, m, k) for m, t, _, k in spelt(rows)], " ")
    with pytest.raises(DataError, match=r"128 of 128 trials in .* have no score .*spelt alike, and in this order"):
        evaluate_file(scores, turned)
    both = write(tmp_path / "both.tsv", spelt(rows), head=HEAD.strip())
    other = write(tmp_path / "other", [(m, t, "nontarget") for m, t, *_ in rows], " ")
    with pytest.raises(DataError, match="do not agree which trials are targets: spk0 utt0-0"):
        evaluate_file(both, other)
    for missing in ("none", "none.parquet"):
        with pytest.raises(DataError, match="there is no such file"):
            evaluate_file(scores, tmp_path / missing)
    with pytest.raises(DataError, match=r"a folder without scores\.tsv"):
        evaluate_file(tmp_path)
    write(tmp_path / "untold", [("a", "b", "")], "\t", "model\ttest\ttarget")
    with pytest.raises(DataError, match="has no truth"):
        read_truth(tmp_path / "untold")
    assert len(read_truth(key)) == len(rows)


def test_fusion_trained_on_dev_is_the_affine_map_of_all_systems(tmp_path: Path) -> None:
    systems = [[trials(seed, 2.0) for seed in pair] for pair in ((0, 1), (2, 3))]  # two systems: dev, test
    dev = [write(tmp_path / f"dev{n}", spelt(rows[0]), head=HEAD.strip()) for n, rows in enumerate(systems)]
    test = [kaldi(tmp_path, rows[1], f"test{n}")[0] for n, rows in enumerate(systems)]
    test[1].write_text("\n".join(test[1].read_text().splitlines()[::-1]))  # another order
    found = fuse_files(test, dev)
    columns = [np.array([[row[2] for row in rows[n]] for rows in systems]).T for n in (0, 1)]
    expected = fit_logistic(columns[0], [row[3] for row in systems[0][0]])
    np.testing.assert_allclose(found.map.weights, expected.weights)
    (tmp_path / "fused.tsv").write_text(found.text)
    fused = read_scores(tmp_path / "fused.tsv")
    assert isinstance(fused, TrialScores)
    assert fused.is_target is None
    np.testing.assert_allclose(fused.llrs, expected.apply(columns[1]), atol=1e-6)
    alone = [evaluate_file(path, tmp_path / "trials").metrics["cllr_min"]["value"] for path in test]
    together = evaluate_file(tmp_path / "fused.tsv", tmp_path / "trials").metrics
    assert together["cllr_min"]["value"] < min(alone)
    assert together["cllr"]["value"] < 1


@pytest.mark.slow
def test_without_dev_one_system_is_calibrated_by_folds_of_its_own_speakers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [(m, t, s / 10 + 5, truth) for m, t, s, truth in trials(distance=3.0, n_speakers=24)]
    scores, key = kaldi(tmp_path, rows)
    out = tmp_path / "out.tsv"
    Fuse(scores=[scores], trials=key, folds=4, out=out).run()
    assert "speaker-disjoint folds" in capsys.readouterr().err
    Evaluate(scores=out, prior=0.1, form="json").run()
    metrics = json.loads(capsys.readouterr().out)
    assert metrics["cllr"]["value"] < metrics["cllr_min"]["value"] + 0.1 < 1
    assert metrics["act_dcf"]["p_target"] == 0.1
    Evaluate(scores=out, threshold=0.0).run()
    out = capsys.readouterr().out
    assert "actDCF" in out
    assert "EER (convex hull)" in out
    assert "EER (staircase)" in out
    Evaluate(scores=scores, trials=key, form="json").run()
    assert "no cllr and no actual DCF" in (err := capsys.readouterr().err)
    assert "(a column llr; --llr where scores are such)" in err
    with pytest.raises(ConfigError, match=r"--prior 5: expected more than 0 and less than 1"):
        Evaluate(scores=out, prior=5, form="json").run()


def test_with_quality_the_cohorts_means_take_part_as_a_system_does(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    files = []
    for name, seed in (("dev", 0), ("test", 1)):
        rows = trials(seed, 2.0)
        means = rng.normal(-0.2, 0.05, len(rows))
        cells = [(*row, f"{mean:.6f}") for row, mean in zip(spelt(rows), means, strict=True)]
        files.append(write(tmp_path / name, cells, head=HEAD.strip() + "\tcohort_mean"))
    plain = write(tmp_path / "plain", spelt(trials(1, 1.0)), head=HEAD.strip())
    plain_dev = write(tmp_path / "plain-dev", spelt(trials(0, 1.0)), head=HEAD.strip())
    found = fuse_files([plain, files[1]], [plain_dev, files[0]], quality=True)
    read = [read_scores(path) for path in (plain_dev, files[0], plain, files[1])]
    assert all(isinstance(one, TrialScores) for one in read)
    dev, test = (np.column_stack([a.scores, b.scores, b.cohort_means]) for a, b in (read[:2], read[2:]))  # type: ignore[union-attr]
    expected = fit_logistic(dev, read[0].is_target)  # type: ignore[union-attr, arg-type]
    np.testing.assert_allclose(found.map.weights, expected.weights)
    assert found.inputs == (str(plain), str(files[1]), f"{files[1]}: cohort_mean")
    (tmp_path / "fused.tsv").write_text(found.text)
    fused = read_scores(tmp_path / "fused.tsv")
    assert isinstance(fused, TrialScores)
    np.testing.assert_allclose(fused.llrs, expected.apply(test), atol=1e-6)
    assert len(fuse_files([files[1]], [files[0]]).map.weights) == 1
    with pytest.raises(DataError, match="quality: no file has a column cohort_mean"):
        fuse_files([plain], [plain_dev], quality=True)
    with pytest.raises(DataError, match="cohort_mean is in files 2 of the systems and 1 of dev"):
        fuse_files([plain, files[1]], [files[0], plain_dev], quality=True)


def test_fusion_refuses_what_does_not_go_together(tmp_path: Path) -> None:
    rows = trials()
    one, key = kaldi(tmp_path, rows, "one")
    two = write(tmp_path / "two", [(m, t, s) for m, t, s, _ in rows[1:]], " ")
    with pytest.raises(DataError, match=r"hold different trials \(1 are in one alone: spk0 utt0-0\)"):
        fuse_files([one, two], [one, one], dev_trials=key)
    with pytest.raises(ConfigError, match="1 dev files for 2 systems"):
        fuse_files([one, one], [one])
    with pytest.raises(ConfigError, match="dev_trials without dev"):
        fuse_files([one], dev_trials=key)
    with pytest.raises(DataError, match="does not say which trials are targets"):
        fuse_files([one])
    endless = write(tmp_path / "endless.tsv", [*spelt(rows), ("spk0", "x", "-inf", "nontarget")], head=HEAD.strip())
    with pytest.raises(DataError, match=r"endless.tsv: 1 scores are infinite \(spk0 x\)"):
        fuse_files([endless])


def test_what_systems_do_not_share_is_left_out_and_counted_where_that_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows, others = trials(0, 2.0), trials(1, 2.0)
    one = write(tmp_path / "one.tsv", spelt(rows[3:]), head=HEAD.strip())
    two = write(tmp_path / "two.tsv", spelt(others[:-1]), head=HEAD.strip())
    with pytest.raises(DataError, match=r"hold different trials \(4 are in one alone: .*shared"):
        fuse_files([one, two])
    found = fuse_systems(read_systems([one, two], shared=True))
    same = [write(tmp_path / f"{n}.tsv", spelt(kept), head=HEAD.strip()) for n, kept in enumerate((rows, others))]
    both = [write(path, spelt(kept[3:-1]), head=HEAD.strip()) for path, kept in zip(same, (rows, others), strict=True)]
    assert found.text == fuse_files(both).text
    assert found.left_out == {str(one): (1, len(rows) - 3), str(two): (3, len(rows) - 1)}
    Fuse(scores=[one, two], shared=True, out=tmp_path / "f.tsv").run()
    said = capsys.readouterr()
    assert f"warning: 3 of {len(rows) - 1} trials of {two} are not in the files of all systems" in said.err
    assert f"{len(rows) - 4} trials" in said.out
    # A list of trials may name some that a system has no score for, and so may the files of dev.
    scores, key = kaldi(tmp_path, rows, "kaldi")
    scores.write_text("\n".join(scores.read_text().splitlines()[2:]))
    with pytest.raises(DataError, match="have no score"):
        fuse_files([scores], trials=key)
    kept = [tuple(line.split()[:2]) for line in scores.read_text().splitlines()]
    assert set(read_systems([scores], key, shared=True).pairs) == set(kept) & {row[:2] for row in rows}
    dev = read_systems([one, two], shared=True)
    assert fuse_systems(read_systems(both), dev).left_out[str(two)] == (3, len(rows) - 1)
    away = write(tmp_path / "away.tsv", [(f"x{m}", t, s, k) for m, t, s, k in spelt(rows)], head=HEAD.strip())
    with pytest.raises(DataError, match="no trial is in all of"):
        read_systems([one, away], shared=True)


def test_a_calibration_of_one_system_orders_trials_as_its_scores_do(tmp_path: Path) -> None:
    rows = trials(distance=3.0, n_speakers=12)
    path = write(tmp_path / "s.tsv", spelt(rows), head=HEAD.strip())
    (tmp_path / "f.tsv").write_text(fuse_files([path]).text)
    before, after = (evaluate_file(one).metrics for one in (path, tmp_path / "f.tsv"))
    for name in ("eer", "min_dcf", "cllr_min"):
        assert after[name]["value"] == pytest.approx(before[name]["value"])
    fused = read_scores(tmp_path / "f.tsv")
    ratios = rank_trials(fused.llrs, fused.is_target)  # type: ignore[union-attr, arg-type]
    assert eer(ratios) != pytest.approx(before["eer"]["value"], abs=1e-6), "maps of folds reorder"
    assert after["cllr"]["value"] == pytest.approx(cllr(ratios))


def test_trials_that_the_fusion_was_trained_on_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "s.tsv", spelt(trials()), head=HEAD.strip())
    Fuse(scores=[path], dev=[path], out=tmp_path / "f.tsv").run()
    assert "warning: 128 trials are among those of --dev too" in capsys.readouterr().err
    other = write(tmp_path / "t.tsv", [(f"x{m}", t, s, k) for m, t, s, k in spelt(trials(1))], head=HEAD.strip())
    Fuse(scores=[path], dev=[other], out=tmp_path / "f.tsv").run()
    assert "warning" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("task", "header"), [("anomaly", "id\tclass\tcondition\tscore\tthreshold"), ("recognition", None)]
)
def test_a_run_without_scores_of_classes_or_trials_is_refused_with_what_it_is(
    tmp_path: Path, task: str, header: str | None
) -> None:
    (tmp_path / "config.yaml").write_text(f"task: {task}\n")
    if header:
        (tmp_path / "scores.tsv").write_text(f"{header}\n1\tm0\tnormal\t1.5\t2\n")
    for path in (tmp_path, *tmp_path.glob("scores.tsv")):
        with pytest.raises(
            ConfigError, match=rf"a run of {task} without scores of classes or trials; expected .* run of"
        ):
            evaluate_file(path)
