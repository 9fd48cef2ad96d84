"""Memory: an answer that was given before answers again. numpy is loaded by semantic memory only."""

from pointsman.query.memory.memory import Look, LookReason, Memory, Settings, same_words
from pointsman.query.memory.refusing import REFUSALS, Refusal, refuses
from pointsman.query.memory.request import Request
from pointsman.query.memory.store import Kept, Store

__all__ = [
    "REFUSALS",
    "Kept",
    "Look",
    "LookReason",
    "Memory",
    "Refusal",
    "Request",
    "Settings",
    "Store",
    "refuses",
    "same_words",
]
