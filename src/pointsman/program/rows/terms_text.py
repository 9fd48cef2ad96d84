"""Terms as Python text for people: only the parentheses that are needed, names without ``%`` and ``#``.

The text is never compiled; ``emit.text`` writes what is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from pointsman.program import catalogue
from pointsman.program.emit.text import Piece, operation
from pointsman.program.explore.kinds import kind_of
from pointsman.program.ir import UNBOUND, Const, Ref
from pointsman.program.table.machine import App, Sym, Term

__all__ = [
    "COMPARE",
    "NOT",
    "STATEMENTS",
    "Held",
    "Text",
    "name_of",
    "operation_text",
    "question_key",
    "shown",
    "text_of",
]


_LEVEL: Final = {"|": 5, "^": 6, "&": 7, "<<": 8, ">>": 8, "+": 9, "-": 9, "**": 12}  # 10 for the multiplicative ones
_PRODUCTS: Final = frozenset({"*", "/", "//", "%", "@"})
NOT, COMPARE, UNARY, ATOM = 3, 4, 11, 15
_OPPOSITE: Final = {"in": "not in", "not in": "in", "is": "is not", "is not": "is", "==": "!=", "!=": "==", "<": ">="}
_ORDERED: Final = frozenset({"int", "bool", "str", "none"})


@dataclass(frozen=True, slots=True)
class Text:
    """An expression: how tightly it binds, what a test of it says, and the opposite test (None: ``not ...``)."""

    text: str
    level: int = ATOM
    test: str | None = None
    opposite: str | None = None
    parts: tuple[str, ...] = ()  # of a slice

    def at(self, level: int) -> str:
        return self.text if self.level >= level else f"({self.text})"


Held: TypeAlias = Mapping[str, Text]  # symbol name -> the text that stands for it


def name_of(name: str) -> str:
    """A machine's variable or temporary as an identifier: ``%5.1`` -> ``t5_1``, ``count#1`` -> ``count1``."""
    return re.sub(r"\W", "", name.replace("%", "t").replace(".", "_"))


def _constant(value: Any) -> str:
    if value is UNBOUND:
        return "unbound"
    if isinstance(value, frozenset):
        return "{" + ", ".join(sorted(map(_constant, value))) + "}" if value else "frozenset()"
    return repr(value)


def _reference(ref: Ref) -> str:
    return ref.path.partition(":")[2] or ref.path.removeprefix("builtins.")


def text_of(term: Term, held: Held) -> Text:
    match term:
        case Const(value=value):
            text = _constant(value)
            return Text(text, UNARY if text.startswith("-") else ATOM)
        case Ref():
            return Text(_reference(term))
        case Sym(name=name):
            return held.get(name) or Text(name_of(name))
        case App(op=op, args=args, attrs=attrs):
            return operation_text(op, args, attrs, held)


def question_key(kind: str, attrs: tuple[Any, ...], text: Term) -> str:
    """Where ``Held`` has the short name of a question: no symbol has such a name."""
    return f"?{kind}{attrs[:3]!r}{shown(text)}"


def shown(term: Term) -> str:
    """A term as Python text."""
    return text_of(term, {}).text


def operation_text(op: str, args: tuple[Term, ...], attrs: tuple[Any, ...], held: Held) -> Text:
    """``held``: the texts of symbols, and the short names of questions by ``question_key``."""
    texts = [text_of(a, held) for a in args]
    if op in catalogue.QUESTIONS and held:
        named = held.get(question_key("extract" if op == "is_stated" else op, attrs, args[0]))
        if named is not None:
            stated = Text(f"{named.text} is stated", COMPARE, opposite=f"{named.text} is not stated")
            return stated if op == "is_stated" else named
    if op in _RULES:
        return Text(_RULES[op](texts, attrs, args), parts=tuple(t.text for t in texts) if op == "slice" else ())
    template = getattr(catalogue.OPERATIONS.get(op), "template", None)
    if op == "truth":
        inner = texts[0]
        return Text(f"bool({inner.text})", ATOM, inner.test or inner.text, inner.opposite)
    if op in {"neg", "pos", "invert", "not"}:
        level = NOT if op == "not" else UNARY
        operand = texts[0].at(level)
        return Text(str(template).format(operand), level, opposite=operand if op == "not" else None)
    if template is not None and template.startswith("{0} ") and template.endswith(" {1}"):
        return _infix(template[4:-4], texts, args)
    if template is not None:
        return texts[0] if template == "{0}" else Text(template.format(*(t.text for t in texts)))
    pieces = [Piece(t.text, atomic=t.level >= ATOM) for t in texts]
    return Text(operation(op, pieces, attrs, args, _reference).text)


def _infix(symbol: str, texts: Sequence[Text], args: Sequence[Term]) -> Text:
    level = _LEVEL.get(symbol, 10 if symbol in _PRODUCTS else COMPARE)
    left = texts[0].at(level + (level in {COMPARE, 12}))
    right = texts[1].at(level + (symbol != "**"))
    exact = symbol in {"in", "not in", "is", "is not"} or {kind_of(a) for a in args} <= _ORDERED
    opposite = f"{left} {_OPPOSITE[symbol]} {right}" if exact and symbol in _OPPOSITE else None
    return Text(f"{left} {symbol} {right}", level, opposite=opposite)


def _format(texts: Sequence[Text], attrs: tuple[Any, ...], args: Sequence[Term]) -> str:
    conversion = {-1: "", 114: "!r", 115: "!s", 97: "!a"}[attrs[0]]
    spec = ":" + _inside(texts[1], args[1]) if args[1] != Const("") else ""
    return _quoted("{" + texts[0].text + conversion + spec + "}")


def _inside(text: Text, term: Term) -> str:
    """A part of an f-string."""
    if isinstance(term, Const):
        return repr(str(term.value) + '"')[1:-2].replace("\\'", "'").replace("{", "{{").replace("}", "}}")
    return text.text[2:-1] if text.text.startswith(("f'", 'f"')) else "{" + text.text + "}"


def _quoted(parts: str) -> str:
    return f"f'{parts}'" if '"' in parts else f'f"{parts}"'


def _item(texts: Sequence[Text]) -> str:
    if texts[1].parts:
        low, high, step = tuple("" if text == "None" else text for text in texts[1].parts)
        return f"{texts[0].at(ATOM)}[{low}:{high}{':' + step if step else ''}]"
    return f"{texts[0].at(ATOM)}[{texts[1].text}]"


def _items(texts: Sequence[Text], attrs: tuple[Any, ...]) -> list[str]:
    starred = attrs[0] if attrs else ()
    return ["*" * (i in starred) + t.text for i, t in enumerate(texts)]


def _tuple(items: list[str]) -> str:
    return f"({items[0]},)" if len(items) == 1 else f"({', '.join(items)})"


def _comprehension(texts: Sequence[Text], attrs: tuple[Any, ...]) -> str:
    kind, _, clauses, results, _ = attrs
    brackets = {"list": "[]", "generator": "()"}.get(kind, "{}")
    parts = [": ".join("…" for _ in results)]
    for clause in clauses:
        if clause[0] == "if":
            parts.append("if …")
        else:
            parts.append(f"for {_pattern(clause[1])} in {texts[0].text if clause[2] is None else '…'}")
    return brackets[0] + " ".join(parts) + brackets[1]


def _pattern(pattern: Any) -> str:
    return name_of(pattern) if isinstance(pattern, str) else f"({', '.join(map(_pattern, pattern))})"


def _call_of(name: str, texts: Sequence[Text]) -> str:
    return f"{name}({', '.join(t.text for t in texts)})"


_Rule: TypeAlias = Callable[[Sequence[Text], tuple[Any, ...], Sequence[Term]], str]
_RULES: Final[dict[str, _Rule]] = {
    "assertion": lambda t, _a, _: _call_of("AssertionError", t),
    "build_set": lambda t, a, _: "{" + ", ".join(_items(t, a)) + "}" if t else "set()",
    "build_tuple": lambda t, _a, _: _tuple(_items(t, ())),
    "build_tuple_star": lambda t, a, _: _tuple(_items(t, a)),
    "caught_is": lambda t, _a, _: _call_of("isinstance", t),
    "cell": lambda t, _a, _: _call_of("cell", t),
    "cell_get": lambda t, _a, _: f"{t[0].at(ATOM)}.value",
    "check_bound": lambda t, _a, _: t[0].at(ATOM),
    "closure": lambda _t, a, _: str(a[0]),
    "comprehension": lambda t, a, _: _comprehension(t, a),
    "exception": lambda t, _a, args: t[0].text + "()" * isinstance(args[0], Ref),
    "format": _format,
    "get_item": lambda t, _a, _: _item(t),
    "global_get": lambda _t, a, _: str(a[0]),
    "index": lambda t, _a, _: t[0].at(ATOM),
    "join_strings": lambda t, _a, args: _quoted("".join(map(_inside, t, args))),
    "match_class": lambda t, _a, _: _call_of("isinstance", t),
    "match_shape": lambda t, a, _: _call_of(f"is_{a[0]}", t),
    "next": lambda t, a, _: f"{t[0].at(ATOM)} gives {name_of(a[0])}",
    "slice": lambda t, _a, _: _call_of("slice", t),
    "judge": lambda t, a, _: _call_of("judge", [Text(repr(a[0])), *t]),
    "choose": lambda t, a, _: _call_of("choose", [Text(repr(a[0])), *t]),
    "extract": lambda t, a, _: _call_of("extract", [Text(repr(a[0])), *t]),
    "is_stated": lambda t, a, _: f"{t[0].at(ATOM)} states {a[0]!r}",
}
STATEMENTS: Final[dict[str, Callable[[Sequence[Text], tuple[Any, ...]], str]]] = {
    "set_item": lambda t, _: f"{t[0].at(ATOM)}[{t[1].text}] = {t[2].text}",
    "delete_item": lambda t, _: f"del {t[0].at(ATOM)}[{t[1].text}]",
    "set_attribute": lambda t, a: f"{t[0].at(ATOM)}.{a[0]} = {t[1].text}",
    "cell_set": lambda t, _: f"{t[0].at(ATOM)}.value = {t[1].text}",
    "set_cause": lambda t, _: f"{t[0].at(ATOM)}.__cause__ = {t[1].text}",
}
