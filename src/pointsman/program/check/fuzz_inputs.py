"""Random arguments for fuzzed programs: mostly of the parameter's kind, now and then of another type."""

import random

INTEGERS = (0, 1, -1, 2, 3, 5, 7, 10, -2, -5, 13, 42, 100, -100)
LARGE_INTEGERS = (1000, -12345, 2**31, -(2**31) - 1, 2**63, 10**18)
STRINGS = ("", "a", "abc", "Hello", "b,a", "42", "-7", " x ", "aBcABC", "éa", "zz top", "a1b2")
FLOATS = (0.0, 1.0, -1.5, 0.25, 2.5, 100.0, -0.0, 1e10, float("inf"), float("nan"))


def typed_value(rng: random.Random, kind: str) -> object:
    """Return a new value of a kind of the grammar."""
    if kind in ("list", "nest", "strs"):
        element = {"list": "int", "nest": "list", "strs": "str"}[kind]
        return [
            typed_value(rng, element)
            for _ in range(rng.choice((0, 1, 2, 3, 3, 4, 5, 7) if kind == "list" else (0, 2, 3)))
        ]
    if kind == "dict":
        return {key: typed_value(rng, "int") for key in rng.sample("abc", rng.randint(0, 3))}
    if kind == "tuple":
        return tuple(rng.choice(INTEGERS) for _ in range(rng.randint(1, 4)))
    if kind == "opt":
        return rng.choice((None, None, *INTEGERS[:6]))
    if kind == "bool":
        return rng.random() < 0.5
    if kind == "str":
        return rng.choice(STRINGS)
    if kind == "float":
        return rng.choice(FLOATS)
    return (
        rng.choice(LARGE_INTEGERS) if rng.random() < 0.06 else rng.choice((rng.randint(-9, 12), rng.choice(INTEGERS)))
    )


def other_value(rng: random.Random, kind: str) -> object:
    """Return a value whose type is not that of the kind."""
    others: dict[str, tuple[object, ...]] = {
        # No NaN here: it could reach a set, and its hash is its address.
        "int": (True, 2.5, -1.0, "5", "", None, float("inf")),
        "bool": (0, 1, 2, "", 0.0, None),
        "str": (0, None, 3.5, ("a", "b")),
        "float": (3, True, "1.5", None, -(2**40)),
    }
    return rng.choice(others.get(kind, (None, 0, "ab", (1, 2), 1.5)))


def arguments(rng: random.Random, kinds: tuple[str, ...], num_inputs: int) -> tuple[tuple[object, ...], ...]:
    """Return argument tuples; about one in twelve has one argument of another type."""
    rows = []
    for _ in range(num_inputs):
        row = [typed_value(rng, kind) for kind in kinds]
        if rng.random() < 0.08:
            wrong = rng.randrange(len(kinds))
            row[wrong] = other_value(rng, kinds[wrong])
        rows.append(tuple(row))
    return tuple(rows)
