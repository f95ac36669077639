"""What may be said of the words of a training set, and the test references that it cannot produce.

A reference that the language cannot produce is an error whatever the models are: it is refused before training.
"""

from collections.abc import Sequence
from dataclasses import replace

from speechgmm.corpus.arpa_file import read_arpa
from speechgmm.corpus.grammar_file import read_grammar
from speechgmm.corpus.listing import listed
from speechgmm.engine.frames import Features
from speechgmm.engine.job import Job
from speechgmm.errors import DataError, counted, first_few
from speechgmm.hmm import Bigram, Lexicon, Network, accepted, estimate_bigram, word_choice, word_loop
from speechgmm.hmm.arpa import backoff_network
from speechgmm.hmm.recognition_spec import RecognitionSpec
from speechgmm.tasks.recognition.dictionaries import dictionary_of
from speechgmm.tasks.recognition.transcript_checks import lexicon_of, unfit
from speechgmm.tasks.recognition.transcripts import Transcript, transcripts
from speechgmm.tasks.recognition.vocabulary import NAMED, Language, check_size, vocabulary_of

REMEDY = {
    "word": "recognition.language: word takes a whole label as one word, and each recording has one; give each word of "
    "the test recordings for training, or set language: loop for sentences",
    "loop": "give recordings with these words to training, list them in the dictionary (recognition.vocabulary: "
    "dictionary) or in a recognition.grammar",
    "grammar": "add what is said in the test to the grammar, or set language: loop",
    "arpa": "take a language model that has these words, list them in the dictionary, or set language: loop",
}
REMEDY["bigram"] = REMEDY["loop"]


def language_of(job: Job, said: Sequence[Transcript], lexicon: Lexicon, units: Sequence[str]) -> Language:
    """What may be said after training on these transcripts.

    Raises:
        DataError: A grammar or a language model that cannot be read; a grammar that has words without models (all are
            named); more words than can be searched.
    """
    spec = job.experiment.config.section(RecognitionSpec)
    if spec.language == "grammar":
        return _grammar(job, lexicon, units)
    vocabulary = vocabulary_of(job, lexicon, units)
    words = vocabulary.lexicon
    match spec.language:
        case "bigram":
            model: Bigram | Network = estimate_bigram([one.words for one in said if not one.copy], sorted(words))
        case "loop":
            model = word_loop(words)
        case "arpa":
            return _arpa(job, lexicon, words)
        case _:
            model = word_choice(words)
    return Language(model, words, spec.language == "bigram", vocabulary.notes)


def _grammar(job: Job, lexicon: Lexicon, units: Sequence[str]) -> Language:
    path = job.experiment.beside(str(job.experiment.config.section(RecognitionSpec).grammar))
    network = read_grammar(path)
    dictionary = dictionary_of(job)
    if dictionary is not None:
        dictionary.check({path.name: network.words}, units)
        return Language(network, {**lexicon, **{word: dictionary.pronunciations[word] for word in network.words}}, True)
    if unknown := sorted(set(network.words) - lexicon.keys()):
        raise DataError(
            f"{path}: words that were never trained: {', '.join(unknown)}; "
            "train on recordings that have them, or leave them out of the grammar"
        )
    return Language(network, lexicon, True)


def _arpa(job: Job, trained: Lexicon, words: Lexicon) -> Language:
    """The language model of a file, of the words of the vocabulary."""
    path = job.experiment.beside(str(job.experiment.config.section(RecognitionSpec).arpa))
    model = read_arpa(path)
    known = [word for word in model.words if word in words]
    check_size(len(known), "language: arpa", "recognition.vocabulary: training, or take a smaller model")
    try:
        network = backoff_network(model, known)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    has_contexts = network.n_states > 2  # histories beside the beginning and any word
    left_out = [word for word in model.words if word not in words]
    kind = "bigrams" if has_contexts else "unigrams"
    notes = [f"vocabulary: {counted(len(known), 'word')} of {path.name}, with {kind}"]
    if left_out:
        notes.append(
            f"{len(left_out)} words of {path.name} cannot be recognised, because they have no pronunciation by trained "
            f"units: {first_few(left_out, NAMED)}"
        )
    return Language(network, {**{word: words[word] for word in known}, **trained}, has_contexts, tuple(notes))


def check_references(job: Job, tests: Sequence[tuple[Sequence[Transcript], Bigram | Network]]) -> None:
    """Refuse references of the tests that the language of their training set cannot produce.

    With ``corpus.on_error: skip`` it warns of them, and they are tested and count as errors.

    Raises:
        DataError: There are such references, the first of which are named.
    """
    spec = job.experiment.config.section(RecognitionSpec)
    problems = [pair for said, language in tests for pair in unproducible(said, language, spec)]
    if not problems:
        return
    text = (
        f"{len(problems)} of {sum(len(said) for said, _ in tests)} test references cannot be recognised, and each is "
        "an error whatever the hypothesis is:\n"
        f"{listed([f'{name}: {why}' for name, why in problems])}\n{REMEDY[spec.language]}"
    )
    if job.experiment.config.corpus.on_error == "stop":
        raise DataError(f"{text} (corpus.on_error: skip tests them all the same, and counts them as errors)")
    job.console.warn(text)


def misfits(job: Job, features: Features) -> list[tuple[str, str]]:
    """Utterances that would be refused before training, and why: in training as `unfit`, in the test by the language.

    Raises:
        DataError: As `transcripts` and `language_of`.
    """
    found = unfit(job, features)
    names = {name for name, _ in found}
    said = [one for one in transcripts(job, features, "train") if one.id not in names]
    if said:
        lexicon = lexicon_of(said, dictionary_of(job))
        units = {unit for ways in lexicon.values() for way in ways for unit in way}
        language = language_of(job, said, lexicon, sorted(units))
        spec = job.experiment.config.section(RecognitionSpec)
        found += unproducible(transcripts(job, features, "test"), language.model, spec)
    return found


def producible(said: Sequence[Transcript], language: Bigram | Network, spec: RecognitionSpec) -> list[Transcript]:
    """The transcripts that a language can produce."""
    refused = {name for name, _ in unproducible(said, language, spec)}
    return [one for one in said if one.id not in refused]


def unproducible(
    said: Sequence[Transcript], language: Bigram | Network, spec: RecognitionSpec
) -> list[tuple[str, str]]:
    """The transcripts that a language cannot produce, and why; labels that count as one (``count_as``) are one."""
    merged, whose = spec.count_as or {}, _owner_of_words(spec)
    labels = language.labels if isinstance(language, Bigram) else language.words
    known = {merged.get(word, word) for word in labels}
    reasons: dict[tuple[str, ...], str] = {}
    for words in {one.words for one in said}:
        absent = [repr(word) for word in dict.fromkeys(words) if merged.get(word, word) not in known]
        if absent or not words:
            reasons[words] = f"not in {whose}: {', '.join(absent)}" if absent else "the reference is empty"
        elif spec.language == "word" and len(words) > 1:
            reasons[words] = f"{len(words)} words, and recognition.language: word allows one"
    if spec.language in ("grammar", "arpa") and isinstance(
        language, Network
    ):  # the others accept any sequence of their words
        arcs = tuple((a, word and merged.get(word, word), b, weight) for a, word, b, weight in language.arcs)
        left = list({one.words for one in said} - reasons.keys())
        counted = [[merged.get(word, word) for word in words] for words in left]
        answers = accepted(replace(language, arcs=arcs), counted)
        refused = [words for words, yes in zip(left, answers, strict=True) if not yes]
        reasons |= {words: f"{whose} does not accept {' '.join(words)!r}" for words in refused}
    return [(one.id, reasons[one.words]) for one in said if one.words in reasons]


def _owner_of_words(spec: RecognitionSpec) -> str:
    """What has the words that may be recognised, for messages."""
    if spec.language == "grammar":
        return "the grammar"
    if spec.language == "arpa":
        return "the language model"
    return "training" if spec.dictionary is None or spec.vocabulary == "training" else "the vocabulary"
