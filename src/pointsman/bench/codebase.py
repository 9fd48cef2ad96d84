"""A file of small business functions, made from a seed, and edits of one line of it.

The mix is chosen to look like rules that people keep in code: limits, rates, loops over lists, text tests, and
functions that call earlier ones (about a third). Every function is within the compiler's subset.
"""

from __future__ import annotations

import ast
import random
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Edit", "edited", "generate", "names_of"]


@dataclass(frozen=True, slots=True)
class Edit:
    """One changed line: in which function, and the whole text after it."""

    function: str
    line: int
    source: str


def names_of(source: str) -> list[str]:
    """The top-level functions in order."""
    return [s.name for s in ast.parse(source).body if isinstance(s, ast.FunctionDef)]


def generate(num_functions: int, seed: int) -> str:
    """The file's text; the same for the same arguments."""
    rng = random.Random(f"{seed}:codebase")  # noqa: S311  reproducible data, no secrets
    scalar: list[str] = []  # functions of one int that give an int, which later ones may call
    parts = ['"""Rules of a shop."""']
    for number in range(num_functions):
        calls = bool(scalar) and number % 3 == 2
        template = rng.choice(_CALLERS) if calls else _PLAIN[number % len(_PLAIN)]
        name = f"{template.__name__.strip('_')}_{number:02d}"
        parts.append(template(name, rng, rng.choice(scalar) if scalar else ""))
        if template in (_fee, _steps, _digits):
            scalar.append(name)
    return "\n\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def edited(source: str, function: str, rng: random.Random) -> Edit:
    """Changes one int literal of 2 or more in the function's body to the next int; no other character."""
    node = next(s for s in ast.parse(source).body if isinstance(s, ast.FunctionDef) and s.name == function)
    found = [
        n
        for s in node.body
        for n in ast.walk(s)
        if isinstance(n, ast.Constant) and type(n.value) is int and n.value > 1
    ]
    chosen = rng.choice(sorted(found, key=lambda n: (n.lineno, n.col_offset)))
    lines = source.split("\n")
    text = lines[chosen.lineno - 1]
    assert chosen.end_col_offset is not None
    assert isinstance(chosen.value, int)
    lines[chosen.lineno - 1] = f"{text[: chosen.col_offset]}{chosen.value + 1}{text[chosen.end_col_offset :]}"
    return Edit(function, chosen.lineno, "\n".join(lines))


def _rising(rng: random.Random, count: int, top: int) -> list[int]:
    return sorted(rng.sample(range(2, top), count))


def _fee(name: str, rng: random.Random, _: str) -> str:
    limits = _rising(rng, rng.randrange(3, 7), 10_000)
    lines = [f"def {name}(amount: int) -> int:", "    if amount < 0:", f'        raise ValueError("{name}: negative")']
    for limit in limits:
        lines += [f"    if amount < {limit}:", f"        return {rng.randrange(2, 900)}"]
    return "\n".join([*lines, f"    return amount // {rng.randrange(3, 40)}"])


def _level(name: str, rng: random.Random, _: str) -> str:
    first, second = _rising(rng, 2, 500)
    return f"""def {name}(age: int, member: bool, points: int) -> str:
    if member and points > {second}:
        return "gold"
    if age < {rng.randrange(10, 30)} or age > {rng.randrange(60, 80)}:
        return "reduced"
    if points > {first}:
        return "silver" if member else "regular"
    return "regular"
"""


def _total(name: str, rng: random.Random, _: str) -> str:
    return f"""def {name}(prices: list[int]) -> int:
    total = 0
    for price in prices:
        if price > {rng.randrange(20, 400)}:
            total += price - price // {rng.randrange(5, 30)}
        else:
            total += price
    return total
"""


def _steps(name: str, rng: random.Random, _: str) -> str:
    return f"""def {name}(n: int) -> int:
    count = 0
    while n > {rng.randrange(2, 9)} and count < {rng.randrange(20, 90)}:
        n = n // 2 if n % 2 == 0 else n - {rng.randrange(2, 5)}
        count += 1
    return count
"""


def _code(name: str, rng: random.Random, _: str) -> str:
    prefix = rng.choice(["EU", "US", "UK", "AP"])
    return f"""def {name}(text: str) -> str:
    if len(text) < {rng.randrange(3, 6)}:
        return "short"
    if text.startswith("{prefix}"):
        return "{prefix.lower()}"
    if text[0] == "X" and len(text) > {rng.randrange(7, 15)}:
        return "export"
    return "other"
"""


def _digits(name: str, rng: random.Random, _: str) -> str:
    return f"""def {name}(n: int) -> int:
    total = 0
    n = abs(n)
    while n > 0:
        total = total * {rng.randrange(2, 9)} + n % 10
        n //= 10
    return total % {rng.randrange(50, 999)}
"""


def _best(name: str, rng: random.Random, _: str) -> str:
    return f"""def {name}(scores: list[int]) -> int:
    best = -1
    for i in range(len(scores)):
        if scores[i] > {rng.randrange(2, 60)} and (best < 0 or scores[i] > scores[best]):
            best = i
    return best
"""


def _zone(name: str, rng: random.Random, _: str) -> str:
    rates = [rng.randrange(2, 900) for _ in range(4)]
    return f"""def {name}(country: str, weight: int) -> int:
    if country == "DE":
        return {rates[0]} if weight < {rng.randrange(100, 900)} else {rates[1]}
    if country == "FR" or country == "NL":
        return {rates[2]} + weight // {rng.randrange(10, 90)}
    if weight > {rng.randrange(1_000, 9_000)}:
        raise ValueError(f"too heavy for {{country}}: {{weight}}")
    return {rates[3]}
"""


def _invoice(name: str, rng: random.Random, called: str) -> str:
    return f"""def {name}(amount: int, express: bool) -> int:
    total = amount + {called}(amount)
    if express:
        total += {rng.randrange(100, 900)}
    if total > {rng.randrange(1_000, 9_000)}:
        return total - total // {rng.randrange(10, 60)}
    return total
"""


def _sum(name: str, rng: random.Random, called: str) -> str:
    return f"""def {name}(values: list[int]) -> int:
    result = 0
    for value in values:
        if value > {rng.randrange(2, 40)}:
            result += {called}(value)
    return result % {rng.randrange(500, 5_000)}
"""


_PLAIN: list[Callable[[str, random.Random, str], str]] = [_fee, _level, _total, _steps, _code, _digits, _best, _zone]
_CALLERS: list[Callable[[str, random.Random, str], str]] = [_invoice, _sum]
