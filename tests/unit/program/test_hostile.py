"""Artefacts from strangers: whatever they say, loading and running them answers or raises a PointsmanError.

The first part are attacks that once worked, written as artefacts or as sources; the second replaces parts of valid
artefacts at random. Neither may change the interpreter.
"""

import _abc
import builtins
import calendar
import collections.abc
import copy
import datetime
import fractions
import gc
import json
import operator
import random
import signal
import sys
import types
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pointsman.core import BadRequest, InternalError, PointsmanError, Unverified
from pointsman.program import frontend
from pointsman.program.artefact import check_header, parse_artefact
from pointsman.program.catalogue import ATTRIBUTES, is_field_name, library_names
from pointsman.program.compiler import build_program
from pointsman.program.frontend import Refusal
from pointsman.program.link import link
from pointsman.program.proof.certificate import Certificate
from pointsman.program.runtime import Outcome, Table, table_from_json
from pointsman.program.support import RESERVED
from pointsman.program.table.machine import Program

Json = Any
RECORD = "from dataclasses import dataclass\n@dataclass\nclass R:\n    zzone: int\n    zztwo: int = 2\n"


def artefact(source: str, entry: str = "f") -> Json:
    program = build_program(frontend.lower_program(frontend.Module.parse(source), entry), entry)
    return json.loads(json.dumps(Table(program, Certificate((), 0, 0)).to_json()))


def renamed(data: Json, **names: str) -> Json:
    text = json.dumps(data)
    for old, new in names.items():
        text = text.replace(f'"{old}"', json.dumps(new))
    return json.loads(text)


def load(data: Json) -> Table:
    return table_from_json(check_header(parse_artefact(json.dumps(data), "x"), "x"), "x")


def run(data: Json, *arguments: Any, fuel: int = 10_000) -> Outcome:
    return load(data).run(*arguments, fuel=fuel)


def refused(data: Json) -> str:
    with pytest.raises((BadRequest, InternalError, Unverified)) as caught:
        run(data, 1)
    assert caught.value.code in {"bad_artefact", "artefact_version", "invalid_ir", "not_emitted"}
    return caught.value.message


def canaries() -> list[Any]:
    """What a program could want to change outside of itself."""
    month = calendar.month_name
    open_to_change = [
        fractions.Fraction,
        datetime.datetime,
        type(month),
        json.dumps,
        operator,
        builtins,
        collections.abc,
    ]
    abcs = [collections.abc.Sequence, collections.abc.Mapping, collections.abc.Callable]
    return [
        [(thing, dict(vars(thing))) for thing in open_to_change],
        dict(vars(month)),
        list(month),
        [_abc._get_dump(cls)[0] for cls in abcs],  # type: ignore[attr-defined]
        [sys.getrecursionlimit(), gc.isenabled(), list(warnings.filters), sys.gettrace()],
        [sys.stdout, sys.stderr, sys.stdin, sys.argv, list(sys.path)],
    ]


@pytest.fixture(autouse=True)
def _unchanged() -> Iterator[None]:
    before = canaries()
    yield
    assert canaries() == before


# -- classes -----------------------------------------------------------------------------------------------------------

THROUGH_A_CLASS = {
    "type_of_a_value": "def f(x):\n    g = G\n    return type(g)('__globals__')(f)\n",
    "class_attribute": "def f(x):\n    g = G\n    c = g.__class__\n    return c('__globals__')(f)\n",
    "type_as_a_value": "def f(x):\n    t = [type][0]\n    return t(G)('__globals__')(f)\n",
    "map": "def f(x):\n    return [c('__globals__') for c in map(type, [G])][0](f)\n",
    "partial": "from functools import partial\ndef f(x):\n    return partial(type, G)()('__globals__')(f)\n",
    "map_of_the_class": "def f(x):\n    return list(map(type(G), ['__globals__']))[0](f)\n",
    "methodcaller": "def f(x):\n    c = type(G2)\n    return c('__reduce_ex__', 2)(x)\n",
    "class_of_type": "def f(x):\n    return type(type(x))('X', (), {})\n",
    "class_of_class": "def f(x):\n    c = x.__class__.__class__\n    return c('X', (), {})\n",
    "three_arguments": "def f(x):\n    return [type][0]('X', (), {})\n",
    "map_of_three": "def f(x):\n    return list(map(type, ['X'], [()], [{}]))\n",
    "function_class": "def f(x):\n    return type(f)(f, {})\n",
}


@pytest.mark.parametrize("name", THROUGH_A_CLASS)
def test_a_class_that_is_not_listed_makes_nothing(name: str) -> None:
    source = THROUGH_A_CLASS[name].replace("G2", "h").replace("G", "g") if "G" in THROUGH_A_CLASS[name] else ""
    made = "    g = attrgetter('real')\n    h = methodcaller('upper')\n"
    head, _, body = (source or THROUGH_A_CLASS[name]).partition("def f(x):\n")
    body = body.replace("    g = g\n", "")
    data = artefact(f"from operator import attrgetter, methodcaller\n{head}def f(x):\n{made}{body}")
    outcome = run(data, 5)
    assert isinstance(outcome.exception, TypeError), outcome
    plain = load(data)
    with pytest.raises(TypeError):
        plain(5)


def test_classes_are_compared_named_and_called_where_they_are_values() -> None:
    source = """
from dataclasses import dataclass
@dataclass
class R:
    a: int
def f(x):
    r = R(1)
    g = (i for i in [])
    return [
        type(x)([3]), type(x)(), type(r)(4).a, type(5)("7"), type("")(8), type(None)(), type(x) is list, type(x) == list,
        list is type(x), type(x) != tuple, type(x) in (list, tuple), type(g).__name__, type(x).__name__, x.__class__.__name__,
        str(type(g)), isinstance(g, type(g)), isinstance(x, type(g)), isinstance(type(g), type), isinstance(int, type),
        type(g) == type(i for i in "a"), len({type(g), type(f), type(len)}), len(set(map(type, [1, 2, "a"]))),
        type(type(x)) is type, type(type(g)) == type, issubclass(type(x), list), issubclass(type(True), int),
        callable(type(g)), [t.__name__ for t in map(type, [f, len, type, None])], x.__class__ is list,
        {int: "i", list: "l"}[type(x)], isinstance(1, BaseException), issubclass(ValueError, BaseException),
    ]
"""
    namespace = _executed(source)
    outcome = run(artefact(source), [2])
    assert outcome.value == namespace["f"]([2])


def _executed(source: str) -> dict[str, Any]:
    module = types.ModuleType("hostile_under_test")
    sys.modules[module.__name__] = module
    exec(compile(source, "<source>", "exec"), vars(module))
    return vars(module)


def test_the_class_of_the_callers_own_object_is_a_class() -> None:
    class Own:
        pass

    assert load(artefact("def f(x):\n    return type(x)()\n")).run(Own()).value.__class__ is Own


def test_isinstance_with_what_is_no_class_raises() -> None:
    outcome = run(artefact("def f(x: int):\n    return isinstance(x, len)\n"), 5)
    assert str(outcome.exception) == "isinstance() arg 2 must be a type, a tuple of types, or a union"


UNBOUND = {
    "copy": ("collections.Counter", "c.copy(int)"),
    "copy_through_type": ("collections.Counter", "type(c()).copy(int)"),
    "new_child": ("collections.ChainMap", "c.new_child(int)"),
    "set_seq1": ("difflib.SequenceMatcher", "c.set_seq1(h, 'a')"),
    "mapping": ("collections.abc.Mapping", "c.get(x, 1)"),
    "by_name": ("collections.Counter", "methodcaller('copy', int)(c)"),
}


@pytest.mark.parametrize("name", UNBOUND)
def test_functions_of_library_classes_are_not_reached_unbound(name: str) -> None:
    path, expression = UNBOUND[name]
    module, _, member = path.rpartition(".")
    head = f"from operator import methodcaller\nimport json\nfrom {module} import {member}\n"
    outcome = run(
        artefact(f"{head}def f(x):\n    h = json.dumps\n    c = [{member}][0]\n    return {expression}\n"), {}
    )
    assert isinstance(outcome.exception, AttributeError)


def test_library_classes_stay_classes_to_the_program() -> None:
    source = """
from collections import Counter, defaultdict
from collections.abc import Mapping
from fractions import Fraction
def f(x):
    c = Counter(x)
    d = defaultdict(Counter)
    d["a"].update("bb")
    return [
        type(c) is Counter, type(c)("aab") == Counter("baa"), isinstance(c, Counter), isinstance(c, Mapping),
        [str(v) for v in map(Fraction, [1, 2])], isinstance(d, (list, Mapping)), c.copy().most_common(1), d, c.__class__,
        issubclass(Counter, dict), [Counter][0].__name__, Fraction.from_float(0.5), type(Fraction(1)).__name__, [Counter][0]("a"),
        {Counter: 1}[type(c)],
    ]
"""
    outcome = run(artefact(source), "abb")
    assert outcome.exception is None
    assert outcome.value == _executed(source)["f"]("abb")


def test_a_cause_is_one_of_an_exception() -> None:
    data = artefact("def f(x):\n    raise ValueError from None\n")
    text = json.dumps(data).replace('["ref", "builtins.ValueError"]', '["ref", "fractions.Fraction"]')
    assert isinstance(run(json.loads(text), 1).exception, TypeError)


FRONT_END = {
    "type_of_attrgetter": ("import operator\ndef f(x):\n    return type(operator.attrgetter('real'))('__globals__')\n", "PM111"),
    "class_of_attrgetter": ("import operator\ndef f(x):\n    return operator.attrgetter('real').__class__\n", "PM111"),
    "attrgetter_as_value": ("import operator\ndef f(x):\n    g = operator.attrgetter\n    return g(x)\n", "PM111"),
    "attrgetter_of_a_variable": ("import operator\ndef f(x):\n    return operator.attrgetter(x)(x)\n", "PM111"),
    "attrgetter_of_the_class": ("import operator\ndef f(x):\n    return operator.attrgetter('__class__')(x)\n", "PM111"),
    "methodcaller": ("import operator\ndef f(x):\n    return operator.methodcaller('__reduce_ex__', 2)(x)\n", "PM111"),
    "three_arguments": ("def f(x):\n    return type('X', (), {})\n", "PM103"),
    "field_of_a_class": (f"{RECORD}from datetime import datetime\ndef f(x):\n    return datetime.zzone\n", "PM102"),
    "field_of_a_record": (f"{RECORD}def f(x):\n    R.zztwo = 3\n", "PM108"),
    "field_of_a_function": (f"{RECORD}def f(x):\n    f.zztwo += 3\n", "PM108"),
    "reserved_parameter": ("def f(_settable):\n    return 1\n", "PM216"),
    "dunder_parameter": ("def f(__x__):\n    return 1\n", "PM216"),
    "class_variable": ("from dataclasses import dataclass\n@dataclass\nclass R:\n    a: 'ClassVar[int]' = 1\n"
                       "def f(x):\n    return R()\n", "PM110"),
    "computed_base": ("from typing import NamedTuple\nclass R(run() or NamedTuple):\n    a: int\ndef f(x):\n    return R(1)\n",
                      "PM110"),
    "computed_decorator": ("@run().dataclass\nclass R:\n    a: int\ndef f(x):\n    return R(1)\n", "PM110"),
    "computed_member": ("from enum import Enum\nclass C(Enum):\n    a = run().auto()\ndef f(x):\n    return C.a\n", "PM110"),
    "computed_field_type": ("from typing import NamedTuple\nR = NamedTuple('R', [('a', run())])\ndef f(x):\n    return R(1)\n",
                            "PM110"),
    "private_member": ("from enum import Enum\nclass C(Enum):\n    _ignore_ = 'a'\n    a = 1\ndef f(x):\n    return C.a\n",
                       "PM110"),
}  # fmt: skip


@pytest.mark.parametrize("name", FRONT_END)
def test_the_front_end_refuses(name: str) -> None:
    source, code = FRONT_END[name]
    with pytest.raises(Refusal) as caught:
        artefact(source)
    assert caught.value.code == code


# -- fields ------------------------------------------------------------------------------------------------------------

STORE = f"{RECORD}from fractions import Fraction\ndef f(x):\n    t = %s\n    t.zzone = x\n    return 1\n"
STORES = {
    "class": "type(Fraction(1, 2))",
    "instance": "Fraction(1, 2)",
    "function": "[f][0]",
    "record_class": "[R][0]",
    "bound_method": "x.bit_length",
    "builtin": "x",
}


@pytest.mark.parametrize("name", STORES)
@pytest.mark.parametrize("field", ["zzone", "limit_denominator", "register", "_months"])
def test_a_field_is_written_on_own_instances_only(name: str, field: str) -> None:
    outcome = run(renamed(artefact(STORE % STORES[name]), zzone=field), 7)
    assert isinstance(outcome.exception, AttributeError)


READS = {
    "month_names": ("calendar.month_name", "_months"),
    "registry": ("collections.abc.Sequence", "register"),
    "clock": ("datetime.datetime", "now"),
    "today": ("datetime.date", "today"),
    "file": ("array.array", "fromfile"),
}


@pytest.mark.parametrize("name", READS)
def test_a_field_is_not_one_of_the_library(name: str) -> None:
    path, field = READS[name]
    given = artefact(f"{RECORD}def f(x):\n    g = x\n    return g.zzone\n")
    assert isinstance(run(renamed(given, zzone=field), frontend_value(path)).exception, AttributeError)
    by_reference = renamed(artefact(f"{RECORD}def f(x):\n    return x.zzone\n"), zzone=field)
    by_reference["program"]["machines"]["f"]["terms"] = json.loads(
        json.dumps(by_reference["program"]["machines"]["f"]["terms"]).replace(
            '["sym", "x", "any"]', f'["ref", "{path}"]'
        )
    )
    assert "is no instance" in refused(by_reference)


def frontend_value(path: str) -> Any:
    from pointsman.program.catalogue import resolve_ref

    return resolve_ref(path)


def test_a_field_of_a_library_name_is_read_of_records() -> None:
    data = renamed(
        artefact(f"{RECORD}def f(x):\n    r = R(x)\n    r.zzone += 1\n    return r.zzone\n"), zzone="register"
    )
    assert "_field(" in load(data).source
    assert run(data, 4).value == 5


def test_fields_of_other_names_are_read_directly() -> None:
    source = load(artefact(f"{RECORD}def f(x):\n    x.zzone += 1\n    return x.zzone\n")).source
    assert "x.zzone += 1" in source or "x.zzone = " in source
    assert "_field" not in source
    assert "_admit" not in source  # reading it showed whose it is


def test_names_of_the_library_are_known() -> None:
    assert {"register", "_months", "limit_denominator", "cache_clear", "func", "fget", "mro"} <= library_names()
    ordinary = "price quantity total amount status left right next parent weight level country owner email text code"
    assert not library_names().intersection(ordinary.split()) - ATTRIBUTES
    assert not any(map(is_field_name, ["__class__", "gi_frame", "f_globals", "_fields", "_value_", "mro"]))


# -- names -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["\uff47i_frame", "\uff3f_globals__", "__debug__", "__class__", "a b", "if", "\ufb01x"]
)
def test_names_are_what_python_reads(name: str) -> None:
    for source in (
        f"{RECORD}def f(x):\n    return x.zzone\n",  # a field and an attribute
        "def f(zzone):\n    return zzone\n",
        "def f(x):\n    return g(zzone=x)\ndef g(zzone):\n    return zzone\n",
    ):
        refused(renamed(artefact(source), zzone=name))


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_a_parameter_is_no_name_of_emitted_code(name: str) -> None:
    assert "emitted code uses that name" in refused(renamed(artefact("def f(zz, n):\n    return n\n"), zz=name))


def test_variables_and_functions_of_such_names_are_renamed() -> None:
    source = "def _type(_x):\n    _meter = [_x, 0]\n    _kinds = type(_x)\n    return _meter, _kinds is int\n"
    data = artefact(f"{source}def f(x: int):\n    _settable = x\n    return [_type(_settable), _settable]\n")
    assert run(data, 3).value == [([3, 0], True), 3]


# -- module values -----------------------------------------------------------------------------------------------------

VALUES = "K = [1, 2]\ndef f(x):\n    return K[0] + x\n"


def with_maker(source: str) -> Json:
    data, maker = artefact(VALUES), artefact(source, "z")["program"]["machines"]["z"]
    for machine in (maker, maker["generic"] or {}):
        machine.update(name="K.value", qualname="K.value")
    data["program"]["machines"]["K.value"] = maker
    return data


def test_linking_and_showing_make_no_module_value() -> None:
    table = load(with_maker("def z():\n    raise ValueError('made')\n"))
    table.prepare()
    assert "K" in table.source
    with pytest.raises(BadRequest):
        table.answer({"y": 1})
    assert str(table.run(1).exception) == "made"
    with pytest.raises(Unverified) as caught:
        table(1)
    assert caught.value.code == "module_value"


def test_making_module_values_counts_fuel() -> None:
    data = with_maker("def z():\n    i = 0\n    while True:\n        i = i + 1\n")
    assert run(data, 1, fuel=50).kind == "out_of_fuel"
    table = load(artefact(VALUES))
    first, second = table.run(1), table.run(1)
    assert (first.value, first.states_visited) == (second.value, second.states_visited) == (2, 1)
    assert table(1) == 2


# -- forms -------------------------------------------------------------------------------------------------------------

PLAIN = artefact("def f(x):\n    return [x, 2]\n")
CALL = artefact("def g(p, q):\n    return p\ndef f(x):\n    return g(p=x, q=2)\n")
ORDERS = artefact(f"{RECORD}def f(x):\n    return R(x).zzone\n")


def machine(data: Json) -> Json:
    return data["program"]["machines"]["f"]


def changed(data: Json, change: Callable[[Json], None]) -> Json:
    data = copy.deepcopy(data)
    change(data)
    return data


def returning(terms: list[Any]) -> Json:
    return changed(PLAIN, lambda d: machine(d).update(terms=terms, nodes=[["return", len(terms) - 1]], states=[
        {**machine(d)["states"][0], "root": 0}]))  # fmt: skip


def nested(depth: int) -> list[Any]:
    inner: list[Any] = []
    for _ in range(depth):
        inner = [inner]
    return inner


def constant(depth: int) -> Json:
    value: list[Any] = ["int", 1]
    for _ in range(depth):
        value = ["tuple", [value]]
    return returning([["const", value]])


def chain(length: int, *, twice: bool) -> Json:
    terms: list[Any] = [["sym", "x", "any"], ["app", "is", [0, 0], [], "bool"]]
    op, uses = ("eq", 2) if twice else ("not", 1)
    terms += [["app", op, [index] * uses, [], "bool"] for index in range(1, length)]
    return returning(terms)


def record(kind: str, fields: list[Any], base: str = "") -> Json:
    return changed(ORDERS, lambda d: d["program"]["records"]["R"].update(kind=kind, fields=fields, base=base))


ONE, TEXT = ["const", ["int", 1]], ["const", ["str", "x"]]
BROKEN: dict[str, Json] = {
    "version_true": changed(PLAIN, lambda d: d.update(version=True)),
    "version_float": changed(PLAIN, lambda d: d.update(version=1.0)),
    "memo_infinite": changed(PLAIN, lambda d: machine(d).update(memo=float("inf"))),
    "memo_huge": changed(PLAIN, lambda d: machine(d).update(memo=10**400)),
    "memo_true": changed(PLAIN, lambda d: machine(d).update(memo=True)),
    "memo_below": changed(PLAIN, lambda d: machine(d).update(memo=-2)),
    "generator_text": changed(PLAIN, lambda d: machine(d).update(generator="no")),
    "loc_infinite": changed(PLAIN, lambda d: machine(d)["states"][0].update(loc=[float("inf")] * 4)),
    "handler_infinite": changed(PLAIN, lambda d: machine(d)["states"][0].update(handler=float("inf"), caught="e")),
    "root_negative": changed(PLAIN, lambda d: machine(d)["states"][0].update(root=-1)),
    "float_huge": returning([["const", ["float", "0x1p99999"]]]),
    "constant_deep": constant(250),
    "constant_deeper": constant(120),
    "term_long": chain(5_000, twice=False),
    "term_nested": chain(600, twice=False),
    "term_exponential": chain(60, twice=True),
    "keyword_twice": renamed(CALL, q="p"),
    "keyword_before_positional": json.loads(json.dumps(CALL).replace('[["p", "q"]]', '[["p", ""]]')),
    "keywords_before_positional": json.loads(json.dumps(CALL).replace('[["p", "q"]]', '[["**", ""]]')),
    "keyword_debug": json.loads(json.dumps(CALL).replace('[["p", "q"]]', '[["__debug__", "q"]]')),
    "parameters_equal": renamed(artefact("def f(x, y):\n    return x\n"), y="\uff58"),
    "parameter_order": changed(artefact("def f(x, y):\n    return x\n"), lambda d: machine(d)["params"][0].__setitem__(4, ONE)),
    "starred_default": changed(artefact("def f(*x):\n    return x\n"), lambda d: machine(d)["params"][0].__setitem__(4, ONE)),
    "generic_of_generic": changed(artefact("def f(x: int):\n    return x\n"), lambda d: machine(d)["generic"].update(
        generic=copy.deepcopy(machine(d)["generic"]))),
    "fields_twice": record("dataclass", [["zzone", "int", None], ["zzone", "int", None]]),
    "field_order": record("dataclass", [["a", "int", ONE], ["zzone", "int", None]]),
    "field_order_of_tuple": record("namedtuple", [["a", "int", ONE], ["zzone", "int", None]]),
    "field_default_reference": record("dataclass", [["zzone", "int", ["ref", "builtins.len"]]]),
    "field_private_in_tuple": record("namedtuple", [["zzone", "int", None], ["_x", "int", None]]),
    "field_of_tuples_own": record("namedtuple", [["zzone", "int", None], ["_fields", "int", None]]),
    "members_twice": record("enum", [["zzone", "", ONE], ["zzone", "", ONE]]),
    "member_not_int": record("enum", [["zzone", "", TEXT]], "int"),
    "member_not_text": record("enum", [["zzone", "", ONE]], "str"),
    "member_ignored": record("enum", [["zzone", "", ONE], ["_ignore_", "", TEXT]]),
    "member_without_value": record("enum", [["zzone", "", None]]),
    "certificate_text": changed(PLAIN, lambda d: d["certificate"].update(inputs_tested="x")),
    "certificate_infinite": changed(PLAIN, lambda d: d["certificate"].update(undecided=float("inf"))),
    "certificate_level": changed(PLAIN, lambda d: d["certificate"].update(states=[
        {"function": "f", "state": 0, "level": "sure", "rows": 1, "unique_complete": True, "equivalent": True}])),
    "description_deep": changed(PLAIN, lambda d: d.update(description=nested(500))),
    "base_exception": returning([["ref", "builtins.KeyboardInterrupt"]]),
    "attrgetter": returning([["ref", "operator.attrgetter"]]),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_form_is_refused(name: str) -> None:
    assert len(refused(BROKEN[name])) < 2_000


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 5_000, "[" * 990 + "]" * 990, "", "nul", "1" * 5_000])
def test_text_that_is_no_artefact(text: str) -> None:
    with pytest.raises(BadRequest) as caught:
        check_header(parse_artefact(text, "x"), "x")
    assert caught.value.code == "bad_artefact"


def test_emitting_warns_of_nothing(recwarn: pytest.WarningsRecorder, capfd: pytest.CaptureFixture[str]) -> None:
    terms = [["const", ["int", 1]], ["const", ["str", "a"]], ["app", "is", [0, 1], [], "bool"]]
    assert run(returning(terms), 1).value is False
    assert not recwarn.list
    assert capfd.readouterr() == ("", "")


# -- at random ---------------------------------------------------------------------------------------------------------

SOURCES = {
    "records": """
import operator
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import NamedTuple
from fractions import Fraction
class Colour(Enum):
    RED = 1
    BLUE = "b"
class Level(IntEnum):
    LOW = 1
class Point(NamedTuple):
    x: int
    y: int
@dataclass
class Item:
    name: str
    quantity: int = 1
@dataclass(frozen=True)
class Order:
    total: int
    code: str = "a"
def f(x, o: Order):
    item = Item("a", x)
    item.quantity += Level.LOW
    p = Point(item.quantity, y=2)
    if o.total > 3 or Colour.RED == p.x:
        return type(p)(1, 2)._replace(x=5), "{0.name!r:>5}".format(item), Fraction(p.x, 2).limit_denominator(3)
    return sorted([p, p], key=operator.attrgetter("x")), item.__class__, Colour.BLUE.name
""",
    "control": """
import calendar
import datetime
TABLE = {"a": [1, 2], "b": [3]}
def helper(a, b=2, *rest, k=3, **more):
    return a + b + k + len(rest) + len(more)
def gen(n):
    for i in range(n):
        got = yield i
def f(x, xs: list):
    total = 0
    def add(v):
        nonlocal total
        total += v
        return total
    for i in range(5):
        try:
            total += 10 // (x - i)
            add(i)
        except (ZeroDivisionError, ValueError) as e:
            total -= len(str(e))
        finally:
            total += 1
    while total > 100:
        total //= 2
    parts = [helper(i, *xs[:1], k=i, **{"z": 1}) for i in gen(3) if i or xs]
    text = f"{total:>5}{calendar.month_name[1]}" + datetime.date(2020, 1, 2).isoformat()
    match xs:
        case [a, *b]:
            return a, b, parts, len(TABLE), list(map(type, parts))
        case _:
            return text.upper(), type(xs)(parts), {k: v for k, v in TABLE.items()}, isinstance(x, int)
""",
    "numbers": """
from functools import lru_cache
@lru_cache(None)
def fib(n: int) -> int:
    return n if n < 2 else fib(n - 1) + fib(n - 2)
def f(x: int, s: str):
    if x < 3:
        return fib(x)
    if x < 10:
        return -x
    if s == "a":
        return 1
    if s == "b":
        return min(x, 2, 3) % 7
    return abs(x) * 2 if s.startswith("c") else s.upper() + "x"
""",
}
ARGUMENTS: list[tuple[Any, ...]] = [(5, [1, 2]), (2, "b"), (3,)]
NAMES = (
    "__globals__ __class__ __name__ gi_frame f_builtins _months register now today fromfile format format_map mro real x y "
    "name quantity total _meter _type _settable builtins.type builtins.BaseException builtins.eval operator.attrgetter "
    "operator.methodcaller builtins.str.format builtins.object calendar.month_name collections.abc.Sequence "
    "datetime.datetime fractions.Fraction functools.partial copy.deepcopy function:f function:helper record:Item "
    "record:Colour record:Colour.RED call call_method get_attribute set_attribute get_method global_get closure "
    "comprehension yield copy cell cell_get raise return do take goto decide int any str list record:Order star "
    "double_star plain keyword_only positional_only dataclass namedtuple enum typeddict local free"
).split()
VALUES_OF_ANY_KIND: list[Any] = [
    None, True, False, 0, 1, -1, 2, 7, 1.5, float("inf"), float("nan"), 10**400, "", "\uff47i_frame", "\ud800", "a b", [], {},
    [[]], ["const", ["int", 1]], ["const", ["str", "{0.__class__}"]], ["ref", "builtins.type"], ["ref", "builtins.object"],
    ["sym", "x", "any"], ["", ""], ["*", ""], ["**", ""], ["const", ["unbound"]], ["const", ["float", "0x1p9999"]],
]  # fmt: skip


def parts_of(data: Json, into: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """All places of the JSON: a container and the key or index in it."""
    items = list(data.items()) if isinstance(data, dict) else list(enumerate(data)) if isinstance(data, list) else []
    for key, value in items:
        into.append((data, key))
        parts_of(value, into)
    return into


def mutate(data: Json, rng: random.Random) -> None:
    places = parts_of(data["program"] if rng.random() < 0.95 else data, [])
    container, key = rng.choice(places)
    old = container[key]
    other, at = rng.choice(places)
    alike = [c[k] for c, k in rng.sample(places, min(len(places), 60)) if type(c[k]) is type(old)]
    way = rng.random()
    if way < 0.35 and alike:
        container[key] = copy.deepcopy(rng.choice(alike))
    elif way < 0.6 and isinstance(old, str):
        container[key] = rng.choice(NAMES)
    elif way < 0.7 and type(old) is int:
        container[key] = rng.choice([old - 1, old + 1, rng.randrange(abs(old) % 1_000 + 1)])
    elif way < 0.8 and isinstance(container, list):
        container.insert(key, copy.deepcopy(other[at])) if rng.random() < 0.5 else container.pop(key)
    elif way < 0.85 and isinstance(container, dict):
        container[rng.choice(NAMES)] = container.pop(key)
    else:
        container[key] = copy.deepcopy(rng.choice(VALUES_OF_ANY_KIND))


class _TooLong(BaseException):
    """One operation took very long, which nothing here promises to stop."""


def _stop(*_: object) -> None:
    raise _TooLong


BASES = {name: artefact(source) for name, source in SOURCES.items()}


def attempt(name: str, seed: int) -> str:
    """Changes an artefact and runs it: how that ended. Anything but a PointsmanError passes through."""
    rng = random.Random(f"{name} {seed}")
    data = copy.deepcopy(BASES[name])
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        mutate(data, rng)
    signal.setitimer(signal.ITIMER_REAL, 5)
    try:
        table = load(data)
        table.prepare()
        _ = table.source
        for arguments in ARGUMENTS:
            table.run(*copy.deepcopy(arguments), fuel=500)
        order = table._metered.records.get("Order")
        if order is not None and isinstance(order, type):
            table.run(4, order(5) if order is not dict else {}, fuel=500)
    except PointsmanError as error:
        return error.code
    except _TooLong:
        return "too_long"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return "ran"


@pytest.mark.parametrize("name", BASES)
def test_changed_artefacts_run_or_are_refused(name: str) -> None:
    signal.signal(signal.SIGALRM, _stop)
    ends: dict[str, int] = {}
    for seed in range(250):
        before = canaries()
        try:
            end = attempt(name, seed)
        except Exception as error:
            raise AssertionError(f"seed {seed}: {type(error).__name__}: {error}") from error
        assert canaries() == before, f"seed {seed}"
        ends[end] = ends.get(end, 0) + 1
    assert "internal_error" not in ends
    assert ends["ran"] > 10
    assert ends["invalid_ir"] > 10
    assert ends["bad_artefact"] > 10


def test_a_program_that_is_made_by_hand_links() -> None:
    program = load(PLAIN).program
    assert isinstance(program, Program)
    assert link(program).entry(1) == [1, 2]
