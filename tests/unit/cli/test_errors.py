"""Wrong use and wrong inputs: a message with a stable code on stderr, exit status 2, nothing left behind."""

import gzip
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pointsman.core import BadRequest, InternalError

ADD = "def f(n: int):\n    return n + 1\n"


def refused(found: Any, *says: str) -> None:
    assert (found.code, found.out) == (2, "")
    for part in says:
        assert part in found.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["none.py:f"], "no_source"),
        (["folder"], "no_source"),
        (["binary.py:f"], "no_source"),
        (["empty.py"], "no_functions"),
        (["s.py:none"], "PM002"),
        (["bad.py"], "PM001"),
        (["s.py:f", "-o", "none/x.json"], "no_folder"),
        (["s.py:f", "-o", "/dev/null"], "cannot_write"),
        (["s.py", "-o", "bad.py"], "no_folder"),
        (["s.py:f", "-o", "bad.py/x"], "no_folder"),
        (["s.py:f", "--seconds", "inf"], "seconds"),
        (["s.py:f", "--seconds", "nan"], "seconds"),
        (["s.py:f", "--seconds", "-1"], "seconds"),
        (["s.py:f", "--examples", "-1"], "examples"),
    ],
)
def test_compile(pm: Any, tmp_path: Path, arguments: list[str], says: str) -> None:
    (tmp_path / "s.py").write_text(ADD)
    (tmp_path / "bad.py").write_text("def f(:\n")
    (tmp_path / "empty.py").write_text("")
    (tmp_path / "binary.py").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "folder").mkdir()
    before = sorted(tmp_path.rglob("*"))
    refused(pm("compile", *arguments), says)
    assert sorted(tmp_path.rglob("*")) == before
    assert Path("/dev/null").is_char_device()


def test_compile_without_a_cache_says_so_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text(ADD)
    (tmp_path / "file").write_text("")
    found = shell("XDG_CACHE_HOME=file pm compile s.py:f --examples 1", tmp_path)
    (line,) = found.stderr.splitlines()
    assert (found.returncode, line) == (
        0,
        "warning: nothing is cached: cannot write to file/pointsman: Not a directory",
    )


def test_a_defect_in_one_of_several_functions_is_told_apart(
    pm: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(source: str, filename: str, name: str, *_: Any, **__: Any) -> None:
        raise {"a": BadRequest("no", code="first"), "b": InternalError("oh", code="second")}[name]

    (tmp_path / "s.py").write_text("def a():\n    return 1\ndef b():\n    return 1\n")
    monkeypatch.setattr("pointsman.cli.compile_.compile_table", broken)
    found = pm("compile", "s.py", "-o", "out")
    assert (found.code, found.err) == (1, "error [first]: a: no\nerror [second]: b: oh\n")


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        ("", "not JSON"),
        (" ", "not JSON"),
        ("{", "not JSON"),
        ("5", "JSON object"),
        ('["a"]', "an integer"),
        ("[1, 2]", "2 inputs"),
        ('{"n": 1, "n": 2}', "twice"),
        ("[" * 50_000, "nested too deeply"),
        (f"[{'9' * 5000}]", "4,300 digits"),
    ],
)
def test_run_bad_inputs(pm: Any, artefact: Any, inputs: str, says: str) -> None:
    refused(pm("run", artefact(ADD), inputs), "bad_inputs", says)


def test_run_lines_that_hold_no_inputs_are_named_and_counted(pm: Any, artefact: Any) -> None:
    found = pm("run", artefact(ADD), "-", stdin=b'[1]\n{\n["a"]\n\xff\n[2]\n')
    assert (found.code, found.out) == (2, "2\n3\n")
    lines = found.err.splitlines()
    assert [line.split(": ")[1] for line in lines[:3]] == ["line 2", "line 3", "line 4"]
    assert lines[3].endswith("3 of 5 lines hold no inputs for it and were not run")


@pytest.mark.parametrize("fuel", ["0", "-1", "x"])
def test_run_fuel(pm: Any, artefact: Any, fuel: str) -> None:
    refused(pm("run", artefact(ADD), "[1]", "--fuel", fuel), "--fuel")


@pytest.mark.parametrize(
    "body",
    [
        'raise BaseException("no")',
        "return range(10 ** 9)",
        "return 10 ** 200000",
        "xs = []\n    xs.append(xs)\n    return xs",
        "yield 1 // n",
    ],
)
def test_whatever_the_program_does_is_its_outcome(pm: Any, artefact: Any, body: str) -> None:
    path = artefact(f"def f(n: int):\n    {body}\n")
    for options in ([], ["--json"]):
        found = pm("run", path, "[0]", *options)
        assert (found.code, found.err) == (1, "")
        assert "exception" in json.loads(found.out).get("result", json.loads(found.out))
    assert pm("prove", path).code in {0, 1}
    assert pm("diff", path, path).code == 0


def test_results_that_are_hard_to_write(pm: Any, artefact: Any) -> None:
    assert pm("run", artefact("def f(n: int):\n    return 10 ** n\n"), "[5000]").out == "1" + "0" * 5000 + "\n"
    path = artefact('def f(s: str):\n    return s + "\\ud800"\n')
    assert pm("run", path, '["é"]').out == '"\\u00e9\\ud800"\n'
    assert json.loads(pm("run", path, '["é"]', "--json").out)["result"] == "é\ud800"


ARTEFACT_COMMANDS = (["run", "{}", "[1]"], ["show", "{}"], ["prove", "{}"], ["diff", "{}", "{}"], ["serve", "{}"])


@pytest.mark.parametrize("command", ARTEFACT_COMMANDS, ids=lambda command: command[0])
def test_what_is_no_artefact(pm: Any, artefact: Any, tmp_path: Path, command: list[str]) -> None:
    good = json.loads(artefact(ADD).read_text())
    texts: dict[str, tuple[bytes, str]] = {
        "binary": (b"\xff\xfe", "bad_artefact"),
        "deep": (b"[" * 100_000, "bad_artefact"),
        "other": (b'{"format": "x"}', "bad_artefact"),
        "version": (json.dumps({**good, "version": 99}).encode(), "artefact_version"),
        "lying": (json.dumps(good).replace('"add"', '"format"').encode(), "invalid_ir"),
    }
    for name, (data, code) in texts.items():
        path = tmp_path / f"{name}.route.json"
        path.write_bytes(data)
        refused(pm(*[part.format(path) for part in command]), code)
    missing = pm(*[part.format("none.json") for part in command])
    refused(missing, "invalid_config" if command[0] == "serve" else "no_artefact")


def test_show_options_that_exclude_each_other(pm: Any, artefact: Any) -> None:
    path = artefact(ADD)
    refused(pm("show", path, "--svg", "--dot"), "conflicting_options", "--svg does not go together with --dot")
    refused(pm("show", path, "--python", "--function", "f"), "conflicting_options")
    refused(pm("show", path, "--function", "g"), "no_function", "it has: f")


def test_diff_examples(pm: Any, artefact: Any) -> None:
    path = artefact(ADD)
    refused(pm("diff", path, path, "--examples", "-1"), "--examples")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["none"], "no_path"),
        (["binary.jsonl"], "not text"),
        (["bad.jsonl"], "bad.jsonl:2: not JSON"),
        (["number.jsonl"], "number.jsonl:1: expected an object"),
        (["other.jsonl"], "other.jsonl:1: a row has a"),
        (["short.jsonl"], "short.jsonl:1: a row that cannot be used"),
        (["false.jsonl.gz"], "cannot read false.jsonl.gz"),
        (["cut.jsonl.gz"], "cannot read cut.jsonl.gz"),
        (["empty.jsonl"], "bad_corpus"),
        (["s.py", "--jobs", "0"], "--jobs"),
        (["s.py", "--limit", "-1"], "--limit"),
        (["s.py", "--resume", "folder"], "bad_resume"),
        (["s.py", "--resume", "none/x.jsonl"], "bad_resume"),
        (["s.py", "--resume", "binary.jsonl"], "bad_resume"),
        (["s.py", "--resume", "other.jsonl"], "other.jsonl:1: not a verdict"),
    ],
)
def test_coverage(pm: Any, tmp_path: Path, arguments: list[str], says: str) -> None:
    (tmp_path / "s.py").write_text(ADD)
    (tmp_path / "folder").mkdir()
    contents: dict[str, bytes] = {
        "binary.jsonl": b"\xff\xfe\x00",
        "bad.jsonl": b"\n{\n",
        "number.jsonl": b"5\n",
        "other.jsonl": b'{"a": 1}\n',
        "short.jsonl": b'{"code": "def f(): pass", "test_list": 5}\n',
        "false.jsonl.gz": b"no gzip",
        "cut.jsonl.gz": gzip.compress(b"{}" * 100)[:-9],
        "empty.jsonl": b"",
    }
    for name, data in contents.items():
        (tmp_path / name).write_bytes(data)
    refused(pm("coverage", *arguments), says)


def test_bench_data(pm: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused(pm("bench", "program", "--data", tmp_path), "bad_corpus")
    (tmp_path / "b.jsonl").write_bytes(b"\xff")
    monkeypatch.chdir(Path(__file__).parents[3])  # where the examples are
    refused(pm("bench", "program", "--data", tmp_path / "b.jsonl"), "bad_corpus")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--port", "99999"], "port (flag) is 99999"),
        (["--port", "-1"], "port (flag) is -1"),
        (["--host", ""], "host (flag) is ''"),
        (["--config", "none.toml"], "cannot read none.toml"),
        (["--config", "url.toml"], "base_url"),
        (["folder"], "holds no file"),
        (["--host", "a" * 300], "cannot listen on"),
        (["--model", "none"], "there is no model 'none'; expected a folder"),
        (["--model", "none.bin"], "there is no model 'none.bin'"),
        (["--model", "a/b", "--model", "a/b"], "'a/b' is listed twice"),
    ],
)
def test_serve(pm: Any, tmp_path: Path, arguments: list[str], says: str) -> None:
    (tmp_path / "folder").mkdir()
    upstream = '[[upstream]]\nname = "u"\nbase_url = "http://[::1/v1"\nmodels = ["m"]\n'
    (tmp_path / "url.toml").write_text(upstream)
    refused(pm("serve", *arguments), "invalid_config", says)


@pytest.mark.parametrize("command", [["generate", "hello"], ["serve", "--port", "0", "--model", "a/b"]])
def test_models_without_torch(pm: Any, monkeypatch: pytest.MonkeyPatch, command: list[str]) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    refused(pm(*command), "extra_missing", "pip install 'pointsman[local]'")


@pytest.mark.parametrize(
    ("option", "other"), [(["--logprobs", "1"], "--json"), (["--raw", "--mode", "steps"], "--mode")]
)
def test_generate_options_that_do_not_go_together(pm: Any, option: list[str], other: str) -> None:
    refused(pm("generate", *option, "hello"), "conflicting_options", other)


@pytest.mark.parametrize("arguments", [["nothing"], ["run"], ["run", "a", "b", "c"], ["show", "--nope"]])
def test_wrong_use(pm: Any, arguments: list[str]) -> None:
    refused(pm(*arguments))


def test_a_defect_of_ours_is_one_message(pm: Any, artefact: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr("pointsman.cli.show.show_table", broken)
    found = pm("show", artefact(ADD))
    assert found.code == 1
    assert "internal_error" in found.err
    assert "ZeroDivisionError: oh" in found.err


def shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A command whose files the shell closes or replaces; `pm` stands for the program."""
    script = command.replace("pm ", f"{sys.executable} -m pointsman ", 1)
    return subprocess.run(["sh", "-c", script], capture_output=True, text=True, cwd=folder, timeout=60)


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("pm run f.route.json - <&-", "no_input"),
        ("pm run f.route.json '[1]' >&-", "no_output"),
        ("pm run f.route.json '[1]' >/dev/full", "No space left"),
        ("pm show big.route.json --svg >/dev/full", "No space left"),
        ("PYTHONIOENCODING=ascii pm run g.route.json '[1]'", "PYTHONIOENCODING"),
    ],
)
def test_standard_files_that_are_not_there(artefact: Any, tmp_path: Path, command: str, says: str) -> None:
    artefact(ADD)
    artefact("def f(n: int):\n    return 'é'\n", "g")
    artefact("def f(n: int):\n" + "".join(f"    if n == {i}:\n        return {i}\n" for i in range(0, 80, 2)), "big")
    found = shell(command, tmp_path)
    assert (found.returncode, found.stdout) == (2, "")
    assert says in found.stderr
    assert len(found.stderr.splitlines()) == 1


def test_stderr_closed_is_quiet(artefact: Any, tmp_path: Path) -> None:
    artefact(ADD)
    assert shell("pm run f.route.json '[' 2>&-", tmp_path).returncode == 2


def test_what_was_answered_before_a_failure_is_written(artefact: Any, pm: Any) -> None:
    class Failing(io.BytesIO):
        def __next__(self) -> bytes:
            if line := self.readline():
                return line
            raise OSError(5, "Input/output error")

    path = artefact(ADD)
    found = pm("run", path, "-", stdin=Failing(b"[1]\n"))
    assert (found.code, found.out) == (2, "2\n")
    assert found.err == "error [io_error]: cannot read or write: Input/output error\n"


def test_a_reader_that_leaves_ends_it_quietly(artefact: Any, tmp_path: Path) -> None:
    artefact(ADD)
    (tmp_path / "in").write_text("[1]\n" * 200_00)
    found = shell("pm run f.route.json - <in | head -1", tmp_path)
    assert (found.stdout, found.stderr) == ("2\n", "")


def test_ctrl_c(artefact: Any, tmp_path: Path) -> None:
    artefact("def f(n: int):\n    while n > 0:\n        n = n + 1\n    return n\n")
    command = [sys.executable, "-u", "-m", "pointsman", "run", "f.route.json", "-", "--fuel", str(10**12)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, cwd=tmp_path) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(b"[0]\n[1]\n")
        process.stdin.close()
        assert process.stdout.readline() == b"0\n"  # the next line has no end
        os.kill(process.pid, signal.SIGINT)
        assert process.stderr.read() == b"interrupted\n"
        assert process.wait(30) == 130
