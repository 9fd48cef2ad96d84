"""What programs may use: operations, builtins, library members and methods, with what the compiler knows of each.

One table per kind of thing. A name that is not here is refused by the front end and again by the artefact's
verifier, so an artefact cannot reach anything else. All entries are deterministic and free of input and output.
"""

from __future__ import annotations

import builtins
import importlib
import operator
import types
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

__all__ = [
    "ATTRIBUTES",
    "BUILTINS",
    "BUILTIN_CLASSES",
    "EXCEPTIONS",
    "JUDGEMENTS",
    "LIBRARY",
    "METHODS",
    "OPERATIONS",
    "QUESTIONS",
    "Operation",
    "is_field_name",
    "is_in_python",
    "is_library_member",
    "is_python_class",
    "library_names",
    "listed_classes",
    "resolve_ref",
]


@dataclass(frozen=True, slots=True)
class Operation:
    """One IR operation.

    ``arity`` None: any. ``template`` is its Python text with ``{0}``, ``{1}`` for the arguments (None: the emitter has
    a rule of its own). ``compute`` is its meaning on values, used to fold constants.
    """

    arity: int | None
    template: str | None = None
    compute: Callable[..., Any] | None = None
    statement: bool = False  # emitted as a statement: it has no value


def _binary(symbol: str, compute: Callable[..., Any]) -> Operation:
    return Operation(2, f"{{0}} {symbol} {{1}}", compute)


_ARITHMETIC: Final = {
    "add": ("+", operator.add),
    "sub": ("-", operator.sub),
    "mul": ("*", operator.mul),
    "truediv": ("/", operator.truediv),
    "floordiv": ("//", operator.floordiv),
    "mod": ("%", operator.mod),
    "pow": ("**", operator.pow),
    "lshift": ("<<", operator.lshift),
    "rshift": (">>", operator.rshift),
    "bit_and": ("&", operator.and_),
    "bit_or": ("|", operator.or_),
    "bit_xor": ("^", operator.xor),
    "matmul": ("@", operator.matmul),
}

OPERATIONS: Final[dict[str, Operation]] = {
    **{name: _binary(symbol, compute) for name, (symbol, compute) in _ARITHMETIC.items()},
    # in place: mutates a mutable left side, else the same as the binary operation
    **{f"inplace_{name}": Operation(2) for name in _ARITHMETIC},
    "neg": Operation(1, "-{0}", operator.neg),
    "pos": Operation(1, "+{0}", operator.pos),
    "invert": Operation(1, "~{0}", operator.invert),
    "not": Operation(1, "not {0}", operator.not_),
    "lt": _binary("<", operator.lt),
    "le": _binary("<=", operator.le),
    "gt": _binary(">", operator.gt),
    "ge": _binary(">=", operator.ge),
    "eq": _binary("==", operator.eq),
    "ne": _binary("!=", operator.ne),
    "in": _binary("in", lambda item, items: item in items),
    "not_in": _binary("not in", lambda item, items: item not in items),
    "is": _binary("is", operator.is_),
    "is_not": _binary("is not", operator.is_not),
    "truth": Operation(1, "bool({0})", bool),  # the test of `if`; always a bool
    "copy": Operation(1, "{0}"),
    "build_tuple": Operation(None, None, lambda *items: items),
    "build_list": Operation(None),  # attrs: (starred positions,) as for build_tuple with stars
    "build_set": Operation(None),
    "build_dict": Operation(None),  # key, value, key, value ...; a Const(UNBOUND) key means `**value`
    "build_tuple_star": Operation(None),
    "format": Operation(2),  # value, spec; attrs: (conversion,)
    "join_strings": Operation(None),  # the parts of an f-string, all str
    "slice": Operation(3, None, slice),
    "get_item": Operation(2, "{0}[{1}]", operator.getitem),
    "set_item": Operation(3, "{0}[{1}] = {2}", None, True),
    "delete_item": Operation(2, "del {0}[{1}]", None, True),
    "get_attribute": Operation(1),
    "set_attribute": Operation(2, None, None, True),
    "unpack": Operation(1),  # attrs: (before, after) with after None without a star; gives a tuple
    "project": Operation(1),  # attrs: (index,): an element of a tuple that `unpack` made
    "iterate": Operation(1, "iter({0})"),
    "index": Operation(1),  # operator.index, as range() applies it; an exact int
    "check_bound": Operation(1),  # attrs: (variable, "local" | "free"): raises UnboundLocalError or NameError
    "cell": Operation(1),  # a box for a variable that closures share
    "cell_get": Operation(1),  # attrs: (variable, "local" | "free")
    "cell_set": Operation(2, None, None, True),
    "global_get": Operation(0),  # attrs: (name,): a module-level value, made once, by the first call
    "call": Operation(None),  # callee, arguments; attrs: (shape,)
    "call_method": Operation(None),  # receiver, arguments; attrs: (name, shape)
    "get_method": Operation(1),  # attrs: (name,): when arguments are evaluated between look-up and call
    "closure": Operation(None),  # the captured values; attrs: (function,)
    "comprehension": Operation(None),  # attrs: see frontend/comprehensions.py
    "caught_is": Operation(2),  # an exception, what `except` names: a bool
    "exception": Operation(1),  # what `raise` was given: an exception, or a class to call
    "assertion": Operation(None),  # attrs: (number of arguments): an AssertionError
    "set_cause": Operation(2, None, None, True),
    "match_class": Operation(2),  # value, class: isinstance as `match` does it
    "match_shape": Operation(1),  # attrs: ("sequence" | "mapping",)
    "yield": Operation(1),
    "yield_from": Operation(1),
    # questions to a model about a text; attrs: (wording, type, options), see judgement.py
    "judge": Operation(1),
    "choose": Operation(1),
    "is_stated": Operation(1),  # whether the text states what is to be extracted
    "extract": Operation(1),  # asked where it is stated
}

QUESTIONS: Final = frozenset({"judge", "choose", "is_stated", "extract"})
JUDGEMENTS: Final = {f"pointsman.{name}": name for name in ("judge", "choose", "extract")}
"""What programs import to ask questions, and only call."""

EXCEPTIONS: Final = frozenset(
    name
    for name, value in vars(builtins).items()
    if isinstance(value, type) and issubclass(value, Exception) and not issubclass(value, Warning)
) | {"BaseException", "GeneratorExit", "SystemExit"}

# builtin -> kind of its result ("any" where it depends)
BUILTINS: Final[dict[str, str]] = {
    "abs": "any", "all": "bool", "any": "bool", "ascii": "str", "bin": "str", "bool": "bool", "bytearray": "any",
    "bytes": "bytes", "callable": "bool", "chr": "str", "complex": "any", "dict": "dict", "divmod": "any",
    "enumerate": "iterator", "filter": "iterator", "float": "float", "format": "str", "frozenset": "frozenset",
    "hash": "int", "hex": "str", "int": "int", "isinstance": "bool", "issubclass": "bool", "iter": "any", "len": "int",
    "list": "list", "map": "iterator", "max": "any", "min": "any", "next": "any", "object": "any", "oct": "str",
    "ord": "int", "pow": "any", "range": "range", "repr": "str", "reversed": "any", "round": "any", "set": "set",
    "slice": "any", "sorted": "list", "str": "str", "sum": "any", "tuple": "tuple", "type": "any", "zip": "iterator",
    "NotImplemented": "any", "Ellipsis": "any",
}  # fmt: skip

# path -> class, of the builtins that are classes
BUILTIN_CLASSES: Final[dict[str, type]] = {
    f"builtins.{name}": value for name in (*BUILTINS, *EXCEPTIONS) if isinstance(value := getattr(builtins, name), type)
}

_MATH_FLOAT = (
    "acos acosh asin asinh atan atan2 atanh cbrt copysign cos cosh degrees dist e erf erfc exp exp2 expm1 fabs fmod "
    "frexp fsum gamma hypot inf ldexp lgamma log log10 log1p log2 modf nan nextafter pi pow prod radians remainder sin "
    "sinh sqrt tan tanh tau ulp"
)
_MATH_INT = "ceil comb factorial floor gcd isqrt lcm perm trunc isclose isfinite isinf isnan"

# module -> members. Nothing that reads the clock, the environment, files, the network or random numbers.
LIBRARY: Final[dict[str, frozenset[str]]] = {
    module: frozenset(members.split())
    for module, members in {
        "array": "array",
        "ast": "literal_eval",
        "base64": "b16decode b16encode b32decode b32encode b64decode b64encode b85decode b85encode a85encode a85decode",
        "binascii": "hexlify unhexlify crc32",
        "bisect": "bisect bisect_left bisect_right insort insort_left insort_right",
        "calendar": "isleap leapdays monthrange weekday monthcalendar day_name month_name day_abbr month_abbr timegm",
        "cmath": "acos acosh asin asinh atan atanh cos cosh e exp inf isclose isfinite isinf isnan log log10 nan phase "
        "pi polar rect sin sinh sqrt tan tanh tau",
        "collections": "ChainMap Counter OrderedDict defaultdict deque",
        "collections.abc": "Callable Hashable Iterable Iterator Mapping MutableMapping MutableSequence "
        "Sequence Set Sized",
        "copy": "copy deepcopy",
        "datetime": "MAXYEAR MINYEAR date datetime time timedelta timezone",
        "decimal": "Decimal ROUND_CEILING ROUND_DOWN ROUND_FLOOR ROUND_HALF_DOWN ROUND_HALF_EVEN ROUND_HALF_UP "
        "ROUND_UP InvalidOperation",
        "difflib": "SequenceMatcher get_close_matches",
        "fractions": "Fraction gcd",
        "functools": "cmp_to_key partial reduce",
        "hashlib": "md5 sha1 sha224 sha256 sha384 sha512 sha3_256 sha3_512 blake2b blake2s",
        "heapq": "heapify heappop heappush heappushpop heapreplace merge nlargest nsmallest",
        "itertools": "accumulate chain combinations combinations_with_replacement compress count cycle dropwhile "
        "filterfalse groupby islice pairwise permutations product repeat starmap takewhile tee zip_longest",
        "json": "dumps loads",
        "math": f"{_MATH_FLOAT} {_MATH_INT}",
        "numbers": "Complex Integral Number Rational Real",
        "operator": "abs add and_ attrgetter concat contains countOf delitem eq floordiv ge getitem gt iadd iconcat "
        "imul index indexOf inv invert is_ is_not isub itemgetter le lshift lt methodcaller mod mul ne neg not_ or_ "
        "pos pow rshift setitem sub truediv truth xor",
        "re": "A ASCII DOTALL I IGNORECASE M MULTILINE S VERBOSE X compile escape findall finditer fullmatch match "
        "search split sub subn",
        "statistics": "fmean geometric_mean harmonic_mean mean median median_high median_low mode multimode pstdev "
        "pvariance quantiles stdev variance",
        "string": "ascii_letters ascii_lowercase ascii_uppercase capwords digits hexdigits octdigits printable "
        "punctuation whitespace",
        "sys": "maxsize maxunicode float_info getsizeof byteorder",
        "textwrap": "dedent fill indent shorten wrap",
        "unicodedata": "bidirectional category combining decimal digit lookup name normalize numeric",
        "zlib": "adler32 crc32",
    }.items()
}

# members of library classes that are themselves called: (module.member).attribute
LIBRARY_CLASS_MEMBERS: Final[dict[str, frozenset[str]]] = {
    "itertools.chain": frozenset({"from_iterable"}),
    "datetime.date": frozenset({"fromisoformat", "fromordinal", "min", "max"}),
    "datetime.datetime": frozenset({"strptime", "fromisoformat", "fromordinal", "combine", "min", "max"}),
    "datetime.timezone": frozenset({"utc"}),
    "fractions.Fraction": frozenset({"from_float", "from_decimal"}),
    "sys.float_info": frozenset({"epsilon", "max", "min", "dig"}),
    "builtins.dict": frozenset({"fromkeys"}),
    "builtins.str": frozenset({"maketrans", *(n for n in dir(str) if not n.startswith("_"))}),
    "builtins.int": frozenset({"from_bytes", "bit_length", "to_bytes"}),
    "builtins.float": frozenset({"fromhex", "is_integer"}),
    "builtins.bytes": frozenset({"fromhex"}),
    "builtins.list": frozenset(n for n in dir(list) if not n.startswith("_")),
    "builtins.set": frozenset(n for n in dir(set) if not n.startswith("_")),
    "builtins.tuple": frozenset({"index", "count"}),
    "collections.OrderedDict": frozenset({"fromkeys"}),
}


def _public(*types: type) -> frozenset[str]:
    return frozenset(name for kind in types for name in dir(kind) if not name.startswith("_"))


def _methods() -> frozenset[str]:
    import array
    import collections
    import datetime
    import decimal
    import difflib
    import fractions
    import hashlib
    import re

    builtin = _public(list, tuple, str, bytes, bytearray, dict, set, frozenset, int, float, complex, range, slice)
    library = _public(
        collections.deque, collections.Counter, collections.OrderedDict, collections.defaultdict, collections.ChainMap,
        array.array, fractions.Fraction, decimal.Decimal, datetime.date, datetime.datetime, datetime.timedelta,
        re.Pattern, re.Match, difflib.SequenceMatcher, type(hashlib.sha256()), types.GeneratorType,
    )  # fmt: skip
    clock = {
        "now",
        "today",
        "utcnow",
        "fromtimestamp",
        "utcfromtimestamp",
        "astimezone",
        "timestamp",
        "tofile",
        "fromfile",
    }
    internal = {name for name in dir(types.GeneratorType) if name.startswith("gi_")}
    records = {"_replace", "_asdict"}
    return (builtin | library | records) - clock - internal


# Names that may be looked up on a value of unknown type. A record's own fields are added by its declaration.
METHODS: Final = _methods()
ATTRIBUTES: Final = METHODS | {"name", "value", "args", "__cause__", "__name__", "__class__"}

MUTATING_METHODS: Final = frozenset(
    "append extend insert pop remove clear sort reverse add discard update setdefault popitem appendleft popleft "
    "extendleft rotate intersection_update difference_update symmetric_difference_update subtract move_to_end".split()
)


# library classes that look attributes up by name: called at once with constant names, and never values
BY_NAME: Final = frozenset({"operator.attrgetter", "operator.methodcaller"})

# attributes of frames, code, functions and classes, and what named tuples and enums keep for themselves
_INTERNALS: Final = (
    frozenset(
        name
        for kind in (
            types.FrameType, types.CodeType, types.TracebackType, types.GeneratorType, types.CoroutineType,
            types.AsyncGeneratorType, types.FunctionType, type,
        )
        for name in dir(kind)
    )
    - METHODS
) | {"_fields", "_field_defaults", "_make", "_replace", "_asdict", "_generate_next_value_", "_missing_"}  # fmt: skip


def is_field_name(name: str) -> bool:
    """Whether a class may declare a field of this name: not one of Python's own attributes."""
    reserved = name.startswith("__") or (name.startswith("_") and name.endswith("_") and len(name) > 2)
    return not reserved and name not in _INTERNALS


@cache
def listed_classes() -> frozenset[type]:
    """The classes that a program may call: those listed here, and those of None, Ellipsis and NotImplemented."""
    paths = [f"builtins.{name}" for name in (*BUILTINS, *EXCEPTIONS)]
    paths += [f"{module}.{member}" for module, members in LIBRARY.items() for member in members]
    values = [resolve_ref(path) for path in paths if path not in BY_NAME and _is_there(path)]
    listed = {value for value in values if isinstance(value, type)}
    return frozenset(listed - {type} | {type(None), type(Ellipsis), type(NotImplemented)})


@cache
def is_python_class(path: str) -> bool:
    """Whether this is a listed library class that is written in Python.

    Its functions take anything as ``self`` and do with it what they like (``Counter.copy(int)`` is ``type``), so a
    program gets at them through instances only; what it holds as the class is a stand-in (support.py).
    """
    module, _, member = path.rpartition(".")
    return is_library_member(module, member) and _is_there(path) and is_in_python(resolve_ref(path))


def is_in_python(value: Any) -> bool:
    """Whether this is a class with functions written in Python."""
    return isinstance(value, type) and any(
        isinstance(part, types.FunctionType | property) for cls in value.__mro__ for part in vars(cls).values()
    )


def _is_there(path: str) -> bool:
    module, _, member = path.rpartition(".")
    return hasattr(importlib.import_module(module), member)


@cache
def library_names() -> frozenset[str]:
    """Names of attributes that values of Python and its library have, as far as a program can reach them.

    A declared field of such a name is read with a look at whose instance it is; a field of any other name can only be
    found where the program's own classes have it. Data in instances (``SequenceMatcher.a``) is not counted.
    """
    import abc
    import collections.abc
    import enum
    import functools
    import itertools

    classes: set[type] = {value for module in (builtins, types) for value in vars(module).values() if _is_class(value)}
    classes |= {type(name) for name in ("", functools.lru_cache(len), functools.cmp_to_key(max)(0))}
    classes |= {value for value in vars(itertools).values() if _is_class(value)}
    classes |= {abc.ABCMeta, enum.EnumMeta, enum.Enum, collections.abc.Collection}
    data: set[str] = set()  # of functions and of shared values
    for module, members in LIBRARY.items():
        library = importlib.import_module(module)
        listed = [getattr(library, member) for member in members if hasattr(library, member)]
        classes |= {value if _is_class(value) else type(value) for value in listed}
        data |= {name for value in listed if not _is_class(value) for name in getattr(value, "__dict__", ())}
        classes |= {v for v in vars(library).values() if _is_class(v) and issubclass(v, BaseException)}
    classes -= {memoryview, super}  # not reachable
    families = {base for cls in classes for kind in (cls, type(cls)) for base in kind.__mro__}
    return frozenset(data.union(name for cls in families for name in vars(cls) if not _is_error_data(cls, name)))


def _is_error_data(cls: type, name: str) -> bool:
    """What an exception tells of its own instance (``text``, ``code``): harmless, and a common name of fields."""
    data = types.MemberDescriptorType | types.GetSetDescriptorType
    return issubclass(cls, BaseException) and isinstance(vars(cls)[name], data)


def _is_class(value: Any) -> bool:
    return isinstance(value, type)


def is_library_member(module: str, member: str) -> bool:
    return member in LIBRARY.get(module, ())


def resolve_ref(path: str) -> Any:
    """The object that a ``builtins.`` or library reference names.

    Raises KeyError for a path that the tables do not list: this is the gate an artefact's references pass.
    """
    head, _, member = path.rpartition(".")
    if head == "builtins" and (member in BUILTINS or member in EXCEPTIONS):
        return getattr(builtins, member)
    if member in LIBRARY_CLASS_MEMBERS.get(head, ()):
        return getattr(resolve_ref(head), member)
    if is_library_member(head, member):
        return getattr(importlib.import_module(head), member)
    raise KeyError(path)
