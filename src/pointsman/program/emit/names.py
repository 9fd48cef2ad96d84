"""Names in emitted code: Python identifiers for the machine's variables, steps and references, without clashes."""

from __future__ import annotations

import builtins
import keyword
import re

from pointsman.program import catalogue
from pointsman.program.table.machine import Machine, Program, made_by, nodes

__all__ = ["GlobalNames", "LocalNames"]

_NOT_IDENTIFIER = re.compile(r"\W")


def _identifier(name: str) -> str:
    text = _NOT_IDENTIFIER.sub("", name.replace("%", "t").replace(".", "_").replace("#self", "_self").replace("#", ""))
    return text if text.isidentifier() and not keyword.iskeyword(text) else f"v_{text}"


class GlobalNames:
    """Names of the emitted module: functions, helpers, library members. None is also some function's variable."""

    def __init__(self, program: Program, fixed: frozenset[str]) -> None:
        self.fixed = fixed | set(dir(builtins)) | set(catalogue.BUILTINS)
        self.taken: set[str] = set(self.fixed)
        for machine in program.machines.values():
            self.taken |= _variables(machine)
        self.by_key: dict[str, str] = {}

    def get(self, key: str, wish: str) -> str:
        """The name for ``key`` (a function, ``math.sqrt``, ...), near ``wish``."""
        if key not in self.by_key:
            name = _identifier(wish.replace(".", "_"))
            while name in self.taken:
                name += "_"
            self.taken.add(name)
            self.by_key[key] = name
        return self.by_key[key]


def _variables(machine: Machine) -> set[str]:
    names = {p.name for p in machine.params} | {_identifier(c) for c in machine.captures}
    for state in machine.states:
        names |= {_identifier(name) for name, _ in state.variables}
        names |= {_identifier(s.name) for n in nodes(state.root) for s in made_by(n)}
    return names | (_variables(machine.generic) if machine.generic else set())


class LocalNames:
    """Names of one emitted function. No local is also a global name of the module, now or later."""

    def __init__(self, machine: Machine, module: GlobalNames) -> None:
        self.module = module
        self.by_variable: dict[str, str] = {p.name: p.name for p in machine.params}
        self.taken = set(module.fixed) | set(module.by_key.values()) | set(self.by_variable)

    def get(self, variable: str) -> str:
        """The one local that holds a machine variable (or step result) of this name."""
        if variable not in self.by_variable:
            self.by_variable[variable] = self.fresh(_identifier(variable))
        return self.by_variable[variable]

    def fresh(self, wish: str) -> str:
        name, count = wish, 1
        while name in self.taken:
            count += 1
            name = f"{wish}_{count}"
        self.taken.add(name)
        self.module.taken.add(name)
        return name
