"""Recognition of the test recordings of a run, those of a speaker together where the recogniser adapts to speakers."""

from collections.abc import Mapping, Sequence
from typing import Final

from speechgmm.engine.frames import Features
from speechgmm.engine.job import Job
from speechgmm.errors import DataError, first_few
from speechgmm.hmm import Alignment, Decoder, Recogniser
from speechgmm.parallel import in_parcels
from speechgmm.tasks.recognition.decoding import Recognised
from speechgmm.tasks.recognition.speakers import grouped, warn_of_speakers
from speechgmm.tasks.recognition.transcripts import Transcript, transcripts

RECOGNISED_AT_ONCE: Final = 16
"""Recordings in a task, where they are not those of a speaker."""


def recognise_test(job: Job, parts: Mapping[str, tuple[Features, Recogniser]]) -> Recognised:
    """Recognise the split ``test`` of each part (a fold; or all, named "") with its own recogniser."""
    said: list[Transcript] = []
    folds: list[str] = []
    groups: list[list[int]] = []  # numbers among ``said``
    with job.console.stage("recognise"):
        tasks = []
        for name, (features, recogniser) in parts.items():
            tests = transcripts(job, features, "test")
            parcels = parcels_of(tests, recogniser)
            tasks += [(recogniser, [tests[n] for n in parcel]) for parcel in parcels]
            groups += [[len(said) + n for n in parcel] for parcel in parcels]
            said += tests
            folds += [name] * len(tests)
        hypothesis_of: dict[int, Alignment | str] = {}  # or why there is none
        speech: dict[str, int] = {}
        with job.console.bar("recognising") as advance:
            for parcel, (heard, n_frames) in zip(groups, job.map(_recognise_parcel, tasks), strict=True):
                hypothesis_of.update(zip(parcel, heard, strict=True))
                speech[said[parcel[0]].group] = n_frames
                advance(len(hypothesis_of), len(said))
    found = [hypothesis_of[n] for n in range(len(said))]
    failed = [(one.id, heard) for one, heard in zip(said, found, strict=True) if isinstance(heard, str)]
    if failed:
        job.console.warn(
            f"no word was recognised in {len(failed)} of {len(said)} test recordings, and all their words count as "
            f"deletions: {first_few([name for name, _ in failed], 10)}; the first: {failed[0][1]}"
        )
    warn_of_speakers(job, speech)
    alignments = tuple(None if isinstance(heard, str) else heard for heard in found)
    return Recognised(tuple(said), alignments, tuple(folds) if any(folds) else ())


def parcels_of(tests: Sequence[Transcript], recogniser: Recogniser) -> list[list[int]]:
    """The numbers of the recordings of each task: all of a speaker, where the recogniser adapts to speakers."""
    if recogniser.adaptation is not None:
        return grouped([one.group for one in tests])
    return [list(parcel) for parcel in in_parcels(range(len(tests)), RECOGNISED_AT_ONCE)]


def _recognise_parcel(task: tuple[Recogniser, Sequence[Transcript]]) -> tuple[list[Alignment | str], int]:
    """The hypothesis of each recording, or why there is none; and how many frames adaptation to their speaker is of."""
    recogniser, parcel = task
    decoder, adapter = Decoder.of(recogniser.adapted()), recogniser.adapter()
    frames = [one.piece.load() for one in parcel]
    speaker = None if adapter is None else adapter.transform([(one, decoder.graph) for one in frames])
    found: list[Alignment | str] = []
    for one in frames:
        try:
            if speaker is None:
                found.append(decoder.recognise(one))
            else:
                found.append(speaker.of_raw_frames(decoder.recognise(speaker.transform.apply(one))))
        except DataError as error:
            found.append(str(error))
    return found, 0 if speaker is None else speaker.n_frames
