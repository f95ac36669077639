"""Real frames for what noise cannot show: LibriSpeech recordings, where they are at hand."""

from functools import cache

import numpy as np
import soundfile
from frame_sets import DATA
from numpy.typing import NDArray

import speechgmm as sg

FOLDER = DATA / "librispeech"


@cache
def recordings(vad: bool = False) -> tuple[NDArray[np.float32], ...]:
    """MFCC 13 with deltas and CMVN of one utterance of each speaker, (T, 39) each; none where there is no speech."""
    spec = sg.FeatureSpec(preset="kaldi", deltas=2, cmvn="utterance", vad="energy" if vad else "none")
    found = sorted(FOLDER.rglob("*.flac"))
    if not found:
        print(f"  no real speech at {FOLDER} (SPEECHGMM_SHARED)")
    return tuple(sg.extract(spec, *soundfile.read(path, dtype="float32")) for path in found)


def divided(seed: int, n_frames: int, vad: bool = False) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Frames to train on, and all frames of 50 other speakers."""
    parts = recordings(vad)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(parts))
    train = np.concatenate([parts[n] for n in order[50:]])
    chosen = np.sort(rng.permutation(len(train))[:n_frames])
    return train[chosen], np.concatenate([parts[n] for n in order[:50]])
