from .conversations import Conversation, make_conversation, natural_conversation
from .models import Diarizer, Division, choose, divisions, turns_of
from .resegmentation import best_turns
from .spec import DiarizationSpec
from .turn_statistics import TurnStatistics, turn_statistics
from .windows import n_blocks, window_supervectors

__all__ = [
    "Conversation",
    "DiarizationSpec",
    "Diarizer",
    "Division",
    "TurnStatistics",
    "best_turns",
    "choose",
    "divisions",
    "make_conversation",
    "n_blocks",
    "natural_conversation",
    "turn_statistics",
    "turns_of",
    "window_supervectors",
]
