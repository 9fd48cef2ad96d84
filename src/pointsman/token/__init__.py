"""Token level: a small and a large model write one text. See `docs/token.md`."""

from pointsman.token.batch import PairBatch, PairSampling, generate_pair
from pointsman.token.collecting import Settings
from pointsman.token.fitting import Fit, Kind
from pointsman.token.gate import Gate, GateCard, load_gate, save_gate
from pointsman.token.method import Method
from pointsman.token.pair import Pair
from pointsman.token.router import at_risks, chosen_method, load_gates
from pointsman.token.tasks import Task, read_tasks
from pointsman.token.writing import PairText, PairWriting

__all__ = [
    "Fit",
    "Gate",
    "GateCard",
    "Kind",
    "Method",
    "Pair",
    "PairBatch",
    "PairSampling",
    "PairText",
    "PairWriting",
    "Settings",
    "Task",
    "at_risks",
    "chosen_method",
    "generate_pair",
    "load_gate",
    "load_gates",
    "read_tasks",
    "save_gate",
]
