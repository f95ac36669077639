"""Laws of bigrams, grammars and networks: probabilities that sum to 1, and nothing that goes round without a word."""

import math
from collections import defaultdict
from graphlib import TopologicalSorter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechgmm.corpus.grammar_file import read_grammar
from speechgmm.errors import DataError
from speechgmm.hmm import (
    Network,
    bigram_network,
    break_epsilon_cycles,
    estimate_bigram,
    parse_grammar,
    perplexity,
    trim,
    vocabulary,
    word_choice,
    word_loop,
)


def silent_order(network):
    """The states, each after those that lead to it without a word; CycleError where there is no such order."""
    before = defaultdict(set)
    for source, word, target, _ in network.arcs:
        if word is None:
            before[target].add(source)
    return list(TopologicalSorter({state: before[state] for state in range(network.n_states)}).static_order())


def sentences(network, most, combine=np.logaddexp):
    """Sentence of at most so many words -> log weight of all its paths, or of the best (combine=max)."""
    order = silent_order(network)
    silent, spoken = defaultdict(list), defaultdict(list)
    for source, word, target, weight in network.arcs:
        (silent if word is None else spoken)[source].append((word, target, weight))
    found: dict[tuple[str, ...], float] = {}

    def add(table, key, weight):
        table[key] = combine(table[key], weight) if key in table else weight

    here = {((), network.start): 0.0}
    for _ in range(most + 1):
        for state in order:
            for (said, place), weight in [item for item in here.items() if item[0][1] == state]:
                for _, target, more in silent[place]:
                    add(here, (said, target), weight + more)
        following: dict[tuple[tuple[str, ...], int], float] = {}
        for (said, place), weight in here.items():
            if place in network.finals:
                add(found, said, weight + network.finals[place])
            for word, target, more in spoken[place]:
                add(following, ((*said, word), target), weight + more)
        here = following
    return {said: float(weight) for said, weight in found.items()}


def said(text, most=4):
    return {" ".join(words) for words in sentences(parse_grammar(text), most)}


# -- bigram ------------------------------------------------------------------------------------------------------------

told = st.lists(st.lists(st.sampled_from("abcde"), min_size=1, max_size=8), min_size=1, max_size=8)


@given(told)
def test_every_row_of_a_bigram_sums_to_one_and_no_pair_is_impossible(sequences):
    bigram = estimate_bigram(sequences)
    np.testing.assert_allclose(np.exp(bigram.log_start).sum(), 1, rtol=1e-12)
    np.testing.assert_allclose(np.exp(bigram.log_next).sum(axis=1) + np.exp(bigram.log_end), 1, rtol=1e-12)
    np.testing.assert_allclose(np.exp(bigram.log_unigram).sum(), 1, rtol=1e-12)
    for table in (bigram.log_start, bigram.log_next, bigram.log_end):
        assert np.isfinite(table).all()


def test_a_bigram_is_the_formula_of_witten_and_bell_by_hand():
    bigram = estimate_bigram([["a", "b"], ["a", "b", "b"]])
    # Predicted: a 2, b 3, end 2: N 7, T 3, U 3. After a: b twice, one type. After b: b once, the end twice: two types.
    a, b, end = (2 + 1) / 10, (3 + 1) / 10, (2 + 1) / 10
    np.testing.assert_allclose(np.exp(bigram.log_unigram), [a, b, end], rtol=1e-12)
    np.testing.assert_allclose(np.exp(bigram.log_next), [[a / 3, (2 + b) / 3], [2 * a / 5, (1 + 2 * b) / 5]])
    np.testing.assert_allclose(np.exp(bigram.log_end), [end / 3, (2 + 2 * end) / 5])
    np.testing.assert_allclose(np.exp(bigram.log_start), [(2 + a / (a + b)) / 3, b / (a + b) / 3])


def test_with_much_text_a_bigram_comes_to_the_chain_that_made_it():
    rng = np.random.default_rng(0)
    chain = rng.dirichlet(np.ones(6), 6)  # the last column ends
    sequences = []
    for _ in range(4000):
        sequence = [0]
        while (following := rng.choice(6, p=chain[sequence[-1]])) < 5:
            sequence.append(following)
        sequences.append([f"l{label}" for label in sequence])
    bigram = estimate_bigram(sequences)
    np.testing.assert_allclose(np.exp(bigram.log_next), chain[:5, :5], atol=0.05)
    np.testing.assert_allclose(np.exp(bigram.log_end), chain[:5, 5], atol=0.05)


def test_the_order_of_sequences_changes_nothing_and_that_of_labels_only_the_arrays():
    sequences = [["a", "b"], ["b", "c", "a"], ["c"]]
    one = estimate_bigram(sequences)
    np.testing.assert_array_equal(one.log_next, estimate_bigram(sequences[::-1]).log_next)
    other = estimate_bigram(sequences, ["c", "b", "a"])
    np.testing.assert_allclose(other.log_next[::-1, ::-1], one.log_next, rtol=1e-14)


def test_perplexity_is_least_for_what_was_learnt_and_all_alike_is_as_many_as_there_are():
    sequences = [["a", "b", "c"]] * 50
    bigram = estimate_bigram(sequences)
    assert perplexity(bigram, sequences) < 1.2 < perplexity(bigram, [["c", "b", "a"]])
    rng = np.random.default_rng(0)
    alike = [rng.choice(list("abcdefgh"), 200).tolist() for _ in range(50)]
    assert perplexity(estimate_bigram(alike), alike) == pytest.approx(8, rel=0.03)


def test_labels_that_never_occur_have_their_share_and_nothing_is_said_of_what_follows_them():
    sequences, labels = [["a", "b", "a"], ["b"], ["a", "a"]], ["a", "b", "c", "d"]
    bigram = estimate_bigram(sequences, labels)
    assert np.exp(bigram.log_start).sum() == pytest.approx(1)
    np.testing.assert_allclose(np.exp(bigram.log_next).sum(axis=1) + np.exp(bigram.log_end), 1)
    # By the formulas of the module: of 9 predictions there are 3 types, and 5 possible ones.
    unigram = {label: (count + 3 / 5) / (9 + 3) for label, count in {"a": 4, "b": 2, "c": 0, "d": 0}.items()}
    for label, after_c in zip(labels, np.exp(bigram.log_next[2]), strict=True):
        assert after_c == pytest.approx(unigram[label])
    # "b" was followed by two types in two occurrences.
    assert np.exp(bigram.log_next[1, 3]) == pytest.approx(2 * unigram["d"] / (2 + 2))
    best = sentences(bigram_network(bigram), 3, max)
    for sentence in (("a", "c", "d"), ("d",), ("c", "c")):
        assert best[sentence] == pytest.approx(bigram.log_probability(sentence))


def test_labels_that_are_not_known_are_named():
    with pytest.raises(DataError, match=r"1 label is not among the bigram's 1: 'x'"):
        estimate_bigram([["a", "x"]], ["a"])
    with pytest.raises(DataError, match="no sequence"):
        estimate_bigram([])
    with pytest.raises(DataError, match="1 sequence is empty, the first is number 1; expected one label at least"):
        estimate_bigram([["a"], []])
    with pytest.raises(DataError, match=r"\['a'\] are given twice"):
        estimate_bigram([["a"]], ["a", "a"])
    with pytest.raises(DataError, match="'q'"):
        perplexity(estimate_bigram([["a"]]), [["q"]])


@given(told)
def test_the_best_path_of_a_bigrams_network_has_the_bigrams_probability(sequences):
    bigram = estimate_bigram(sequences)
    best = sentences(bigram_network(bigram), 3, max)
    assert len(best) == sum(len(bigram.labels) ** n for n in (1, 2, 3))
    for words, weight in best.items():
        assert weight == pytest.approx(bigram.log_probability(words), abs=1e-10)


# -- networks ----------------------------------------------------------------------------------------------------------


def test_a_loop_says_any_sequence_of_one_word_at_least_and_a_choice_one_word():
    loop = sentences(word_loop(["a", "b", "a"]), 3)
    assert len(loop) == 2 + 4 + 8
    assert set(loop.values()) == {0.0}
    assert set(sentences(word_choice(["a", "b"]), 3)) == {("a",), ("b",)}
    with pytest.raises(DataError, match="no word to recognise"):
        word_loop([])


arcs = st.tuples(
    st.integers(0, 4), st.sampled_from([None, None, "a", "b"]), st.integers(0, 4), st.floats(-3, 0).map(lambda x: x)
)


@given(st.lists(arcs, max_size=14), st.dictionaries(st.integers(0, 4), st.floats(-3, 0), min_size=1))
def test_breaking_cycles_leaves_every_sentence_its_best_weight(some, finals):
    network = Network(5, tuple(some), 0, finals)

    # The obvious way: best paths of at most two words, with silent arcs relaxed until nothing changes.
    def closed(table):
        for _ in range(6):
            for source, word, target, weight in some:
                if word is None and source in table:
                    table[target] = max(table.get(target, -math.inf), table[source] + weight)
        return table

    expected, here = {}, {(): closed({0: 0.0})}
    for _ in range(3):
        following = {}
        for words, table in here.items():
            ends = [table[state] + weight for state, weight in finals.items() if state in table]
            if ends:
                expected[words] = max(ends)
            for source, word, target, weight in some:
                if word is not None and source in table:
                    after = following.setdefault((*words, word), {})
                    after[target] = max(after.get(target, -math.inf), table[source] + weight)
        here = {words: closed(table) for words, table in following.items()}
    broken = break_epsilon_cycles(network)
    for found in [sentences(broken, 2, max), *([sentences(trim(broken), 2, max)] if expected else [])]:
        assert found.keys() == expected.keys()
        for words, weight in expected.items():
            assert found[words] == pytest.approx(weight, abs=1e-9)


def test_a_cycle_that_gains_weight_is_refused():
    with pytest.raises(DataError, match="gains weight"):
        break_epsilon_cycles(Network(2, ((0, None, 1, 1.0), (1, None, 0, -0.5)), 0, {1: 0.0}))


# -- grammars ----------------------------------------------------------------------------------------------------------


def test_every_construct_says_what_it_should():
    assert said("<a> = one two | three;") == {"one two", "three"}
    assert said("<a> = [please] go;") == {"please go", "go"}
    assert said("<a> = go (on | off);") == {"go on", "go off"}
    assert said("<a> = x*;", 3) == {"", "x", "x x", "x x x"}
    assert said("<a> = x+ y;", 3) == {"x y", "x x y"}
    assert said("<a> = (x y)+;") == {"x y", "x y x y"}
    assert said("<a> = <b> z; <b> = x | y;") == {"x z", "y z"}
    assert said('<a> = "New York" | "say \\"hi\\"";') == {"New York", 'say "hi"'}
    assert said("<a> = x <NULL> y | <VOID> z;") == {"x y"}
    assert said("<a> = ([x] [y])+;", 2) == {"", "x", "y", "x x", "x y", "y x", "y y"}
    assert said("<a> = x; public <b> = y; public <c> = z;") == {"y", "z"}
    assert said("<a> = /0/ x | /2/ y;") == {"y"}
    assert said("<a> = don't stop-now é 今日;") == {"don't stop-now é 今日"}


def test_the_grammar_of_the_documentation_is_one():
    page = (Path(__file__).parents[1] / "docs/how-to/recognition.md").read_text(encoding="utf-8")
    found = said(page[page.index("#JSGF") :].split("```")[0], 3)
    assert {"turn on", "please turn off", "dial one", "please dial two", "dial twenty one two"} <= found
    assert "dial" not in found


def test_header_comments_and_line_ends_are_read():
    text = (
        "\ufeff#JSGF V1.0 UTF-8 en;\r\ngrammar com.acme.lights;\r\n// one <two>\r\npublic <a> = x /* | y\n */ | z;\r\n"
    )
    assert said(text) == {"x", "z"}


@pytest.mark.parametrize(
    "text",
    ["<a> = x | y z | w;", "<a> = /3/ x | /1/ y [z];", "<a> = ([x] y | z)+ w;", "<a> = x* [y];", "<a> = ((x | y)+ z)*;",
     "public <a> = x; public <b> = x y;"],
)  # fmt: skip
def test_the_probabilities_of_all_sentences_sum_to_one(text):
    network = parse_grammar(text)
    steps = np.zeros((network.n_states, network.n_states))
    for source, _, target, weight in network.arcs:
        steps[source, target] += math.exp(weight)
    visits = np.linalg.solve(np.eye(network.n_states) - steps.T, np.eye(network.n_states)[network.start])
    total = sum(visits[state] * math.exp(weight) for state, weight in network.finals.items())
    assert total == pytest.approx(1, rel=1e-12)


def test_weights_are_shares_and_equal_without():
    found = sentences(parse_grammar("<a> = /3/ x | /1/ (y | z);"), 1)
    assert {words[0]: round(math.exp(weight), 6) for words, weight in found.items()} == {
        "x": 0.75,
        "y": 0.125,
        "z": 0.125,
    }


nodes = st.recursive(
    st.sampled_from(["a", "b", "<NULL>"]),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda two: f"{two[0]} {two[1]}"),
        st.tuples(inner, inner).map(lambda two: f"({two[0]} | {two[1]})"),
        inner.map(lambda one: f"[{one}]"),
        inner.map(lambda one: f"({one})*"),
        inner.map(lambda one: f"({one})+"),
    ),
    max_leaves=8,
)


@given(nodes)
def test_any_grammar_with_a_word_gives_a_network_that_never_goes_round_in_silence(text):
    if "a" not in text.replace("<NULL>", "") and "b" not in text:
        with pytest.raises(DataError, match="nothing but silence"):
            parse_grammar(f"<r> = {text};")
        return
    network = parse_grammar(f"<r> = {text};")
    assert silent_order(network)
    assert all(weight <= 1e-12 for *_, weight in network.arcs)
    assert vocabulary(network) <= {"a", "b"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<a> = x\n  | <b> <c>;", r"line 2, column 5: there is no rule <b>; line 2, column 9: there is no rule <c>"),
        ("<a> = x;\n<b> = [y <b>] <a>; public <c> = <b>;", r"line 2, column 10: rule <b> contains itself"),
        ("<a> = <b>; <b> = x <a>;", r"rule <a> contains itself \(<a> in <b> in <a>\)"),
        ("<a> = <VOID>;", "the grammar accepts nothing: no sentence"),
        ("<a> = <NULL>;", "nothing but silence"),
        ("", "without a rule"),
        ("<a> = x", r"line 1, column 8: ; at the end of rule <a> is expected, not the end of the text"),
        ("<a> = x; <a> = y;", r"line 1, column 10: a second rule <a>"),
        ("<a> x;", r"= after <a> is expected, not 'x'"),
        ("<a> = (x | y;", r"\) for the \( of line 1, column 7 is expected, not ';'"),
        ("<a> = x | ;", r"line 1, column 11: a word, a rule or a bracket is expected"),
        ("<a> = x {tag};", r"line 1, column 9: tags are not part"),
        ("import <b.*>; <a> = x;", "imports are not part"),
        ("<a> = /1/ x | y;", "1 of 2 alternatives have a weight"),
        ("<a> = /0/ x | /0/ y;", "every alternative has the weight 0"),
        ("<a> = /-1/ x | /1/ y;", "is no weight"),
        ("<a> = /much/ x | /1/ y;", "/much/ is no weight"),
        ('<a> = "x;', r"line 1, column 7: a quotation mark that is not closed"),
        ("<a> = x; /* y", "line 1, column 10: a comment or a weight that is not closed"),
        ("<a> = <b c>;", "a rule's name stands in angle brackets"),
        ("a = x;", "a rule: <name> = ...; is expected, not 'a'"),
        ("<NULL> = x;", "has its meaning already"),
        ("<a> = " + "(" * 60 + "x" + ")" * 60 + ";", "more than 50 brackets"),
    ],
)
def test_what_is_wrong_with_a_grammar_is_said_with_its_place(text, message):
    with pytest.raises(DataError, match=message):
        parse_grammar(text)


def test_a_grammar_that_stands_for_too_much_is_refused_before_memory_is_full(monkeypatch):
    monkeypatch.setattr("speechgmm.hmm.grammar.MOST_ARCS", 1000)
    rules = "".join(f"<r{n}> = <r{n + 1}> <r{n + 1}>;" for n in range(40)) + "<r40> = x;"
    with pytest.raises(DataError, match="more than 1000 words"):
        parse_grammar(rules)
    chain = "".join(f"<r{n}> = <r{n + 1}>;" for n in range(400)) + "<r400> = x;"
    with pytest.raises(DataError, match="more than 150 deep"):
        parse_grammar(chain)


def test_a_file_is_named_in_its_errors(tmp_path):
    path = tmp_path / "lights.jsgf"
    path.write_text("<a> = x", encoding="utf-8")
    with pytest.raises(DataError, match=r"lights\.jsgf: line 1, column 8"):
        read_grammar(path)
    path.write_bytes(b"\xef\xbb\xbf<a> = x;\r\n")
    assert vocabulary(read_grammar(path)) == {"x"}
    path.write_bytes(b"\xff\xfe<")
    with pytest.raises(DataError, match="not a grammar in UTF-8"):
        read_grammar(path)
