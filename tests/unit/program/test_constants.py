"""Which uses of a module-level container only read it."""

import ast

import pytest

from pointsman.program.frontend.constants import changed_constants

READ = (
    ("{'I': 1}", "return M[x]"), ("[1, 2]", "return M[0]"), ("[1, 2]", "return x in M, len(M), sorted(M)"),
    ("[[1], [2]]", "return M[0][0]"), ("[[1], [2]]", "return [y for r in M for y in r]"),
    ("[[1], [2]]", "for r in M:\n        if r[0] == x: return r[0]"), ("[(0, 1), (1, 0)]", "for a, b in M: x += a\n    return x"),
    ("{'a': [1]}", "return len(M['a']), M.get('a')[0]"), ("{'a': (1, 2)}", "p = M['a']\n    return p"),
    ("[1]", "return M + [x]"), ("[1]", "x += M\n    return x"), ("[1]", "return x.union(M)"), ("(1, 2)", "return M"),
    ("'a b'.split()", "return M[x]"), ("list(range(9))", "return M[x]"), ("[i * i for i in range(9)]", "return M[x]"),
    ("{'a': [1]}", "a, = M['a']\n    return a"), ("{1: 2}", "return max(x, key=M.get)"),
)  # fmt: skip
CHANGED = (
    ("[1]", "return M"), ("[1]", "M.append(x)"), ("[1]", "M[0] = x"), ("[1]", "del M[0]"), ("[1]", "M[0] += x"),
    ("[1]", "y = M\n    y.append(1)"), ("[1]", "y = M or x\n    y.append(1)"), ("[1]", "y = M if x else x\n    y.append(1)"),
    ("[[1]]", "for r in M: r.append(x)"), ("[[1]]", "y = M[0]\n    y.append(x)"), ("[[1]]", "return M + [x]"),
    ("{'a': [1]}", "y = M.get('a')\n    y.append(x)"), ("{'a': [1]}", "for y in M.values(): y.append(x)"),
    ("[[1]]", "return [*M]"), ("[[1]]", "x.extend(M)"), ("[[1]]", "return max(M)"), ("[1]", "return {'k': M}"),
    ("[1]", "g(M)"), ("[1]", "g(key=M)"), ("[1]", "return lambda: M"), ("[[1]]", "y = list(M)[0]\n    y.append(x)"),
    ("([1],)", "M[0].append(x)"), ("{**x}", "return M['a']"), ("[1]", "yield M"),
)  # fmt: skip


def changed(value: str, body: str) -> bool:
    tree = ast.parse(f"M = {value}\ndef f(x):\n    {body}\n")
    statement = tree.body[0]
    assert isinstance(statement, ast.Assign)
    return bool(changed_constants(tree, {"M": statement.value}))


@pytest.mark.parametrize(("value", "body"), READ)
def test_reading(value: str, body: str) -> None:
    assert not changed(value, body)


@pytest.mark.parametrize(("value", "body"), CHANGED)
def test_changing(value: str, body: str) -> None:
    assert changed(value, body)


def test_an_alias_of_a_container_may_change_it() -> None:
    tree = ast.parse("A = [1]\nB = A\ndef f():\n    B.append(2)\n    return len(A)\n")
    constants = {s.targets[0].id: s.value for s in tree.body[:2] if isinstance(s, ast.Assign)}  # type: ignore[attr-defined]
    assert set(changed_constants(tree, constants)) == {"A", "B"}


def test_the_place_of_the_change_is_named() -> None:
    tree = ast.parse("M = []\ndef f(x):\n    y = len(M)\n    M.append(x)\n    return y\n")
    assert changed_constants(tree, {"M": tree.body[0].value})["M"].lineno == 4  # type: ignore[attr-defined]
