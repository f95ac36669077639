"""Laws of language models in the ARPA format: probabilities, the network of them, and what damaged files get."""

import math
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_decoding_language import sentences

from speechgmm.corpus.arpa_file import read_arpa
from speechgmm.errors import DataError
from speechgmm.hmm.arpa import backoff_network, parse_arpa

BIGRAM = """made by hand; \\data\\ and ngram 1=7 in a comment say nothing
\\data\\
ngram 1=5
ngram 2=4

\\1-grams:
-99\t<s>\t-0.30103
-0.60206 </s>
-0.60206 yes -0.1
-0.30103 no
-1.5 <UNK>

\\2-grams:
-0.1 <s> yes
-0.2 yes no
-3.0 yes yes
-0.4 no </s>

\\end\\
and a remark"""


def test_a_pair_that_is_listed_has_its_probability_and_others_back_off_with_weight_1_where_none_is_given() -> None:
    model = parse_arpa(BIGRAM)
    assert (model.order, model.words) == (2, ("no", "yes"))
    nats = math.log(10)
    assert model.log_probability(["yes", "no"]) == pytest.approx(nats * (-0.1 - 0.2 - 0.4))
    assert model.log_probability(["no", "yes"]) == pytest.approx(nats * (-0.30103 - 0.30103 - 0.60206 - 0.1 - 0.60206))


weights = st.floats(-3, 0).map(lambda x: round(x, 4))
pairs = st.dictionaries(st.tuples(st.sampled_from(["<s>", *"abc"]), st.sampled_from([*"abc", "</s>"])), weights)


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(st.sampled_from("abc"), weights, min_size=1),
    st.none() | weights,
    st.dictionaries(st.sampled_from(["<s>", *"abc"]), st.floats(-2, 1).map(lambda x: round(x, 4))),
    pairs,
    st.sampled_from(["abc", "ab", "a"]),
)
def test_the_best_path_of_the_network_is_the_probability_by_the_formula(unigrams, end, backoffs, listed, vocabulary):
    known = {"<s>": -99.0, **unigrams, **({} if end is None else {"</s>": end})}
    listed = {(a, b): weight for (a, b), weight in listed.items() if a in known and b in known}
    backoffs = {word: min(weight, -max(known.values())) for word, weight in backoffs.items()}  # no P above 1
    text = [f"\\data\\\nngram 1={len(known)}\nngram 2={len(listed)}\n\\1-grams:"]
    text += [
        f"{weight} {word} {backoffs[word]}" if word in backoffs else f"{weight} {word}"
        for word, weight in known.items()
    ]
    text += ["\\2-grams:", *(f"{weight}\t{a} {b}" for (a, b), weight in listed.items()), "\\end\\"]
    model = parse_arpa("\n".join(text))
    if not set(vocabulary) & set(unigrams):
        with pytest.raises(DataError, match=r"of the language model .* is among those that can be recognised"):
            backoff_network(model, vocabulary)
        return
    network = backoff_network(model, vocabulary)

    def log10(before: str, word: str) -> float:
        if (before, word) in listed:
            return listed[before, word]
        return 0.0 if word == "</s>" and end is None else backoffs.get(before, 0.0) + known[word]

    words = sorted(set(vocabulary) & set(unigrams))
    expected = {}
    for n in (1, 2, 3):
        for said in product(words, repeat=n):
            steps = zip(("<s>", *said), (*said, "</s>"), strict=True)
            expected[said] = sum(log10(*step) for step in steps) * math.log(10)
    assert sentences(network, 3, max) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("\\data\\\nngram", "ngram", r"no line \\data\\"),
        ("ngram 2=4", "ngram 2=4\nngram 3=1", r"line 5: a model of 3-grams; models up to bigrams .* -o 2"),
        ("ngram 2=4", "ngram 2", r"line 4: 'ngram 2'; expected ngram N=COUNT"),
        ("-0.2 yes no", "-0.2 yes maybe", r"line 15: 'maybe' is not among the unigrams"),
        ("-0.2 yes no", "-0.2 <s> yes", r"line 15: '<s> yes' is there twice"),
        ("-0.2 yes no", "-0.2 yes", r"line 15: '-0.2 yes'; expected a log10 probability, 2 words"),
        ("-0.2 yes no", "0.2 yes no", r"line 15: 0.2 as the log10 of a probability"),
        ("-0.2 yes no", "nan yes no", r"line 15: 'nan'; expected a number below infinity"),
        ("-0.2 yes no", "p yes no", r"line 15: 'p'; expected a number"),
        ("-0.2 yes no\n", "", r"ngram 2=4, and there are 3"),
        ("\\2-grams:", "\\3-grams:", r"line 13: .*3-grams:; expected \\N-grams: for an N that is declared"),
        (
            "yes -0.1",
            "yes 7",
            r"the back-off weight of 'yes' gives '\S+' after it a probability of 10\^6\.\S+; expected 1",
        ),
        ("\n\\end\\\nand a remark", "", r"no line \\end\\; the file is cut off"),
        ("\\1-grams:", "-1 yes\n\\1-grams:", r"line 6: '-1 yes'; expected ngram N=COUNT"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_line(tmp_path: Path, old: str, new: str, error: str) -> None:
    assert BIGRAM.count(old) == 1
    path = tmp_path / "words.lm"
    path.write_text(BIGRAM.replace(old, new))
    with pytest.raises(DataError, match=f"words.lm: {error}"):
        read_arpa(path)


def test_a_model_whose_sentences_cannot_end_is_refused() -> None:
    with pytest.raises(DataError, match="no sentence can end"):
        backoff_network(
            parse_arpa(BIGRAM.replace("-0.60206 </s>", "-99 </s>").replace("-0.4 no <", "-99 no <")), ["yes"]
        )
