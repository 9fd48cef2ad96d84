"""`match`: patterns become tests in order, and jumps to the next case when one fails."""

from __future__ import annotations

import ast

from pointsman.program import ir
from pointsman.program.frontend.builder import Builder
from pointsman.program.frontend.names import store_name
from pointsman.program.ir import UNBOUND, Const, Operand, Ref, Var

__all__ = ["lower_match"]

# classes whose single positional sub-pattern matches the value itself (PEP 634)
_SELF_MATCHING = frozenset("bool bytearray bytes dict float frozenset int list set str tuple".split())


def lower_match(b: Builder, node: ast.Match) -> None:
    """Raises Refusal for patterns outside: literals, values, captures, sequences, mappings, records, alternatives."""
    from pointsman.program.frontend.expressions import jump_unless, lower
    from pointsman.program.frontend.statements import lower_body

    subject = b.snapshot(lower(b, node.subject), node)
    end = b.label("matched")
    with b.nested() as cases:
        for case in node.cases:
            following = b.label("case")
            with b.nested() as body:
                captured: list[tuple[str, Operand]] = []
                _pattern(b, case.pattern, subject, following, captured)
                for name, value in captured:
                    store_name(b, name, value, case.pattern)
                if case.guard is not None:
                    jump_unless(b, case.guard, following)
                lower_body(b, case.body)
                b.jump(end, node)
            b.add(ir.Block(following, tuple(body)))
    b.add(ir.Block(end, tuple(cases)))


def _fail_unless(b: Builder, condition: Operand, label: str) -> None:
    b.add(ir.If(condition, (), (ir.Jump(label),)))


def _pattern(
    b: Builder, pattern: ast.pattern, subject: Operand, fails: str, captured: list[tuple[str, Operand]]
) -> None:
    """Goes on when the pattern matches, collecting what it captures; jumps to ``fails`` when it does not."""
    from pointsman.program.frontend.expressions import lower, truth

    match pattern:
        case ast.MatchValue(value=value):
            equal = b.let("eq", subject, lower(b, value), node=pattern)
            _fail_unless(b, truth(b, equal, pattern), fails)
        case ast.MatchSingleton(value=value):
            _fail_unless(b, b.let("is", subject, Const(value), node=pattern), fails)
        case ast.MatchAs(pattern=inner, name=name):
            if inner is not None:
                _pattern(b, inner, subject, fails, captured)
            if name is not None:
                captured.append((name, subject))
        case ast.MatchOr(patterns=patterns):
            _alternatives(b, patterns, subject, fails, captured)
        case ast.MatchSequence(patterns=patterns):
            _sequence(b, pattern, patterns, subject, fails, captured)
        case ast.MatchMapping():
            _mapping(b, pattern, subject, fails, captured)
        case ast.MatchClass():
            _class(b, pattern, subject, fails, captured)
        case _:
            raise b.refuse("PM210", pattern, type(pattern).__name__)


def _alternatives(
    b: Builder, patterns: list[ast.pattern], subject: Operand, fails: str, captured: list[tuple[str, Operand]]
) -> None:
    """Each alternative binds the same names: they go through hidden variables to after the pattern."""
    matched = b.label("either")
    hidden: dict[str, str] = {}
    with b.nested() as body:
        for alternative in patterns:
            following = b.label("or")
            with b.nested() as attempt:
                inner: list[tuple[str, Operand]] = []
                _pattern(b, alternative, subject, following, inner)
                for name, value in inner:
                    b.assign(hidden.setdefault(name, b.hidden(name)), value, alternative)
                b.jump(matched, alternative)
            b.add(ir.Block(following, tuple(attempt)))
        b.jump(fails, patterns[0])
    b.add(ir.Block(matched, tuple(body)))
    captured.extend((name, Var(variable)) for name, variable in hidden.items())


def _mapping(
    b: Builder, node: ast.MatchMapping, subject: Operand, fails: str, captured: list[tuple[str, Operand]]
) -> None:
    from pointsman.program.frontend.expressions import lower

    if node.rest is not None:
        raise b.refuse("PM210", node, "`**rest` in a mapping pattern")
    _fail_unless(b, b.let("match_shape", subject, attrs=("mapping",), node=node), fails)
    for key, pattern in zip(node.keys, node.patterns, strict=True):
        arguments = (subject, lower(b, key), Const(UNBOUND))
        value = b.let("call_method", *arguments, attrs=("get", ("", "")), node=node)
        _fail_unless(b, b.let("is_not", value, Const(UNBOUND), node=node), fails)
        _pattern(b, pattern, value, fails, captured)


def _sequence(
    b: Builder,
    node: ast.MatchSequence,
    patterns: list[ast.pattern],
    subject: Operand,
    fails: str,
    captured: list[tuple[str, Operand]],
) -> None:
    from pointsman.program.frontend.expressions import truth

    _fail_unless(b, b.let("match_shape", subject, attrs=("sequence",), node=node), fails)
    stars = [i for i, p in enumerate(patterns) if isinstance(p, ast.MatchStar)]
    length = b.let("call", Ref("builtins.len"), subject, attrs=(("",),), node=node)
    count = len(patterns) - len(stars)
    enough = b.let("ge" if stars else "eq", length, Const(count), node=node)
    _fail_unless(b, truth(b, enough, node), fails)
    for position, pattern in enumerate(patterns):
        if isinstance(pattern, ast.MatchStar):
            if pattern.name is not None:
                after = len(patterns) - position - 1
                end = b.let("sub", length, Const(after), node=node)
                part = b.let("slice", Const(position), end, Const(None), node=node)
                items = b.let("get_item", subject, part, node=node)
                captured.append((pattern.name, b.let("call", Ref("builtins.list"), items, attrs=(("",),), node=node)))
            continue
        index = position if not stars or position < stars[0] else position - len(patterns)
        _pattern(b, pattern, b.let("get_item", subject, Const(index), node=node), fails, captured)


def _class(b: Builder, node: ast.MatchClass, subject: Operand, fails: str, captured: list[tuple[str, Operand]]) -> None:
    from pointsman.program.frontend.expressions import lower

    kind = lower(b, node.cls)
    if not isinstance(kind, Ref):
        raise b.refuse("PM210", node, ast.unparse(node.cls))
    _fail_unless(b, b.let("match_class", subject, kind, node=node), fails)
    name = kind.path.partition(":")[2]
    record = b.program.records.get(name) if kind.path.startswith("record:") else None
    builtin = kind.path.rpartition(".")[2]
    if node.patterns and record is None:
        if builtin not in _SELF_MATCHING or len(node.patterns) != 1 or node.kwd_patterns:
            raise b.refuse("PM210", node, ast.unparse(node))
        _pattern(b, node.patterns[0], subject, fails, captured)
        return
    names = [field for field, _, _ in record.fields][: len(node.patterns)] if record else []
    if len(names) < len(node.patterns):
        raise b.refuse("PM210", node, ast.unparse(node))
    for attr, pattern in zip([*names, *node.kwd_attrs], [*node.patterns, *node.kwd_patterns], strict=True):
        if attr not in b.program.fields:
            raise b.refuse("PM108", node, f".{attr}")
        _pattern(b, pattern, b.let("get_attribute", subject, attrs=(attr,), node=node), fails, captured)
