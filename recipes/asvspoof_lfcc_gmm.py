"""The LFCC-GMM baseline of ASVspoof 2021, which tells bona fide voices from spoofed ones, step by step.

    python recipes/asvspoof_lfcc_gmm.py configs/asvspoof-lfcc.yaml --set corpus.root=PLACE_OF_LA \
        --asv-scores ASVspoof2019_LA_asv_scores/ASVspoof2019.LA.asv.eval.gi.trl.scores.txt

`speechgmm run` does the same and keeps everything; this prints the figures, with the t-DCF where ASV scores are given.
`recipes/asvspoof_miniature.py` makes a corpus in ASVspoof's layout to try it on.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from speechgmm.corpus.readers.asvspoof import read_asv_scores
from speechgmm.engine import extract, prepare
from speechgmm.evaluation import asv_errors, interval, min_t_dcf, min_t_dcf_legacy, rank_trials
from speechgmm.tasks.classification import evaluate, score, train
from speechgmm.tasks.classification.evaluation import detection_scores
from speechgmm.tasks.classification.spec import DecisionSpec

Overrides = Annotated[list[str] | None, typer.Option("--set", metavar="KEY.PATH=VALUE")]


def main(config: str, overrides: Overrides = None, asv_scores: Path | None = None) -> None:
    """Train the two mixtures on the protocol's training part and score its evaluation part."""
    # Official protocols; training, development and test share no speaker.
    job = prepare(config, overrides or ())
    settings = job.experiment.config
    target = settings.corpus.target
    trained_on = {utterance.label("speaker") for utterance in job.corpus.split("train")}
    tested_on = {utterance.label("speaker") for utterance in job.corpus.split("test")}
    assert not trained_on & tested_on, "a speaker is in training and in test"
    assert target is not None, "corpus.target names no class"

    # 20 linear-frequency cepstra with c0 and their slopes, every 15 ms: 60 dimensions, not normalised, no VAD.
    features = extract(job)

    # One diagonal-covariance mixture of bona fide speech and one of all attacks, by EM.
    trained = train(job, features)
    for report in trained.reports:
        print(f"{report.label:<10}{report.n_frames:>9} frames, {report.n_components} components")

    # Mean log-likelihood per frame under the one less that under the other.
    scores = score(job, features, trained.models)
    evaluation = evaluate(scores, seed=settings.seed, target=target, decision=settings.section(DecisionSpec))
    assert evaluation is not None, "there are no tests"
    eer = evaluation.metrics["eer"]
    bounds = f"{100 * eer['low']:.2f} to {100 * eer['high']:.2f}" if "low" in eer else "none"
    print(f"EER {100 * eer['value']:.2f} % of {eer['n']} (95 % interval {bounds}, {eer.get('n_groups')} speakers)")

    # What the countermeasure spares a speaker verification system whose scores are given.
    if asv_scores is not None:
        asv = read_asv_scores(asv_scores)
        errors = asv_errors(asv["target"], asv["nontarget"], asv["spoof"])
        trials = rank_trials(detection_scores(scores, target), np.array(scores.true) == target)
        speakers = np.unique(scores.groups, return_inverse=True)[1]
        found = interval(lambda weights: min_t_dcf(trials, errors, weights=weights), speakers, seed=settings.seed)
        bounds = "none" if found.low is None else f"{found.low:.4f} to {found.high:.4f}"
        print(f"min t-DCF {min_t_dcf(trials, errors):.4f} (95 % interval {bounds})")
        print(f"min t-DCF as ASVspoof 2019 ranked by: {min_t_dcf_legacy(trials, errors):.4f}")


if __name__ == "__main__":
    typer.run(main)
