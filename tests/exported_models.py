"""Models of hums with every part of a front end, for tests of what models become in other programs."""

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from conftest import hum

import speechgmm as sg
from speechgmm.engine.audio_input import AudioInput
from speechgmm.errors import FitWarning
from speechgmm.features import moments, normalisation, raw_features
from speechgmm.features.transforms import TransformSpec, class_moments, lda, splice

RATE = 8000

MODELS: dict[str, dict[str, Any]] = {
    "kaldi": {"deltas": 2},
    "htk": {"preset": "htk", "deltas": 1, "cmvn": "utterance"},
    "slaney": {"preset": "slaney", "high_frequency": 3900.0, "vad": "peak"},
    "librosa": {"preset": "librosa", "top_db": 50.0, "c0": "relative", "frame_shift": 8.0},
    "asvspoof": {"preset": "asvspoof", "n_ceps": 20, "deltas": 2, "cmvn": "speaker", "norm_vars": False},
    "global": {"kind": "lfcc", "cmvn": "global", "vad": "energy", "snip_edges": False},
    "lda": {"deltas": 1, "cmvn": "global", "transform": TransformSpec(kind="lda", dim=2, splice=3)},
}


def speech(seed: int, pitch: float = 150.0, seconds: float = 0.8) -> np.ndarray:
    """A hum with a loud and a quiet part, in samples of 16 bits."""
    samples = hum(seed, pitch, seconds)
    samples[len(samples) // 2 :] *= 0.03
    return (np.rint(samples * 32767)).astype(np.int16).astype(np.float32) / 32768


def trained(folder: Path, **settings: Any) -> Path:
    """A model of three hums; with a transform and global normalisation as a run learns them."""
    spec = sg.FeatureSpec(**settings)
    raw = spec.without_normalisation()
    recordings = {name: [speech(10 * n + k, 110.0 + 70 * n) for k in range(3)] for n, name in enumerate("abc")}
    frames = {}
    for name, several in recordings.items():
        made = [raw_features(raw, one, RATE) for one in several]
        frames[name] = [rows if kept is None else rows[kept] for rows, kept in made]
    audio = AudioInput(spec, RATE)
    every = np.concatenate([part for parts in frames.values() for part in parts])
    if spec.cmvn == "global":
        audio = replace(audio, normalisation=normalisation(moments(every), spec.norm_vars))
    if spec.cmvn != "none":
        own = audio.normalisation
        frames = {
            n: [(own or normalisation(moments(p), spec.norm_vars)).apply(p) for p in ps] for n, ps in frames.items()
        }
    if spec.transform.kind == "lda":
        # One recording after another, as a run learns it.
        spliced = [splice(part, spec.transform.splice) for parts in frames.values() for part in parts]
        numbers = [n for n, parts in enumerate(frames.values()) for part in parts for _ in part]
        audio = replace(audio, transform=lda(class_moments(np.concatenate(spliced), numbers, 3), spec.transform.dim))
        frames = {name: [audio.transformed(part) for part in parts] for name, parts in frames.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)  # of few frames
        models = sg.train_classes({name: np.concatenate(parts) for name, parts in frames.items()}, n_components=2)
    models = replace(models, temperature=0.02, log_priors=np.log([0.5, 0.3, 0.2]))
    sg.save_models(models, folder / "models.safetensors", audio=audio)
    return folder / "models.safetensors"
