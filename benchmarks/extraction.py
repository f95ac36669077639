"""How long do MFCC 13 + delta + delta-delta + CMVN take, against librosa? 3 s recordings at 16 kHz, one thread."""

import librosa
import numpy as np
from timing import interleaved, show

import speechgmm as sg

RATE = 16000
RECORDINGS = [np.random.default_rng(n).normal(0, 0.1, 3 * RATE).astype(np.float32) for n in range(40)]


def ours() -> None:
    spec = sg.FeatureSpec(preset="kaldi", deltas=2, cmvn="utterance")
    for samples in RECORDINGS:
        sg.extract(spec, samples, RATE)


def theirs() -> None:
    for samples in RECORDINGS:
        statics = librosa.feature.mfcc(
            y=samples, sr=RATE, n_mfcc=13, n_fft=512, win_length=400, hop_length=160, n_mels=23
        )
        frames = np.concatenate([statics, librosa.feature.delta(statics), librosa.feature.delta(statics, order=2)])
        (frames - frames.mean(axis=1, keepdims=True)) / frames.std(axis=1, keepdims=True)


def main() -> None:
    title = f"{len(RECORDINGS)} recordings of 3 s (2 minutes of audio), decoded before"
    show(title, interleaved({"speechgmm, kaldi preset": ours, "librosa.feature.mfcc and delta": theirs}))


if __name__ == "__main__":
    main()
