"""Mixtures in files of Kaldi, read and written: ``DiagGmm`` (``final.dubm``) and ``AmDiagGmm`` (``final.mdl``).

Kaldi holds a mixture as weights w, inverse variances 1/σ², means over variances μ/σ², and for each component

    gconst_k = log w_k - (D log 2π + Σ_d (log σ²_kd + μ²_kd / σ²_kd)) / 2

so that log p(k, x) = gconst_k + (μ_k/σ²_k)·x - (1/σ²_k)·x² / 2 (Kaldi, ``gmm/diag-gmm.cc``). Kaldi computes gconsts
again when it reads a file. So does this module; a file whose gconsts say something else is damaged, and refused. A
transition model before the mixtures is read past. Values are float32 in the files.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import DataError, ShapeError
from speechgmm.gmm.model import DiagGMM
from speechgmm.io.atomic import write_atomically
from speechgmm.io.kaldi_objects import KaldiReader, KaldiWriter, open_kaldi

Floats = NDArray[np.float64]

MOST_PDFS: Final = 10_000_000
_WEIGHTS: Final = 1e-3  # how far from 1 the sum of weights may be, which float32 and six digits of a text make of it
_GCONSTS: Final = 1e-4  # of the sizes of a gconst's terms: what float32 and six digits of a text make of it
_BEGINS: Final = ("<DiagGMM>", "<DiagGMMBegin>")
_OTHERS: Final = {
    "<FullGMM>": "a mixture with full covariances; expected a DiagGmm (`fgmm-global-to-gmm` converts it)",
    "<Nnet>": "a neural network; expected mixtures",
    "<Nnet3>": "a neural network; expected mixtures",
}


def read_kaldi_models(path: str | Path) -> tuple[DiagGMM, ...]:
    """Read the mixtures of a Kaldi file, text or binary.

    Parameters
    ----------
    path
        A file with a ``DiagGmm``, an ``AmDiagGmm``, or a transition model followed by an ``AmDiagGmm`` (``final.mdl``).

    Returns
    -------
    tuple of DiagGMM
        The mixture of a ``DiagGmm``; for an ``AmDiagGmm``, one mixture for each pdf, in the order of the pdfs. Weights
        are scaled to sum to one.

    Raises
    ------
    DataError
        The file does not exist, holds something else, is truncated, or goes on after the mixtures; values that are no
        mixture; gconsts that do not follow from the other values. The message names the byte of a binary file, or the
        line of a text file.

    Examples
    --------
    >>> mixture = DiagGMM([0.25, 0.75], [[0.0, 1.0], [4.0, 2.0]], [[1.0, 0.5], [2.0, 1.0]])
    >>> write_kaldi_models(mixture, "final.dubm", text=True)
    >>> read_kaldi_models("final.dubm")[0].means.tolist()
    [[0.0, 1.0], [4.0, 2.0]]
    """
    with open_kaldi(Path(path), "a model of Kaldi") as reader:
        token = reader.token()
        if token == "<TransitionModel>":
            reader.skip_past("</TransitionModel>")
            token = reader.token()
        if token in _BEGINS:
            mixture = _mixture(reader)
            reader.end()
            return (mixture,)
        if token != "<DIMENSION>":
            reader.refuse(_OTHERS.get(token, f"{token!r}; expected <TransitionModel>, <DIMENSION> or <DiagGMM>"))
        n_dims = reader.integer()
        reader.expect("<NUMPDFS>")
        n_pdfs = reader.integer()
        if not 1 <= n_pdfs <= MOST_PDFS:
            reader.refuse(f"{n_pdfs} pdfs; expected 1 to {MOST_PDFS}")
        found: list[DiagGMM] = []
        for _ in range(n_pdfs):
            if (token := reader.token()) not in _BEGINS:
                reader.refuse(_OTHERS.get(token, f"{token!r}; expected <DiagGMM> of pdf {len(found)} of {n_pdfs}"))
            mixture = _mixture(reader)
            if mixture.n_features != n_dims:
                reader.refuse(f"pdf {len(found)} of {mixture.n_features} dimensions; expected {n_dims} (<DIMENSION>)")
            found.append(mixture)
        reader.end()
        return tuple(found)


def _mixture(reader: KaldiReader) -> DiagGMM:
    """A mixture, from behind its first token on."""
    gconsts: Floats | None = None
    if reader.expect("<GCONSTS>", "<WEIGHTS>") == "<GCONSTS>":
        gconsts = reader.vector()
        reader.expect("<WEIGHTS>")
    weights = reader.vector()
    reader.expect("<MEANS_INVVARS>")
    means_invvars = reader.matrix()
    reader.expect("<INV_VARS>")
    inv_vars = reader.matrix()
    reader.expect("</DiagGMM>", "<DiagGMMEnd>")
    if not len(weights) or inv_vars.shape != means_invvars.shape or len(inv_vars) != len(weights):
        reader.refuse(
            f"weights {weights.shape}, means over variances {means_invvars.shape} and inverse variances "
            f"{inv_vars.shape} are no mixture; expected (K,), (K, D) and (K, D)"
        )
    total = weights.sum()
    if not abs(total - 1) <= _WEIGHTS or (weights < 0).any():
        reader.refuse(f"weights that sum to {total:g}, the least {weights.min():g}; expected >= 0, sum 1")
    if not (np.isfinite(inv_vars).all() and (inv_vars > 0).all() and np.isfinite(means_invvars).all()):
        reader.refuse("an inverse variance or a mean that is no finite number; expected inverse variances above 0")
    try:
        with np.errstate(all="ignore"):  # what overflows is refused as no mixture
            mixture = DiagGMM(weights / total, means_invvars / inv_vars, 1 / inv_vars)
    except ShapeError as error:
        reader.refuse(str(error))
    if gconsts is not None:
        _check_gconsts(reader, gconsts, weights, means_invvars, inv_vars)
    return mixture


def kaldi_gconsts(weights: Floats, means_invvars: Floats, inv_vars: Floats) -> tuple[Floats, Floats]:
    """Kaldi's constants (K,) in nats, and the sum of the sizes of their terms (K,), which their rounding goes by."""
    with np.errstate(divide="ignore"):  # a weight of 0 has the constant -inf, which Kaldi writes too
        terms = np.concatenate([0.5 * np.log(inv_vars), -0.5 * means_invvars**2 / inv_vars], axis=1)
        constants = np.log(weights) - 0.5 * inv_vars.shape[1] * np.log(2 * np.pi)
    return constants + terms.sum(axis=1), np.abs(terms).sum(axis=1)


def _check_gconsts(
    reader: KaldiReader, gconsts: Floats, weights: Floats, means_invvars: Floats, inv_vars: Floats
) -> None:
    if gconsts.shape != weights.shape:
        reader.refuse(f"gconsts {gconsts.shape} of {len(weights)} components; expected one each")
    expected, sizes = kaldi_gconsts(weights, means_invvars, inv_vars)
    with np.errstate(invalid="ignore"):
        agree = (gconsts == expected) | (np.abs(gconsts - expected) <= _GCONSTS * (1 + sizes))
    if not agree.all():
        k = int(np.flatnonzero(~agree)[0])
        reader.refuse(
            f"the gconst of component {k} is {gconsts[k]:g}, and its weight, mean and variance give {expected[k]:g}: "
            "one of them is damaged; write the file again with Kaldi"
        )


def write_kaldi_models(models: DiagGMM | Sequence[DiagGMM], path: str | Path, *, text: bool = False) -> None:
    """Write mixtures to a file in Kaldi's format.

    Parameters
    ----------
    models
        One mixture is written as a ``DiagGmm``. A sequence of mixtures is written as an ``AmDiagGmm``, without a
        transition model before it; the n-th mixture is that of pdf n.
    path
        The file, written whole or not at all.
    text
        Write the text format, as Kaldi does with its option ``binary`` set to false.

    Raises
    ------
    DataError
        No mixtures; mixtures of different dimensions, or with covariances that are not diagonal; a parameter that
        float32 cannot hold; the file cannot be written.

    Examples
    --------
    >>> low, high = DiagGMM([1.0], [[0.0]], [[1.0]]), DiagGMM([1.0], [[9.0]], [[2.0]])
    >>> write_kaldi_models([low, high], "final.am")
    >>> [float(mixture.means[0, 0]) for mixture in read_kaldi_models("final.am")]
    [0.0, 9.0]
    """
    mixtures = tuple(models) if isinstance(models, Sequence) else (models,)
    if not all(isinstance(mixture, DiagGMM) for mixture in mixtures):
        raise DataError(f"{path}: only mixtures with diagonal covariances, DiagGMM, are written for Kaldi")
    sizes = sorted({mixture.n_features for mixture in mixtures})
    if len(sizes) != 1:
        raise DataError(f"{path}: mixtures of {sizes} dimensions to write; expected one at least, all of one dimension")
    arrays = [_arrays(path, number, mixture) for number, mixture in enumerate(mixtures)]

    def write(file: BinaryIO) -> None:
        writer = KaldiWriter(file, text=text)
        if isinstance(models, Sequence):
            writer.token("<DIMENSION>")
            writer.integer(sizes[0])
            writer.token("<NUMPDFS>")
            writer.integer(len(mixtures))
        for gconsts, weights, means_invvars, inv_vars in arrays:
            writer.token("<DiagGMM>", ends_line=True)
            for token, vector in (("<GCONSTS>", gconsts), ("<WEIGHTS>", weights)):
                writer.token(token)
                writer.vector(vector)
            for token, matrix in (("<MEANS_INVVARS>", means_invvars), ("<INV_VARS>", inv_vars)):
                writer.token(token)
                writer.matrix(matrix)
            writer.token("</DiagGMM>", ends_line=True)

    write_atomically(Path(path), write)


def _arrays(path: str | Path, number: int, mixture: DiagGMM) -> tuple[Floats, Floats, Floats, Floats]:
    """What Kaldi holds of a mixture, rounded to float32: gconsts and weights (K,), and two matrices (K, D)."""
    with np.errstate(over="ignore", under="ignore"):
        weights, means_invvars, inv_vars = (
            np.asarray(values, np.float32).astype(np.float64)
            for values in (mixture.weights, mixture.means / mixture.variances, 1 / mixture.variances)
        )
    tiny = np.finfo(np.float32).tiny
    if not ((inv_vars >= tiny).all() and np.isfinite(inv_vars).all() and np.isfinite(means_invvars).all()):
        raise DataError(
            f"{path}: mixture {number} has a variance or a mean that float32 cannot hold as Kaldi does (1/variance, "
            "mean/variance); scale the features"
        )
    return kaldi_gconsts(weights, means_invvars, inv_vars)[0], weights, means_invvars, inv_vars
