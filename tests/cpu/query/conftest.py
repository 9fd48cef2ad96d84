"""The client of the gateway's tests, for a policy behind a server."""

import importlib.util
from pathlib import Path

_PATH = Path(__file__).parents[1] / "gateway/conftest.py"
_SPEC = importlib.util.spec_from_file_location("gateway_fixtures", _PATH)
assert _SPEC is not None
assert _SPEC.loader is not None
_FIXTURES = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_FIXTURES)

gateway_client = _FIXTURES.gateway_client
