"""Original functions: loading those that opaque parts call, and telling whose exception a BaseException is."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
import tokenize
from collections.abc import Sequence
from pathlib import Path
from types import CodeType
from typing import Any

from pointsman.core import Unverified

__all__ = ["is_emitted", "load_originals", "raised_by_program"]

_EMITTED_FILE = "<pointsman "  # how the names of emitted code's files begin; `link` chooses them


def load_originals(
    table: str, names: Sequence[str], source_file: str, sha256: str, trust_opaque: bool
) -> dict[str, Any]:
    """The original functions of an artefact, by name; imports the module that its file's name says, and so runs it.

    The source must be the one that was compiled: that is checked before anything of it runs. Raises Unverified
    ``opaque_untrusted``, ``opaque_missing`` or ``opaque_changed``.
    """
    listed = ", ".join(names)
    if not trust_opaque:
        raise Unverified(
            f"{table!r} calls original functions ({listed}) of {source_file!r}; "
            "pass --trust-opaque (trust_opaque=True) to import and run them",
            code="opaque_untrusted",
        )
    module_name = Path(source_file).stem
    here = str(Path.cwd())
    if here not in sys.path:  # a console script does not have the folder it is run in
        sys.path.append(here)
    try:
        _check_unchanged(module_name, listed, sha256)
        module = importlib.import_module(module_name)
        return {name: getattr(module, name) for name in names}
    except (ImportError, AttributeError, ValueError, SyntaxError, OSError) as exc:
        raise Unverified(
            f"original functions ({listed}) are not importable from {module_name!r}: {exc}", code="opaque_missing"
        ) from exc


def _check_unchanged(module_name: str, listed: str, sha256: str) -> None:
    spec = importlib.util.find_spec(module_name)
    if spec is None:
        raise ModuleNotFoundError(f"no module {module_name!r} on the path")
    if spec.origin is None or not Path(spec.origin).is_file():
        raise ModuleNotFoundError(f"{module_name!r} has no source file")
    # as text, since that is what compile hashes: line ends do not count
    with tokenize.open(spec.origin) as file:
        found = hashlib.sha256(file.read().encode()).hexdigest()
    if found != sha256:
        raise Unverified(
            f"original functions ({listed}): {spec.origin} is not the source that was compiled (sha256 {found[:12]}, "
            f"the artefact has {sha256[:12]}); compile it again",
            code="opaque_changed",
        )


def is_emitted(code: CodeType) -> bool:
    """Whether it is code of a compiled program."""
    return code.co_filename.startswith(_EMITTED_FILE)


def raised_by_program(exc: BaseException, *, has_opaque_parts: bool) -> bool:
    """Whether the program raised it, as opposed to Ctrl-C or the handler of a signal, which come at any moment.

    Every Exception counts as the program's. KeyboardInterrupt never does: a program cannot name it. Another
    BaseException does where its innermost frame is emitted code (with opaque parts, anywhere: they are not known).
    """
    if isinstance(exc, Exception | KeyboardInterrupt):
        return isinstance(exc, Exception)
    traceback = exc.__traceback__
    if has_opaque_parts or traceback is None:
        return has_opaque_parts
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    return is_emitted(traceback.tb_frame.f_code)
