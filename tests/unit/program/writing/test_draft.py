"""Which function of a reply is the draft, and what of it is kept."""

import pytest

from pointsman.program.frontend import Refusal
from pointsman.program.writing.accepted import accepted_source
from pointsman.program.writing.draft import BadDraft, Draft, read_draft

F = "def f(n: int) -> int:\n    return n + 1\n"
G = "def g(n: int) -> int:\n    return n - 1\n"


def fenced(*sources: str) -> str:
    return "Some words.\n" + "\n".join(f"```python\n{source}```\nMore words." for source in sources)


@pytest.mark.parametrize(
    ("reply", "entry"),
    [
        (F, "f"),
        (fenced(F), "f"),
        (fenced(F + G), "g"),
        (fenced(F, G), "g"),
        (fenced(F, "print(f(3))\n"), "f"),
        (fenced(F, "def broken(:\n"), "f"),
        ("```\n" + F, "f"),
        ("~~~ py\n" + F + "~~~", "f"),
        ("  ```python\n  def f(n):\n      return n\n  ```", "f"),
        (f"<think>\n{fenced(G)}</think>\n{fenced(F)}", "f"),
        (fenced(F).replace("\n", "\r\n"), "f"),
    ],
)
def test_the_last_function_of_the_last_block_is_the_entry(reply: str, entry: str) -> None:
    assert read_draft(reply).entry == entry


def test_the_function_that_was_asked_for_is_the_entry() -> None:
    assert read_draft(fenced(F + G), "f").entry == "f"
    assert read_draft(fenced(F, G), "f").entry == "f"
    with pytest.raises(BadDraft, match="the reply defines f, g; expected h"):
        read_draft(fenced(F + G), "h")


@pytest.mark.parametrize("reply", ["", "I cannot do that.", fenced("x = 1\n"), "```\n```"])
def test_a_reply_without_a_function_is_bad(reply: str) -> None:
    with pytest.raises(BadDraft, match="holds no Python function") as caught:
        read_draft(reply)
    assert caught.value.code == "bad_draft"


def test_a_function_inside_something_else_is_not_at_the_top_level() -> None:
    with pytest.raises(BadDraft, match="none at the top level"):
        read_draft(fenced("class A:\n    def f(self):\n        return 1\n"))


@pytest.mark.parametrize(
    "source", ["def f(n)\n    return n\n", "def f(n):\n    return '\ud800\n", "def f(n):\n    \0\n"]
)
def test_a_function_that_does_not_parse_is_refused(source: str) -> None:
    with pytest.raises(Refusal) as caught:
        read_draft(fenced(source))
    assert caught.value.code == "PM001"


# -- what is kept -----------------------------------------------------------------------------------------------------


def kept(source: str) -> str:
    found = accepted_source(read_draft(source, "f"))
    again = accepted_source(Draft(read_draft(found).module, "f"))
    assert again == found, "what is kept is kept again"
    return found.removeprefix("from __future__ import annotations\n").lstrip("\n")


NEEDED = '''\
import math
from typing import NamedTuple

LIMIT = 10
SIZES = sorted([3, 1])


class Point(NamedTuple):
    """A place."""

    x: int


@cache
def helper(n):
    return n  # as it was


def f(p: Point, n: "int") -> int:
    return math.isqrt(helper(n)) + p.x + LIMIT + SIZES[0]
'''.replace("import math\n", "import math\nfrom functools import cache\n")


def test_what_the_function_needs_is_kept_as_it_was_written() -> None:
    assert kept(NEEDED) == NEEDED


@pytest.mark.parametrize(
    "statement",
    [
        "boom()\n",
        "import os\n",
        "import os as math\n",
        "x = boom()\n",
        "x, y = 1, boom()\n",
        "for i in boom():\n    pass\n",
        "def g(a=boom()):\n    return a\n",
        "@boom()\ndef g():\n    return 1\n",
        "class A(boom() or NamedTuple):\n    x: int\n",
        "class A:\n    x = boom()\n",
        "A = NamedTuple('A', [('x', boom())])\n",
        "def f(a=boom()):\n    return a\n",
        "if __name__ == '__main__':\n    boom()\n",
        "assert f(1) == 1\n",
    ],
)
def test_what_the_front_end_did_not_read_is_left_out(statement: str) -> None:
    source = f"from typing import NamedTuple\n{statement}def f(n: A) -> x:\n    y = g = os = 1\n    return y\n"
    assert kept(source) == "def f(n: A) -> x:\n    y = g = os = 1\n    return y\n"


def test_two_statements_of_one_line_are_told_apart() -> None:
    assert kept("x = 1; boom()\ndef f():\n    return x\n") == "x = 1\n\n\ndef f():\n    return x\n"


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("def f():\n    import os\n    return 1\n", "line 2: 'import os' is not from one of array, "),
        ("def f(n: boom()):\n    return n\n", r"line 1: the annotation 'boom\(\)'"),
        ("def f() -> boom():\n    return 1\n", r"the annotation 'boom\(\)'"),
        ("def f():\n    x: boom() = 1\n    return x\n", r"line 2: the annotation 'boom\(\)'"),
    ],
)
def test_what_the_front_end_passes_over_inside_of_functions_is_refused(source: str, says: str) -> None:
    with pytest.raises(BadDraft, match=says):
        kept(source)


def test_types_may_be_named() -> None:
    source = "from typing import Literal\n\nPair = tuple[int, int]\n\n\ndef f(p: Pair, q: Literal[-1] | None) -> list[int]:\n    return [p[0]]\n"
    assert kept(source) == source


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("def f():\n    return boom()\n", "PM104"),
        ("def f():\n    from . import x\n    return 1\n", "PM102"),
        ("def f():\n    import numpy\n    return 1\n", "PM102"),
        ("X = boom()\ndef f():\n    return X\n", "PM105"),
        ("class A(boom() or Enum):\n    X = 1\ndef f():\n    return A\n", "PM110"),
        ("def f():\n    return open('x')\n", "PM101"),
        ("import os\ndef f():\n    return os.getcwd()\n", "PM102"),
    ],
)
def test_what_the_front_end_refuses_is_refused(source: str, code: str) -> None:
    with pytest.raises(Refusal) as caught:
        kept(source)
    assert caught.value.code == code
