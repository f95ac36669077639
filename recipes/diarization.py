"""Who speaks when, in conversations made from LibriSpeech whose number of speakers is unknown.

    python recipes/diarization.py PLACE_OF_LIBRISPEECH FOLDER            # 40 test conversations, once, at the end
    python recipes/diarization.py PLACE_OF_LIBRISPEECH FOLDER --develop  # the development conversations instead
    python recipes/diarization.py PLACE_OF_LIBRISPEECH FOLDER --meetings DIR  # real recordings (WAV, RTTM, UEM) instead

One recording of each speaker. Of the speakers with 10 s or more, by number, three in five are tested, one in five is
for development, and the rest, with all who have less, are the background: 120, 40 and 91 of the 251 at hand. Test
conversations have two, three and four speakers in turn, each of whom is in one conversation alone, so that no piece of
audio is heard twice anywhere. The threshold is learnt from development conversations; so was every setting chosen.
DER has no collar. Made conversations count a recording's pauses as speech, so that speech is found by an energy that
bridges them; meetings are tried with a speech detector and without one. `--equalise` first gives every recording the
same average spectrum: its microphone no longer tells who speaks.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import soundfile
import typer
from numpy.typing import NDArray

from speechgmm.clustering import bic_changes
from speechgmm.corpus.readers.librispeech import read_librispeech
from speechgmm.evaluation import interval
from speechgmm.evaluation.diarization import DiarizationErrors, Turn, der_interval, diarization_errors, pooled_der
from speechgmm.evaluation.resampling import ratio
from speechgmm.features import front_end
from speechgmm.io.label_files.uem import regions_of
from speechgmm.io.rttm import read_rttm, write_rttm
from speechgmm.plots import save_figure
from speechgmm.tasks.diarization import Conversation, make_conversation, turns_of, window_supervectors
from speechgmm.tasks.diarization.codec import DiarizerFile, save_diarizer
from speechgmm.tasks.diarization.plots import plot_turns
from speechgmm.tasks.diarization.recordings import heard, longest_bridge, turns_in
from speechgmm.tasks.diarization.training import made_conversations, train_diarizer

RATE, LEAST, N_TEST = 16000, 10.0, 40
Samples = dict[str, NDArray[np.float32]]


def divide(samples: Samples) -> tuple[Samples, Samples, Samples]:
    """Background, development and test speakers."""
    long = [name for name in samples if len(samples[name]) >= LEAST * RATE]
    test = [name for n, name in enumerate(long) if n % 5 in (0, 2, 4)]
    development = [name for n, name in enumerate(long) if n % 5 == 1]
    background = [name for name in samples if name not in test and name not in development]
    return tuple({name: samples[name] for name in names} for names in (background, development, test))  # type: ignore


def test_conversations(test: Samples) -> list[Conversation]:
    """Forty, no speaker in two of them."""
    order = [list(test)[n] for n in np.random.default_rng(0).permutation(len(test))]
    made = []
    for number in range(N_TEST):
        chosen, order = order[: 2 + number % 3], order[2 + number % 3 :]
        made.append(make_conversation([(name, test[name]) for name in chosen], RATE, seed=number))
    return made


def equalised(samples: Samples) -> Samples:
    """Recordings with one average spectrum and level: each is filtered by what it lacks."""
    length = 1024
    spectra = {}
    for name, audio in samples.items():
        windows = np.lib.stride_tricks.sliding_window_view(audio, length)[:: length // 2] * np.hanning(length)
        spectra[name] = np.sqrt((np.abs(np.fft.rfft(windows, axis=1)) ** 2).mean(axis=0) + 1e-12)
    common = np.exp(np.mean([np.log(one) for one in spectra.values()], axis=0))
    found = {}
    for name, audio in samples.items():
        response = np.fft.fftshift(np.fft.irfft(np.clip(common / spectra[name], 0.03, 30.0))) * np.hanning(length)
        found[name] = np.convolve(audio, response, mode="same").astype(np.float32)
    return found


def k_means(points: NDArray[np.float64], n: int) -> NDArray[np.intp]:
    """Labels of points by k-means, the best of ten starts."""
    rng, best = np.random.default_rng(0), (np.inf, np.zeros(len(points), np.intp))
    for _ in range(10):
        centres = points[rng.choice(len(points), n, replace=False)]
        for _ in range(50):
            distances = ((points[:, None] - centres) ** 2).sum(axis=2)
            labels = distances.argmin(axis=1)
            centres = np.stack([points[labels == k].mean(axis=0) if k in labels else centres[k] for k in range(n)])
        best = min(best, (float(distances.min(axis=1).sum()), labels), key=lambda one: one[0])
    return best[1]


def by_k_means(file: DiarizerFile, conversation: Conversation, *, whitened: bool) -> list[Turn]:
    """Turns by k-means of windows of a second, the number of speakers given."""
    frames, speech = heard(file.audio, conversation.samples)
    used, spec = file.diarizer, file.diarizer.spec
    found = np.concatenate(list(window_supervectors(used.ubm, frames[speech], block=spec.block, window=spec.window)))
    points = used.space.apply(found) if whitened else found
    labels = k_means(points, len({turn.speaker for turn in conversation.turns}))
    at = np.clip(np.arange(int(speech.sum())) // spec.block - spec.window // 2, 0, len(labels) - 1)
    plan = front_end(file.audio.features, RATE)
    shift = plan.frame_shift / RATE
    offset = plan.first_centre / RATE - shift / 2
    return turns_of(labels[at], speech, shift=shift, offset=offset, bridge=longest_bridge(file.audio, spec))


def by_diarizer(
    file: DiarizerFile, conversation: Conversation, *, known: bool = False, own: bool = False
) -> list[Turn]:
    """Turns by the diarizer, or by what is learnt from the conversation itself."""
    frames, speech = heard(file.audio, conversation.samples)
    n = len({turn.speaker for turn in conversation.turns}) if known else None
    return turns_in(None if own else file.diarizer, file.audio, frames, speech, n_speakers=n)


def changes_found(file: DiarizerFile, conversations: Sequence[Conversation], penalty: float) -> tuple[float, float]:
    """Precision and recall of changes of speakers by BIC, within half a second."""
    right = found = there = 0
    for one in conversations:
        frames, speech = heard(file.audio, one.samples)
        at = np.flatnonzero(speech)[bic_changes(frames[speech], penalty=penalty)] / 100
        said = np.array([turn.start for turn in one.turns[1:]])
        near = np.abs(said[:, None] - at) <= 0.5
        right, found, there = right + int(near.any(axis=1).sum()), found + len(at), there + len(said)
    return right / max(1, found), right / there


def say(name: str, errors: Sequence[DiarizationErrors]) -> None:
    """Mean and pooled rate with their intervals, median and spread over conversations, and the parts of the pooled."""
    der = np.array([one.der for one in errors])
    bounds = interval(ratio(der, np.ones(len(der))), np.arange(len(der)), scale="log")
    pooled, speech = der_interval(errors), sum(one.speech for one in errors)
    parts = [sum(getattr(one, part) for one in errors) / speech for part in ("miss", "false_alarm", "confusion")]
    print(
        f"{name:<34} mean {100 * der.mean():5.1f} % ({100 * (bounds.low or 0):.1f} to {100 * (bounds.high or 0):.1f})  "
        f"median {100 * np.median(der):5.1f} %  10th to 90th percentile {100 * np.percentile(der, 10):.1f} to "
        f"{100 * np.percentile(der, 90):.1f}  pooled {100 * pooled_der(errors)(np.ones(len(der))):.1f} % "
        f"({100 * (pooled.low or 0):.1f} to {100 * (pooled.high or 0):.1f}): "
        f"missed {100 * parts[0]:.1f}, false alarm {100 * parts[1]:.1f}, confused {100 * parts[2]:.1f}  "
        f"JER {100 * np.mean([one.jer for one in errors]):.1f} %"
    )


def show(
    tried: Sequence[Conversation],
    turns: Sequence[Sequence[Turn]],
    errors: Sequence[DiarizationErrors],
    folder: Path,
) -> None:
    """How often the number of speakers is right; turns and pictures into the folder."""
    more = [
        len({turn.speaker for turn in found}) - len({turn.speaker for turn in one.turns})
        for one, found in zip(tried, turns, strict=True)
    ]
    within = sum(abs(n) < 2 for n in more)
    print(f"number of speakers right in {more.count(0)} of {len(more)}, within one in {within}")
    write_rttm(folder / "said.rttm", {f"{n:02}": one.turns for n, one in enumerate(tried)})
    write_rttm(folder / "found.rttm", {f"{n:02}": one for n, one in enumerate(turns)})
    order = [int(n) for n in np.argsort([one.der for one in errors])]
    for what, n in (("good", order[0]), ("typical", order[len(order) // 2]), ("bad", order[-1])):
        said = tried[n].turns
        figure = plot_turns(tried[n].samples, RATE, turns[n], reference=said, title=f"conversation {n}")
        save_figure(figure, folder / f"{what}.png")


def on_meetings(file: DiarizerFile, meetings: Path, name: str) -> None:
    """Errors of each recording of a folder, and of all."""
    errors, collared = [], []
    for path in sorted(meetings.glob("*.wav")):
        audio, rate = soundfile.read(path, dtype="float32")
        said = read_rttm(path.with_suffix(".rttm"))[path.stem]
        regions = regions_of(path.with_suffix(".uem"), path.stem, duration=len(audio) / rate)
        found = turns_in(file.diarizer, file.audio, *heard(file.audio, audio))
        errors.append(diarization_errors(said, found, regions=regions))
        collared.append(diarization_errors(said, found, regions=regions, collar=0.25))
        count = len({turn.speaker for turn in found}), len({turn.speaker for turn in said})
        rates = [f"{100 * one[-1].der:.1f} %" for one in (errors, collared)]
        print(f"{name}, {path.stem}: DER {rates[0]}, with a collar {rates[1]}; speakers found and true: {count}")
    say(name, errors)
    print(f"{name}: pooled DER with a collar {100 * pooled_der(collared)(np.ones(len(collared))):.1f} %")


def main(
    root: Path,
    folder: Path,
    develop: bool = False,
    equalise: bool = False,
    one_speaker: bool = False,
    meetings: Path | None = None,
) -> None:
    """Train, diarize, print figures, draw the best, a typical and the worst conversation."""
    first = {u.label("speaker"): u for u in reversed(list(read_librispeech(root, "speaker")))}
    samples = {name: soundfile.read(first[name].path, dtype="float32")[0] for name in sorted(first, key=int)}
    if equalise:
        samples = equalised(samples)
    background, development, test = divide(samples)
    assert not set(background) & set(test), "a speaker of the background is tested"
    assert not set(development) & set(test), "a speaker of the development is tested"
    made = made_conversations(development, RATE, 80)
    recordings = {name: [audio] for name, audio in background.items()}
    if meetings is not None:
        for name, detector in (("speech detector", True), ("energy", False)):
            on_meetings(train_diarizer(recordings, made, with_detector=detector), meetings, name)
        return
    file = train_diarizer(recordings, made, with_detector=False)
    print(f"{len(background)} background speakers, {len(development)} development, {len(test)} test")
    print(f"threshold {file.diarizer.threshold:.2f} nats; DER of the development {100 * file.learnt.der:.1f} %")
    save_diarizer(file, folder / "diarizer.safetensors")
    tried = made[:N_TEST] if develop else test_conversations(test)
    if one_speaker:
        alone = [make_conversation([one], RATE, seed=0) for one in (development if develop else test).items()]
        counts = [len({turn.speaker for turn in by_diarizer(file, one)}) for one in alone]
        print(f"one speaker: {counts.count(1)} of {len(counts)} recordings have one")
    ways: dict[str, Callable[[DiarizerFile, Conversation], list[Turn]]] = {
        "diarizer": by_diarizer,
        "diarizer, number known": partial(by_diarizer, known=True),
        "from the conversation itself": partial(by_diarizer, own=True),
        "the same, number known": partial(by_diarizer, own=True, known=True),
        "k-means, number known": partial(by_k_means, whitened=False),
        "k-means, normalised, number known": partial(by_k_means, whitened=True),
    }
    for name, way in ways.items():
        turns = [way(file, one) for one in tried]
        errors = [diarization_errors(one.turns, found) for one, found in zip(tried, turns, strict=True)]
        say(name, errors)
        if name == "diarizer":
            show(tried, turns, errors, folder)
    for penalty in (1.0, 1.5, 2.0):
        precision, recall = changes_found(file, tried, penalty)
        print(f"changes by BIC, penalty {penalty:g}: precision {100 * precision:.0f} %, recall {100 * recall:.0f} %")


if __name__ == "__main__":
    typer.run(main)
