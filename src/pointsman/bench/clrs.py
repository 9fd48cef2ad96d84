"""CLRS-Text: classical algorithms as questions in text, read by code and answered by compiled programs.

The data (Markeeva et al. 2024, arXiv 2406.04229) has a JSON object a line, with `task`, `size`, `prompt` and
`reference`. A prompt is three lines, and an answer is the value alone, in NumPy's notation:

    bfs:
    s: 0, A: [[0 1], [1 0]]
    pi:
    [0 0]

Whoever answers is a function from prompt to answer, so that a model is measured by the same loop as the programs, which
are those of `examples/clrs`, one a task. Right is the same text, but for space around it. Prompts that ask for a trace
of the algorithm are not read, nor is the thirtieth task, `segments_intersect`.
"""

from __future__ import annotations

import gzip
import json
import random
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Final, TypeAlias

from pointsman.bench.timing import Tick
from pointsman.core import BadRequest, NotFound, Unsupported
from pointsman.program import Table, compile_table
from pointsman.program.convert import bind_inputs

__all__ = [
    "TASKS",
    "Answerer",
    "Argument",
    "Counts",
    "Row",
    "answerer",
    "by_size",
    "compiled",
    "draw",
    "exactness",
    "measure",
    "points",
    "read",
    "rows",
    "write",
]

Number: TypeAlias = int | float
Argument: TypeAlias = Number | list[Number] | list[list[Number]]
Answerer: TypeAlias = Callable[[str], str]

TASKS: Final[Mapping[str, tuple[str, str]]] = {
    "activity_selector": ("s, f", "selected"),
    "articulation_points": ("A", "is_cut"),
    "bellman_ford": ("s, A", "pi"),
    "bfs": ("s, A", "pi"),
    "binary_search": ("key, target", "return"),
    "bridges": ("A", "is_bridge"),
    "bubble_sort": ("key", "pred"),
    "dag_shortest_paths": ("s, A", "pi"),
    "dfs": ("A", "pi"),
    "dijkstra": ("s, A", "pi"),
    "find_maximum_subarray_kadane": ("key", "start, end"),
    "floyd_warshall": ("A", "Pi"),
    "graham_scan": ("x, y", "in_hull"),
    "heapsort": ("key", "pred"),
    "insertion_sort": ("key", "pred"),
    "jarvis_march": ("x, y", "in_hull"),
    "kmp_matcher": ("string, key", "match"),
    "lcs_length": ("string, key", "b"),
    "matrix_chain_order": ("p", "s"),
    "minimum": ("key", "min"),
    "mst_kruskal": ("A", "in_mst"),
    "mst_prim": ("s, A", "pi"),
    "naive_string_matcher": ("string, key", "match"),
    "optimal_bst": ("p, q", "root"),
    "quickselect": ("key", "median"),
    "quicksort": ("key", "pred"),
    "strongly_connected_components": ("A", "scc_id"),
    "task_scheduling": ("d, w", "selected"),
    "topological_sort": ("A", "topo, topo_head"),
}
"""What each task's prompt gives, in order, and what it asks for."""

_NUMBER: Final = r"-?[0-9]{1,18}(?:\.[0-9]*)?(?:e[+-]?[0-9]{1,2})?"
_LIST: Final = rf"\[(?:{_NUMBER}(?: {_NUMBER})*)?\]"
_ARGUMENT: Final = re.compile(rf"\b(\w+): (\[{_LIST}(?:, {_LIST})*\]|{_LIST}|{_NUMBER})")


def read(prompt: str) -> tuple[str, list[Argument]]:
    """The task, and its arguments in the order of `TASKS`. Numbers with a point or an exponent are floats.

    Raises BadRequest ``clrs_prompt``, with the part at fault as ``param``, for any other text. No message quotes it.
    """
    task, _, rest = prompt.strip().partition(":\n")
    if task not in TASKS:
        raise _bad("task", f"a prompt begins with the line `TASK:`, where TASK is one of {', '.join(TASKS)}")
    names, label = TASKS[task]
    line, _, asked = rest.partition("\n")
    if asked != f"{label}:":
        raise _bad("label", f"a prompt of {task} has three lines and ends with `{label}:`")
    found = _ARGUMENT.findall(line)
    if ", ".join(name for name, _ in found) != names or ", ".join(f"{n}: {text}" for n, text in found) != line:
        raise _bad("arguments", f"{task} takes {names}, each as `NAME: VALUE`: a number, [1 2] or [[1 2], [3 4]]")
    return task, [_value(name, text) for name, text in found]


def _bad(part: str, message: str) -> BadRequest:
    return BadRequest(f"not a prompt of CLRS-Text: {message}", code="clrs_prompt", param=part)


def _value(name: str, text: str) -> Argument:
    if text.startswith("[["):
        matrix = [_numbers(row) for row in text[2:-2].split("], [")]
        if len({len(row) for row in matrix}) > 1:
            raise _bad(name, f"the rows of the matrix {name} differ in length")
        return matrix
    return _numbers(text[1:-1]) if text.startswith("[") else _number(text)


def _numbers(text: str) -> list[Number]:
    return [_number(item) for item in text.split()]


def _number(text: str) -> Number:
    return float(text) if "." in text or "e" in text else int(text)


def write(answer: Any) -> str:
    """An answer as the data has it: [1 2], [[1 2], [3 4]], and the parts of a tuple behind one another.

    Raises Unsupported ``clrs_answer`` for what is none of these or a number.
    """
    match answer:
        case int() | float():
            return str(answer)
        case tuple():
            return ", ".join(write(part) for part in answer)
        case list():
            between = ", " if answer and isinstance(answer[0], list) else " "
            return f"[{between.join(write(item) for item in answer)}]"
    raise Unsupported(f"no answer of CLRS-Text holds a {type(answer).__name__}", code="clrs_answer")


def compiled(folder: Path) -> dict[str, Table]:
    """The tables of all tasks that the folder has a program `TASK.py` for; about two seconds for all.

    Raises NotFound ``no_clrs_programs`` where it has none, and what compiling raises.
    """
    paths = [path for task in TASKS if (path := folder / f"{task}.py").is_file()]
    if not paths:
        raise NotFound(f"{folder} has no program TASK.py for a task of CLRS-Text", code="no_clrs_programs")
    return {path.stem: compile_table(path.read_text(encoding="utf-8"), str(path), path.stem).table for path in paths}


def answerer(tables: Mapping[str, Table]) -> Answerer:
    """Answers prompts by running the table of their task.

    It raises what `read` and `write` raise; NotFound ``no_clrs_program`` where no table is there; BadRequest
    ``bad_inputs`` for arguments of other kinds than the program takes, and ``clrs_no_answer`` where it raises (a vertex
    that is not there, a cycle) or takes too long.
    """

    def answer(prompt: str) -> str:
        task, arguments = read(prompt)
        if task not in tables:
            raise NotFound(f"no program for {task}; there is one for {', '.join(tables)}", code="no_clrs_program")
        table = tables[task]
        given, _ = bind_inputs(table.machine, table.program.records, {}, arguments)
        outcome = table.run(*given)
        if outcome.kind != "value":
            how = type(outcome.exception).__name__ if outcome.kind == "exception" else outcome.kind
            raise BadRequest(f"the program for {task} gives no answer: {how}", code="clrs_no_answer")
        return write(outcome.value)

    return answer


@dataclass(frozen=True, slots=True)
class Row:
    """One question of the data, with the answer that counts as right."""

    task: str
    size: int
    prompt: str
    reference: str


@dataclass(frozen=True, slots=True)
class Counts:
    """How many questions were asked, and how many of the answers are right."""

    num_rows: int
    num_exact: int

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return self.num_exact / self.num_rows


def rows(data: Path, limit: int | None, seed: int) -> list[Row]:
    """The rows of a file (`.jsonl`, `.jsonl.gz`) by task and size; up to ``limit`` of each, drawn by the seed.

    Raises BadRequest ``bad_clrs_data``.
    """
    ordered = sorted(_rows(data), key=_key)
    rng = random.Random(f"{seed}:clrs")  # noqa: S311  a reproducible sample, no secrets
    found: list[Row] = []
    for _, group in groupby(ordered, key=_key):
        alike = list(group)
        found += alike if limit is None or len(alike) <= limit else rng.sample(alike, limit)
    return found


def _key(row: Row) -> tuple[str, int]:
    return row.task, row.size


def _rows(data: Path) -> list[Row]:
    try:
        text = data.read_bytes()
        lines = (gzip.decompress(text) if data.suffix == ".gz" else text).decode().split("\n")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as exc:
        raise BadRequest(f"cannot read {data}: {exc}", code="bad_clrs_data") from exc
    return [_row(line, f"{data}:{number}") for number, line in enumerate(lines, 1) if line.strip()]


def _row(line: str, where: str) -> Row:
    try:
        found = json.loads(line)
        row = Row(*(found[name] for name in ("task", "size", "prompt", "reference")))
    except (ValueError, KeyError, TypeError, RecursionError) as exc:
        raise BadRequest(f"{where}: expected task, size, prompt and reference: {exc!r}", code="bad_clrs_data") from exc
    if type(row.size) is not int or not all(isinstance(text, str) for text in (row.task, row.prompt, row.reference)):
        raise BadRequest(f"{where}: expected a whole size, and texts", code="bad_clrs_data")
    return row


def exactness(asked: Sequence[Row], answer: Answerer, tick: Tick = lambda *_: None) -> dict[str, dict[int, Counts]]:
    """How many answers are right, by task and size. What ``answer`` raises ends it: an error is no wrong answer."""
    found: dict[str, dict[int, Counts]] = {}
    done = 0
    for (task, size), group in groupby(sorted(asked, key=_key), key=_key):
        tick(done / len(asked), f"{task}, size {size}")
        right = [answer(row.prompt).strip() == row.reference.strip() for row in group]
        found.setdefault(task, {})[size] = Counts(len(right), sum(right))
        done += len(right)
    return found


def measure(
    data: Path, programs: Path, *, limit: int | None = None, seed: int = 0, tick: Tick = lambda *_: None
) -> dict[str, dict[int, Counts]]:
    """Exactness of the programs of a folder on a file of questions; see `rows`, `compiled` and `answerer`."""
    return exactness(rows(data, limit, seed), answerer(compiled(programs)), tick)


def by_size(found: Mapping[str, Mapping[int, Counts]]) -> dict[int, Counts]:
    """The counts of all tasks together, by rising size."""
    sizes = sorted({size for sizes in found.values() for size in sizes})
    return {size: _total([sizes[size] for sizes in found.values() if size in sizes]) for size in sizes}


def _total(counts: Sequence[Counts]) -> Counts:
    return Counts(sum(one.num_rows for one in counts), sum(one.num_exact for one in counts))


def points(found: Mapping[str, Mapping[int, Counts]]) -> list[dict[str, Any]]:
    """The counts as JSON, an object for each task and size."""
    return [
        {"task": task, "size": size, "num_rows": counts.num_rows, "num_exact": counts.num_exact}
        for task, sizes in found.items()
        for size, counts in sizes.items()
    ]


def draw(curves: Mapping[str, Mapping[str, Mapping[int, Counts]]], path: Path) -> None:
    """Share of right answers over size, all tasks together: a line for each of those who answered.

    Larger sizes have fewer tasks, so a line compares answerers and not sizes. Raises BadRequest ``bad_plot`` for a name
    that it cannot draw to.
    """
    from pointsman.bench.plotting import draw_lines

    lines = {}
    for name, found in curves.items():
        sizes = by_size(found)
        total = _total(list(sizes.values()))
        title = f"{name}: {total.num_exact:,} of {total.num_rows:,}"
        lines[title] = [(size, counts.share) for size, counts in sizes.items()]
    draw_lines(lines, "size", "share of exact answers, CLRS-Text", path)
