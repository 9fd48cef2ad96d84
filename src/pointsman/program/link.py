"""Emitted source -> callables. The only place where emitted code is compiled and executed."""

from __future__ import annotations

import linecache
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pointsman.core import Unverified
from pointsman.program import catalogue
from pointsman.program.emit.module import Emitted, emit
from pointsman.program.records import make_record
from pointsman.program.support import NAMESPACE
from pointsman.program.table.machine import Program

__all__ = ["Linked", "link"]

_count = 0


@dataclass
class Linked:
    """A program ready to run. ``meter`` is [states visited, limit] for metered code."""

    program: Program
    source: str
    functions: dict[str, Callable[..., Any]]
    records: dict[str, type]
    meter: list[int] = field(default_factory=lambda: [0, 0])

    @property
    def entry(self) -> Callable[..., Any]:
        return self.functions[self.program.entry]


def link(
    program: Program,
    *,
    metered: bool = False,
    every_table: bool = False,
    records: Mapping[str, type] | None = None,
    opaque: Mapping[str, Any] | None = None,
) -> Linked:
    """Compiles and executes the emitted module (see ``emit`` for ``metered`` and ``every_table``).

    ``records``: the source's own classes, where it is at hand. ``opaque``: original functions by name; raises
    Unverified when the program calls one that is not given.
    """
    emitted = emit(program, metered=metered, every_table=every_table)
    types = {name: (records or {}).get(name) or make_record(record) for name, record in program.records.items()}
    linked = Linked(program, emitted.source, {}, types)
    namespace: dict[str, Any] = {
        **NAMESPACE,
        **emitted.constants,
        "_meter": linked.meter,
        "__name__": "pointsman.emitted",
    }
    for name, path in emitted.references.items():
        namespace[name] = _resolve(path, types)
    for name in program.opaque:
        if opaque is None or name not in opaque:
            raise Unverified(
                f"{program.entry!r} calls the original {name!r}, which is not trusted", code="opaque_untrusted"
            )
    _execute(emitted, program, namespace, opaque or {})
    linked.functions = {name: namespace[text] for name, text in emitted.functions.items() if text in namespace}
    return linked


def _execute(emitted: Emitted, program: Program, namespace: dict[str, Any], opaque: Mapping[str, Any]) -> None:
    global _count
    _count += 1
    filename = f"<pointsman {program.entry} {_count}>"
    linecache.cache[filename] = (len(emitted.source), None, emitted.source.splitlines(keepends=True), filename)
    for name in program.opaque:
        namespace[emitted.functions[name]] = opaque[name]
    code = compile(emitted.source, filename, "exec", dont_inherit=True)
    exec(code, namespace)  # noqa: S102  our own emitted text, made from a verified machine
    meter = namespace["_meter"]
    meter[1] = 10**9  # module values are made once, outside any request's limit
    for name, maker in emitted.globals_.items():
        namespace[name] = namespace[maker]()
    meter[0] = 0


def _resolve(path: str, types: Mapping[str, type]) -> Any:
    kind, _, rest = path.partition(":")
    if kind == "record" and rest:
        name, _, member = rest.partition(".")
        return types[name] if not member else types[name][member]  # type: ignore[index]  # an enum's member
    return catalogue.resolve_ref(path)
