"""The functions of ``examples/`` with their inputs: the recorded ones, and larger ones made from a seed."""

from __future__ import annotations

import importlib.util
import json
import random
import string
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from pointsman.bench.timing import Arguments
from pointsman.core import NotFound
from pointsman.program.convert import bind_inputs
from pointsman.program.table.machine import Machine, Program

__all__ = ["Example", "examples", "examples_folder", "recorded_inputs", "sized_inputs"]


@dataclass(frozen=True, slots=True)
class Example:
    """A function of the examples. ``key`` is ``file:function``; ``recorded``: its inputs as JSON objects."""

    key: str
    path: Path
    name: str
    recorded: tuple[dict[str, Any], ...]

    @property
    def source(self) -> str:
        """The text of its file."""
        return self.path.read_text(encoding="utf-8")

    def module(self) -> ModuleType:
        """The file, executed by CPython as a module that is not ``__main__``."""
        name = f"pointsman_bench_{self.path.stem}"
        spec = importlib.util.spec_from_file_location(name, self.path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # dataclasses look their module up
        spec.loader.exec_module(module)
        return module


def examples_folder() -> Path:
    """The examples of the working copy that this package runs from, or of the current folder.

    Raises NotFound ``no_examples``.
    """
    for folder in (Path(__file__).parents[3] / "examples", Path("examples")):
        if (folder / "inputs.json").is_file():
            return folder
    raise NotFound("no folder examples/ with inputs.json: run this from the project's working copy", code="no_examples")


def examples(folder: Path) -> list[Example]:
    """Every function that ``inputs.json`` names."""
    inputs = json.loads((folder / "inputs.json").read_text(encoding="utf-8"))
    return [
        Example(key, folder / key.partition(":")[0], key.partition(":")[2], tuple(rows)) for key, rows in inputs.items()
    ]


def recorded_inputs(example: Example, program: Program, classes: Mapping[str, type]) -> list[Arguments]:
    """The recorded inputs as positional arguments, records made from ``classes``."""
    machine = program.machines[program.entry]
    return [_positional(machine, program, classes, row) for row in example.recorded]


def _positional(machine: Machine, program: Program, classes: Mapping[str, type], row: dict[str, Any]) -> Arguments:
    args, kwargs = bind_inputs(machine, program.records, classes, row)
    rest = [kwargs[param.name] for param in machine.params if param.name in kwargs]
    return (*args, *rest)


def sized_inputs(key: str, seed: int) -> list[Arguments]:
    """Inputs that keep a function busy for long enough to see its loops; none for functions without loops."""
    make = _SIZED.get(key)
    rng = random.Random(f"{seed}:{key}")  # noqa: S311  reproducible data, no secrets
    return make(rng) if make is not None else []


def _ints(rng: random.Random, count: int) -> list[int]:
    return [rng.randrange(10_000) for _ in range(count)]


def _word(rng: random.Random, length: int) -> str:
    return "".join(rng.choices(string.ascii_lowercase[:6], k=length))


def _palindrome(rng: random.Random) -> list[Arguments]:
    half = _word(rng, 1_000)
    return [(half + half[::-1],)]


def _graph(rng: random.Random) -> list[Arguments]:
    names = [f"n{i}" for i in range(200)]
    return [({name: {other: rng.randrange(1, 100) for other in rng.sample(names, 6)} for name in names}, names[0])]


def _sorted_search(rng: random.Random) -> list[Arguments]:
    items = sorted(_ints(rng, 10_000))
    return [(items, rng.randrange(10_000)) for _ in range(4)]


_SIZED: dict[str, Callable[[random.Random], list[Arguments]]] = {
    "binary_search.py:binary_search": _sorted_search,
    "bubble_sort.py:bubble_sort": lambda rng: [(_ints(rng, 200),)],
    "collatz.py:collatz_steps": lambda rng: [(837_799,), (rng.randrange(10**6, 2 * 10**6),)],
    "count.py:count": lambda rng: [([rng.randrange(10) for _ in range(5_000)], 3)],
    "credit_card.py:luhn_valid": lambda rng: [("".join(rng.choices(string.digits, k=400)),)],
    "dijkstra.py:dijkstra": _graph,
    "edit_distance.py:edit_distance": lambda rng: [(_word(rng, 60), _word(rng, 60))],
    "factorial.py:factorial": lambda rng: [(20,), (200 + rng.randrange(10),)],
    "fibonacci.py:fibonacci": lambda rng: [(90,), (1_000 + rng.randrange(10),)],
    "gcd.py:gcd": lambda _: [(7_540_113_804_746_346_429, 4_660_046_610_375_530_309)],
    "merge_sorted.py:merge_sorted": lambda rng: [(sorted(_ints(rng, 500)), sorted(_ints(rng, 500)))],
    "palindrome.py:is_palindrome": _palindrome,
    "power.py:power": lambda rng: [(3, 39), (3, 500 + rng.randrange(50))],
    "primes.py:count_primes": lambda _: [(2_000,)],
    "primes.py:is_prime": lambda _: [(1_000_003,), (1_000_000_007,)],
    "reverse.py:reverse": lambda rng: [(_ints(rng, 5_000),)],
    "transpose.py:transpose": lambda rng: [([_ints(rng, 30) for _ in range(30)],)],
}
