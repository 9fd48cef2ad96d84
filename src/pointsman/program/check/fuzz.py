"""Random Python programs for comparing a compiled program with the original.

`generate_program(seed)` writes a module of pure functions that parses, ends soon on every input, and gives the same
result in every CPython process of one version. The same seed gives the same program.

Covered: the parts of the language in `fuzz_expressions`, `fuzz_statements`, `fuzz_exits` and `fuzz_functions`, natural
and raised exceptions, arguments of a type the annotations exclude. Not covered: classes, generators, imports, `async`,
anything that shows the order of a set, the identity of an object other than None, or the depth of the stack.
"""

import ast
import random
import re
from dataclasses import dataclass

from pointsman.program.check.fuzz_functions import HELPERS
from pointsman.program.check.fuzz_inputs import arguments
from pointsman.program.check.fuzz_scope import Callee, Scope
from pointsman.program.check.fuzz_template import HelperTemplate
from pointsman.program.check.fuzz_writer import VALUE_KINDS, Writer

NUM_INPUTS = 8
CONSTANTS = {
    "LIMIT": "7",
    "BASE": "-3",
    "TITLE": "'Route 66'",
    "SPAN": "(2, 9, 4)",
    "RATIO": "0.75",
    "TABLE": "{'a': 3, 'b': -1, 'zz': 8}",
    "WEIGHTS": "(5, -2, 0, 11)",
}
CONSTANT_KINDS = {"LIMIT": "int", "BASE": "int", "TITLE": "str", "SPAN": "tuple", "RATIO": "float"}
PARAMETER_KINDS = (
    ("int",) * 8
    + ("list",) * 5
    + ("str",) * 3
    + ("bool", "bool", "float", "float", "dict", "opt", "tuple", "nest", "strs")
)
HELPER_NAMES = ("combine", "step", "score", "adjust", "measure", "shrink", "pick", "clean", "filter", "vars")


@dataclass(frozen=True, slots=True)
class Program:
    """A module, the name of the function to call, and the arguments to call it with.

    The function may mutate its arguments: copy them deeply before each call, and compare them too.
    """

    source: str
    entry: str
    inputs: tuple[tuple[object, ...], ...]


def generate_program(seed: int, size: int = 12) -> Program:
    """Write the program of a seed; `size` is the number of statements at the top of its entry function."""
    rng = random.Random(seed)  # noqa: S311 - reproducible test programs, no secrets
    writer = Writer(rng)
    callees: tuple[Callee, ...] = ()
    parts: list[str] = []
    for name in rng.sample(HELPER_NAMES, rng.choice((0, 1, 2, 2, 3))):
        lines, callee = _helper(writer, name, callees, size)
        callees += (callee,)
        parts.append("\n".join(lines))
    kinds = (rng.choice(("int", "int", "list", *PARAMETER_KINDS)), *rng.choices(PARAMETER_KINDS, k=rng.randint(0, 3)))
    parts.append("\n".join(_entry(writer, kinds, callees, size)))
    body = "\n\n".join(parts)
    used = [f"{name} = {value}" for name, value in CONSTANTS.items() if re.search(rf"\b{name}\b", body)]
    # Unparsing drops the parentheses that the grammar writes around everything, so that precedence is tested too.
    source = ast.unparse(ast.parse("\n".join([*used, body]))) + "\n"
    return Program(source, "entry", arguments(rng, kinds, NUM_INPUTS))


def _helper(writer: Writer, name: str, callees: tuple[Callee, ...], size: int) -> tuple[list[str], Callee]:
    writer.work = 0
    if writer.rng.random() < 0.4:
        return _special_helper(writer, writer.rng.choice(HELPERS), name, callees)
    kinds = writer.rng.choices(("int", "int", "int", "list", "str", "float", "dict", "opt"), k=writer.rng.randint(1, 3))
    parameters = tuple((f"{kind[0]}_{i}", kind) for i, kind in enumerate(kinds))
    num_defaults = writer.rng.choice((0, 1)) if kinds[-1] in ("int", "str", "float") else 0
    returns = writer.rng.choice(("int", "int", "int", "bool", "str", "list", "float", "tuple", "opt"))
    scope = _module_scope(parameters, callees, returns)
    scope.hot = True
    lines = writer.function(name, parameters, scope, writer.rng.randint(1, max(1, size // 3)), num_defaults)
    lines.append(f"    return {writer.kept(returns, scope, 2)}")
    return lines, Callee(name, parameters, returns, max(1, writer.work), num_defaults)


def _special_helper(
    writer: Writer, helper: HelperTemplate, name: str, callees: tuple[Callee, ...]
) -> tuple[list[str], Callee]:
    scope = _module_scope((), callees, "int")
    scope.hot = True
    lines = writer.lines(helper.template, scope, 2, {"f": name})
    names = [n for n in re.findall(rf"def {name}\(([^)]*)\)", "\n".join(lines))[0].split(", ") if n]
    parameters = tuple((re.split("[:=]", n)[0], k) for n, k in zip(names, helper.parameters, strict=False))
    work = max(1, writer.work + helper.template.loop)
    return lines, Callee(name, parameters, "int", work, helper.num_defaults, helper.star)


def _entry(writer: Writer, kinds: tuple[str, ...], callees: tuple[Callee, ...], size: int) -> list[str]:
    writer.work = 0
    parameters = tuple((f"{kind[0]}{'xyzw'[i]}", kind) for i, kind in enumerate(kinds))
    returns = writer.rng.choice(VALUE_KINDS)
    scope = _module_scope(parameters, callees, returns)
    lines = writer.function("entry", parameters, scope, size)
    shown = [n for n, k in scope.names.items() if k in VALUE_KINDS and n not in CONSTANTS]
    parts = [writer.expression(returns, scope, 2), *writer.rng.sample(shown, min(len(shown), writer.rng.randint(0, 5)))]
    return [*lines, f"    return {parts[0]}" if len(parts) == 1 else f"    return ({', '.join(parts)})"]


def _module_scope(parameters: tuple[tuple[str, str], ...], callees: tuple[Callee, ...], returns: str) -> Scope:
    scope = Scope({**CONSTANT_KINDS, **dict(parameters)}, frozenset(CONSTANTS), callees=callees)
    scope.returns = returns
    return scope
