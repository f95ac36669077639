"""The examples of docstrings run in a folder with ``birds.yaml``: recordings of three kinds of sound, ten of each."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

CONFIGURATION = """\
corpus: {kind: folder, root: birds, label: bird, split: fraction, sample_rate: 8000}
features: {deltas: 1}
cache: cache
parallel: {n_jobs: 1}
"""


@pytest.fixture(autouse=True)
def _birds(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in a folder of its own, with the recordings where an example speaks of them."""
    monkeypatch.chdir(tmp_path)
    example = getattr(request.node, "dtest", None)
    if example is None or "birds" not in example.docstring:
        return
    rng, time = np.random.default_rng(0), np.arange(4800) / 8000
    for name, pitch in (("robin", 700), ("thrush", 400), ("wren", 1200)):
        folder = tmp_path / "birds" / name
        folder.mkdir(parents=True)
        for n in range(10):
            song = np.sin(2 * np.pi * pitch * time) * (1 + np.sin(40 * time)) + 0.3 * rng.standard_normal(len(time))
            soundfile.write(folder / f"{n}.wav", 0.1 * song, 8000)
    (tmp_path / "birds.yaml").write_text(CONFIGURATION)
