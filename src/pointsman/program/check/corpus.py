"""Corpora of functions: HumanEval and MBPP rows (JSON lines, also gzipped), and directories of Python files."""

from __future__ import annotations

import ast
import gzip
import json
import warnings
import zlib
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
    """Every function of a corpus, in a stable order.

    Raises NotFound, or BadRequest ``bad_corpus`` that names the file and the line.
    """
    if path.is_dir():
        return [case for file in _python_files(path) for case in _file_cases(file, path)]
    if not path.is_file():
        raise NotFound(f"no such file or folder: {str(path)!r}", code="corpus_not_found")
    if path.suffix == ".py":
        return _some(list(_file_cases(path, path.parent)), path)
    found = [
        _row_case(_row(line, path, number), f"{path}:{number}", path.name)
        for number, line in enumerate(_text(path).split("\n"), 1)
        if line.strip()
    ]
    return _some(found, path)


def _some(found: list[Case], path: Path) -> list[Case]:
    if not found:
        raise BadRequest(f"{path} holds no functions that can be read", code="bad_corpus")
    return found


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
        return (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    except UnicodeDecodeError as exc:
        raise BadRequest(f"{path} is not text (UTF-8): {exc.reason}", code="bad_corpus") from exc
    except (OSError, EOFError, zlib.error) as exc:
        raise BadRequest(f"cannot read {path}: {exc}", code="bad_corpus") from exc


def _row(line: str, path: Path, number: int) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as exc:
        raise BadRequest(f"{path}:{number}: not JSON: {exc}", code="bad_corpus") from exc
    if not isinstance(row, dict):
        raise BadRequest(f"{path}:{number}: expected an object, as HumanEval and MBPP have", code="bad_corpus")
    return row


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


def _row_case(row: dict[str, Any], where: str, filename: str) -> Case:
    try:
        return _case(row, where, filename)
    except (KeyError, TypeError, AttributeError, SyntaxError, ValueError, RecursionError) as exc:
        raise BadRequest(f"{where}: a row that cannot be used: {exc!r}", code="bad_corpus") from exc


def _case(row: dict[str, Any], where: str, filename: str) -> Case:
    if "canonical_solution" in row:
        source, entry = row["prompt"] + row["canonical_solution"], row["entry_point"]
        tests = f"{row['test']}\ncheck({entry})\n"
    elif "test_list" in row:
        source = row["code"].replace("\r\n", "\n")
        tests = "\n".join([row.get("test_setup_code") or "", *row["test_list"]]).replace("\r\n", "\n")
        entry = _tested_function(source, tests)
    else:
        known = ", ".join(sorted(row))
        expected = "expected prompt, canonical_solution and test, or code and test_list"
        raise BadRequest(f"{where}: a row has {known}; {expected}", code="bad_corpus")
    return Case(f"{filename}:{row['task_id']}", source, filename, entry, source, tests, (), _ROW_SECONDS)


def _tested_function(source: str, tests: str) -> str:
    """The function of the source that the tests call first; the last one where they call none."""
    defined = [s.name for s in ast.parse(source).body if isinstance(s, ast.FunctionDef)]
    for node in ast.walk(ast.parse(tests)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in defined:
            return node.func.id
    return defined[-1] if defined else ""
