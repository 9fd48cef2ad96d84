"""Every command's good path, on one small program."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import pointsman

SIGN = "def f(n: int):\n    if n < 0:\n        raise ValueError('below')\n    return n + 1\n"


def test_help_and_version(pm: Any) -> None:
    assert pm("--version").out == f"pointsman {pointsman.__version__}\n"
    for command in (
        "",
        "compile",
        "write",
        "run",
        "show",
        "audit",
        "prove",
        "diff",
        "coverage",
        "generate",
        "serve",
        "replay",
        "report",
        "suggest",
        "solve",
        "calibrate routes",
        "calibrate query",
        "fit query",
        "explain",
        "bench",
    ):
        long, short = pm(*command.split(), "--help"), pm(*command.split(), "-h")
        assert (long.code, long.out) == (0, short.out)
        assert not command or f"pointsman {command} " in long.out.partition("\n\n")[2], "help has an example"


def test_compile_one_function(pm: Any, tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text(SIGN)
    text = pm("compile", "s.py:f", "--examples", 5)
    assert (text.code, text.err) == (0, "")
    assert text.out.startswith("f: 1 state(s), 2 rows, 1 state(s) proved, equal to CPython on ")
    assert (tmp_path / "f.route.json").is_file()
    again = pm("compile", "s.py:f", "--examples", 5, "-o", "new", "--json")
    assert json.loads(again.out)["artefact"] == "new/f.route.json"
    assert json.loads(again.out)["reused"] == ["table"]


@pytest.mark.parametrize(
    "data", [b"\xef\xbb\xbfdef f():\n    return 'x'\n", b"# coding: latin-1\ndef f():\n    return 'x\xe9'[0]\r\n"]
)
def test_compile_reads_a_file_as_python_does(pm: Any, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "s.py").write_bytes(data)
    assert pm("compile", "s.py:f", "--examples", 1, "--no-cache").code == 0
    assert pm("run", "f.route.json", "[]").out == '"x"\n'


def test_compile_a_file(pm: Any, tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text("def a():\n    return 1\ndef b():\n    return print()\n")
    found = pm("compile", "s.py", "-o", "out", "--examples", 1, "--no-cache")
    assert found.code == 2
    assert found.err.startswith("error: b: ")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.route.json"]


def test_run(pm: Any, artefact: Any) -> None:
    path = artefact(SIGN)
    assert pm("run", path, '{"n": 1}').out == "2\n"
    shown = pm("run", path, "[1]", "--json")
    assert json.loads(shown.out) == {"kind": "value", "result": 2, "states_visited": 1}
    raised = pm("run", path, "[-1]")
    assert (raised.code, json.loads(raised.out)) == (1, {"exception": {"type": "ValueError", "message": "below"}})


LATE = "from pointsman import judge\n\ndef f(t: str):\n    return 'late' if judge('it is late', t) else 'fine'\n"


def test_run_with_answers(pm: Any, artefact: Any) -> None:
    path = artefact(LATE)
    assert pm("run", path, '["x"]', "--answers", '{"it is late": true}').out == '"late"\n'
    assert "?1  'it is late' of t: yes or no" in pm("show", path).out
    refused = {
        (): "[nobody_answers]",
        ("--answers", "{}"): "no answer to 'it is late' is given; expected true or false",
        ("--answers", '{"it is late": 1}'): "the answer to 'it is late' is 1; expected true or false",
        ("--answers", "{"): "the answers are not JSON",
        ("--answers", "[1]"): "not a JSON object of questions and answers",
    }
    for options, message in refused.items():
        found = pm("run", path, '["x"]', *options)
        assert (found.code, found.out) == (2, "")
        assert message in found.err


def test_an_endpoint_answers(pm: Any, artefact: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            tops = [{"token": "A", "logprob": -0.1}]
            choice = {"message": {"content": "A"}, "logprobs": {"content": [{"top_logprobs": tops}]}}
            seen.append((body["model"], self.headers["Authorization"]))
            data = json.dumps({"choices": [choice]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: object) -> None:
            pass

    seen: list[tuple[str, str]] = []
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    path = artefact(LATE)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        url = f"http://127.0.0.1:{server.server_port}/v1"
        try:
            assert pm("run", path, '["x"]', "--model", f"{url}#qwen").out == '"late"\n'
        finally:
            server.shutdown()
    assert seen == [("qwen", "Bearer secret")]
    assert "[invalid_endpoint]" in pm("run", path, '["x"]', "--model", "http://127.0.0.1:9/v1").err
    assert "[upstream_unreachable]" in pm("run", path, '["x"]', "--model", "http://127.0.0.1:9/v1#m").err


def test_a_run_can_be_audited(pm: Any, artefact: Any, tmp_path: Path) -> None:
    path = artefact(LATE)
    assert pm("run", path, '["x"]', "--answers", '{"it is late": true}', "--trace", "run.json").out == '"late"\n'
    exact = pm("audit", "run.json", path)
    assert (exact.code, exact.out) == (0, "exact: 1 step(s), each as the guards say, with 1 recorded answer(s)\n")
    text = (tmp_path / "run.json").read_text()
    (tmp_path / "run.json").write_text(text.replace('"exit": 0', '"exit": 1'))
    wrong = pm("audit", "run.json", path)
    assert wrong.code == 1
    assert "step 1: another exit than the guards say was taken" in wrong.out
    assert json.loads(pm("audit", "run.json", path, "--json").out)["wrong_steps"] == [1]
    assert "[bad_trace]" in pm("audit", path, path).err
    assert "[no_trace]" in pm("audit", "none.json", path).err
    assert "[conflicting_options]" in pm("run", path, "-", "--trace", "run.json").err
    assert pm("run", artefact(SIGN, "g"), "[-1]", "--trace", "run.json").code == 1


def test_run_lines_of_stdin(pm: Any, artefact: Any) -> None:
    found = pm("run", artefact(SIGN), "-", stdin=b"[1]\n\n  \n[2]\n")
    assert (found.code, found.out, found.err) == (0, "2\n3\n", "")


@pytest.mark.parametrize(("option", "starts"), [("--svg", "<svg"), ("--dot", "digraph"), ("--python", "def ")])
def test_show(pm: Any, artefact: Any, option: str, starts: str) -> None:
    path = artefact(SIGN)
    assert starts in pm("show", path, option).out
    assert "n < 0" in pm("show", path).out
    assert pm("show", path, "--function", "f").out.startswith("f(n: int)")


def test_prove_says_up_to_where_a_state_is_exhaustive(pm: Any, tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text("def f(n: int):\n    return [i for i in range(n) if i % 3]\n")
    assert pm("compile", "s.py:f", "-o", "f.json").code == 0
    path = "f.json"
    assert "exhaustive: all 149 inputs with ints from -74 to 74" in pm("prove", path).out
    found = json.loads(pm("prove", path, "--json").out)
    assert (found["domain_size"], found["domain_bound"]) == (149, 74)


def test_prove(pm: Any, artefact: Any) -> None:
    path = artefact(SIGN)
    found = pm("prove", path, "--json")
    assert found.code == 0
    assert [claim["inputs"] for claim in json.loads(found.out)["raises"]] == [{"n": -1}]
    assert pm("prove", path, "--never-raises").code == 1


def test_diff(pm: Any, artefact: Any) -> None:
    old, new = artefact(SIGN), artefact(SIGN.replace("n < 0", "n < 1"), "g")
    assert pm("diff", old, old).code == 0
    found = pm("diff", old, new, "--json")
    assert found.code == 1
    assert [json.loads(change["inputs"]) for change in json.loads(found.out)["changes"]] == [{"n": 0}]


def test_coverage(pm: Any, tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text("def f():\n    return 1\n")
    found = pm("coverage", "s.py", "--resume", "done.jsonl")
    assert (found.code, json.loads(found.out.splitlines()[-1])["functions"]) == (0, 1)
    assert pm("coverage", "s.py", "--resume", "done.jsonl").code == 0


def test_serve_prints_its_settings_without_keys(pm: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL", "sk-secret")
    upstream = '[[upstream]]\nname = "u"\nbase_url = "http://127.0.0.1:1/v1"\nmodels = ["m"]\napi_key_env = "LOCAL"\n'
    (tmp_path / "pointsman.toml").write_text(upstream)
    found = pm("serve", "--print-config", "--port", "8500")
    assert "sk-secret" not in found.out
    shown = json.loads(found.out)
    assert (shown["settings"]["port"], shown["origins"]["port"]) == (8500, "flag")
    assert [(u["name"], u["models"], u["api_key"]) for u in shown["upstreams"]] == [("u", ["m"], "(set)")]


def test_serve_tells_what_auto_works_with(pm: Any, tmp_path: Path) -> None:
    (tmp_path / "policy").mkdir()
    (tmp_path / "pointsman.toml").write_text("[parts]\non = true\n")
    flags = ("--policy", "policy", "--memory", "m.db", "--ledger", "l.db", "--no-solver")
    shown = json.loads(pm("serve", "--print-config", *flags).out)
    routing = shown["routing"]
    assert (routing["policy"], routing["memory"], routing["ledger"]) == ("policy", "m.db", "l.db")
    assert (routing["solver"], routing["parts"]) == (False, True)
    assert (shown["origins"]["solver.on"], shown["origins"]["parts.on"]) == ("flag", "pointsman.toml")
    assert "[invalid_config]" in pm("serve", "--policy", "policy", "--infer", "m").err


def test_opaque_parts_are_run_where_they_are_trusted(pm: Any, artefact: Any) -> None:
    source = "def helper(x):\n    return 1 if x is (x + 1) else 2\ndef f(n: int):\n    return helper(n)\n"
    path = artefact(source, "pm_cli_opaque", opaque=True)
    for command in (["run", path, "[1]"], ["show", path], ["prove", path], ["diff", path, path]):
        refused = pm(*command)
        assert (refused.code, refused.out) == (2, "")
        assert "opaque_untrusted" in refused.err
        assert pm(*command, "--trust-opaque").code == 0
