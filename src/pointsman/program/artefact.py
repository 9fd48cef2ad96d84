"""Programs as JSON (``*.route.json``): no source text, no pickle, nothing that is executed as it stands.

Terms and nodes are tables in which each entry refers to earlier ones by number, so shared parts are stored once. Every
state has the content hash of its region. ``decode`` trusts nothing: shapes are checked here, meaning by ``verify``.
"""

from __future__ import annotations

import json
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
    "check_header",
    "decode_program",
    "encode_program",
    "machine_from_json",
    "machine_to_json",
    "parse_artefact",
    "region_hash",
]

FORMAT: Final = "pointsman-route"
VERSION: Final = 1

# limits of what is read; ours stay far below them (terms: explorer, 100; constants: what the source can nest)
_MAX_NESTING = 300  # of JSON; chosen
_MAX_CONSTANT = 50  # tuples inside one another; chosen: CPython compiles 200 parentheses, around other text
_MAX_TERM = 1_000  # operations and operands of a term as it is written out; chosen
_MAX_LOC = 2**31


def parse_artefact(text: str, where: str) -> Any:
    """The JSON of an artefact; ``check_header`` comes next. Raises BadRequest ``bad_artefact``."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise BadRequest(f"{where}: not a route artefact: {exc}", code="bad_artefact") from exc


def check_header(data: Any, where: str) -> dict[str, Any]:
    """``data``, if it is what this version reads. Raises BadRequest ``bad_artefact`` or ``artefact_version``."""
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise BadRequest(f"{where}: not a route artefact: expected format {FORMAT!r}", code="bad_artefact")
    version = data.get("version")
    if type(version) is not int or version != VERSION:
        shown = repr(version) if isinstance(version, str | int | float | bool) else type(version).__name__
        raise BadRequest(
            f"{where}: artefact version {shown[:20]}; this Pointsman reads version {VERSION}; compile it again",
            code="artefact_version",
        )
    if _is_deep(data):
        raise BadRequest(f"{where}: not a route artefact: nested too deeply", code="bad_artefact")
    return data


def _is_deep(data: Any) -> bool:
    level = [data]
    for _ in range(_MAX_NESTING):
        level = [
            inner
            for part in level
            for inner in (part.values() if isinstance(part, dict) else part if isinstance(part, list) else ())
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


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
            _text(data["entry"]),
            {name: machine_from_json(value) for name, value in data["machines"].items()},
            {name: _record_from_json(value) for name, value in data["records"].items()},
            {name: _text(maker) for name, maker in data["globals"].items()},
            tuple(_text(name) for name in _list(data["opaque"])),
            tuple(_text(name) for name in _list(data["attributes"])),
        )
    except (
        KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError, RecursionError, MemoryError
    ) as exc:  # fmt: skip
        raise BadRequest(f"not a route artefact: {type(exc).__name__}: {_short(exc)}", code="bad_artefact") from exc


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) < 200 else f"{text[:200]}..."


# -- parts: the JSON type that is meant, and no other ------------------------------------------------------------------


def _text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError(f"expected text, got {type(value).__name__}")
    return value


def _text_or_none(value: Any) -> str | None:
    return None if value is None else _text(value)


def _flag(value: Any) -> bool:
    if type(value) is not bool:
        raise TypeError(f"expected true or false, got {type(value).__name__}")
    return value


def _list(value: Any) -> list[Any]:
    if type(value) is not list:
        raise TypeError(f"expected an array, got {type(value).__name__}")
    return value


def _int(value: Any) -> int:
    if type(value) is not int:
        raise TypeError(f"expected an integer, got {type(value).__name__}")
    return value


def _natural(value: Any) -> int:
    if _int(value) < 0:
        raise ValueError(f"{_short(value)} is not an index")
    return int(value)


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


def constant_from_json(data: Any, depth: int = 0) -> Any:
    kind, *rest = _list(data)
    if depth > _MAX_CONSTANT:
        raise ValueError("a constant is nested too deeply")
    if len(rest) != {"none": 0, "ellipsis": 0, "unbound": 0, "complex": 2}.get(kind, 1):
        raise ValueError(f"{kind!r} with {len(rest)} parts is not a constant")
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
            return tuple(constant_from_json(item, depth + 1) for item in _list(rest[0]))
        case "frozenset":
            return frozenset(constant_from_json(item, depth + 1) for item in _list(rest[0]))
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
    kind, value = _list(data)
    match kind:
        case "const":
            return Const(constant_from_json(value))
        case "ref":
            return Ref(_text(value))
        case "var":
            return Var(_text(value))
    raise ValueError(f"unknown operand {kind!r}")


def _record_to_json(record: Record) -> dict[str, Any]:
    fields = [[name, text, _operand_to_json(value)] for name, text, value in record.fields]
    return {"name": record.name, "kind": record.kind, "fields": fields, "frozen": record.frozen, "order": record.order,
            "base": record.base}  # fmt: skip


def _record_from_json(data: Any) -> Record:
    fields = tuple((_text(name), _text(text), _operand_from_json(value)) for name, text, value in _list(data["fields"]))
    return Record(
        _text(data["name"]), _text(data["kind"]), fields, _flag(data["frozen"]), _flag(data["order"]),
        _text(data["base"]),
    )  # fmt: skip


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


def machine_from_json(data: Any, *, twin: bool = False) -> Machine:
    decoder = _Decoder(_list(data["terms"]), _list(data["nodes"]))
    states = tuple(_state_from_json(index, state, decoder) for index, state in enumerate(_list(data["states"])))
    params = tuple(
        Param(_text(name), _text(kind), _text_or_none(type_), _text_or_none(annotation), _operand_from_json(default))
        for name, kind, type_, annotation, default in _list(data["params"])
    )
    guards = tuple((_text(name), _text(kind)) for name, kind in _list(data["guards"]))
    captures = tuple(_text(c) for c in _list(data["captures"]))
    if twin and data["generic"] is not None:
        raise ValueError("a generic table has no generic table")
    generic = machine_from_json(data["generic"], twin=True) if data["generic"] is not None else None
    return Machine(_text(data["name"]), _text(data["qualname"]), params, states, guards, captures, _int(data["memo"]),
                   _flag(data["generator"]), generic)  # fmt: skip


def _state_from_json(index: int, data: Any, decoder: _Decoder) -> State:
    line, column, end_line, end_column = _list(data["loc"])
    if max(map(_natural, data["loc"])) > _MAX_LOC:
        raise ValueError("a place beyond any file")
    return State(
        index,
        _text(data["label"]),
        tuple((_text(n), Range(_text(kind), _bound(low), _bound(high))) for n, kind, low, high in data["variables"]),
        decoder.nodes[_natural(data["root"])],
        None if data["handler"] is None else _natural(data["handler"]),
        _text_or_none(data["caught"]),
        _flag(data["loop"]),
        Loc(line, column, end_line, end_column),
    )


def _bound(value: Any) -> int | None:
    return None if value is None else _int(value)


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
        kind, *rest = _list(data)
        match kind:
            case "sym":
                return Sym(_text(rest[0]), _text(rest[1]))
            case "const":
                return Const(constant_from_json(rest[0]))
            case "ref":
                return Ref(_text(rest[0]))
            case "app":
                args = tuple(self._at(i) for i in _list(rest[1]))
                term = App(_text(rest[0]), args, _frozen(_list(rest[2])), _text(rest[3]))
                if term.size > _MAX_TERM:
                    raise ValueError(f"a term of more than {_MAX_TERM} operations and operands")
                return term
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

    def _constant(self, index: Any) -> Const:
        term = self._at(index)
        if not isinstance(term, Const):
            raise TypeError("a key must be a constant")
        return term

    def _node(self, data: Any) -> Node:
        kind, *rest = _list(data)
        match kind:
            case "decide":
                return Decide(self._at(rest[0]), self._to(rest[1]), self._to(rest[2]))
            case "switch":
                return Switch(self._at(rest[0]), tuple(map(_int, _list(rest[1]))), tuple(map(self._to, rest[2])))
            case "pick":
                keys = tuple(map(self._constant, rest[1]))
                return Pick(self._at(rest[0]), keys, tuple(map(self._to, rest[2])), self._to(rest[3]))
            case "do":
                args = tuple(map(self._at, rest[2]))
                return Do(self._symbol(rest[0]), _text(rest[1]), args, _frozen(_list(rest[3])), self._to(rest[4]))
            case "take":
                return Take(self._symbol(rest[0]), self._at(rest[1]), self._to(rest[2]), self._to(rest[3]))
            case "goto":
                return Goto(_natural(rest[0]), tuple((_text(name), self._at(term)) for name, term in rest[1]))
            case "return":
                return Return(self._at(rest[0]))
            case "raise":
                return Raise(self._at(rest[0]))
        raise ValueError(f"unknown node {kind!r}")
