"""Frames that another program computed: what is trained on them, scored with them, and refused of them."""

import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from safetensors.numpy import load_file
from test_tasks import RATE, TASKS

from speechgmm.engine import run
from speechgmm.engine.console import Console
from speechgmm.features import FeatureSpec, raw_features

OF_RECORDINGS = {"seen"}
"""What a model file knows of the recordings themselves: hashes of their bytes."""


def quiet() -> Console:
    return Console(quiet=True)


def frames_of(path: Path, spec: FeatureSpec) -> np.ndarray:
    samples, rate = soundfile.read(path, dtype="float32")
    return raw_features(spec, samples, rate)[0]


def settings(text: str) -> tuple[str, FeatureSpec]:
    """A configuration on recordings as one on frames beside them, and the spec of these frames."""
    found = re.search(r"^features: \{(.*)\}\n", text, re.MULTILINE)
    spec = FeatureSpec(**{key: int(value) for key, value in re.findall(r"(\w+): (\d+)", found[1] if found else "")})
    text = text.replace(found[0], "") if found else text
    text = text.replace("sample_rate: 8000", "features: '{path}.npy'")
    return text + "features: {kind: given, frame_shift: 10}\n", spec


@pytest.mark.parametrize("task", [name for name in TASKS if name != "diarization"])
def test_frames_in_files_train_the_models_that_their_recordings_train(task: str, tmp_path: Path) -> None:
    make, text = TASKS[task]
    make(tmp_path)
    given, spec = settings(text)
    for path in tmp_path.glob("*.wav"):
        if task == "anomaly":  # its curve is as long as the recording, and given frames do not say how long that is
            samples, _ = soundfile.read(path, dtype="int16")
            soundfile.write(path, samples[: 200 + (len(samples) - 200) // 80 * 80], RATE)
        np.save(path.with_suffix(".npy"), frames_of(path, spec))
    found = {}
    for name, config in (("recordings", text), ("frames", given)):
        path = tmp_path / f"{name}.yaml"
        path.write_text(f"{config}cache: cache\noutput: {tmp_path / name}\nparallel: {{n_jobs: 1}}\n")
        run(path, console=quiet())
        found[name] = {key: value.tobytes() for key, value in load_file(tmp_path / name / "models.safetensors").items()}
    assert found["frames"].keys() == found["recordings"].keys()
    differing = {key for key, value in found["frames"].items() if value != found["recordings"][key]}
    assert differing <= OF_RECORDINGS
    tables = [path.name for path in (tmp_path / "frames").glob("scores*.tsv")]
    for table in tables:
        assert (tmp_path / "frames" / table).read_bytes() == (tmp_path / "recordings" / table).read_bytes()
