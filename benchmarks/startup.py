"""How long does a command take from a cold start? Whole processes, against one that imports what no scoring is without.

A recording of 3 s is scored by six models of 32 components. Every process is new; the disk's cache is warm.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile
from goals import judge
from timing import interleaved, show, times_faster

from speechgmm.engine.audio_input import AudioInput
from speechgmm.features import FeatureSpec
from speechgmm.gmm import DiagGMM
from speechgmm.tasks.classification import ClassModels
from speechgmm.tasks.classification.codec import save_models

N_CLASSES, K, RATE = 6, 32, 8000


def prepare(folder: Path) -> tuple[Path, Path]:
    rng = np.random.default_rng(0)
    spec = FeatureSpec(preset="kaldi", n_mels=40, n_ceps=24)
    means = 10 * rng.normal(size=(N_CLASSES, K, 24))
    models = tuple(DiagGMM(np.full(K, 1 / K), mean, np.full((K, 24), 100.0)) for mean in means)
    labels = tuple(f"speaker {number}" for number in range(N_CLASSES))
    classes = ClassModels(labels, models, np.full(N_CLASSES, -np.log(N_CLASSES)), temperature=0.1)
    save_models(classes, folder / "models.safetensors", audio=AudioInput(spec, RATE), label="speaker")
    soundfile.write(folder / "3s.wav", 0.1 * rng.normal(size=3 * RATE), RATE)
    return folder / "models.safetensors", folder / "3s.wav"


def process(*arguments: str) -> None:
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        model, recording = map(str, prepare(Path(name)))
        printing = "from pathlib import Path; from speechgmm.tasks.classification.command import Score; "
        contestants = {
            "import numpy, scipy.fft, soundfile": lambda: process("-c", "import numpy, scipy.fft, soundfile"),
            "import numpy": lambda: process("-c", "import numpy"),
            "import typer, pydantic": lambda: process("-c", "import typer, pydantic.types, pydantic.main"),
            "speechgmm --help": lambda: process("-m", "speechgmm", "--help"),
            "speechgmm score MODEL RECORDING": lambda: process("-m", "speechgmm", "score", model, recording),
            "the same without typer": lambda: process(
                "-c", f"{printing}Score(model=Path({model!r}), audio=[Path({recording!r})]).run()"
            ),
        }
        seconds = interleaved(contestants, repeats=15)
        show("a process, cold start", seconds)
        judge(
            "cold_score", times_faster(seconds, "import numpy, scipy.fft, soundfile", "speechgmm score MODEL RECORDING")
        )


if __name__ == "__main__":
    main()
