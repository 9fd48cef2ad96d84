"""Synthetic tables, and what is learned from them once for all tests."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from pointsman.query.difficulty.joint import Joint, JointForecaster
from pointsman.query.forecasting import Forecasts, Sample


def _helper(name: str) -> ModuleType:
    """A module beside this file: tests are no package."""
    spec = importlib.util.spec_from_file_location(f"query_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


_TABLES = _helper("tables")


@pytest.fixture(scope="session")
def tables() -> ModuleType:
    """The helpers of `tables.py`."""
    return _TABLES


@pytest.fixture(scope="session")
def learned(tables: ModuleType) -> tuple[Sample, JointForecaster, Forecasts]:
    """240 rows of six tasks, what was learned from them, and forecasts of them by what had not seen them."""
    train = tables.tasks_sample(240, seed=0)
    return train, *Joint().fit_held_out(train, 0)
