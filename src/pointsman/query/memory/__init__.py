"""Memory: an answer that was given before answers again. numpy is loaded by semantic memory only."""

from pointsman.query.memory.looking import Look, LookReason, Settings, same_words
from pointsman.query.memory.memory import Memory
from pointsman.query.memory.refusing import Refusal, refuses
from pointsman.query.memory.request import Request
from pointsman.query.memory.share import Budget, Prices, ShareController
from pointsman.query.memory.store import Kept, Store

__all__ = [
    "Budget",
    "Kept",
    "Look",
    "LookReason",
    "Memory",
    "Prices",
    "Refusal",
    "Request",
    "Settings",
    "ShareController",
    "Store",
    "refuses",
    "same_words",
]
