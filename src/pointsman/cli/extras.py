"""What an installation may lack."""

from __future__ import annotations

import importlib.util

from pointsman.core import Unsupported

__all__ = ["has_local", "require_learning", "require_local"]


def has_local() -> bool:
    """Whether models can run here. Imports nothing."""
    return importlib.util.find_spec("torch") is not None


def require_local() -> None:
    """Raises Unsupported ``extra_missing`` unless models can run here."""
    if not has_local():
        problem = "this needs PyTorch, which is not installed; install the extra: pip install 'pointsman[local]'"
        raise Unsupported(problem, code="extra_missing")


def require_learning() -> None:
    """Raises Unsupported ``extra_missing`` unless policies can be fitted and read here; torch is not needed."""
    missing = [name for name in ("numpy", "sklearn", "safetensors") if importlib.util.find_spec(name) is None]
    if missing:
        problem = f"this needs {', '.join(missing)}; install the extra: pip install 'pointsman[local]'"
        raise Unsupported(problem, code="extra_missing")
