"""The command line's fixtures, for commands that need a model."""

import importlib.util
from pathlib import Path

_PATH = Path(__file__).parents[2] / "unit/cli/conftest.py"
_SPEC = importlib.util.spec_from_file_location("cli_fixtures", _PATH)
assert _SPEC is not None
assert _SPEC.loader is not None
_FIXTURES = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_FIXTURES)

pm = _FIXTURES.pm
