"""Emitted source -> callables. The only place where emitted code is compiled and executed.

Linking executes definitions only. Module-level values are made by the program's own code, so that runs later: of
metered code inside the first call, within its fuel; of plain code when the entry is first asked for.
"""

from __future__ import annotations

import linecache
import threading
import types
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pointsman.core import Unverified
from pointsman.program import catalogue
from pointsman.program.emit.module import Emitted, emit
from pointsman.program.records import make_record
from pointsman.program.support import NAMESPACE, guards
from pointsman.program.table.machine import Program

__all__ = ["Linked", "link"]

_count = 0
_compiling: Final = threading.Lock()  # one at a time silences the compiler: warning filters are the process's


@dataclass
class Linked:
    """A program ready to run. ``meter`` is [states visited, limit] for metered code.

    ``unmade``: names of module values in the namespace, and of what makes them, until they are made.
    """

    program: Program
    source: str
    functions: dict[str, Callable[..., Any]]
    records: dict[str, type]
    meter: list[int] = field(default_factory=lambda: [0, 0])
    metered: bool = False
    unmade: dict[str, str] = field(default_factory=dict)
    namespace: dict[str, Any] = field(default_factory=dict)
    _making: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def entry(self) -> Callable[..., Any]:
        """The entry function. Plain: raises Unverified where a module value cannot be made."""
        if self.unmade and self.metered:
            return self._first_call
        if self.unmade:
            try:
                self._make_values()
            except Exception as exc:
                message = f"a module value of {self.program.entry!r} cannot be made: {type(exc).__name__}: {exc}"
                raise Unverified(message, code="module_value") from exc
        return self.functions[self.program.entry]

    def _first_call(self, *args: Any, **kwargs: Any) -> Any:
        """Makes the module values within the caller's fuel, of which nothing is spent when that succeeds."""
        spent = self.meter[0]
        self._make_values()
        self.meter[0] = spent
        return self.functions[self.program.entry](*args, **kwargs)

    def _make_values(self) -> None:
        with self._making:
            for name, maker in self.unmade.items():
                self.namespace[name] = self.namespace[maker]()
            self.unmade = {}


def link(
    program: Program,
    *,
    metered: bool = False,
    every_table: bool = False,
    records: Mapping[str, type] | None = None,
    opaque: Mapping[str, Any] | None = None,
) -> Linked:
    """Compiles and executes the emitted module (see ``emit`` for ``metered`` and ``every_table``).

    ``records``: the source's own classes, where it is at hand. ``opaque``: original functions by name. Raises
    Unverified when the program calls one that is not given, and ``not_emitted`` for what has no Python text that
    CPython compiles.
    """
    types_ = {name: (records or {}).get(name) or make_record(record) for name, record in program.records.items()}
    emitted, code = _compiled(program, metered, every_table)
    linked = Linked(program, emitted.source, {}, types_, metered=metered)
    guarded = guards(types_.values())
    namespace: dict[str, Any] = {
        **NAMESPACE,
        **guarded,
        **emitted.constants,
        "_meter": linked.meter,
        "__name__": "pointsman.emitted",
    }
    for name, path in emitted.references.items():
        namespace[name] = _resolve(path, types_, guarded["_kinds"])
    for name in program.opaque:
        if opaque is None or name not in opaque:
            raise Unverified(
                f"{program.entry!r} calls the original {name!r}, which is not trusted", code="opaque_untrusted"
            )
        namespace[emitted.functions[name]] = opaque[name]
    exec(code, namespace)  # noqa: S102  our own emitted text, made from a verified machine
    linked.functions = {name: namespace[text] for name, text in emitted.functions.items() if text in namespace}
    linked.unmade, linked.namespace = dict(emitted.globals_), namespace
    return linked


def _compiled(program: Program, metered: bool, every_table: bool) -> tuple[Emitted, types.CodeType]:
    global _count
    try:
        emitted = emit(program, metered=metered, every_table=every_table)
        _count += 1
        filename = f"<pointsman {program.entry} {_count}>"
        with _compiling, warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # `x is 1` is what the table says
            code = compile(emitted.source, filename, "exec", dont_inherit=True)
    except (SyntaxError, RecursionError, MemoryError, ValueError, OverflowError) as exc:
        message = f"{program.entry!r} has no Python text that CPython compiles: {type(exc).__name__}: {exc}"
        raise Unverified(message, code="not_emitted") from exc
    linecache.cache[filename] = (len(emitted.source), None, emitted.source.splitlines(keepends=True), filename)
    return emitted, code


def _resolve(path: str, types_: Mapping[str, type], kinds: Mapping[type, Any]) -> Any:
    kind, _, rest = path.partition(":")
    if kind == "class" and rest:
        return catalogue.resolve_ref(rest)
    if kind == "record" and rest:
        name, _, member = rest.partition(".")
        return types_[name] if not member else types_[name][member]  # type: ignore[index]  # an enum's member
    found = catalogue.resolve_ref(path)
    return kinds[found] if catalogue.is_python_class(path) else found
