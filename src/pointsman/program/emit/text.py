"""Python text of terms and operations. Every composite is in parentheses, so text can be put anywhere.

A *piece* is an expression's text with the locals it reads, so that a later assignment can tell whether it would change
it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pointsman.core import InternalError
from pointsman.program import catalogue
from pointsman.program.ir import UNBOUND, Const, Ref
from pointsman.program.table.machine import App, Sym, Term

__all__ = ["HELPERS", "STAND_INS", "Piece", "operation", "render"]

# operations that call one of the runtime's helpers (runtime/support.py), by name
HELPERS: Final = {
    "index": "_index", "check_bound": "_check_bound", "cell_get": "_cell_get", "exception": "_exception",
    "assertion": "_AssertionError", "set_cause": "_set_cause", "match_shape": "_is_sequence", "format": "_format",
    "caught_is": "_isinstance", "match_class": "_isinstance", "truth": "_bool", "iterate": "_iter", "slice": "_slice",
}  # fmt: skip
_NEGATED: Final = {"lt": ">=", "eq": "!=", "in": "not in", "is": "is not"}
STAND_INS: Final = {"builtins.type": "_kind_of"}  # see support.py
_TYPE: Final = Ref("builtins.type")
_SAMENESS: Final = frozenset({"is", "is_not", "eq", "ne", "in", "not_in"})
_ORDERED: Final = frozenset({"int", "bool", "str", "bytes"})


@dataclass(frozen=True, slots=True)
class Piece:
    text: str
    reads: frozenset[str] = frozenset()
    atomic: bool = True

    def bracketed(self) -> str:
        return self.text if self.atomic else f"({self.text})"

    def owner(self) -> str:
        """The text before a dot, bracket or call: a number takes parentheses there."""
        return f"({self.text})" if not self.atomic or self.text[0].isdigit() else self.text


Names = Callable[[Ref], str]
Lookup = Callable[[Term], Piece | None]


def constant(value: Any) -> str:
    if value is UNBOUND:
        return "_UNBOUND"
    if isinstance(value, float):
        return repr(value) if value - value == 0 else f"_float({str(value)!r})"
    if isinstance(value, tuple):
        return "(" + "".join(f"{constant(v)}, " for v in value) + ")" if value else "()"
    if isinstance(value, frozenset):
        return "_frozenset((" + "".join(f"{constant(v)}, " for v in sorted(value, key=repr)) + "))"
    return repr(value)


def render(term: Term, lookup: Lookup, ref: Names) -> Piece:
    """The text of a term; ``lookup`` gives what is already in a local (or pending), if anything."""
    found = lookup(term)
    if found is not None:
        return found
    match term:
        case Const(value=value):
            text = constant(value)
            return Piece(text, atomic=not text.startswith("-"))
        case Ref():
            return Piece(ref(term))
        case App(op=op, args=args, attrs=attrs):
            pieces = [render(a, lookup, ref) for a in args]
            return operation(op, pieces, attrs, args, ref)
        case Sym(name=name):
            raise InternalError(f"no local holds {name!r}", code="emit_symbol")
    raise InternalError(f"not a term: {term!r}")


def negated(term: Term, lookup: Lookup, ref: Names) -> Piece:
    """The text of ``not term``, with the operator turned where that is exact."""
    if isinstance(term, App) and lookup(term) is None and len(term.args) == 2 and term.op in _NEGATED:
        kinds = {_kind(a) for a in term.args}
        if term.op != "lt" or kinds <= _ORDERED:
            pieces = compared(term.op, [render(a, lookup, ref) for a in term.args], term.args)
            return _infix(_NEGATED[term.op], pieces)
    if isinstance(term, App) and term.op == "not" and lookup(term) is None:
        return render(term.args[0], lookup, ref)
    inner = render(term, lookup, ref)
    return Piece(f"not {inner.bracketed()}", inner.reads, False)


def _kind(term: Term) -> str:
    from pointsman.program.explore.kinds import kind_of

    return kind_of(term)


def _infix(symbol: str, pieces: Sequence[Piece]) -> Piece:
    left, right = pieces
    return Piece(f"{left.bracketed()} {symbol} {right.bracketed()}", left.reads | right.reads, False)


def operation(op: str, pieces: Sequence[Piece], attrs: tuple[Any, ...], args: Sequence[Term], ref: Names) -> Piece:
    """The text of one operation as an expression."""
    reads = frozenset().union(*(p.reads for p in pieces)) if pieces else frozenset()
    rule = _RULES.get(op)
    if rule is not None:
        return Piece(rule(pieces, attrs, args), reads)
    template = catalogue.OPERATIONS[op].template
    if template is None:
        raise InternalError(f"no Python text for {op}", code="emit_operation")
    shown = (p.bracketed() for p in compared(op, pieces, args))
    return Piece(template.format(*shown), reads, op == "copy")


def compared(op: str, pieces: Sequence[Piece], args: Sequence[Term]) -> Sequence[Piece]:
    """The sides of a comparison: where a class is only compared with listed ones, it need not be looked up."""
    if op in _SAMENESS and all(
        isinstance(p.text, _KindText) or _is_class(a) for p, a in zip(pieces, args, strict=True)
    ):
        return [Piece(p.text.real, p.reads) if isinstance(p.text, _KindText) else p for p in pieces]
    return pieces


def _is_class(term: Term) -> bool:
    if isinstance(term, App) and term.op == "build_tuple":
        return all(_is_class(part) for part in term.args)
    return isinstance(term, Ref) and term.path in catalogue.BUILTIN_CLASSES and term.path not in STAND_INS


def arguments(pieces: Sequence[Piece], shape: Sequence[str]) -> str:
    marks = {"": "", "*": "*", "**": "**"}
    parts = [
        (marks[s] + (p.bracketed() if s else p.text)) if s in marks else f"{s}={p.text}"
        for p, s in zip(pieces, shape, strict=True)
    ]
    return ", ".join(parts)


def _call(pieces: Sequence[Piece], attrs: tuple[Any, ...], args: Sequence[Term]) -> str:
    if args[0] == _TYPE and attrs[0] == ("",):
        return _KindText.of(pieces[1].text)
    return f"{pieces[0].owner()}({arguments(pieces[1:], attrs[0])})"


def _method(pieces: Sequence[Piece], attrs: tuple[Any, ...], args: Sequence[Term]) -> str:
    return f"{_attribute(pieces, attrs, args)}({arguments(pieces[1:], attrs[1])})"


def _attribute(pieces: Sequence[Piece], attrs: tuple[Any, ...], args: Sequence[Term]) -> str:
    """A field that the library has as well is looked up only on instances of the program's classes (support.py)."""
    name = attrs[0]
    if name == "__class__":
        return _KindText.of(pieces[0].text)
    if name == "__name__" and isinstance(pieces[0].text, _KindText):
        return f"{pieces[0].text.real}.__name__"
    if name in catalogue.ATTRIBUTES or name not in catalogue.library_names() or _kind(args[0]).startswith("record:"):
        return f"{pieces[0].owner()}.{name}"
    return f"_field({pieces[0].text}, {name!r})"


class _KindText(str):
    """The text of ``type(x)``, which remembers that of the class itself."""

    __slots__ = ("real",)
    real: str

    @staticmethod
    def of(text: str) -> _KindText:
        made = _KindText(f"_kinds[_type({text})]")
        made.real = f"_type({text})"
        return made


def _starred(opening: str, closing: str) -> Callable[[Sequence[Piece], tuple[Any, ...], Sequence[Term]], str]:
    def rule(pieces: Sequence[Piece], attrs: tuple[Any, ...], args: Sequence[Term]) -> str:
        starred = attrs[0] if attrs else ()
        items = [f"*{p.bracketed()}" if i in starred else p.text for i, p in enumerate(pieces)]
        if opening == "(":
            return "(" + "".join(f"{i}, " for i in items) + ")" if items else "()"
        return opening + ", ".join(items) + closing

    return rule


def _dict(pieces: Sequence[Piece], attrs: tuple[Any, ...], args: Sequence[Term]) -> str:
    parts = []
    for i in range(0, len(pieces), 2):
        key, value = args[i], pieces[i + 1]
        if isinstance(key, Const) and key.value is UNBOUND:
            parts.append(f"**{value.bracketed()}")
        else:
            parts.append(f"{pieces[i].text}: {value.text}")
    return "{" + ", ".join(parts) + "}"


def _format(pieces: Sequence[Piece], attrs: tuple[Any, ...], args: Sequence[Term]) -> str:
    conversion = {-1: "", 114: "_repr", 115: "_str", 97: "_ascii"}[attrs[0]]
    value = f"{conversion}({pieces[0].text})" if conversion else pieces[0].text
    text = _FormatText(f"_format({value}, {pieces[1].text})")
    text.field = ""
    spec = args[1].value if isinstance(args[1], Const) else None
    if isinstance(spec, str) and not _UNSAFE_IN_BRACES.intersection(pieces[0].text + spec) and ":=" not in value:
        mark = {-1: "", 114: "!r", 115: "!s", 97: "!a"}[attrs[0]]
        text.field = "{" + pieces[0].bracketed() + mark + (f":{spec}" if spec else "") + "}"
    return text


_UNSAFE_IN_BRACES: Final = frozenset("'\"\\{}\n#!")  # what Python 3.11 does not take inside an f-string's braces


class _FormatText(str):
    """``_format(value, spec)`` remembers how it is written inside an f-string; "" where it cannot be."""

    __slots__ = ("field",)
    field: str


def _join_strings(pieces: Sequence[Piece], attrs: tuple[Any, ...], args: Sequence[Term]) -> str:
    """An f-string where every part can stand in one, else a join."""
    parts: list[str] = []
    for piece, arg in zip(pieces, args, strict=True):
        if isinstance(arg, Const):
            literal = str(arg.value).encode("unicode_escape").decode("ascii")
            parts.append(literal.replace("{", "{{").replace("}", "}}").replace("'", "\\'"))
        elif isinstance(piece.text, _FormatText) and piece.text.field:
            parts.append(piece.text.field)
        elif piece.text.isidentifier():
            parts.append("{" + piece.text + "}")
        else:
            return f"''.join(({''.join(f'{p.text}, ' for p in pieces)}))"
    return f"f'{''.join(parts)}'"


def _item(pieces: Sequence[Piece], attrs: tuple[Any, ...], args: Sequence[Term]) -> str:
    return f"{pieces[0].owner()}[{subscript(pieces[1], args[1])}]"


def subscript(piece: Piece, term: Term) -> str:
    """A slice object's text as subscript syntax where that is what it is."""
    text = piece.text
    if isinstance(term, App) and term.op == "slice" and text.startswith("_slice("):
        return _SliceText.of(text)
    return text


class _SliceText(str):
    """``_slice(a, b, c)`` remembers its parts, for ``x[a:b:c]``."""

    __slots__ = ("parts",)
    parts: tuple[str, str, str]

    @staticmethod
    def of(text: str) -> str:
        if not isinstance(text, _SliceText):
            return text
        low, high, step = ("" if p == "None" else p for p in text.parts)
        return f"{low}:{high}:{step}" if step else f"{low}:{high}"


def _slice(pieces: Sequence[Piece], attrs: tuple[Any, ...], args: Sequence[Term]) -> str:
    text = _SliceText(f"_slice({', '.join(p.text for p in pieces)})")
    low, high, step = (p.bracketed() for p in pieces)
    text.parts = (low, high, step)
    return text


def _helper(name: str) -> Callable[[Sequence[Piece], tuple[Any, ...], Sequence[Term]], str]:
    def rule(pieces: Sequence[Piece], attrs: tuple[Any, ...], args: Sequence[Term]) -> str:
        extra = [repr(a) for a in attrs]
        return f"{name}({', '.join([*(p.text for p in pieces), *extra])})"

    return rule


def _asks(name: str) -> Callable[[Sequence[Piece], tuple[Any, ...], Sequence[Term]], str]:
    """A question; after its text stand others that are asked with it (`asking.asking_ahead`)."""

    def rule(pieces: Sequence[Piece], attrs: tuple[Any, ...], args: Sequence[Term]) -> str:
        question, others = attrs[:3], attrs[3] if len(attrs) > 3 else ()
        ahead = [f"({kind!r}, {its!r}, {p.text})" for (kind, its), p in zip(others, pieces[1:], strict=True)]
        return f"{name}({', '.join([repr(question), pieces[0].text, *ahead])})"

    return rule


_RULES: Final[dict[str, Callable[[Sequence[Piece], tuple[Any, ...], Sequence[Term]], str]]] = {
    **{op: _asks(f"_{op}") for op in catalogue.QUESTIONS},
    **{op: _helper(name) for op, name in HELPERS.items()},
    "call": _call,
    "call_method": _method,
    "get_method": _attribute,
    "get_attribute": _attribute,
    "build_list": _starred("[", "]"),
    "build_set": lambda p, a, t: _starred("{", "}")(p, a, t) if p else "_set()",
    "build_tuple": lambda p, a, t: _starred("(", ")")(p, (), t),
    "build_tuple_star": _starred("(", ")"),
    "build_dict": _dict,
    "format": _format,
    "join_strings": _join_strings,
    "get_item": _item,
    "slice": _slice,
    "cell": lambda p, a, t: f"[{p[0].text}]",
    "project": lambda p, a, t: f"{p[0].bracketed()}[{a[0]}]",
    "yield": lambda p, a, t: f"(yield {p[0].text})",
    "yield_from": lambda p, a, t: f"(yield from {p[0].bracketed()})",
    "match_shape": lambda p, a, t: f"_is_{a[0]}({p[0].text})",
}
