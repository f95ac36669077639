from .conversations import Conversation, make_conversation
from .models import Diarizer, Division, choose, divisions, turns_of
from .resegmentation import best_turns
from .spec import DiarizationSpec
from .windows import n_blocks, window_supervectors

__all__ = [
    "Conversation",
    "DiarizationSpec",
    "Diarizer",
    "Division",
    "best_turns",
    "choose",
    "divisions",
    "make_conversation",
    "n_blocks",
    "turns_of",
    "window_supervectors",
]
