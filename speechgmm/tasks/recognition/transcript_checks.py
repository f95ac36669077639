"""Which transcripts can be trained on, and with which pronunciations; what is said of the others."""

import string
from collections.abc import Collection, Sequence

from speechgmm.corpus.dictionary import Dictionary
from speechgmm.corpus.listing import listed
from speechgmm.corpus.unknown_words import common_reason
from speechgmm.engine.frames import Features
from speechgmm.engine.job import Job
from speechgmm.engine.labelled_recordings import are_segments
from speechgmm.errors import DataError, counted, first_few
from speechgmm.hmm import HMMSpec, Lexicon, LogWeights
from speechgmm.hmm.recognition_spec import RecognitionSpec
from speechgmm.io.text_file import read_text_file
from speechgmm.tasks.recognition.dictionaries import dictionary_of
from speechgmm.tasks.recognition.transcripts import Transcript, are_isolated, transcripts

NAMED = 20
"""Unknown words that a warning names."""

GAPS = 0.02
"""Share of the recordings' frames in no segment from which a warning is due: ends of recordings are less."""


def fitting(job: Job, said: Sequence[Transcript]) -> tuple[tuple[Transcript, ...], Lexicon]:
    """The transcripts that can be trained on, and the pronunciations of their words.

    With ``corpus.on_error: skip`` it warns of the others, which are left out.

    Raises:
        DataError: Labels of several words, each to be one word of a dictionary; words outside of the dictionary,
            utterances too short for their units (all are named); none is left.
    """
    stop = job.experiment.config.corpus.on_error == "stop"
    dictionary = dictionary_of(job)
    missing = {} if dictionary is None else dictionary.missing({one.id: one.words for one in said})
    if dictionary is not None and missing:
        if several := [word for word in missing if " " in word]:
            raise DataError(
                f"{len(several)} labels have several words ({_named(several)}), and recognition.language: word takes "
                f"each as one word, which {dictionary.source} cannot have; set language: loop, bigram or grammar for "
                "sentences, or join the words in labels and dictionary (zoom_in)"
            )
        told = {one.id: one.words for one in said}
        if stop:
            dictionary.check(told)
        reason = common_reason(missing, told, dictionary.pronunciations)
        job.console.warn(
            f"{dictionary.source}: "
            + (reason or f"{counted(len(missing), 'word is', 'words are')} not in it: {first_few(missing, NAMED)}")
            + "; training goes on without the utterances that have them"
        )
    known = [one for one in said if missing.keys().isdisjoint(one.words)]
    reasons = _impossible(known, lexicon_of(known, dictionary), job.experiment.config.section(HMMSpec))
    if any(reasons):
        problems = [f"{one.id}: {why}" for one, why in zip(known, reasons, strict=True) if why]
        text = (
            f"{len(problems)} of {len(known)} training utterances cannot be what their transcripts say:\n"
            f"{listed(problems)}\nis the transcript another recording's, or hmm.n_states too large?"
        )
        if stop:
            raise DataError(f"{text} (corpus.on_error: skip goes on without them)")
        job.console.warn(text)
    left = tuple(one for one, why in zip(known, reasons, strict=True) if not why)
    if said and not left:
        raise DataError(
            f"none of {len(said)} training utterances is left: each has a word outside the dictionary, or is too short "
            "for its transcript (the warnings above name them); is the dictionary that of another language or spelling?"
        )
    return left, lexicon_of(left, dictionary)


def unfit(job: Job, features: Features) -> list[tuple[str, str]]:
    """The training utterances that `fitting` would refuse or leave out, and why. Raises DataError as `transcripts`."""
    dictionary = dictionary_of(job)
    said = [one for one in transcripts(job, features, "train") if not one.copy]
    missing = {} if dictionary is None else dictionary.missing({one.id: one.words for one in said})
    known = [one for one in said if missing.keys().isdisjoint(one.words)]
    reasons = iter(_impossible(known, lexicon_of(known, dictionary), job.experiment.config.section(HMMSpec)))
    found = []
    for one in said:
        strange = dict.fromkeys(repr(word) for word in one.words if word in missing)
        why = f"not in the dictionary: {', '.join(strange)}" if strange else next(reasons)
        if why:
            found.append((one.id, why))
    return found


def questions_of(job: Job, units: Collection[str]) -> tuple[tuple[str, ...], ...] | None:
    """The questions of the configuration's file, the trained units of each; None: there is no file.

    Phones that the dictionary has and training lacks are left out.

    Raises:
        DataError: The file cannot be read, has no question, or a phone that the dictionary does not have.
    """
    name = job.experiment.config.section(HMMSpec).questions
    if name is None:
        return None
    path = job.experiment.beside(name)
    lines = read_text_file(path, "a list of questions (hmm.questions)").splitlines()
    found = [line.split() for line in lines if line.strip() and not line.startswith("#")]
    if not found:
        raise DataError(f"{path}: no question; expected the phones of one on each line, such as: P T K")
    dictionary = dictionary_of(job)
    phones = set(units) if dictionary is None else {*units, *dictionary.phones}
    unknown = sorted({phone for question in found for phone in question} - phones)
    if unknown:
        raise DataError(
            f"{path}: {counted(len(unknown), 'phone')} that the dictionary does not have: {first_few(unknown, 10)}; "
            f"expected some of {first_few(sorted(phones), 10)}"
        )
    trained = (tuple(phone for phone in question if phone in units) for question in found)
    return tuple(question for question in trained if question)


def lexicon_of(said: Sequence[Transcript], dictionary: Dictionary | None) -> Lexicon:
    """The pronunciations of all words of the transcripts; without a dictionary each word is a unit."""
    words = sorted({word for one in said for word in one.words})
    return {word: ((word,),) if dictionary is None else dictionary.pronunciations[word] for word in words}


def _impossible(said: Sequence[Transcript], lexicon: Lexicon, spec: HMMSpec) -> list[str]:
    """Why each cannot be: without a word, or without a frame for every state on its shortest path; "": it can."""
    least = 1 + (spec.n_states - 1) // (1 + spec.skips)
    shortest = {word: least * min(map(len, ways)) for word, ways in lexicon.items()}
    found = []
    for one in said:
        needed = sum(shortest[word] for word in one.words)
        short = f"{one.piece.n_rows} frames for {len(one.words)} words that need {needed}"
        found.append("the transcript is empty" if not one.words else short if needed > one.piece.n_rows else "")
    return found


def log_weights_of(lexicon: Lexicon, dictionary: Dictionary | None) -> LogWeights:
    """The probabilities of the lexicon's pronunciations that a dictionary tells apart, as logs in nats."""
    found: dict[str, tuple[float, ...]] = {}
    if dictionary is None:
        return found
    for word in sorted(lexicon):
        each = dict(zip(dictionary.pronunciations[word], dictionary.log_weights[word], strict=True))
        if any(weights := tuple(each[way] for way in lexicon[word])):
            found[word] = weights
    return found


def warn_of_labels(job: Job, said: Sequence[Transcript]) -> None:
    """Warn, once for a run, of what trains but is seldom meant."""
    spec = job.experiment.config.section(RecognitionSpec)
    if are_segments(job) and spec.silence is None:
        n_frames = sum(one.piece.n_rows for one in said)
        outside = n_frames - sum(stop - start for one in said for start, stop in one.bounds or ())
        if outside > GAPS * n_frames:
            job.console.warn(
                f"{100 * outside / n_frames:.0f} % of the training recordings is in no segment, and is trained as the "
                "labels beside it; recognition.silence: NAME makes a unit of what is between them"
            )
    if are_isolated(job.experiment.config) and not are_segments(job):
        _warn_of_sentences(job, said)
    if not are_segments(job) and spec.dictionary is None:  # of phones case may be all that tells them apart
        _warn_of_spellings(job, said)


def _warn_of_sentences(job: Job, said: Sequence[Transcript]) -> None:
    """Sentences that hardly occur twice are seldom meant to be a word each."""
    labels = {word for one in said for word in one.words}
    several = sorted(word for word in labels if " " in word)
    if 2 * len(several) > len(labels) and sum(not one.copy for one in said) < 2 * len(labels):
        job.console.warn(
            f"recognition.language: word trains a model of each whole label, and {len(several)} of {len(labels)} "
            f"labels have several words ({_named(several)}) and hardly occur twice; for sentences set language: loop"
        )


def _named(labels: Sequence[str]) -> str:
    return first_few([repr(label) for label in labels], 5)


def _warn_of_spellings(job: Job, said: Sequence[Transcript]) -> None:
    """Words that case or punctuation alone tells apart get different models, which few mean."""
    spelt: dict[str, list[str]] = {}
    for word in sorted({word for one in said for word in one.words}):
        spelt.setdefault(word.strip(string.punctuation).casefold(), []).append(word)
    alike = [" ".join(words) for bare, words in spelt.items() if bare and len(words) > 1]
    if alike:
        job.console.warn(
            f"words that case or punctuation alone tells apart are trained as different words: {'; '.join(alike[:5])}"
            f"{'; ...' if len(alike) > 5 else ''}; transcripts are taken as they are spelt"
        )
