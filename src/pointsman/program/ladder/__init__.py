"""Who answers a question: the cheapest rung that is sure enough, and the top one where none is."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pointsman.program.ladder.calibrating import Calibrated, Certificate, Example, Promise, calibrate
    from pointsman.program.ladder.climbing import Ladder, Rung
    from pointsman.program.ladder.head import Head, Heads
    from pointsman.program.ladder.limits import Limits
    from pointsman.program.ladder.stored import StoredLadder

__all__ = [
    "Calibrated",
    "Certificate",
    "Example",
    "Head",
    "Heads",
    "Ladder",
    "Limits",
    "Promise",
    "Rung",
    "StoredLadder",
    "calibrate",
]

_HOMES = {
    **dict.fromkeys(("Calibrated", "Certificate", "Example", "Promise", "calibrate"), "calibrating"),
    **dict.fromkeys(("Ladder", "Rung"), "climbing"),
    **dict.fromkeys(("Head", "Heads"), "head"),
    "Limits": "limits",
    "StoredLadder": "stored",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
