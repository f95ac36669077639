"""What a user may choose about recognition beside the HMMs: the ``recognition`` section of a configuration."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

from speechgmm.errors import ConfigError
from speechgmm.setting import FORBID_UNKNOWN, setting

MOST_PENALTY: Final = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class RecognitionSpec:
    """Settings of recognition: labels, dictionary, language and search. Raises `ConfigError` for invalid ones.

    >>> RecognitionSpec(language="bigram").scale
    1.0
    """

    __pydantic_config__: ClassVar[Any] = FORBID_UNKNOWN

    labels: Literal["transcript", "segments"] | None = setting(
        None,
        "transcript: corpus.label of an utterance is what is said in it, words separated by spaces (language: word: "
        "the whole label is one word); segments: the utterances of a recording are its words or phones one after "
        "another, with their times; default: segments for timit (phone, word), textgrid and label_files, else "
        "transcript",
    )
    dictionary: str | None = setting(
        None,
        "pronunciations (CMU's format, or Kaldi's lexicon.txt), relative to the configuration file: phones are the "
        "units then; default: every word is a unit of its own",
        is_path=True,
    )
    graphemes: bool = setting(
        False, "letters are the units, without a dictionary: lower case, marks with their letter, no punctuation"
    )
    text: Literal["exact", "normalised"] = setting(
        "exact",
        "exact: words of transcripts as they are spelt; normalised: a word that the dictionary does not have loses the "
        "punctuation at its edges, and has the dictionary's case where all its words have one (graphemes: lower case)",
    )
    vocabulary: Literal["dictionary", "training"] | None = setting(
        None,
        "words that language: loop, bigram or arpa may recognise. dictionary: all of the dictionary whose phones are "
        "trained (of arpa: those that the model has); training: those of the training transcripts; default: "
        "dictionary, but training for loop and bigram with a dictionary of more than 1000 words",
    )
    stress: Literal["keep", "drop"] = setting("keep", "drop: phones of the dictionary without the digit of stress")
    silence: str | None = setting(
        None, "a unit that may come before, between and after the words, and is not a word; default: there is none"
    )
    silence_probability: float = setting(0.5, "probability of silence in each of these places", gt=0, lt=1)
    start: Literal["flat", "edges", "segments"] = setting(
        "flat",
        "flat: training begins with all states alike, each utterance divided evenly among its units; edges: so between "
        "the silences at its beginning and end, which are found first (for few data; needs silence); segments: with "
        "the times that the labels have",
    )
    start_model: str | None = setting(
        None,
        "a recogniser (model file or run folder) whose units training goes on from, in place of start; features and "
        "sampling rate must be its own. The recordings alone decide from there: nothing draws units back to the model",
        is_path=True,
    )
    language: Literal["word", "loop", "bigram", "grammar", "arpa"] = setting(
        "word",
        "word: each recording has one word, a whole label of those in training; loop: any sequence of words (see "
        "vocabulary); bigram: the same, each as probable as after the one before it in training; "
        "grammar: what a grammar accepts; arpa: an n-gram model of another program",
    )
    grammar: str | None = setting(None, "grammar: the file (JSGF), relative to the configuration file", is_path=True)
    arpa: str | None = setting(
        None,
        "arpa: the file with the model, of unigrams or bigrams (ARPA format), relative to the configuration file",
        is_path=True,
    )
    scale: float = setting(1.0, "what log probabilities of the language are multiplied by", ge=0, le=1e6)
    insertion_penalty: float | Literal["auto"] = setting(
        "auto",
        "what every word costs (phone, where words are phones); auto: chosen on a fifth of the training speakers "
        "(recordings, where there is no corpus.group), with a recogniser trained on the others; language: word needs "
        "none",
        unit="nats",
    )
    beam: float = setting(
        200.0, "partial paths so far below the best one are left; wider is slower and surer", unit="nats", gt=0, le=1e9
    )
    count_as: Mapping[str, str] | None = setting(
        None, "labels that count as others when errors are counted, such as {cl: sil, zh: sh}; default: none"
    )

    def __post_init__(self) -> None:
        if self.insertion_penalty != "auto" and not abs(self.insertion_penalty) <= MOST_PENALTY:
            raise ConfigError(
                f"recognition.insertion_penalty is {self.insertion_penalty}; expected auto, or nats between "
                f"{-MOST_PENALTY:g} and {MOST_PENALTY:g}"
            )
        if (self.language == "grammar") != (self.grammar is not None):
            raise ConfigError(
                f"recognition.language is {self.language}, and recognition.grammar is {self.grammar}; a grammar needs "
                "both: language: grammar, and the file"
            )
        if self.graphemes and self.dictionary is not None:
            raise ConfigError(
                f"recognition.graphemes spells words by their letters, and recognition.dictionary is "
                f"{self.dictionary}; leave one of them out"
            )
        if self.graphemes and self.text == "exact":
            raise ConfigError("recognition.graphemes needs recognition.text: normalised, since letters have no case")
        if self.text == "normalised" and (self.language == "word" or self.labels == "segments"):
            raise ConfigError(
                "recognition.text: normalised is for transcripts of several words; set language: loop, bigram, "
                "grammar or arpa, and no labels: segments"
            )
        if (self.language == "arpa") != (self.arpa is not None):
            raise ConfigError(
                f"recognition.language is {self.language}, and recognition.arpa is {self.arpa}; a language model needs "
                "both: language: arpa, and the file"
            )
        if self.vocabulary is not None and self.language in ("word", "grammar"):
            raise ConfigError(
                f"recognition.vocabulary is for language: loop, bigram or arpa; the language is {self.language}, which "
                "has its own words"
            )
        if self.vocabulary == "dictionary" and self.dictionary is None:
            raise ConfigError("recognition.vocabulary: dictionary needs a recognition.dictionary, which is not given")
        if self.dictionary is None and self.stress != "keep":
            raise ConfigError("recognition.stress is for the phones of a recognition.dictionary, which is not given")
        if self.start == "segments" and self.labels == "transcript":
            raise ConfigError("recognition.start: segments needs labels with times (recognition.labels: segments)")
        if self.start == "edges" and self.silence is None:
            raise ConfigError("recognition.start: edges looks for silence; name a unit for it in recognition.silence")
        if self.start != "flat" and self.start_model is not None:
            raise ConfigError(
                f"recognition.start_model is {self.start_model}, and start: {self.start} begins without a model; leave "
                "one of them out"
            )
        if self.start == "segments" and self.dictionary is not None:
            raise ConfigError(
                "recognition.start: segments has times of words, not of the phones of a dictionary; use start: flat"
            )
        chained = sorted(set(self.count_as or ()) & set((self.count_as or {}).values()))
        if chained:
            raise ConfigError(
                f"recognition.count_as: {', '.join(chained)} counts as another label, and others count as it; name the "
                "last one for each"
            )
