"""Corpora of functions: HumanEval and MBPP rows (JSON lines, also gzipped), and directories of Python files."""

from __future__ import annotations

import ast
import gzip
import json
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pointsman.core import BadRequest, NotFound
from pointsman.program.check.extract import minimal_source

__all__ = ["Case", "cases"]

_FILE_SECONDS, _ROW_SECONDS = 10.0, 20.0


@dataclass(frozen=True, slots=True)
class Case:
    """One function. ``runnable`` is what is executed, ``source`` what is compiled; ``tests`` calls it by name."""

    key: str
    source: str
    filename: str
    entry: str
    runnable: str
    tests: str = ""
    paths: tuple[str, ...] = ()
    seconds: float = _FILE_SECONDS


def cases(path: Path) -> list[Case]:
    """Every function of a corpus, in a stable order. Raises NotFound, or BadRequest for rows of neither form."""
    if path.is_dir():
        return [case for file in _python_files(path) for case in _file_cases(file, path)]
    if not path.is_file():
        raise NotFound(f"no such file or folder: {str(path)!r}", code="corpus_not_found")
    if path.suffix == ".py":
        return list(_file_cases(path, path.parent))
    text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text()
    return [_row_case(json.loads(line), path.name) for line in text.splitlines() if line.strip()]


def _python_files(folder: Path) -> Iterator[Path]:
    for file in sorted(folder.rglob("*.py")):
        if not any(part.startswith(".") for part in file.relative_to(folder).parts):
            yield file


def _file_cases(file: Path, root: Path) -> Iterator[Case]:
    """Nothing for a file that does not parse."""
    try:
        source = file.read_text(encoding="utf-8")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the corpus's invalid escapes are not ours
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return
    name = str(file.relative_to(root))
    defined = {s.name: None for s in tree.body if isinstance(s, ast.FunctionDef | ast.AsyncFunctionDef)}
    for entry in defined:
        paths = (str(root.resolve()), str(file.parent.resolve()))
        yield Case(f"{name}:{entry}", source, name, entry, minimal_source(source, entry), "", paths)


def _row_case(row: dict[str, Any], filename: str) -> Case:
    if "canonical_solution" in row:
        source, entry = row["prompt"] + row["canonical_solution"], row["entry_point"]
        tests = f"{row['test']}\ncheck({entry})\n"
    elif "test_list" in row:
        source = row["code"].replace("\r\n", "\n")
        tests = "\n".join([row.get("test_setup_code") or "", *row["test_list"]]).replace("\r\n", "\n")
        entry = _tested_function(source, tests)
    else:
        known = ", ".join(sorted(row))
        raise BadRequest(f"a row has {known}; expected prompt, canonical_solution and test, or code and test_list")
    return Case(f"{filename}:{row['task_id']}", source, filename, entry, source, tests, (), _ROW_SECONDS)


def _tested_function(source: str, tests: str) -> str:
    """The function of the source that the tests call first; the last one where they call none."""
    defined = [s.name for s in ast.parse(source).body if isinstance(s, ast.FunctionDef)]
    for node in ast.walk(ast.parse(tests)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in defined:
            return node.func.id
    return defined[-1] if defined else ""
