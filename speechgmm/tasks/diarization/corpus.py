"""A diarizer from a corpus with a column of speakers: some make the background, others talk to each other."""

from collections import defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from speechgmm.corpus import CorpusSpec, Utterance, read_corpus
from speechgmm.corpus.segment_ends import within_recording
from speechgmm.corpus.spec import WITH_PATH
from speechgmm.engine.audio_input import AudioInput
from speechgmm.engine.console import Console
from speechgmm.errors import DataError
from speechgmm.io.audio import native_rate, read_recording
from speechgmm.tasks.diarization.codec import DiarizerFile
from speechgmm.tasks.diarization.conversation_plans import LEAST
from speechgmm.tasks.diarization.overlap_training import (
    CONVERSATIONS,
    ders_by_threshold,
    overlap_heard,
    with_more_overlap,
    with_overlap_detector,
)
from speechgmm.tasks.diarization.recordings import FRONT_END, LONGEST
from speechgmm.tasks.diarization.spec import DiarizerSpec
from speechgmm.tasks.diarization.training import LEAST_SPEAKERS, MOST, halves, made_conversations, train_diarizer
from speechgmm.tasks.diarization.turn_statistics import TurnStatistics


def train_on_corpus(
    spec: CorpusSpec,
    place: Path,
    how: DiarizerSpec,
    *,
    statistics: TurnStatistics | None,
    seed: int,
    console: Console,
) -> DiarizerFile:
    """Train on the recordings of a corpus; every second speaker, in a drawn order, talks in conversations.

    Args:
        spec: Kind of the corpus; its label is the speaker.
        place: The manifest, or the folder of the recordings.
        how: How the diarizer is trained; what it says of tests is not used.
        statistics: Of made conversations; None: turns of 1 to 5 s without overlap.
        seed: Of what is drawn.
        console: Where progress is shown.

    Raises:
        DataError: The corpus cannot be read, has recordings of several rates, or too few speakers with enough speech.
    """
    is_table = spec.kind in WITH_PATH
    corpus = read_corpus(spec, path=place if is_table else None, root=None if is_table else place)
    by_speaker: dict[str, list[Utterance]] = defaultdict(list)
    for utterance in corpus:
        by_speaker[utterance.label("speaker")].append(utterance)
    learning, talkers = halves(by_speaker, f"{place}: {len(by_speaker)} speakers", seed=seed)
    rate = native_rate(next(iter(corpus)).path)
    samples: dict[str, list[NDArray[np.float32]]] = {}
    for names, most in ((learning, MOST), (talkers, LONGEST)):
        for name in names:
            samples[name] = _some(by_speaker[name], rate, most)
            if len(by_speaker) <= 20:
                console.say(f"{name}: {sum(map(len, samples[name])) / rate:.1f} s")
    joined = {name: np.concatenate(samples[name]) for name in talkers}
    talking = {name: audio for name, audio in joined.items() if len(audio) >= LEAST * rate}
    if len(talking) < LEAST_SPEAKERS // 2:
        raise DataError(
            f"{place}: {len(talking)} of {len(joined)} speakers have {LEAST:g} s of recordings; conversations are made "
            "of four different ones at least"
        )
    development = made_conversations(talking, rate, how.conversations, statistics=statistics, seed=seed)
    background = {name: samples[name] for name in learning}
    audio = AudioInput(FRONT_END, rate)
    file = train_diarizer(
        background, development, audio=audio, n_components=how.n_components, with_detector=how.detector, seed=seed
    )
    if how.overlap == "none" or statistics is None:
        return file
    own = {name: np.concatenate(parts) for name, parts in background.items()}
    overlapping = made_conversations(own, rate, CONVERSATIONS, statistics=with_more_overlap(statistics), seed=seed)
    recordings = [overlap_heard(file.audio, made) for made in overlapping]
    return with_overlap_detector(
        file,
        recordings,
        lambda diarizer: [ders_by_threshold(diarizer, file.audio, made) for made in development],
        seed=seed,
    )


def _some(utterances: list[Utterance], rate: int, most: float) -> list[NDArray[np.float32]]:
    """Samples of a speaker's recordings, in order, until there is enough."""
    found: list[NDArray[np.float32]] = []
    for utterance in utterances:
        if sum(map(len, found)) >= most * rate:
            break
        samples = read_recording(utterance.path, sample_rate=rate).samples
        utterance, _ = within_recording(utterance, len(samples) / rate)
        first = 0 if utterance.start is None else round(utterance.start * rate)
        stop = len(samples) if utterance.end is None else round(utterance.end * rate)
        found.append(samples[first:stop])
    return found
