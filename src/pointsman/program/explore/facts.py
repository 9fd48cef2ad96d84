"""What is known on a path: bounds of int terms and truths of atoms, refined by each decision taken.

Bounds come first and decide most branches; a solver is asked only about what they leave open (see ``explorer``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from pointsman.program.explore.kinds import kind_of
from pointsman.program.ir import Const
from pointsman.program.table.machine import App, Range, Sym, Term, symbols

__all__ = ["Facts"]

Bounds = tuple[int | None, int | None]
_MAX_TRUTHS = 64  # atoms remembered on a path; chosen: more only cost time, and forgetting is sound
_CHOICES = frozenset({"choose", "extract"})
_NONE: Bounds = (None, None)


@dataclass(frozen=True)
class Facts:
    """Immutable; every refinement gives a new one. ``path`` lists the atoms decided, for the solver."""

    bounds: dict[Term, Bounds] = field(default_factory=dict)
    truths: dict[Term, bool] = field(default_factory=dict)
    values: dict[Term, Const] = field(default_factory=dict)  # terms known to equal a constant that is not an int
    path: tuple[tuple[Term, bool], ...] = ()

    def range_of(self, term: Term) -> Range:
        kind = kind_of(term)
        return Range(kind, *self.bounds_of(term)) if kind in {"int", "bool"} else Range(kind)

    def bounds_of(self, term: Term) -> Bounds:
        """The bounds of an int or bool term (a bool is 0 or 1)."""
        if isinstance(term, Const):
            return (int(term.value), int(term.value)) if isinstance(term.value, int) else _NONE
        known = self.bounds.get(term, _NONE)
        if isinstance(term, App):
            known = _meet(known, self._computed(term))
        return _meet(known, (0, 1)) if kind_of(term) == "bool" else known

    def _computed(self, term: App) -> Bounds:
        if term.kind != "int":
            return _NONE
        args = [self.bounds_of(a) for a in term.args if kind_of(a) in {"int", "bool"}]
        op = term.op.removeprefix("inplace_")
        if op == "call":
            return _call_bounds(term, args)
        if len(args) != len(term.args):
            return _NONE
        if op == "index" or op == "pos":
            return args[0]
        if op == "neg":
            return _negate(args[0])
        return _binary_bounds(op, args) if len(args) == 2 else _NONE

    def decide(self, atom: Term) -> bool | None:
        """True or False where what is known settles the atom, else None."""
        if isinstance(atom, Const):
            return bool(atom.value)
        if atom in self.truths:
            return self.truths[atom]
        if not isinstance(atom, App) or len(atom.args) != 2 or atom.op not in {"lt", "eq", "in"}:
            return None
        if atom.op == "in":
            return self._among(atom.args[0], atom.args[1])
        left, right = atom.args
        if atom.op == "eq" and left in self.values and isinstance(right, Const):
            return bool(self.values[left].value == right.value)
        if atom.op == "eq" and isinstance(left, App) and left.op in _CHOICES and isinstance(right, Const):
            return self._chosen(left, right)
        if not {kind_of(left), kind_of(right)} <= {"int", "bool"}:
            return None
        if left == right:
            return atom.op == "eq"
        (a, b), (c, d) = self.bounds_of(left), self.bounds_of(right)
        if atom.op == "lt":
            if b is not None and c is not None and b < c:
                return True
            return False if a is not None and d is not None and a >= d else None
        if a is not None and a == b == c == d:
            return True
        apart = (b is not None and c is not None and b < c) or (d is not None and a is not None and d < a)
        return False if apart else None

    def _among(self, term: Term, items: Term) -> bool | None:
        if not isinstance(items, Const):
            return None
        if term in self.values:
            return self.values[term].value in items.value
        inside = {option in items.value for option in self._options(term)} if isinstance(items.value, tuple) else set()
        return inside.pop() if len(inside) == 1 else None

    def _chosen(self, choice: App, option: Const) -> bool | None:
        """Whether a question's answer is this option: one of its options is, and no two are."""
        left = self._options(choice)
        if option.value not in left:
            return False if left else None
        return True if len(left) == 1 else None

    def _options(self, term: Term) -> list[str]:
        """The options of a choice that nothing excludes; none where it is no choice."""
        if not isinstance(term, App) or term.op not in _CHOICES:
            return []
        return [o for o in term.attrs[2] if self.truths.get(App("eq", (term, Const(o)), (), "bool")) is not False]

    def assume(self, atom: Term, truth: bool) -> Facts:
        bounds = dict(self.bounds)
        truths, values = self.truths, self.values
        if isinstance(atom, App) and atom.op in {"lt", "eq"} and _integral(atom):
            self._refine(bounds, atom, truth)
            if not (atom.op == "lt" and isinstance(atom.args[1], Const)) and not isinstance(atom.args[0], Const):
                truths = {**truths, atom: truth}
        else:
            truths = {**truths, atom: truth}
            if isinstance(atom, App) and atom.op == "eq" and truth and isinstance(atom.args[1], Const):
                values = {**values, atom.args[0]: atom.args[1]}
        path = self.path
        if len(set(symbols(atom))) > 1:  # what is about one symbol is in the bounds
            path = (*path, (atom, truth))
        if len(truths) > _MAX_TRUTHS:
            truths = self.truths
        return Facts(bounds, truths, values, path)

    def _refine(self, bounds: dict[Term, Bounds], atom: App, truth: bool) -> None:
        left, right = atom.args
        (a, b), (c, d) = self.bounds_of(left), self.bounds_of(right)
        if atom.op == "eq":
            if truth:
                _narrow(bounds, left, (c, d))
                _narrow(bounds, right, (a, b))
            elif c is not None and c == d:
                _exclude(bounds, left, c, (a, b))
        elif truth:
            _narrow(bounds, left, (None, None if d is None else d - 1))
            _narrow(bounds, right, (None if a is None else a + 1, None))
        else:
            _narrow(bounds, left, (c, None))
            _narrow(bounds, right, (None, b))

    def about(self, names: Iterable[Sym]) -> Facts:
        """What is known of these symbols and of nothing else."""
        known = set(names)

        def concerns(term: Term) -> bool:
            return known.issuperset(symbols(term))

        return Facts(
            {t: b for t, b in self.bounds.items() if concerns(t)},
            {t: v for t, v in self.truths.items() if concerns(t)},
            {t: v for t, v in self.values.items() if concerns(t)},
            tuple(dict.fromkeys(entry for entry in self.path if concerns(entry[0]))),
        )

    def key(self) -> tuple[object, ...]:
        """Equal keys, equal knowledge."""
        parts = (self.bounds, self.truths, self.values)
        return (*(frozenset(part.items()) for part in parts), frozenset(self.path))


def _integral(atom: App) -> bool:
    return all(kind_of(a) in {"int", "bool"} for a in atom.args)


def _meet(left: Bounds, right: Bounds) -> Bounds:
    low = left[0] if right[0] is None else right[0] if left[0] is None else max(left[0], right[0])
    high = left[1] if right[1] is None else right[1] if left[1] is None else min(left[1], right[1])
    return low, high


def _narrow(bounds: dict[Term, Bounds], term: Term, known: Bounds) -> None:
    """Records bounds of a term, and of the symbol inside ``x + c``, ``x - c``."""
    if isinstance(term, Const) or known == _NONE:
        return
    bounds[term] = _meet(bounds.get(term, _NONE), known)
    if isinstance(term, App) and term.op in {"add", "sub", "inplace_add", "inplace_sub"}:
        inner, shift = term.args
        if isinstance(shift, Const) and isinstance(shift.value, int) and kind_of(inner) == "int":
            by = -shift.value if "add" in term.op else shift.value
            _narrow(bounds, inner, (_plus(known[0], by), _plus(known[1], by)))


def _exclude(bounds: dict[Term, Bounds], term: Term, value: int, now: Bounds) -> None:
    if now[0] == value:
        _narrow(bounds, term, (value + 1, None))
    if now[1] == value:
        _narrow(bounds, term, (None, value - 1))


def _plus(bound: int | None, by: int | None) -> int | None:
    return None if bound is None or by is None else bound + by


def _negate(bounds: Bounds) -> Bounds:
    low, high = bounds
    return (None if high is None else -high, None if low is None else -low)


def _binary_bounds(op: str, args: list[Bounds]) -> Bounds:
    (a, b), (c, d) = args
    if op == "add":
        return _plus(a, c), _plus(b, d)
    if op == "sub":
        low, high = _negate((c, d))
        return _plus(a, low), _plus(b, high)
    if op == "mul":
        return _product(args)
    if op == "mod":
        if c is not None and c > 0:
            return 0, None if d is None else d - 1
        return _NONE
    if op == "floordiv" and c is not None and c == d and c > 0:
        return None if a is None else a // c, None if b is None else b // c
    if op == "bit_and" and ((a is not None and a >= 0) or (c is not None and c >= 0)):
        highs = [h for low, h in args if low is not None and low >= 0 and h is not None]
        return 0, min(highs) if highs else None
    if op == "rshift" and a is not None and a >= 0:
        return 0, b
    if op == "lshift" and a is not None and a >= 0:
        return a, None
    return _NONE


def _product(args: list[Bounds]) -> Bounds:
    (a, b), (c, d) = args
    if a is not None and b is not None and c is not None and d is not None:
        corners = [a * c, a * d, b * c, b * d]
        return min(corners), max(corners)
    if a is not None and a >= 0 and c is not None and c >= 0:
        return a * c, None
    return _NONE


def _call_bounds(term: App, args: list[Bounds]) -> Bounds:
    name = getattr(term.args[0], "path", "").rpartition(".")[2]
    if name == "len":
        return 0, None
    if name == "abs" and args:
        low, high = args[0]
        if low is not None and low >= 0:
            return low, high
        return 0, None if low is None or high is None else max(-low, high)
    if name in {"min", "max"} and args:
        pick = min if name == "min" else max
        lows, highs = [low for low, _ in args], [high for _, high in args]
        some_low = [v for v in lows if v is not None]
        some_high = [v for v in highs if v is not None]
        if name == "min":
            low = min(some_low) if len(some_low) == len(args) else None
            return low, pick(some_high) if some_high else None
        return pick(some_low) if some_low else None, max(some_high) if len(some_high) == len(args) else None
    return args[0] if name in {"int"} and args else _NONE
