"""``diff``: which inputs two tables treat differently, with an example of each.

For tables of one state over checked scalars the rows are compared by the solver: each pair of an old and a new row that
some input takes both of, with another outcome, gives an input, which is then run through both. When no pair is left,
equality is proved. Everything else is compared on generated inputs, and the result says so.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

from pointsman.program.artefact import region_hash
from pointsman.program.check.inputs import Inputs, rows
from pointsman.program.check.scripted import ScriptedAnswers
from pointsman.program.check.shapes import shape_of_annotation
from pointsman.program.explore.kinds import kind_of
from pointsman.program.judgement import answering
from pointsman.program.proof.certificate import guards_of_rows
from pointsman.program.proof.models import model_inputs, row_inputs, solvable
from pointsman.program.proof.smt import Formulas
from pointsman.program.results import MAX_ITEMS, Unserialisable, drawn, exception_text, to_json, written
from pointsman.program.runtime import Outcome, Table
from pointsman.program.table.machine import Machine, Node, Return

__all__ = ["Change", "Difference", "compare"]

_MAX_CHANGES = 50
_FUEL = 1_000_000
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")  # of a function, say: it differs on every run


@dataclass(frozen=True, slots=True)
class Change:
    """An input, and what each table makes of it, as JSON text."""

    inputs: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Difference:
    """``verdict``: ``equal`` (proved), ``changed``, or ``no change found`` on ``tested`` inputs (not a proof)."""

    verdict: Literal["equal", "changed", "no change found"]
    changes: tuple[Change, ...]
    tested: int
    detail: str


def compare(old: Table, new: Table, *, examples: int = 2_000, seed: int = 0) -> Difference:
    """Compares behaviours of two tables of the same parameters; questions get the same answers on both, by script."""
    with answering(ScriptedAnswers()):
        return _compare(old, new, examples, seed)


def _compare(old: Table, new: Table, examples: int, seed: int) -> Difference:
    if _shape(old) == _shape(new):
        return Difference("equal", (), 0, "the tables are the same, region by region")
    before, after = [(p.name, p.type) for p in old.machine.params], [(p.name, p.type) for p in new.machine.params]
    if before != after:
        return Difference("changed", (), 0, f"the parameters changed: {before} -> {after}")
    if _comparable(old.machine, old) and _comparable(new.machine, new):
        found = _by_rows(old, new)
        if found is not None:
            return found
    return _by_inputs(old, new, examples, seed)


def _shape(table: Table) -> list[Any]:
    return [
        (
            name,
            m.params,
            m.guards,
            [region_hash(s) for s in m.states],
            [region_hash(s) for s in m.generic.states] if m.generic else [],
        )
        for name, m in sorted(table.program.machines.items())
    ]


def _comparable(machine: Machine, table: Table) -> bool:
    return len(machine.states) == 1 and len(table.program.machines) == 1 and solvable(machine, table.program.records)


def _by_rows(old: Table, new: Table) -> Difference | None:
    f = Formulas()
    first, second = guards_of_rows(old.machine.states[0].root, f), guards_of_rows(new.machine.states[0].root, f)
    if not first or not second:
        return None
    changes: list[Change] = []
    settled = True
    for guard, leaf in first:
        for other, target in second:
            apart = _apart(leaf, target, f)
            if apart is False or len(changes) >= _MAX_CHANGES:
                continue
            formulas = [guard, other] + ([] if apart is True else [apart])
            inputs = model_inputs(old.machine, old.program.records, f, formulas)
            if inputs is None:
                continue
            change = _run_both(old, new, inputs)
            if change is not None:
                changes.append(change)
            elif apart is True:
                settled = False  # the rows look different; on this input they are not
    if changes:
        return Difference("changed", tuple(changes), 0, "found by the solver, row against row; each was run")
    if settled:
        return Difference("equal", (), 0, "proved: no input of the declared types takes rows with different outcomes")
    return None


def _apart(leaf: Node, target: Node, f: Formulas) -> Any:
    """False: the same outcome. True: perhaps another one. Else a formula for the inputs on which they differ."""
    if leaf == target:
        return False
    if isinstance(leaf, Return) and isinstance(target, Return):
        kinds = {kind_of(leaf.value), kind_of(target.value)}
        if kinds == {"int"}:
            return f.integer(leaf.value) != f.integer(target.value)
        if kinds == {"bool"}:
            return f.boolean(leaf.value) != f.boolean(target.value)
    return True


def _run_both(old: Table, new: Table, inputs: dict[str, Any]) -> Change | None:
    first, second = old.answer(inputs, _FUEL).json_text, new.answer(inputs, _FUEL).json_text
    return Change(to_json(inputs), first, second) if first != second else None


def _by_inputs(old: Table, new: Table, examples: int, seed: int) -> Difference:
    """Generated arguments, and the boundaries of both tables."""
    changes: dict[tuple[str, str], Change] = {}
    tested = 0
    for inputs in [*row_inputs(old.machine, old.program.records), *row_inputs(new.machine, new.program.records)]:
        change = _run_both(old, new, inputs)
        tested += 1
        if change is not None:
            changes.setdefault((change.old, change.new), change)
    records = old.program.records
    shapes = [
        shape_of_annotation(p.annotation or "object", records) for p in old.machine.params if "star" not in p.kind
    ]
    made = Inputs(records, old._metered.records)
    for args, kwargs in islice(rows(old.machine.params, [shapes], made, [], seed), examples):
        outcomes = [_shown(t.outcome(*copy.deepcopy((args, kwargs)), fuel=_FUEL, finish=_text)) for t in (old, new)]
        tested += 1
        if outcomes[0] != outcomes[1]:
            shown = _inputs_json(old.machine, args, kwargs)
            changes.setdefault((outcomes[0], outcomes[1]), Change(shown, outcomes[0], outcomes[1]))
    found = tuple(changes.values())[:_MAX_CHANGES]
    if found:
        return Difference("changed", found, tested, f"found by running {tested} inputs; there may be more")
    return Difference("no change found", (), tested, f"{tested} inputs gave the same on both; this is no proof")


def _inputs_json(machine: Machine, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    """A call as inputs in JSON: by name where every argument has one, else by position (then kwargs in an object)."""
    names = [p.name for p in machine.params if p.kind in {"positional_only", "plain"}]
    call: Any = {**dict(zip(names, args, strict=False)), **kwargs}
    if len(args) > len(names):
        call = [*args, *([dict(kwargs)] if kwargs else [])]
    try:
        return to_json(call)
    except Unserialisable:
        return to_json(_text(call))


def _text(value: Any) -> str:
    """Within the run: an iterator is drawn, so what its items raise is the program's outcome too."""
    if isinstance(value, Iterator):
        items = drawn(value)
        return f"more than {MAX_ITEMS:,} items" if items is None else f"items {_text(items)}"
    try:
        return _ADDRESS.sub("", written(lambda: repr(value)))
    except (Unserialisable, RecursionError):
        return f"{type(value).__name__} that is too large or too deep to write"


def _shown(outcome: Outcome) -> str:
    if outcome.kind == "value":
        return str(outcome.value)
    error = outcome.exception
    return "out of fuel" if error is None else _ADDRESS.sub("", f"{type(error).__name__}: {exception_text(error)}")
