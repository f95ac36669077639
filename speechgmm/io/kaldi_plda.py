"""PLDA models in files of Kaldi (``ivector/plda.cc``), text or binary: mean, transform and psi, in this order."""

from pathlib import Path

from speechgmm.errors import DataError, ShapeError
from speechgmm.io.kaldi_objects import open_kaldi
from speechgmm.vectors.plda import Plda


def read_kaldi_plda(path: str | Path) -> Plda:
    """Read a ``plda`` file of Kaldi.

    Parameters
    ----------
    path
        What ``ivector-compute-plda`` wrote, text or binary.

    Returns
    -------
    Plda
        The model.

    Raises
    ------
    DataError
        No such file, or none of a PLDA; truncated, or with more behind it; values that are NaN or infinite; sizes that
        do not fit each other; a transform that cannot be inverted.

    Examples
    --------
    >>> _ = Path("plda").write_text("<Plda>  [ 1 2 ]\\n [\\n  1 0\\n  0 2 ]\\n [ 5 3 ]\\n</Plda> ")
    >>> read_kaldi_plda("plda").psi
    array([5., 3.])
    """
    with open_kaldi(Path(path), "a PLDA of Kaldi") as reader:
        reader.expect("<Plda>")
        mean, transform, psi = reader.vector(), reader.matrix(), reader.vector()
        reader.expect("</Plda>")
        reader.end()
    try:
        return Plda(mean, transform, psi)
    except (DataError, ShapeError) as error:
        raise DataError(f"{path}: {error}") from None
