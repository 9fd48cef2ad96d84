"""Shapes, generated rows, choosing shapes, and making counterexamples smaller."""

import ast
from itertools import islice

import pytest

from pointsman.program.check.choices import choose
from pointsman.program.check.inputs import Inputs, rows
from pointsman.program.check.shapes import ANY, Shape, constants_of, shape_of_annotation, shape_of_values, shapes_of_use
from pointsman.program.check.shrink import shrink
from pointsman.program.compiler import compile_source
from pointsman.program.ir import Param, Record

POINT = Record("Point", "dataclass", (("x", "int", None), ("y", "list[str]", None)))


@pytest.mark.parametrize(
    ("text", "check"),
    [
        ("int", lambda v: type(v) is int),
        ("bool", lambda v: type(v) is bool),
        ("list[int]", lambda v: type(v) is list and all(type(i) is int for i in v)),
        ("List[List[str]]", lambda v: all(type(i) is list and all(type(s) is str for s in i) for i in v)),
        ("dict[str, dict[str, int]]", lambda v: all(type(k) is str and type(i) is dict for k, i in v.items())),
        ("tuple[int, str]", lambda v: type(v[0]) is int and type(v[1]) is str and len(v) == 2),
        ("tuple[float, ...]", lambda v: type(v) is tuple and all(type(i) is float for i in v)),
        ("Optional[int]", lambda v: v is None or type(v) is int),
        ("'str | None'", lambda v: v is None or type(v) is str),
        ("typing.Union[int, str]", lambda v: type(v) in {int, str}),
        ("Literal['a', 3]", lambda v: v in {"a", 3}),
        ("set[int]", lambda v: type(v) is set),
        ("Point", lambda v: set(v) == {"x", "y"} and type(v["y"]) is list),
        ("collections.deque[int]", lambda v: type(v).__name__ == "deque"),
        ("Callable[[int], int]", callable),
    ],
)
def test_values_have_the_annotated_type(text, check):
    from random import Random

    inputs = Inputs({"Point": POINT})
    draw = inputs.draw(shape_of_annotation(text, inputs.records))
    rng = Random(3)
    values = [draw(rng) for _ in range(100)]
    assert all(check(value) for value in values)
    assert len({repr(value) for value in values}) > 1


@pytest.mark.parametrize("text", [None, "T", "unknown.Thing", "not an [annotation", "np.ndarray"])
def test_unknown_annotations_say_nothing(text):
    assert shape_of_annotation(text, {}) == ANY


def test_shapes_of_examples():
    assert shape_of_values([[1], [2, 3]]) == Shape("list", (Shape("int", (), (1, 2, 3)),))
    assert shape_of_values([("a", 1)]).parts[0] == Shape("str", (), ("a",))
    assert {part.kind for part in shape_of_values([1, "a", None]).parts} == {"int", "str", "None"}


def _function(text):
    return ast.parse(text).body[0]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("return x.split()", "str"),
        ("return x % 2", "int"),
        ("return [i for i in x]", "list"),
        ("return x[0][1]", "list"),
        ("x.append(1)", "list"),
        ("return x.items()", "dict"),
        ("return len(x)", "list"),
    ],
)
def test_shapes_of_use(body, kind):
    assert shapes_of_use(_function(f"def f(x):\n    {body}"), "x")[0].kind == kind


def test_constants_are_collected():
    assert constants_of(_function("def f(x): return x > 41 or x == 'q' or 2.5")) == {
        "int": (41,),
        "float": (2.5,),
        "str": ("q",),
    }


def test_choosing_keeps_what_the_original_takes():
    def original(a, b):
        return a.upper() + str(sum(b))

    params = (Param("a", "plain"), Param("b", "plain"))
    node = _function("def f(a, b): return a.upper() + str(sum(b))")
    chosen = choose(node, params, {}, (), original, 1000)
    assert all(shapes[0].kind == "str" and shapes[1].kind != "str" for shapes in chosen)


def test_rows_follow_the_signature():
    source = "def f(a: int, b: str = 'x', *rest: int, key: bool = False) -> int:\n    return a\n"
    params = compile_source(source, "f").machines["f"].params
    shapes = (Shape("int"), Shape("str"), Shape("bool"))
    made = list(islice(rows(params, [shapes], Inputs(), (), 5), 300))
    assert {len(args) for args, _ in made} >= {1, 2, 3}
    assert {tuple(kwargs) for _, kwargs in made} == {(), ("key",)}
    assert repr(made) == repr(list(islice(rows(params, [shapes], Inputs(), (), 5), 300)))


def test_rows_stay_near_examples():
    params = (Param("m", "plain"), Param("n", "plain"))
    example = (([[1, 2], [3, 4]], 1), {})
    shapes = (shape_of_values([example[0][0]]), Shape("int"))
    made = [args for args, _ in islice(rows(params, [shapes], Inputs(), [example], 1), 200)]
    alike = [m for m, *_ in made if type(m) is list and [len(r) if type(r) is list else None for r in m] == [2, 2]]
    assert len(alike) > 40


def test_shrinks_to_the_smallest():
    def fails(row):
        (items, text), _ = row
        return any(item > 10 for item in items) and "b" in text

    assert shrink((([3, 99, -4, 57], "abc"), {}), fails, 2.0) == (([11], "b"), {})
