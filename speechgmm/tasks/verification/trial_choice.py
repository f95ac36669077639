"""Which trials are made of a corpus, and which of them have something in common that makes them easy.

Opens no file.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from speechgmm.corpus import Corpus, Utterance
from speechgmm.corpus.listing import listed
from speechgmm.corpus.trials import Trial
from speechgmm.engine.frames import Features, Piece
from speechgmm.engine.job import Job
from speechgmm.errors import DataError, counted, first_few

Numbers = NDArray[np.intp]
SAME, OTHER, STRANGER = "same", "other", ""
"""Of a test recording: its session enrolled its speaker too; it did not; its speaker was not enrolled."""


def made_trials(
    features: Features, labels: Sequence[str], tests: Sequence[tuple[Utterance, Piece]], within: Sequence[str]
) -> tuple[Numbers, Numbers]:
    """(N,) tests and (N,) models of all trials in which the two agree in the columns ``within``.

    Raises:
        DataError: A model whose training recordings disagree in such a column, or an utterance without it.
    """
    agree = np.ones((len(tests), len(labels)), bool)
    for column in within:
        values = _values_of((one for one, _ in features.of_split("train")), features.corpus.label, column)
        several = {name: values[name] for name in labels if len(values[name]) > 1}
        if several:
            name, found = next(iter(several.items()))
            raise DataError(
                f"scoring.trials_within: {len(several)} models have no one {column!r}: the training recordings of "
                f"{name!r} have {first_few(sorted(found), 5)}; is it a column about the {features.corpus.label}?"
            )
        of_models = np.array([next(iter(values[name])) for name in labels])
        of_tests = np.array([utterance.label(column) for utterance, _ in tests], of_models.dtype if not tests else None)
        agree &= of_tests[:, None] == of_models
    test, model = np.nonzero(agree)
    return test, model


def asked_trials(
    tests: Sequence[tuple[Utterance, Piece]],
    numbers: Mapping[str, int],
    true: Numbers,
    asked: Mapping[str, Sequence[Trial]],
    label: str,
) -> tuple[Numbers, Numbers]:
    """(N,) tests and (N,) models of the trials of a table: test -> its trials.

    ``numbers`` are those of the models by name, ``true`` (tests,) that of each test's own, -1 where it has none;
    ``label`` is the column of the classes.

    Raises:
        DataError: A trial whose truth in the table contradicts the labels of the corpus.
    """
    rows = [(n, numbers[trial.model], trial) for n, (u, _) in enumerate(tests) for trial in asked[u.id]]
    for n, number, trial in rows:
        if trial.target is not None and trial.target != (number == true[n]):
            raise DataError(
                f"trials: model {trial.model!r}, test {trial.test!r} is given as "
                f"{'target' if trial.target else 'nontarget'}, but the corpus says that the test is of "
                f"{tests[n][0].label(label)!r}"
            )
    test, model = (np.array([row[side] for row in rows], np.intp) for side in (0, 1))
    return test, model


def sessions_of_tests(
    features: Features, tests: Sequence[tuple[Utterance, Piece]], session: str | None
) -> tuple[str, ...]:
    """Whether each test is of a session that enrolled its speaker (`SAME`, `OTHER`, `STRANGER`); none without a column.

    Sessions are each speaker's own: two speakers may have the same name for one.
    """
    if session is None:
        return ()
    label = features.corpus.label
    enrolled = _values_of((one for one, _ in features.of_split("train")), label, session)
    kinds = []
    for utterance, _ in tests:
        known = enrolled.get(utterance.label(label))
        kinds.append(STRANGER if known is None else SAME if utterance.label(session) in known else OTHER)
    return tuple(kinds)


def check_sessions(corpus: Corpus, session: str) -> None:
    """Raise DataError for utterances of speakers that have no value in the column ``session``; all are listed."""
    known = [utterance for utterance in corpus if (utterance.labels or {}).get(corpus.label)]
    without = [utterance for utterance in known if not (utterance.labels or {}).get(session)]
    if without and len(without) == len(known):
        columns = ", ".join(sorted({column for utterance in known for column in utterance.labels or {}}))
        raise DataError(
            f"corpus.session: no utterance has a value in {session!r}; expected a column of the corpus ({columns}), or "
            "leave corpus.session out"
        )
    if without:
        raise DataError(
            f"corpus.session: {len(without)} of {counted(len(known), 'utterance')} have no value in {session!r}:\n"
            f"{listed([utterance.source or utterance.id for utterance in without])}\ngive each its session"
        )


def about_sessions(corpus: Corpus, session: str) -> str:
    """How many speakers were recorded in more than one session, in a line."""
    known = _values_of((one for one in corpus if (one.labels or {}).get(corpus.label)), corpus.label, session)
    several = sum(len(found) > 1 for found in known.values())
    hint = "" if several else ": nothing here shows what another day changes"
    return f"corpus.session: {several} of {len(known)} speakers have more than one {session}{hint}"


def across_sessions(kinds: Sequence[str], test: Numbers, target: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(N,) whether the test of a trial is of another session than those that enrolled the model.

    >>> across_sessions(["same", "other"], np.array([0, 0, 1]), np.array([True, False, True])).tolist()
    [False, True, True]
    """
    found: NDArray[np.bool_] = ~(target & (np.array(kinds)[test] == SAME))
    return found


def check_across(kept: NDArray[np.bool_], models: Sequence[str], tests: Sequence[str]) -> None:
    """Raise DataError for trials of a table, by their models and tests, that are not across sessions."""
    if not kept.all():
        pairs = [f"model {model!r}, test {test!r}" for model, test in zip(models, tests, strict=True)]
        raise DataError(
            f"scoring.trials_across: {len(pairs)} of {len(kept)} trials of the table test a session that enrolled the "
            f"model; leave them out of the table:\n{listed(pairs)}"
        )


def about_learnt(corpus: Corpus, recordings: Sequence[Utterance], session: str | None) -> str:
    """What to say where speakers whose recordings something is learnt from have one session each; else empty."""
    if session is None:
        return ""
    known = _values_of(recordings, corpus.label, session)
    if any(len(found) > 1 for found in known.values()):
        return ""
    return (
        f"each of the {len(known)} speakers that it is learnt from has one {session} (corpus.session): it learns how "
        "recordings of one session differ, and nothing of what another day changes; for that, add recordings of "
        "several sessions of each to the splits ubm or cohort"
    )


def warn_of_shared(
    job: Job,
    features: Features,
    labels: Sequence[str],
    tests: Sequence[tuple[Utterance, Piece]],
    test: Numbers,
    model: Numbers,
    kind: str,
) -> None:
    """Say which trials test a part of a recording whose other part the model was made from."""
    trained: dict[str, set[int]] = {}
    numbers = {name: number for number, name in enumerate(labels)}
    for utterance, piece in features.of_split("train"):
        trained.setdefault(piece.key, set()).add(numbers[utterance.label(features.corpus.label)])
    of_test = [trained.get(piece.key, set()) for _, piece in tests]
    candidates = np.flatnonzero(np.array([bool(found) for found in of_test], bool)[test])
    shared = [n for n in candidates.tolist() if model[n] in of_test[test[n]]]
    if shared:
        pairs = [f"model {labels[model[n]]!r}, test {tests[test[n]][0].id!r}" for n in shared]
        job.console.warn(
            f"{len(shared)} of {len(test)} {kind} test a part of a recording whose other part enrolled the model; room "
            f"and microphone are the same, so results are better than they would be on another day:\n{listed(pairs)}"
        )


def _values_of(utterances: Iterable[Utterance], label: str, column: str) -> dict[str, set[str]]:
    """Label -> the values that its utterances have in another column, such as the sessions of a speaker."""
    values: dict[str, set[str]] = {}
    for utterance in utterances:
        values.setdefault(utterance.label(label), set()).add(utterance.label(column))
    return values
