"""What emitted code calls: the few operations that have no Python text of their own.

Two of them keep a program inside what the verifier allows, where only the running program knows what a value is:

- ``type(x)`` and ``x.__class__`` give a real class only where the program could name it anyway: builtin value types,
  exceptions, listed library classes, the program's and its caller's own classes. Of anything else they give a ``Kind``,
  which compares, hashes, prints and tests instances as the class does, but makes nothing: calling it raises TypeError.
  A library class that is written in Python (``Counter``) is also a Kind, one that makes instances when it is called.
  So ``type(xs)(...)`` works for values and records, and the class of a function, generator or ``attrgetter`` is out of
  reach. ``type`` itself, as a value, is such a Kind that takes one argument; with three it makes no class.
- A declared field is written, and read where the library has an attribute of that name, only on instances of the
  program's or its caller's classes: never on a class, and never on what belongs to Python or its library.

A ``Kind`` is not a class to the library: ``issubclass(type(f), collections.abc.Callable)`` raises TypeError.
"""

from __future__ import annotations

import bisect
import collections.abc
import functools
import operator
import sys
from collections.abc import Collection
from typing import Any, Final

from pointsman.program.catalogue import BUILTIN_CLASSES, is_in_python, listed_classes
from pointsman.program.ir import UNBOUND, Unbound
from pointsman.program.judgement import Unanswered, asked, asked_value, is_stated

__all__ = ["NAMESPACE", "RESERVED", "Kind", "OutOfFuel", "guards"]


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
    if not isinstance(error, BaseException):
        raise TypeError("exceptions must derive from BaseException")
    if isinstance(cause, type) and issubclass(cause, BaseException):
        cause = cause()
    if cause is not None and not isinstance(cause, BaseException):
        raise TypeError("exception causes must derive from BaseException")
    error.__cause__ = cause


def _is_sequence(value: Any) -> bool:
    return isinstance(value, collections.abc.Sequence) and not isinstance(value, str | bytes | bytearray)


def _is_mapping(value: Any) -> bool:
    return isinstance(value, collections.abc.Mapping)


class Kind:
    """A class out of a program's reach, for comparing, printing and ``isinstance``."""

    __slots__ = ("__cls__",)  # a name that no program can look up

    def __init__(self, cls: type) -> None:
        self.__cls__ = cls

    @property
    def __name__(self) -> str:
        return self.__cls__.__name__

    @property
    def __bases__(self) -> tuple[type, ...]:
        return self.__cls__.__bases__  # for issubclass

    def __eq__(self, other: object) -> bool:
        return self.__cls__ is (other.__cls__ if isinstance(other, Kind) else other)

    def __hash__(self) -> int:
        return hash(self.__cls__)

    def __repr__(self) -> str:
        return repr(self.__cls__)

    def __copy__(self) -> Kind:
        return self

    def __deepcopy__(self, _memo: object) -> Kind:
        return self

    def __instancecheck__(self, value: object) -> bool:
        return isinstance(value, self.__cls__)

    def __subclasscheck__(self, cls: type) -> bool:
        return issubclass(cls, self.__cls__)

    def __call__(self, *_args: Any, **_kwargs: Any) -> Any:
        raise TypeError(f"{self.__name__!r} is not a class that a program may call")


class _LibraryClass(Kind):
    """A listed class that is written in Python: it may be called, but its functions are only reached by instances."""

    __slots__ = ()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.__cls__(*args, **kwargs)


class _TypeKind(Kind):
    """``type`` as a value: of one argument it gives what a program may know of its class."""

    __slots__ = ("__kinds__",)

    def __init__(self, kinds: _Kinds) -> None:
        super().__init__(type)
        self.__kinds__ = kinds

    def __instancecheck__(self, value: object) -> bool:
        return isinstance(value, type | Kind)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if len(args) != 1 or kwargs:
            raise TypeError("type() takes 1 argument here: it makes no classes")
        return self.__kinds__[type(args[0])]


class _Kinds(dict[type, Any]):
    """``kinds[type(x)]`` is what a program gets as ``type(x)``; classes are added as they are met."""

    def __init__(self, own: Collection[type]) -> None:
        super().__init__({cls: cls for cls in (*BUILTIN_CLASSES.values(), *own)})
        self[type] = self[Kind] = self[_TypeKind] = self[_LibraryClass] = _TypeKind(self)

    def __missing__(self, cls: type) -> Any:
        shown: Any = cls
        if cls in listed_classes():
            shown = _LibraryClass(cls) if is_in_python(cls) else cls
        elif _is_foreign(cls) and not issubclass(cls, Exception):
            shown = Kind(cls)
        self[cls] = shown
        return shown


def _is_foreign(cls: type) -> bool:
    """Whether instances of ``cls`` belong to Python, its library or to us, and not to the program or its caller."""
    if issubclass(cls, type | Kind | Unbound):
        return True
    module = cls.__module__
    return not isinstance(module, str) or module.partition(".")[0] in sys.stdlib_module_names


def _admit(settable: set[type], value: Any) -> Any:
    """``value``, whose fields may be written. Raises AttributeError for what is not an instance of an own class."""
    cls = type(value)
    if cls not in settable:
        if _is_foreign(cls):
            raise AttributeError(f"{cls.__name__!r} object has no field that a program may assign")
        settable.add(cls)
    return value


def _field(own: Collection[type], value: Any, name: str) -> Any:
    """The field ``name``, which the library has attributes of as well: only of instances of own classes."""
    if type(value) not in own and _is_foreign(type(value)):
        raise AttributeError(f"{type(value).__name__!r} object has no attribute {name!r}")
    return getattr(value, name)


# nothing can be assigned to them, and Python says so in its own words
_WITHOUT_FIELDS: Final = frozenset(
    {int, bool, float, complex, str, bytes, bytearray, tuple, list, dict, set, frozenset, range, slice, type(None)}
)


def guards(records: Collection[type]) -> dict[str, Any]:
    """What one linked program needs to know its own classes: names of its namespace beside ``NAMESPACE``."""
    own = frozenset(cls for cls in records if cls is not dict)  # a TypedDict is a dict
    kinds, settable = _Kinds(own), set(own | _WITHOUT_FIELDS)
    return {
        "_kinds": kinds,
        "_kind_of": kinds[type],
        "_settable": settable,
        "_admit": functools.partial(_admit, settable),
        "_field": functools.partial(_field, own),
    }


NAMESPACE: Final[dict[str, Any]] = {
    "_index": _index, "_check_bound": _check_bound, "_cell_get": _cell_get, "_exception": _exception,
    "_AssertionError": AssertionError, "_set_cause": _set_cause, "_is_sequence": _is_sequence, "_format": format,
    "_isinstance": isinstance, "_bool": bool, "_iter": iter, "_slice": slice, "_UNBOUND": UNBOUND, "_float": float,
    "_frozenset": frozenset, "_set": set, "_repr": repr, "_str": str, "_ascii": ascii, "_next": next, "_range": range,
    "_bisect": bisect.bisect_right, "_BaseException": BaseException, "_OutOfFuel": OutOfFuel, "_type": type,
    "_lru_cache": functools.lru_cache, "_is_mapping": _is_mapping,
    "_judge": functools.partial(asked, "judge"), "_choose": functools.partial(asked, "choose"),
    "_is_stated": is_stated, "_extract": asked_value, "_Stopped": (OutOfFuel, Unanswered),
}  # fmt: skip

RESERVED: Final = frozenset(NAMESPACE) | {"_meter", "_to", "_kinds", "_kind_of", "_settable", "_admit", "_field"}
"""Names that emitted code uses for itself. A parameter keeps its name in emitted code, so it can have none of these;
variables and functions of these names are renamed."""
