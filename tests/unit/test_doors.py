"""Each package's door lists exactly what is public."""

import importlib
import types

import pytest

DOORS = [
    "pointsman.core",
    "pointsman.embedded",
    "pointsman.embedded.puzzles",
    "pointsman.gateway",
    "pointsman.query.memory",
    "pointsman.query.solver",
    "pointsman.query.solver.text",
]


@pytest.mark.parametrize("name", DOORS)
def test_all_is_sorted_and_is_every_public_name(name: str) -> None:
    door = importlib.import_module(name)
    public = {
        item
        for item, value in vars(door).items()
        if not item.startswith("_") and not isinstance(value, types.ModuleType)
    }
    assert list(door.__all__) == sorted(door.__all__)
    assert set(door.__all__) == public
