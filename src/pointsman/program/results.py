"""Results as JSON text.

Tuples and iterators are arrays, sets sorted arrays, records objects, enums their values, nan and infinities strings; an
object's keys are made strings, or pairs where that would merge two. Decimals, fractions, dates and the
like are their text. Lone surrogates are written as JSON escapes.

Not written, but an error of its own: values that contain themselves or are nested too deeply, iterators and ranges of
more than ``MAX_ITEMS`` items, integers of more than ``MAX_DIGITS`` digits, functions and other objects whose text would
be an address.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import math
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, Final

from pointsman.core import Unsupported

__all__ = [
    "MAX_DIGITS",
    "MAX_ITEMS",
    "Unserialisable",
    "drawn",
    "exception_json",
    "exception_text",
    "to_json",
    "written",
]

MAX_ITEMS: Final = 100_000
"""Items of an iterator or a range that are written. Chosen."""

MAX_DIGITS: Final = 100_000
"""Of an integer. Chosen: CPython needs 50 ms for one of these, and 100 times that for one ten times as long."""

_digits = threading.Lock()


class Unserialisable(Unsupported):
    """JSON cannot hold a result, or not within the limits."""

    code = "unserialisable"


def to_json(value: Any) -> str:
    """A result as JSON text. Raises Unserialisable, and what drawing an iterator of the value raises."""
    if value is None or type(value) in {bool, int, str}:
        plain = value
    else:
        try:
            plain = _plain(value)
        except RecursionError:
            raise Unserialisable("the result is nested too deeply, or contains itself") from None
    try:
        text = written(lambda: json.dumps(plain, ensure_ascii=False, allow_nan=False))
    except RecursionError:
        raise Unserialisable("the result is nested too deeply") from None
    return _encodable(text, plain)


def exception_json(kind: str, message: str) -> str:
    """``{"exception": {"type": ..., "message": ...}}``."""
    shown = {"exception": {"type": kind, "message": message}}
    return _encodable(json.dumps(shown, ensure_ascii=False), shown)


def exception_text(error: BaseException) -> str:
    """What ``str`` gives, where it can: an exception may hold any value."""
    try:
        return written(lambda: str(error))
    except (Unserialisable, RecursionError):
        return "(a message that cannot be written)"


def drawn(items: Iterator[Any]) -> list[Any] | None:
    """All items, or None where there are more than ``MAX_ITEMS``."""
    found = list(islice(items, MAX_ITEMS + 1))
    return found if len(found) <= MAX_ITEMS else None


def written(write: Callable[[], str]) -> str:
    """What ``write`` returns, for a ``write`` that may meet integers longer than CPython prints by default.

    Raises Unserialisable where they are longer than ``MAX_DIGITS``, too.
    """
    try:
        return write()
    except ValueError:
        pass
    try:
        with _long_integers():
            return write()
    except ValueError:
        raise Unserialisable(f"an integer of the result has more than {MAX_DIGITS:,} digits") from None


@contextmanager
def _long_integers() -> Iterator[None]:
    """The limit is the process's: other threads print long integers, too, for as long as this lasts."""
    with _digits:
        before = sys.get_int_max_str_digits()
        sys.set_int_max_str_digits(MAX_DIGITS)
        try:
            yield
        finally:
            sys.set_int_max_str_digits(before)


def _encodable(text: str, plain: Any) -> str:
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:  # lone surrogates, which UTF-8 cannot hold
        return written(lambda: json.dumps(plain))
    return text


def _plain(value: Any) -> Any:
    match value:
        case enum.Enum():
            return _plain(value.value)
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else str(value)
        case dict():
            return _object(value)
        case set() | frozenset():
            return _sorted([_plain(item) for item in value])
        case bytes() | bytearray():
            return bytes(value).decode("utf-8", "replace")
    if hasattr(value, "_asdict"):
        return {k: _plain(v) for k, v in value._asdict().items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, range | Iterator):
        items = drawn(iter(value))
        if items is None:
            raise Unserialisable(f"the result has an iterator or a range of more than {MAX_ITEMS:,} items")
        return [_plain(item) for item in items]
    if isinstance(value, list | tuple) or hasattr(value, "__len__"):
        return [_plain(item) for item in value]
    shows_address = getattr(type(value), "__repr__", None) is object.__repr__
    if shows_address or (callable(value) and not isinstance(value, type)):
        raise Unserialisable(f"the result has a value without a JSON form: {type(value).__name__}")
    return written(lambda: str(value))


def _object(value: dict[Any, Any]) -> Any:
    keys = [key if isinstance(key, str) else _key(_plain(key)) for key in value]
    if len(set(keys)) == len(keys):
        return {key: _plain(item) for key, item in zip(keys, value.values(), strict=True)}
    return [[_plain(key), _plain(item)] for key, item in value.items()]


def _key(plain: Any) -> str:
    return written(lambda: json.dumps(plain))


def _sorted(items: list[Any]) -> list[Any]:
    return sorted(items, key=lambda item: (str(type(item)), written(lambda: repr(item))))
