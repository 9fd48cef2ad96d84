"""Comprehensions as Python comprehensions; a part that needs statements becomes a call of a function."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pointsman.program.emit.expression import expression_of
from pointsman.program.emit.text import Piece
from pointsman.program.table.machine import Do

if TYPE_CHECKING:
    from pointsman.program.emit.module import ModuleEmitter

__all__ = ["comprehension"]

_BRACKETS = {"list": ("[", "]"), "set": ("{", "}"), "dict": ("{", "}"), "generator": ("(", ")")}


def comprehension(module: ModuleEmitter, node: Do, pieces: list[Piece], fresh: Callable[[str], str]) -> Piece:
    """The text of a ``comprehension`` step.

    A lazy generator gets its captured values through a function of its own, so that later assignments do not reach it.
    """
    kind, captured, clauses, results, lazy = node.attrs
    reads = frozenset().union(*(p.reads for p in pieces))
    arguments = dict(zip(captured, pieces[1:], strict=True))
    source = pieces[0]
    if lazy:
        passed = [p.text for p in pieces]
        names = [fresh("items"), *(fresh("captured") for _ in captured)]
        arguments = {c: Piece(n) for c, n in zip(captured, names[1:], strict=True)}
        source = Piece(names[0])
        text = _text(module, kind, clauses, results, source, arguments, fresh)
        return Piece(f"(lambda {', '.join(names)}: {text})({', '.join(passed)})", reads)
    return Piece(_text(module, kind, clauses, results, source, arguments, fresh), reads)


def _text(
    module: ModuleEmitter,
    kind: str,
    clauses: tuple[tuple[Any, ...], ...],
    results: tuple[str, ...],
    source: Piece,
    arguments: dict[str, Piece],
    fresh: Callable[[str], str],
) -> str:
    known = dict(arguments)
    parts: list[str] = []
    for clause in clauses:
        if clause[0] == "if":
            parts.append(f"if {_test(_part(module, clause[1], known, fresh))}")
            continue
        _, pattern, function = clause
        items = source if function is None else _part(module, function, known, fresh)
        parts.append(f"for {_bind(pattern, known, fresh)} in {items.bracketed()}")
    values = [_part(module, name, known, fresh) for name in results]
    head = ": ".join(v.bracketed() if kind == "dict" else _top(v) for v in values)
    opening, closing = _BRACKETS[kind]
    return f"{opening}{head} {' '.join(parts)}{closing}"


def _test(piece: Piece) -> str:
    """A condition's text: Python takes its truth value itself."""
    inner = piece.text[6:-1] if piece.text.startswith("_bool(") else ""
    depth = 0
    for char in inner:
        depth += (char == "(") - (char == ")")
        if depth < 0 or (char in "'\""):
            return piece.bracketed()  # not one call around everything, or text that is not worth reading
    return f"({inner})" if inner else piece.bracketed()


def _top(piece: Piece) -> str:
    return piece.text if piece.atomic else f"({piece.text})"


def _bind(pattern: Any, known: dict[str, Piece], fresh: Callable[[str], str]) -> str:
    if isinstance(pattern, tuple | list):
        return "(" + "".join(f"{_bind(p, known, fresh)}, " for p in pattern) + ")"
    star, name = ("*", pattern[1:]) if pattern.startswith("*") else ("", pattern)
    local = fresh(name)
    known[name] = Piece(local)
    return f"{star}{local}"


def _part(module: ModuleEmitter, name: str, known: dict[str, Piece], fresh: Callable[[str], str]) -> Piece:
    machine = module.program.machines[name]
    wanted = [p.name for p in machine.params] + list(machine.captures)
    piece = expression_of(module, machine, known, fresh)
    if piece is not None:
        return piece
    module.flat.add(name)
    return Piece(f"{module.function_name(name)}({', '.join(known[w].text for w in wanted)})")
