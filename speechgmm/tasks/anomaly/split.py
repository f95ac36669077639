"""The split of a corpus for anomaly detection: normal recordings train, and anomalous ones are tested alone."""

from dataclasses import replace

from speechgmm.corpus.leaks import check_leaks
from speechgmm.corpus.spec import SplitSpec
from speechgmm.corpus.splits import make_split
from speechgmm.corpus.utterance import Corpus
from speechgmm.errors import ConfigError, DataError, first_few


def divide_normal(
    corpus: Corpus,
    spec: SplitSpec,
    *,
    condition: str,
    normal: str,
    own_models: bool,
    group: str | None = None,
    seed: int = 0,
) -> Corpus:
    """The corpus with every utterance in a split.

    Args:
        corpus: As it was read.
        spec: How it is divided; ``fraction`` divides the normal recordings, and the others are all tested.
        condition: The column that says whether an utterance is normal.
        normal: Its value for those that are.
        own_models: Each label has its own model, so that what is tested must be trained.
        group: The column whose values stand on one side only.
        seed: Of the split.

    Raises:
        ConfigError: Folds are asked for.
        DataError: Utterances without a condition, or anomalous ones in training; else as ``make_split``.
    """
    if spec.kind not in ("column", "fraction"):
        raise ConfigError(
            f"corpus.split: {spec.kind} is not available for task: anomaly, where anomalous recordings are never "
            "trained on; take column or fraction (held-out normal scores come from anomaly.folds by themselves)"
        )
    unlabelled = [utterance for utterance in corpus if not (utterance.labels or {}).get(condition)]
    if unlabelled:
        have = ", ".join(sorted(unlabelled[0].labels or {})) or "no label at all"
        raise DataError(
            f"{unlabelled[0].source or unlabelled[0].id}: no {condition!r}; the utterance has {have}. task: anomaly "
            f"needs a column that says which recordings are {normal!r}: give a manifest with that column, or set "
            "anomaly.condition to the column that you have, and anomaly.normal to its value for normal recordings"
        )
    anomalies = [utterance for utterance in corpus if utterance.label(condition) != normal]
    if len(anomalies) == len(corpus):
        values = sorted({utterance.label(condition) for utterance in corpus})
        raise DataError(
            f"no utterance is normal: {condition!r} is never {normal!r}, but {first_few(values, 10)}; set "
            "anomaly.condition and anomaly.normal to the column and the value that say so"
        )
    if spec.kind == "fraction":
        chosen = {utterance.id for utterance in anomalies}
        plain = replace(corpus, utterances=tuple(u for u in corpus if u.id not in chosen))
        divided, _ = make_split(plain, spec, group=group, seed=seed, classes=False)
        split_of = {utterance.id: utterance.split for utterance in divided}
        made = tuple(replace(utterance, split=split_of.get(utterance.id, "test")) for utterance in corpus)
        corpus = replace(corpus, utterances=made)
        check_leaks(corpus, group if spec.disjoint else None)
    else:
        corpus, _ = make_split(corpus, spec, group=group, seed=seed, classes=False)
    trained = [u for u in corpus.split("train") if u.label(condition) != normal]
    if trained:
        names = first_few([f"{u.source or u.id} ({u.label(condition)})" for u in trained], 5)
        raise DataError(
            f"{len(trained)} utterances in the split 'train' are not {normal!r} in {condition!r}: {names}; "
            "anomaly-detection models are trained on normal recordings alone: put these into the split 'test'"
        )
    if own_models:
        known = {utterance.label(corpus.label) for utterance in corpus.split("train")}
        untrained = sorted({u.label(corpus.label) for u in corpus.split("test")} - known)
        if untrained:
            raise DataError(
                f"{len(untrained)} of {corpus.label!r} are tested and have no normal training recordings: "
                f"{first_few(untrained, 20)}; each has its own model (anomaly.models: label); give it some, or set "
                "anomaly.models: one"
            )
    return corpus
