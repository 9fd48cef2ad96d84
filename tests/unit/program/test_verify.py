"""The verifier: what it takes, and what it says of IR and machines that were corrupted in one place each."""

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from pointsman.core import InternalError
from pointsman.program import frontend, ir
from pointsman.program.compiler import build_program
from pointsman.program.ir import Const, Record, Ref, Var
from pointsman.program.table.machine import (
    App,
    Decide,
    Do,
    Goto,
    Machine,
    Node,
    Pick,
    Program,
    Range,
    Return,
    Switch,
    Sym,
    Take,
    nodes,
)
from pointsman.program.verify import verify_function, verify_program

SOURCE = """
from dataclasses import dataclass

TABLE = sorted([3, 1])

@dataclass(frozen=True)
class Order:
    total: int
    name: str

def helper(a, b=2, *, k=3):
    return a + b + k

def f(x: int, xs: list, o: Order):
    total = 0
    seen = []
    for i in range(x):
        if i > 3:
            total += i
    for y in xs:
        try:
            total += 10 // y
        except ZeroDivisionError as e:
            seen.append(str(e))
    def scale(v):
        return v * x + len(seen)
    parts = [scale(v) + x for v in xs if v]
    a, *b = sorted(parts or TABLE)
    text = f"{a!r:>3}" if o.total > 5 else o.name.upper()
    return helper(a, k=total), text, b, seen
"""


def lowered() -> Any:
    return frontend.lower_program(frontend.Module.parse(SOURCE), "f")


def compiled() -> Program:
    return build_program(lowered(), "f", lambda facts, atom: None)


IR = lowered()
PROGRAM = compiled()


def refusal(check: Callable[[], None]) -> str:
    with pytest.raises(InternalError) as caught:
        check()
    assert caught.value.code == "invalid_ir"
    return caught.value.message


# -- IR --------------------------------------------------------------------------------------------------------------


def verify_ir(function: ir.Function, **functions: ir.Function) -> None:
    verify_function(function, {**IR.functions, **functions}, IR.records, opaque=IR.opaque, globals_=IR.globals)


def made(*body: Any, params: str = "x", **changes: Any) -> ir.Function:
    return ir.Function("f", "f", tuple(ir.Param(p) for p in params.split()), tuple(body), **changes)


def let(target: str, op: str, *args: Any, attrs: tuple[Any, ...] = ()) -> ir.Let:
    return ir.Let(target, op, args, attrs)


X, DONE = Var("x"), ir.Return(Const(None))
BROKEN_IR: dict[str, tuple[ir.Function, str]] = {
    "unassigned": (made(ir.Return(Var("y"))), "'y' is read before it is assigned"),
    "unassigned_on_one_path": (
        made(ir.If(X, (let("y", "copy", X),), ()), ir.Return(Var("y"))), "'y' is read before"),
    "unassigned_in_handler": (
        made(ir.Try((let("%1", "neg", X),), "%2", (ir.Return(Var("%1")),)), DONE), "'%1' is read before"),
    "item_when_exhausted": (made(ir.Next("%1", X, (), (ir.Return(Var("%1")),)), DONE), "'%1' is read before"),
    "assigned_twice": (made(let("%1", "neg", X), let("%1", "pos", X), DONE), "'%1' is assigned twice"),
    "jump_to_nowhere": (made(ir.Jump("out")), "a jump to 'out'"),
    "jump_from_outside": (made(ir.Block("b", ()), ir.Jump("b")), "a jump to 'b'"),
    "jump_past_its_loop": (made(ir.Block("a", (ir.Loop("b", (ir.Jump("a"),)),)), ir.Jump("b")), "a jump to 'b'"),
    "label_twice": (made(ir.Block("a", ()), ir.Block("a", ()), DONE), "label 'a' is declared twice"),
    "no_operation": (made(let("%1", "explode", X), DONE), "no operation 'explode'"),
    "arity": (made(let("%1", "add", X), DONE), "'add' takes 2 arguments, not 1"),
    "attrs_of_none": (made(let("%1", "neg", X, attrs=(1,)), DONE), "'neg' cannot have attrs"),
    "call_shape": (made(let("%1", "call", Ref("builtins.len"), X, attrs=(("", ""),)), DONE), "'call' cannot have attrs"),
    "keyword": (made(let("%1", "call", Ref("builtins.len"), X, attrs=(("a b",),)), DONE), "a keyword must be"),
    "starred_position": (made(let("%1", "build_list", X, attrs=((1,),)), DONE), "'build_list' cannot have attrs"),
    "odd_dict": (made(let("%1", "build_dict", X), DONE), "'build_dict' cannot have attrs"),
    "method": (made(let("%1", "call_method", X, attrs=("paint", ())), DONE), "'paint' is neither"),
    "attribute": (made(let("%1", "get_attribute", X, attrs=("__globals__",)), DONE), "'__globals__' is neither"),
    "frame": (made(let("%1", "get_attribute", X, attrs=("gi_frame",)), DONE), "'gi_frame' is neither"),
    "stored_attribute": (made(let("%1", "set_attribute", X, X, attrs=("real",)), DONE), "'set_attribute' cannot have"),
    "builtin": (made(ir.Return(Ref("builtins.eval"))), "'builtins.eval' is not in the catalogue"),
    "library": (made(ir.Return(Ref("os.system"))), "'os.system' is not in the catalogue"),
    "function": (made(ir.Return(Ref("function:nobody"))), "no function 'nobody'"),
    "record": (made(ir.Return(Ref("record:Nothing"))), "no record 'Nothing'"),
    "mutable_constant": (made(ir.Return(Const([1]))), "is not an immutable constant"),
    "mutable_inside": (made(ir.Return(Const((1, {})))), "is not an immutable constant"),
    "closure_captures": (made(let("%1", "closure", attrs=("f.scale1",)), DONE), "'closure' cannot have attrs"),
    "no_closure": (made(let("%1", "closure", attrs=("nobody",)), DONE), "'closure' cannot have attrs"),
    "yield_in_function": (made(let("%1", "yield", X), DONE), "'yield' outside a generator"),
    "parameters": (made(DONE, params="x x"), "are not distinct"),
    "parameter_name": (made(DONE, params="x=1"), "a parameter must be an identifier"),
    "not_a_statement": (made("return"), "is not a statement"),
    "not_an_operand": (made(ir.Return(3)), "is not an operand"),
    "symbol": (made(let("a b", "copy", X), DONE), "is not the name of a variable"),
    "attribute_by_name": (
        made(let("%1", "call", Ref("operator.attrgetter"), Const("__class__.__mro__"), attrs=(("",),)), DONE),
        "cannot look up"),
    "attribute_getter_as_value": (made(ir.Return(Ref("operator.methodcaller"))), "must be called at once"),
    "format_of_variable": (
        made(let("%1", "call_method", X, X, attrs=("format", ("",))), DONE), "`format` needs a constant text"),
    "format_of_internals": (
        made(let("%1", "call_method", Const("{0.__globals__}"), X, attrs=("format", ("",))), DONE),
        "`format` needs a constant text"),
    "format_as_function": (made(ir.Return(Ref("builtins.str.format"))), "is not in the catalogue"),
    "global": (made(let("%1", "global_get", attrs=("SECRET",)), DONE), "'global_get' cannot have attrs"),
    "comprehension": (
        made(let("%1", "comprehension", X, attrs=("list", (), (("for", "v", None),), ("nobody",), False)), DONE),
        "no part 'nobody'"),
    "comprehension_variable": (
        made(let("%1", "comprehension", X, attrs=("list", (), (("for", "v w", None),), ("f.scale1",), False)), DONE),
        "a comprehension's variable"),
}  # fmt: skip


def test_lowered_functions_are_well_formed() -> None:
    assert len(IR.functions) > 4
    for function in IR.functions.values():
        verify_ir(function)


@pytest.mark.parametrize("name", BROKEN_IR)
def test_broken_ir_is_noticed(name: str) -> None:
    function, message = BROKEN_IR[name]
    said = refusal(lambda: verify_ir(function))
    assert message in said
    assert said.startswith("function 'f'")


def test_listed_names_may_be_looked_up_by_name() -> None:
    verify_ir(made(let("%1", "call", Ref("operator.attrgetter"), Const("total"), attrs=(("",),)), DONE))
    verify_ir(made(let("%1", "call", Ref("operator.methodcaller"), Const("split"), X, attrs=(("", ""),)), DONE))
    verify_ir(made(let("%1", "call_method", Const("{0.total:>{1}}"), X, X, attrs=("format", ("", ""))), DONE))


def test_a_message_names_the_line() -> None:
    statement = ir.Return(Var("y"), ir.Loc(12, 0, 12, 5))
    assert refusal(lambda: verify_ir(made(statement))).startswith("function 'f', line 12: ")


def test_an_internal_attribute_cannot_be_declared() -> None:
    record = Record("R", "dataclass", (("gi_frame", "object", None),))
    said = refusal(lambda: verify_function(made(DONE), {}, {"R": record}))
    assert "'gi_frame'" in said


# -- machines --------------------------------------------------------------------------------------------------------


def rewrite(node: Node, change: Callable[[Node], Node | None]) -> Node:
    """``node`` with the first node for which ``change`` gives another replaced."""
    done = False

    def visit(current: Node) -> Node:
        nonlocal done
        changed = None if done else change(current)
        if changed is not None:
            done = True
            return changed
        parts = {}
        for field in dataclasses.fields(current):
            value = getattr(current, field.name)
            if isinstance(value, Decide | Switch | Pick | Do | Take | Goto | Return):
                parts[field.name] = visit(value)
            elif field.name == "children":
                parts[field.name] = tuple(visit(child) for child in value)
        return replace(current, **parts) if parts else current

    result = visit(node)
    assert done, "the corruption found no place"
    return result


def with_machine(machine: Machine) -> Program:
    return replace(PROGRAM, machines={**PROGRAM.machines, machine.name: machine})


def with_node(change: Callable[[Node], Node | None], name: str = "f") -> Program:
    """The program with one node changed, in the first state of a machine that has such a node."""
    machine = PROGRAM.machines[name]
    for index, state in enumerate(machine.states):
        if any(change(node) is not None for node in nodes(state.root)):
            states = list(machine.states)
            states[index] = replace(state, root=rewrite(state.root, change))
            return with_machine(replace(machine, states=tuple(states)))
    raise AssertionError("the corruption found no place")


def with_state(at: int = 1, **changes: Any) -> Program:
    machine = PROGRAM.machines["f"]
    states = list(machine.states)
    states[at] = replace(states[at], **changes)
    return with_machine(replace(machine, states=tuple(states)))


def on(kind: type, change: Callable[[Any], Node | None], op: str = "") -> Program:
    return with_node(lambda node: change(node) if isinstance(node, kind) and (not op or node.op == op) else None)


def guarded_state() -> int:
    return next(i for i, s in enumerate(PROGRAM.machines["f"].states) if s.handler is not None)


def broken_machines() -> Iterator[tuple[str, Callable[[], Program], str]]:
    f = PROGRAM.machines["f"]
    second = f.states[1]
    returns = Return(Const(1))
    # fmt: off
    yield "numbering", lambda: with_state(index=77), "it is numbered 77"
    yield "goto_nowhere", lambda: on(Goto, lambda n: Goto(99, n.updates)), "there is no state 99"
    yield "goto_negative", lambda: on(Goto, lambda n: Goto(-1, n.updates)), "there is no state -1"
    yield "update_missing", lambda: on(Goto, lambda n: Goto(n.state, n.updates[1:]) if n.updates else None), "which wants"
    yield "update_extra", lambda: on(Goto, lambda n: Goto(n.state, (*n.updates, ("z", Const(1))))), "which wants"
    yield "kind_of_update", lambda: on(Goto, wrong_kind), "takes"
    yield "value_of_update", lambda: on(Goto, lambda n: Goto(n.state, tuple(
        (name, Const(-5) if term == Const(0) else term) for name, term in n.updates))), "is -5, outside of"
    yield "unknown_symbol", lambda: on(Return, lambda n: Return(Sym("ghost"))), "'ghost' (any) is used"
    yield "symbol_of_other_kind", lambda: on(Return, lambda n: Return(Sym("x", "str"))), "'x' (str) is used"
    yield "item_when_exhausted", lambda: on(Take, lambda n: replace(n, exhausted=Return(n.result))), "is used"
    yield "made_later", lambda: on(Do, lambda n: replace(n, args=(n.result, *n.args[1:])) if n.args else None), "is used"
    yield "no_handler", lambda: with_state(guarded_state(), handler=99), "there is no state 99"
    yield "handler_without_name", lambda: with_state(guarded_state(), caught=None), "a handler needs a name"
    yield "handler_of_other_variables", lambda: with_state(guarded_state(), handler=1), "its handler, state 1"
    yield "unknown_step", lambda: on(Do, lambda n: replace(n, op="explode")), "no operation 'explode'"
    yield "arity_of_step", lambda: on(Do, lambda n: replace(n, args=(*n.args, Const(1))), "floordiv"), "takes 2 arguments"
    yield "impure_term", lambda: on(Return, lambda n: Return(App("get_item", (Const((1,)), Const(5))))), "must be a step"
    yield "unknown_term", lambda: on(Return, lambda n: Return(App("explode", (Const(1),)))), "no operation"
    yield "kind_of_term", lambda: on(Return, lambda n: Return(App("add", (Const(1), Const(2)), (), "str"))), "gives int"
    yield "kind_of_step", lambda: on(Do, lambda n: replace(n, result=Sym(n.result.name, "bytes"))), "is called bytes"
    yield "falling_cuts", lambda: on(Return, lambda n: Switch(Const(1), (5, 3), (returns,) * 3)), "cuts (5, 3)"
    yield "children_of_switch", lambda: on(Return, lambda n: Switch(Const(1), (5,), (returns,) * 3)), "3 children"
    yield "switch_on_text", lambda: on(Return, lambda n: Switch(Const("a"), (5,), (returns,) * 2)), "a switch on a str"
    yield "same_keys", lambda: on(Return, lambda n: Pick(Const(1), (Const(1), Const(True)), (returns,) * 2, returns)), "distinct"
    yield "children_of_pick", lambda: on(Return, lambda n: Pick(Const(1), (Const(1),), (returns,) * 2, returns)), "2 children"
    yield "decision_on_number", lambda: on(Return, lambda n: Decide(Const(1), returns, Return(Const(2)))), "a decision on a int"
    yield "reference", lambda: on(Return, lambda n: Return(Ref("os.system"))), "'os.system' is not in the catalogue"
    yield "reference_inside", lambda: on(Return, lambda n: Return(App("build_tuple", (Ref("builtins.exec"),), (), "tuple"))), "not in the catalogue"
    yield "method", lambda: on(Do, lambda n: replace(n, attrs=("__reduce__",)), "get_method"), "'__reduce__' is neither"
    yield "keyword", lambda: on(Do, lambda n: replace(n, attrs=(("x=f()",),)) if len(n.args) == 2 else None, "call"), "a keyword must be"
    yield "constant", lambda: on(Return, lambda n: Return(Const({}))), "is not an immutable constant"
    yield "factory_as_value", lambda: on(Return, lambda n: Return(Ref(f"function:{closure_name()}"))), "must be made by `closure`"
    yield "cyclic", cyclic, "cycle"
    yield "not_a_node", lambda: on(Return, lambda n: "return"), "is not a node"
    yield "guard_kind", lambda: with_machine(replace(f, guards=(("x", "int or 1"), *f.guards[1:]))), "the guard 'x'"
    yield "guard_name", lambda: with_machine(replace(f, guards=(("y", "int"), *f.guards[1:]))), "the guard 'y'"
    yield "guards_not_known", lambda: with_machine(replace(f, guards=())), "the entry knows"
    yield "no_generic_table", lambda: with_machine(replace(f, generic=None)), "no generic table"
    yield "other_generic_table", lambda: with_machine(replace(f, generic=PROGRAM.machines["helper"])), "not of the same function"
    yield "no_states", lambda: with_machine(replace(f, states=(), generic=None, guards=())), "no states"
    yield "variable_name", lambda: with_state(variables=((";", Range()), *second.variables)), "is not the name of a variable"
    yield "variable_twice", lambda: with_state(variables=(*second.variables, ("q", Range()), ("q", Range()))), "not distinct"
    yield "empty_range", lambda: with_state(variables=(*second.variables, ("q", Range("int", 5, 4)))), "is empty"
    yield "no_entry", lambda: replace(PROGRAM, entry="nobody"), "its entry"
    yield "machine_name", lambda: replace(PROGRAM, machines={**PROGRAM.machines, "g": f}), "is listed as 'g'"
    yield "module_value", lambda: replace(PROGRAM, globals={"TABLE": "helper"}), "without parameters"
    yield "record_field", lambda: record("Order", ("a b", "int", None)), "a field must be an identifier"
    yield "record_internals", lambda: record("Order", ("tb_frame", "int", None)), "'tb_frame'"
    yield "record_private", lambda: record("Order", ("__dict__", "int", None)), "'__dict__'"
    yield "record_kind", lambda: replace(PROGRAM, records={"Order": replace(PROGRAM.records["Order"], kind="class")}), "is not a record"
    yield "record_default", lambda: record("Order", ("n", "int", Const([]))), "is not an immutable constant"
    # fmt: on


def record(name: str, extra: tuple[str, str, Any]) -> Program:
    declared = PROGRAM.records[name]
    return replace(PROGRAM, records={name: replace(declared, fields=(*declared.fields, extra))})


def wrong_kind(goto: Goto) -> Goto | None:
    target = PROGRAM.machines["f"].states[goto.state]
    if not any(known.kind == "int" for _, known in target.variables):
        return None
    kinds = dict(target.variables)
    return Goto(goto.state, tuple((n, Const("text") if kinds[n].kind == "int" else t) for n, t in goto.updates))


def closure_name() -> str:
    return next(name for name, machine in PROGRAM.machines.items() if machine.captures and "scale" in name)


def cyclic() -> Program:
    machine = PROGRAM.machines["helper"]
    first = Do(Sym("%900"), "iterate", (Const(()),), (), Return(Const(None)))
    object.__setattr__(first, "next", first)
    return with_machine(replace(machine, states=(replace(machine.states[0], root=first), *machine.states[1:])))


BROKEN_MACHINES = {name: (make, message) for name, make, message in broken_machines()}


def test_compiled_programs_are_well_formed() -> None:
    verify_program(PROGRAM)
    assert any(state.handler is not None for state in PROGRAM.machines["f"].states)


@pytest.mark.parametrize("name", BROKEN_MACHINES)
def test_a_broken_machine_is_noticed(name: str) -> None:
    make, message = BROKEN_MACHINES[name]
    program = make()
    assert message in refusal(lambda: verify_program(program))


def test_declared_attributes_are_not_internal_ones() -> None:
    verify_program(replace(PROGRAM, attributes=("colour",)))
    for name in ("__class__", "_hidden", "gi_frame", "f_globals", "co_code", "a b"):
        refusal(lambda name=name: verify_program(replace(PROGRAM, attributes=(name,))))
