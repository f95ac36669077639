"""The scorer that needs numpy alone, written beside a model file: two halves of code become one file."""

import ast
from collections.abc import Collection
from pathlib import Path
from typing import Final

from speechgmm import standalone
from speechgmm.engine.exported_model import check_nothing_lost, exported
from speechgmm.errors import ConfigError
from speechgmm.io.atomic import write_atomically
from speechgmm.io.run_files import RunFile, model_file
from speechgmm.standalone import frames, scorer

SCORER: Final = "numpy_scorer.py"
_HALVES: Final = ("frames.py", "scorer.py")


def export_scorer(model: str | Path, folder: str | Path, *, leave_out: Collection[str] = ()) -> None:
    """Write a folder that scores recordings with numpy alone: a copy of a model file, and one file of code.

    Parameters
    ----------
    model
        The model file of classes, or the folder of its run.
    folder
        The folder, which gets ``models.safetensors`` and ``numpy_scorer.py``. The scorer is run as ``python
        numpy_scorer.py models.safetensors recording.wav``, or imported.
    leave_out
        Names of the steps of scoring that the scorer does not have, and that it leaves out: ``predictive-density``; or
        ``linear-scoring``, ``cosine-scoring`` or ``plda-scoring``, together with ``score-norm`` and ``calibration`` if
        the model has them. To load such a model, the scorer must be given the same names.

    Raises
    ------
    ConfigError
        The model has a step of scoring that the scorer does not have and that is not in ``leave_out``; features other
        than cepstra; a model of another task.
    ModelFileError
        ``model`` is no model file.
    DataError
        A file cannot be written.

    Examples
    --------
    >>> from speechgmm import run
    >>> result = run("birds.yaml", ["model.n_components=2"], output="birds-run")
    >>> export_scorer("birds-run", "birds-scorer")
    >>> sorted(path.name for path in Path("birds-scorer").iterdir())
    ['models.safetensors', 'numpy_scorer.py']
    """
    path = model_file(Path(model))
    found = exported(path)
    # What was measured on scores that are no ratios goes with them.
    holds = (
        () if {"linear-scoring", "cosine-scoring", "plda-scoring"} & set(found.more) else ("calibration", "score-norm")
    )
    check_nothing_lost(found, "the numpy scorer", leave_out, holds)
    try:
        scorer.load(path, leave_out)
    except frames.ScorerError as error:
        raise ConfigError(str(error)) from None
    code, data = scorer_code().encode(), path.read_bytes()
    write_atomically(Path(folder) / RunFile.MODELS, lambda file: file.write(data))
    write_atomically(Path(folder) / SCORER, lambda file: file.write(code))


def scorer_code() -> str:
    """The text of the scorer in one file.

    >>> namespace = {"__name__": "numpy_scorer"}
    >>> exec(compile(scorer_code(), "numpy_scorer.py", "exec"), namespace)
    >>> sorted(name for name in namespace if name.startswith("read"))
    ['read_safetensors', 'read_wave']
    """
    imports: set[str] = set()
    bodies = []
    about = ""
    for name in _HALVES:
        text = (Path(standalone.__file__).parent / name).read_text(encoding="utf-8")
        head, *statements = ast.parse(text).body
        about = ast.get_source_segment(text, head) or ""  # that of the last is the file's
        is_import = [isinstance(one, ast.Import | ast.ImportFrom) for one in statements]
        lines = text.splitlines()
        found = [lines[one.lineno - 1] for one, here in zip(statements, is_import, strict=True) if here]
        imports |= {line for line in found if "speechgmm" not in line}
        bodies.append("\n".join(lines[statements[sum(is_import)].lineno - 1 :]))
    return "\n\n".join((about, "\n".join(sorted(imports)), "\n\n\n".join(bodies))) + "\n"
