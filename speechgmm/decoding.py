"""Names that are in ``speechgmm.hmm`` now; each use warns."""

from typing import Any, Final

from speechgmm.moved import from_new_place

MOVED: Final = {
    "Alignment": "speechgmm.hmm",
    "BestPath": "speechgmm.hmm",
    "Bigram": "speechgmm.hmm",
    "Decoder": "speechgmm.hmm",
    "Graph": "speechgmm.hmm",
    "HMM": "speechgmm.hmm",
    "HMMFit": "speechgmm.hmm",
    "HMMPrior": "speechgmm.hmm",
    "HMMSpec": "speechgmm.hmm",
    "HMMStats": "speechgmm.hmm",
    "Lexicon": "speechgmm.hmm",
    "LogWeights": "speechgmm.hmm",
    "Network": "speechgmm.hmm",
    "Posteriors": "speechgmm.hmm",
    "Recogniser": "speechgmm.hmm",
    "RecognitionSpec": "speechgmm.hmm",
    "Span": "speechgmm.hmm",
    "StateStack": "speechgmm.hmm",
    "Units": "speechgmm.hmm",
    "Utterance": "speechgmm.hmm",
    "alignment": "speechgmm.hmm",
    "bigram_network": "speechgmm.hmm",
    "break_epsilon_cycles": "speechgmm.hmm",
    "estimate_bigram": "speechgmm.hmm",
    "expand": "speechgmm.hmm",
    "forward_backward": "speechgmm.hmm",
    "left_to_right": "speechgmm.hmm",
    "linear": "speechgmm.hmm",
    "loop": "speechgmm.hmm",
    "n_best": "speechgmm.hmm",
    "parse_grammar": "speechgmm.hmm",
    "perplexity": "speechgmm.hmm",
    "train_hmms": "speechgmm.hmm",
    "trim": "speechgmm.hmm",
    "viterbi": "speechgmm.hmm",
    "vocabulary": "speechgmm.hmm",
    "with_confidence": "speechgmm.hmm",
    "word_choice": "speechgmm.hmm",
    "word_loop": "speechgmm.hmm",
}


def __getattr__(name: str) -> Any:
    """A name from its new place, with a DeprecationWarning that says which."""
    return from_new_place(__name__, name, MOVED)
