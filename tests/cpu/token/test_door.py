"""The package's door lists exactly what is public."""

import types

import pointsman.token as door


def test_all_is_sorted_and_is_every_public_name() -> None:
    public = {
        name
        for name, value in vars(door).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }
    assert list(door.__all__) == sorted(door.__all__)
    assert set(door.__all__) == public
