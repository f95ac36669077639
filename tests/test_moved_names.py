"""Names that have moved keep working where they were, and each use says where they are."""

from importlib import import_module

import numpy as np
import pytest

import speechgmm as sg
from speechgmm.tasks.verification.models import ClaimModels, Cohort
from speechgmm.tasks.verification.score_norm import ScoreNorm

MOVED = [
    ("speechgmm.pipeline", "evaluate", "speechgmm.tasks.classification"),
    ("speechgmm.pipeline", "extract", "speechgmm.engine"),
    ("speechgmm.pipeline", "Job", "speechgmm.engine"),
    ("speechgmm.pipeline", "prepare", "speechgmm.engine"),
    ("speechgmm.pipeline", "run", "speechgmm.engine"),
    ("speechgmm.pipeline", "score", "speechgmm.tasks.classification"),
    ("speechgmm.pipeline", "score_recordings", "speechgmm.tasks.classification"),
    ("speechgmm.pipeline", "train", "speechgmm.tasks.classification"),
    ("speechgmm.io.timed_labels", "ctm", "speechgmm.io.label_files.ctm"),
    ("speechgmm.io.timed_labels", "textgrid", "speechgmm.io.label_files.textgrid"),
    ("speechgmm.io.timed_labels", "write_textgrid", "speechgmm.io.label_files.textgrid"),
    ("speechgmm.corpus.readers.textgrid", "interval_tiers", "speechgmm.io.label_files.textgrid"),
    ("speechgmm.decoding", "Alignment", "speechgmm.hmm"),
    ("speechgmm.decoding", "Span", "speechgmm.hmm"),
    ("speechgmm.decoding", "alignment", "speechgmm.hmm"),
    ("speechgmm.decoding", "with_confidence", "speechgmm.hmm"),
    ("speechgmm.decoding", "Bigram", "speechgmm.hmm"),
    ("speechgmm.decoding", "bigram_network", "speechgmm.hmm"),
    ("speechgmm.decoding", "estimate_bigram", "speechgmm.hmm"),
    ("speechgmm.decoding", "perplexity", "speechgmm.hmm"),
    ("speechgmm.decoding", "StateStack", "speechgmm.hmm"),
    ("speechgmm.decoding", "break_epsilon_cycles", "speechgmm.hmm"),
    ("speechgmm.decoding", "trim", "speechgmm.hmm"),
    ("speechgmm.decoding", "expand", "speechgmm.hmm"),
    ("speechgmm.decoding", "linear", "speechgmm.hmm"),
    ("speechgmm.decoding", "parse_grammar", "speechgmm.hmm"),
    ("speechgmm.decoding", "vocabulary", "speechgmm.hmm"),
    ("speechgmm.decoding", "word_choice", "speechgmm.hmm"),
    ("speechgmm.decoding", "word_loop", "speechgmm.hmm"),
    ("speechgmm.decoding", "Graph", "speechgmm.hmm"),
    ("speechgmm.decoding", "loop", "speechgmm.hmm"),
    ("speechgmm.decoding", "HMM", "speechgmm.hmm"),
    ("speechgmm.decoding", "Units", "speechgmm.hmm"),
    ("speechgmm.decoding", "left_to_right", "speechgmm.hmm"),
    ("speechgmm.decoding", "n_best", "speechgmm.hmm"),
    ("speechgmm.decoding", "Lexicon", "speechgmm.hmm"),
    ("speechgmm.decoding", "LogWeights", "speechgmm.hmm"),
    ("speechgmm.decoding", "Network", "speechgmm.hmm"),
    ("speechgmm.decoding", "BestPath", "speechgmm.hmm"),
    ("speechgmm.decoding", "Posteriors", "speechgmm.hmm"),
    ("speechgmm.decoding", "forward_backward", "speechgmm.hmm"),
    ("speechgmm.decoding", "viterbi", "speechgmm.hmm"),
    ("speechgmm.decoding", "Decoder", "speechgmm.hmm"),
    ("speechgmm.decoding", "Recogniser", "speechgmm.hmm"),
    ("speechgmm.decoding", "RecognitionSpec", "speechgmm.hmm"),
    ("speechgmm.decoding", "HMMSpec", "speechgmm.hmm"),
    ("speechgmm.decoding", "HMMPrior", "speechgmm.hmm"),
    ("speechgmm.decoding", "HMMStats", "speechgmm.hmm"),
    ("speechgmm.decoding", "HMMFit", "speechgmm.hmm"),
    ("speechgmm.decoding", "Utterance", "speechgmm.hmm"),
    ("speechgmm.decoding", "train_hmms", "speechgmm.hmm"),
    ("speechgmm.corpus.asvspoof", "COLUMNS", "speechgmm.corpus.readers.asvspoof"),
    ("speechgmm.corpus.asvspoof", "KEYS", "speechgmm.corpus.readers.asvspoof"),
    ("speechgmm.corpus.asvspoof", "ASV_KEYS", "speechgmm.corpus.readers.asvspoof"),
    ("speechgmm.corpus.asvspoof", "read_asvspoof", "speechgmm.corpus.readers.asvspoof"),
    ("speechgmm.corpus.asvspoof", "read_asv_scores", "speechgmm.corpus.readers.asvspoof"),
    ("speechgmm.tasks.verification.score_files", "Fused", "speechgmm.tasks.verification.fusion"),
    ("speechgmm.tasks.verification.score_files", "fuse_files", "speechgmm.tasks.verification.fusion"),
    ("speechgmm.clustering", "Conversation", "speechgmm.tasks.diarization"),
    ("speechgmm.clustering", "make_conversation", "speechgmm.tasks.diarization"),
    ("speechgmm.clustering", "Diarizer", "speechgmm.tasks.diarization"),
    ("speechgmm.clustering", "Division", "speechgmm.tasks.diarization"),
    ("speechgmm.clustering", "choose", "speechgmm.tasks.diarization"),
    ("speechgmm.clustering", "divisions", "speechgmm.tasks.diarization"),
    ("speechgmm.clustering", "turns_of", "speechgmm.tasks.diarization"),
    ("speechgmm.clustering", "DiarizationSpec", "speechgmm.tasks.diarization"),
    ("speechgmm.clustering", "best_turns", "speechgmm.tasks.diarization"),
    ("speechgmm.clustering", "Evidence", "speechgmm.vectors"),
    ("speechgmm.clustering", "SpeakerSpace", "speechgmm.vectors"),
    ("speechgmm.clustering", "same_speaker_ratios", "speechgmm.vectors"),
    ("speechgmm.clustering", "RELEVANCE", "speechgmm.vectors"),
    ("speechgmm.clustering", "WithinClass", "speechgmm.vectors"),
    ("speechgmm.clustering", "cosine_distances", "speechgmm.vectors"),
    ("speechgmm.clustering", "cross_likelihood_ratios", "speechgmm.vectors"),
    ("speechgmm.clustering", "cross_likelihood_ratios_of", "speechgmm.vectors"),
    ("speechgmm.clustering", "mean_offsets", "speechgmm.vectors"),
    ("speechgmm.clustering", "piece_statistics", "speechgmm.vectors"),
    ("speechgmm.clustering", "supervectors", "speechgmm.vectors"),
    ("speechgmm.clustering", "unit_length", "speechgmm.vectors"),
    ("speechgmm.clustering", "weight_offsets", "speechgmm.vectors"),
    ("speechgmm.tasks.classification.models", "Cohort", "speechgmm.tasks.verification.models"),
    ("speechgmm.tasks.classification.scoring", "Judged", "speechgmm.tasks.verification.judging"),
    ("speechgmm.tasks.classification.scoring", "judge_recordings", "speechgmm.tasks.verification.judging"),
    ("speechgmm.tasks.verification.spec", "DecisionSpec", "speechgmm.tasks.classification.spec"),
    ("speechgmm.clustering", "n_blocks", "speechgmm.tasks.diarization"),
    ("speechgmm.clustering", "window_supervectors", "speechgmm.tasks.diarization"),
]


@pytest.mark.parametrize(("before", "name", "now"), MOVED)
def test_a_name_that_has_moved_is_the_same_object_and_its_use_warns(before: str, name: str, now: str) -> None:
    with pytest.warns(DeprecationWarning, match=rf"{before}.{name} is {now}"):
        found = getattr(import_module(before), name)
    assert found is getattr(import_module(now), name)


@pytest.mark.parametrize("module", sorted({before for before, _, _ in MOVED}))
def test_a_name_that_never_was_there_is_an_attribute_error(module: str) -> None:
    with pytest.raises(AttributeError, match="nothing_of_this_name"):
        import_module(module).nothing_of_this_name  # noqa: B018


def test_a_name_that_has_changed_is_there_under_the_old_one() -> None:
    from speechgmm.engine import runs

    with pytest.warns(DeprecationWarning, match=r"runs\.Result is speechgmm\.engine\.runs\.RunResult now"):
        assert runs.Result is runs.RunResult


def test_class_models_with_a_method_or_a_cohort_are_models_of_claims_and_warn() -> None:
    ubm, ann, bob = (sg.DiagGMM(np.ones(1), np.array([[mean]]), np.ones((1, 1))) for mean in (0.0, 2.0, 1.0))
    cohort = Cohort(("bob",), (bob,), ScoreNorm.of("t"))
    with pytest.warns(DeprecationWarning, match=r"speechgmm.tasks.verification.models.ClaimModels now"):
        models = sg.ClassModels(("ann",), (ann,), np.zeros(1), ubm=ubm, method="linear", cohort=cohort)
    now = ClaimModels(("ann",), (ann,), np.zeros(1), ubm=ubm, method="linear", cohort=cohort)
    assert type(models) is ClaimModels
    assert models.raw_scores([[[2.0]]]).tolist() == now.raw_scores([[[2.0]]]).tolist()
