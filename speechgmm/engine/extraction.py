"""The extraction stage: the frames of every utterance, by reference; unusable recordings found before training."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from speechgmm.corpus import Corpus, Fold, Utterance, same_audio
from speechgmm.corpus.listing import listed
from speechgmm.corpus.segment_ends import MOST_OVERSHOOT, within_recording
from speechgmm.engine.audio_input import AudioInput
from speechgmm.engine.data_checks import data_warnings, training_band
from speechgmm.engine.frames import Features, Piece
from speechgmm.engine.job import Job
from speechgmm.engine.noisy_copies import check_babble, noising
from speechgmm.engine.normalisation import normalised, normalised_copies
from speechgmm.engine.run_folder import RunFolder
from speechgmm.engine.shards import NO_FILE, extract_recordings
from speechgmm.engine.single_frames import check_single_frames
from speechgmm.engine.speech_marks import speech_marks
from speechgmm.engine.transforms import transformed
from speechgmm.errors import DataError, SilentRecordingError, counted
from speechgmm.features import FrontEnd, front_end
from speechgmm.features.augment import Copy
from speechgmm.features.kinds import feature_kind
from speechgmm.features.silence import left_out_of, not_silent
from speechgmm.io.audio import CLIPPED_SHARE
from speechgmm.io.feature_store import Entry, FeatureStore


def extract(job: Job) -> Features:
    """Extract the features of every recording in the corpus.

    Raises:
        ConfigError: Babble noise is asked for with folds and without a split ``ubm``: it would contain test recordings.
        DataError: Recordings cannot be used (all are named), with ``corpus.on_error: stop``; or no recording is left to
            train on, with ``corpus.on_error: skip``.

    >>> from speechgmm.engine import prepare
    >>> features = extract(prepare("birds.yaml"))
    >>> len(features.pieces), features.rejected
    (30, ())
    """
    config = job.experiment.config
    check_babble(job)
    with job.console.stage("extract"):
        store, entries, problems = extract_recordings(job, job.corpus.paths(), job.audio)
        silent = _silent_tests(job, problems)
        left = {one.id for one in silent}
        heard = replace(job.corpus, utterances=tuple(one for one in job.corpus if one.id not in left))
        corpus, pieces, durations, rejected = _pieces(job, heard, store, entries, problems)
        facts = entries.values()
        for text in (*_clipping(facts), *_faults(facts), *data_warnings(job, corpus, pieces, entries)):
            job.console.warn(text)
        reasons = _reasons(rejected)
        where = _write_rejected(job, rejected)
        if rejected and config.corpus.on_error == "stop":
            raise DataError(
                f"{len(rejected)} of {len(job.corpus)} utterances cannot be used:\n{listed(reasons, 50)}\n"
                f"nothing was trained; the features of the others are kept. Mend or remove these{where}, "
                "or set corpus.on_error: skip to go on without them"
            )
        if rejected:
            job.console.warn(f"{len(rejected)} of {len(job.corpus)} utterances are left out{where}:\n{listed(reasons)}")
            _check_what_is_left(job, corpus)
        _refuse_copies(corpus, pieces, job.folds)
        if job.audio.is_given:
            check_single_frames(job.audio.features, pieces)
        pieces, audio = normalised(job, corpus, pieces)
        audio = replace(audio, band=training_band(corpus, entries, audio.sample_rate))
        keys = {utterance.path: piece.key for utterance, piece in zip(corpus, pieces, strict=True)}
        copies = tuple(_copies(job, corpus, audio, keys, copy) for copy in config.augment.copies())
        return transformed(job, Features(corpus, pieces, audio, durations, tuple(rejected), copies, silent))


def _silent_tests(job: Job, problems: Mapping[Path, str]) -> tuple[Utterance, ...]:
    """Test recordings that are digital silence throughout, where the task has an answer for them."""
    if not job.task.answers_for_silence:
        return ()
    return tuple(one for one in job.corpus.split("test") if SilentRecordingError.CAUSE in problems.get(one.path, ""))


def _copies(
    job: Job, corpus: Corpus, audio: AudioInput, keys: Mapping[Path, str], copy: Copy
) -> tuple[Piece | None, ...]:
    """An altered copy of every utterance that may train, instead of the utterance."""
    trains = [utterance.split in ("train", "ubm", "cohort") for utterance in corpus]
    chosen = replace(corpus, utterances=tuple(u for u, yes in zip(corpus, trains, strict=True) if yes))
    features = replace(audio.features, warp=audio.features.warp * copy.warp)
    changed = replace(job.audio, features=features)
    how = None if copy.noise == "none" else noising(job, corpus, keys, copy)
    store, entries, problems = extract_recordings(job, chosen.paths(), changed, copy.speed, how)
    if problems:
        reason = f"{len(problems)} recordings have no copy ({copy}); the first: {next(iter(problems.values()))}"
        if job.experiment.config.corpus.on_error == "stop":
            raise DataError(f"{reason}; change augment, or set corpus.on_error: skip to train without these copies")
        job.console.warn(reason)
    plan = front_end(features, audio.sample_rate)
    made = tuple(
        _piece(job, plan, store, entries[u.path], u, copy.speed) if yes and u.path in entries else None
        for u, yes in zip(corpus, trains, strict=True)
    )
    return normalised_copies(job, corpus, audio, made)


def _piece(
    job: Job, plan: FrontEnd, store: FeatureStore, entry: Entry, utterance: Utterance, speed: float = 1.0
) -> Piece:
    """Where an utterance's frames lie; ``speed`` is how much faster the recording was played."""
    silent = job.task.silence(job.corpus).left_out(entry.measured.silent, plan, entry.n_frames)
    if utterance.speech is not None:
        speech = speech_marks(utterance, plan, entry.n_frames, speed)
        silent = left_out_of(speech & not_silent(silent, 0, entry.n_frames))
    first, stop = 0, entry.n_frames
    if utterance.start is not None or utterance.end is not None:
        start = (utterance.start or 0.0) / speed
        end = entry.duration if utterance.end is None else min(utterance.end / speed, entry.duration)
        first, stop = plan.frame_range(start, max(end, start + 1e-6), entry.n_frames)
    with_speech = job.audio.features.marks_speech
    place = (store, entry.shard, entry.offset, entry.n_frames, first, stop, entry.key, with_speech)
    return Piece(*place, silent=silent)


def divide(job: Job, features: Features, fold: Fold) -> Features:
    """The same features with a fold's splits, and with the normalisation and transform that its training part gives."""
    corpus = fold.apply(features.corpus)
    if not job.audio.features.pools_moments or job.audio.features.cmvn == "utterance":  # what no split changes
        return transformed(job, replace(features, corpus=corpus))
    pieces, audio = normalised(job, corpus, features.pieces)
    audio = replace(audio, band=features.audio.band)
    copies = tuple(normalised_copies(job, corpus, audio, version) for version in features.copies)
    return transformed(job, replace(features, corpus=corpus, pieces=pieces, audio=audio, copies=copies))


def _pieces(
    job: Job, corpus: Corpus, store: FeatureStore, entries: Mapping[Path, Entry], problems: Mapping[Path, str]
) -> tuple[Corpus, tuple[Piece, ...], tuple[float, ...], list[tuple[str, str]]]:
    """Utterances that have frames, with references to them; and (id, reason) of those that have none."""
    plan = front_end(job.audio.features, job.audio.sample_rate)
    kept: list[Utterance] = []
    pieces: list[Piece] = []
    durations: list[float] = []
    rejected: list[tuple[str, str]] = []
    cut: list[str] = []
    unvoiced: list[str] = []
    of_voiced = feature_kind(job.audio.features).keeps is not None
    unknown = plan.frame_shift / plan.sample_rate if job.audio.is_given else 0.0
    for utterance in corpus:
        entry = entries.get(utterance.path)
        source = utterance.source or utterance.id
        if entry is None:
            # The row that names a missing file helps to mend it; a file that is there says enough itself.
            declared = f" ({source})" if not utterance.path.exists() and source != utterance.id else ""
            rejected.append((utterance.id, f"{problems[utterance.path]}{declared}"))
            continue
        try:
            utterance, overshoot = within_recording(utterance, entry.duration, unknown)
            piece = _piece(job, plan, store, entry, utterance)
        except DataError as error:
            rejected.append((utterance.id, str(error)))
            continue
        if overshoot:
            cut.append(f"{source}: by {overshoot:.3f} s")
        end = entry.duration if utterance.end is None else utterance.end
        may_be_empty = piece.silent or (piece.with_speech and (of_voiced or piece.n_rows < piece.n_frames))
        is_empty = may_be_empty and piece.count() == 0
        if is_empty and of_voiced and job.task.answers_for_unvoiced:
            unvoiced.append(source)
            if utterance.split in ("ubm", "cohort"):
                continue
        elif is_empty:
            why = "the VAD keeps none of its frames (features.vad)" if piece.with_speech else "it is digital silence"
            why = "none of its frames is voiced" if of_voiced else why
            why = why if utterance.speech is None else f"{utterance.speech} keeps none of its frames"
            rejected.append((utterance.id, f"{source}: {why}"))
            continue
        kept.append(utterance)
        pieces.append(piece)
        durations.append(end - (utterance.start or 0.0))
    if cut:
        many = counted(len(cut), "segment ends", "segments end")
        job.console.warn(f"{many} after the recording, by less than {MOST_OVERSHOOT:g} s, and are cut:\n{listed(cut)}")
    if unvoiced:
        job.console.warn(
            f"{len(unvoiced)} of {len(corpus)} recordings have no voiced frame, and say nothing of who speaks: they "
            f"train no model, and claims about them score 0, neither for nor against:\n{listed(unvoiced)}"
        )
    return replace(corpus, utterances=tuple(kept)), tuple(pieces), tuple(durations), rejected


def _reasons(rejected: Sequence[tuple[str, str]]) -> list[str]:
    """Every reason once, with the number of utterances it takes along; of a missing file, with the first row."""
    counts: Counter[str] = Counter()
    first: dict[str, str] = {}
    for _, reason in rejected:
        key = reason.partition(f"{NO_FILE} (")[0]
        counts[key] += 1
        first.setdefault(key, reason)
    return [reason + (f" ({counts[key]} utterances)" if counts[key] > 1 else "") for key, reason in first.items()]


def _write_rejected(job: Job, rejected: Sequence[tuple[str, str]]) -> str:
    """Write ``rejected.tsv`` into the run's folder, or remove an old one; returns where it is, for a message."""
    if job.output is None:
        return ""
    path = RunFolder(job.output).put_rejected(rejected)
    return "" if path is None else f" (all in {path})"


def _refuse_copies(corpus: Corpus, pieces: Sequence[Piece], folds: Sequence[Fold]) -> None:
    """The same audio under two names, in training and in test, makes every result too good."""
    keys = {utterance.path: piece.key for utterance, piece in zip(corpus, pieces, strict=True)}
    if len(set(keys.values())) == len(keys):
        return
    problems: dict[str, None] = {}
    for divided in (corpus, *(fold.apply(corpus) for fold in folds)):
        problems.update(dict.fromkeys(same_audio(keys, divided)))
    if problems:
        raise DataError(
            f"{len(problems)} recordings are in more than one part of the split under different names:\n"
            f"{listed(list(problems))}\nkeep one of each"
        )


def _check_what_is_left(job: Job, corpus: Corpus) -> None:
    """What is tested must still be trained, in every fold, once unusable recordings are left out."""
    each, least = job.task.trains_each_class(job.experiment.config), job.task.least_classes
    before = {u.label(corpus.label) for u in job.corpus.split("train")}
    for fold in (None, *job.folds):
        divided = corpus if fold is None else fold.apply(corpus)
        where = "" if fold is None else f"fold {fold.name}: "
        trained = {u.label(corpus.label) for u in divided.split("train")}
        if not each:
            if not trained and before:
                raise DataError(f"{where}no recording is left to train once unusable ones are skipped")
            continue
        if len(trained) < least:
            left = "1 class is" if len(trained) == 1 else "no class is"
            raise DataError(f"{where}{left} left to train once unusable recordings are skipped")
        # Unknown speakers (impostors in verification) were never trained to begin with.
        wanted = before if fold is not None else before & {u.label(corpus.label) for u in divided.split("test")}
        lost = sorted(wanted - trained)
        if lost:
            raise DataError(f"{where}after skipping, no training recording is left of: {', '.join(lost[:20])}")
        if fold is not None and not divided.split("test"):
            raise DataError(f"{where}after skipping, nothing is left to test; choose another corpus.split")


def _faults(entries: Iterable[Entry]) -> Iterator[str]:
    """One warning for all recordings with a fault that they can be used with."""
    faults = sorted(f"{entry.path}: {entry.note}" for entry in entries if entry.note)
    if faults:
        yield f"{counted(len(faults), 'recording is', 'recordings are')} used with a fault:\n{listed(faults)}"


def _clipping(entries: Iterable[Entry]) -> Iterator[str]:
    """One warning for all clipped recordings."""
    clipped = sorted((entry for entry in entries if entry.clipped >= CLIPPED_SHARE), key=lambda entry: -entry.clipped)
    if clipped:
        worst = ", ".join(f"{Path(entry.path).name} ({100 * entry.clipped:.1f} % of samples)" for entry in clipped[:3])
        yield f"{counted(len(clipped), 'recording is', 'recordings are')} clipped; the worst: {worst}"
