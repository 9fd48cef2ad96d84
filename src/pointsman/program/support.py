"""What emitted code calls: the few operations that have no Python text of their own."""

from __future__ import annotations

import bisect
import collections.abc
import functools
import operator
from typing import Any, Final

from pointsman.program.ir import UNBOUND

__all__ = ["NAMESPACE", "OutOfFuel"]


class OutOfFuel(BaseException):
    """The limit on visited states was passed. Not an Exception: programs cannot catch it."""


def _index(value: Any) -> int:
    return int(operator.index(value))


def _check_bound(value: Any, name: str, kind: str) -> Any:
    """Raises what Python 3.11 raises when it reads an unassigned local or free variable."""
    if value is UNBOUND:
        if kind == "free":
            raise NameError(
                f"cannot access free variable '{name}' where it is not associated with a value in enclosing scope"
            )
        raise UnboundLocalError(f"cannot access local variable '{name}' where it is not associated with a value")
    return value


def _cell_get(cell: list[Any], name: str, kind: str) -> Any:
    return _check_bound(cell[0], name, kind)


def _exception(value: Any) -> BaseException:
    """What ``raise value`` raises. Raises TypeError for what is not an exception."""
    if isinstance(value, type) and issubclass(value, BaseException):
        value = value()
    if not isinstance(value, BaseException):
        raise TypeError("exceptions must derive from BaseException")
    return value


def _set_cause(error: BaseException, cause: Any) -> None:
    if isinstance(cause, type) and issubclass(cause, BaseException):
        cause = cause()
    if cause is not None and not isinstance(cause, BaseException):
        raise TypeError("exception causes must derive from BaseException")
    error.__cause__ = cause


def _is_sequence(value: Any) -> bool:
    return isinstance(value, collections.abc.Sequence) and not isinstance(value, str | bytes | bytearray)


def _is_mapping(value: Any) -> bool:
    return isinstance(value, collections.abc.Mapping)


NAMESPACE: Final[dict[str, Any]] = {
    "_index": _index, "_check_bound": _check_bound, "_cell_get": _cell_get, "_exception": _exception,
    "_AssertionError": AssertionError, "_set_cause": _set_cause, "_is_sequence": _is_sequence, "_format": format,
    "_isinstance": isinstance, "_bool": bool, "_iter": iter, "_slice": slice, "_UNBOUND": UNBOUND, "_float": float,
    "_frozenset": frozenset, "_set": set, "_repr": repr, "_str": str, "_ascii": ascii, "_next": next, "_range": range,
    "_bisect": bisect.bisect_right, "_BaseException": BaseException, "_OutOfFuel": OutOfFuel, "_type": type,
    "_lru_cache": functools.lru_cache, "_is_mapping": _is_mapping,
}  # fmt: skip
