"""Whether a program is numeric, and if so, a function that runs it as machine code.

Covered: the result, exception and changes to list arguments are those of the emitted Python, since whatever the native
run cannot answer exactly is run there from the start, with arguments that are still untouched; a list is one object
wherever it is returned. Not covered: the object identity of numbers, tuples and single characters; RecursionError for a
recursion below ``MAX_DEPTH`` in a caller that is deep itself; that other threads see a list argument change before the
call ends. A call on small arguments costs about 60 ns, and machine code for a small function takes 50 to 400 ms to make
(measured 2026-11-22, CPython 3.11, two shared cores).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pointsman.core import InternalError
from pointsman.program.ir import Const
from pointsman.program.link import Linked, link
from pointsman.program.native import boundary, engine
from pointsman.program.native.infer import infer
from pointsman.program.native.instances import Instance
from pointsman.program.native.kinds import NotNumeric
from pointsman.program.native.list_copies import list_helpers
from pointsman.program.native.lower import lower
from pointsman.program.native.prelude import PRELUDE
from pointsman.program.native.text import Constants
from pointsman.program.table.machine import Machine, Program

__all__ = ["NativeFunction", "NotNative", "native_function"]

_PROFILE = '!0 = !{!"branch_weights", i32 1, i32 2000}\n'


@dataclass(frozen=True, slots=True)
class NotNative:
    """Why a program stays in Python. ``code`` is stable and meant for programs, ``str()`` for people.

    ``reason`` names the first part that does not fit, ``function`` where it is, and ``line`` where the state that holds
    it begins in the source (None: with the function; tables keep no closer position).
    """

    code: str
    reason: str
    function: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        place = "" if self.function is None else f"in {self.function}"
        place += "" if self.line is None else f" from line {self.line}"
        return f"not native ({self.code}){place and ' '}{place}: {self.reason}"


@dataclass
class NativeFunction:
    """A numeric program. Compiled at the first call or by ``compile``; ``entry`` is the fastest way to call it."""

    program: Program
    llvm: str
    kept: list[Any]
    python: Callable[..., Any]
    compile_seconds: float | None = None
    _parts: dict[str, Callable[..., Any]] = field(default_factory=dict)

    def compile(self) -> float:
        """Makes the machine code, once; gives the seconds that took."""
        if self.compile_seconds is None:
            start = time.perf_counter()
            machine = self.program.machines[self.program.entry]
            rebind = _rebind(machine, self._parts)
            self._parts.update(
                engine.build(self.llvm, machine.name, {"fallback": self.python, "rebind": rebind}, self.kept)
            )
            self.compile_seconds = time.perf_counter() - start
        return self.compile_seconds

    @property
    def entry(self) -> Callable[..., Any]:
        """The callable itself, without this object's cost of a call."""
        self.compile()
        return self._parts["entry"]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Calls the program; raises what it raises."""
        return self.entry(*args, **kwargs)

    def metered(self, fuel: int, *args: Any) -> Any:
        """Runs with at most ``fuel`` loop turns and calls; raises OutOfFuel beyond.

        A run that Python has to repeat gets the same fuel again, counted in states.
        """
        self.compile()
        answer = self._parts["metered"](fuel, *args)
        if answer is not NotImplemented:
            return answer
        self._metered.meter[:] = [0, fuel]
        return self._metered.entry(*args)

    @cached_property
    def _metered(self) -> Linked:
        return link(self.program, metered=True)


def native_function(program: Program, python: Callable[..., Any] | None = None) -> NativeFunction | NotNative:
    r"""A program as machine code, or why it has none; decides at once, and makes the code at the first call.

        >>> from pointsman.program.compiler import compile_source
        >>> source = "def gcd(a: int, b: int) -> int:\n    while b:\n        a, b = b, a % b\n    return a"
        >>> gcd = native_function(compile_source(source, "gcd"))
        >>> gcd(48, 36)
        12
        >>> print(native_function(compile_source("def f(a: int): return str(a)", "f")))
        not native (call) in f from line 1: a call of builtins.str with int

    Every parameter needs an annotation. ``python`` runs the calls that machine code cannot answer (default: the emitted
    program, linked here). A program that does not fit raises nothing: that is a NotNative, and so is a process without
    llvmlite (``unavailable``), which is checked first.
    """
    missing = engine.available()
    if missing is not None:
        return NotNative("unavailable", missing)
    try:
        instances = infer(program)
        constants = Constants()
        text = _module(instances, constants)
    except NotNumeric as refusal:
        function, line = refusal.where or (program.machines[program.entry].qualname, 0)
        return NotNative(refusal.code, refusal.text, function, line or None)
    return NativeFunction(program, text, constants.kept, python or link(program).entry)


def _module(instances: list[Instance], constants: Constants) -> str:
    functions = [lower(instance, constants) for instance in instances]
    functions.append(boundary.entries(instances[0], constants))
    return "\n".join([PRELUDE, list_helpers(), *constants.lines, *functions, _PROFILE])


def _rebind(machine: Machine, parts: dict[str, Callable[..., Any]]) -> Callable[..., Any]:
    """A Python function with the program's parameters that calls the entry with all of them by position.

    Keywords and defaults are bound here; what is wrong with a call is raised here, as Python words it.
    """
    names = [p.name for p in machine.params]
    if not all(name.isidentifier() for name in names):
        raise InternalError(f"a parameter of {machine.name!r} is not a name", code="native_parameter")
    shown = [
        p.name if not isinstance(p.default, Const) else f"{p.name}=_default[{i}]" for i, p in enumerate(machine.params)
    ]
    only = [i for i, p in enumerate(machine.params) if p.kind == "positional_only"]
    if only:
        shown.insert(only[-1] + 1, "/")
    source = f"def _rebind({', '.join(shown)}): return _parts['entry']({', '.join(names)})"
    defaults = {i: p.default.value for i, p in enumerate(machine.params) if isinstance(p.default, Const)}
    namespace: dict[str, Any] = {"_default": defaults, "_parts": parts}
    exec(source, namespace)  # noqa: S102  our own text, of names that a parser accepted
    made: Callable[..., Any] = namespace["_rebind"]
    made.__name__, made.__qualname__ = machine.qualname.rpartition(".")[2], machine.qualname
    return made
