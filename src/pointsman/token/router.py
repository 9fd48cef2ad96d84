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
    loaded = load_gates(folder, pair)
    gates = {kind: gate for kind, (gate, _) in loaded.items()}
    name = NAME if name is None else name
    if name == NAME and NAME in loaded and not set(dials_of(NAME)) <= set(dials):
        dials = {**certified_dials(loaded[NAME][1]), **dials}
    return make(name, gates, dials)


def at_risks(pair: Pair, folder: Path, dials: Dials) -> Callable[[float], Method]:
    """Ours over the gates in a folder, at any risk; at 0 strict, so that the text is the large model's.

    Gates are loaded once, and all methods share them. `dials`: those besides, where they are not the certified ones.

    Raises as `chosen_method`.
    """
    loaded = load_gates(folder, pair)
    gates = {kind: gate for kind, (gate, _) in loaded.items()}
    certified = {**certified_dials(loaded[NAME][1]), **dials} if NAME in loaded else dict(dials)

    def at_risk(risk: float) -> Method:
        strict = {} if risk else {"tolerance": 0.0}
        return make(NAME, gates, {**certified, **strict, "risk": risk})

    return at_risk
