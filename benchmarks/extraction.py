"""How long do MFCC 13 + delta + delta-delta + CMVN take, from file to frames? Of 0.4 s, 3 s and an hour, at 16 kHz.

One process and one thread against librosa fed by soundfile, python_speech_features and kaldi-native-fbank (the last two
where they are installed); and two processes against one, by the extraction stage of a run.
"""

import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import librosa
import numpy as np
import soundfile
from goals import judge
from numpy.typing import NDArray
from timing import interleaved, show, times_faster

import speechgmm as sg
from speechgmm.engine.console import Console
from speechgmm.engine.job import prepare
from speechgmm.engine.shards import extract_recordings
from speechgmm.features import compiled as loops
from speechgmm.features import moments, normalisation, raw_features
from speechgmm.io.audio import Pieces

RATE = 16000
SPEC = sg.FeatureSpec(preset="kaldi", deltas=2)
N_FILES = 40  # read one after another
N_SHARED = 2000  # shared out among processes


@contextmanager
def recordings(count: int, duration: float = 3.0) -> Iterator[list[Path]]:
    """Recordings of noise, 16-bit wav, half of them in each of two folders; duration in s."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / "recordings" / "ab"[n % 2] / f"{n}.wav" for n in range(count)]
        for n, path in enumerate(paths):
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(
                path, np.random.default_rng(n).normal(0, 0.1, round(duration * RATE)), RATE, subtype="PCM_16"
            )
        yield paths


def normalised(frames: NDArray[np.floating]) -> NDArray[np.floating]:
    return (frames - frames.mean(axis=0)) / frames.std(axis=0)


def by_librosa(path: Path) -> NDArray[np.floating]:
    samples, _ = soundfile.read(path, dtype="float32")
    statics = librosa.feature.mfcc(y=samples, sr=RATE, n_mfcc=13, n_fft=512, win_length=400, hop_length=160, n_mels=23)
    frames = np.concatenate([statics, librosa.feature.delta(statics), librosa.feature.delta(statics, order=2)])
    return normalised(frames.T)


def by_speechgmm(path: Path, compiled_from: int = 0) -> NDArray[np.floating]:
    """By loops that are compiled from so many frames on; 0: what comes after the first half hour of a process."""
    loops.WORTH_COMPILING = compiled_from
    frames, _ = raw_features(SPEC, Pieces(path, sample_rate=RATE), RATE)
    return normalisation(moments(frames)).apply(frames)


def by_python_speech_features(package: ModuleType, path: Path) -> NDArray[np.floating]:
    samples, _ = soundfile.read(path, dtype="int16")
    statics = package.mfcc(samples, RATE, numcep=13, nfilt=23, nfft=512)
    first = package.delta(statics, 2)
    return normalised(np.concatenate([statics, first, package.delta(first, 2)], axis=1))


def by_kaldi_native_fbank(package: ModuleType, path: Path) -> NDArray[np.floating]:
    """Statics by the package, which has no deltas: those are ours."""
    from speechgmm.features.deltas import append_deltas

    samples, _ = soundfile.read(path, dtype="float32")
    options = package.MfccOptions()
    options.frame_opts.samp_freq, options.frame_opts.dither = RATE, 0
    online = package.OnlineMfcc(options)
    online.accept_waveform(RATE, samples * 32768)
    online.input_finished()
    statics = np.stack([online.get_frame(n) for n in range(online.num_frames_ready)])
    return normalised(append_deltas(statics, 2))


def one_process() -> None:
    ways: dict[str, Callable[[Path], object]] = {
        "speechgmm, kaldi preset": by_speechgmm,
        "speechgmm, not compiled": lambda path: by_speechgmm(path, sys.maxsize),
        "librosa": by_librosa,
    }
    for duration, n_files in ((0.4, N_FILES), (3600.0, 1)):
        with recordings(n_files, duration) as paths:
            calls = {name: lambda way=way, paths=paths: [way(path) for path in paths] for name, way in ways.items()}
            seconds = interleaved(calls, 15 if n_files > 1 else 3)
        show(f"{n_files} recordings of {duration:g} s", seconds)
    judge("mfcc_hour", times_faster(seconds, "speechgmm, kaldi preset", "librosa"))
    if find_spec("python_speech_features"):
        import python_speech_features

        ways["python_speech_features"] = lambda path: by_python_speech_features(python_speech_features, path)
    else:
        print("\npython_speech_features is not installed: left out")
    if find_spec("kaldi_native_fbank"):
        import kaldi_native_fbank

        ways["kaldi-native-fbank"] = lambda path: by_kaldi_native_fbank(kaldi_native_fbank, path)
    else:
        print("\nkaldi-native-fbank is not installed: left out")
    with recordings(N_FILES) as paths:
        seconds = interleaved({name: lambda way=way: [way(path) for path in paths] for name, way in ways.items()}, 15)
    show(f"{N_FILES} recordings of 3 s (2 minutes of audio), 16-bit wav, read from the disk's cache", seconds)
    judge("mfcc", times_faster(seconds, "speechgmm, kaldi preset", "librosa"))


def two_processes() -> None:
    """The extraction stage into an empty store; workers have started, and extracted once, before the clock does."""
    with recordings(N_SHARED) as paths:
        folder = paths[0].parents[2]
        jobs = {}
        for n_jobs in (2, 1):
            config = folder / f"{n_jobs}.yaml"
            config.write_text(
                "corpus: {kind: folder, root: recordings, split: fraction, sample_rate: 16000}\n"
                f"features: {{deltas: 2}}\nmodel: {{n_components: 2}}\ncache: cache-{n_jobs}\noutput: out\n"
                f"parallel: {{n_jobs: {n_jobs}}}\n"
            )
            jobs[n_jobs] = prepare(config, console=Console(quiet=True))

        def stage(n_jobs: int) -> Callable[[], float]:
            job = jobs[n_jobs]

            def extract() -> float:
                shutil.rmtree(job.cache, ignore_errors=True)
                begun = time.perf_counter()
                extract_recordings(job, job.corpus.paths(), job.audio)
                return time.perf_counter() - begun

            return extract

        stages = {"two processes": stage(2), "one process": stage(1)}
        for extract in stages.values():
            extract()
        seconds: dict[str, list[float]] = {name: [] for name in stages}
        for _ in range(7):
            for name, extract in stages.items():
                seconds[name].append(extract())
    show(f"extraction stage, {N_SHARED} recordings of 3 s into an empty store, workers started before", seconds)
    judge("processes", times_faster(seconds, "two processes", "one process"))


def main() -> None:
    one_process()
    two_processes()


if __name__ == "__main__":
    main()
