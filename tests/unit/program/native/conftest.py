"""``twin``: a source's function and its native form side by side."""

import copy
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from pointsman.program.compiler import compile_source
from pointsman.program.link import link
from pointsman.program.native import NotNative, native_function


def shown(values: tuple[Any, ...]) -> str:
    """Values with their types; a list that was met before is shown as its number, so that aliases are seen."""
    numbers: dict[int, int] = {}

    def one(value: Any) -> str:
        if isinstance(value, list | tuple):
            if isinstance(value, list):
                if id(value) in numbers:
                    return f"list {numbers[id(value)]}"
                numbers[id(value)] = len(numbers)
            return f"{type(value).__name__}({', '.join(map(one, value))})"
        return f"{type(value).__name__} {value!r}"

    return one(values)


def outcome(function: Callable[..., Any], given: tuple[Any, ...]) -> str:
    args = copy.deepcopy(given)
    try:
        result = function(*args)
    except Exception as error:  # noqa: BLE001  whatever it is, both must raise it
        return f"{error!r} {shown(args)}"
    return shown((result, args))


class Twin:
    """``falls`` counts the runs that Python had to repeat; ``refusal`` says why there is no native form."""

    def __init__(self, source: str, name: str) -> None:
        namespace: dict[str, Any] = {}
        exec(source, namespace)
        self.source, self.original = source, namespace[name]
        program = compile_source(source, name)
        python = link(program).entry
        self.falls = 0

        def counted(*args: Any, **kwargs: Any) -> Any:
            self.falls += 1
            return python(*args, **kwargs)

        native = native_function(program, counted)
        self.refusal = native if isinstance(native, NotNative) else None
        self.native: Any = None if isinstance(native, NotNative) else native

    def agree(self, *args: Any) -> bool:
        """Asserts that both do the same; says whether the run was native."""
        assert self.native is not None, self.refusal
        before = self.falls
        expected, got = outcome(self.original, args), outcome(self.native.entry, args)
        assert got == expected, f"{self.source}\n{args!r}"
        return self.falls == before


@pytest.fixture(scope="session")
def twin() -> Callable[..., Twin]:
    @cache
    def make(source: str, name: str = "f") -> Twin:
        return Twin(source, name)

    return make
