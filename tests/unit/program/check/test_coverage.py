"""Coverage of a corpus: both row formats, directories, purity, resuming."""

import gzip
import json

import pytest

from pointsman.core import BadRequest, NotFound
from pointsman.program.check.corpus import cases
from pointsman.program.check.coverage import coverage, main
from pointsman.program.check.extract import minimal_source
from pointsman.program.check.purity import impurity
from pointsman.program.frontend import Module

HUMANEVAL = {
    "task_id": "T/0",
    "prompt": "def twice(n: int) -> int:\n    '''Doubles.'''\n",
    "canonical_solution": "    return n * 2\n",
    "entry_point": "twice",
    "test": "def check(candidate):\n    assert candidate(2) == 4\n",
}
MBPP = {
    "task_id": 7,
    "code": "def helper(x):\r\n    return x[0]\r\ndef first(x):\r\n    return helper(x)\r\ndef unused(): return 1",
    "test_setup_code": "",
    "test_list": ["assert first([3, 4]) == 3", "assert first('ab') == 'a'"],
}
FILE = """
import os, no_such_module
from math import sqrt
print("imported")
LIMIT = 3

def root(n: float) -> float:
    '''
    >>> root(4.0)
    2.0
    '''
    return sqrt(n) + LIMIT

def shout(text: str) -> None:
    print(text)

def folder():
    return os.getcwd()

def needs(n: int):
    return no_such_module.f(n)

os.remove("/nowhere/at/all")
"""


def test_humaneval_and_mbpp_rows(tmp_path):
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, (HUMANEVAL, MBPP))).encode()))
    report = coverage(path)
    assert [case.entry for case in cases(path)] == ["twice", "first"]
    assert [(v.status, v.tests_passed) for v in report.verdicts] == [("equal", [2, 2])] * 2
    result = report.to_json()
    assert {key: result[key] for key in ("functions", "pure", "compiled", "equal_without_opaque", "wrong")} == {
        "functions": 2,
        "pure": 2,
        "compiled": 2,
        "equal_without_opaque": 2,
        "wrong": 0,
    }
    assert result["refused_by_reason"] == {}


def test_directory(tmp_path):
    (tmp_path / "a.py").write_text(FILE)
    (tmp_path / "broken.py").write_text("def f(:\n")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "b.py").write_text("def f(): return 1\n")
    seen = []
    report = coverage(tmp_path, progress=lambda done, total: seen.append((done, total)))
    by_key = {verdict.key: verdict for verdict in report.verdicts}
    assert set(by_key) == {"a.py:root", "a.py:shout", "a.py:folder", "a.py:needs"}
    assert (by_key["a.py:root"].status, by_key["a.py:root"].pure) == ("equal", True)
    assert by_key["a.py:shout"].refusal == "PM101"
    assert not any(by_key[key].pure for key in ("a.py:shout", "a.py:folder", "a.py:needs"))
    assert seen[-1] == (4, 4)
    assert sum(report.to_json()["refused_by_reason"].values()) == 3


def test_resumes(tmp_path):
    folder, resume = tmp_path / "code", tmp_path / "done.jsonl"
    folder.mkdir()
    (folder / "a.py").write_text("def f(n: int): return n\ndef g(n: int): return n\n")
    assert len(main(folder, resume, jobs=1, limit=1).verdicts) == 1
    first = resume.read_text()
    assert len(main(folder, resume).verdicts) == 2
    assert resume.read_text().startswith(first)
    assert len(resume.read_text().splitlines()) == 2


def test_bad_corpora(tmp_path):
    with pytest.raises(NotFound):
        cases(tmp_path / "nothing")
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1}\n')
    with pytest.raises(BadRequest):
        cases(path)


def test_minimal_source():
    text = minimal_source(FILE, "root")
    assert "sqrt" in text
    assert "LIMIT" in text
    assert not any(word in text for word in ("os", "print", "no_such_module", "shout"))
    assert "except Exception" in minimal_source(FILE, "needs")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def f(x):\n    return [y.upper() for y in x]\n", None),
        ("import math\ndef f(x):\n    return math.sqrt(x) + g(x)\ndef g(x):\n    return x\n", None),
        ("def f(x):\n    return g(x)\ndef g(x):\n    print(x)\n", "g: name print"),
        ("import random\ndef f():\n    return random.random()\n", "import random"),
        ("N = 0\ndef f():\n    global N\n    N += 1\n    return N\n", "global N"),
        ("def f(x):\n    x.append(1)\n", "no value is returned"),
        ("async def f():\n    return 1\n", "asynchronous"),
        ("class A:\n    def m(self): pass\ndef f():\n    return A()\n", "class A"),
        ("from typing import NamedTuple\nclass A(NamedTuple):\n    x: int\ndef f(a: A):\n    return a.x\n", None),
        ("def f(x):\n    return x.connect()\n", "attribute connect"),
        ("def f(x):\n    with x:\n        return 1\n", "with"),
        ("from functools import cache\n@cache\ndef f(n):\n    return n and f(n - 1)\n", None),
        ("def f(n):\n    def g(m):\n        return m + n\n    return g(1)\n", None),
    ],
)
def test_purity(source, expected):
    assert impurity(Module.parse(source), "f") == expected
