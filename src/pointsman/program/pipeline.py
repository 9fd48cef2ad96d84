"""``compile``: source -> IR -> machines -> proofs -> differential test -> a table with its certificate.

Each stage's result is kept in the cache under the hash of what it depends on. A mismatch between CPython and the
emitted code is a compile error that shows the input; nothing is written then.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pointsman.core import BadRequest, InternalError, Unverified
from pointsman.program import frontend
from pointsman.program.artefact import machine_from_json, machine_to_json, region_hash
from pointsman.program.cache import Cache, compiler_version
from pointsman.program.check.differential import Differential, differential_test
from pointsman.program.check.domain import small_domain
from pointsman.program.compiler import explore_machine
from pointsman.program.deep import deep_recursion
from pointsman.program.docstrings import first_line, parameter_words
from pointsman.program.frontend.builder import Program as LoweredProgram
from pointsman.program.ir import Function, content_hash
from pointsman.program.proof.certificate import Certificate, StateCertificate, certify, certify_parts
from pointsman.program.proof.models import row_inputs
from pointsman.program.proof.smt import Settler
from pointsman.program.runtime import Table, table_from_json
from pointsman.program.table.cut import bound_depth
from pointsman.program.table.machine import Machine, Program
from pointsman.program.table.optimise import optimise_machine
from pointsman.program.verify import verify_function, verify_program

__all__ = ["CompileOptions", "Compiled", "MismatchError", "compile_function", "compile_table", "function_names"]


@dataclass(frozen=True, slots=True)
class CompileOptions:
    """How to compile.

    ``max_examples``, ``seconds``: the differential test's budget. ``cache_folder`` None: compile everything anew.
    ``verify``: check the IR after every pass (tests do); machines are checked always. ``doctests``: the differential
    test also runs the examples of the docstring, which the front end does not read.
    """

    allow_opaque: bool = False
    max_examples: int = 60
    seconds: float = 5.0
    seed: int = 0
    cache_folder: Path | None = None
    verify: bool = False
    doctests: bool = True


@dataclass
class Compiled:
    """A table, and how it was made. ``reused`` names the stages whose result came from the cache."""

    table: Table
    differential: Differential | None
    refusals: dict[str, frontend.Refusal] = field(default_factory=dict)  # of the parts that stay opaque
    reused: tuple[str, ...] = ()
    stage_seconds: dict[str, float] = field(default_factory=dict)

    @property
    def routed_share(self) -> float:
        """The share of the reached functions that have a table."""
        total = len(self.table.program.machines) + len(self.table.program.opaque)
        return len(self.table.program.machines) / total if total else 0.0


class MismatchError(Unverified):
    """The emitted code does not do what CPython does: a defect of ours. Nothing was written."""

    code = "compile_mismatch"

    def __init__(self, name: str, differential: Differential) -> None:
        found = differential.mismatch
        assert found is not None
        super().__init__(
            f"{name}: the compiled code differs from CPython on\n    {found.input}\n  CPython: {found.original}\n"
            f"  compiled: {found.emitted}\nThis is a defect of Pointsman; please report it."
        )
        self.differential = differential


def function_names(source: str, filename: str) -> tuple[str, ...]:
    """The functions that a file defines at its top level. Raises frontend.Refusal PM001."""
    return tuple(frontend.Module.parse(source, filename).functions)


class _Stages:
    """Times the stages of one compilation."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def run(self, name: str, work: Callable[[], Any]) -> Any:
        """A stage on structures of ours, which may be deep."""
        with deep_recursion():
            return self.run_shallow(name, work)

    def run_shallow(self, name: str, work: Callable[[], Any]) -> Any:
        """A stage that runs the program itself, under Python's own limits."""
        start = time.perf_counter()
        try:
            return work()
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


def compile_table(
    source: str,
    filename: str,
    entry: str,
    options: CompileOptions | None = None,
    *,
    module: frontend.Module | None = None,
    extra_inputs: Sequence[Any] = (),
) -> Compiled:
    """Compiles one function of a source text.

    ``module``: the parsed source, when several functions of it are compiled. Raises frontend.Refusal, MismatchError.
    """
    options = options or CompileOptions()
    stages, cache = _Stages(), Cache(options.cache_folder)
    parsed = module or stages.run("parse", lambda: frontend.Module.parse(source, filename))
    lowered = stages.run("lower", lambda: frontend.lower_program(parsed, entry, allow_opaque=options.allow_opaque))
    key = stages.run("cache", lambda: program_key(lowered, options))
    about = _about(source, filename, ast.get_docstring(parsed.function(entry)) or "")
    if not lowered.opaque:
        table = stages.run("cache", lambda: cache.get("table", key, lambda data: table_from_json(data, filename)))
        if table is not None:
            # an edit that changes no IR changes what is said about it
            return Compiled(replace(table, **about), None, {}, ("table",), stages.seconds)
    if options.verify:
        for function in lowered.functions.values():
            verify_function(
                function,
                lowered.functions,
                lowered.records,
                opaque=lowered.opaque,
                globals_=lowered.globals,
                attributes=lowered.attributes,
            )
    built = stages.run("explore", lambda: _machines(lowered, cache))
    machines = {name: machine for name, (machine, _) in built.items()}
    opaque = tuple(sorted(lowered.opaque))
    program = Program(entry, machines, lowered.records, lowered.globals, opaque, lowered.attributes)
    stages.run("verify", lambda: verify_program(program))
    certificates: tuple[StateCertificate, ...] = tuple(c for _, states in built.values() for c in states)
    tested, reused = stages.run_shallow(
        "test", lambda: _tested(source, filename, program, options, cache, extra_inputs)
    )
    if tested["domain_size"] is not None:
        certificates = tuple(replace(c, level="exhaustive") if c.level == "tested" else c for c in certificates)
    certificate = Certificate(
        certificates, tested["tested"], tested["undecided"], tested["domain_size"], tested["domain_bound"]
    )
    table = Table(program, certificate, **about)
    cache.put("table", key, table.to_json())
    return Compiled(table, tested["differential"], dict(lowered.opaque), reused, stages.seconds)


def program_key(lowered: LoweredProgram, options: CompileOptions) -> str:
    functions = [(name, function) for name, function in sorted(lowered.functions.items())]
    records = sorted(lowered.records.items())
    return content_hash(
        compiler_version(),
        functions,
        records,
        lowered.globals,
        sorted(lowered.opaque),
        options.max_examples,
        options.seconds,
        options.seed,
    )


def _about(source: str, filename: str, docstring: str) -> dict[str, Any]:
    return {
        "source_file": Path(filename).name,
        "source_sha256": hashlib.sha256(source.encode()).hexdigest(),
        "description": first_line(docstring),
        "parameters": parameter_words(docstring),
    }


def _machines(lowered: LoweredProgram, cache: Cache) -> dict[str, tuple[Machine, tuple[StateCertificate, ...]]]:
    settle = Settler()
    return {name: _machine(function, lowered, cache, settle) for name, function in lowered.functions.items()}


def _machine(
    function: Function, lowered: LoweredProgram, cache: Cache, settle: Settler
) -> tuple[Machine, tuple[StateCertificate, ...]]:
    key = content_hash(compiler_version(), function, sorted(lowered.records.items()))
    kept = cache.get("machine", key, _kept_machine)
    if kept is not None:
        return kept
    explored = explore_machine(function, lowered.records, settle)
    optimised = optimise_machine(explored)
    machine, origins = bound_depth(optimised)
    states = certify_parts(certify(explored, optimised, domain_size=None), machine, origins)
    data = {"machine": machine_to_json(machine), "states": [state.to_json() for state in states]}
    cache.put("machine", key, data)
    return machine, states


def _kept_machine(data: Any) -> tuple[Machine, tuple[StateCertificate, ...]]:
    return machine_from_json(data["machine"]), tuple(map(StateCertificate.from_json, data["states"]))


def tables_key(program: Program, options: CompileOptions) -> str:
    """Of the regions of all machines: equal keys, equal behaviour."""
    regions = []
    for name, machine in sorted(program.machines.items()):
        generic = [region_hash(s) for s in machine.generic.states] if machine.generic else []
        regions.append((name, machine.params, machine.guards, [region_hash(s) for s in machine.states], generic))
    return content_hash(
        compiler_version(),
        regions,
        sorted(program.records.items()),
        options.max_examples,
        options.seconds,
        options.seed,
    )


def _tested(
    source: str, filename: str, program: Program, options: CompileOptions, cache: Cache, extra_inputs: Sequence[Any]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The differential test, or what an equal program came to (only a test that agreed is kept)."""
    key = tables_key(program, options)
    kept = cache.get("tested", key, _kept_test) if not program.opaque else None
    if kept is not None:
        return {**kept, "differential": None}, ("tested",)
    machine = program.machines.get(program.entry)
    domain = small_domain(machine)
    small = domain.inputs if domain is not None else ()
    inputs = [*small, *extra_inputs, *(row_inputs(machine, program.records) if machine is not None else ())]
    made = [i for i in inputs if not any(isinstance(v, dict) for v in (i.values() if isinstance(i, dict) else ()))]
    found = differential_test(
        source,
        filename,
        program,
        seed=options.seed,
        max_examples=options.max_examples,
        extra_inputs=made,
        seconds=options.seconds,
        doctests=options.doctests,
    )
    if found.status == "mismatch":
        raise MismatchError(program.entry, found)
    if found.status == "failed":
        raise InternalError(
            f"{program.entry}: the compiled code could not be tested, so nothing is written: {found.detail}\n"
            "This is a defect of Pointsman; please report it.",
            code="compile_untested",
        )
    complete = domain is not None and found.extra_tested >= len(small) and found.unstable == 0
    result = {
        "tested": found.tested,
        "undecided": found.undecided,
        "domain_size": len(small) if complete else None,
        "domain_bound": domain.bound if domain is not None and complete else None,
    }
    if found.status == "equal":
        cache.put("tested", key, result)
    return {**result, "differential": found}, ()


def _kept_test(data: Any) -> dict[str, Any]:
    """Raises TypeError for an entry of another shape."""
    optional = ("domain_size", "domain_bound")
    if any(type(data[name]) is not int for name in ("tested", "undecided")):
        raise TypeError
    if any(data[name] is not None and type(data[name]) is not int for name in optional):
        raise TypeError
    return {name: data[name] for name in ("tested", "undecided", *optional)}


def compile_function(function: Callable[..., Any], options: CompileOptions | None = None) -> Table:
    """The table of a Python function, from the file that defines it; records and opaque parts are that module's own.

    Raises BadRequest ``no_source`` when its source is not in a file, frontend.Refusal, MismatchError.
    """
    try:
        path = inspect.getsourcefile(function)
        name = function.__name__
    except (TypeError, AttributeError) as exc:
        raise BadRequest(f"not a Python function: {function!r}", code="no_source") from exc
    if path is None or not Path(path).is_file() or function.__qualname__ != name:
        raise BadRequest(f"{function!r} is not a top-level function of a source file", code="no_source")
    compiled = compile_table(Path(path).read_text(), path, name, options)
    module = sys.modules.get(function.__module__)
    own = vars(module) if module is not None else {}
    program = compiled.table.program
    return replace(
        compiled.table,
        records={n: own[n] for n in program.records if n in own},
        opaque={n: own[n] for n in program.opaque if n in own},
    )
