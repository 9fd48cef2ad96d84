"""Certificates: for each state, what is proved of its table, and on what the rest rests.

Covered by a proof: the rows of a state are disjoint and complete (z3, over every value of their terms); the optimised DAG
takes the same leaf as the one explored in the source's order. Not covered: that exploration, the front end and CPython agree,
which is what the differential test is for. So a state is

    proved       both proofs hold, and no decision of its region waits for a step (reads memory, may raise, calls): steps
                 stand behind the decisions, in rows of their own
    exhaustive   the program was run on every input of its finite domain
    tested       everything else: on the number of inputs given
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pointsman.program.proof.smt import Formulas
from pointsman.program.table.machine import Decide, Do, Machine, Node, Pick, State, Switch, Sym, Take, nodes

__all__ = ["Certificate", "StateCertificate", "certify", "guards_of_rows", "same_decisions"]

Level = Literal["proved", "exhaustive", "tested"]
_MAX_LEAVES = 400  # chosen: larger tables are proved by their construction, one node at a time
_RLIMIT = 20_000_000


@dataclass(frozen=True, slots=True)
class StateCertificate:
    """``unique_complete`` and ``equivalent`` are None where the solver's budget ended first (not proved)."""

    function: str
    state: int
    level: Level
    rows: int
    unique_complete: bool | None
    equivalent: bool | None


@dataclass(frozen=True, slots=True)
class Certificate:
    """``inputs_tested``: inputs on which CPython and the emitted code agreed; ``undecided``: where the source did not
    finish within its limits."""

    states: tuple[StateCertificate, ...]
    inputs_tested: int
    undecided: int
    domain_size: int | None = None  # all inputs, where they are finitely many and were all run

    def to_json(self) -> dict[str, Any]:
        return {
            "inputs_tested": self.inputs_tested,
            "undecided": self.undecided,
            "domain_size": self.domain_size,
            "states": [
                {"function": s.function, "state": s.state, "level": s.level, "rows": s.rows,
                 "unique_complete": s.unique_complete, "equivalent": s.equivalent}
                for s in self.states
            ],
        }  # fmt: skip

    @staticmethod
    def from_json(data: Any) -> Certificate:
        states = tuple(
            StateCertificate(str(s["function"]), int(s["state"]), s["level"], int(s["rows"]), s["unique_complete"], s["equivalent"])
            for s in data["states"]
        )
        return Certificate(states, int(data["inputs_tested"]), int(data["undecided"]), data["domain_size"])


def certify(explored: Machine, optimised: Machine, *, domain_size: int | None) -> tuple[StateCertificate, ...]:
    """The certificates of a machine's states; ``explored`` is the same machine before optimisation."""
    return tuple(_certify_state(optimised.name, a, b, domain_size) for a, b in zip(explored.states, optimised.states, strict=True))


def _certify_state(name: str, explored: State, optimised: State, domain_size: int | None) -> StateCertificate:
    steps = any(isinstance(n, Do | Take) and _decides(n) for n in nodes(optimised.root))
    unique = rows_unique_and_complete(optimised)
    equivalent = True if explored.root is optimised.root else same_decisions(explored, optimised)
    proved = unique is True and equivalent is True and not steps
    level: Level = "proved" if proved else "exhaustive" if domain_size is not None else "tested"
    return StateCertificate(name, optimised.index, level, count_rows(optimised.root), unique, equivalent)


def _decides(step: Node) -> bool:
    """Whether a step is, or comes before, a decision."""
    return isinstance(step, Take) or any(isinstance(n, Decide | Switch | Pick | Take) for n in nodes(step))


def count_rows(root: Node) -> int:
    """Paths from the root to a leaf."""
    from pointsman.program.table.machine import successors

    counts: dict[int, int] = {}

    def count(node: Node) -> int:
        found = counts.get(id(node))
        if found is None:
            found = counts[id(node)] = sum(map(count, successors(node))) or 1
        return found

    return count(root)


def _regions(root: Node) -> list[Node]:
    """The roots of decision regions: the state's root, and what follows each step."""
    found = [root]
    for node in nodes(root):
        if isinstance(node, Do):
            found.append(node.next)
        elif isinstance(node, Take):
            found.extend((node.then, node.exhausted))
    return [n for n in found if isinstance(n, Decide | Switch | Pick)]


def _paths(root: Node, f: Formulas) -> list[tuple[Any, Node]] | None:
    """(guard, what it leads to) of a decision region; None when there are too many."""
    z3 = f.z3
    found: list[tuple[Any, Node]] = []
    stack: list[tuple[Node, list[Any]]] = [(root, [])]
    while stack:
        node, guard = stack.pop()
        if len(found) + len(stack) > _MAX_LEAVES:
            return None
        match node:
            case Decide(atom=atom, yes=yes, no=no):
                test = f.boolean(atom)
                stack.extend([(yes, [*guard, test]), (no, [*guard, z3.Not(test)])])
            case Switch(term=term, cuts=cuts, children=children):
                value = f.integer(term)
                for position, child in enumerate(children):
                    within = ([value >= cuts[position - 1]] if position else []) + (
                        [value < cuts[position]] if position < len(cuts) else []
                    )
                    stack.append((child, guard + within))
            case Pick(term=term, keys=keys, children=children, default=default):
                value = f.integer(term)
                equal = [value == f.integer(key) for key in keys]
                stack.extend((child, [*guard, test]) for child, test in zip(children, equal, strict=True))
                stack.append((default, guard + [z3.Not(test) for test in equal]))
            case _:
                found.append((z3.And(guard) if guard else z3.BoolVal(True), node))
    return found


def guards_of_rows(root: Node, f: Formulas) -> list[tuple[Any, Node]]:
    """The rows of the decision region at ``root``; an empty list when there are too many to list."""
    return _paths(root, f) or []


def rows_unique_and_complete(state: State) -> bool | None:
    """Whether exactly one row of each decision region applies, for all values. None: not settled."""
    for region in _regions(state.root):
        f = Formulas()
        z3 = f.z3
        paths = _paths(region, f)
        if paths is None:
            return None
        guards = [guard for guard, _ in paths]
        solver = z3.Solver()
        solver.set("rlimit", _RLIMIT)
        answer = solver.check(z3.Not(z3.PbEq([(g, 1) for g in guards], 1)))
        if answer != z3.unsat:
            return False if answer == z3.sat else None
    return True


def same_decisions(explored: State, optimised: State) -> bool | None:
    """Whether two forms of a state's region lead to the same leaf for all values that can reach the state."""
    from pointsman.program.table.optimise import optimise

    before = [n for n in _regions(explored.root)]
    for region in before:
        answer = _same_region(region, optimise(region), explored)
        if answer is not True:
            return answer
    return None if optimise(explored.root) != optimised.root else True


def _same_region(explored: Node, optimised: Node, state: State) -> bool | None:
    from pointsman.program.table.optimise import optimise

    f = Formulas()
    z3 = f.z3
    first, second = _paths(explored, f), _paths(optimised, f)
    if first is None or second is None:
        return None
    numbers: dict[Node, int] = {}
    left = [(g, numbers.setdefault(optimise(leaf), len(numbers))) for g, leaf in first]
    right = [(g, numbers.setdefault(leaf, len(numbers))) for g, leaf in second]
    a, b = z3.Int("leaf of the explored"), z3.Int("leaf of the optimised")
    solver = z3.Solver()
    solver.set("rlimit", _RLIMIT)
    solver.add(*f.ranges({Sym(name, r.kind): r for name, r in state.variables}))
    solver.add(*(z3.Implies(guard, a == number) for guard, number in left))
    solver.add(*(z3.Implies(guard, b == number) for guard, number in right))
    answer = solver.check(a != b)
    if answer == z3.unsat:
        return True
    return False if answer == z3.sat else None
