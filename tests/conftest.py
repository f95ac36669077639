"""What all tests share: where the real speech is, if it is here at all."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import settings

SHARED = Path(os.environ.get("SPEECHGMM_SHARED", Path(__file__).resolve().parents[1].parent / "shared"))

# Time is measured in benchmarks/, and never asserted: a machine that is busy fails no law.
settings.register_profile("laws", deadline=None)
settings.load_profile("laws")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder that holds ``data/`` (real speech) and ``references/``; the test is skipped without it."""
    if not (SHARED / "data").is_dir():
        pytest.skip(
            f"real speech is not at {SHARED} (set SPEECHGMM_SHARED to the folder that holds data/ and references/)"
        )
    return SHARED


def hum(seed: int, pitch: float, seconds: float = 0.6, rate: int = 8000) -> np.ndarray:
    """A buzz of one pitch in noise: enough for a class, and made in no time."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * rate)) / rate
    tone = sum(np.sin(2 * np.pi * pitch * k * time + rng.uniform(0, 6)) / k for k in range(1, 8))
    return (0.1 * tone * (1 + 0.5 * np.sin(2 * np.pi * 3 * time)) + 0.02 * rng.standard_normal(len(time))).astype(
        np.float32
    )


@pytest.fixture
def corpus_folder(tmp_path: Path) -> Path:
    """A folder per class with recordings of three hums: 8 each, 8 kHz."""
    root = tmp_path / "hums"
    for number, (name, pitch) in enumerate({"low": 110.0, "mid": 170.0, "high": 300.0}.items()):
        (root / name).mkdir(parents=True)
        for n in range(8):
            soundfile.write(root / name / f"{n}.wav", hum(100 * number + n, pitch * (1 + 0.02 * n)), 8000)
    return root


@pytest.fixture
def config_file(corpus_folder: Path) -> Path:
    """A configuration for the hums, with its own cache and results beside it."""
    path = corpus_folder.parent / "hums.yaml"
    path.write_text(
        "corpus: {kind: folder, root: hums, label: pitch, sample_rate: 8000, split: fraction}\n"
        "features: {deltas: 1}\n"
        "model: {n_components: 4, max_iter: 5}\n"
        f"cache: cache\noutput: {corpus_folder.parent / 'run'}\n"
        "parallel: {n_jobs: 1}\n"
    )
    return path
