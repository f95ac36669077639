"""The whole job on real recordings; skipped, with the reason, where they are not there."""

import json
from pathlib import Path

import numpy as np
import pytest

from speechgmm.engine import run
from speechgmm.engine.console import Console
from speechgmm.errors import DataError
from speechgmm.tasks.classification import score_recordings
from speechgmm.tasks.classification.codec import read_model_file

CONFIGS = Path(__file__).resolve().parents[1] / "configs"


@pytest.mark.slow
@pytest.mark.parametrize(("name", "least"), [("fsdd-speakers", 0.995), ("fsdd-digits", 0.99)])
def test_fsdd_on_its_official_split(shared: Path, tmp_path: Path, name: str, least: float) -> None:
    overrides = [f"corpus.root={shared / 'data' / 'fsdd'}", f"cache={tmp_path / 'cache'}"]
    result = run(CONFIGS / f"{name}.yaml", overrides, output=tmp_path / "run", console=Console(quiet=True))
    assert result.metrics["accuracy"]["value"] >= least
    assert (result.metrics["n_train"], result.metrics["n_test"]) == (2700, 300)

    # Scoring the recordings again, each by itself, gives what the run wrote.
    rows = [line.split("\t") for line in (tmp_path / "run" / "scores.tsv").read_text().splitlines()]
    paths = [shared / "data" / "fsdd" / "recordings" / f"{row[0]}.wav" for row in rows[1::10]]
    model = read_model_file(tmp_path / "run" / "models.safetensors")
    assert list(model.models.labels) == rows[0][4:]
    for row, (_, results) in zip(rows[1::10], score_recordings(model, paths), strict=True):
        assert not isinstance(results, DataError)
        np.testing.assert_allclose(results[0].mean_log_likelihoods, [float(cell) for cell in row[4:]], atol=1e-5)


@pytest.mark.slow
def test_workers_change_no_byte_of_the_models_of_real_speech(shared: Path, tmp_path: Path) -> None:
    found = {}
    for n_jobs, backend in ((1, "auto"), (2, "threads"), (2, "processes")):
        name = f"{n_jobs}-{backend}"
        overrides = [
            f"corpus.root={shared / 'data' / 'fsdd'}",
            f"cache={tmp_path / f'cache-{name}'}",
            f"parallel.n_jobs={n_jobs}",
            f"parallel.backend={backend}",
            "scoring.temperature_folds=0",
        ]
        run(CONFIGS / "fsdd-digits.yaml", overrides, output=tmp_path / name, console=Console(quiet=True), until="train")
        found[name] = (tmp_path / name / "models.safetensors").read_bytes()
    assert len(set(found.values())) == 1


@pytest.mark.slow
def test_a_manifest_of_hand_labelled_phones(shared: Path, tmp_path: Path) -> None:
    """TIMIT's own segments through the manifest: times in samples become seconds, every segment gets its frames."""
    root = shared / "data" / "timit-a"
    rows = ["path\tstart\tend\tsplit\tphone\tspeaker"]
    for path in sorted(root.glob("*/s[ix]*.phn")):
        speaker = path.parent.name
        split = "test" if speaker.startswith("dr4") else "train"
        for line in path.read_text().splitlines():
            start, end, phone = line.split()
            if phone in ("iy", "ih", "eh", "ae", "aa", "s", "sh", "n", "m"):
                audio = path.relative_to(root).with_suffix(".wav")
                rows.append(f"{audio}\t{int(start) / 16000}\t{int(end) / 16000}\t{split}\t{phone}\t{speaker}")
    (tmp_path / "phones.tsv").write_text("\n".join(rows) + "\n")
    (tmp_path / "phones.yaml").write_text(
        f"corpus: {{path: phones.tsv, root: {json.dumps(str(root))}, label: phone, group: speaker}}\n"
        f"features: {{deltas: 2, cmvn: utterance}}\nmodel: {{n_components: 4}}\ncache: cache\n"
    )
    result = run(tmp_path / "phones.yaml", output=tmp_path / "run", console=Console(quiet=True))
    # Nine phones of two unseen speakers; chance is a ninth.
    assert result.metrics["accuracy"]["value"] > 0.55
    assert result.metrics["accuracy"]["n_groups"] == 2


@pytest.mark.slow
def test_timit_phones_by_the_recipe(shared: Path, tmp_path: Path) -> None:
    overrides = [f"corpus.root={shared / 'data' / 'timit-a'}", f"cache={tmp_path / 'cache'}"]
    result = run(CONFIGS / "timit-phones.yaml", overrides, output=tmp_path / "run", console=Console(quiet=True))
    assert result.metrics["n_test"] == 2358
    assert len(result.metrics["folds"]) == 4
    # Measured 55.5 %; the same protocol gave others 55 with a careful front end.
    assert result.metrics["accuracy"]["value"] > 0.53
