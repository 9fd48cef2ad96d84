"""Certificates: for each state, what is proved of its table, and on what the rest rests.

Covered by a proof: the rows of a state are disjoint and complete (z3, over every value of their terms); the optimised
DAG takes the same leaf as the one explored in the source's order. Not covered: that exploration, the front end and
CPython agree, which is what the differential test is for. So a state is

    proved       both proofs hold, and no decision of its region waits for a step (reads memory, may raise, calls):
                 steps stand behind the decisions, in rows of their own
    exhaustive   the program was run on every input of a finite domain: all bools, and all ints from -N to N
    tested       everything else: on the number of inputs given
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal, get_args

from pointsman.program.deep import deep_recursion
from pointsman.program.proof.cases import same_by_cases
from pointsman.program.proof.smt import Formulas
from pointsman.program.table.asking import asked_at
from pointsman.program.table.machine import (
    Decide,
    Do,
    Machine,
    Node,
    Pick,
    Range,
    State,
    Switch,
    Sym,
    Take,
    nodes,
    postorder,
    successors,
)
from pointsman.program.table.optimise import Optimiser

__all__ = ["Certificate", "StateCertificate", "certify", "certify_parts", "guards_of_rows", "same_decisions"]

Level = Literal["proved", "exhaustive", "tested"]
_MAX_LEAVES = 400  # chosen
_MAX_SOLVED_ROWS = 40  # chosen: what takes the solver some 10 ms while compiling; `prove` allows more
_RLIMIT = 20_000_000
_MAX_SOLVED_NODES = 2_000  # of two forms of a region; chosen: larger terms are too deep for the solver
_VISITS_A_NODE, _MIN_VISITS = 60, 2_000  # of a comparison by cases; chosen


@dataclass(frozen=True, slots=True)
class StateCertificate:
    """``unique_complete`` and ``equivalent`` are None where the solver's budget ended first (not proved).

    ``judged_rows``: of the rows, those that depend on the answer to a question. The proofs are about all answers.
    """

    function: str
    state: int
    level: Level
    rows: int
    unique_complete: bool | None
    equivalent: bool | None
    judged_rows: int = 0

    def to_json(self) -> dict[str, Any]:
        return {"function": self.function, "state": self.state, "level": self.level, "rows": self.rows,
                "unique_complete": self.unique_complete, "equivalent": self.equivalent,
                "judged_rows": self.judged_rows}  # fmt: skip

    @staticmethod
    def from_json(data: Any) -> StateCertificate:
        return StateCertificate(
            _of({str}, data["function"]), _of({int}, data["state"]), _level(data["level"]), _of({int}, data["rows"]),
            _of({bool, type(None)}, data["unique_complete"]), _of({bool, type(None)}, data["equivalent"]),
            _of({int}, data.get("judged_rows", 0)),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Certificate:
    """What is proved of a program's states, and how it was tested.

    ``inputs_tested``: inputs on which CPython and the emitted code agreed; ``undecided``: where the source did not
    finish within its limits. ``domain_size``: of a domain of small inputs that were all run; its ints are those from
    ``-domain_bound`` to ``domain_bound`` (None: it has no ints, and is the whole domain).
    """

    states: tuple[StateCertificate, ...]
    inputs_tested: int
    undecided: int
    domain_size: int | None = None
    domain_bound: int | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "inputs_tested": self.inputs_tested,
            "undecided": self.undecided,
            "domain_size": self.domain_size,
            "domain_bound": self.domain_bound,
            "states": [state.to_json() for state in self.states],
        }

    @staticmethod
    def from_json(data: Any) -> Certificate:
        """Raises KeyError or TypeError for what ``to_json`` does not write."""
        states = tuple(map(StateCertificate.from_json, _of({list}, data["states"])))
        size, bound = (_of({int, type(None)}, data[name]) for name in ("domain_size", "domain_bound"))
        return Certificate(states, _of({int}, data["inputs_tested"]), _of({int}, data["undecided"]), size, bound)


def _of(kinds: set[type], value: Any) -> Any:
    if type(value) not in kinds:
        raise TypeError(f"a certificate cannot have {type(value).__name__} here")
    return value


def _level(value: Any) -> Level:
    if value not in get_args(Level):
        raise TypeError("a certificate has no such level")
    return value  # type: ignore[no-any-return]  # one of the literals


def certify(explored: Machine, optimised: Machine, *, domain_size: int | None) -> tuple[StateCertificate, ...]:
    """The certificates of a machine's states; ``explored`` is the same machine before optimisation."""
    with deep_recursion():
        return tuple(
            _certify_state(optimised.name, a, b, domain_size)
            for a, b in zip(explored.states, optimised.states, strict=True)
        )


def certify_parts(
    states: tuple[StateCertificate, ...], parts: Machine, origins: Sequence[int]
) -> tuple[StateCertificate, ...]:
    """The certificates after states were cut into parts (table/cut.py): each part has the proofs of its origin."""
    return tuple(
        replace(
            states[origin],
            state=state.index,
            rows=count_rows(state.root),
            judged_rows=count_rows(state.root) - _count_unasked(state.root),
        )
        for state, origin in zip(parts.states, origins, strict=True)
    )


def _certify_state(name: str, explored: State, optimised: State, domain_size: int | None) -> StateCertificate:
    steps = _decides_after_a_step(optimised.root)
    unique = rows_unique_and_complete(optimised)
    equivalent = True if explored.root is optimised.root else same_decisions(explored, optimised)
    proved = unique is True and equivalent is True and not steps
    level: Level = "proved" if proved else "exhaustive" if domain_size is not None else "tested"
    rows = count_rows(optimised.root)
    judged = rows - _count_unasked(optimised.root)
    return StateCertificate(name, optimised.index, level, rows, unique, equivalent, judged)


def _decides_after_a_step(root: Node) -> bool:
    """Whether a step is, or comes before, a decision."""
    deciding: dict[int, bool] = {}
    for node in postorder(root):
        below = any(deciding[id(child)] for child in successors(node))
        if isinstance(node, Take) or (isinstance(node, Do) and below):
            return True
        deciding[id(node)] = below or isinstance(node, Decide | Switch | Pick)
    return False


def count_rows(root: Node) -> int:
    """Paths from the root to a leaf."""
    counts: dict[int, int] = {}
    for node in postorder(root):
        counts[id(node)] = sum(counts[id(child)] for child in successors(node)) or 1
    return counts[id(root)]


def _count_unasked(root: Node) -> int:
    """Paths from the root to a leaf on which nothing is asked."""
    counts: dict[int, int] = {}
    for node in postorder(root):
        below = successors(node)
        counts[id(node)] = 0 if asked_at(node) else sum(counts[id(child)] for child in below) if below else 1
    return counts[id(root)]


def _ways_partition(node: Node) -> bool:
    match node:
        case Switch(cuts=cuts, children=children):
            return len(children) == len(cuts) + 1 and all(a < b for a, b in pairwise(cuts))
        case Pick(keys=keys, children=children):
            return len(keys) == len(children) == len(set(keys))
    return True


def _is_plain(region: Node) -> bool:
    """One decision only: nothing to prove beyond its two ways."""
    return isinstance(region, Decide) and not any(isinstance(n, Decide | Switch | Pick) for n in successors(region))


def _regions(root: Node) -> list[tuple[Node, int]]:
    """The decision regions (the state's root, and what follows each step) with the number of their rows."""
    rows: dict[int, int] = {}
    starts = {id(root): root}
    for node in postorder(root):
        decides = isinstance(node, Decide | Switch | Pick)
        rows[id(node)] = sum(rows[id(child)] for child in successors(node)) if decides else 1
        if not decides:
            starts.update((id(child), child) for child in successors(node))
    return [(node, rows[number]) for number, node in starts.items() if isinstance(node, Decide | Switch | Pick)]


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


def rows_unique_and_complete(state: State, limit: int = _MAX_SOLVED_ROWS) -> bool | None:
    """Whether exactly one row of each decision region applies, for all values. None: not settled.

    Small regions are given to the solver as rows. In larger ones each node is checked: its ways are disjoint and
    complete (an atom and its opposite; rising cuts; distinct keys and the rest), and so, by induction, are the paths.
    """
    if not all(_ways_partition(node) for node in nodes(state.root)):
        return False
    for region, num_rows in _regions(state.root):
        if num_rows > limit or _is_plain(region):
            continue
        f = Formulas()
        z3 = f.z3
        paths = _paths(region, f)
        if paths is None:
            continue
        guards = [guard for guard, _ in paths]
        solver = z3.SimpleSolver()
        solver.set("rlimit", _RLIMIT)
        answer = solver.check(z3.Not(z3.PbEq([(g, 1) for g in guards], 1)))
        if answer != z3.unsat:
            return False if answer == z3.sat else None
    return True


def same_decisions(explored: State, optimised: State) -> bool | None:
    """Whether two forms of a state's regions lead to the same leaf for all values that can reach the state.

    Where a decision was only copied, its branches are compared; where it was changed, the solver compares the regions.
    """
    optimiser = Optimiser()
    if optimiser.dag(explored.root) != optimised.root:
        return None
    known = {Sym(name, r.kind): r for name, r in explored.variables}
    seen: set[int] = set()
    stack: list[Node] = [explored.root]
    while stack:
        root = stack.pop()
        if id(root) in seen:
            continue
        seen.add(id(root))
        leaves = [node for node in _region(root) if not isinstance(node, Decide)]
        after = optimiser.node(root)
        if not _is_copy(root, after, optimiser):
            answer = _same_region(root, after, optimiser, known)
            if answer is not True:
                return answer
        stack.extend(child for leaf in leaves for child in successors(leaf))
    return True


def _is_copy(root: Node, after: Node, optimiser: Optimiser) -> bool:
    """A region of no decision, or of one that stayed what it was."""
    if not isinstance(root, Decide):
        return True
    if isinstance(root.yes, Decide) or isinstance(root.no, Decide):
        return False
    yes, no = optimiser.node(root.yes), optimiser.node(root.no)
    return isinstance(after, Decide) and after.atom == root.atom and after.yes == yes and after.no == no


def _same_region(explored: Node, after: Node, optimiser: Optimiser, known: dict[Sym, Range]) -> bool | None:
    size = sum(1 for _ in _region(explored)) + sum(1 for _ in _region(after))
    if same_by_cases(explored, after, optimiser.node, known, _VISITS_A_NODE * size + _MIN_VISITS):
        return True
    return _solved_same(explored, after, optimiser, known) if size <= _MAX_SOLVED_NODES else None


def _region(root: Node) -> Iterator[Node]:
    """The nodes that decide from ``root`` on, and the first that do not."""
    seen: set[int] = set()
    stack = [root]
    while stack:
        node = stack.pop()
        if id(node) not in seen:
            seen.add(id(node))
            yield node
            if isinstance(node, Decide | Switch | Pick):
                stack.extend(successors(node))


def _solved_same(explored: Node, after: Node, optimiser: Optimiser, known: dict[Sym, Range]) -> bool | None:
    f = Formulas()
    numbers: dict[Node, int] = {}
    first = _leaf_number(explored, f, numbers, optimiser.node)
    second = _leaf_number(after, f, numbers, lambda leaf: leaf)
    solver = f.z3.SimpleSolver()
    solver.set("rlimit", _RLIMIT)
    solver.add(*f.ranges(known))
    answer = solver.check(first != second)
    if answer == f.z3.unsat:
        return True
    return False if answer == f.z3.sat else None


def _leaf_number(root: Node, f: Formulas, numbers: dict[Node, int], leaf_of: Callable[[Node], Node]) -> Any:
    """A z3 term for the number of the leaf that a region comes to; shared nodes are translated once."""
    z3 = f.z3
    done: dict[int, Any] = {}

    def number(node: Node) -> Any:
        found = done.get(id(node))
        if found is not None:
            return found
        match node:
            case Decide(atom=atom, yes=yes, no=no):
                made = z3.If(f.boolean(atom), number(yes), number(no))
            case Switch(term=term, cuts=cuts, children=children):
                made = number(children[-1])
                value = f.integer(term)
                for cut, child in zip(reversed(cuts), reversed(children[:-1]), strict=True):
                    made = z3.If(value < cut, number(child), made)
            case Pick(term=term, keys=keys, children=children, default=default):
                made = number(default)
                value = f.integer(term)
                for key, child in zip(keys, children, strict=True):
                    made = z3.If(value == f.integer(key), number(child), made)
            case _:
                made = z3.IntVal(numbers.setdefault(leaf_of(node), len(numbers)))
        done[id(node)] = made
        return made

    return number(root)
