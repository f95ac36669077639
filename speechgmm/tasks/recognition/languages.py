"""What may be said of the words of a training set, and the test references that it cannot produce.

A reference that the language cannot produce is an error whatever the models are: it is refused before training.
"""

from collections.abc import Sequence
from dataclasses import replace

from speechgmm.corpus.grammar_file import read_grammar
from speechgmm.engine.frames import Features
from speechgmm.engine.job import Job
from speechgmm.errors import DataError
from speechgmm.hmm import Bigram, Lexicon, Network, accepted, estimate_bigram, word_choice, word_loop
from speechgmm.hmm.recognition_spec import RecognitionSpec
from speechgmm.tasks.recognition.dictionaries import dictionary_of
from speechgmm.tasks.recognition.transcript_checks import SHOWN, lexicon_of, unfit
from speechgmm.tasks.recognition.transcripts import Transcript, transcripts

REMEDY = {
    "word": "recognition.language: word takes a whole label as one word, and each recording has one; give each word of "
    "the test recordings for training, or set language: loop for sentences",
    "loop": "give recordings with these words to training, or list them in a recognition.grammar",
    "bigram": "give recordings with these words to training, or list them in a recognition.grammar",
    "grammar": "add what is said in the test to the grammar, or set language: loop",
}


def language_of(
    job: Job, said: Sequence[Transcript], lexicon: Lexicon, units: Sequence[str]
) -> tuple[Bigram | Network, Lexicon]:
    """What may be said after training on these transcripts, and the pronunciations of its words.

    Raises:
        DataError: A grammar that cannot be read, or that has words without models (all are named).
    """
    spec = job.experiment.config.section(RecognitionSpec)
    if spec.language == "bigram":
        return estimate_bigram([one.words for one in said if not one.copy]), lexicon
    if spec.language != "grammar":
        return (word_choice if spec.language == "word" else word_loop)(lexicon), lexicon
    path = job.experiment.beside(str(spec.grammar))
    network = read_grammar(path)
    dictionary = dictionary_of(job)
    if dictionary is not None:
        dictionary.check({path.name: network.words}, units)
        return network, {**lexicon, **{word: dictionary.pronunciations[word] for word in network.words}}
    if unknown := sorted(set(network.words) - lexicon.keys()):
        raise DataError(
            f"{path}: words that were never trained: {', '.join(unknown)}; "
            "train on recordings that have them, or leave them out of the grammar"
        )
    return network, lexicon


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
    listed = "\n".join(f"  {name}: {why}" for name, why in problems[:SHOWN]) + "\n  ..." * (len(problems) > SHOWN)
    text = (
        f"{len(problems)} of {sum(len(said) for said, _ in tests)} test references cannot be recognised, and each is "
        f"an error whatever is heard:\n{listed}\n{REMEDY[spec.language]}"
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
        language, _ = language_of(job, said, lexicon, sorted(units))
        spec = job.experiment.config.section(RecognitionSpec)
        found += unproducible(transcripts(job, features, "test"), language, spec)
    return found


def unproducible(
    said: Sequence[Transcript], language: Bigram | Network, spec: RecognitionSpec
) -> list[tuple[str, str]]:
    """The transcripts that a language cannot produce, and why; labels that count as one (``count_as``) are one."""
    merged, whose = spec.count_as or {}, "the grammar" if spec.language == "grammar" else "training"
    labels = language.labels if isinstance(language, Bigram) else language.words
    known = {merged.get(word, word) for word in labels}
    reasons: dict[tuple[str, ...], str] = {}
    for words in {one.words for one in said}:
        absent = [repr(word) for word in dict.fromkeys(words) if merged.get(word, word) not in known]
        if absent or not words:
            reasons[words] = f"not in {whose}: {', '.join(absent)}" if absent else "the reference is empty"
        elif spec.language == "word" and len(words) > 1:
            reasons[words] = f"{len(words)} words, and recognition.language: word allows one"
    if spec.language == "grammar" and isinstance(language, Network):  # the others accept any sequence of their words
        arcs = tuple((a, word and merged.get(word, word), b, weight) for a, word, b, weight in language.arcs)
        left = list({one.words for one in said} - reasons.keys())
        counted = [[merged.get(word, word) for word in words] for words in left]
        answers = accepted(replace(language, arcs=arcs), counted)
        refused = [words for words, yes in zip(left, answers, strict=True) if not yes]
        reasons |= {words: f"the grammar does not accept {' '.join(words)!r}" for words in refused}
    return [(one.id, reasons[one.words]) for one in said if one.words in reasons]
