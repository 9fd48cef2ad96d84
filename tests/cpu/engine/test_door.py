"""The engine's door lists exactly what is public."""

import types

import pointsman.engine as door


def test_all_is_sorted_and_is_every_public_name() -> None:
    public = {
        item
        for item, value in vars(door).items()
        if not item.startswith("_") and not isinstance(value, types.ModuleType)
    }
    assert list(door.__all__) == sorted(door.__all__)
    assert set(door.__all__) == public
