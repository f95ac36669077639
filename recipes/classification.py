"""One mixture per class, trained and tested: the steps of `speechgmm run`, one by one.

    python recipes/classification.py configs/fsdd-speakers.yaml --set corpus.root=PLACE_OF_FSDD

Works with every configuration that has one division into training and test and one mixture per class; folds, segment
models and verification are `speechgmm run`'s. Results are printed, nothing but the cache is written.
"""

from typing import Annotated

import typer

from speechgmm.engine import extract, prepare
from speechgmm.tasks.classification import evaluate, score, train

Overrides = Annotated[list[str] | None, typer.Option("--set", metavar="KEY.PATH=VALUE")]


def main(config: str, overrides: Overrides = None) -> None:
    """Train and test the classes of a configuration."""
    # The corpus, divided into training and test as the configuration says.
    job = prepare(config, overrides or ())
    if job.folds or job.task.name != "classification":
        raise typer.BadParameter("this recipe has no folds, segment models or verification; use speechgmm run")
    trained_on = {utterance.path for utterance in job.corpus.split("train")}
    tested_on = {utterance.path for utterance in job.corpus.split("test")}
    assert not trained_on & tested_on, "a recording is in training and in test"

    # Cepstra of every recording, checked as it is decoded; kept in the cache.
    features = extract(job)

    # One diagonal-covariance mixture per class by EM, all with the variance floor of the whole training split; and the
    # temperature of the posteriors, by cross-validation within the training split.
    trained = train(job, features)
    for report in trained.reports:
        start, end = report.trace[0], report.trace[-1]
        print(f"{report.label:<12}{report.n_frames:>7} frames  {start:8.3f} -> {end:8.3f} nats per frame")

    # Mean log-likelihood per frame of every test utterance under every class; the most probable class wins.
    scores = score(job, features, trained.models)

    # Figures.
    evaluation = evaluate(scores)
    if evaluation is not None:
        accuracy = evaluation.metrics["accuracy"]
        low, high = accuracy["low"], accuracy["high"]
        print(f"accuracy {accuracy['value']:.4f} of {accuracy['n']} (95 % interval {low:.4f} to {high:.4f})")


if __name__ == "__main__":
    typer.run(main)
