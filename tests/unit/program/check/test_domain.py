"""Domains of small inputs, and the certificates that rest on them."""

import pytest

from pointsman.program.check.domain import small_domain
from pointsman.program.compiler import compile_source
from pointsman.program.pipeline import CompileOptions, compile_table

NEVER = CompileOptions(seconds=2.0)


@pytest.mark.parametrize(
    ("signature", "size", "bound"),
    [
        ("a: bool", 2, None),
        ("a: bool, b: bool, c: bool", 8, None),
        ("n: int", 149, 74),
        ("n: int, b: bool", 150, 37),
        ("a: int, b: int", 121, 5),
        ("a: int, b: int, c: int", 125, 2),
    ],
)
def test_a_domain_has_every_small_input(signature: str, size: int, bound: int | None) -> None:
    domain = small_domain(compile_source(f"def f({signature}): return 1\n", "f").machines["f"])
    assert domain is not None
    assert (len(domain.inputs), domain.bound) == (size, bound)
    assert len(set(map(repr, domain.inputs))) == size


@pytest.mark.parametrize(
    "signature", ["", "a", "s: str", "n: int, s: str", "*n: int", "a: int, b: int, c: int, d: int", "*, n: int"]
)
def test_other_parameters_have_no_domain(signature: str) -> None:
    assert small_domain(compile_source(f"def f({signature}): return 1\n", "f").machines["f"]) is None


def test_a_state_that_is_not_proved_is_exhaustive_on_its_domain() -> None:
    table = compile_table("def f(n: int):\n    return [i for i in range(n) if i % 3]\n", "f.py", "f", NEVER).table
    assert (table.certificate.domain_size, table.certificate.domain_bound) == (149, 74)
    assert "exhaustive" in {state.level for state in table.certificate.states}


def test_a_domain_with_an_input_that_does_not_end_proves_nothing() -> None:
    source = "def f(n: int):\n    while n > 70: n += 1\n    return [n].pop()\n"
    table = compile_table(source, "f.py", "f", NEVER).table
    assert table.certificate.undecided > 0
    assert table.certificate.domain_size is None
    assert "exhaustive" not in {state.level for state in table.certificate.states}
