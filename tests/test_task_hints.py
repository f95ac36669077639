"""What runs of clustering, diarization and anomaly detection say of their limits: what was measured, or nothing."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from speechgmm.cli.checks import small_classes
from speechgmm.clustering.methods import PieceClusters
from speechgmm.config import load_config, make_config
from speechgmm.config.overrides import as_override
from speechgmm.corpus import Corpus, Utterance
from speechgmm.engine.task import task_of
from speechgmm.evaluation import Metric
from speechgmm.evaluation.diarization import DiarizationErrors, Turn
from speechgmm.gmm import DiagGMM
from speechgmm.tasks.anomaly.evaluation import AnomalyEvaluation
from speechgmm.tasks.anomaly.hints import hints_of_anomalies
from speechgmm.tasks.clustering.evaluation import Clustered, ClusteredPart, evaluate_clusters, threshold_of
from speechgmm.tasks.clustering.hints import hints_of_clusters
from speechgmm.tasks.clustering.spec import ClusteringSpec
from speechgmm.tasks.diarization.evaluation import DiarizedItem, evaluate_diarization
from speechgmm.tasks.diarization.hints import hints_of_diarization

CONFIGS = Path(__file__).resolve().parents[1] / "configs"


def clustered(true: str, found: list[int], n_frames: list[int] | None = None) -> Clustered:
    n = len(true)
    pieces = PieceClusters(
        np.array(found), np.zeros(n), np.zeros((n, n)), np.zeros(0), 0.84, DiagGMM([1.0], [[0.0]], [[1.0]]), False
    )
    ids = tuple(f"u{number}" for number in range(n))
    return Clustered((ClusteredPart("", ids, tuple(true), ids, tuple(n_frames or [300] * n), pieces),), named=False)


def of_clusters(tested: Clustered, **settings: Any) -> list[str]:
    spec = ClusteringSpec(**settings)
    return list(hints_of_clusters(tested, evaluate_clusters(tested, seed=0), spec))


def test_too_many_and_too_few_clusters_are_said_with_their_threshold() -> None:
    (divided,) = of_clusters(clustered("aaaabbbb", [0, 0, 1, 1, 2, 2, 3, 3]))
    assert divided.startswith("4 clusters for 2 classes (purity 100 %, coverage 50 %): classes are divided; a higher ")
    assert "clustering.threshold (0.84)" in divided
    (merged,) = of_clusters(clustered("aabbccdd", [0, 0, 0, 0, 1, 1, 1, 1]))
    assert merged.startswith("2 clusters for 4 classes (purity 50 %, coverage 100 %): classes are merged; a lower ")
    assert of_clusters(clustered("aaaabbbb", [0] * 4 + [1] * 4)) == []
    assert of_clusters(clustered("aaaabbbb", [0, 0, 1, 1, 2, 2, 3, 3]), n_clusters=4) == []


def test_recordings_alone_in_a_cluster_are_named_where_they_are_the_short_ones() -> None:
    found = [0] * 10 + [1] * 10 + list(range(2, 12))
    true = "a" * 10 + "b" * 10 + "ab" * 5
    short = clustered(true, found, [400] * 20 + [100] * 10)
    assert of_clusters(short, n_clusters=12) == [
        "10 of 30 recordings are alone in a cluster, with a median of 100 frames against 400 of the others: they are "
        "too short; leave them out, or cluster longer recordings"
    ]
    assert of_clusters(clustered(true, found), n_clusters=12) == []  # as long as the others
    rare = clustered("a" * 10 + "b" * 10 + "cdefghijkl", found, [400] * 20 + [100] * 10)
    assert of_clusters(rare, n_clusters=12) == []  # theirs are the only recordings of their classes


def diarized(miss: float, confusion: float, n_found: int, n: int = 6) -> list[DiarizedItem]:
    said = tuple(Turn(k, k + 1, f"s{k}") for k in range(2))
    heard = tuple(Turn(k, k + 1, f"h{k}") for k in range(n_found))
    errors = DiarizationErrors(100.0, miss, 1.0, confusion, 2, 0.5)
    return [DiarizedItem(f"c{k}", "", said, heard, errors) for k in range(n)]


def of_diarization(items: list[DiarizedItem], training_der: float) -> list[str]:
    return list(hints_of_diarization(items, evaluate_diarization(items, seed=0), training_der))


def test_what_the_diarization_error_is_made_of_is_said_and_where_it_comes_from() -> None:
    (hint,) = of_diarization(diarized(2, 17, 2), 0.19)
    assert hint.startswith("confusion is 85 % of the error (17.0 of 20.0 % of the speech): speakers are confused")
    (hint,) = of_diarization(diarized(15, 2, 2), 0.19)
    assert hint.startswith("miss is 83 % of the error (15.0 of 18.0 % of the speech): speech is classified as pauses")
    assert of_diarization(diarized(2, 1, 2), 0.04) == []  # little is wrong
    (_, hint) = of_diarization(diarized(2, 17, 2), 0.05)
    assert hint.startswith("the error is 20 % in the test and 5 % in the conversations of training speakers: ")
    (hint,) = of_diarization(diarized(2, 1, 4), 0.04)
    assert hint.startswith("too many speakers are found in 6 of 6 recordings, too few in 0: ")
    (hint,) = of_diarization(diarized(2, 1, 1), 0.04)
    assert hint.startswith("too few speakers are found in 6 of 6 recordings, too many in 0: ")


def of_anomalies(metrics: dict[str, Metric], **parts: Any) -> list[str]:
    evaluation = AnomalyEvaluation(metrics, {}, parts.get("kinds", {}), parts.get("conditions", {}))
    model = SimpleNamespace(reference=SimpleNamespace(threshold=SimpleNamespace(n=40)))
    file: Any = SimpleNamespace(spec=SimpleNamespace(false_alarm=0.05), models={"all": model})
    return list(hints_of_anomalies(evaluation, file))


def test_rates_that_the_threshold_was_not_made_for_are_said() -> None:
    alarms = Metric(0.3, 50, "fraction", low=0.2, high=0.45)
    (hint,) = of_anomalies({"false_alarm_rate": alarms})
    assert hint.startswith("30 % of 50 normal test recordings are above the threshold, which was made for 5 %: ")
    assert of_anomalies({"false_alarm_rate": replace(alarms, low=0.03)}) == []  # as many as chance has
    (hint,) = of_anomalies({"auc": Metric(0.97, 90, "fraction"), "detection_rate": Metric(0.4, 40, "fraction")})
    assert hint.startswith("the AUC is 97 %, and 40 % of the anomalies are above the threshold: it is high (for 5 % ")
    assert "from 40 normal recordings" in hint
    assert of_anomalies({"auc": Metric(0.97, 90, "fraction"), "detection_rate": Metric(0.9, 40, "fraction")}) == []


def test_the_anomaly_that_is_found_least_is_named() -> None:
    def areas(**values: float) -> dict[str, dict[str, Metric]]:
        return {name: {"auc": Metric(value, 40, "fraction")} for name, value in values.items()}

    (hint,) = of_anomalies({}, conditions=areas(click=0.95, hum=0.55, tone=0.91))
    assert hint.startswith("anomalies 'hum' have an AUC of 55 %, the others 93 % on average: add a stream")
    (hint,) = of_anomalies({}, kinds=areas(fan=0.5, pump=0.9))
    assert hint.startswith("recordings of class 'fan' have an AUC of 50 %, the others 90 % on average")
    assert of_anomalies({}, conditions=areas(click=0.95, hum=0.9), kinds=areas(fan=0.9)) == []


@pytest.mark.parametrize("name", ["fsdd-digit-clusters", "diarization"])
def test_every_point_of_tuning_is_a_configuration_and_the_first_decides_as_the_run_does(name: str) -> None:
    path = CONFIGS / f"{name}.yaml"
    config = load_config(path).config
    trained: Any = SimpleNamespace(
        file=SimpleNamespace(ubm=SimpleNamespace(n_components=config.model.ubm.n_components))
    )
    points = task_of(config).tuning_points(config, trained)
    made = [load_config(path, [as_override(*pair) for pair in point.items()]).config for point in points]
    assert len({repr(one) for one in made}) == len(made) >= 5
    if config.task == "clustering":
        stops = [
            threshold_of(one.section(ClusteringSpec), raw=one.features.cmvn in ("none", "global"))
            for one in (config, made[0])
        ]
        assert stops[0] == stops[1]
        assert made[0].model == config.model
    else:
        assert made[0] == config


def test_words_with_few_utterances_are_too_small_to_judge_though_they_need_no_training_of_their_own() -> None:
    config = make_config({"task": "recognition", "corpus": {"path": "m.tsv"}, "recognition": {"language": "loop"}})
    said = [Utterance(f"u{n}", Path("u"), split="test", labels={"t": "a b" if n else "a c"}) for n in range(8)]
    corpus = Corpus(tuple(said), "t", Path())
    lines = list(small_classes(corpus, lambda label: task_of(config).classes_of(config, label), folds=False))
    assert lines[0] == "1 of 3 classes are too small to judge, with fewer than 6 test items each: 'c' 1"
    alone = make_config({"task": "recognition", "corpus": {"path": "m.tsv"}})
    assert task_of(alone).classes_of(alone, "zoom  in") == ("zoom in",)
    unnamed = make_config({"task": "clustering", "corpus": {"path": "m.tsv"}, "clustering": {"background": "own"}})
    assert task_of(unnamed).classes_of(unnamed, "a") == ()
