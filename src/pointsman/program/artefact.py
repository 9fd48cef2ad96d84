"""Programs as JSON (``*.route.json``): no source text, no pickle, nothing that is executed as it stands.

Terms and nodes are tables in which each entry refers to earlier ones by number, so shared parts are stored once. Every
state has the content hash of its region. ``decode`` trusts nothing: shapes are checked here, meaning by ``verify``.
"""

from __future__ import annotations

from typing import Any, Final

from pointsman.core import BadRequest
from pointsman.program.ir import UNBOUND, Const, Loc, Operand, Param, Record, Ref, Var, content_hash
from pointsman.program.table.machine import (
    App,
    Decide,
    Do,
    Goto,
    Machine,
    Node,
    Pick,
    Program,
    Raise,
    Range,
    Return,
    State,
    Switch,
    Sym,
    Take,
    Term,
)

__all__ = [
    "FORMAT",
    "VERSION",
    "decode_program",
    "encode_program",
    "machine_from_json",
    "machine_to_json",
    "region_hash",
]

FORMAT: Final = "pointsman-route"
VERSION: Final = 1


def encode_program(program: Program) -> dict[str, Any]:
    """The program's part of an artefact, as JSON values."""
    return {
        "entry": program.entry,
        "machines": {name: machine_to_json(machine) for name, machine in program.machines.items()},
        "records": {name: _record_to_json(record) for name, record in program.records.items()},
        "globals": program.globals,
        "opaque": list(program.opaque),
        "attributes": list(program.attributes),
    }


def decode_program(data: Any) -> Program:
    """Raises BadRequest ``bad_artefact`` for anything that is not the form that ``encode_program`` writes."""
    try:
        return Program(
            str(data["entry"]),
            {str(name): machine_from_json(value) for name, value in data["machines"].items()},
            {str(name): _record_from_json(value) for name, value in data["records"].items()},
            {str(k): str(v) for k, v in data["globals"].items()},
            tuple(str(name) for name in data["opaque"]),
            tuple(str(name) for name in data["attributes"]),
        )
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, RecursionError) as exc:
        raise BadRequest(f"not a route artefact: {type(exc).__name__}: {exc}", code="bad_artefact") from exc


def region_hash(state: State) -> str:
    """The content hash of a state's region: its variables, what is known of them, and its DAG."""
    encoder = _Encoder()
    root = encoder.node(state.root)
    return content_hash(
        encoder.terms, encoder.nodes, root, [list(v) for v in _variables(state)], state.handler, state.caught
    )


def _variables(state: State) -> list[tuple[Any, ...]]:
    return [(name, r.kind, r.low, r.high) for name, r in state.variables]


# -- constants and small records ---------------------------------------------------------------------------------------


def constant_to_json(value: Any) -> list[Any]:
    if value is None or value is Ellipsis:
        return ["none" if value is None else "ellipsis"]
    if value is UNBOUND:
        return ["unbound"]
    match value:
        case bool() | int() | str():
            return [type(value).__name__, value]
        case float():
            return ["float", value.hex()]
        case complex():
            return ["complex", value.real.hex(), value.imag.hex()]
        case bytes():
            return ["bytes", value.hex()]
        case tuple():
            return ["tuple", [constant_to_json(item) for item in value]]
        case frozenset():
            return ["frozenset", sorted((constant_to_json(item) for item in value), key=repr)]
    raise TypeError(f"no JSON form for {value!r}")


def constant_from_json(data: Any) -> Any:
    kind, *rest = data
    match kind:
        case "none" | "ellipsis" | "unbound":
            return {"none": None, "ellipsis": ..., "unbound": UNBOUND}[kind]
        case "bool" | "int" | "str":
            expected = {"bool": bool, "int": int, "str": str}[kind]
            if type(rest[0]) is not expected:
                raise TypeError(f"{rest[0]!r} is not {kind}")
            return rest[0]
        case "float":
            return float.fromhex(rest[0])
        case "complex":
            return complex(float.fromhex(rest[0]), float.fromhex(rest[1]))
        case "bytes":
            return bytes.fromhex(rest[0])
        case "tuple":
            return tuple(constant_from_json(item) for item in rest[0])
        case "frozenset":
            return frozenset(constant_from_json(item) for item in rest[0])
    raise ValueError(f"unknown constant {kind!r}")


def _operand_to_json(operand: Operand | None) -> Any:
    match operand:
        case None:
            return None
        case Const(value=value):
            return ["const", constant_to_json(value)]
        case Ref(path=path):
            return ["ref", path]
        case Var(name=name):
            return ["var", name]


def _operand_from_json(data: Any) -> Operand | None:
    if data is None:
        return None
    kind, value = data
    match kind:
        case "const":
            return Const(constant_from_json(value))
        case "ref":
            return Ref(str(value))
        case "var":
            return Var(str(value))
    raise ValueError(f"unknown operand {kind!r}")


def _record_to_json(record: Record) -> dict[str, Any]:
    fields = [[name, text, _operand_to_json(value)] for name, text, value in record.fields]
    return {"name": record.name, "kind": record.kind, "fields": fields, "frozen": record.frozen, "order": record.order,
            "base": record.base}  # fmt: skip


def _record_from_json(data: Any) -> Record:
    fields = tuple((str(name), str(text), _operand_from_json(value)) for name, text, value in data["fields"])
    return Record(
        str(data["name"]), str(data["kind"]), fields, bool(data["frozen"]), bool(data["order"]), str(data["base"])
    )


def _frozen(value: Any) -> Any:
    """JSON lists as tuples: attrs are nested tuples of strings, numbers, booleans and None."""
    if isinstance(value, list):
        return tuple(_frozen(item) for item in value)
    if value is None or isinstance(value, str | int | bool):
        return value
    raise TypeError(f"unexpected {value!r}")


# -- machines ----------------------------------------------------------------------------------------------------------


class _Encoder:
    def __init__(self) -> None:
        self.terms: list[Any] = []
        self.nodes: list[Any] = []
        self._term_numbers: dict[Term, int] = {}
        self._node_numbers: dict[Node, int] = {}

    def term(self, term: Term) -> int:
        found = self._term_numbers.get(term)
        if found is None:
            match term:
                case Sym(name=name, kind=kind):
                    data: list[Any] = ["sym", name, kind]
                case Const(value=value):
                    data = ["const", constant_to_json(value)]
                case Ref(path=path):
                    data = ["ref", path]
                case App(op=op, args=args, attrs=attrs, kind=kind):
                    data = ["app", op, [self.term(a) for a in args], list(attrs), kind]
            self.terms.append(data)
            found = self._term_numbers[term] = len(self.terms) - 1
        return found

    def node(self, node: Node) -> int:
        found = self._node_numbers.get(node)
        if found is None:
            data = self._node(node)
            self.nodes.append(data)
            found = self._node_numbers[node] = len(self.nodes) - 1
        return found

    def _node(self, node: Node) -> list[Any]:
        match node:
            case Decide(atom=atom, yes=yes, no=no):
                return ["decide", self.term(atom), self.node(yes), self.node(no)]
            case Switch(term=term, cuts=cuts, children=children):
                return ["switch", self.term(term), list(cuts), [self.node(c) for c in children]]
            case Pick(term=term, keys=keys, children=children, default=default):
                return ["pick", self.term(term), [self.term(k) for k in keys], [self.node(c) for c in children],
                        self.node(default)]  # fmt: skip
            case Do(result=result, op=op, args=args, attrs=attrs, next=following):
                return ["do", self.term(result), op, [self.term(a) for a in args], list(attrs), self.node(following)]
            case Take(result=result, iterator=iterator, then=then, exhausted=exhausted):
                return ["take", self.term(result), self.term(iterator), self.node(then), self.node(exhausted)]
            case Goto(state=state, updates=updates):
                return ["goto", state, [[name, self.term(term)] for name, term in updates]]
            case Return(value=value):
                return ["return", self.term(value)]
            case Raise(exception=exception):
                return ["raise", self.term(exception)]


def machine_to_json(machine: Machine) -> dict[str, Any]:
    encoder = _Encoder()
    states = [
        {
            "label": s.label,
            "variables": [list(v) for v in _variables(s)],
            "root": encoder.node(s.root),
            "handler": s.handler,
            "caught": s.caught,
            "loop": s.loop,
            "loc": [s.loc.line, s.loc.column, s.loc.end_line, s.loc.end_column],
            "hash": region_hash(s),
        }
        for s in machine.states
    ]
    params = [[p.name, p.kind, p.type, p.annotation, _operand_to_json(p.default)] for p in machine.params]
    return {
        "name": machine.name,
        "qualname": machine.qualname,
        "params": params,
        "guards": [list(g) for g in machine.guards],
        "captures": list(machine.captures),
        "memo": machine.memo,
        "generator": machine.generator,
        "terms": encoder.terms,
        "nodes": encoder.nodes,
        "states": states,
        "generic": machine_to_json(machine.generic) if machine.generic is not None else None,
    }


def machine_from_json(data: Any) -> Machine:
    decoder = _Decoder(data["terms"], data["nodes"])
    states = tuple(
        State(
            index,
            str(s["label"]),
            tuple((str(n), Range(str(kind), _bound(low), _bound(high))) for n, kind, low, high in s["variables"]),
            decoder.nodes[s["root"]],
            None if s["handler"] is None else int(s["handler"]),
            None if s["caught"] is None else str(s["caught"]),
            bool(s["loop"]),
            Loc(*map(int, s["loc"])),
        )
        for index, s in enumerate(data["states"])
    )
    params = tuple(
        Param(
            str(name),
            str(kind),
            None if t is None else str(t),
            None if a is None else str(a),
            _operand_from_json(default),
        )
        for name, kind, t, a, default in data["params"]
    )
    guards = tuple((str(name), str(kind)) for name, kind in data["guards"])
    captures = tuple(str(c) for c in data["captures"])
    generic = machine_from_json(data["generic"]) if data["generic"] is not None else None
    return Machine(str(data["name"]), str(data["qualname"]), params, states, guards, captures, int(data["memo"]),
                   bool(data["generator"]), generic)  # fmt: skip


def _bound(value: Any) -> int | None:
    if value is not None and type(value) is not int:
        raise TypeError(f"{value!r} is not a bound")
    return value


class _Decoder:
    """Rebuilds shared terms and nodes; an entry may refer only to earlier ones, so there are no cycles."""

    def __init__(self, terms: list[Any], nodes: list[Any]) -> None:
        self.terms: list[Term] = []
        for data in terms:
            self.terms.append(self._term(data))
        self.nodes: list[Node] = []
        for data in nodes:
            self.nodes.append(self._node(data))

    def _term(self, data: Any) -> Term:
        kind, *rest = data
        match kind:
            case "sym":
                return Sym(str(rest[0]), str(rest[1]))
            case "const":
                return Const(constant_from_json(rest[0]))
            case "ref":
                return Ref(str(rest[0]))
            case "app":
                return App(str(rest[0]), tuple(self._at(i) for i in rest[1]), _frozen(rest[2]), str(rest[3]))
        raise ValueError(f"unknown term {kind!r}")

    def _at(self, index: Any) -> Term:
        return self.terms[_natural(index)]

    def _to(self, index: Any) -> Node:
        return self.nodes[_natural(index)]

    def _symbol(self, index: Any) -> Sym:
        term = self._at(index)
        if not isinstance(term, Sym):
            raise TypeError("a step's result must be a symbol")
        return term

    def _node(self, data: Any) -> Node:
        kind, *rest = data
        match kind:
            case "decide":
                return Decide(self._at(rest[0]), self._to(rest[1]), self._to(rest[2]))
            case "switch":
                return Switch(self._at(rest[0]), tuple(map(int, rest[1])), tuple(map(self._to, rest[2])))
            case "pick":
                keys = tuple(k for k in map(self._at, rest[1]) if isinstance(k, Const))
                return Pick(self._at(rest[0]), keys, tuple(map(self._to, rest[2])), self._to(rest[3]))
            case "do":
                args = tuple(map(self._at, rest[2]))
                return Do(self._symbol(rest[0]), str(rest[1]), args, _frozen(rest[3]), self._to(rest[4]))
            case "take":
                return Take(self._symbol(rest[0]), self._at(rest[1]), self._to(rest[2]), self._to(rest[3]))
            case "goto":
                return Goto(_natural(rest[0]), tuple((str(name), self._at(term)) for name, term in rest[1]))
            case "return":
                return Return(self._at(rest[0]))
            case "raise":
                return Raise(self._at(rest[0]))
        raise ValueError(f"unknown node {kind!r}")


def _natural(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise TypeError(f"{value!r} is not an index")
    return value
