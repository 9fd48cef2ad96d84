"""Writes random statements and expressions from the fuzzing grammar.

Covered: every name read is bound on all paths and of the kind expected, but for the two shares below; the estimated
work of a function stays near `MAX_WORK` statements; stored values stay small where text repeats.
Not covered: an argument of the wrong type may make a value grow a little further than estimated.
"""

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from pointsman.program.check.fuzz_exits import EXCEPTIONS, MATCHES
from pointsman.program.check.fuzz_expressions import EXPRESSIONS
from pointsman.program.check.fuzz_functions import CLOSURES
from pointsman.program.check.fuzz_literals import LITERALS, SMALLEST
from pointsman.program.check.fuzz_scope import Callee, Scope
from pointsman.program.check.fuzz_statements import ASSIGNMENTS, BRANCHES, LOOPS, MUTATIONS
from pointsman.program.check.fuzz_template import HOLE, Template, declared

MAX_WORK = 3000  # statements per call of a function, chosen: about a millisecond
UNBOUND_SHARE = 0.006  # of the names read where some could be unbound
MISTYPED_SHARE = 0.0015  # of the names read
VALUE_KINDS = (
    "int",
    "int",
    "int",
    "bool",
    "str",
    "float",
    "list",
    "list",
    "dict",
    "set",
    "tuple",
    "opt",
    "nest",
    "strs",
)
SCALAR_KINDS = frozenset({"int", "bool", "str", "float", "opt", "tuple"})
SIZED_KINDS = frozenset({"str", "list", "dict", "set"})
MODULI = ("97", "1000003", "2147483647", "(-7919)", "256")
SHADOWS = (
    "input",
    "id",
    "type",
    "next",
    "hash",
    "pow",
    "divmod",
    "ord",
    "round",
    "bin",
    "any",
    "all",
)
GROUPS: tuple[tuple[int, Sequence[Template]], ...] = (
    (40, ASSIGNMENTS),
    (20, MUTATIONS),
    (20, BRANCHES),
    (14, LOOPS),
    (10, EXCEPTIONS),
    (3, MATCHES),
    (4, CLOSURES),
)
IDENTIFIER = re.compile(r"[A-Za-z_]\w*\Z")


class Writer:
    """Writes the text of one program; holds the random state, fresh names and the work of the current function."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.work = 0
        self._serial = 0

    def fresh(self, scope: Scope, kind: str) -> str:
        """Return a name to bind: usually new, sometimes one in use, now and then that of a builtin."""
        roll = self.rng.random()
        if roll < 0.004:
            return self.rng.choice(SHADOWS)
        if roll < 0.1 and (known := scope.having(kind, assignable=True)):
            return self.rng.choice(known)
        if roll < 0.102 and kind in VALUE_KINDS and (known := scope.having("int", assignable=True)):
            return self.rng.choice(known)
        self._serial += 1
        return f"{self.rng.choice('abcdefghkmnpqrstuvwxyz')}{self._serial}"

    def expression(self, kind: str, scope: Scope, depth: int) -> str:
        """Write an expression of a kind, in parentheses unless it is a name or a literal."""
        if kind == "any":
            kind = self.rng.choice(VALUE_KINDS)
        elif kind == "ret":
            return self.kept(scope.returns, scope, depth)
        if depth <= 0 or self.rng.random() < 0.2:
            return self.atom(kind, scope)
        if self.rng.random() < 0.12 and (callee := self._affordable(kind, scope)):
            return self._call(callee, scope, depth)
        template = self._choose(EXPRESSIONS[kind], scope, assignable=False) if kind in EXPRESSIONS else None
        return f"({self._fill(template, scope, depth)})" if template else self.atom(kind, scope)

    def atom(self, kind: str, scope: Scope) -> str:
        """Write a name of the kind or a literal; rarely a name that may be unbound or of another kind."""
        roll = self.rng.random()
        if roll < UNBOUND_SHARE and (unbound := [n for n, k in scope.maybe.items() if k == kind]):
            return self.rng.choice(unbound)
        if roll > 1 - MISTYPED_SHARE and (other := [n for n, k in scope.names.items() if k in SCALAR_KINDS]):
            return self.rng.choice(other)
        known = scope.having(kind, assignable=False)
        varying = [n for n in known if not n.isupper()]
        if varying and self.rng.random() < 0.8:
            # Recent names more often, so that values flow through the program.
            return varying[max(self.rng.randrange(len(varying)), self.rng.randrange(len(varying)))]
        sized = [n for n, k in scope.names.items() if k in SIZED_KINDS and not n.isupper()]
        if kind == "int" and not varying and sized and roll < 0.7:
            return f"len({self.rng.choice(sized)})"
        if kind in SMALLEST and roll < 0.7:
            return self._holes(self.rng.choice(SMALLEST[kind]), scope, scope, {}, 0)
        return self.rng.choice(known + list(LITERALS[kind]))

    def kept(self, kind: str, scope: Scope, depth: int) -> str:
        """Write an expression for a value that is stored, cut down where it could grow with each repetition."""
        text = self.expression(kind, scope, depth)
        often = scope.hot or scope.weight > 1
        if kind == "int" and "*" in text and (often or "**" in text or self.rng.random() < 0.5):
            return f"({text}) % {self.rng.choice(MODULI)}"
        if kind in ("str", "list", "strs") and not IDENTIFIER.match(text) and (often or self.rng.random() < 0.1):
            return f"({text})[:12]"
        return text

    def block(self, scope: Scope, depth: int, length: int) -> list[str]:
        """Write up to `length` statements, seen by each other but not by what follows the block."""
        inner = scope.inside({})
        lines = [line for _ in range(length) for line in self.statement(inner, depth)]
        for name, kind in inner.names.items():
            if name not in scope.names:
                scope.maybe[name] = kind
        return lines or ["pass"]

    def statement(self, scope: Scope, depth: int) -> list[str]:
        """Write one statement and bind in `scope` what it binds."""
        self.work += scope.weight
        if depth > 0 and self.rng.random() < 0.04:
            return self._local_function(scope)
        group = self.rng.choices([g for _, g in GROUPS], [w for w, _ in GROUPS])[0]
        fitting = [t for t in group if depth > 0 or not t.nests]
        template = self._choose(fitting, scope, assignable=True)
        return self.lines(template, scope, depth) if template else self.lines(ASSIGNMENTS[0], scope, depth)

    def lines(self, template: Template, scope: Scope, depth: int, bound: Mapping[str, str] | None = None) -> list[str]:
        """Write a statement template line by line.

        A name it binds is visible from the next line on, as long as the lines stay at least as deep.
        """
        names = {**self._bindings(template, scope, assignable=True), **(bound or {})}
        inner = scope.inside({}, template.loop)
        inner.frozen |= {names[n] for n in declared(template.counter)}
        kinds = declared(f"{template.new} {template.counter} {template.keep}")
        seen: dict[str, int] = {}
        written: list[str] = []
        for line in template.text.split("\n"):
            text = line.lstrip()
            indent = len(line) - len(text)
            seen = {n: level for n, level in seen.items() if level <= indent}
            here = inner.inside({names[n]: kinds[n] for n in seen})
            written += [" " * indent + part for part in self._line(text, here, names, depth)]
            inner.maybe.update(here.maybe)
            header = text.endswith(":")
            # What a comprehension or lambda binds ends with its line; a header binds for the lines below it.
            for n in declared(template.new) if header else {}:
                if f"@{n}" in text:
                    seen[n] = indent + 4
            for n in declared(f"{template.counter} {template.keep}"):
                if f"@{n}" in text:
                    seen.setdefault(n, indent + 4 * header)
        scope.names.update({names[n]: k for n, k in declared(template.keep).items()})
        scope.maybe.update({**inner.maybe, **{names[n]: k for n, k in declared(template.maybe).items()}})
        return written

    def function(
        self, name: str, parameters: Sequence[tuple[str, str]], scope: Scope, length: int, num_defaults: int = 0
    ) -> list[str]:
        """Write the head and body of a function, without its last return."""
        heads = [self._parameter(n, k, i >= len(parameters) - num_defaults) for i, (n, k) in enumerate(parameters)]
        body = [line for _ in range(length) for line in self.statement(scope, self.rng.choice((1, 2, 2, 3)))]
        return [f"def {name}({', '.join(heads)}):", *(f"    {line}" for line in body)]

    def _parameter(self, name: str, kind: str, has_default: bool) -> str:
        text = name
        if kind in ANNOTATIONS and self.rng.random() < 0.7:
            text += f": {ANNOTATIONS[kind]}"
        return f"{text}={self.rng.choice(LITERALS[kind])}" if has_default else text

    def _local_function(self, scope: Scope) -> list[str]:
        """Write a nested function or lambda and let what follows in this scope call it."""
        name = self.fresh(Scope(), "fn")
        parameters = [(self.fresh(Scope(), k), k) for k in self.rng.choices(("int", "int", "list", "str"), k=2)]
        if len({name, *(n for n, _ in parameters)}) < 3:
            return ["pass"]
        returns = self.rng.choice(("int", "int", "bool", "str", "list"))
        inner = scope.inside(dict(parameters))
        inner.frozen = frozenset(scope.names)
        inner.returns, inner.in_loop, inner.hot = returns, False, True
        before = self.work
        if self.rng.random() < 0.4:
            head = ", ".join(n for n, _ in parameters)
            lines = [f"{name} = lambda {head}: {self.kept(returns, inner, 2)}"]
        else:
            lines = self.function(name, parameters, inner, self.rng.randint(1, 2))
            lines.append(f"    return {self.kept(returns, inner, 2)}")
        work = max(1, (self.work - before) // scope.weight)
        scope.callees += (Callee(name, tuple(parameters), returns, work, keywords=False),)
        return lines

    def _line(self, text: str, scope: Scope, names: Mapping[str, str], depth: int) -> list[str]:
        if text in ("<block>", "<loop>"):
            inner = replace(scope, in_loop=scope.in_loop or text == "<loop>")
            return self.block(inner, depth - 1, self.rng.choice((1, 1, 1, 2, 2)))
        if text == "<jump>":
            return [self.rng.choice(("break", "continue", "continue", f"return {self.expression('ret', scope, 1)}"))]
        return [self._holes(text, scope, scope, names, self.rng.choice((1, 1, 2, 2, 3)))]

    def _fill(self, template: Template, scope: Scope, depth: int) -> str:
        names = self._bindings(template, scope, assignable=False)
        visible = {names[n]: k for n, k in declared(template.new).items()}
        return self._holes(template.text, scope.inside(visible, template.loop), scope, names, depth)

    def _holes(self, text: str, inner: Scope, outer: Scope, names: Mapping[str, str], depth: int) -> str:
        """Replace each hole: `!` holes are written in `outer`, the others in `inner`."""

        def write(hole: re.Match[str]) -> str:
            kind, how, name = hole.groups()
            if name:
                return names[name]
            if how == ".":
                return self.atom(kind, inner)
            if how == "~":
                return self.kept(kind, inner, depth - 1)
            return self.expression(kind, outer if how == "!" else inner, depth - 1)

        return HOLE.sub(write, text)

    def _bindings(self, template: Template, scope: Scope, *, assignable: bool) -> dict[str, str]:
        """Choose the actual names of a template: existing ones for `use`, fresh ones for the rest."""
        names = {n: self.rng.choice(scope.having(k, assignable=assignable)) for n, k in declared(template.use).items()}
        for n, k in declared(f"{template.new} {template.counter} {template.keep} {template.maybe}").items():
            name = self.fresh(scope, k)
            while name in names.values() or name in scope.frozen:
                self._serial += 1
                name = f"{n}{self._serial}"
            names[n] = name
        return names

    def _choose(self, templates: Sequence[Template], scope: Scope, *, assignable: bool) -> Template | None:
        weights = [t.weight for t in templates]
        for template in self.rng.choices(templates, weights, k=6) if templates else []:
            if self._fits(template, scope, assignable=assignable):
                return template
        fitting = [t for t in templates if self._fits(t, scope, assignable=assignable)]
        return self.rng.choices(fitting, [t.weight for t in fitting])[0] if fitting else None

    def _fits(self, template: Template, scope: Scope, *, assignable: bool) -> bool:
        if template.needs == "loop" and not scope.in_loop:
            return False
        if template.needs == "cold" and (scope.hot or scope.weight > 1):
            return False
        if template.loop > 1 and self.work + scope.weight * template.loop > MAX_WORK // 4:
            return False
        return all(scope.having(k, assignable=assignable) for k in declared(template.use).values())

    def _affordable(self, kind: str, scope: Scope) -> Callee | None:
        fitting = [c for c in scope.callees if c.returns == kind and self.work + scope.weight * c.work <= MAX_WORK]
        return self.rng.choice(fitting) if fitting else None

    def _call(self, callee: Callee, scope: Scope, depth: int) -> str:
        self.work += scope.weight * callee.work
        num_given = len(callee.parameters) - self.rng.randint(0, callee.num_defaults)
        arguments: list[str] = []
        named = False
        for name, kind in callee.parameters[:num_given]:
            named = named or (callee.keywords and bool(arguments) and self.rng.random() < 0.3)
            arguments.append(
                f"{name}={self.expression(kind, scope, depth - 1)}"
                if named
                else self.expression(kind, scope, depth - 1)
            )
        if callee.star and not named:
            arguments += [self.expression("int", scope, depth - 1) for _ in range(self.rng.randint(0, 2))]
            if self.rng.random() < 0.4:
                arguments.append(f"*{self.expression('iter', scope, depth - 1)}")
        return f"{callee.name}({', '.join(arguments)})"


ANNOTATIONS = {"int": "int", "bool": "bool", "str": "str", "float": "float", "list": "list[int]"}
