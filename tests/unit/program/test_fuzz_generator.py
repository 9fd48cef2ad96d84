"""The fuzzing grammar: same program for a seed, every program parses and ends, most inputs end in a value."""

import ast
import copy
import resource
import warnings
from collections import Counter
from collections.abc import Callable

from pointsman.program.check.fuzz import Program, generate_program
from pointsman.program.check.fuzz_exits import EXCEPTIONS, MATCHES
from pointsman.program.check.fuzz_expressions import EXPRESSIONS
from pointsman.program.check.fuzz_functions import CLOSURES, HELPERS
from pointsman.program.check.fuzz_statements import ASSIGNMENTS, BRANCHES, LOOPS, MUTATIONS
from pointsman.program.check.fuzz_template import HOLE, declared

SEEDS = range(150)
STATEMENTS = (*ASSIGNMENTS, *BRANCHES, *CLOSURES, *EXCEPTIONS, *LOOPS, *MATCHES, *MUTATIONS)
ALL_TEMPLATES = (*STATEMENTS, *(h.template for h in HELPERS), *(t for group in EXPRESSIONS.values() for t in group))


def entry_of(program: Program) -> Callable[..., object]:
    namespace: dict[str, Callable[..., object]] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        exec(compile(program.source, "<fuzz>", "exec"), namespace)
    return namespace[program.entry]


def outcome(entry: Callable[..., object], arguments: tuple[object, ...]) -> tuple[str, str]:
    given = copy.deepcopy(arguments)
    try:
        return "value", repr((entry(*given), given))
    except Exception as error:  # noqa: BLE001 - what a program raises is its outcome
        return type(error).__name__, repr((str(error), given))


def test_a_seed_gives_one_program() -> None:
    first, second = generate_program(7), generate_program(7)
    assert (first.source, repr(first.inputs)) == (second.source, repr(second.inputs))
    assert first.source != generate_program(8).source


def test_size_is_the_number_of_statements_wanted() -> None:
    small = sum(generate_program(seed, size=3).source.count("\n") for seed in range(20))
    large = sum(generate_program(seed, size=30).source.count("\n") for seed in range(20))
    assert small * 2 < large


def test_programs_parse_run_and_repeat() -> None:
    outcomes: Counter[str] = Counter()
    for seed in SEEDS:
        program = generate_program(seed)
        ast.parse(program.source)
        entry = entry_of(program)
        for arguments in program.inputs:
            first = outcome(entry, arguments)
            assert first == outcome(entry, arguments), seed
            outcomes[first[0]] += 1
    assert outcomes["value"] > 0.55 * outcomes.total()
    assert len(outcomes) > 5
    assert not outcomes.keys() & {"MemoryError", "RecursionError", "SyntaxError"}


def test_memory_stays_small() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for seed in range(1000, 1040):
        program = generate_program(seed)
        entry = entry_of(program)
        for arguments in program.inputs:
            outcome(entry, arguments)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024


def test_every_name_of_a_template_is_declared() -> None:
    for template in ALL_TEMPLATES:
        fields = (template.use, template.new, template.counter, template.keep, template.maybe)
        names = {name for field in fields for name in declared(field)}
        used = {match[3] for match in HOLE.finditer(template.text) if match[3]}
        # The name of a helper, @f, comes from outside.
        assert used - {"f"} == names - {"f"}, template.text
