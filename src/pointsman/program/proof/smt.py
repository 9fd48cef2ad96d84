"""Terms as z3 formulas, only at compile time and always with a resource limit (never a clock: results repeat).

Linear integer arithmetic, booleans and equality of strings with constants are translated; everything else (a product of
variables, a float comparison, the result of a step) becomes a fresh unknown, the same one for the same term. That is
sound for proofs: what holds for every value of the unknown holds for the one it has.
"""

from __future__ import annotations

from typing import Any, Final

from pointsman.program.explore.facts import Facts
from pointsman.program.explore.kinds import kind_of
from pointsman.program.ir import Const
from pointsman.program.table.machine import App, Range, Sym, Term, symbols

__all__ = ["Formulas", "Settler"]

_RLIMIT: Final = 200_000  # z3's own units, some 20 ms; chosen
_MAX_QUERIES: Final = 400  # for one function; chosen: some 0.2 s


class Formulas:
    """Translates terms; keeps one z3 constant per unknown."""

    def __init__(self) -> None:
        import z3

        self.z3: Any = z3
        self.cache: dict[Term, Any] = {}
        self.strings: dict[str, int] = {}
        self.unknowns: dict[str, Term] = {}

    def boolean(self, term: Term) -> Any:
        """A z3 Bool for a bool term."""
        found = self.cache.get(term)
        if found is None:
            found = self._boolean(term)
            self.cache[term] = found
        return found

    def integer(self, term: Term) -> Any:
        """A z3 Int for an int or bool term, or for the identity of a string."""
        found = self.cache.get(App("number", (term,)))
        if found is None:
            found = self._integer(term)
            self.cache[App("number", (term,))] = found
        return found

    def _unknown(self, term: Term, boolean: bool) -> Any:
        name = f"{term.name}:{term.kind}" if isinstance(term, Sym) else f"term{len(self.unknowns)}"
        self.unknowns[name] = term
        return self.z3.Bool(name) if boolean else self.z3.Int(name)

    def _boolean(self, term: Term) -> Any:
        z3 = self.z3
        if isinstance(term, Const):
            return z3.BoolVal(bool(term.value))
        if isinstance(term, App):
            kinds = [kind_of(a) for a in term.args]
            numbers = set(kinds) <= {"int", "bool"}
            if term.op == "not":
                return z3.Not(self.boolean(term.args[0]))
            if term.op == "lt" and numbers:
                return self.integer(term.args[0]) < self.integer(term.args[1])
            if term.op == "eq" and (numbers or (kinds == ["str", "str"] and isinstance(term.args[1], Const))):
                return self.integer(term.args[0]) == self.integer(term.args[1])
            if term.op == "in" and isinstance(term.args[1], Const) and kinds[0] in {"int", "str"}:
                same = [v for v in term.args[1].value if type(v).__name__ == kinds[0]]
                if len(same) == len(term.args[1].value):
                    return z3.Or([self.integer(term.args[0]) == self.integer(Const(v)) for v in same])
        return self._unknown(term, True)

    def _integer(self, term: Term) -> Any:
        z3 = self.z3
        kind = kind_of(term)
        if kind == "bool":
            return z3.If(self.boolean(term), z3.IntVal(1), z3.IntVal(0))
        if isinstance(term, Const) and kind == "int":
            return z3.IntVal(term.value)
        if isinstance(term, Const) and kind == "str":
            return z3.IntVal(self.strings.setdefault(term.value, len(self.strings)))
        if isinstance(term, App) and kind == "int":
            made = self._arithmetic(term)
            if made is not None:
                return made
        return self._unknown(term, False)

    def _arithmetic(self, term: App) -> Any:
        z3 = self.z3
        if not all(kind_of(a) in {"int", "bool"} for a in term.args):
            return self._call(term)
        args = [self.integer(a) for a in term.args]
        match term.op:
            case "add":
                return args[0] + args[1]
            case "sub":
                return args[0] - args[1]
            case "neg":
                return -args[0]
            case "mul" if any(isinstance(a, Const) for a in term.args):
                return args[0] * args[1]
            case "floordiv" | "mod" if isinstance(term.args[1], Const) and term.args[1].value > 0:
                # for a positive divisor z3's Euclidean division is Python's floor division
                return args[0] / args[1] if term.op == "floordiv" else args[0] % args[1]
        del z3
        return None

    def _call(self, term: App) -> Any:
        z3 = self.z3
        name = getattr(term.args[0], "path", "").removeprefix("builtins.") if term.op == "call" else ""
        if name not in {"min", "max", "abs"} or not all(kind_of(a) in {"int", "bool"} for a in term.args[1:]):
            return None
        args = [self.integer(a) for a in term.args[1:]]
        if name == "abs":
            return z3.If(args[0] < 0, -args[0], args[0])
        best = args[0]
        for other in args[1:]:
            best = z3.If(other < best if name == "min" else other > best, other, best)
        return best

    def ranges(self, known: dict[Sym, Range]) -> list[Any]:
        """What is known of symbols, as formulas."""
        found = []
        for symbol, r in known.items():
            if r.kind == "int" and r.low is not None:
                found.append(self.integer(symbol) >= r.low)
            if r.kind == "int" and r.high is not None:
                found.append(self.integer(symbol) <= r.high)
        return found


class Settler:
    """Settles atoms that bounds leave open, for the explorer; asks only where the path says something relevant."""

    def __init__(self) -> None:
        self.formulas: Formulas | None = None
        self.solver: Any = None
        self.queries = 0
        self.known: dict[tuple[Any, ...], bool | None] = {}

    def __call__(self, facts: Facts, atom: Term) -> bool | None:
        mine = {s for s in symbols(atom) if s.kind in {"int", "bool", "str"}}
        related = [(a, t) for a, t in facts.path if mine.intersection(symbols(a)) and _linear(a)]
        if not related or not _linear(atom) or not _connects(atom, related) or self.queries >= _MAX_QUERIES:
            return None
        bounds = tuple((t, b) for t, b in facts.bounds.items() if isinstance(t, Sym))
        key = (atom, tuple(related), frozenset(bounds))
        if key not in self.known:
            self.known[key] = self._ask(atom, related, dict(bounds))
        return self.known[key]

    def _ask(self, atom: Term, related: list[tuple[Term, bool]], bounds: dict[Sym, Any]) -> bool | None:
        if self.formulas is None:
            self.formulas = Formulas()
            self.solver = self.formulas.z3.SimpleSolver()
            self.solver.set("rlimit", _RLIMIT)
        z3 = self.formulas.z3
        self.queries += 1
        self.solver.push()
        try:
            for other, truth in related:
                formula = self.formulas.boolean(other)
                self.solver.add(formula if truth else z3.Not(formula))
            known = {s: Range("int", *b) for s, b in bounds.items() if s.kind == "int"}
            self.solver.add(*self.formulas.ranges(known))
            wanted = self.formulas.boolean(atom)
            if self.solver.check(wanted) == z3.unsat:
                return False
            return True if self.solver.check(z3.Not(wanted)) == z3.unsat else None
        finally:
            self.solver.pop()


def _linear(atom: Term) -> bool:
    return isinstance(atom, App) and atom.op in {"lt", "eq"} and all(kind_of(a) in {"int", "bool"} for a in atom.args)


def _connects(atom: Term, related: list[tuple[Term, bool]]) -> bool:
    """Whether more than one symbol is at stake: bounds alone decide what is about one."""
    involved = set(symbols(atom)) | {s for a, _ in related for s in symbols(a)}
    return len(involved) > 1 and any(len(set(symbols(a))) > 1 for a in [atom, *(a for a, _ in related)])
