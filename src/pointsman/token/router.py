"""The folder that a fit leaves: its gates, and the methods that they make."""

from collections.abc import Callable
from pathlib import Path

from pointsman.token.calibration import NAME, certified_dials
from pointsman.token.gate import Gate, GateCard, load_gate
from pointsman.token.lineup import Dials, dials_of, make
from pointsman.token.method import Method
from pointsman.token.pair import Pair


def load_gates(folder: Path, pair: Pair) -> dict[str, tuple[Gate, GateCard]]:
    """Every gate in a folder of `Fit`, by the name of its own folder. Raises as `load_gate` where there is none."""
    names = sorted(path.parent.name for path in folder.glob("*/gate.json"))
    found = {name: load_gate(folder / name, pair) for name in names}
    return found or {folder.name: load_gate(folder, pair)}


def chosen_method(pair: Pair, folder: Path, name: str | None, dials: Dials) -> Method:
    """The method of that name over the gates in a folder; ours where None.

    Dials of ours that are not given are the certified ones.

    Raises as `load_gates`, `certified_dials` and `lineup.make`.
    """
    name = NAME if name is None else name
    return make(name, *_settled(pair, folder, name, dials))


def at_risks(pair: Pair, folder: Path, dials: Dials) -> tuple[Method, Callable[[float], Method]]:
    """Ours as `chosen_method` has it, and at any other risk over the same gates; at 0 the text is the large model's.

    Raises as `chosen_method`.
    """
    gates, chosen = _settled(pair, folder, NAME, dials)

    def at_risk(risk: float) -> Method:
        strict = {} if risk else {"tolerance": 0.0}
        return make(NAME, gates, {**chosen, **strict, "risk": risk})

    return make(NAME, gates, chosen), at_risk


def _settled(pair: Pair, folder: Path, name: str, dials: Dials) -> tuple[dict[str, Gate], Dials]:
    """The gates of a folder, and all dials of a method."""
    loaded = load_gates(folder, pair)
    if name == NAME and NAME in loaded and not set(dials_of(NAME)) <= set(dials):
        dials = {**certified_dials(loaded[NAME][1]), **dials}
    return {kind: gate for kind, (gate, _) in loaded.items()}, dials
