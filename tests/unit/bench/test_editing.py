"""The generated file, its edits, and what recompiling one reuses."""

import ast
import random
from pathlib import Path

import pytest

from pointsman.bench.codebase import edited, generate, names_of
from pointsman.bench.editing import compile_file

SOURCE = generate(30, 0)


def _functions(source: str) -> dict[str, str]:
    return {s.name: ast.dump(s) for s in ast.parse(source).body if isinstance(s, ast.FunctionDef)}


def test_the_file_has_its_functions_and_some_call_others() -> None:
    names = names_of(SOURCE)
    assert len(names) == len(set(names)) == 30
    calls = {n.func.id for n in ast.walk(ast.parse(SOURCE)) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
    assert len(calls & set(names)) >= 3
    assert generate(30, 0) == SOURCE != generate(30, 1)


@pytest.mark.parametrize("name", names_of(SOURCE))
def test_an_edit_changes_one_line_of_one_function(name: str) -> None:
    edit = edited(SOURCE, name, random.Random(4))
    before, after = SOURCE.split("\n"), edit.source.split("\n")
    assert [i + 1 for i, (a, b) in enumerate(zip(before, after, strict=True)) if a != b] == [edit.line]
    old, new = _functions(SOURCE), _functions(edit.source)
    assert {n for n in old if old[n] != new[n]} == {name} == {edit.function}


def test_only_what_reaches_the_edited_function_is_compiled_again(tmp_path: Path) -> None:
    source = (
        "def a(n: int) -> int:\n    return n + 2\n\n\n"
        "def b(n: int) -> int:\n    return n * 3\n\n\n"
        "def c(n: int) -> int:\n    return a(n) + 5\n"
    )
    _, first = compile_file(source, tmp_path)
    assert [compiled.reused for compiled in first.values()] == [()] * 3
    edit = edited(source, "a", random.Random(0))
    _, second = compile_file(edit.source, tmp_path)
    assert {name for name, compiled in second.items() if compiled.reused != ("table",)} == {"a", "c"}
    assert (first["c"].table(1), second["c"].table(1)) == (8, 9)
