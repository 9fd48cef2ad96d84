"""One instance -> one LLVM function: a block for each state, stack slots for its variables, branches for its decisions.

``{ result, status } @fN(ctx, depth, arguments)``; status 0: done, 1: abandoned (Python must run it), 2: out of fuel,
3: a signal's exception is set. LLVM turns the slots into registers. Each loop head costs one tick; recursion deeper
than ``MAX_DEPTH`` is abandoned, so that Python decides where its RecursionError lies.
"""

from __future__ import annotations

from typing import Final

from pointsman.core import InternalError
from pointsman.program.ir import UNBOUND, Const
from pointsman.program.native import operations, sequences
from pointsman.program.native.dispatch import operation
from pointsman.program.native.instances import Instance, always_used, callee_name
from pointsman.program.native.kinds import INT_MAX, INT_MIN, Kind, ListOf, llvm_type
from pointsman.program.native.rules import constant_kind
from pointsman.program.native.text import Code, Constants, Value, zero
from pointsman.program.table.machine import (
    App,
    Decide,
    Do,
    Goto,
    Node,
    Pick,
    Return,
    Switch,
    Sym,
    Take,
    Term,
    made_by,
)

__all__ = ["MAX_DEPTH", "lower"]

MAX_DEPTH: Final = 400  # chosen: well inside Python's default limit of 1000 frames

_Values = dict[Term, Value]


def lower(instance: Instance, constants: Constants) -> str:
    """The text of the instance's function."""
    return _Function(instance, constants).text()


class _Function:
    def __init__(self, instance: Instance, constants: Constants) -> None:
        self.i = instance
        self.code = Code(constants)
        self.state = 0
        assert instance.result is not None
        self.result = llvm_type(instance.result)
        self.slots: list[dict[str, tuple[Kind, str]]] = []
        for variables in instance.variables:
            known = {n: k for n, k in variables.items() if k is not None}
            self.slots.append({name: (kind, self.code.slot(llvm_type(kind))) for name, kind in known.items()})
        self.bad = [self._late(index) for index in range(len(instance.states))]

    def text(self) -> str:
        code = self.code
        for index, state in enumerate(self.i.states):
            self.state = index
            code.label(f"s{index}")
            if state.loop or (index == 0 and self.i.calls):
                self._tick()
            values: _Values = {}
            for name, (kind, slot) in self.slots[index].items():
                bad = self.bad[index].get(name)
                flag = None if bad is None else code.op(f"load i1, ptr {bad}")
                loaded = Value(kind, code.op(f"load {llvm_type(kind)}, ptr {slot}"), flag)
                values.update({Sym(name, k): loaded for k in self._spellings(name)})
            self._tree(state.root, values)
        return "\n".join([*self._head(), *code.lines, *self._tail(), "}", ""])

    def _late(self, index: int) -> dict[str, str]:
        """Slots for whether an int overflowed, for the variables that some way out of the state does not use.

        There an overflow of the last round, as of the last ``base *= base`` of a power, is nobody's business.
        """
        root = self.i.states[index].root
        ints = [name for name, (kind, _) in self.slots[index].items() if kind == "int"]
        return {} if index == 0 else {name: self.code.slot("i1") for name in ints if not always_used(root, name)}

    def _spellings(self, name: str) -> set[str]:
        """The kinds that the machine's terms give a symbol: they are part of its identity."""
        return {known.kind for n, known in self.i.states[self.state].variables if n == name} | {"any"}

    def _head(self) -> list[str]:
        params = [f"{llvm_type(k)} %a{n}" for n, k in enumerate(self.i.params)]
        pair = f"{{ {self.result}, i32 }}"
        lines = [
            f"define internal {pair} @f{self.i.number}({', '.join(['ptr %ctx', 'i32 %depth', *params])}) {{",
            "entry:",
        ]
        lines += self.code.slots
        for number, (param, kind) in enumerate(zip(self.i.machine.params, self.i.params, strict=True)):
            if param.name in self.slots[0]:
                lines.append(f"  store {llvm_type(kind)} %a{number}, ptr {self.slots[0][param.name][1]}")
        lines.append("  %deeper = add i32 %depth, 1")
        lines.append(f"  %deep = icmp ugt i32 %depth, {MAX_DEPTH}")
        return [*lines, "  br i1 %deep, label %abandon, label %s0, !prof !0"]

    def _tail(self) -> list[str]:
        pair = f"{{ {self.result}, i32 }}"
        return [
            "abandon:",
            f"  ret {pair} {{ {self.result} {zero(self.i.result or 'none')}, i32 1 }}",
        ]

    def _tick(self) -> None:
        """One tick less; at none, a look at fuel, signals and other threads."""
        code = self.code
        left = code.op(f"sub i64 {code.op('load i64, ptr %ctx')}, 1")
        code.put(f"store i64 {left}, ptr %ctx")
        slow, going = code.fresh("slow"), code.fresh("go")
        code.put(f"br i1 {code.op(f'icmp slt i64 {left}, 0')}, label {slow}, label {going}, !prof !0")
        code.label(slow)
        self._leave_unless_zero(code.op("call i32 @tick(ptr %ctx)"), going)
        code.label(going)

    def _leave_unless_zero(self, status: str, going: str) -> None:
        code = self.code
        leave = code.fresh("leave")
        code.put(f"br i1 {code.op(f'icmp ne i32 {status}, 0')}, label {leave}, label {going}, !prof !0")
        code.label(leave)
        pair = f"{{ {self.result}, i32 }}"
        code.put(f"ret {pair} {code.op(f'insertvalue {pair} zeroinitializer, i32 {status}, 1')}")

    # -- nodes -----------------------------------------------------------------------------------------------------

    def _tree(self, node: Node, values: _Values) -> None:
        while isinstance(node, Do) and id(node) not in self.i.doomed:
            self._step(node, values)
            node = node.next
        if id(node) in self.i.doomed:
            self.code.put("br label %abandon")
            return
        match node:
            case Return(value=value):
                self._return(self.value(value, values))
            case Goto():
                self._goto(node, values)
            case Decide(atom=atom):
                self._branch(self.value(atom, values).text, node.yes, node.no, values)
            case Take():
                self._take(node, values)
            case Switch():
                self._switch(node, values)
            case Pick():
                self._pick(node, values)
            case _:
                raise InternalError(f"no native code for {type(node).__name__}", code="native_node")

    def _branch(self, condition: str, yes: Node, no: Node, values: _Values) -> None:
        code = self.code
        first, second = code.fresh("yes"), code.fresh("no")
        code.put(f"br i1 {condition}, label {first}, label {second}")
        code.label(first)
        self._tree(yes, dict(values))
        code.label(second)
        self._tree(no, dict(values))

    def _return(self, value: Value) -> None:
        pair = f"{{ {self.result}, i32 }}"
        made = self.code.op(f"insertvalue {pair} {{ {self.result} poison, i32 0 }}, {self.result} {value.text}, 0")
        self.code.put(f"ret {pair} {made}")

    def _goto(self, node: Goto, values: _Values) -> None:
        slots = self.slots[node.state]
        moves = []
        for name, term in node.updates:
            if name not in slots:
                continue
            late = self.bad[node.state].get(name)
            if self._unassigned(term):  # never read, but a branch on what was never stored would be undefined
                value = Value(slots[name][0], zero(slots[name][0]))
            else:
                value = self._unchecked(term, values) if late else self.value(term, values)
            moves.append((slots[name], late, value))
        for (kind, slot), late, value in moves:
            self.code.put(f"store {llvm_type(kind)} {value.text}, ptr {slot}")
            if late is not None:
                self.code.put(f"store i1 {value.bad or 'false'}, ptr {late}")
        self.code.put(f"br label %s{node.state}")

    def _unassigned(self, term: Term) -> bool:
        """Whether a term is a variable without a value here, on every way."""
        if isinstance(term, Sym):
            return term.name not in self.slots[self.state] and term.name in self.i.variables[self.state]
        return isinstance(term, Const) and term.value is UNBOUND

    def _unchecked(self, term: Term, values: _Values) -> Value:
        """The value of a term, with whether it overflowed in place of a check where that is the last step."""
        overflowing = isinstance(term, App) and operations.OVERFLOWING.get(term.op)
        if not isinstance(term, App) or not overflowing or term in values:
            return self.value(term, values)
        given = [self.value(a, values) for a in term.args]
        if not {v.kind for v in given} <= {"int", "bool"}:
            return self.value(term, values)
        numbers = ", ".join(f"i64 {operations.convert(self.code, v, 'int')}" for v in given)
        pair = self.code.op(f"call {{ i64, i1 }} @llvm.{overflowing}.with.overflow.i64({numbers})")
        parts = [self.code.op(f"extractvalue {{ i64, i1 }} {pair}, {i}") for i in (0, 1)]
        return Value("int", parts[0], parts[1])

    def _take(self, node: Take, values: _Values) -> None:
        code = self.code
        iterator = self.value(node.iterator, values)
        more, position, place = sequences.take(code, iterator)
        item, end = code.fresh("item"), code.fresh("end")
        code.put(f"br i1 {more}, label {item}, label {end}")
        code.label(item)
        found = sequences.taken(code, iterator, position, place)
        self._tree(node.then, {**values, node.result: found})
        code.label(end)
        sequences.exhaust(code, iterator, place)
        self._tree(node.exhausted, dict(values))

    def _switch(self, node: Switch, values: _Values) -> None:
        number = self.value(node.term, values)
        self._cuts(number.text, node, 0, len(node.children), values)

    def _cuts(self, number: str, node: Switch, low: int, high: int, values: _Values) -> None:
        if high - low == 1:
            self._tree(node.children[low], dict(values))
            return
        code, middle = self.code, (low + high) // 2
        cut = node.cuts[middle - 1]
        if cut <= INT_MIN:  # no 64-bit int is below
            self._cuts(number, node, middle, high, values)
            return
        if cut > INT_MAX:
            self._cuts(number, node, low, middle, values)
            return
        below, above = code.fresh("below"), code.fresh("above")
        code.put(f"br i1 {code.op(f'icmp slt i64 {number}, {cut}')}, label {below}, label {above}")
        code.label(below)
        self._cuts(number, node, low, middle, values)
        code.label(above)
        self._cuts(number, node, middle, high, values)

    def _pick(self, node: Pick, values: _Values) -> None:
        code, subject = self.code, self.value(node.term, values)
        for key, child in zip(node.keys, node.children, strict=True):
            same = operations.compare(code, "eq", subject, self.value(key, values)).text
            hit, miss = code.fresh("hit"), code.fresh("miss")
            code.put(f"br i1 {same}, label {hit}, label {miss}")
            code.label(hit)
            self._tree(child, dict(values))
            code.label(miss)
        self._tree(node.default, values)

    # -- steps and terms -------------------------------------------------------------------------------------------

    def _step(self, node: Do, values: _Values) -> None:
        if node.op == "unpack":
            whole = self.value(node.args[0], values)
            for index, symbol in enumerate(made_by(node)):
                values[symbol] = sequences.part(self.code, whole, index)
        elif callee_name(node) is not None:
            values[node.result] = self._call(node, values)
        elif node.op == "check_bound":
            values[node.result] = self.value(node.args[0], values)
        else:
            values[node.result] = operation(
                self.code,
                node.op,
                node.args,
                node.attrs,
                self.i.site(self.state, node),
                lambda t: self.value(t, values),
            )

    def _call(self, node: Do, values: _Values) -> Value:
        callee = self.i.calls[self.state, id(node)]
        assert callee.result is not None
        given = [self.value(a, values) for a in node.args[1:]]
        for param in callee.machine.params[len(given) :]:
            assert isinstance(param.default, Const)
            given.append(self.value(param.default, values))
        result = llvm_type(callee.result)
        text = ", ".join(["ptr %ctx", "i32 %deeper", *(f"{llvm_type(v.kind)} {v.text}" for v in given)])
        pair = self.code.op(f"call {{ {result}, i32 }} @f{callee.number}({text})")
        going = self.code.fresh("done")
        self._leave_unless_zero(self.code.op(f"extractvalue {{ {result}, i32 }} {pair}, 1"), going)
        self.code.label(going)
        return Value(callee.result, self.code.op(f"extractvalue {{ {result}, i32 }} {pair}, 0"))

    def value(self, term: Term, values: _Values) -> Value:
        """The value of a term; composite ones are computed once on a path."""
        found = values.get(term)
        if found is not None:
            if found.bad is not None:
                self.code.fail_if(found.bad)
                found = values[term] = Value(found.kind, found.text)
            return found
        match term:
            case Const(value=value):
                kind = constant_kind(value)
                return Value(kind, self.code.constant(value, kind))
            case App(op=op, args=args, attrs=attrs):
                made = operation(self.code, op, args, attrs, ListOf(), lambda t: self.value(t, values))
                values[term] = made
                return made
        raise InternalError(f"no value for {term!r}", code="native_symbol")
