"""Scores as CSV for other programs: a header, commas, a decimal point, the truth as 1 and 0.

lir (likelihood ratios) reads it as feature_data_csv: the column ``label`` is its label, ``trial`` its instance.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from math import isnan
from pathlib import Path

from speechgmm.errors import DataError
from speechgmm.io.score_file import TrialScores, read_scores, read_truth
from speechgmm.io.score_forms import score_rows


def score_csv(path: Path, trials: Path | None = None) -> str:
    """The text of a CSV file of the scores in a file.

    Of trials, a row each: ``trial`` (a number, from 1), ``model``, ``test``, ``score`` and ``llr`` (nats) as far as the
    file has them, and ``label``, 1 for a target and 0 for a non-target, where the truth is known. Of classes, a row for
    each test item: ``id``, ``true``, ``predicted``, ``n_frames`` and a column for each class. Of recordings, each with
    one score (``id`` and ``score`` in the header, as for anomalies), the columns of the file.

    Parameters
    ----------
    path
        A score file of a run or of another toolkit.
    trials
        A list that says which trials are targets.

    Raises
    ------
    DataError
        As `read_scores` and `read_truth`; a row of a recording that is short or has no number as its score;
        trials for scores of classes, or a trial that is not in the list.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     scores = Path(folder) / "scores"
    ...     _ = scores.write_text("anna one.wav 2.5 target\\nanna two.wav -1 nontarget\\n")
    ...     print(score_csv(scores), end="")
    trial,model,test,score,label
    1,anna,one.wav,2.5,1
    2,anna,two.wav,-1.0,0
    """
    rows = score_rows(path) if path.is_file() else iter(())
    head = next(rows, [])
    if {"id", "score"} <= {*head} and trials is None:
        return _csv(head, _of_recordings(path, head, rows))
    found = read_scores(path)
    if isinstance(found, TrialScores):
        return _trials(found, path, trials)
    if trials is not None:
        raise DataError(f"{path}: scores of classes; expected scores of trials, for a list of trials was given")
    items = zip(found.ids, found.true, found.predicted, found.n_frames.tolist(), found.scores.tolist(), strict=True)
    head = ["id", "true", "predicted", "n_frames", *found.labels]
    return _csv(head, ((*first, *scores) for *first, scores in items))


def _of_recordings(path: Path, head: Sequence[str], rows: Iterable[list[str]]) -> Iterator[list[str]]:
    """The rows, each as long as the header, with a number as its score. Raises DataError."""
    for n, row in enumerate(rows, 1):
        if len(row) != len(head):
            raise DataError(f"{path}, row {n}: {len(row)} cells under a header of {len(head)} columns")
        score = row[head.index("score")]
        try:
            is_score = not isnan(float(score))
        except ValueError:
            is_score = False
        if not is_score:
            raise DataError(f"{path}, row {n}: the score is {score[:40]!r}; expected a number")
        yield row


def _trials(found: TrialScores, path: Path, trials: Path | None) -> str:
    columns: dict[str, Sequence[object]] = {
        "trial": range(1, len(found.pairs) + 1),
        "model": [model for model, _ in found.pairs],
        "test": [test for _, test in found.pairs],
    }
    for name, values in (("score", found.scores), ("llr", found.llrs)):
        if values is not None:
            columns[name] = values.tolist()
    if trials is not None:
        truth = read_truth(trials)
        missing = next((pair for pair in found.pairs if pair not in truth), None)
        if missing is not None:
            raise DataError(f"{trials}: no trial of model {missing[0]!r} and test {missing[1]!r}, which {path} has")
        columns["label"] = [int(truth[pair]) for pair in found.pairs]
    elif found.is_target is not None:
        columns["label"] = found.is_target.astype(int).tolist()
    return _csv([*columns], zip(*columns.values(), strict=True))


def _csv(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return text.getvalue()
