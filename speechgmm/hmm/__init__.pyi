from .alignment import Alignment, Span, alignment, with_confidence, with_fit
from .arpa import BackoffModel, backoff_network, parse_arpa
from .bigram import Bigram, bigram_network, estimate_bigram, perplexity
from .emissions import StateStack
from .epsilons import break_epsilon_cycles, trim
from .expansion import expand, linear
from .grammar import parse_grammar, vocabulary, word_choice, word_loop
from .graph import Graph, loop
from .hmm import HMM, Units, left_to_right
from .n_best import n_best
from .network import Lexicon, LogWeights, Network, accepted
from .passes import BestPath, Posteriors, forward_backward, viterbi
from .phone_scores import AlignmentScorer, SpanScores
from .recogniser import Decoder, Recogniser
from .recognition_spec import RecognitionSpec
from .spec import HMMSpec
from .statistics import HMMPrior, HMMStats
from .training import HMMFit, Utterance, train_hmms

__all__ = [
    "HMM",
    "Alignment",
    "AlignmentScorer",
    "BackoffModel",
    "BestPath",
    "Bigram",
    "Decoder",
    "Graph",
    "HMMFit",
    "HMMPrior",
    "HMMSpec",
    "HMMStats",
    "Lexicon",
    "LogWeights",
    "Network",
    "Posteriors",
    "Recogniser",
    "RecognitionSpec",
    "Span",
    "SpanScores",
    "StateStack",
    "Units",
    "Utterance",
    "accepted",
    "alignment",
    "backoff_network",
    "bigram_network",
    "break_epsilon_cycles",
    "estimate_bigram",
    "expand",
    "forward_backward",
    "left_to_right",
    "linear",
    "loop",
    "n_best",
    "parse_arpa",
    "parse_grammar",
    "perplexity",
    "train_hmms",
    "trim",
    "viterbi",
    "vocabulary",
    "with_confidence",
    "with_fit",
    "word_choice",
    "word_loop",
]
