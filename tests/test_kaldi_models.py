"""Mixtures in files of Kaldi: the values that Kaldi defines, both spellings, and what is refused."""

import math
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechgmm import DiagGMM, log_likelihoods, read_kaldi_models, write_kaldi_models
from speechgmm.errors import DataError

# Two components with weights 0.25 and 0.75, means (1, -2) and (4, 0), variances (0.5, 4) and (1, 2); gconsts are
# log w - (D log 2 pi + sum of log variance and of mean^2 / variance) / 2, worked out by hand.
TEXT = """<DiagGMM>
<GCONSTS>  [ -5.070745 -10.47213 ]
<WEIGHTS>  [ 0.25 0.75 ]
<MEANS_INVVARS>  [
  2 -0.5
  4 0 ]
<INV_VARS>  [
  2 0.25
  1 0.5 ]
</DiagGMM>
"""
TRANSITIONS = """<TransitionModel>
<Topology>
<TopologyEntry>
<ForPhones>
1
</ForPhones>
<State> 0 <PdfClass> 0 <Transition> 0 0.75 <Transition> 1 0.25 </State>
<State> 1 </State>
</TopologyEntry>
</Topology>
<Triples> 1
1 0 0
</Triples>
<LogProbs>
 [ 0 -0.2876821 -1.386294 ]
</LogProbs>
</TransitionModel>
"""


def mixtures(n_dims: int) -> st.SearchStrategy[DiagGMM]:
    def one(seed: int, n_components: int) -> DiagGMM:
        rng = np.random.default_rng(seed)
        shape = (n_components, n_dims)
        return DiagGMM(rng.dirichlet(np.ones(n_components)), rng.normal(0, 20, shape), 10 ** rng.uniform(-3, 3, shape))

    return st.builds(one, st.integers(0, 2**32), st.integers(1, 5))


def by_loop(path: Path) -> list[tuple[list[float], list[float], list[list[float]], list[list[float]]]]:
    """The arrays of a file of one or several DiagGmm, read by Kaldi's rules in the plainest way."""
    data = path.read_bytes()
    found = []
    if data[:2] != b"\0B":
        words = data.decode().split()
        at = words.index("<DiagGMM>")
        width = int(words[1]) if words[0] == "<DIMENSION>" else None
        for word in words[at:]:
            if word == "<DiagGMM>":
                numbers: list[list[float]] = []
            elif word.startswith("<") and word != "</DiagGMM>":
                numbers.append([])
            elif word == "</DiagGMM>":
                gconsts, weights, *flat = numbers
                columns = width or len(flat[0]) // len(weights)
                found.append(
                    (gconsts, weights, *([r[k : k + columns] for k in range(0, len(r), columns)] for r in flat))
                )
            elif word not in "[]":
                numbers[-1].append(float(word))
        return found
    at = 2

    def token() -> str:
        nonlocal at
        end = data.index(b" ", at)
        word, at = data[at:end].decode(), end + 1
        return word

    def integer() -> int:
        nonlocal at
        assert data[at] == 4
        (value,) = struct.unpack_from("<i", data, at + 1)
        at += 5
        return value

    def floats(n: int) -> list[float]:
        nonlocal at
        values = list(struct.unpack_from(f"<{n}f", data, at))
        at += 4 * n
        return values

    while at < len(data):
        word = token()
        if word in ("<DIMENSION>", "<NUMPDFS>"):
            integer()
        elif word == "<DiagGMM>":
            arrays = []
        elif word == "</DiagGMM>":
            found.append(tuple(arrays))
        else:
            kind = token()
            if kind == "FV":
                arrays.append(floats(integer()))
            else:
                assert kind == "FM"
                rows, columns = integer(), integer()
                arrays.append([floats(columns) for _ in range(rows)])
    return found


def kaldi_log_likelihood(gconsts, means_invvars, inv_vars, frame) -> float:
    """Kaldi's DiagGmm::LogLikelihood, component by component."""
    terms = []
    for gconst, linear, quadratic in zip(gconsts, means_invvars, inv_vars, strict=True):
        terms.append(gconst + sum(a * x - 0.5 * b * x * x for a, b, x in zip(linear, quadratic, frame, strict=True)))
    peak = max(terms)
    return peak + math.log(sum(math.exp(term - peak) for term in terms))


def test_a_text_has_the_values_that_kaldi_defines(tmp_path: Path) -> None:
    (tmp_path / "final.dubm").write_text(TEXT)
    (model,) = read_kaldi_models(tmp_path / "final.dubm")
    assert model.weights.tolist() == [0.25, 0.75]
    assert model.means.tolist() == [[1, -2], [4, 0]]
    assert model.variances.tolist() == [[0.5, 4], [1, 2]]
    frames = np.array([[0.0, 0.0], [3.0, -1.0], [-20.0, 7.0]])
    gconsts = [-5.070745, -10.47213]
    expected = [kaldi_log_likelihood(gconsts, [[2, -0.5], [4, 0]], [[2, 0.25], [1, 0.5]], frame) for frame in frames]
    np.testing.assert_allclose(log_likelihoods(model, frames), expected, rtol=1e-6)


@settings(max_examples=25)
@given(st.lists(mixtures(3), min_size=1, max_size=4), st.booleans())
def test_what_is_written_is_what_kaldi_reads_and_reads_back(tmp_path_factory, models, text: bool) -> None:
    path = tmp_path_factory.mktemp("kaldi") / "final.am"
    write_kaldi_models(models, path, text=text)
    frame = models[0].means[0] + 0.5
    for model, again, (gconsts, weights, linear, quadratic) in zip(
        models, read_kaldi_models(path), by_loop(path), strict=True
    ):
        np.testing.assert_allclose(weights, model.weights, rtol=1e-6)
        np.testing.assert_allclose(quadratic, 1 / model.variances, rtol=1e-6)
        np.testing.assert_allclose(linear, model.means / model.variances, rtol=1e-6)
        expected = log_likelihoods(model, frame[None])[0]
        size = 1e-6 * np.max(np.abs(gconsts))  # float32 of gconsts
        assert kaldi_log_likelihood(gconsts, linear, quadratic, frame) == pytest.approx(expected, rel=1e-5, abs=size)
        for name in ("weights", "means", "variances"):
            np.testing.assert_allclose(getattr(again, name), getattr(model, name), rtol=1e-6)


@pytest.mark.parametrize("text", [True, False])
def test_reading_and_writing_again_gives_the_same_file(tmp_path: Path, text: bool) -> None:
    model = DiagGMM([0.25, 0.75], [[1, -2], [4, 0]], [[0.5, 4], [1, 2]])
    for models in (model, [model, model]):
        write_kaldi_models(models, tmp_path / "one", text=text)
        found = read_kaldi_models(tmp_path / "one")
        write_kaldi_models(found[0] if models is model else found, tmp_path / "two", text=text)
        assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_component_without_weight_stays_one(tmp_path: Path) -> None:
    write_kaldi_models(DiagGMM([0.0, 1.0], [[1.0], [2.0]], [[1.0], [1.0]]), tmp_path / "m", text=True)
    assert "-inf" in (tmp_path / "m").read_text()
    assert read_kaldi_models(tmp_path / "m")[0].weights.tolist() == [0, 1]


def test_a_transition_model_before_the_mixtures_is_read_past(tmp_path: Path) -> None:
    am = "<DIMENSION> 2 <NUMPDFS> 1 " + TEXT
    (tmp_path / "text").write_text(TRANSITIONS + am)
    write_kaldi_models([DiagGMM([1.0], [[3.0]], [[2.0]])], tmp_path / "am")
    binary = (tmp_path / "am").read_bytes()
    # Longer than what is read at once, and with the end of the token in the next part.
    for n in (0, 65536 - 30, 65536 - 10, 200_000):
        transitions = b"\0B<TransitionModel> " + bytes(n) + b"</TransitionModel> "
        (tmp_path / "binary").write_bytes(transitions + binary[2:])
        assert read_kaldi_models(tmp_path / "binary")[0].means.tolist() == [[3.0]]
    assert read_kaldi_models(tmp_path / "text")[0].weights.tolist() == [0.25, 0.75]


def test_gconsts_may_be_missing_as_kaldi_allows(tmp_path: Path) -> None:
    lines = TEXT.splitlines(keepends=True)
    (tmp_path / "m").write_text("".join([lines[0], *lines[2:]]))
    assert read_kaldi_models(tmp_path / "m")[0].means.tolist() == [[1, -2], [4, 0]]


WRONG = {
    "another gconst": (TEXT.replace("-5.070745", "-5.2"), r"line 10: the gconst of component 0 is -5\.2"),
    "one gconst": (TEXT.replace("-5.070745 ", ""), r"line 10: gconsts \(1,\) of 2 components"),
    "another token": (TEXT.replace("<WEIGHTS>", "<WEIGHT>"), r"line 3: '<WEIGHT>'; expected <WEIGHTS>"),
    "no numbers": (TEXT.replace("0.25 0.75", "0.25 x"), r"line 3: '0\.25 x'; expected numbers"),
    "NaN": (TEXT.replace("4 0 ]", "4 nan ]"), r"line 6: NaN"),
    "weights": (TEXT.replace("0.25 0.75", "0.25 0.85"), r"weights that sum to 1\.1"),
    "variance": (TEXT.replace("  1 0.5 ]", "  1 -0.5 ]"), "inverse variance"),
    "ragged": (TEXT.replace("  1 0.5 ]", "  1 ]"), r"line 9: a matrix .* different lengths"),
    "rows": (TEXT.replace("\n  1 0.5 ]", " ]"), r"\(2, 2\) and inverse variances \(1, 2\) are no mixture"),
    "nothing": ("", "line 1: the file ends here"),
    "full": ("<FullGMM> <GCONSTS> [ 1 ]", "full covariances"),
    "network": (TRANSITIONS + "<Nnet3> ", "a neural network"),
    "something": ("hello", "'hello'; expected <TransitionModel>"),
    "no pdfs": ("<DIMENSION> 2 <NUMPDFS> 0 ", "0 pdfs; expected 1"),
    "huge": ("<DIMENSION> 2 <NUMPDFS> 99999999999 ", "99999999999 pdfs"),
    "no number": ("<DIMENSION> two ", "'two'; expected a whole number"),
    "dimension": ("<DIMENSION> 3 <NUMPDFS> 1 " + TEXT, r"pdf 0 of 2 dimensions; expected 3"),
    "too few": ("<DIMENSION> 2 <NUMPDFS> 2 " + TEXT, "the file ends here"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_in_a_text_is_said_with_its_line(name: str, tmp_path: Path) -> None:
    text, message = WRONG[name]
    (tmp_path / "m.mdl").write_text(text)
    with pytest.raises(DataError, match=rf"m\.mdl: line \d+: .*{message.removeprefix('line ')}|m\.mdl: {message}"):
        read_kaldi_models(tmp_path / "m.mdl")


@pytest.mark.parametrize("text", [True, False])
def test_a_file_that_ends_anywhere_too_early_is_refused_with_the_place(tmp_path: Path, text: bool) -> None:
    write_kaldi_models([DiagGMM([1.0], [[1.0]], [[3.0]])] * 2, tmp_path / "whole", text=text)
    data = (tmp_path / "whole").read_bytes()
    read_kaldi_models(tmp_path / "whole")
    least = len(data.rstrip()) if text else len(data)
    for n in range(least):
        (tmp_path / "part").write_bytes(data[:n])
        with pytest.raises(DataError, match=r"part: (byte|line) \d+: "):
            read_kaldi_models(tmp_path / "part")


@pytest.mark.parametrize("text", [True, False])
def test_models_joined_in_one_file_are_refused_and_not_read_as_the_first(tmp_path: Path, text: bool) -> None:
    for models in (DiagGMM([1.0], [[1.0]], [[3.0]]), [DiagGMM([1.0], [[1.0]], [[3.0]])] * 2):
        write_kaldi_models(models, tmp_path / "one", text=text)
        (tmp_path / "both").write_bytes(2 * (tmp_path / "one").read_bytes())
        with pytest.raises(DataError, match=r"both: (byte|line) \d+: the object ends here, and the file goes on"):
            read_kaldi_models(tmp_path / "both")


def test_counts_larger_than_the_file_are_refused_before_memory_is_taken(tmp_path: Path) -> None:
    write_kaldi_models(DiagGMM([0.5, 0.5], [[1.0], [2.0]], [[1.0], [3.0]]), tmp_path / "m")
    data = (tmp_path / "m").read_bytes()
    for token in (b"FV ", b"FM "):
        at = data.index(token) + len(token) + 1
        for count in (2**31 - 1, -1, 100_000):
            (tmp_path / "bad").write_bytes(data[:at] + struct.pack("<i", count) + data[at + 4 :])
            with pytest.raises(DataError, match=r"bad: byte \d+: .*the file has \d+ more bytes"):
                read_kaldi_models(tmp_path / "bad")


def test_what_kaldi_cannot_hold_is_not_written(tmp_path: Path) -> None:
    for models in (
        DiagGMM([1.0], [[0.0]], [[1e-42]]),
        DiagGMM([1.0], [[0.0]], [[1e42]]),
        DiagGMM([1.0], [[1e30]], [[1e-20]]),
        [],
        object(),
        [object()],
        [DiagGMM([1.0], [[0.0]], [[1.0]]), DiagGMM([1.0], [[0.0, 0.0]], [[1.0, 1.0]])],
    ):
        with pytest.raises(DataError, match="final"):
            write_kaldi_models(models, tmp_path / "final")
    assert not (tmp_path / "final").exists()


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(DataError, match=path.name):
            read_kaldi_models(path)
