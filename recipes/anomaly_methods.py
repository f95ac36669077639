"""Likelihood, Mahalanobis distance and nearest neighbours as anomaly scores: each sound of ESC-10 against others.

    python recipes/anomaly_methods.py PLACE_OF_ESC_10 FOLDER

Each class is normal once: its recordings of all folds but one train, and its recordings of that fold and those of the
other classes are tested, of which the latter are the anomalies. Every fold is left out once. Compared are frames (the
front end of the preset `anomaly`), and one vector of each recording, the mean and the standard deviation of every
cepstrum over its frames. The methods have their default settings; nothing is chosen.
"""

import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import typer
from scipy.stats import t

import speechgmm as sg
from speechgmm.engine.console import Console
from speechgmm.io.audio import read_recording
from speechgmm.io.tables import table

METHODS = ("likelihood", "mahalanobis", "neighbours")
FEATURES: dict[str, Any] = {"preset": "kaldi", "n_mels": 40, "n_ceps": 20}
RATE = 16000  # Hz


def main(root: Path, folder: Path) -> None:
    """Run every method on every fold, and print the mean AUC of the classes with intervals over them."""
    folder.mkdir(parents=True, exist_ok=True)
    root, paths = root.absolute(), sorted(root.glob("*/*.ogg"))
    classes, folds = sorted({path.parent.name for path in paths}), sorted({path.name[0] for path in paths})
    vectors: dict[str, Any] = {path.stem: vector_of(path) for path in paths}
    np.savez(folder / "vectors.npz", **vectors)
    areas = {place: np.zeros((len(classes), len(folds))) for place in product(("frames", "vectors"), METHODS)}
    for (row, normal), (column, fold) in product(enumerate(classes), enumerate(folds)):
        manifest = folder / f"{normal}-{fold}.tsv"
        manifest.write_text(manifest_of(paths, normal, fold))
        for of, method in areas:
            corpus: dict[str, Any] = {"path": manifest.name, "root": str(root), "label": "class"}
            if of == "vectors":
                corpus["features"] = str(folder.absolute() / "vectors.npz")
            else:
                corpus |= {"sample_rate": RATE, "resample": True}
            config = {
                "task": "anomaly",
                "corpus": corpus,
                "features": FEATURES if of == "frames" else {"kind": "given"},
                "anomaly": {"models": "one", "false_alarm": 0.1, "streams": [{"method": method}]},
                "cache": "cache",
                "output": str(folder.absolute() / f"{normal}-{fold}-{of}-{method}"),
                "parallel": {"n_jobs": 1},
            }
            (folder / "config.yaml").write_text(json.dumps(config))
            result = sg.run(folder / "config.yaml", console=Console(quiet=True))
            areas[of, method][row, column] = result.metrics["auc"]["value"]
    for (of, method), found in areas.items():
        each, less = 100 * found.mean(axis=1), 100 * (found - areas[of, "likelihood"]).mean(axis=1)
        print(f"{of:8} {method:12} AUC {shown(each)}   less likelihood: {shown(less)}")


def vector_of(path: Path) -> np.ndarray:
    """The mean and the standard deviation of each cepstrum of a recording, (1, 2 D) float32."""
    samples = read_recording(path, sample_rate=RATE, resample=True).samples
    frames = sg.extract(sg.FeatureSpec(**FEATURES), samples, RATE)
    return np.concatenate([frames.mean(axis=0), frames.std(axis=0)], dtype=np.float32)[None]


def manifest_of(paths: list[Path], normal: str, fold: str) -> str:
    """The manifest of a class and a fold: its training recordings, and all recordings of the fold as tests."""
    rows = [
        (path, "test" if path.name[0] == fold else "train", "normal" if path.parent.name == normal else "other", normal)
        for path in paths
        if path.parent.name == normal or path.name[0] == fold
    ]
    return table(("path", "split", "condition", "class"), rows)


def shown(values: np.ndarray) -> str:
    """Mean of values (n,) and its 95 % interval by Student's t."""
    half = t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return f"{values.mean():.1f} ({values.mean() - half:.1f} to {values.mean() + half:.1f})"


if __name__ == "__main__":
    typer.run(main)
